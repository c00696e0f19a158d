package ui

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/diagnosis"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

// midway is a console in the middle of an incident, seven minutes after T0.
func midway(t *testing.T, th *theme.Theme, width, height int) *Model {
	t.Helper()
	r := newRoom()
	r.w = crisis()
	r.clock.now = at.Add(-7 * time.Minute)
	r.senses.set("rotation.logs", diagnosis.Finding{Stance: diagnosis.Unread, Value: "logs:FilterLogEvents is denied"})
	r.senses.set("secrets.tested", finding(diagnosis.Against, "2 of 3 refused", at.Add(-20*time.Second)))
	r.senses.set("failure.network", finding(diagnosis.Against, "every endpoint answers", at.Add(-20*time.Second)))
	d, err := incident.Declare("ic-1", incident.Declared{
		Severity: runbook.SEV2, Summary: "orders fail for everyone", Started: at.Add(-7 * time.Minute), Environment: "production", Drill: "db-rotation",
		Roles: map[incident.Role]string{incident.Commander: "ic-1", incident.Scribe: "ops-2"},
	}, r.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	book, err := lent{r.shelf, "ic-1@bridge (process 4711)"}.Declare(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	r.clock.pass(30 * time.Second)
	act := func(f func(b *incident.Board) ([]incident.Event, error)) {
		t.Helper()
		now := r.clock.Now()
		b := incident.NewBoard(book.Case().State, r.shelf.rb, r.senses.sense(nil, now), now)
		events, err := f(b)
		if err == nil {
			err = book.Record(t.Context(), append(events, b.Notices()...)...)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.clock.pass(40 * time.Second)
	}
	for range 3 {
		act(func(b *incident.Board) ([]incident.Event, error) { return b.Step("ic-1", "") })
	}
	act(func(b *incident.Board) ([]incident.Event, error) {
		return b.Tick("ic-1", b.Item, incident.Evidence{Typed: "3", With: "ops-2"}, "")
	})
	act(func(b *incident.Board) ([]incident.Event, error) {
		return b.Note("ops-2", "checkout is back in eu-west-1")
	})
	act(func(b *incident.Board) ([]incident.Event, error) {
		return b.Decide("ic-1", "fail over to the backup user", "fastest way back")
	})
	act(func(b *incident.Board) ([]incident.Event, error) {
		return b.OpenMeasure("ic-1", incident.Measure{Kind: incident.MeasureAccess, What: "break-glass login to the database", Who: "ops-2", Reason: "the old user is refused", Until: at.Add(time.Hour)})
	})
	r.clock.mu.Lock()
	r.clock.now = at
	r.clock.mu.Unlock()
	o := r.options()
	o.Derive = nil
	o.Theme, o.Book = th, book
	m := alone(o)
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return m
}

// incidentViews puts the console into every view and form of an incident in turn.
var incidentViews = []struct {
	name string
	keys []string
}{
	{"incident-planes", nil},
	{"incident-flow", []string{"2"}},
	{"incident-matrix", []string{"2", "tab"}},
	{"incident-step", []string{"2", "enter"}},
	{"incident-checklist", []string{"5"}},
	{"incident-timeline", []string{"7"}},
	{"incident-brief", []string{"8"}},
	{"incident-measures", []string{"M"}},
	{"incident-update", []string{"U"}},
	{"incident-menu", []string{"I"}},
	{"incident-note", []string{"m", "o", "k"}},
	{"incident-override", []string{"5", "space"}},
	{"incident-mark", []string{"2", "v"}},
	{"incident-send", []string{"U", "w"}},
	{"incident-help", []string{"2", "?"}},
}

func TestGoldenIncident(t *testing.T) {
	for _, th := range []string{theme.Default, theme.NoColor} {
		for _, size := range [][2]int{{80, 24}, {100, 30}, {160, 45}} {
			for _, v := range incidentViews {
				name := fmt.Sprintf("%s-%dx%d-%s", v.name, size[0], size[1], th)
				t.Run(name, func(t *testing.T) {
					chosen, err := theme.Choose(th, false)
					if err != nil {
						t.Fatal(err)
					}
					m := midway(t, chosen, size[0], size[1])
					m.recall.text = ""
					perform(m, v.keys...)
					exact(t, name, m)
					golden(t, name, readable(m.View().Content, th == theme.Default))
				})
			}
		}
	}
}

// perform presses keys and does at once what they ask of the incident.
func perform(m *Model, names ...string) {
	for _, k := range names {
		_, cmd := m.Update(press(k))
		follow(m, cmd)
	}
}

// follow runs the commands that read a page; the others would wait.
func follow(m *Model, cmd tea.Cmd) {
	if cmd == nil || !m.line.loading {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, one := range msg {
			follow(m, one)
		}
	default:
		m.Update(msg)
	}
}

// TestIncidentViewsAreExact draws every view of an incident at many sizes.
func TestIncidentViewsAreExact(t *testing.T) {
	ascii, _ := theme.Choose(theme.ASCII, false)
	for _, v := range incidentViews {
		t.Run(v.name, func(t *testing.T) {
			m := midway(t, ascii, 100, 30)
			perform(m, v.keys...)
			for width := 40; width <= 220; width += 3 {
				m.Update(tea.WindowSizeMsg{Width: width, Height: []int{24, 30, 45}[width%3]})
				exact(t, fmt.Sprintf("%s at %d", v.name, width), m)
			}
			for _, s := range [][2]int{{20, 5}, {500, 200}, {1, 1}, {2, 2}, {7, 4}, {10, 1}, {1, 40}, {79, 24}, {80, 23}, {280, 60}} {
				m.Update(tea.WindowSizeMsg{Width: s[0], Height: s[1]})
				exact(t, fmt.Sprintf("%s at %d×%d", v.name, s[0], s[1]), m)
			}
		})
	}
}
