package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/panes"
)

// flowPlace is where the cursor of the flow is: on the current step, until it is
// moved. What is remembered is the id of a node.
type flowPlace struct {
	moved  bool
	phase  int
	node   string
	scroll int

	detail       string // the node whose detail is shown
	detailScroll int
}

// flowPhase is the phase that is shown: of the current step, until it is changed.
func (m *Model) flowPhase() int {
	b := m.board
	if b == nil || m.flow.moved {
		return m.flow.phase
	}
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if b.Flow[i].Nodes[j].Node.ID == b.Node {
				return i
			}
		}
	}
	return max(len(b.Flow)-1, 0)
}

// flowNode is the node under the cursor; empty when the phase shows none.
func (m *Model) flowNode() string {
	if m.view == modeNode {
		return m.flow.detail
	}
	b, phase := m.board, m.flowPhase()
	if b == nil || phase >= len(b.Flow) {
		return ""
	}
	want := m.flow.node
	if !m.flow.moved {
		want = b.Node
	}
	nodes := b.Flow[phase].Nodes
	if slices.ContainsFunc(nodes, func(n incident.NodeView) bool { return n.Node.ID == want }) {
		return want
	}
	if len(nodes) > 0 {
		return nodes[0].Node.ID
	}
	return ""
}

// flowMove moves the cursor: dx to the side, dy along the line.
func (m *Model) flowMove(dx, dy int) {
	phase, from := m.flowPhase(), m.flowNode()
	m.flow = flowPlace{moved: true, phase: phase, node: panes.FlowMove(m.board, phase, from, dx, dy)}
	m.touch()
}

// flowTurn shows another phase of the flow.
func (m *Model) flowTurn(by int) {
	if m.board == nil || len(m.board.Flow) == 0 {
		return
	}
	n := len(m.board.Flow)
	m.flow = flowPlace{moved: true, phase: (m.flowPhase() + by + n) % n}
	m.flow.node = m.flowFirst()
	m.touch()
}

// flowFirst is where the cursor goes in a phase that was turned to: the current
// step, if it is there.
func (m *Model) flowFirst() string {
	nodes := m.board.Flow[m.flow.phase].Nodes
	for i := range nodes {
		if nodes[i].Node.ID == m.board.Node {
			return m.board.Node
		}
	}
	if len(nodes) > 0 {
		return nodes[0].Node.ID
	}
	return ""
}

// flowEnd moves the cursor to the first node of the phase, or the last.
func (m *Model) flowEnd(last bool) {
	phase := m.flowPhase()
	if m.board == nil || phase >= len(m.board.Flow) || len(m.board.Flow[phase].Nodes) == 0 {
		return
	}
	nodes := m.board.Flow[phase].Nodes
	at := 0
	if last {
		at = len(nodes) - 1
	}
	m.flow = flowPlace{moved: true, phase: phase, node: nodes[at].Node.ID}
	m.touch()
}

// flowLeave takes the cursor back to the current step, and from there leads back
// to the planes.
func (m *Model) flowLeave() {
	if m.flow.moved {
		m.flow = flowPlace{}
		m.touch()
		return
	}
	m.showView(modePlanes)
}

// showNode opens the detail of the node under the cursor.
func (m *Model) showNode() {
	m.flow.detail, m.flow.detailScroll = m.flowNode(), 0
	m.showView(modeNode)
}

func (m *Model) scrollNode(by int) {
	b := m.layout().body
	m.flow.detailScroll = max(0, min(m.flow.detailScroll+by, panes.MaxScroll(m.frameOf(b.w, b.h), m.cache.incidentTotal)))
}

// cannotLookBoard refuses flow and checklist when there is no runbook.
func cannotLookBoard(m *Model) string {
	if m.board == nil {
		return "no runbook is loaded"
	}
	return ""
}

func noNode(m *Model) string {
	if nodeOf(m.board, m.flowNode()) == nil {
		return "no step is under the cursor"
	}
	return ""
}

