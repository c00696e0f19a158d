package incident

import (
	"slices"
	"time"
)

func (f *Fold) node(e Event, d NodeMoved) {
	s := &f.state
	if d.Node == "" {
		return
	}
	n := s.Nodes[d.Node]
	switch d.Act {
	case NodeEntered:
		// Going back to a settled node is a look at it and does not open it.
		if !n.IsSettled() {
			n.Act = NodeEntered
		}
		n.Entered, s.Current = e.At, d.Node
	case NodeDone, NodeRuledOut:
		switch {
		case d.Verdict != "" && s.Marked && !d.Marked:
			// What a person has said stays, whatever evidence says afterwards.
			d.Verdict = s.Verdict
		case d.Verdict != "":
			s.Verdict, s.Marked = d.Verdict, d.Marked
		case n.Verdict != "" && n.Verdict == s.Verdict && s.Marked && d.Reason == "":
			d.Verdict = n.Verdict // only a person takes it back, with a reason
		case n.Verdict != "" && n.Verdict == s.Verdict: // told here before, and no more
			s.Verdict, s.Marked = "", false
		}
		if !n.IsSettled() {
			n.Settled = e.At
		}
		n.Act, n.At, n.By, n.Reason, n.Verdict, n.Evidence, n.Regressed = d.Act, e.At, e.By, d.Reason, d.Verdict, d.Evidence, false
		f.leave(d.Node)
	case NodeOpened:
		if n.Verdict != "" && n.Verdict == s.Verdict {
			s.Verdict, s.Marked = "", false
		}
		n = NodeState{Act: NodeOpened, At: e.At, By: e.By, Reason: d.Reason, Entered: n.Entered}
		f.leave(d.Node)
	default:
		return
	}
	put(&s.Nodes, &f.own.nodes, d.Node, n)
}

// leave makes a node no longer the one that was entered last.
func (f *Fold) leave(node string) {
	if f.state.Current == node {
		f.state.Current = ""
	}
}

func (f *Fold) item(e Event, d ItemMoved) {
	s := &f.state
	if d.Item == "" {
		return
	}
	i := s.Items[d.Item]
	settled := i.IsSettled()
	switch d.Act {
	case ItemTicked, ItemReassessed, ItemOverridden, ItemSkipped, ItemNA:
		if !settled {
			i.Settled = e.At
		}
	case ItemUndone:
		i.Settled = time.Time{}
	case ItemStarted:
		if settled {
			return
		}
	default:
		return
	}
	i.Act, i.At, i.By, i.Reason, i.Evidence, i.Regressed = d.Act, e.At, e.By, d.Reason, d.Evidence, false
	put(&s.Items, &f.own.items, d.Item, i)
}

// sensed takes what the evidence did. Of the items only what can turn does: an
// open one becomes ready or is no longer, a settled one regresses, and one that
// has regressed can become ready again.
func (f *Fold) sensed(e Event, d Sensed) {
	s := &f.state
	if n, ok := s.Nodes[d.Node]; ok && d.Item == "" {
		if d.Regressed && n.IsSettled() {
			n.Regressed = true
			put(&s.Nodes, &f.own.nodes, d.Node, n)
		}
		return
	}
	if d.Item == "" {
		return
	}
	i := s.Items[d.Item]
	switch settled := i.IsSettled(); {
	case d.Regressed && settled:
		i.Regressed, i.Ready = true, false
	case d.Regressed || settled && !i.Regressed:
		return
	default:
		i.Ready = d.Ready
	}
	i.Turned = e.At
	put(&s.Items, &f.own.items, d.Item, i)
}

func (f *Fold) measure(e Event, d MeasureMoved) {
	s := &f.state
	at := slices.IndexFunc(s.Measures, func(m Measure) bool { return m.ID == d.ID })
	switch {
	case d.ID == "":
	case d.Act == MeasureOpened && at < 0 && len(s.Measures) < maxIDs:
		s.Measures = append(f.ownMeasures(), Measure{ID: d.ID, Kind: d.Kind, What: d.What, Who: d.Who, Reason: d.Reason, Opened: e.At, Until: d.Until})
	case at < 0 || !s.Measures[at].Ended.IsZero():
	case d.Act == MeasureExtended:
		m := &f.ownMeasures()[at]
		m.Until, m.Why = d.Until, d.Reason
	case d.Act == MeasureEnded:
		m := &f.ownMeasures()[at]
		m.Ended, m.Why = e.At, d.Reason
	}
}

func (f *Fold) ownMeasures() []Measure {
	if !f.own.measures {
		f.state.Measures, f.own.measures = slices.Clone(f.state.Measures), true
	}
	return f.state.Measures
}
