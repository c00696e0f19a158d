package ui

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Times as people type them, all UTC.

const howPast = "now, HH:MM, 12m ago, or 2006-01-02T15:04Z (UTC)"
const howFuture = "2h, 3d, HH:MM, or 2006-01-02 (UTC)"

var span = regexp.MustCompile(`^(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?$`)

// duration reads 45m, 2h30m, 3d; ok is false for anything else and for nothing.
func duration(s string) (d time.Duration, ok bool) {
	parts := span.FindStringSubmatch(s)
	if s == "" || parts == nil {
		return 0, false
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		if n, err := strconv.Atoi(parts[i+1]); err == nil {
			d += time.Duration(n) * unit
		}
	}
	return d, d > 0
}

// whole reads a date with or without a time.
func whole(s string) (t time.Time, date, ok bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), false, true
		}
	}
	t, err := time.Parse(time.DateOnly, s)
	return t, true, err == nil
}

// clockTime reads HH:MM or HH:MM:SS of today.
func clockTime(s string, now time.Time) (time.Time, bool) {
	for _, form := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(form, s); err == nil {
			y, mo, d := now.UTC().Date()
			return time.Date(y, mo, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC), true
		}
	}
	return time.Time{}, false
}

// soon is how far ahead an HH:MM of the past may be and still be a mistake, and not
// yesterday's: a clock that goes ahead, local time for UTC, a wrong digit.
const soon = 6 * time.Hour

// past reads a time that has been: nothing is now, and HH:MM the last time it was
// that. One that is soon to come is refused: taken for yesterday's it would move
// every clock by a day.
func past(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	low := strings.ToLower(s)
	if low == "" || low == "now" {
		return now, nil
	}
	if d, ok := duration(strings.TrimSpace(strings.TrimPrefix(strings.TrimSuffix(low, "ago"), "-"))); ok {
		return now.Add(-d), nil
	}
	if t, ok := clockTime(strings.TrimSpace(strings.TrimSuffix(low, "utc")), now); ok {
		if ahead := t.Sub(now); ahead > 0 {
			if ahead <= soon {
				return t, fmt.Errorf("%s is %s ahead of this clock (UTC); of yesterday it is %s", t.Format("15:04"), long(ahead), t.AddDate(0, 0, -1).Format("2006-01-02T15:04Z"))
			}
			t = t.AddDate(0, 0, -1)
		}
		return t, nil
	}
	if t, date, ok := whole(s); ok && !date {
		if t.After(now) {
			return t, fmt.Errorf("%s is not over yet", t.Format("2006-01-02 15:04 UTC"))
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("type %s", howPast)
}

// future reads a time to come: HH:MM the next time it is that, a date its end.
func future(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	low := strings.ToLower(s)
	if d, ok := duration(strings.TrimPrefix(strings.TrimPrefix(low, "in "), "+")); ok {
		return now.Add(d), nil
	}
	if t, ok := clockTime(strings.TrimSpace(strings.TrimSuffix(low, "utc")), now); ok {
		if !t.After(now) {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	if t, date, ok := whole(s); ok {
		if date {
			t = t.Add(24*time.Hour - time.Minute)
		}
		if !t.After(now) {
			return t, fmt.Errorf("%s is over", t.Format("2006-01-02 15:04 UTC"))
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("type %s", howFuture)
}

// long is a length in words, to the minute: 23 h 58 min.
func long(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute"
	}
	d = d.Truncate(time.Minute)
	days, h, m := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	var parts []string
	for _, p := range [...]struct {
		n    int
		unit string
	}{{days, "d"}, {h, "h"}, {m, "min"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprint(p.n, " ", p.unit))
		}
	}
	return strings.Join(parts, " ")
}

// meansPast and meansFuture say which time was typed, once it is one.
func meansPast(typed string, now time.Time) string {
	t, err := past(typed, now)
	if err != nil {
		return ""
	}
	if now.Sub(t) < time.Minute {
		return "= " + t.UTC().Format("Mon 2 Jan 15:04 UTC") + ", now"
	}
	return "= " + t.UTC().Format("Mon 2 Jan 15:04 UTC") + ", " + long(now.Sub(t)) + " ago"
}

func meansFuture(typed string, now time.Time) string {
	if typed == "" {
		return ""
	}
	t, err := future(typed, now)
	if err != nil {
		return ""
	}
	return "= " + t.UTC().Format("Mon 2 Jan 15:04 UTC") + ", in " + long(t.Sub(now))
}

// stamp is a time as it can be typed again.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
