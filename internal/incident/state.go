package incident

import (
	"time"

	"warroom/internal/estate"
	"warroom/internal/runbook"
)

// State is an incident as far as its events tell: the fold of them. It is
// immutable once it left its Fold.
type State struct {
	Head     uint64 // Seq of the last event in it
	Declared Declared
	At       time.Time // when it was declared
	Severity runbook.Severity
	Roles    map[Role]string

	Recovered time.Time // zero while service is not back
	Closed    time.Time // zero while it is open
	LastAt    time.Time // At of the last event

	Regraded time.Time // when the severity was changed last; zero when it never was

	Nodes   map[string]NodeState // by node id; a node that is not there is open
	Current string               // the node that was entered last and was not settled or opened since
	Verdict string               // expired, stuck or compromised; empty until told
	Marked  bool                 // Verdict is a person's mark

	Items    map[string]ItemState // by item id, completion calls included
	Measures []Measure            // in order of opening
	Armed    Armed                // whether changes are possible, as told last
	ArmedBy  string               // who armed; empty while changes are not possible
	Runs     []Run                // of plans, in order of their grants; at most 200, the latest
	Overrun  map[string]time.Time // by phase id: when it went over its budget
	Lessons  map[string]time.Time // by the id of a lesson: when evidence spoke for it first

	Updates    int       // status updates that went out
	LastUpdate time.Time // zero when none did
	NextUpdate time.Time // when the next one was promised; zero when none was
	// Sending is the update that was about to go out and of which nothing more was
	// told: it is under way, or the console ended meanwhile. Zero when there is none.
	Sending Event

	// Statuses are how components stood when that was told last, by their ids: of
	// those that changed, or were not OK at the declaration.
	Statuses map[string]estate.Status

	Counts    map[Kind]int
	Decisions []Event // the latest, at most 8, oldest first
	Changes   []Event // the latest readings that changed, at most 16, oldest first
	// LastHuman is the last thing that a person did; zero when nobody did anything.
	// Taking a console up, leaving it and answering a reminder are not counted.
	LastHuman Event
	Acked     time.Time // when a reminder was answered last; zero when none was
}

// NodeState is what was done with a node.
type NodeState struct {
	Act       NodeAct // the last one
	At        time.Time
	By        string
	Reason    string
	Verdict   string
	Evidence  Evidence
	Regressed bool // its evidence has turned since
	Entered   time.Time
	Settled   time.Time // when it was settled first since it was last open; zero while it is open
}

// IsSettled reports whether nothing is left to do for the node, whatever its
// evidence did since.
func (n NodeState) IsSettled() bool { return n.Act == NodeDone || n.Act == NodeRuledOut }

// ItemState is what was done with an item.
type ItemState struct {
	Act       ItemAct // the last one; empty when none was
	At        time.Time
	By        string
	Reason    string
	Evidence  Evidence
	Ready     bool      // its evidence says that it can be ticked
	Regressed bool      // its evidence has turned since it was settled
	Turned    time.Time // when the journal was last told that its evidence turned
	Settled   time.Time // when it was settled first since it was last open; zero while it is open
	Owner     string
	Due       time.Time
}

// IsSettled reports whether a person has settled the item, whatever its evidence
// did since.
func (i ItemState) IsSettled() bool {
	switch i.Act {
	case ItemTicked, ItemReassessed, ItemOverridden, ItemSkipped, ItemNA:
		return true
	}
	return false
}

// IsDeclared reports whether there is an incident at all.
func (s *State) IsDeclared() bool { return s != nil && !s.Declared.Started.IsZero() }

// Measure is a temporary measure of the register.
type Measure struct {
	ID     string
	Kind   MeasureKind
	What   string
	Who    string
	Reason string
	Opened time.Time
	Until  time.Time // zero when no end was given
	Ended  time.Time // zero while it is open
	Why    string    // why it ended, or stays when the incident closed
}

// Open lists the measures that are not ended.
func (s *State) Open() []Measure {
	var out []Measure
	for _, m := range s.Measures {
		if m.Ended.IsZero() {
			out = append(out, m)
		}
	}
	return out
}
