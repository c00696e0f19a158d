package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/incident"
)

// When an incident started and when service was back are said here: from the first
// every clock counts, from the second the due dates of the days after. Both are
// easily mistyped, so both show what they were taken for, and can be corrected.

// longPast is from when on a start is asked for twice.
const longPast = 6 * time.Hour

// startField asks when an incident started.
type startField struct {
	*field
	agreed string // what was typed when its age was pointed out
}

func askStart(value string) *startField {
	f := line("Started", value, howPast, "")
	f.means = meansPast
	return &startField{field: f}
}

// at reads the start. One that is long ago is asked for a second time: a mistyped
// hour moves every clock of the incident.
func (s *startField) at(now time.Time) (time.Time, error) {
	t, err := past(s.text(), now)
	if err != nil {
		return t, &fieldError{s.field, err.Error()}
	}
	if age := now.Sub(t); age > longPast && s.agreed != s.text() {
		s.agreed = s.text()
		return t, &fieldError{s.field, fmt.Sprintf("that is %s ago, %s: once more if it is right", long(age), t.UTC().Format("Mon 2 Jan 15:04 UTC"))}
	}
	return t, nil
}

// correctForm corrects the start or the summary of the incident.
func correctForm(m *Model) tea.Cmd {
	d := &m.kase.State.Declared
	began := stamp(d.Started)
	started := askStart(began)
	summary := line("Summary", plain(d.Summary), "what fails for whom, in one line", "say in a line what fails for whom")
	reason := line("Reason", "", "what says that it was otherwise", "a correction needs a reason")
	return m.fill(&form{title: "Correct the start or the summary", button: "Correct", fields: []*field{started.field, summary, reason},
		body: []string{"T0, from which every clock counts, is " + d.Started.UTC().Format("Mon 2 Jan 15:04:05 UTC") + ". What was recorded stays in the timeline."},
		submit: acted("correction", func(m *Model, _ *form) ([]incident.Event, error) {
			var at time.Time
			if started.text() != began {
				var err error
				if at, err = started.at(m.time()); err != nil {
					return nil, err
				}
			}
			text := summary.text()
			if text == plain(m.kase.State.Declared.Summary) {
				text = ""
			}
			return m.newest.Correct(m.opt.Operator, at, text, reason.text())
		})})
}

// recoverForm says that service is back. What still fails is put before the eyes
// of who says it, and a second time is told from the first.
func recoverForm(m *Model) tea.Cmd {
	note := line("Note", "", "what says that it is; needed while evidence speaks against it", "")
	body := []string{"From now on the due dates of the days after count."}
	if s := m.kase.State; !s.Recovered.IsZero() {
		note.required = "it was said before: say why the time is another one"
		body = []string{"Said at " + hourOf(s.Recovered, m.time()) + " already: this corrects the time to now. The due dates of the days after move with it."}
	}
	body = append(body, m.stillFail()...)
	return m.fill(&form{title: "Service is back", button: "Service is back", fields: []*field{note}, final: true, body: body,
		submit: acted("service is back", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.Recover(m.opt.Operator, note.text())
		})})
}

// fewFail is how many components that fail are named.
const fewFail = 4

// stillFail says what fails now; nothing when nothing does.
func (m *Model) stillFail() []string {
	r := m.live.Readings
	var names []string
	n := 0
	for i := range r.All {
		if r.All[i].Status != estate.Fail {
			continue
		}
		if n++; n <= fewFail {
			names = append(names, m.name(r.All[i].ID))
		}
	}
	if n == 0 {
		return nil
	}
	text := fmt.Sprintf("%d still FAIL: %s", n, strings.Join(names, ", "))
	if n == 1 {
		text = "1 still FAILS: " + names[0]
	}
	if n > fewFail {
		text += fmt.Sprintf(" and %d more", n-fewFail)
	}
	return []string{text}
}
