package panes

import (
	"fmt"

	"warroom/internal/incident"
	"warroom/internal/theme"
)

// Measures is the register of temporary measures: what is in force, who decided
// it, why, and until when; what is past its end comes out loudest, what has ended
// stands below. total is how many rows there are to scroll through.
func Measures(f Frame, b *incident.Board, selected string, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, title: spans{{theme.Strong, "TEMPORARY MEASURES"}}}
	d := &detail{f: f, n: inner(f.Width)}
	if b == nil || b.State == nil {
		d.text(0, "", theme.Text, "no incident is declared: nothing is registered")
		w.body = d.body
		return w.draw(), len(w.body)
	}
	order := MeasureOrder(b)
	open, overdue := 0, 0
	for i := range b.State.Measures {
		if m := &b.State.Measures[i]; m.Ended.IsZero() {
			open++
			if past(m, b) {
				overdue++
			}
		}
	}
	w.title = append(w.title, span{theme.Muted, fmt.Sprintf(" %d open", open)})
	if overdue > 0 {
		w.title = append(w.title, span{theme.Plain, " "}, span{theme.FailBadge, fmt.Sprintf(" %d OVERDUE ", overdue)})
	}
	w.right = spans{{theme.Muted, "the incident closes when none is open, or with a reason for each"}}
	if len(order) == 0 {
		d.text(0, "", theme.Text, "none was taken: a backup key, a forced check, an override, a cancelled rotation or emergency access is entered here")
	}
	from, to := 0, 0
	ended := false
	for _, id := range order {
		m := measureOf(b, id)
		if !m.Ended.IsZero() && !ended {
			d.heading("Ended")
			ended = true
		}
		begin := len(d.body)
		d.measure(b, m, id == selected)
		if id == selected {
			from, to = begin, len(d.body)
		}
	}
	w.body = d.body
	room := f.Height - 2
	w.scroll = scroll
	if to > 0 {
		w.scroll += inSight(len(d.body), room, from, to)
	}
	return w.draw(), len(w.body)
}

// MeasureOrder lists the measures as they are drawn: those that are open before
// those that have ended, each in order of opening.
func MeasureOrder(b *incident.Board) []string {
	if b == nil || b.State == nil {
		return nil
	}
	var open, ended []string
	for i := range b.State.Measures {
		if m := &b.State.Measures[i]; m.Ended.IsZero() {
			open = append(open, m.ID)
		} else {
			ended = append(ended, m.ID)
		}
	}
	return append(open, ended...)
}

func measureOf(b *incident.Board, id string) *incident.Measure {
	for i := range b.State.Measures {
		if b.State.Measures[i].ID == id {
			return &b.State.Measures[i]
		}
	}
	return nil
}

// past reports whether a measure is open beyond its end.
func past(m *incident.Measure, b *incident.Board) bool {
	return m.Ended.IsZero() && !m.Until.IsZero() && m.Until.Before(b.Now)
}

// measure draws one of the register.
func (d *detail) measure(b *incident.Board, m *incident.Measure, chosen bool) {
	f, g := d.f, &d.f.Theme.Glyphs
	mark, look := "  ", theme.Strong
	if chosen {
		mark, look = g.Select+" ", theme.Selection
	}
	head := spans{{theme.Strong, mark}, {look, f.say(m.ID) + " " + f.say(string(m.Kind))}, {theme.Plain, "  "}}
	switch {
	case !m.Ended.IsZero():
		head = append(head, span{theme.Muted, g.OK + " ended " + f.sinceT0(b, m.Ended) + " " + stamp(m.Ended, f.Now)})
	case past(m, b):
		head = append(head, span{theme.FailBadge, " " + g.Fail + " OVERDUE " + late(b.Now.Sub(m.Until)) + " "}, span{theme.Fail, " was until " + stamp(m.Until, f.Now)})
	case m.Until.IsZero():
		head = append(head, span{theme.Warn, g.Warn + " open, no end was given"})
	default:
		head = append(head, span{theme.Warn, g.Open + " open"}, span{theme.Text, " until " + stamp(m.Until, f.Now) + ", " + untilThen(m.Until, b.Now)})
	}
	d.row(head...)
	d.text(5, "what:", theme.Text, f.say(m.What))
	why := f.say(m.Reason)
	if why == "" {
		why = "no reason was given"
	}
	d.text(5, "why: ", theme.Text, why)
	d.text(5, "who: ", theme.Text, f.say(m.Who)+", opened "+f.sinceT0(b, m.Opened)+" "+stamp(m.Opened, f.Now))
	if s := f.say(m.Why); s != "" {
		label := "end: "
		if m.Ended.IsZero() {
			label = "kept:"
		}
		d.text(5, label, theme.Text, s)
	}
}
