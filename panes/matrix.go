package panes

import (
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// column is one column of a matrix.
type column struct {
	name  string
	nodes []*incident.NodeView
}

// groups are the columns of the matrix in the order in which their first nodes
// stand. Nodes without a group stand in a column of their own.
func (d *flowing) groups() []column {
	var out []column
	at := map[string]int{}
	for i := range d.p.Nodes {
		n := &d.p.Nodes[i]
		j, ok := at[n.Node.Group]
		if !ok {
			j = len(out)
			at[n.Node.Group] = j
			out = append(out, column{name: n.Node.Group})
		}
		out[j].nodes = append(out[j].nodes, n)
	}
	return out
}

// side by side stand two columns, below these the next two.
const abreast = 2

// grid draws the matrix into the body: frames around the boxes where room rows
// allow it, else only their titles as rules.
func (d *flowing) grid(room int) {
	all := d.groups()
	for i := range d.p.Nodes {
		for j := range d.p.Nodes[i].Lines {
			d.longest = max(d.longest, width(d.f.say(d.p.Nodes[i].Lines[j].Line.Text)))
		}
	}
	for _, dense := range []bool{false, true} {
		d.dense, d.body = dense, nil
		for i := 0; i < len(all); i += abreast {
			d.pair(all[i:min(i+abreast, len(all))])
		}
		if len(d.body) <= room {
			return
		}
	}
}

// pair draws columns side by side, with an arrow from a box to the one beside it
// that it leads to.
func (d *flowing) pair(cols []column) {
	f := d.f
	n, gap := d.n, d.gap()
	if len(cols) > 1 {
		n = (d.n - gap) / 2
	}
	n = min(n, 90)
	var heads spans
	for i := range cols {
		if i > 0 {
			heads = append(heads, span{theme.Plain, spaces(gap)})
		}
		heads = append(heads, f.fit(spans{{theme.Strong, strings.ToUpper(f.say(cols[i].name))}}, n)...)
	}
	d.body = append(d.body, heads)
	rows := 0
	for i := range cols {
		rows = max(rows, len(cols[i].nodes))
	}
	for y := range rows {
		begin := len(d.body)
		var left, right []spans
		var lead *incident.NodeView
		if y < len(cols[0].nodes) {
			lead = cols[0].nodes[y]
			left = d.box(lead, n)
			d.mark(lead, begin, begin+len(left))
		}
		if len(cols) > 1 && y < len(cols[1].nodes) {
			v := cols[1].nodes[y]
			right = d.box(v, n)
			d.mark(v, begin, begin+len(right))
		}
		for i := range max(len(left), len(right)) {
			row := spans{{theme.Plain, spaces(n)}}
			if i < len(left) {
				row = left[i]
			}
			if len(cols) > 1 {
				row = append(row[:len(row):len(row)], d.leads(lead, cols[1].nodes, y, i)...)
			}
			if i < len(right) {
				row = append(row, right[i]...)
			}
			d.body = append(d.body, row)
		}
	}
}

// leads is the piece of gutter beside row i of a box: an arrow where the box leads
// to the one beside it.
func (d *flowing) leads(v *incident.NodeView, to []*incident.NodeView, y, i int) spans {
	g := &d.f.Theme.Glyphs
	if v != nil && i == 2 && y < len(to) && v.Node.Leads == to[y].Node.ID {
		return spans{{theme.Muted, rule(g.Frame.Across, d.gap()-1) + g.ToRight}}
	}
	return spans{{theme.Plain, spaces(d.gap())}}
}

// gap is how wide the arrows between two columns are.
func (d *flowing) gap() int {
	if d.dense {
		return 3
	}
	return gutter
}

// box draws one box of the matrix as rows of exactly n cells.
func (d *flowing) box(v *incident.NodeView, n int) []spans {
	f := d.f
	fr, look := f.Theme.Glyphs.Frame, theme.Group
	current := v.Node.ID == d.b.Node
	switch {
	case current:
		fr, look = f.Theme.Glyphs.Current, theme.Strong
	case v.Status == incident.NodeIsRegressed:
		look = theme.Fail
	}
	title := d.boxTitle(v, n-6)
	if d.dense {
		fr.TopLeft, fr.TopRight = fr.Across, fr.Across
	}
	out := []spans{f.lid(fr, look, title, n)}
	edge := fr.Down
	if d.dense && !current {
		edge = " "
	}
	room := n - 4
	for i := range v.Lines {
		row := append(spans{{look, edge}, {theme.Plain, " "}}, f.fit(f.possibility(&v.Lines[i], room, d.longest), room)...)
		out = append(out, append(row, span{theme.Plain, " "}, span{look, edge}))
	}
	if len(v.Lines) == 0 {
		s, k := f.evidence(&v.Finding, d.none(v))
		row := append(spans{{look, edge}, {theme.Plain, " "}}, f.fit(spans{{k, s}}, room)...)
		out = append(out, append(row, span{theme.Plain, " "}, span{look, edge}))
	}
	if !d.dense {
		out = append(out, f.sole(fr, look, n, false))
	}
	return out
}

// boxTitle is how a box stands, its name, and what its evidence says on the whole.
func (d *flowing) boxTitle(v *incident.NodeView, n int) spans {
	f := d.f
	out := f.nodeSign(v.Status).spans()
	stance := f.stanceSign(v.Finding.Stance)
	tail := spans{{lineLook(f, &v.Finding), stance.glyph + " " + stance.word}}
	look := theme.Strong
	if v.Node.ID == d.selected && v.Node.ID != d.b.Node {
		look = theme.Selection
	}
	name := f.say(v.Node.Title)
	room := n - out.width() - 1
	if room-width(name)-2 < tail.width() {
		tail = nil
	}
	out = append(out, span{theme.Plain, " "}, span{look, f.cut(name, max(room, 1))})
	if tail != nil {
		out = append(append(out, span{theme.Plain, "  "}), tail...)
	}
	return out
}

// possibility is one line of a box: the glyph of what its evidence says, what may
// be at fault, and the evidence in words. The word survives the narrowest box.
func (f Frame) possibility(v *incident.LineView, n, longest int) spans {
	s := f.stanceSign(v.Finding.Stance)
	look := lineLook(f, &v.Finding)
	stale := staleFinding(&v.Finding)
	word := s.word
	if stale {
		word, look = f.Theme.Glyphs.Stale+" "+word, theme.Stale
	}
	text := f.say(v.Line.Text)
	at := min(longest+1, max(n*5/11, 22), n-3-width(f.stanceSign(diagnosis.NoSensor).word))
	text = f.cut(text, at)
	if value := f.say(v.Finding.Value); value != "" && v.Finding.Stance != diagnosis.NoSensor && n-at-3 >= width(word)+8 {
		word += ": " + value // a value of which nothing is left says nothing
	}
	body := theme.Text
	if v.Finding.Stance == diagnosis.For {
		body = look
	}
	out := spans{{look, s.glyph + " "}, {body, text}, {theme.Plain, spaces(at - width(text) + 1)}}
	return append(out, span{look, f.cut(word, n-2-at-1)})
}

// foot are rows below a matrix: the evidence of the selected box, whence and how
// old, and where it leads when no arrow can say so.
func (d *flowing) foot(room int) []spans {
	i := d.find(d.selected)
	if i < 0 || room < 12 {
		return nil
	}
	f, v := d.f, &d.p.Nodes[i]
	s, look := f.evidence(&v.Finding, d.none(v))
	name := f.say(v.Node.Title)
	out := []spans{{{theme.Muted, f.Theme.Glyphs.Select + " " + name + ": "}, {look, f.prose(s, max(d.n-width(name)-4, 8))}}}
	from := f.provenance(&v.Finding)
	if from == "" {
		from = "rests on nothing that was read"
	}
	row := spans{{theme.Plain, "  "}, {theme.Muted, from}}
	if j := d.find(v.Node.Leads); j >= 0 {
		to := "most often leads to " + f.say(d.p.Nodes[j].Node.Title)
		if row.width()+3+width(to) <= d.n {
			row = append(row, span{theme.Muted, f.dot() + to})
		}
	}
	return append(out, f.fit(row, d.n))
}
