package ui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/plan"
	"warroom/panes"
)

// showRecover shows what there is to recover, with the cursor where it was.
func (m *Model) showRecover() tea.Cmd {
	m.showView(modeRecover)
	if r := &m.recovery; !r.moved {
		r.selected, r.scroll = "", 0 // on what comes first now
	}
	m.keepCursor()
	return tea.Batch(m.loadProcedures(), m.adviseMissing())
}

// adviseMissing probes what was left open and has no advice yet.
func (m *Model) adviseMissing() tea.Cmd {
	for _, run := range openRuns(m.recovery.runs) {
		if m.adviceOf(run) == nil {
			return m.advise()
		}
	}
	return nil
}

// recoverView is the list as it is drawn.
func (m *Model) recoverView() panes.RecoverView {
	r := &m.recovery
	v := panes.RecoverView{
		Loaded: r.loaded, Procedures: r.procedures, Targets: r.targets, Runs: r.runs, Advice: r.advice, Probing: r.advising,
		Unadvised: r.unsaid, Ready: r.ready, Expanded: r.expanded, Selected: r.selected, Scroll: r.scroll,
	}
	if m.opt.Recovery == nil {
		v.Off = noRecovery
	}
	if a := r.asking; a != nil {
		v.Busy = "planning " + m.requestSaid(a.request) + m.theme.Glyphs.Ellipsis
	}
	return v
}

// keepCursor keeps the cursor on an item that there is. When the one that it was on
// has gone, keys wait until that was seen.
func (m *Model) keepCursor() {
	r := &m.recovery
	v := m.recoverView()
	items := panes.RecoverItems(&v)
	if len(items) == 0 || slices.ContainsFunc(items, func(it panes.RecoverItem) bool { return it.ID == r.selected }) {
		return
	}
	to := items[0].ID
	if r.selected != "" {
		m.hold.begin(m)
		// A run that went on or ended is still the same run.
		_, run, _ := strings.Cut(r.selected, "/")
		run, _, _ = strings.Cut(run, "/")
		for i := range items {
			if items[i].Run == run && run != "" {
				to = items[i].ID
				break
			}
		}
	}
	r.selected, r.scroll = to, 0
	m.touch()
}

// firstCursor puts a cursor that nobody moved on what comes first now. Keys wait until
// that was seen.
func (m *Model) firstCursor() {
	r := &m.recovery
	v := m.recoverView()
	items := panes.RecoverItems(&v)
	if m.mode != modeRecover || r.moved || len(items) == 0 || items[0].ID == r.selected {
		return // where the list is not shown, showing it does this
	}
	r.selected, r.scroll = items[0].ID, 0
	m.hold.begin(m)
	m.touch()
}

// recoverAt is the item under the cursor; ok is false when there is none.
func (m *Model) recoverAt() (it panes.RecoverItem, ok bool) {
	v := m.recoverView()
	items := panes.RecoverItems(&v)
	i := slices.IndexFunc(items, func(it panes.RecoverItem) bool { return it.ID == v.Selected })
	if i < 0 {
		return it, false
	}
	return items[i], true
}

func (m *Model) recoverMove(by int) {
	r := &m.recovery
	v := m.recoverView()
	items := panes.RecoverItems(&v)
	if len(items) == 0 {
		return
	}
	i := slices.IndexFunc(items, func(it panes.RecoverItem) bool { return it.ID == v.Selected })
	r.selected, r.scroll, r.moved = items[max(0, min(i+by, len(items)-1))].ID, 0, true
	m.touch()
}

// recoverSide opens or closes the targets of a procedure.
func (m *Model) recoverSide(open bool) {
	r := &m.recovery
	it, ok := m.recoverAt()
	if !ok || it.Procedure == "" || it.Kind == panes.RecoverDue {
		return
	}
	id := "procedure/" + it.Procedure
	if r.expanded == nil {
		r.expanded = map[string]bool{}
	}
	if !open {
		r.selected = id
	}
	r.expanded[id] = open
	m.touch()
}

