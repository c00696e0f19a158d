package incident

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
	for i := range b.Runbook.Flow {
		for j := range b.Runbook.Flow[i].Nodes {
			if n := &b.Runbook.Flow[i].Nodes[j]; n.Beside == "" && n.Group == "" {
				last = n.ID
			}
		}
	}
	return id != "" && id == last
}
