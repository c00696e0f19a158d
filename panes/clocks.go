package panes

import (
	"fmt"
	"time"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

// clock is a span of time as a clock that counts shows it: 3:12, 1:02:03, and
// from two days on 2d 03:12. What is below zero counts as nothing.
func clock(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	switch {
	case s >= 48*3600:
		return fmt.Sprintf("%dd %02d:%02d", s/86400, s/3600%24, s/60%60)
	case s >= 3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// tplus is time since T0 in full, 0:12:41, so that it never changes its form
// within the first two days.
func tplus(d time.Duration) string {
	if s := int(max(d, 0) / time.Second); s < 48*3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return clock(d)
}

// since T0, with its sign: an event may lie before the alert's own time.
func (f Frame) sinceT0(b *incident.Board, t time.Time) string {
	if b == nil || b.State == nil || t.IsZero() || b.State.Declared.Started.IsZero() {
		return ""
	}
	if d := t.Sub(b.State.Declared.Started); d < 0 {
		return "T-" + tplus(-d)
	} else {
		return "T+" + tplus(d)
	}
}

// bound is a budget as it is written: 5:00, 3h, 7d.
func bound(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= 2*time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return clock(d)
}

// stamp is the time of day of an event in UTC, with the day when that is not
// today's.
func stamp(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	t, now = t.UTC(), now.UTC()
	if t.YearDay() != now.YearDay() || t.Year() != now.Year() {
		return t.Format("2 Jan 15:04")
	}
	return t.Format("15:04:05")
}

// day is a date with its time, for what lies days away.
func day(t time.Time) string { return t.UTC().Format("Mon 2 Jan 15:04") }

// counting says how a phase stands against its budget: "3:12 / 5:00", "OVER
// 0:42", "done at 4:10", "waits". alarm reports that it is over and still open.
func counting(c incident.PhaseClock, declared bool) (s string, alarm bool) {
	switch {
	case c.Done && c.Over > 0:
		return "done at " + clock(c.Elapsed) + ", " + clock(c.Over) + " over", false
	case c.Done:
		return "done at " + clock(c.Elapsed), false
	case c.Over > 0:
		return "OVER " + clock(c.Over), true
	case !declared:
		return "budget " + bound(c.From) + " to " + bound(c.To), false
	case c.Elapsed < c.From:
		return "from " + bound(c.From) + " to " + bound(c.To), false
	}
	return clock(c.Elapsed) + " / " + bound(c.To), false
}

// clockSpans is counting as it is drawn in a title.
func (f Frame) clockSpans(c incident.PhaseClock, declared bool) spans {
	s, alarm := counting(c, declared)
	if alarm {
		return spans{{theme.FailBadge, " " + s + " "}}
	}
	k := theme.Strong
	if c.Done || !c.Running {
		k = theme.Muted
	}
	return spans{{k, s}}
}

// late is how far something is past its time, or before it: 6m, 3h 20m, 2d 4h.
func late(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d/time.Hour%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d/time.Minute%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