func (m *Model) scrollRecover(by int) {
	b := m.layout().body
	_, total, sight := panes.Recover(m.frameOf(b.w, b.h), m.recoverView())
	m.recovery.scroll = max(0, min(m.recovery.scroll+by, total-sight))
	m.touch()
}

// recoverLeave stops the planning, closes the targets, or leads back to the planes.
func (m *Model) recoverLeave() {
	r := &m.recovery
	if r.asking != nil {
		m.stopAsking()
		m.say("planning was stopped; nothing was changed")
		return
	}
	if it, ok := m.recoverAt(); ok && it.Procedure != "" && it.Kind != panes.RecoverDue && r.expanded["procedure/"+it.Procedure] {
		m.recoverSide(false)
		return
	}
	m.showView(modePlanes)
}

// recoverEnter does what the item under the cursor is for.
func recoverEnter(m *Model) tea.Cmd {
	it, ok := m.recoverAt()
	if !ok {
		return nil
	}
	m.recovery.moved = true // it was chosen
	switch it.Kind {
	case panes.RecoverOpen, panes.RecoverRunning, panes.RecoverEnded:
		m.showRun(it.Run)
	case panes.RecoverWay:
		return m.planWay(it.Run, it.Mode)
	case panes.RecoverReady:
		m.showView(modePlan)
	case panes.RecoverProcedure:
		m.recoverSide(!m.recovery.expanded[it.ID])
		if m.recovery.expanded[it.ID] {
			return m.loadProcedures()
		}
	case panes.RecoverTarget, panes.RecoverDue:
		return m.planTarget(it.Procedure, it.Target)
	}
	return nil
}

// cannotRecoverEnter refuses what cannot be done to the item under the cursor.
func cannotRecoverEnter(m *Model) string {
	switch {
	case m.opt.Recovery == nil:
		return noRecovery
	case m.hold.holds(m):
		return "what is under the cursor has just changed: look, then press again"
	}
	it, ok := m.recoverAt()
	switch {
	case !ok && !m.recovery.loaded:
		return "what can be done is being read"
	case !ok:
		return "nothing is under the cursor"
	case it.Kind == panes.RecoverTarget || it.Kind == panes.RecoverDue:
		if t := m.targetOf(it.Procedure, it.Target); t != nil && !t.Ready {
			return plain(t.Note)
		}
		return cannotPlan(m)
	case it.Kind == panes.RecoverWay:
		return cannotPlan(m)
	}
	return ""
}

