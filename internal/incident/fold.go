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
	maxIDs       = 1000 // nodes, items, measures, phases, lessons and components, each
)

// Fold makes a state of events. The zero value is ready for the first one. A Fold
// must not be copied once it is used.
type Fold struct {
	state State
	own   owned
}

// owned are the parts of the state that no State which was given out shares:
// those may be written in place, the others are copied first.
type owned struct {
	roles, nodes, items, overrun, lessons, statuses, counts, measures, decisions, changes, runs bool

	run map[string]bool // by the id of a run: its maps
}

// State is the state now. What is applied later does not change it.
func (f *Fold) State() *State {
	f.own = owned{}
	out := f.state
	return &out
}

// Apply takes one event, in the order of the journal. It never fails: what makes
// no sense where it stands is counted, and changes nothing else. Texts are kept clean
// of what cannot be seen, and as long as an act could have made them.
func (f *Fold) Apply(e Event) {
	e = tidy(e)
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
	case KindConsole, KindJournal, KindClock, KindAck, KindReading, KindSensed, KindOverrun, KindUnreadable, KindIntent, KindOutcome, KindRun:
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
	case Corrected:
		f.corrected(d)
	case NodeMoved:
		f.node(e, d)
	case ItemMoved:
		f.item(e, d)
	case Sensed:
		if _, told := s.Lessons[d.Lesson]; !told && d.Lesson != "" {
			put(&s.Lessons, &f.own.lessons, d.Lesson, e.At)
		}
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
		f.updated(e, d)
	case MeasureMoved:
		f.measure(e, d)
	case ReadingChanged:
		if d.Component != "" {
			put(&s.Statuses, &f.own.statuses, string(d.Component), d.To)
		}
		if !d.Baseline {
			s.Changes = keep(s.Changes, &f.own.changes, e, maxChanges)
		}
	case Overrun:
		if _, told := s.Overrun[d.Phase]; !told && d.Phase != "" {
			put(&s.Overrun, &f.own.overrun, d.Phase, e.At)
		}
	case Armed:
		f.armed(e, d)
	case Granted:
		f.granted(e, d)
	case Intent:
		f.intent(e, d)
	case Outcome:
		f.outcome(e, d)
	case RunEnded:
		f.runEnded(e, d)
	case ConsoleMoved:
		f.console()
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

// updated counts what arrived. What was being sent waits for its outcome: one to
// the same place.
func (f *Fold) updated(e Event, d Updated) {
	s := &f.state
	if d.State == UpdateSending {
		s.Sending = e
		return
	}
	if was, ok := s.Sending.Data.(Updated); ok && was.To == d.To {
		s.Sending = Event{}
	}
	if d.Arrived() {
		s.Updates++
		s.LastUpdate, s.NextUpdate = e.At, d.Next
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
		Updated, MeasureMoved, ReadingChanged, Overrun, ConsoleMoved, JournalMoved, ClockSet, Acked, Corrected,
		Armed, Granted, Intent, Outcome, RunEnded:
		return d.kind()
	}
	return KindUnreadable
}
