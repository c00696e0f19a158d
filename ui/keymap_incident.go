package ui

import (
	tea "charm.land/bubbletea/v2"

	"warroom/panes"
)

// Headings of the help for what concerns an incident.
const (
	groupIncident = "Incident"
	groupHow      = "How it works"
)

// to makes an action of showing a view.
func to(v mode) func(*Model) tea.Cmd { return do(func(m *Model) { m.showView(v) }) }

// incidentTable are the rows of the keymap that concern an incident.
func incidentTable() []binding {
	rows := []binding{
		{keys: []string{"2"}, does: "Flow: the debugging flowchart, step by step", short: "flow", rank: 7, group: groupLook, palette: true,
			modes: everyView, run: to(modeFlow), refuse: cannotLookBoard},
		{keys: []string{"5"}, does: "Checklist: the recovery checklist, item by item", short: "checklist", rank: 7, group: groupLook, palette: true,
			modes: everyView, run: to(modeChecklist), refuse: cannotLookBoard},
		{keys: []string{"7"}, does: "Timeline: everything that the journal holds", group: groupLook, palette: true,
			modes: everyView, run: do((*Model).showTimeline), refuse: cannotLookJournal},
		{keys: []string{"8"}, does: "Brief: big type for the bridge, and a summary for who joins late", group: groupLook, palette: true,
			modes: everyView, run: to(modeBrief), refuse: cannotLookBoard},
		{keys: []string{"M"}, does: "Temporary measures: the register of what has to be taken back", group: groupLook, palette: true,
			modes: everyView, run: to(modeMeasures), refuse: cannotLookBoard},

		{keys: []string{"n"}, does: "Next step of the flow: read its evidence again if it is old, settle it, go on", short: "next step", rank: 1, group: groupIncident, palette: true,
			modes: everyView, run: next, refuse: cannotNext, acts: true},
		{keys: []string{"I"}, does: "Declare an incident; of an open one: severity, roles, recovery, closing", short: "declare", rank: 4, group: groupIncident, palette: true,
			now: incidentNow, modes: everyView, run: manage, refuse: cannotIncident},
		{keys: []string{"m"}, does: "Note", short: "note", rank: 8, group: groupIncident, palette: true, modes: everyView, run: noteForm, refuse: cannotRecord},
		{keys: []string{"d"}, does: "Decision", short: "decision", rank: 9, group: groupIncident, palette: true, modes: everyView, run: decisionForm, refuse: cannotRecord},
		{keys: []string{"U"}, does: "Status update: draft it from the evidence", short: "update", rank: 8, group: groupIncident, palette: true,
			modes: but(modeUpdate), run: do(func(m *Model) { m.draftFor(false) }), refuse: cannotDraft},
		{does: "Change the severity", group: groupIncident, palette: true, modes: everyView, run: severityForm, refuse: cannotManage},
		{does: "Hand over a role", group: groupIncident, palette: true, modes: everyView, run: handForm, refuse: cannotManage},
		{does: "Correct the start or the summary", group: groupIncident, palette: true, modes: everyView, run: correctForm, refuse: cannotRecord},
		{does: "Service is recovered", group: groupIncident, palette: true, modes: everyView, run: recoverForm, refuse: cannotManage},
		{does: "Close the incident", group: groupIncident, palette: true, modes: everyView, run: closeForm, refuse: cannotManage},
		{does: "Open the incident again", group: groupIncident, palette: true, modes: everyView, run: reopenForm, refuse: cannotReopen},
		{does: "Take over the writing from a console that has left", group: groupIncident, palette: true, modes: everyView, run: takeOver, refuse: cannotTakeOver},
		{does: "Open a temporary measure", group: groupIncident, palette: true, modes: but(modeMeasures), run: openMeasureForm, refuse: cannotManage},
	}
	rows = append(rows, flowRows()...)
	rows = append(rows, listRows()...)
	rows = append(rows, journalRows()...)
	rows = append(rows, recoverRows()...)
	return append(rows, formRows()...)
}

