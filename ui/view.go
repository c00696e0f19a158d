package ui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/theme"
	"warroom/panes"
)

// section is a part of the screen with the rows it was last drawn as. Its
// version changes only when its rows did.
type section[K comparable] struct {
	key     K
	drawn   bool
	rows    []string
	version uint64
}

func (s *section[K]) get(key K, prose func(string) string, draw func() []string) []string {
	if s.drawn && s.key == key {
		return s.rows
	}
	rows := draw()
	for i, row := range rows {
		rows[i] = prose(row)
	}
	s.key, s.drawn = key, true
	if !slices.Equal(rows, s.rows) {
		s.rows = rows
		s.version++
	}
	return s.rows
}

// look is what every section depends on besides what it shows.
type look struct {
	w, h  int
	theme *theme.Theme
	share bool
}

type bandKey struct {
	look
	info   panes.BandInfo
	second int64
}

type paneKey struct {
	look
	version  uint64
	focused  bool
	alone    bool
	selected estate.ID
	filter   string
}

type stripKey struct {
	look
	version uint64
	board   *incident.Board
	reading string
}

// boardKey stands for a view of an incident. rev changes with everything that
// such a view shows besides.
type boardKey struct {
	look
	view     mode
	board    *incident.Board
	readings *estate.Readings
	now      time.Time
	rev      uint64
}

type formKey struct {
	look
	of      *form
	version int
	minute  int64 // of a form that says what time it is
}

type detailKey struct {
	look
	readings *estate.Readings
	now      time.Time
	id       estate.ID
	scroll   int
}

type sheetKey struct {
	look
	view     mode
	readings *estate.Readings
	now      time.Time
	id       estate.ID
	filter   string
	scroll   int
}

// keysKey stands for what footer and help show: the keys of a mode and which of
// them are refused.
type keysKey struct {
	look
	mode     mode
	frozen   bool
	subject  bool
	filtered bool
	text     string
	scroll   int
	rev      uint64
}

type paletteKey struct {
	look
	of       *palette
	version  int
	selected int
}

type dialogKey struct {
	look
	of       *dialog
	selected int
}

// confirmKey stands for a confirmation. It counts down.
type confirmKey struct {
	look
	of      *confirm
	version int
	second  int64
	refuse  string
}

// frameKey stands for the whole screen.
type frameKey struct {
	layout   layout
	mode     mode
	view     mode
	versions [15]uint64
}

// cache is everything that was drawn. Only View changes it.
type cache struct {
	prose  func(string) string
	band   section[bandKey]
	panes  [len(estate.Planes)]section[paneKey]
	strip  section[stripKey]
	detail section[detailKey]
	sheet  section[sheetKey]
	help   section[keysKey]
	footer section[keysKey]
	pal    section[paletteKey]
	dialog section[dialogKey]
	form   section[formKey]
	board  section[boardKey]
	ask    section[confirmKey]

	confirmed drawnConfirm

	detailTotal, helpTotal, sheetTotal, incidentTotal int // rows there are, seen or not

	frame   frameKey
	content string
	redrawn int // how often content was put together
}

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.NewView(m.content())
	v.AltScreen = true
	v.WindowTitle = m.title()
	v.BackgroundColor, v.ForegroundColor = m.theme.Background, m.theme.Foreground
	return v
}

// title names the environment and nothing that was read.
func (m *Model) title() string {
	t := m.shown.Readings.Snapshot.Topology
	env := plain(t.Environment)
	if m.share {
		env = panes.Mask(env)
	}
	title := "warroom " + env
	if t.Drill != "" {
		title += " DRILL"
	}
	return title
}

func (m *Model) look(w, h int) look { return look{w, h, m.theme, m.share} }

func (m *Model) frameOf(w, h int) panes.Frame {
	return panes.Frame{Width: w, Height: h, Theme: m.theme, Now: m.shown.Now, Share: m.share}
}

