package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// recovering is a console in the middle of an incident, with a Recovery; its commands
// are run at once, but for those that wait.
func recovering(t *testing.T, th *theme.Theme, width, height int) (*Model, *healer) {
	t.Helper()
	m := midway(t, th, width, height)
	m.recall.text = ""
	h := newHealer(func() time.Time { return m.opt.Clock() })
	m.opt.Recovery = h
	given := at
	m.opt.Clock = func() time.Time { return given }
	m.recovery.polled = time.Time{}
	t.Cleanup(func() { m.stopAsking() })
	rest := func() { given = given.Add(2 * grace); m.View() }
	resting[m] = rest
	t.Cleanup(func() { delete(resting, m) })
	obey(m, m.loadProcedures())
	return m, h
}

// resting lets the clock of a console go on.
var resting = map[*Model]func(){}

// obey runs a command and what it brings about; what would wait is left out.
func obey(m *Model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	got := make(chan tea.Msg, 1)
	go func() { got <- cmd() }()
	var msg tea.Msg
	select {
	case msg = <-got:
	case <-time.After(50 * time.Millisecond):
		return // it waits for something
	}
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, one := range msg {
			obey(m, one)
		}
	default:
		_, next := m.Update(msg)
		m.View()
		if _, ok := msg.(progressMsg); !ok {
			obey(m, next)
		}
	}
}

// act presses keys with what they bring about. "…" lets the clock go on, and what
// begins with a blank is typed.
func act(m *Model, names ...string) {
	for _, k := range names {
		if k == "…" {
			resting[m]()
			continue
		}
		if text, ok := strings.CutPrefix(k, " "); ok && text != "" {
			for _, c := range text {
				_, cmd := m.Update(press(strings.Replace(string(c), " ", "space", 1)))
				m.View()
				obey(m, cmd)
			}
			continue
		}
		_, cmd := m.Update(press(k))
		m.View()
		obey(m, cmd)
	}
}

// arm makes changes possible at once.
func (h *healer) on(m *Model) {
	a, _ := h.Arm(m.pump.ctx)
	m.recovery.arming = a
}

// half is a run in the middle of its steps.
func half(p *plan.Plan, now time.Time) plan.Progress {
	run := plan.Progress{Run: p.ID, Plan: p, State: plan.RunActive, Started: now.Add(-84 * time.Second), LogPath: "/var/lib/warroom/incidents/2026-03-14-1/recovery.log"}
	for i := range p.Steps {
		s := plan.StepProgress{ID: p.Steps[i].ID, State: plan.Waiting}
		begin := run.Started.Add(time.Duration(i*20) * time.Second)
		switch {
		case i < 3:
			s.State, s.Started, s.Ended = plan.Done, begin, begin.Add(19*time.Second)
			s.Detail = "verified: what it should be"
		case i == 3:
			s.State, s.Started = plan.Running, begin
			s.Parts = []plan.Part{
				{Name: "replica-1", State: plan.Done}, {Name: "replica-2", State: plan.Running, Detail: "4 kB behind"}, {Name: "replica-3", State: plan.Failed, Detail: "no answer in 5s"},
				{Name: "replica-4", State: plan.Waiting},
			}
		}
		run.Steps = append(run.Steps, s)
	}
	run.Held = []plan.Held{{What: "advisory lock on app_user at db.company.com:5432", For: "this rotation, so that no other console rotates it"}}
	for i, l := range []string{"ok|the lock is held", "ok|stored under AWSPENDING, and read back", "info|the password of app_user is set at PostgreSQL Primary", "ok|logged in with it", "warn|replica-3 does not answer, it is asked again", "info|waiting for 3 replicas to replay 0/3A41F20"} {
		mark, text, _ := strings.Cut(l, "|")
		run.Log = append(run.Log, plan.Line{N: i + 1, At: run.Started.Add(time.Duration(i*14) * time.Second), Mark: mark, Text: text})
	}
	return run
}

// broken is a run that was left open, with the advice about it.
func broken(p *plan.Plan, now time.Time) (plan.Progress, plan.Advice) {
	run := half(p, now)
	run.State, run.Ended = plan.RunInterrupted, time.Time{}
	run.Steps[3].State, run.Steps[3].Parts = plan.Waiting, nil
	run.Steps[2].State, run.Steps[2].Ended, run.Steps[2].Detail = plan.Broken, time.Time{}, ""
	run.Held = nil
	run.Trouble, run.Next = "the console ended in the middle of step 3", "resume it, or roll it back"
	return run, plan.Advice{
		Run: p.ID, Procedure: p.Procedure, Target: p.Target, State: run.State, Step: "set", StepTitle: "Set the password of app_user",
		Effect: plan.Took, Found: "the server takes the password of AWSPENDING, and not that of AWSCURRENT",
		Recommended: plan.Resume, Reason: "the database has the new password already: three steps are left, and going back would change it once more",
		Possible: []plan.Mode{plan.Resume, plan.Back}, Impossible: map[plan.Mode]string{plan.Abandon: "AWSCURRENT would hold a password that the database refuses"},
	}
}

