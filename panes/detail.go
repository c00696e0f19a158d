package panes

import (
	"fmt"
	"strings"
	"time"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// Detail is everything known of one component: how it stands and why, what
// could not be read and what to do about that, every figure with its source,
// age and formula, what it depends on and what depends on it, and what people
// decided about it. total is how many rows there are to scroll through, of
// which Height−2 are in sight; a scroll beyond the end shows the end.
func Detail(f Frame, r *estate.Readings, id estate.ID, scroll int) (rows []string, total int) {
	w := window{f: f, accent: theme.Border, scroll: scroll, right: spans{{theme.Key, "esc"}, {theme.KeyText, " back"}}}
	var c estate.Component
	var one estate.Reading
	ok := false
	if r != nil {
		if c, ok = r.Snapshot.Topology.Component(id); ok {
			one, ok = r.Of(id)
		}
	}
	if !ok {
		w.title = spans{{theme.Strong, f.say(string(id))}}
		w.body = []spans{{{theme.Unknown, f.glyph(estate.Unknown) + " nothing is known of this component"}}}
		return w.draw(), len(w.body)
	}
	w.accent = accents[c.Plane&3]
	w.title = spans{{theme.Strong, f.say(c.Name)}}
	if sub := f.say(c.Subtitle); sub != "" {
		w.title = append(w.title, span{theme.Muted, " (" + sub + ")"})
	}
	w.title = append(w.title, span{theme.Muted, " " + f.Theme.Glyphs.Dot + " " + PlaneName(c.Plane)})
	d := &detail{f: f, n: inner(f.Width), r: r, c: &c, one: &one}
	d.standing()
	d.hit()
	d.failures()
	d.figures()
	d.changes()
	d.links("Depends on, changes or watches", d.outward(), f.Theme.Glyphs.Out)
	d.links("Depends on it, changes or watches it", d.inward(), f.Theme.Glyphs.In)
	d.policy()
	d.secrets()
	w.body = d.body
	return w.draw(), len(w.body)
}

// MaxScroll is the furthest that total rows scroll in a frame.
func MaxScroll(f Frame, total int) int { return max(total-(f.Height-2), 0) }

type detail struct {
	f    Frame
	n    int // cells of a row
	r    *estate.Readings
	c    *estate.Component
	one  *estate.Reading
	body []spans
}

func (d *detail) row(s ...span) { d.body = append(d.body, s) }

func (d *detail) heading(s string) {
	if len(d.body) > 0 {
		d.row()
	}
	d.row(span{theme.Strong, s}, span{theme.Plain, " "},
		span{theme.Group, strings.Repeat(d.f.Theme.Glyphs.Frame.Across, max(d.n-width(s)-1, 0))})
}

// text wraps s behind a label, its further rows as far in as the first.
func (d *detail) text(indent int, label string, k theme.Token, s string) {
	if s == "" {
		return
	}
	head := spans{{theme.Plain, spaces(indent)}}
	hang := indent
	if label != "" {
		head = append(head, span{theme.Muted, label + " "})
		hang += width(label) + 1
	}
	room := max(d.n-hang, 8)
	for i, part := range wrap(s, room) {
		if i == 0 {
			d.row(append(head, span{k, part})...)
		} else {
			d.row(span{theme.Plain, spaces(hang)}, span{k, part})
		}
	}
}

func (d *detail) standing() {
	f, one := d.f, d.one
	s := spans{{badge(one.Status), " " + f.verdict(one.Status) + " "}}
	if word := f.say(one.Word); word != "" {
		s = append(s, span{theme.Plain, " "}, span{figureToken(one.Status), word})
	}
	d.row(s...)
	d.text(0, "", theme.Strong, f.whom(d.c))
	d.text(0, "", theme.Text, f.reason(one))
	switch {
	case one.At.IsZero() && !one.Tried.IsZero():
		d.row(span{theme.Unknown, "never read, last tried " + d.ago(one.Tried)})
	case one.At.IsZero():
		d.row(span{theme.Unknown, "never read"})
	default:
		s := "oldest figure read " + d.ago(one.At)
		if Age(one.Tried, f.Now) != Age(one.At, f.Now) && !one.Tried.IsZero() {
			s += ", last tried " + d.ago(one.Tried)
		}
		if t := took(one.Took); t != "" {
			s += ", the longest read took " + t
		}
		d.text(0, "", theme.Muted, s)
	}
}

// failures lists the reads that brought nothing, and what to do about each.
func (d *detail) failures() {
	f := d.f
	begun := false
	for _, slot := range d.r.Snapshot.Slots(d.c.ID) {
		fail := slot.Last.Failure
		if fail == nil {
			continue
		}
		if !begun {
			d.heading("What could not be read")
			begun = true
		}
		status := fail.Kind.Status()
		doing := fail.Doing
		if doing == "" {
			doing = slot.Last.Source
		}
		head := f.verdict(status)
		what := f.say(doing) + ": " + f.say(string(fail.Kind))
		if fail.Detail != "" {
			what += ": " + f.say(fail.Detail)
		}
		for i, part := range wrap(what, max(d.n-width(head)-1, 8)) {
			if i == 0 {
				d.row(span{token(status), head + " "}, span{theme.Text, part})
			} else {
				d.row(span{theme.Plain, spaces(width(head) + 1)}, span{theme.Text, part})
			}
		}
		d.text(2, "do next:", theme.Strong, f.say(fail.Next))
		if doing != slot.Last.Source {
			d.text(2, "source:", theme.Muted, f.say(slot.Last.Source))
		}
		var when []string
		if !slot.Last.At.IsZero() {
			when = append(when, "tried "+d.ago(slot.Last.At))
			if t := took(slot.Last.Took); t != "" {
				when = append(when, "took "+t)
			}
		}
		if slot.Good != nil {
			when = append(when, "last good answer "+d.ago(slot.Good.At))
		} else if !slot.Last.At.IsZero() {
			when = append(when, "never answered")
		}
		d.text(2, "", theme.Muted, strings.Join(when, ", "))
	}
}

// figures lists every fact with what it rests on.
func (d *detail) figures() {
	f := d.f
	if len(d.one.Facts) == 0 {
		return
	}
	d.heading("Figures")
	// A name is cut only when the widest of the values needs its room.
	verdict, name, value, when := 0, 0, 0, len("<10s, took 130ms")
	for i := range d.one.Facts {
		verdict = max(verdict, width(f.verdict(d.one.Facts[i].Status)))
		name = max(name, width(f.say(d.one.Facts[i].Name)))
		value = max(value, width(f.say(d.one.Facts[i].Value)))
	}
	name = min(name, max(d.n/3, 10, d.n-verdict-4-value-2-when))
	for i := range d.one.Facts {
		c := &d.one.Facts[i]
		when := ""
		if !c.At.IsZero() {
			when = Age(c.At, f.Now)
		}
		look, whenLook := figureToken(c.Status), theme.Muted
		if old(c) {
			look, whenLook, when = theme.Stale, theme.Stale, f.stale(c)
		} else if t := took(c.Took); t != "" && d.n >= 60 {
			when += ", took " + t
		}
		value := f.say(c.Value)
		if value == "" {
			value = "?"
		}
		head := f.verdict(c.Status)
		if c.Status == estate.NA && value != "N/A" {
			head = "" // it says something that is not judged
		}
		label := f.cut(f.say(c.Name), name)
		hang := verdict + 2 + name + 2
		room := max(d.n-hang-width(when)-2, 8)
		for j, part := range wrap(value, room) {
			if j > 0 {
				d.row(span{theme.Plain, spaces(hang)}, span{look, part})
				continue
			}
			d.row(span{token(c.Status), head}, gapTo(width(head), verdict+2),
				span{theme.Text, label}, gapTo(width(label), name+2),
				span{look, part}, gapTo(hang+width(part), d.n-width(when)), span{whenLook, when})
		}
		in := verdict + 2
		why := "why:"
		if c.Failed {
			why = "now:" // the value is of before
		}
		d.text(in, why, theme.Text, f.say(c.Note))
		d.text(in, "source:", theme.Muted, f.say(c.Source))
		d.text(in, "formula:", theme.Muted, f.say(d.formula(c)))
	}
}

// formula is how a figure is computed: as it says itself, else as the glossary
// says.
func (d *detail) formula(c *estate.Fact) string {
	if c.Formula != "" {
		return c.Formula
	}
	// A term explains several figures; its formula is that of the first.
	if term, ok := estate.Explain(d.c.Kind, c.Name); ok && term.Figures[0] == c.Name {
		return term.Formula
	}
	return ""
}

func gapTo(at, column int) span {
	return span{theme.Plain, spaces(column - at)}
}

func (d *detail) policy() {
	f, c := d.f, d.c
	d.heading("What was decided about it")
	fallback := f.say(c.Fallback)
	if fallback == "" {
		fallback = "none written in warroom.yaml"
	}
	owner, contact := f.say(c.Owner), f.say(c.Contact)
	if owner == "" {
		owner = "not stated"
	}
	if contact == "" {
		contact = "not stated"
	}
	d.pairs([][2]string{
		{"Criticality", f.say(orNot(string(c.Criticality)))},
		{"Owner", owner},
		{"Contact at night", contact},
		{"Fallback", fallback},
		{"Grace", orNone(period(c.Grace))},
		{"Expiry", f.say(expiry(c.Policy))},
		{"Renewal", f.say(string(c.Renewal))},
		{"Target", f.say(c.Target)},
		{"Kind, id", f.say(string(c.Kind)) + ", " + f.say(string(c.ID))},
	})
}

func (d *detail) secrets() {
	if len(d.c.Secrets) == 0 {
		return
	}
	f := d.f
	d.heading("Secrets it uses")
	for _, id := range d.c.Secrets {
		d.row(span{theme.Strong, f.say(id)})
		s, ok := d.r.Snapshot.Topology.Secret(id)
		if !ok {
			continue
		}
		parts := []string{string(s.Type)}
		if s.Criticality != "" {
			parts = append(parts, string(s.Criticality))
		}
		if s.Owner != "" {
			parts = append(parts, "owner "+s.Owner)
		}
		if s.Grace > 0 {
			parts = append(parts, "grace "+period(s.Grace))
		}
		parts = append(parts, "expiry: "+expiry(s.Policy))
		d.text(2, "", theme.Text, f.say(strings.Join(parts, ", ")))
	}
}

// pairs lists what has a value, values below one another.
func (d *detail) pairs(list [][2]string) {
	name := 0
	for _, p := range list {
		if p[1] != "" {
			name = max(name, width(p[0]))
		}
	}
	for _, p := range list {
		for i, part := range wrap(p[1], max(d.n-name-2, 8)) {
			label := p[0]
			if i > 0 {
				label = ""
			}
			d.row(span{theme.Muted, label}, gapTo(width(label), name+2), span{theme.Text, part})
		}
	}
}

func orNot(s string) string {
	if s == "" {
		return "not stated"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func expiry(p estate.Policy) string {
	switch p.Expiry {
	case estate.ExpiryNone:
		return "no rule written"
	case estate.ExpiryRole:
		return "VALID UNTIL of the database role"
	case estate.ExpiryCert:
		return "the end of the certificate"
	case estate.ExpiryTag:
		return fmt.Sprintf("the tag %s of the stored secret", clean(p.ExpiryTag))
	case estate.ExpiryRotation:
		return "the last rotation and its period"
	}
	return clean(string(p.Expiry))
}

// ago is an age in a sentence.
func (d *detail) ago(t time.Time) string { return since(t, d.f.Now) }

func since(t, now time.Time) string {
	return strings.Replace(Age(t, now), "<", "less than ", 1) + " ago"
}
