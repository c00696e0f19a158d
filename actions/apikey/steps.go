package apikey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Ids of the steps of a rotation.
const (
	stepKey        = "key"
	stepTry        = "try"
	stepDependents = "dependents"
	stepPromote    = "promote"
	stepSettle     = "settle"
	stepTell       = "consumers"
)

// step is one step of a plan with what carries it out.
type step struct {
	plan plan.Step
	step actions.Step
}

// steps are those of a rotation; their ids follow from the configuration alone.
func (w *work) steps() []step {
	target := w.members[0]
	out := []step{w.keyStep(target), {
		plan: plan.Step{
			ID: stepTry, Title: "Try the new key", Where: w.rule.Provider, Calls: []string{call(w.rule.Probe, "with the pending key")},
			Verify: "the provider takes the key, as it is stored", Limit: w.tries.longest(),
		},
		step: actions.Step{Verify: w.try},
	}}
	if len(w.members) > 1 {
		out = append(out, w.dependentStep())
	}
	return append(out, w.promoteStep(), w.settleStep(), step{
		plan: plan.Step{
			ID: stepTell, Title: "See that the store hands out the new key, and who must load it", Where: w.target, Calls: []string{call(w.rule.Probe, "with the current key")},
			Verify: "the current value is the new key, and the provider takes it", Limit: w.tries.longest(),
		},
		step: actions.Step{Verify: w.tell},
	})
}

func (w *work) keyStep(m member) step {
	token, name := w.facts[factToken+m.name], w.facts[factName]
	s := plan.Step{
		ID: stepKey, Where: m.name, Change: true, Limit: w.tries.longest(),
		Before: "the current version is still " + store.Short(w.facts[factFrom+m.name]),
		Verify: "version " + store.Short(token) + " is pending and holds a key that is no placeholder and not the current one",
		Undo:   "take AWSPENDING off the new version",
	}
	put := m.place.Calls("put", store.State{Current: w.facts[factFrom+m.name]}, token)
	switch {
	case w.way == byBackup:
		s.Title = "Store the backup key as pending"
		s.Calls = put
	case w.typed():
		s.Title = "Store the key that you type as pending"
		s.Calls = append([]string{call(w.rule.Probe, "with the key that you type")}, put...)
		s.Before += "; the key is no placeholder, and the provider takes it"
	default:
		s.Title = "Make a second key at " + w.rule.Provider + ", and store it as pending"
		s.Calls = append([]string{call(w.rule.Create, "name "+name)}, put...)
		if w.rule.Revoke != nil {
			s.Undo += ", and end the new key at the provider, unless a consumer may be on it"
		} else {
			s.Undo += "; the new key is ended by hand in the provider's console"
		}
	}
	return step{s, actions.Step{Do: w.obtain, Probe: w.probeObtain, Verify: w.verifyObtain, Undo: w.giveUp, VerifyUndo: w.gaveUp}}
}

func (w *work) dependentStep() step {
	var calls, names []string
	for _, m := range w.members[1:] {
		names = append(names, m.name)
		calls = append(calls, m.place.Calls("put", store.State{Current: w.facts[factFrom+m.name]}, w.facts[factToken+m.name])...)
	}
	return step{
		plan.Step{
			ID: stepDependents, Title: "Store the new key in the secrets that depend on it: " + strings.Join(names, ", "), Where: strings.Join(names, ", "),
			Calls: calls, Before: "each is still on the version that was planned on", Verify: "each has the new key pending", Undo: "take AWSPENDING off their new versions", Change: true,
		},
		actions.Step{
			Do: func(ctx context.Context, r *actions.Run) error {
				return w.each(r, w.members[1:], func(m member) (string, error) { return "pending", w.depend(ctx, r, m) })
			},
			Probe: func(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
				return w.count(ctx, w.members[1:], "have the new key pending", w.stored)
			},
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
				return w.all(ctx, w.members[1:], "have the new key pending", w.stored)
			},
			Undo: func(ctx context.Context, r *actions.Run) error {
				return w.each(r, w.members[1:], func(m member) (string, error) {
					return "as before", w.drop(ctx, m)
				})
			},
			VerifyUndo: func(ctx context.Context, _ *actions.Run) (string, error) {
				return w.all(ctx, w.members[1:], "have nothing of this run pending", w.free)
			},
		},
	}
}

