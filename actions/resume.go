package actions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// openRuns are the runs of the incident that have no good end and that nobody carries
// out, oldest first. One that the journal calls active and that is none of ours is
// interrupted, if we are the journal's writer: nobody else can be.
func (e *Engine) openRuns() []incident.Run {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.log == nil {
		return nil
	}
	c := e.log.Case()
	if c == nil || c.State == nil {
		return nil
	}
	ours := map[string]bool{}
	for _, r := range e.runs {
		if r.active {
			ours[r.p.root] = true
		}
	}
	var out []incident.Run
	for i := range c.State.Runs {
		r := c.State.Runs[i]
		if !r.IsRoot() || ours[r.ID] {
			continue
		}
		if r.State == plan.RunActive && c.Writing {
			r.State = plan.RunInterrupted
			r.Steps = maps.Clone(r.Steps)
			for id, s := range r.Steps {
				if s.State == plan.Running || s.State == plan.Undoing {
					s.State = plan.Broken
					r.Steps[id] = s
				}
			}
		}
		if r.State.Open() {
			out = append(out, r)
		}
	}
	return out
}

// openRun is one of them.
func (e *Engine) openRun(what, id string) (incident.Run, error) {
	e.mu.Lock()
	log, root := e.log, id
	if log != nil {
		root = rootOf(log.Case(), id)
	}
	e.mu.Unlock()
	if log == nil {
		return incident.Run{}, &Refusal{What: what, Why: "no incident is open, and runs are told by their incident", Next: "open the incident of the run"}
	}
	open := e.openRuns()
	if i := slices.IndexFunc(open, func(r incident.Run) bool { return r.ID == root }); i >= 0 {
		return open[i], nil
	}
	return incident.Run{}, &Refusal{What: what, Why: fmt.Sprintf("the incident has no run %q that failed, was stopped or was interrupted", id), Next: "look at the runs of the incident"}
}

// rootOf is the run that the one called id takes up, directly or through others.
func rootOf(c *incident.Case, id string) string {
	if c == nil || c.State == nil {
		return id
	}
	for range c.State.Runs {
		i := slices.IndexFunc(c.State.Runs, func(r incident.Run) bool { return r.ID == id })
		if i < 0 || c.State.Runs[i].Plan.Of == "" {
			break
		}
		id = c.State.Runs[i].Plan.Of
	}
	return id
}

// pastOf is what a procedure is told of an earlier run.
func pastOf(r *incident.Run) *Past {
	p := &Past{Plan: clone(&r.Plan), Facts: maps.Clone(r.Facts), Steps: map[string]plan.StepState{}}
	if p.Facts == nil {
		p.Facts = map[string]string{}
	}
	for _, s := range r.Plan.Steps {
		p.Steps[s.ID] = stateOf(r, s.ID)
	}
	return p
}

// stateOf is how a step of a run stands.
func stateOf(r *incident.Run, id string) plan.StepState {
	if s, ok := r.Steps[id]; ok {
		return s.State
	}
	return plan.Waiting
}

// standing is how a run stands, to tell whether it was taken up since.
func standing(r *incident.Run) string {
	var out strings.Builder
	fmt.Fprint(&out, r.State)
	for _, s := range r.Plan.Steps {
		now := r.Steps[s.ID]
		fmt.Fprintf(&out, "|%s %s %v", s.ID, stateOf(r, s.ID), now.At)
	}
	return out.String()
}

// begun reports whether a step may have taken effect, and it is not settled whether.
func begun(s plan.StepState) bool {
	switch s {
	case plan.Running, plan.Failed, plan.Broken, plan.Undoing, plan.UndoError:
		return true
	}
	return false
}

