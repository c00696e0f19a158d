package recovery

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"warroom/actions"
	"warroom/internal/plan"
)

// part is a plan of another procedure within this one.
type part struct {
	procedure actions.Procedure
	request   plan.Request
	prefix    string // of its step ids, facts and inputs; ends with a slash
	ready     *actions.Prepared
	// late is a part that rests on what the parts before it do: it is prepared once
	// more when its turn comes, and its steps are then those of the same ids.
	late bool
	// told is a part that only looks, in a plan that leaves something open: that not
	// everything is in order by then is said, and is no failure of the run.
	told bool

	mu    sync.Mutex
	fresh *actions.Prepared
}

// prefixOf is stable: the same when the plan is prepared again.
func prefixOf(i int, procedure, target string) string {
	return fmt.Sprintf("%d-%s-%s/", i+1, procedure, strings.ReplaceAll(target, "/", "."))
}

// embed puts the plan of another procedure into a larger one: its steps, with their
// ids, facts and inputs under a prefix, its blast radius, warnings and measures. The
// steps see a run of their own plan.
func (p *part) embed(out *actions.Prepared) {
	own := &p.ready.Plan
	for i := range own.Steps {
		s := own.Steps[i]
		s.ID = p.prefix + s.ID
		s.Title = p.title(s.Title)
		out.Plan.Steps = append(out.Plan.Steps, s)
		out.Steps = append(out.Steps, p.step(i))
	}
	for name, value := range own.Facts {
		out.Plan.Facts[p.prefix+name] = value
	}
	for _, w := range own.Warnings {
		w.ID = p.prefix + w.ID
		out.Plan.Warnings = append(out.Plan.Warnings, w)
	}
	for _, m := range own.Measures {
		m.Step = p.prefix + m.Step
		out.Plan.Measures = append(out.Plan.Measures, m)
	}
	out.Plan.Affected = append(out.Plan.Affected, own.Affected...)
	out.Systems = append(out.Systems, p.ready.Systems...)
	for _, o := range own.Observed {
		out.Plan.Observed = append(out.Plan.Observed, p.observed(o))
	}
}

func (p *part) title(text string) string {
	if p.request.Target == Everything {
		return text
	}
	return p.request.Target + ": " + text
}

func (p *part) observed(o plan.Observed) plan.Observed {
	// What a part observed is the base of its own first change. By its turn, parts
	// before it may have changed what it does not rest on; that it checks itself.
	o.Name = p.title(o.Name)
	return o
}

// observe reads again what the part rests on.
func (p *part) observe(ctx context.Context) ([]plan.Observed, error) {
	if p.ready.Observe == nil {
		return p.all(p.ready.Plan.Observed), nil
	}
	now, err := p.ready.Observe(ctx)
	return p.all(now), err
}

func (p *part) all(list []plan.Observed) []plan.Observed {
	out := make([]plan.Observed, len(list))
	for i, o := range list {
		out[i] = p.observed(o)
	}
	return out
}

