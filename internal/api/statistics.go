package api

import (
	"context"
	"net/http"
	"strings"

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
			"without deleted ones. The counts of a mailing add up on every read. With the `ETag` of the last " +
			"answer in `If-None-Match`, an answer that would be the same is 304, and costs one read of the " +
			"tables with up to five mailings that have not ended.",
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
			"listed. With the `ETag` of the last answer in `If-None-Match`, an answer that would be the same " +
			"is 304. With `limit=0` this costs one read of the tables.",
		success: "The mailing, its counts and a page of its messages.",
		answer: Info{
			Mailing: running, Counts: exampleCounts(), Expanded: true, Progress: &progress, Rate: 0.05,
			Messages: []Message{exampleMessage()},
		},
	}, s.info)
}

// fullInfo returns one page of mailings with their counts, and the sums over all
// mailings of the status. The sums do not depend on the page.
//
// The ETag is a hash of the query, a dot, and the version of the store. Only a tag of
// the same query is compared.
func (s *server) fullInfo(ctx context.Context, in *struct {
	MailingFilters
	Polled
},
) (*polledAnswer[FullInfo], error) {
	query, err := hashTag(in.query())
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(query, `"`) + "."
	seen := ""
	for tag := range in.tags() {
		if version, ok := strings.CutPrefix(tag, prefix); ok {
			seen = strings.TrimSuffix(version, `"`)
		}
	}
	overview, err := s.mailings.Overview(ctx, in.query(), seen)
	if err != nil {
		return nil, err
	}
	tag := prefix + overview.Version + `"`
	if overview.Unchanged || in.has(tag) {
		return unchanged[FullInfo](tag), nil
	}
	body := FullInfo{
		Mailings:         make([]CountedMailing, 0, len(overview.Items)),
		Totals:           Counts(overview.Totals),
		MailingsByStatus: byStatusJSON(overview.Mailings),
		NextCursor:       Cursor(overview.Next),
	}
	for i, m := range overview.Items {
		body.Mailings = append(body.Mailings, CountedMailing{mailingJSON(m), Counts(overview.Progress[i].Counts)})
	}
	return &polledAnswer[FullInfo]{Status: http.StatusOK, ETag: tag, Body: body}, nil
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
// leaves the messages out: then one call reads everything. The ETag is a hash of the
// answer.
func (s *server) info(ctx context.Context, in *struct {
	MailingInput
	Polled
	Status MessageStatus `query:"status" doc:"Only messages of this status. The counts do not change."`
	Limit  int           `query:"limit" minimum:"0" maximum:"100" default:"50" doc:"The maximum number of messages. 0 returns none."`
	Cursor string        `query:"cursor" format:"cursor" doc:"The next_cursor of the previous page, with the same status. No other value is accepted. If it is empty or left out, the answer is the first page."`
},
) (*polledAnswer[Info], error) {
	id, err := in.ID.mailing()
	if err != nil {
		return nil, err
	}
	read, err := s.mailings.Statistics(ctx, id)
	if err == nil && read.Mailing.Deleted {
		err = mailing.NotFound("mailing")
	}
	if err != nil {
		return nil, err
	}
	var page mailing.List[mailing.Message]
	if in.Limit > 0 {
		page, err = s.mailings.MessagesOf(ctx, read, mailing.MessageQuery{
			Mailing: id, Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor,
		})
		if err != nil {
			return nil, err
		}
	}
	body := Info{
		Mailing:    mailingJSON(read.Mailing),
		Counts:     Counts(read.Counts),
		Expanded:   read.Expanded,
		Progress:   share(read.Counts),
		Rate:       thousandths(read.Rate),
		Rejected:   rejected(read.Mailing),
		Messages:   each(page.Items, messageJSON),
		NextCursor: Cursor(page.Next),
	}
	tag, err := hashTag(body)
	if err != nil {
		return nil, err
	}
	if in.has(tag) {
		return unchanged[Info](tag), nil
	}
	return &polledAnswer[Info]{Status: http.StatusOK, ETag: tag, Body: body}, nil
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
