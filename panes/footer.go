package panes

import (
	"warroom/internal/theme"
)

// KeyHint is a key and what it does; Disabled says why it does not now.
type KeyHint struct {
	Key, Does string
	Disabled  string
}

// Footer is one row: what the console has to say, if anything, and then as many
// keys as fit whole, the first being the most important.
func Footer(f Frame, keys []KeyHint, message string) []string {
	l := f.line(f.Width)
	l.skip(1)
	if m := f.say(message); m != "" {
		l.put(theme.Message, m)
		l.skip(3)
	}
	first, between := true, 3
	if f.Width < 100 {
		between = 2
	}
	for _, k := range keys {
		h := f.hint(k)
		gap := between
		if first {
			gap = 0
		}
		if gap+h.width() > l.left()-1 {
			break
		}
		l.skip(gap).spans(h)
		first = false
	}
	return []string{l.String()}
}

func (f Frame) hint(k KeyHint) spans {
	if k.Disabled != "" {
		return spans{{theme.Disabled, f.say(k.Key) + " " + f.say(k.Does) + " (" + f.say(k.Disabled) + ")"}}
	}
	return spans{{theme.Key, f.say(k.Key)}, {theme.KeyText, " " + f.say(k.Does)}}
}
