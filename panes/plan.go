package panes

import (
	"fmt"
	"slices"
	"strings"

	"warroom/internal/plan"
	"warroom/internal/theme"
)

// PlanView is a plan that is read before anybody consents to it.
type PlanView struct {
	Plan   *plan.Plan
	Refuse string // why it cannot be confirmed now; empty when it can
	Scroll int
}

// Plan is the whole of a plan: what depends on the target and as whom we act first,
// then what consent it needs, on what it rests, and every step with its exact calls.
// total is how many rows there are to scroll through.
func Plan(f Frame, v PlanView) (rows []string, total int) {
	p := v.Plan
	w := window{f: f, accent: theme.Border, scroll: v.Scroll}
	if p == nil {
		w.title = spans{{theme.Strong, "PLAN"}}
		w.body = []spans{{{theme.Text, "no plan was made; 4 lists what can be done"}}}
		return w.draw(), len(w.body)
	}
	w.title = spans{{theme.Strong, "PLAN: " + f.say(p.Title)}}
	w.right = spans{{theme.Text, "expires in "}, {theme.Strong, leftOf(p.Expires, f.Now)}}
	expired := !f.Now.Before(p.Expires)
	if expired {
		w.right = spans{{theme.WarnBadge, " " + f.Theme.Glyphs.Warn + " EXPIRED "}}
	}
	// When it ends is worth more than the end of its title.
	w.title[0].s = f.cut(w.title[0].s, max(f.Width-w.right.width()-9, 12))
	d := &detail{f: f, n: inner(f.Width)}
	d.planHead(p, v.Refuse, expired)
	d.affected(p)
	d.identities(p.Identities)
	d.consent(p)
	d.observed(p)
	d.planSteps(p)
	d.planFoot(p)
	w.body = d.body
	return w.draw(), len(w.body)
}

// planHead is what is done to what, and whether it can be taken back.
func (d *detail) planHead(p *plan.Plan, refuse string, expired bool) {
	f, g := d.f, &d.f.Theme.Glyphs
	changes := 0
	for i := range p.Steps {
		if p.Steps[i].Change {
			changes++
		}
	}
	head := spans{{theme.OKBadge, " NOTHING IS CHANGED YET "}}
	what := fmt.Sprintf("  %s, %d of them change something", plural(len(p.Steps), "step"), changes)
	if changes == 0 {
		what = "  " + plural(len(p.Steps), "step") + ", none of them changes anything"
	}
	d.body = append(d.body, f.fit(append(head, span{theme.Text, what}), d.n))
	where := "in " + f.say(p.Environment)
	if p.Drill != "" {
		where += ", DRILL " + f.say(p.Drill)
	}
	d.text(0, f.say(orWord(string(p.Mode), "run"))+":", theme.Strong, f.say(p.Procedure)+" "+f.say(p.Target)+" "+where)
	if p.Of != "" {
		d.text(0, "of run:", theme.Text, f.say(p.Of))
	}
	d.text(0, "why:", theme.Text, f.say(p.Why))
	if s := f.say(p.Irreversible); s != "" {
		d.row(span{theme.FailBadge, " " + g.Fail + " CANNOT BE UNDONE "})
		d.text(2, "", theme.Fail, s)
	}
	switch {
	case expired:
		d.text(0, "", theme.Warn, g.Warn+" this plan has expired: r makes it anew")
	case refuse != "":
		d.text(0, "", theme.Warn, g.Warn+" not now: "+f.say(refuse))
	default:
		d.text(0, "", theme.Muted, "enter goes on to the confirmation; esc leaves it")
	}
}

// affected is the blast radius, the critical first.
func (d *detail) affected(p *plan.Plan) {
	f, g := d.f, &d.f.Theme.Glyphs
	list := slices.Clone(p.Affected)
	slices.SortStableFunc(list, func(a, b plan.Affected) int {
		switch {
		case a.Critical == b.Critical:
			return 0
		case a.Critical:
			return -1
		}
		return 1
	})
	critical := 0
	for i := range list {
		if list[i].Critical {
			critical++
		}
	}
	title := fmt.Sprintf("What depends on it: %d", len(list))
	if critical > 0 {
		title += fmt.Sprintf(", %d critical", critical)
	}
	d.heading(title)
	if len(list) == 0 {
		d.text(0, "", theme.Text, "nothing that is known of here")
	}
	for i := range list {
		a := &list[i]
		mark, look := "  ", theme.Strong
		if a.Critical {
			mark = g.Killer + " "
		}
		name := f.say(orWord(a.Name, string(a.Component)))
		d.hung(spans{{theme.Warn, mark}, {look, name}, {theme.Plain, "  "}}, theme.Text, f.say(a.How))
	}
}

// hung wraps a text behind what stands before it, its further rows a little in.
func (d *detail) hung(head spans, k theme.Token, s string) {
	const in = 4
	room := max(d.n-head.width(), 0)
	if room < 16 && s != "" {
		d.body = append(d.body, d.f.fit(head, d.n))
		d.text(in, "", k, s)
		return
	}
	first := wrap(s, room)
	if len(first) == 0 {
		d.body = append(d.body, d.f.fit(head, d.n))
		return
	}
	d.row(append(head, span{k, first[0]})...)
	if len(first) > 1 {
		d.text(in, "", k, strings.Join(first[1:], " "))
	}
}

