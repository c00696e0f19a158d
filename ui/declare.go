package ui

import (
	"context"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// What I does: it declares an incident, and offers what there is to do about the
// one that is open as a whole.

// cannotIncident says why nothing can be done about an incident as a whole.
func cannotIncident(m *Model) string {
	switch {
	case m.newest == nil:
		return "no runbook is loaded"
	case m.opening != "":
		return m.opening + " is under way"
	case m.opt.Casebook == nil && m.book == nil:
		return "nothing keeps incidents here"
	}
	return ""
}

// declaring is what opening says while an incident is being declared.
const declaring = "declaring the incident"

// manage declares an incident, or offers what can be done about the open one.
func manage(m *Model) tea.Cmd {
	switch {
	case m.doubted:
		return listIncidents(m)
	case !m.declared():
		return declareForm(m)
	case !m.kase.Writing:
		return takeOver(m)
	}
	d := &dialog{
		title: fmt.Sprintf("Incident %s, %s", plain(m.kase.State.Declared.ID), m.kase.State.Severity),
		body:  []string{plain(m.kase.State.Declared.Summary), "kept in " + plain(m.kase.Folder)},
	}
	if back := m.kase.State.Recovered; !back.IsZero() {
		d.body = append(d.body, "SERVICE BACK since "+hourOf(back, m.time()))
	}
	d.buttons = []button{{"Leave as it is", nil}}
	if m.closed() {
		d.body = append(d.body, "closed at "+m.kase.State.Closed.UTC().Format("2006-01-02 15:04 UTC"))
		d.buttons = append(d.buttons, button{"Open it again", reopenForm}, button{"Correct the start or the summary", correctForm})
		if m.opt.Casebook != nil {
			d.buttons = append(d.buttons, button{"Declare another", declareForm})
		}
	} else {
		d.buttons = append(d.buttons,
			button{"Severity", severityForm}, button{"Hand over a role", handForm},
			button{"Service is back", recoverForm}, button{"Correct the start or the summary", correctForm},
			button{"Close it", closeForm})
	}
	m.ask(d)
	return nil
}

func cannotDeclare(m *Model) string {
	if why := cannotIncident(m); why != "" {
		return why
	}
	switch {
	case m.opt.Casebook == nil:
		return "nothing keeps incidents here"
	case m.declared() && !m.closed():
		return "an incident is open; I shows what can be done about it"
	case m.doubted:
		return "whether an incident was declared is not known; I looks"
	}
	return m.pending()
}

// declareForm asks for what a declaration says.
func declareForm(m *Model) tea.Cmd { return declareThen(m, nil) }

// declareThen does something more once the incident is declared.
func declareThen(m *Model, then func(*Model) tea.Cmd) tea.Cmd {
	if why := cannotDeclare(m); why != "" {
		m.say("not now, " + why)
		return nil
	}
	severities := make([]string, len(runbook.Severities))
	for i, s := range runbook.Severities {
		severities[i] = string(s)
	}
	severity := pick("Severity", 1, severities...)
	summary := line("Summary", "", "what fails for whom, in one line", "say in a line what fails for whom")
	commander := named("Commander", m.opt.Operator, "who leads", "an incident has a commander")
	deputy := named("Deputy", "", "keeps time; may stay empty", "")
	scribe := named("Scribe", "", "may stay empty", "")
	liaison := named("Liaison", "", "speaks to the outside; may stay empty", "")
	started := askStart("now")
	body := "T0, from which every clock counts, is when it started."
	if alert := m.opt.Alert; !alert.IsZero() {
		started.set(stamp(alert))
		body = fmt.Sprintf("The alert was raised at %s. %s", alert.UTC().Format("15:04:05 UTC"), body)
	}
	return m.fill(&form{
		title: "Declare an incident", body: []string{body}, button: "Declare",
		fields: []*field{severity, summary, commander, deputy, scribe, liaison, started.field},
		submit: func(m *Model, f *form) (tea.Cmd, error) {
			if why := cannotDeclare(m); why != "" {
				return nil, &incident.Refusal{Why: why}
			}
			at, err := started.at(m.opt.Clock())
			if err != nil {
				return nil, err
			}
			t := m.live.Readings.Snapshot.Topology
			rb := m.opt.Runbook
			roles := map[incident.Role]string{}
			for role, one := range map[incident.Role]*field{
				incident.Commander: commander, incident.Deputy: deputy, incident.Scribe: scribe, incident.Liaison: liaison,
			} {
				if who := one.text(); who != "" {
					roles[role] = who
				}
			}
			event, err := incident.Declare(m.opt.Operator, incident.Declared{
				Severity: runbook.Severities[severity.chosen], Summary: summary.text(), Started: at.UTC(),
				Environment: t.Environment, Drill: t.Drill, Roles: roles, Runbook: rb.Name, Digest: rb.Digest,
			}, m.opt.Clock())
			if err != nil {
				return nil, err
			}
			return m.openBook(declaring,
				func(ctx context.Context) (Book, error) { return m.opt.Casebook.Declare(ctx, event) },
				func(m *Model) tea.Cmd {
					m.notices.begin = true
					m.notice()
					m.say("declared: incident " + plain(m.kase.State.Declared.ID) + "; n takes the first step")
					if then != nil {
						return then(m)
					}
					return nil
				}), nil
		},
	})
}

func reopenForm(m *Model) tea.Cmd {
	reason := line("Reason", "", "why it is not over", "say why it is taken up again")
	return m.fill(&form{title: "Open the incident again", button: "Open it again", fields: []*field{reason},
		submit: acted("the incident is open again", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.Reopen(m.opt.Operator, reason.text())
		})})
}

