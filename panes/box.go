package panes

import (
	"fmt"
	"strings"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// How much a component's box shows beyond its first row is decided in levels:
// every component gets the first before any gets the second.
type section uint8

const (
	figures section = iota // the headline figures of the guide's diagram
	reasons                // why it is not OK
	hits                   // who uses its secrets
	flows                  // what it depends on and what depends on it
	facts                  // the figures that are no headlines
	sections
)

// box is a component's rows before the plane knows how many it may have.
type box struct {
	entry
	body    [sections][]spans // lines, each narrower than the pane
	granted [sections]int     // how many of them are drawn
	one     spans             // the best of its figures in a single line
	lean    []spans           // its figures without those that its first row says already, where that takes fewer lines
	why     string            // the reason in full
	whyIn   section           // where it stands
	n       int               // cells of a line
}

// drawn lists the lines below the first row. A text that goes on ends in an
// ellipsis.
func (b *box) drawn(f Frame) []spans {
	var out []spans
	for s := range sections {
		granted, lines := b.granted[s], b.body[s]
		switch {
		case granted == 0:
			continue
		case granted == len(lines):
		case b.why != "" && s == b.whyIn:
			rest := b.why
			for _, l := range lines[:granted-1] {
				rest = rest[strings.Index(rest, l[0].s)+len(l[0].s):]
			}
			cut := spans{{lines[0][0].k, f.prose(strings.TrimLeft(rest, " "), b.n)}}
			lines = append(append([]spans(nil), lines[:granted-1]...), cut)
		case s == figures && granted == 1:
			lines = []spans{b.one}
		default:
			lines = lines[:granted]
		}
		out = append(out, lines...)
	}
	return out
}

// figure is one fact as "Name: value", with its age when it is old.
func (f Frame) figure(c *estate.Fact) spans {
	name, value := f.say(c.Name), f.say(c.Value)
	if value == "" {
		value = "?"
	}
	k := figureToken(c.Status)
	out := make(spans, 0, 3)
	if name != "" {
		out = append(out, span{theme.Muted, name + ": "})
	}
	if old(c) {
		k = theme.Stale
	}
	out = append(out, span{k, value})
	if old(c) {
		out = append(out, span{theme.Stale, " " + f.stale(c)})
	}
	return out
}

// old reports whether a value is not what the latest read found: it is past its
// time, or that read failed. Such a value never stands without its age.
func old(c *estate.Fact) bool { return c.Stale || c.Failed }

// stale is the mark of an old value: ~ 4m.
func (f Frame) stale(c *estate.Fact) string {
	return f.Theme.Glyphs.Stale + " " + Age(c.At, f.Now)
}

// said reports whether a fact brings nothing that the first row does not say.
func said(c *estate.Fact, r *estate.Reading) bool {
	return !old(c) && strings.EqualFold(c.Value, r.Word)
}

// reason is why a component is not well. Where the latest read of its worst
// figure failed, that failure and not the value of before is the reason.
func (f Frame) reason(r *estate.Reading) string {
	var worst *estate.Fact
	for i := range r.Facts {
		if c := &r.Facts[i]; worst == nil || c.Status > worst.Status {
			worst = c
		}
	}
	if worst != nil && worst.Failed && worst.Note != "" && strings.HasPrefix(r.Reason, worst.Name+": ") {
		return f.say(worst.Name + " now: " + worst.Note)
	}
	return f.say(r.Reason)
}

// silent reports whether no headline has a value, so that the reason is worth
// more than a row of question marks.
func silent(r *estate.Reading) bool {
	for i := range r.Facts {
		if c := &r.Facts[i]; c.Headline && c.Value != "" && c.Value != "?" {
			return false
		}
	}
	return true
}

// fill prepares the lines of a box that is n cells wide below its first row.
func (f Frame) fill(b *box, rs *estate.Readings, n int) {
	var items, news []spans
	var scores []int
	mute := silent(b.r)
	if !mute {
		for i := range b.r.Facts {
			c := &b.r.Facts[i]
			if !c.Headline {
				continue
			}
			s := f.figure(c)
			items, news = append(items, s), append(news, s)
			score := s.width()
			switch {
			case said(c, b.r):
				score = 1
				news = news[:len(news)-1]
			case c.Status != estate.OK && c.Status != estate.NA:
				score += 40
			}
			scores = append(scores, score)
		}
	}
	b.body[figures] = f.pack(items, n)
	if lean := f.pack(news, n); len(lean) > 0 && len(lean) < len(b.body[figures]) {
		b.lean = lean
	}
	if len(b.body[figures]) > 1 {
		b.one = f.join(pick(items, scores, n, width(f.dot())))
	}
	if b.r.Reason != "" && (mute || b.r.Status != estate.OK && b.r.Status != estate.NA) {
		b.why, b.whyIn, b.n = f.reason(b.r), reasons, n
		if mute {
			b.whyIn = figures
		}
		b.body[b.whyIn] = nil
		for _, l := range wrap(b.why, n) {
			b.body[b.whyIn] = append(b.body[b.whyIn], spans{{theme.Text, l}})
		}
	}
	if l := f.hitLine(b, rs, n); l != nil {
		b.body[hits] = []spans{l}
	}
	b.body[flows] = f.flows(b, rs, n)
	var rest []spans
	for i := range b.r.Facts {
		if c := &b.r.Facts[i]; !c.Headline {
			rest = append(rest, f.figure(c))
		}
	}
	b.body[facts] = f.pack(rest, n)
}

// tighten drops, where not every figure has room, those that say what the first
// row says, of what is well before what is not.
func tighten(boxes []box, rows int) {
	over := len(boxes) - rows
	for i := range boxes {
		over += len(boxes[i].body[figures])
	}
	for s := len(worstFirst) - 1; s >= 0; s-- {
		for i := range boxes {
			if b := &boxes[i]; over > 0 && b.lean != nil && known(b.r.Status) == worstFirst[s] {
				over -= len(b.body[figures]) - len(b.lean)
				b.body[figures] = b.lean
			}
		}
	}
}

func (f Frame) dot() string { return " " + f.Theme.Glyphs.Dot + " " }

// pack sets items into lines of n cells, whole where they fit.
func (f Frame) pack(items []spans, n int) []spans {
	var out []spans
	dot := width(f.dot())
	at := 0
	for _, it := range items {
		w := it.width()
		if len(out) > 0 && at+dot+w <= n {
			last := &out[len(out)-1]
			*last = append(append(*last, span{theme.Muted, f.dot()}), it...)
			at += dot + w
			continue
		}
		out = append(out, append(spans(nil), it...))
		at = w
	}
	return out
}

func (f Frame) join(items []spans) spans {
	var out spans
	for i, it := range items {
		if i > 0 {
			out = append(out, span{theme.Muted, f.dot()})
		}
		out = append(out, it...)
	}
	return out
}

// pick chooses, in their order, the items that score most in n cells. There are
// a handful of headlines; of more than eight the first eight are looked at.
func pick(items []spans, scores []int, n, dot int) []spans {
	items, scores = items[:min(len(items), 8)], scores[:min(len(items), 8)]
	widths := make([]int, len(items))
	for i := range items {
		widths[i] = items[i].width()
	}
	best, bestScore := 0, -1
	for set := 1; set < 1<<len(items); set++ {
		w, score := -dot, 0
		for i := range items {
			if set&(1<<i) != 0 {
				w += widths[i] + dot
				score += scores[i]
			}
		}
		if w <= n && score > bestScore {
			best, bestScore = set, score
		}
	}
	var out []spans
	for i := range items {
		if best&(1<<i) != 0 {
			out = append(out, items[i])
		}
	}
	if out == nil && len(items) > 0 { // none fits whole: the best of them is cut
		top := 0
		for i := range scores {
			if scores[i] > scores[top] {
				top = i
			}
		}
		out = items[top : top+1]
	}
	return out
}

// flows says in one line, or two, what a component depends on and what depends
// on it, each with its status.
func (f Frame) flows(b *box, rs *estate.Readings, n int) []spans {
	t := rs.Snapshot.Topology
	g := &f.Theme.Glyphs
	out := f.ends(g.Out, t.Out(b.c.ID), rs, n, func(x estate.Flow) estate.ID { return x.To })
	in := f.ends(g.In, t.In(b.c.ID), rs, n, func(x estate.Flow) estate.ID { return x.From })
	switch {
	case out == nil && in == nil:
		return nil
	case out == nil:
		return []spans{in}
	case in == nil:
		return []spans{out}
	case out.width()+3+in.width() <= n:
		return []spans{append(append(out, span{theme.Plain, "   "}), in...)}
	}
	return []spans{out, in}
}

func (f Frame) ends(arrow string, list []estate.Flow, rs *estate.Readings, n int, end func(estate.Flow) estate.ID) spans {
	if len(list) == 0 {
		return nil
	}
	out := spans{{theme.Muted, arrow + " "}}
	for i, x := range list {
		id := end(x)
		name := string(id)
		status := estate.Unknown
		if c, ok := rs.Snapshot.Topology.Component(id); ok {
			name = c.Name
		}
		if r, ok := rs.Of(id); ok {
			status = r.Status
		}
		item := spans{{token(status), f.glyph(status) + " "}, {theme.Text, f.say(name)}}
		if i > 0 {
			item = append(spans{{theme.Muted, ", "}}, item...)
		}
		more := ""
		if rest := len(list) - i - 1; rest > 0 {
			more = fmt.Sprintf(" +%d", rest)
		}
		if i > 0 && out.width()+item.width()+len(more) > n {
			return append(out, span{theme.Muted, fmt.Sprintf(" +%d", len(list)-i)})
		}
		out = append(out, item...)
	}
	return out
}
