package panes

import (
	"fmt"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// top is the title and what the plane amounts to.
func (p *planeRows) top() string {
	f, fr := p.f, p.frame()
	l := f.line(f.Width)
	l.put(p.accent(), fr.TopLeft)
	l.rule(p.accent(), fr.Across, 1)
	l.skip(1)
	if p.v.Focused {
		l.put(theme.Strong, f.Theme.Glyphs.Mark+" ")
	}
	summary := p.summary(f.Width - l.at - width(PlaneName(p.v.Plane)) - 5)
	l.limit = f.Width - summary.width() - 4
	l.put(titles[p.v.Plane&3], PlaneName(p.v.Plane))
	if p.v.Filter != "" && l.left() > 4 {
		l.skip(1).put(theme.Strong, "/"+f.say(p.v.Filter))
	}
	l.skip(1)
	l.limit = f.Width
	tail := 2
	if len(summary) > 0 {
		tail += summary.width() + 2
	}
	l.rule(p.accent(), fr.Across, f.Width-l.at-tail)
	if len(summary) > 0 {
		l.skip(1).spans(summary).skip(1)
	}
	l.rule(p.accent(), fr.Across, f.Width-1-l.at)
	l.put(p.accent(), fr.TopRight)
	return l.String()
}

// summary counts the statuses of the plane, the worst first, in n cells.
func (p *planeRows) summary(n int) spans {
	var count [5]int
	for _, e := range p.all {
		count[known(e.r.Status)]++
	}
	gap := "  "
	if p.inner < 46 {
		gap = " "
	}
	return p.f.counts(count, n, gap)
}

// counts says how many there are of each status, the worst first, as far as
// whole ones fit.
func (f Frame) counts(count [5]int, n int, gap string) spans {
	var out spans
	for _, s := range worstFirst {
		if count[s] == 0 {
			continue
		}
		one := spans{{token(s), fmt.Sprintf("%s %d", f.verdict(s), count[s])}}
		if len(out) > 0 {
			one = append(spans{{theme.Plain, gap}}, one...)
		}
		if out.width()+one.width() > n {
			break
		}
		out = append(out, one...)
	}
	return out
}

// bottom closes the frame and says what is out of sight.
func (p *planeRows) bottom() string {
	f, fr := p.f, p.frame()
	l := f.line(f.Width)
	l.limit = f.Width - 1
	l.put(p.accent(), fr.BottomLeft)
	more := func(n int, worst estate.Status, arrow string) {
		if n == 0 {
			return
		}
		s := fmt.Sprintf("+%d more %s", n, arrow)
		l.rule(p.accent(), fr.Across, 1)
		l.skip(1).put(theme.Strong, s)
		if worst > estate.OK && l.left() > width(f.verdict(worst))+3 {
			l.skip(1).put(token(worst), f.verdict(worst))
		}
		l.skip(1)
	}
	more(p.above, p.worstAbove, f.Theme.Glyphs.Up)
	more(p.below, p.worstBelow, f.Theme.Glyphs.Down)
	if s := fmt.Sprintf("%d of %d panes%stab", int(p.v.Plane)+1, len(estate.Planes), f.dot()); p.v.Alone && l.left() > width(s)+4 {
		l.rule(p.accent(), fr.Across, l.left()-width(s)-3)
		l.skip(1).put(theme.Muted, s).skip(1)
	}
	l.rule(p.accent(), fr.Across, f.Width-1-l.at)
	l.limit = f.Width
	l.put(p.accent(), fr.BottomRight)
	return l.String()
}

// small is a plane that has no room for a frame: what it amounts to in words.
func (p *planeRows) small() []string {
	f := p.f
	l := f.line(f.Width)
	if p.v.Focused {
		l.put(theme.Strong, f.Theme.Glyphs.Select)
	}
	worst := estate.NA
	for _, e := range p.all {
		worst = estate.Worst(worst, e.r.Status)
	}
	l.put(token(worst), f.verdict(worst)).skip(1).put(titles[p.v.Plane&3], PlaneName(p.v.Plane))
	if s := fmt.Sprintf("+%d more %s", len(p.all), f.Theme.Glyphs.Down); l.left() > width(s)+1 {
		l.skip(2).put(theme.Muted, s)
	}
	return f.exactly([]string{l.String()})
}
