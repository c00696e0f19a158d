package ui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// desk is what the console knows and does of an incident. Update alone changes
// it; what takes time goes on in commands and comes back as messages.
type desk struct {
	book    Book
	kase    *incident.Case // the newest; nil before a declaration
	opening string         // what is being opened or declared, in words; empty when nothing is
	listed  []incident.Listed

	newest *incident.Board // of the live picture; nil without a runbook
	board  *incident.Board // as drawn: newest, or what it was when the frame froze

	rec      recorder
	posting  *post   // the update that is to go out, or is being sent; nil when none is
	opens    *handed // what opening says is under way
	doubted  bool    // whether an incident was declared is not known
	notices  notices
	hold     hold
	stepping *stepping
	asked    asked

	recall recall

	flow     flowPlace
	list     listPlace
	line     timelinePlace
	measure  string // the measure that the cursor was put on
	measures int    // rows scrolled
	draft    draft

	waiting []*dialog // what is asked as soon as a view is shown
	leaving bool      // the console ends once everything is recorded

	rev uint64 // changes with everything that footer and help depend on
}

// The messages of the desk. Each carries the book it is about: one of a book
// that was left means nothing any more.
type (
	openedMsg struct {
		book Book
		kase *incident.Case
		then func(*Model) tea.Cmd
		what string
		err  error
	}
	caseMsg struct {
		book Book
		kase *incident.Case
		err  error
	}
	againMsg  struct{ book Book } // ask for the next case again
	listedMsg struct {
		all []incident.Listed
		err error
	}
)

// pause is how long the console waits before it asks again what brought an error.
const pause = time.Second

// startDesk takes up the incident that the console was opened with, or looks
// whether one is open.
func (m *Model) startDesk() tea.Cmd {
	switch {
	case m.book != nil:
		m.remind("resumed")
		return m.nextCase()
	case m.opt.Casebook != nil:
		return listIncidents(m)
	}
	return nil
}

// listIncidents looks which incidents there are, and offers the one that is open.
func listIncidents(m *Model) tea.Cmd {
	return m.guard.command("listing the incidents", func() tea.Msg {
		all, err := m.opt.Casebook.List(m.pump.ctx)
		return listedMsg{all, err}
	})
}

// attend makes a book what the console works on.
func (m *Model) attend(book Book, k *incident.Case) {
	if m.kase == nil || m.kase.State == nil || k == nil || k.State == nil || m.kase.State.Declared.ID != k.State.Declared.ID {
		m.draft = draft{} // of another incident
	}
	m.book, m.kase = book, k
	m.rec, m.stepping, m.asked = recorder{}, nil, asked{}
	m.notices = notices{}
	m.line = timelinePlace{stale: true}
	m.flow, m.list = flowPlace{}, listPlace{}
	m.recovery.advice, m.recovery.unsaid = nil, ""
	m.rebuild()
	m.mergeRuns()
}

// nextCase waits for a newer case.
func (m *Model) nextCase() tea.Cmd {
	book := m.book
	return m.guard.command("following the incident", func() tea.Msg {
		k, err := book.Next(m.pump.ctx)
		if m.pump.ctx.Err() != nil {
			return nil
		}
		return caseMsg{book, k, err}
	})
}

// takeCase takes a case unless a newer one was taken already.
func (m *Model) takeCase(k *incident.Case) {
	if k == nil || k.State == nil {
		return
	}
	if m.kase != nil && m.kase.State != nil && k.State.Head < m.kase.State.Head {
		return
	}
	m.kase = k
	m.rebuild()
	m.mergeRuns()
	m.refreshTimeline()
}

// desked takes the messages of the desk; ok is false for any other.
func (m *Model) desked(msg tea.Msg) (cmd tea.Cmd, ok bool) {
	switch msg := msg.(type) {
	case caseMsg:
		if msg.book != m.book {
			return nil, true
		}
		if msg.err != nil {
			m.say("the incident is not followed: " + plain(msg.err.Error()))
			return tea.Tick(pause, func(time.Time) tea.Msg { return againMsg{msg.book} }), true
		}
		m.takeCase(msg.kase)
		return tea.Batch(m.nextCase(), m.tell()), true
	case againMsg:
		if msg.book != m.book {
			return nil, true
		}
		return m.nextCase(), true
	case openedMsg:
		return m.opened(msg), true
	case listedMsg:
		m.offer(msg)
		return nil, true
	case recordedMsg:
		return m.recorded(msg), true
	case lookedMsg:
		return m.looked(msg), true
	case elsewhereMsg:
		m.elsewhere(msg)
		return nil, true
	case pageMsg:
		m.tookPage(msg)
		return nil, true
	case sentMsg:
		return m.sent(msg), true
	case editMsg:
		return m.edit(msg), true
	case editedMsg:
		m.edited(msg)
		return nil, true
	case calmMsg:
		if msg.hold == m.hold.generation {
			m.hold.until = time.Time{}
		}
		if m.form != nil && msg.form == m.form {
			m.form.awake = true
		}
		m.touch()
		return nil, true
	}
	return nil, false
}

// rebuild makes the board anew: of the newest case, the newest picture and its
// time.
func (m *Model) rebuild() {
	rb := m.runbook()
	if rb == nil {
		return
	}
	var s *incident.State
	if m.kase != nil {
		s = m.kase.State
	}
	m.findOut(rb)
	m.newest = incident.NewBoard(s, rb, m.live.Findings, m.time())
	if m.kase != nil {
		m.newest.Journal = plain(m.kase.Head)
	}
	if m.frozen.IsZero() || m.board == nil {
		m.draw(m.newest)
	}
	m.touch()
}

