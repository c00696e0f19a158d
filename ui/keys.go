package ui

import (
	"fmt"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// key does what a key means in the mode that is on.
func (m *Model) key(msg tea.KeyPressMsg) tea.Cmd {
	name := msg.String()
	if m.dialog != nil && !m.dialog.ready(m.opt.Clock(), name, msg.IsRepeat) {
		return nil
	}
	if m.recovery.confirm != nil && !m.confirmHears(name, msg.IsRepeat) {
		return nil
	}
	m.pressed()
	b := lookup(m.mode, name)
	if b == nil {
		switch {
		case msg.Text != "" && (m.mode == modeFilter || m.mode == modePalette || m.mode == modeForm):
			m.typed(msg.Text)
		case msg.Text != "" && m.mode == modeConfirm:
			m.confirmTyped(msg.Text)
		case m.mode.view():
			m.say(fmt.Sprintf("no key %s here; ? lists the keys", plain(name)))
		}
		return nil
	}
	m.message = ""
	m.settled = true
	if b.acts && (msg.IsRepeat || m.hold.holds(m)) {
		m.hold.begin(m) // a key held down settles nothing
	}
	if b.acts && msg.IsRepeat {
		return nil
	}
	if why := b.refusal(m); why != "" {
		if m.mode == modeForm || m.mode == modeConfirm {
			return nil
		}
		m.say(fmt.Sprintf("%s: not now, %s", b.label(m.theme.Glyphs.ASCIIOnly), why))
		return nil
	}
	return b.run(m)
}

// typed adds text where text is typed now; elsewhere it is dropped.
func (m *Model) typed(text string) {
	if m.mode == modeForm {
		if on := m.form.on(); on != nil {
			on.insert(text)
			m.form.changed()
		}
		return
	}
	if m.mode == modeFilter || m.mode == modePalette {
		m.setInput(m.input() + plain(text))
	}
}

// input is what was typed into the filter or the palette.
func (m *Model) input() string {
	if m.mode == modePalette {
		return m.palette.query
	}
	return m.filterText()
}

func (m *Model) setInput(text string) {
	if r := []rune(text); len(r) > longestInput {
		text = string(r[:longestInput])
	}
	if m.mode == modePalette {
		m.palette.search(text)
		return
	}
	m.setFilter(text)
}

func (m *Model) backspace() {
	text := m.input()
	_, size := utf8.DecodeLastRuneInString(text)
	m.setInput(text[:len(text)-size])
}
