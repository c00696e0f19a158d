package ui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
)

// ready is a console of a size, without a terminal.
func ready(t testing.TB, w *world, width, height int) *Model {
	t.Helper()
	m := alone(w.options())
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	m.View()
	return m
}

// keys presses keys one after another, drawing after each as the program does.
func keys(m *Model, names ...string) (cmd tea.Cmd) {
	for _, k := range names {
		_, cmd = m.Update(press(k))
		m.View()
	}
	return cmd
}

// fresh makes the picture that the pump would bring now.
func fresh(m *Model, w *world, now time.Time) pictureMsg {
	m.pump.snap = w.snapshot()
	m.pump.last = m.pump.last.next(m.pump.readings(now), now)
	m.pump.last.Findings = m.pump.findings(m.pump.last.Readings, now)
	return pictureMsg(m.pump.last)
}

func screen(m *Model) string { return ansi.Strip(m.View().Content) }

func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, ok := cmd().(tea.QuitMsg)
	return ok
}

func TestKeysAbsorbedByADialog(t *testing.T) {
	w := newWorld()
	clock := &testClock{now: at}
	o := w.options()
	o.Clock, o.Running = clock.Now, func() string { return "step 3 of 7\x1b[2J" }
	m := alone(o)
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})

	keys(m, "q")
	if m.mode != modeDialog || !strings.Contains(screen(m), "step 3 of 7") {
		t.Fatalf("no dialog:\n%s", screen(m))
	}
	// Typed before it could be seen: none of these counts.
	if cmd := keys(m, "right", "tab", "enter"); cmd != nil || m.mode != modeDialog || m.dialog.selected != 0 {
		t.Fatal("keys typed ahead answered the dialog")
	}
	// A key held down starts the wait anew, though not for ever, and never counts.
	held := press("enter")
	held.IsRepeat = true
	for range 20 {
		clock.pass(settle / 2)
		if _, cmd := m.Update(held); cmd != nil || m.mode != modeDialog {
			t.Fatal("a key held down answered the dialog")
		}
	}
	clock.pass(settle + 1)
	if cmd := keys(m, "q", "y", "z", "S", "1", "space", ":"); cmd != nil || m.mode != modeDialog || m.share || !m.frozen.IsZero() {
		t.Fatal("a key went through the dialog")
	}
	if cmd := keys(m, "enter"); quits(cmd) || m.mode != modePlanes {
		t.Fatal("enter on a new dialog must leave things as they are")
	}
	keys(m, "q")
	clock.pass(settle + 1)
	if cmd := keys(m, "right", "enter"); !quits(cmd) {
		t.Fatal("choosing Quit did not quit")
	}
	// Leaving a dialog needs no patience.
	keys(m, "q")
	if keys(m, "esc"); m.mode != modePlanes {
		t.Fatal("esc did not close the dialog")
	}
	// A stuck key makes no dialog deaf.
	keys(m, "q")
	for range 8 {
		clock.pass(settle - 1)
		keys(m, "right")
	}
	if m.dialog.selected != 1 {
		t.Fatal("a dialog stayed deaf beyond its patience")
	}
}

func TestQuitWithNothingRunning(t *testing.T) {
	for _, k := range []string{"q", "ctrl+c"} {
		if !quits(keys(ready(t, newWorld(), 80, 24), k)) {
			t.Errorf("%s did not quit", k)
		}
	}
	for _, path := range [][]string{{"/", "a", "ctrl+c"}, {":", "a", "ctrl+c"}, {"?", "ctrl+c"}, {"enter", "ctrl+c"}} {
		if !quits(keys(ready(t, newWorld(), 80, 24), path...)) {
			t.Errorf("%v did not quit", path)
		}
	}
	m := ready(t, newWorld(), 80, 24)
	if cmd := keys(m, "?", "q"); cmd != nil || m.mode != modePlanes {
		t.Error("q in the help must close the help and nothing else")
	}
}

func TestCursorStaysOnItsComponent(t *testing.T) {
	w := newWorld()
	m := ready(t, w, 100, 30)
	keys(m, "j")
	if got := m.subject(); got != "key-management" {
		t.Fatalf("the cursor is on %q", got)
	}
	// A filter that hides it puts the cursor on what is drawn; without the filter
	// it is where it was.
	keys(m, "/", "u", "s", "e", "r", "enter")
	if got := m.subject(); got != "user-service" {
		t.Errorf("under a filter the cursor is on %q", got)
	}
	keys(m, "esc")
	if got := m.subject(); got != "key-management" {
		t.Errorf("after the filter the cursor is on %q", got)
	}
	// New readings move nothing.
	w.set("key-management", func(r *estate.Reading) { r.Status, r.Word = estate.Fail, "DISABLED" })
	m.Update(fresh(m, w, at))
	if got := m.subject(); got != "key-management" {
		t.Errorf("new readings moved the cursor to %q", got)
	}
	// A filter that hides everything leaves nothing to act on, and says so.
	keys(m, "/", "z", "z", "z", "enter", "enter")
	if m.mode != modePlanes || !strings.Contains(m.message, "no component of this pane matches the filter") {
		t.Errorf("enter on nothing: mode %s, message %q", m.mode, m.message)
	}
}

