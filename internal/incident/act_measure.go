package incident

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxMeasures is how many measures may be open at once: a register that nobody
// can read is none.
const maxMeasures = 50

// OpenMeasure puts a temporary measure into the register; its id is given here.
// What it is, who answers for it and why are needed; until may be zero.
func (b *Board) OpenMeasure(by string, m Measure) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	err := take(
		field{&m.What, "what the measure is", maxText, true, false},
		field{&m.Who, "who answers for the measure", maxName, true, false},
		field{&m.Reason, "the reason", maxText, true, false},
	)
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(MeasureKinds[:], m.Kind):
		return nil, refuse("a measure is of one kind of %d, not %q", len(MeasureKinds), short(clean(string(m.Kind)), 40))
	case !m.Until.IsZero() && !m.Until.After(b.Now):
		return nil, refuse("it cannot end at %s: that is past", day(m.Until))
	case len(b.State.Open()) >= maxMeasures || len(b.State.Measures) >= maxIDs:
		return nil, refuse("%d measures are open: end one first", len(b.State.Open()))
	}
	return one(by, MeasureMoved{ID: b.nextMeasure(), Act: MeasureOpened, Kind: m.Kind, What: m.What, Who: m.Who, Reason: m.Reason, Until: utc(m.Until)}), nil
}

// nextMeasure is the first id that was never given.
func (b *Board) nextMeasure() string {
	last := 0
	for _, m := range b.State.Measures {
		if n, err := strconv.Atoi(strings.TrimPrefix(m.ID, "M")); err == nil {
			last = max(last, n)
		}
	}
	return "M" + strconv.Itoa(last+1)
}

// ExtendMeasure gives a measure another end, with a reason.
func (b *Board) ExtendMeasure(by, id string, until time.Time, reason string) ([]Event, error) {
	m, err := b.measure(&by, id, &reason, true)
	switch {
	case err != nil:
		return nil, err
	case !until.After(b.Now):
		return nil, refuse("%s cannot end at %s: that is past", m.ID, day(until))
	case until.Equal(m.Until):
		return nil, refuse("%s ends at %s already", m.ID, day(until))
	}
	return one(by, MeasureMoved{ID: m.ID, Act: MeasureExtended, Reason: reason, Until: utc(until)}), nil
}

// EndMeasure ends a measure: it was taken back. A reason may be given.
func (b *Board) EndMeasure(by, id, reason string) ([]Event, error) {
	m, err := b.measure(&by, id, &reason, false)
	if err != nil {
		return nil, err
	}
	return one(by, MeasureMoved{ID: m.ID, Act: MeasureEnded, Reason: reason}), nil
}

// measure finds an open measure. Those that stayed open are ended after the
// closing too.
func (b *Board) measure(by *string, id string, reason *string, need bool) (Measure, error) {
	if err := b.may(by, true); err != nil {
		return Measure{}, err
	}
	if err := take(field{reason, "the reason", maxText, need, false}); err != nil {
		return Measure{}, err
	}
	for _, m := range b.State.Measures {
		if m.ID != id {
			continue
		}
		if !m.Ended.IsZero() {
			return Measure{}, refuse("%s was ended at %s", m.ID, hour(m.Ended))
		}
		return m, nil
	}
	return Measure{}, refuse("there is no measure %q", short(clean(id), 20))
}
