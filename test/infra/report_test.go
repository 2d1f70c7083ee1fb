package infra_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// TestAReportThatFailsTwoHoursLongIsAlarmedOf demands an alarm after two failed runs in a
// row. A report run that fails is not repeated; the schedule invokes the next run an hour
// later.
func TestAReportThatFailsTwoHoursLongIsAlarmedOf(t *testing.T) {
	t.Parallel()
	var a struct {
		Period    int     `json:"Period"`
		Of        int     `json:"EvaluationPeriods"`
		Needed    int     `json:"DatapointsToAlarm"`
		Threshold float64 `json:"Threshold"`
		Operator  string  `json:"ComparisonOperator"`
	}
	errors := parse(t, "infra/alarms.yaml").Resources["SchedulerErrors"]
	if err := json.Unmarshal(errors.Properties, &a); err != nil || a.Period == 0 || a.Operator != "GreaterThanOrEqualToThreshold" {
		t.Fatalf("%+v, %v", a, err)
	}
	const minute, hour = time.Minute, time.Hour
	for name, c := range map[string]struct {
		failed []time.Duration // after midnight
		rings  bool
	}{
		"one hour":                {[]time.Duration{6 * hour}, false},
		"two hours":               {[]time.Duration{6 * hour, 7 * hour}, true},
		"two runs on one day":     {[]time.Duration{6 * hour, 9 * hour}, false},
		"sweeps, for ten minutes": {[]time.Duration{6 * hour, 6*hour + 4*minute, 6*hour + 8*minute}, true},
	} {
		counts := map[int]float64{}
		for _, at := range c.failed {
			counts[int(at.Seconds())/a.Period]++
		}
		var breaching []int
		for period, n := range counts {
			if n >= a.Threshold {
				breaching = append(breaching, period)
			}
		}
		slices.Sort(breaching)
		rings := false
		for i := 0; i+a.Needed <= len(breaching); i++ {
			rings = rings || breaching[i+a.Needed-1]-breaching[i] < a.Of
		}
		if rings != c.rings {
			t.Errorf("%s: does it ring? %t, want %t", name, rings, c.rings)
		}
	}
}
