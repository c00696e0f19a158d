package panes

import (
	"fmt"
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// FlowView is how one phase of the flow is shown.
type FlowView struct {
	Phase    int    // index into Board.Flow
	Selected string // the node under the cursor; empty for the current one
	// Scroll is by how many rows the window is moved down from where the selected
	// node is in sight; negative is up.
	Scroll int
}

// Flow draws one phase of the flow: the main line from top to bottom with the side
// nodes beside it, or a matrix when its nodes have groups. The current node is the
// one in a heavy frame; the selected one says where its evidence comes from. total
// is how many rows its body has.
func Flow(f Frame, b *incident.Board, v FlowView) (rows []string, total int) {
	w := window{f: f, accent: theme.Border}
	if b == nil || v.Phase < 0 || v.Phase >= len(b.Flow) {
		w.title = spans{{theme.Strong, "Flow"}}
		w.body = []spans{{{theme.Unknown, f.Theme.Glyphs.Unknown + " the runbook has no such phase"}}}
		return w.draw(), len(w.body)
	}
	d := f.flow(b, v)
	w.title, w.right = d.title()
	tabs := d.tabs()
	room := max(f.Height-2, 0)
	if f.Width < 8 || f.Height < 3 {
		room = f.Height
	}
	if tabs != nil && room < 6 {
		tabs = nil
	}
	if tabs != nil {
		room--
	}
	if d.matrix {
		w.fixed = d.foot(room)
		d.grid(room - len(w.fixed))
		if len(d.body) > room-len(w.fixed) {
			w.fixed = nil // the whole picture is worth more than one box's source
		}
	} else {
		d.line(room)
	}
	if w.title.width()+w.right.width()+6 > f.Width {
		// The condition for leaving stands below where the title has no room for it.
		if leave := w.right; leave != nil && len(d.body)+len(w.fixed) < room {
			w.fixed = append(w.fixed, f.fit(leave, d.n))
		}
		w.right = nil
	}
	w.head = tabs
	w.body = d.body
	w.scroll = d.scroll(room-len(w.fixed), v.Scroll)
	return w.draw(), len(w.body)
}

// flowing is one phase of the flow while it is drawn.
type flowing struct {
	f        Frame
	n        int // cells of a row
	b        *incident.Board
	at       int // index of the phase
	p        *incident.FlowView
	selected string
	matrix   bool
	dense    bool // no frames but that of the current node
	longest  int  // cells of the longest line of a matrix
	asks     bool // the current node says what is asked
	rows     int  // in how many rows the evidence of current and selected node may stand
	away     bool // a selected node that is not the current one says as much as that
	body     []spans
	from, to int // rows of body that the selected node takes
}

func (f Frame) flow(b *incident.Board, v FlowView) *flowing {
	d := &flowing{f: f, n: inner(f.Width), b: b, at: v.Phase, p: &b.Flow[v.Phase], selected: v.Selected}
	if d.selected == "" || d.find(d.selected) < 0 {
		d.selected = ""
		if d.find(b.Node) >= 0 {
			d.selected = b.Node
		}
	}
	for i := range d.p.Nodes {
		d.matrix = d.matrix || d.p.Nodes[i].Node.Group != ""
	}
	return d
}

func (d *flowing) find(id string) int {
	for i := range d.p.Nodes {
		if d.p.Nodes[i].Node.ID == id && id != "" {
			return i
		}
	}
	return -1
}

// title is the phase with its clock at the far end.
func (d *flowing) title() (title, right spans) {
	f, c := d.f, d.p.Clock
	title = spans{{theme.Strong, phaseName(f, d.at, d.p.Phase.Title)}, {theme.Plain, " "}}
	title = append(title, f.clockSpans(c, d.b.State != nil)...)
	if leave := f.say(d.p.Phase.Leave); leave != "" {
		right = spans{{theme.Muted, "leave when: "}, {theme.Text, leave}}
	}
	return title, right
}

// phaseName is a phase as band and titles call it: PHASE 1 ASSESS.
func phaseName(f Frame, i int, title string) string {
	return fmt.Sprintf("PHASE %d %s", i+1, strings.ToUpper(f.say(title)))
}

// tabs is a row with every phase of the flow, how far each is, and the verdict.
func (d *flowing) tabs() []spans {
	var list []tab
	for i := range d.b.Flow {
		p := &d.b.Flow[i]
		t := tab{number: i + 1, title: p.Phase.Title, chosen: i == d.at, done: p.Clock.Done, over: p.Clock.Over > 0 && !p.Clock.Done}
		for j := range p.Nodes {
			if p.Nodes[j].Node.Beside != "" {
				continue
			}
			t.of++
			switch p.Nodes[j].Status {
			case incident.NodeIsDone, incident.NodeIsRuledOut:
				t.settled++
			case incident.NodeIsRegressed:
				t.regressed++
			}
		}
		list = append(list, t)
	}
	return []spans{d.f.tabs(list, d.f.verdictOf(d.b), d.n)}
}

// verdictOf is what the flow has found of the credential, and who says so.
func (f Frame) verdictOf(b *incident.Board) spans {
	if b.State == nil || b.State.Verdict == "" {
		return nil
	}
	k := theme.WarnBadge
	if b.State.Verdict == "compromised" {
		k = theme.FailBadge
	}
	out := spans{{theme.Muted, "verdict "}, {k, " " + strings.ToUpper(f.say(b.State.Verdict)) + " "}}
	if b.State.Marked {
		out = append(out, span{theme.Muted, " a person's mark"})
	}
	return out
}

// nodeTitle is a node's own row: how it stands, its number, its name.
func (d *flowing) nodeTitle(n *incident.NodeView, number int, cells int) spans {
	f := d.f
	s := f.nodeSign(n.Status).spans()
	s = append(s, span{theme.Plain, " "})
	selected := n.Node.ID == d.selected && n.Node.ID != d.b.Node
	if selected {
		s = append(s, span{theme.Strong, f.Theme.Glyphs.Select + " "}) // the cursor is no matter of colour
	}
	if number > 0 {
		s = append(s, span{theme.Muted, fmt.Sprintf("%d ", number)})
	}
	look := theme.Strong
	switch {
	case selected:
		look = theme.Selection
	case n.Status == incident.NodeIsDone, n.Status == incident.NodeIsRuledOut:
		look = theme.Muted
	case n.Status == incident.NodeIsOpen:
		look = theme.Text
	}
	urgent := ""
	if n.Node.Urgent && (n.Status == incident.NodeIsOpen || n.Status == incident.NodeIsCurrent) {
		urgent = " URGENT"
	}
	name := f.say(n.Node.Title)
	if urgent != "" && width(name)+width(urgent)+s.width() > cells {
		urgent = " " + f.Theme.Glyphs.Warn
	}
	budget := ""
	if n.Budget > 0 && !d.says(n) {
		for _, text := range [...]string{f.dot() + clock(n.Budget) + " for this step", " " + clock(n.Budget)} {
			if budget == "" && s.width()+width(name)+width(urgent)+width(text) <= cells {
				budget = text
			}
		}
	}
	s = append(s, span{look, f.cut(name, max(cells-s.width()-width(urgent)-width(budget), 4))})
	if urgent != "" {
		s = append(s, span{theme.Warn, urgent})
	}
	if budget != "" {
		s = append(s, span{theme.Muted, budget})
	}
	return s
}

// says reports whether a node's box has a row for what is asked.
func (d *flowing) says(n *incident.NodeView) bool {
	return n.Node.ID == d.b.Node && d.asks && d.f.say(n.Node.Text) != ""
}

// said is what stands below a node's name: its evidence, of the current one first
// what is asked, of the selected one its source and age; of a node that was
// settled by hand the reason.
func (d *flowing) said(n *incident.NodeView, cells int) []spans {
	f := d.f
	var out []spans
	if d.says(n) {
		budget := ""
		if n.Budget > 0 {
			budget = clock(n.Budget) + " for this step" + f.dot()
		}
		out = append(out, spans{{theme.Strong, budget}, {theme.Text, f.prose(f.say(n.Node.Text), cells-width(budget))}})
	}
	out = append(out, d.read(n, cells)...)
	if !d.whole(n) {
		return out
	}
	if from := f.provenance(&n.Finding); from != "" {
		out = append(out, spans{{theme.Muted, f.cut(from, cells)}})
	} else if n.Finding.Stance != diagnosis.NoSensor {
		out = append(out, spans{{theme.Muted, "rests on nothing that was read"}})
	}
	return out
}

// whole reports whether a node says everything: the current one always, and the
// selected one where there is room for both.
func (d *flowing) whole(n *incident.NodeView) bool {
	return n.Node.ID == d.b.Node || n.Node.ID == d.selected && d.away
}

// read is a node's evidence: in one row, of the current and the selected node in
// as many as there is room for. Of a node that is neither and has not regressed
// only the sign is coloured: one thing is to be seen first.
func (d *flowing) read(n *incident.NodeView, cells int) []spans {
	f := d.f
	s, look := f.evidence(&n.Finding, d.none(n))
	switch {
	case d.whole(n):
		return f.rowsOf(s, look, cells, d.rows)
	case n.Status == incident.NodeIsRegressed || n.Finding.Stance == diagnosis.NoSensor:
		return []spans{{{look, f.cut(s, cells)}}}
	}
	return []spans{f.quiet(f.cut(s, cells), look)}
}

// rowsOf wraps a text that begins with a sign into at most most rows of n cells;
// what does not fit ends in an ellipsis.
func (f Frame) rowsOf(s string, look theme.Token, n, most int) []spans {
	var out []spans
	parts := wrap(s, n-2)
	for i, part := range parts {
		if i > 0 {
			part = "  " + part
		}
		if i == most-1 && i < len(parts)-1 {
			if i > 0 {
				part = "  " + strings.Join(parts[i:], " ")
			} else {
				part = s
			}
			return append(out, spans{{look, f.cut(part, n)}})
		}
		out = append(out, spans{{look, f.cut(part, n)}})
	}
	return out
}

// quiet draws a text whose first word is a sign with only that coloured.
func (f Frame) quiet(s string, look theme.Token) spans {
	sign, rest, ok := strings.Cut(s, " ")
	if !ok {
		return spans{{look, s}}
	}
	if look == theme.Stale {
		return spans{{look, s}}
	}
	return spans{{look, sign}, {theme.Text, " " + rest}}
}

// none is what stands for the evidence of a node that nothing reads.
func (d *flowing) none(n *incident.NodeView) string {
	if n.Done.Evidence.Note != "" {
		return "no sensor: " + d.f.say(n.Done.Evidence.Note)
	}
	if n.Done.Reason != "" {
		return "no sensor: " + d.f.say(n.Done.Reason)
	}
	if n.Node.Sense != "" {
		return "no sensor: " + d.f.say(n.Node.Sense)
	}
	return "no sensor: a person's word"
}

// scroll is where the window stands: what is selected in sight, moved by as much
// as was asked.
func (d *flowing) scroll(room, moved int) int {
	return inSight(len(d.body), room, d.from, d.to) + moved
}

// inSight is the least scroll that shows the rows from to to, with what comes
// after them rather than what came before.
func inSight(total, room, from, to int) int {
	if total <= room {
		return 0
	}
	middle := from - max(room-(to-from), 0)/3
	return max(0, min(middle, total-room))
}
