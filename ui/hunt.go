package ui

import (
	"fmt"
	"slices"

	"warroom/internal/estate"
	"warroom/panes"
)

// followWorst puts the cursor on what is worst, once anything was read. It does
// so until the first key: from then on the cursor is the operator's.
func (m *Model) followWorst() {
	r := m.shown.Readings
	i := r.Worst()
	if i < 0 || !slices.ContainsFunc(r.All, func(one estate.Reading) bool { return !one.At.IsZero() || !one.Tried.IsZero() }) {
		return
	}
	c := &r.Snapshot.Topology.Components[i]
	if r.All[i].Status > estate.OK {
		m.focus, m.selected[c.Plane] = c.Plane, c.ID
	}
}

// ills lists what is not well and passes the filter, the worst first.
func (m *Model) ills() []estate.ID {
	var out []estate.ID
	r := m.shown.Readings
	for _, i := range r.WorstFirst() {
		c := &r.Snapshot.Topology.Components[i]
		if slices.Contains(m.ids(c.Plane), c.ID) {
			out = append(out, c.ID)
		}
	}
	return out
}

// noneIll refuses to go to the worst when all is well.
func noneIll(m *Model) string {
	if len(m.ills()) == 0 {
		if m.filter != "" {
			return "nothing that matches the filter fails, is unknown or warns"
		}
		return "nothing fails, is unknown or warns"
	}
	return ""
}

// hunt goes to the worst component and, from where it went last, to the next
// worse; from the last back to the first. In the detail it shows that component's.
func (m *Model) hunt() {
	ills, from := m.ills(), m.subject()
	at := slices.Index(ills, from)
	if at == 0 || from == m.hunted {
		at = (at + 1) % len(ills)
	} else {
		at = 0
	}
	id := ills[at]
	if m.view == modeDetail {
		m.show(id)
	} else if c, ok := m.shown.Readings.Snapshot.Topology.Component(id); ok {
		m.focus, m.selected[c.Plane] = c.Plane, id
	}
	m.hunted = id
	m.say(fmt.Sprintf("%d of %d that are not well, the worst first: %s", at+1, len(ills), m.name(id)))
}

// keepFilter closes the input. When the pane with the focus shows nothing, the
// focus goes to the first component that is shown, by preference to one that is
// called what was typed.
func (m *Model) keepFilter() {
	m.close()
	if m.view != modePlanes || m.filter == "" || m.subject() != "" {
		return
	}
	first, found := estate.Plane(0), false
	for _, p := range estate.Planes {
		ids := m.ids(p)
		if len(ids) == 0 {
			continue
		}
		if panes.Named(m.shown.Readings, ids, m.filter) {
			first, found = p, true
			break
		}
		if !found {
			first, found = p, true
		}
	}
	if found {
		m.focus = first
		return
	}
	m.say("nothing matches /" + m.filter + "; esc clears the filter")
}
