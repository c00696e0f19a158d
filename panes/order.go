package panes

import (
	"strings"

	"warroom/internal/estate"
)

// PlaneOrder lists the components of a plane in the order in which they are
// drawn, as far as the filter lets them through. A filter matches, in any case,
// the id, name, state word, status, group or owner of a component, or a secret
// it uses; of several words each must match.
func PlaneOrder(r *estate.Readings, p estate.Plane, filter string) []estate.ID {
	var out []estate.ID
	for _, e := range collect(r, p, filter) {
		out = append(out, e.c.ID)
	}
	return out
}

// entry is a component with its reading.
type entry struct {
	c *estate.Component
	r *estate.Reading
}

// collect lists what a plane draws: by group, groups in the order in which
// their first component stands in the topology.
func collect(r *estate.Readings, p estate.Plane, filter string) []entry {
	if r == nil || r.Snapshot == nil || r.Snapshot.Topology == nil {
		return nil
	}
	words := strings.Fields(strings.ToLower(filter))
	t := r.Snapshot.Topology
	var all []entry
	grouped := false
	for i := range t.Components {
		c := &t.Components[i]
		if c.Plane != p || i >= len(r.All) {
			continue
		}
		e := entry{c, &r.All[i]}
		if !e.matches(words) {
			continue
		}
		if len(all) > 0 && all[len(all)-1].c.Group != c.Group {
			grouped = true
		}
		all = append(all, e)
	}
	if !grouped {
		return all
	}
	out := make([]entry, 0, len(all))
	var done []string
next:
	for i := range all {
		g := all[i].c.Group
		for _, d := range done {
			if d == g {
				continue next
			}
		}
		done = append(done, g)
		for _, e := range all[i:] {
			if e.c.Group == g {
				out = append(out, e)
			}
		}
	}
	return out
}

func (e entry) matches(words []string) bool {
	for _, w := range words {
		if !e.has(w) {
			return false
		}
	}
	return true
}

func (e entry) has(w string) bool {
	for _, s := range [...]string{string(e.c.ID), e.c.Name, e.r.Word, e.r.Status.String(), e.c.Group, e.c.Owner} {
		if strings.Contains(strings.ToLower(s), w) {
			return true
		}
	}
	for _, s := range e.c.Secrets {
		if strings.Contains(strings.ToLower(s), w) {
			return true
		}
	}
	return false
}