func severityForm(m *Model) tea.Cmd {
	now := slices.Index(runbook.Severities[:], m.kase.State.Severity)
	severities := make([]string, len(runbook.Severities))
	for i, s := range runbook.Severities {
		severities[i] = string(s)
	}
	to := pick("Severity", max(now, 0), severities...)
	reason := line("Reason", "", "may stay empty", "")
	return m.fill(&form{title: "Change the severity", button: "Change", fields: []*field{to, reason},
		body: []string{"It is " + string(m.kase.State.Severity) + " now. The next update is due by the new one's interval."},
		submit: acted("severity", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.Regrade(m.opt.Operator, runbook.Severities[to.chosen], reason.text())
		})})
}

func handForm(m *Model) tea.Cmd {
	roles := make([]string, len(incident.Roles))
	var body []string
	for i, r := range incident.Roles {
		roles[i] = string(r)
		who := plain(m.kase.State.Roles[r])
		if who == "" {
			who = "nobody"
		}
		body = append(body, string(r)+": "+who)
	}
	role := pick("Role", 0, roles...)
	to := named("To", "", "a name; empty takes the role from everybody", "")
	return m.fill(&form{title: "Hand over a role", body: body, button: "Hand over", fields: []*field{role, to},
		submit: acted("hand-over", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.Hand(m.opt.Operator, incident.Roles[role.chosen], to.text())
		})})
}

// closeForm asks why each measure that is open stays so.
func closeForm(m *Model) tea.Cmd {
	reason := line("Reason", "", "needed while something is left to do", "")
	f := &form{title: "Close the incident", button: "Close it", final: true, fields: []*field{reason}}
	open := m.kase.State.Open()
	ids := make([]string, len(open))
	for i, one := range open {
		ids[i] = one.ID
		f.fields = append(f.fields, line(plain(one.ID)+" "+string(one.Kind)+" stays because", "", plain(one.What), "it is open: say why it stays, or end it (M)"))
	}
	if len(open) > 0 {
		f.body = []string{fmt.Sprintf("Open temporary measures: %d. Each needs a reason to stay.", len(open))}
	}
	f.body = append(f.body, "The clocks stop. The items of the days after stay to be worked on.")
	f.submit = acted("incident closed", func(m *Model, f *form) ([]incident.Event, error) {
		why := map[string]string{}
		for i, id := range ids {
			why[id] = f.fields[i+1].text()
		}
		return m.newest.Close(m.opt.Operator, reason.text(), why)
	})
	return m.fill(f)
}

func noteForm(m *Model) tea.Cmd {
	text := line("Note", "", "what happened, or was seen", "a note says something")
	text.most = mostText
	return m.fill(&form{title: "Note", button: "Record", fields: []*field{text},
		submit: acted("note", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.Note(m.opt.Operator, text.text())
		})})
}

func decisionForm(m *Model) tea.Cmd {
	text := line("Decision", "", "what is done, or not done", "a decision says something")
	text.most = mostText
	reason := line("Because", "", "may stay empty", "")
	return m.fill(&form{title: "Decision", button: "Record", fields: []*field{text, reason},
		submit: acted("decision", func(m *Model, _ *form) ([]incident.Event, error) {
			return m.newest.Decide(m.opt.Operator, text.text(), reason.text())
		})})
}

// cannotManage refuses what concerns the incident as a whole.
func cannotManage(m *Model) string {
	if why := cannotRecord(m); why != "" {
		return why
	}
	if m.closed() {
		return "the incident is closed; I opens it again"
	}
	return ""
}

func cannotReopen(m *Model) string {
	if why := cannotRecord(m); why != "" {
		return why
	}
	if !m.closed() {
		return "the incident is open"
	}
	return ""
}

// hourOf is a time of day, with its date when that is another one.
func hourOf(t, now time.Time) string {
	if t.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}
