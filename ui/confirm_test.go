package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/plan"
	"warroom/internal/theme"
	"warroom/panes"
)

// atConfirmation is a console with a confirmation that was looked at, armed.
func atConfirmation(t *testing.T, target string) (*Model, *healer) {
	t.Helper()
	th, err := theme.Choose("", false)
	if err != nil {
		t.Fatal(err)
	}
	m, h := recovering(t, th, 100, 30)
	h.on(m)
	if target == "prod/api/payment" {
		h.shape = func(p *plan.Plan) { // only the name is asked
			p.Warnings, p.Inputs, p.NeedsReason, p.Second = nil, nil, "", false
		}
	}
	procedure := "rotate-database"
	if target == "prod/api/payment" {
		procedure = "rotate-api-key"
	}
	m.showView(modeRecover)
	obey(m, m.askPlan(plan.Request{Procedure: procedure, Target: target}))
	if m.mode != modePlan {
		t.Fatalf("mode %s", m.mode)
	}
	act(m, "…", "enter")
	if m.mode != modeConfirm || m.recovery.confirm.on != panes.OnCancel {
		t.Fatalf("mode %s:\n%s", m.mode, screen(m))
	}
	return m, h
}

func began(t *testing.T, h *healer, want int, what string) {
	t.Helper()
	if got := len(h.starts()); got != want {
		t.Fatalf("%s: %d runs began, want %d", what, got, want)
	}
}

func TestKeysBeforeAConfirmationWasSeenDoNothing(t *testing.T) {
	m, h := atConfirmation(t, "prod/db/postgres")
	act(m, "tab", "enter", "right", "enter", "enter", "space")
	if m.mode != modeConfirm || m.recovery.confirm.on != panes.OnCancel {
		t.Fatalf("keys typed ahead moved it: mode %s", m.mode)
	}
	began(t, h, 0, "typed ahead")
	act(m, "…", "tab", "enter")
	began(t, h, 1, "looked at, moved and pressed")
	if m.mode != modeRun {
		t.Errorf("mode %s", m.mode)
	}
}

// TestAKeyHeldDownNeverConfirms holds enter down, on terminals that tell so and on
// those that do not.
func TestAKeyHeldDownNeverConfirms(t *testing.T) {
	for _, tells := range []bool{true, false} {
		for _, place := range []panes.ConfirmPlace{panes.OnCancel, panes.OnButton} {
			m, h := atConfirmation(t, "prod/db/postgres")
			now := m.opt.Clock()
			m.opt.Clock = func() time.Time { return now }
			m.recovery.confirm.on = place
			for i := range 300 {
				k := press("enter")
				k.IsRepeat = tells && i > 0
				_, cmd := m.Update(k)
				m.View()
				obey(m, cmd)
				now = now.Add(33 * time.Millisecond)
			}
			began(t, h, 0, fmt.Sprintf("held down, told %v, on %d", tells, place))
			if m.mode != modeConfirm {
				t.Errorf("told %v, on %d: mode %s", tells, place, m.mode)
			}
		}
	}
}

func TestResizingAConfirmationStartsTheWaitAnew(t *testing.T) {
	m, h := atConfirmation(t, "prod/db/postgres")
	act(m, "…", "tab")
	if m.recovery.confirm.on != panes.OnButton {
		t.Fatal("tab did not move")
	}
	m.Update(tea.WindowSizeMsg{Width: 90, Height: 26})
	act(m, "enter") // pressed for a frame that is gone
	began(t, h, 0, "resized")
	m.View()
	act(m, "enter")
	began(t, h, 0, "right after a resize")
	m.Update(tea.WindowSizeMsg{Width: 40, Height: 8})
	m.View()
	act(m, "…", "tab", "enter")
	began(t, h, 0, "in a frame too small for it")
	if m.mode != modeConfirm {
		t.Fatalf("mode %s", m.mode)
	}
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	m.View()
	act(m, "…", "tab", "enter")
	began(t, h, 1, "whole again, and looked at")
}

func TestTheNameHasToBeTyped(t *testing.T) {
	m, h := atConfirmation(t, "prod/api/payment")
	act(m, "…")
	m.Update(tea.PasteMsg{Content: "prod/api/payment"}) // not typed
	act(m, "tab")
	m.Update(tea.PasteMsg{Content: "prod/api/payment"})
	act(m, "tab", "enter")
	began(t, h, 0, "pasted")
	act(m, "tab", " prod/api/payment", "enter") // enter in the field goes nowhere
	began(t, h, 0, "enter behind the name")
	act(m, "tab", "enter")
	began(t, h, 1, "typed")
	if got := h.starts()[0].Typed; got != "prod/api/payment" {
		t.Errorf("typed %q", got)
	}
}

