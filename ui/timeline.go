package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
	"warroom/panes"
)

// timelinePlace is which part of the journal is shown. While the newest is shown,
// it follows what comes in.
type timelinePlace struct {
	page     incident.Page
	head     uint64 // of the case that page was read for
	selected uint64 // 0 for the newest
	text     string
	kinds    int // index into kindGroups
	query    incident.Query
	loading  bool
	stale    bool // something was recorded, or asked for, that page does not show
}

// pageSize is how many events are read at a time.
const pageSize = 100

// kindGroups are the kinds of event that can be shown alone.
var kindGroups = []struct {
	name  string
	kinds []incident.Kind
}{
	{"", nil},
	{"what people did", []incident.Kind{
		incident.KindDeclared, incident.KindSeverity, incident.KindRole, incident.KindRecovered, incident.KindClosed, incident.KindReopened, incident.KindCorrected,
		incident.KindNode, incident.KindItem, incident.KindAssigned, incident.KindNote, incident.KindDecision, incident.KindUpdate, incident.KindMeasure,
		incident.KindArmed, incident.KindGrant,
	}},
	{"what was changed from here", []incident.Kind{incident.KindArmed, incident.KindGrant, incident.KindIntent, incident.KindOutcome, incident.KindRun}},
	{"notes and decisions", []incident.Kind{incident.KindNote, incident.KindDecision}},
	{"status updates", []incident.Kind{incident.KindUpdate}},
	{"steps and ticks", []incident.Kind{incident.KindNode, incident.KindItem}},
	{"readings and evidence", []incident.Kind{incident.KindReading, incident.KindSensed, incident.KindOverrun}},
	{"temporary measures", []incident.Kind{incident.KindMeasure}},
	{"consoles and journal", []incident.Kind{incident.KindConsole, incident.KindJournal, incident.KindClock, incident.KindAck, incident.KindUnreadable}},
}

type pageMsg struct {
	book  Book
	query incident.Query
	text  string
	kinds int
	head  uint64
	page  incident.Page
	err   error
}

// showTimeline opens the timeline at its newest event.
func (m *Model) showTimeline() {
	m.showView(modeTimeline)
	m.line.query, m.line.selected, m.line.stale = incident.Query{}, 0, true
	m.touch()
}

// following reports whether the newest events are shown.
func (p *timelinePlace) following() bool { return p.query.Before == 0 && p.query.After == 0 }

// refreshTimeline notes that the journal has grown.
func (m *Model) refreshTimeline() {
	if m.line.following() && m.kase.State.Head != m.line.head {
		m.line.stale = true
	}
}

// loadTimeline reads the part of the journal that is to be shown, when it is shown
// and was not read yet.
func (m *Model) loadTimeline() tea.Cmd {
	p := &m.line
	if m.view != modeTimeline || !p.stale || p.loading || !m.declared() || !m.frozen.IsZero() {
		return nil
	}
	p.stale, p.loading = false, true
	m.touch()
	q := p.query
	q.Limit, q.Kinds, q.Text = pageSize, kindGroups[p.kinds].kinds, p.text
	msg := pageMsg{book: m.book, query: p.query, text: p.text, kinds: p.kinds, head: m.kase.State.Head}
	return m.guard.command("reading the timeline", func() tea.Msg {
		msg.page, msg.err = msg.book.Page(m.pump.ctx, q)
		return msg
	})
}

// tookPage shows a page, if it is still the one that was asked for.
func (m *Model) tookPage(msg pageMsg) {
	p := &m.line
	if msg.book != m.book {
		return
	}
	p.loading = false
	m.touch()
	if msg.err != nil {
		if m.pump.ctx.Err() == nil {
			m.say("the timeline cannot be read: " + plain(msg.err.Error()))
		}
		return
	}
	if msg.text != p.text || msg.kinds != p.kinds || msg.query.Before != p.query.Before || msg.query.After != p.query.After {
		p.stale = true
		return
	}
	p.page, p.head = msg.page, msg.head
	if events := p.page.Events; len(events) > 0 && p.selected != 0 {
		if !slices.ContainsFunc(events, func(e incident.Event) bool { return e.Seq == p.selected }) {
			p.selected = events[len(events)-1].Seq
			if msg.query.After != 0 {
				p.selected = events[0].Seq
			}
		}
	}
	if !p.page.Later && p.query.After != 0 {
		p.query = incident.Query{} // the end was reached: follow again
	}
}

