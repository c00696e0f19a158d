package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	tea "charm.land/bubbletea/v2"

	"warroom/panes"
)

// boardRows draws the view of an incident that is shown.
func (m *Model) boardRows(l layout) []string {
	c, b := &m.cache, l.body
	k := boardKey{m.look(b.w, b.h), m.view, m.board, m.shown.Readings, m.shown.Now, m.rev}
	return c.board.get(k, c.prose, func() []string {
		rows, total := m.boardView(m.frameOf(b.w, b.h))
		c.incidentTotal = total
		return rowsOf(rows, b.w, b.h)
	})
}

// boardView draws a view of an incident in a frame; total is how many rows there
// are to scroll through, where it scrolls.
func (m *Model) boardView(f panes.Frame) (rows []string, total int) {
	switch m.view {
	case modeFlow:
		return panes.Flow(f, m.board, panes.FlowView{Phase: m.flowPhase(), Selected: m.flowNode(), Scroll: m.flow.scroll})
	case modeNode:
		return panes.NodeDetail(f, m.board, m.flow.detail, m.flow.detailScroll)
	case modeChecklist:
		return panes.Checklist(f, m.board, panes.ListView{Phase: m.listPhase(), Selected: m.listItem(), Reminder: m.recall.text, Scroll: m.list.scroll})
	case modeTimeline:
		return panes.Timeline(f, m.board, m.timelineView()), 0
	case modeBrief:
		return panes.Brief(f, m.board, m.shown.Readings), 0
	case modeMeasures:
		return panes.Measures(f, m.board, m.measureAt(), m.measures)
	case modeRecover:
		rows, _, _ = panes.Recover(f, m.recoverView())
		return rows, 0
	case modePlan:
		return panes.Plan(f, m.planView())
	case modeRun:
		rows, _ = panes.Run(f, m.runView())
		return rows, 0
	case modeUpdate:
		return panes.Draft(f, m.draftTitle(), m.draft.text, m.draft.scroll)
	}
	return nil, 0
}

// bandInfo is what the band says: always of now, also while the frame is frozen.
func (m *Model) bandInfo() panes.BandInfo {
	t := m.shown.Readings.Snapshot.Topology
	info := panes.BandInfo{
		Environment: t.Environment, Drill: t.Drill, Mode: "READ-ONLY",
		Frozen: m.frozen, Share: m.share,
	}
	if m.recovery.arming.On {
		info.Mode, info.Armed = "ARMED", m.armedFor()
	}
	if p := m.underWay(); p != nil {
		settled, of := panes.RunCount(p)
		info.RunShort = fmt.Sprintf("RUN %d/%d", settled, of)
		info.Run = info.RunShort
		if p.Plan != nil {
			info.Run = fmt.Sprintf("RUNNING %s %d/%d", plain(p.Plan.Procedure), settled, of)
		}
	}
	b := m.newest
	if !m.declared() || b == nil {
		return info
	}
	s := m.kase.State
	info.Incident, info.Severity = s.Declared.ID, string(s.Severity)
	info.Elapsed, info.Phase, info.Update = b.Elapsed, b.Phase, b.Update
	info.Closed, info.Reading, info.Writer = m.closed(), !m.kase.Writing, m.kase.Writer
	info.Recovered = s.Recovered
	for _, one := range s.Open() {
		if one.Until.IsZero() || !b.Now.After(one.Until) {
			continue
		}
		info.Measures++
		if late := b.Now.Sub(one.Until).Truncate(time.Second); late > info.Overdue || info.Measures == 1 {
			info.Measure, info.Overdue = one.ID, late
		}
	}
	info.Trouble = m.kase.Trouble
	if info.Trouble == "" && m.notices.wrong != "" {
		info.Trouble = "the journal does not record: " + m.notices.wrong
	}
	return info
}

// footerText is what the footer says before its keys: what was just said, what is
// under way, what is being typed, or where someone was.
func (m *Model) footerText() string {
	if m.mode == modeFilter {
		return "/" + m.filterText() + m.theme.Glyphs.Cursor
	}
	for _, text := range []string{m.message, m.checkingStep(), m.recording()} {
		if text != "" {
			return text
		}
	}
	if m.opening != "" {
		return m.opening + m.theme.Glyphs.Ellipsis
	}
	if filter := m.filterText(); filter != "" && (m.mode == modePlanes || m.mode.sheet() || m.mode == modeTimeline) {
		return "/" + filter
	}
	if m.mode.view() && m.mode != modeChecklist {
		return m.recall.text
	}
	return ""
}

// copyView puts the view of an incident that is shown on the clipboard, as plain
// text, all of it.
func copyView(m *Model) tea.Cmd {
	const width = 100
	f := m.frameOf(width, m.layout().body.h)
	_, total := m.boardView(f)
	f.Height = max(f.Height, total+2)
	rows, _ := m.boardView(f)
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(ansi.Strip(row), " ") + "\n")
	}
	m.say("copied " + strings.ToLower(m.view.String()) + ", if the terminal lets programs copy (OSC 52)")
	return tea.SetClipboard(m.opt.scrub(b.String()))
}

// copyBrief puts the summary for someone who joins late on the clipboard.
func copyBrief(m *Model) tea.Cmd {
	return m.copyText("the summary", strings.Join(m.board.Summary(m.shown.Readings), "\n")+"\n")
}

// scrollMeasures and scrollDraft move by rows; both stop at the ends.
func (m *Model) scrollMeasures(by int) {
	b := m.layout().body
	m.measures = max(0, min(m.measures+by, panes.MaxScroll(m.frameOf(b.w, b.h), m.cache.incidentTotal)))
	m.touch()
}

func (m *Model) scrollDraft(by int) {
	b := m.layout().body
	m.draft.scroll = max(0, min(m.draft.scroll+by, panes.MaxScroll(m.frameOf(b.w, b.h), m.cache.incidentTotal)))
	m.touch()
}
