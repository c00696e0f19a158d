package incident

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

func TestBeforeTheDeclarationTheClocksWait(t *testing.T) {
	d := newDesk(t)
	for _, s := range []*State{nil, d.fold.State()} {
		b := NewBoard(s, d.rb, d.f, d.now)
		if b.State != nil || b.Elapsed != 0 || b.Phase.Running || b.Phase.ID != "assess" || !b.Update.Due.IsZero() {
			t.Errorf("%+v", b)
		}
		if _, v := b.item("impact"); v.Status != ItemIsReady || v.Response != "seen s.impact" {
			t.Errorf("no live evidence: %+v", v)
		}
		if b.Node != "alert" || b.Item != "test" || len(b.Notices()) > 0 || b.Draft(nil) != "" || b.Summary(nil) != nil {
			t.Errorf("at %s and %s", b.Node, b.Item)
		}
		for name, act := range acts(b) {
			if events, err := act(); err == nil || err.Error() != "I declares an incident first" {
				t.Errorf("%s: %v, %v", name, events, err)
			}
		}
	}
}

// acts are all that a person can do, on something that is there.
func acts(b *Board) map[string]func() ([]Event, error) {
	return map[string]func() ([]Event, error){
		"step":    func() ([]Event, error) { return b.Step(ic, "") },
		"enter":   func() ([]Event, error) { return b.Enter(ic, "logs") },
		"mark":    func() ([]Event, error) { return b.Mark(ic, "logs", NodeDone, "", "r") },
		"tick":    func() ([]Event, error) { return b.Tick(ic, "impact", Evidence{}, "r") },
		"skip":    func() ([]Event, error) { return b.Skip(ic, "impact", "r") },
		"na":      func() ([]Event, error) { return b.NA(ic, "impact", "r") },
		"undo":    func() ([]Event, error) { return b.Undo(ic, "impact") },
		"start":   func() ([]Event, error) { return b.Start(ic, "impact") },
		"assign":  func() ([]Event, error) { return b.Assign(ic, "review", "ops-2", time.Time{}) },
		"note":    func() ([]Event, error) { return b.Note(ic, "n") },
		"decide":  func() ([]Event, error) { return b.Decide(ic, "d", "") },
		"ack":     func() ([]Event, error) { return b.Acknowledge(ic, "a") },
		"hand":    func() ([]Event, error) { return b.Hand(ic, Scribe, "ops-2") },
		"regrade": func() ([]Event, error) { return b.Regrade(ic, runbook.SEV3, "") },
		"recover": func() ([]Event, error) { return b.Recover(ic, "n") },
		"measure": func() ([]Event, error) { return b.OpenMeasure(ic, measure()) },
		"extend":  func() ([]Event, error) { return b.ExtendMeasure(ic, "M1", b.Now.Add(time.Hour), "r") },
		"end":     func() ([]Event, error) { return b.EndMeasure(ic, "M1", "") },
		"close":   func() ([]Event, error) { return b.Close(ic, "r", map[string]string{"M1": "r"}) },
		"reopen":  func() ([]Event, error) { return b.Reopen(ic, "r") },
		"sent":    func() ([]Event, error) { return b.Sent(ic, "text", "bridge", "") },
	}
}

func measure() Measure {
	return Measure{Kind: MeasureAccess, What: "break-glass login to the primary", Who: "ops-2", Reason: "the secret is refused"}
}

func TestClocksCountFromT0(t *testing.T) {
	d := newDesk(t)
	d.now = t0.Add(4 * time.Minute)
	d.declare(t0) // the alert's own time
	b := d.board()
	if b.Elapsed != 4*time.Minute || b.Phase.Elapsed != 4*time.Minute || b.Phase.Over != 0 || !b.Phase.Running || b.Phase.Of != "flow" || b.Phase.Number != 1 {
		t.Errorf("%+v", b.Phase)
	}
	d.now = t0.Add(5*time.Minute + 42*time.Second)
	if b := d.board(); b.Phase.ID != "assess" || b.Phase.Over != 42*time.Second {
		t.Errorf("%+v", b.Phase)
	}
	for range 3 {
		d.ok(d.board().Step(ic, ""))
	}
	b = d.board()
	if b.Phase.ID != "cause" || b.Phase.Number != 2 || b.Phase.To != 15*time.Minute {
		t.Errorf("%+v", b.Phase)
	}
	d.now = t0.Add(12 * time.Minute)
	if c := d.board().Flow[0].Clock; !c.Done || c.Running || c.Elapsed != 5*time.Minute+42*time.Second || c.Over != 42*time.Second {
		t.Errorf("a settled phase counts on: %+v", c)
	}
	// The flow is over its time: the band goes on with the checklist.
	d.now = t0.Add(15*time.Minute + time.Second)
	if b := d.board(); b.Phase.Of != "checklist" || b.Phase.ID != "immediate" || b.Phase.Over != 5*time.Minute+time.Second {
		t.Errorf("%+v", b.Phase)
	}
	d.settle("immediate")
	if b := d.board(); b.Phase.ID != "recovery" || b.Phase.Over != 0 || !b.Phase.Running {
		t.Errorf("%+v", b.Phase)
	}
}

