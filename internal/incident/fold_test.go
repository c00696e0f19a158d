package incident

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"warroom/internal/runbook"
)

func at(minute int, by string, data Data) Event {
	e := New(by, data)
	e.At = t0.Add(time.Duration(minute) * time.Minute)
	return e
}

func declaredAt() Event {
	return at(0, ic, Declared{ID: "2026-03-14-1", Severity: runbook.SEV1, Summary: "s", Started: t0.Add(-time.Minute), Roles: map[Role]string{Commander: ic}})
}

func folded(events ...Event) *State {
	var f Fold
	for i, e := range events {
		e.Seq = uint64(i + 1)
		f.Apply(e)
	}
	return f.State()
}

func TestWhatMakesNoSenseChangesOnlyTheCounts(t *testing.T) {
	ticked := at(1, ic, ItemMoved{Item: "a", Act: ItemTicked})
	done := at(1, ic, NodeMoved{Node: "n", Act: NodeDone, Verdict: "stuck"})
	opened := at(1, ic, MeasureMoved{ID: "M1", Act: MeasureOpened, What: "w"})
	tests := []struct {
		name   string
		before []Event
		event  Event
	}{
		{"a second declaration", nil, at(2, ic, Declared{ID: "other", Severity: runbook.SEV4, Started: t0})},
		{"a severity of no kind", nil, at(2, ic, SeverityChanged{To: "SEV0"})},
		{"the same severity", nil, at(2, ic, SeverityChanged{To: runbook.SEV1})},
		{"a role of no kind", nil, at(2, ic, RoleAssigned{Role: "chief", To: "x"})},
		{"no commander", nil, at(2, ic, RoleAssigned{Role: Commander})},
		{"opening what is open", nil, at(2, ic, Reopened{Reason: "r"})},
		{"a node without a name", nil, at(2, ic, NodeMoved{Act: NodeDone})},
		{"a node with which nothing was done", nil, at(2, ic, NodeMoved{Node: "n", Act: "danced"})},
		{"an item without a name", nil, at(2, ic, ItemMoved{Act: ItemTicked})},
		{"an item with which nothing was done", nil, at(2, ic, ItemMoved{Item: "a", Act: "danced"})},
		{"beginning what is done", []Event{ticked}, at(2, ic, ItemMoved{Item: "a", Act: ItemStarted})},
		{"an owner of nothing", nil, at(2, ic, Assigned{Owner: "x"})},
		{"the evidence of nothing", nil, at(2, "", Sensed{Ready: true})},
		{"a regression of what is open", nil, at(2, "", Sensed{Item: "a", Regressed: true})},
		{"what is done turns ready", []Event{ticked}, at(2, "", Sensed{Item: "a", Ready: true})},
		{"a regression of an open node", nil, at(2, "", Sensed{Node: "n", Regressed: true})},
		{"a node that is ready", []Event{done}, at(2, "", Sensed{Node: "n", Ready: true})},
		{"the end of no measure", nil, at(2, ic, MeasureMoved{ID: "M1", Act: MeasureEnded})},
		{"a measure again", []Event{opened}, at(2, ic, MeasureMoved{ID: "M1", Act: MeasureOpened, What: "other"})},
		{"a measure without an id", nil, at(2, ic, MeasureMoved{Act: MeasureOpened})},
		{"more of what has ended", []Event{opened, at(1, ic, MeasureMoved{ID: "M1", Act: MeasureEnded})}, at(2, ic, MeasureMoved{ID: "M1", Act: MeasureExtended})},
		{"closing what is closed", []Event{opened, at(1, ic, Closed{})}, at(2, ic, Closed{Open: map[string]string{"M1": "x"}})},
		{"recovery after the closing", []Event{at(1, ic, Closed{})}, at(2, ic, Recovered{})},
		{"an overrun of nothing", nil, at(2, "", Overrun{})},
		{"an overrun again", []Event{at(1, "", Overrun{Phase: "p"})}, at(2, "", Overrun{Phase: "p"})},
		{"an update that failed", nil, at(2, ic, Updated{Text: "t", Fail: "500", Next: t0})},
		{"what nobody can read", nil, at(2, ic, Unreadable{Kind: "future", Version: 2})},
		{"nothing", nil, Event{At: t0.Add(2 * time.Minute), Kind: KindNote}},
		{"a pointer", nil, Event{At: t0.Add(2 * time.Minute), Kind: KindClosed, Data: (*Closed)(nil)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := append([]Event{declaredAt()}, test.before...)
			was, is := folded(before...), folded(append(before, test.event)...)
			n := 0
			for _, c := range is.Counts {
				n += c
			}
			if n != len(before)+1 || is.Head != uint64(n) || !is.LastAt.Equal(test.event.At) {
				t.Errorf("counted %d, head %d, last at %v", n, is.Head, is.LastAt)
			}
			is.Counts, is.Head, is.LastAt, is.LastHuman = was.Counts, was.Head, was.LastAt, was.LastHuman
			if !reflect.DeepEqual(was, is) {
				t.Errorf("changed\n%+v\nto\n%+v", was, is)
			}
		})
	}
}

