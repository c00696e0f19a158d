package panes

import (
	"warroom/internal/theme"
)

// Dialog is a framed question: text, and buttons of which the first is Cancel
// and the one selected is marked in words as well as in colour. The buttons are
// in sight however small the frame is; the text is cut before they are, and
// says so.
func Dialog(f Frame, title string, body []string, buttons []string, selected int) []string {
	want := width(f.say(title)) + 8
	for _, b := range body {
		want = max(want, min(width(f.say(b)), 72)+4)
	}
	row := f.buttons(buttons, selected, 1<<16)
	if len(row) > 0 {
		want = max(want, row[0].width()+4)
	}
	box := f.within(max(want, 30), f.Height)
	room := inner(box.Width)
	var text []spans
	for _, b := range body {
		if b == "" {
			text = append(text, nil)
			continue
		}
		for _, part := range wrap(f.say(b), room) {
			text = append(text, spans{{theme.Text, part}})
		}
	}
	fixed := f.buttons(buttons, selected, room)
	if len(fixed) > 0 && len(text)+len(fixed)+3 <= f.Height {
		fixed = append([]spans{nil}, fixed...)
	}
	box.Height = max(min(len(text)+len(fixed)+2, f.Height), 0)
	return window{f: box, title: spans{{theme.Strong, f.say(title)}}, accent: theme.Border, body: text, fixed: fixed}.draw()
}

// buttons sets the buttons in rows of n cells.
func (f Frame) buttons(names []string, selected, n int) []spans {
	var out []spans
	for i, b := range names {
		k, mark := theme.Button, " "
		if i == selected {
			k, mark = theme.ButtonChosen, f.Theme.Glyphs.Select
		}
		one := spans{{k, mark + "[ " + f.say(b) + " ] "}}
		if last := len(out) - 1; last >= 0 && out[last].width()+1+one.width() <= n {
			out[last] = append(append(out[last], span{theme.Plain, " "}), one...)
			continue
		}
		out = append(out, one)
	}
	return out
}