// depend stores the new key in one dependent secret.
func (w *work) depend(ctx context.Context, r *actions.Run, m member) error {
	state, err := m.place.Look(ctx)
	if err != nil || w.stored(state, m) {
		return err
	}
	from := w.facts[factFrom+m.name]
	if state.Current != from {
		return &actions.Refusal{What: "the new key in " + m.name, Why: "its current version is no longer " + store.Short(from), Next: "find out who changed it, then plan again"}
	}
	old, err := w.read(ctx, m, from)
	if err != nil {
		return err
	}
	key, err := w.pendingKey(ctx)
	if err != nil {
		return err
	}
	value, err := w.draft(m, old, made{value: key.key, id: key.id})
	if err != nil {
		return err
	}
	if err := w.put(ctx, r, m, value); err != nil {
		return err
	}
	w.sign(ctx, r, m)
	return nil
}

// drop takes back what is pending of this run at a member.
func (w *work) drop(ctx context.Context, m member) error {
	if err := m.place.Drop(ctx, w.facts[factToken+m.name], w.facts[factClaim]); err != nil {
		return err
	}
	return m.place.Sign(ctx, "")
}

// free reports whether nothing of this run is pending or current at a member.
func (w *work) free(s store.State, m member) bool {
	token := w.facts[factToken+m.name]
	return s.Current != token && s.Pending != token
}

// handsOut reports whether the new value of a member is current, and nothing of the
// run is pending there any more.
func (w *work) handsOut(s store.State, m member) bool {
	token := w.facts[factToken+m.name]
	return s.Current == token && s.Pending+s.Done == "" && !slices.ContainsFunc(s.Stages[token], func(label string) bool {
		return strings.HasSuffix(label, w.facts[factClaim])
	})
}

// promoted tells how far the promotion came: a label that was moved and not cleared up
// behind is a part of it.
func (w *work) promoted(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
	effect, text, err := w.count(ctx, w.members, "hand out the new key", w.handsOut)
	if err != nil || effect != plan.NotDone {
		return effect, text, err
	}
	moved, _, err := w.tally(ctx, w.members, func(s store.State, m member) bool { return s.Current == w.facts[factToken+m.name] })
	switch {
	case err != nil:
		return plan.Unclear, "", err
	case moved > 0:
		return plan.Partly, fmt.Sprintf("%d of %d hand out the new key, which is still labelled as pending", moved, len(w.members)), nil
	}
	return plan.NotDone, text, nil
}

// demote has a member hand out the old key again, if it hands out the new one.
func (w *work) demote(ctx context.Context, m member) error {
	token, from := w.facts[factToken+m.name], w.facts[factFrom+m.name]
	s, err := m.place.Look(ctx)
	if err != nil {
		return err
	}
	promoted, err := m.place.Promoted(ctx, s, from, token)
	if err != nil || !promoted {
		return err
	}
	return m.place.Demote(ctx, token, from)
}

// before says by looking that every member hands out what it did before the run.
func (w *work) before(ctx context.Context) (string, error) {
	for _, m := range w.members {
		s, err := m.place.Look(ctx)
		if err != nil {
			return "", err
		}
		is, err := m.place.Restored(ctx, s, w.facts[factFrom+m.name])
		if err != nil {
			return "", err
		}
		if !is {
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "see that " + m.name + " hands out the old key", Detail: "version " + store.Short(s.Current) + " is current", Next: "roll back again"}
		}
	}
	return fmt.Sprintf("%d of %d hand out the old key", len(w.members), len(w.members)), nil
}