// content is the whole screen as text, rows joined by line ends.
func (m *Model) content() string {
	if m.width < 1 || m.height < 1 {
		return ""
	}
	l, c := m.layout(), &m.cache
	key := frameKey{layout: l, mode: m.mode, view: m.view}

	band := m.drawBand(l)
	body := m.drawBody(l, &key)
	var strip []string
	if l.strip > 0 {
		reading := m.readingStep()
		strip = c.strip.get(stripKey{m.look(l.body.w, l.strip), m.shown.all, m.board, reading}, c.prose, func() []string {
			return rowsOf(panes.StripReading(m.frameOf(l.body.w, l.strip), m.shown.Readings, m.board, reading), l.body.w, l.strip)
		})
		key.versions[0] = c.strip.version
	}
	footer := m.drawFooter(l)
	box := m.drawBox()
	key.versions[1], key.versions[2] = c.band.version, c.footer.version
	key.versions[3], key.versions[4], key.versions[5] = c.pal.version, c.dialog.version, c.help.version
	key.versions[12], key.versions[13], key.versions[14] = c.form.version, c.board.version, c.ask.version
	if c.content != "" && c.frame == key {
		return c.content
	}

	rows := make([]string, 0, m.height)
	rows = append(rows, band...)
	rows = append(rows, strip...)
	rows = append(rows, body()...)
	rows = append(rows, footer...)
	if len(box) > 0 {
		f, top := m.over()
		x, y := panes.Center(f, box)
		rows = panes.Overlay(rows, box, x, top+y)
	}
	c.frame, c.content = key, strings.Join(rows, "\n")
	c.redrawn++
	return c.content
}

// over is where a box may lie: between band and footer, whose keys are the box's
// own. On a small screen the box gets the band's rows too, so that it fits.
func (m *Model) over() (f panes.Frame, top int) {
	l := m.layout()
	if m.height >= leastHeight {
		top = l.band
	}
	return m.frameOf(m.width, m.height-l.footer-top), top
}

func (m *Model) drawBand(l layout) []string {
	if l.band == 0 {
		return nil
	}
	info := m.bandInfo()
	now := m.live.Now
	return m.cache.band.get(bandKey{m.look(m.width, l.band), info, now.Unix()}, m.cache.prose, func() []string {
		f := m.frameOf(m.width, l.band)
		f.Now = now
		return rowsOf(panes.Band(f, info), m.width, l.band)
	})
}

// drawBody draws what lies between strip and footer, and says in key what it drew.
// The rows are put together only when they are asked for.
func (m *Model) drawBody(l layout, key *frameKey) func() []string {
	c, b := &m.cache, l.body
	switch {
	case b.h == 0:
		return func() []string { return nil }
	case m.view == modeDetail:
		k := detailKey{m.look(b.w, b.h), m.shown.Readings, m.shown.Now, m.detail, m.detailScroll}
		rows := c.detail.get(k, c.prose, func() []string {
			drawn, total := panes.Detail(m.frameOf(b.w, b.h), m.shown.Readings, m.detail, m.detailScroll)
			c.detailTotal = total
			return rowsOf(drawn, b.w, b.h)
		})
		key.versions[6] = c.detail.version
		return func() []string { return rows }
	case m.view.sheet():
		rows := m.sheetRows(l)
		key.versions[11] = c.sheet.version
		return func() []string { return rows }
	case m.view != modePlanes:
		rows := m.boardRows(l)
		return func() []string { return rows }
	}
	var drawn [len(estate.Planes)][]string
	for _, p := range estate.Planes {
		if l.panes[p].h > 0 && l.panes[p].w > 0 {
			drawn[p] = m.drawPane(p, l.panes[p])
			key.versions[7+int(p)] = c.panes[p].version
		}
	}
	return func() []string { return l.join(drawn) }
}

