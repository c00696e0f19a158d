package ui

import (
	"strings"
	"testing"
	"time"
)

func TestATimeThatIsMeantIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 23, 22, 9, 0, 0, time.UTC)
	for typed, want := range map[string]string{
		"":                  "2026-11-23 22:09",
		"now":               "2026-11-23 22:09",
		"22:09":             "2026-11-23 22:09",
		"22:08":             "2026-11-23 22:08",
		"12m ago":           "2026-11-23 21:57",
		"2026-11-22T22:11Z": "2026-11-22 22:11",
		"22:11":             "22:11 is 2 min ahead of this clock (UTC)",
		"23:59 utc":         "23:59 is 1 h 50 min ahead",
		"2026-11-23T22:11Z": "is not over yet",
		"25:00":             "type now",
	} {
		got, err := past(typed, now)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", typed, err, want)
			}
		} else if s := got.UTC().Format("2006-01-02 15:04"); s != want {
			t.Errorf("%q is %s, want %s", typed, s, want)
		}
	}
	// Shortly after midnight an hour of the evening is yesterday's.
	night := time.Date(2026, 11, 24, 0, 10, 0, 0, time.UTC)
	if got, err := past("23:50", night); err != nil || got.Format(time.RFC3339) != "2026-11-23T23:50:00Z" {
		t.Errorf("%v %v", got, err)
	}
	for typed, want := range map[string]string{"12:11": "= Mon 23 Nov 12:11 UTC, 9 h 58 min ago", "now": "= Mon 23 Nov 22:09 UTC, now", "22:11": "", "x": ""} {
		if got := meansPast(typed, now); got != want {
			t.Errorf("%q means %q, want %q", typed, got, want)
		}
	}
	for typed, want := range map[string]string{"2h": "= Tue 24 Nov 00:09 UTC, in 2 h", "3d": "= Thu 26 Nov 22:09 UTC, in 3 d", "": "", "none": ""} {
		if got := meansFuture(typed, now); got != want {
			t.Errorf("%q means %q, want %q", typed, got, want)
		}
	}
}
