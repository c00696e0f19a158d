package panes

import (
	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// NodeDetail is everything known of one node of the flow: how it stands, what was
// done with it and on which evidence, what the evidence is now, and every fact
// with its component, source and age. total is how many rows there are to scroll
// through.
func NodeDetail(f Frame, b *incident.Board, node string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, right: spans{{theme.Key, "esc"}, {theme.KeyText, " back"}}}
	v, phase := findNode(b, node)
	if v == nil {
		w.title = spans{{theme.Strong, f.say(node)}}
		w.body = []spans{{{theme.Unknown, f.Theme.Glyphs.Unknown + " the runbook has no such node"}}}
		return w.draw(), len(w.body)
	}
	w.title = spans{{theme.Strong, f.say(v.Node.Title)}, {theme.Muted, f.dot() + phaseName(f, phase, b.Flow[phase].Phase.Title)}}
	d := &detail{f: f, n: inner(f.Width)}
	head := f.nodeSign(v.Status).spans()
	if v.Node.Urgent {
		head = append(head, span{theme.Warn, "  URGENT"})
	}
	d.row(head...)
	d.text(0, "", theme.Strong, f.say(v.Node.Text))
	d.heading("Evidence now")
	d.finding(0, &v.Finding, v.Node.Sense)
	d.node(b, v)
	for i := range v.Lines {
		l := &v.Lines[i]
		if i == 0 {
			d.heading("What may be at fault")
		}
		s := f.stanceSign(l.Finding.Stance)
		d.row(span{lineLook(f, &l.Finding), s.glyph + " " + s.word}, gapTo(width(s.word)+2, 13), span{theme.Strong, f.say(l.Line.Text)})
		d.finding(2, &l.Finding, l.Line.Sense)
	}
	d.around(b, phase, v)
	w.body = d.body
	return w.draw(), len(w.body)
}

// findNode is a node of the board and the phase in which it stands.
func findNode(b *incident.Board, id string) (*incident.NodeView, int) {
	if b == nil {
		return nil, 0
	}
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if b.Flow[i].Nodes[j].Node.ID == id {
				return &b.Flow[i].Nodes[j], i
			}
		}
	}
	return nil, 0
}

// lineLook is how what evidence says looks: what speaks for a fault is to be seen
// first.
func lineLook(f Frame, v *diagnosis.Finding) theme.Token {
	if v.Stance != diagnosis.For {
		return f.stanceSign(v.Stance).look
	}
	if k := figureToken(worstOf(v)); k != theme.Text {
		return k
	}
	return theme.Strong
}

// finding is what a sensor says, whole, and the facts that it rests on.
func (d *detail) finding(in int, v *diagnosis.Finding, sensor string) {
	f := d.f
	none := "no sensor: a person's word settles it"
	if sensor != "" {
		none = "no sensor: nothing reads " + f.say(sensor)
	}
	s, look := f.evidence(v, none)
	d.text(in, "", look, s)
	if v.Stance == diagnosis.NoSensor {
		return
	}
	said := "says: " + f.stanceSign(v.Stance).word
	if word := f.say(v.Word); word != "" {
		said += f.dot() + "verdict " + word
	}
	d.text(in, "", theme.Muted, said+f.dot()+"sensor "+f.say(sensor))
	d.facts(in, v.Facts)
}

// facts is a table of what was read: each fact with its verdict, component, name,
// value and age, and its source below it.
func (d *detail) facts(in int, facts []diagnosis.Fact) {
	f := d.f
	verdict, component, name := 0, 0, 0
	for i := range facts {
		c := &facts[i]
		verdict = max(verdict, width(f.verdict(c.Status)))
		component = max(component, width(f.say(string(c.Component))))
		name = max(name, width(f.say(c.Name)))
	}
	component, name = min(component, max(d.n/4, 8)), min(name, max(d.n/4, 8))
	for i := range facts {
		c := &facts[i]
		when, look, whenLook := "never read", figureToken(c.Status), theme.Unknown
		if !c.At.IsZero() {
			when, whenLook = since(c.At, f.Now), theme.Muted
		}
		if c.Stale {
			when, look, whenLook = f.Theme.Glyphs.Stale+" "+when, theme.Stale, theme.Stale
		}
		whole := f.say(string(c.Component))
		if whole == "" {
			whole = "estate"
		}
		head, who, what := f.verdict(c.Status), f.cut(whole, component), f.cut(f.say(c.Name), name)
		value := f.say(c.Value)
		if value == "" {
			value = "?"
		}
		hang := in + verdict + 2 + max(component, width(who)) + 2 + name + 2
		if room := d.n - hang - width(when) - 2; room >= 12 {
			for j, part := range wrap(value, room) {
				if j > 0 {
					d.row(span{theme.Plain, spaces(hang)}, span{look, part})
					continue
				}
				d.row(span{theme.Plain, spaces(in)}, span{token(c.Status), head}, gapTo(width(head), verdict+2),
					span{theme.Muted, who}, gapTo(width(who), max(component, width(who))+2), span{theme.Text, what}, gapTo(width(what), name+2),
					span{look, part}, gapTo(hang+width(part), d.n-width(when)), span{whenLook, when})
			}
		} else {
			d.row(span{theme.Plain, spaces(in)}, span{token(c.Status), head + " "}, span{theme.Muted, who + " "}, span{theme.Text, what})
			d.text(in+2, "", look, value)
			d.text(in+2, "", whenLook, when)
		}
		d.text(in+verdict+2, "source:", theme.Muted, f.say(c.Source))
	}
}