// takeUp prepares the resumption, the roll-back or the end of an earlier run.
func (e *Engine) takeUp(ctx context.Context, ask plan.Request) (*prepared, error) {
	verb := map[plan.Mode]string{plan.Resume: "resuming", plan.Back: "rolling back", plan.Abandon: "abandoning"}[ask.Mode]
	what := verb + " run " + ask.Of
	run, err := e.openRun(what, ask.Of)
	if err != nil {
		return nil, err
	}
	if ask.Procedure != "" && ask.Procedure != run.Plan.Procedure || ask.Target != "" && ask.Target != run.Plan.Target {
		return nil, &Refusal{What: what, Why: fmt.Sprintf("it is a run of %s on %s", run.Plan.Procedure, run.Plan.Target), Next: "name those, or none"}
	}
	ask = plan.Request{Procedure: run.Plan.Procedure, Target: run.Plan.Target, Options: run.Plan.Options, Mode: ask.Mode, Of: run.ID}
	if ask.Mode == plan.Abandon {
		p := e.abandon(ask, &run)
		p.stood = standing(&run)
		return p, nil
	}
	ready, err := e.again(ctx, ask, &run)
	if err != nil {
		return nil, err
	}
	p := &prepared{plan: &ready.Plan, observe: ready.Observe, closing: ready.Close, root: run.ID, stood: standing(&run), facts: maps.Clone(ready.Plan.Facts)}
	if p.facts == nil {
		p.facts = map[string]string{}
	}
	maps.Copy(p.facts, run.Facts) // what was told before stays so: tokens and names
	p.plan.Facts = maps.Clone(p.facts)
	if ask.Mode == plan.Resume {
		e.resume(ctx, p, ready, &run)
	} else if err := e.rollBack(ctx, p, ready, &run); err != nil {
		p.close()
		return nil, err
	}
	if damage := e.damage(); damage != "" {
		p.plan.Warnings = append(p.plan.Warnings, plan.Warning{
			ID: "journal-damaged", Accept: true,
			Text: "Records of this incident are missing or were changed (" + damage + "): what the earlier run is said to have done may not be what it did. Hold each step against the systems.",
		})
	}
	e.identities(ctx, p.plan, ready.Systems)
	return p, nil
}

// damage is what is wrong with the records of the incident.
func (e *Engine) damage() string {
	e.mu.Lock()
	log := e.log
	e.mu.Unlock()
	if log == nil {
		return ""
	}
	if c := log.Case(); c != nil {
		return e.text(c.Damage)
	}
	return ""
}

// again prepares the procedure of an earlier run. Its steps must be those of the
// run's plan.
func (e *Engine) again(ctx context.Context, ask plan.Request, run *incident.Run) (*Prepared, error) {
	ready, err := e.prepare(ctx, Ask{Request: ask, Past: pastOf(run)})
	if err != nil {
		return nil, err
	}
	ids := func(p *plan.Plan) (out []string) {
		for i := range p.Steps {
			out = append(out, p.Steps[i].ID)
		}
		return out
	}
	if now, then := ids(&ready.Plan), ids(&run.Plan); !slices.Equal(now, then) {
		if ready.Close != nil {
			_ = guarded(func() error { ready.Close(); return nil }) // why it is refused is told
		}
		return nil, &Refusal{What: "taking up run " + run.ID, Why: "its procedure has other steps now than its plan had: the configuration or warroom was changed since",
			Next: "finish it by hand, as its plan in the journal says, and abandon it"}
	}
	return ready, nil
}

// resume makes the plan of what is left of a run.
func (e *Engine) resume(ctx context.Context, p *prepared, ready *Prepared, run *incident.Run) {
	all := ready.Plan.Steps
	r := newRun(p.plan, p.facts, nil, silent{})
	p.plan.Steps = []plan.Step{}
	for i := range all {
		state := stateOf(run, all[i].ID)
		if state == plan.Done || state == plan.Skipped {
			continue
		}
		w := workOf(&plan.Plan{Steps: all, Measures: ready.Plan.Measures}, i, ready.Steps[i])
		s := all[i]
		if begun(state) && w.step.Probe != nil {
			w.unsure = true
			effect, found := e.probe(ctx, &w, r)
			p.plan.Observed = append(p.plan.Observed, plan.Observed{Name: "Step " + s.ID + " of the earlier run", Value: string(effect) + tail(found), Live: true})
			then := "If it took effect by then, it is only verified; else it is done again, which is safe to repeat."
			s.Before = sentences("Probed first: it "+string(effect)+" when this plan was made. "+then, s.Before)
		}
		p.work = append(p.work, w)
		p.plan.Steps = append(p.plan.Steps, s)
	}
	p.plan.Title = "Resume: " + p.plan.Title
	p.plan.Measures = measuresOf(p)
}

// backwards is the order in which steps are taken back: the last one first, but for
// those that name a later one before which they come.
func backwards(all []plan.Step, steps []Step) []int {
	var order []int
	for i := len(all) - 1; i >= 0; i-- {
		at := len(order)
		if id := steps[i].UndoBefore; id != "" {
			if j := slices.IndexFunc(order, func(k int) bool { return all[k].ID == id }); j >= 0 {
				at = j
			}
		}
		order = slices.Insert(order, at, i)
	}
	return order
}

