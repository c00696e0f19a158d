package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// put stores a new password as pending: the current value with other fields. It is
// never anywhere before it is there.
func (r *rotation) put(ctx context.Context) error {
	v, err := r.place.Read(ctx, r.base)
	if err != nil {
		return err
	}
	c := postgres.Credential{User: r.user, Password: clients.NewPassword(max(r.db.Length, 32))}
	c.Know(r.systems)
	value, err := v.With(r.fields(c))
	if err != nil {
		return err
	}
	store.Know(r.systems, value)
	return r.place.Put(ctx, store.Draft{Version: r.token, Base: r.base, Claim: r.claim, Value: value})
}

// setStep has the database take the pending password.
func (r *rotation) setStep() part {
	calls := []string{"log in to " + r.primary.Place() + " as " + r.whose()}
	if r.create {
		calls = append(calls, strings.Replace(postgres.Shown(r.user, r.db.PlainText != "", r.until), "ALTER ROLE", "CREATE ROLE", 1)+" LOGIN",
			"GRANT "+postgres.Quote(r.old)+" TO "+postgres.Quote(r.user))
	} else {
		calls = append(calls, postgres.Shown(r.user, r.db.PlainText != "", r.until))
	}
	before := ""
	if r.same() {
		before = stepPromote // the label goes back once the database is: not to a password that it refuses
	}
	return part{
		Step: plan.Step{
			ID: stepSet, Title: "Set the password of " + r.user + " at the primary", Where: r.primary.System(), Change: true, Limit: 2 * time.Minute,
			Calls: calls, Before: "the pending password is read back from the store, and the lock is ours",
			Verify: "log in to " + r.primary.Place() + " with the pending password", Undo: r.undoSet(),
		},
		do: actions.Step{
			Check: func(ctx context.Context, _ *actions.Run) error {
				if err := r.undisturbed(ctx); err != nil {
					return err
				}
				_, err := r.read(ctx, r.token)
				return err
			},
			Do: r.set, Probe: r.probeSet,
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
				c, err := r.read(ctx, r.token)
				if err != nil {
					return "", err
				}
				a := r.book.Try(ctx, r.systems, r.primary, c)
				if !a.Right() {
					return "", a.Refused(r.primary, c.User)
				}
				return "the primary takes the password of version " + store.Short(r.token), nil
			},
			Undo: r.unset, VerifyUndo: r.verifyUnset, UndoBefore: before,
		},
	}
}

func (r *rotation) undoSet() string {
	if !r.same() {
		return "the password of " + r.user + " is set back where an earlier one is stored; " + r.old + " was not touched"
	}
	return "ALTER ROLE " + postgres.Quote(r.user) + " with a verifier of the password of version " + store.Short(r.base) + "; poolers are told; seen by logging in everywhere"
}

func (r *rotation) set(ctx context.Context, run *actions.Run) error {
	c, err := r.read(ctx, r.token)
	if err != nil {
		return err
	}
	return r.setTo(ctx, run, c, r.until)
}

// setTo sets the password of a role to that of a stored version.
func (r *rotation) setTo(ctx context.Context, run *actions.Run, c postgres.Credential, until string) error {
	secret, err := postgres.Verifier(c.Password, r.db.PlainText != "")
	if err != nil {
		return err
	}
	s, err := r.locked(ctx, run)
	if err != nil {
		return err
	}
	role, err := postgres.RoleOf(ctx, s, c.User)
	if err != nil {
		return err
	}
	sql := []string{postgres.SetPassword(c.User, secret, until)}
	switch {
	case !role.Exists && r.create:
		sql = postgres.MakeClone(c.User, r.old, secret, until)
	case !role.Exists:
		return &actions.Refusal{What: "setting the password of role " + c.User, Why: "there is no such role at " + r.primary.Place(), Next: "make it, or correct the stored user"}
	case r.create:
		sql = append(sql, postgres.Grant(r.old, c.User))
	}
	doing := fmt.Sprintf("set the password of role %s at %s", c.User, r.primary.Place())
	for _, one := range sql {
		if err := s.Change(ctx, doing, one); err != nil {
			return explain(err, r)
		}
	}
	r.book.Changed(c.User)
	run.Say("ok", fmt.Sprintf("the primary has the password of version %s for %s", store.Short(c.Version), c.User))
	return nil
}

// explain says what a refusal of the database means here.
func explain(err error, r *rotation) error {
	var said *clients.SQLError
	if !errors.As(err, &said) || said.SQLState != "42501" {
		return err
	}
	f := *said.Failure
	f.Next = fmt.Sprintf("%s may not set it: name an administrator (rotation.database.admin of %s) with CREATEROLE, from PostgreSQL 16 on also with ADMIN OPTION on the role; superusers are changed by superusers only",
		r.whose(), r.place.Name())
	return &f
}

