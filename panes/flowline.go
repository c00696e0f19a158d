package panes

import (
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// branch is one node of the main line with the side nodes that hang off it.
type branch struct {
	main  *incident.NodeView
	sides []*incident.NodeView
}

// branches are the nodes in their order. A side node whose main node is not there
// stands in the main line.
func (d *flowing) branches() []branch {
	var out []branch
	at := map[string]int{}
	for i := range d.p.Nodes {
		if n := &d.p.Nodes[i]; n.Node.Beside == "" || d.find(n.Node.Beside) < 0 {
			at[n.Node.ID] = len(out)
			out = append(out, branch{main: n})
		}
	}
	for i := range d.p.Nodes {
		n := &d.p.Nodes[i]
		if j, ok := at[n.Node.Beside]; ok && out[j].main != n {
			out[j].sides = append(out[j].sides, n)
		}
	}
	return out
}

// gutter is how wide the arrows between the main line and the side nodes are.
const gutter = 5

// line draws the main line into the body: with a frame around each node where
// room rows allow it, else on a rail with a frame around the current one alone.
// The current node keeps what is asked, what was read, its source and its age; a
// selected one that is another gets what is left.
func (d *flowing) line(room int) {
	all := d.branches()
	for _, dense := range []bool{false, true} {
		for _, try := range []struct {
			apart, away bool
			rows        int
		}{{true, true, 3}, {false, true, 3}, {false, true, 2}, {false, false, 2}} {
			d.dense, d.asks, d.rows, d.away, d.body = dense, true, try.rows, try.away, nil
			d.lay(all, try.apart)
			if len(d.body) <= room {
				return
			}
		}
	}
	for _, d.asks = range []bool{true, false} {
		d.rows, d.body = 1, nil
		if d.lay(all, false); len(d.body) <= room {
			return
		}
	}
}

// lay draws every branch, with a row between two of them when they stand apart.
func (d *flowing) lay(all []branch, apart bool) {
	left, right := d.columns(all)
	for i := range all {
		if i > 0 && apart {
			d.body = append(d.body, d.between(left))
		}
		br := &all[i]
		begin := len(d.body)
		cells := left
		if len(br.sides) == 0 {
			cells = min(d.n, max(left+gutter+right, left)) // its evidence has the room of the side nodes
		}
		main := d.node(br.main, cells, i+1, i < len(all)-1)
		var side []spans
		var heads []int
		for j, s := range br.sides {
			top := len(side)
			if d.framed(s) {
				heads = append(heads, top+1)
			} else {
				if j == 0 && d.framed(br.main) {
					side, top = append(side, spans{{theme.Plain, spaces(right)}}), 1
				}
				heads = append(heads, top)
			}
			side = append(side, d.node(s, right, 0, false)...)
			d.mark(s, begin+top, begin+len(side))
		}
		d.mark(br.main, begin, begin+len(main))
		for len(main) < len(side) {
			main = append(main, d.filler(left, i < len(all)-1))
		}
		for y := range main {
			row := main[y]
			if len(side) > 0 {
				row = append(row, d.arrow(y, heads)...)
				if y < len(side) {
					row = append(row, side[y]...)
				}
			}
			d.body = append(d.body, row)
		}
	}
}

// mark notes where the selected node stands.
func (d *flowing) mark(n *incident.NodeView, from, to int) {
	if n.Node.ID == d.selected {
		d.from, d.to = from, to
	}
}

// columns shares the width between the main line and the side nodes.
func (d *flowing) columns(all []branch) (left, right int) {
	for i := range all {
		if len(all[i].sides) > 0 {
			left = min((d.n-gutter)*14/25, 84)
			return left, min(d.n-gutter-left, 76)
		}
	}
	return min(d.n, 110) - gutter, 0
}

// arrow is the piece of gutter in one row: an arrow to each side node, joined by
// a line down.
func (d *flowing) arrow(y int, heads []int) spans {
	g := &d.f.Theme.Glyphs
	last := heads[len(heads)-1]
	for i, h := range heads {
		if y != h {
			continue
		}
		switch {
		case i == 0 && len(heads) == 1:
			return spans{{theme.Muted, rule(g.Frame.Across, gutter-1) + g.ToRight}}
		case i == 0:
			return spans{{theme.Muted, rule(g.Frame.Across, 2) + g.Fork + rule(g.Frame.Across, gutter-4) + g.ToRight}}
		case i < len(heads)-1:
			return spans{{theme.Plain, "  "}, {theme.Muted, g.Tee + rule(g.Frame.Across, gutter-4) + g.ToRight}}
		default:
			return spans{{theme.Plain, "  "}, {theme.Muted, g.Frame.BottomLeft + rule(g.Frame.Across, gutter-4) + g.ToRight}}
		}
	}
	if y > heads[0] && y < last {
		return spans{{theme.Plain, "  "}, {theme.Muted, g.Frame.Down}, {theme.Plain, spaces(gutter - 3)}}
	}
	return spans{{theme.Plain, spaces(gutter)}}
}

// between is the row between two nodes of the main line.
func (d *flowing) between(left int) spans {
	g := &d.f.Theme.Glyphs
	if d.dense {
		return spans{{theme.Plain, " "}, {theme.Muted, g.Frame.Down}}
	}
	return spans{{theme.Plain, spaces(spine)}, {theme.Muted, g.Frame.Down}}
}

// spine is where the line between two framed nodes runs.
const spine = 4

// filler is a row of the main line beside a side node that is higher than it.
func (d *flowing) filler(left int, goesOn bool) spans {
	g, at := &d.f.Theme.Glyphs, spine
	if d.dense {
		at = 1
	}
	if !goesOn {
		return spans{{theme.Plain, spaces(left)}}
	}
	return spans{{theme.Plain, spaces(at)}, {theme.Muted, g.Frame.Down}, {theme.Plain, spaces(left - at - 1)}}
}

// framed reports whether a node has a frame around it.
func (d *flowing) framed(v *incident.NodeView) bool { return !d.dense || v.Node.ID == d.b.Node }

// node draws one node as rows of exactly n cells; out says that the line goes on
// below.
func (d *flowing) node(v *incident.NodeView, n, number int, out bool) []spans {
	f := d.f
	fr, look := f.Theme.Glyphs.Frame, theme.Group
	current := v.Node.ID == d.b.Node
	switch {
	case current:
		fr, look = f.Theme.Glyphs.Current, theme.Strong
	case v.Status == incident.NodeIsRegressed:
		look = theme.Fail
	}
	if !d.framed(v) {
		return d.railed(v, n, number, out)
	}
	room := n - 4
	rows := []spans{f.lid(fr, look, d.nodeTitle(v, number, n-6), n)}
	for _, s := range d.said(v, room) {
		row := spans{{look, fr.Down}, {theme.Plain, " "}}
		row = append(row, f.fit(s, room)...)
		rows = append(rows, append(row, span{theme.Plain, " "}, span{look, fr.Down}))
	}
	return append(rows, f.sole(fr, look, n, out && !d.dense))
}

// railed draws a node without a frame, on the rail that joins the main line.
func (d *flowing) railed(v *incident.NodeView, n, number int, out bool) []spans {
	f, g := d.f, &d.f.Theme.Glyphs
	rows := []spans{append(spans{{theme.Plain, " "}}, f.fit(d.nodeTitle(v, number, n-2), n-1)...)}
	for _, s := range d.said(v, n-4) {
		lead := spans{{theme.Plain, " "}, {theme.Muted, g.Frame.Down}, {theme.Plain, "  "}}
		if !out {
			lead = spans{{theme.Plain, spaces(4)}}
		}
		rows = append(rows, append(lead, f.fit(s, n-4)...))
	}
	return rows
}

// lid is the upper edge of a frame of n cells with a title in it.
func (f Frame) lid(fr theme.Frame, look theme.Token, title spans, n int) spans {
	title = f.fit(title, min(title.width(), n-5))
	out := append(spans{{look, fr.TopLeft + fr.Across}, {theme.Plain, " "}}, title...)
	out = append(out, span{theme.Plain, " "})
	return append(out, span{look, rule(fr.Across, n-out.width()-1) + fr.TopRight})
}

// sole is the lower edge; out says that a line leaves it.
func (f Frame) sole(fr theme.Frame, look theme.Token, n int, out bool) spans {
	if !out || n < spine+3 {
		return spans{{look, fr.BottomLeft + rule(fr.Across, n-2) + fr.BottomRight}}
	}
	return spans{{look, fr.BottomLeft + rule(fr.Across, spine-1)}, {theme.Strong, f.Theme.Glyphs.ToBelow},
		{look, rule(fr.Across, n-spine-2) + fr.BottomRight}}
}
