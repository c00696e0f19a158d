package incident

import (
	"maps"
	"slices"
	"time"

	"warroom/internal/runbook"
)

// What a state keeps at most. A journal may be longer than any screen: what is
// beyond is in the journal only.
const (
	maxDecisions = 8
	maxChanges   = 16
	maxIDs       = 1000 // nodes, items, measures and phases, each
)

// Fold makes a state of events. The zero value is ready for the first one. A Fold
// must not be copied once it is used.
type Fold struct {
	state State
	own   owned
}

// owned are the parts of the state that no State which was given out shares:
// those may be written in place, the others are copied first.
type owned struct{ roles, nodes, items, overrun, counts, measures, decisions, changes bool }

// State is the state now. What is applied later does not change it.
func (f *Fold) State() *State {
	f.own = owned{}
	out := f.state
	return &out
}

// Apply takes one event, in the order of the journal. It never fails: what makes
// no sense where it stands is counted, and changes nothing else.
func (f *Fold) Apply(e Event) {
	s := &f.state
	s.Head = max(s.Head, e.Seq)
	if e.At.After(s.LastAt) {
		s.LastAt = e.At
	}
	kind := kindOf(e.Data)
	mine(&s.Counts, &f.own.counts)[kind]++
	if d, ok := e.Data.(Declared); ok {
		f.declared(e, d)
	}
	if !s.IsDeclared() {
		return
	}
	f.change(e)
	if e.By != "" && kind.work() {
		s.LastHuman = e
	}
	if kind == KindAck {
		s.Acked = e.At
	}
}

// work reports whether events of a kind are something that was done about the
// incident.
func (k Kind) work() bool {
	switch k {
	case KindConsole, KindJournal, KindClock, KindAck, KindReading, KindSensed, KindOverrun, KindUnreadable:
		return false
	}
	return true
}

// change applies what an event says to a declared incident.
func (f *Fold) change(e Event) {
	s := &f.state
	switch d := e.Data.(type) {
	case SeverityChanged:
		if slices.Contains(runbook.Severities[:], d.To) && d.To != s.Severity {
			s.Severity, s.Regraded = d.To, e.At
		}
	case RoleAssigned:
		f.role(d)
	case Recovered:
		if s.Closed.IsZero() {
			s.Recovered = e.At
		}
	case Closed:
		f.closed(e, d)
	case Reopened:
		s.Closed = time.Time{}
	case NodeMoved:
		f.node(e, d)
	case ItemMoved:
		f.item(e, d)
	case Sensed:
		f.sensed(e, d)
	case Assigned:
		if d.Item != "" {
			i := s.Items[d.Item]
			i.Owner, i.Due = d.Owner, d.Due
			put(&s.Items, &f.own.items, d.Item, i)
		}
	case Decided:
		s.Decisions = keep(s.Decisions, &f.own.decisions, e, maxDecisions)
	case Updated:
		if d.Fail == "" {
			s.Updates++
			s.LastUpdate, s.NextUpdate = e.At, d.Next
		}
	case MeasureMoved:
		f.measure(e, d)
	case ReadingChanged:
		s.Changes = keep(s.Changes, &f.own.changes, e, maxChanges)
	case Overrun:
		if _, told := s.Overrun[d.Phase]; !told && d.Phase != "" {
			put(&s.Overrun, &f.own.overrun, d.Phase, e.At)
		}
	}
}

// declared opens the incident; a second declaration changes nothing, and so does
// one from which no clock could count.
func (f *Fold) declared(e Event, d Declared) {
	s := &f.state
	if s.IsDeclared() {
		return
	}
	if d.Started.IsZero() {
		d.Started = e.At
	}
	d.Roles = maps.Clone(d.Roles)
	s.Declared, s.At, s.Severity = d, e.At, d.Severity
	if s.At.IsZero() {
		s.At = d.Started
	}
	s.Roles, f.own.roles = map[Role]string{}, true
	for _, role := range Roles {
		if who := d.Roles[role]; who != "" {
			s.Roles[role] = who
		}
	}
}

func (f *Fold) role(d RoleAssigned) {
	s := &f.state
	switch {
	case !slices.Contains(Roles[:], d.Role):
	case d.To != "":
		mine(&s.Roles, &f.own.roles)[d.Role] = d.To
	case d.Role != Commander: // an incident always has one
		delete(mine(&s.Roles, &f.own.roles), d.Role)
	}
}

func (f *Fold) closed(e Event, d Closed) {
	s := &f.state
	if !s.Closed.IsZero() {
		return
	}
	s.Closed = e.At
	for i, m := range s.Measures {
		if why, ok := d.Open[m.ID]; ok && m.Ended.IsZero() {
			f.ownMeasures()[i].Why = why
		}
	}
}