func (m *Model) targetOf(procedure, id string) *plan.Target {
	list := m.recovery.targets[procedure]
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

func (m *Model) aboutOf(procedure string) *plan.About {
	for i := range m.recovery.procedures {
		if m.recovery.procedures[i].Name == procedure {
			return &m.recovery.procedures[i]
		}
	}
	return nil
}

// cannotPlan says why no plan can be made now.
func cannotPlan(m *Model) string {
	switch {
	case m.opt.Recovery == nil:
		return noRecovery
	case !m.frozen.IsZero():
		return "the frame is frozen; z shows live data"
	case m.recovery.asking != nil:
		return "a plan is being made; esc stops that"
	case m.recovery.start != nil:
		return "a run is about to begin"
	}
	return ""
}

// planTarget plans a procedure for a target, after its options where it has any.
func (m *Model) planTarget(procedure, target string) tea.Cmd {
	ask := plan.Request{Procedure: procedure, Target: target}
	about := m.aboutOf(procedure)
	if about == nil || len(about.Options) == 0 {
		return m.askPlan(ask)
	}
	f := &form{title: "Options: " + plain(about.Title), button: "Plan it", body: []string{plain(target), "Nothing is changed by a plan."}}
	for _, o := range about.Options {
		if len(o.Words) > 0 {
			words := make([]string, len(o.Words))
			for i := range o.Words {
				words[i] = plain(o.Words[i])
			}
			f.body = append(f.body, plain(o.Name)+": "+plain(o.Summary))
			f.fields = append(f.fields, pick(plain(o.Name), max(slices.Index(o.Words, o.Default), 0), words...))
			continue
		}
		f.fields = append(f.fields, line(plain(o.Name), o.Default, plain(o.Summary), ""))
	}
	f.submit = func(m *Model, f *form) (tea.Cmd, error) {
		if why := cannotPlan(m); why != "" {
			return nil, errRefused(why)
		}
		ask.Options = map[string]string{}
		for i, o := range about.Options {
			switch one := f.fields[i]; {
			case len(o.Words) > 0:
				ask.Options[o.Name] = o.Words[one.chosen]
			case one.text() != "":
				ask.Options[o.Name] = one.text()
			}
		}
		return m.askPlan(ask), nil
	}
	return m.fill(f)
}

// planWay plans one way out of a run that was left open.
func (m *Model) planWay(run string, way plan.Mode) tea.Cmd {
	ask := plan.Request{Mode: way, Of: run}
	if p := m.runOf(run); p != nil && p.Plan != nil {
		ask.Procedure, ask.Target, ask.Options = p.Plan.Procedure, p.Plan.Target, p.Plan.Options
	} else if a := m.adviceOf(run); a != nil {
		ask.Procedure, ask.Target = a.Procedure, a.Target
	}
	return m.askPlan(ask)
}

// requestSaid is what a plan is asked for, in words.
func (m *Model) requestSaid(ask plan.Request) string {
	s := plain(ask.Procedure) + " " + plain(ask.Target)
	if ask.Mode != "" && ask.Mode != plan.Forward {
		s = string(ask.Mode) + " of " + s
	}
	return s
}

// askPlan asks for a plan. It reads the systems and takes its time; esc stops it.
func (m *Model) askPlan(request plan.Request) tea.Cmd {
	m.stopAsking()
	ctx, stop := context.WithCancel(m.pump.ctx)
	a := &asking{request: request, stop: stop}
	m.recovery.asking = a
	m.say("planning " + m.requestSaid(request) + ": it reads the systems and changes nothing")
	m.touch()
	return m.guard.command("planning", func() tea.Msg {
		defer stop()
		p, err := m.opt.Recovery.Plan(ctx, request)
		return plannedMsg{a, p, err}
	})
}

func (m *Model) stopAsking() {
	if a := m.recovery.asking; a != nil {
		a.stop()
		m.recovery.asking = nil
		m.touch()
	}
}

// planned shows the plan that was made, or says why none was.
func (m *Model) planned(msg plannedMsg) {
	r := &m.recovery
	if msg.of != r.asking {
		return // it was stopped
	}
	r.asking = nil
	switch {
	case msg.err != nil:
		m.later(&dialog{
			title:   "NO PLAN: " + m.requestSaid(msg.of.request),
			body:    []string{plain(msg.err.Error()), "", "Nothing was changed."},
			buttons: []button{{"Close", nil}},
		})
		return
	case msg.plan == nil:
		m.say("no plan was made of " + m.requestSaid(msg.of.request))
		return
	}
	r.ready, r.of, r.planRows = msg.plan, msg.of.request, 0
	m.keepCursor()
	if m.mode.view() && (m.view == modeRecover || m.view == modePlan || m.view == modeRun) {
		m.message = ""
		m.showView(modePlan)
		return
	}
	m.say(fmt.Sprintf("the plan of %s is made; 4 shows it", m.requestSaid(msg.of.request)))
}

// checkRecover reads again what can be done, and probes what was left open.
func checkRecover(m *Model) tea.Cmd {
	m.say("reading again what can be done")
	return tea.Batch(m.loadProcedures(), m.advise())
}

func cannotRecover(m *Model) string {
	if m.opt.Recovery == nil {
		return noRecovery
	}
	return ""
}