// node is what was done with a node, by whom, when, and on which evidence.
func (d *detail) node(b *incident.Board, v *incident.NodeView) {
	f, s := d.f, &v.Done
	if s.Act == "" && s.Entered.IsZero() {
		return
	}
	d.heading("What was done")
	if !s.Entered.IsZero() {
		d.pairs([][2]string{{"entered", f.settledBy(b, "", s.Entered)}})
	}
	if s.Act == "" || s.Act == incident.NodeEntered {
		return
	}
	d.pairs([][2]string{{f.say(string(s.Act)), f.settledBy(b, s.By, s.At)}, {"reason", f.say(s.Reason)}, {"verdict", f.say(s.Verdict)}})
	d.settledOn(&s.Evidence)
	if s.Regressed {
		d.row(span{theme.FailBadge, " " + f.Theme.Glyphs.Regressed + " its evidence has turned since "})
	}
}

// settledOn is the evidence that was on screen when something was settled.
func (d *detail) settledOn(e *incident.Evidence) {
	f := d.f
	then := f.say(e.Value)
	if s := f.say(e.Stance); s != "" && then != "" {
		then = s + ": " + then
	}
	read := ""
	if !e.Read.IsZero() {
		read = stamp(e.Read, f.Now)
	}
	d.pairs([][2]string{{"evidence then", then}, {"source then", f.say(e.Source)}, {"read at", read}, {"typed", f.say(e.Typed)}, {"note", f.say(e.Note)}, {"link", f.say(e.Link)}, {"confirmed by", f.say(e.With)}})
}

// around are the nodes that hang off this one, and where it leads.
func (d *detail) around(b *incident.Board, phase int, v *incident.NodeView) {
	f := d.f
	begun := false
	put := func(label string, n *incident.NodeView) {
		if !begun {
			d.heading("Around it")
			begun = true
		}
		d.row(append(append(spans{{theme.Muted, label + " "}}, f.nodeSign(n.Status).spans()...), span{theme.Text, " " + f.say(n.Node.Title)})...)
	}
	nodes := b.Flow[phase].Nodes
	for i := range nodes {
		n := &nodes[i]
		switch {
		case n == v:
		case n.Node.ID == v.Node.Beside:
			put(f.Theme.Glyphs.In+" beside", n)
		case n.Node.Beside == v.Node.ID:
			put(f.Theme.Glyphs.Out+" side node", n)
		case n.Node.ID == v.Node.Leads:
			put(f.Theme.Glyphs.Out+" most often leads to", n)
		case n.Node.Leads == v.Node.ID:
			put(f.Theme.Glyphs.In+" led to by", n)
		}
	}
}

// FlowMove is the node to which the cursor goes from one node of a phase: dx to
// the side, dy along the line; the same node when there is none that way. From an
// unknown node it goes to the first.
func FlowMove(b *incident.Board, phase int, from string, dx, dy int) string {
	if b == nil || phase < 0 || phase >= len(b.Flow) || len(b.Flow[phase].Nodes) == 0 {
		return ""
	}
	d := &flowing{b: b, at: phase, p: &b.Flow[phase]}
	if d.find(from) < 0 {
		return d.p.Nodes[0].Node.ID
	}
	columns := d.cursorColumns()
	x, y := 0, 0
	for i, c := range columns {
		for j, id := range c.ids {
			if id == from {
				x, y = i, j
			}
		}
	}
	switch {
	case dx != 0:
		to := max(0, min(x+dx, len(columns)-1))
		if to != x && len(columns[to].ids) > 0 {
			return columns[to].nearest(columns[x].rows[y])
		}
	case dy != 0:
		y = max(0, min(y+dy, len(columns[x].ids)-1))
	}
	return columns[x].ids[y]
}

// cursorColumn is a column of nodes with the row on which each stands.
type cursorColumn struct {
	ids  []string
	rows []int
}

// nearest is the node whose row is nearest to one of another column.
func (c cursorColumn) nearest(row int) string {
	best := 0
	for i, r := range c.rows {
		if abs(r-row) < abs(c.rows[best]-row) {
			best = i
		}
	}
	return c.ids[best]
}

func abs(n int) int { return max(n, -n) }

// cursorColumns are the columns that the cursor moves between.
func (d *flowing) cursorColumns() []cursorColumn {
	for i := range d.p.Nodes {
		if d.p.Nodes[i].Node.Group == "" {
			continue
		}
		var out []cursorColumn
		for _, g := range d.groups() {
			var c cursorColumn
			for y, n := range g.nodes {
				c.ids, c.rows = append(c.ids, n.Node.ID), append(c.rows, y)
			}
			out = append(out, c)
		}
		return out
	}
	out := make([]cursorColumn, 1, 2)
	var side cursorColumn
	for y, br := range d.branches() {
		out[0].ids, out[0].rows = append(out[0].ids, br.main.Node.ID), append(out[0].rows, y)
		for _, s := range br.sides {
			side.ids, side.rows = append(side.ids, s.Node.ID), append(side.rows, y)
		}
	}
	if len(side.ids) > 0 {
		out = append(out, side)
	}
	return out
}
