package panes

import (
	"fmt"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// RunView is one run as it is watched.
type RunView struct {
	Run      *plan.Progress
	Advice   *plan.Advice
	Starting bool // its consent is being recorded: nothing has begun
	Probing  bool
	Unsaid   string // why there is no advice
	LogUp    int    // rows that the log is scrolled up from its end
	Upper    bool   // the keys scroll the steps, not the log
	Scroll   int    // of the steps, while Upper is set
}

// RunSize is how many rows a run has to scroll through, and how many are in sight.
type RunSize struct{ Steps, StepsSight, Log, LogSight int }

// Run is a run while it goes on and when it is over: how it stands, each step with
// its time, what is held for whom, and the log.
func Run(f Frame, v RunView) (rows []string, size RunSize) {
	p := v.Run
	if p == nil {
		w := window{f: f, accent: theme.Border, title: spans{{theme.Strong, "RUN"}}, body: []spans{{{theme.Text, "this run is not known here"}}}}
		return w.draw(), size
	}
	left, right := f, f
	beside := f.Width >= 130
	if beside {
		left.Width = f.Width * 11 / 20
		right.Width = f.Width - left.Width
	}
	d := &detail{f: left, n: inner(left.Width)}
	if v.Starting {
		d.row(span{theme.WarnBadge, " " + f.Theme.Glyphs.Doing + " STARTING "}, span{theme.Text, "  your consent is being recorded; nothing has begun"})
		d.text(0, "", theme.Strong, f.runTitle(p))
	} else {
		d.runSaid(p)
	}
	if p.State.Open() {
		rv := &RecoverView{Probing: v.Probing, Unadvised: v.Unsaid}
		d.advice(rv, p, v.Advice)
		if v.Advice != nil {
			d.text(0, "", theme.Muted, "enter offers the ways; each is planned and confirmed like any other")
		}
	}
	var fixed []spans
	if p.State == plan.RunActive {
		fixed, d.body = d.body, nil // it stays in sight while the steps go by
	} else {
		d.row()
	}
	from, to := d.steps(p, false)
	d.held(p)
	if s := f.say(p.LogPath); s != "" {
		d.row()
		d.text(0, "text log:", theme.Text, s)
	}
	if !beside {
		want := min(len(fixed)+len(d.body)+2, f.Height*2/3)
		left.Height = max(min(want, f.Height-min(5, f.Height/3)), 0)
		right.Height = f.Height - left.Height
	}
	w := window{f: left, accent: theme.Border, title: spans{{theme.Strong, "RUN " + f.runShort(p)}}, head: fixed, body: d.body}
	switch {
	case v.Upper:
		w.scroll = v.Scroll
	case p.State == plan.RunActive:
		w.scroll = inSight(len(w.body), left.Height-2-len(fixed), from, to)
	}
	if v.Upper {
		w.title = append(spans{{theme.Strong, f.Theme.Glyphs.Mark + " "}}, w.title...)
	}
	log, total := f.runLog(right, p, v)
	size = RunSize{Steps: len(d.body), StepsSight: max(left.Height-2-len(fixed), 0), Log: total, LogSight: max(right.Height-2, 0)}
	if beside {
		return Beside(w.draw(), log), size
	}
	return append(w.draw(), log...), size
}

// steps are the steps of a run, a row each, with more of those that matter: the one
// at work with its parts, and what did not go well. It returns the rows of the one
// that the run is at.
func (d *detail) steps(p *plan.Progress, short bool) (from, to int) {
	f := d.f
	wide := 0
	for i := range p.Steps {
		wide = max(wide, width(f.stepSign(p.Steps[i].State).text()))
	}
	at := currentStep(p)
	for i := range p.Steps {
		s := &p.Steps[i]
		sg := f.stepSign(s.State)
		begin := len(d.body)
		mark, look := "  ", theme.Text
		if i == at && p.State == plan.RunActive {
			mark, look = f.Theme.Glyphs.Now+" ", theme.Strong
		}
		took := stepTime(s, f.Now)
		head := spans{{theme.Strong, mark}, {theme.Muted, fmt.Sprintf("%2d ", i+1)}, {sg.look, sg.text()}, gapTo(width(sg.text()), wide+1)}
		room := max(d.n-head.width()-width(took)-1, 8)
		title := f.prose(f.stepTitle(p, i), room)
		head = append(head, span{look, title})
		if took != "" {
			head = append(head, gapTo(head.width(), d.n-width(took)), span{theme.Text, took})
		}
		d.body = append(d.body, f.fit(head, d.n))
		in := 5
		if len(s.Parts) > 0 {
			d.parts(s, in, short || i != at && s.State == plan.Done)
		}
		switch s.State {
		case plan.Waiting, "":
		case plan.Failed, plan.UndoError:
			d.text(in, "", theme.Fail, f.say(s.Detail))
		case plan.Broken:
			d.text(in, "", theme.Unknown, orWord(f.say(s.Detail), "it was begun, and what came of it is not known"))
		default:
			if !short || i == at {
				d.text(in, "", theme.Muted, f.say(s.Detail))
			}
		}
		if i == at {
			from, to = begin, len(d.body)
		}
	}
	return from, to
}

// mostParts bounds how many parts of a step are listed: those that are settled are
// counted only.
const mostParts = 12

// parts says how the many stand that a step works on; those that failed come first,
// then those at work.
func (d *detail) parts(s *plan.StepProgress, in int, short bool) {
	f := d.f
	_, _, failed := PartCount(s.Parts)
	look := theme.Text
	if failed > 0 {
		look = theme.Fail
	}
	d.row(span{theme.Plain, spaces(in)}, span{look, partsSaid(s.Parts)})
	if short && failed == 0 {
		return
	}
	listed, more := 0, 0
	for _, want := range []func(plan.StepState) bool{
		func(st plan.StepState) bool { return st == plan.Failed || st == plan.Broken || st == plan.UndoError },
		func(st plan.StepState) bool { return st == plan.Running || st == plan.Undoing },
	} {
		for i := range s.Parts {
			p := &s.Parts[i]
			if !want(p.State) {
				continue
			}
			if listed++; listed > mostParts {
				more++
				continue
			}
			sg := f.stepSign(p.State)
			row := spans{{theme.Plain, spaces(in + 2)}, {sg.look, sg.text() + " "}, {theme.Strong, f.say(p.Name)}}
			if t := f.say(p.Detail); t != "" {
				row = append(row, span{theme.Text, "  " + t})
			}
			d.body = append(d.body, f.fit(row, d.n))
		}
	}
	if more > 0 {
		d.row(span{theme.Plain, spaces(in + 2)}, span{theme.Muted, fmt.Sprintf("and %d more", more)})
	}
}

// held is what the run keeps for somebody.
func (d *detail) held(p *plan.Progress) {
	if len(p.Held) == 0 {
		return
	}
	d.heading("Held while it runs")
	for i := range p.Held {
		h := &p.Held[i]
		s := d.f.say(h.What)
		if t := d.f.say(h.For); t != "" {
			s += ", for " + t
		}
		d.text(0, "", theme.Text, s)
	}
}

// runLog is the log of a run, its end in sight unless it is scrolled up.
func (f Frame) runLog(box Frame, p *plan.Progress, v RunView) (rows []string, total int) {
	if box.Height < 1 {
		return nil, 0
	}
	g := &f.Theme.Glyphs
	n := inner(box.Width)
	w := window{f: box, accent: theme.Border, title: spans{{theme.Strong, "LOG"}}}
	if !v.Upper {
		w.title[0].s = g.Mark + " LOG"
	}
	if len(p.Log) > 0 && p.Log[0].N > 1 {
		w.body = append(w.body, spans{{theme.Muted, f.prose("the lines before are in the text log", n)}})
	}
	for i := range p.Log {
		l := &p.Log[i]
		glyph, look := g.Dot, theme.Muted
		switch l.Mark {
		case "ok":
			glyph, look = g.OK, theme.OK
		case "fail":
			glyph, look = g.Fail, theme.Fail
		case "warn":
			glyph, look = g.Warn, theme.Warn
		}
		head := spans{{theme.Muted, l.At.UTC().Format("15:04:05") + " "}, {look, glyph + " "}}
		hang := head.width()
		for j, part := range wrap(f.say(l.Text), max(n-hang, 8)) {
			if j == 0 {
				w.body = append(w.body, append(head, span{theme.Text, part}))
			} else {
				w.body = append(w.body, spans{{theme.Plain, spaces(hang)}, {theme.Text, part}})
			}
		}
	}
	if len(w.body) == 0 {
		w.body = []spans{{{theme.Text, "nothing was said yet"}}}
	}
	room := max(box.Height-2, 0)
	w.scroll = max(0, len(w.body)-room-max(v.LogUp, 0))
	return w.draw(), len(w.body)
}
