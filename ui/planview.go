package ui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/estate"
	"warroom/internal/plan"
	"warroom/panes"
)

// The plan view: the whole plan is read here, and what it asks of a person is asked
// for in a form. Nothing is begun from either: the confirmation comes after.

// errRefused is an error that only says why.
func errRefused(why string) error { return errors.New(why) }

// planView is the plan as it is drawn.
func (m *Model) planView() panes.PlanView {
	return panes.PlanView{Plan: m.recovery.ready, Refuse: cannotStart(m), Scroll: m.recovery.planRows}
}

func (m *Model) scrollPlan(by int) {
	b := m.layout().body
	m.recovery.planRows = max(0, min(m.recovery.planRows+by, panes.MaxScroll(m.frameOf(b.w, b.h), m.cache.incidentTotal)))
	m.touch()
}

// noPlan refuses what acts on the plan that is shown.
func noPlan(m *Model) string {
	if m.recovery.ready == nil {
		return "no plan was made; 4 lists what can be done"
	}
	return ""
}

// cannotStart says why the plan that is shown cannot be confirmed now; empty when it
// can.
func cannotStart(m *Model) string {
	r := &m.recovery
	if why := noPlan(m); why != "" {
		return why
	}
	if why := cannotManage(m); why != "" {
		return why
	}
	switch p := r.ready; {
	case !m.frozen.IsZero():
		return "the frame is frozen; z shows live data"
	case r.start != nil:
		return "a run is about to begin"
	case !m.opt.Clock().Before(p.Expires):
		return "the plan has expired; r makes it anew"
	case p.Changes() && !r.arming.On:
		return "this console is READ-ONLY; ! arms it"
	}
	return ""
}

// planAgain makes the plan that is shown anew.
func planAgain(m *Model) tea.Cmd { return m.askPlan(m.recovery.of) }

func cannotPlanAgain(m *Model) string {
	if why := noPlan(m); why != "" {
		return why
	}
	return cannotPlan(m)
}

// planLeave goes back to the list; the plan waits there until it expires.
func (m *Model) planLeave() {
	m.showView(modeRecover)
	m.keepCursor()
}

// copyPlan puts what another operator signs on the clipboard, where that is needed,
// and the plan as text otherwise.
func copyPlan(m *Model) tea.Cmd {
	p := m.recovery.ready
	if p.Second {
		m.say("copied what the second person signs, if the terminal lets programs copy (OSC 52)")
		return tea.SetClipboard(m.opt.scrub(p.Statement()))
	}
	text := strings.Join(plan.Text(p, copiedWidth), "\n") + "\n"
	if m.share {
		text = panes.Mask(text)
	}
	m.say("copied the plan, if the terminal lets programs copy (OSC 52)")
	return tea.SetClipboard(m.opt.scrub(text))
}

// copiedWidth is how wide a plan is that is copied as text, in cells.
const copiedWidth = 100

func copyPlanNow(m *Model) string {
	if p := m.recovery.ready; p != nil && p.Second {
		return "copy statement"
	}
	return ""
}

// consenting is consent to one plan that is being put together.
type consenting struct {
	plan  *plan.Plan
	print string // its fingerprint as it was drawn
	give  plan.Consent
}

// mostSecret bounds a secret value that is typed, and mostSignature a signature, in
// runes.
const (
	mostSecret    = 8192
	mostSignature = 4096
	shortLabel    = 20 // what stands before a field; what is longer stands above it
)

