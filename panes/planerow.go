package panes

import (
	"warroom/internal/estate"
	"warroom/internal/theme"
)

// first is a component's first row: cursor, status, name, state word and, when
// it is the only one, the figures that still fit; its age at the far end.
func (p *planeRows) first(b *box, only bool) string {
	f := p.f
	return p.side(func(l *line) {
		chosen := p.v.Focused && b.c.ID == p.v.Selected
		if chosen {
			l.put(theme.Strong, f.Theme.Glyphs.Select)
		}
		l.to(2)
		l.put(token(b.r.Status), f.verdict(b.r.Status))
		l.to(2 + p.status + 1)
		k := theme.Text
		switch {
		case chosen:
			k = theme.Selection
		case b.r.Status == estate.Fail:
			k = theme.Strong
		}
		name, does := f.say(b.c.Name), ""
		if s := p.title(b.c); len(s) > len(name) {
			does = s[len(name):]
		}
		l.put(k, f.cut(name, p.name)).put(theme.Muted, does)
		// A state word that is wider than its column begins sooner, if its
		// component's name leaves it the room.
		l.skip(1).to(min(2+p.status+1+p.name+p.gap, l.limit-width(f.say(b.r.Word))))
		stale := false
		for i := range b.r.Facts {
			if c := &b.r.Facts[i]; old(c) && c.Headline {
				stale = true
			}
		}
		age := Age(b.r.At, f.Now)
		if stale {
			age = f.Theme.Glyphs.Stale + " " + age
		}
		if word := f.say(b.r.Word); word != "" && word != b.r.Status.String() {
			// Of a stale component with no other row the mark matters more than
			// the word it had.
			if room := l.left(); !stale || !only || width(word)+1+width(age) <= room {
				l.put(figureToken(b.r.Status), f.cut(word, room))
			}
		}
		room := l.left() - width(age) - 2
		if only {
			if extra := p.beside(b, room-2); extra != nil {
				l.skip(2).spans(extra)
			}
		}
		if !b.r.At.IsZero() && l.left() > width(age) {
			l.to(l.limit - width(age))
			k := theme.Muted
			if stale {
				k = theme.Stale
			}
			l.put(k, age)
		}
	})
}

// beside is what stands after the state word of a component that has no other
// row: its best figures.
func (p *planeRows) beside(b *box, room int) spans {
	if room < 4 {
		return nil
	}
	var items []spans
	var scores []int
	for i := range b.r.Facts {
		c := &b.r.Facts[i]
		if !c.Headline || said(c, b.r) || silent(b.r) {
			continue
		}
		s := p.f.figure(c)
		if w := s.width(); w <= room {
			items = append(items, s)
			score := w
			if c.Status != estate.OK && c.Status != estate.NA {
				score += 40
			}
			scores = append(scores, score)
		}
	}
	if len(items) == 0 {
		if s := p.f.reason(b.r); s != "" && room >= 16 && b.r.Status != estate.OK {
			return spans{{theme.Muted, p.f.prose(s, room)}}
		}
		return nil
	}
	return p.f.join(pick(items, scores, room, width(p.f.dot())))
}
