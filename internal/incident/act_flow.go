package incident

import (
	"slices"
	"strings"

	"warroom/internal/diagnosis"
)

const stanceAgainst = diagnosis.Against

// Step settles the current node with its evidence as it is, and enters the next
// of the main line. A possibility of a matrix that the evidence speaks against is
// ruled out; every other node is done. A node whose sensor is unread is refused
// with the reason, unless it has none; verdict is told on the last node before the
// matrix and taken from the finding when empty.
func (b *Board) Step(by, verdict string) ([]Event, error) {
	if err := b.may(&by, false); err != nil {
		return nil, err
	}
	v := b.node(b.Node)
	if v == nil {
		return nil, refuse("the flow is through")
	}
	if v.Finding.Stance == diagnosis.Unread {
		return nil, refuse("%s is not read (%s): v marks it with a reason", v.Node.Title, first(short(v.Finding.Value, 80), "no answer yet"))
	}
	verdict, err := b.verdict(v, verdict)
	if err != nil {
		return nil, err
	}
	if verdict == "" && b.tells(v.Node.ID) && v.Finding.Stance != stanceAgainst {
		return nil, refuse("%s tells what became of the credential: v marks it %s", v.Node.Title, strings.Join(Verdicts[:], ", "))
	}
	m := NodeMoved{Node: v.Node.ID, Act: NodeDone, Verdict: verdict, Marked: verdict != "" && verdict != v.Finding.Word, Evidence: EvidenceOf(v.Finding)}
	if v.Node.Group != "" && v.Finding.Stance == stanceAgainst {
		m.Act = NodeRuledOut
	}
	events := one(by, m)
	if next := b.nextNode(v.Node.ID); next != "" && next != v.Node.ID {
		events = append(events, New(by, NodeMoved{Node: next, Act: NodeEntered}))
	}
	return events, nil
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

// NeedsVerdict reports whether settling a node asks for a verdict that its
// evidence does not give.
func (b *Board) NeedsVerdict(node string) bool {
	v := b.node(node)
	if v == nil || !b.tells(node) || v.Finding.Stance == stanceAgainst {
		return false
	}
	told, _ := b.verdict(v, "")
	return told == ""
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
// opened again; verdict as in Step, on any node.
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
	switch act {
	case NodeDone, NodeRuledOut:
		told, err := b.verdict(v, verdict)
		if err != nil {
			return nil, err
		}
		speaks := diagnosis.For
		if act == NodeRuledOut {
			speaks = stanceAgainst
		}
		m.Verdict = told
		m.Marked = v.Finding.Stance != speaks || told != "" && told != v.Finding.Word
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
