package ui

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
)

// recorder hands events to the book, one batch after another in the order of the
// keys: a batch waits until the one before it is durable. Nobody is told that
// something happened before it is recorded.
type recorder struct {
	queue []batch // the first is under way when busy
	busy  bool
	since time.Time // when it was handed over
	from  uint64    // the last event of the incident then
	hand  *handed
}

// handed is something that a command of its own does and that must be known of
// even when the console ends meanwhile. Whoever begins it does it.
type handed struct {
	begun  atomic.Bool
	result chan error // holds one
}

func newHanded() *handed { return &handed{result: make(chan error, 1)} }

func (h *handed) begin() bool { return h.begun.CompareAndSwap(false, true) }

// batch is what one key recorded, or what the console noticed by itself.
type batch struct {
	what   string // in words: "note"
	events []incident.Event
	auto   bool                 // nobody pressed a key for it
	then   func(*Model) tea.Cmd // once it is recorded; may be nil
	post   *post                // the update that goes out once this is recorded; nil for none
}

type recordedMsg struct {
	book Book
	kase *incident.Case
	err  error
}

// human is how many batches of keys are not recorded yet.
func (r *recorder) human() int {
	n := 0
	for i := range r.queue {
		if !r.queue[i].auto {
			n++
		}
	}
	return n
}

// record queues what a key did.
func (m *Model) record(what string, events []incident.Event, then func(*Model) tea.Cmd) tea.Cmd {
	return m.enqueue(batch{what: what, events: m.answered(events), then: then})
}

func (m *Model) enqueue(b batch) tea.Cmd {
	if len(b.events) == 0 {
		return nil
	}
	m.rec.queue = append(m.rec.queue, b)
	m.touch()
	return m.handOver()
}

// handOver hands the next batch to the book, if none is under way.
func (m *Model) handOver() tea.Cmd {
	if m.rec.busy || len(m.rec.queue) == 0 {
		return nil
	}
	m.rec.busy, m.rec.since, m.rec.from, m.rec.hand = true, m.opt.Clock(), m.head(), newHanded()
	book, events, hand := m.book, m.rec.queue[0].events, m.rec.hand
	return m.guard.command("recording", func() tea.Msg {
		if !hand.begin() {
			return nil // the console has ended, and this is recorded on the way out
		}
		err := book.Record(m.lasting, events...)
		hand.result <- err
		return recordedMsg{book, book.Case(), err}
	})
}

// head is the number of the last event that is known of.
func (m *Model) head() uint64 {
	if m.kase == nil || m.kase.State == nil {
		return 0
	}
	return m.kase.State.Head
}

// recorded goes on after a batch.
func (m *Model) recorded(msg recordedMsg) tea.Cmd {
	if msg.book != m.book || !m.rec.busy {
		return nil
	}
	done := m.rec.queue[0]
	m.rec.queue, m.rec.busy = m.rec.queue[1:], false
	m.touch()
	var cmds []tea.Cmd
	if msg.err != nil {
		m.takeCase(msg.kase)
		if done.auto {
			m.notices.failed(m, done.events, msg.err)
		} else {
			m.notRecorded(done, msg.err)
		}
		return m.handOver()
	}
	m.takeCase(msg.kase)
	if done.auto {
		m.notices.told(m)
	} else {
		m.say("recorded: " + done.what)
	}
	if done.then != nil {
		cmds = append(cmds, done.then(m))
	}
	if m.leaving && len(m.unrecorded()) == 0 {
		return tea.Quit
	}
	return tea.Batch(append(cmds, m.handOver(), m.tell())...)
}

// notRecorded says that a batch was not recorded, or that this is not known, until
// that is answered. What was queued behind it was pressed in the belief that it was:
// it waits too. An update that was to be sent is not: w sends it.
func (m *Model) notRecorded(b batch, err error) {
	m.stay()
	all := []batch{b}
	rest := m.rec.queue[:0:0]
	for _, one := range m.rec.queue {
		if one.auto {
			rest = append(rest, one)
		} else {
			all = append(all, one)
		}
	}
	m.rec.queue = rest
	l := &lostBatches{book: m.book, from: m.rec.from, unsure: errors.Is(err, incident.ErrUnsure), why: plain(err.Error())}
	for _, one := range all {
		if one.post == nil {
			l.batches = append(l.batches, one)
			continue
		}
		l.unsent = append(l.unsent, one.what)
		m.posting, m.draft.sending = nil, ""
		if l.unsure && one.post == b.post {
			l.unsure = false // an intent alone sends nothing
		}
	}
	m.later(l.dialog())
}

// stay takes back that the console ends once everything is recorded.
func (m *Model) stay() {
	if m.mode == modeDialog && m.dialog.leaves {
		m.close()
	}
	m.leaving = false
}

// slowRecord is how long a batch may take before the footer counts the seconds.
const slowRecord = 2 * time.Second

// recording says what is under way; empty when nothing of a person is.
func (m *Model) recording() string {
	for i := range m.rec.queue {
		b := &m.rec.queue[i]
		if b.auto {
			continue
		}
		text := "recording: " + b.what + m.theme.Glyphs.Ellipsis
		if took := m.live.Now.Sub(m.rec.since).Truncate(time.Second); m.rec.busy && took >= slowRecord {
			text += fmt.Sprintf(" %s, not recorded yet", took)
		}
		return text
	}
	return ""
}

// unrecorded lists what keys did that is not recorded yet.
func (m *Model) unrecorded() []string {
	var out []string
	if m.opening != "" {
		out = append(out, m.opening)
	}
	for i := range m.rec.queue {
		if !m.rec.queue[i].auto {
			out = append(out, m.rec.queue[i].what)
		}
	}
	if m.posting != nil && m.posting.sending {
		out = append(out, "what becomes of the update that is being sent to "+plain(m.posting.place))
	}
	return out
}

// pending says why nothing may take the place of the incident that is open: what
// waits to be recorded would be lost. Empty when nothing does.
func (m *Model) pending() string {
	switch {
	case m.posting != nil:
		return "an update is being sent to " + plain(m.posting.place)
	case len(m.rec.queue) > 0:
		return "something is still being recorded"
	}
	return ""
}
