package panes

import (
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// TimelineView is which part of the journal is shown, and how.
type TimelineView struct {
	Page     incident.Page
	Selected uint64 // Seq of the event that is shown in full; 0 for the newest
	Filter   string // the text that is searched for; empty for all
	Kinds    string // which kinds are shown, in words; empty for all
	Loading  bool   // the page is being read
}

// Timeline draws a page of the journal, the newest at the bottom.
func Timeline(f Frame, b *incident.Board, v TimelineView) []string {
	w := window{f: f, accent: theme.Border, title: spans{{theme.Strong, "Timeline"}}}
	for i := range v.Page.Events {
		e := &v.Page.Events[i]
		w.body = append(w.body, spans{{theme.Muted, e.At.UTC().Format("15:04:05")}, {theme.Text, "  " + string(e.Kind)}})
	}
	return w.draw()
}
