package panes

import (
	"cmp"
	"strings"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

// Brief is the incident in big type, for the bridge: severity, time since T0, what
// is left of the phase, when the next update is due; the verdict and the next
// action in words; and where there is room the summary for someone who joins
// late. b and r may be nil.
func Brief(f Frame, b *incident.Board, r *estate.Readings) []string {
	w := window{f: f, accent: theme.Border, title: spans{{theme.Strong, "BRIEF"}}}
	d := &brief{f: f, n: inner(f.Width), b: b, r: r}
	room := f.Height - 2
	if b == nil || b.State == nil {
		w.body = d.watching(room)
		return w.draw()
	}
	w.title = append(w.title, span{theme.Muted, f.dot()}, span{theme.Text, f.say(b.State.Declared.Summary)})
	w.right = d.roles()
	figures := d.figures()
	words := append(d.verdict(), d.next()...)
	for _, size := range []bigSize{bigFull, bigHalf, bigNone} {
		if size == bigHalf && f.Theme.Glyphs.HalfUp == "" {
			continue
		}
		body := d.set(figures, size)
		if body == nil || len(body)+len(words) > room && size != bigNone {
			continue
		}
		w.body = append(body, words...)
		break
	}
	if left := room - len(w.body); left >= 4 {
		w.body = append(w.body, d.summary(left)...)
	}
	return w.draw()
}

// brief is the brief while it is put together.
type brief struct {
	f Frame
	n int // cells of a row
	b *incident.Board
	r *estate.Readings
}

// figure is one thing in big type with what it is.
type figure struct {
	label string
	value string
	look  theme.Token
	loud  bool // its label is as loud as its value
}

// figures are severity and time, and the two things that run out.
func (d *brief) figures() []figure {
	s, f := d.b.State, d.f
	look := theme.Fail
	if s.Severity == runbook.SEV3 || s.Severity == runbook.SEV4 {
		look = theme.Warn
	}
	out := []figure{{"SEVERITY", cmp.Or(f.say(string(s.Severity)), "?"), look, false}, {"T+ SINCE THE ALERT", tplus(d.b.Elapsed), theme.Strong, false}}
	if !s.Closed.IsZero() {
		out[1].label = "CLOSED AFTER"
		return out
	}
	c := d.b.Phase
	name := strings.ToUpper(f.say(c.Title))
	switch {
	case c.ID == "":
	case c.Over > 0 && !c.Done:
		out = append(out, figure{f.Theme.Glyphs.Warn + " " + name + " IS OVER BY", clock(c.Over), theme.Fail, true})
	case c.Done:
		out = append(out, figure{name + " DONE AT", clock(c.Elapsed), theme.OK, false})
	default:
		out = append(out, figure{name + " LEFT", clock(c.To - c.Elapsed), theme.Strong, false})
	}
	switch u := d.b.Update; {
	case u.Due.IsZero():
	case u.Overdue > 0:
		out = append(out, figure{f.Theme.Glyphs.Warn + " UPDATE OVERDUE BY", clock(u.Overdue), theme.Fail, true})
	default:
		out = append(out, figure{"NEXT UPDATE IN", clock(u.Left), theme.OK, false})
	}
	return out
}

// set puts the figures two abreast; nil when they do not fit.
func (d *brief) set(all []figure, size bigSize) []spans {
	var out []spans
	left := 0
	for i := 0; i < len(all); i += 2 {
		left = max(left, bigWidth(all[i].value, size), width(all[i].label)+3)
	}
	apart := 10 // the second ones stand below one another
	for i := 1; i < len(all); i += 2 {
		apart = max(min(apart, d.n-left-max(bigWidth(all[i].value, size), width(all[i].label)+2)), 2)
	}
	for i := 0; i < len(all); i += 2 {
		pair := all[i:min(i+2, len(all))]
		if i > 0 && size != bigNone {
			out = append(out, nil)
		}
		var label spans
		rows := make([]spans, size.rows())
		for j, one := range pair {
			at := 0
			if j > 0 {
				at = left + apart
			}
			if at+max(bigWidth(one.value, size), width(one.label)+2) > d.n && size != bigNone {
				return nil
			}
			k := theme.Muted
			if one.loud {
				k = theme.Fail
			}
			label = append(label, gapTo(label.width(), at), span{k, one.label})
			for y, s := range d.f.big(one.look, one.value, size) {
				rows[y] = append(append(rows[y], gapTo(rows[y].width(), at)), s...)
			}
		}
		out = append(out, label)
		out = append(out, rows...)
	}
	return out
}

// roles says who commands.
func (d *brief) roles() spans {
	if who := d.f.say(d.b.State.Roles[incident.Commander]); who != "" {
		return spans{{theme.Muted, "commander "}, {theme.Strong, who}}
	}
	return nil
}

// labelled wraps text behind a bold label, in at most rows rows.
func (d *brief) labelled(label string, k theme.Token, text string, rows int) []spans {
	room := max(d.n-10, 8)
	parts := wrap(text, room)
	if len(parts) > rows {
		parts = append(parts[:rows-1:rows-1], d.f.prose(strings.Join(parts[rows-1:], " "), room))
	}
	var out []spans
	for i, p := range parts {
		head := label
		if i > 0 {
			head = ""
		}
		out = append(out, spans{{theme.Muted, head}, gapTo(width(head), 10), {k, p}})
	}
	return out
}

// verdict is what the flow has found, or the worst thing that is read.
func (d *brief) verdict() []spans {
	f := d.f
	text, k := "", theme.Strong
	if v := d.b.State.Verdict; v != "" {
		text = strings.ToUpper(f.say(v))
		if v == "compromised" {
			k = theme.Fail
		}
		if d.b.State.Marked {
			text += " (a person's mark)"
		}
		text += "; "
	}
	worst, look := f.worstWords(d.r)
	if text == "" {
		k = look
	}
	return append([]spans{nil}, d.labelled("VERDICT", k, text+worst, 2)...)
}

// worstWords is the worst thing that is read, in a sentence.
func (f Frame) worstWords(r *estate.Readings) (string, theme.Token) {
	if r == nil || r.Worst() < 0 {
		return "nothing is configured to be read", theme.Unknown
	}
	i := r.Worst()
	one := &r.All[i]
	s := known(one.Status)
	switch s {
	case estate.OK:
		return f.verdict(s) + ": every component that could be read is well", theme.OK
	case estate.NA:
		return f.verdict(s) + ": nothing here applies to this estate", theme.NA
	}
	text := f.verdict(s) + " " + f.say(r.Snapshot.Topology.Components[i].Name)
	if word := f.say(one.Word); word != "" && word != s.String() {
		text += " " + word
	}
	if why := f.reason(one); why != "" {
		text += ": " + why
	}
	return text, token(s)
}

// next is the next action: the item that is current, or else the step.
func (d *brief) next() []spans {
	f := d.f
	if !d.b.State.Closed.IsZero() {
		return d.labelled("NEXT", theme.Text, "the incident is closed; the days after have their own list", 2)
	}
	step, item := "", ""
	if v, _ := findNode(d.b, d.b.Node); v != nil {
		step = f.say(v.Node.Title)
		if v.Finding.Stance == diagnosis.Unread {
			step += " (unread)"
		}
	}
	if v := findItem(d.b, d.b.Item); v != nil {
		item = f.say(v.Item.Text)
		if v.Status == incident.ItemIsRegressed {
			item = f.Theme.Glyphs.Regressed + " REGRESSED: " + item
		}
	}
	switch {
	case step != "" && item != "":
		return append(d.labelled("NEXT", theme.Strong, step, 1), d.labelled("", theme.Text, "and on the list: "+item, 1)...)
	case step != "":
		return d.labelled("NEXT", theme.Strong, step, 2)
	case item != "":
		return d.labelled("NEXT", theme.Strong, item, 2)
	}
	return d.labelled("NEXT", theme.Text, "nothing is left: I closes the incident", 2)
}

// findItem is an item of the board.
func findItem(b *incident.Board, id string) *incident.ItemView {
	if b == nil {
		return nil
	}
	for i := range b.List {
		for j := range b.List[i].Items {
			if b.List[i].Items[j].Item.ID == id {
				return &b.List[i].Items[j]
			}
		}
	}
	return nil
}

// summary is the incident for someone who joins late, in the room there is; what
// does not fit is counted.
func (d *brief) summary(room int) []spans {
	f := d.f
	out := []spans{nil, {{theme.Strong, "In a minute "}, {theme.Group, rule(f.Theme.Glyphs.Frame.Across, d.n-12)}}}
	var lines []spans
	for _, s := range d.b.Summary(d.r) {
		for i, part := range wrap(f.say(s), d.n-2) {
			lead := "  "
			if i == 0 {
				lead = f.Theme.Glyphs.Dot + " "
			}
			lines = append(lines, spans{{theme.Muted, lead}, {theme.Text, part}})
		}
	}
	return append(out, lines...)
}

// watching is the brief without an incident: what is true, and how one is
// declared.
func (d *brief) watching(room int) []spans {
	f := d.f
	now := f.Now.UTC().Format("15:04:05")
	var out []spans
	for _, size := range []bigSize{bigFull, bigHalf, bigNone} {
		if size == bigHalf && f.Theme.Glyphs.HalfUp == "" {
			continue
		}
		if bigWidth(now, size) <= d.n && size.rows()+7 <= room || size == bigNone {
			out = append(out, spans{{theme.Muted, f.Now.UTC().Format("Mon 2 Jan 2006") + ", UTC"}})
			out = append(out, f.big(theme.Strong, now, size)...)
			break
		}
	}
	worst, look := f.worstWords(d.r)
	out = append(out, nil)
	out = append(out, d.labelled("NOW", look, worst, 3)...)
	out = append(out, nil, spans{{theme.Text, "no incident is declared: the clocks wait; "}, {theme.Key, "I"}, {theme.Text, " declares one"}})
	return out
}

// untilThen is how far away a time is, in words.
func untilThen(t, now time.Time) string {
	if t.Before(now) {
		return late(now.Sub(t)) + " ago"
	}
	return "in " + late(t.Sub(now))
}
