package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
)

// What n does. The current step of the flow is settled with its evidence as it is
// on the screen, and the next one begins. Evidence that is unread or older than
// the interval at which it is read is read again first: when it then says the same
// as before, the step is settled with it; when it says something else, or says
// something for the first time, that is shown and waits for another n. So nothing
// is recorded that nobody saw, and nothing older than it need be.

// stepping is a step whose evidence is being read again.
type stepping struct {
	node  string
	ids   []estate.ID // none for every component
	began time.Time
	seen  diagnosis.Finding // as it was drawn when the key was pressed
}

// asked is the step whose new evidence was shown and waits for another n.
type asked struct {
	node string
	at   time.Time
}

const (
	// askedStays is how long another n settles a step on the evidence that was
	// read for it.
	askedStays = time.Minute
	// stepWait is how long a step waits for the reads of its evidence.
	stepWait = 6 * time.Second
	// leastFresh is the least age at which evidence is read again.
	leastFresh = 30 * time.Second
)

// cannotNext says why n does nothing now.
func cannotNext(m *Model) string {
	if why := cannotStep(m); why != "" {
		return why
	}
	switch {
	case m.newest.Node == "":
		if procedure, _ := m.nextProcedure(); procedure != "" {
			return ""
		}
		return "the flow is through; 5 shows the checklist"
	case m.stepping != nil:
		return "its evidence is being read: " + m.readingStep()
	}
	return ""
}

// next works on the current step.
func next(m *Model) tea.Cmd {
	b := m.newest
	n := nodeOf(b, b.Node)
	if n == nil {
		if procedure, target := m.nextProcedure(); procedure != "" {
			return m.openProcedure(procedure, target)
		}
		return nil
	}
	known := m.asked.node == n.Node.ID && m.opt.Clock().Sub(m.asked.at) < askedStays
	if known || m.fresh(&n.Finding) || m.opt.Checker == nil {
		return m.settleNode(n)
	}
	facts := make([]estate.ID, 0, len(n.Finding.Facts))
	for i := range n.Finding.Facts {
		facts = append(facts, n.Finding.Facts[i].Component)
	}
	ids := componentsOf(facts)
	m.stepping = &stepping{node: n.Node.ID, ids: ids, began: m.opt.Clock(), seen: n.Finding}
	m.touch()
	return m.guard.command("checking now", func() tea.Msg { m.opt.Checker.CheckNow(ids...); return nil })
}

// fresh reports whether a finding can be settled on as it is. What has no sensor
// is a person's word.
func (m *Model) fresh(f *diagnosis.Finding) bool {
	switch f.Stance {
	case diagnosis.NoSensor:
		return true
	case diagnosis.Unread:
		return false
	}
	for i := range f.Facts {
		x := &f.Facts[i]
		if x.Stale || x.At.IsZero() || m.live.Now.Sub(x.At) > m.interval(x) {
			return false
		}
	}
	return true
}

// interval is how often a fact is read.
func (m *Model) interval(x *diagnosis.Fact) time.Duration {
	var every time.Duration
	for _, slot := range m.live.Readings.Snapshot.Slots(x.Component) {
		if slot.Good != nil && slot.Good.At.Equal(x.At) {
			every = max(every, slot.Good.Interval)
		}
	}
	return max(every, leastFresh)
}

// settleNode records the current step. It asks for a verdict where it tells one
// that the evidence does not give, and for what was seen where nothing reads it.
func (m *Model) settleNode(n *incident.NodeView) tea.Cmd {
	if m.newest.NeedsVerdict(n.Node.ID) {
		return verdictForm(m, n)
	}
	if m.newest.NeedsWord(n.Node.ID) {
		return wordForm(m, n)
	}
	return m.recordStep(n, "")
}

func (m *Model) recordStep(n *incident.NodeView, verdict string) tea.Cmd {
	events, err := m.newest.Step(m.opt.Operator, verdict)
	if err != nil {
		m.say(plain(err.Error()))
		return nil
	}
	m.asked = asked{}
	return m.record("the step "+plain(n.Node.Title), events, m.afterVerdict(events))
}

