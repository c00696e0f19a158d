package ui

import (
	"slices"

	"warroom/internal/estate"
	"warroom/panes"
)

// order is the components of a plane as they are drawn, kept while what it was
// made from is the same.
type order struct {
	version uint64
	filter  string
	ids     []estate.ID
}

// ids lists the components of a plane in the order in which they are drawn.
func (m *Model) ids(p estate.Plane) []estate.ID {
	o := &m.orders[p]
	if v := m.shown.planes[p]; o.version != v || o.filter != m.filter {
		*o = order{v, m.filter, panes.PlaneOrder(m.shown.Readings, p, m.filter)}
	}
	return o.ids
}

// cursor is the component under the cursor of a plane, or none when the plane
// shows none. What the cursor was put on is remembered while a filter hides it.
func (m *Model) cursor(p estate.Plane) estate.ID {
	ids := m.ids(p)
	if len(ids) == 0 {
		return ""
	}
	if slices.Contains(ids, m.selected[p]) {
		return m.selected[p]
	}
	return ids[0]
}

// subject is the component that a key acts on now, or none.
func (m *Model) subject() estate.ID {
	switch {
	case m.view == modeDetail:
		return m.detail
	case m.view != modePlanes:
		return ""
	}
	return m.cursor(m.focus)
}

// step moves the cursor within the focused plane and reports whether there was
// anywhere to go.
func (m *Model) step(by int) bool {
	ids := m.ids(m.focus)
	i := slices.Index(ids, m.cursor(m.focus))
	if i+by < 0 || i+by >= len(ids) {
		return false
	}
	m.selected[m.focus] = ids[i+by]
	return true
}

// enterPane moves the focus to a plane, with the cursor at its near end when it
// was reached by walking: the first component from above, the last from below.
func (m *Model) enterPane(p estate.Plane, from int) {
	m.focus = p
	ids := m.ids(p)
	switch {
	case len(ids) == 0:
	case from > 0:
		m.selected[p] = ids[0]
	case from < 0:
		m.selected[p] = ids[len(ids)-1]
	}
}

// vertical moves the cursor up or down, across the edge of a pane into the pane
// above or below.
func (m *Model) vertical(by int) {
	if m.step(by) {
		return
	}
	if p, ok := m.layout().neighbour(m.focus, 0, by); ok {
		m.enterPane(p, by)
	}
}

// horizontal moves the focus to the pane beside.
func (m *Model) horizontal(by int) {
	if p, ok := m.layout().neighbour(m.focus, by, 0); ok {
		m.enterPane(p, 0)
	}
}

// cycle moves the focus to the next plane, or the previous one.
func (m *Model) cycle(by int) {
	n := len(estate.Planes)
	m.enterPane(estate.Plane((int(m.focus)+by+n)%n), 0)
}

// end moves the cursor to the first component of the pane or the last.
func (m *Model) end(last bool) {
	if ids := m.ids(m.focus); last && len(ids) > 0 {
		m.selected[m.focus] = ids[len(ids)-1]
	} else if len(ids) > 0 {
		m.selected[m.focus] = ids[0]
	}
}

// show opens the detail of a component, with the cursor on it for the way back.
func (m *Model) show(id estate.ID) {
	c, ok := m.shown.Readings.Snapshot.Topology.Component(id)
	if !ok {
		return
	}
	m.focus, m.selected[c.Plane] = c.Plane, id
	m.detail, m.detailScroll = id, 0
	m.showView(modeDetail)
}

// beside shows the detail of the next component of the plane, or the previous.
func (m *Model) beside(by int) {
	ids := m.ids(m.focus)
	if i := slices.Index(ids, m.detail); i >= 0 && i+by >= 0 && i+by < len(ids) {
		m.show(ids[i+by])
	}
}

// scrollDetail moves the detail by rows; it stops at both ends.
func (m *Model) scrollDetail(by int) {
	b := m.layout().body
	m.detailScroll = max(0, min(m.detailScroll+by, panes.MaxScroll(m.frameOf(b.w, b.h), m.cache.detailTotal)))
}

// scrollHelp moves the help by rows; it stops at both ends.
func (m *Model) scrollHelp(by int) {
	f, _ := m.over()
	m.helpScroll = max(0, min(m.helpScroll+by, panes.MaxScroll(f, m.cache.helpTotal)))
}

// page is how many rows a page of the detail or the help moves.
func (m *Model) page() int { return max(1, m.layout().body.h-3) }
