package panes

import (
	"warroom/internal/estate"
	"warroom/internal/theme"
)

// PlaneView is which plane is drawn and how the operator looks at it.
type PlaneView struct {
	Plane    estate.Plane
	Focused  bool
	Selected estate.ID // under the cursor; marked when the pane has the focus
	Filter   string    // as for PlaneOrder; empty shows all
	Alone    bool      // the other panes are not on the screen: the frame says that there are
}

// Plane draws one plane as a pane with frame, title and summary. Every
// component has a row as long as there is one for each; then the worst get
// their figures first. If there are too few rows the list scrolls so that
// Selected is in sight, and the frame says how many are out of it, and how bad
// those are.
func Plane(f Frame, r *estate.Readings, v PlaneView) []string {
	if f.Height <= 0 {
		return nil
	}
	p := &planeRows{f: f, v: v, r: r, all: collect(r, v.Plane, v.Filter)}
	if f.Width < 8 || f.Height < 3 {
		return p.small()
	}
	p.inner = f.Width - 2
	p.columns(f.Height - 2)
	body := p.body(f.Height - 2)
	rows := make([]string, 0, f.Height)
	rows = append(rows, p.top())
	rows = append(rows, body...)
	return append(rows, p.bottom())
}

// planeRows is the work on one pane.
type planeRows struct {
	f     Frame
	v     PlaneView
	r     *estate.Readings
	all   []entry
	inner int // cells between the sides of the frame

	status, name int // widths of the columns
	subtitles    int // how wide a name with what it does may be; 0 when none is drawn
	gap          int // between the name and the state word
	indent       int // of the rows below a component's first

	above, below           int // components out of sight
	worstAbove, worstBelow estate.Status
}

func (p *planeRows) frame() *theme.Frame {
	if p.v.Focused {
		return &p.f.Theme.Glyphs.Focus
	}
	return &p.f.Theme.Glyphs.Frame
}

func (p *planeRows) accent() theme.Token { return accents[p.v.Plane&3] }

// columns gives the status and the name of every component the same width, and
// the state word at least eight cells where names are long. What a component
// does stands behind its name where neither figures nor state words lose by it.
func (p *planeRows) columns(rows int) {
	word := 0
	for _, e := range p.all {
		p.status = max(p.status, width(p.f.verdict(e.r.Status)))
		p.name = max(p.name, width(p.f.say(e.c.Name)))
		word = max(word, min(width(p.f.say(e.r.Word)), 8))
	}
	room := p.inner - p.pad() - 1 - p.status - 1 - word
	p.gap = 1
	if p.name+2+4 <= room {
		p.gap = 2
	}
	p.name = max(min(p.name, room-p.gap), min(p.name, 6))
	p.indent = 2
	if p.inner >= 60 {
		p.indent = 1 + p.status + 1
	}
	if rows < 3*len(p.all) {
		return
	}
	full := 0
	for _, e := range p.all {
		full = max(full, width(p.f.say(e.r.Word)))
	}
	p.subtitles = max(p.inner-p.pad()-2-p.status-1-p.gap-full-len("  ~ <10s"), 0)
	for _, e := range p.all {
		if w := width(p.title(e.c)); w <= p.subtitles {
			p.name = max(p.name, w)
		}
	}
}

// title is a component's name, with what it does where that has room.
func (p *planeRows) title(c *estate.Component) string {
	name := p.f.say(c.Name)
	if sub := p.f.say(c.Subtitle); sub != "" {
		if s := name + " (" + sub + ")"; width(s) <= p.subtitles {
			return s
		}
	}
	return name
}

// pad is the free column before the right side, where there is room for one.
func (p *planeRows) pad() int {
	if p.inner >= 46 {
		return 1
	}
	return 0
}

// side puts a row's content between the sides of the frame.
func (p *planeRows) side(draw func(l *line)) string {
	l := p.f.line(p.f.Width)
	l.put(p.accent(), p.frame().Down)
	l.limit = p.f.Width - 1 - p.pad()
	draw(l)
	l.limit = p.f.Width
	l.to(l.limit - 1)
	l.put(p.accent(), p.frame().Down)
	return l.String()
}

