package mailing_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// wednesday is not the beginning of any step longer than ten seconds.
var wednesday = time.Date(2026, 3, 4, 10, 20, 30, 0, time.UTC)

// sentAt returns a point with one sent message, some time after wednesday.
func sentAt(after time.Duration) mailing.Point {
	return mailing.Point{At: wednesday.Add(after), Sent: 1}
}

func done() mailing.Mailing { return mailing.Mailing{Status: mailing.StatusCompleted} }

func mustSeries(t *testing.T, m mailing.Mailing, counted []mailing.Point, step time.Duration, now time.Time) mailing.Series {
	t.Helper()
	s, err := m.Series(counted, step, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASeriesHasAllStepsFromTheFirstMessageToTheLast(t *testing.T) {
	t.Parallel()
	counted := []mailing.Point{
		{At: wednesday, Sent: 5, Failed: 1},
		{At: wednesday.Add(20 * time.Second), Sent: 2, Uncertain: 1},
		{At: wednesday.Add(40 * time.Second), Failed: 3},
		{At: wednesday.Add(190 * time.Second), Sent: 7},
	}
	at := func(minute int) time.Time { return time.Date(2026, 3, 4, 10, minute, 0, 0, time.UTC) }
	want := mailing.Series{Step: time.Minute, Points: []mailing.Point{
		{At: at(20), Sent: 7, Failed: 1, Uncertain: 1},
		{At: at(21), Failed: 3},
		{At: at(22)},
		{At: at(23), Sent: 7},
	}}
	if diff := cmp.Diff(want, mustSeries(t, done(), counted, time.Minute, at(59))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheStepIsTheSmallestReadableOneThatGivesFewPoints(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		life, want time.Duration
	}{
		{0, 10 * time.Second},
		{199 * 10 * time.Second, 10 * time.Second}, // 200 points
		{200 * 10 * time.Second, 30 * time.Second},
		{time.Hour, 30 * time.Second},
		{3 * time.Hour, time.Minute},
		{12 * time.Hour, 5 * time.Minute},
		{day, 10 * time.Minute},
		{4 * day, 30 * time.Minute},
		{8 * day, time.Hour},
		{20 * day, 3 * time.Hour},
		{100 * day, day},
		{1000 * day, 7 * day},
		{2000 * day, 14 * day},
		{20_000 * day, 112 * day},
	} {
		s := mustSeries(t, done(), []mailing.Point{sentAt(0), sentAt(c.life)}, 0, wednesday)
		if s.Step != c.want || len(s.Points) > 200 {
			t.Errorf("%s: step %s, %d points; want %s", c.life, s.Step, len(s.Points), c.want)
		}
	}
}

func TestStepsBeginWithHoursDaysAndMondays(t *testing.T) {
	t.Parallel()
	for step, want := range map[time.Duration]time.Time{
		time.Hour:          time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC),
		3 * time.Hour:      time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC),
		24 * time.Hour:     time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
		7 * 24 * time.Hour: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
	} {
		if s := mustSeries(t, done(), []mailing.Point{sentAt(0)}, step, wednesday); !s.Points[0].At.Equal(want) {
			t.Errorf("%s: it begins at %s", step, s.Points[0].At)
		}
	}
}

func TestTheSeriesOfARunningMailingEndsWithThePresent(t *testing.T) {
	t.Parallel()
	now := wednesday.Add(5 * time.Minute)
	for name, c := range map[string]struct {
		m    mailing.Mailing
		now  time.Time
		want int
	}{
		"running":              {mailing.Mailing{Status: mailing.StatusRunning}, now, 6},
		"past its end":         {mailing.Mailing{Status: mailing.StatusRunning}, wednesday.Add(100 * time.Hour), 61},
		"paused":               {mailing.Mailing{Status: mailing.StatusPaused}, now, 2},
		"cancelled":            {mailing.Mailing{Status: mailing.StatusCancelled}, now, 2},
		"completed":            {done(), now, 2},
		"its clock was behind": {mailing.Mailing{Status: mailing.StatusRunning}, wednesday.Add(-time.Hour), 2},
	} {
		c.m.EndAt = wednesday.Add(time.Hour)
		if s := mustSeries(t, c.m, []mailing.Point{sentAt(0), sentAt(time.Minute)}, time.Minute, c.now); len(s.Points) != c.want {
			t.Errorf("%s: %d points, want %d", name, len(s.Points), c.want)
		}
	}
	if s := mustSeries(t, mailing.Mailing{Status: mailing.StatusRunning}, nil, 0, now); s.Step != 10*time.Second || len(s.Points) != 0 {
		t.Errorf("without messages: %+v", s)
	}
}

// TestAStepThatIsTooSmallIsRefusedWithTheSmallestThatFits tries steps around the limit
// for lives of many lengths, which begin anywhere in a step.
func TestAStepThatIsTooSmallIsRefusedWithTheSmallestThatFits(t *testing.T) {
	t.Parallel()
	fits := func(life, step time.Duration) (mailing.Series, error) {
		return done().Series([]mailing.Point{sentAt(0), sentAt(life)}, step, wednesday)
	}
	for _, life := range []time.Duration{
		1000 * 10 * time.Second, 3 * time.Hour, 26 * time.Hour, 9990 * time.Minute, 9999 * time.Minute, 2000 * time.Hour,
		19_990 * 10 * time.Second, 20_000 * 10 * time.Second, 20_010 * 10 * time.Second,
	} {
		var e *mailing.Error
		if _, err := fits(life, 10*time.Second); !errors.As(err, &e) || e.Kind != mailing.KindInvalid {
			t.Errorf("%s: %v", life, err)
			continue
		}
		var seconds int
		if n, err := fmt.Sscanf(e.Fields[0].Message, "must be %d or more", &seconds); n != 1 || e.Fields[0].Location != "query.step" {
			t.Errorf("%s: %v, %v", life, e, err)
		}
		smallest := time.Duration(seconds) * time.Second
		if s, err := fits(life, smallest); err != nil || len(s.Points) > mailing.MaxPoints || smallest%mailing.SeriesStep != 0 {
			t.Errorf("%s: the step %s gives %d points, %v", life, smallest, len(s.Points), err)
		}
		if _, err := fits(life, smallest-mailing.SeriesStep); err == nil {
			t.Errorf("%s: a step below %s fits, too", life, smallest)
		}
	}
	if s, err := fits(999*10*time.Second, 10*time.Second); err != nil || len(s.Points) != mailing.MaxPoints {
		t.Errorf("%d points, %v", len(s.Points), err)
	}
}
