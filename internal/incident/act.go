package incident

import (
	"slices"
	"strings"
	"time"

	"warroom/internal/runbook"
)

// Refusal is why something cannot be done now, in words for the footer.
type Refusal struct{ Why string }

// Error is the reason.
func (r *Refusal) Error() string { return r.Why }

// What a person does becomes events here, and nowhere else. Each method checks
// what it is asked against the board and returns the events to record, in order,
// or a *Refusal. Nothing changes until they are recorded and folded. Texts are
// cleaned of what cannot be seen; one that is too long is refused, never cut.
//
// A closed incident still takes what belongs to the days after: items of the
// checklist, owners, notes, decisions, updates, corrections, and the ends of measures that
// stayed open. Everything else needs it reopened.

// Declare is the first event of an incident, refused when something is missing or
// malformed: no commander, no summary, a start in the future. Without a start it
// started now. ID is given by who keeps the incidents.
func Declare(by string, d Declared, now time.Time) (Event, error) {
	roles := map[Role]string{}
	for _, role := range Roles {
		who := d.Roles[role]
		if err := take(field{&who, "the " + string(role), maxName, role == Commander, false}); err != nil {
			return Event{}, err
		}
		if who != "" {
			roles[role] = who
		}
	}
	for role := range d.Roles {
		if !slices.Contains(Roles[:], role) {
			return Event{}, refuse("nobody can be %q: the roles are commander, deputy, scribe and liaison", string(role))
		}
	}
	d.Roles = roles
	err := take(
		field{&by, "the operator", maxName, true, false},
		field{&d.Summary, "the summary", maxText, true, false},
		field{&d.Environment, "the environment", maxName, false, false},
		field{&d.Drill, "the drill's name", maxName, false, false},
		field{&d.Runbook, "the runbook's name", maxText, false, false},
	)
	switch {
	case err != nil:
		return Event{}, err
	case !slices.Contains(runbook.Severities[:], d.Severity):
		return Event{}, refuse("the severity is one of SEV1 to SEV4, not %q", clean(string(d.Severity)))
	case d.Started.IsZero():
		d.Started = now
	}
	if err := canStart(d.Started, now); err != nil {
		return Event{}, err
	}
	d.Started = utc(d.Started)
	return New(by, d), nil
}

const maxPast = 366 * 24 * time.Hour

// may says who acts, or why nobody can: nothing was declared, or the incident is
// closed and this is not of the days after.
func (b *Board) may(by *string, afterClose bool) error {
	switch {
	case b.State == nil:
		return refuse("I declares an incident first")
	case !afterClose && !b.open():
		return refuse("the incident was closed at %s: I reopens it", hour(b.State.Closed))
	}
	return take(field{by, "the operator", maxName, true, false})
}

func one(by string, d Data) []Event { return []Event{New(by, d)} }

// Note records a note.
func (b *Board) Note(by, text string) ([]Event, error) {
	if err := b.may(&by, true); err != nil {
		return nil, err
	}
	if err := take(field{&text, "the note", maxText, true, false}); err != nil {
		return nil, err
	}
	return one(by, Noted{Text: text}), nil
}

// Decide records a decision.
func (b *Board) Decide(by, text, reason string) ([]Event, error) {
	if err := b.may(&by, true); err != nil {
		return nil, err
	}
	if err := take(field{&text, "the decision", maxText, true, false}, field{&reason, "the reason", maxText, false, false}); err != nil {
		return nil, err
	}
	return one(by, Decided{Text: text, Reason: reason}), nil
}

// Acknowledge answers a reminder of where one was.
func (b *Board) Acknowledge(by, what string) ([]Event, error) {
	if err := b.may(&by, true); err != nil {
		return nil, err
	}
	if err := take(field{&what, "the reminder", maxText, true, false}); err != nil {
		return nil, err
	}
	return one(by, Acked{What: what}), nil
}

// Hand gives a role to someone else; to nobody when to is empty, but for the
// commander's.
func (b *Board) Hand(by string, role Role, to string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	if !slices.Contains(Roles[:], role) {
		return nil, refuse("there is no role %q", clean(string(role)))
	}
	if err := take(field{&to, "the new " + string(role), maxName, role == Commander, false}); err != nil {
		return nil, err
	}
	from := b.State.Roles[role]
	switch {
	case from == to && to == "":
		return nil, refuse("nobody is %s", role)
	case from == to:
		return nil, refuse("%s is %s already", to, role)
	}
	return one(by, RoleAssigned{Role: role, From: from, To: to}), nil
}

// Regrade changes the severity.
func (b *Board) Regrade(by string, to runbook.Severity, reason string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(runbook.Severities[:], to):
		return nil, refuse("the severity is one of SEV1 to SEV4, not %q", clean(string(to)))
	case to == b.State.Severity:
		return nil, refuse("it is %s already", to)
	}
	if err := take(field{&reason, "the reason", maxText, false, false}); err != nil {
		return nil, err
	}
	return one(by, SeverityChanged{From: b.State.Severity, To: to, Reason: reason}), nil
}

