package panes

import (
	"fmt"

	"warroom/internal/theme"
)

// window is a framed box of rows with a title, some of which may be out of
// sight: the frame says how many.
type window struct {
	f      Frame // its size is that of the box, frame included
	title  spans
	right  spans // at the far end of the title
	accent theme.Token
	body   []spans
	scroll int
	head   []spans // above the body, always in sight
	fixed  []spans // below the body, always in sight
}

// draw returns rows of exactly the size of the frame.
func (w window) draw() []string {
	f := w.f
	if f.Height <= 0 {
		return nil
	}
	if f.Width < 8 || f.Height < 3 {
		// No room for a frame: the rows that matter most, the last of which are
		// the choices.
		var rows []string
		all := append(append(append([]spans(nil), w.head...), w.body...), w.fixed...)
		for i := max(len(all)-f.Height, 0); i < len(all); i++ {
			rows = append(rows, f.line(f.Width).spans(all[i]).String())
		}
		return f.exactly(rows)
	}
	room := f.Height - 2
	fixed := w.fixed[max(len(w.fixed)-room, 0):]
	room -= len(fixed)
	head := w.head[:min(len(w.head), room)]
	room -= len(head)
	scroll := max(0, min(w.scroll, len(w.body)-room))
	shown := w.body[min(scroll, len(w.body)):min(scroll+room, len(w.body))]

	rows := make([]string, 0, f.Height)
	rows = append(rows, w.top())
	for _, s := range head {
		rows = append(rows, w.side(s))
	}
	for _, s := range shown {
		rows = append(rows, w.side(s))
	}
	for range room - len(shown) {
		rows = append(rows, w.side(nil))
	}
	for _, s := range fixed {
		rows = append(rows, w.side(s))
	}
	return append(rows, w.bottom(scroll, len(w.body)-scroll-len(shown)))
}

// inner is how many cells a row of a box of n cells has between its margins.
func inner(n int) int {
	if n >= 24 {
		return n - 4
	}
	return n - 2
}

func (w window) side(s spans) string {
	f, fr := w.f, &w.f.Theme.Glyphs.Focus
	l := f.line(f.Width)
	l.put(w.accent, fr.Down)
	margin := (f.Width - 2 - inner(f.Width)) / 2
	l.skip(margin)
	l.limit = l.at + inner(f.Width)
	l.spans(s)
	l.limit = f.Width
	l.to(f.Width - 1)
	l.put(w.accent, fr.Down)
	return l.String()
}

func (w window) top() string {
	f, fr := w.f, &w.f.Theme.Glyphs.Focus
	l := f.line(f.Width)
	l.put(w.accent, fr.TopLeft).rule(w.accent, fr.Across, 1).skip(1)
	right := w.right
	if l.at+w.title.width()+right.width()+5 > f.Width {
		right = nil
	}
	tail := 2
	if right != nil {
		tail += right.width() + 2
	}
	l.limit = f.Width - tail - 1
	l.spans(w.title)
	l.limit = f.Width
	l.skip(1)
	l.rule(w.accent, fr.Across, f.Width-l.at-tail)
	if right != nil {
		l.skip(1).spans(right).skip(1)
	}
	l.rule(w.accent, fr.Across, f.Width-1-l.at)
	l.put(w.accent, fr.TopRight)
	return l.String()
}

func (w window) bottom(above, below int) string {
	f, fr := w.f, &w.f.Theme.Glyphs.Focus
	l := f.line(f.Width)
	l.limit = f.Width - 1
	l.put(w.accent, fr.BottomLeft)
	for _, m := range []struct {
		n     int
		arrow string
	}{{above, f.Theme.Glyphs.Up}, {below, f.Theme.Glyphs.Down}} {
		s := fmt.Sprintf("+%d more %s", m.n, m.arrow)
		if m.n > 0 && l.left() >= width(s)+3 {
			l.rule(w.accent, fr.Across, 1).skip(1).put(theme.Strong, s).skip(1)
		}
	}
	l.rule(w.accent, fr.Across, f.Width-1-l.at)
	l.limit = f.Width
	l.put(w.accent, fr.BottomRight)
	return l.String()
}

// within is a frame as small as its content allows and no larger than f.
func (f Frame) within(cells, rows int) Frame {
	f.Width = max(min(cells, f.Width), 0)
	f.Height = max(min(rows, f.Height), 0)
	return f
}
