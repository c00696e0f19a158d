package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"warroom/actions"
	"warroom/internal/plan"
)

// together carries out one step of all secrets of a wave at once. It is done when it
// is done of each; what came of it is looked at for each.
func together(id string, group []member) actions.Step {
	g := &crowd{group: group}
	has := func(f func(actions.Step) bool) bool {
		return slices.ContainsFunc(group, func(m member) bool { return f(m.step()) })
	}
	var out actions.Step
	if has(func(s actions.Step) bool { return s.Check != nil }) {
		out.Check = func(ctx context.Context, run *actions.Run) error {
			return g.all(ctx, run, "may be begun", func(ctx context.Context, run *actions.Run, s actions.Step) error {
				if s.Check == nil {
					return nil
				}
				if done, err := settled(ctx, run, s); done || err != nil {
					return err
				}
				return s.Check(ctx, run)
			})
		}
	}
	if has(func(s actions.Step) bool { return s.Do != nil }) {
		out.Do = func(ctx context.Context, run *actions.Run) error {
			return g.all(ctx, run, "done; to be verified", func(ctx context.Context, run *actions.Run, s actions.Step) error {
				if s.Do == nil {
					return nil
				}
				if done, err := settled(ctx, run, s); done || err != nil {
					return err
				}
				return s.Do(ctx, run)
			})
		}
	}
	if has(func(s actions.Step) bool { return s.Probe != nil }) {
		out.Probe = g.probe
	}
	if has(func(s actions.Step) bool { return s.Verify != nil }) {
		out.Verify = func(ctx context.Context, run *actions.Run) (string, error) {
			text, err := g.look(ctx, run, func(s actions.Step) func(context.Context, *actions.Run) (string, error) { return s.Verify })
			if err == nil && id == stepClear {
				g.release(run) // the rotation is over
			}
			return text, err
		}
	}
	if has(func(s actions.Step) bool { return s.Undo != nil }) {
		out.Undo = func(ctx context.Context, run *actions.Run) error {
			return g.all(ctx, run, "undone; to be verified", func(ctx context.Context, run *actions.Run, s actions.Step) error {
				if s.Undo == nil {
					return nil
				}
				if none, err := settled(ctx, run, s); none || err != nil {
					return err
				}
				return s.Undo(ctx, run)
			})
		}
		out.VerifyUndo = func(ctx context.Context, run *actions.Run) (string, error) {
			text, err := g.look(ctx, run, func(s actions.Step) func(context.Context, *actions.Run) (string, error) { return s.VerifyUndo })
			if err == nil && id == stepPending {
				g.release(run)
			}
			return text, err
		}
	}
	return out
}

// settled reports whether a step need not be done of one secret: a run that takes up
// an earlier one leaves alone what that did, and one that goes back what it did not do.
// Where that cannot be told, it is done: every step may be done twice.
func settled(ctx context.Context, run *actions.Run, s actions.Step) (bool, error) {
	mode := run.Plan().Mode
	if s.Probe == nil || mode != plan.Resume && mode != plan.Back {
		return false, nil
	}
	effect, _, err := s.Probe(ctx, run)
	if err != nil && ctx.Err() != nil {
		return false, ctx.Err()
	}
	return err == nil && (mode == plan.Resume && effect == plan.Took || mode == plan.Back && effect == plan.NotDone), nil
}

// crowd are the secrets of a wave that share a step.
type crowd struct{ group []member }

// failures are several errors at once: each is told, and each is found by whoever looks for its type.
type failures struct {
	of   int // how many secrets there were
	errs []error
}

func (f *failures) Error() string {
	var all []string
	for _, err := range f.errs {
		all = append(all, err.Error())
	}
	if f.of == 1 {
		return all[0]
	}
	return fmt.Sprintf("of %d of %d: %s", len(all), f.of, first(all, 5))
}

func (f *failures) Unwrap() []error { return f.errs }

