package panes

import (
	"fmt"
	"strings"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// stepSaid is the current step of the flow in one row of n cells, and at its far
// end what n does, or what is being read for it. What has regressed comes before everything.
func (f Frame) stepSaid(b *incident.Board, n int, reading string) spans {
	g := &f.Theme.Glyphs
	var out spans
	if k := len(b.Regressed); k > 0 {
		name := ""
		if v := findItem(b, b.Regressed[0]); v != nil {
			name = f.say(v.Item.Text)
		} else if v, _ := findNode(b, b.Regressed[0]); v != nil {
			name = f.say(v.Node.Title)
		}
		word := "REGRESSED"
		if k > 1 {
			word = fmt.Sprintf("%d REGRESSED", k)
		}
		out = append(out, span{theme.FailBadge, " " + g.Regressed + " " + word + " "}, span{theme.Fail, " " + f.prose(name, max(n/3, 12))}, span{theme.Plain, "  "})
	}
	v, phase := findNode(b, b.Node)
	if v == nil {
		return append(out, f.listSaid(b)...)
	}
	does, loud := f.nDoes(b)
	tail := spans{{theme.Key, "n"}, {theme.KeyText, " " + does}}
	if loud {
		tail[1].k = theme.Warn
	}
	if reading != "" {
		loud, tail = false, spans{{theme.Strong, ""}, {theme.Strong, f.say(reading)}}
	}
	at, of := placeIn(b.Flow[phase].Nodes, v)
	step := fmt.Sprintf("%s %d/%d ", g.Now, at, of)
	out = append(out, span{theme.Strong, step}, span{theme.Strong, f.say(v.Node.Title)})
	room := n - out.width()
	if tail.width() > room-2 {
		// What n does is worth more than the evidence, and less than the step.
		tail[1].s = f.cut(tail[1].s, max(room-3, 0))
		if room < 12 {
			return f.fit(out, n)
		}
	}
	if s, look := f.evidence(&v.Finding, "no sensor"); !loud && room-tail.width()-5 >= 12 {
		out = append(out, span{theme.Plain, "  "}, span{look, f.prose(s, room-tail.width()-5)})
	}
	return append(f.fit(out, n-tail.width()), tail...)
}

// placeIn is which of the nodes that are worked through one by one v is; a side
// node counts as the one it hangs off.
func placeIn(nodes []incident.NodeView, v *incident.NodeView) (at, of int) {
	id := v.Node.ID
	if v.Node.Beside != "" {
		id = v.Node.Beside
	}
	for i := range nodes {
		if nodes[i].Node.Beside != "" {
			continue
		}
		of++
		if nodes[i].Node.ID == id {
			at = of
		}
	}
	return at, of
}

// nDoes is what n would do now, as the board itself would do it; loud when it
// would be refused.
func (f Frame) nDoes(b *incident.Board) (s string, loud bool) {
	if v, _ := findNode(b, b.Node); v != nil && v.Finding.Stance != diagnosis.Unread && b.NeedsVerdict(b.Node) {
		return "asks for the verdict", false
	}
	if b.NeedsWord(b.Node) && b.State != nil && b.State.Closed.IsZero() {
		return "asks what you saw", false
	}
	events, err := b.Step("n", "")
	if err != nil {
		why := f.say(err.Error())
		if v, _ := findNode(b, b.Node); v != nil {
			if rest, ok := strings.CutPrefix(why, f.say(v.Node.Title)+" "); ok {
				why = "it " + rest // its name stands before
			}
		}
		return "waits: " + why, true
	}
	s = "settles it"
	for _, e := range events {
		m, ok := e.Data.(incident.NodeMoved)
		switch {
		case !ok:
		case m.Act == incident.NodeRuledOut:
			s = "rules it out"
		case m.Act == incident.NodeDone && m.Verdict != "":
			s = "tells: " + f.say(m.Verdict)
		case m.Act == incident.NodeEntered:
			if v, _ := findNode(b, m.Node); v != nil {
				s += ", then " + f.say(v.Node.Title)
			}
		}
	}
	return s, false
}

// listSaid is what stands in place of the step once the flow is through: the
// current item of the checklist.
func (f Frame) listSaid(b *incident.Board) spans {
	g := &f.Theme.Glyphs
	switch v := findItem(b, b.Item); {
	case !b.State.Closed.IsZero():
		return spans{{theme.Muted, "the incident is closed"}}
	case v != nil:
		out := append(spans{{theme.Muted, "the flow is through; on the list: " + g.Now + " "}}, f.itemSign(v.Status).spans()...)
		return append(out, span{theme.Strong, " " + f.say(v.Item.Text)})
	}
	return spans{{theme.Muted, "flow and checklist are through: I closes the incident"}}
}