func TestFreezeHoldsTheFrame(t *testing.T) {
	w := newWorld()
	m := ready(t, w, 100, 30)
	before := screen(m)
	keys(m, "z")
	w.set("api-gateway", func(r *estate.Reading) { r.Word = "RENEWED" })
	m.Update(fresh(m, w, at.Add(90*time.Minute)))
	frozen := screen(m)
	if strings.Contains(frozen, "RENEWED") || !strings.Contains(frozen, "FROZEN 03:12:45") || !strings.Contains(frozen, "04:42:45") {
		t.Errorf("frozen:\n%s", frozen)
	}
	if a, b := lines(before)[1:20], lines(frozen)[1:20]; strings.Join(a, "\n") != strings.Join(b, "\n") {
		t.Errorf("ages moved in a frozen frame:\n%s", frozen)
	}
	for _, k := range []string{"r", "R"} {
		if cmd := keys(m, k); cmd != nil || !strings.Contains(m.message, "frozen") {
			t.Errorf("%s in a frozen frame: %q", k, m.message)
		}
	}
	keys(m, "z")
	if s := screen(m); !strings.Contains(s, "RENEWED") || strings.Contains(s, "FROZEN") {
		t.Errorf("live again:\n%s", s)
	}
}

func lines(s string) []string { return strings.Split(s, "\n") }

func TestMessageGoesByItself(t *testing.T) {
	w := newWorld()
	m := ready(t, w, 100, 30)
	keys(m, "3")
	m.Update(fresh(m, w, at.Add(messageStays-time.Second)))
	if !strings.Contains(screen(m), "no key 3") {
		t.Error("the message went too soon")
	}
	m.Update(fresh(m, w, at.Add(messageStays)))
	if strings.Contains(screen(m), "no key 3") {
		t.Error("the message stayed")
	}
}

func TestFeedErrorIsShownAndTheFeedGoesOn(t *testing.T) {
	m := ready(t, newWorld(), 100, 30)
	_, cmd := m.Update(feedErrMsg{errors.New("the board is gone\x1b[2J")})
	if cmd == nil || !strings.Contains(screen(m), "no new readings: the board is gone") {
		t.Errorf("command %v, screen:\n%s", cmd, screen(m))
	}
}

func TestBackgroundChoosesTheTheme(t *testing.T) {
	w := newWorld()
	light := tea.BackgroundColorMsg{Color: white{}}
	m := ready(t, w, 80, 24)
	m.Update(light)
	if m.theme.Name != "light" {
		t.Errorf("on a light terminal the theme is %s", m.theme.Name)
	}
	o := w.options()
	o.Theme = m.theme
	m = alone(o)
	m.setTheme("high-contrast")
	m.Update(light)
	if m.theme.Name != "high-contrast" {
		t.Error("a theme that was asked for was replaced")
	}
	o.Theme, o.NoColor = nil, true
	m = alone(o)
	m.Update(light)
	if v := m.View(); m.theme.Name != "no-color" || v.BackgroundColor != nil {
		t.Errorf("with NO_COLOR: theme %s, background %v", m.theme.Name, v.BackgroundColor)
	}
}

type white struct{}

func (white) RGBA() (r, g, b, a uint32) { return 0xffff, 0xffff, 0xffff, 0xffff }

// TestPump checks that the latest of many snapshots is derived, and that the
// reader ends with its context.
func TestPump(t *testing.T) {
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	o := w.options()
	feed := make(manual)
	o.Feed = feed
	p := newPump(ctx, o.withDefaults())
	ended := make(chan struct{})
	go func() { p.read(); close(ended) }()
	feed <- w.snapshot()
	w.set("api-gateway", func(r *estate.Reading) { r.Word = "LATEST" })
	feed <- w.snapshot()
	feed <- nil // taken only once the snapshots before it are in the slot
	msg, ok := p.next().(pictureMsg)
	if !ok || msg.Readings.All[0].Word != "LATEST" || msg.planes[estate.Edge] != 2 || msg.planes[estate.State] != 1 {
		t.Fatalf("got %+v", msg)
	}
	cancel()
	<-ended
	if p.next() != nil {
		t.Error("a pump whose context ended brings a picture")
	}
}

type manual chan *estate.Snapshot

func (c manual) Next(ctx context.Context) (*estate.Snapshot, error) {
	select {
	case s := <-c:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
