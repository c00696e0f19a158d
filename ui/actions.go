package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/panes"
)

// noSubject refuses what acts on a component when none is drawn.
func noSubject(m *Model) string {
	if m.subject() == "" {
		if m.filter != "" {
			return "no component of this pane matches the filter"
		}
		return "this pane has no component"
	}
	return ""
}

// cannotCheck refuses to check while the frame is frozen, because the answer
// would not be seen, and when nothing can check.
func cannotCheck(m *Model) string {
	switch {
	case !m.frozen.IsZero():
		return "the frame is frozen; z shows live data"
	case m.opt.Checker == nil:
		return "no checks are running"
	}
	return ""
}

// cannotCheckOne refuses to check what no check reads as well.
func cannotCheckOne(m *Model) string {
	if why := cannotCheck(m); why != "" {
		return why
	}
	if why := noSubject(m); why != "" {
		return why
	}
	c, _ := m.shown.Readings.Snapshot.Topology.Component(m.subject())
	return plain(c.Unread)
}

// checkOne makes the checks of the component under the cursor due.
func checkOne(m *Model) tea.Cmd {
	id := m.subject()
	m.say("checking " + m.name(id))
	m.await(id)
	return m.guard.command("checking now", func() tea.Msg { m.opt.Checker.CheckNow(id); return nil })
}

// checkAll makes every check due.
func checkAll(m *Model) tea.Cmd {
	m.say("checking every component")
	m.await("")
	return m.guard.command("checking now", func() tea.Msg { m.opt.Checker.CheckNow(); return nil })
}

// liveNow names in the footer what z does while the frame is frozen.
func liveNow(m *Model) string {
	if m.frozen.IsZero() {
		return ""
	}
	return "live"
}

// toggleFreeze holds what is shown, or shows live data again. What is seen goes
// on arriving beneath.
func (m *Model) toggleFreeze() {
	if m.frozen.IsZero() {
		m.frozen = m.shown.Now
		m.say("frozen; data goes on arriving, z shows it")
		return
	}
	m.frozen, m.shown = time.Time{}, m.live
	m.mergeRuns()
	m.rebuild()
	m.say("live")
}

func (m *Model) toggleShare() {
	m.share = !m.share
	if m.share {
		m.say("share mode: hosts, account ids and ARNs are masked")
		return
	}
	m.say("share mode is off: hosts, account ids and ARNs show")
}

// copyReading puts the reading of a component on the clipboard, as plain text
// with the same masks as the screen.
func copyReading(m *Model) tea.Cmd {
	id := m.subject()
	m.say(fmt.Sprintf("copied %s, if the terminal lets programs copy (OSC 52)", m.name(id)))
	text := m.opt.scrub(panes.Copy(panes.Frame{Theme: m.theme, Now: m.shown.Now, Share: m.share}, m.shown.Readings, id))
	return tea.SetClipboard(text)
}

// quit leaves. While something is not recorded yet it waits for that, and says so;
// while something runs, or a draft was changed and did not go out, it asks first.
func quit(m *Model) tea.Cmd {
	running := plain(m.opt.Running())
	if m.underWay() != nil || m.recovery.start != nil {
		return m.quitRunning()
	}
	title, lost := "Quit while something runs?", "Quitting interrupts it."
	left := m.unrecorded()
	if running == "" && m.draft.edited {
		title, lost = "Quit with an update that has not gone out?", "Quitting loses it."
		running = "The status update that you changed has not gone out."
	}
	switch {
	case running == "" && len(left) == 0:
		return tea.Quit
	case len(left) > 0:
		body := []string{"Not recorded yet: " + strings.Join(left, ", ") + "."}
		if running == "" {
			body = append(body, "The console ends as soon as it is.")
		} else {
			body = append(body, running)
		}
		m.ask(&dialog{
			title: "Recording", body: body, leaves: true,
			buttons: []button{{"Stay", nil}, {"Quit without it", func(*Model) tea.Cmd { return tea.Quit }}},
		})
		m.leaving = running == ""
		return nil
	}
	m.ask(&dialog{
		title:   title,
		body:    []string{running, lost},
		buttons: []button{{"Stay", nil}, {"Quit", func(*Model) tea.Cmd { return tea.Quit }}},
	})
	return nil
}

// quitRunning asks whether a run that is under way is left, and how: it can be let to
// end its step, and what is left is taken up again later.
func (m *Model) quitRunning() tea.Cmd {
	body := []string{}
	run := ""
	if p := m.underWay(); p != nil {
		run = p.Run
		body = append(body, m.runSaid(p))
	} else {
		body = append(body, plain(m.recovery.start.Title)+" is about to begin")
	}
	if left := m.unrecorded(); len(left) > 0 {
		body = append(body, "Not recorded yet: "+strings.Join(left, ", ")+".")
	}
	resume := "warroom incident resume"
	if m.declared() {
		resume += " " + plain(m.kase.State.Declared.ID)
	}
	body = append(body, "Quitting now breaks the run off in the middle of a step. What came of that step is probed before it is taken up again, by:", "  "+resume)
	d := &dialog{title: "Quit while a run is under way?", body: body, buttons: []button{{"Stay", nil}}}
	if run != "" {
		d.buttons = append(d.buttons, button{"Stop before the next step, then quit", func(m *Model) tea.Cmd {
			cmd := m.stopNow(run)
			m.ask(&dialog{title: "Stopping", leaves: true, buttons: []button{{"Stay", nil}, {"Quit now", func(*Model) tea.Cmd { return tea.Quit }}},
				body: []string{"The console ends as soon as the step that is running is finished and verified."}})
			m.recovery.leaving = true
			return cmd
		}})
	}
	d.buttons = append(d.buttons, button{"Quit now", func(*Model) tea.Cmd { return tea.Quit }})
	m.ask(d)
	return nil
}
