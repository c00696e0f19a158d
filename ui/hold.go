package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// cannotRecord says why nothing can be recorded now; empty when it can.
func cannotRecord(m *Model) string {
	switch {
	case m.newest == nil:
		return "no runbook is loaded"
	case m.opening != "":
		return m.opening + " is under way"
	case !m.declared():
		return "I declares an incident first"
	case !m.kase.Writing && m.writer() == "":
		return "this console only follows; I takes over the writing"
	case !m.kase.Writing:
		return m.writer() + " writes this incident; this console follows"
	}
	return ""
}

// cannotAct says why nothing can be settled on the evidence that is drawn; empty
// when it can.
func cannotAct(m *Model) string {
	if why := cannotRecord(m); why != "" {
		return why
	}
	switch {
	case !m.frozen.IsZero():
		return "the frame is frozen; z shows live data"
	case m.rec.human() > 0:
		return "the last key is still being recorded"
	case m.hold.holds(m):
		return "what is current has just changed: look, then press again"
	}
	return ""
}

// cannotStep says why the flow cannot be moved in now; empty when it can.
func cannotStep(m *Model) string {
	why := cannotAct(m)
	if why == "" && m.closed() {
		return "the incident is closed; I opens it again"
	}
	return why
}

// hold keeps keys from acting right after the current step or item has changed
// under them, and a key that is held down from settling one after another.
type hold struct {
	until      time.Time
	generation int
	pending    bool // a message that ends it is to be asked for
}

// calmMsg ends a hold, or wakes a form, when keys were quiet for a while.
type calmMsg struct {
	hold int
	form *form
}

func (h *hold) begin(m *Model) {
	h.until = m.opt.Clock().Add(settle)
	h.generation++
	h.pending = true
}

func (h *hold) holds(m *Model) bool { return m.opt.Clock().Before(h.until) }

// calm is the command that ends a hold that has begun, if one has.
func (m *Model) calm() tea.Cmd {
	if !m.hold.pending {
		return nil
	}
	m.hold.pending = false
	generation := m.hold.generation
	return tea.Tick(settle, func(time.Time) tea.Msg { return calmMsg{hold: generation} })
}
