package ui

import (
	"warroom/internal/estate"
	"warroom/panes"
)

// The sizes at which the layout changes, in cells.
const (
	leastWidth   = 80  // below, one pane at a time
	leastHeight  = 24  // below, one pane at a time
	strip2Height = 36  // from here on the strip has two rows
	columnsWidth = 280 // from here on, four panes side by side
)

// rect is a part of the screen in cells.
type rect struct{ x, y, w, h int }

// arrangement is how the four panes lie.
type arrangement uint8

const (
	single  arrangement = iota // one at a time
	square                     // two by two
	columns                    // side by side
)

// layout is where everything is on a screen of one size. From the top: band,
// strip, body, footer: the worst thing is read before the rest.
type layout struct {
	arrangement arrangement
	band, strip int // rows; 0 when there is no room
	footer      int
	body        rect // of panes, detail or help
	panes       [len(estate.Planes)]rect
	focus       estate.Plane // the pane of a single arrangement
}

// splitter shares rows between two planes that stand one above the other.
type splitter func(upper, lower estate.Plane, rows int) (up, low int)

// arrange lays out a screen. Rows go first to what must never be missing: how to
// leave, the worst status, where we are.
func arrange(width, height, band int, focus estate.Plane, view mode, step bool, split splitter) layout {
	planes := view == modePlanes
	l := layout{focus: focus}
	left := height
	take := func(n int) int {
		n = min(n, left)
		left -= n
		return n
	}
	l.footer = take(1)
	switch {
	case planes && height >= strip2Height, step && height >= leastHeight && saysStep(view):
		l.strip = take(2) // its second row is what n acts on
	case planes, height >= leastHeight && view != modeBrief: // the worst stays in sight beside a detail
		l.strip = take(1)
	}
	if height < leastHeight {
		band = min(band, 1)
	}
	l.band = take(band)
	l.body = rect{0, l.band + l.strip, width, left}
	b := l.body
	switch {
	case width < leastWidth || height < leastHeight:
		l.panes[focus] = b
	case width >= columnsWidth:
		l.arrangement = columns
		for i := range l.panes {
			x, to := i*width/4, (i+1)*width/4
			l.panes[i] = rect{x, b.y, to - x, b.h}
		}
	default:
		l.arrangement = square
		half := width / 2
		stack := func(upper, lower estate.Plane, x, w int) {
			up, low := split(upper, lower, b.h)
			l.panes[upper], l.panes[lower] = rect{x, b.y, w, up}, rect{x, b.y + up, w, low}
		}
		stack(estate.Edge, estate.State, 0, half)
		stack(estate.Service, estate.Control, half, width-half)
	}
	return l
}

// layoutKey is what a layout depends on, besides the topology, which does not
// change.
type layoutKey struct {
	width, height, band int
	focus               estate.Plane
	view                mode
	step                bool
}

// saysStep reports whether the strip over a view says what the current step of an
// incident is: n works from every view, and the others show it themselves.
func saysStep(view mode) bool {
	switch view {
	case modeFlow, modeNode, modeBrief:
		return false
	}
	return true
}

// layout is where everything is now.
func (m *Model) layout() layout {
	key := layoutKey{m.width, m.height, panes.BandHeight(m.bandInfo()), m.focus, m.view, m.declared()}
	if m.laidOut != key {
		m.laidOut = key
		m.arranged = arrange(m.width, m.height, key.band, m.focus, m.view, key.step, func(upper, lower estate.Plane, rows int) (int, int) {
			return panes.Split(m.shown.Readings, upper, lower, rows)
		})
	}
	return m.arranged
}

// neighbour is the pane dx to the right and dy below p, if there is one. One at
// a time, panes lie in a row.
func (l layout) neighbour(p estate.Plane, dx, dy int) (estate.Plane, bool) {
	if l.arrangement == square {
		x, y := int(p)%2+dx, int(p)/2+dy
		if x < 0 || x > 1 || y < 0 || y > 1 {
			return p, false
		}
		return estate.Plane(2*y + x), true
	}
	if n := int(p) + dx; dy == 0 && n >= 0 && n < len(estate.Planes) {
		return estate.Plane(n), true
	}
	return p, false
}
