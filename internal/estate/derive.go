package estate

import "time"

// Readings is what a snapshot means at one time: a reading of every component,
// in the topology's order.
type Readings struct {
	Snapshot *Snapshot
	At       time.Time
	All      []Reading
	byID     map[ID]int
}

// Of returns the reading of a component.
func (r *Readings) Of(id ID) (Reading, bool) {
	i, ok := r.byID[id]
	if !ok {
		return Reading{}, false
	}
	return r.All[i], true
}

// Status is the summary of a plane: the worst of its components.
func (r *Readings) Status(p Plane) Status {
	worst := NA
	for i, c := range r.Snapshot.Topology.Components {
		if c.Plane == p {
			worst = Worst(worst, r.All[i].Status)
		}
	}
	return worst
}

// Count is how many components have each status, indexed by Status.
func (r *Readings) Count() [5]int {
	var n [5]int
	for _, one := range r.All {
		n[one.Status]++
	}
	return n
}

// Derive reads a snapshot at a time. It is pure.
func Derive(s *Snapshot, now time.Time) *Readings {
	t := s.Topology
	r := &Readings{Snapshot: s, At: now, All: make([]Reading, len(t.Components)), byID: t.byID}
	for i, c := range t.Components {
		r.All[i] = Reading{ID: c.ID, Status: Unknown, Word: "UNREAD", Reason: c.Unread}
	}
	return r
}
