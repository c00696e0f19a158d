package ui

import (
	"testing"
	"time"
)

// A start of hours ago is asked for twice, and can be corrected afterwards.
func TestAStartIsShownConfirmedAndCorrected(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		alert := r.now().Add(-4 * time.Minute)
		l := r.start(t, func(o *Options) { o.Alert = alert })
		l.arrives()
		l.press("I")
		l.rest()
		l.sees("The alert was raised at", "T0, from which every clock counts,", "is when it started", ", 4 min ago", "now "+r.now().Format("15:04 UTC"))
		l.press("enter")
		l.typed("orders fail for everyone")
		l.press("enter", "enter", "enter", "enter", "enter", "ctrl+u")
		l.typed(r.now().Add(2 * time.Minute).Format("15:04"))
		l.press("enter")
		l.sees("ahead of this clock (UTC)")
		l.press("ctrl+u")
		l.typed("7h")
		l.sees(", 7 h ago")
		l.press("enter")
		l.sees("that is 7 h ago", "once more if it is")
		l.toldNot("declared")
		l.press("enter")
		l.told("SEV2 declared")
		l.sees("T+ 7:0")
		l.rest()

		l.press("I")
		l.sees("Correct the start or the summary")
		l.rest()
		l.press("right", "right", "right", "right", "enter")
		l.rest()
		l.press("ctrl+u")
		l.typed("20m")
		l.press("enter", "enter", "enter")
		l.sees("a correction needs a reason")
		l.typed("the first alert")
		l.press("enter")
		l.told("the first alert")
		l.sees("T+ 0:20:0")
		if l.m.kase.State.Declared.Summary != "orders fail for everyone" {
			t.Errorf("%+v", l.m.kase.State.Declared)
		}
	})
}

// That service is back shows, says what still fails, and is not said again by
// mistake.
func TestServiceIsBackShowsAndIsCorrectedWithAReason(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		back := func() {
			l.rest()
			l.press(":")
			l.typed("service is rec")
			l.press("enter")
			l.rest()
		}
		back()
		l.sees("still FAIL:", "API Gateway")
		l.typed("logins work")
		l.press("enter", "right", "enter")
		l.told("service is back: logins work")
		said := l.m.kase.State.Recovered
		l.sees("BACK " + said.UTC().Format("15:04"))
		l.press("I")
		l.sees("SERVICE BACK since " + said.UTC().Format("15:04 UTC"))
		l.press("esc")
		l.pass(10 * time.Minute)
		back()
		l.sees("Said at "+said.UTC().Format("15:04 UTC")+" already", "corrects the time")
		l.press("enter", "right", "enter")
		l.sees("it was said before")
		if !l.m.kase.State.Recovered.Equal(said) {
			t.Error("it was counted again without a reason")
		}
	})
}

// A measure without an end has none because that was typed, and one past its end
// is loud.
func TestAMeasureIsAskedForItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		l := r.start(t)
		l.arrives()
		l.declare()
		open := func(until string) {
			l.rest()
			l.press("M", "a")
			l.rest()
			l.press("enter")
			l.typed("backup user")
			l.press("enter", "enter")
			l.typed("refused")
			l.press("enter", "enter")
			l.sees("until when? none for no end")
			l.typed(until)
			l.press("enter")
		}
		open("none")
		open("1h")
		l.told("measure M1 opened", "measure M2 opened")
		if all := l.m.kase.State.Measures; !all[0].Until.IsZero() || all[1].Until.IsZero() {
			t.Errorf("%+v", all)
		}
		l.seesNot("M2 overdue")
		l.pass(time.Hour + 75*time.Second)
		l.sees("M2 ")
		if info := l.m.bandInfo(); info.Measures != 1 || info.Measure != "M2" || info.Overdue < 74*time.Second || info.Overdue > 76*time.Second {
			t.Errorf("%+v", info)
		}
	})
}
