package incident

import (
	"cmp"
	"slices"

	"warroom/internal/estate"
)

// mostBaseline bounds how many components are told one by one at a declaration.
const mostBaseline = 40

// Statuses know how the components of one estate stood when that was told last,
// and find what has changed since. They begin with what the journal says, so that a
// change while no console was there is found as well.
type Statuses struct {
	told map[estate.ID]estate.Status
}

// StatusesOf begins with what an incident's journal tells; s may be nil.
func StatusesOf(s *State) *Statuses {
	n := &Statuses{told: map[estate.ID]estate.Status{}}
	if s != nil {
		for id, status := range s.Statuses {
			n.told[estate.ID(id)] = status
		}
	}
	return n
}

// Changes are the components whose status is another than the one told last, as
// events, in the order of the estate; from now on they are told. A component of
// which nothing was told and that is well has not changed; one that was never read
// has not either.
func (n *Statuses) Changes(r *estate.Readings) []Event {
	if r == nil {
		return nil
	}
	var out []Event
	for i, c := range r.Snapshot.Topology.Components {
		now := &r.All[i]
		if neverRead(now) {
			continue
		}
		was, told := n.told[c.ID]
		n.told[c.ID] = now.Status
		switch {
		case told && was == now.Status:
			continue
		case !told && isWell(now.Status):
			continue
		case !told:
			was = estate.Unknown
		}
		out = append(out, New("", ReadingChanged{
			Component: c.ID, Name: c.Name, From: was, To: now.Status, Word: short(now.Word, maxName), Reason: short(now.Reason, maxText),
		}))
	}
	return out
}

// Baseline is how the components stood that are not OK, for a declaration: the worst
// first, of more than 40 the rest as a number. From now on all that was read is told.
func (n *Statuses) Baseline(r *estate.Readings) []Event {
	if r == nil {
		return nil
	}
	var bad []ReadingChanged
	for i, c := range r.Snapshot.Topology.Components {
		now := &r.All[i]
		if neverRead(now) {
			continue
		}
		n.told[c.ID] = now.Status
		if !isWell(now.Status) {
			bad = append(bad, ReadingChanged{
				Component: c.ID, Name: c.Name, From: now.Status, To: now.Status, Word: short(now.Word, maxName), Reason: short(now.Reason, maxText), Baseline: true,
			})
		}
	}
	slices.SortStableFunc(bad, func(a, b ReadingChanged) int { return cmp.Compare(b.To, a.To) })
	var out []Event
	for i, d := range bad {
		if i == mostBaseline {
			out = append(out, New("", ReadingChanged{Baseline: true, More: len(bad) - i}))
			break
		}
		out = append(out, New("", d))
	}
	return out
}

func neverRead(r *estate.Reading) bool { return r.Tried.IsZero() && r.At.IsZero() }

func isWell(s estate.Status) bool { return s == estate.OK || s == estate.NA }
