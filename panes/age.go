package panes

import (
	"fmt"
	"strings"
	"time"

	"warroom/internal/estate"
)

// steps are the ages at which a drawn age changes. They are coarse so that a
// quiet screen stays quiet.
var steps = [...]time.Duration{
	10 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute,
}

var stepWords = [...]string{"<10s", "10s", "30s", "1m", "2m", "3m", "4m", "5m", "10m", "15m", "30m", "45m"}

// Age is how long ago then was, in steps: it is at least what it says. A time
// in the future, which a clock that was set back makes, counts as now.
func Age(then, now time.Time) string {
	if then.IsZero() {
		return "never"
	}
	return Elapsed(now.Sub(then))
}

// Elapsed is d in the steps of an age.
func Elapsed(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", int(d/time.Hour))
	}
	return stepWords[step(d)]
}

func step(d time.Duration) int {
	for i, s := range steps {
		if d < s {
			return i
		}
	}
	return len(steps)
}

// AgeStamp changes whenever an age that a plane draws has come to its next
// step, and at no other time: rows drawn at one stamp need not be drawn again
// at the same one while nothing else has changed.
func AgeStamp(r *estate.Readings, p estate.Plane, now time.Time) uint64 {
	if r == nil {
		return 0
	}
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	add := func(t time.Time) {
		if t.IsZero() {
			h = (h ^ 99) * prime
			return
		}
		d := now.Sub(t)
		n := uint64(step(d))
		if d >= time.Hour {
			n = 100 + uint64(d/time.Hour)
		}
		h = (h ^ n) * prime
	}
	for i, c := range r.Snapshot.Topology.Components {
		if c.Plane != p || i >= len(r.All) {
			continue
		}
		add(r.All[i].At)
		for j := range r.All[i].Facts {
			if old(&r.All[i].Facts[j]) {
				add(r.All[i].Facts[j].At)
			}
		}
	}
	return h
}

// took is a duration as people say it.
func took(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return estate.Span(d)
}

// period is a span of time as a policy states it, 36h or 7 days: in full where
// one unit does not say it exactly.
func period(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	unit := 10 * time.Second
	switch {
	case d >= 48*time.Hour:
		unit = 24 * time.Hour
	case d >= time.Hour:
		unit = time.Hour
	case d >= time.Minute:
		unit = time.Minute
	}
	if d%unit != 0 {
		s := d.String() // 1h30m0s
		for _, zero := range []string{"0s", "0m"} {
			if cut, ok := strings.CutSuffix(s, zero); ok && cut != "" && (cut[len(cut)-1] == 'm' || cut[len(cut)-1] == 'h') {
				s = cut
			}
		}
		return s
	}
	return estate.Span(d)
}
