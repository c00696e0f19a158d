package ui

import (
	"warroom/panes"
)

// recoverRows are the rows of the keymap that concern recovery.
func recoverRows() []binding {
	list, pl, run := in(modeRecover), in(modePlan), in(modeRun)
	c := in(modeConfirm)
	return []binding{
		{keys: []string{"4"}, does: "Recover: procedures, their plans, what runs, what can be resumed or rolled back", short: "recover", rank: 8, group: groupLook, palette: true,
			modes: everyView, run: (*Model).showRecover},
		{keys: []string{"!"}, does: "Arm: make changes possible, or end that; shows as whom we act", short: "arm", rank: 9, group: groupIncident, palette: true,
			now: armNow, modes: but(modeRecover, modePlan, modeRun), run: armKey, refuse: cannotArm, acts: true},
		{keys: []string{"!"}, does: "Arm: make changes possible, or end that; shows as whom we act", short: "arm", rank: 3, group: groupIncident, palette: true,
			now: armNow, modes: list | pl | run, run: armKey, refuse: cannotArm, acts: true},

		{keys: []string{"enter"}, does: "Open a procedure; plan the target, or the way out of a run; show a run", short: "open", rank: 0, group: groupDo, now: recoverEnterNow,
			modes: list, run: recoverEnter, refuse: cannotRecoverEnter, acts: true},
		{keys: []string{"esc"}, does: "Stop planning; close the targets; back to the planes", short: "back", rank: 1, group: groupLook, modes: list, run: do((*Model).recoverLeave)},
		{keys: []string{"r"}, does: "Read again what can be done, and probe what was left open", short: "read again", rank: 5, group: groupDo, palette: true, modes: list, run: checkRecover, refuse: cannotRecover},
		{keys: []string{"X"}, does: "Stop the run before its next step; asks first", short: "stop", rank: 0, group: groupDo, palette: true, modes: list | run, run: stopRun, refuse: cannotStop, acts: true},
		{keys: []string{"y"}, does: "Copy this view as text", short: "copy", rank: 9, group: groupDo, palette: true, modes: list | run, run: copyView},
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Item above", group: groupMove, modes: list, run: do(func(m *Model) { m.recoverMove(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Item below", group: groupMove, modes: list, run: do(func(m *Model) { m.recoverMove(1) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "First item", group: groupMove, modes: list, run: do(func(m *Model) { m.recoverMove(-1 << 20) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "Last item", group: groupMove, modes: list, run: do(func(m *Model) { m.recoverMove(1 << 20) })},
		{keys: []string{"right", "l"}, shown: "→ l", does: "Show the targets of the procedure", group: groupMove, modes: list, run: do(func(m *Model) { m.recoverSide(true) })},
		{keys: []string{"left", "h"}, shown: "← h", does: "Hide the targets of the procedure", group: groupMove, modes: list, run: do(func(m *Model) { m.recoverSide(false) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down what is said of the item", short: "scroll", rank: 6, group: groupMove, modes: list, run: do(func(m *Model) { m.scrollRecover(m.page() / 2) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up what is said of the item", group: groupMove, modes: list, run: do(func(m *Model) { m.scrollRecover(-m.page() / 2) })},

		{keys: []string{"enter"}, does: "Go on: what is asked of you, then the confirmation", short: "go on to confirm", rank: 0, group: groupDo, palette: true,
			modes: pl, run: planEnter, refuse: cannotStart, acts: true},
		{keys: []string{"esc"}, does: "Back to the list; the plan waits there until it expires", short: "leave it", rank: 0, group: groupLook, modes: pl, run: do((*Model).planLeave)},
		{keys: []string{"r"}, does: "Make the plan anew", short: "plan again", rank: 4, group: groupDo, palette: true, modes: pl, run: planAgain, refuse: cannotPlanAgain},
		{keys: []string{"y"}, does: "Copy what the second person signs, or the plan as text", short: "copy", rank: 4, group: groupDo, palette: true, now: copyPlanNow, modes: pl, run: copyPlan, refuse: noPlan},
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove, modes: pl, run: do(func(m *Model) { m.scrollPlan(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 3, group: groupMove, modes: pl, run: do(func(m *Model) { m.scrollPlan(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: pl, run: do(func(m *Model) { m.scrollPlan(-m.page()) })},
		{keys: []string{"pgdown", "ctrl+d", "space"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: pl, run: do(func(m *Model) { m.scrollPlan(m.page()) })},
		{keys: []string{"home", "g"}, shown: "home g", does: "To the top", group: groupMove, modes: pl, run: do(func(m *Model) { m.scrollPlan(-1 << 20) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "To the end", group: groupMove, modes: pl, run: do(func(m *Model) { m.scrollPlan(1 << 20) })},

		{keys: []string{"enter"}, does: "What can be done about a run that was left open", short: "what now", rank: 0, group: groupDo, palette: true, modes: run, run: runEnter, refuse: cannotRunEnter, acts: true},
		{keys: []string{"esc"}, does: "Back to the list; the run goes on", short: "back", rank: 1, group: groupLook, modes: run, run: do((*Model).planLeave)},
		{keys: []string{"r"}, does: "Probe again what was left open", short: "probe", rank: 4, group: groupDo, palette: true, modes: run, run: checkRun, refuse: cannotCheckRun},
		{keys: []string{"up", "k"}, shown: "↑ k", does: "Scroll up", group: groupMove, modes: run, run: do(func(m *Model) { m.scrollRun(-1) })},
		{keys: []string{"down", "j"}, shown: "↓ j", does: "Scroll down", short: "scroll", rank: 5, group: groupMove, modes: run, run: do(func(m *Model) { m.scrollRun(1) })},
		{keys: []string{"pgup", "ctrl+u"}, shown: "pgup", does: "Scroll up a page", group: groupMove, modes: run, run: do(func(m *Model) { m.scrollRun(-m.page() / 2) })},
		{keys: []string{"pgdown", "ctrl+d"}, shown: "pgdn", does: "Scroll down a page", group: groupMove, modes: run, run: do(func(m *Model) { m.scrollRun(m.page() / 2) })},
		{keys: []string{"tab", "shift+tab"}, shown: "tab", does: "Scroll the steps, or the log", short: "steps or log", rank: 4, group: groupMove, modes: run, run: do((*Model).turnRun)},
		{keys: []string{"home", "g"}, shown: "home g", does: "To the beginning", group: groupMove, modes: run, run: do(func(m *Model) { m.scrollRun(-1 << 20) })},
		{keys: []string{"end", "G"}, shown: "end G", does: "To the end; the log is followed from there", group: groupMove, modes: run, run: do(func(m *Model) { m.scrollRun(1 << 20) })},

		{keys: []string{"enter"}, does: "Press the button", short: "press", rank: 1, group: groupMore, modes: c, run: confirmPress, acts: true},
		{keys: []string{"tab", "right", "down"}, shown: "tab →", does: "To the name, and to the button", short: "next", rank: 2, group: groupMove, modes: c, run: do(func(m *Model) { m.confirmMove(1) })},
		{keys: []string{"shift+tab", "left", "up"}, shown: "←", does: "Back towards Cancel", group: groupMove, modes: c, run: do(func(m *Model) { m.confirmMove(-1) })},
		{keys: []string{"backspace"}, does: "Take back a letter of the name", group: groupType, modes: c, run: do(func(m *Model) { m.confirmBackspace(false) })},
		{keys: []string{"ctrl+u"}, does: "Take back the name", group: groupType, modes: c, run: do(func(m *Model) { m.confirmBackspace(true) })},
		{keys: []string{"esc", "ctrl+c"}, shown: "esc", does: "Cancel: nothing is begun", short: "cancel", rank: 0, group: groupMore, modes: c, run: do(func(m *Model) {
			m.close()
			m.say("cancelled; nothing was begun")
		})},
	}
}

// recoverEnterNow says in the footer what enter does in the list.
func recoverEnterNow(m *Model) string {
	it, ok := m.recoverAt()
	if !ok {
		return ""
	}
	switch it.Kind {
	case panes.RecoverProcedure:
		if m.recovery.expanded[it.ID] {
			return "hide targets"
		}
		return "targets"
	case panes.RecoverTarget, panes.RecoverDue, panes.RecoverWay:
		return "plan it"
	case panes.RecoverReady:
		return "read it"
	}
	return "show it"
}
