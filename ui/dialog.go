package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// settle is how long keys must be quiet before a new dialog listens: keys that
// were typed before it was seen, and a key held down, must not answer it.
// patience bounds that wait, so that a stuck key cannot make a dialog deaf.
const (
	settle   = 400 * time.Millisecond
	patience = 1500 * time.Millisecond
)

// dialog asks before something happens. It swallows every key. The first button
// leaves things as they are and is chosen at first, and no single key confirms:
// another button must be moved to and then pressed.
type dialog struct {
	title    string
	body     []string
	buttons  []button
	selected int
	leaves   bool // the console ends by itself while it is open, once everything is recorded

	opened time.Time
	quiet  time.Time // when keys count, if none comes before
	awake  bool
}

// button is one answer; a nil press changes nothing.
type button struct {
	label string
	press func(*Model) tea.Cmd
}

// ask lays a dialog over the view.
func (m *Model) ask(d *dialog) {
	m.open(modeDialog)
	d.opened = m.opt.Clock()
	d.quiet = d.opened.Add(settle)
	m.dialog = d
}

// ready reports whether a key counts. A key held down never does; leaving does
// always, because it changes nothing.
func (d *dialog) ready(now time.Time, key string, repeat bool) bool {
	switch {
	case key == "esc":
		return true
	case repeat:
		return false
	case d.awake:
		return true
	case now.Before(d.quiet) && now.Before(d.opened.Add(patience)):
		d.quiet = now.Add(settle)
		return false
	}
	d.awake = true
	return true
}

func (d *dialog) move(by int) {
	d.selected = max(0, min(d.selected+by, len(d.buttons)-1))
}

func (d *dialog) labels() []string {
	out := make([]string, len(d.buttons))
	for i, b := range d.buttons {
		out[i] = b.label
	}
	return out
}

// press closes the dialog and does what its chosen button says.
func (m *Model) press() tea.Cmd {
	b := m.dialog.buttons[m.dialog.selected]
	m.close()
	if b.press == nil {
		return nil
	}
	return b.press(m)
}
