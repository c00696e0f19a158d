package actions

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// How long plans may be.
const (
	maxSteps    = 500
	maxPlanSize = 192 << 10 // bytes of its JSON: it must fit into one event of a journal
	planLimit   = 2 * time.Minute
	whoLimit    = 10 * time.Second
)

// prepared is a plan that waits for consent, with what carries it out.
type prepared struct {
	plan        *plan.Plan // never given out: what is granted is this
	fingerprint string
	most        time.Duration // until when it can be granted, as the engine's age
	work        []work
	observe     func(context.Context) ([]plan.Observed, error)
	closing     func()
	facts       map[string]string // that the run begins with
	root        string            // the run that is taken up; its own ID for a new one
	stood       string            // how the run that is taken up stood; empty for a new one
}

// work is one step of a plan with what carries it out.
type work struct {
	id, title string
	change    bool
	limit     time.Duration
	step      Step
	undo      bool // take the step back
	unsure    bool // an earlier run may have done it: probed first
	measures  []plan.Measure
}

// Plan reads the systems and says what would be done. It changes nothing and needs no
// incident, unless an earlier run is taken up. The plan can be granted for 10 minutes.
// The error is a *Refusal, or an *estate.Failure of what could not be read.
func (e *Engine) Plan(ctx context.Context, ask plan.Request) (*plan.Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	if ask.Mode == "" {
		ask.Mode = plan.Forward
	}
	what := fmt.Sprintf("the plan to %s %s", ask.Procedure, ask.Target)
	var p *prepared
	var err error
	switch {
	case ask.Mode == plan.Forward && ask.Of != "":
		err = &Refusal{What: what, Why: "a new run takes up no earlier one", Next: "ask for its resumption or its roll-back"}
	case ask.Mode == plan.Forward:
		p, err = e.forward(ctx, ask)
	case ask.Mode == plan.Resume, ask.Mode == plan.Back, ask.Mode == plan.Abandon:
		p, err = e.takeUp(ctx, ask)
	default:
		err = &Refusal{What: what, Why: fmt.Sprintf("there is no mode %q", ask.Mode)}
	}
	if err != nil {
		return nil, err
	}
	if err := e.finish(ctx, p); err != nil {
		p.close()
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		p.close()
		return nil, &Refusal{What: what, Why: "the console is closing"}
	}
	e.dropPlans(e.expired)
	if len(e.plans) >= maxPlans {
		oldest := e.plans[0]
		e.dropPlans(func(old *prepared) bool { return old == oldest })
	}
	e.plans = append(e.plans, p)
	time.AfterFunc(planLife, e.sweep)
	return clone(p.plan), nil
}

// sweep gives back the plans that have expired.
func (e *Engine) sweep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropPlans(e.expired)
}

// expired reports whether a plan can be granted no more.
func (e *Engine) expired(p *prepared) bool {
	return !e.now().Before(p.plan.Expires) || e.age() >= p.most
}

// forward prepares a new run.
func (e *Engine) forward(ctx context.Context, ask plan.Request) (*prepared, error) {
	ready, err := e.prepare(ctx, Ask{Request: ask})
	if err != nil {
		return nil, err
	}
	p := &prepared{plan: &ready.Plan, observe: ready.Observe, closing: ready.Close, facts: maps.Clone(ready.Plan.Facts)}
	for i := range ready.Plan.Steps {
		p.work = append(p.work, workOf(&ready.Plan, i, ready.Steps[i]))
	}
	if open := e.unsettled(ask); open != "" {
		p.plan.Warnings = append(p.plan.Warnings, plan.Warning{ID: "earlier-run", Accept: true,
			Text: "An earlier run of this has no good end (" + open + "). Resume it or roll it back first; a new run begins beside what it left."})
	}
	e.identities(ctx, p.plan, ready.Systems)
	return p, nil
}