func TestTheBandGoesOnWhenTheFlowIsThrough(t *testing.T) {
	d := declaredDesk(t)
	for d.board().Node != "" {
		d.ok(d.board().Step(ic, ""))
	}
	if b := d.board(); b.Phase.ID != "immediate" || b.Phase.Of != "checklist" {
		t.Errorf("%+v", b.Phase)
	}
	for _, id := range []string{"immediate", "recovery", "after"} {
		d.settle(id)
	}
	if b := d.board(); b.Phase.ID != "after" || !b.Phase.Done || b.Item != "" || b.Node != "" {
		t.Errorf("%+v, at %q and %q", b.Phase, b.Item, b.Node)
	}
}

func TestTheUpdateClock(t *testing.T) {
	d := declaredDesk(t)
	due := func(what string, want time.Duration) {
		t.Helper()
		if got := d.board().Update.Due.Sub(t0); got != want {
			t.Errorf("%s: due at T+ %v, want %v", what, got, want)
		}
	}
	send := func(at time.Duration, fail string) {
		t.Helper()
		d.now = t0.Add(at)
		d.ok(d.board().Sent(ic, "text", "bridge", fail))
	}
	due("the first", 5*time.Minute)
	d.now = t0.Add(6 * time.Minute)
	if u := d.board().Update; u.Overdue != time.Minute || u.Left != 0 {
		t.Errorf("%+v", u)
	}
	send(6*time.Minute, "the webhook answered 500")
	due("after one that did not arrive", 5*time.Minute)
	if s := d.fold.State(); s.Updates != 0 || !s.LastUpdate.IsZero() || s.Counts[KindUpdate] != 1 {
		t.Errorf("%+v", s)
	}
	send(6*time.Minute, "")
	due("the scope", 11*time.Minute)
	send(10*time.Minute, "")
	due("from then on", 30*time.Minute)
	send(119*time.Minute, "")
	due("before it relaxes", 139*time.Minute)
	send(120*time.Minute, "")
	due("relaxed", 160*time.Minute)
	if !d.fold.State().NextUpdate.Equal(t0.Add(160 * time.Minute)) {
		t.Error("what was promised is not what is due")
	}
	// Lowered: what was promised stands.
	d.now = t0.Add(121 * time.Minute)
	d.ok(d.board().Regrade(ic, runbook.SEV3, "most are back"))
	due("lowered", 160*time.Minute)
	send(150*time.Minute, "")
	due("at the lower severity", 210*time.Minute)
	// Raised: sooner, and never late at once.
	d.now = t0.Add(189 * time.Minute)
	d.ok(d.board().Regrade(ic, runbook.SEV1, "it is back"))
	due("raised", 194*time.Minute)
	send(192*time.Minute, "")
	due("after that", 232*time.Minute)
	// A promise of another time wins.
	d.record(New(ic, Updated{Text: "t", To: "clipboard", Next: t0.Add(200 * time.Minute)}))
	due("promised", 200*time.Minute)
	// A severity without a cadence promises nothing.
	d.ok(d.board().Regrade(ic, runbook.SEV4, ""))
	due("still promised", 200*time.Minute)
	d.ok(d.board().Sent(ic, "text", "bridge", ""))
	if u := d.board().Update; !u.Due.IsZero() {
		t.Errorf("%+v", u)
	}
	d.ok(d.board().Close(ic, "over", nil))
	if u := d.board().Update; u != (UpdateClock{}) {
		t.Errorf("closed: %+v", u)
	}
}

func TestRecoverySetsDueDates(t *testing.T) {
	d := declaredDesk(t)
	if _, v := d.board().item("review"); !v.Due.IsZero() {
		t.Errorf("due %v before the recovery", v.Due)
	}
	d.now = t0.Add(2 * time.Hour)
	d.ok(d.board().Recover(ic, ""))
	if _, v := d.board().item("review"); !v.Due.Equal(t0.Add(74 * time.Hour)) {
		t.Errorf("due %v", v.Due)
	}
	if _, v := d.board().item("policy"); !v.Due.IsZero() {
		t.Errorf("due %v without a term", v.Due)
	}
	d.now = t0.Add(75 * time.Hour)
	if _, v := d.board().item("review"); !v.Overdue {
		t.Error("not overdue")
	}
	d.ok(d.board().Tick(ic, "review", Evidence{Link: "https://x/review"}, ""))
	if _, v := d.board().item("review"); v.Overdue || v.Response != "https://x/review" {
		t.Errorf("%+v", v)
	}
}

