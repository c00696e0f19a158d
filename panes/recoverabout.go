package panes

import (
	"fmt"
	"slices"
	"strings"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// recoverAbout is all that is known of the item under the cursor.
func (f Frame) recoverAbout(box Frame, v *RecoverView) (rows []string, total int) {
	if box.Height < 1 {
		return nil, 0
	}
	w := window{f: box, accent: theme.Border, scroll: v.Scroll}
	d := &detail{f: box, n: inner(box.Width)}
	items := RecoverItems(v)
	at := slices.IndexFunc(items, func(it RecoverItem) bool { return it.ID == v.Selected })
	if v.Off != "" || at < 0 {
		w.title = spans{{theme.Muted, "how it is done"}}
		d.recoverRules()
		w.body = d.body
		return w.draw(), len(w.body)
	}
	switch it := &items[at]; it.Kind {
	case RecoverOpen, RecoverWay:
		w.title = spans{{theme.Strong, "What can be done about it"}}
		d.openRun(v, it)
	case RecoverReady:
		w.title = spans{{theme.Strong, "Plan"}}
		d.text(0, "", theme.Strong, f.say(v.Ready.Title))
		d.text(0, "", theme.Text, "It was made and not consented to. enter shows it, and it can be confirmed there until it expires.")
	case RecoverRunning, RecoverEnded:
		w.title = spans{{theme.Strong, "Run"}}
		if p := runIn(v, it.Run); p != nil {
			d.runSaid(p)
			d.row()
			d.steps(p, true)
		}
	default:
		about := aboutIn(v, it.Procedure)
		if about == nil {
			break
		}
		w.title = spans{{theme.Strong, f.say(about.Name)}}
		if it.Kind == RecoverTarget || it.Kind == RecoverDue {
			if t := targetIn(v, it.Procedure, it.Target); t != nil {
				d.target(about, t)
			}
		}
		d.procedure(about, v)
	}
	w.body = d.body
	return w.draw(), len(w.body)
}

// recoverRules says how anything is changed at all.
func (d *detail) recoverRules() {
	d.text(0, "", theme.Text, "Nothing is changed without a plan: every call that it makes, what depends on the target, what is checked first, and how each step is verified and undone.")
	d.row()
	d.text(0, "", theme.Text, "Nothing is changed without consent to that one plan, typed where it cannot be undone, and never by a single key.")
	d.row()
	d.text(0, "", theme.Text, "Each step is recorded before it begins and after it is verified. What breaks off is probed on the live system before anything is offered.")
}

// target is one target of a procedure.
func (d *detail) target(about *plan.About, t *plan.Target) {
	f, g := d.f, &d.f.Theme.Glyphs
	d.text(0, "", theme.Strong, f.say(t.ID))
	d.text(0, "", theme.Text, f.say(t.Title))
	note := f.say(t.Note)
	switch {
	case !t.Ready:
		d.row(span{theme.WarnBadge, " " + g.RuledOut + " NOT NOW "})
		d.text(0, "", theme.Text, orNot(note))
	case t.Due != "":
		d.text(0, "called for:", theme.Warn, f.say(t.Due))
	case note != "":
		d.text(0, "", theme.Text, note)
	}
	if t.Ready {
		next := "enter plans it; nothing is changed by that"
		if len(about.Options) > 0 {
			next = "enter asks for its options and plans it; nothing is changed by that"
		}
		d.text(0, "", theme.Muted, next)
	}
	d.row()
}

// procedure is what a procedure does, and how it can be set.
func (d *detail) procedure(about *plan.About, v *RecoverView) {
	f, g := d.f, &d.f.Theme.Glyphs
	d.text(0, "", theme.Strong, f.say(about.Title))
	d.text(0, "", theme.Text, f.say(about.Summary))
	if about.Changes {
		d.row(span{theme.Warn, g.Warn + " changes something"}, span{theme.Muted, ", after a plan and your consent"})
	} else {
		d.row(span{theme.OK, g.OK + " reads only"})
	}
	list, ready := v.Targets[about.Name], 0
	for i := range list {
		if list[i].Ready {
			ready++
		}
	}
	if v.Loaded && len(list) > 0 {
		s := plural(len(list), "target")
		if ready < len(list) {
			s += fmt.Sprintf(", %d of them possible now", ready)
		}
		d.text(0, "", theme.Muted, s)
	}
	if len(about.Options) > 0 {
		d.heading("Options")
		for i := range about.Options {
			o := &about.Options[i]
			d.text(0, "", theme.Strong, f.say(o.Name))
			d.text(2, "", theme.Text, f.say(o.Summary))
			if len(o.Words) > 0 {
				d.text(2, "one of:", theme.Text, f.say(strings.Join(o.Words, ", ")))
			}
			if o.Default != "" {
				d.text(2, "else:", theme.Text, f.say(o.Default))
			}
		}
	}
	if len(list) == 0 && v.Loaded {
		d.heading("Targets")
		d.text(0, "", theme.Text, "warroom.yaml configures no "+f.say(orWord(about.Target, "target"))+" that it could be done to.")
	}
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// openRun is a run that was left open: what its probe found, which way is the better
// and why.
func (d *detail) openRun(v *RecoverView, it *RecoverItem) {
	f := d.f
	p := runIn(v, it.Run)
	if p == nil {
		return
	}
	a := adviceFor(v, it.Run)
	if it.Kind == RecoverWay && a != nil {
		d.row(span{theme.Strong, ModeWord(it.Mode)}, span{theme.Text, " " + f.Theme.Glyphs.Dash + " " + f.prose(modeMeans(it.Mode), max(d.n-3-len(ModeWord(it.Mode)), 8))})
		d.text(0, "", theme.Muted, "enter plans it; nothing is changed by that")
		d.row()
	}
	d.runSaid(p)
	d.advice(v, p, a)
	d.row()
	d.steps(p, true)
}

// advice is what the probe of a run that was left open found, and which way out of it
// is recommended.
func (d *detail) advice(v *RecoverView, p *plan.Progress, a *plan.Advice) {
	f, g := d.f, &d.f.Theme.Glyphs
	d.heading("What was found")
	switch {
	case a == nil && v.Probing:
		d.text(0, "", theme.Text, "probing the live system"+g.Ellipsis)
		return
	case a == nil && v.Unadvised != "":
		d.text(0, "", theme.Unknown, g.Unknown+" not probed: "+f.say(v.Unadvised))
		d.text(0, "", theme.Text, "r probes it again")
		return
	case a == nil:
		d.text(0, "", theme.Text, "not probed yet; r probes it")
		return
	}
	if a.Effect != "" {
		k := theme.Warn
		switch a.Effect {
		case plan.Took:
			k = theme.OK
		case plan.Unclear:
			k = theme.Unknown
		}
		step := f.say(orWord(a.StepTitle, a.Step))
		d.text(0, "", k, step+": "+f.say(string(a.Effect)))
	}
	d.text(0, "", theme.Text, f.say(a.Found))
	if a.Recommended != "" {
		d.row(span{theme.Strong, "Recommended: "}, span{theme.OKBadge, " " + ModeWord(a.Recommended) + " "})
		d.text(0, "", theme.Text, f.say(a.Reason))
	}
	for _, m := range ways(a) {
		if m != a.Recommended {
			d.text(0, ModeWord(m)+":", theme.Text, "possible; "+modeMeans(m))
		}
	}
	for _, m := range []plan.Mode{plan.Resume, plan.Back, plan.Abandon} {
		if why := a.Impossible[m]; why != "" {
			d.text(0, ModeWord(m)+":", theme.Warn, g.RuledOut+" not possible, "+f.say(why))
		}
	}
}

// runSaid is what a run is, how it stands, and what it left to do.
func (d *detail) runSaid(p *plan.Progress) {
	f := d.f
	s := f.runSign(p.State)
	head := spans{{s.loud, " " + s.text() + " "}}
	settled, of := RunCount(p)
	if of > 0 {
		head = append(head, span{theme.Text, fmt.Sprintf("  %d of %s settled", settled, plural(of, "step"))})
	}
	if t := runTime(p, f.Now); t != "" {
		head = append(head, span{theme.Text, "  " + t})
	}
	if p.Stopping && p.State == plan.RunActive {
		head = append(head, span{theme.Plain, "  "}, span{theme.WarnBadge, " " + f.Theme.Glyphs.Warn + " STOPS BEFORE ITS NEXT STEP "})
	}
	d.body = append(d.body, f.fit(head, d.n))
	d.text(0, "", theme.Strong, f.runTitle(p))
	look := theme.Text
	if p.State == plan.RunFailed {
		look = theme.Fail
	}
	d.text(0, "why:", look, f.say(p.Trouble))
	d.text(0, "next:", theme.Strong, f.say(p.Next))
}
