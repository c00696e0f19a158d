package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/plan"
)

// numbered is a copy with its place among the facts.
type numbered struct {
	store.Copy
	n int
}

// copiesOf are the copies that follow the store, or those that are written.
func (r *rotation) copiesOf(follow bool) []numbered {
	var out []numbered
	for i, c := range r.copied {
		if c.Follows() == follow && !slices.Contains(r.out, i) {
			out = append(out, numbered{c, i})
		}
	}
	return out
}

// each does the same to many copies at once, and tells of each.
func (r *rotation) each(run *actions.Run, all []numbered, done string, do func(numbered) error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, c := range all {
		wait.Go(func() {
			run.Part(plan.Part{Name: c.Name(), State: plan.Running})
			if errs[i] = do(c); errs[i] != nil {
				run.Part(plan.Part{Name: c.Name(), State: plan.Failed, Detail: errs[i].Error()})
				return
			}
			run.Part(plan.Part{Name: c.Name(), State: plan.Done, Detail: done})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// compare reports how many copies hold the values.
func (r *rotation) compare(ctx context.Context, all []numbered, c postgres.Credential) (int, string, error) {
	same, other := 0, ""
	for _, one := range all {
		ok, err := one.Same(ctx, r.fields(c))
		switch {
		case err != nil:
			return same, "", err
		case ok:
			same++
		case other == "":
			other = one.Name()
		}
	}
	return same, other, nil
}

// hold is that copies hold a version.
func (r *rotation) hold(ctx context.Context, all []numbered, version string) (string, error) {
	c, err := r.read(ctx, version)
	if err != nil {
		return "", err
	}
	same, other, err := r.compare(ctx, all, c)
	if err == nil && other != "" {
		err = fmt.Errorf("compare the copies of %s: %s does not hold version %s; see who else writes it, then resume the run", r.place.Name(), other, store.Short(version))
	}
	return fmt.Sprintf("%d of %d hold version %s", same, len(all), store.Short(version)), err
}

// probeCopies looks which copies hold the new version.
func (r *rotation) probeCopies(ctx context.Context, all []numbered) (plan.Effect, string, error) {
	c, err := r.read(ctx, r.token)
	if err != nil {
		return plan.Unclear, "", err
	}
	same, other, err := r.compare(ctx, all, c)
	found := fmt.Sprintf("%d of %d copies hold the new password", same, len(all))
	switch {
	case err != nil:
		return plan.Unclear, "", err
	case other == "":
		return plan.Took, found, nil
	case same == 0:
		return plan.NotDone, found, nil
	}
	return plan.Partly, found, nil
}

// putBack gives copies what they held before the run.
func (r *rotation) putBack(ctx context.Context, run *actions.Run, all []numbered) error {
	if len(all) == 0 {
		return nil
	}
	c, err := r.read(ctx, r.base)
	if err != nil {
		return err
	}
	fresh, err := r.read(ctx, r.token)
	if err != nil {
		return err
	}
	return r.each(run, all, "does not hold the new password", func(one numbered) error {
		// What somebody else has put there since is theirs.
		if is, err := one.Same(ctx, r.fields(fresh)); err != nil || !is {
			return err
		}
		return one.Back(ctx, r.held[one.n], r.fields(c))
	})
}

// areBack is that copies hold what they held before the run.
func (r *rotation) areBack(ctx context.Context, all []numbered) (string, error) {
	c, err := r.read(ctx, r.base)
	if err != nil {
		return "", err
	}
	for _, one := range all {
		now, err := one.Look(ctx)
		if err != nil {
			return "", err
		}
		same, err := one.Same(ctx, r.fields(c))
		if err != nil {
			return "", err
		}
		if now == r.held[one.n] || same {
			continue
		}
		// A copy that held something else before holds that again, under a version of
		// its own; only the new password must be gone.
		fresh, err := r.read(ctx, r.token)
		if err != nil {
			return "", err
		}
		if is, err := one.Same(ctx, r.fields(fresh)); err != nil || is {
			return "", errors.Join(err, fmt.Errorf("put back %s: it still holds the new password; put it back by hand", one.Name()))
		}
	}
	return fmt.Sprintf("%d of %d hold what they held before", len(all), len(all)), nil
}

// copiesStep updates the copies that are written.
func (r *rotation) copiesStep() part {
	written := r.copiesOf(false)
	var calls []string
	where := ""
	for _, c := range written {
		calls = append(calls, c.Calls()...)
		where = c.System()
	}
	return part{
		Step: plan.Step{
			ID: stepCopies, Title: "Update " + store.Counted(len(written), "written copy", "written copies"), Where: where, Change: true, Limit: 2 * time.Minute,
			Calls: calls, Before: "the pending password works everywhere", Verify: "each is read back and compared",
			Undo: "each is put back to what it held",
		},
		do: actions.Step{
			Check: func(ctx context.Context, _ *actions.Run) error { return r.undisturbed(ctx) },
			Do: func(ctx context.Context, run *actions.Run) error {
				c, err := r.read(ctx, r.token)
				if err != nil {
					return err
				}
				return r.each(run, written, "holds the new password", func(one numbered) error { return one.Put(ctx, r.token, r.fields(c)) })
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				return r.probeCopies(ctx, written)
			},
			Verify:     func(ctx context.Context, _ *actions.Run) (string, error) { return r.hold(ctx, written, r.token) },
			Undo:       func(ctx context.Context, run *actions.Run) error { return r.putBack(ctx, run, written) },
			VerifyUndo: func(ctx context.Context, _ *actions.Run) (string, error) { return r.areBack(ctx, written) },
		},
	}
}

// followStep has the copies that follow the store take the new value.
func (r *rotation) followStep() part {
	follow := r.copiesOf(true)
	var calls []string
	for _, c := range follow {
		calls = append(calls, c.Calls()...)
	}
	return part{
		Step: plan.Step{
			ID: stepFollow, Title: "Sync " + store.Counted(len(follow), "ExternalSecret", "ExternalSecrets"), Where: follow[0].System(), Change: true, Limit: 3 * time.Minute, Calls: calls,
			Before: "the new password is current", Verify: "the status is of the object that was told, and the Secret has the new password",
			Undo: "nothing by itself: they sync again once the earlier password is current",
		},
		do: actions.Step{
			Check: r.handsOut,
			Do: func(ctx context.Context, run *actions.Run) error {
				c, err := r.read(ctx, r.token)
				if err != nil {
					return err
				}
				return r.each(run, follow, "synced, and has the new password", func(one numbered) error { return one.Put(ctx, r.token, r.fields(c)) })
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				return r.probeCopies(ctx, follow)
			},
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) { return r.hold(ctx, follow, r.token) },
		},
	}
}

// poolersStep has the poolers take up the new password. Its undoing is part of that of
// setting the password: before that, the earlier one does not work through them.
func (r *rotation) poolersStep() part {
	var calls []string
	for _, p := range r.poolers {
		if p.UserList != "" {
			calls = append(calls, "replace the line of "+r.user+" in "+p.UserList)
		}
		calls = append(calls, "RELOAD and RECONNECT at "+p.Place())
	}
	return part{
		Step: plan.Step{
			ID: stepPoolers, Title: "Have the poolers take it up", Where: "postgres:" + r.poolers[0].Place(), Change: true, Limit: 2 * time.Minute, Calls: calls,
			Before: "the new password is current", Verify: "log in through each of them",
			Undo: "nothing by itself: they are told again once the database has the earlier password",
		},
		do: actions.Step{
			Check: r.handsOut,
			Do: func(ctx context.Context, run *actions.Run) error {
				c, err := r.read(ctx, r.token)
				if err != nil {
					return err
				}
				return r.reload(ctx, run, c)
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				// What a pooler has in memory it does not tell; to be told twice does no harm.
				return plan.NotDone, "poolers do not tell what they have read", nil
			},
			Verify: func(ctx context.Context, run *actions.Run) (string, error) {
				c, err := r.read(ctx, r.token)
				if err != nil {
					return "", err
				}
				for _, p := range r.poolers {
					if p.UserList == "" {
						continue
					}
					ok, err := p.HasLine(c.User, r.otherOf(c.User), c.Password)
					if err == nil && !ok {
						err = fmt.Errorf("read %s: the line of %s is not the new one; resume the run", p.UserList, c.User)
					}
					if err != nil {
						return "", err
					}
				}
				return r.everywhere(ctx, run, c, "the new password")
			},
		},
	}
}

// otherOf is the other of two users that alternate; the same where there is one.
func (r *rotation) otherOf(user string) string {
	if user == r.user {
		return r.old
	}
	return r.user
}

// reload gives the poolers a password, and has them read it.
func (r *rotation) reload(ctx context.Context, run *actions.Run, c postgres.Credential) error {
	for _, p := range r.poolers {
		admin, err := r.other(ctx, p.Secret)
		if err != nil {
			return err
		}
		if p.UserList != "" {
			if err := p.SetLine(ctx, c.User, r.otherOf(c.User), c.Password); err != nil {
				return err
			}
		}
		if err := p.Reload(ctx, r.systems, admin); err != nil {
			return err
		}
		p.Replayed(r.book)
		run.Part(plan.Part{Name: p.Name, State: plan.Done, Detail: "told to reload and reconnect"})
	}
	return nil
}

// verifyStep looks at everything once more, with what the store says is current.
func (r *rotation) verifyStep() part {
	every := append(r.copiesOf(false), r.copiesOf(true)...)
	return part{
		Step: plan.Step{
			ID: stepVerify, Title: "Verify everything with the current value", Where: r.primary.System(), Limit: 3 * time.Minute,
			Calls:  []string{"read AWSCURRENT of " + r.place.Name() + " again", "log in to " + names(r.all(), postgres.Target.Place) + " with it"},
			Verify: "the store, every server and every copy agree",
		},
		do: actions.Step{Verify: func(ctx context.Context, run *actions.Run) (string, error) {
			s, err := r.place.Look(ctx)
			if err != nil {
				return "", err
			}
			if done, err := r.place.Promoted(ctx, s, r.base, r.token); err != nil || !done {
				return "", errors.Join(err, fmt.Errorf("verify %s: AWSCURRENT is on version %s and not on %s; see who moved it", r.place.Name(), store.Short(s.Current), store.Short(r.token)))
			}
			c, err := r.read(ctx, s.Current)
			if err != nil {
				return "", err
			}
			found, err := r.everywhere(ctx, run, c, "what is current")
			if err != nil || len(every) == 0 {
				return found, err
			}
			copies, err := r.hold(ctx, every, s.Current)
			return found + "; of the copies " + copies, err
		}},
	}
}
