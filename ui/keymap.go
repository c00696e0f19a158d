package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"warroom/panes"
)

// binding is one row of the keymap: which keys do what, where, and why not now.
// Footer, help, palette and the refusal of a key are all made from it.
type binding struct {
	keys  []string // as Bubble Tea names them
	shown string   // how they are written; the first of keys when empty
	does  string   // for help and palette
	short string   // for the footer; empty keeps it out of the footer
	// now is for the footer instead of short where it says something.
	now   func(*Model) string
	rank  int     // place in the footer: what is not shown first may not fit
	group string  // the heading in help
	modes modeSet // where it works
	// palette is whether it can be chosen by name. What has no key can be chosen
	// by name only.
	palette bool
	// acts is whether it settles what is current: a key held down never does.
	acts bool
	run  func(*Model) tea.Cmd
	// refuse says why it does not work now; nil or empty when it does.
	refuse func(*Model) string
}

// Headings of the help.
const (
	groupLook = "Look"
	groupMove = "Move"
	groupDo   = "Do"
	groupType = "Type"
	groupMore = "Console"
)

// do makes an action of a change to the model that needs no command.
func do(f func(*Model)) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd { f(m); return nil }
}

// keymap is every key of the console. Within a mode a key has one meaning; a
// test holds the table to that.
var keymap []binding

// The table refers to functions that read it, so it is filled in here.
func init() {
	keymap = table()
	bindings = index(keymap)
}

