package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
)

// draft is the status update that is being written. It begins as what the
// evidence says; what a person changed of it stays until it went out or is thrown
// away with a key.
type draft struct {
	text     string
	made     time.Time
	edited   bool
	security bool // it is meant for where security is told
	sending  string
	scroll   int
	from     mode
}

// post is one sending of an update. It belongs to the incident that it was drafted
// for, also when the console has turned to another.
type post struct {
	book        Book
	place, text string
	sending     bool // that it is about to go out is recorded
	hand        *handed
}

type (
	sentMsg struct {
		post *post
		err  error
	}
	// elsewhereMsg says that what became of an update was not recorded in the incident
	// that it belongs to and that is not the one of the console any more.
	elsewhereMsg struct {
		what string
		err  error
	}
)

// cannotDraft refuses to draft an update.
func cannotDraft(m *Model) string {
	switch {
	case m.newest == nil:
		return "no runbook is loaded"
	case !m.declared():
		return "I declares an incident first"
	}
	return ""
}

// draftFor shows the draft, and writes it from the evidence when there is none
// that a person has changed.
func (m *Model) draftFor(security bool) {
	if m.view != modeUpdate {
		m.draft.from = m.view
	}
	if !m.draft.edited {
		m.write()
	}
	m.draft.security = security
	m.draft.scroll = 0
	m.showView(modeUpdate)
	m.touch()
}

// write writes the draft from the evidence.
func (m *Model) write() {
	d := &m.draft
	d.text = strings.TrimSpace(m.opt.scrub(m.newest.Draft(m.live.Readings)))
	d.made, d.edited, d.scroll = m.time(), false, 0
	m.touch()
}

// rewrite writes the draft anew, and asks first where that loses what was typed.
func rewrite(m *Model) tea.Cmd {
	if !m.draft.edited {
		m.write()
		m.say("drafted again from the evidence")
		return nil
	}
	m.ask(&dialog{
		title:   "Draft it again from the evidence?",
		body:    []string{"What was changed in it is lost."},
		buttons: []button{{"Keep it", nil}, {"Draft again", do((*Model).write)}},
	})
	return nil
}

// change takes what was edited.
func (m *Model) change(text string) {
	d := &m.draft
	f := &field{multiline: true}
	text = strings.TrimSpace(f.clean(text))
	if text == d.text {
		return
	}
	d.text, d.edited, d.made, d.scroll = text, true, m.time(), 0
	m.touch()
}

func noDraft(m *Model) string {
	switch {
	case m.draft.text == "":
		return "the draft is empty"
	case m.draft.sending != "":
		return "it is being sent to " + m.draft.sending
	}
	return ""
}

// places lists where updates can be sent, those of security first when the draft
// is for them.
func (m *Model) places() []Place {
	if m.opt.Sender == nil {
		return nil
	}
	all := slices.Clone(m.opt.Sender.Places())
	if m.draft.security {
		slices.SortStableFunc(all, func(a, b Place) int {
			switch {
			case a.Security == b.Security:
				return 0
			case a.Security:
				return -1
			}
			return 1
		})
	}
	return all
}

func cannotSend(m *Model) string {
	if why := cannotRecord(m); why != "" {
		return why
	}
	if why := noDraft(m); why != "" {
		return why
	}
	if len(m.places()) == 0 {
		return "warroom.yaml names no place to send to; y copies it"
	}
	return ""
}

// sendForm asks where the draft goes, with the text as it would be sent.
func sendForm(m *Model) tea.Cmd {
	text := m.opt.scrub(m.draft.text)
	var names []string
	for _, p := range m.places() {
		name := plain(p.Name)
		if p.Security {
			name += " (security)"
		}
		names = append(names, name)
	}
	places := m.places()
	to := pick("To", 0, names...)
	body := strings.Split(text, "\n")
	if m.share {
		body = append(body, "", "Share mode masks hosts and accounts here; they are sent in full.")
	}
	return m.fill(&form{title: "Send this update?", body: body, button: "Send", final: true, fields: []*field{to},
		submit: func(m *Model, _ *form) (tea.Cmd, error) {
			if why := cannotSend(m); why != "" {
				return nil, &incident.Refusal{Why: why}
			}
			place := places[to.chosen].Name
			// Refused now rather than after it went out.
			events, err := m.newest.Sending(m.opt.Operator, text, place)
			if err != nil {
				return nil, err
			}
			p := &post{book: m.book, place: place, text: text, hand: newHanded()}
			m.posting, m.draft.sending = p, plain(place)
			return m.enqueue(batch{
				what: "the update to " + plain(place) + " is about to go out", events: m.answered(events), post: p,
				then: func(m *Model) tea.Cmd { return m.send(p) },
			}), nil
		}})
}

