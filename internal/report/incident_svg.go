package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"warroom/internal/incident"
)

// picture is the timeline drawn, in units of its view box. Everything in it also
// stands in a table of the report, so that nobody needs to see it.
type picture struct {
	W, H, Top, Bottom, TickY int
	Title, Desc, Legend      string
	Lanes                    []lane
	Ticks                    []tick
	Lines                    []stroke
	Bands                    []band
	Shapes                   []shape
	Words                    []label

	scale scale
}

type lane struct {
	Y, H, TextY  int
	Class, Label string
}

type tick struct {
	X             float64
	Label, Anchor string
}

type stroke struct {
	Class          string
	X1, Y1, X2, Y2 float64
}

type band struct {
	Class, Title string
	X, Y, W, H   float64
}

type shape struct{ Class, Title, Path string }

type label struct {
	X, Y          float64
	Label, Anchor string
}

// Sizes of the picture.
const (
	pictureW   = 1100
	plotLeft   = 126
	plotRight  = 1086
	laneTop    = 10
	laneHeight = 46
	wordWidth  = 5.9 // of one character at the size of words
	maxShapes  = 400 // in one lane: beyond, those at one place are drawn once
)

// scale places times: the acute part takes most of the width, and days of work
// after it the rest, so that neither squeezes the other.
type scale struct {
	acute, end span
	bend       float64 // where the acute part ends
}

func newScale(d *incidentDoc) scale {
	end := span(time.Minute)
	reach := func(t span) { end = max(end, t) }
	for i := range d.Timeline {
		reach(d.Timeline[i].T)
		if u := d.Timeline[i].Until; !u.IsZero() {
			reach(span(u.Sub(d.Started.Time)))
		}
	}
	if d.Closed.IsZero() { // it still runs
		reach(span(d.MadeAt.Sub(d.Started.Time)))
	}
	acute := end
	if !d.Recovered.IsZero() {
		acute = max(span(d.Recovered.Sub(d.Started.Time)), span(time.Minute))
		if closed := span(d.Closed.Sub(d.Started.Time)); !d.Closed.IsZero() && closed < 3*acute {
			acute = max(acute, closed)
		}
		acute += acute / 10
	}
	if float64(end) < 1.4*float64(acute) {
		return scale{end, end, plotRight}
	}
	return scale{acute, end, plotLeft + 0.78*(plotRight-plotLeft)}
}

func (s scale) x(t span) float64 {
	switch {
	case t <= 0:
		return plotLeft
	case t <= s.acute:
		return tenth(plotLeft + float64(t)/float64(s.acute)*(s.bend-plotLeft))
	case t >= s.end:
		return plotRight
	}
	return tenth(s.bend + float64(t-s.acute)/float64(s.end-s.acute)*(plotRight-s.bend))
}

func tenth(x float64) float64 { return math.Round(x*10) / 10 }

// draw makes the picture of the timeline.
func (d *incidentDoc) draw() *picture {
	p := &picture{W: pictureW, Top: laneTop, scale: newScale(d), Title: "Timeline of incident " + d.ID}
	p.Legend = "Time runs to the right, counted from T0. Wide bars are budgets, narrow bars the time from the first act of a phase to its end, in another colour beyond the budget. " +
		"Filled marks: done, said, sent. Hollow marks: ruled out, skipped, undone, noted, promised. Crosses: regressed, not sent, not known to have arrived. Everything here stands in the tables."
	if p.scale.bend < plotRight {
		p.Legend += " Right of the dotted line time is drawn closer together."
	}
	p.milestones(d)
	p.phases(d, "flow", "Flow budgets")
	p.phases(d, "checklist", "List budgets")
	p.kinds(d, "Flow steps", 'o', "node")
	p.kinds(d, "Checklist", 'v', "item", "assigned", "sensed")
	p.kinds(d, "Notes, decisions", 's', "note", "decision")
	p.updates(d)
	p.measures(d)
	p.readings(d)
	p.Bottom = laneTop + laneHeight*len(p.Lanes)
	p.TickY = p.Bottom + 16
	p.H = p.Bottom + 24
	p.axis()
	p.describe(d)
	return p
}

// row begins a lane and returns its upper edge.
func (p *picture) row(name string) float64 {
	n := len(p.Lanes)
	y := laneTop + n*laneHeight
	p.Lanes = append(p.Lanes, lane{Y: y, H: laneHeight, TextY: y + 19, Class: [...]string{"lane-a", "lane-b"}[n%2], Label: name})
	return float64(y)
}

// words are the labels of one lane in two rows, left out where they would cover
// one another; what they say is in the mark's title and in the table.
type words struct {
	p    *picture
	y    float64
	ends [2]float64
}

func (w *words) put(x float64, text string) {
	text = cut(text, 34)
	wide := wordWidth * float64(len([]rune(text)))
	for row := range w.ends {
		switch {
		case x+7+wide <= plotRight && x+7 > w.ends[row]:
			w.p.Words = append(w.p.Words, label{x + 7, w.y + 27 + 14*float64(row), text, "start"})
			w.ends[row] = x + 7 + wide + 8
			return
		case x+7+wide > plotRight && x-7-wide > w.ends[row]:
			w.p.Words = append(w.p.Words, label{x - 7, w.y + 27 + 14*float64(row), text, "end"})
			w.ends[row] = x
			return
		}
	}
}

func (p *picture) words(y float64) *words {
	return &words{p: p, y: y, ends: [2]float64{plotLeft - 1, plotLeft - 1}}
}

