package api

import (
	"context"
	"net/http"

	"postrider/internal/mailing"
)

// Counts are the numbers of messages by status. Total is their sum.
type Counts struct {
	Total     int64 `json:"total" minimum:"0"`
	Queued    int64 `json:"queued" minimum:"0"`
	Retrying  int64 `json:"retrying" minimum:"0"`
	Deferred  int64 `json:"deferred" minimum:"0"`
	Sent      int64 `json:"sent" minimum:"0"`
	Failed    int64 `json:"failed" minimum:"0"`
	Expired   int64 `json:"expired" minimum:"0"`
	Cancelled int64 `json:"cancelled" minimum:"0"`
	Skipped   int64 `json:"skipped" minimum:"0"`
	Uncertain int64 `json:"uncertain" minimum:"0"`
}

// CountedMailing is a mailing with its counts.
type CountedMailing struct {
	Mailing
	Counts Counts `json:"counts"`
}

// FullInfo is a page of mailings with the sums over all of them.
type FullInfo struct {
	Mailings         []CountedMailing `json:"mailings" nullable:"false"`
	Totals           Counts           `json:"totals"`
	MailingsByStatus MailingsByStatus `json:"mailings_by_status"`
	NextCursor       Cursor           `json:"next_cursor,omitempty"`
}

// MailingsByStatus are the numbers of mailings by status.
type MailingsByStatus struct {
	Scheduled int64 `json:"scheduled" minimum:"0"`
	Running   int64 `json:"running" minimum:"0"`
	Paused    int64 `json:"paused" minimum:"0"`
	Completed int64 `json:"completed" minimum:"0"`
	Cancelled int64 `json:"cancelled" minimum:"0"`
}

// Info is the statistics of one mailing, with a page of its messages.
type Info struct {
	Mailing    Mailing   `json:"mailing"`
	Counts     Counts    `json:"counts"`
	Expanded   bool      `json:"expanded" doc:"Whether the whole audience is known, so that total is final."`
	Progress   *float64  `json:"progress" minimum:"0" maximum:"1" doc:"The share of messages in a terminal status. Null while there are no messages."`
	Rate       float64   `json:"rate" minimum:"0" doc:"Messages per second over the last minute."`
	Rejected   *float64  `json:"rejected_share" nullable:"true" minimum:"0" maximum:"1" doc:"The share of rejections that paused the mailing. Null if paused_by is not rejections."`
	Messages   []Message `json:"messages" nullable:"false"`
	NextCursor Cursor    `json:"next_cursor,omitempty"`
}

// exampleCounts returns counts whose total is the sum of the others.
func exampleCounts() Counts { return Counts{Total: 4, Queued: 1, Sent: 2, Failed: 1} }

// routeStatistics registers the statistics.
func (s *server) routeStatistics() {
	running, progress := exampleMailingIn(mailing.StatusRunning, 2), 0.75
	register(s, operation{
		id: "get-statistics", method: http.MethodGet, path: mailingsPath + "/fullinfo", tag: statisticsTag,
		summary: "Read overall statistics",
		about: "Returns mailings, newest first, with their counts, and the sums over all of them. `totals` and " +
			"`mailings_by_status` are the same on each page: they cover all mailings that match `status`, " +
			"without deleted ones. The counts of a mailing add up on every read.",
		success: "A page of mailings, and the sums over all of them.",
		answer: FullInfo{
			Mailings: []CountedMailing{{running, exampleCounts()}}, Totals: exampleCounts(),
			MailingsByStatus: MailingsByStatus{Running: 1},
		},
	}, s.fullInfo)
	register(s, operation{
		id: "get-mailing-statistics", method: http.MethodGet, path: mailingPath + "/info", tag: statisticsTag,
		summary: "Read the statistics and messages of a mailing",
		about: "Returns the progress of a mailing, with a page of its messages. `status` selects messages and " +
			"does not change the counts. `limit=0` returns no messages, which is cheaper. While `expanded` is " +
			"false, the audience is still being read, and `total` grows. Test messages are neither counted nor " +
			"listed.",
		success: "The mailing, its counts and a page of its messages.",
		answer: Info{
			Mailing: running, Counts: exampleCounts(), Expanded: true, Progress: &progress, Rate: 0.05,
			Messages: []Message{exampleMessage()},
		},
	}, s.info)
}

