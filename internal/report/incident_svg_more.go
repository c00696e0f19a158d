package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

func sortByX(list []label) {
	slices.SortStableFunc(list, func(a, b label) int {
		switch {
		case a.X < b.X:
			return -1
		case a.X > b.X:
			return 1
		}
		return 0
	})
}

// updates draws when each was promised and when it went out.
func (p *picture) updates(d *incidentDoc) {
	y := p.row("Updates")
	w := p.words(y)
	for i := range d.Updates.List[:min(len(d.Updates.List), maxShapes)] {
		u := &d.Updates.List[i]
		x := p.scale.x(u.T)
		title := fmt.Sprintf("%s update: %s", u.T.T(), u.State)
		if !u.Promised.IsZero() {
			due := span(u.Promised.Sub(d.Started.Time))
			at := p.scale.x(due)
			title += ", promised for " + due.T()
			if u.Late != nil {
				p.Lines = append(p.Lines, stroke{"lateline", at, y + 10, x, y + 10})
			}
			p.mark('d', "hollow", at, y+10, due.T()+" an update was promised")
		}
		switch {
		case u.To == "" || u.Failed != "":
			p.mark('x', "bad", x, y+10, title)
		default:
			p.mark('d', "full", x, y+10, title)
		}
		text, _, _ := strings.Cut(u.State, ":")
		if u.Late != nil && u.To != "" {
			text = "late by " + u.Late.String()
		}
		w.put(x, text)
	}
	if due := d.Updates.Due; !due.IsZero() {
		at := span(due.Sub(d.Started.Time))
		if at <= p.scale.end {
			p.mark('d', "hollow", p.scale.x(at), y+10, at.T()+" an update was promised")
		}
	}
}

// measures draws for how long each temporary measure was open.
func (p *picture) measures(d *incidentDoc) {
	y := p.row("Measures")
	w := p.words(y)
	for i := range d.Measures[:min(len(d.Measures), maxShapes)] {
		m := &d.Measures[i]
		from, to, class := p.scale.x(span(m.Opened.Sub(d.Started.Time))), float64(plotRight), "over"
		if !m.Ended.IsZero() {
			to, class = p.scale.x(span(m.Ended.Sub(d.Started.Time))), "done"
		}
		p.Bands = append(p.Bands, band{class, cut(fmt.Sprintf("%s %s: %s, %s", m.ID, m.Kind, m.What, m.State), 300), from, y + 3 + 8*float64(i%2), max(2, tenth(to-from)), 6})
		text := m.ID
		if m.Ended.IsZero() {
			text += " still open"
		}
		w.put(from-6, text)
	}
}

// readings draws how many changes nobody made, as bars.
func (p *picture) readings(d *incidentDoc) {
	y := p.row("Readings")
	const bins = 120
	var n [bins]int
	most := 0
	wide := float64(plotRight-plotLeft) / bins
	put := func(t span, events int) {
		bin := min(bins-1, int((p.scale.x(t)-plotLeft)/wide))
		n[bin] += events
		most = max(most, n[bin])
	}
	for i := range d.Timeline {
		e := &d.Timeline[i]
		if e.Kind != "reading" && e.Kind != "sensed" {
			continue
		}
		if e.Events <= 1 {
			put(e.T, 1)
			continue
		}
		// A line for many does not say when each was: they are spread over its time.
		parts := min(e.Events, bins)
		length := e.Until.Sub(e.At.Time)
		for j := range parts {
			put(e.T+span(length/time.Duration(parts)*time.Duration(j)), (e.Events*(j+1))/parts-e.Events*j/parts)
		}
	}
	for bin, events := range n {
		if events > 0 {
			high := tenth(4 + 30*math.Log1p(float64(events))/math.Log1p(float64(most)))
			p.Bands = append(p.Bands, band{"tally", count(events, "change"), tenth(plotLeft + wide*float64(bin)), y + 42 - high, tenth(wide - 1), high})
		}
	}
	if most > 0 {
		p.Words = append(p.Words, label{6, y + 34, fmt.Sprintf("at most %d a bar", most), "start"})
	}
}

// axis draws the hours under the lanes.
func (p *picture) axis() {
	steps := []time.Duration{10 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 168 * time.Hour}
	every := func(length span, most int) span {
		for _, s := range steps {
			if float64(length)/float64(s) <= float64(most) {
				return span(s)
			}
		}
		return span(math.Ceil(float64(length)/float64(most)/float64(168*time.Hour))) * span(168*time.Hour)
	}
	for t, step := span(0), every(p.scale.acute, 9); t <= p.scale.acute; t += step {
		anchor := "middle"
		if plotRight-p.scale.x(t) < 24 {
			anchor = "end"
		}
		if p.scale.bend < plotRight && p.scale.bend-p.scale.x(t) < 60 && t > 0 {
			continue // its label would run into the break's
		}
		p.Ticks = append(p.Ticks, tick{p.scale.x(t), t.T(), anchor})
	}
	if p.scale.bend == plotRight {
		return
	}
	p.Lines = append(p.Lines, stroke{"break", p.scale.bend, laneTop, p.scale.bend, float64(p.Bottom)})
	p.Ticks = append(p.Ticks, tick{p.scale.bend, p.scale.acute.T(), "middle"}, tick{plotRight, p.scale.end.T(), "end"})
}

// describe says in words what is drawn.
func (p *picture) describe(d *incidentDoc) {
	var b strings.Builder
	fmt.Fprintf(&b, "Time runs from T0, %s, to %s.", d.Started, p.scale.end.T())
	for i := range d.Times {
		if t := &d.Times[i]; t.Value != nil {
			fmt.Fprintf(&b, " %s: %s.", t.Title, *t.Value)
		}
	}
	for i := range d.Phases {
		fmt.Fprintf(&b, " %s %d, %s: %s.", d.Phases[i].Of, d.Phases[i].Number, d.Phases[i].Title, d.Phases[i].State)
	}
	fmt.Fprintf(&b, " %s were sent, %d of them late.", count(d.Updates.Sent, "update"), d.Updates.Late)
	b.WriteString(" The tables of this report hold all of it.")
	p.Desc = b.String()
}