// timelineMove moves the cursor, and reads on where the page ends.
func (m *Model) timelineMove(by int) {
	p := &m.line
	events := p.page.Events
	if len(events) == 0 {
		return
	}
	at := slices.IndexFunc(events, func(e incident.Event) bool { return e.Seq == p.selected })
	if at < 0 {
		at = len(events) - 1
	}
	at += by
	m.touch()
	switch {
	case at < 0 && p.page.Earlier:
		p.query = incident.Query{Before: events[0].Seq}
		p.selected = events[0].Seq - 1
		p.stale = true
		return
	case at >= len(events) && p.page.Later:
		p.query = incident.Query{After: events[len(events)-1].Seq}
		p.selected = events[len(events)-1].Seq + 1
		p.stale = true
		return
	}
	at = max(0, min(at, len(events)-1))
	p.selected = events[at].Seq
	if at == len(events)-1 && p.following() {
		p.selected = 0
	}
}

// timelineEnd goes to the newest event, or to the first one of the journal.
func (m *Model) timelineEnd(last bool) {
	p := &m.line
	p.query, p.selected, p.stale = incident.Query{}, 0, true
	if !last {
		// The first event is the declaration. A page before the hundred-and-first
		// holds it; of those that a search lets through, the first after it.
		p.query, p.selected = incident.Query{Before: pageSize + 1}, 1
		if p.text != "" || p.kinds != 0 {
			p.query = incident.Query{After: 1}
		}
	}
	m.touch()
}

// timelineKinds shows other kinds of event.
func (m *Model) timelineKinds() {
	p := &m.line
	p.kinds = (p.kinds + 1) % len(kindGroups)
	p.query, p.selected, p.stale = incident.Query{}, 0, true
	m.touch()
}

// timelineSearch shows the events whose text holds what was typed.
func (m *Model) timelineSearch(text string) {
	p := &m.line
	p.text, p.query, p.selected, p.stale = text, incident.Query{}, 0, true
	m.touch()
}

// timelineLeave clears the search, and when there is none goes back.
func (m *Model) timelineLeave() {
	p := &m.line
	if p.text != "" || p.kinds != 0 {
		p.kinds = 0
		m.timelineSearch("")
		return
	}
	m.showView(modePlanes)
}

// timelineView is the timeline as it is drawn.
func (m *Model) timelineView() panes.TimelineView {
	p := &m.line
	return panes.TimelineView{Page: p.page, Selected: p.selected, Filter: p.text, Kinds: kindGroups[p.kinds].name, Loading: p.loading}
}

// copyTimeline puts the events that are shown on the clipboard, and the whole head of
// the journal, for noting elsewhere.
func copyTimeline(m *Model) tea.Cmd {
	var b strings.Builder
	for i := range m.line.page.Events {
		e := &m.line.page.Events[i]
		who := e.By
		if who == "" {
			who = "-"
		}
		b.WriteString(e.At.UTC().Format("2006-01-02 15:04:05Z") + "  " + plain(who) + "  " + plain(incident.Tell(e, m.runbook())) + "\n")
	}
	if m.kase != nil && m.kase.Head != "" {
		b.WriteString("Journal " + plain(m.kase.Head) + "\n")
	}
	return m.copyText("the timeline and its head", b.String())
}

// copyText puts text on the clipboard with the same masks as the screen.
func (m *Model) copyText(what, text string) tea.Cmd {
	if m.share {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = panes.Mask(lines[i])
		}
		text = strings.Join(lines, "\n")
	}
	m.say("copied " + what + ", if the terminal lets programs copy (OSC 52)")
	return tea.SetClipboard(m.opt.scrub(text))
}