// fullInfo returns one page of mailings with their counts, and the sums over all
// mailings of the status. The sums do not depend on the page.
func (s *server) fullInfo(ctx context.Context, in *mailingFilters) (*struct{ Body FullInfo }, error) {
	page, err := s.mailings.ListMailings(ctx, in.query())
	if err != nil {
		return nil, err
	}
	progress, err := s.mailings.Progress(ctx, page.Items)
	if err != nil {
		return nil, err
	}
	overall, err := s.mailings.Overall(ctx, mailing.Status(in.Status))
	if err != nil {
		return nil, err
	}
	body := FullInfo{
		Mailings:         make([]CountedMailing, 0, len(page.Items)),
		Totals:           Counts(overall.Totals),
		MailingsByStatus: byStatusJSON(overall.Mailings),
		NextCursor:       Cursor(page.Next),
	}
	for i, m := range page.Items {
		body.Mailings = append(body.Mailings, CountedMailing{mailingJSON(m), Counts(progress[i].Counts)})
	}
	return &struct{ Body FullInfo }{body}, nil
}

// byStatusJSON returns the numbers of mailings as answers have them.
func byStatusJSON(n map[mailing.Status]int64) MailingsByStatus {
	return MailingsByStatus{
		Scheduled: n[mailing.StatusScheduled],
		Running:   n[mailing.StatusRunning],
		Paused:    n[mailing.StatusPaused],
		Completed: n[mailing.StatusCompleted],
		Cancelled: n[mailing.StatusCancelled],
	}
}

// info returns the statistics of one mailing with a page of its messages. A limit of 0
// leaves the messages out, which is cheaper.
func (s *server) info(ctx context.Context, in *struct {
	MailingInput
	Status MessageStatus `query:"status" doc:"Only messages of this status. The counts do not change."`
	Limit  int           `query:"limit" minimum:"0" maximum:"100" default:"50" doc:"The maximum number of messages. 0 returns none."`
	Cursor string        `query:"cursor" format:"cursor" doc:"The next_cursor of the previous page, with the same status. No other value is accepted. If it is empty or left out, the answer is the first page."`
},
) (*struct{ Body Info }, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	progress, err := s.mailings.Progress(ctx, []mailing.Mailing{m})
	if err != nil {
		return nil, err
	}
	rate, err := s.mailings.Rate(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	var page mailing.List[mailing.Message]
	if in.Limit > 0 {
		page, err = s.mailings.ListMessages(ctx, mailing.MessageQuery{
			Mailing: m.ID, Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor,
		})
		if err != nil {
			return nil, err
		}
	}
	counts := progress[0].Counts
	return &struct{ Body Info }{Info{
		Mailing:    mailingJSON(m),
		Counts:     Counts(counts),
		Expanded:   progress[0].Expanded,
		Progress:   share(counts),
		Rate:       thousandths(rate),
		Rejected:   rejected(m),
		Messages:   each(page.Items, messageJSON),
		NextCursor: Cursor(page.Next),
	}}, nil
}

// rejected returns the share of rejections for which m was paused, nil if it is not
// paused for that reason.
func rejected(m mailing.Mailing) *float64 {
	if m.Status != mailing.StatusPaused || m.PausedBy != mailing.ByRejections {
		return nil
	}
	part := thousandths(m.RejectedShare)
	return &part
}

// share returns the share of messages in a terminal status, nil while there are no
// messages.
func share(c mailing.Counts) *float64 {
	if c.Total == 0 {
		return nil
	}
	p := float64(c.Terminal()) / float64(c.Total)
	return &p
}
