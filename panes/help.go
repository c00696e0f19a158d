package panes

import (
	"warroom/internal/theme"
)

// HelpGroup is some keys that belong together.
type HelpGroup struct {
	Title string
	Keys  []KeyHint
}

// Help is a dialog that lists what every key does, with the reason for those
// that do nothing now. It is at most as large as the frame; total is how many
// rows there are to scroll through, of which Height−2 are in sight when it does
// not fit. A scroll beyond the end shows the end.
func Help(f Frame, title string, groups []HelpGroup, scroll int) (rows []string, total int) {
	key, does := 0, width(f.say(title))
	for _, g := range groups {
		for _, k := range g.Keys {
			key = max(key, width(f.say(k.Key)))
		}
	}
	key = min(key, 14)
	for _, g := range groups {
		for _, k := range g.Keys {
			n := width(f.say(k.Does))
			if k.Disabled != "" {
				n += 3 + width(f.say(k.Disabled))
			}
			does = max(does, n)
		}
	}
	box := f.within(max(key+3+does+6, 30), f.Height)
	room := inner(box.Width)
	var body []spans
	for i, g := range groups {
		if i > 0 {
			body = append(body, nil)
		}
		if g.Title != "" {
			body = append(body, spans{{theme.Muted, f.say(g.Title)}})
		}
		for _, k := range g.Keys {
			name := f.cut(f.say(k.Key), key)
			text, look, first := f.say(k.Does), theme.Text, theme.Key
			if k.Disabled != "" {
				text, look, first = text+" ("+f.say(k.Disabled)+")", theme.Disabled, theme.Disabled
			}
			indent := key + 3
			for j, part := range wrap(text, max(room-indent, 8)) {
				if j == 0 {
					body = append(body, spans{{first, " " + name}, {theme.Plain, spaces(indent - 1 - width(name))}, {look, part}})
				} else {
					body = append(body, spans{{theme.Plain, spaces(indent)}, {look, part}})
				}
			}
		}
	}
	box.Height = max(min(len(body)+2, f.Height), 0)
	w := window{f: box, title: spans{{theme.Strong, f.say(title)}}, right: spans{{theme.Key, "esc"}, {theme.KeyText, " close"}}, accent: theme.Border, body: body, scroll: scroll}
	return w.draw(), len(body)
}
