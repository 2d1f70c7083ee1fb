package mailing

import (
	"slices"
	"time"
)

const (
	// SeriesStep is the finest step of a series. Other steps are multiples of it.
	SeriesStep = 10 * time.Second
	// MaxPoints is how many points a series has at most.
	MaxPoints = 1000
	// readablePoints is how many points a series has at most if its step was not asked
	// for. A chart of usual width shows about as many.
	readablePoints = 200
)

// readableSteps are the steps that are chosen from if none was asked for.
var readableSteps = []time.Duration{ //nolint:gochecknoglobals // a list that no code changes
	SeriesStep, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

// Point is how many messages of a mailing reached a status during one step, which begins
// at At.
type Point struct {
	At                      time.Time
	Sent, Failed, Uncertain int64
}

// Series is how many messages of a mailing reached a status over time.
type Series struct {
	Step   time.Duration
	Points []Point
}

// Series returns the series of m from counted, the points of [SeriesStep] that are not
// zero, in the order of time. It begins with the first step that has a message, and ends
// with the last one; while m is running, with the step of now. Steps in between are
// there even if nothing happened in them. Steps are counted from a Monday at 00:00 UTC.
//
// With step 0 it chooses the smallest readable step that gives at most about 200 points.
// Any other step must be a multiple of [SeriesStep]. If it gives more than [MaxPoints],
// the error is a [KindInvalid] that names the smallest step that fits.
func (m Mailing) Series(counted []Point, step time.Duration, now time.Time) (Series, error) {
	if len(counted) == 0 {
		return Series{Step: max(step, SeriesStep)}, nil
	}
	first, last := counted[0].At, counted[len(counted)-1].At
	if sending := earlier(now, m.EndAt); m.Status == StatusRunning && sending.After(last) {
		last = sending
	}
	switch {
	case step == 0:
		step = readableStep(first, last)
	case pointsFrom(first, last, step) > MaxPoints:
		var p problems
		p.add("query.step", "must be %d or more for this mailing, which would otherwise have more than %d points",
			smallestStep(first, last)/time.Second, MaxPoints)
		return Series{}, p.err("the request")
	}
	series := Series{Step: step, Points: make([]Point, pointsFrom(first, last, step))}
	for i := range series.Points {
		series.Points[i].At = first.Truncate(step).Add(time.Duration(i) * step)
	}
	for _, c := range counted {
		p := &series.Points[pointsFrom(first, c.At, step)-1]
		p.Sent, p.Failed, p.Uncertain = p.Sent+c.Sent, p.Failed+c.Failed, p.Uncertain+c.Uncertain
	}
	return series, nil
}

// pointsFrom returns the number of points from the step of first to the step of last,
// both included.
func pointsFrom(first, last time.Time, step time.Duration) int {
	return int(last.Truncate(step).Sub(first.Truncate(step))/step) + 1
}

// readableStep returns the step for a series whose request has no step.
func readableStep(first, last time.Time) time.Duration {
	readable := func(step time.Duration) bool { return pointsFrom(first, last, step) <= readablePoints }
	if i := slices.IndexFunc(readableSteps, readable); i >= 0 {
		return readableSteps[i]
	}
	step := readableSteps[len(readableSteps)-1]
	for !readable(step) {
		step *= 2
	}
	return step
}

// smallestStep returns the smallest step that gives at most [MaxPoints].
func smallestStep(first, last time.Time) time.Duration {
	// No smaller step than this can fit. This one may be too small, too: the first and
	// the last step are counted in full.
	step := (last.Sub(first)/MaxPoints + SeriesStep - 1).Truncate(SeriesStep)
	for step = max(step, SeriesStep); pointsFrom(first, last, step) > MaxPoints; {
		step += SeriesStep
	}
	return step
}
