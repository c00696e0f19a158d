package ui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
)

// What is done with an item of the checklist. The key acts on the item under the
// cursor; what was drawn as its evidence goes along, and when that has changed the
// act is refused.

// tick settles the item: at once when its evidence says that it is so; otherwise
// it asks for the value, the reason, or what a person has seen.
func tick(m *Model) tea.Cmd {
	id := m.listItem()
	i, _, _ := itemOf(m.board, id)
	if i == nil {
		return nil
	}
	b := m.newest
	stance := i.Finding.Stance
	plainTick := i.Call || stance == diagnosis.For && !b.NeedsValue(id)
	if plainTick || i.Status.Settled() {
		return m.acted("ticked: "+plain(i.Item.Text), func() ([]incident.Event, error) {
			return b.Tick(m.opt.Operator, id, drawnOf(i), "")
		})
	}
	return tickForm(m, i, id)
}

// drawnOf is the evidence of an item as it is drawn; what is longer than evidence may
// be is not compared.
func drawnOf(i *incident.ItemView) incident.Evidence {
	e := incident.Evidence{Stance: i.Finding.Stance.String()}
	if v := i.Finding.Value; i.Finding.Stance != diagnosis.NoSensor && len([]rune(v)) <= mostText {
		e.Value = v
	}
	return e
}

// acted records what an act returns, or says why it is refused.
func (m *Model) acted(what string, act func() ([]incident.Event, error)) tea.Cmd {
	events, err := act()
	if err != nil {
		m.say(plain(err.Error()))
		return nil
	}
	m.list = listPlace{} // on to what is current now
	return m.record(what, events, nil)
}

func tickForm(m *Model, i *incident.ItemView, id string) tea.Cmd {
	b := m.newest
	stance, drawn := i.Finding.Stance, drawnOf(i)
	f := &form{title: "Tick: " + plain(i.Item.Text), button: "Tick", body: []string{evidenceLine(&i.Finding)}}
	if i.Item.Expect != "" {
		f.body = append(f.body, "Expected: "+plain(i.Item.Expect))
	}
	value, reason := &field{}, &field{}
	seen, with := line("Note or link", "", "what says that it is done; may stay empty", ""), named("Confirmed by", "", "a second person; may stay empty", "")
	if b.NeedsValue(id) {
		value = line("Observed value", "", "type what you read", "type the value that you see")
		f.fields = append(f.fields, value)
	}
	if why := b.NeedsReason(id); why != "" {
		f.title = "Override: " + plain(i.Item.Text)
		f.button = "Override"
		f.final = true
		f.body = append(f.body, "Ticking it all the same is an override: it stays visible as one.")
		reason = line("Reason", "", "why it counts as done all the same", "an override needs a reason")
		f.fields = append(f.fields, reason)
	}
	f.fields = append(f.fields, seen)
	if i.Item.Killer {
		f.fields = append(f.fields, with)
	}
	f.submit = func(m *Model, f *form) (tea.Cmd, error) {
		if why := cannotRecord(m); why != "" {
			return nil, &incident.Refusal{Why: why}
		}
		e := drawn
		e.Typed, e.With = value.text(), with.text()
		e.Note, e.Link = noteOrLink(seen.text())
		if stance == diagnosis.NoSensor {
			e.Value, e.Typed = value.text(), value.text()
		}
		events, err := m.newest.Tick(m.opt.Operator, id, e, reason.text())
		if err != nil {
			return nil, err
		}
		m.list = listPlace{}
		return m.record("ticked: "+plain(i.Item.Text), events, nil), nil
	}
	return m.fill(f)
}

// noteOrLink tells a link from a note.
func noteOrLink(s string) (note, link string) {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		if !strings.ContainsAny(s, " \t") {
			return "", s
		}
	}
	return s, ""
}

// asideForm asks why an item is skipped, or does not apply.
func asideForm(skip bool) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd {
		id := m.listItem()
		i, _, _ := itemOf(m.newest, id)
		if i == nil {
			return nil
		}
		title, button, what := "Not applicable: ", "Not applicable", "not applicable: "
		if skip {
			title, button, what = "Skip: ", "Skip", "skipped: "
		}
		text := plain(i.Item.Text)
		f := &form{title: title + text, button: button, body: []string{evidenceLine(&i.Finding)}}
		if i.Item.Killer {
			f.final = true
			f.body = append(f.body, "Leaving this one out has ended badly before.")
		}
		reason := line("Reason", "", "why", "it needs a reason")
		f.fields = []*field{reason}
		f.submit = acted(what+text, func(m *Model, _ *form) (events []incident.Event, err error) {
			if skip {
				events, err = m.newest.Skip(m.opt.Operator, id, reason.text())
			} else {
				events, err = m.newest.NA(m.opt.Operator, id, reason.text())
			}
			if err == nil {
				m.list = listPlace{}
			}
			return events, err
		})
		return m.fill(f)
	}
}

// undo opens the item again: one more event, nothing is erased.
func undo(m *Model) tea.Cmd {
	id := m.listItem()
	i, _, _ := itemOf(m.newest, id)
	if i == nil {
		return nil
	}
	return m.acted("open again: "+plain(i.Item.Text), func() ([]incident.Event, error) {
		return m.newest.Undo(m.opt.Operator, id)
	})
}

// begin says that someone is at an item.
func begin(m *Model) tea.Cmd {
	id := m.listItem()
	i, _, _ := itemOf(m.newest, id)
	if i == nil {
		return nil
	}
	place := m.list
	cmd := m.acted("at it: "+plain(i.Item.Text), func() ([]incident.Event, error) {
		return m.newest.Start(m.opt.Operator, id)
	})
	m.list = place
	return cmd
}

// ownerForm asks who sees to an item, and until when.
func ownerForm(m *Model) tea.Cmd {
	id := m.listItem()
	i, phase, _ := itemOf(m.newest, id)
	if i == nil {
		return nil
	}
	owner := named("Owner", plain(i.Owner), "who sees to it", "")
	f := &form{title: "Owner: " + plain(i.Item.Text), button: "Assign", fields: []*field{owner}}
	due := &field{}
	if phase.Phase.Owned {
		due = line("Due", "", howFuture, "")
		if !i.Due.IsZero() {
			due.set(i.Due.UTC().Format("2006-01-02 15:04"))
		}
		f.fields = append(f.fields, due)
	}
	f.submit = acted("owner of "+plain(i.Item.Text), func(m *Model, _ *form) ([]incident.Event, error) {
		var until time.Time
		if due.text() != "" {
			t, err := future(due.text(), m.time())
			if same := !i.Due.IsZero() && t.Equal(i.Due.Truncate(time.Minute)); err != nil && !same {
				return nil, &fieldError{due, err.Error()}
			}
			until = t
		}
		return m.newest.Assign(m.opt.Operator, id, owner.text(), until)
	})
	return m.fill(f)
}

// checkItem reads again what an item rests on.
func checkItem(m *Model) tea.Cmd {
	i, _, _ := itemOf(m.board, m.listItem())
	if i == nil {
		return nil
	}
	facts := make([]estate.ID, 0, len(i.Finding.Facts))
	for j := range i.Finding.Facts {
		facts = append(facts, i.Finding.Facts[j].Component)
	}
	return m.checkFacts(plain(i.Item.Text), facts)
}
