package incident

import (
	"fmt"
	"slices"
	"time"
)

// node finds a node of the flow; nil when the runbook has none of that id.
func (b *Board) node(id string) *NodeView {
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if v := &b.Flow[i].Nodes[j]; v.Node.ID == id {
				return v
			}
		}
	}
	return nil
}

// item finds an item of the checklist with its phase; nil when the runbook has
// none of that id.
func (b *Board) item(id string) (*ListView, *ItemView) {
	for i := range b.List {
		for j := range b.List[i].Items {
			if v := &b.List[i].Items[j]; v.Item.ID == id {
				return &b.List[i], v
			}
		}
	}
	return nil, nil
}

// currentNode is the node that was entered last; when that is settled, the first
// of the main line that is not, and then the first whose evidence has turned.
func (b *Board) currentNode() string {
	if b.State != nil && b.node(b.State.Current) != nil {
		return b.State.Current
	}
	return b.nextNode("")
}

// nextNode is the next node of the main line after a node, counting that one as
// settled.
func (b *Board) nextNode(after string) string {
	var open, openBefore, turned string
	passed := after == ""
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			v := &b.Flow[i].Nodes[j]
			id := v.Node.ID
			switch {
			case id == after:
				passed = true
			case v.Node.Beside != "":
			case !v.Done.IsSettled() && passed && open == "":
				open = id
			case !v.Done.IsSettled() && openBefore == "":
				openBefore = id
			case v.Done.IsSettled() && v.Done.Regressed && turned == "":
				turned = id
			}
		}
	}
	return first(open, openBefore, turned)
}

// currentItem is the first that the verdict brought forward, and else the first
// that is not settled of the earliest phase. After the closing only the days
// after are left.
func (b *Board) currentItem() string {
	for _, forward := range [...]bool{true, false} {
		for i := range b.List {
			list := &b.List[i]
			if b.State != nil && !b.open() && !list.Phase.Owned {
				continue
			}
			for j := range list.Items {
				if v := &list.Items[j]; !v.Status.Settled() && (v.Forward || !forward) {
					return v.Item.ID
				}
			}
		}
	}
	return ""
}

// gatherRegressed lists what has regressed. Of a completion call nothing is said:
// what regressed above it is.
func (b *Board) gatherRegressed() {
	for i := range b.List {
		for j := range b.List[i].Items {
			if v := &b.List[i].Items[j]; v.Done.Regressed && !v.Call {
				b.Regressed = append(b.Regressed, v.Item.ID)
			}
		}
	}
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if v := &b.Flow[i].Nodes[j]; v.Done.Regressed {
				b.Regressed = append(b.Regressed, v.Node.ID)
			}
		}
	}
}

// tells reports whether a node is the one that tells the verdict: the last of the
// main line that is no part of a matrix.
func (b *Board) tells(id string) bool {
	last := ""
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if n := b.Flow[i].Nodes[j].Node; n.Beside == "" && n.Group == "" {
				last = n.ID
			}
		}
	}
	return id != "" && id == last
}

// Idle is how long nothing is done before someone is told where they were.
// Interrupted lists lose their next item, and the item lost is the one that hurts.
const Idle = 90 * time.Second

// Where says where one was, for someone who was away: the current item with its
// phase, since when it is current and who is at it. Empty when nothing was
// declared or the list is through.
func (b *Board) Where() string {
	list, v := b.item(b.Item)
	if b.State == nil || v == nil {
		return ""
	}
	at := slices.IndexFunc(list.Items, func(one ItemView) bool { return one.Item.ID == v.Item.ID })
	text := fmt.Sprintf("You were at item %d of %d of %s: %s", at+1, len(list.Items), list.Phase.Title, short(v.Item.Text, 60))
	switch {
	case v.Status == ItemIsRegressed:
		text += ", which has regressed"
	case v.Done.Act == ItemStarted:
		text += ", waiting on " + v.Done.By + " since " + hour(v.Done.At)
	case !b.State.LastHuman.At.IsZero():
		text += ", since " + hour(b.State.LastHuman.At)
	}
	if v.Status == ItemIsReady {
		text += "; it is READY"
	}
	return text
}