func (f *Fold) node(e Event, d NodeMoved) {
	s := &f.state
	if d.Node == "" {
		return
	}
	n := s.Nodes[d.Node]
	switch d.Act {
	case NodeEntered:
		// Going back to a settled node is a look at it and does not open it.
		if !n.IsSettled() {
			n.Act = NodeEntered
		}
		n.Entered, s.Current = e.At, d.Node
	case NodeDone, NodeRuledOut:
		switch {
		case d.Verdict != "":
			s.Verdict, s.Marked = d.Verdict, d.Marked
		case n.Verdict != "" && n.Verdict == s.Verdict: // told here before, and no more
			s.Verdict, s.Marked = "", false
		}
		if !n.IsSettled() {
			n.Settled = e.At
		}
		n.Act, n.At, n.By, n.Reason, n.Verdict, n.Evidence, n.Regressed = d.Act, e.At, e.By, d.Reason, d.Verdict, d.Evidence, false
		f.leave(d.Node)
	case NodeOpened:
		if n.Verdict != "" && n.Verdict == s.Verdict {
			s.Verdict, s.Marked = "", false
		}
		n = NodeState{Act: NodeOpened, At: e.At, By: e.By, Reason: d.Reason, Entered: n.Entered}
		f.leave(d.Node)
	default:
		return
	}
	put(&s.Nodes, &f.own.nodes, d.Node, n)
}

// leave makes a node no longer the one that was entered last.
func (f *Fold) leave(node string) {
	if f.state.Current == node {
		f.state.Current = ""
	}
}

func (f *Fold) item(e Event, d ItemMoved) {
	s := &f.state
	if d.Item == "" {
		return
	}
	i := s.Items[d.Item]
	settled := i.IsSettled()
	switch d.Act {
	case ItemTicked, ItemReassessed, ItemOverridden, ItemSkipped, ItemNA:
		if !settled {
			i.Settled = e.At
		}
	case ItemUndone:
		i.Settled = time.Time{}
	case ItemStarted:
		if settled {
			return
		}
	default:
		return
	}
	i.Act, i.At, i.By, i.Reason, i.Evidence, i.Regressed = d.Act, e.At, e.By, d.Reason, d.Evidence, false
	put(&s.Items, &f.own.items, d.Item, i)
}

// sensed takes what the evidence did. Of the items only what can turn does: an
// open one becomes ready or is no longer, a settled one regresses, and one that
// has regressed can become ready again.
func (f *Fold) sensed(e Event, d Sensed) {
	s := &f.state
	if n, ok := s.Nodes[d.Node]; ok && d.Item == "" {
		if d.Regressed && n.IsSettled() {
			n.Regressed = true
			put(&s.Nodes, &f.own.nodes, d.Node, n)
		}
		return
	}
	if d.Item == "" {
		return
	}
	i := s.Items[d.Item]
	switch settled := i.IsSettled(); {
	case d.Regressed && settled:
		i.Regressed, i.Ready = true, false
	case d.Regressed || settled && !i.Regressed:
		return
	default:
		i.Ready = d.Ready
	}
	i.Turned = e.At
	put(&s.Items, &f.own.items, d.Item, i)
}

func (f *Fold) measure(e Event, d MeasureMoved) {
	s := &f.state
	at := slices.IndexFunc(s.Measures, func(m Measure) bool { return m.ID == d.ID })
	switch {
	case d.ID == "":
	case d.Act == MeasureOpened && at < 0 && len(s.Measures) < maxIDs:
		s.Measures = append(f.ownMeasures(), Measure{ID: d.ID, Kind: d.Kind, What: d.What, Who: d.Who, Reason: d.Reason, Opened: e.At, Until: d.Until})
	case at < 0 || !s.Measures[at].Ended.IsZero():
	case d.Act == MeasureExtended:
		m := &f.ownMeasures()[at]
		m.Until, m.Why = d.Until, d.Reason
	case d.Act == MeasureEnded:
		m := &f.ownMeasures()[at]
		m.Ended, m.Why = e.At, d.Reason
	}
}

func (f *Fold) ownMeasures() []Measure {
	if !f.own.measures {
		f.state.Measures, f.own.measures = slices.Clone(f.state.Measures), true
	}
	return f.state.Measures
}

// mine is a map of the state that may be written.
func mine[K comparable, V any](m *map[K]V, own *bool) map[K]V {
	if !*own || *m == nil {
		*m, *own = maps.Clone(*m), true
		if *m == nil {
			*m = map[K]V{}
		}
	}
	return *m
}

// put writes into a map of the state, within its bound.
func put[V any](m *map[string]V, own *bool, id string, v V) {
	if _, known := (*m)[id]; known || len(*m) < maxIDs {
		mine(m, own)[id] = v
	}
}

// keep adds an event to the latest ones.
func keep(list []Event, own *bool, e Event, most int) []Event {
	if !*own {
		list = append(make([]Event, 0, most), list...)
		*own = true
	}
	if len(list) == most {
		list = list[:copy(list, list[1:])]
	}
	return append(list, e)
}

// kindOf is the kind of what an event tells; what is no data of this package is
// unreadable, and so is nothing.
func kindOf(d Data) Kind {
	switch d := d.(type) {
	case Declared, SeverityChanged, RoleAssigned, Recovered, Closed, Reopened, NodeMoved, ItemMoved, Sensed, Assigned, Noted, Decided,
		Updated, MeasureMoved, ReadingChanged, Overrun, ConsoleMoved, JournalMoved, ClockSet, Acked:
		return d.kind()
	}
	return KindUnreadable
}
