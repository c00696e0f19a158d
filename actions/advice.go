package actions

import (
	"context"
	"errors"
	"sync"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// Advise says of every run of the incident that has no good end what can be done about
// it, and why one way is the better. The interrupted step of each is probed on the
// live system; nothing is changed. The error is a *Refusal without an incident, or
// ctx's; what cannot be found out of one run stands in its advice.
func (e *Engine) Advise(ctx context.Context) ([]plan.Advice, error) {
	e.mu.Lock()
	log := e.log
	e.mu.Unlock()
	if log == nil {
		return nil, &Refusal{What: "advice on earlier runs", Why: "no incident is open, and runs are told by their incident", Next: "open one"}
	}
	open := e.openRuns()
	out := make([]plan.Advice, len(open))
	var all sync.WaitGroup
	slots := make(chan struct{}, maxActive)
	for i := range open {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			out[i] = e.advise(ctx, &open[i])
		})
	}
	all.Wait()
	return out, ctx.Err()
}

// advise finds out how the interrupted step of a run stands, and decides.
func (e *Engine) advise(ctx context.Context, run *incident.Run) plan.Advice {
	ctx, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	s := plan.Situation{Run: run.ID, Procedure: run.Plan.Procedure, Target: run.Plan.Target, State: run.State, Detail: run.Detail, Irreversible: run.Plan.Irreversible}
	for _, step := range run.Plan.Steps {
		s.Steps = append(s.Steps, plan.StepNow{
			ID: step.ID, Title: step.Title, State: stateOf(run, step.ID), Undo: run.Steps[step.ID].Undo, Change: step.Change, Undoable: step.Undo != "",
		})
	}
	ready, err := e.again(ctx, plan.Request{Procedure: run.Plan.Procedure, Target: run.Plan.Target, Options: run.Plan.Options, Mode: plan.Resume, Of: run.ID}, run)
	if err != nil {
		s.Trouble, _ = e.words(err)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.Trouble = "the systems did not answer in time: " + s.Trouble
		}
		return plan.Decide(s)
	}
	if ready.Close != nil {
		defer func() { _ = guarded(func() error { ready.Close(); return nil }) }() // nothing is left to do about it
	}
	if i := s.Interrupted(); i >= 0 {
		facts := ready.Plan.Facts
		r := newRun(&ready.Plan, facts, nil, silent{})
		for name, value := range run.Facts {
			r.Note(name, value)
		}
		w := workOf(&ready.Plan, i, ready.Steps[i])
		s.Effect, s.Found = e.probe(ctx, &w, r)
	}
	return plan.Decide(s)
}
