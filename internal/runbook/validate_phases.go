package runbook

import (
	"slices"

	"warroom/internal/decode"
)

func (v *validator) flowPhase(p *FlowPhase, at string) {
	v.id(at+".id", p.ID)
	v.text(at+".title", p.Title, wideTitle)
	v.text(at+".leave", p.Leave, wideLeave)
	for i := range p.Nodes {
		n, at := &p.Nodes[i], decode.Index(at+".nodes", i)
		v.id(at+".id", n.ID)
		v.text(at+".title", n.Title, wideNode)
		v.text(at+".text", n.Text, wideText)
		v.text(at+".group", n.Group, wideNode)
		v.sense(at+".sense", n.Sense)
		v.many(at+".lines", len(n.Lines), maxLines, "lines")
		for j := range n.Lines {
			l, at := &n.Lines[j], decode.Index(at+".lines", j)
			v.id(at+".id", l.ID)
			v.text(at+".text", l.Text, wideLine)
			v.sense(at+".sense", l.Sense)
		}
	}
	if p.Matrix() {
		v.matrix(p, at)
	} else {
		v.line(p, at)
	}
}

// line checks a phase that is a main line with side nodes.
func (v *validator) line(p *FlowPhase, at string) {
	var main []string         // ids
	sides := map[string]int{} // how many stand beside a node of the main line
	for i := range p.Nodes {
		if p.Nodes[i].Beside == "" && p.Nodes[i].ID != "" {
			main = append(main, p.Nodes[i].ID)
		}
	}
	v.many(at+".nodes", len(main), maxMain, "nodes in its main line")
	for i := range p.Nodes {
		n, at := &p.Nodes[i], decode.Index(at+".nodes", i)
		switch {
		case n.Group != "":
			v.add(at+".group", "", "stands in a phase whose first node has no group; expected all nodes of a phase with a group, or none")
			continue
		case n.Beside == "":
		case !slices.Contains(main, n.Beside):
			v.add(at+".beside", decode.DidYouMean(n.Beside, main), "there is no main-line node of this id in the phase; expected %s", decode.List(main))
		default:
			if sides[n.Beside]++; sides[n.Beside] > maxSides {
				v.add(at+".beside", "", "%d nodes stand beside it already; expected at most that", maxSides)
			}
		}
		if n.Leads != "" {
			v.add(at+".leads_to", "", "is for the nodes of a matrix; this one has no group")
		}
		if len(n.Lines) > 0 {
			v.add(at+".lines", "", "are for the nodes of a matrix; this one has no group")
		}
	}
}

// matrix checks a phase whose nodes stand in columns.
func (v *validator) matrix(p *FlowPhase, at string) {
	groups := p.Groups()
	v.many(at+".nodes", len(groups), maxColumns, "groups")
	rows := map[string][]string{} // group to its ids
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.ID != "" {
			rows[n.Group] = append(rows[n.Group], n.ID)
		}
	}
	for _, g := range groups {
		v.many(at+".nodes", len(rows[g]), maxRows, "nodes in one group")
	}
	for i := range p.Nodes {
		n, at := &p.Nodes[i], decode.Index(at+".nodes", i)
		if n.Group == "" {
			if !v.doc.Failed(at + ".group") {
				v.add(at, "", "has no group; expected all nodes of a phase with a group, or none")
			}
			continue
		}
		if n.Beside != "" {
			v.add(at+".beside", "", "is for the nodes of a main line; this one stands in a matrix")
		}
		if n.Leads == "" {
			continue
		}
		next := slices.Index(groups, n.Group) + 1
		switch {
		case next == len(groups):
			v.add(at+".leads_to", "", "stands in the last group, which leads nowhere")
		case !slices.Contains(rows[groups[next]], n.Leads):
			v.add(at+".leads_to", decode.DidYouMean(n.Leads, rows[groups[next]]), "there is no node of this id in the next group; expected %s", decode.List(rows[groups[next]]))
		}
	}
}

func (v *validator) listPhase(p *ListPhase, at string) {
	v.id(at+".id", p.ID)
	v.text(at+".title", p.Title, wideTitle)
	v.text(at+".leave", p.Leave, wideLeave)
	v.text(at+".complete", p.Complete, wideTitle)
	v.many(at+".items", len(p.Items), maxItems, "items")
	plain := "" // the first item that is no killer
	for i := range p.Items {
		item, at := &p.Items[i], decode.Index(at+".items", i)
		v.id(at+".id", item.ID)
		v.text(at+".text", item.Text, wideText)
		v.text(at+".expect", item.Expect, wideExpect)
		v.sense(at+".sense", item.Sense)
		if !item.Killer && plain == "" {
			plain = at
		}
		if item.Killer && plain != "" {
			v.add(at+".killer", "move it up: an interruption cuts the end of a list", "comes after %s, which is none; expected killers first in their phase", plain)
		}
		if item.Killer && item.Expect == "" {
			v.add(at+".expect", "", "missing; expected the value that is typed to settle a killer item, for example 0 untested")
		}
		if item.Due > 0 && !p.Owned {
			v.add(at+".due", "", "is for phases that are owned; expected owned: true above")
		}
		v.verdicts(at+".forward_when", item.Forward)
	}
	// The call's id is made of the phase's, and may not be that of an item.
	if p.ID != "" && !v.doc.Failed(at+".id") {
		if first, twice := v.ids[p.CompleteID()]; twice {
			v.add(first, "", "%q is the id of the phase's completion call; expected another", p.CompleteID())
		} else {
			v.ids[p.CompleteID()] = at + ".complete"
		}
	}
}

func (v *validator) verdicts(at string, list []string) {
	for i, word := range list {
		at := decode.Index(at, i)
		switch {
		case word == "":
		case !slices.Contains(Verdicts[:], word):
			v.add(at, decode.DidYouMean(word, Verdicts[:]), "is no verdict of the flow; expected %s", decode.List(Verdicts[:]))
		case slices.Contains(list[:i], word):
			v.add(at, "", "%s is named twice", word)
		}
	}
}
