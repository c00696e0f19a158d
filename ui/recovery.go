package ui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Recovery plans and runs recovery procedures. It alone decides what may be changed:
// the console asks, and shows what it is told. All but Touch may take their time:
// they are called in commands of their own, never from Update, and at the same time
// from several goroutines.
type Recovery interface {
	// Procedures lists what can be done, in the order in which it is shown.
	Procedures() []plan.About
	// Targets lists what a procedure can be done to; it asks no system.
	Targets(procedure string) []plan.Target
	// Arming is whether changes are possible now, and as whom.
	Arming() plan.Arming
	// Arm makes changes possible; each still needs its plan and consent.
	Arm(ctx context.Context) (plan.Arming, error)
	// Disarm ends that. why is said in the journal.
	Disarm(ctx context.Context, why string) error
	// Touch tells that the operator pressed a key. It must not wait.
	Touch()
	// Plan reads the systems and says what would be done; it changes nothing.
	Plan(ctx context.Context, ask plan.Request) (*plan.Plan, error)
	// Start begins the run of a plan, and returns once consent to it is durable.
	Start(ctx context.Context, consent plan.Consent) error
	// Stop has a run end before its next step.
	Stop(run string)
	// Next waits for news of the runs of this console, and returns how all of them
	// stand.
	Next(ctx context.Context) ([]plan.Progress, error)
	// Advise probes the interrupted step of every run that was left open, and says
	// what can be done about it.
	Advise(ctx context.Context) ([]plan.Advice, error)
}

// noRecovery says why nothing can be recovered from here.
const noRecovery = "recovery needs a configuration: no warroom.yaml describes what could be acted on"

// recovery is what the console knows and does of recovery procedures. Update alone
// changes it.
type recovery struct {
	procedures []plan.About
	targets    map[string][]plan.Target // by procedure
	loaded     bool                     // what can be done is known
	asked      bool                     // it was asked for because something needs it
	listed     time.Time                // when it was asked for last

	arming  plan.Arming
	polled  time.Time // when it was asked for last
	polling bool
	turning bool      // it is being armed or disarmed
	touched time.Time // when it was told last that somebody is there

	told     []plan.Progress // of this console's runs, as told last
	runs     []plan.Progress // as drawn: told with those that the journal holds
	advice   []plan.Advice
	advising bool
	unsaid   string // why there is no advice

	selected string          // the item under the cursor
	moved    bool            // a person put the cursor there
	expanded map[string]bool // procedures whose targets show
	scroll   int             // of what is said of the item

	asking   *asking    // the plan that is being made
	ready    *plan.Plan // the plan that was made last
	of       plan.Request
	planRows int // scrolled

	run     string // which run is shown
	logUp   int    // rows that its log is scrolled up
	upper   bool   // the keys scroll its steps, not its log
	stepsAt int    // rows that its steps are scrolled
	confirm *confirm
	reading *consenting // consent whose signature is being read from a file
	start   *plan.Plan  // the plan whose run is about to begin
	leaving bool        // the console ends once no run is under way
}

// asking is a plan that is being made.
type asking struct {
	request plan.Request
	stop    context.CancelFunc
}

// The messages of recovery.
type (
	proceduresMsg struct {
		procedures []plan.About
		targets    map[string][]plan.Target
	}
	armingMsg   struct{ arming plan.Arming }
	progressMsg struct {
		runs []plan.Progress
		err  error
	}
	progressAgainMsg struct{}
	adviceMsg        struct {
		advice []plan.Advice
		err    error
	}
	plannedMsg struct {
		of   *asking
		plan *plan.Plan
		err  error
	}
	startedMsg struct {
		plan *plan.Plan
		err  error
	}
	stopToldMsg struct{}
)

// startRecovery follows the runs. What can be done is listed once something needs it:
// on a large estate that is thousands of targets.
func (m *Model) startRecovery() tea.Cmd {
	if m.opt.Recovery == nil {
		return nil
	}
	return tea.Batch(m.nextProgress(), m.pollArming())
}