// join puts four panes together.
func (l layout) join(p [len(estate.Planes)][]string) []string {
	switch l.arrangement {
	case square:
		return panes.Beside(
			append(slices.Clip(p[estate.Edge]), p[estate.State]...),
			append(slices.Clip(p[estate.Service]), p[estate.Control]...))
	case columns:
		return panes.Beside(panes.Beside(panes.Beside(p[0], p[1]), p[2]), p[3])
	}
	return p[l.focus]
}

func (m *Model) drawPane(p estate.Plane, r rect) []string {
	v := panes.PlaneView{Plane: p, Focused: p == m.focus, Selected: m.cursor(p), Filter: m.filter, Alone: m.layout().arrangement == single}
	k := paneKey{m.look(r.w, r.h), m.shown.planes[p], v.Focused, v.Alone, v.Selected, v.Filter}
	return m.cache.panes[p].get(k, m.cache.prose, func() []string {
		return rowsOf(panes.Plane(m.frameOf(r.w, r.h), m.shown.Readings, v), r.w, r.h)
	})
}

func (m *Model) keysKey(w, h int, of mode) keysKey {
	return keysKey{
		look: m.look(w, h), mode: of, frozen: !m.frozen.IsZero(),
		subject: m.subject() != "", filtered: m.filterText() != "", rev: m.rev,
	}
}

// drawFooter draws the keys that work now, or what is being typed.
func (m *Model) drawFooter(l layout) []string {
	if l.footer == 0 {
		return nil
	}
	text := m.footerText()
	k := m.keysKey(m.width, l.footer, m.mode)
	k.text = text
	return m.cache.footer.get(k, m.cache.prose, func() []string {
		return rowsOf(panes.Footer(m.frameOf(m.width, l.footer), m.hints(m.mode), text), m.width, l.footer)
	})
}

// drawBox draws what lies over the screen, if anything does.
func (m *Model) drawBox() []string {
	c := &m.cache
	f, _ := m.over()
	if m.mode.view() || m.mode == modeFilter || f.Height < 1 {
		return nil
	}
	look := m.look(f.Width, f.Height)
	switch m.mode {
	case modeHelp:
		k := m.keysKey(f.Width, f.Height, m.view)
		k.scroll = m.helpScroll
		return c.help.get(k, c.prose, func() (rows []string) {
			rows, c.helpTotal = panes.Help(f, "Keys of "+m.view.String(), m.helpGroups(m.view), m.helpScroll)
			return rows
		})
	case modePalette:
		p := m.palette
		return c.pal.get(paletteKey{look, p, p.version, p.selected}, c.prose, func() []string {
			return panes.Palette(f, p.query, p.drawn, p.selected)
		})
	}
	if m.mode == modeForm {
		now := m.opt.Clock()
		k := formKey{look: look, of: m.form, version: m.form.version}
		if m.form.timed() {
			k.minute = now.Unix() / 60
		}
		return c.form.get(k, c.prose, func() []string {
			return panes.Form(f, m.form.shown(now))
		})
	}
	if m.mode == modeConfirm {
		return m.drawConfirm(f, look)
	}
	d := m.dialog
	return c.dialog.get(dialogKey{look, d, d.selected}, c.prose, func() []string {
		return panes.Dialog(f, d.title, d.body, d.labels(), d.selected)
	})
}

// drawConfirm draws the confirmation, and notes since when it is on the screen as it
// is now: it does not listen before that was looked at.
func (m *Model) drawConfirm(f panes.Frame, look look) []string {
	c, of := &m.cache, m.recovery.confirm
	if of == nil {
		return nil
	}
	k := confirmKey{look, of, of.version, m.opt.Clock().Unix(), cannotStart(m)}
	rows := c.ask.get(k, c.prose, func() (rows []string) {
		rows, c.confirmed.whole = panes.Confirm(f, m.confirmView())
		return rows
	})
	if c.confirmed.of != of || c.confirmed.look != look {
		c.confirmed.of, c.confirmed.look, c.confirmed.at = of, look, m.opt.Clock()
	}
	return rows
}
