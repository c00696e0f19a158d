package ui

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
)

// lostBatches are what keys did and what is not recorded, the first of them
// perhaps: then it is offered again only after the journal was looked into, so that
// nothing is in it twice.
type lostBatches struct {
	book    Book
	batches []batch
	unsent  []string // updates that did not go out, in words
	from    uint64   // the last event before them
	unsure  bool     // whether the first is recorded is not known
	looked  string   // what the look into the journal has shown; empty before
	why     string
}

// lookedMsg brings what is in the journal after an event.
type lookedMsg struct {
	lost   *lostBatches
	kase   *incident.Case
	events []incident.Event
	err    error
}

// Bounds of a look: more than that is not recorded while someone thinks.
const (
	lookPage  = 500
	lookPages = 20
)

// dialog says what is not recorded, and offers what may be done about it.
func (l *lostBatches) dialog() *dialog {
	d := &dialog{title: "NOT RECORDED", body: []string{l.why, ""}, buttons: []button{{"Leave it", nil}}}
	if l.unsure {
		d.title = "NOT KNOWN WHETHER IT WAS RECORDED"
	}
	if l.looked != "" {
		d.body[0] = l.looked
	}
	for i, one := range l.batches {
		if i == 4 && len(l.batches) > 5 {
			d.body = append(d.body, fmt.Sprintf("and %d more", len(l.batches)-i))
			break
		}
		how := "not recorded: "
		if l.unsure && i == 0 {
			how = "NOT KNOWN whether it was recorded: "
		}
		d.body = append(d.body, how+one.what)
	}
	for _, what := range l.unsent {
		d.body = append(d.body, "not sent: "+what)
	}
	switch {
	case l.unsure && l.looked == "":
		d.body = append(d.body, "", "Look in the timeline before it is done again: 7, or here.")
		d.buttons = append(d.buttons, button{"Look now", l.look})
	case l.unsure:
		d.buttons = append(d.buttons, button{"Look again", l.look}, button{"Record it again", l.again})
	default:
		d.body = append(d.body, "", "None of this has happened as far as the journal knows.")
		if len(l.batches) > 0 {
			d.buttons = append(d.buttons, button{"Try again", l.again})
		}
	}
	return d
}

// again records them once more.
func (l *lostBatches) again(m *Model) tea.Cmd {
	if m.book != l.book {
		m.say("that was of another incident")
		return nil
	}
	var cmds []tea.Cmd
	for _, one := range l.batches {
		cmds = append(cmds, m.enqueue(one))
	}
	return tea.Batch(cmds...)
}

// look reads what is in the journal after the last event that was known then.
func (l *lostBatches) look(m *Model) tea.Cmd {
	m.say("looking into the journal")
	ctx := m.pump.ctx
	return m.guard.command("looking into the journal", func() tea.Msg {
		msg := lookedMsg{lost: l}
		q := incident.Query{After: max(l.from, 1), Limit: lookPage} // the first is the declaration
		for range lookPages {
			page, err := l.book.Page(ctx, q)
			msg.events, msg.err = append(msg.events, page.Events...), err
			if err != nil || !page.Later || len(page.Events) == 0 {
				break
			}
			q.After = page.Events[len(page.Events)-1].Seq
		}
		msg.kase = l.book.Case()
		return msg
	})
}

// looked takes what the journal holds: what is in it was recorded, and only what
// is not may be recorded again.
func (m *Model) looked(msg lookedMsg) tea.Cmd {
	l := msg.lost
	if m.book != l.book {
		return nil
	}
	if msg.err != nil {
		l.looked = "" // nothing was seen
		l.why = "the journal cannot be read: " + plain(msg.err.Error())
		m.later(l.dialog())
		return nil
	}
	m.takeCase(msg.kase)
	first := l.batches[0]
	missing := m.missing(first.events, msg.events)
	if len(missing) > 0 {
		l.looked = fmt.Sprintf("The journal was read at %s, and it is not in it.", m.opt.Clock().UTC().Format("15:04:05 UTC"))
		if len(missing) < len(first.events) {
			l.looked = "A part of it is in the journal; the rest is not."
		}
		l.batches[0].events = missing
		m.later(l.dialog())
		return nil
	}
	m.say("recorded all the same: " + first.what)
	var cmd tea.Cmd
	if first.then != nil {
		cmd = first.then(m)
	}
	if l.batches = l.batches[1:]; len(l.batches) > 0 || len(l.unsent) > 0 {
		l.unsure, l.looked = false, "What came before it was recorded all the same."
		m.later(l.dialog())
	}
	return cmd
}

// missing are the events that are not among those of the journal, by what they
// tell: kind, person and words.
func (m *Model) missing(wanted, there []incident.Event) []incident.Event {
	tell := func(e *incident.Event) string { return m.opt.scrub(incident.Tell(e, m.runbook())) }
	there = slices.Clone(there)
	var out []incident.Event
	for i := range wanted {
		w := &wanted[i]
		at := slices.IndexFunc(there, func(e incident.Event) bool { return e.Kind == w.Kind && e.By == w.By && tell(&e) == tell(w) })
		if at < 0 {
			out = append(out, *w)
			continue
		}
		there = slices.Delete(there, at, at+1)
	}
	return out
}
