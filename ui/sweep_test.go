package ui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// hostile is text that a system under attack might send.
const hostile = "\x1b[2J\x1b]52;c;cHduZWQ=\x07\x1b]0;pwned\x07\u202Egnirts\u202C \x00\x9b31mred\tx\r\n👩‍👩‍👧 日本語 e\u0301 " + canary

// hostileWorld is the estate of the tests with hostile text in every place that
// text from outside can reach.
func hostileWorld() *world {
	w := newWorld(box{id: "hostile", name: "Hostile" + hostile, group: "Group" + hostile, plane: estate.Edge, target: "https://evil.example.com/" + hostile})
	w.set("hostile", func(r *estate.Reading) {
		r.Status, r.Word, r.Reason = estate.Fail, hostile, strings.Repeat(hostile, 50)
		r.Facts = []estate.Fact{{Name: hostile, Value: fmt.Sprint(estate.NewSecret(canary)), Note: hostile, Source: hostile, Formula: hostile, Headline: true}}
	})
	w.snap = w.snap.With(estate.Observation{
		Key: estate.Key{Component: "hostile", Check: "x", Item: hostile}, Source: hostile, At: at,
		Failure: &estate.Failure{Kind: estate.Denied, Doing: hostile, Detail: hostile, Next: hostile},
	})
	w.snap = w.snap.With(
		estate.Observation{Key: estate.Key{Component: "hostile", Check: estate.CheckChanges, Item: hostile}, Source: hostile, At: at, Data: estate.Changes{
			Account: hostile, Partial: true, Changes: []estate.Change{{At: at, What: hostile, Target: hostile, By: hostile, From: hostile, Where: hostile, Detail: strings.Repeat(hostile, 20), Failed: hostile}},
		}},
		estate.Observation{Key: estate.Key{Component: "hostile", Check: estate.CheckRevisions}, Source: hostile, At: at, Data: estate.Revisions{
			Revisions: []estate.Revision{{At: at, Name: hostile, Note: hostile}},
		}},
		estate.Observation{Key: estate.Key{Component: "hostile", Check: estate.CheckChanges, Item: "2"}, At: at, Failure: &estate.Failure{Kind: estate.Denied, Detail: hostile}},
	)
	return w
}

func scrubCanary(s string) string { return strings.ReplaceAll(s, canary, estate.Redacted) }

// exact checks that a frame is exactly as large as the screen and holds nothing
// but text and styles.
func exact(t interface{ Errorf(string, ...any) }, what string, m *Model) {
	content := m.View().Content
	rows := strings.Split(content, "\n")
	if len(rows) != m.height {
		t.Errorf("%s: %d rows on a screen of %d", what, len(rows), m.height)
	}
	for i, row := range rows {
		if w := ansi.StringWidth(row); w != m.width {
			t.Errorf("%s: row %d is %d cells wide on a screen of %d: %q", what, i, w, m.width, row)
			return
		}
	}
	if strings.Contains(content, canary) {
		t.Errorf("%s: the frame shows a secret value", what)
	}
	if strings.Contains(content, "\x1b]") || strings.ContainsAny(content, "\a\r\t\x00\u009b") {
		t.Errorf("%s: control characters from outside are in the frame", what)
	}
}

// views puts the console into every view and mode in turn.
var views = []struct {
	name string
	keys []string
}{
	{"planes", nil},
	{"detail", []string{"enter"}},
	{"filter", []string{"/", "v", "a", "u", "l", "t"}},
	{"changes", []string{"c"}},
	{"changes-filtered", []string{"c", "/", "p", "o", "l", "i", "c", "y", "enter"}},
	{"glossary", []string{"w", "enter", "x"}},
	{"help", []string{"?"}},
	{"palette", []string{":", "p", "o", "s", "t"}},
	{"dialog", []string{"q"}},
	{"frozen-share", []string{"z", "S"}},
}

// viewOf is a console of a size showing a view.
func viewOf(w *world, width, height int, th *theme.Theme, how []string) *Model {
	o := w.options()
	o.Theme, o.Scrub = th, scrubCanary
	o.Running = func() string { return "rotating prod/db/postgres, step 3 of 7" }
	m := alone(o)
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	keys(m, how...)
	m.Update(pictureMsg(m.live))
	return m
}

// TestExactSize draws every view at every width, the heights in turn, and at odd sizes.
func TestExactSize(t *testing.T) {
	th, _ := theme.Choose("", false)
	ascii, _ := theme.Choose(theme.ASCII, false)
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			m := viewOf(hostileWorld(), 100, 30, th, v.keys)
			for width := 40; width <= 220; width++ {
				height := []int{24, 30, 45}[width%3]
				m.Update(tea.WindowSizeMsg{Width: width, Height: height})
				exact(t, fmt.Sprintf("%s at %d×%d", v.name, width, height), m)
			}
			m.theme = ascii
			for _, s := range [][2]int{{20, 5}, {500, 200}, {1, 1}, {2, 2}, {3, 3}, {7, 4}, {10, 1}, {1, 40}, {79, 24}, {80, 23}, {280, 60}, {279, 12}} {
				m.Update(tea.WindowSizeMsg{Width: s[0], Height: s[1]})
				exact(t, fmt.Sprintf("%s at %d×%d", v.name, s[0], s[1]), m)
			}
		})
	}
}