// mark draws one event: o a disc, s a square, d a diamond, v a triangle, x a cross.
func (p *picture) mark(kind byte, class string, x, y float64, title string) {
	const r = 4.5
	var path string
	switch kind {
	case 'o':
		path = fmt.Sprintf("M%g %ga%g %g 0 1 0 %g 0a%g %g 0 1 0 %g 0z", tenth(x-r), y, r, r, 2*r, r, r, -2*r)
	case 's':
		path = fmt.Sprintf("M%g %gh%gv%gh%gz", tenth(x-r), y-r, 2*r, 2*r, -2*r)
	case 'd':
		path = fmt.Sprintf("M%g %gl%g %gl%g %gl%g %gz", tenth(x-r-1), y, r+1, -r-1, r+1, r+1, -r-1, r+1)
	case 'v':
		path = fmt.Sprintf("M%g %gh%gl%g %gz", tenth(x-r-.5), y-r, 2*r+1, -r-.5, 2*r)
	default:
		path = fmt.Sprintf("M%g %gl%g %gm%g 0l%g %g", tenth(x-r), y-r, 2*r, 2*r, -2*r, 2*r, -2*r)
	}
	p.Shapes = append(p.Shapes, shape{class, cut(title, 300), path})
}

func (p *picture) milestones(d *incidentDoc) {
	y := p.row("Incident")
	w := p.words(y)
	mile := func(t span, what string) {
		x := p.scale.x(t)
		p.Lines = append(p.Lines, stroke{"mile", x, laneTop, x, laneTop + 9*laneHeight})
		p.mark('d', "full", x, y+10, t.T()+" "+what)
		w.put(x, what)
	}
	if !d.Declared.Equal(d.Started.Time) {
		mile(0, "T0")
		mile(span(d.Declared.Sub(d.Started.Time)), "declared")
	} else {
		mile(0, "T0, declared")
	}
	events := make([]label, 0, len(d.Marks)+len(d.Severities)+1)
	for i := range d.Marks {
		events = append(events, label{X: float64(d.Marks[i].T), Label: d.Marks[i].What})
	}
	for i := range d.Severities {
		events = append(events, label{X: float64(d.Severities[i].T), Label: d.Severities[i].To})
	}
	if v := d.Verdict; v != nil && !v.At.IsZero() {
		events = append(events, label{X: float64(v.T), Label: "verdict " + v.Word})
	}
	sortByX(events)
	for _, e := range events[:min(len(events), maxShapes)] {
		mile(span(e.X), e.Label)
	}
}

// phases draws the budgets of the flow or of the checklist, and what came of them.
func (p *picture) phases(d *incidentDoc, of, name string) {
	y := p.row(name)
	w := p.words(y)
	var done []band
	for i := range d.Phases {
		one := &d.Phases[i]
		if one.Of != of || one.From >= p.scale.end {
			continue
		}
		from, to := p.scale.x(one.From), p.scale.x(one.To)
		title := fmt.Sprintf("%s: budget %s to %s, %s", one.Title, one.From, one.To, one.State)
		p.Bands = append(p.Bands, band{"budget", title, from, y + 2, max(1, tenth(to-from)), 17})
		w.put(from-4, one.Title)
		if one.Began == nil {
			continue
		}
		end := p.scale.end
		switch {
		case one.Done != nil:
			end = *one.Done
		case !d.Closed.IsZero():
			end = span(d.Closed.Sub(d.Started.Time))
		}
		// Phases are worked on side by side: their bars take turns in two rows.
		a, b, row := p.scale.x(*one.Began), p.scale.x(end), y+4+7*float64(i%2)
		in := min(b, max(a, to))
		if in > a {
			done = append(done, band{"done", title, a, row, tenth(in - a), 6})
		}
		if b > in {
			done = append(done, band{"over", title, in, row, tenth(b - in), 6})
		}
	}
	p.Bands = append(p.Bands, done...)
}

// kinds draws the events of some kinds, with their words.
func (p *picture) kinds(d *incidentDoc, name string, sign byte, kinds ...string) {
	y := p.row(name)
	w := p.words(y)
	drawn := map[[2]float64]bool{}
	for i := range d.Timeline {
		e := &d.Timeline[i]
		known := false
		for _, k := range kinds {
			known = known || e.Kind == k
		}
		if !known {
			continue
		}
		x, sign, class, what := p.scale.x(e.T), sign, "full", e.Text
		switch {
		case e.Kind == "sensed" && (e.Act != actRegressed || e.Events > 1), e.Act == string(incident.NodeEntered), e.Act == string(incident.ItemStarted):
			continue // among the readings; or the step that follows tells
		case e.Act == actRegressed:
			sign, class = 'x', "bad"
		case e.Kind == "note", e.Kind == "assigned":
			class = "hollow"
		}
		switch e.Act {
		case string(incident.NodeRuledOut), string(incident.NodeOpened), string(incident.ItemSkipped), string(incident.ItemNA), string(incident.ItemUndone):
			class = "hollow"
		}
		if at := [2]float64{math.Round(x), float64(len(class))}; drawn[at] && len(drawn) >= maxShapes {
			continue
		} else {
			drawn[at] = true
		}
		p.mark(sign, class, x, y+10, e.T.T()+" "+what)
		w.put(x, shortly(e))
	}
}

// shortly is an event in a few words.
func shortly(e *entryDoc) string {
	text := e.Text
	switch e.Kind {
	case "node":
		text, _, _ = strings.Cut(text, ":")
	case "item", "assigned", "sensed":
		if _, after, ok := strings.Cut(text, ": "); ok {
			text, _, _ = strings.Cut(after, ":")
		}
	}
	return cut(text, 26)
}
