package ui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
	"warroom/panes"
)

// measureIDs lists the measures of the register, as they are drawn.
func (m *Model) measureIDs() []string {
	return panes.MeasureOrder(m.board)
}

// measureAt is the measure under the cursor: the first open one until it is moved.
func (m *Model) measureAt() string {
	ids := m.measureIDs()
	if slices.Contains(ids, m.measure) {
		return m.measure
	}
	if m.board != nil && m.board.State != nil {
		if open := m.board.State.Open(); len(open) > 0 {
			return open[0].ID
		}
	}
	if len(ids) > 0 {
		return ids[0]
	}
	return ""
}

func (m *Model) measureMove(by int) {
	ids := m.measureIDs()
	if at := slices.Index(ids, m.measureAt()) + by; at >= 0 && at < len(ids) {
		m.measure = ids[at]
	}
	m.touch()
}

// measureUnder finds the measure under the cursor.
func (m *Model) measureUnder() (incident.Measure, bool) {
	if m.newest == nil || m.newest.State == nil {
		return incident.Measure{}, false
	}
	for _, one := range m.newest.State.Measures {
		if one.ID == m.measureAt() {
			return one, true
		}
	}
	return incident.Measure{}, false
}

func cannotEndMeasure(m *Model) string {
	if why := cannotRecord(m); why != "" {
		return why
	}
	one, ok := m.measureUnder()
	switch {
	case !ok:
		return "the register is empty"
	case !one.Ended.IsZero():
		return "it has ended"
	}
	return ""
}

func openMeasureForm(m *Model) tea.Cmd {
	kinds := make([]string, len(incident.MeasureKinds))
	for i, k := range incident.MeasureKinds {
		kinds[i] = string(k)
	}
	kind := pick("Kind", 0, kinds...)
	what := line("What", "", "what is different from now on", "say what it is")
	who := named("Who", m.opt.Operator, "who answers for it", "someone answers for it")
	why := line("Why", "", "why it is needed", "say why it is needed")
	until := line("Until", "", howFuture+"; none for no end", "until when? none for no end")
	until.means = meansFuture
	return m.fill(&form{title: "Open a temporary measure", button: "Open", fields: []*field{kind, what, who, why, until},
		submit: acted("temporary measure", func(m *Model, _ *form) ([]incident.Event, error) {
			end, err := untilOf(until, m.time(), false)
			if err != nil {
				return nil, err
			}
			return m.newest.OpenMeasure(m.opt.Operator, incident.Measure{
				Kind: incident.MeasureKinds[kind.chosen], What: what.text(), Who: who.text(), Reason: why.text(), Until: end,
			})
		})})
}

func extendMeasureForm(m *Model) tea.Cmd {
	one, ok := m.measureUnder()
	if !ok {
		return nil
	}
	until := line("Until", "", howFuture, "until when?")
	until.means = meansFuture
	why := line("Why", "", "why it is still needed", "say why it is still needed")
	return m.fill(&form{title: "Extend " + plain(one.ID) + ": " + plain(one.What), button: "Extend", fields: []*field{until, why},
		submit: acted(one.ID+" extended", func(m *Model, _ *form) ([]incident.Event, error) {
			end, err := untilOf(until, m.time(), true)
			if err != nil {
				return nil, err
			}
			return m.newest.ExtendMeasure(m.opt.Operator, one.ID, end, why.text())
		})})
}

func endMeasureForm(m *Model) tea.Cmd {
	one, ok := m.measureUnder()
	if !ok {
		return nil
	}
	how := line("How", "", "how it was taken back; may stay empty", "")
	return m.fill(&form{title: "End " + plain(one.ID) + ": " + plain(one.What), button: "It is taken back", final: true, fields: []*field{how},
		body: []string{"Ending records that the measure was taken back. warroom does not take it back."},
		submit: acted(one.ID+" ended", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.EndMeasure(m.opt.Operator, one.ID, how.text())
		})})
}

// untilOf reads the end of a measure. One without an end is forgotten first, so it
// has none only when that was typed.
func untilOf(f *field, now time.Time, need bool) (time.Time, error) {
	if strings.EqualFold(f.text(), "none") && !need {
		return time.Time{}, nil
	}
	t, err := future(f.text(), now)
	if err != nil {
		return t, &fieldError{f, err.Error()}
	}
	return t, nil
}