// TestSmallScreensSayWhatMatters looks at the smallest screens.
func TestSmallScreensSayWhatMatters(t *testing.T) {
	th, _ := theme.Choose("", false)
	for _, s := range [][2]int{{20, 5}, {20, 4}, {24, 3}, {40, 10}, {79, 23}} {
		m := viewOf(newWorld(), s[0], s[1], th, nil)
		text := screen(m)
		for _, want := range []string{"FAIL", "q quit"} {
			if !strings.Contains(text, want) {
				t.Errorf("at %d×%d the screen lacks %q:\n%s", s[0], s[1], want, text)
			}
		}
	}
	// A dialog always fits: title or question, and both answers.
	for _, s := range [][2]int{{20, 5}, {30, 6}, {79, 23}} {
		m := viewOf(newWorld(), s[0], s[1], th, []string{"q"})
		text := screen(m)
		for _, want := range []string{"Stay", "Quit"} {
			if !strings.Contains(text, want) {
				t.Errorf("at %d×%d the dialog lacks %q:\n%s", s[0], s[1], want, text)
			}
		}
	}
}

// TestAnyKeys presses random keys, resizes and brings readings: nothing panics,
// there is exactly one mode with what it needs, and every frame is exact.
func TestAnyKeys(t *testing.T) {
	var names []string
	for i := range keymap {
		names = append(names, keymap[i].keys...)
	}
	names = append(names, "3", "é", "日", "!", "ctrl+z", "alt+q", "f1")
	rapid.Check(t, func(t *rapid.T) {
		w := hostileWorld()
		clock := &testClock{now: at}
		running := rapid.SampledFrom([]string{"", "step 3 of 7"}).Draw(t, "running")
		o := w.options()
		o.Clock, o.Scrub, o.Running = clock.Now, scrubCanary, func() string { return running }
		m := alone(o)
		m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				m.Update(tea.WindowSizeMsg{Width: rapid.IntRange(1, 320).Draw(t, "w"), Height: rapid.IntRange(1, 80).Draw(t, "h")})
			case 1:
				id := estate.ID(rapid.SampledFrom(boxes).Draw(t, "box").id)
				w.set(id, func(r *estate.Reading) { r.Word = rapid.String().Draw(t, "word") })
				m.Update(fresh(m, w, clock.Now()))
			case 2:
				clock.pass(settle + 1)
			case 3:
				m.Update(tea.PasteMsg{Content: rapid.String().Draw(t, "paste")})
			default:
				k := rapid.SampledFrom(names).Draw(t, "key")
				_, cmd := m.Update(press(k))
				if quits(cmd) && running != "" && m.mode != modePlanes && m.mode != modeDetail {
					t.Fatalf("%s quit from %s", k, m.mode)
				}
			}
			if m.mode >= modes || !m.view.view() || m.mode.view() && m.mode != m.view {
				t.Fatalf("mode %d over view %d", m.mode, m.view)
			}
			if (m.mode == modePalette) != (m.palette != nil) || (m.mode == modeDialog) != (m.dialog != nil) {
				t.Fatalf("mode %s with palette %v and dialog %v", m.mode, m.palette != nil, m.dialog != nil)
			}
			if m.view == modeDetail && m.detail == "" {
				t.Fatal("the detail of nothing")
			}
			exact(t, m.mode.String(), m)
		}
	})
}

// TestSecretAppearsNowhere runs the whole console over hostile text and looks at
// every byte that reached the terminal.
func TestSecretAppearsNowhere(t *testing.T) {
	t.Parallel()
	w := hostileWorld()
	d := console(t, w, 80, 24, func(o *Options) { o.Scrub = scrubCanary })
	d.WaitText("Hostile")
	d.Press("shift+tab", "G", "enter")
	d.WaitText("esc back", "[redacted]")
	d.Press("G", "y")
	copied := d.WaitClipboard("the reading", func(s string) bool { return strings.Contains(s, "Hostile") })
	d.Press("esc", ":")
	d.Type("hostile")
	d.WaitText("Go to or do")
	d.Press("enter", "q")
	if err := d.WaitEnd(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(copied, canary) || strings.Contains(d.Raw(), canary) || strings.Contains(d.Title(), canary) {
		t.Error("a secret value reached the terminal")
	}
	if strings.Contains(d.Raw(), "cHduZWQ=") || strings.Contains(d.Raw(), "pwned\a") || strings.Contains(d.Title(), "pwned") {
		t.Error("an escape sequence from outside reached the terminal")
	}
}
