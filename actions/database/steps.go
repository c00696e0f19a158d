package database

import (
	"context"
	"fmt"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/incident"
	"warroom/internal/plan"
)

// The steps of a rotation, in their order. Their ids are stable.
const (
	stepCancel  = "cancel"  // the scheduled rotation
	stepLock    = "lock"    // the role
	stepPending = "pending" // store the new password
	stepSet     = "set"     // at the database
	stepReplay  = "replay"  // wait for replicas
	stepTest    = "test"    // log in everywhere
	stepCopies  = "copies"  // that are written
	stepPromote = "promote" // make it current
	stepFollow  = "follow"  // copies that follow the store
	stepPoolers = "poolers"
	stepVerify  = "verify"
	stepClear   = "clear" // labels and tags

	stepResume = "resume" // the scheduled rotation, by a procedure of its own
)

// part is one step, as it is told and as it is carried out.
type part struct {
	plan.Step
	do actions.Step
}

// steps are made from facts and configuration alone.
func (r *rotation) steps(s store.State) []part {
	var all []part
	if r.cancel {
		all = append(all, r.cancelStep(s))
	}
	if r.drop {
		return append(all, r.clearStep(s))
	}
	all = append(all, r.lockStep())
	all = append(all, r.pendingStep(s))
	if r.form != formA {
		all = append(all, r.setStep())
	}
	if len(r.replicas) > 0 {
		all = append(all, r.replayStep())
	}
	all = append(all, r.testStep())
	if len(r.copiesOf(false)) > 0 {
		all = append(all, r.copiesStep())
	}
	all = append(all, r.promoteStep(s))
	if len(r.copiesOf(true)) > 0 {
		all = append(all, r.followStep())
	}
	if len(r.poolers) > 0 {
		all = append(all, r.poolersStep())
	}
	return append(all, r.verifyStep(), r.clearStep(s))
}

// cancelStep keeps the scheduler from rotating at the same time.
func (r *rotation) cancelStep(s store.State) part { return switched(r.place, s, false) }

// switched turns the scheduled rotation of a secret off, or on again.
func switched(place store.Place, s store.State, on bool) part {
	set := func(ctx context.Context, on bool) error {
		if on {
			return store.ResumeRotation(ctx, place)
		}
		return store.CancelRotation(ctx, place)
	}
	verify := func(ctx context.Context, on bool) (string, error) {
		s, err := place.Look(ctx)
		if err == nil && s.Schedule.On != on {
			err = fmt.Errorf("turn the scheduled rotation of %s to what it should be: %s; see who may have changed it", place.Name(), onOff(s.Schedule.On))
		}
		return onOff(on), err
	}
	// Secrets Manager turns no rotation on while a version is pending.
	barred := func(ctx context.Context) (string, error) {
		if on {
			return "", nil // undone, it is off
		}
		s, err := place.Look(ctx)
		if err != nil || s.Pending == "" || s.Schedule.On {
			return "", err
		}
		return fmt.Sprintf("rotation stays off while version %s is pending: recover-pending %s first, then resume-rotation %s", store.Short(s.Pending), place.Name(), place.Name()), nil
	}
	one := plan.Step{
		ID: stepCancel, Title: "Cancel the scheduled rotation", Where: place.System(), Change: true, Limit: time.Minute,
		Calls: place.Calls("cancel", s, ""), Verify: "DescribeSecret says RotationEnabled false",
		Undo: "RotateSecret " + place.Name() + " RotateImmediately=false, with the schedule that it has; Secrets Manager refuses that while a version is pending: then it stays off, as an open measure",
	}
	if on {
		one.ID, one.Title, one.Calls = stepResume, "Resume the scheduled rotation", place.Calls("resume", s, "")
		one.Verify, one.Undo = "DescribeSecret says RotationEnabled true", "CancelRotateSecret "+place.Name()
	}
	return part{
		Step: one,
		do: actions.Step{
			Do: func(ctx context.Context, run *actions.Run) error {
				if err := set(ctx, on); err != nil {
					return err
				}
				if !on {
					run.Say("warn", "the scheduled rotation of "+place.Name()+" is off: resume it when this is over (resume-rotation "+place.Name()+")")
				}
				return nil
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				s, err := place.Look(ctx)
				if err != nil {
					return plan.Unclear, "", err
				}
				return effect(s.Schedule.On == on), onOff(s.Schedule.On), nil
			},
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) { return verify(ctx, on) },
			Undo: func(ctx context.Context, run *actions.Run) error {
				why, err := barred(ctx)
				if err != nil {
					return err
				}
				if why != "" {
					run.Say("warn", why)
					return nil
				}
				return set(ctx, !on)
			},
			VerifyUndo: func(ctx context.Context, run *actions.Run) (string, error) {
				why, err := barred(ctx)
				if err != nil {
					return "", err
				}
				if why != "" {
					run.Stays(measureOf(place))
					return why, nil
				}
				return verify(ctx, !on)
			},
		},
	}
}