func flowRows() []binding {
	both := in(modeFlow, modeNode)
	return []binding{
		{keys: []string{"enter"}, does: "Open the detail of the step", short: "detail", rank: 2, group: groupLook, modes: in(modeFlow), run: do((*Model).showNode), refuse: noNode},
		{keys: []string{"esc"}, does: "Cursor to the current step, then back to the planes", short: "back", rank: 3, group: groupLook, modes: in(modeFlow), run: do((*Model).flowLeave)},
		{keys: []string{"esc"}, does: "Back to the flow", short: "back", rank: 2, group: groupLook, modes: in(modeNode), run: to(modeFlow)},
		{keys: []string{"v"}, does: "Mark the step by your word: done, ruled out, open again, with a reason", short: "mark", rank: 3, group: groupDo, palette: true,
			modes: both, run: markForm, refuse: cannotMark},
		{keys: []string{"t"}, does: "Take this step: make it the current one, back or aside", short: "take", rank: 4, group: groupDo, palette: true,
			modes: both, run: takeNode, refuse: cannotMark, acts: true},
		{keys: []string{"r"}, does: "Read again what the step rests on", short: "check", rank: 6, group: groupDo, palette: true, modes: both, run: checkNode, refuse: cannotCheckNode},
		{keys: []string{"y"}, does: "Copy this view as text", short: "copy", rank: 9, group: groupDo, palette: true, modes: both, run: copyView},

		{keys: []string{"up", "k"}, shown: "↑ k", does: "Step above", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowMove(0, -1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Step below", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowMove(0, 1) })},
		{keys: []string{"left", "h"}, shown: "← h", does: "Step to the left", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowMove(-1, 0) })},
		{keys: []string{"right", "l"}, shown: "→ l", does: "Step to the right", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowMove(1, 0) })},
		{keys: []string{"tab"}, does: "Next phase", short: "phase", rank: 5, group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowTurn(1) })},
		{keys: []string{"shift+tab"}, does: "Previous phase", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowTurn(-1) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "First step of the phase", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowEnd(false) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "Last step of the phase", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flowEnd(true) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flow.scroll += m.page(); m.touch() })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: in(modeFlow), run: do(func(m *Model) { m.flow.scroll -= m.page(); m.touch() })},

		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove, modes: in(modeNode), run: do(func(m *Model) { m.scrollNode(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 4, group: groupMove, modes: in(modeNode), run: do(func(m *Model) { m.scrollNode(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: in(modeNode), run: do(func(m *Model) { m.scrollNode(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: in(modeNode), run: do(func(m *Model) { m.scrollNode(m.page()) })},
	}
}

func listRows() []binding {
	list := in(modeChecklist)
	return []binding{
		{keys: []string{"space"}, does: "Tick the item; asks for the value, a reason or a note where one is needed", short: "tick", rank: 0, group: groupDo, palette: true,
			modes: list, run: tick, refuse: cannotTick, acts: true},
		{keys: []string{"s"}, does: "Skip the item, with a reason", short: "skip", rank: 2, group: groupDo, palette: true, modes: list, run: asideForm(true), refuse: cannotTick},
		{keys: []string{"N"}, does: "The item does not apply, with a reason", short: "n/a", rank: 3, group: groupDo, palette: true, modes: list, run: asideForm(false), refuse: cannotTick},
		{keys: []string{"u"}, does: "Undo: open the item again; nothing is erased", short: "undo", rank: 3, group: groupDo, palette: true, modes: list, run: undo, refuse: cannotUndo, acts: true},
		{keys: []string{"a"}, does: "You are at the item: others see that someone is", short: "at it", rank: 6, group: groupDo, palette: true, modes: list, run: begin, refuse: cannotTick, acts: true},
		{keys: []string{"o"}, does: "Owner of the item, and due date in the days after", short: "owner", rank: 6, group: groupDo, palette: true, modes: list, run: ownerForm, refuse: cannotTick},
		{keys: []string{"r"}, does: "Read again what the item rests on", short: "check", rank: 6, group: groupDo, palette: true, modes: list, run: checkItem, refuse: cannotCheckItem},
		{keys: []string{"y"}, does: "Copy the phase as text", short: "copy", rank: 9, group: groupDo, palette: true, modes: list, run: copyView},
		{keys: []string{"esc"}, does: "Cursor to the current item, then back to the planes", short: "back", rank: 4, group: groupLook, modes: list, run: do((*Model).listLeave)},
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Item above", group: groupMove, modes: list, run: do(func(m *Model) { m.listMove(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Item below", group: groupMove, modes: list, run: do(func(m *Model) { m.listMove(1) })},
		{keys: []string{"left", "h", "shift+tab"}, shown: "← h", does: "Previous phase", group: groupMove, modes: list, run: do(func(m *Model) { m.listTurn(-1) })},
		{keys: []string{"right", "l", "tab"}, shown: "→ l", does: "Next phase", short: "phase", rank: 5, group: groupMove, modes: list, run: do(func(m *Model) { m.listTurn(1) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "First item of the phase", group: groupMove, modes: list, run: do(func(m *Model) { m.listEnd(false) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "Last item of the phase", group: groupMove, modes: list, run: do(func(m *Model) { m.listEnd(true) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: list, run: do(func(m *Model) { m.list.scroll += m.page(); m.touch() })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: list, run: do(func(m *Model) { m.list.scroll -= m.page(); m.touch() })},
	}
}

// journalRows are those of timeline, brief, register of measures and update.
func journalRows() []binding {
	line, measures, update := in(modeTimeline), in(modeMeasures), in(modeUpdate)
	return []binding{
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Event before", group: groupMove, modes: line, run: do(func(m *Model) { m.timelineMove(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Event after", short: "move", rank: 2, group: groupMove, modes: line, run: do(func(m *Model) { m.timelineMove(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "A page before", group: groupMove, modes: line, run: do(func(m *Model) { m.timelineMove(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "A page after", group: groupMove, modes: line, run: do(func(m *Model) { m.timelineMove(m.page()) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "The first event", group: groupMove, modes: line, run: do(func(m *Model) { m.timelineEnd(false) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "The newest event, and follow", short: "newest", rank: 4, group: groupMove, modes: line, run: do(func(m *Model) { m.timelineEnd(true) })},
		{keys: []string{"/"}, does: "Search the events", short: "search", rank: 3, group: groupDo, palette: true, modes: line, run: do(func(m *Model) { m.open(modeFilter) })},
		{keys: []string{"f"}, does: "Show other kinds of event", short: "kinds", rank: 3, group: groupDo, palette: true, modes: line, run: do((*Model).timelineKinds)},
		{keys: []string{"y"}, does: "Copy the events that are shown", short: "copy", rank: 9, group: groupDo, palette: true, modes: line, run: copyTimeline},
		{keys: []string{"esc"}, does: "Clear the search, then back to the planes", short: "back", rank: 2, group: groupLook, modes: line, run: do((*Model).timelineLeave)},

		{keys: []string{"esc"}, does: "Back to the planes", short: "back", rank: 2, group: groupLook, modes: in(modeBrief, modeMeasures), run: to(modePlanes)},
		{keys: []string{"y"}, does: "Copy the summary for someone who joins late", short: "copy", rank: 3, group: groupDo, palette: true, modes: in(modeBrief), run: copyBrief, refuse: cannotLookBoard},

		{keys: []string{"up", "k"}, shown: "↑ k", does: "Measure above", group: groupMove, modes: measures, run: do(func(m *Model) { m.measureMove(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Measure below", group: groupMove, modes: measures, run: do(func(m *Model) { m.measureMove(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: measures, run: do(func(m *Model) { m.scrollMeasures(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: measures, run: do(func(m *Model) { m.scrollMeasures(m.page()) })},
		{keys: []string{"a"}, does: "Open a temporary measure", short: "open one", rank: 2, group: groupDo, palette: true, modes: measures, run: openMeasureForm, refuse: cannotManage},
		{keys: []string{"e"}, does: "Extend the measure", short: "extend", rank: 3, group: groupDo, palette: true, modes: measures, run: extendMeasureForm, refuse: cannotEndMeasure},
		{keys: []string{"x"}, does: "End the measure: it was taken back", short: "end", rank: 3, group: groupDo, palette: true, modes: measures, run: endMeasureForm, refuse: cannotEndMeasure},
		{keys: []string{"y"}, does: "Copy the register as text", short: "copy", rank: 9, group: groupDo, palette: true, modes: measures, run: copyView},

		{keys: []string{"e"}, does: "Edit the draft in $EDITOR, or here when that is not set", short: "edit", rank: 1, group: groupDo, palette: true, modes: update, run: editDraft, refuse: noDraft},
		{keys: []string{"w"}, does: "Send the draft; asks where, and shows what goes out", short: "send", rank: 2, group: groupDo, palette: true, modes: update, run: sendForm, refuse: cannotSend},
		{keys: []string{"y"}, does: "Copy the draft, to post it by hand", short: "copy", rank: 2, group: groupDo, palette: true, modes: update, run: copyDraft, refuse: noDraft},
		{keys: []string{"r"}, does: "Draft it again from the evidence", short: "draft again", rank: 4, group: groupDo, palette: true, modes: update, run: rewrite, refuse: cannotDraft},
		{keys: []string{"esc"}, does: "Back; the draft stays", short: "back", rank: 3, group: groupLook, modes: update, run: do(func(m *Model) { m.showView(m.draft.from) })},
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove, modes: update, run: do(func(m *Model) { m.scrollDraft(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 5, group: groupMove, modes: update, run: do(func(m *Model) { m.scrollDraft(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: update, run: do(func(m *Model) { m.scrollDraft(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: update, run: do(func(m *Model) { m.scrollDraft(m.page()) })},
	}
}

// formRows are what is not text in a form.
func formRows() []binding {
	f := in(modeForm)
	return []binding{
		{keys: []string{"enter"}, does: "Next field; on the last one and on a button: press it", short: "go on", rank: 1, group: groupType,
			now: enterNow, modes: f, run: (*Model).enterForm, refuse: formAsleep, acts: true},
		{keys: []string{"tab"}, does: "Next field or button", short: "next field", rank: 2, group: groupType, modes: f, run: do(func(m *Model) { m.form.move(1) }), refuse: formAsleep},
		{keys: []string{"shift+tab"}, does: "Previous field or button", group: groupType, modes: f, run: do(func(m *Model) { m.form.move(-1) }), refuse: formAsleep},
		{keys: []string{"up"}, shown: "↑", does: "Line above, or previous field", group: groupType, modes: f, run: do(func(m *Model) { m.formLine(-1) }), refuse: formAsleep},
		{keys: []string{"down"}, shown: "↓", does: "Line below, or next field", group: groupType, modes: f, run: do(func(m *Model) { m.formLine(1) }), refuse: formAsleep},
		{keys: []string{"left"}, shown: "←", does: "Cursor to the left, previous choice or button", group: groupType, modes: f, run: do(func(m *Model) { m.formSide(-1) }), refuse: formAsleep},
		{keys: []string{"right"}, shown: "← →", does: "Cursor to the right, next choice or button", short: "choose", rank: 3, group: groupType,
			now: sideNow, modes: f, run: do(func(m *Model) { m.formSide(1) }), refuse: formAsleep},
		{keys: []string{"home", "ctrl+a"}, shown: "home", does: "Beginning of the line", group: groupType, modes: f, run: do(func(m *Model) { m.formEnd(false) })},
		{keys: []string{"end", "ctrl+e"}, shown: "end", does: "End of the line", group: groupType, modes: f, run: do(func(m *Model) { m.formEnd(true) })},
		{keys: []string{"backspace"}, does: "Take back a letter", group: groupType, modes: f, run: do((*Model).formBackspace)},
		{keys: []string{"delete"}, does: "Take away the letter under the cursor", group: groupType, modes: f, run: do((*Model).formDelete)},
		{keys: []string{"ctrl+u"}, does: "Take back the line up to the cursor", group: groupType, modes: f, run: do((*Model).formClear)},
		{keys: []string{"ctrl+k"}, does: "Take away the rest of the line", group: groupType, modes: f, run: do((*Model).formClearRest)},
		{keys: []string{"ctrl+w"}, does: "Take back a word", group: groupType, modes: f, run: do((*Model).formWord)},
		{keys: []string{"esc", "ctrl+c"}, shown: "esc", does: "Leave it; nothing is recorded", short: "cancel", rank: 2, group: groupType, modes: f, run: do((*Model).close)},
	}
}

// formAsleep refuses what confirms or chooses in a form that has only just been
// drawn.
func formAsleep(m *Model) string {
	if m.form == nil || !m.form.listens(m.opt.Clock()) {
		return "it has only just been drawn"
	}
	return ""
}

// enterNow says in the footer what enter does in a form.
func enterNow(m *Model) string {
	f := m.form
	switch {
	case f == nil:
		return ""
	case f.on() != nil && f.on().multiline && !f.on().goesOn:
		return "new line"
	case f.selected < len(f.fields)-1 || f.on() != nil && f.final:
		return "next"
	case f.selected == f.cancelAt():
		return "cancel"
	}
	return f.button
}

func sideNow(m *Model) string {
	if f := m.form; f != nil && f.on() != nil && f.on().options == nil {
		return "move"
	}
	return ""
}

// incidentNow says in the footer what I does.
func incidentNow(m *Model) string {
	switch {
	case !m.declared():
		return ""
	case !m.kase.Writing:
		return "take over"
	}
	return "incident"
}

// cannotLookJournal refuses the timeline when there is no journal.
func cannotLookJournal(m *Model) string {
	if m.book == nil {
		return "I declares an incident first; the journal begins with that"
	}
	return ""
}

// practice explains how flow and checklist are worked.
func practice(md mode) []panes.KeyHint {
	if md == modeChecklist {
		return []panes.KeyHint{
			{Key: "read-do", Does: "the first phase: read an item aloud, do it, tick it, one after another"},
			{Key: "do-confirm", Does: "the later phases: do the work, then confirm it item by item"},
			{Key: "READY", Does: "its evidence says that it is so; space confirms it with the value beside it"},
			{Key: "REGRESSED", Does: "it was settled, and its evidence has turned: it is open again"},
			{Key: "overridden", Does: "ticked against its evidence, or without, with a reason; it stays visible"},
			{Key: "★", Does: "leaving it out has ended badly: it comes first, and its value is typed"},
			{Key: "last line", Does: "the completion call: when everything above is settled, say it aloud and tick it"},
			{Key: "cursor", Does: "follows the current item until it is moved; esc takes it back there"},
		}
	}
	return []panes.KeyHint{
		{Key: "n", Does: "settles the current step with its evidence as you see it, and begins the next"},
		{Key: "", Does: "evidence that is unread or older than the interval at which it is read is read again first: if it says the same, the step is settled with it; if it says something else, you see that and n settles it"},
		{Key: "", Does: "of what nothing reads n asks what you saw; what cannot be read waits for v, your word with a reason"},
		{Key: "", Does: "the step that tells expired, stuck and compromised apart asks you where the evidence does not tell"},
		{Key: "ruled out", Does: "a cause that the evidence speaks against; the others are done"},
		{Key: "regressed", Does: "it was settled, and its evidence has turned"},
		{Key: "cursor", Does: "follows the current step until it is moved; esc takes it back there"},
	}
}
