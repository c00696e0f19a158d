package actions

import (
	"context"
	"fmt"
	"slices"
	"time"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// What is kept of one run at most.
const (
	maxParts = 1000 // of one step
	maxHeld  = 100
)

// running is one run of ours. What is not set by newRunning is guarded by the
// engine's mutex.
type running struct {
	e     *Engine
	p     *prepared
	grant *Grant
	log   Log
	lines *lineLog
	run   *Run

	ctx    context.Context // ends when the run must end at once
	cancel context.CancelFunc

	active   bool
	stopping bool
	state    plan.RunState
	started  time.Time
	ended    time.Time
	steps    []plan.StepProgress
	at       int // the step under way; -1 when none is
	held     []plan.Held
	told     []plan.Line
	lineNo   int
	trouble  string
	next     string

	facts   map[string]string // as far as the journal knows them; the runner's own
	changed bool              // something was changed by it; the runner's own
}

// newRunning is a run that is not begun. e.mu is held.
func newRunning(e *Engine, p *prepared, g *Grant, log Log) *running {
	r := &running{e: e, p: p, grant: g, log: log, lines: e.lines, state: plan.RunActive, at: -1, facts: map[string]string{}}
	r.ctx, r.cancel = context.WithCancel(e.base)
	r.run = newRun(p.plan, p.facts, g.inputs, r)
	r.facts = r.run.Facts()
	for i := range p.work {
		r.steps = append(r.steps, plan.StepProgress{ID: p.work[i].id, State: plan.Waiting})
	}
	return r
}

// newRun is what steps are given.
func newRun(p *plan.Plan, facts map[string]string, inputs map[string]estate.Secret, tell teller) *Run {
	r := &Run{plan: clone(p), inputs: inputs, tell: tell, facts: map[string]string{}}
	for name, value := range facts {
		r.facts[name] = value
	}
	return r
}

// silent hears what probes say that belong to no run of ours.
type silent struct{}

func (silent) line(string, string)  {}
func (silent) part(plan.Part)       {}
func (silent) hold(plan.Held, bool) {}

// line is what a procedure says.
func (r *running) line(mark, text string) {
	r.e.mu.Lock()
	r.say(mark, text)
	r.e.news()
	r.e.mu.Unlock()
	r.flush(false)
}

// flush writes the lines that were said.
func (r *running) flush(durable bool) {
	if trouble := r.lines.flush(durable); trouble != "" {
		r.e.mu.Lock()
		defer r.e.mu.Unlock()
		r.say("warn", "The plain-text log cannot be written any more: "+trouble+". The journal can.")
		r.e.news()
	}
}

// say adds a line to the log of the run and to that in plain text. e.mu is held.
func (r *running) say(mark, text string) {
	if !slices.Contains([]string{"ok", "fail", "warn", "info"}, mark) {
		mark = "info"
	}
	r.lineNo++
	l := plan.Line{N: r.lineNo, At: r.e.now(), Mark: mark, Text: r.e.text(text)}
	if len(r.told) >= plan.MaxLines {
		r.told = slices.Delete(r.told, 0, len(r.told)-plan.MaxLines+1)
	}
	r.told = append(r.told, l)
	r.lines.add(l)
}

// part is how one of the many stands that the step under way works on.
func (r *running) part(p plan.Part) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if r.at < 0 {
		return
	}
	p.Name, p.Detail = r.e.text(p.Name), r.e.text(p.Detail)
	s := &r.steps[r.at]
	if i := slices.IndexFunc(s.Parts, func(old plan.Part) bool { return old.Name == p.Name }); i >= 0 {
		s.Parts[i] = p
	} else if len(s.Parts) < maxParts {
		s.Parts = append(s.Parts, p)
	}
	r.e.news()
}

// hold is what is kept for somebody.
func (r *running) hold(h plan.Held, on bool) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	h.What, h.For = r.e.text(h.What), r.e.text(h.For)
	r.held = slices.DeleteFunc(r.held, func(old plan.Held) bool { return old.What == h.What })
	if on && len(r.held) < maxHeld {
		r.held = append(r.held, h)
	}
	r.e.news()
}

// progress is a picture of the run that shares nothing with it. e.mu is held.
func (r *running) progress() plan.Progress {
	p := plan.Progress{
		Run: r.p.plan.ID, Plan: r.run.plan, State: r.state, Started: r.started, Ended: r.ended, Stopping: r.stopping && r.active,
		Steps: slices.Clone(r.steps), Held: slices.Clone(r.held), Log: slices.Clone(r.told), Trouble: r.trouble, Next: r.next, LogPath: r.lines.name(),
	}
	for i := range p.Steps {
		p.Steps[i].Parts = slices.Clone(p.Steps[i].Parts)
	}
	return p
}

// pictures are all runs. e.mu is held.
func (e *Engine) pictures() []plan.Progress {
	out := make([]plan.Progress, 0, len(e.runs))
	for _, r := range e.runs {
		out = append(out, r.progress())
	}
	return out
}

// Next waits for news and gives the whole picture: every run since the incident was
// attached, oldest first, of those that ended the latest 50. The error is ctx's, or
// says that the engine was closed.
func (e *Engine) Next(ctx context.Context) ([]plan.Progress, error) {
	for {
		e.mu.Lock()
		fresh, closed, changed := e.version != e.told, e.closed, e.changed
		var all []plan.Progress
		if fresh {
			e.told = e.version
			all = e.pictures()
		}
		e.mu.Unlock()
		switch {
		case fresh:
			return all, nil
		case closed:
			return nil, fmt.Errorf("wait for news of recovery runs: %w", errClosed)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for news of recovery runs: %w", ctx.Err())
		case <-changed:
		}
	}
}

// Wait waits for the end of a run and says how it ended. The error is ctx's, or says
// that there is no such run.
func (e *Engine) Wait(ctx context.Context, run string) (plan.Progress, error) {
	for {
		e.mu.Lock()
		changed := e.changed
		i := slices.IndexFunc(e.runs, func(r *running) bool { return r.p.plan.ID == run })
		var p plan.Progress
		if i >= 0 {
			p = e.runs[i].progress()
		}
		e.mu.Unlock()
		switch {
		case i < 0:
			return p, &Refusal{What: "waiting for run " + e.text(run), Why: "it is none of this console", Next: "look at the runs of the incident"}
		case !p.Ended.IsZero():
			return p, nil
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("wait for the end of run %s: %w", run, ctx.Err())
		case <-changed:
		}
	}
}