func (p *planeRows) body(rows int) []string {
	var out []string
	text := func(k theme.Token, s string) {
		for _, part := range wrap(s, p.inner-2) {
			out = append(out, p.side(func(l *line) { l.skip(1).put(k, part) }))
		}
	}
	switch {
	case p.r == nil:
		text(theme.Unknown, "? nothing was read yet")
	case len(p.all) == 0 && p.v.Filter != "":
		text(theme.Text, "nothing here matches /"+p.f.say(p.v.Filter))
		text(theme.Muted, "esc clears the filter")
	case len(p.all) == 0:
		text(theme.Muted, "no components in this plane")
	case len(p.all) > rows:
		out = p.scrolled(rows)
	default:
		out = p.laidOut(rows)
	}
	if len(out) > rows {
		out = out[:rows]
	}
	for len(out) < rows {
		out = append(out, p.side(func(*line) {}))
	}
	return out
}

// scrolled draws a row for each component in a window around the cursor.
func (p *planeRows) scrolled(rows int) []string {
	at := 0
	for i, e := range p.all {
		if e.c.ID == p.v.Selected {
			at = i
		}
	}
	first := max(0, min(at-rows/2, len(p.all)-rows))
	p.above, p.below = first, len(p.all)-first-rows
	for i, e := range p.all {
		switch {
		case i < first:
			p.worstAbove = estate.Worst(p.worstAbove, e.r.Status)
		case i >= first+rows:
			p.worstBelow = estate.Worst(p.worstBelow, e.r.Status)
		}
	}
	var out []string
	for _, e := range p.all[first : first+rows] {
		out = append(out, p.first(&box{entry: e}, true))
	}
	return out
}

// laidOut draws every component, and with the rows that are left over first
// what is bad.
func (p *planeRows) laidOut(rows int) []string {
	boxes := make([]box, len(p.all))
	n := p.inner - p.indent - max(p.pad(), 1)
	if p.inner < 46 {
		n = p.inner - p.indent
	}
	groups := 0
	for i, e := range p.all {
		boxes[i].entry = e
		p.f.fill(&boxes[i], p.r, n)
		if e.c.Group != "" && (i == 0 || p.all[i-1].c.Group != e.c.Group) {
			groups++
		}
	}
	tighten(boxes, rows)
	free := rows - len(boxes)
	grant := func(s section, most int, which func(*box) bool) {
		for _, status := range worstFirst {
			for i := range boxes {
				b := &boxes[i]
				if known(b.r.Status) != status || !which(b) {
					continue
				}
				add := min(free, min(most, len(b.body[s]))-b.granted[s])
				if add > 0 {
					b.granted[s] += add
					free -= add
				}
			}
		}
	}
	any := func(*box) bool { return true }
	quiet := func(b *box) bool { return len(b.r.Facts) == 0 } // it says only that nothing reads it
	read := func(b *box) bool { return !quiet(b) }

	grant(figures, 1, read)
	grant(figures, 9, read)
	headings := groups > 0 && free >= groups
	if headings {
		free -= groups
	}
	grant(reasons, 3, any)
	grant(figures, 9, quiet)
	grant(hits, 1, any)
	grant(flows, 2, any)
	// Air between the boxes reads better than the last of the figures.
	airy := false
	gaps := len(boxes) - 1
	if headings {
		gaps = len(boxes) - groups + (groups - 1)
	}
	if gaps > 0 && free >= gaps {
		airy = true
		free -= gaps
	}
	grant(facts, 3, any)
	grant(facts, 99, any)

	var out []string
	for i := range boxes {
		b := &boxes[i]
		begins := b.c.Group != "" && (i == 0 || p.all[i-1].c.Group != b.c.Group)
		if airy && i > 0 {
			out = append(out, p.side(func(*line) {}))
		}
		if headings && begins {
			out = append(out, p.heading(b.c.Group))
		}
		lines := b.drawn(p.f)
		out = append(out, p.first(b, len(lines) == 0))
		for _, s := range lines {
			out = append(out, p.side(func(l *line) { l.skip(p.indent).spans(s) }))
		}
	}
	return out
}

func (p *planeRows) heading(group string) string {
	return p.side(func(l *line) {
		l.rule(theme.Group, p.f.Theme.Glyphs.Frame.Across, 1)
		l.skip(1).put(theme.Muted, p.f.say(group)).skip(1)
		l.rule(theme.Group, p.f.Theme.Glyphs.Frame.Across, l.left())
	})
}
