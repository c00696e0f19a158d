// Package incident is what was done: the events of one incident, the state that
// is folded from them, and what the views show of both, computed from state,
// runbook, findings and time.
//
// Its rules: it is pure. An event says what happened and is never changed; an
// undo is another event. The fold never fails: an event that makes no sense where
// it stands (a tick of an unknown item, a second closing) changes nothing but the
// counts, because a journal that can be verified must also be readable. Events of
// a newer version are kept and shown by their kind. What a view shows is a
// function of its arguments: no clock, no order of maps. Texts of people are cleaned
// of what cannot be seen and bounded; one that is too long is refused, never cut.
//
// How long it lasts: an incident is declared, service comes back, it is closed, and
// the days after go on. From Recovered the due dates of the last phase count. With
// Closed every clock stops and nothing regresses or is noticed any more, but the
// checklist, notes, decisions, owners and the ends of temporary measures are still
// taken, for days; anything else needs it reopened, and then T+ counts from T0 as
// if it had never been closed.
package incident

import (
	"time"

	"warroom/internal/diagnosis"
)

// Kind names what an event tells.
type Kind string

// Kinds of event.
const (
	KindDeclared   Kind = "declared"
	KindSeverity   Kind = "severity"
	KindRole       Kind = "role"
	KindRecovered  Kind = "recovered" // service is back: the due dates of the days after count from here
	KindClosed     Kind = "closed"
	KindReopened   Kind = "reopened"
	KindNode       Kind = "node"       // a node of the flow was entered, done, ruled out, opened again
	KindItem       Kind = "item"       // an item was ticked, skipped, undone …, by a person
	KindSensed     Kind = "sensed"     // an item turned ready, or regressed; a node regressed; evidence is that of a past incident
	KindAssigned   Kind = "assigned"   // an item got an owner and a due date
	KindNote       Kind = "note"       //
	KindDecision   Kind = "decision"   //
	KindUpdate     Kind = "update"     // a status update went out
	KindMeasure    Kind = "measure"    // a temporary measure was opened, extended or ended
	KindReading    Kind = "reading"    // a component's status changed
	KindOverrun    Kind = "overrun"    // a phase went over its budget
	KindConsole    Kind = "console"    // a console took the incident up, or left it
	KindJournal    Kind = "journal"    // the journal itself: repaired, moved to another file
	KindClock      Kind = "clock"      // the clock of this machine was set
	KindAck        Kind = "ack"        // someone was reminded where they were, and said so
	KindArmed      Kind = "armed"      // changes became possible, or no longer are
	KindGrant      Kind = "grant"      // consent to a plan: its run begins
	KindIntent     Kind = "intent"     // a step is about to be done or undone
	KindOutcome    Kind = "outcome"    // what came of it
	KindRun        Kind = "run"        // a run ended
	KindUnreadable Kind = "unreadable" // of a newer version; Data is Unreadable
)

// Kinds lists every kind, in the order in which they are told of.
var Kinds = [...]Kind{
	KindDeclared, KindSeverity, KindRole, KindRecovered, KindClosed, KindReopened, KindNode, KindItem, KindSensed, KindAssigned,
	KindNote, KindDecision, KindUpdate, KindMeasure, KindReading, KindOverrun, KindConsole, KindJournal, KindClock, KindAck,
	KindUnreadable, KindCorrected, KindArmed, KindGrant, KindIntent, KindOutcome, KindRun,
}

// Event is one thing that happened. Data is one of the types below, that of Kind.
type Event struct {
	Seq  uint64    // its number in the journal, from 1; 0 before it was recorded
	At   time.Time // UTC; never before that of the event before it within one console
	By   string    // the operator; empty for the console itself
	Kind Kind
	Data Data
}

// Data is what an event tells beyond its kind.
type Data interface{ kind() Kind }

func (Declared) kind() Kind        { return KindDeclared }
func (SeverityChanged) kind() Kind { return KindSeverity }
func (RoleAssigned) kind() Kind    { return KindRole }
func (Recovered) kind() Kind       { return KindRecovered }
func (Closed) kind() Kind          { return KindClosed }
func (Reopened) kind() Kind        { return KindReopened }
func (NodeMoved) kind() Kind       { return KindNode }
func (ItemMoved) kind() Kind       { return KindItem }
func (Sensed) kind() Kind          { return KindSensed }
func (Assigned) kind() Kind        { return KindAssigned }
func (Noted) kind() Kind           { return KindNote }
func (Decided) kind() Kind         { return KindDecision }
func (Updated) kind() Kind         { return KindUpdate }
func (MeasureMoved) kind() Kind    { return KindMeasure }
func (ReadingChanged) kind() Kind  { return KindReading }
func (Overrun) kind() Kind         { return KindOverrun }
func (ConsoleMoved) kind() Kind    { return KindConsole }
func (JournalMoved) kind() Kind    { return KindJournal }
func (ClockSet) kind() Kind        { return KindClock }
func (Acked) kind() Kind           { return KindAck }
func (Unreadable) kind() Kind      { return KindUnreadable }
func (Armed) kind() Kind           { return KindArmed }
func (Granted) kind() Kind         { return KindGrant }
func (Intent) kind() Kind          { return KindIntent }
func (Outcome) kind() Kind         { return KindOutcome }
func (RunEnded) kind() Kind        { return KindRun }

// New is an event of now that is not recorded yet.
func New(by string, data Data) Event { return Event{By: by, Kind: data.kind(), Data: data} }

// EvidenceOf is what a finding puts beside a tick.
func EvidenceOf(f diagnosis.Finding) Evidence {
	e := Evidence{Stance: f.Stance.String(), Value: short(f.Value, maxText), Read: utc(f.At())}
	if len(f.Facts) > 0 {
		e.Source = short(f.Facts[0].Source, maxText)
	}
	return e
}
