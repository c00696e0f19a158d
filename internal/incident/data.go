package incident

import (
	"time"

	"warroom/internal/estate"
	"warroom/internal/runbook"
)

// Role is what someone is in an incident.
type Role string

// Roles of an incident.
const (
	Commander Role = "commander"
	Deputy    Role = "deputy"
	Scribe    Role = "scribe"
	Liaison   Role = "liaison"
)

// Roles lists the roles in the order in which they are shown.
var Roles = [...]Role{Commander, Deputy, Scribe, Liaison}

// Declared opens an incident. T0, from which every clock counts, is Started.
type Declared struct {
	ID          string           `json:"id"` // for example 2026-11-23-1: names its folder
	Severity    runbook.Severity `json:"severity"`
	Summary     string           `json:"summary"`
	Started     time.Time        `json:"started"` // the alert's own time, or that of the declaration
	Environment string           `json:"environment"`
	Drill       string           `json:"drill,omitempty"`
	Roles       map[Role]string  `json:"roles"`
	Runbook     string           `json:"runbook"` // its name
	Digest      string           `json:"runbook_sha256"`
}

// SeverityChanged raises or lowers the severity.
type SeverityChanged struct {
	From   runbook.Severity `json:"from"`
	To     runbook.Severity `json:"to"`
	Reason string           `json:"reason,omitempty"`
}

// RoleAssigned gives a role to someone; hand-over when From is set.
type RoleAssigned struct {
	Role Role   `json:"role"`
	From string `json:"from,omitempty"`
	To   string `json:"to"`
}

// Recovered says that service is back.
type Recovered struct {
	Note string `json:"note,omitempty"`
}

// Closed ends an incident. Open measures need a reason each.
type Closed struct {
	Reason string            `json:"reason,omitempty"`
	Open   map[string]string `json:"open_measures,omitempty"` // measure id to why it stays
}

// Reopened takes an incident up again.
type Reopened struct {
	Reason string `json:"reason"`
}

// Evidence is what was on screen when something was settled: the observed value,
// and a person's note or link.
type Evidence struct {
	Stance string    `json:"stance,omitempty"`
	Value  string    `json:"value,omitempty"`
	Source string    `json:"source,omitempty"`
	Read   time.Time `json:"read,omitzero"`
	Typed  string    `json:"typed,omitempty"` // what the person typed as the observed value, where that was asked
	Note   string    `json:"note,omitempty"`
	Link   string    `json:"link,omitempty"`
	With   string    `json:"with,omitempty"` // a second person, who confirmed it aloud
}

// NodeAct is what was done with a node of the flow.
type NodeAct string

// What can be done with a node.
const (
	NodeEntered  NodeAct = "entered" // it is the current one
	NodeDone     NodeAct = "done"
	NodeRuledOut NodeAct = "ruled out"
	NodeOpened   NodeAct = "opened" // open again: an undo
)

// NodeMoved is a step in the flow.
type NodeMoved struct {
	Node     string   `json:"node"`
	Act      NodeAct  `json:"act"`
	Reason   string   `json:"reason,omitempty"`
	Verdict  string   `json:"verdict,omitempty"` // expired, stuck or compromised, on the node that tells
	Marked   bool     `json:"marked,omitempty"`  // a person's mark against or without the evidence
	Evidence Evidence `json:"evidence,omitzero"`
}

// ItemAct is what was done with an item.
type ItemAct string

// What can be done with an item.
const (
	ItemTicked     ItemAct = "ticked"
	ItemSkipped    ItemAct = "skipped"     // needs a reason
	ItemNA         ItemAct = "n/a"         // needs a reason
	ItemOverridden ItemAct = "overridden"  // ticked against the evidence; needs a reason
	ItemUndone     ItemAct = "undone"      // open again
	ItemStarted    ItemAct = "started"     // someone is at it
	ItemReassessed ItemAct = "re-assessed" // confirmed again after it regressed
)

// ItemMoved is what a person did with an item of the checklist.
type ItemMoved struct {
	Item     string   `json:"item"`
	Act      ItemAct  `json:"act"`
	Reason   string   `json:"reason,omitempty"`
	Evidence Evidence `json:"evidence,omitzero"`
}