// probeSet looks which password the primary takes. A refusal tells that it is not the
// pending one; whatever else it is, it is set again.
func (r *rotation) probeSet(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
	c, err := r.read(ctx, r.token)
	var empty *store.Empty
	if errors.As(err, &empty) {
		return plan.NotDone, "no pending password is stored", nil
	}
	if err != nil {
		return plan.Unclear, "", err
	}
	switch a := r.book.Try(ctx, r.systems, r.primary, c); {
	case a.Right():
		return plan.Took, "the primary takes the pending password", nil
	case a.Wrong():
		return plan.NotDone, "the primary does not take the pending password: " + a.Words(), nil
	default:
		return plan.Unclear, "the primary did not say: " + a.Words(), a.Err
	}
}

// unset puts the earlier password back, and has the poolers take it up.
func (r *rotation) unset(ctx context.Context, run *actions.Run) error {
	if err := r.ours(ctx); err != nil {
		return err
	}
	if r.same() {
		c, err := r.read(ctx, r.base)
		if err != nil {
			return err
		}
		if err := r.setTo(ctx, run, c, r.endBack(r.now())); err != nil {
			return err
		}
		return r.reload(ctx, run, c)
	}
	// Of two that alternate the other was not touched. Its earlier password is that of
	// the version before the last.
	if r.previous == "" {
		return nil
	}
	c, err := r.read(ctx, r.previous)
	var empty *store.Empty
	if errors.As(err, &empty) || err == nil && c.User != r.user {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.setTo(ctx, run, c, r.endBack(r.now())); err != nil {
		return err
	}
	old, err := r.read(ctx, r.base)
	if err != nil {
		return err
	}
	return r.reload(ctx, run, old)
}

func (r *rotation) verifyUnset(ctx context.Context, run *actions.Run) (string, error) {
	c, err := r.read(ctx, r.base)
	if err != nil {
		return "", err
	}
	if r.shut {
		if as, found, err := r.asBefore(ctx, c); err != nil || as {
			return found, err
		}
	}
	if _, err := r.waitReplicas(ctx, run, c); err != nil {
		return "", err
	}
	return r.everywhere(ctx, run, c, "the earlier password")
}

// asBefore reports whether the primary still takes neither the earlier password, which
// did not log in before the run, nor the new one: then nothing was set.
func (r *rotation) asBefore(ctx context.Context, earlier postgres.Credential) (bool, string, error) {
	if a := r.book.Try(ctx, r.systems, r.primary, earlier); !a.Wrong() {
		return false, "", nil // it is let in by now, or the primary does not say
	}
	c, err := r.read(ctx, r.token)
	var empty *store.Empty
	switch {
	case errors.As(err, &empty):
	case err != nil:
		return false, "", err
	default:
		if a := r.book.Try(ctx, r.systems, r.primary, c); !a.Wrong() {
			return false, "", a.Err
		}
	}
	return true, "the primary takes neither the earlier nor the new password, as before the run", nil
}

// replayStep waits until the replicas know the new password.
func (r *rotation) replayStep() part {
	return part{
		Step: plan.Step{
			ID: stepReplay, Title: "Wait until every replica knows it", Where: names(r.replicas, postgres.Target.System), Limit: r.replayLimit() + 30*time.Second,
			Calls:  []string{"SELECT pg_current_wal_lsn() on " + r.primary.Place(), "SELECT pg_last_wal_replay_lsn() on " + names(r.replicas, postgres.Target.Place)},
			Verify: "each has replayed what the primary had written after the change",
		},
		do: actions.Step{Verify: func(ctx context.Context, run *actions.Run) (string, error) {
			c, err := r.read(ctx, r.token)
			if err != nil {
				return "", err
			}
			return r.waitReplicas(ctx, run, c)
		}},
	}
}

func (r *rotation) replayLimit() time.Duration {
	return cmp.Or(r.systems.Config.Recovery.Replay, 2*time.Minute)
}

// waitReplicas waits for all replicas at once. c works on the primary now; on a
// replica that has not replayed, the other version does.
func (r *rotation) waitReplicas(ctx context.Context, run *actions.Run, c postgres.Credential) (string, error) {
	if len(r.replicas) == 0 {
		return "there are no replicas", nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.replayLimit())
	defer cancel()
	var older []postgres.Credential
	for _, version := range []string{r.base, r.token} {
		if o, err := r.read(ctx, version); err == nil && o.Version != c.Version {
			older = append(older, o)
		}
	}
	s, err := postgres.Watch(ctx, r.systems, r.book, r.primary, r.other, c)
	if err != nil {
		return "", err
	}
	defer s.Close()
	to, err := postgres.WrittenLSN(ctx, s, r.primary)
	var f *estate.Failure
	if errors.As(err, &f) && f.Kind == estate.NotSupported {
		run.Say("warn", "the primary does not tell positions in its WAL: replicas are judged by logging in alone")
		return "positions are not told here", nil
	}
	if err != nil {
		return "", err
	}
	errs := make([]error, len(r.replicas))
	var left []string
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, t := range r.replicas {
		all.Go(func() {
			run.Part(plan.Part{Name: t.Name, State: plan.Running, Detail: "waiting for " + to.String()})
			err := r.waitReplica(ctx, run, t, to, append([]postgres.Credential{c}, older...))
			var paused *postgres.PausedError
			if errors.As(err, &paused) && slices.Contains(r.paused, string(t.ID)) {
				mu.Lock()
				left = append(left, t.Name)
				mu.Unlock()
				run.Part(plan.Part{Name: t.Name, State: plan.Skipped, Detail: "replay is paused, as the plan said"})
				run.Say("warn", paused.Error())
				return
			}
			if errs[i] = err; err != nil {
				run.Part(plan.Part{Name: t.Name, State: plan.Failed, Detail: err.Error()})
				return
			}
			run.Part(plan.Part{Name: t.Name, State: plan.Done, Detail: "has replayed " + to.String()})
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	if len(left) > 0 {
		slices.Sort(left)
		return "all but " + strings.Join(left, ", ") + ", where replay is paused", nil
	}
	return fmt.Sprintf("%d of %d have replayed %s", len(r.replicas), len(r.replicas), to), nil
}

func (r *rotation) waitReplica(ctx context.Context, run *actions.Run, t postgres.Target, to postgres.LSN, any []postgres.Credential) error {
	s, err := postgres.Watch(ctx, r.systems, r.book, t, r.other, any...)
	if err != nil {
		return err
	}
	defer s.Close()
	err = postgres.WaitReplay(ctx, s, t, to, func(behind uint64) {
		run.Part(plan.Part{Name: t.Name, State: plan.Running, Detail: fmt.Sprintf("%d bytes behind", behind)})
	})
	if err == nil {
		r.book.Replayed(t)
	}
	return err
}

// testStep logs in everywhere with what is pending.
func (r *rotation) testStep() part {
	return part{
		Step: plan.Step{
			ID: stepTest, Title: "Log in everywhere with the pending password", Where: names(r.all(), postgres.Target.System), Limit: 2 * time.Minute,
			Calls:  []string{"log in to " + names(r.all(), postgres.Target.Place) + " as " + r.user, "SELECT count(*) FROM pg_database"},
			Verify: "every server lets it in and answers a read",
		},
		do: actions.Step{Verify: func(ctx context.Context, run *actions.Run) (string, error) {
			c, err := r.read(ctx, r.token)
			if err != nil {
				return "", err
			}
			return r.serversTake(ctx, run, c, "the pending password")
		}},
	}
}

// serversTake logs in on every server and reads.
func (r *rotation) serversTake(ctx context.Context, run *actions.Run, c postgres.Credential, what string) (string, error) {
	targets := r.all()
	errs := make([]error, len(targets))
	var all sync.WaitGroup
	var mu sync.Mutex
	tried := 0
	for i, t := range targets {
		all.Go(func() {
			if left, err := r.leftBehind(ctx, t, c); left && err == nil {
				run.Part(plan.Part{Name: t.Name, State: plan.Skipped, Detail: "replay is paused, as the plan said: it refuses " + what + " until it is resumed"})
				return
			}
			s, a := r.book.Open(ctx, r.systems, t, c)
			if s == nil {
				errs[i] = a.Refused(t, c.User)
				run.Part(plan.Part{Name: t.Name, State: plan.Failed, Detail: a.Words()})
				return
			}
			defer s.Close()
			n := 0
			err := s.Read(ctx, "read from "+t.Place()+" as "+c.User, "SELECT count(*) FROM pg_database", nil, func(scan func(...any) error) error { return scan(&n) })
			if errs[i] = err; err != nil {
				run.Part(plan.Part{Name: t.Name, State: plan.Failed, Detail: err.Error()})
				return
			}
			mu.Lock()
			tried++
			mu.Unlock()
			run.Part(plan.Part{Name: t.Name, State: plan.Done, Detail: "logged in and read"})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d servers take %s", tried, len(targets), what), nil
}

// leftBehind reports whether a replica is one that the plan leaves behind, and still
// is paused.
func (r *rotation) leftBehind(ctx context.Context, t postgres.Target, c postgres.Credential) (bool, error) {
	if !slices.Contains(r.paused, string(t.ID)) {
		return false, nil
	}
	s, err := postgres.Watch(ctx, r.systems, r.book, t, r.other)
	if err != nil {
		// Only the monitoring role tells. Without it the login decides.
		return false, err
	}
	defer s.Close()
	replay, err := postgres.ReplayOf(ctx, s, t)
	return replay.Paused, err
}

// everywhere is serversTake, and the poolers where they can be tried.
func (r *rotation) everywhere(ctx context.Context, run *actions.Run, c postgres.Credential, what string) (string, error) {
	found, err := r.serversTake(ctx, run, c, what)
	if err != nil {
		return "", err
	}
	for _, p := range r.poolers {
		if p.Database == "" {
			continue
		}
		a := p.Try(ctx, r.systems, r.book, c)
		if !a.Works() {
			run.Part(plan.Part{Name: p.Name, State: plan.Failed, Detail: a.Words()})
			return "", fmt.Errorf("log in through pooler %s at %s as %s: %s; have it RELOAD and RECONNECT, and see its server_login_retry", p.Name, p.Place(), c.User, a.Words())
		}
		run.Part(plan.Part{Name: p.Name, State: plan.Done, Detail: "logged in through it"})
		found += ", pooler " + p.Name + " too"
	}
	return found, nil
}
