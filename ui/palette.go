package ui

import (
	"strings"

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
	labels   []panes.Choice // of all
	found    []int          // in all, best first
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
	for _, one := range m.listed {
		c := choice{panes.Choice{Label: "Resume incident " + plain(one.ID), Detail: plain(one.Summary)}, resume(one.ID)}
		switch {
		case m.kase != nil && m.kase.State.Declared.ID == one.ID:
			c.Detail, c.Disabled = "", "it is open here"
		case m.opening != "":
			c.Disabled = m.opening + " is under way"
		case m.rec.human() > 0:
			c.Disabled = "the last key is still being recorded"
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
	for _, c := range p.all {
		p.labels = append(p.labels, c.Choice)
	}
	m.open(modePalette)
	m.palette = p
	p.search("")
}

// search keeps what matches the query, best first.
func (p *palette) search(query string) {
	p.query, p.selected = query, 0
	p.version++
	p.found = panes.Fuzzy(query, p.labels)
	p.drawn = make([]panes.Choice, len(p.found))
	for i, at := range p.found {
		p.drawn[i] = p.labels[at]
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
	c := p.all[p.found[p.selected]]
	if c.Disabled != "" {
		m.say(c.Label + ": not now, " + c.Disabled)
		return nil
	}
	m.close()
	return c.run(m)
}