// rollBack makes the plan that undoes what a run has done, last step first unless a
// step says otherwise.
func (e *Engine) rollBack(ctx context.Context, p *prepared, ready *Prepared, run *incident.Run) error {
	all := ready.Plan.Steps
	r := newRun(p.plan, p.facts, nil, silent{})
	p.plan.Steps = []plan.Step{}
	for _, i := range backwards(all, ready.Steps) {
		s, state := all[i], stateOf(run, all[i].ID)
		if !s.Change || state != plan.Done && !begun(state) {
			continue
		}
		w := workOf(&plan.Plan{Steps: all, Measures: ready.Plan.Measures}, i, ready.Steps[i])
		w.undo, w.unsure = true, begun(state)
		if w.step.Undo == nil {
			if s.Undo != "" || run.Plan.Irreversible == "" && ready.Plan.Irreversible == "" {
				continue // nothing need be undone
			}
			if w.unsure {
				if effect, _ := e.probe(ctx, &w, r); effect == plan.NotDone {
					continue
				}
			}
			why := s.Title + " has been done or may have been, and cannot be undone"
			if text := ready.Plan.Irreversible; text != "" {
				why += " (" + text + ")"
			}
			return &Refusal{What: "rolling back run " + run.ID, Why: why, Next: "resume it, or abandon it and go on by hand"}
		}
		p.work = append(p.work, w)
		p.plan.Steps = append(p.plan.Steps, plan.Step{
			ID: s.ID, Title: "Undo: " + s.Title, Where: s.Where, Calls: []string{s.Undo}, Change: true, Limit: s.Limit,
			Verify: "looks at the system that it is as before",
		})
	}
	if len(p.plan.Steps) == 0 {
		return &Refusal{What: "rolling back run " + run.ID, Why: "nothing that it did is left to undo", Next: "abandon it"}
	}
	p.plan.Title = "Roll back: " + p.plan.Title
	p.plan.Irreversible = ""
	p.plan.Measures = measuresOf(p)
	for i := range p.plan.Measures { // undoing a step ends what it opened
		p.plan.Measures[i].End = !p.plan.Measures[i].End
	}
	return nil
}

// abandon makes the plan that leaves a run as it is. It asks no system and no
// procedure: it is possible always.
func (e *Engine) abandon(ask plan.Request, run *incident.Run) *prepared {
	p := &plan.Plan{
		Procedure: ask.Procedure, Target: ask.Target, Options: maps.Clone(ask.Options), Mode: ask.Mode, Of: ask.Of,
		Title: "Abandon: " + run.Plan.Title, Why: "It is " + string(run.State) + sinceOf(run) + ". Nothing is changed: what it did stays, and what it did not do is not done.",
		NeedsReason: "whoever reads this later must know why it was left as it is",
	}
	for _, s := range run.Plan.Steps {
		if state := stateOf(run, s.ID); state != plan.Waiting {
			p.Observed = append(p.Observed, plan.Observed{Name: "Step " + s.ID, Value: string(state), Live: true})
		}
	}
	return &prepared{plan: p, root: run.ID, facts: map[string]string{}}
}

func sinceOf(run *incident.Run) string {
	if run.Ended.IsZero() {
		return ", begun " + run.Started.UTC().Format("2006-01-02 15:04:05Z")
	}
	return " since " + run.Ended.UTC().Format("2006-01-02 15:04:05Z")
}

// measuresOf are the temporary measures of the steps that a plan has left.
func measuresOf(p *prepared) (out []plan.Measure) {
	for i := range p.work {
		out = append(out, p.work[i].measures...)
	}
	return out
}

// probe looks whether a step took effect. What cannot be looked at is unclear.
func (e *Engine) probe(ctx context.Context, w *work, r *Run) (effect plan.Effect, found string) {
	switch {
	case w.step.Probe == nil && !w.change:
		return plan.NotDone, "it changes nothing"
	case w.step.Probe == nil:
		return plan.Unclear, "nothing tells"
	}
	ctx, end := e.reading(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	err := guarded(func() (err error) { effect, found, err = w.step.Probe(ctx, r); return err })
	if err != nil {
		what, _ := e.words(err)
		return plan.Unclear, what
	}
	if !slices.Contains([]plan.Effect{plan.Took, plan.NotDone, plan.Partly}, effect) {
		effect = plan.Unclear
	}
	return effect, e.text(found)
}

// tail is a text after a colon, if there is one.
func tail(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func sentences(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}