// prepare asks a procedure for its plan, and checks that it is sound.
func (e *Engine) prepare(ctx context.Context, ask Ask) (ready *Prepared, err error) {
	doing := fmt.Sprintf("plan %s %s", ask.Procedure, ask.Target)
	procedure, ok := e.byName[ask.Procedure]
	if !ok {
		return nil, &Refusal{What: doing, Why: "there is no procedure of this name", Next: "`warroom plan` lists them"}
	}
	ctx, end := e.reading(ctx)
	defer end()
	err = guarded(func() (err error) { ready, err = procedure.Prepare(ctx, ask); return err })
	if err == nil && ready == nil {
		err = errFault
	}
	if err == nil {
		if err = sound(ready); err != nil && ready.Close != nil {
			_ = guarded(func() error { ready.Close(); return nil }) // why it is not sound is told
		}
	}
	if errors.Is(err, errFault) {
		return nil, &estate.Failure{Kind: estate.Broken, Doing: doing, Detail: err.Error(), Next: "nothing was changed; do it by hand and report this"}
	}
	if err != nil {
		return nil, err
	}
	p := &ready.Plan
	p.Procedure, p.Target, p.Options, p.Mode, p.Of = ask.Procedure, ask.Target, maps.Clone(ask.Options), ask.Mode, ask.Of
	return ready, nil
}

// workOf is step i of a plan with what carries it out.
func workOf(p *plan.Plan, i int, step Step) work {
	s := &p.Steps[i]
	w := work{id: s.ID, title: s.Title, change: s.Change, limit: s.Limit, step: step}
	if w.limit <= 0 {
		w.limit = defaultLimit
	}
	for _, m := range p.Measures {
		if m.Step == s.ID {
			w.measures = append(w.measures, m)
		}
	}
	return w
}

// errFault is a fault in a procedure: what it says is not repeated, because it may
// hold anything.
var errFault = errors.New("a fault of warroom's own stopped it")

// guarded runs code of a procedure. A panic becomes an error that says nothing of its
// value, which may be a secret.
func guarded(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errFault
		}
	}()
	return f()
}

// sound checks that what a procedure made can be carried out as the engine's rules
// say. Its error is errFault with the reason.
func sound(ready *Prepared) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: its plan is not sound: %s", errFault, fmt.Sprintf(format, args...))
	}
	steps := ready.Plan.Steps
	switch {
	case len(steps) == 0:
		return bad("it has no steps")
	case len(steps) > maxSteps:
		return bad("it has %d steps, at most %d", len(steps), maxSteps)
	case len(steps) != len(ready.Steps):
		return bad("%d steps are told and %d are there", len(steps), len(ready.Steps))
	case ready.Observe == nil && len(ready.Plan.Observed) > 0 && ready.Plan.Changes():
		return bad("what it rests on cannot be read again")
	}
	seen := map[string]bool{}
	for i := range steps {
		s, do := &steps[i], &ready.Steps[i]
		switch {
		case s.ID == "" || len(s.ID) > 200 || seen[s.ID]:
			return bad("step %d has no id of its own", i+1)
		case s.Change && (do.Do == nil || do.Probe == nil || do.Verify == nil):
			return bad("step %s changes something and cannot be done, probed and verified", s.ID)
		case do.Do == nil && do.Verify == nil:
			return bad("step %s does nothing", s.ID)
		case (do.Undo == nil) != (do.VerifyUndo == nil):
			return bad("step %s can be undone and not verified, or the other way about", s.ID)
		case do.Undo != nil && s.Undo == "":
			return bad("step %s does not tell how it is undone", s.ID)
		}
		seen[s.ID] = true
	}
	return nil
}

