package panes

import (
	"fmt"
	"strings"

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

// Timeline draws a page of the journal, the newest at the bottom: one row an
// event, and of the selected one everything it tells.
func Timeline(f Frame, b *incident.Board, v TimelineView) []string {
	w := window{f: f, accent: theme.Border, title: f.timelineTitle(b, &v)}
	n := inner(f.Width)
	events := v.Page.Events
	if v.Loading {
		w.right = spans{{theme.Message, "reading" + f.Theme.Glyphs.Ellipsis}}
	}
	if len(events) == 0 {
		w.body = []spans{{{theme.Text, f.cut(f.nothing(b, &v), n)}}}
		return w.draw()
	}
	chosen := len(events) - 1
	who := 4
	for i := range events {
		if events[i].Seq == v.Selected && v.Selected != 0 {
			chosen = i
		}
		who = max(who, width(f.say(author(&events[i]))))
	}
	d := &detail{f: f, n: n}
	c := columnsOf(n, min(who, 12))
	if v.Page.Earlier {
		d.row(span{theme.Muted, f.Theme.Glyphs.Up + " there are earlier ones"})
	}
	from, to := 0, 0
	last := f.Now.UTC().Format("2 Jan 2006")
	for i := range events {
		if on := events[i].At.UTC().Format("2 Jan 2006"); on != last {
			d.row(span{theme.Strong, events[i].At.UTC().Format("Mon 2 Jan 2006")}, span{theme.Plain, " "}, span{theme.Group, rule(f.Theme.Glyphs.Frame.Across, n-16)})
			last = on
		}
		begin := len(d.body)
		if i < chosen-f.Height || i > chosen+f.Height {
			d.row() // too far from the chosen one to be in sight
			continue
		}
		t := f.tell(b, &events[i])
		d.row(f.event(b, &events[i], &t, c, i == chosen)...)
		if i == chosen {
			d.told(&events[i], &t)
			from, to = begin, len(d.body)
		}
	}
	if v.Page.Later {
		d.row(span{theme.Muted, f.Theme.Glyphs.Down + " there are later ones"})
	}
	w.body = d.body
	room := f.Height - 2
	// The newest is at the bottom of the window; what is selected is in sight.
	w.scroll = max(0, min(len(d.body)-room, from), to-room)
	if from > len(d.body)-room {
		w.scroll = max(len(d.body)-room, 0)
	} else if chosen < len(events)-1 {
		w.scroll = inSight(len(d.body), room, from, to)
	}
	return w.draw()
}

// timelineTitle says which part of the journal is shown, and what it has come to.
func (f Frame) timelineTitle(b *incident.Board, v *TimelineView) spans {
	out := spans{{theme.Strong, "TIMELINE"}}
	if v.Filter == "" && v.Kinds == "" {
		out = append(out, span{theme.Muted, fmt.Sprintf(" %d events", v.Page.Total)})
	} else {
		out = append(out, span{theme.Muted, fmt.Sprintf(" %d shown of %d", len(v.Page.Events), v.Page.Total)})
	}
	if s := f.say(v.Kinds); s != "" {
		out = append(out, span{theme.Muted, f.dot() + "only "}, span{theme.Strong, s})
	}
	if s := f.say(v.Filter); s != "" {
		out = append(out, span{theme.Muted, f.dot() + "with "}, span{theme.Match, s})
	}
	if b != nil && b.Journal != "" {
		out = append(out, span{theme.Muted, f.dot() + "journal " + f.headShort(b.Journal)})
	}
	return out
}

// headShort is the head of a journal to be recognised: its number and how its hash
// begins.
func (f Frame) headShort(head string) string {
	number, hash, ok := strings.Cut(f.say(head), ":")
	if !ok || len(hash) <= 8 {
		return f.cut(number+strings.TrimSuffix(":"+hash, ":"), 20)
	}
	return f.cut(number, 12) + ":" + hash[:8] + f.Theme.Glyphs.Ellipsis
}

// nothing says why no event is shown.
func (f Frame) nothing(b *incident.Board, v *TimelineView) string {
	switch {
	case v.Loading:
		return "the journal is being read"
	case b == nil || b.State == nil:
		return "no incident is declared: nothing is recorded"
	case v.Filter != "" || v.Kinds != "":
		return fmt.Sprintf("none of the %d events is like that", v.Page.Total)
	}
	return "nothing is recorded yet"
}

// author is who made an event; the console when nobody did.
func author(e *incident.Event) string {
	if e.By == "" {
		return "console"
	}
	return e.By
}

// eventColumns are where the parts of an event's row stand; a part of no cells is
// left out.
type eventColumns struct {
	since, who, kind int
}

// columnsOf shares n cells: the text needs most of them, and the time of day and
// the kind are never left out.
func columnsOf(n, who int) eventColumns {
	c := eventColumns{since: 10, who: who, kind: 10}
	if n < 70 {
		c.who = min(c.who, 6)
	}
	if n < 56 {
		c.who = 0
	}
	if n < 44 {
		c.since = 0
	}
	return c
}

// event is one row of the timeline.
func (f Frame) event(b *incident.Board, e *incident.Event, t *told, c eventColumns, chosen bool) spans {
	mark, quiet, look := "  ", theme.Muted, t.look
	if chosen {
		mark, look = f.Theme.Glyphs.Select+" ", theme.Selection
	}
	out := spans{{theme.Strong, mark}, {theme.Text, e.At.UTC().Format("15:04:05")}, {theme.Plain, " "}}
	put := func(k theme.Token, s string, n int) {
		if n > 0 {
			s = f.cut(s, n)
			out = append(out, span{k, s}, span{theme.Plain, spaces(n - width(s) + 1)})
		}
	}
	put(quiet, f.sinceT0(b, e.At), c.since)
	put(quiet, f.say(author(e)), c.who)
	word := f.say(KindWord(e.Kind))
	put(kindLook(e.Kind), word, c.kind)
	line := f.say(t.line)
	for _, p := range []string{word + ": ", word + " "} {
		line = strings.TrimPrefix(line, p) // the column says it
	}
	return append(out, span{look, f.prose(line, max(inner(f.Width)-out.width(), 1))})
}

func kindLook(k incident.Kind) theme.Token {
	switch k {
	case incident.KindDecision, incident.KindUpdate, incident.KindDeclared, incident.KindClosed, incident.KindRecovered:
		return theme.Strong
	}
	return theme.Text
}

// told is the expansion of an event below its row.
func (d *detail) told(e *incident.Event, t *told) {
	f := d.f
	const in = 4
	text := t.text
	if text == "" {
		text = t.line
	}
	// Its lines stay lines: an update is written in paragraphs.
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(f.say(line)); line != "" {
			d.text(in, "", theme.Text, line)
		}
	}
	name := 0
	for _, p := range t.more {
		if p[1] != "" {
			name = max(name, width(p[0]))
		}
	}
	for _, p := range t.more {
		if s := f.say(p[1]); strings.TrimSpace(s) != "" {
			label := f.say(p[0])
			d.text(in, label+spaces(name-width(label)), theme.Text, s)
		}
	}
	d.row(span{theme.Plain, spaces(in)}, span{theme.Muted, fmt.Sprintf("record %d", e.Seq)}, span{theme.Muted, f.dot() + timeOf(e.At) + f.dot() + "by " + f.say(author(e))})
}