func (w *work) promoteStep() step {
	var calls, names []string
	for _, m := range w.members {
		names = append(names, m.name)
		s := store.State{Current: w.facts[factFrom+m.name]}
		calls = append(calls, m.place.Calls("promote", s, w.facts[factToken+m.name])...)
		calls = append(calls, m.place.Calls("drop", s, w.facts[factToken+m.name])[:1]...) // who rotates it is taken off at the end
	}
	return step{
		plan.Step{
			ID: stepPromote, Title: "Hand out the new key: make it current in " + strings.Join(names, ", "), Where: strings.Join(names, ", "), Calls: calls,
			Before: "each is still on the version that was planned on", Verify: "AWSCURRENT is on the new version of each", Undo: "move AWSCURRENT back", Change: true,
		},
		actions.Step{
			Do: func(ctx context.Context, r *actions.Run) error {
				r.Note(factServed, "yes")
				return w.each(r, w.members, func(m member) (string, error) {
					if err := m.place.Promote(ctx, w.facts[factFrom+m.name], w.facts[factToken+m.name]); err != nil {
						return "", err
					}
					return "hands out the new key", m.place.Drop(ctx, w.facts[factToken+m.name], w.facts[factClaim])
				})
			},
			Probe: w.promoted,
			Verify: func(ctx context.Context, _ *actions.Run) (string, error) {
				return w.all(ctx, w.members, "hand out the new key", w.handsOut)
			},
			Undo: func(ctx context.Context, r *actions.Run) error {
				r.Note(factServed, "yes") // also where the run crashed before it could say so
				back := slices.Clone(w.members)
				slices.Reverse(back)
				if err := w.each(r, back, func(m member) (string, error) {
					if err := w.demote(ctx, m); err != nil {
						return "", err
					}
					return "hands out the old key", nil
				}); err != nil {
					return err
				}
				return w.back(ctx, r, w.copies(true)) // which follow the store
			},
			VerifyUndo: func(ctx context.Context, _ *actions.Run) (string, error) {
				text, err := w.before(ctx)
				if follow := w.copies(true); err == nil && len(follow) > 0 {
					_, err = w.areBack(ctx, follow)
				}
				return text, err
			},
		},
	}
}

// each does the same to members, one after another, and tells how far it is. It ends
// with the first that fails: what it came to is told by looking.
func (w *work) each(r *actions.Run, members []member, do func(member) (string, error)) error {
	for _, m := range members {
		r.Part(plan.Part{Name: m.name, State: plan.Running})
		done, err := do(m)
		if err != nil {
			r.Part(plan.Part{Name: m.name, State: plan.Failed, Detail: w.systems.Read.Failure(err, "").Detail})
			return err
		}
		r.Part(plan.Part{Name: m.name, State: plan.Done, Detail: done})
	}
	return nil
}

// tally looks at members and counts those that are as wanted.
func (w *work) tally(ctx context.Context, members []member, is func(store.State, member) bool) (n int, others []string, err error) {
	for _, m := range members {
		s, err := m.place.Look(ctx)
		if err != nil {
			return n, others, err
		}
		if is(s, m) {
			n++
			continue
		}
		others = append(others, m.name)
	}
	return n, others, nil
}

// count is the effect of a step on several members.
func (w *work) count(ctx context.Context, members []member, what string, is func(store.State, member) bool) (plan.Effect, string, error) {
	n, _, err := w.tally(ctx, members, is)
	text := fmt.Sprintf("%d of %d %s", n, len(members), what)
	switch {
	case err != nil:
		return plan.Unclear, "", err
	case n == len(members):
		return plan.Took, text, nil
	case n == 0:
		return plan.NotDone, text, nil
	}
	return plan.Partly, text, nil
}

// all is the verification of a step on several members.
func (w *work) all(ctx context.Context, members []member, what string, is func(store.State, member) bool) (string, error) {
	n, others, err := w.tally(ctx, members, is)
	if err != nil {
		return "", err
	}
	if len(others) > 0 {
		return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "see that all " + what, Detail: strings.Join(others, ", ") + " does not", Next: "resume, or roll back"}
	}
	return fmt.Sprintf("%d of %d %s", n, len(members), what), nil
}

// tell says that the new key is in use at the store, and who has not loaded it.
func (w *work) tell(ctx context.Context, r *actions.Run) (string, error) {
	states, err := w.looks(ctx)
	if err != nil {
		return "", err
	}
	var key held
	for i, m := range w.members {
		h, err := w.read(ctx, m, states[i].Current)
		if err == nil {
			err = h.trouble
		}
		if err != nil {
			return "", err
		}
		if states[i].Current != w.facts[factToken+m.name] || i > 0 && h.key.Reveal() != key.key.Reveal() {
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "see the new key in " + m.name, Detail: "it hands out another value", Next: "find out who changed it"}
		}
		if i == 0 {
			key = h
		}
	}
	got, err := w.probe(ctx, key.key, key.id)
	if err != nil {
		return "", err
	}
	if got.verdict != works && !(w.unproved && got.temporary()) {
		f := w.failed("try the key that is handed out", got)
		f.Next = "roll back, or resume when the provider answers again"
		return "", f
	}
	all := w.consumers(ctx, states)
	old, unsure := not(all)
	for _, c := range all {
		state := plan.Waiting
		if c.standing == onNew {
			state = plan.Done
		}
		r.Part(plan.Part{Name: c.name, State: state, Detail: string(c.standing) + ": " + c.why})
	}
	text := "the key that is handed out " + got.String()
	if len(old)+len(unsure) > 0 {
		r.Say("warn", "to be restarted so that they load the new key: "+names(slices.Concat(old, unsure))+". Plan restart for them, and then revoke-api-key "+w.target)
		text += fmt.Sprintf("; %d of %d consumers are still to load it: restart them, then revoke-api-key", len(old)+len(unsure), len(all))
	}
	if w.way == byBackup {
		r.Say("warn", "the backup key is in use: "+w.target+" must get a key of its own by "+when(w.family.now().Add(w.rule.Backup.For)))
	}
	return text, nil
}

