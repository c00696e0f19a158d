package panes

import (
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// Measures is the register of temporary measures: what is in force, who decided
// it, why, and until when. total is how many rows there are to scroll through.
func Measures(f Frame, b *incident.Board, selected string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, title: spans{{theme.Strong, "Temporary measures"}}}
	return w.draw(), len(w.body)
}