// afterVerdict offers to tell security at once when a step told that the
// credential has leaked.
func (m *Model) afterVerdict(events []incident.Event) func(*Model) tea.Cmd {
	for _, e := range events {
		if d, ok := e.Data.(incident.NodeMoved); ok && d.Verdict == compromised {
			return func(m *Model) tea.Cmd {
				m.later(&dialog{
					title: "COMPROMISED: tell security now?",
					body: []string{
						"Revocation was brought to the top of the checklist.",
						"The update for security is drafted from the evidence; it is sent only after you have read it.",
					},
					buttons: []button{{"Not now", nil}, {"Draft it", func(m *Model) tea.Cmd { m.draftFor(true); return nil }}},
				})
				return nil
			}
		}
	}
	return nil
}

// compromised is the verdict that concerns security.
const compromised = "compromised"

// verdictForm asks what has become of the credential.
func verdictForm(m *Model, n *incident.NodeView) tea.Cmd {
	node := n.Node.ID
	verdict := pick("Verdict", 0, append([]string{"not told yet"}, incident.Verdicts[:]...)...)
	body := []string{evidenceLine(&n.Finding), "expired: past its time; stuck: half rotated; compromised: read by someone unknown."}
	return m.fill(&form{title: plain(n.Node.Title), body: body, button: "Record", fields: []*field{verdict}, final: true,
		submit: func(m *Model, _ *form) (tea.Cmd, error) {
			if why := cannotRecord(m); why != "" {
				return nil, &incident.Refusal{Why: why}
			}
			if verdict.chosen == 0 {
				return nil, &fieldError{verdict, "choose one; ← and → turn"}
			}
			if m.newest.Node != node {
				return nil, &incident.Refusal{Why: "another step is the current one by now"}
			}
			events, err := m.newest.Step(m.opt.Operator, verdict.options[verdict.chosen])
			if err != nil {
				return nil, err
			}
			return m.record("the verdict "+verdict.options[verdict.chosen], events, m.afterVerdict(events)), nil
		}})
}

