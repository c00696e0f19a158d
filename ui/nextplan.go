package ui

import tea "charm.land/bubbletea/v2"

// Where the flow is through, n goes on with the current item of the checklist: one
// that a procedure does has its plan opened. Nothing is changed by that.

// nextProcedure is what n would plan now; empty when it would plan nothing.
func (m *Model) nextProcedure() (procedure, target string) {
	b := m.newest
	if m.opt.Recovery == nil || b == nil || b.Node != "" {
		return "", ""
	}
	i, _, _ := itemOf(b, b.Item)
	if i == nil || i.Item.Sense == "" {
		return "", ""
	}
	return procedureFor(i.Item.Sense, &i.Finding, m.live.Readings.Snapshot.Topology, m.recovery.procedures, m.recovery.targets)
}

// openProcedure opens the plan of a procedure, or its targets where one has to be
// chosen.
func (m *Model) openProcedure(procedure, target string) tea.Cmd {
	show := m.showRecover()
	r := &m.recovery
	r.selected = "procedure/" + procedure
	m.recoverSide(true)
	if target == "" {
		m.say("choose what it is done to; enter plans it")
		return show
	}
	r.selected = "target/" + procedure + "/" + target
	m.keepCursor()
	if why := cannotPlan(m); why != "" {
		m.say("not planned: " + why)
		return show
	}
	return tea.Batch(show, m.planTarget(procedure, target))
}
