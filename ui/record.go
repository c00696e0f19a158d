package ui

import (
	"fmt"
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
}

// batch is what one key recorded, or what the console noticed by itself.
type batch struct {
	what   string // in words: "note"
	events []incident.Event
	auto   bool                 // nobody pressed a key for it
	then   func(*Model) tea.Cmd // once it is recorded; may be nil
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
	m.rec.busy, m.rec.since = true, m.opt.Clock()
	book, events := m.book, m.rec.queue[0].events
	return m.guard.command("recording", func() tea.Msg {
		err := book.Record(m.pump.ctx, events...)
		return recordedMsg{book, book.Case(), err}
	})
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
	if m.leaving && m.rec.human() == 0 {
		return tea.Quit
	}
	return tea.Batch(append(cmds, m.handOver(), m.tell())...)
}

// notRecorded says that a batch was not recorded until that is answered. What
// was queued behind it was pressed in the belief that it was: it waits too.
func (m *Model) notRecorded(b batch, err error) {
	m.stay()
	lost := []batch{b}
	rest := m.rec.queue[:0:0]
	for _, one := range m.rec.queue {
		if one.auto {
			rest = append(rest, one)
		} else {
			lost = append(lost, one)
		}
	}
	m.rec.queue = rest
	body := []string{plain(err.Error()), ""}
	for i, one := range lost {
		if i == 4 && len(lost) > 5 {
			body = append(body, fmt.Sprintf("and %d more", len(lost)-i))
			break
		}
		body = append(body, "not recorded: "+one.what)
	}
	body = append(body, "", "None of this has happened as far as the journal knows.")
	m.later(&dialog{
		title: "NOT RECORDED", body: body,
		buttons: []button{{"Leave it", nil}, {"Try again", func(m *Model) tea.Cmd {
			var cmds []tea.Cmd
			for _, one := range lost {
				cmds = append(cmds, m.enqueue(one))
			}
			return tea.Batch(cmds...)
		}}},
	})
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
	return out
}