// step is a step of the part as one of the larger plan.
func (p *part) step(i int) actions.Step {
	was := p.ready.Steps[i]
	id := p.ready.Plan.Steps[i].ID
	var out actions.Step
	now := func(ctx context.Context, r *actions.Run) (actions.Step, *actions.Run, error) {
		own, err := p.prepared(ctx)
		if err != nil {
			return actions.Step{}, nil, err
		}
		part := own.Plan
		whole := r.Plan()
		part.ID, part.Of, part.Mode, part.Environment, part.Drill, part.Made = whole.ID, whole.Of, whole.Mode, whole.Environment, whole.Drill, whole.Made
		part.Procedure, part.Target, part.Options = p.request.Procedure, p.request.Target, maps.Clone(p.request.Options)
		for j := range own.Plan.Steps {
			if own.Plan.Steps[j].ID == id {
				return own.Steps[j], r.Within(p.prefix, &part), nil
			}
		}
		return actions.Step{}, r.Within(p.prefix, &part), nil // nothing of it is left to do
	}
	errand := func(choose func(actions.Step) func(context.Context, *actions.Run) error) func(context.Context, *actions.Run) error {
		return func(ctx context.Context, r *actions.Run) error {
			s, within, err := now(ctx, r)
			if err != nil {
				return err
			}
			if f := choose(s); f != nil {
				return f(ctx, within)
			}
			return nil
		}
	}
	look := func(choose func(actions.Step) func(context.Context, *actions.Run) (string, error)) func(context.Context, *actions.Run) (string, error) {
		return func(ctx context.Context, r *actions.Run) (string, error) {
			s, within, err := now(ctx, r)
			if err != nil {
				return "", err
			}
			if f := choose(s); f != nil {
				return f(ctx, within)
			}
			return "nothing of it is left to do", nil
		}
	}
	if was.UndoBefore != "" {
		out.UndoBefore = p.prefix + was.UndoBefore
	}
	if was.Check != nil {
		out.Check = errand(func(s actions.Step) func(context.Context, *actions.Run) error { return s.Check })
	}
	if was.Do != nil {
		out.Do = errand(func(s actions.Step) func(context.Context, *actions.Run) error { return s.Do })
	}
	if was.Undo != nil {
		out.Undo = errand(func(s actions.Step) func(context.Context, *actions.Run) error { return s.Undo })
	}
	if was.Verify != nil {
		out.Verify = look(func(s actions.Step) func(context.Context, *actions.Run) (string, error) { return s.Verify })
		if verify := out.Verify; p.told {
			out.Verify = func(ctx context.Context, r *actions.Run) (string, error) {
				found, err := verify(ctx, r)
				if err != nil && ctx.Err() == nil {
					r.Say("warn", "Not everything is in order yet, while something is left to decide: "+err.Error())
					return "looked; not everything is in order yet", nil
				}
				return found, err
			}
		}
	}
	if was.VerifyUndo != nil {
		out.VerifyUndo = look(func(s actions.Step) func(context.Context, *actions.Run) (string, error) { return s.VerifyUndo })
	}
	if was.Probe != nil {
		out.Probe = func(ctx context.Context, r *actions.Run) (plan.Effect, string, error) {
			s, within, err := now(ctx, r)
			if err != nil {
				return plan.Unclear, "", err
			}
			if s.Probe == nil {
				return plan.Took, "nothing of it is left to do", nil
			}
			return s.Probe(ctx, within)
		}
	}
	return out
}

// prepared is what carries the part out: as it was planned, or for one that rests on
// the parts before it, as it is when its turn comes.
func (p *part) prepared(ctx context.Context) (*actions.Prepared, error) {
	if !p.late {
		return p.ready, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fresh != nil {
		return p.fresh, nil
	}
	ready, err := p.procedure.Prepare(ctx, actions.Ask{Request: p.request})
	if err != nil {
		return nil, err
	}
	for i := range ready.Plan.Steps {
		if _, planned := p.ready.Plan.Step(ready.Plan.Steps[i].ID); !planned && ready.Plan.Steps[i].Change {
			if ready.Close != nil {
				ready.Close()
			}
			return nil, &actions.Refusal{
				What: "going on with " + p.request.Procedure + " " + p.request.Target, Why: "by now more is to be done than was planned: " + ready.Plan.Steps[i].Title,
				Next: "plan " + p.request.Procedure + " " + p.request.Target + " by itself",
			}
		}
	}
	p.fresh = ready
	return ready, nil
}

// close gives back what was prepared.
func (p *part) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range []*actions.Prepared{p.ready, p.fresh} {
		if one != nil && one.Close != nil {
			one.Close()
		}
	}
	p.fresh = nil
}

// pastOf is what the part is told of an earlier run of the whole.
func (p *part) pastOf(whole *actions.Past) *actions.Past {
	own := *whole.Plan
	own.Procedure, own.Target, own.Options = p.request.Procedure, p.request.Target, maps.Clone(p.request.Options)
	own.Steps, own.Facts, own.Warnings, own.Measures, own.Observed, own.Inputs = nil, strip(p.prefix, whole.Plan.Facts), nil, nil, nil, nil
	for _, s := range whole.Plan.Steps {
		if id, ok := strings.CutPrefix(s.ID, p.prefix); ok {
			s.ID = id
			own.Steps = append(own.Steps, s)
		}
	}
	for _, w := range whole.Plan.Warnings {
		if id, ok := strings.CutPrefix(w.ID, p.prefix); ok {
			w.ID = id
			own.Warnings = append(own.Warnings, w)
		}
	}
	for _, m := range whole.Plan.Measures {
		if id, ok := strings.CutPrefix(m.Step, p.prefix); ok {
			m.Step = id
			own.Measures = append(own.Measures, m)
		}
	}
	return &actions.Past{Plan: &own, Facts: strip(p.prefix, whole.Facts), Steps: strip(p.prefix, whole.Steps)}
}

// strip are the entries under a prefix, without it.
func strip[V any](prefix string, all map[string]V) map[string]V {
	out := map[string]V{}
	for name, value := range all {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out[rest] = value
		}
	}
	return out
}
