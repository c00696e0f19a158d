package panes

import (
	"fmt"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// Strip says the worst thing right now in words, and how many components have
// each status. It is two rows, or one when the frame is one row high.
//
// While an incident is declared (b, which may be nil) its lower row is the current
// step of the flow and what n does, and the counts stand in it where there is room
// for both. In one row the step stands behind the worst component's name.
func Strip(f Frame, r *estate.Readings, b *incident.Board) []string {
	return StripReading(f, r, b, "")
}

// StripReading is Strip while the evidence of the current step is being read:
// reading, "reading 13/26", stands in place of what n does, which is nothing until
// the reads have ended.
func StripReading(f Frame, r *estate.Readings, b *incident.Board, reading string) []string {
	var count [5]int
	if r != nil {
		for i := range r.All {
			count[known(r.All[i].Status)]++
		}
	}
	if f.Height == 1 && b != nil && b.State != nil {
		l := f.line(f.Width)
		l.limit = f.Width * 2 / 5
		f.worstName(l, r)
		l.limit = max(f.Width-1, 0)
		l.skip(1).put(theme.Muted, f.Theme.Glyphs.Bar).skip(1)
		n := max(l.left(), 0)
		l.spans(f.fit(f.stepSaid(b, n, reading), n))
		l.limit = f.Width
		return []string{l.String()}
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
	if b != nil && b.State != nil {
		var counts spans
		if f.Width >= 140 {
			counts = append(spans{{theme.Plain, "   "}}, f.counts(count, f.Width/4, "  ")...)
		}
		n := f.Width - 2 - counts.width()
		low.skip(1).spans(f.fit(f.stepSaid(b, n, reading), n)).spans(counts)
		return []string{top.String(), low.String()}
	}
	low.skip(1).spans(f.counts(count, f.Width-2, "  "))
	if s := fmt.Sprintf("of %d components", total(count)); low.left() > width(s)+2 {
		low.skip(2).put(theme.Muted, s)
	}
	if r != nil && r.Worst() >= 0 {
		i := r.Worst()
		c := &r.Snapshot.Topology.Components[i]
		whom := f.whom(c)
		for _, s := range []string{f.say(c.Name) + ": " + whom, whom} {
			if whom != "" && known(r.All[i].Status) > estate.OK && low.left() > width(s)+2 {
				low.to(low.limit-width(s)-1).put(theme.Text, s)
				break
			}
		}
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

// worstName says which component is in the worst state, and which.
func (f Frame) worstName(l *line, r *estate.Readings) {
	if r == nil || r.Worst() < 0 {
		l.put(theme.NABadge, " "+f.verdict(estate.NA)+" ").put(theme.Text, " nothing is read")
		return
	}
	one := &r.All[r.Worst()]
	status := known(one.Status)
	l.put(badge(status), " "+f.verdict(status)+" ")
	if status <= estate.OK {
		return
	}
	l.put(theme.Strong, " "+f.say(r.Snapshot.Topology.Components[r.Worst()].Name))
	if w := f.say(one.Word); w != "" && w != status.String() && l.left() > width(w) {
		l.put(token(status), " "+w)
	}
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
	if reason := f.reason(one); reason != "" && l.left() > 6 {
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

// Split shares rows between two planes that stand one above the other, by what
// their components need and not by how they fare, so that the frame stays still:
// first a row for each component, then the rows for figures, which a component
// that nothing reads does not need; what is left goes by how many they are. Each
// gets at least three rows where there are six.
func Split(r *estate.Readings, upper, lower estate.Plane, rows int) (up, low int) {
	least1, full1, n1 := need(r, upper)
	least2, full2, n2 := need(r, lower)
	switch extra := rows - least1 - least2; {
	case extra < 0:
		up = share(rows, least1, least2)
	case rows <= full1+full2:
		up = least1 + share(extra, full1-least1, full2-least2)
	default:
		up = full1 + share(rows-full1-full2, n1, n2)
	}
	up = max(min(up, rows-3), min(3, rows), 0)
	return up, rows - up
}

// need is how many rows a plane takes with one for each component, and with all
// figures at a usual width, and how many components it has.
func need(r *estate.Readings, p estate.Plane) (least, full, n int) {
	groups, last := 0, ""
	for _, e := range collect(r, p, "") {
		n++
		full++
		if e.c.Unread == "" {
			full += figureRows(e.c.Kind)
		}
		if e.c.Group != "" && e.c.Group != last {
			groups, last = groups+1, e.c.Group
		}
	}
	return 2 + n, 2 + full + groups, n
}

// figureRows is how many rows the figures of a kind of component take at a usual
// width, without those that its first row says.
func figureRows(k estate.Kind) int {
	switch k {
	case estate.KindSecretsManager, estate.KindKeys, estate.KindSecretStore, estate.KindApplication:
		return 1
	}
	return 2
}

// share is a's part of n, rounded.
func share(n, a, b int) int {
	if a+b == 0 {
		return n / 2
	}
	return (2*n*a + a + b) / (2 * (a + b))
}
