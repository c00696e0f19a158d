package panes

import (
	"strings"
	"unicode/utf8"

	"warroom/internal/theme"
)

// FormField is one line, text or choice of a form.
type FormField struct {
	Label   string
	Value   string   // what was typed
	Hint    string   // shown while Value is empty
	Problem string   // why it cannot be sent as it is; empty when it can
	Means   string   // how Value is taken, below it: the time that it comes to; may be empty
	Options []string // one of which is chosen; nil for a text
	Chosen  int      // index into Options
	Cursor  int      // bytes of Value before the cursor
	// Multiline says that Value may hold line ends; it is shown in several rows.
	Multiline bool
	// Text is what is accepted or asked for by it, above it; may be empty.
	Text string
	// Check says that it is a box: ticked when Chosen is not 0.
	Check bool
	// Secret says that what was typed is never shown: Value stays empty, and Filled
	// says whether there is any.
	Secret, Filled bool
}

// FormView is a form: text, fields and buttons of which the first is Cancel.
type FormView struct {
	Title    string
	Body     []string
	Fields   []FormField
	Buttons  []string
	Selected int // a field, and from len(Fields) on a button
}

// formCells is how wide a form grows.
const formCells = 76

// Form is a framed dialog with fields, each with what is wrong with it below.
// Its buttons and the selected field are in sight however small the frame is.
func Form(f Frame, v FormView) []string {
	box := f.within(formCells, f.Height)
	room := inner(box.Width)
	var body []spans
	for _, b := range v.Body {
		if b == "" {
			body = append(body, nil)
		}
		for _, part := range wrap(f.say(b), room) {
			body = append(body, spans{{theme.Text, part}})
		}
	}
	if len(body) > 0 && len(v.Fields) > 0 {
		body = append(body, nil)
	}
	label := 0
	for i := range v.Fields {
		label = max(label, width(f.say(v.Fields[i].Label)))
	}
	label = min(label, room/3)
	from, to := 0, 0
	for i := range v.Fields {
		begin := len(body)
		body = append(body, f.field(&v.Fields[i], i == v.Selected, label, room)...)
		if i == v.Selected {
			from, to = begin, len(body)
		}
	}
	fixed := f.buttons(v.Buttons, v.Selected-len(v.Fields), room)
	if len(fixed) > 0 && len(body)+len(fixed)+3 <= f.Height {
		fixed = append([]spans{nil}, fixed...)
	}
	box.Height = max(min(len(body)+len(fixed)+2, f.Height), 0)
	w := window{f: box, title: spans{{theme.Strong, f.say(v.Title)}}, accent: theme.Border, body: body, fixed: fixed}
	sight := max(box.Height-2-len(fixed), 1)
	w.scroll = 0
	if to > sight {
		// The selected field at the bottom, and its first row before its last.
		w.scroll = min(to-sight, from)
	}
	return w.draw()
}

// field is one field as rows: label, value with the cursor, and the problem.
func (f Frame) field(v *FormField, chosen bool, label, room int) []spans {
	g := &f.Theme.Glyphs
	mark, look := "  ", theme.Muted
	if chosen {
		mark, look = g.Select+" ", theme.Strong
	}
	var out []spans
	for i, part := range wrap(f.say(v.Text), max(room-4, 1)) {
		lead := spans{{theme.Warn, "  " + g.Warn + " "}}
		if i > 0 || !v.Check {
			lead = spans{{theme.Plain, "    "}}
		}
		out = append(out, append(lead, span{theme.Text, part}))
	}
	name := f.cut(f.say(v.Label), label)
	head := spans{{theme.Strong, mark}, {look, name}, {theme.Plain, spaces(label - width(name) + 2)}}
	n := max(room-head.width(), 1)
	for i, s := range f.value(v, chosen, n) {
		row := spans{{theme.Plain, spaces(head.width())}}
		if i == 0 {
			row = append(spans(nil), head...)
		}
		out = append(out, append(row, s...))
	}
	if m := f.say(v.Means); m != "" {
		out = append(out, spans{{theme.Plain, spaces(head.width())}, {theme.Muted, f.prose(m, n)}})
	}
	if p := f.say(v.Problem); p != "" {
		for i, part := range wrap(g.Fail+" "+p, n) {
			if i > 0 {
				part = "  " + part
			}
			out = append(out, spans{{theme.Plain, spaces(head.width())}, {theme.Fail, f.cut(part, n)}})
		}
	}
	return out
}

// fieldRows is how many rows of a text in several lines are shown.
const fieldRows = 5