// Recover says that service is back; from then on the due dates of the days after
// count. While evidence of the checklist speaks against it, or when it was said
// before, it needs a note that says why it is so all the same; the latest counts.
func (b *Board) Recover(by, note string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	if err := take(field{&note, "the note", maxText, false, false}); err != nil {
		return nil, err
	}
	if note == "" {
		if !b.State.Recovered.IsZero() {
			return nil, refuse("service is back since %s: a note says why it is told again", hour(b.State.Recovered))
		}
		if against := b.against(); against != "" {
			return nil, refuse("the evidence speaks against it (%s): a note says why service is back all the same", against)
		}
	}
	return one(by, Recovered{Note: note}), nil
}

// against is the first evidence that speaks against the service being back: of the
// last phase before the days after, which is the one that brings it back.
func (b *Board) against() string {
	for _, list := range slices.Backward(b.List) {
		if list.Phase.Owned {
			continue
		}
		for _, v := range list.Items {
			if v.Finding.Stance == stanceAgainst && v.Status != ItemIsNA && v.Status != ItemIsSkipped {
				return short(first(v.Finding.Value, v.Item.Text), 80)
			}
		}
		return ""
	}
	return ""
}

// Close ends the incident: its clocks stop, and nothing regresses any more. Each
// measure that is still open needs a reason, by its id. A reason for closing is
// needed while service was not said to be back or a phase before the days after
// has an item left; the items of the days after may all be open, and are worked on
// after the closing.
func (b *Board) Close(by, reason string, open map[string]string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	if err := take(field{&reason, "the reason", maxText, false, false}); err != nil {
		return nil, err
	}
	stay := map[string]string{}
	var missing []string
	for _, m := range b.State.Open() {
		why := open[m.ID]
		if err := take(field{&why, "the reason why " + m.ID + " stays", maxText, false, false}); err != nil {
			return nil, err
		}
		if why == "" {
			missing = append(missing, m.ID+" ("+short(first(m.What, string(m.Kind)), 40)+")")
			continue
		}
		stay[m.ID] = why
	}
	if n := len(missing); n > 0 {
		return nil, refuse("%s still open, end each or say why it stays: %s", count(n, "temporary measure"), short(strings.Join(missing, ", "), 200))
	}
	if reason == "" {
		if left := b.left(); left != "" {
			return nil, refuse("%s: closing it all the same needs a reason", left)
		}
	}
	if len(stay) == 0 {
		stay = nil
	}
	return one(by, Closed{Reason: reason, Open: stay}), nil
}

// left is what is not done before the days after; empty when nothing is left.
func (b *Board) left() string {
	if b.State.Recovered.IsZero() {
		return "service was not said to be back"
	}
	for i := range b.List {
		if list := &b.List[i]; !list.Phase.Owned && !list.Clock.Done {
			n := 0
			for _, v := range list.Items {
				if !v.Status.Settled() {
					n++
				}
			}
			return short(list.Phase.Title, 40) + " has " + count(n, "item") + " left"
		}
	}
	return ""
}

// Reopen takes a closed incident up again. Its clocks count from T0, as before.
func (b *Board) Reopen(by, reason string) ([]Event, error) {
	if err := b.may(&by, true); err != nil {
		return nil, err
	}
	if b.open() {
		return nil, refuse("the incident is open")
	}
	if err := take(field{&reason, "the reason", maxText, true, false}); err != nil {
		return nil, err
	}
	return one(by, Reopened{Reason: reason}), nil
}

// Sent records that an update went out to a place, and promises the next. fail is
// why it did not arrive, empty when it did: a failed one is recorded and does not
// count as sent.
func (b *Board) Sent(by, text, to, fail string) ([]Event, error) {
	if err := b.may(&by, true); err != nil {
		return nil, err
	}
	err := take(
		field{&text, "the update", maxText, true, true},
		field{&to, "the place", maxName, true, false},
	)
	if err != nil {
		return nil, err
	}
	u := Updated{Text: text, To: to, Fail: short(clean(fail), maxText)}
	if u.Fail == "" {
		u.Next = b.promise()
	}
	return one(by, u), nil
}

// Sending records that an update is about to go out: before it does, so that one
// whose console dies is not forgotten. Sent or Unclear tells what became of it.
func (b *Board) Sending(by, text, to string) ([]Event, error) {
	return b.unsettled(by, text, to, UpdateSending, "")
}

// Unclear records that nobody can tell whether an update arrived, and why. It does
// not count as sent.
func (b *Board) Unclear(by, text, to, why string) ([]Event, error) {
	return b.unsettled(by, text, to, UpdateUnclear, first(why, "no answer"))
}

func (b *Board) unsettled(by, text, to, state, why string) ([]Event, error) {
	events, err := b.Sent(by, text, to, why)
	if err != nil {
		return nil, err
	}
	u := events[0].Data.(Updated)
	u.State, u.Next = state, time.Time{}
	events[0].Data = u
	return events, nil
}
