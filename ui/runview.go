package ui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/plan"
	"warroom/panes"
)

// showRun shows one run.
func (m *Model) showRun(run string) {
	r := &m.recovery
	r.run, r.logUp, r.upper, r.stepsAt = run, 0, false, 0
	m.showView(modeRun)
	m.touch()
}

// runView is the run that is shown, as it is drawn.
func (m *Model) runView() panes.RunView {
	r := &m.recovery
	v := panes.RunView{Run: m.runOf(r.run), Advice: m.adviceOf(r.run), Probing: r.advising, Unsaid: r.unsaid, LogUp: r.logUp, Upper: r.upper, Scroll: r.stepsAt}
	if p := r.start; v.Run == nil && p != nil && p.ID == r.run {
		v.Starting = true
		v.Run = &plan.Progress{Run: p.ID, Plan: p, State: plan.RunActive}
		for i := range p.Steps {
			v.Run.Steps = append(v.Run.Steps, plan.StepProgress{ID: p.Steps[i].ID, State: plan.Waiting})
		}
	}
	return v
}

// scrollRun scrolls the steps of the run that is shown, or its log, up from its end.
func (m *Model) scrollRun(by int) {
	b, r := m.layout().body, &m.recovery
	_, size := panes.Run(m.frameOf(b.w, b.h), m.runView())
	if r.upper {
		r.stepsAt = max(0, min(r.stepsAt+by, size.Steps-size.StepsSight))
	} else {
		r.logUp = max(0, min(r.logUp-by, size.Log-size.LogSight))
	}
	m.touch()
}

// turnRun has the keys scroll the other half of the run view.
func (m *Model) turnRun() {
	m.recovery.upper = !m.recovery.upper
	m.touch()
}

// shownRun is the run that keys are about: that of the run view, or the one under the
// cursor of the list.
func (m *Model) shownRun() *plan.Progress {
	switch m.view {
	case modeRun:
		return m.runOf(m.recovery.run)
	case modeRecover:
		if it, ok := m.recoverAt(); ok && it.Run != "" {
			return m.runOf(it.Run)
		}
	}
	return nil
}

func cannotStop(m *Model) string {
	p := m.shownRun()
	switch {
	case m.opt.Recovery == nil:
		return noRecovery
	case p == nil:
		return "no run is under the cursor"
	case p.State != plan.RunActive:
		return "the run is over"
	case p.Stopping:
		return "it stops before its next step already"
	case m.underWay() == nil || m.underWay().Run != p.Run:
		return "it is not run by this console"
	}
	return ""
}

// stopRun asks whether a run is to stop.
func stopRun(m *Model) tea.Cmd {
	p := m.shownRun()
	run := p.Run
	m.ask(&dialog{
		title: "Stop before the next step?",
		body: []string{
			m.runSaid(p),
			"The step that is running is finished and verified first. What is done stays done; the run can be resumed, or rolled back where that is possible.",
		},
		buttons: []button{{"Let it go on", nil}, {"Stop before the next step", func(m *Model) tea.Cmd { return m.stopNow(run) }}},
	})
	return nil
}

func (m *Model) stopNow(run string) tea.Cmd {
	return m.guard.command("stopping a run", func() tea.Msg { m.opt.Recovery.Stop(run); return stopToldMsg{} })
}

// runSaid is a run in a line: what it does, and at which step it is.
func (m *Model) runSaid(p *plan.Progress) string {
	s := plain(p.Run)
	if p.Plan != nil {
		s = plain(p.Plan.Title)
	}
	for i := range p.Steps {
		if st := p.Steps[i].State; st == plan.Running || st == plan.Undoing {
			title := p.Steps[i].ID
			if p.Plan != nil {
				if step, ok := p.Plan.Step(title); ok {
					title = step.Title
				}
			}
			return fmt.Sprintf("%s: step %d of %d, %s", s, i+1, len(p.Steps), plain(title))
		}
	}
	return s
}

// runEnter offers the ways out of the run that is shown, when it was left open.
func runEnter(m *Model) tea.Cmd {
	p := m.shownRun()
	a := m.adviceOf(p.Run)
	d := &dialog{title: "What is to be done?", body: []string{m.runSaid(p), plain(a.Found)}, buttons: []button{{"Leave it as it is", nil}}}
	if a.Reason != "" {
		d.body = append(d.body, panes.ModeWord(a.Recommended)+" is recommended: "+plain(a.Reason))
	}
	d.body = append(d.body, "Each is planned first, and changes nothing before you confirm it.")
	run := p.Run
	for _, way := range a.Possible {
		d.buttons = append(d.buttons, button{panes.ModeWord(way), func(m *Model) tea.Cmd {
			if why := cannotPlan(m); why != "" {
				m.say("not now, " + why)
				return nil
			}
			return m.planWay(run, way)
		}})
	}
	m.ask(d)
	return nil
}

func cannotRunEnter(m *Model) string {
	p := m.shownRun()
	switch {
	case p == nil:
		return "the run is not known yet"
	case p.State == plan.RunActive:
		return "it is running; X stops it before its next step"
	case !p.State.Open():
		return "nothing is left to decide about it"
	case m.recovery.advising:
		return "the live system is being probed"
	case m.adviceOf(p.Run) == nil:
		return "it was not probed; r probes it"
	}
	return cannotPlan(m)
}

// checkRun probes again what was left open.
func checkRun(m *Model) tea.Cmd {
	m.say("probing what was left open")
	return m.advise()
}

func cannotCheckRun(m *Model) string {
	switch {
	case m.opt.Recovery == nil:
		return noRecovery
	case m.recovery.advising:
		return "the live system is being probed"
	case !m.writing():
		return cannotRecord(m)
	case len(openRuns(m.recovery.runs)) == 0:
		return "no run was left open"
	}
	return ""
}