// send sends an update of which it is recorded that it is about to go out.
func (m *Model) send(p *post) tea.Cmd {
	p.sending = true
	m.touch()
	return m.guard.command("sending the update", func() tea.Msg {
		if !p.hand.begin() {
			return nil // the console has ended
		}
		err := m.opt.Sender.Send(m.lasting, p.place, p.text)
		p.hand.result <- err
		return sentMsg{p, err}
	})
}

// outcome is what is recorded of an update that was sent, and in words.
func (m *Model) outcome(p *post, err error) (what string, events []incident.Event, problem error) {
	b := m.newest
	if p.book != m.book {
		b = incident.NewBoard(p.book.Case().State, p.book.Runbook(), nil, timeOf(p.book, m.opt.Clock()))
	}
	switch {
	case err == nil:
		what = "the update went to " + plain(p.place)
		events, problem = b.Sent(m.opt.Operator, p.text, p.place, "")
	case errors.Is(err, ErrUnclear) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		what = "NOT KNOWN whether the update reached " + plain(p.place)
		events, problem = b.Unclear(m.opt.Operator, p.text, p.place, plain(err.Error()))
	default:
		what = "the update did NOT reach " + plain(p.place)
		events, problem = b.Sent(m.opt.Operator, p.text, p.place, plain(err.Error()))
	}
	return what, events, problem
}

// sent records whether an update went out, in the incident that it was drafted for.
func (m *Model) sent(msg sentMsg) tea.Cmd {
	p := msg.post
	if m.posting == p {
		m.posting, m.draft.sending = nil, ""
	}
	m.touch()
	what, events, err := m.outcome(p, msg.err)
	if msg.err != nil {
		m.stay()
		title, body := "NOT SENT to "+plain(p.place), "The draft is kept; y copies it."
		if strings.HasPrefix(what, "NOT KNOWN") {
			title, body = "NOT KNOWN WHETHER IT REACHED "+plain(p.place), "Look there before it is sent again. It does not count as sent."
		}
		m.later(&dialog{title: title, body: []string{plain(msg.err.Error()), "", body}, buttons: []button{{"Close", nil}}})
	}
	if err != nil {
		m.stay()
		m.say(what + ", and that is not recorded: " + plain(err.Error()))
		return nil
	}
	if p.book != m.book {
		return m.guard.command("recording", func() tea.Msg {
			if err := p.book.Record(m.lasting, events...); err != nil {
				return elsewhereMsg{what, err}
			}
			return nil
		})
	}
	return m.record(what, events, func(m *Model) tea.Cmd {
		if msg.err == nil && m.opt.scrub(m.draft.text) == p.text {
			m.gone()
		}
		return nil
	})
}

// elsewhere says what was not recorded in an incident that is not shown any more.
func (m *Model) elsewhere(msg elsewhereMsg) {
	m.stay()
	m.later(&dialog{
		title:   "NOT RECORDED",
		body:    []string{plain(msg.err.Error()), "", "not recorded in the incident that it belongs to: " + msg.what},
		buttons: []button{{"Close", nil}},
	})
}

// gone goes back to the view from which an update was drafted, once it went out.
func (m *Model) gone() {
	from := m.draft.from
	m.draft = draft{}
	if m.mode == modeUpdate {
		m.showView(from)
	}
	m.touch()
}

// copyDraft puts the draft on the clipboard, and asks whether it was posted: then
// it counts as told.
func copyDraft(m *Model) tea.Cmd {
	text := m.opt.scrub(m.draft.text)
	cmd := tea.SetClipboard(text)
	if why := cannotRecord(m); why != "" {
		m.say("copied the update, if the terminal lets programs copy (OSC 52)")
		return cmd
	}
	m.ask(&dialog{
		title: "Copied. Was it posted?",
		body:  []string{"A posted update is recorded, and the next one is due by its interval."},
		buttons: []button{{"Not yet", nil}, {"Posted", func(m *Model) tea.Cmd {
			events, err := m.newest.Sent(m.opt.Operator, text, clipboard, "")
			if err != nil {
				m.say(plain(err.Error()))
				return nil
			}
			return m.record("the update was posted by hand", events, func(m *Model) tea.Cmd { m.gone(); return nil })
		}}},
	})
	return cmd
}

// clipboard is the place of an update that a person posted.
const clipboard = "clipboard"

// draftTitle says what is shown above the draft.
func (m *Model) draftTitle() string {
	d := &m.draft
	what := "drafted from the evidence at "
	if d.edited {
		what = "as you changed it at "
	}
	title := fmt.Sprintf("Status update, %s%s", what, d.made.UTC().Format("15:04:05 UTC"))
	if d.security {
		title += ", for security"
	}
	return title
}
