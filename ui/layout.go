package ui

import "warroom/internal/estate"

// The sizes at which the layout changes, in cells.
const (
	leastWidth   = 80  // below, one pane at a time
	leastHeight  = 24  // below, one pane at a time
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
// body, strip, footer.
type layout struct {
	arrangement arrangement
	band, strip int // rows; 0 when there is no room
	footer      int
	body        rect // of panes, detail or help
	panes       [len(estate.Planes)]rect
	focus       estate.Plane // the pane of a single arrangement
}

// arrange lays out a screen. The band goes last and the footer before it: on a
// screen of a few rows the worst status and how to leave are what must show.
func arrange(width, height int, focus estate.Plane, withStrip bool) layout {
	l := layout{focus: focus}
	l.band = min(1, height)
	l.footer = min(1, height-l.band)
	left := height - l.band - l.footer
	if withStrip && left >= 6 {
		l.strip = 1
	}
	l.body = rect{0, l.band, width, max(0, left-l.strip)}
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
		w, h := width/2, (b.h+1)/2
		l.panes[estate.Edge] = rect{0, b.y, w, h}
		l.panes[estate.Service] = rect{w, b.y, width - w, h}
		l.panes[estate.State] = rect{0, b.y + h, w, b.h - h}
		l.panes[estate.Control] = rect{w, b.y + h, width - w, b.h - h}
	}
	return l
}

// layout is where everything is now.
func (m *Model) layout() layout {
	return arrange(m.width, m.height, m.focus, m.view == modePlanes)
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
