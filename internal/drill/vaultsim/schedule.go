package vaultsim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// schedule is a rotation_schedule: cron's five fields, in UTC.
type schedule struct{ minute, hour, day, month, weekday [60]bool }

func parseSchedule(s string) (*schedule, error) {
	f := strings.Fields(s)
	if len(f) != 5 {
		return nil, fmt.Errorf("expected exactly 5 fields, found %d: [%s]", len(f), s)
	}
	out := &schedule{}
	for i, one := range []struct {
		set       *[60]bool
		low, high int
	}{{&out.minute, 0, 59}, {&out.hour, 0, 23}, {&out.day, 1, 31}, {&out.month, 1, 12}, {&out.weekday, 0, 6}} {
		if err := fill(one.set, f[i], one.low, one.high); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fill reads one field: *, a number, a range, each with a step, or a list of such.
func fill(set *[60]bool, field string, low, high int) error {
	for part := range strings.SplitSeq(field, ",") {
		span, step, stepped := strings.Cut(part, "/")
		from, to, every := low, high, 1
		var err error
		if stepped {
			if every, err = strconv.Atoi(step); err != nil || every < 1 {
				return fmt.Errorf("failed to parse int from %s", part)
			}
		}
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			if from, err = strconv.Atoi(a); err != nil {
				return fmt.Errorf("failed to parse int from %s", a)
			}
			switch {
			case ranged:
				if to, err = strconv.Atoi(b); err != nil {
					return fmt.Errorf("failed to parse int from %s", b)
				}
			case !stepped:
				to = from
			}
		}
		if from < low || to > high || from > to {
			return fmt.Errorf("%s is outside of %d to %d", part, low, high)
		}
		for n := from; n <= to; n += every {
			set[n] = true
		}
	}
	return nil
}

// next is the first time after t; zero when there is none within five years.
func (s *schedule) next(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	end := t.AddDate(5, 0, 0)
	for t.Before(end) {
		switch {
		case !s.month[int(t.Month())] || !s.day[t.Day()] || !s.weekday[int(t.Weekday())]:
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case !s.hour[t.Hour()]:
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !s.minute[t.Minute()]:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}
