package incident

import (
	"time"

	"warroom/internal/runbook"
)

// Refusal is why something cannot be done now, in words for the footer.
type Refusal struct{ Why string }

// Error is the reason.
func (r *Refusal) Error() string { return r.Why }

// What a person does becomes events here, and nowhere else. Each method checks
// what it is asked against the board and returns the events to record, in order,
// or a *Refusal. Nothing changes until they are recorded and folded.

// Step settles the current node with its evidence as it is, and enters the next
// of the main line. A node whose sensor is unread is refused with the reason,
// unless it has none; verdict is told on the last node and taken from the finding
// when empty.
func (b *Board) Step(by, verdict string) ([]Event, error) { panic("not built yet") }

// Enter makes a node the current one: going back, or taking a side node.
func (b *Board) Enter(by, node string) ([]Event, error) { panic("not built yet") }

// Mark settles a node by a person's word, with a reason: done, ruled out or
// opened again; verdict as in Step.
func (b *Board) Mark(by, node string, act NodeAct, verdict, reason string) ([]Event, error) {
	panic("not built yet")
}

// Tick settles an item. A killer item that is sensed needs the observed value
// typed (evidence.Typed); evidence against it, or unread, needs a reason and makes
// it overridden. A completion call needs every other item of its phase settled.
// An item that is settled and has not regressed is refused.
func (b *Board) Tick(by, item string, e Evidence, reason string) ([]Event, error) {
	panic("not built yet")
}

// NeedsValue reports whether ticking an item asks for the observed value, and
// NeedsReason whether it asks for a reason, and why.
func (b *Board) NeedsValue(item string) bool { panic("not built yet") }

// NeedsReason says why ticking an item asks for a reason; empty when it does not.
func (b *Board) NeedsReason(item string) string { panic("not built yet") }

// Skip settles an item without doing it, and NA as not applicable; both need a
// reason. A completion call cannot be skipped.
func (b *Board) Skip(by, item, reason string) ([]Event, error) { panic("not built yet") }

// NA settles an item as not applicable.
func (b *Board) NA(by, item, reason string) ([]Event, error) { panic("not built yet") }

// Undo opens an item again.
func (b *Board) Undo(by, item string) ([]Event, error) { panic("not built yet") }

// Assign gives an item an owner and a due date.
func (b *Board) Assign(by, item, owner string, due time.Time) ([]Event, error) {
	panic("not built yet")
}

// Note, Decide, Hand and Regrade record a note, a decision, a hand-over of a role
// and another severity.
func (b *Board) Note(by, text string) ([]Event, error) { panic("not built yet") }

// Decide records a decision.
func (b *Board) Decide(by, text, reason string) ([]Event, error) { panic("not built yet") }

// Hand gives a role to someone else.
func (b *Board) Hand(by string, role Role, to string) ([]Event, error) { panic("not built yet") }

// Regrade changes the severity.
func (b *Board) Regrade(by string, to runbook.Severity, reason string) ([]Event, error) { panic("not built yet") }

// Recover says that service is back, or, closed too early, is refused.
func (b *Board) Recover(by, note string) ([]Event, error) { panic("not built yet") }

// OpenMeasure puts a temporary measure into the register; its id is given here.
func (b *Board) OpenMeasure(by string, m Measure) ([]Event, error) { panic("not built yet") }

// ExtendMeasure gives a measure another end, with a reason.
func (b *Board) ExtendMeasure(by, id string, until time.Time, reason string) ([]Event, error) {
	panic("not built yet")
}

// EndMeasure ends a measure: it was taken back.
func (b *Board) EndMeasure(by, id, reason string) ([]Event, error) { panic("not built yet") }

// Close ends the incident. Measures that are still open need a reason each, by id.
func (b *Board) Close(by, reason string, open map[string]string) ([]Event, error) {
	panic("not built yet")
}

// Reopen takes a closed incident up again.
func (b *Board) Reopen(by, reason string) ([]Event, error) { panic("not built yet") }

// Sent records that an update went out to a place, and promises the next. fail is
// why it did not arrive, empty when it did.
func (b *Board) Sent(by, text, to, fail string) ([]Event, error) { panic("not built yet") }

// Declare is the first event of an incident, refused when something is missing or
// malformed: no commander, a start in the future. ID is given by who keeps the
// incidents.
func Declare(by string, d Declared, now time.Time) (Event, error) { panic("not built yet") }