// each does the same of every secret at once, and gives what came of each.
func (g *crowd) each(run *actions.Run, do func(i int, run *actions.Run, s actions.Step) error) error {
	errs := make([]error, len(g.group))
	var wait sync.WaitGroup
	for i, m := range g.group {
		wait.Go(func() {
			own := run.Within(m.name+" ", &m.ready.Plan).Named(m.name)
			defer func() {
				if recover() != nil { // what it says may be a secret
					errs[i] = errors.New("a fault of warroom's own stopped it")
				}
			}()
			if err := do(i, own, m.step()); err != nil {
				errs[i] = fmt.Errorf("%s: %w", m.name, err)
			}
		})
	}
	wait.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	return &failures{len(g.group), errs}
}

// all does something of every secret, and tells of each how it stands.
func (g *crowd) all(ctx context.Context, run *actions.Run, done string, do func(context.Context, *actions.Run, actions.Step) error) error {
	return g.each(run, func(i int, own *actions.Run, s actions.Step) error {
		name := g.group[i].name
		run.Part(plan.Part{Name: name, State: plan.Running})
		err := do(ctx, own, s)
		if err != nil {
			run.Part(plan.Part{Name: name, State: plan.Failed, Detail: err.Error()})
			return err
		}
		run.Part(plan.Part{Name: name, State: plan.Running, Detail: done})
		return nil
	})
}

// look verifies something of every secret.
func (g *crowd) look(ctx context.Context, run *actions.Run, choose func(actions.Step) func(context.Context, *actions.Run) (string, error)) (string, error) {
	found := make([]string, len(g.group))
	err := g.each(run, func(i int, own *actions.Run, s actions.Step) (err error) {
		name := g.group[i].name
		if f := choose(s); f != nil {
			if found[i], err = f(ctx, own); err != nil {
				run.Part(plan.Part{Name: name, State: plan.Failed, Detail: err.Error()})
				return err
			}
		}
		run.Part(plan.Part{Name: name, State: plan.Done, Detail: found[i]})
		return nil
	})
	if err != nil {
		return "", err
	}
	for i, m := range g.group {
		found[i] = wordsOf(m.one).Replace(found[i])
	}
	return fmt.Sprintf("%d of %d: %s", len(g.group), len(g.group), first(unique(found), 3)), nil
}

// probe looks of which secrets the step took effect.
func (g *crowd) probe(ctx context.Context, run *actions.Run) (plan.Effect, string, error) {
	effects, found := make([]plan.Effect, len(g.group)), make([]string, len(g.group))
	err := g.each(run, func(i int, own *actions.Run, s actions.Step) (err error) {
		effects[i] = plan.Unclear
		if s.Probe == nil {
			effects[i] = plan.Took // it changes nothing
			return nil
		}
		effects[i], found[i], err = s.Probe(ctx, own)
		return err
	})
	counts := map[plan.Effect][]string{}
	for i, m := range g.group {
		counts[effects[i]] = append(counts[effects[i]], m.name)
	}
	if n := len(g.group); len(counts) == 1 && err == nil {
		return effects[0], fmt.Sprintf("%d of %d: %s", n, n, first(unique(found), 2)), nil
	}
	var text []string
	for _, effect := range []plan.Effect{plan.Took, plan.NotDone, plan.Partly, plan.Unclear} {
		if names := counts[effect]; len(names) > 0 {
			text = append(text, fmt.Sprintf("of %d it %s (%s)", len(names), effect, first(names, atOnce)))
		}
	}
	if err != nil || len(counts[plan.Unclear]) > 0 {
		return plan.Unclear, strings.Join(text, ", "), err
	}
	return plan.Partly, strings.Join(text, ", "), nil
}

// release gives back the locks of a wave whose rotations are over.
func (g *crowd) release(run *actions.Run) {
	for _, m := range g.group {
		m.ready.Close()
		run.Hold(plan.Held{What: m.held}, false)
	}
}
