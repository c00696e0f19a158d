package incident

import (
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// Board is everything that the views of an incident show, at one time. Without a
// declared incident (State is nil) flow and checklist show their live evidence,
// and the clocks wait.
type Board struct {
	State    *State // nil before the declaration
	Runbook  *runbook.Runbook
	Findings diagnosis.Findings
	Now      time.Time

	Flow []FlowView // as Runbook.Flow
	List []ListView // as Runbook.Checklist
	Node string     // the current node: the one that n works on; empty when the flow is through
	Item string     // the current item, boxed; empty when the list is through

	// Regressed are the ids of the items, and then of the nodes, that were settled
	// and whose evidence has turned, in the order of the runbook.
	Regressed []string

	// Journal is the head of the incident's journal, number and hash, for whoever shows
	// the board to set; empty when it is not known. A draft ends with it: who has the
	// update can tell later that nothing before it was changed.
	Journal string

	Elapsed time.Duration // T+: since T0, until the incident was closed; 0 before the declaration
	Phase   PhaseClock    // the one for the band: of the flow until that is through or over its time, then of the checklist
	Update  UpdateClock
}

// PhaseClock is the budget of one phase, counted from T0.
type PhaseClock struct {
	ID, Title string
	Number    int           // from 1, within the flow or the checklist
	Of        string        // "flow" or "checklist"
	From, To  time.Duration // of its budget
	Elapsed   time.Duration // T+, as it is compared with To; of a settled phase, when it was settled
	Over      time.Duration // how far it is over its budget; 0 when it is not
	Running   bool          // it is counting
	Done      bool          // everything in it is settled
}

// UpdateClock says when the bridge is told next.
type UpdateClock struct {
	Due     time.Time // zero before the declaration
	Left    time.Duration
	Overdue time.Duration // 0 when it is not
}

// NodeStatus is how a node of the flow stands.
type NodeStatus uint8

// Statuses of a node.
const (
	NodeIsOpen NodeStatus = iota
	NodeIsCurrent
	NodeIsDone
	NodeIsRuledOut
	NodeIsRegressed // it was settled, and its evidence has turned
)

// String is the status as it is drawn.
func (s NodeStatus) String() string {
	return word(s, "open", "current", "done", "ruled out", "regressed")
}

// FlowView is one phase of the flow.
type FlowView struct {
	Phase *runbook.FlowPhase
	Clock PhaseClock
	Nodes []NodeView // as Phase.Nodes
}

// NodeView is one node of the flow.
type NodeView struct {
	Node    *runbook.Node
	Status  NodeStatus
	Done    NodeState         // what was done with it
	Finding diagnosis.Finding // its evidence now
	Lines   []LineView        // as Node.Lines
	// Budget is, of the current node, what is left of its phase's budget for each node
	// of the main line that is not settled; 0 of any other, and when nothing is left.
	Budget time.Duration
}

// LineView is one possibility of a matrix node.
type LineView struct {
	Line    *runbook.Line
	Finding diagnosis.Finding
}

// ItemStatus is how an item of the checklist stands.
type ItemStatus uint8

// Statuses of an item. Settled are done, skipped, n/a and overridden.
const (
	ItemIsOpen ItemStatus = iota
	ItemIsDoing
	ItemIsReady // its evidence says that it can be ticked; a person does
	ItemIsDone
	ItemIsSkipped
	ItemIsNA
	ItemIsOverridden // ticked against its evidence
	ItemIsRegressed  // it was settled, and its evidence has turned: open again, loudly
)

// String is the status as it is drawn.
func (s ItemStatus) String() string {
	return word(s, "open", "doing", "READY", "done", "skipped", "n/a", "overridden", "REGRESSED")
}

// Settled reports whether nothing is left to do for it.
func (s ItemStatus) Settled() bool {
	switch s {
	case ItemIsDone, ItemIsSkipped, ItemIsNA, ItemIsOverridden:
		return true
	}
	return false
}

// ListView is one phase of the checklist. Its last item is the completion call.
type ListView struct {
	Phase *runbook.ListPhase
	Clock PhaseClock
	Items []ItemView
	// Count is how many items, without the call, stand as what.
	Count [ItemIsRegressed + 1]int
}

// ItemView is one item of the checklist.
type ItemView struct {
	Item     *runbook.Item // of a completion call: made from ListPhase.Complete
	Status   ItemStatus
	Call     bool // it is the completion call
	Forward  bool // brought to the top of the list by the verdict
	Done     ItemState
	Finding  diagnosis.Finding // its evidence now
	Owner    string
	Due      time.Time // zero when none
	Overdue  bool
	Response string // the observed value now, or what it was settled with: what stands at the end of its row
}
