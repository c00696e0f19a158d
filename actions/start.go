package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Changed says that what a plan rests on is no longer as it was. Nothing was changed.
type Changed struct {
	Target string
	Plan   string
	What   []Difference
}

// Difference is one thing that reads differently now.
type Difference struct{ Name, Was, Is string }

// Error lists what changed.
func (c *Changed) Error() string {
	var parts []string
	for _, d := range c.What {
		parts = append(parts, fmt.Sprintf("%s was %q and is %q", d.Name, d.Was, d.Is))
	}
	return fmt.Sprintf("what the plan for %s rests on has changed: %s; nothing was changed: plan again", c.Target, strings.Join(parts, ", "))
}

// Start carries out a plan in the background, if everything that it asks for is given:
// the error is a *Refusal else, a *Changed when what the plan rests on is no longer as
// it was, and any other when it could not be looked at or journalled; then nothing was
// begun. A plan that was refused for want of something can be started again with it.
func (e *Engine) Start(ctx context.Context, given plan.Consent) error {
	p := e.takePlan(given.Plan)
	if p == nil {
		return &Refusal{What: "the run of plan " + e.text(given.Plan), Why: "there is no such plan any more", Next: "plan again"}
	}
	keep := true // until it is used up
	defer func() {
		if keep {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.plans = append(e.plans, p)
		}
	}()
	what := "the run of " + p.plan.Procedure + " on " + p.plan.Target
	log, err := e.writable(what)
	if err != nil {
		return err
	}
	g, err := e.grant(p, &given)
	if err != nil {
		return err
	}
	r, err := e.reserve(what, p, g, log)
	if err != nil {
		return err
	}
	if p.stood != "" {
		run, err := e.openRun(what, p.root)
		if err == nil && standing(&run) != p.stood {
			err = &Refusal{What: what, Why: "run " + p.root + " was taken up since the plan was made", Next: "plan again"}
		}
		if err != nil {
			e.release(r)
			return err
		}
	}
	if err := e.unchanged(ctx, p); err != nil {
		e.release(r)
		if _, changed := err.(*Changed); changed {
			keep = false
			e.o.Go(context.Background(), "giving back a plan", p.close)
		}
		return err
	}
	if err := e.begin(r); err != nil {
		e.release(r)
		if errors.Is(err, incident.ErrUnsure) { // the journal may have it: it is not begun a second time
			keep = false
			e.o.Go(context.Background(), "giving back a plan", p.close)
		}
		return err
	}
	keep = false
	e.o.Go(context.WithoutCancel(ctx), "run "+p.plan.ID, func() { e.execute(r) })
	return nil
}

// takePlan takes a plan from those that wait, so that it cannot be started twice.
func (e *Engine) takePlan(id string) *prepared {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.plans, func(p *prepared) bool { return p.plan.ID == id })
	if i < 0 {
		return nil
	}
	p := e.plans[i]
	e.plans = slices.Delete(e.plans, i, i+1)
	return p
}

// reserve takes the place of a run: its target is for it alone, and at most 4 are
// under way. Nothing can be changed by it yet.
func (e *Engine) reserve(what string, p *prepared, g *Grant, log Log) (*running, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch other := e.busy[p.plan.Target]; {
	case e.closed || e.log != log:
		return nil, &Refusal{What: what, Why: "the incident was left meanwhile", Next: "open it again"}
	case p.plan.Changes() && !e.armed():
		return nil, &Refusal{What: what, Why: "it changes something, and changes are not possible until you arm", Next: "arm, and confirm again"}
	case other != "":
		return nil, &Refusal{What: what, Why: "another run is at it: " + other, Next: "wait for its end, or stop it"}
	case len(e.busy) >= maxActive:
		return nil, &Refusal{What: what, Why: fmt.Sprintf("%d runs are under way, which is the most at once", len(e.busy)), Next: "wait until one of them has ended"}
	}
	e.busy[p.plan.Target] = p.plan.ID
	if e.arm.on {
		e.touch()
	}
	return newRunning(e, p, g, log), nil
}

// release gives the place of a run back that was not begun.
func (e *Engine) release(r *running) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.grant.end()
	r.cancel()
	delete(e.busy, r.p.plan.Target)
	e.news()
}

// begin journals the consent, and makes the run one of ours. From then on it is live.
func (e *Engine) begin(r *running) error {
	q := r.p.plan
	g := r.grant
	e.mu.Lock()
	disarmed := q.Changes() && !e.armed() // while it was looked at what the plan rests on
	e.mu.Unlock()
	if disarmed {
		return &Refusal{What: "the run of " + q.Procedure + " on " + q.Target, Why: "nobody did anything for so long that changes are no longer possible", Next: "arm, and confirm again"}
	}
	if err := g.redeem(r.p, e.now(), e.age()); err != nil {
		return err
	}
	err := e.record(r.log, incident.Granted{
		Plan: *clone(q), Fingerprint: r.p.fingerprint, Typed: g.typed, Reason: g.reason, Accepted: g.accepted,
		Signer: g.signer, SignerKey: g.signerKey, Host: e.o.Host, PID: e.o.PID,
	})
	if err != nil {
		return fmt.Errorf("begin %s on %s: the consent cannot be journalled, so nothing was begun: %w; see to the disk of the journal, then plan it again", q.Procedure, q.Target, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.log != r.log {
		return &Refusal{What: "the run of " + q.Procedure + " on " + q.Target, Why: "the incident was left meanwhile", Next: "open it again"}
	}
	r.active, r.started = true, e.now()
	e.runs = append(e.runs, r)
	for ended := 0; len(e.runs)-e.active() > maxFinished && ended < len(e.runs); {
		if !e.runs[ended].active {
			e.runs = slices.Delete(e.runs, ended, ended+1)
			continue
		}
		ended++
	}
	e.news()
	return nil
}

// unchanged reads again what a plan rests on. What reads differently is a *Changed.
func (e *Engine) unchanged(ctx context.Context, p *prepared) error {
	if p.observe == nil || !p.plan.Changes() {
		return nil
	}
	ctx, end := e.reading(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	var now []plan.Observed
	err := guarded(func() (err error) { now, err = p.observe(ctx); return err })
	if err != nil {
		what, next := e.words(err)
		return fmt.Errorf("look again at what the plan for %s rests on: %s; nothing was changed: %s", p.plan.Target, what, orElse(next, "plan again once it can be read"))
	}
	is := map[string]string{}
	for _, o := range now {
		is[o.Name] = o.Value
	}
	var different []Difference
	for _, was := range p.plan.Observed {
		if value, there := is[was.Name]; !was.Live && (!there || value != was.Value) {
			if !there {
				value = "nothing"
			}
			different = append(different, Difference{e.text(was.Name), e.text(was.Value), e.text(value)})
		}
	}
	if len(different) > 0 {
		return &Changed{Target: p.plan.Target, Plan: p.plan.ID, What: different}
	}
	return nil
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// Stop has a run stop before its next step. A step that is under way is finished and
// verified first.
func (e *Engine) Stop(run string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if r.p.plan.ID == run && r.active && !r.stopping {
			r.stopping = true
			r.say("warn", "Stopping before the next step.")
			e.news()
		}
	}
}
