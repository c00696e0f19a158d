package ui

import (
	"strings"
	"unicode"
)

// Editing within a field. The cursor never stands between a letter and the marks
// that belong to it.

// mark reports whether a rune belongs to the letter before it.
func mark(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc) }

// before is where the letter before i begins, and after where the one at i ends.
func (f *field) before(i int) int {
	i = max(i-1, 0)
	for i > 0 && mark(f.value[i]) {
		i--
	}
	return i
}

func (f *field) after(i int) int {
	i = min(i+1, len(f.value))
	for i < len(f.value) && mark(f.value[i]) {
		i++
	}
	return i
}

// insert puts text at the cursor, as much of it as there is room for.
func (f *field) insert(s string) {
	if f.options != nil {
		f.choose(s)
		return
	}
	add := []rune(f.clean(s))
	add = add[:min(len(add), max(f.most-len(f.value), 0))]
	f.value = append(f.value[:f.cursor:f.cursor], append(add, f.value[f.cursor:]...)...)
	f.cursor += len(add)
}

// choose takes the option that begins or ends with what was typed; a blank takes
// the next.
func (f *field) choose(s string) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		f.turn(1)
		return
	}
	for i := range f.options {
		at := (f.chosen + 1 + i) % len(f.options)
		if o := strings.ToLower(f.options[at]); strings.HasPrefix(o, s) || strings.HasSuffix(o, s) {
			f.chosen = at
			return
		}
	}
}

// turn goes to the next option, or the previous one.
func (f *field) turn(by int) {
	n := len(f.options)
	f.chosen = (f.chosen + by + n) % n
}

func (f *field) cut(from, to int) {
	f.value = append(f.value[:from:from], f.value[to:]...)
	f.cursor = from
}

// lineStart and lineEnd are the ends of the line that i stands in.
func (f *field) lineStart(i int) int {
	for i > 0 && f.value[i-1] != '\n' {
		i--
	}
	return i
}

func (f *field) lineEnd(i int) int {
	for i < len(f.value) && f.value[i] != '\n' {
		i++
	}
	return i
}

// vertical moves the cursor a line up or down and reports whether there is one.
func (f *field) vertical(by int) bool {
	start := f.lineStart(f.cursor)
	column := f.cursor - start
	switch {
	case by < 0 && start == 0, by > 0 && f.lineEnd(f.cursor) == len(f.value):
		return false
	case by < 0:
		start = f.lineStart(start - 1)
	default:
		start = f.lineEnd(f.cursor) + 1
	}
	f.cursor = min(start+column, f.lineEnd(start))
	for f.cursor > start && f.cursor < len(f.value) && mark(f.value[f.cursor]) {
		f.cursor--
	}
	return true
}

// edit makes a key of a change to the field that is typed into.
func edit(change func(*field)) func(*Model) {
	return func(m *Model) {
		if on := m.form.on(); on != nil && on.options == nil {
			change(on)
			m.form.changed()
		}
	}
}

func (m *Model) formBackspace() {
	edit(func(f *field) {
		if f.cursor > 0 {
			f.cut(f.before(f.cursor), f.cursor)
		}
	})(m)
}

func (m *Model) formDelete() {
	edit(func(f *field) {
		if f.cursor < len(f.value) {
			f.cut(f.cursor, f.after(f.cursor))
		}
	})(m)
}

func (m *Model) formClear() {
	edit(func(f *field) { f.cut(f.lineStart(f.cursor), f.cursor) })(m)
}

func (m *Model) formClearRest() {
	edit(func(f *field) { f.value = append(f.value[:f.cursor:f.cursor], f.value[f.lineEnd(f.cursor):]...) })(m)
}

// formWord takes back a word.
func (m *Model) formWord() {
	edit(func(f *field) {
		i := f.cursor
		for i > 0 && unicode.IsSpace(f.value[i-1]) {
			i--
		}
		for i > 0 && !unicode.IsSpace(f.value[i-1]) {
			i--
		}
		f.cut(i, f.cursor)
	})(m)
}

func (m *Model) formEnd(last bool) {
	edit(func(f *field) {
		if last {
			f.cursor = f.lineEnd(f.cursor)
		} else {
			f.cursor = f.lineStart(f.cursor)
		}
	})(m)
}

// formSide moves the cursor, takes another option, or goes to another button.
func (m *Model) formSide(by int) {
	f := m.form
	on := f.on()
	switch {
	case on == nil:
		f.selected = max(f.cancelAt(), min(f.selected+by, f.confirmAt()))
	case on.options != nil:
		on.turn(by)
		f.changed()
		return
	case by < 0:
		on.cursor = on.before(on.cursor)
	default:
		on.cursor = on.after(on.cursor)
	}
	f.version++
}

// formLine moves within a text, and beyond its ends to another field.
func (m *Model) formLine(by int) {
	f := m.form
	if on := f.on(); on != nil && on.multiline && on.vertical(by) {
		f.version++
		return
	}
	f.move(by)
}
