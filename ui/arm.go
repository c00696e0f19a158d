package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/plan"
	"warroom/panes"
)

// armedMsg brings what came of arming, or of ending it.
type armedMsg struct {
	arming plan.Arming
	off    bool // it was to end
	err    error
}

// cannotArm says why ! does nothing now.
func cannotArm(m *Model) string {
	switch {
	case m.opt.Recovery == nil:
		return noRecovery
	case m.recovery.turning:
		return "it is under way"
	case m.recovery.arming.On:
		return ""
	case !m.declared():
		return cannotDeclare(m)
	}
	return cannotManage(m)
}

// armNow says in the footer what ! does.
func armNow(m *Model) string {
	if m.recovery.arming.On {
		return "armed"
	}
	return ""
}

// armKey arms this console, or ends that; it asks first. Without an open incident one
// is declared before: what is changed belongs into a journal.
func armKey(m *Model) tea.Cmd {
	switch {
	case m.recovery.arming.On:
		m.ask(m.armedDialog("ARMED until " + m.recovery.arming.Until.UTC().Format("15:04 UTC")))
		return nil
	case !m.declared():
		return declareThen(m, func(m *Model) tea.Cmd {
			m.later(m.armDialog())
			return nil
		})
	}
	m.ask(m.armDialog())
	return nil
}

// armDialog asks whether changes are to be possible.
func (m *Model) armDialog() *dialog {
	d := &dialog{
		title: "Arm this console?",
		body: []string{
			"Changes become possible from here. Each still needs its plan and your confirmation.",
			"It ends by itself when no key is pressed for a while, and by ! at once.",
		},
		buttons: []button{{"Stay READ-ONLY", nil}, {"Arm", arm}},
	}
	if list := m.recovery.arming.Identities; len(list) > 0 {
		d.body = append(append(d.body, ""), m.identityLines(list)...)
	}
	return d
}

// armedDialog says as whom changes are made, and until when.
func (m *Model) armedDialog(title string) *dialog {
	a := &m.recovery.arming
	d := &dialog{title: title, buttons: []button{{"Stay armed", nil}, {"Disarm: READ-ONLY", disarm}}}
	d.body = append(d.body, "Changes are possible until "+a.Until.UTC().Format("15:04:05 UTC")+", and longer while keys are pressed. Each needs its plan and your confirmation.")
	if lines := m.identityLines(a.Identities); len(lines) > 0 {
		d.body = append(append(d.body, "", "As whom we act:"), lines...)
	}
	return d
}

// mostIdentities bounds how many identities a dialog lists.
const mostIdentities = 8

// identityLines say as whom we act on each system, and how long that lives.
func (m *Model) identityLines(list []plan.Identity) []string {
	f := m.frameOf(m.width, m.height)
	f.Now = m.opt.Clock()
	var out []string
	for i := range list {
		if i == mostIdentities {
			out = append(out, "and more: the plan lists those that it needs")
			break
		}
		out = append(out, plain(list[i].System)+": "+plain(panes.IdentitySaid(&list[i], f)))
	}
	return out
}

func arm(m *Model) tea.Cmd {
	if why := cannotArm(m); why != "" {
		m.say("not armed: " + why)
		return nil
	}
	m.recovery.turning = true
	m.say("arming: asking each system as whom we would act")
	return m.guard.command("arming", func() tea.Msg {
		a, err := m.opt.Recovery.Arm(m.lasting)
		return armedMsg{arming: a, err: err}
	})
}

func disarm(m *Model) tea.Cmd {
	m.recovery.turning = true
	return m.guard.command("disarming", func() tea.Msg {
		err := m.opt.Recovery.Disarm(m.lasting, "by key")
		return armedMsg{arming: m.opt.Recovery.Arming(), off: true, err: err}
	})
}

// armed shows what came of it.
func (m *Model) armed(msg armedMsg) tea.Cmd {
	r := &m.recovery
	r.turning = false
	m.touch()
	if msg.err != nil {
		title := "NOT ARMED"
		if msg.off {
			title = "NOT DISARMED"
			r.arming = msg.arming
		}
		m.later(&dialog{title: title, body: []string{plain(msg.err.Error())}, buttons: []button{{"Close", nil}}})
		return nil
	}
	was := r.arming.On
	r.arming = msg.arming
	switch {
	case msg.arming.On:
		m.later(m.armedDialog("ARMED until " + msg.arming.Until.UTC().Format("15:04 UTC")))
	case was:
		m.say("READ-ONLY: nothing can be changed from here any more")
	}
	return nil
}

// takeArming takes whether changes are possible; that it ended by itself is said.
func (m *Model) takeArming(a plan.Arming) {
	was := m.recovery.arming.On
	m.recovery.arming = a
	if was && !a.On && !m.recovery.turning {
		why := plain(a.Why)
		if why == "" {
			why = "it ended by itself"
		}
		m.say("READ-ONLY again: " + why)
	}
}

// armedFor is how long changes stay possible.
func (m *Model) armedFor() time.Duration { return m.recovery.arming.Until.Sub(m.live.Now) }
