package incident

import "time"

// KindCorrected corrects what the declaration said, which cannot be made twice.
const KindCorrected Kind = "corrected"

// Corrected corrects the start or the summary of an incident. From then on every
// clock counts from the corrected start.
type Corrected struct {
	Started time.Time `json:"started,omitzero"`  // zero when it stays
	Summary string    `json:"summary,omitempty"` // empty when it stays
	Reason  string    `json:"reason"`
}

func (Corrected) kind() Kind { return KindCorrected }

// Correct corrects when the incident started and what its summary says, with a
// reason: of a closed incident too, because what is written of it must be right. A
// zero time and an empty summary stay as they are.
func (b *Board) Correct(by string, started time.Time, summary, reason string) ([]Event, error) {
	if err := b.may(&by, true); err != nil {
		return nil, err
	}
	err := take(field{&summary, "the summary", maxText, false, false}, field{&reason, "the reason", maxText, true, false})
	if err != nil {
		return nil, err
	}
	if !started.IsZero() {
		if err := canStart(started, b.Now); err != nil {
			return nil, err
		}
		if started = utc(started); started.Equal(b.State.Declared.Started) {
			started = time.Time{}
		}
	}
	if summary == b.State.Declared.Summary {
		summary = ""
	}
	if started.IsZero() && summary == "" {
		return nil, refuse("nothing is different: the start and the summary are these already")
	}
	return one(by, Corrected{Started: started, Summary: summary, Reason: reason}), nil
}

// canStart says why an incident cannot have started at a time.
func canStart(at, now time.Time) error {
	switch {
	case at.After(now):
		return refuse("it cannot have started at %s: that is still to come", day(at))
	case now.Sub(at) > maxPast:
		return refuse("it cannot have started at %s: that is more than a year ago", day(at))
	}
	return nil
}

// corrected changes what the declaration said; what it leaves out stays.
func (f *Fold) corrected(d Corrected) {
	s := &f.state
	if !d.Started.IsZero() {
		s.Declared.Started = d.Started
	}
	if d.Summary != "" {
		s.Declared.Summary = d.Summary
	}
}
