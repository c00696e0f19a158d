package panes

import (
	"slices"
	"strings"

	"warroom/internal/estate"
)

// PlaneOrder lists the components of a plane in the order in which they are
// drawn, as far as the filter lets them through. A filter matches, in any case,
// what is known of a component in words: its id, name, group, target, owner,
// contact, status, state word and reason, the name, value and note of each of
// its figures, and every secret that it uses, stores or rotates. Of several
// words each must match.
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
		if !e.matches(t, words) {
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

func (e entry) matches(t *estate.Topology, words []string) bool {
	for _, w := range words {
		if !e.has(t, w) {
			return false
		}
	}
	return true
}

func (e entry) has(t *estate.Topology, w string) bool {
	in := func(s string) bool { return strings.Contains(strings.ToLower(s), w) }
	c, r := e.c, e.r
	for _, s := range [...]string{string(c.ID), c.Name, r.Word, r.Status.String(), c.Group, c.Owner, c.Contact, c.Target, r.Reason} {
		if in(s) {
			return true
		}
	}
	for i := range r.Facts {
		if x := &r.Facts[i]; in(x.Name) || in(x.Value) || in(x.Note) {
			return true
		}
	}
	return slices.ContainsFunc(c.Secrets, in) || slices.ContainsFunc(t.SecretsOf(c.ID), in)
}

// Named reports whether one of the components is called what the filter says,
// by name or id.
func Named(r *estate.Readings, ids []estate.ID, filter string) bool {
	words := strings.Fields(strings.ToLower(filter))
	return slices.ContainsFunc(ids, func(id estate.ID) bool {
		c, ok := r.Snapshot.Topology.Component(id)
		called := strings.ToLower(c.Name + " " + string(id))
		return ok && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(called, w) })
	})
}
