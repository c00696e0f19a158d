package ui

import (
	"fmt"
	"time"

	"warroom/internal/incident"
)

// Someone who was interrupted is told where they were: interruptions are how
// steps are left out.
const (
	// idleFor is how long without a key counts as an interruption.
	idleFor = 90 * time.Second
	// awayFor is how long in another view does. A glance is none.
	awayFor = 10 * time.Second
)

// recall is where someone was before an interruption.
type recall struct {
	text string    // what they are told until they act; empty when there is nothing to tell
	last time.Time // of the last key
	left time.Time // when flow or checklist was left for another view; zero while one is shown
	from mode      // which of them was left
}

// works reports whether a view is one in which steps are worked through.
func works(v mode) bool { return v == modeFlow || v == modeNode || v == modeChecklist }

// turned hears of a change of view.
func (m *Model) turned(from, to mode) {
	now := m.opt.Clock()
	r := &m.recall
	switch {
	case works(from) && !works(to):
		r.left, r.from = now, from
	case works(to):
		if !r.left.IsZero() && now.Sub(r.left) >= awayFor {
			m.remind("")
		}
		r.left = time.Time{}
	}
	m.touch()
}

// pressed hears of a key.
func (m *Model) pressed() {
	now := m.opt.Clock()
	if last := m.recall.last; !last.IsZero() && now.Sub(last) >= idleFor {
		m.remind("")
	}
	m.recall.last = now
}

// idle reminds when no key came for a while, so that who comes back reads it
// before the first key.
func (m *Model) idle() {
	r := &m.recall
	if r.last.IsZero() {
		r.last = m.opt.Clock()
	}
	if r.text == "" && m.opt.Clock().Sub(r.last) >= idleFor {
		m.remind("")
		r.last = m.opt.Clock()
	}
}

// remind says where someone was. why is what comes before, if anything does.
func (m *Model) remind(why string) {
	b := m.newest
	if !m.writing() || m.closed() || b == nil { // who only follows does nothing to be reminded of
		return
	}
	at := m.whereabouts(b)
	if at == "" {
		return
	}
	if why != "" {
		why += ": "
	}
	m.recall.text = why + "you were at " + at
	m.touch()
}

// whereabouts is the current step or item, and what was done last.
func (m *Model) whereabouts(b *incident.Board) string {
	at := ""
	if b.Node != "" && !m.recall.checklist(m) {
		if n := nodeOf(b, b.Node); n != nil {
			at = "the step " + plain(n.Node.Title)
			if !n.Done.Entered.IsZero() {
				at += ", begun " + n.Done.Entered.UTC().Format("15:04")
			}
		}
	}
	if at == "" {
		if i, phase, place := itemOf(b, b.Item); i != nil {
			at = fmt.Sprintf("%d of %s, %s", place, plain(phase.Phase.Title), plain(i.Item.Text))
			if i.Owner != "" {
				at += ", waiting on " + plain(i.Owner)
			}
		}
	}
	if at == "" {
		return ""
	}
	if last := b.State.LastHuman; !last.At.IsZero() {
		at += "; last: " + plain(incident.Tell(&last, b.Runbook)) + " at " + last.At.UTC().Format("15:04")
	}
	return at
}

// checklist reports whether the checklist is what was being worked on.
func (r *recall) checklist(m *Model) bool {
	return m.view == modeChecklist || !r.left.IsZero() && r.from == modeChecklist
}

// answered is events with the answer to the reminder before them, when there was
// one: who acts has read it.
func (m *Model) answered(events []incident.Event) []incident.Event {
	text := m.recall.text
	if text == "" {
		return events
	}
	m.recall.text = ""
	m.touch()
	acked, err := m.newest.Acknowledge(m.opt.Operator, text)
	if err != nil {
		return events
	}
	return append(acked, events...)
}
