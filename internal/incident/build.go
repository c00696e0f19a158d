package incident

import (
	"strconv"
	"strings"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// Verdicts are the fates of a credential that the flow tells apart.
var Verdicts = [...]string{"expired", "stuck", compromised}

const compromised = "compromised"

// NewBoard puts everything together. s may be nil. Findings of a sensor that is
// not there are NoSensor. Runbook and findings are not changed, and must not
// change while the board is in use.
func NewBoard(s *State, rb *runbook.Runbook, f diagnosis.Findings, now time.Time) *Board {
	if rb == nil {
		rb = &runbook.Runbook{}
	}
	now = utc(now)
	b := &Board{Runbook: rb, Findings: f, Now: now}
	if s.IsDeclared() {
		b.State, b.Findings = s, withRuns(f, s, now)
		end := now
		if !s.Closed.IsZero() {
			end = s.Closed
		}
		b.Elapsed = max(0, end.Sub(s.Declared.Started))
	}
	for i := range rb.Flow {
		b.Flow = append(b.Flow, b.flowView(&rb.Flow[i], i+1))
	}
	for i := range rb.Checklist {
		b.List = append(b.List, b.listView(&rb.Checklist[i], i+1))
	}
	b.running()
	b.Node = b.currentNode()
	if v := b.node(b.Node); v != nil && v.Status != NodeIsRegressed {
		v.Status = NodeIsCurrent
	}
	b.budgets()
	b.Item = b.currentItem()
	b.gatherRegressed()
	b.Phase = b.bandPhase()
	b.Update = b.updateClock()
	return b
}

func (b *Board) finding(sense string) diagnosis.Finding {
	if sense == "" {
		return diagnosis.Finding{}
	}
	return b.Findings[sense]
}

func (b *Board) open() bool { return b.State != nil && b.State.Closed.IsZero() }

func (b *Board) flowView(p *runbook.FlowPhase, number int) FlowView {
	v := FlowView{Phase: p}
	settled, last := 0, time.Time{}
	main := 0
	for i := range p.Nodes {
		n := b.nodeView(&p.Nodes[i])
		v.Nodes = append(v.Nodes, n)
		if n.Node.Beside != "" {
			continue
		}
		main++
		if n.Done.IsSettled() {
			settled++
			if n.Done.Settled.After(last) {
				last = n.Done.Settled
			}
		}
	}
	v.Clock = b.clock("flow", number, p.ID, p.Title, p.From, p.To, settled == main, last)
	return v
}

func (b *Board) nodeView(n *runbook.Node) NodeView {
	v := NodeView{Node: n, Finding: b.finding(n.Sense)}
	for i := range n.Lines {
		v.Lines = append(v.Lines, LineView{Line: &n.Lines[i], Finding: b.finding(n.Lines[i].Sense)})
	}
	if b.State == nil {
		return v
	}
	v.Done = b.State.Nodes[n.ID]
	switch {
	case v.Done.Act == NodeDone:
		v.Status = NodeIsDone
	case v.Done.Act == NodeRuledOut:
		v.Status = NodeIsRuledOut
	}
	if v.Done.Regressed || b.nodeTurned(n, v.Done, v.Finding) {
		v.Done.Regressed, v.Status = true, NodeIsRegressed
	}
	return v
}

// nodeTurned reports whether the evidence on which a node was settled now says the
// opposite. Of the main line that is evidence for it that is now against; of a
// matrix, a possibility that was ruled out and now has evidence. A confirmed cause
// whose evidence goes away has been mended, and from recovery on so has everything.
// The fate of the credential is such a cause; it turns when it is worse than told:
// compromised, which nobody took into account.
func (b *Board) nodeTurned(n *runbook.Node, done NodeState, f diagnosis.Finding) bool {
	if !b.open() || !b.State.Recovered.IsZero() {
		return false
	}
	was := done.Evidence.Stance
	switch {
	case done.Act == NodeRuledOut:
		return was == diagnosis.Against.String() && f.Stance == diagnosis.For
	case done.Act == NodeDone && b.tells(n.ID):
		return f.Stance == diagnosis.For && f.Word == compromised && done.Verdict != compromised && done.Evidence.Value != f.Value
	case done.Act == NodeDone && n.Group == "":
		return was == diagnosis.For.String() && f.Stance == diagnosis.Against
	}
	return false
}

func (b *Board) listView(p *runbook.ListPhase, number int) ListView {
	v := ListView{Phase: p}
	settled := 0
	for i := range p.Items {
		one := b.itemView(&p.Items[i], p.Owned)
		v.Items = append(v.Items, one)
		v.Count[one.Status]++
		if one.Status.Settled() {
			settled++
		}
	}
	call := b.callView(p, &v, settled == len(p.Items))
	v.Items = append(v.Items, call)
	v.Clock = b.clock("checklist", number, p.ID, p.Title, p.From, p.To, call.Status.Settled(), call.Done.Settled)
	return v
}

func (b *Board) itemView(item *runbook.Item, owned bool) ItemView {
	v := ItemView{Item: item, Finding: b.finding(item.Sense)}
	if b.State == nil {
		if v.Finding.Stance == diagnosis.For {
			v.Status = ItemIsReady
		}
		v.Response = v.Finding.Value
		return v
	}
	v.Done = b.State.Items[item.ID]
	v.Owner, v.Due = v.Done.Owner, v.Done.Due
	if owned && v.Due.IsZero() && item.Due > 0 && !b.State.Recovered.IsZero() {
		v.Due = b.State.Recovered.Add(item.Due)
	}
	turned := v.Done.IsSettled() && (v.Done.Regressed || b.itemTurned(v.Done, v.Finding))
	v.Done.Regressed = turned
	switch {
	case turned && v.Finding.Stance == diagnosis.For:
		v.Status = ItemIsReady // it can be confirmed again
	case turned:
		v.Status = ItemIsRegressed
	case v.Done.IsSettled():
		v.Status = settledStatus(v.Done.Act)
	case v.Finding.Stance == diagnosis.For:
		v.Status = ItemIsReady
	case v.Done.Act == ItemStarted:
		v.Status = ItemIsDoing
	}
	v.Overdue = !v.Status.Settled() && !v.Due.IsZero() && b.Now.After(v.Due)
	v.Forward = !v.Status.Settled() && b.forwarded(item)
	v.Response = response(&v)
	return v
}

// itemTurned reports whether an item that was done is seen not to be. What was
// overridden against its evidence was known; evidence that went unread has not
// turned; and what happens after the closing is another incident.
func (b *Board) itemTurned(done ItemState, f diagnosis.Finding) bool {
	if !b.open() || f.Stance != diagnosis.Against || done.Evidence.Stance == diagnosis.Against.String() {
		return false
	}
	switch done.Act {
	case ItemTicked, ItemReassessed, ItemOverridden:
		return true
	}
	return false
}

func settledStatus(act ItemAct) ItemStatus {
	switch act {
	case ItemSkipped:
		return ItemIsSkipped
	case ItemNA:
		return ItemIsNA
	case ItemOverridden:
		return ItemIsOverridden
	}
	return ItemIsDone
}

func (b *Board) forwarded(item *runbook.Item) bool {
	if b.State == nil || b.State.Verdict == "" {
		return false
	}
	for _, verdict := range item.Forward {
		if verdict == b.State.Verdict {
			return true
		}
	}
	return false
}

// response is what stands at the end of an item's row.
func response(v *ItemView) string {
	if !v.Status.Settled() {
		return v.Finding.Value
	}
	e := v.Done.Evidence
	switch v.Status {
	case ItemIsSkipped, ItemIsNA:
		return v.Done.Reason
	case ItemIsOverridden:
		return first(v.Done.Reason, e.Value)
	}
	return first(e.Value, e.Typed, e.Note, e.Link)
}

// callView is the completion call of a phase. Once it was made it stands for as
// long as everything above it does.
func (b *Board) callView(p *runbook.ListPhase, list *ListView, through bool) ItemView {
	v := ItemView{Call: true, Item: &runbook.Item{ID: p.CompleteID(), Text: p.Complete + ": " + counts(list.Count)}}
	if b.State != nil {
		v.Done = b.State.Items[v.Item.ID]
	}
	called := v.Done.Act == ItemTicked || v.Done.Act == ItemReassessed
	switch {
	case called && through:
		v.Status = ItemIsDone
	case called:
		v.Status, v.Done.Regressed = ItemIsRegressed, true
	case through && b.State != nil:
		v.Status = ItemIsReady
	}
	v.Response = counts(list.Count)
	return v
}

// counts words how the items of a phase stand: "5 done, 1 skipped".
func counts(n [ItemIsRegressed + 1]int) string {
	n[ItemIsOpen] += n[ItemIsDoing] + n[ItemIsReady]
	n[ItemIsDoing], n[ItemIsReady] = 0, 0
	var parts []string
	for _, s := range [...]ItemStatus{ItemIsDone, ItemIsOverridden, ItemIsSkipped, ItemIsNA, ItemIsRegressed, ItemIsOpen} {
		if n[s] > 0 {
			parts = append(parts, strconv.Itoa(n[s])+" "+strings.ToLower(s.String()))
		}
	}
	return strings.Join(parts, ", ")
}

// first is the first of some texts that says something.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// word is the word of a number, and the number where it has none.
func word[T ~uint8](n T, words ...string) string {
	if int(n) < len(words) {
		return words[n]
	}
	return strconv.Itoa(int(n))
}
