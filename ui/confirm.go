package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/plan"
	"warroom/panes"
)

// grace is how long keys must be quiet after a confirmation was drawn before it
// listens. It is longer than settle, and nothing bounds it: a stuck key keeps it
// deaf, and esc leaves it always.
const grace = time.Second

// confirm is the last question before a run begins. It swallows every key. Cancel is
// where it begins; what cannot be undone needs the target's name typed; the button
// must be moved to and then pressed, by two different keys, in a frame that was drawn
// whole and looked at for a moment.
type confirm struct {
	of      *consenting
	typed   []rune
	on      panes.ConfirmPlace
	problem string

	last    time.Time // of the last key that was swallowed
	awake   time.Time // when the frame was drawn that it listens in; zero: in none yet
	version int
}

// drawnConfirm is the confirmation as it was last drawn. Only View changes it.
type drawnConfirm struct {
	of    *confirm
	look  look
	at    time.Time
	whole bool
}

// askConfirm lays the confirmation over the plan.
func (m *Model) askConfirm(c *consenting) tea.Cmd {
	m.showView(modePlan)
	m.mode = modeConfirm
	m.recovery.confirm = &confirm{of: c}
	m.touch()
	return nil
}

// forget drops consent that was not given: what was typed for it is not kept.
func (m *Model) forget() {
	m.recovery.confirm = nil
	if m.form != nil {
		for _, one := range m.form.fields {
			if one.secret {
				clear(one.value)
				one.value, one.cursor = nil, 0
			}
		}
	}
}

// needsName reports whether the target's name has to be typed.
func needsName(p *plan.Plan) bool { return p.NeedsTyped() }

// confirmHears reports whether a key counts in the confirmation. Those that were
// typed before it was drawn as it is now do not, nor does one that is held down.
// Leaving does always, because it changes nothing.
func (m *Model) confirmHears(key string, repeat bool) bool {
	c, d, now := m.recovery.confirm, &m.cache.confirmed, m.opt.Clock()
	switch {
	case key == "esc", key == "ctrl+c":
		return true
	case d.of != c || d.at.IsZero() || d.look != m.confirmLook():
		c.last, c.on = now, panes.OnCancel // it is not on the screen yet
		return false
	case repeat: // an enter that follows one that was held down is no second thought
		c.last, c.on = now, panes.OnCancel
		c.version++
		return false
	case c.awake.Equal(d.at):
		return true
	case now.Sub(d.at) < grace || now.Sub(c.last) < grace:
		c.last, c.on = now, panes.OnCancel
		c.version++
		return false
	}
	c.awake = d.at
	return true
}

// confirmLook is the frame that the confirmation is drawn for now.
func (m *Model) confirmLook() look {
	f, _ := m.over()
	return m.look(f.Width, f.Height)
}

// cannotConfirm says why the button does nothing now; empty when it begins the run.
func (m *Model) cannotConfirm() string {
	c := m.recovery.confirm
	p := c.of.plan
	if why := cannotStart(m); why != "" {
		return why
	}
	switch {
	case m.recovery.ready != p, p.Fingerprint() != c.of.print:
		return "the plan has changed: cancel, and read it again"
	case m.cache.confirmed.of != c || !m.cache.confirmed.whole:
		return "not all of this fits on the screen: make the terminal larger"
	case needsName(p) && string(c.typed) != p.Target:
		return "the name is not typed, or not the same"
	}
	return ""
}

// confirmTyped adds to the name.
func (m *Model) confirmTyped(text string) {
	c := m.recovery.confirm
	if c.on != panes.OnName {
		return
	}
	c.typed = append(c.typed, []rune(plain(text))...)
	c.typed = c.typed[:min(len(c.typed), mostLine)]
	c.problem = ""
	c.version++
}

func (m *Model) confirmBackspace(all bool) {
	c := m.recovery.confirm
	if c.on != panes.OnName || len(c.typed) == 0 {
		return
	}
	n := len(c.typed) - 1
	if all {
		n = 0
	}
	c.typed = c.typed[:n]
	c.version++
}

// confirmMove goes from Cancel to the name, where there is one, and to the button.
func (m *Model) confirmMove(by int) {
	c := m.recovery.confirm
	to := max(int(panes.OnCancel), min(int(c.on)+by, int(panes.OnButton)))
	if panes.ConfirmPlace(to) == panes.OnName && !needsName(c.of.plan) {
		to += by
	}
	c.on = panes.ConfirmPlace(to)
	c.problem = ""
	c.version++
}