func table() []binding {
	return append([]binding{
		{keys: []string{"enter"}, does: "Open the detail of the component", short: "detail", rank: 1, group: groupLook,
			modes: in(modePlanes), run: do(func(m *Model) { m.show(m.subject()) }), refuse: noSubject},
		{keys: []string{"esc"}, does: "Clear the filter", group: groupLook, modes: in(modePlanes),
			run: do(func(m *Model) { m.filter = "" })},
		{keys: []string{"esc"}, does: "Back to the planes", short: "back", rank: 1, group: groupLook, modes: in(modeDetail),
			run: do(func(m *Model) { m.showView(modePlanes) })},
		{keys: []string{"esc"}, does: "Clear the filter, then back to where it was opened", short: "back", rank: 1, group: groupLook,
			modes: in(modeChanges, modeGlossary), run: do((*Model).leaveSheet)},
		{keys: []string{"1"}, does: "Planes: the four live panes", group: groupLook, palette: true,
			modes: everyView, run: do(func(m *Model) { m.showView(modePlanes) })},

		{keys: []string{"up", "k"}, shown: "↑ k", does: "Up, into the pane above", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.vertical(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Down, into the pane below", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.vertical(1) })},
		{keys: []string{"left", "h"}, shown: "← h", does: "Pane to the left", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.horizontal(-1) })},
		{keys: []string{"right", "l"}, shown: "→ l", does: "Pane to the right", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.horizontal(1) })},
		{keys: []string{"tab"}, does: "Next pane", short: "pane", rank: 2, group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.cycle(1) })},
		{keys: []string{"shift+tab"}, does: "Previous pane", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.cycle(-1) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "First of the pane", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.end(false) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "Last of the pane", group: groupMove,
			modes: in(modePlanes), run: do(func(m *Model) { m.end(true) })},

		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.scrollDetail(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 2, group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.scrollDetail(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.scrollDetail(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.scrollDetail(m.page()) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "To the top", group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.scrollDetail(-m.cache.detailTotal) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "To the end", group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.scrollDetail(m.cache.detailTotal) })},
		{keys: []string{"left", "h", "shift+tab"}, shown: "← h", does: "Previous component of the plane", group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.beside(-1) })},
		{keys: []string{"right", "l", "tab"}, shown: "→ l", does: "Next component of the plane", short: "next", rank: 2, group: groupMove,
			modes: in(modeDetail), run: do(func(m *Model) { m.beside(1) })},

		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.scrollSheet(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 2, group: groupMove,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.scrollSheet(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.scrollSheet(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d", "space"}, shown: "pgdn", does: "Scroll down a page", group: groupMove,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.scrollSheet(m.page()) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "To the top", group: groupMove,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.scrollSheet(-m.cache.sheetTotal) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "To the end", group: groupMove,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.scrollSheet(m.cache.sheetTotal) })},

		{keys: []string{"c"}, does: "Recent changes: who changed what, and what it touches", short: "changes", rank: 8, group: groupLook, palette: true,
			modes: but(modeChanges), run: do(func(m *Model) { m.openSheet(modeChanges) })},
		{keys: []string{"x"}, does: "Glossary: what every word and figure means", short: "explain", rank: 10, group: groupLook, palette: true,
			modes: but(modeGlossary, modeMeasures), run: do(func(m *Model) { m.openSheet(modeGlossary) })},
		{keys: []string{"r"}, does: "Read the changes again now", short: "check", rank: 3, group: groupDo, palette: true,
			modes: in(modeChanges), run: checkChanges, refuse: cannotReadChanges},
		{keys: []string{"y"}, does: "Copy the changes that are listed", short: "copy", rank: 9, group: groupDo, palette: true,
			modes: in(modeChanges), run: copyChanges},
		{keys: []string{"/"}, does: "Filter the list", short: "filter", rank: 4, group: groupDo, palette: true,
			modes: in(modeChanges, modeGlossary), run: do(func(m *Model) { m.open(modeFilter) })},

		{keys: []string{"w"}, does: "Go to the worst, then to the next worse", short: "worst", rank: 3, group: groupLook, palette: true,
			modes: in(modePlanes, modeDetail), run: do((*Model).hunt), refuse: noneIll},
		{keys: []string{"r"}, does: "Check this component now", short: "check", rank: 3, group: groupDo, palette: true,
			modes: in(modePlanes, modeDetail), run: checkOne, refuse: cannotCheckOne},
		{keys: []string{"R"}, does: "Check every component now", group: groupDo, palette: true,
			modes: everyView, run: checkAll, refuse: cannotCheck},
		{keys: []string{"/"}, does: "Filter the components", short: "filter", rank: 8, group: groupDo, palette: true,
			modes: in(modePlanes), run: do(func(m *Model) { m.open(modeFilter) })},
		{keys: []string{"y"}, does: "Copy this component's reading", short: "copy", rank: 9, group: groupDo, palette: true,
			modes: in(modePlanes, modeDetail), run: copyReading, refuse: noSubject},
		{keys: []string{"z"}, does: "Freeze the frame, or show live data again", short: "freeze", rank: 8, group: groupDo, palette: true,
			now:   liveNow,
			modes: everyView, run: do((*Model).toggleFreeze)},
		{keys: []string{"S"}, does: "Share mode: mask hosts, account ids and ARNs", short: "share", rank: 10, group: groupDo, palette: true,
			modes: everyView, run: do((*Model).toggleShare)},

		{keys: []string{":"}, does: "Palette: everything by name", short: "palette", rank: 6, group: groupMore,
			modes: everyView, run: do((*Model).openPalette)},
		{keys: []string{"?"}, does: "Help for this view", short: "help", rank: 5, group: groupMore, palette: true,
			modes: everyView, run: do(func(m *Model) { m.helpScroll = 0; m.open(modeHelp) })},
		{keys: []string{"q"}, does: "Quit", short: "quit", rank: 7, group: groupMore, palette: true,
			modes: everyView, run: quit},
		{keys: []string{"ctrl+c"}, does: "Quit from anywhere but a dialog", group: groupMore,
			modes: everyView | in(modeFilter, modeHelp, modePalette), run: quit},

		{keys: []string{"enter"}, does: "Keep the filter", short: "keep", group: groupType,
			modes: in(modeFilter), run: do((*Model).keepFilter)},
		{keys: []string{"esc"}, does: "Clear the filter", short: "clear", group: groupType,
			modes: in(modeFilter), run: do(func(m *Model) { m.setFilter(""); m.close() })},
		{keys: []string{"backspace"}, does: "Take back a letter", group: groupType,
			modes: in(modeFilter, modePalette), run: do((*Model).backspace)},
		{keys: []string{"ctrl+u"}, does: "Take back everything", group: groupType,
			modes: in(modeFilter, modePalette), run: do(func(m *Model) { m.setInput("") })},

		{keys: []string{"enter"}, does: "Do it", short: "choose", group: groupType,
			modes: in(modePalette), run: (*Model).choose},
		{keys: []string{"up", "ctrl+p", "shift+tab"}, shown: "↑", does: "Up", group: groupType,
			modes: in(modePalette), run: do(func(m *Model) { m.palette.move(-1) })},
		{keys: []string{"down", "ctrl+n", "tab"}, shown: "↓", does: "Down", short: "next", rank: 2, group: groupType,
			modes: in(modePalette), run: do(func(m *Model) { m.palette.move(1) })},
		{keys: []string{"esc"}, does: "Close", short: "close", group: groupType,
			modes: in(modePalette), run: do((*Model).close)},

		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 2, group: groupMove,
			modes: in(modeHelp), run: do(func(m *Model) { m.scrollHelp(1) })},
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove,
			modes: in(modeHelp), run: do(func(m *Model) { m.scrollHelp(-1) })},
		{keys: []string{"pgdown", "space", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove,
			modes: in(modeHelp), run: do(func(m *Model) { m.scrollHelp(m.page()) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove,
			modes: in(modeHelp), run: do(func(m *Model) { m.scrollHelp(-m.page()) })},
		{keys: []string{"esc", "?", "q", "enter"}, does: "Close the help", short: "close", group: groupMore,
			modes: in(modeHelp), run: do((*Model).close)},

		{keys: []string{"left", "shift+tab", "h"}, shown: "←", does: "Button to the left", group: groupMove,
			modes: in(modeDialog), run: do(func(m *Model) { m.dialog.move(-1) })},
		{keys: []string{"right", "tab", "l"}, shown: "← →", does: "Button to the right", short: "button", group: groupMove,
			modes: in(modeDialog), run: do(func(m *Model) { m.dialog.move(1) })},
		{keys: []string{"enter"}, does: "Press the button", short: "press", group: groupMore,
			modes: in(modeDialog), run: (*Model).press},
		{keys: []string{"esc", "ctrl+c"}, shown: "esc", does: "Cancel", short: "cancel", group: groupMore,
			modes: in(modeDialog), run: do((*Model).close)},
	}, incidentTable()...)
}

// lookup finds what a key does in a mode.
func lookup(md mode, key string) *binding { return bindings[md][key] }

// bindings is the keymap by mode and key.
var bindings [modes]map[string]*binding

func index(rows []binding) (all [modes]map[string]*binding) {
	for md := range all {
		all[md] = map[string]*binding{}
		for i := range rows {
			if rows[i].modes.has(mode(md)) {
				for _, k := range rows[i].keys {
					all[md][k] = &rows[i]
				}
			}
		}
	}
	return all
}

// label is how a binding's keys are written.
func (b *binding) label(ascii bool) string {
	switch {
	case len(b.keys) == 0:
		return ":"
	case b.shown == "":
		return b.keys[0]
	case ascii:
		return asciiArrows.Replace(b.shown)
	}
	return b.shown
}

var asciiArrows = strings.NewReplacer("↑", "up", "↓", "down", "←", "left", "→", "right")

// refusal says why a binding does not work now; empty when it does.
func (b *binding) refusal(m *Model) string {
	if b.refuse == nil {
		return ""
	}
	return b.refuse(m)
}

// narrow is the width below which the footer says first how to leave.
const narrow = 80

// hints are the keys of the footer for a mode: those that work now, the most
// important first. Help lists the others too, and why they do not.
func (m *Model) hints(md mode) []panes.KeyHint {
	var in []*binding
	for i := range keymap {
		if b := &keymap[i]; b.modes.has(md) && b.short != "" && b.refusal(m) == "" {
			in = append(in, b)
		}
	}
	slices.SortStableFunc(in, func(a, b *binding) int { return a.place(m.width) - b.place(m.width) })
	out := make([]panes.KeyHint, len(in))
	for i, b := range in {
		out[i] = panes.KeyHint{Key: b.label(m.theme.Glyphs.ASCIIOnly), Does: b.short}
		if b.now != nil {
			if s := b.now(m); s != "" {
				out[i].Does = s
			}
		}
	}
	return out
}

// place is where a binding stands in a footer of some width.
func (b *binding) place(width int) int {
	if width < narrow && (b.short == "quit" || len(b.keys) > 0 && b.keys[0] == "esc") {
		return 0
	}
	return b.rank
}

// helpGroups are all keys of a mode under their headings.
func (m *Model) helpGroups(md mode) []panes.HelpGroup {
	var out []panes.HelpGroup
	if md.view() {
		// In this order, so that how to leave stands above the fold.
		for _, g := range []string{groupMore, groupLook, groupDo, groupIncident, groupMove} {
			out = append(out, panes.HelpGroup{Title: g})
		}
	}
	for i := range keymap {
		b := &keymap[i]
		if !b.modes.has(md) {
			continue
		}
		at := slices.IndexFunc(out, func(g panes.HelpGroup) bool { return g.Title == b.group })
		if at < 0 {
			out = append(out, panes.HelpGroup{Title: b.group})
			at = len(out) - 1
		}
		out[at].Keys = append(out[at].Keys, panes.KeyHint{Key: b.label(m.theme.Glyphs.ASCIIOnly), Does: b.does, Disabled: b.refusal(m)})
	}
	switch {
	case works(md):
		out = append(out, panes.HelpGroup{Title: "How it works", Keys: practice(md)})
	case md.view():
		out = append(out, panes.HelpGroup{Title: "Signs", Keys: m.signs()})
	}
	return out
}

// signs explains what stands on the screen beside words.
func (m *Model) signs() []panes.KeyHint {
	g := &m.theme.Glyphs
	return []panes.KeyHint{
		{Key: g.Fail + " FAIL", Does: "the system itself says no, or a rule of warroom.yaml is broken"},
		{Key: g.Unknown + " UNKNOWN", Does: "could not be read, may not be read, is too old, or nothing reads it"},
		{Key: g.Warn + " WARN", Does: "works, and will not for long or not well"},
		{Key: g.OK + " OK", Does: "read, and as it should be"},
		{Key: g.NA + " N/A", Does: "the system has no such thing"},
		{Key: "10s", Does: "read 10 to 30 seconds ago; the steps are 10s, 30s, 1m, 2m, 3m, 4m, 5m, 10m and so on"},
		{Key: g.Stale + " 2m", Does: "the last good value, 2 minutes old: no newer one could be read"},
		{Key: g.Out, Does: "relies on, reads its secrets from, changes or watches"},
		{Key: g.In, Does: "is relied on, read, changed or watched by"},
		{Key: "Hit:", Does: "uses a secret that runs through this component, and is not well either"},
		{Key: "+2", Does: "2 more that have no room here; enter shows all"},
	}
}
