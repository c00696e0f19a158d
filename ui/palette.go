package ui

import (
	"slices"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/theme"
	"warroom/panes"
)

// choice is one thing that can be chosen by name.
type choice struct {
	panes.Choice
	run func(*Model) tea.Cmd
}

// palette is the list of everything that can be chosen by name. What it lists is
// fixed when it opens, so that nothing moves under the cursor.
type palette struct {
	query    string
	all      []choice
	found    []choice
	drawn    []panes.Choice // of found
	selected int
	version  int // changes when found does
}

// openPalette lists the actions of the view, the themes and every component.
func (m *Model) openPalette() {
	p := &palette{}
	ascii := m.theme.Glyphs.ASCIIOnly
	subject := m.subject()
	for i := range keymap {
		b := &keymap[i]
		if !b.palette || !b.modes.has(m.view) {
			continue
		}
		c := choice{panes.Choice{Label: b.does, Key: b.label(ascii), Disabled: b.refusal(m)}, b.run}
		if subject != "" && strings.Contains(b.does, "this component") {
			c.Detail = m.name(subject)
		}
		p.all = append(p.all, c)
	}
	for _, name := range theme.Names() {
		c := choice{panes.Choice{Label: "Theme: " + name}, do(func(m *Model) { m.themeGiven = true; m.setTheme(name) })}
		switch {
		case name == m.theme.Name:
			c.Detail = "in use"
		case m.opt.NoColor && name != theme.ASCII && name != theme.NoColor:
			c.Disabled = "NO_COLOR is set"
		}
		p.all = append(p.all, c)
	}
	for _, comp := range m.shown.Readings.Snapshot.Topology.Components {
		detail := comp.Plane.String() + " plane"
		if comp.Group != "" {
			detail += ", " + plain(comp.Group)
		}
		p.all = append(p.all, choice{
			panes.Choice{Label: plain(comp.Name), Detail: detail},
			do(func(m *Model) { m.show(comp.ID) }),
		})
	}
	m.open(modePalette)
	m.palette = p
	p.search("")
}

// search keeps what matches the query, best first.
func (p *palette) search(query string) {
	p.query, p.selected = query, 0
	p.version++
	type hit struct{ score, at int }
	var hits []hit
	for i := range p.all {
		if s, ok := fuzzy(query, p.all[i].Label); ok {
			hits = append(hits, hit{s, i})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return b.score - a.score })
	p.found, p.drawn = nil, nil
	for _, h := range hits {
		p.found = append(p.found, p.all[h.at])
		p.drawn = append(p.drawn, p.all[h.at].Choice)
	}
}

func (p *palette) move(by int) {
	p.selected = max(0, min(p.selected+by, len(p.found)-1))
}

// choose does what is chosen, or says why it cannot be done.
func (m *Model) choose() tea.Cmd {
	p := m.palette
	if len(p.found) == 0 {
		return nil
	}
	c := p.found[p.selected]
	if c.Disabled != "" {
		m.say(c.Label + ": not now, " + c.Disabled)
		return nil
	}
	m.close()
	return c.run(m)
}

// fuzzy reports whether every letter of query occurs in text in order, and how
// well: letters that begin a word or follow one another count more, and so does
// an early and a short match. Case and blanks of the query do not matter.
func fuzzy(query, text string) (score int, ok bool) {
	q := []rune(strings.ToLower(strings.Join(strings.Fields(query), "")))
	if len(q) == 0 {
		return 0, true
	}
	i, run, before := 0, 0, ' '
	for at, r := range []rune(text) {
		low := unicode.ToLower(r)
		if i < len(q) && low == q[i] {
			score += 10 + 8*run
			if !unicode.IsLetter(before) && !unicode.IsDigit(before) {
				score += 15
			}
			if i == 0 {
				score -= min(at, 10)
			}
			i++
			run++
		} else {
			run = 0
		}
		before = r
	}
	return score - len(text)/8, i == len(q)
}
