package api

import (
	"context"
	"net/http"

	"postrider/internal/mailing"
)

// routeStatistics registers the statistics.
func (s *server) routeStatistics() {
	handle(s, operation("get-statistics", http.MethodGet, mailingsPath+"/fullinfo", "statistics",
		"Overall statistics", http.StatusBadRequest), s.fullInfo)
	info := mailingOp("get-mailing-statistics", http.MethodGet, mailingPath+"/info",
		"One mailing's statistics and messages", http.StatusBadRequest, http.StatusNotFound)
	info.Tags = []string{"statistics"}
	handle(s, info, s.info)
}

// fullInfo returns one page of mailings with their counts, and the sums over all
// mailings of the status. The sums do not depend on the page.
func (s *server) fullInfo(ctx context.Context, in *mailingsSearched) (*struct{ Body FullInfo }, error) {
	status := mailing.Status(in.Status)
	page, err := s.Mailings.ListMailings(ctx, mailing.MailingQuery{Status: status, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	progress, err := s.Mailings.Progress(ctx, page.Items)
	if err != nil {
		return nil, err
	}
	overall, err := s.Mailings.Overall(ctx, status)
	if err != nil {
		return nil, err
	}
	body := FullInfo{
		Mailings:         make([]CountedMailing, 0, len(page.Items)),
		Totals:           countsJSON(overall.Totals),
		MailingsByStatus: byStatusJSON(overall.Mailings),
		NextCursor:       page.Next,
	}
	for i, m := range page.Items {
		body.Mailings = append(body.Mailings, CountedMailing{mailingJSON(m), countsJSON(progress[i].Counts)})
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

// infoAsked is the input of one mailing's statistics.
type infoAsked struct {
	ID     idParam            `path:"id"`
	Status messageStatusParam `query:"status" doc:"Only messages of this status; the numbers stay."`
	Limit  int                `query:"limit" minimum:"0" maximum:"100" default:"50" doc:"How many messages at most; 0 leaves them out."`
	Cursor string             `query:"cursor" format:"cursor" doc:"next_cursor of the page before, with the same status; nothing else can be used. Empty or left out is the first page."`
}

// info returns one mailing's statistics with a page of its messages. A limit of 0
// leaves the messages out, which is cheaper.
func (s *server) info(ctx context.Context, in *infoAsked) (*struct{ Body Info }, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	progress, err := s.Mailings.Progress(ctx, []mailing.Mailing{m})
	if err != nil {
		return nil, err
	}
	rate, err := s.Mailings.Rate(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	var page mailing.List[mailing.Message]
	if in.Limit > 0 {
		page, err = s.Mailings.ListMessages(ctx, mailing.MessageQuery{
			Mailing: m.ID, Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor,
		})
		if err != nil {
			return nil, err
		}
	}
	counts := progress[0].Counts
	return &struct{ Body Info }{Info{
		Mailing:    mailingJSON(m),
		Counts:     countsJSON(counts),
		Expanded:   progress[0].Expanded,
		Progress:   share(counts),
		Rate:       thousandths(rate),
		Rejected:   rejected(m),
		Messages:   each(page.Items, messageJSON),
		NextCursor: page.Next,
	}}, nil
}

// rejected returns the share of refusals for which m was paused, nil if it is not
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