// giveUp takes back the first step.
func (w *work) giveUp(ctx context.Context, r *actions.Run) error {
	m := w.members[0]
	token := w.facts[factToken+m.name]
	// Read before the label goes: it is how the new key is known.
	h, readErr := w.read(ctx, m, token)
	if err := m.place.Drop(ctx, token, w.facts[factClaim]); err != nil {
		return err
	}
	if err := w.endNew(ctx, r, h, readErr == nil); err != nil {
		return err
	}
	return m.place.Sign(ctx, "")
}

// endNew ends the new key at the provider, unless a consumer may be on it.
func (w *work) endNew(ctx context.Context, r *actions.Run, h held, read bool) error {
	left := func(why string) error {
		r.Say("warn", fmt.Sprintf("the new key%s stays alive at %s: %s", withID(h.id), w.rule.Provider, why))
		r.Note(factLeft, why)
		return nil
	}
	switch {
	case w.way == byBackup:
		return left("it is the backup key")
	case w.typed():
		return left("it was made by hand, and is ended by hand in the provider's console")
	case w.rule.Revoke == nil:
		return left("warroom.yaml has no call that ends a key: end " + w.facts[factName] + " in the provider's console")
	}
	if w.served || r.Fact(factServed) != "" {
		states, err := w.looks(ctx)
		if err != nil {
			return err
		}
		var maybe []string
		for _, c := range w.consumers(ctx, states) {
			if c.standing != onNew { // of what is current now: the old key again
				maybe = append(maybe, c.String())
			}
		}
		if len(maybe) > 0 {
			return left("it was handed out, and may be in use: " + strings.Join(maybe, ", ") + ". Restart them, then plan revoke-api-key with its id")
		}
	}
	ids := map[string]bool{}
	if id := r.Fact(factKeyID); id != "" {
		ids[id] = true
	}
	if read && h.id != "" {
		ids[h.id] = true
	}
	if w.rule.List != nil {
		keys, err := w.named(ctx, r, w.facts[factName])
		if err != nil {
			return err
		}
		for _, k := range keys {
			ids[k.id] = true
		}
	} else if len(ids) == 0 {
		return left("its id is not known: look for " + w.facts[factName] + " in the provider's console")
	}
	for id := range ids {
		got, err := w.revoke(ctx, h.key, id)
		if err != nil {
			return err
		}
		if got.verdict != works {
			return w.failed("end the new key "+id, got)
		}
	}
	return nil
}

// gaveUp says by looking that the first step is taken back.
func (w *work) gaveUp(ctx context.Context, r *actions.Run) (string, error) {
	m := w.members[0]
	text, err := w.all(ctx, w.members[:1], "have nothing of this run pending", w.free)
	if err != nil {
		return "", err
	}
	if why := r.Fact(factLeft); why != "" {
		return text + "; the new key stays alive: " + why, nil
	}
	if w.rule.List != nil {
		keys, err := w.named(ctx, r, w.facts[factName])
		if err != nil {
			return "", err
		}
		if len(keys) > 0 {
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "end the new key at " + w.rule.Provider, Detail: "it still lists " + w.describe(keys), Next: "roll back again, or end it in the provider's console"}
		}
		return text + "; the provider has no key of this run", nil
	}
	h, err := w.read(ctx, m, w.facts[factToken+m.name])
	if err != nil || h.trouble != nil {
		return text + "; no key of this run is stored", nil
	}
	for n := 1; ; n++ {
		got, err := w.probe(ctx, h.key, h.id)
		if err != nil {
			return "", err
		}
		switch {
		case got.verdict == refused || got.verdict == forbidden:
			return text + "; the new key " + got.String(), nil
		case n == 3:
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "end the new key at " + w.rule.Provider, Detail: "it " + got.String(), Next: "roll back again, or end it in the provider's console"}
		}
		if err := w.pause(ctx, time.Duration(n)*settleTime); err != nil {
			return "", err
		}
	}
}