func TestNothingHappensBeforeTheDeclaration(t *testing.T) {
	s := folded(at(0, ic, Noted{Text: "x"}), at(1, ic, ItemMoved{Item: "a", Act: ItemTicked}), at(2, ic, Closed{}))
	if s.IsDeclared() || len(s.Items) > 0 || !s.Closed.IsZero() || s.Counts[KindItem] != 1 || s.Head != 3 || !s.LastHuman.At.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := folded(Event{Kind: KindDeclared, Data: Declared{ID: "x"}}); s.IsDeclared() {
		t.Error("declared at no time")
	}
	if s := folded(at(3, ic, Declared{ID: "x"})); !s.Declared.Started.Equal(t0.Add(3 * time.Minute)) {
		t.Errorf("T0 is %v, without one it is when it was declared", s.Declared.Started)
	}
}

func TestTheStateRemembers(t *testing.T) {
	events := []Event{declaredAt()}
	for i := range 30 {
		events = append(events, at(i, ic, Decided{Text: fmt.Sprint(i)}), at(i, "", ReadingChanged{Component: "c", Name: fmt.Sprint(i)}))
	}
	s := folded(events...)
	if len(s.Decisions) != maxDecisions || s.Decisions[0].Data.(Decided).Text != "22" || s.Decisions[7].Data.(Decided).Text != "29" {
		t.Errorf("%+v", s.Decisions)
	}
	if len(s.Changes) != maxChanges || s.Changes[0].Data.(ReadingChanged).Name != "14" || s.Counts[KindReading] != 30 {
		t.Errorf("%+v", s.Changes)
	}
	if s.LastHuman.Kind != KindDecision || s.LastHuman.Seq != 60 {
		t.Errorf("%+v", s.LastHuman)
	}
}

func TestAVerdictGoesWithWhatToldIt(t *testing.T) {
	told := at(1, ic, NodeMoved{Node: "n", Act: NodeDone, Verdict: "stuck", Marked: true})
	for name, test := range map[string]struct {
		event Event
		want  string
	}{
		"another node":          {at(2, ic, NodeMoved{Node: "m", Act: NodeDone}), "stuck"},
		"another node's":        {at(2, ic, NodeMoved{Node: "m", Act: NodeDone, Verdict: "expired"}), "stuck"},
		"a person's":            {at(2, ic, NodeMoved{Node: "m", Act: NodeDone, Verdict: "expired", Marked: true}), "expired"},
		"the evidence's":        {at(2, ic, NodeMoved{Node: "n", Act: NodeDone, Verdict: "expired"}), "stuck"},
		"the same, again":       {at(2, ic, NodeMoved{Node: "n", Act: NodeDone, Verdict: "stuck"}), "stuck"},
		"the same, without one": {at(2, ic, NodeMoved{Node: "n", Act: NodeDone}), "stuck"},
		"taken back":            {at(2, ic, NodeMoved{Node: "n", Act: NodeDone, Reason: "it was another one"}), ""},
		"ruled out":             {at(2, ic, NodeMoved{Node: "n", Act: NodeRuledOut, Reason: "it was another one"}), ""},
		"opened":                {at(2, ic, NodeMoved{Node: "n", Act: NodeOpened}), ""},
		"looked at":             {at(2, ic, NodeMoved{Node: "n", Act: NodeEntered}), "stuck"},
	} {
		if s := folded(declaredAt(), told, test.event); s.Verdict != test.want || s.Verdict == "" && s.Marked {
			t.Errorf("%s: %q, marked %v", name, s.Verdict, s.Marked)
		}
	}
}

func TestAJournalCannotFillTheMemory(t *testing.T) {
	events := []Event{declaredAt()}
	for i := range 3 * maxIDs {
		id := fmt.Sprint("x", i)
		events = append(events, at(1, ic, ItemMoved{Item: id, Act: ItemTicked}), at(1, ic, NodeMoved{Node: id, Act: NodeDone}),
			at(1, ic, MeasureMoved{ID: id, Act: MeasureOpened}), at(1, "", Overrun{Phase: id}))
	}
	s := folded(events...)
	if len(s.Items) != maxIDs || len(s.Nodes) != maxIDs || len(s.Measures) != maxIDs || len(s.Overrun) != maxIDs {
		t.Errorf("%d items, %d nodes, %d measures, %d phases", len(s.Items), len(s.Nodes), len(s.Measures), len(s.Overrun))
	}
}

// TestAStateDoesNotChange folds every kind of event, and after each one compares
// every state that was given out with what it was.
func TestAStateDoesNotChange(t *testing.T) {
	d := newDesk(t)
	var states []*State
	var were []string
	print := func(s *State) string {
		out, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	events := append(goldenEvents(), goldenEvents()...)
	for i := range 2 * maxChanges {
		events = append(events, at(i, ic, Decided{Text: fmt.Sprint(i)}), at(i, "", ReadingChanged{Name: fmt.Sprint(i)}))
	}
	for i, e := range events {
		e.Seq = uint64(i + 1)
		d.fold.Apply(e)
		s := d.fold.State()
		states, were = append(states, s), append(were, print(s))
		for j := range states {
			if now := print(states[j]); now != were[j] {
				t.Fatalf("event %d (%s) changed the state after event %d:\n%s\n%s", i+1, e.Kind, j+1, were[j], now)
			}
		}
	}
}