func TestAConfirmationThatNoLongerHolds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Model, *healer)
		says   string
	}{
		"expired": {func(m *Model, _ *healer) {
			late := m.opt.Clock().Add(10 * time.Minute)
			m.opt.Clock = func() time.Time { return late }
		}, "expired"},
		"disarmed": {func(m *Model, _ *healer) { m.Update(armingMsg{plan.Arming{Why: "no key for 15 minutes"}}) }, "READ-ONLY"},
		"changed": {func(m *Model, h *healer) {
			h.mu.Lock()
			h.plans["plan-1"].Steps[0].Calls = []string{"DROP DATABASE"}
			h.mu.Unlock()
		}, "the plan has changed"},
		"replaced": {func(m *Model, h *healer) {
			p, _ := h.Plan(m.pump.ctx, plan.Request{Procedure: "rotate-database", Target: "prod/db/analytics"})
			m.recovery.ready = p
		}, "the plan has changed"},
		"closed": {func(m *Model, _ *healer) {
			s := *m.kase.State
			s.Closed = at
			k := *m.kase
			k.State = &s
			m.kase = &k
		}, "the incident is closed"},
		"frozen": {func(m *Model, _ *healer) { m.frozen = at }, "frozen"},
	} {
		t.Run(name, func(t *testing.T) {
			m, h := atConfirmation(t, "prod/db/postgres")
			act(m, "…", "tab")
			c.change(m, h)
			act(m, "enter")
			began(t, h, 0, name)
			if s := screen(m); m.mode != modeConfirm || !strings.Contains(s, c.says) {
				t.Errorf("mode %s, the screen lacks %q:\n%s", m.mode, c.says, s)
			}
		})
	}
}

func TestARunThatDoesNotStartSaysWhy(t *testing.T) {
	m, h := atConfirmation(t, "prod/db/postgres")
	h.startErr = errors.New("AWSCURRENT of prod/db/postgres is version 91c2 by now: make the plan anew")
	act(m, "…", "tab", "enter")
	began(t, h, 1, "refused")
	if s := screen(m); !strings.Contains(s, "NOT STARTED") || !strings.Contains(s, "version 91c2 by now") {
		t.Fatalf("the screen is:\n%s", s)
	}
	act(m, "…", "right", "enter")
	if m.mode != modePlan || m.recovery.ready == nil || m.recovery.ready.ID != "plan-2" {
		t.Errorf("it was not planned again: mode %s", m.mode)
	}
	began(t, h, 1, "planned again")
}

func TestACancelledPlanIsForgotten(t *testing.T) {
	th, _ := theme.Choose("", false)
	m, h := recovering(t, th, 100, 30)
	h.on(m)
	act(m, append(apiKey[:len(apiKey):len(apiKey)], "enter", "…", "tab", " "+canary)...)
	f := m.form
	if f == nil || string(f.fields[1].value) != canary {
		t.Fatalf("mode %s", m.mode)
	}
	value := f.fields[1].value
	act(m, "esc")
	if f.fields[1].value != nil || strings.Contains(string(value), "CANARY") {
		t.Error("what was typed is still in memory of the form")
	}
	if strings.Contains(screen(m), "CANARY") {
		t.Error("the screen shows it")
	}
}

// TestPresenceIsToldAtMostOnceASecond presses keys while armed and not.
func TestPresenceIsToldAtMostOnceASecond(t *testing.T) {
	th, _ := theme.Choose("", false)
	m, h := recovering(t, th, 100, 30)
	now := m.opt.Clock()
	m.opt.Clock = func() time.Time { return now }
	for range 10 {
		act(m, "down")
	}
	if h.touches != 0 {
		t.Errorf("told %d times while READ-ONLY", h.touches)
	}
	h.on(m)
	for range 50 {
		act(m, "down")
		now = now.Add(100 * time.Millisecond)
	}
	if h.touches < 4 || h.touches > 6 {
		t.Errorf("told %d times in 5 seconds", h.touches)
	}
}

// TestRecoveryIsExact draws every state of recovery at many sizes, also with hostile
// texts, and masked.
func TestRecoveryIsExact(t *testing.T) {
	th, _ := theme.Choose("", false)
	ascii, _ := theme.Choose(theme.ASCII, false)
	for i, v := range recoverViews {
		t.Run(v.name, func(t *testing.T) {
			m, _ := recovered(t, th, 100, 30, i)
			m.opt.Scrub = scrubCanary
			for width := 40; width <= 220; width += 7 {
				m.Update(tea.WindowSizeMsg{Width: width, Height: []int{24, 30, 45}[width%3]})
				exact(t, fmt.Sprintf("%s at %d", v.name, width), m)
			}
			m.theme = ascii
			for _, s := range [][2]int{{20, 5}, {300, 100}, {1, 1}, {2, 2}, {7, 4}, {10, 1}, {1, 40}, {79, 24}, {80, 23}, {280, 60}} {
				m.Update(tea.WindowSizeMsg{Width: s[0], Height: s[1]})
				exact(t, fmt.Sprintf("%s at %d×%d", v.name, s[0], s[1]), m)
			}
			m.theme, m.share = th, true
			m.Update(tea.WindowSizeMsg{Width: 160, Height: 60})
			s := screen(m)
			for _, hidden := range []string{"111122223333", "company.com", "arn:aws"} {
				if strings.Contains(s, hidden) {
					t.Errorf("share mode shows %q:\n%s", hidden, s)
				}
			}
		})
	}
}

// TestEnvironmentAndArmingStayInTheBand looks at the band at every size that counts.
func TestEnvironmentAndArmingStayInTheBand(t *testing.T) {
	th, _ := theme.Choose("", false)
	for _, s := range [][2]int{{80, 24}, {100, 30}, {160, 45}} {
		for _, set := range []func(*Model, *healer){armIt, running} {
			m, h := recovering(t, th, s[0], s[1])
			set(m, h)
			band := lines(screen(m))[0]
			for _, want := range []string{"production", "ARMED", "15 min"} {
				if !strings.Contains(band, want) {
					t.Errorf("at %v the band lacks %q: %q", s, want, band)
				}
			}
		}
	}
}
