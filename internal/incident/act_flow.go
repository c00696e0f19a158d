package incident

import (
	"slices"
	"strings"

	"warroom/internal/diagnosis"
)

const stanceAgainst = diagnosis.Against

// Step settles the current node with its evidence as it is, and enters the next:
// from a side node the one that it hangs off, while that is open, and otherwise the
// earliest of its phase's main line that is. A possibility of a matrix that the
// evidence speaks against is ruled out; every other node is done. A node whose
// sensor is unread is refused with the reason, unless it has none; verdict is told
// on the last node before the matrix and taken from the finding when empty. What a
// person has marked as the verdict stays: evidence never replaces it.
func (b *Board) Step(by, verdict string) ([]Event, error) { return b.StepNoted(by, verdict, "") }

// StepNoted is Step with a person's note of what was seen: the evidence of a node
// that nothing reads.
func (b *Board) StepNoted(by, verdict, note string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	if err := take(field{&note, "the note", maxText, false, false}); err != nil {
		return nil, err
	}
	v := b.node(b.Node)
	if v == nil {
		return nil, refuse("the flow is through")
	}
	if v.Finding.Stance == diagnosis.Unread {
		return nil, refuse("%s is not read (%s): v marks it with a reason", v.Node.Title, first(short(v.Finding.Value, 80), "no answer yet"))
	}
	said := clean(verdict)
	verdict, err := b.verdict(v, said)
	if err != nil {
		return nil, err
	}
	m := NodeMoved{Node: v.Node.ID, Act: NodeDone, Verdict: verdict, Marked: verdict != "" && verdict != v.Finding.Word, Evidence: EvidenceOf(v.Finding)}
	m.Evidence.Note = note
	if b.State.Marked && (b.tells(v.Node.ID) || verdict != "" || v.Done.Verdict != "") {
		switch told := b.State.Verdict; {
		case said != "" && said != told:
			return nil, refuse("a person marked it %s: v changes the verdict, with a reason", told)
		case verdict == compromised && told != compromised:
			return nil, refuse("the evidence says compromised, and a person marked it %s: v changes the verdict, with a reason", told)
		}
		m.Verdict, m.Marked = b.State.Verdict, true
		if v.Done.Verdict == m.Verdict {
			m.Reason = v.Done.Reason
		}
	}
	if m.Verdict == "" && b.tells(v.Node.ID) && v.Finding.Stance != stanceAgainst {
		return nil, refuse("%s tells what became of the credential: v marks it %s", v.Node.Title, strings.Join(Verdicts[:], ", "))
	}
	if v.Node.Group != "" && v.Finding.Stance == stanceAgainst {
		m.Act = NodeRuledOut
	}
	events := one(by, m)
	if next := b.stepTo(v); next != "" && next != v.Node.ID {
		events = append(events, New(by, NodeMoved{Node: next, Act: NodeEntered}))
	}
	return events, nil
}

// stepTo is the node that is entered when one is settled: nothing that was passed
// over on the way stays behind unseen.
func (b *Board) stepTo(from *NodeView) string {
	for i := range b.Flow {
		nodes := b.Flow[i].Nodes
		if !slices.ContainsFunc(nodes, func(n NodeView) bool { return n.Node.ID == from.Node.ID }) {
			continue
		}
		earliest := ""
		for j := range nodes {
			n := &nodes[j]
			if n.Done.IsSettled() || n.Node.ID == from.Node.ID {
				continue
			}
			if n.Node.ID == from.Node.Beside {
				return n.Node.ID
			}
			if n.Node.Beside == "" && earliest == "" {
				earliest = n.Node.ID
			}
		}
		if earliest != "" {
			return earliest
		}
	}
	return b.nextNode(from.Node.ID)
}

// verdict is what a node tells: a person's word before the evidence's.
func (b *Board) verdict(v *NodeView, said string) (string, error) {
	if said = clean(said); said != "" {
		if !slices.Contains(Verdicts[:], said) {
			return "", refuse("the verdict is one of %s, not %q", strings.Join(Verdicts[:], ", "), short(said, 40))
		}
		return said, nil
	}
	if v.Finding.Stance == diagnosis.For && slices.Contains(Verdicts[:], v.Finding.Word) {
		return v.Finding.Word, nil
	}
	return "", nil
}

// Tells reports whether a node is the one that tells what became of the
// credential: only there a verdict is asked for.
func (b *Board) Tells(node string) bool { return b.tells(node) }

// NeedsVerdict reports whether settling a node asks for a verdict that its
// evidence does not give and nobody has marked.
func (b *Board) NeedsVerdict(node string) bool {
	v := b.node(node)
	if v == nil || !b.tells(node) || v.Finding.Stance == stanceAgainst || b.State != nil && b.State.Marked {
		return false
	}
	told, _ := b.verdict(v, "")
	return told == ""
}

// NeedsWord reports whether settling a node rests on what a person has seen alone,
// because nothing reads it: then it is asked for.
func (b *Board) NeedsWord(node string) bool {
	v := b.node(node)
	return v != nil && v.Finding.Stance == diagnosis.NoSensor && !b.NeedsVerdict(node)
}

// Enter makes a node the current one: going back, or taking a side node. A node
// that is settled stays so while one looks at it again.
func (b *Board) Enter(by, node string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	switch v := b.node(node); {
	case v == nil:
		return nil, refuse("the runbook has no node %q", short(clean(node), 60))
	case node == b.State.Current:
		return nil, refuse("%s is the current one already", v.Node.Title)
	}
	return one(by, NodeMoved{Node: node, Act: NodeEntered}), nil
}

// Mark settles a node by a person's word, with a reason: done, ruled out or
// opened again. A verdict goes with done, on any node; it is a person's then, even
// when the evidence says the same. Without one the verdict that a person marked
// stays, and else the evidence's is taken.
func (b *Board) Mark(by, node string, act NodeAct, verdict, reason string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	v := b.node(node)
	if v == nil {
		return nil, refuse("the runbook has no node %q", short(clean(node), 60))
	}
	if err := take(field{&reason, "the reason", maxText, true, false}); err != nil {
		return nil, err
	}
	m := NodeMoved{Node: node, Act: act, Reason: reason, Evidence: EvidenceOf(v.Finding)}
	if verdict = clean(verdict); verdict != "" && act != NodeDone {
		return nil, refuse("a verdict goes with done")
	}
	switch act {
	case NodeDone:
		told, err := b.verdict(v, verdict)
		if err != nil {
			return nil, err
		}
		m.Verdict = told
		m.Marked = v.Finding.Stance != diagnosis.For || verdict != ""
		if verdict == "" && b.State.Marked && (b.tells(node) || told != "" || v.Done.Verdict != "") {
			m.Verdict, m.Marked = b.State.Verdict, true
		}
	case NodeRuledOut:
		m.Marked = v.Finding.Stance != stanceAgainst
	case NodeOpened:
		if !v.Done.IsSettled() {
			return nil, refuse("%s is open", v.Node.Title)
		}
		m.Evidence = Evidence{}
	default:
		return nil, refuse("a node is marked done, ruled out or opened, not %q", short(clean(string(act)), 20))
	}
	return one(by, m), nil
}
