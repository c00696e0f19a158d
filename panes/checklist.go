package panes

import (
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// ListView is how one phase of the checklist is shown.
type ListView struct {
	Phase    int    // index into Board.List
	Selected string // the item under the cursor; empty for the current one
	Reminder string // where you were, until it is acknowledged; empty for none
	// Scroll is by how many rows the window is moved down from where the selected
	// item is in sight; negative is up.
	Scroll int
}

// Checklist draws one phase of the checklist. total is how many rows its body has.
func Checklist(f Frame, b *incident.Board, v ListView) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, title: spans{{theme.Strong, "Checklist"}}}
	if b == nil || v.Phase < 0 || v.Phase >= len(b.List) {
		w.body = []spans{{{theme.Text, "the runbook has no such phase"}}}
		return w.draw(), len(w.body)
	}
	p := &b.List[v.Phase]
	for i := range p.Items {
		n := &p.Items[i]
		w.body = append(w.body, spans{{theme.Text, n.Status.String() + "  "}, {theme.Strong, f.say(n.Item.Text)}, {theme.Text, "  " + f.say(n.Response)}})
	}
	return w.draw(), len(w.body)
}

// ListOrder lists the items of a phase as they are drawn, from top to bottom:
// first those that the verdict brought forward, of whatever phase.
func ListOrder(b *incident.Board, phase int) []string {
	if b == nil || phase < 0 || phase >= len(b.List) {
		return nil
	}
	var out []string
	for i := range b.List[phase].Items {
		out = append(out, b.List[phase].Items[i].Item.ID)
	}
	return out
}