func TestAClosedIncidentKeepsTheDaysAfter(t *testing.T) {
	d := declaredDesk(t)
	d.now = t0.Add(time.Hour)
	d.ok(d.board().OpenMeasure(ic, measure()))
	d.ok(d.board().Tick(ic, "restart", Evidence{}, ""))
	d.ok(d.board().Recover(ic, ""))
	d.ok(d.board().Close(ic, "service is back", map[string]string{"M1": "revoked tomorrow"}))
	d.now = t0.Add(30 * time.Hour)
	d.f["s.restarted"] = says(diagnosis.Against, "another day, another incident")
	b := d.board()
	if d.status("restart") != ItemIsDone || len(b.Regressed) > 0 {
		t.Errorf("something regressed after the closing: %v", b.Regressed)
	}
	if b.Elapsed != time.Hour || b.Flow[0].Clock.Running || b.List[2].Clock.Running || b.Item != "review" || len(b.Notices()) > 0 {
		t.Errorf("elapsed %v, at %s, clocks %+v %+v", b.Elapsed, b.Item, b.Flow[0].Clock, b.List[2].Clock)
	}
	may := map[string]bool{"tick": true, "skip": true, "na": true, "undo": true, "start": true, "assign": true, "note": true, "decide": true, "ack": true, "extend": true, "end": true, "reopen": true, "sent": true}
	for name, act := range acts(b) {
		_, err := act()
		if refused := err != nil && contains(err.Error(), "the incident was closed at 04:00 UTC: I reopens it"); refused == may[name] {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.ok(b.EndMeasure(ic, "M1", "revoked"))
	d.settle("after")
	if c := d.board().List[2].Clock; !c.Done {
		t.Errorf("%+v", c)
	}
	d.ok(d.board().Reopen(ic, "it is back"))
	if b := d.board(); b.Elapsed != 30*time.Hour || b.Item != "test" {
		t.Errorf("elapsed %v, at %s", b.Elapsed, b.Item)
	}
}

func TestAnsweringAReminderIsNoWork(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	d.now = t0.Add(20 * time.Minute)
	d.ok(d.board().Acknowledge(ic, "you were at item 2"))
	d.record(New(ic, ConsoleMoved{Act: "resumed"}))
	if s := d.fold.State(); !s.Acked.Equal(d.now) || s.LastHuman.Kind != KindItem {
		t.Errorf("acked %v, last %+v", s.Acked, s.LastHuman)
	}
}

func TestStatusesHaveWords(t *testing.T) {
	for s := range ItemStatus(8) {
		if s.String() == fmt.Sprint(uint8(s)) {
			t.Errorf("item status %d has no word", s)
		}
	}
	if NodeStatus(9).String() != "9" || ItemStatus(200).String() != "200" {
		t.Error("a status of no word is not its number")
	}
}

func TestAnEmptyRunbookMakesAnEmptyBoard(t *testing.T) {
	d := declaredDesk(t)
	for _, rb := range []*runbook.Runbook{nil, {}, {Checklist: []runbook.ListPhase{{ID: "x"}}, Flow: []runbook.FlowPhase{{ID: "y"}}}} {
		b := NewBoard(d.fold.State(), rb, nil, d.now)
		for _, act := range acts(b) {
			_, _ = act()
		}
		_, _, _ = b.Notices(), b.Draft(nil), b.Summary(nil)
		if !b.Update.Due.IsZero() {
			t.Errorf("due %v", b.Update.Due)
		}
	}
}

// TestTimesAreUTC: what an act makes is the same before and after it was written,
// whatever clock and zone the time of the board came from.
func TestTimesAreUTC(t *testing.T) {
	d := newDesk(t)
	d.now = time.Now().In(time.FixedZone("east", 5*3600)) // with its monotonic reading
	d.declare(d.now.Add(-time.Minute))
	f := d.f["s.impact"]
	f.Facts[0].At = d.now.Add(-time.Second)
	d.now = d.now.Round(0).UTC() // as the archive stamps it
	b := NewBoard(d.fold.State(), d.rb, d.f, d.now.In(time.FixedZone("west", -3600)))
	m := measure()
	m.Until = d.now.Add(time.Hour).In(time.FixedZone("west", -3600))
	d.ok(b.OpenMeasure(ic, m))
	d.ok(b.Tick(ic, "impact", Evidence{}, ""))
	d.ok(b.Sent(ic, "text", "bridge", ""))
	d.ok(b.Assign(ic, "review", "ops-2", m.Until.Add(time.Hour)))
}

func TestABoardIsAFunctionOfItsArguments(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	a, b := d.board(), d.board()
	if !reflect.DeepEqual(a, b) {
		t.Error("two boards of the same arguments differ")
	}
}
