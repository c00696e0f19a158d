package ui

import (
	"context"
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
)

// offer offers to resume the incident that is open, if one is: the one in which
// something happened last.
func (m *Model) offer(msg listedMsg) {
	if msg.err != nil {
		m.say("the incidents cannot be listed: " + plain(msg.err.Error()))
		return
	}
	doubted := m.doubted
	m.doubted = false // the list is known
	m.listed = nil
	for _, one := range msg.all {
		switch {
		case one.Trouble != "" && one.Closed.IsZero():
			m.say("incident " + plain(one.ID) + " cannot be read: " + plain(one.Trouble))
		case one.Closed.IsZero():
			m.listed = append(m.listed, one)
		}
	}
	slices.SortFunc(m.listed, func(a, b incident.Listed) int { return b.LastAt.Compare(a.LastAt) })
	if doubted && len(m.listed) == 0 && m.message == "" {
		m.say("no incident is open: it was not declared; I declares it")
	}
	if len(m.listed) == 0 || m.book != nil || m.opening != "" {
		return
	}
	last := m.listed[0]
	now := m.opt.Clock()
	d := &dialog{
		title: "Incident " + plain(last.ID) + " is open",
		body: []string{
			plain(last.Severity) + ": " + plain(last.Summary),
			fmt.Sprintf("began %s, last event %s", hourOf(last.Started, now), hourOf(last.LastAt, now)),
		},
		buttons: []button{{"Resume", resume(last.ID)}, {"Not now", nil}},
	}
	if last.Drill != "" {
		d.body[0] = "DRILL " + plain(last.Drill) + ", " + d.body[0]
	}
	if w := plain(last.Writer); w != "" {
		d.body = append(d.body, w+" writes it: this console would only follow.")
		d.buttons[0].label = "Follow"
	}
	if n := len(m.listed) - 1; n > 0 {
		d.body = append(d.body, fmt.Sprintf("%d more are open; the palette (:) lists them.", n))
	}
	m.later(d)
}

// resume opens an incident that is kept.
func resume(id string) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd {
		if why := m.pending(); why != "" {
			m.say("not now, " + why)
			return nil
		}
		return m.openBook("opening incident "+plain(id),
			func(ctx context.Context) (Book, error) { return m.opt.Casebook.Open(ctx, id) },
			func(m *Model) tea.Cmd {
				m.remind("resumed")
				if !m.kase.Writing {
					m.say("read-only: " + cannotRecord(m))
				}
				return nil
			})
	}
}

// cannotTakeOver says why this console cannot become the one that writes.
func cannotTakeOver(m *Model) string {
	switch {
	case !m.declared():
		return "no incident is open here"
	case m.kase.Writing:
		return "this console writes"
	case m.opt.Casebook == nil:
		return "nothing keeps incidents here"
	case m.opening != "":
		return m.opening + " is under way"
	}
	return m.pending()
}

// takeOver opens the incident anew: for writing, when nobody else does any more.
func takeOver(m *Model) tea.Cmd {
	if why := cannotTakeOver(m); why != "" {
		m.say("read-only: " + why)
		return nil
	}
	return resume(m.kase.State.Declared.ID)(m)
}
