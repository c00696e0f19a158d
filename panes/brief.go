package panes

import (
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// Brief is the incident in big type, for the bridge. b and r may be nil.
func Brief(f Frame, b *incident.Board, r *estate.Readings) []string {
	w := window{f: f, accent: theme.Border, title: spans{{theme.Strong, "Brief"}}}
	return w.draw()
}
