package panes

import (
	"strings"

	"warroom/internal/theme"
)

// Draft is a text of several lines under a title, to be read before it goes out.
// total is how many rows there are to scroll through, of which Height−2 are in
// sight; a scroll beyond the end shows the end.
func Draft(f Frame, title, text string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, title: spans{{theme.Strong, f.say(title)}}, right: spans{{theme.Key, "esc"}, {theme.KeyText, " back"}}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		parts := wrap(f.say(line), max(inner(f.Width), 8))
		if len(parts) == 0 {
			parts = []string{""}
		}
		for _, part := range parts {
			w.body = append(w.body, spans{{theme.Text, part}})
		}
	}
	if len(w.body) == 0 {
		w.body = []spans{{{theme.Text, "there is nothing to say yet"}}}
	}
	return w.draw(), len(w.body)
}
