package awssim

import (
	"strconv"
	"strings"
	"time"
)

// cronField is one field of a cron expression: the values it allows, or nil
// for every one.
type cronField map[int]bool

func (f cronField) has(n int) bool { return f == nil || f[n] }

var cronNames = map[string]int{
	"JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
	"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7,
}

func parseCronField(text string, low, high int) (cronField, bool) {
	if text == "*" || text == "?" {
		return nil, true
	}
	number := func(s string) (int, bool) {
		if n, ok := cronNames[strings.ToUpper(s)]; ok {
			return n, true
		}
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= low && n <= high
	}
	out := cronField{}
	for part := range strings.SplitSeq(text, ",") {
		span, by, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(by)
			if err != nil || n < 1 {
				return nil, false
			}
			step = n
		}
		from, to := low, high
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			n, ok := number(a)
			if !ok {
				return nil, false
			}
			from = n
			if ranged {
				if to, ok = number(b); !ok {
					return nil, false
				}
			} else if !stepped {
				to = from
			}
		}
		for n := from; n <= to; n += step {
			out[n] = true
		}
	}
	return out, len(out) > 0
}

// nextCron is the first time after t at which a rotation schedule's cron
// expression fires, in UTC: minutes (always 0), hours, day of month, month, day
// of week, year. L and # in the day fields are understood for the last day of
// the month and the last or nth weekday.
func nextCron(expression string, t time.Time) (time.Time, bool) {
	inner, ok := strings.CutPrefix(expression, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	f := strings.Fields(inner)
	if !ok || !closed || len(f) != 6 || f[0] != "0" || f[5] != "*" {
		return time.Time{}, false
	}
	hours, ok1 := parseCronField(f[1], 0, 23)
	months, ok2 := parseCronField(f[3], 1, 12)
	dayOf, ok3 := parseCronDay(f[2], f[4])
	if !ok1 || !ok2 || !ok3 {
		return time.Time{}, false
	}
	at := t.UTC().Truncate(time.Hour).Add(time.Hour)
	for end := at.AddDate(5, 0, 0); at.Before(end); {
		switch {
		case !months.has(int(at.Month())) || !dayOf(at):
			at = day(at).AddDate(0, 0, 1)
		case !hours.has(at.Hour()):
			at = at.Add(time.Hour)
		default:
			return at, true
		}
	}
	return time.Time{}, false
}

// parseCronDay combines the two day fields, of which one is "?".
func parseCronDay(month, week string) (func(time.Time) bool, bool) {
	lastDay := func(t time.Time) int { return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }
	if month == "L" && week == "?" {
		return func(t time.Time) bool { return t.Day() == lastDay(t) }, true
	}
	weekday := func(t time.Time) int { return int(t.Weekday()) + 1 }
	if name, nth, ok := strings.Cut(week, "#"); ok && month == "?" {
		d, ok1 := parseCronField(name, 1, 7)
		n, err := strconv.Atoi(nth)
		return func(t time.Time) bool { return d.has(weekday(t)) && (t.Day()-1)/7+1 == n }, ok1 && err == nil && n >= 1 && n <= 5
	}
	if name, ok := strings.CutSuffix(week, "L"); ok && month == "?" && name != "" {
		d, ok1 := parseCronField(name, 1, 7)
		return func(t time.Time) bool { return d.has(weekday(t)) && t.Day() > lastDay(t)-7 }, ok1
	}
	m, ok1 := parseCronField(month, 1, 31)
	w, ok2 := parseCronField(week, 1, 7)
	return func(t time.Time) bool { return m.has(t.Day()) && w.has(weekday(t)) }, ok1 && ok2
}