// Sensed is what the evidence did by itself.
type Sensed struct {
	Item      string   `json:"item,omitempty"`
	Node      string   `json:"node,omitempty"`
	Lesson    string   `json:"lesson,omitempty"`    // this incident is like that past one of the runbook; neither Item nor Node then
	Ready     bool     `json:"ready,omitempty"`     // the item can be ticked
	Regressed bool     `json:"regressed,omitempty"` // it was settled, and its evidence has turned
	Evidence  Evidence `json:"evidence"`
}

// Assigned gives an item of the days after an owner and a due date.
type Assigned struct {
	Item  string    `json:"item"`
	Owner string    `json:"owner"`
	Due   time.Time `json:"due,omitzero"`
}

// Noted is a note.
type Noted struct {
	Text string `json:"text"`
}

// Decided is a decision.
type Decided struct {
	Text   string `json:"text"`
	Reason string `json:"reason,omitempty"`
}

// Updated is a status update that went out, is about to, or did not.
type Updated struct {
	Text string    `json:"text"`
	To   string    `json:"to"`   // the webhook's name, or "clipboard"
	Next time.Time `json:"next"` // when the next one was promised
	Fail string    `json:"failed,omitempty"`
	// State is empty when it is told what became of it: it arrived, unless Fail says
	// why it did not. UpdateSending is told before it goes out, and UpdateUnclear when
	// nobody can tell whether it arrived; Fail says why then.
	State string `json:"state,omitempty"`
}

// States of an update of which it is not told whether it arrived.
const (
	UpdateSending = "sending"
	UpdateUnclear = "unclear"
)

// Arrived reports whether the update is known to have arrived: only then does it
// count for the time of the next one.
func (u Updated) Arrived() bool { return u.State == "" && u.Fail == "" }

// MeasureKind says what a temporary measure is.
type MeasureKind string

// Kinds of temporary measure.
const (
	MeasureBackupKey MeasureKind = "backup key"
	MeasureForced    MeasureKind = "forced check"
	MeasureOverride  MeasureKind = "manual override"
	MeasureCancelled MeasureKind = "cancelled rotation"
	MeasureAccess    MeasureKind = "emergency access"
	MeasureOther     MeasureKind = "other"
)

// MeasureKinds lists the kinds in the order in which they are offered.
var MeasureKinds = [...]MeasureKind{MeasureBackupKey, MeasureForced, MeasureOverride, MeasureCancelled, MeasureAccess, MeasureOther}

// What can be done with a temporary measure.
const (
	MeasureOpened   = "opened"
	MeasureExtended = "extended"
	MeasureEnded    = "ended"
)

// MeasureMoved opens, extends or ends a temporary measure.
type MeasureMoved struct {
	ID     string      `json:"id"`  // M1, M2 …
	Act    string      `json:"act"` // opened, extended, ended
	Kind   MeasureKind `json:"kind,omitempty"`
	What   string      `json:"what,omitempty"`
	Who    string      `json:"who,omitempty"`
	Reason string      `json:"reason,omitempty"`
	Until  time.Time   `json:"until,omitzero"`
}

// ReadingChanged is a component whose status changed.
type ReadingChanged struct {
	Component estate.ID     `json:"component"`
	Name      string        `json:"name"`
	From      estate.Status `json:"from"`
	To        estate.Status `json:"to"`
	Word      string        `json:"word,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	// Baseline says that nothing changed: To is how the component stood when the
	// incident was declared. More is how many others stood badly then and are not
	// told one by one; Component is empty in that event.
	Baseline bool `json:"baseline,omitempty"`
	More     int  `json:"more,omitempty"`
}

// Overrun is a phase that went over its budget: told once.
type Overrun struct {
	Phase  string        `json:"phase"`
	Budget time.Duration `json:"budget"` // from T0, in nanoseconds
}

// ConsoleMoved is a console that took the incident up or left it.
type ConsoleMoved struct {
	Act  string `json:"act"` // opened, resumed, left
	Host string `json:"host,omitempty"`
	PID  int    `json:"pid,omitempty"`
}

// JournalMoved is what happened to the journal itself.
type JournalMoved struct {
	What string `json:"what"` // one line
}

// ClockSet is a clock that was set while the incident ran: wall time differs from
// the time that passed by By.
type ClockSet struct {
	By time.Duration `json:"by"` // in nanoseconds; positive: set forward
}

// Acked is a reminder that was answered.
type Acked struct {
	What string `json:"what"`
}

// Unreadable is an event of a newer version, kept as it is.
type Unreadable struct {
	Kind    Kind
	Version int
	Raw     []byte
}