// listEvery is how often what can be done is listed anew while it is looked at: what
// the readings call for changes with them.
const listEvery = 10 * time.Second

// needProcedures lists what can be done once a step or an item may propose it, and
// again while it is looked at.
func (m *Model) needProcedures() tea.Cmd {
	r := &m.recovery
	if m.mode == modeRecover && m.frozen.IsZero() && m.opt.Clock().Sub(r.listed) >= listEvery {
		return m.loadProcedures()
	}
	if r.asked || r.loaded || !m.evidenced() {
		return nil
	}
	r.asked = true
	return m.loadProcedures()
}

// loadProcedures asks what can be done, and to what.
func (m *Model) loadProcedures() tea.Cmd {
	if m.opt.Recovery == nil {
		return nil
	}
	m.recovery.listed = m.opt.Clock()
	return m.guard.command("listing what can be recovered", func() tea.Msg {
		all := m.opt.Recovery.Procedures()
		targets := make(map[string][]plan.Target, len(all))
		for i := range all {
			targets[all[i].Name] = m.opt.Recovery.Targets(all[i].Name)
		}
		return proceduresMsg{all, targets}
	})
}

// nextProgress waits for news of the runs.
func (m *Model) nextProgress() tea.Cmd {
	return m.guard.command("following the runs", func() tea.Msg {
		runs, err := m.opt.Recovery.Next(m.pump.ctx)
		if m.pump.ctx.Err() != nil {
			return nil
		}
		return progressMsg{runs, err}
	})
}

// pollEvery is how often it is asked whether changes are possible: that ends by
// itself too.
const pollEvery = time.Second

// pollArming asks whether changes are possible, if that was not done just now.
func (m *Model) pollArming() tea.Cmd {
	r := &m.recovery
	now := m.opt.Clock()
	if m.opt.Recovery == nil || r.polling || !r.polled.IsZero() && !r.arming.On && !m.writing() || !r.polled.IsZero() && now.Sub(r.polled) < pollEvery {
		return nil
	}
	r.polling, r.polled = true, now
	return m.guard.command("asking whether it is armed", func() tea.Msg { return armingMsg{m.opt.Recovery.Arming()} })
}

// touchEvery bounds how often it is told that somebody is there.
const touchEvery = time.Second

// present tells that a person pressed a key: being armed ends after a while without.
func (m *Model) present() tea.Cmd {
	r := &m.recovery
	now := m.opt.Clock()
	if m.opt.Recovery == nil || !r.arming.On || now.Sub(r.touched) < touchEvery {
		return nil
	}
	r.touched = now
	return m.guard.command("telling that somebody is here", func() tea.Msg { m.opt.Recovery.Touch(); return nil })
}

// advise probes what was left open.
func (m *Model) advise() tea.Cmd {
	r := &m.recovery
	if m.opt.Recovery == nil || r.advising || !m.writing() || !slices.ContainsFunc(r.runs, func(p plan.Progress) bool { return p.State.Open() }) {
		return nil
	}
	r.advising, r.unsaid = true, ""
	m.touch()
	return m.guard.command("probing what was left open", func() tea.Msg {
		advice, err := m.opt.Recovery.Advise(m.pump.ctx)
		if m.pump.ctx.Err() != nil {
			return nil
		}
		return adviceMsg{advice, err}
	})
}

