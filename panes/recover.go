package panes

import (
	"slices"
	"strings"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// RecoverView is what there is to recover: runs that were left open with what can be
// done about them, runs under way, and procedures with their targets.
type RecoverView struct {
	Off        string // why nothing can be recovered from here; empty when something can
	Busy       string // what is under way, one line; empty when nothing is
	Loaded     bool   // what can be done is known
	Procedures []plan.About
	Targets    map[string][]plan.Target // by procedure
	Runs       []plan.Progress          // in order of their beginning
	Advice     []plan.Advice
	Probing    bool       // the advice is being made
	Unadvised  string     // why there is none
	Ready      *plan.Plan // a plan that was made and not consented to; nil for none
	Expanded   map[string]bool
	Selected   string // id of the item under the cursor
	Scroll     int    // of what is said of it
}

// RecoverKind is what an item of the list is.
type RecoverKind uint8

// Kinds of items, in the order in which they stand.
const (
	RecoverOpen      RecoverKind = iota // a run that was left open
	RecoverWay                          // one way out of it
	RecoverReady                        // a plan that waits for consent
	RecoverRunning                      // a run under way
	RecoverDue                          // a target that the readings call a procedure for
	RecoverProcedure                    //
	RecoverTarget                       // of the procedure above it
	RecoverEnded                        // a run that is over
)

// RecoverItem is one thing that the cursor can be put on. Its id stays the same
// while other items come and go.
type RecoverItem struct {
	ID                     string
	Kind                   RecoverKind
	Run, Procedure, Target string
	Mode                   plan.Mode
}

// mostEnded bounds how many runs that are over are listed, the latest first.
const mostEnded = 12

// RecoverItems lists what can be chosen, in the order in which it is drawn.
func RecoverItems(v *RecoverView) []RecoverItem {
	var out []RecoverItem
	if v.Off != "" {
		return nil
	}
	for i := len(v.Runs) - 1; i >= 0; i-- {
		p := &v.Runs[i]
		if !p.State.Open() {
			continue
		}
		out = append(out, RecoverItem{ID: "open/" + p.Run, Kind: RecoverOpen, Run: p.Run})
		if a := adviceFor(v, p.Run); a != nil {
			for _, m := range ways(a) {
				out = append(out, RecoverItem{ID: "way/" + p.Run + "/" + string(m), Kind: RecoverWay, Run: p.Run, Mode: m})
			}
		}
	}
	if v.Ready != nil {
		out = append(out, RecoverItem{ID: "ready/" + v.Ready.ID, Kind: RecoverReady})
	}
	for i := range v.Runs {
		if v.Runs[i].State == plan.RunActive {
			out = append(out, RecoverItem{ID: "run/" + v.Runs[i].Run, Kind: RecoverRunning, Run: v.Runs[i].Run})
		}
	}
	for i := range v.Procedures {
		name := v.Procedures[i].Name
		for _, t := range v.Targets[name] {
			if t.Ready && t.Due != "" {
				out = append(out, RecoverItem{ID: "due/" + name + "/" + t.ID, Kind: RecoverDue, Procedure: name, Target: t.ID})
			}
		}
	}
	for i := range v.Procedures {
		name := v.Procedures[i].Name
		id := "procedure/" + name
		out = append(out, RecoverItem{ID: id, Kind: RecoverProcedure, Procedure: name})
		if !v.Expanded[id] {
			continue
		}
		for _, t := range v.Targets[name] {
			out = append(out, RecoverItem{ID: "target/" + name + "/" + t.ID, Kind: RecoverTarget, Procedure: name, Target: t.ID})
		}
	}
	ended := 0
	for i := len(v.Runs) - 1; i >= 0 && ended < mostEnded; i-- {
		if s := v.Runs[i].State; !s.Open() && s != plan.RunActive {
			out = append(out, RecoverItem{ID: "ended/" + v.Runs[i].Run, Kind: RecoverEnded, Run: v.Runs[i].Run})
			ended++
		}
	}
	return out
}

// ways are the possible modes of an advice, the recommended one first.
func ways(a *plan.Advice) []plan.Mode {
	out := slices.Clone(a.Possible)
	if i := slices.Index(out, a.Recommended); i > 0 {
		out = slices.Delete(out, i, i+1)
		out = slices.Insert(out, 0, a.Recommended)
	}
	return out
}

func adviceFor(v *RecoverView, run string) *plan.Advice {
	for i := range v.Advice {
		if v.Advice[i].Run == run {
			return &v.Advice[i]
		}
	}
	return nil
}

func runIn(v *RecoverView, id string) *plan.Progress {
	for i := range v.Runs {
		if v.Runs[i].Run == id {
			return &v.Runs[i]
		}
	}
	return nil
}

func aboutIn(v *RecoverView, name string) *plan.About {
	for i := range v.Procedures {
		if v.Procedures[i].Name == name {
			return &v.Procedures[i]
		}
	}
	return nil
}

func targetIn(v *RecoverView, procedure, id string) *plan.Target {
	list := v.Targets[procedure]
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

// Recover is what can be done on the left, and on the right all that is known of
// what the cursor is on; where there is little room, one above the other. total is
// how many rows of the latter there are to scroll through, of which sight are in
// sight.
func Recover(f Frame, v RecoverView) (rows []string, total, sight int) {
	left, right := f, f
	beside := f.Width >= 80
	switch {
	case beside:
		left.Width = max(38, min(f.Width*9/20, 72))
		right.Width = f.Width - left.Width
	case f.Height >= 14:
		left.Height = max(f.Height/2, 6)
		right.Height = f.Height - left.Height
	default:
		right.Height = 0
	}
	rows = f.recoverList(left, &v)
	about, total := f.recoverAbout(right, &v)
	if beside {
		return Beside(rows, about), total, right.Height - 2
	}
	return append(rows, about...), total, max(right.Height-2, 0)
}

// recoverList is the list with its cursor.
func (f Frame) recoverList(box Frame, v *RecoverView) []string {
	w := window{f: box, accent: theme.Border, title: spans{{theme.Strong, "RECOVER"}}}
	d := &detail{f: box, n: inner(box.Width)}
	if v.Off != "" {
		d.text(0, "", theme.Text, f.say(v.Off))
		w.body = d.body
		return w.draw()
	}
	if v.Busy != "" {
		w.head = append(w.head, spans{{theme.Message, f.cut(f.say(v.Busy), d.n)}})
	}
	items := RecoverItems(v)
	from, to := 0, 0
	last := RecoverKind(255)
	for i := range items {
		it := &items[i]
		if title := f.recoverHeading(v, it.Kind, last); title != "" {
			d.heading(title)
			if it.Kind == RecoverProcedure && v.Loaded {
				d.counted("targets")
			}
		}
		last = it.Kind
		begin := len(d.body)
		d.recoverItem(v, it, it.ID == v.Selected)
		if it.ID == v.Selected {
			from, to = begin, len(d.body)
		}
	}
	switch {
	case len(v.Procedures) > 0:
	case !v.Loaded:
		d.text(0, "", theme.Text, "reading what can be done"+f.Theme.Glyphs.Ellipsis)
	default:
		d.text(0, "", theme.Text, "warroom.yaml configures nothing that a procedure could be done to")
	}
	w.body = d.body
	room := box.Height - 2 - len(w.head)
	w.scroll = inSight(len(w.body), room, max(from-1, 0), to)
	return w.draw()
}

// counted ends the heading that was drawn last with what the column below it counts.
func (d *detail) counted(what string) {
	head := d.body[len(d.body)-1]
	line := &head[len(head)-1]
	if n := width(line.s) - width(what) - 1; n > 0 {
		line.s = rule(d.f.Theme.Glyphs.Frame.Across, n)
		d.body[len(d.body)-1] = append(head, span{theme.Muted, " " + what})
	}
}

// recoverHeading is what stands above the first item of its sort.
func (f Frame) recoverHeading(v *RecoverView, kind, last RecoverKind) string {
	sort := func(k RecoverKind) string {
		switch k {
		case RecoverOpen, RecoverWay:
			return "Left open: decide"
		case RecoverReady:
			return "Plan that waits"
		case RecoverRunning:
			return "Running"
		case RecoverDue:
			return "Called for by the readings"
		case RecoverProcedure, RecoverTarget:
			return "What can be done"
		case RecoverEnded:
			return "Over"
		}
		return ""
	}
	if s := sort(kind); s != sort(last) {
		return s
	}
	return ""
}

// recoverItem draws one item of the list.
func (d *detail) recoverItem(v *RecoverView, it *RecoverItem, chosen bool) {
	f, g := d.f, &d.f.Theme.Glyphs
	mark, look := "  ", theme.Text
	if chosen {
		mark, look = g.Select+" ", theme.Selection
	}
	row := func(indent int, before spans, text string, k theme.Token, tail ...span) {
		s := append(spans{{theme.Strong, spaces(indent) + mark}}, before...)
		room := d.n - s.width() - spans(tail).width()
		if len(tail) > 0 {
			room--
		}
		text = f.prose(text, max(room, 8))
		if chosen {
			k = look
		}
		s = append(s, span{k, text})
		if len(tail) > 0 {
			s = append(s, gapTo(s.width(), d.n-spans(tail).width()))
			s = append(s, tail...)
		}
		d.row(s...)
	}
	switch it.Kind {
	case RecoverOpen, RecoverRunning, RecoverEnded:
		p := runIn(v, it.Run)
		if p == nil {
			return
		}
		s := f.runSign(p.State)
		tail := span{theme.Text, runTime(p, f.Now)}
		if it.Kind == RecoverEnded {
			tail = span{theme.Muted, stamp(p.Ended, f.Now)}
		}
		name := f.runShort(p)
		if it.Kind == RecoverEnded && p.Plan != nil && 2+width(s.text())+1+width(name)+1+width(tail.s) > d.n {
			// To what it was done says more than the name of what was done.
			row(0, spans{{s.look, s.text() + " "}}, strings.TrimSuffix(name, " "+f.say(p.Plan.Target)), theme.Strong, tail)
			d.row(span{theme.Text, spaces(4) + f.prose(f.say(p.Plan.Target), d.n-4)})
			return
		}
		row(0, spans{{s.look, s.text() + " "}}, name, theme.Strong, tail)
		if it.Kind == RecoverEnded {
			return
		}
		if at := currentStep(p); at >= 0 {
			d.row(span{theme.Muted, "    " + stepCount(p, at) + " "}, span{theme.Text, f.prose(f.stepTitle(p, at), d.n-6-len(stepCount(p, at)))})
		}
	case RecoverWay:
		a := adviceFor(v, it.Run)
		var tail []span
		if a != nil && a.Recommended == it.Mode {
			tail = []span{{theme.OK, "recommended"}}
		}
		row(2, nil, ModeWord(it.Mode), theme.Text, tail...)
	case RecoverReady:
		left := span{theme.Text, "expires in " + leftOf(v.Ready.Expires, f.Now)}
		if !f.Now.Before(v.Ready.Expires) {
			left = span{theme.Warn, g.Warn + " expired"}
		}
		row(0, nil, f.say(v.Ready.Title), theme.Strong, left)
	case RecoverProcedure:
		about := aboutIn(v, it.Procedure)
		if about == nil {
			return
		}
		list := v.Targets[it.Procedure]
		ready := 0
		for i := range list {
			if list[i].Ready {
				ready++
			}
		}
		arrow := "+"
		if v.Expanded[it.ID] {
			arrow = "-"
		}
		row(0, spans{{theme.Muted, arrow + " "}}, f.say(about.Title), theme.Strong, targetCount(v, ready))
	case RecoverDue:
		about, t := aboutIn(v, it.Procedure), targetIn(v, it.Procedure, it.Target)
		if about == nil || t == nil {
			return
		}
		row(0, spans{{theme.Warn, g.Warn + " "}}, f.say(about.Title), theme.Strong)
		d.row(span{theme.Plain, spaces(4)}, span{theme.Text, f.prose(f.say(t.ID)+": "+f.say(t.Due), d.n-4)})
	case RecoverTarget:
		t := targetIn(v, it.Procedure, it.Target)
		if t == nil {
			return
		}
		if !t.Ready {
			row(4, spans{{theme.Warn, g.RuledOut + " "}}, f.say(t.ID), theme.Text, span{theme.Warn, "not now"})
			return
		}
		row(4, nil, f.say(t.ID), theme.Text)
		if note := f.say(t.Note); note != "" {
			d.row(span{theme.Plain, spaces(6)}, span{theme.Muted, f.prose(note, d.n-6)})
		}
	}
}
