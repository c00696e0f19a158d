package incident

import (
	"time"

	"warroom/internal/diagnosis"
)

// steady is how long an item that turned is left alone before it is told ready
// again: evidence that flaps is told at most once in that time, and taken back at
// most once.
const steady = time.Minute

// Notices are the events that nobody made: items that turned ready or regressed,
// nodes that regressed, phases that went over their budget, past incidents that the
// evidence is like. They are computed
// from the board alone, each once, because State remembers that it was told. There
// are none before the declaration and none after the closing.
func (b *Board) Notices() []Event {
	if !b.open() {
		return nil
	}
	var out []Event
	for i := range b.List {
		for j := range b.List[i].Items {
			if s, ok := b.itemNotice(&b.List[i].Items[j]); ok {
				out = append(out, New("", s))
			}
		}
	}
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			v := &b.Flow[i].Nodes[j]
			if v.Done.Regressed && !b.State.Nodes[v.Node.ID].Regressed {
				out = append(out, New("", Sensed{Node: v.Node.ID, Regressed: true, Evidence: EvidenceOf(v.Finding)}))
			}
		}
	}
	for i := range b.Flow {
		out = b.overrun(out, &b.Flow[i].Clock)
	}
	for i := range b.List {
		// A phase that was called complete in time is not over it because something
		// in it regressed later.
		if !b.List[i].Items[len(b.List[i].Items)-1].Done.IsSettled() {
			out = b.overrun(out, &b.List[i].Clock)
		}
	}
	return b.lessons(out)
}

// lessons are the past incidents that a sensor speaks for: each is told once, while
// it does. When service is back the sensors say so no more, and without this no
// journal would hold what a report proposes.
func (b *Board) lessons(out []Event) []Event {
	for i := range b.Runbook.Lessons {
		l := &b.Runbook.Lessons[i]
		if _, told := b.State.Lessons[l.ID]; told || len(b.State.Lessons) >= maxIDs {
			continue
		}
		for _, sense := range l.Sense {
			if found := b.Findings[sense]; found.Stance == diagnosis.For {
				out = append(out, New("", Sensed{Lesson: l.ID, Evidence: EvidenceOf(found)}))
				break
			}
		}
	}
	return out
}

// itemNotice is what there is to tell of an item, if anything.
func (b *Board) itemNotice(v *ItemView) (Sensed, bool) {
	if v.Call {
		return Sensed{}, false
	}
	told := b.State.Items[v.Item.ID]
	s := Sensed{Item: v.Item.ID, Evidence: EvidenceOf(v.Finding)}
	switch {
	case v.Done.Regressed && !told.Regressed:
		s.Regressed = true
	case told.IsSettled() && !told.Regressed:
		return s, false
	case told.Ready && v.Finding.Stance == diagnosis.Against: // taken back
	case !told.Ready && v.Finding.Stance == diagnosis.For && b.Now.Sub(told.Turned) >= steady:
		s.Ready = true
	default:
		return s, false
	}
	return s, true
}

func (b *Board) overrun(out []Event, c *PhaseClock) []Event {
	if _, told := b.State.Overrun[c.ID]; told || c.Done || c.Over == 0 {
		return out
	}
	return append(out, New("", Overrun{Phase: c.ID, Budget: c.To}))
}
