package incident

import (
	"errors"
	"time"
)

// ErrUnsure is the error of a change of which it is not known whether it was
// recorded, because the disk failed on the way or did not answer. The timeline
// shows which; until then it must not be made a second time.
var ErrUnsure = errors.New("it is not known whether it was recorded")

// Case is an incident as it is kept somewhere: its state, who writes it, and how
// its journal is. It is immutable.
type Case struct {
	State   *State
	Writing bool   // this console is its writer
	Writer  string // who writes it when this console does not: operator, host and process; empty when nobody
	Trouble string // what is wrong with its journal, one line; empty when nothing is
	Damage  string // of what Trouble tells, that records are missing or were changed; empty when none are
	Folder  string // where it lies
	Head    string // number and hash of its last record, "42:3f9a…", for noting elsewhere; empty when there is none
}

// Listed is one incident in a list of them.
type Listed struct {
	ID          string
	Summary     string
	Severity    string
	Environment string
	Drill       string // the scenario; empty when it is no drill
	Started     time.Time
	Recovered   time.Time // zero while service is not back
	Closed      time.Time // zero while it is open
	LastAt      time.Time
	Writer      string // who has it open now; empty when nobody
	Trouble     string // why it cannot be read; empty when it can
}

// Query asks for a part of a timeline.
type Query struct {
	Before uint64 // only events with a smaller Seq; 0 for the newest
	After  uint64 // only events with a greater Seq, oldest first; 0 for none. Not with Before.
	Limit  int    // at most so many, 1 to 1,000
	Kinds  []Kind // only these; none for all
	Text   string // only those whose text holds this, whatever the case; empty for all
}

// Page is a part of a timeline, oldest first.
type Page struct {
	Events  []Event
	Earlier bool // there are earlier ones that match
	Later   bool // there are later ones that match
	Total   int  // how many events there are, matching or not
}