// finish fills in what the engine knows of a plan, and bounds it.
func (e *Engine) finish(ctx context.Context, p *prepared) error {
	if err := ctx.Err(); err != nil {
		return &estate.Failure{Kind: estate.Silent, Doing: "plan " + p.plan.Procedure + " " + p.plan.Target, Detail: "it took too long, or was cancelled", Next: "try again"}
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	now := e.now()
	q := p.plan
	q.ID, q.Environment, q.Drill = hex.EncodeToString(id[:]), e.o.Environment, e.o.Drill
	q.Made, q.Expires, p.most = now, now.Add(planLife), e.age()+planLife
	q.Second = q.Changes() && (q.Second || slices.Contains(e.o.SecondFor, q.Procedure))
	if q.Steps == nil {
		q.Steps = []plan.Step{}
	}
	if p.root == "" {
		p.root = q.ID
	}
	text, err := json.Marshal(q)
	if err != nil || len(text) > maxPlanSize {
		return &Refusal{What: "the plan to " + q.Procedure + " " + q.Target, Why: fmt.Sprintf("it is too large to be journalled (%d bytes, at most %d)", len(text), maxPlanSize),
			Next: "do it in parts"}
	}
	// From here on nobody but the engine holds it.
	p.plan = clone(q)
	p.fingerprint = p.plan.Fingerprint()
	return nil
}

// clone is a plan that shares nothing with the other.
func clone(p *plan.Plan) *plan.Plan {
	text, err := json.Marshal(p)
	out := &plan.Plan{}
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil { // a plan is made of strings, numbers and times
		panic("actions: a plan cannot be copied")
	}
	return out
}

// identities fills in as whom we act on each system.
func (e *Engine) identities(ctx context.Context, p *plan.Plan, systems []string) {
	p.Identities = e.whoWeAre(ctx, systems)
	for _, who := range p.Identities {
		if !who.Expires.IsZero() && who.Expires.Before(e.now().Add(2*planLife)) {
			p.Warnings = append(p.Warnings, plan.Warning{ID: "identity-ends:" + who.System,
				Text: fmt.Sprintf("Our identity on %s ends at %s. Renew it before you begin.", who.System, who.Expires.UTC().Format("15:04:05Z"))})
		}
	}
}

// whoWeAre asks each system as whom we act there. None is waited for longer than 10
// seconds.
func (e *Engine) whoWeAre(ctx context.Context, systems []string) []plan.Identity {
	systems = slices.Compact(slices.Sorted(slices.Values(systems)))
	out := make([]plan.Identity, len(systems))
	if len(out) == 0 {
		return nil
	}
	ctx, end := e.reading(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, whoLimit)
	defer cancel()
	var all sync.WaitGroup
	for i, system := range systems {
		out[i].System = system
		all.Go(func() {
			err := guarded(func() error {
				if e.o.Systems.Act == nil {
					return errors.New("nothing is connected to it")
				}
				who := e.o.Systems.Act.Identity(ctx, system)
				out[i].Name, out[i].Expires = e.text(who.Name), utc(who.Expires)
				return who.Err
			})
			if err != nil {
				out[i].Trouble = e.text(err.Error())
			}
		})
	}
	all.Wait()
	return out
}

// utc is a time as it is journalled: of the wall clock, and of no zone but UTC.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

// unsettled tells of an open run of the same procedure and target; empty when there
// is none.
func (e *Engine) unsettled(ask plan.Request) string {
	for _, r := range e.openRuns() {
		if r.Plan.Procedure == ask.Procedure && r.Plan.Target == ask.Target {
			return strings.Join([]string{r.ID, string(r.State), "since " + r.Started.UTC().Format("15:04:05Z")}, ", ")
		}
	}
	return ""
}

// dropPlans gives back the plans that are no longer wanted. e.mu is held.
func (e *Engine) dropPlans(unwanted func(*prepared) bool) {
	e.plans = slices.DeleteFunc(e.plans, func(p *prepared) bool {
		if !unwanted(p) {
			return false
		}
		// Beside, because a connection that hangs must not hold up the engine.
		e.o.Go(context.Background(), "giving back a plan", p.close)
		return true
	})
}

// close gives back what was prepared.
func (p *prepared) close() {
	if p.closing != nil {
		_ = guarded(func() error { p.closing(); return nil }) // nothing is left to do about it
	}
}
