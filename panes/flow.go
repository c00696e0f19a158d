package panes

import (
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
// nodes beside it, or a matrix when its nodes have groups. total is how many rows
// its body has.
func Flow(f Frame, b *incident.Board, v FlowView) (rows []string, total int) {
	w := window{f: f, accent: theme.Border}
	if b == nil || v.Phase < 0 || v.Phase >= len(b.Flow) {
		w.title = spans{{theme.Strong, "Flow"}}
		w.body = []spans{{{theme.Text, "the runbook has no such phase"}}}
		return w.draw(), len(w.body)
	}
	p := &b.Flow[v.Phase]
	w.title = spans{{theme.Strong, f.say(p.Phase.Title)}}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		w.body = append(w.body, spans{{theme.Text, n.Status.String() + "  "}, {theme.Strong, f.say(n.Node.Title)}, {theme.Text, "  " + f.say(n.Finding.Value)}})
	}
	return w.draw(), len(w.body)
}

// NodeDetail is everything known of one node of the flow. total is how many rows
// there are to scroll through.
func NodeDetail(f Frame, b *incident.Board, node string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, title: spans{{theme.Strong, f.say(node)}}}
	return w.draw(), len(w.body)
}

// FlowMove is the node to which the cursor goes from one node of a phase: dx to
// the side, dy along the line; the same node when there is none that way. From an
// unknown node it goes to the first.
func FlowMove(b *incident.Board, phase int, from string, dx, dy int) string {
	if b == nil || phase < 0 || phase >= len(b.Flow) {
		return ""
	}
	nodes := b.Flow[phase].Nodes
	for i := range nodes {
		if nodes[i].Node.ID == from {
			return nodes[max(0, min(i+dx+dy, len(nodes)-1))].Node.ID
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return nodes[0].Node.ID
}
