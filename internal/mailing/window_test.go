package mailing_test

import (
	"testing"
	"time"

	"postrider/internal/mailing"
)

func clock(t *testing.T, s string) mailing.ClockTime {
	t.Helper()
	c, err := mailing.ParseClockTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	i, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestAWindowOpensWhenTheClientsClockEntersIt(t *testing.T) {
	tests := []struct {
		name, zone, from, to, now, opens string
	}{
		{"open in the middle", "Europe/Moscow", "09:00", "21:00", "2026-03-01T12:00:00+03:00", "2026-03-01T12:00:00+03:00"},
		{"open at its first instant", "Europe/Moscow", "09:00", "21:00", "2026-03-01T09:00:00+03:00", "2026-03-01T09:00:00+03:00"},
		{"closed just before it", "Europe/Moscow", "09:00", "21:00", "2026-03-01T08:59:59.999999999+03:00", "2026-03-01T09:00:00+03:00"},
		{"open just before its end", "Europe/Moscow", "09:00", "21:00", "2026-03-01T20:59:59.999999999+03:00", "2026-03-01T20:59:59.999999999+03:00"},
		{"closed at its end", "Europe/Moscow", "09:00", "21:00", "2026-03-01T21:00:00+03:00", "2026-03-02T09:00:00+03:00"},
		{"another zone at the same instant", "Asia/Vladivostok", "09:00", "21:00", "2026-03-01T12:00:00Z", "2026-03-02T09:00:00+10:00"},
		{"a zone with a half hour", "Asia/Kolkata", "09:00", "10:00", "2026-03-01T03:00:00Z", "2026-03-01T03:30:00Z"},

		{"overnight, before midnight", "Europe/Moscow", "22:00", "06:00", "2026-03-01T23:30:00+03:00", "2026-03-01T23:30:00+03:00"},
		{"overnight, after midnight", "Europe/Moscow", "22:00", "06:00", "2026-03-02T05:59:59+03:00", "2026-03-02T05:59:59+03:00"},
		{"overnight, closed at its end", "Europe/Moscow", "22:00", "06:00", "2026-03-02T06:00:00+03:00", "2026-03-02T22:00:00+03:00"},
		{"until midnight", "Europe/Moscow", "20:00", "00:00", "2026-03-02T00:00:00+03:00", "2026-03-02T20:00:00+03:00"},
		{"from midnight", "Europe/Moscow", "00:00", "06:00", "2026-03-01T12:00:00+03:00", "2026-03-02T00:00:00+03:00"},

		// Berlin, 29 March 2026: 02:00 CET is followed by 03:00 CEST.
		{"the day clocks go forward is an hour short", "Europe/Berlin", "09:00", "21:00", "2026-03-28T21:00:00+01:00", "2026-03-29T09:00:00+02:00"},
		{"clocks jump over the opening: it opens at the jump", "Europe/Berlin", "02:30", "12:00", "2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"a window that clocks jump over as a whole opens the next day", "Europe/Berlin", "02:10", "02:50", "2026-03-29T00:00:00+01:00", "2026-03-30T02:10:00+02:00"},
		{"open up to the jump and after it", "Europe/Berlin", "01:00", "05:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:00:00+02:00"},
		// Berlin, 25 October 2026: 03:00 CEST is followed by 02:00 CET.
		{"the day clocks go back is an hour long", "Europe/Berlin", "09:00", "21:00", "2026-10-24T21:00:00+02:00", "2026-10-25T09:00:00+01:00"},
		{"an opening in the repeated hour: it opens the first time", "Europe/Berlin", "02:30", "12:00", "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"clocks that go back out of a window close it", "Europe/Berlin", "02:30", "12:00", "2026-10-25T02:10:00+01:00", "2026-10-25T02:30:00+01:00"},
		{"clocks that go back into a window open it again", "Europe/Berlin", "01:00", "02:30", "2026-10-25T02:45:00+02:00", "2026-10-25T02:00:00+01:00"},
		// Lord Howe's clocks move by half an hour: 02:00 is followed by 01:30.
		{"a change of half an hour", "Australia/Lord_Howe", "01:45", "03:00", "2026-04-05T01:35:00+10:30", "2026-04-05T01:45:00+10:30"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loc, err := mailing.Zone(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			w := mailing.Window{From: clock(t, test.from), To: clock(t, test.to)}
			got := w.Opening(loc, instant(t, test.now))
			if want := instant(t, test.opens); !got.Equal(want) {
				t.Errorf("opens at %s, want %s", got.In(loc), want.In(loc))
			}
		})
	}
}

func TestAWindowClosesWhenTheClientsClockLeavesIt(t *testing.T) {
	tests := []struct {
		name, zone, from, to, now, closes string
	}{
		{"open in the middle", "Europe/Moscow", "09:00", "21:00", "2026-03-01T12:00:00+03:00", "2026-03-01T21:00:00+03:00"},
		{"open at its first instant", "Europe/Moscow", "09:00", "21:00", "2026-03-01T09:00:00+03:00", "2026-03-01T21:00:00+03:00"},
		{"open for 1 ns more", "Europe/Moscow", "09:00", "21:00", "2026-03-01T20:59:59.999999999+03:00", "2026-03-01T21:00:00+03:00"},
		{"closed at its end", "Europe/Moscow", "09:00", "21:00", "2026-03-01T21:00:00+03:00", "2026-03-01T21:00:00+03:00"},
		{"closed just before it opens", "Europe/Moscow", "09:00", "21:00", "2026-03-01T08:59:59.999999999+03:00", "2026-03-01T08:59:59.999999999+03:00"},
		{"another zone at the same instant", "Asia/Vladivostok", "09:00", "23:00", "2026-03-01T12:00:00Z", "2026-03-01T23:00:00+10:00"},
		{"a zone with a half hour", "Asia/Kolkata", "09:00", "10:00", "2026-03-01T04:00:00Z", "2026-03-01T04:30:00Z"},

		{"overnight, before midnight", "Europe/Moscow", "22:00", "06:00", "2026-03-01T23:30:00+03:00", "2026-03-02T06:00:00+03:00"},
		{"overnight, at midnight", "Europe/Moscow", "22:00", "06:00", "2026-03-02T00:00:00+03:00", "2026-03-02T06:00:00+03:00"},
		{"overnight, after midnight", "Europe/Moscow", "22:00", "06:00", "2026-03-02T05:59:59+03:00", "2026-03-02T06:00:00+03:00"},
		{"overnight, closed at its end", "Europe/Moscow", "22:00", "06:00", "2026-03-02T06:00:00+03:00", "2026-03-02T06:00:00+03:00"},
		{"until midnight", "Europe/Moscow", "20:00", "00:00", "2026-03-01T23:59:59+03:00", "2026-03-02T00:00:00+03:00"},
		{"from midnight", "Europe/Moscow", "00:00", "06:00", "2026-03-02T00:00:00+03:00", "2026-03-02T06:00:00+03:00"},
		{"all but a minute", "Europe/Moscow", "09:00", "08:59", "2026-03-02T09:00:00+03:00", "2026-03-03T08:59:00+03:00"},

		// Berlin, 29 March 2026: 02:00 CET is followed by 03:00 CEST.
		{"the night clocks go forward is an hour short", "Europe/Berlin", "22:00", "06:00", "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00"},
		{"clocks jump over the close: it closes at the jump", "Europe/Berlin", "01:00", "02:30", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"clocks jump to the close: it closes at the jump", "Europe/Berlin", "01:00", "03:00", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"open over the jump", "Europe/Berlin", "01:00", "05:00", "2026-03-29T01:59:00+01:00", "2026-03-29T05:00:00+02:00"},
		// Berlin, 25 October 2026: 03:00 CEST is followed by 02:00 CET.
		{"the night clocks go back is an hour long", "Europe/Berlin", "22:00", "06:00", "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00"},
		{"a close in the repeated hour: it closes the first time", "Europe/Berlin", "01:00", "02:30", "2026-10-25T02:10:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"opened again, it closes again", "Europe/Berlin", "01:00", "02:30", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"},
		{"clocks that go back out of a window close it", "Europe/Berlin", "02:30", "12:00", "2026-10-25T02:45:00+02:00", "2026-10-25T02:00:00+01:00"},
		{"clocks go back at the close: it closes an hour later", "Europe/Berlin", "02:00", "03:00", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"},
		// Lord Howe's clocks move by half an hour: 02:00 is followed by 01:30.
		{"a change of half an hour", "Australia/Lord_Howe", "01:45", "03:00", "2026-04-05T01:50:00+11:00", "2026-04-05T01:30:00+10:30"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loc, err := mailing.Zone(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			w := mailing.Window{From: clock(t, test.from), To: clock(t, test.to)}
			got := w.Closing(loc, instant(t, test.now))
			if want := instant(t, test.closes); !got.Equal(want) {
				t.Errorf("closes at %s, want %s", got.In(loc), want.In(loc))
			}
		})
	}
}

func TestAWindowIsOpenFromAnyInstantInsideItUntilItsClose(t *testing.T) {
	// The rule itself, minute by minute, over both of a zone's changes.
	loc, err := mailing.Zone("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []string{"2026-03-07T12:00:00Z", "2026-10-31T12:00:00Z"} {
		for _, hours := range [][2]string{{"01:30", "02:30"}, {"02:30", "03:30"}, {"22:00", "01:15"}, {"00:00", "23:59"}} {
			w := mailing.Window{From: clock(t, hours[0]), To: clock(t, hours[1])}
			start, checked := instant(t, day), time.Time{}
			for at := start; at.Before(start.Add(36 * time.Hour)); at = at.Add(time.Minute) {
				closes := w.Closing(loc, at)
				if closes.Equal(checked) {
					continue // the minute before had the same result
				}
				checked = closes
				for between := at; between.Before(closes); between = between.Add(time.Minute) {
					if !w.Opening(loc, between).Equal(between) {
						t.Fatalf("window %v: asked at %s it closes at %s, but it is closed at %s", hours, at.In(loc), closes.In(loc), between.In(loc))
					}
				}
				if face := closes.In(loc).Format("15:04"); faceInside(face, hours[0], hours[1]) {
					t.Fatalf("window %v closes when the clock shows %s", hours, face)
				}
			}
		}
	}
}

func TestNoInstantBeforeAnOpeningIsInsideTheWindow(t *testing.T) {
	// The rule itself, minute by minute, over both of a zone's changes.
	loc, err := mailing.Zone("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	const minutes = 36 * 60
	for _, day := range []string{"2026-03-07T12:00:00Z", "2026-10-31T12:00:00Z"} {
		for _, hours := range [][2]string{{"01:30", "02:30"}, {"02:30", "03:30"}, {"22:00", "01:15"}, {"00:00", "23:59"}} {
			w := mailing.Window{From: clock(t, hours[0]), To: clock(t, hours[1])}
			start := instant(t, day)
			opening := func(minute int) time.Time { return w.Opening(loc, start.Add(time.Duration(minute)*time.Minute)) }
			// Backwards: next is the first minute inside the window from here on.
			next := opening(minutes)
			for minute := minutes - 1; minute >= 0; minute-- {
				at, opens := start.Add(time.Duration(minute)*time.Minute), opening(minute)
				if opens.Equal(at) {
					next = at
				}
				if !opens.Equal(next) {
					t.Fatalf("window %v: asked at %s it opens at %s, but the first minute inside is %s", hours, at.In(loc), opens.In(loc), next.In(loc))
				}
				if face := opens.In(loc).Format("15:04"); !faceInside(face, hours[0], hours[1]) {
					t.Fatalf("window %v opens when the clock shows %s", hours, face)
				}
			}
		}
	}
}

func faceInside(face, from, to string) bool {
	if from < to {
		return from <= face && face < to
	}
	return face >= from || face < to
}

func TestAClockTimeIsHoursAndMinutes(t *testing.T) {
	for _, s := range []string{"00:00", "09:05", "23:59"} {
		if got := clock(t, s).String(); got != s {
			t.Errorf("%q is read as %q", s, got)
		}
	}
	for _, s := range []string{"", "9:00", "24:00", "12:60", "12:00:00", "ab:cd", "-1:00", "12.00", " 9:00"} {
		if _, err := mailing.ParseClockTime(s); mailing.KindOf(err) != mailing.KindInvalid {
			t.Errorf("%q is accepted as a time (%v)", s, err)
		}
	}
}