// recovered takes the messages of recovery; ok is false for any other.
func (m *Model) recovered(msg tea.Msg) (cmd tea.Cmd, ok bool) {
	r := &m.recovery
	switch msg := msg.(type) {
	case proceduresMsg:
		r.procedures, r.targets, r.loaded = msg.procedures, msg.targets, true
		m.keepCursor()
		m.firstCursor()
	case armingMsg:
		r.polling = false
		m.takeArming(msg.arming)
	case armedMsg:
		return m.armed(msg), true
	case progressMsg:
		if msg.err != nil {
			m.say("the runs are not followed: " + plain(msg.err.Error()))
			return tea.Tick(pause, func(time.Time) tea.Msg { return progressAgainMsg{} }), true
		}
		return tea.Batch(m.nextProgress(), m.progressed(msg.runs)), true
	case progressAgainMsg:
		return m.nextProgress(), true
	case adviceMsg:
		r.advising, r.advice = false, msg.advice
		if msg.err != nil {
			r.unsaid = plain(msg.err.Error())
		}
		m.keepCursor()
	case plannedMsg:
		m.planned(msg)
	case signatureMsg:
		m.signed(msg)
	case startedMsg:
		return m.started(msg), true
	case stopToldMsg:
		m.say("it stops before its next step")
	default:
		return nil, false
	}
	m.touch()
	return nil, true
}

// progressed takes how the runs stand, and has what ended without being done probed.
func (m *Model) progressed(runs []plan.Progress) tea.Cmd {
	r := &m.recovery
	before := openRuns(r.runs)
	r.told = runs
	m.mergeRuns()
	m.touch()
	if r.leaving && m.underWay() == nil {
		return tea.Quit
	}
	if open := openRuns(r.runs); len(open) > 0 && !slices.Equal(open, before) {
		return tea.Batch(m.advise(), m.loadProcedures())
	}
	return nil
}

func openRuns(runs []plan.Progress) []string {
	var out []string
	for i := range runs {
		if runs[i].State.Open() {
			out = append(out, runs[i].Run)
		}
	}
	return out
}

// mergeRuns makes what is drawn of the runs: those of this console, and those that
// only the journal tells of. A frozen frame keeps what it shows.
func (m *Model) mergeRuns() {
	r := &m.recovery
	if !m.frozen.IsZero() {
		return
	}
	var out []plan.Progress
	if m.kase != nil && m.kase.State != nil {
		for i := range m.kase.State.Runs {
			one := &m.kase.State.Runs[i]
			if !slices.ContainsFunc(r.told, func(p plan.Progress) bool { return p.Run == one.ID }) {
				out = append(out, journalled(one, m.writing()))
			}
		}
	}
	out = append(out, r.told...)
	slices.SortStableFunc(out, func(a, b plan.Progress) int { return a.Started.Compare(b.Started) })
	r.runs = out
	m.keepCursor()
}

// journalled is a run as its events tell. One without an end whose incident this
// console writes is run by nobody any more.
func journalled(one *incident.Run, writing bool) plan.Progress {
	p := plan.Progress{Run: one.ID, Plan: &one.Plan, State: one.State, Started: one.Started, Ended: one.Ended, Trouble: one.Detail, Next: one.Next}
	if p.State == plan.RunActive && writing {
		p.State = plan.RunInterrupted
	}
	for i := range one.Plan.Steps {
		s := &one.Plan.Steps[i]
		step := plan.StepProgress{ID: s.ID, State: plan.Waiting}
		if at, ok := one.Steps[s.ID]; ok {
			step.State, step.Ended, step.Detail = at.State, at.At, at.Detail
			if at.State == plan.Running || at.State == plan.Undoing {
				step.Started, step.Ended = at.At, time.Time{}
				if writing {
					step.State = plan.Broken
				}
			}
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

// runOf finds a run.
func (m *Model) runOf(id string) *plan.Progress {
	for i := range m.recovery.runs {
		if m.recovery.runs[i].Run == id {
			return &m.recovery.runs[i]
		}
	}
	return nil
}

// underWay is the run of this console that is under way; nil when none is.
func (m *Model) underWay() *plan.Progress {
	r := &m.recovery
	for i := range r.told {
		if r.told[i].State == plan.RunActive {
			return &r.told[i]
		}
	}
	return nil
}

// adviceOf finds the advice about a run.
func (m *Model) adviceOf(run string) *plan.Advice {
	for i := range m.recovery.advice {
		if m.recovery.advice[i].Run == run {
			return &m.recovery.advice[i]
		}
	}
	return nil
}