// recoverViews puts the console into every state of recovery in turn.
var recoverViews = []struct {
	name string
	set  func(*Model, *healer)
	keys []string
}{
	{"recover", nil, []string{"4"}},
	{"recover-targets", nil, []string{"4", "down", "enter", "down"}},
	{"recover-refused", nil, []string{"4", "down", "enter", "down", "down", "down", "enter"}},
	{"recover-options", nil, []string{"4", "down", "enter", "down", "enter"}},
	{"recover-open", leftOpen, []string{"4"}},
	{"recover-way", leftOpen, []string{"4", "down", "down"}},
	{"recover-over", overAll, []string{"4", "end"}},
	{"plan", nil, []string{"4", "down", "enter", "down", "enter", "…", "enter", "enter"}},
	{"plan-armed", armIt, []string{"4", "down", "enter", "down", "enter", "…", "enter", "enter"}},
	{"plan-asks", armIt, apiKey},
	{"plan-end", armIt, append(apiKey[:len(apiKey):len(apiKey)], "end")},
	{"consent", armIt, append(apiKey[:len(apiKey):len(apiKey)], "enter", "…", "right", "tab", " hunter2-CANARY-9f3e")},
	{"confirm", armIt, []string{"4", "down", "enter", "down", "enter", "…", "enter", "enter", "enter"}},
	{"confirm-name", armIt, append(consented[:len(consented):len(consented)], "…", "tab", " prod/api/pay")},
	{"run", running, []string{"4", "enter"}},
	{"run-open", leftOpen, []string{"4", "enter"}},
	{"run-ways", leftOpen, []string{"4", "enter", "enter"}},
	{"run-done", overAll, []string{"4", "end", "enter"}},
	{"run-stop", running, []string{"4", "enter", "X"}},
	{"run-quit", running, []string{"q"}},
	{"arm", nil, []string{"!"}},
	{"armed", armIt, []string{"!"}},
	{"recover-help", nil, []string{"4", "?"}},
}

var apiKey = []string{"4", "down", "down", "enter", "down", "enter"}

var consented = append(apiKey[:len(apiKey):len(apiKey)], "enter", "…", "right", "tab", " "+canary, "tab", " the provider has no second key", "tab", "paste", "enter")

func armIt(m *Model, h *healer) { h.on(m) }

func leftOpen(m *Model, h *healer) {
	p, _ := h.Plan(m.pump.ctx, plan.Request{Procedure: "rotate-database", Target: "prod/db/postgres"})
	run, advice := broken(p, m.opt.Clock())
	h.mu.Lock()
	h.advice = []plan.Advice{advice}
	h.tell(run)
	h.mu.Unlock()
	runs, _ := h.Next(m.pump.ctx)
	obey(m, m.progressed(runs))
}

func running(m *Model, h *healer) {
	h.on(m)
	p, _ := h.Plan(m.pump.ctx, plan.Request{Procedure: "rotate-database", Target: "prod/db/postgres"})
	h.mu.Lock()
	h.tell(half(p, m.opt.Clock()))
	h.mu.Unlock()
	runs, _ := h.Next(m.pump.ctx)
	obey(m, m.progressed(runs))
	m.recovery.selected = ""
	m.keepCursor()
}

func overAll(m *Model, h *healer) {
	running(m, h)
	h.change(func(p *plan.Progress) {
		p.State, p.Ended, p.Held = plan.RunDone, m.opt.Clock(), nil
		for i := range p.Steps {
			p.Steps[i].State, p.Steps[i].Parts = plan.Done, nil
			if p.Steps[i].Started.IsZero() {
				p.Steps[i].Started = m.opt.Clock().Add(-5 * time.Second)
			}
			p.Steps[i].Ended = p.Steps[i].Started.Add(4 * time.Second)
		}
		p.Next = "restart the services that use it: restart-services prod/db/postgres"
	})
	runs, _ := h.Next(m.pump.ctx)
	obey(m, m.progressed(runs))
}

// recovered is a console in one of the states.
func recovered(t *testing.T, th *theme.Theme, width, height, i int) (*Model, *healer) {
	t.Helper()
	v := recoverViews[i]
	m, h := recovering(t, th, width, height)
	if v.set != nil {
		set := v.set
		set(m, h)
	}
	for _, k := range v.keys {
		if k == "paste" {
			m.Update(tea.PasteMsg{Content: armored + "\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n"})
			m.View()
			continue
		}
		act(m, k)
	}
	return m, h
}

func TestGoldenRecovery(t *testing.T) {
	for _, th := range []string{theme.Default, theme.NoColor} {
		for _, size := range [][2]int{{80, 24}, {100, 30}, {160, 45}} {
			for i, v := range recoverViews {
				name := fmt.Sprintf("recovery-%s-%dx%d-%s", v.name, size[0], size[1], th)
				t.Run(name, func(t *testing.T) {
					chosen, err := theme.Choose(th, false)
					if err != nil {
						t.Fatal(err)
					}
					m, _ := recovered(t, chosen, size[0], size[1], i)
					exact(t, name, m)
					golden(t, name, readable(m.View().Content, th == theme.Default))
				})
			}
		}
	}
}