// measureOf is how the register of temporary measures calls the rotation of a secret.
func measureOf(place store.Place) string { return "the scheduled rotation of " + place.Name() }

// measureKind is how the list of temporary measures calls a rotation that is off.
const measureKind = string(incident.MeasureCancelled)

func onOff(on bool) string {
	if on {
		return "rotation is on"
	}
	return "rotation is off"
}

func effect(took bool) plan.Effect {
	if took {
		return plan.Took
	}
	return plan.NotDone
}

// lockStep keeps others of us out. The lock lives in a session: after a crash it is
// gone, and taken again by the step that needs it.
func (r *rotation) lockStep() part {
	return part{
		Step: plan.Step{
			ID: stepLock, Title: "Lock role " + r.user, Where: r.primary.System(), Change: true, Limit: time.Minute,
			Calls:  []string{"log in to " + r.primary.Place() + " as " + r.whose(), "SELECT pg_try_advisory_lock(…), until the run ends"},
			Before: "nobody else holds it", Verify: "the lock is ours", Undo: "nothing: it ends with the run",
		},
		do: actions.Step{
			Do: func(ctx context.Context, run *actions.Run) error { _, err := r.locked(ctx, run); return err },
			Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return effect(r.session != nil && !r.session.Broken()), "a lock ends with the console that held it", nil
			},
			Verify: func(context.Context, *actions.Run) (string, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.session == nil || r.session.Broken() {
					return "", fmt.Errorf("lock role %s: the session that held the lock has ended; resume the run", r.user)
				}
				return "held at " + r.primary.Place(), nil
			},
		},
	}
}

// whose says by whom the password is set.
func (r *rotation) whose() string {
	switch {
	case r.by == byAdmin:
		return "the administrator of " + r.db.Admin
	case r.by == byEmergency:
		return "the emergency superuser of " + r.db.Emergency
	}
	return r.old + ", with version " + store.Short(strings.TrimPrefix(r.by, bySelf))
}

// holds are who a run is for, at the store.
func (r *rotation) sign(ctx context.Context, run *actions.Run) error {
	id := run.Plan().Of
	if id == "" {
		id = run.Plan().ID
	}
	return r.place.Sign(ctx, store.Holder(id, holder(r.systems), r.now()))
}

// pendingStep makes the new password durable, or signs for one that is there.
func (r *rotation) pendingStep(s store.State) part {
	title, calls, verify := "Store the new password as pending", r.place.Calls("put", s, r.token), "version "+store.Short(r.token)+" is read back, under AWSPENDING, and holds user and password"
	if !r.fill {
		title, calls = "Sign for the pending password", r.place.Calls("put", s, r.token)[1:]
	}
	look := func(ctx context.Context) (ours, signed bool, s store.State, err error) {
		s, err = r.place.Look(ctx)
		if err != nil {
			return false, false, s, err
		}
		ours = s.Claim == r.claim || r.form != "" && s.Stages[r.token] != nil && !r.fill
		return ours, s.Holder != "", s, nil
	}
	return part{
		Step: plan.Step{
			ID: stepPending, Title: title, Where: r.place.System(), Change: true, Limit: time.Minute, Calls: calls,
			Before: "AWSCURRENT is on version " + store.Short(r.base) + ", and no other pending version is there", Verify: verify,
			Undo: r.undoPending(),
		},
		do: actions.Step{
			Check: func(ctx context.Context, _ *actions.Run) error { return r.undisturbed(ctx) },
			Do: func(ctx context.Context, run *actions.Run) error {
				if r.fill {
					if err := r.put(ctx); err != nil {
						return err
					}
				}
				if err := r.sign(ctx, run); err != nil {
					return err
				}
				run.Hold(plan.Held{What: "AWSPENDING of " + r.place.Name(), For: "this run: another console is told who holds it"}, true)
				return nil
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				ours, signed, s, err := look(ctx)
				switch {
				case err != nil:
					return plan.Unclear, "", err
				case ours && signed:
					return plan.Took, "version " + store.Short(r.token) + " is pending, and signed", nil
				case ours && r.fill:
					return plan.Partly, "version " + store.Short(r.token) + " is pending, and nobody has signed for it", nil
				case s.Stages[r.token] != nil && r.fill && s.Claim != "":
					return plan.Unclear, "version " + store.Short(r.token) + " is there, and another console stored it", &store.Taken{Secret: r.place.Name(), Holder: s.Holder}
				}
				return plan.NotDone, "version " + store.Short(r.token) + " holds no value of this run", nil
			},
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
				ours, _, _, err := look(ctx)
				if err != nil {
					return "", err
				}
				if !ours {
					return "", fmt.Errorf("store the pending password of %s: version %s is not ours; nothing was changed at the database", r.place.Name(), store.Short(r.token))
				}
				if _, err := r.read(ctx, r.token); err != nil {
					return "", err
				}
				return "version " + store.Short(r.token) + " is stored, and can be read back", nil
			},
			Undo: func(ctx context.Context, _ *actions.Run) error {
				if r.fill && r.form == "" {
					if err := r.place.Drop(ctx, r.token, r.claim); err != nil {
						return err
					}
				}
				return r.place.Sign(ctx, "")
			},
			VerifyUndo: func(ctx context.Context, _ *actions.Run) (string, error) {
				s, err := r.place.Look(ctx)
				switch {
				case err != nil:
					return "", err
				case r.form == "" && (s.Claim == r.claim && s.Pending != ""):
					return "", fmt.Errorf("take back the pending password of %s: version %s still carries AWSPENDING", r.place.Name(), store.Short(r.token))
				case r.form != "":
					return "version " + store.Short(r.token) + " is pending as before", nil
				}
				return "nothing is pending", nil
			},
		},
	}
}