// cannotMark refuses to mark a node.
func cannotMark(m *Model) string {
	if why := cannotStep(m); why != "" {
		return why
	}
	return noNode(m)
}

// takeNode makes the node under the cursor the current step.
func takeNode(m *Model) tea.Cmd {
	id := m.flowNode()
	n := nodeOf(m.newest, id)
	if n == nil {
		return nil
	}
	events, err := m.newest.Enter(m.opt.Operator, id)
	if err != nil {
		m.say(plain(err.Error()))
		return nil
	}
	return m.record("at the step "+plain(n.Node.Title), events, func(m *Model) tea.Cmd {
		if m.flow.node == id {
			m.flow = flowPlace{detail: m.flow.detail}
		}
		return nil
	})
}

// markForm asks how a node is marked, and why. It begins with how the node stands,
// so that nothing is opened again, and no verdict erased, by enter alone.
func markForm(m *Model) tea.Cmd {
	id := m.flowNode()
	n := nodeOf(m.newest, id)
	if n == nil {
		return nil
	}
	acts := []string{"done", "ruled out"}
	how := []incident.NodeAct{incident.NodeDone, incident.NodeRuledOut}
	first := 0
	if n.Done.IsSettled() {
		acts, how = append(acts, "open again"), append(how, incident.NodeOpened)
		first = max(slices.Index(how, n.Done.Act), 0)
	}
	act := pick("Mark it", first, acts...)
	reason := line("Reason", "", "what says so", "a mark needs a reason")
	f := &form{title: "Mark: " + plain(n.Node.Title), button: "Mark", fields: []*field{act, reason}, body: []string{evidenceLine(&n.Finding)}}
	verdict := pick("Verdict", 0, append([]string{"none"}, incident.Verdicts[:]...)...)
	if m.newest.Tells(id) {
		f.fields = []*field{act, verdict, reason}
		if s := m.newest.State; s != nil && s.Marked {
			verdict.options[0] = "as it is"
			f.body = append(f.body, "A person marked it "+strings.ToUpper(s.Verdict)+": that stays until another verdict is chosen here.")
		}
		f.follow = func(on *field) {
			if on == verdict && verdict.chosen > 0 {
				act.chosen = 0 // a verdict says that it is done
			}
		}
	}
	f.submit = func(m *Model, _ *form) (tea.Cmd, error) {
		if why := cannotRecord(m); why != "" {
			return nil, &incident.Refusal{Why: why}
		}
		told := ""
		if verdict.chosen > 0 {
			told = verdict.options[verdict.chosen]
		}
		if told != "" && how[act.chosen] != incident.NodeDone {
			return nil, &fieldError{verdict, "a verdict goes with done"}
		}
		events, err := m.newest.Mark(m.opt.Operator, id, how[act.chosen], told, reason.text())
		if err != nil {
			return nil, err
		}
		return m.record("the mark of "+plain(n.Node.Title), events, m.afterVerdict(events)), nil
	}
	return m.fill(f)
}

// checkNode reads again what a node rests on.
func checkNode(m *Model) tea.Cmd {
	n := nodeOf(m.board, m.flowNode())
	if n == nil {
		return nil
	}
	facts := make([]estate.ID, 0, 8)
	for i := range n.Finding.Facts {
		facts = append(facts, n.Finding.Facts[i].Component)
	}
	for i := range n.Lines {
		for j := range n.Lines[i].Finding.Facts {
			facts = append(facts, n.Lines[i].Finding.Facts[j].Component)
		}
	}
	return m.checkFacts(plain(n.Node.Title), facts)
}

// checkFacts makes the checks due that facts rest on, or all when they name none.
func (m *Model) checkFacts(what string, facts []estate.ID) tea.Cmd {
	ids := componentsOf(facts)
	m.say("checking what " + what + " rests on")
	return m.guard.command("checking now", func() tea.Msg { m.opt.Checker.CheckNow(ids...); return nil })
}

func cannotCheckNode(m *Model) string {
	if why := cannotCheck(m); why != "" {
		return why
	}
	return noNode(m)
}