// identities is as whom we act on each system, and how long that lives.
func (d *detail) identities(list []plan.Identity) {
	f, g := d.f, &d.f.Theme.Glyphs
	if len(list) == 0 {
		return
	}
	d.heading("As whom we act")
	for i := range list {
		s, k := IdentitySaid(&list[i], f), theme.Text
		if list[i].Trouble != "" || !list[i].Expires.IsZero() && !f.Now.Before(list[i].Expires) {
			k, s = theme.Fail, g.Fail+" "+s
		}
		d.hung(spans{{theme.Strong, f.say(list[i].System)}, {theme.Plain, "  "}}, k, f.say(s))
	}
}

// IdentitySaid is as whom we act on one system and how long that lives, without the
// system.
func IdentitySaid(id *plan.Identity, f Frame) string {
	switch {
	case id.Trouble != "":
		return "not to be had: " + id.Trouble
	case id.Expires.IsZero():
		return orWord(id.Name, "?") + ", lives on"
	case !f.Now.Before(id.Expires):
		return orWord(id.Name, "?") + ", EXPIRED " + untilThen(id.Expires, f.Now)
	}
	return orWord(id.Name, "?") + ", lives for " + late(id.Expires.Sub(f.Now))
}

// consent is what a person must know and give.
func (d *detail) consent(p *plan.Plan) {
	f, g := d.f, &d.f.Theme.Glyphs
	if len(p.Warnings)+len(p.Inputs) == 0 && p.NeedsReason == "" && !p.Second && !p.NeedsTyped() {
		return
	}
	d.heading("What you must know, and what is asked of you")
	for i := range p.Warnings {
		w := &p.Warnings[i]
		if w.Accept {
			d.hung(spans{{theme.WarnBadge, " " + g.Warn + " to be accepted "}, {theme.Plain, " "}}, theme.Warn, f.say(w.Text))
		} else {
			d.hung(spans{{theme.Warn, g.Warn + " "}}, theme.Text, f.say(w.Text))
		}
	}
	for i := range p.Inputs {
		s := f.say(p.Inputs[i].Label)
		if p.Inputs[i].Optional {
			s += " (may stay empty)"
		}
		d.hung(spans{{theme.Strong, "typed by you, never shown "}}, theme.Text, s)
	}
	if s := f.say(p.NeedsReason); s != "" {
		d.hung(spans{{theme.Strong, "a reason "}}, theme.Text, s)
	}
	if p.NeedsTyped() {
		d.hung(spans{{theme.Strong, "the name, typed "}}, theme.Text, f.say(p.Target))
	}
	if p.Second {
		d.hung(spans{{theme.Strong, "a second person "}}, theme.Text, "another operator signs this; y copies it, to be sent over any channel:")
		for l := range strings.Lines(p.Statement()) {
			d.text(4, "", theme.Strong, f.say(strings.TrimRight(l, "\n")))
		}
		d.text(4, "", theme.Muted, "ssh-keygen -Y sign -n "+plan.SignatureNamespace+" -f KEY statement.txt")
	}
}

// observed is on what the plan rests.
func (d *detail) observed(p *plan.Plan) {
	f := d.f
	if len(p.Observed) == 0 {
		return
	}
	d.heading("On what it rests; read again before the first change")
	for i := range p.Observed {
		o := &p.Observed[i]
		s := f.say(o.Value)
		if o.Live {
			s += " (may change)"
		}
		d.hung(spans{{theme.Muted, f.say(o.Name) + ": "}}, theme.Text, s)
	}
}

// planSteps are the steps, each with its exact calls.
func (d *detail) planSteps(p *plan.Plan) {
	f, g := d.f, &d.f.Theme.Glyphs
	d.heading("Steps")
	for i := range p.Steps {
		s := &p.Steps[i]
		kind := span{theme.OK, "reads"}
		if s.Change {
			kind = span{theme.Warn, g.Warn + " CHANGES"}
		}
		head := spans{{theme.Strong, fmt.Sprintf("%2d ", i+1)}, kind, {theme.Plain, " "}}
		title := f.say(s.Title)
		if w := f.say(s.Where); w != "" {
			title += ", " + w
		}
		d.hung(head, theme.Strong, title)
		const in = 5
		d.text(in, "before:", theme.Text, f.say(s.Before))
		for _, c := range s.Calls {
			d.text(in, "call:", theme.Strong, f.say(c))
		}
		d.text(in, "verify:", theme.Text, f.say(s.Verify))
		switch undo := f.say(s.Undo); {
		case undo != "":
			d.text(in, "undo:", theme.Text, undo)
		case s.Change:
			d.text(in, "undo:", theme.Warn, "none")
		}
		if s.Limit > 0 {
			d.text(in, "limit:", theme.Muted, period(s.Limit))
		}
		for j := range p.Measures {
			if m := &p.Measures[j]; m.Step == s.ID {
				verb := "opens a temporary measure:"
				if m.End {
					verb = "ends a temporary measure:"
				}
				d.text(in, verb, theme.Text, f.say(m.Kind)+", "+f.say(m.What))
			}
		}
	}
}

// planFoot is what identifies the plan.
func (d *detail) planFoot(p *plan.Plan) {
	f := d.f
	d.heading("This plan")
	if len(p.Options) > 0 {
		var names []string
		for name := range p.Options {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			d.text(0, "option "+f.say(name)+":", theme.Text, f.say(p.Options[name]))
		}
	}
	d.text(0, "made:", theme.Text, stamp(p.Made, f.Now)+" UTC, holds until "+stamp(p.Expires, f.Now)+" UTC")
	d.text(0, "id:", theme.Muted, f.say(p.ID))
	d.text(0, "fingerprint:", theme.Muted, "sha256:"+p.Fingerprint())
}
