package incident

import (
	"testing"
	"time"
)

func TestCorrectingTheStart(t *testing.T) {
	d := declaredDesk(t)
	d.now = t0.Add(10 * time.Minute)
	b := d.board()
	events, err := b.Correct(ic, t0.Add(-5*time.Minute), "", "")
	d.refused(events, err, "the reason is missing")
	events, err = b.Correct(ic, d.now.Add(time.Minute), "", "why")
	d.refused(events, err, "still to come")
	events, err = b.Correct(ic, d.now.AddDate(-2, 0, 0), "", "why")
	d.refused(events, err, "more than a year ago")
	events, err = b.Correct(ic, t0, "logins are refused", "why")
	d.refused(events, err, "nothing is different")
	d.ok(b.Correct(ic, t0.Add(-5*time.Minute), "", "the first alert was earlier"))
	b = d.board()
	if got := b.Elapsed; got != 15*time.Minute || b.State.Declared.Summary != "logins are refused" || !b.State.At.Equal(t0) {
		t.Errorf("T+ %v of %+v, declared at %v", got, b.State.Declared, b.State.At)
	}
	if got := b.Flow[0].Clock.Over; got != 10*time.Minute {
		t.Errorf("the phase is %v over, it counts from the corrected start", got)
	}
	d.ok(d.board().Correct(ic, time.Time{}, "orders are refused", "logins work"))
	if got := d.fold.State().Declared; got.Summary != "orders are refused" || !got.Started.Equal(t0.Add(-5*time.Minute)) {
		t.Errorf("%+v", got)
	}
	e := d.all[len(d.all)-2]
	if got := Tell(&e, d.rb); got != "corrected: T0 2026-03-14 02:55:00Z; the first alert was earlier" {
		t.Errorf("told as %q", got)
	}
}
