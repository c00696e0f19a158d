package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// arming is whether anything can be changed.
type arming struct {
	on    bool
	since time.Time
	until time.Time     // moves with every touch, and with the end of a run
	most  time.Duration // until, as the engine's age
	who   []plan.Identity
	why   string
	timer *time.Timer
	turn  int // counts armings, so that a timer of an earlier one does nothing
}

// armWhat is what is refused.
const armWhat = "arming"

// Arming is whether anything can be changed, and as whom.
func (e *Engine) Arming() plan.Arming {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.armingNow()
}

// armingNow is Arming. e.mu is held.
func (e *Engine) armingNow() plan.Arming {
	a := &e.arm
	out := plan.Arming{On: e.armed(), Why: a.why}
	if out.On {
		out.By, out.Since, out.Until = e.o.Operator, a.since, a.until
		out.Identities = append([]plan.Identity(nil), a.who...)
		if e.active() > 0 {
			out.Until = e.now().Add(e.o.Idle) // the idle clock starts when the runs end
		}
	}
	return out
}

// armed reports whether changes can be begun now: idle time ends them even before the
// timer does, as on a machine that slept. e.mu is held.
func (e *Engine) armed() bool {
	return e.arm.on && e.log != nil && (e.active() > 0 || e.now().Before(e.arm.until) && e.age() < e.arm.most)
}

// Arm makes changes possible: until it is taken back, or nobody does anything for the
// idle time. It is journalled first. Armed already, it counts as a touch. Without an
// incident that is written here the error is a *Refusal.
func (e *Engine) Arm(ctx context.Context) (plan.Arming, error) {
	log, err := e.writable(armWhat)
	if err != nil {
		return plan.Arming{}, err
	}
	e.mu.Lock()
	if e.armed() {
		e.touch()
		defer e.mu.Unlock()
		return e.armingNow(), nil
	}
	e.mu.Unlock()
	who := e.whoWeAre(ctx, e.systems())
	if err := ctx.Err(); err != nil {
		return plan.Arming{}, fmt.Errorf("arm: %w: nothing was armed", err)
	}
	now := e.now()
	if err := e.record(log, incident.Armed{On: true, Until: now.Add(e.o.Idle), Identities: who}); err != nil {
		return plan.Arming{}, fmt.Errorf("arm: it cannot be journalled, so nothing can be changed: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.log != log {
		return plan.Arming{}, &Refusal{What: armWhat, Why: "the incident was left meanwhile", Next: "open one and arm again"}
	}
	a := &e.arm
	a.on, a.since, a.who, a.why = true, now, who, ""
	e.touch()
	a.turn++
	e.watch(e.o.Idle)
	e.news()
	return e.armingNow(), nil
}

// systems are those that have identities of their own, as configured.
func (e *Engine) systems() (out []string) {
	cfg := e.o.Systems.Config
	if cfg == nil {
		return nil
	}
	for i := range cfg.AWS {
		out = append(out, "aws:"+cfg.AWS[i].Name)
	}
	for i := range cfg.Vaults {
		out = append(out, "vault:"+cfg.Vaults[i].Name)
	}
	for i := range cfg.Kubernetes {
		out = append(out, "kubernetes:"+cfg.Kubernetes[i].Name)
	}
	return out
}

// Touch tells that the operator did something: the idle time begins anew.
func (e *Engine) Touch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.armed() {
		e.touch()
	}
}

// touch begins the idle time anew. e.mu is held.
func (e *Engine) touch() { e.arm.until, e.arm.most = e.now().Add(e.o.Idle), e.age()+e.o.Idle }

// watch looks after a time whether nobody has done anything. e.mu is held.
func (e *Engine) watch(after time.Duration) {
	turn := e.arm.turn
	if e.arm.timer != nil {
		e.arm.timer.Stop()
	}
	e.arm.timer = time.AfterFunc(max(after, time.Millisecond), func() { e.idle(turn) })
}

// idle disarms when nobody did anything, and looks again later when somebody did.
func (e *Engine) idle(turn int) {
	e.mu.Lock()
	a := &e.arm
	if !a.on || a.turn != turn {
		e.mu.Unlock()
		return
	}
	if e.active() > 0 {
		e.touch()
	}
	if left := min(a.until.Sub(e.now()), a.most-e.age()); left > 0 {
		e.watch(left)
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	e.disarm(fmt.Sprintf("nobody did anything for %s", e.o.Idle))
}

// Disarm makes changes impossible. It is refused while a run is under way: that is
// stopped first. When it cannot be journalled it is done all the same, and the error
// says so.
func (e *Engine) Disarm(_ context.Context, why string) error {
	e.mu.Lock()
	if e.active() > 0 {
		e.mu.Unlock()
		return &Refusal{What: "disarming", Why: "a run is under way", Next: "stop it first; it stops before its next step"}
	}
	e.mu.Unlock()
	return e.disarm(e.text(why))
}

// disarm makes changes impossible and journals it.
func (e *Engine) disarm(why string) error {
	e.mu.Lock()
	a, log := &e.arm, e.log
	if !a.on {
		e.mu.Unlock()
		return nil
	}
	a.on, a.who, a.why = false, nil, why
	a.turn++
	if a.timer != nil {
		a.timer.Stop()
	}
	e.news()
	e.mu.Unlock()
	if log == nil {
		return nil
	}
	if err := e.record(log, incident.Armed{Why: why}); err != nil {
		return fmt.Errorf("disarm: nothing can be changed any more, but that could not be journalled: %w", err)
	}
	return nil
}

// writable is the attached journal, if this console writes it.
func (e *Engine) writable(what string) (Log, error) {
	e.mu.Lock()
	log := e.log
	e.mu.Unlock()
	if log == nil {
		return nil, &Refusal{What: what, Why: "no incident is open, and nothing is changed that is not journalled", Next: "declare or open an incident"}
	}
	c := log.Case()
	switch {
	case c == nil || c.State == nil || !c.State.IsDeclared():
		return nil, &Refusal{What: what, Why: "the incident is not declared", Next: "declare it"}
	case !c.Writing && c.Writer != "":
		return nil, &Refusal{What: what, Why: "the incident is written by " + e.text(c.Writer), Next: "act at that console, or close it and open the incident here"}
	case !c.Writing:
		return nil, &Refusal{What: what, Why: "the incident cannot be written here", Next: "open it again"}
	case !c.State.Closed.IsZero():
		return nil, &Refusal{What: what, Why: "the incident is closed", Next: "reopen it"}
	}
	return log, nil
}

// errClosed says that the run's incident is not attached any more.
var errClosed = errors.New("the incident was left")

// record makes events durable.
func (e *Engine) record(log Log, data ...incident.Data) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordLimit)
	defer cancel()
	events := make([]incident.Event, 0, len(data))
	for _, d := range data {
		events = append(events, incident.New(e.o.Operator, d))
	}
	return log.Record(ctx, events...)
}