// wordForm asks what a person has seen of a step that nothing reads: a single key
// does not settle it.
func wordForm(m *Model, n *incident.NodeView) tea.Cmd {
	node, title := n.Node.ID, plain(n.Node.Title)
	seen := line("What you saw", "", "for example what was said, where, and when", "say what you saw")
	if alert := m.opt.Alert; !alert.IsZero() && len(m.newest.Flow) > 0 && len(m.newest.Flow[0].Nodes) > 0 && m.newest.Flow[0].Nodes[0].Node.ID == node {
		seen.set("the alert was raised at " + alert.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	body := []string{evidenceLine(&n.Finding)}
	if text := plain(n.Node.Text); text != "" {
		body = append(body, text)
	}
	return m.fill(&form{title: title + ": done", body: body, button: "Done", fields: []*field{seen},
		submit: func(m *Model, _ *form) (tea.Cmd, error) {
			if why := cannotRecord(m); why != "" {
				return nil, &incident.Refusal{Why: why}
			}
			if m.newest.Node != node {
				return nil, &incident.Refusal{Why: "another step is the current one by now"}
			}
			events, err := m.newest.StepNoted(m.opt.Operator, "", seen.text())
			if err != nil {
				return nil, err
			}
			m.asked = asked{}
			return m.record("the step "+title, events, m.afterVerdict(events)), nil
		}})
}

// evidenceLine is what a finding says, in one line.
func evidenceLine(f *diagnosis.Finding) string {
	switch f.Stance {
	case diagnosis.NoSensor:
		return "No sensor reads this: your word counts."
	case diagnosis.Unread:
		return "Not read: " + plain(f.Value)
	}
	return "Evidence " + f.Stance.String() + " it: " + plain(f.Value)
}

// arrive goes on with a step once its evidence was read again, or when that took
// too long.
func (m *Model) arrive() tea.Cmd {
	s := m.stepping
	if s == nil || !m.frozen.IsZero() {
		return nil
	}
	reads, answered := m.answers(s.ids, s.began)
	late := m.live.Now.Sub(s.began) >= stepWait
	if answered < reads && !late || reads == 0 && !late {
		m.touch() // the footer counts
		return nil
	}
	if m.rec.human() > 0 {
		return nil // what a key did comes first
	}
	m.stepping = nil
	m.touch()
	n := nodeOf(m.newest, s.node)
	if n == nil || m.newest.Node != s.node || cannotRecord(m) != "" {
		return nil
	}
	f := &n.Finding
	switch {
	case f.Stance == diagnosis.Unread:
		m.say(plain(n.Node.Title) + " is not read: " + plain(f.Value) + m.unanswered(s) + "; n reads again, v marks it by your word")
		return nil
	case answered < reads:
		m.say(plain(n.Node.Title) + " is not settled" + m.unanswered(s) + "; n reads again, v marks it by your word")
		return nil
	case m.mode.view() && f.Stance == s.seen.Stance && f.Value == s.seen.Value && f.Word == s.seen.Word:
		return m.settleNode(n)
	}
	m.asked = asked{s.node, m.opt.Clock()}
	m.say("read again: " + f.Stance.String() + ", " + plain(f.Value) + "; n settles it")
	return nil
}

// unanswered names what has not answered the reads of a step; empty when all have.
func (m *Model) unanswered(s *stepping) string {
	ids := s.ids
	if len(ids) == 0 {
		for i := range m.live.Readings.Snapshot.Topology.Components {
			ids = append(ids, m.live.Readings.Snapshot.Topology.Components[i].ID)
		}
	}
	var names []string
	for _, id := range ids {
		if reads, answered := m.answers([]estate.ID{id}, s.began); answered < reads {
			names = append(names, m.name(id))
		}
	}
	const few = 2
	switch n := len(names); {
	case n == 0:
		return ""
	case n > few:
		return fmt.Sprintf(", no answer from %s and %d more", strings.Join(names[:few], ", "), n-few)
	}
	return ", no answer from " + strings.Join(names, ", ")
}

// readingStep is how far the reads of the current step are, for the strip; empty
// when nothing is read for it.
func (m *Model) readingStep() string {
	s := m.stepping
	if s == nil {
		return ""
	}
	reads, answered := m.answers(s.ids, s.began)
	return fmt.Sprintf("reading %d/%d", answered, reads)
}

// checkingStep says in the footer what is being read; empty when nothing is.
func (m *Model) checkingStep() string {
	s := m.stepping
	if s == nil {
		return ""
	}
	reads, answered := m.answers(s.ids, s.began)
	title := s.node
	if n := nodeOf(m.newest, s.node); n != nil {
		title = plain(n.Node.Title)
	}
	return fmt.Sprintf("checking %s%s %d of %d reads answered", title, m.theme.Glyphs.Ellipsis, answered, reads)
}

// answers counts the reads of components, and those that have ended since a time.
func (m *Model) answers(ids []estate.ID, since time.Time) (reads, answered int) {
	s := m.live.Readings.Snapshot
	count := func(id estate.ID) {
		for _, slot := range s.Slots(id) {
			reads++
			if !slot.Last.At.Before(since) || !slot.Last.Tried.Before(since) {
				answered++
			}
		}
	}
	for _, id := range ids {
		count(id)
	}
	if len(ids) == 0 {
		for i := range s.Topology.Components {
			count(s.Topology.Components[i].ID)
		}
	}
	return reads, answered
}

// nodeOf finds a node of the flow.
func nodeOf(b *incident.Board, id string) *incident.NodeView {
	if b == nil || id == "" {
		return nil
	}
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if n := &b.Flow[i].Nodes[j]; n.Node.ID == id {
				return n
			}
		}
	}
	return nil
}

// componentsOf lists the components that a finding's facts are of, each once.
func componentsOf(facts []estate.ID) []estate.ID {
	var out []estate.ID
	seen := map[estate.ID]bool{}
	for _, id := range facts {
		if id != "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
