package ui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
	"warroom/panes"
)

// form asks for texts and choices before something is recorded. It swallows every
// key. What is typed counts at once, because it changes nothing; a key that
// confirms or chooses counts only when the form has been on the screen for a
// moment. Where something is final, Cancel is chosen at first and no single key
// confirms.
type form struct {
	title    string
	body     []string
	fields   []*field
	button   string // what confirms
	final    bool   // Cancel is chosen after the last field, not the button
	selected int    // a field; then Cancel, then the button
	// submit makes of what was typed what is recorded. An error keeps the form
	// open and is shown; a *fieldError at its field.
	submit func(*Model, *form) (tea.Cmd, error)
	// follow sets other fields by what was typed or chosen in one; may be nil.
	follow func(*field)

	opened  time.Time
	awake   bool
	version int // changes with everything that is drawn
}

// field is one line, text or choice of a form.
type field struct {
	label, hint string
	value       []rune
	cursor      int // in value
	most        int // runes
	options     []string
	chosen      int
	multiline   bool
	required    string // what is asked for when it is empty; empty when it may be
	problem     string
	about       string // what is accepted or asked for, above it; may be empty
	check       bool   // a box to tick: of two options the second
	secret      bool   // never shown: a value of a secret
	goesOn      bool   // enter goes on to the next field, also from a text in several lines
	// means says what was typed as warroom takes it, for below the field; may be nil.
	means func(typed string, now time.Time) string
}

// fieldError is a mistake in one field.
type fieldError struct {
	field *field
	why   string
}

func (e *fieldError) Error() string { return e.why }

// Bounds of what is typed, in runes.
const (
	mostLine = 200
	mostName = 60
	mostText = 2000
)

func line(label, value, hint, required string) *field {
	f := &field{label: label, hint: hint, most: mostLine, required: required}
	f.set(value)
	return f
}

func named(label, value, hint, required string) *field {
	f := line(label, value, hint, required)
	f.most = mostName
	return f
}

func pick(label string, chosen int, options ...string) *field {
	return &field{label: label, options: options, chosen: chosen}
}

// text is what was typed, without blanks around it.
func (f *field) text() string { return strings.TrimSpace(string(f.value)) }

func (f *field) set(s string) {
	f.value = []rune(f.clean(s))
	if len(f.value) > f.most {
		f.value = f.value[:f.most]
	}
	f.cursor = len(f.value)
}

// clean makes text fit for the field: one line, unless it may hold several.
func (f *field) clean(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", " ").Replace(s)
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	if f.multiline {
		return strings.Join(lines, "\n")
	}
	return strings.TrimRight(strings.Join(lines, " "), "\n")
}

// fill lays a form over the view.
func (m *Model) fill(f *form) tea.Cmd {
	m.open(modeForm)
	f.opened = m.opt.Clock()
	m.form = f
	m.touch()
	return tea.Tick(settle, func(time.Time) tea.Msg { return calmMsg{form: f} })
}

// listens reports whether keys that confirm or choose count.
func (f *form) listens(now time.Time) bool {
	return f.awake || !now.Before(f.opened.Add(settle))
}

// on is the field that is typed into; nil on a button.
func (f *form) on() *field {
	if f.selected < len(f.fields) {
		return f.fields[f.selected]
	}
	return nil
}

// The places behind the fields.
func (f *form) cancelAt() int  { return len(f.fields) }
func (f *form) confirmAt() int { return len(f.fields) + 1 }

func (f *form) move(by int) {
	n := len(f.fields) + 2
	f.selected = (f.selected + by + n) % n
	f.version++
}

// changed is called with every change of what was typed.
func (f *form) changed() {
	if on := f.on(); on != nil {
		on.problem = ""
		if f.follow != nil {
			f.follow(on)
		}
	}
	f.version++
}

// enter goes on to the next field, breaks a line of a text, or presses a button.
func (m *Model) enterForm() tea.Cmd {
	f := m.form
	on := f.on()
	switch {
	case on != nil && on.multiline && !on.goesOn:
		on.insert("\n")
		f.changed()
	case on != nil && f.selected < len(f.fields)-1:
		f.move(1)
	case on != nil && f.final:
		f.selected = f.cancelAt()
		f.version++
	case f.selected == f.cancelAt():
		m.close()
	default:
		return m.submitForm()
	}
	return nil
}

// submitForm records what was typed, or says at which field it cannot be.
func (m *Model) submitForm() tea.Cmd {
	f := m.form
	f.version++
	wrong := -1
	for i, one := range f.fields {
		one.problem = ""
		if one.required != "" && one.options == nil && one.text() == "" {
			one.problem = one.required
			if wrong < 0 {
				wrong = i
			}
		}
	}
	if wrong >= 0 {
		f.selected = wrong
		return nil
	}
	cmd, err := f.submit(m, f)
	switch e := err.(type) {
	case nil:
		if m.form == f {
			m.close()
		}
		return cmd
	case *fieldError:
		e.field.problem = plain(e.why)
		f.selected = max(slices.Index(f.fields, e.field), 0)
	default:
		// At the last field, where it is in sight.
		if last := len(f.fields) - 1; last >= 0 {
			f.fields[last].problem = "NOT DONE: " + plain(err.Error())
			f.selected = last
		}
	}
	return nil
}

// refused makes of the error of an act one for a form.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return err
}

// acted makes a form's submit of an act: what it returns is recorded.
func acted(what string, act func(*Model, *form) ([]incident.Event, error)) func(*Model, *form) (tea.Cmd, error) {
	return func(m *Model, f *form) (tea.Cmd, error) {
		if why := cannotRecord(m); why != "" {
			return nil, &incident.Refusal{Why: why}
		}
		events, err := act(m, f)
		if err != nil {
			return nil, refused(err)
		}
		return m.record(what, events, nil), nil
	}
}

// timed reports whether the form says something that changes with the time.
func (f *form) timed() bool {
	return slices.ContainsFunc(f.fields, func(one *field) bool { return one.means != nil })
}

// shown is the form as it is drawn. One that asks for a time says what time it is.
func (f *form) shown(now time.Time) panes.FormView {
	v := panes.FormView{Title: f.title, Body: slices.Clone(f.body), Selected: f.selected, Buttons: []string{"Cancel", f.button}}
	if f.timed() {
		v.Title += ": now " + now.UTC().Format("15:04 UTC")
	}
	for _, one := range f.fields {
		means := ""
		if one.means != nil && one.problem == "" {
			means = one.means(one.text(), now)
		}
		field := panes.FormField{
			Label: one.label, Hint: one.hint, Problem: one.problem, Means: means, Text: one.about, Check: one.check,
			Options: one.options, Chosen: one.chosen, Multiline: one.multiline, Secret: one.secret, Filled: len(one.value) > 0,
		}
		if !one.secret { // what is not handed over cannot be drawn
			field.Value, field.Cursor = string(one.value), len(string(one.value[:one.cursor]))
		}
		v.Fields = append(v.Fields, field)
	}
	return v
}