func (r *rotation) undoPending() string {
	if r.form != "" {
		return "the tag is taken away; the version stays pending as it was"
	}
	return "AWSPENDING is taken from version " + store.Short(r.token) + ", which stays in the store"
}

// undisturbed is that the secret stands as the plan found it.
func (r *rotation) undisturbed(ctx context.Context) error {
	s, err := r.place.Look(ctx)
	if err != nil {
		return err
	}
	what := "rotating " + r.place.Name()
	switch {
	case s.Current != r.base && s.Current != r.token:
		return &actions.Refusal{What: what, Why: fmt.Sprintf("AWSCURRENT is on version %s and no longer on %s", store.Short(s.Current), store.Short(r.base)), Next: "find out who moved it, then plan again"}
	case s.Pending != "" && s.Pending != r.token:
		return &actions.Refusal{What: what, Why: fmt.Sprintf("version %s is pending%s", store.Short(s.Pending), heldBy(s)), Next: "wait until that rotation has ended, then plan again"}
	case s.Pending == r.token && s.Claim != "" && s.Claim != r.claim && r.form == "":
		return &store.Taken{Secret: r.place.Name(), Holder: s.Holder}
	}
	return nil
}

// mayHavePromoted reports whether a run that is taken up may have made its version
// current, and has not taken that back.
func mayHavePromoted(past *actions.Past) bool {
	switch past.Steps[stepPromote] {
	case "", plan.Waiting, plan.Undone:
		return false
	}
	return true
}

// ours is that nobody has rotated the secret since this run: to set an older password
// would lock out whoever has the newer one.
func (r *rotation) ours(ctx context.Context) error {
	s, err := r.place.Look(ctx)
	if err != nil || r.drop {
		return err
	}
	if back, err := r.place.Restored(ctx, s, r.base); err != nil || back {
		return err
	}
	if r.promoted {
		if done, err := r.place.Promoted(ctx, s, r.base, r.token); err != nil || done {
			return err
		}
	}
	return &actions.Refusal{
		What: "taking back the rotation of " + r.place.Name(),
		Why:  fmt.Sprintf("AWSCURRENT is on version %s, and this run left it on %s: somebody has rotated it since, and the older password would lock out who has the newer one", store.Short(s.Current), store.Short(r.base)),
		Next: "see that the current version works (validate), and abandon this run",
	}
}

// handsOut is that the new version is current, before what follows it is told so.
func (r *rotation) handsOut(ctx context.Context, _ *actions.Run) error {
	s, err := r.place.Look(ctx)
	if err != nil {
		return err
	}
	if done, err := r.place.Promoted(ctx, s, r.base, r.token); err != nil || done {
		return err
	}
	return &actions.Refusal{What: "handing out version " + store.Short(r.token) + " of " + r.place.Name(), Why: "AWSCURRENT is on version " + store.Short(s.Current), Next: "find out who moved it, and abandon this run"}
}

