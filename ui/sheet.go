package ui

import (
	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/panes"
)

// openSheet shows a sheet, from which the way leads back to the view it was opened
// from.
func (m *Model) openSheet(v mode) {
	if !m.view.sheet() {
		m.back = m.view
	}
	m.sheetFilter, m.sheetScroll = "", 0
	m.showView(v)
}

// leaveSheet clears the filter of the sheet, and when there is none goes back.
func (m *Model) leaveSheet() {
	if m.sheetFilter != "" {
		m.sheetFilter, m.sheetScroll = "", 0
		return
	}
	m.showView(m.back)
}

// explained is the component whose figures the glossary explains first.
func (m *Model) explained() estate.ID {
	if m.back == modeDetail {
		return m.detail
	}
	return ""
}

// scrollSheet moves the sheet by rows; it stops at both ends.
func (m *Model) scrollSheet(by int) {
	b := m.layout().body
	m.sheetScroll = max(0, min(m.sheetScroll+by, panes.MaxScroll(m.frameOf(b.w, b.h), m.cache.sheetTotal)))
}

// sheetRows draws the sheet that is shown.
func (m *Model) sheetRows(l layout) []string {
	c, b := &m.cache, l.body
	k := sheetKey{look: m.look(b.w, b.h), view: m.view, readings: m.shown.Readings, filter: m.sheetFilter, scroll: m.sheetScroll}
	if m.view == modeChanges {
		k.now = m.shown.Now
	} else {
		k.id = m.explained()
	}
	return c.sheet.get(k, c.prose, func() []string {
		f := m.frameOf(b.w, b.h)
		var drawn []string
		if m.view == modeChanges {
			drawn, c.sheetTotal = panes.Changes(f, m.shown.Readings, m.sheetFilter, m.sheetScroll)
		} else {
			drawn, c.sheetTotal = panes.Glossary(f, m.shown.Readings, k.id, m.sheetFilter, m.sheetScroll)
		}
		return rowsOf(drawn, b.w, b.h)
	})
}

// filterText is the filter of the view that is shown.
func (m *Model) filterText() string {
	switch {
	case m.view.sheet():
		return m.sheetFilter
	case m.view == modeTimeline:
		return m.line.text
	}
	return m.filter
}

// setFilter is what is typed into the filter of the view that is shown.
func (m *Model) setFilter(text string) {
	switch {
	case m.view.sheet():
		m.sheetFilter, m.sheetScroll = text, 0
	case m.view == modeTimeline:
		m.timelineSearch(text)
	default:
		m.filter = text
	}
}

// changers are the components whose reads tell of changes.
func (m *Model) changers() []estate.ID {
	var out []estate.ID
	s := m.shown.Readings.Snapshot
	for i := range s.Topology.Components {
		id := s.Topology.Components[i].ID
		for _, slot := range s.Slots(id) {
			if check := slot.Last.Key.Check; check == estate.CheckChanges || check == estate.CheckRevisions {
				out = append(out, id)
				break
			}
		}
	}
	return out
}

// cannotReadChanges refuses to read changes again when nothing tells of them.
func cannotReadChanges(m *Model) string {
	if why := cannotCheck(m); why != "" {
		return why
	}
	if len(m.changers()) == 0 {
		return "nothing in warroom.yaml says where to read changes"
	}
	return ""
}

// checkChanges makes the checks due that tell of changes.
func checkChanges(m *Model) tea.Cmd {
	ids := m.changers()
	m.say("reading recent changes")
	return m.guard.command("checking now", func() tea.Msg { m.opt.Checker.CheckNow(ids...); return nil })
}

// copyChanges puts the changes that are shown on the clipboard, as plain text with
// the same masks as the screen.
func copyChanges(m *Model) tea.Cmd {
	m.say("copied the recent changes, if the terminal lets programs copy (OSC 52)")
	f := panes.Frame{Theme: m.theme, Now: m.shown.Now, Share: m.share}
	return tea.SetClipboard(m.opt.scrub(panes.CopyChanges(f, m.shown.Readings, m.sheetFilter)))
}
