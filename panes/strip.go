package panes

import (
	"fmt"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// Strip says the worst thing right now in words, and how many components have
// each status. It is two rows, or one when the frame is one row high.
func Strip(f Frame, r *estate.Readings) []string {
	var count [5]int
	if r != nil {
		for i := range r.All {
			count[known(r.All[i].Status)]++
		}
	}
	if f.Height == 1 {
		counts := f.counts(count, f.Width/4, "  ")
		l := f.line(f.Width)
		l.limit = max(f.Width-counts.width()-2, 0)
		f.worst(l, r, count)
		l.to(l.limit)
		l.limit = f.Width
		l.skip(1).spans(counts)
		return []string{l.String()}
	}
	top, low := f.line(f.Width), f.line(f.Width)
	f.worst(top, r, count)
	low.skip(1).spans(f.counts(count, f.Width-2, "  "))
	if s := fmt.Sprintf("of %d components", total(count)); low.left() > width(s)+2 {
		low.skip(2).put(theme.Muted, s)
	}
	return []string{top.String(), low.String()}
}

func total(count [5]int) int {
	n := 0
	for _, c := range count {
		n += c
	}
	return n
}

// worst says which component is in the worst state, which state, why, and who
// feels it.
func (f Frame) worst(l *line, r *estate.Readings, count [5]int) {
	if r == nil || r.Worst() < 0 {
		l.put(theme.NABadge, " "+f.verdict(estate.NA)+" ").skip(1).put(theme.Text, "nothing is configured to be read")
		return
	}
	i := r.Worst()
	one, c := &r.All[i], &r.Snapshot.Topology.Components[i]
	status := known(one.Status)
	l.put(badge(status), " "+f.verdict(status)+" ").skip(1)
	switch status {
	case estate.OK:
		l.put(theme.Text, "every component that could be read is well")
		return
	case estate.NA:
		l.put(theme.Text, "nothing here applies to this estate")
		return
	}
	l.put(theme.Strong, f.say(c.Name))
	if w := f.say(one.Word); w != "" && w != status.String() {
		l.skip(1).put(token(status), w)
	}
	tail := ""
	if n := count[status] - 1; n > 0 {
		tail = fmt.Sprintf("  %d more %s ", n, status)
	}
	if reason := f.tell(one.Reason); reason != "" && l.left() > 6 {
		l.put(theme.Muted, " "+f.Theme.Glyphs.Dash+" ")
		limit := l.limit
		if l.left()-width(tail) >= width(reason) || l.left() > 60 {
			l.limit -= width(tail)
		} else {
			tail = ""
		}
		l.put(theme.Text, f.prose(reason, l.left()))
		l.limit = limit
	}
	if l.left() >= width(tail) {
		l.put(theme.Muted, tail)
	}
}

// Split shares rows between two planes that stand one above the other, by how
// many components they have and not by how they fare, so that the frame stays
// still. Each gets at least three rows where there are six.
func Split(r *estate.Readings, upper, lower estate.Plane, rows int) (up, low int) {
	need := func(p estate.Plane) int {
		n, groups, last := 2, 0, ""
		for _, e := range collect(r, p, "") {
			n += 2
			if e.c.Group != "" && e.c.Group != last {
				groups, last = groups+1, e.c.Group
			}
		}
		return n + groups
	}
	a, b := need(upper), need(lower)
	switch small := min(a, b); {
	case a+b <= rows:
		up = (rows*a + (a+b)/2) / (a + b)
	case small > rows/2:
		up = rows / 2
	case a == small:
		up = a
	default:
		up = rows - b
	}
	up = max(min(up, rows-3), min(3, rows), 0)
	return up, rows - up
}
