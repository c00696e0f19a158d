package ui

import (
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/theme"
)

// press makes the message of a key by its name.
func press(name string) tea.KeyPressMsg {
	special := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab},
		"shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
		"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace},
		"space": {Code: tea.KeySpace, Text: " "}, "delete": {Code: tea.KeyDelete},
	}
	if k, ok := special[name]; ok {
		return k
	}
	if c, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(c[0]), Mod: tea.ModCtrl}
	}
	r := []rune(name)
	return tea.KeyPressMsg{Code: r[0], Text: name}
}

func TestPressNamesKeysAsTheTableDoes(t *testing.T) {
	for i := range keymap {
		for _, k := range keymap[i].keys {
			if got := press(k).String(); got != k {
				t.Errorf("key %q arrives as %q", k, got)
			}
		}
	}
}

func TestKeymapIsUnambiguous(t *testing.T) {
	for md := mode(0); md < modes; md++ {
		seen := map[string]string{}
		for i := range keymap {
			b := &keymap[i]
			if b.does == "" || b.group == "" || b.run == nil || len(b.keys) == 0 && !b.palette || b.modes == 0 {
				t.Errorf("row %d of the keymap is incomplete: %+v", i, b)
			}
			if !b.modes.has(md) {
				continue
			}
			for _, k := range b.keys {
				if other := seen[k]; other != "" {
					t.Errorf("in %s the key %q means both %q and %q", md, k, other, b.does)
				}
				seen[k] = b.does
			}
		}
	}
}

// TestEveryModeHasAWayOut holds the table to what must work everywhere.
func TestEveryModeHasAWayOut(t *testing.T) {
	for md := mode(0); md < modes; md++ {
		for _, k := range []string{"esc", "ctrl+c"} {
			if lookup(md, k) == nil {
				t.Errorf("%s does nothing in %s", k, md)
			}
		}
		if md.view() {
			keys := []string{"?", ":", "q", "z", "S", "R", "1", "2", "4", "5", "7", "8", "M", "n", "I", "m", "d", "U", "r", "y", "c", "x", "!"}
			without := map[mode][]string{
				modeChanges:  {"c"},
				modeGlossary: {"x", "r", "y"}, // nothing of it is read, and nothing of it is news
				modeTimeline: {"r"}, modeBrief: {"r"}, modeMeasures: {"r"},
				modeUpdate: {"U"},
			}[md]
			for _, k := range keys {
				if lookup(md, k) == nil && !slices.Contains(without, k) {
					t.Errorf("%s does nothing in %s", k, md)
				}
			}
		}
	}
	for _, later := range []string{"3", "6"} {
		if lookup(modePlanes, later) != nil {
			t.Errorf("%s is bound before what it does exists", later)
		}
	}
}

// TestHelpFooterAndPaletteComeFromTheTable looks for every row where it belongs.
func TestHelpFooterAndPaletteComeFromTheTable(t *testing.T) {
	m := alone(newWorld().options())
	m.width, m.height = 200, 60
	for _, md := range []mode{modePlanes, modeDetail, modeChanges, modeGlossary, modeFlow, modeNode, modeChecklist, modeTimeline, modeBrief, modeMeasures, modeRecover, modePlan, modeRun, modeUpdate} {
		m.view, m.mode, m.detail = md, md, "api-gateway"
		var help, foot []string
		for _, g := range m.helpGroups(md) {
			for _, k := range g.Keys {
				help = append(help, k.Does)
			}
		}
		for _, k := range m.hints(md) {
			foot = append(foot, k.Does)
		}
		m.openPalette()
		var choices []string
		for _, c := range m.palette.drawn {
			choices = append(choices, c.Label)
		}
		m.close()
		for i := range keymap {
			b := &keymap[i]
			if !b.modes.has(md) {
				continue
			}
			for _, c := range []struct {
				where string
				list  []string
				what  string
				want  bool
			}{{"help", help, b.does, true}, {"footer", foot, b.short, b.short != "" && b.refusal(m) == ""}, {"palette", choices, b.does, b.palette}} {
				if has := contains(c.list, c.what); c.want && !has {
					t.Errorf("%s of %s lacks %q", c.where, md, c.what)
				}
			}
		}
		for _, want := range []string{"API Gateway", "Access Monitor", "Theme: " + theme.HighContrast} {
			if !contains(choices, want) {
				t.Errorf("the palette of %s lacks %q", md, want)
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

func TestFootersSayFirstWhatMattersMost(t *testing.T) {
	m := alone(newWorld().options())
	m.height = 24
	for width, first := range map[int]string{20: "quit", 79: "quit", 80: "detail", 160: "detail"} {
		m.width = width
		if got := m.hints(modePlanes)[0].Does; got != first {
			t.Errorf("at %d the footer begins with %q, want %q", width, got, first)
		}
	}
}
