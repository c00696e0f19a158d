package panes

import (
	"strings"

	"warroom/internal/theme"
)

// line builds one row. It never grows past its limit: what does not fit is cut
// with an ellipsis, and what is missing is filled with blanks.
type line struct {
	f     Frame
	b     []byte
	at    int // cells so far
	limit int // cells that may be used
	now   theme.Token
	fill  theme.Token // of blanks
}

const blanks = "                                                                                                                                "

// spaces is n blanks; none when n is not positive.
func spaces(n int) string {
	if n <= len(blanks) {
		return blanks[:max(n, 0)]
	}
	return strings.Repeat(" ", n)
}

func (f Frame) line(limit int) *line {
	return &line{f: f, b: make([]byte, 0, limit+96), limit: max(limit, 0)}
}

// left is how many cells may still be used.
func (l *line) left() int { return l.limit - l.at }

// put appends s, which has been prepared with say or tell, as k.
func (l *line) put(k theme.Token, s string) *line {
	if s == "" || l.left() <= 0 {
		return l
	}
	w := width(s)
	if w > l.left() {
		s = l.f.cut(s, l.left())
		w = width(s)
	}
	l.style(k)
	l.b = append(l.b, s...)
	l.at += w
	return l
}

func (l *line) style(k theme.Token) {
	if k != l.now || len(l.b) == 0 {
		l.b = append(l.b, l.f.Theme.SGR(k)...)
		l.now = k
	}
}

// skip appends n blanks.
func (l *line) skip(n int) *line {
	n = min(n, l.left())
	if n <= 0 {
		return l
	}
	// A blank carries no ink, but it would carry an underline or a background.
	l.style(l.fill)
	l.at += n
	for ; n > len(blanks); n -= len(blanks) {
		l.b = append(l.b, blanks...)
	}
	l.b = append(l.b, blanks[:n]...)
	return l
}

// to fills with blanks up to a column.
func (l *line) to(column int) *line { return l.skip(column - l.at) }

// rule appends s, one cell wide, n times.
func (l *line) rule(k theme.Token, s string, n int) *line {
	n = min(n, l.left())
	if n <= 0 {
		return l
	}
	l.style(k)
	l.at += n
	for range n {
		l.b = append(l.b, s...)
	}
	return l
}

// String is the row, filled up to its limit.
func (l *line) String() string {
	l.to(l.limit)
	l.b = append(l.b, theme.Reset...)
	return string(l.b)
}

// span is a piece of text with how it looks.
type span struct {
	k theme.Token
	s string
}

// spans is a row's content before it is known where the row will be.
type spans []span

func (s spans) width() int {
	n := 0
	for _, one := range s {
		n += width(one.s)
	}
	return n
}

func (l *line) spans(s spans) *line {
	for _, one := range s {
		l.put(one.k, one.s)
	}
	return l
}

// blank is an empty row.
func (f Frame) blank() string {
	return spaces(f.Width)
}

// exactly makes rows as many as the frame is high.
func (f Frame) exactly(rows []string) []string {
	h := max(f.Height, 0)
	if len(rows) > h {
		return rows[:h]
	}
	for len(rows) < h {
		rows = append(rows, f.blank())
	}
	return rows
}
