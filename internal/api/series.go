package api

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"postrider/internal/mailing"
)

// aboutSeries is about the points of a series.
//
//go:embed texts/get-mailing-series.md
var aboutSeries string

// routeSeries registers the counts over time.
func (s *server) routeSeries() {
	register(s, operation{
		id: "get-mailing-series", method: http.MethodGet, path: mailingPath + "/series", tag: statisticsTag,
		summary: "Read the messages of a mailing over time", about: aboutSeries,
		success: "The points, earliest first.",
		answer:  Series{60, []Point{{exampleAt(30), 0, 1, 0}, {exampleAt(31), 2, 0, 0}}},
		errors: map[int]errorText{http.StatusUnprocessableEntity: {
			when: "The id is not an integer, `step` is not a multiple of 10, or it is so small that there would be " +
				"more than 1,000 points: then `errors` names the smallest step that fits. Or a query parameter is " +
				"unknown, empty or repeated.",
			detail: invalidRequest, fields: []FieldError{{"query.step", "must be a multiple of 10"}},
		}},
	}, s.series)
}

// Series is the messages of a mailing over time.
type Series struct {
	Step   int     `json:"step" minimum:"10" example:"60" doc:"The seconds from one point to the next."`
	Points []Point `json:"points" nullable:"false" maxItems:"1000"`
}

// Point is the messages that reached a status during one step.
type Point struct {
	At        Time  `json:"at" doc:"The beginning of the step."`
	Sent      int64 `json:"sent" minimum:"0"`
	Failed    int64 `json:"failed" minimum:"0"`
	Uncertain int64 `json:"uncertain" minimum:"0"`
}

// pointJSON returns a point as answers have it.
func pointJSON(p mailing.Point) Point { return Point{Time(p.At), p.Sent, p.Failed, p.Uncertain} }

// series returns the messages of one mailing over time.
func (s *server) series(ctx context.Context, in *struct {
	MailingInput

	Step int `query:"step" minimum:"10" maximum:"604800" multipleOf:"10" doc:"The seconds from one point to the next, a multiple of 10. By default, a step that gives at most about 200 points."`
},
) (*struct{ Body Series }, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	counted, err := s.mailings.Series(ctx, m)
	if err != nil {
		return nil, err
	}
	series, err := m.Series(counted, time.Duration(in.Step)*time.Second, s.now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body Series }{Series{int(series.Step / time.Second), each(series.Points, pointJSON)}}, nil
}