// confirmPress does what the place says that the keys are on.
func confirmPress(m *Model) tea.Cmd {
	c := m.recovery.confirm
	switch c.on {
	case panes.OnCancel:
		m.close()
		m.say("cancelled; nothing was begun")
		return nil
	case panes.OnName:
		c.problem = "tab goes on to the button"
		c.version++
		return nil
	}
	if why := m.cannotConfirm(); why != "" {
		c.problem, c.on = why, panes.OnCancel // the same key again must not begin it
		c.version++
		return nil
	}
	give, p := c.of.give, c.of.plan
	give.Typed = string(c.typed)
	m.close()
	return m.begin(p, give)
}

// begin hands the consent over. What comes of the run is told by the runs.
func (m *Model) begin(p *plan.Plan, give plan.Consent) tea.Cmd {
	r := &m.recovery
	r.start, r.ready = p, nil
	m.showRun(p.ID)
	return m.guard.command("starting a run", func() tea.Msg {
		return startedMsg{p, m.opt.Recovery.Start(m.lasting, give)}
	})
}

// started says why a run did not begin.
func (m *Model) started(msg startedMsg) tea.Cmd {
	r := &m.recovery
	if r.start == msg.plan {
		r.start = nil
	}
	m.touch()
	if msg.err == nil {
		m.say("started: " + plain(msg.plan.Title))
		return nil
	}
	r.leaving = false
	if m.mode == modeRun && r.run == msg.plan.ID && m.runOf(r.run) == nil {
		m.showView(modeRecover)
		m.keepCursor()
	}
	request := r.of
	m.later(&dialog{
		title: "NOT STARTED: " + plain(msg.plan.Title),
		body:  []string{plain(msg.err.Error())},
		buttons: []button{{"Close", nil}, {"Plan it again", func(m *Model) tea.Cmd {
			if why := cannotPlan(m); why != "" {
				m.say("not now, " + why)
				return nil
			}
			return m.askPlan(request)
		}}},
	})
	return nil
}

// confirmView is the confirmation as it is drawn.
func (m *Model) confirmView() panes.ConfirmView {
	c := m.recovery.confirm
	p := c.of.plan
	changes := 0
	for i := range p.Steps {
		if p.Steps[i].Change {
			changes++
		}
	}
	critical := 0
	for i := range p.Affected {
		if p.Affected[i].Critical {
			critical++
		}
	}
	env := "in " + plain(p.Environment)
	if p.Drill != "" {
		env += ", DRILL " + plain(p.Drill)
	}
	mode := orElse(string(p.Mode), string(plan.Forward))
	v := panes.ConfirmView{
		Title: plain(p.Title), Loud: plain(p.Irreversible), Typed: string(c.typed), Selected: c.on,
		Button: panes.ModeWord(p.Mode), Problem: c.problem,
	}
	if m.share && needsName(p) && panes.Mask(p.Target) != p.Target {
		v.Problem = orElse(v.Problem, "share mode masks the name here: type it in full")
	}
	v.Body = append(v.Body,
		fmt.Sprintf("%s: %s %s", mode, plain(p.Procedure), plain(p.Target)), env,
		fmt.Sprintf("%s, %d of them change something; what depends on it: %d, %d of them critical", counted(len(p.Steps), "step"), changes, len(p.Affected), critical))
	if len(p.Identities) > 0 {
		v.Body = append(v.Body, "as "+identitiesShort(p.Identities))
	}
	if n := len(c.of.give.Accepted); n > 0 {
		v.Body = append(v.Body, counted(n, "warning")+" accepted")
	}
	if s := plain(c.of.give.Reason); s != "" {
		v.Body = append(v.Body, "reason: "+clip(s, 120))
	}
	if c.of.give.Signature != "" {
		v.Body = append(v.Body, "with the signature of a second person")
	}
	v.Body = append(v.Body, expiresIn(p, m.opt.Clock()))
	if needsName(p) {
		v.Target = p.Target
	}
	if why := cannotStart(m); why != "" {
		v.Problem = why
	}
	return v
}

// identitiesShort names as whom we act, the first few.
func identitiesShort(list []plan.Identity) string {
	const few = 2
	var out []string
	for i := range min(len(list), few) {
		name := list[i].Name
		if list[i].Trouble != "" {
			name = "NOT TO BE HAD"
		}
		out = append(out, clip(plain(name), 60)+" on "+plain(list[i].System))
	}
	s := strings.Join(out, ", ")
	if n := len(list) - few; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// counted is a number of things.
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// clip shortens text to n runes.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