// planEnter goes on from the plan: to the form with what is asked, and from there to
// the confirmation; at once to the confirmation where nothing is asked.
func planEnter(m *Model) tea.Cmd {
	p := m.recovery.ready
	c := &consenting{plan: p, print: p.Fingerprint()}
	c.give = plan.Consent{Plan: p.ID, Fingerprint: c.print}
	f := &form{title: "Consent: " + plain(p.Title), button: "Go on to the confirmation", body: []string{"Nothing is begun by this form."}}
	type accepting struct {
		field *field
		id    string
	}
	var accept []accepting
	for _, w := range p.Warnings {
		if !w.Accept {
			continue
		}
		one := pick("Accept", 0, "no", "accepted")
		one.about, one.check = plain(w.Text), true
		accept = append(accept, accepting{one, w.ID})
		f.fields = append(f.fields, one)
	}
	type putting struct {
		field *field
		in    plan.Input
	}
	var inputs []putting
	for _, in := range p.Inputs {
		required := "type or paste it"
		hint := "never shown, stored or recorded"
		if in.Optional {
			required, hint = "", "may stay empty; "+hint
		}
		one := line("Value", "", hint, required)
		if one.about = plain(in.Label); len(one.about) <= shortLabel {
			one.label, one.about = one.about, ""
		}
		one.secret, one.most = true, mostSecret
		inputs = append(inputs, putting{one, in})
		f.fields = append(f.fields, one)
	}
	var reason, signature *field
	if p.NeedsReason != "" {
		reason = line("Reason", "", "why it is done all the same", "it needs a reason")
		reason.about = plain(p.NeedsReason)
		f.fields = append(f.fields, reason)
	}
	if p.Second {
		signature = line("Signature", "", "path of the .sig file, or paste it", "another operator has to sign this plan")
		signature.multiline, signature.goesOn, signature.most = true, true, mostSignature
		signature.about = "Another operator signs the statement of this plan: y in the plan copies it."
		f.fields = append(f.fields, signature)
	}
	if len(f.fields) == 0 {
		return m.askConfirm(c)
	}
	f.submit = func(m *Model, f *form) (tea.Cmd, error) {
		if why := cannotStart(m); why != "" || m.recovery.ready != p {
			return nil, errRefused(orElse(why, "another plan took its place"))
		}
		c.give.Accepted, c.give.Inputs = nil, map[string]estate.Secret{}
		for _, one := range accept {
			if one.field.chosen != 1 {
				return nil, &fieldError{one.field, "without that nothing can be done; space accepts it"}
			}
			c.give.Accepted = append(c.give.Accepted, one.id)
		}
		for _, one := range inputs {
			if text := one.field.text(); text != "" {
				c.give.Inputs[one.in.ID] = estate.NewSecret(text)
			}
		}
		if reason != nil {
			c.give.Reason = reason.text()
		}
		if signature == nil {
			return m.askConfirm(c), nil
		}
		text := signature.text()
		if strings.HasPrefix(text, armored) {
			c.give.Signature = text + "\n"
			return m.askConfirm(c), nil
		}
		m.close()
		m.recovery.reading = c
		m.say("reading the signature")
		return m.guard.command("reading a signature", func() tea.Msg {
			text, err := readSignature(text)
			return signatureMsg{c, text, err}
		}), nil
	}
	return m.fill(f)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// armored is how a signature of ssh-keygen begins.
const armored = "-----BEGIN SSH SIGNATURE-----"

type signatureMsg struct {
	of   *consenting
	text string
	err  error
}

// readSignature reads the file of a signature: a small regular one.
func readSignature(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = home + "/" + rest
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read the signature: %w; give the path of the .sig file on this host, or paste it", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read the signature: %s is no file; give the path of the .sig file, or paste it", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the signature: %w; give the path of the .sig file on this host, or paste it", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, 4*mostSignature))
	if err != nil {
		return "", fmt.Errorf("read the signature: %w", err)
	}
	if !strings.HasPrefix(strings.TrimSpace(string(text)), armored) {
		return "", fmt.Errorf("read the signature: %s holds none: it has to begin with %s, as ssh-keygen -Y sign writes it", path, armored)
	}
	return string(text), nil
}

// signed goes on to the confirmation with the signature that was read.
func (m *Model) signed(msg signatureMsg) {
	r := &m.recovery
	c := r.reading
	if c == nil || c != msg.of {
		return
	}
	r.reading = nil
	if msg.err != nil {
		m.later(&dialog{title: "NO SIGNATURE", body: []string{plain(msg.err.Error()), "", "Nothing was begun."}, buttons: []button{{"Close", nil}}})
		return
	}
	if m.mode != modePlan || r.ready != c.plan {
		return // left meanwhile
	}
	c.give.Signature = msg.text
	m.askConfirm(c)
}

// expiresIn says how long a plan still holds.
func expiresIn(p *plan.Plan, now time.Time) string {
	left := p.Expires.Sub(now).Truncate(time.Second)
	if left <= 0 {
		return "this plan has expired"
	}
	return fmt.Sprintf("the plan expires in %d:%02d", int(left.Minutes()), int(left.Seconds())%60)
}
