package ui

import (
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

type sentMsg struct {
	book        Book
	place, text string
	err         error
}

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
	d.made, d.edited, d.scroll = m.live.Now, false, 0
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
	d.text, d.edited, d.made, d.scroll = text, true, m.live.Now, 0
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
			if _, err := m.newest.Sent(m.opt.Operator, text, place, ""); err != nil {
				return nil, err
			}
			m.draft.sending = plain(place)
			m.touch()
			msg := sentMsg{book: m.book, place: place, text: text}
			return m.guard.command("sending the update", func() tea.Msg {
				msg.err = m.opt.Sender.Send(m.pump.ctx, place, text)
				return msg
			}), nil
		}})
}

// sent records whether an update went out.
func (m *Model) sent(msg sentMsg) tea.Cmd {
	if msg.book != m.book {
		return nil
	}
	m.draft.sending = ""
	m.touch()
	fail, what := "", "the update went to "+plain(msg.place)
	if msg.err != nil {
		fail, what = plain(msg.err.Error()), "the update did NOT reach "+plain(msg.place)
		m.later(&dialog{
			title:   "NOT SENT to " + plain(msg.place),
			body:    []string{fail, "", "The draft is kept; y copies it."},
			buttons: []button{{"Close", nil}},
		})
	}
	events, err := m.newest.Sent(m.opt.Operator, msg.text, msg.place, fail)
	if err != nil {
		m.say(what + ", and that is not recorded: " + plain(err.Error()))
		return nil
	}
	return m.record(what, events, func(m *Model) tea.Cmd {
		if fail == "" && m.opt.scrub(m.draft.text) == msg.text {
			m.gone()
		}
		return nil
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