// evidenced reports whether anything drawn or recorded rests on findings: without
// an incident that is only what the views of one show.
func (m *Model) evidenced() bool {
	return m.declared() || in(modeFlow, modeNode, modeChecklist, modeBrief, modeUpdate).has(m.view)
}

// findOut has the pump bring findings from now on, or no more. The first ones are
// made here, so that what is about to be drawn never claims that nothing senses it.
func (m *Model) findOut(rb *runbook.Runbook) {
	wanted := m.evidenced()
	m.pump.wanted.Store(wanted)
	if !wanted || m.opt.Sense == nil {
		return
	}
	if m.live.Findings == nil {
		m.live.Findings = m.opt.Sense(m.live.Readings, m.live.Now)
	}
	if m.frozen.IsZero() {
		m.shown.Findings = m.live.Findings
		return
	}
	if m.shown.Findings == nil { // it was frozen while nothing rested on them
		m.shown.Findings = m.opt.Sense(m.shown.Readings, m.shown.Now)
		if m.board != nil {
			frozen := incident.NewBoard(m.board.State, rb, m.shown.Findings, m.board.Now)
			frozen.Journal = m.board.Journal
			m.draw(frozen)
		}
	}
}

// time is what time it is for the incident: that of its events, where the book tells
// it. The wall clock may be set while the incident runs, and T+, budgets and promises
// must not jump with it.
func (m *Model) time() time.Time { return timeOf(m.book, m.live.Now) }

func timeOf(book Book, wall time.Time) time.Time {
	if c, ok := book.(interface{ Now() time.Time }); ok {
		return c.Now()
	}
	return wall
}

// draw makes a board what is drawn.
func (m *Model) draw(b *incident.Board) {
	before := m.board
	m.board = b
	if before != nil && (before.Item != b.Item || before.Node != b.Node) {
		m.hold.begin(m)
	}
}

func (m *Model) runbook() *runbook.Runbook {
	if m.book != nil {
		return m.book.Runbook()
	}
	return m.opt.Runbook
}

// declared reports whether there is an incident.
func (m *Model) declared() bool { return m.kase != nil && m.kase.State.IsDeclared() }

// writing reports whether this console records.
func (m *Model) writing() bool { return m.declared() && m.kase.Writing }

// closed reports whether the incident has ended.
func (m *Model) closed() bool { return m.declared() && !m.kase.State.Closed.IsZero() }

// touch has footer, help and what else depends on the desk drawn again.
func (m *Model) touch() { m.rev++ }

// open opens or declares an incident in a command of its own.
func (m *Model) openBook(what string, open func(context.Context) (Book, error), then func(*Model) tea.Cmd) tea.Cmd {
	m.opening, m.opens = what, newHanded()
	m.touch()
	hand := m.opens
	return m.guard.command(what, func() tea.Msg {
		if !hand.begin() {
			return nil // the console has ended
		}
		book, err := open(m.lasting)
		hand.result <- err
		if err != nil {
			return openedMsg{what: what, err: err}
		}
		return openedMsg{book, book.Case(), then, what, nil}
	})
}

// opened takes up the incident that was opened, or says why it was not.
func (m *Model) opened(msg openedMsg) tea.Cmd {
	m.opening, m.opens = "", nil
	m.touch()
	if errors.Is(msg.err, incident.ErrUnsure) {
		m.stay()
		m.doubted = msg.what == declaring
		m.later(&dialog{
			title:   "NOT KNOWN WHETHER IT WAS RECORDED",
			body:    []string{plain(msg.err.Error()), "", "NOT KNOWN whether it was recorded: " + msg.what + ".", "The list of incidents shows whether it is there: look before it is done again."},
			buttons: []button{{"Leave it", nil}, {"Look now", listIncidents}},
		})
		return nil
	}
	if msg.err != nil {
		m.stay()
		m.later(&dialog{
			title:   "Not done: " + msg.what,
			body:    []string{plain(msg.err.Error()), "", "Nothing was recorded."},
			buttons: []button{{"Close", nil}},
		})
		return nil
	}
	old := m.book
	m.attend(msg.book, msg.kase)
	cmds := []tea.Cmd{m.nextCase()}
	if old != nil {
		cmds = append(cmds, m.guard.command("leaving the incident", func() tea.Msg { _ = old.Close(); return nil }))
	}
	if msg.then != nil {
		cmds = append(cmds, msg.then(m))
	}
	if m.leaving {
		return tea.Quit // the declaration is recorded
	}
	return tea.Batch(append(cmds, m.tell())...)
}

// later asks as soon as a view is shown: what someone types is not interrupted.
func (m *Model) later(d *dialog) {
	m.waiting = append(m.waiting, d)
	m.askWaiting()
}

// askWaiting asks what waits to be asked, if a view is shown.
func (m *Model) askWaiting() {
	if len(m.waiting) > 0 && m.mode.view() {
		d := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.ask(d)
	}
}

// writer is who writes the incident that this console only follows, in words.
func (m *Model) writer() string {
	if w := plain(m.kase.Writer); w != "" {
		return w
	}
	return ""
}