func heldBy(s store.State) string {
	if s.Holder == "" {
		return ""
	}
	return ", held by " + s.Holder
}

// promoteStep makes the new password current.
func (r *rotation) promoteStep(s store.State) part {
	look := func(ctx context.Context) (bool, string, error) {
		s, err := r.place.Look(ctx)
		if err != nil {
			return false, "", err
		}
		done, err := r.place.Promoted(ctx, s, r.base, r.token)
		return done, "AWSCURRENT is on version " + store.Short(s.Current), err
	}
	s.Current = r.base
	follow := r.copiesOf(true)
	limit, undo := time.Minute, "AWSCURRENT moves back to version "+store.Short(r.base)
	if len(follow) > 0 {
		limit, undo = 3*time.Minute, undo+"; then told to sync again: "+names(follow, numbered.Name)
	}
	return part{
		Step: plan.Step{
			ID: stepPromote, Title: "Make the new password current", Where: r.place.System(), Change: true, Limit: limit,
			Calls: r.place.Calls("promote", s, r.token), Before: "AWSCURRENT is on version " + store.Short(r.base),
			Verify: "AWSCURRENT is on version " + store.Short(r.token), Undo: undo,
		},
		do: actions.Step{
			Check: func(ctx context.Context, _ *actions.Run) error { return r.undisturbed(ctx) },
			Do:    func(ctx context.Context, _ *actions.Run) error { return r.place.Promote(ctx, r.base, r.token) },
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				done, found, err := look(ctx)
				return effect(done), found, err
			},
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
				done, found, err := look(ctx)
				if err == nil && !done {
					err = fmt.Errorf("make version %s of %s current: %s; resume the run", store.Short(r.token), r.place.Name(), found)
				}
				return found, err
			},
			Undo: func(ctx context.Context, run *actions.Run) error {
				if err := r.place.Demote(ctx, r.token, r.base); err != nil {
					return err
				}
				return r.putBack(ctx, run, follow) // what follows the store follows it back only now
			},
			VerifyUndo: func(ctx context.Context, _ *actions.Run) (string, error) {
				s, err := r.place.Look(ctx)
				if err != nil {
					return "", err
				}
				back, err := r.place.Restored(ctx, s, r.base)
				if err == nil && !back {
					err = fmt.Errorf("go back to version %s of %s: AWSCURRENT is on version %s; move it by hand", store.Short(r.base), r.place.Name(), store.Short(s.Current))
				}
				found := "AWSCURRENT is on version " + store.Short(s.Current)
				if err != nil || len(follow) == 0 {
					return found, err
				}
				copies, err := r.areBack(ctx, follow)
				return found + "; of the copies " + copies, err
			},
		},
	}
}

// clearStep takes away what was there for the rotation alone.
func (r *rotation) clearStep(s store.State) part {
	title, undo := "Take away the label of pending", "nothing: the label is not needed"
	if r.drop {
		title, undo = "Give up the stuck pending version", "nothing: the version stays in the store; it can be labelled again by hand"
	}
	look := func(ctx context.Context) (bool, string, error) {
		s, err := r.place.Look(ctx)
		if err != nil {
			return false, "", err
		}
		if at := s.Pending + s.Done; at == r.token || s.Claim == r.claim && s.Claim != "" || s.Holder != "" {
			return false, "version " + store.Short(at) + " still carries a label or tag of the rotation", nil
		}
		return true, "no label or tag of the rotation is left", nil
	}
	return part{
		Step: plan.Step{
			ID: stepClear, Title: title, Where: r.place.System(), Change: true, Limit: time.Minute,
			Calls: r.place.Calls("drop", s, r.token), Verify: "no version carries AWSPENDING", Undo: undo,
		},
		do: actions.Step{
			Do: func(ctx context.Context, run *actions.Run) error {
				claim := r.claim
				if r.drop {
					claim = ""
				}
				if err := r.place.Drop(ctx, r.token, claim); err != nil {
					return err
				}
				if err := r.place.Sign(ctx, ""); err != nil {
					return err
				}
				run.Hold(plan.Held{What: "AWSPENDING of " + r.place.Name()}, false)
				return nil
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				done, found, err := look(ctx)
				return effect(done), found, err
			},
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
				done, found, err := look(ctx)
				if err == nil && !done {
					err = fmt.Errorf("take away the label of pending of %s: %s; resume the run", r.place.Name(), found)
				}
				return found, err
			},
		},
	}
}