// value is what a field holds, in rows of at most n cells.
func (f Frame) value(v *FormField, chosen bool, n int) []spans {
	g := &f.Theme.Glyphs
	switch {
	case v.Check:
		box, k := "[ ] not accepted; space accepts it", theme.Text
		if v.Chosen > 0 {
			box, k = "[x] accepted", theme.Strong
		}
		if chosen {
			k = theme.ButtonChosen
		}
		return []spans{{{k, f.cut(box, n)}}}
	case len(v.Options) > 0:
		return []spans{f.options(v, chosen, n)}
	case v.Secret && v.Filled:
		s := spans{{theme.Text, f.bullets()}}
		if chosen {
			s = append(s, span{theme.Strong, g.Cursor})
		}
		return []spans{append(s, span{theme.Muted, f.cut(" typed; it is not shown", max(n-width(f.bullets())-1, 0))})}
	case v.Value == "" && !chosen:
		return []spans{{{theme.Muted, f.cut(orDash(f.say(v.Hint), g.Dash), n)}}}
	case v.Value == "":
		return []spans{{{theme.Strong, g.Cursor}, {theme.Muted, " " + f.cut(f.say(v.Hint), n-2)}}}
	case !chosen && !v.Multiline:
		return []spans{{{theme.Text, f.cut(f.say(v.Value), n)}}}
	}
	at := max(0, min(v.Cursor, len(v.Value)))
	for at > 0 && at < len(v.Value) && !utf8.RuneStart(v.Value[at]) {
		at--
	}
	before, after := v.Value[:at], v.Value[at:]
	if !chosen {
		before, after = v.Value, ""
	}
	if !v.Multiline {
		return []spans{f.typed(before, after, chosen, n)}
	}
	// Lines before and after the one with the cursor; those in sight are the ones
	// around it.
	lines := strings.Split(before, "\n")
	rest := strings.Split(after, "\n")
	here := len(lines) - 1
	var rows []spans
	for _, l := range lines[:here] {
		rows = append(rows, f.textRows(l, n)...)
	}
	from := len(rows)
	rows = append(rows, f.typed(lines[here], rest[0], chosen, n))
	for _, l := range rest[1:] {
		rows = append(rows, f.textRows(l, n)...)
	}
	if len(rows) <= fieldRows {
		return rows
	}
	first := max(0, min(from-fieldRows+2, len(rows)-fieldRows))
	return rows[first : first+fieldRows]
}

func (f Frame) textRows(l string, n int) []spans {
	parts := wrap(f.say(l), n)
	if len(parts) == 0 {
		return []spans{nil}
	}
	var out []spans
	for _, p := range parts {
		out = append(out, spans{{theme.Text, p}})
	}
	return out
}

// typed is a line with the cursor in it, that part of it in sight that holds the
// cursor.
func (f Frame) typed(before, after string, chosen bool, n int) spans {
	g := &f.Theme.Glyphs
	cursor := ""
	if chosen {
		cursor = g.Cursor
	}
	before, after = f.say(before), f.say(after)
	for len(before) > 8*max(n, 1) { // far out of sight
		_, size := utf8.DecodeRuneInString(before[len(before)/2:])
		before = before[len(before)/2+size:]
	}
	room := n - width(cursor)
	if width(before)+width(after) > room {
		if width(before) > room*2/3 {
			before = f.tailOf(before, max(room-min(width(after), room/3), 1))
		}
		after = f.cut(after, max(room-width(before), 0))
	}
	return spans{{theme.Text, before}, {theme.Strong, cursor}, {theme.Text, after}}
}

// options are the choices of a field with the chosen one marked; when they do not
// all fit, the chosen one between arrows.
func (f Frame) options(v *FormField, chosen bool, n int) spans {
	g := &f.Theme.Glyphs
	at := max(0, min(v.Chosen, len(v.Options)-1))
	var all spans
	for i, o := range v.Options {
		k, s := theme.Muted, " "+f.say(o)+" "
		if i == at {
			k, s = theme.Strong, "["+f.say(o)+"]"
			if chosen {
				k = theme.ButtonChosen
			}
		}
		all = append(all, span{k, s})
	}
	if all.width() <= n {
		return all
	}
	k := theme.Strong
	if chosen {
		k = theme.ButtonChosen
	}
	one := f.cut(f.say(v.Options[at]), max(n-6, 1))
	return spans{{theme.Muted, g.In + " "}, {k, "[" + one + "]"}, {theme.Muted, " " + g.Out}}
}

func orDash(s, dash string) string {
	if s == "" {
		return dash
	}
	return s
}

// bullets stand for a secret that was typed. There are always as many: not even its
// length is shown.
func (f Frame) bullets() string {
	if f.Theme.Glyphs.ASCIIOnly {
		return "********"
	}
	return "••••••••"
}
