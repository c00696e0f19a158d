package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// stored reports whether a member has the new value of this run, pending or further.
func (w *work) stored(s store.State, m member) bool {
	token := w.facts[factToken+m.name]
	return s.Current == token || s.Pending == token && s.Claim == w.facts[factClaim] ||
		s.Done == token || slices.Contains(s.Stages[token], string(estate.StagePrevious)) && s.Current == w.facts[factFrom+m.name]
}

// obtain gets the new key and stores it as pending. A value that this run stored
// before is kept.
func (w *work) obtain(ctx context.Context, r *actions.Run) error {
	m := w.members[0]
	state, err := m.place.Look(ctx)
	if err != nil {
		return err
	}
	if w.stored(state, m) {
		r.Say("info", "the pending version of "+m.name+" holds a key of this run already")
		return nil
	}
	from := w.facts[factFrom+m.name]
	if state.Current != from {
		return &actions.Refusal{What: "a new key for " + m.name, Why: "its current version is no longer " + store.Short(from), Next: "find out who changed it, then plan again"}
	}
	old, err := w.read(ctx, m, from)
	if err != nil {
		return err
	}
	var key made
	switch {
	case w.way == byBackup:
		if key, err = w.sealed(ctx); err == nil {
			err = Guard(key.value, old.key)
		}
	case w.typed():
		key, err = w.entered(ctx, r, old)
	default:
		key, err = w.second(ctx, r, old)
	}
	if err != nil {
		return err
	}
	value, err := w.draft(m, old, key)
	if err == nil {
		err = w.put(ctx, r, m, value)
	}
	if err != nil {
		return w.discard(ctx, r, key, err)
	}
	w.sign(ctx, r, m)
	return nil
}

// entered is the key that a person typed: nothing is stored of it before it was seen
// to work, unless nobody could say and the person accepted that.
func (w *work) entered(ctx context.Context, r *actions.Run, old held) (made, error) {
	key := made{value: r.Input(inputKey), id: r.Input(inputID).Reveal()}
	w.learn(key.value)
	refuse := func(why, next string) (made, error) {
		return made{}, &actions.Refusal{What: "the key that was typed for " + w.target, Why: why, Next: next}
	}
	if err := Guard(key.value, old.key); err != nil {
		return refuse(err.Error(), "plan again and enter the key from the console of "+w.rule.Provider)
	}
	if key.id != "" && (strings.Contains(key.id, key.value.Reveal()) || strings.Contains(key.value.Reveal(), key.id) || clients.Strip(key.id, idLimit) != key.id) {
		return refuse("what was typed as its id is the key, or no id", "plan again and enter each in its place, or leave the id out")
	}
	got, err := w.probe(ctx, key.value, key.id)
	if err != nil {
		return made{}, err
	}
	switch {
	case got.verdict == works:
		r.Say("ok", "the key that was typed "+got.String())
	case w.unproved && got.temporary():
		r.Say("warn", "the key that was typed is stored without having been tried: it "+got.String())
	case got.temporary():
		return refuse("it "+got.String(), "plan again: the plan then asks to accept that it cannot be tried")
	default:
		return refuse("it "+got.String(), "make another key in the console of "+w.rule.Provider+", then plan again")
	}
	return key, nil
}

// second makes a second key at the provider, once: what a lost call made is had
// again, or found by its name and ended.
func (w *work) second(ctx context.Context, r *actions.Run, old held) (made, error) {
	name := r.Fact(factName)
	for n := 1; ; n++ {
		if w.retaken || n > 1 {
			if err := w.clear(ctx, r, name); err != nil {
				return made{}, err
			}
		}
		key, got, err := w.create(ctx, name)
		if key.id != "" {
			r.Note(factKeyID, key.id)
		}
		if err == nil && got.verdict == works {
			if err = Guard(key.value, old.key); err == nil {
				r.Say("ok", fmt.Sprintf("%s made a second key, named %s%s", w.rule.Provider, name, withID(key.id)))
				return key, nil
			}
			err = &estate.Failure{Kind: estate.BadAnswer, Doing: "create a key at " + w.rule.Provider, Detail: err.Error(), Next: "see what the provider did, and the create call in warroom.yaml"}
		}
		switch {
		case err != nil && got.verdict == works:
			return made{}, w.discard(ctx, r, key, err)
		case err != nil:
			return made{}, err
		case !got.temporary():
			return made{}, w.failed("create a key", got)
		case got.verdict != limited && !got.unsent && w.blind():
			f := w.failed("create a key", got)
			f.Next = w.orphanText()
			return made{}, f
		}
		if err := w.tryLater(ctx, r, "the creation of a key", n, got); err != nil {
			if errors.Is(err, errEnough) {
				return made{}, w.failed("create a key", got)
			}
			return made{}, err
		}
	}
}

func withID(id string) string {
	if id == "" {
		return ""
	}
	return " (id " + id + ")"
}

// errEnough says that nothing is tried again.
var errEnough = errors.New("enough attempts were made")

// tryLater waits until the next attempt after the n-th, telling when that is; errEnough
// where there is none.
func (w *work) tryLater(ctx context.Context, r *actions.Run, what string, n int, got answer) error {
	if n >= w.tries.tries || got.after > w.tries.most {
		return errEnough
	}
	d := w.tries.wait(n, w.jitter(), got.after)
	at := w.family.now().Add(d)
	r.Say("warn", fmt.Sprintf("%s: attempt %d of %d %s; next attempt at %s, in %s", what, n, w.tries.tries, got, at.UTC().Format("15:04:05Z"), d.Round(time.Second)))
	r.Part(plan.Part{Name: what, State: plan.Waiting, Detail: fmt.Sprintf("attempt %d of %d at %s", n+1, w.tries.tries, at.UTC().Format("15:04:05Z"))})
	if err := w.idle(ctx, r, d); err != nil {
		return err
	}
	r.Part(plan.Part{Name: what, State: plan.Running, Detail: fmt.Sprintf("attempt %d of %d", n+1, w.tries.tries)})
	return nil
}

// clear ends what a lost call made under the name of this rotation: its value is
// known to nobody. Where the provider gives the same key again, it is left there.
func (w *work) clear(ctx context.Context, r *actions.Run, name string) error {
	if w.rule.Create.Again {
		return nil
	}
	if w.rule.List == nil || w.rule.Revoke == nil {
		// The person accepted the warning that told of it.
		return nil
	}
	keys, err := w.named(ctx, r, name)
	if err != nil {
		return err
	}
	for _, k := range keys {
		got, err := w.revoke(ctx, estate.Secret{}, k.id)
		if err != nil {
			return err
		}
		if got.verdict != works {
			f := w.failed("end the key "+k.id+", whose value was lost", got)
			f.Next = "end it in the provider's console, then resume"
			return f
		}
		r.Say("ok", fmt.Sprintf("ended the key %s (id %s) at %s: it was made by a call whose answer was lost", name, k.id, w.rule.Provider))
	}
	return nil
}

// named lists the keys of a name, patiently.
func (w *work) named(ctx context.Context, r *actions.Run, name string) ([]listed, error) {
	for n := 1; ; n++ {
		keys, got, err := w.list(ctx)
		if err != nil {
			return nil, err
		}
		if got.verdict == works {
			return slices.DeleteFunc(keys, func(k listed) bool { return k.name != name }), nil
		}
		if !got.temporary() {
			return nil, w.failed("list the keys", got)
		}
		if err := w.tryLater(ctx, r, "the list of keys", n, got); err != nil {
			if errors.Is(err, errEnough) {
				err = w.failed("list the keys", got)
			}
			return nil, err
		}
	}
}

// put stores a pending value. A write whose answer was lost is looked for before it
// is tried again.
func (w *work) put(ctx context.Context, r *actions.Run, m member, value estate.Secret) error {
	d := store.Draft{Version: w.facts[factToken+m.name], Base: w.facts[factFrom+m.name], Claim: w.facts[factClaim], Value: value}
	for n := 1; ; n++ {
		err := m.place.Put(ctx, d)
		if err == nil {
			return nil
		}
		var refusal *actions.Refusal
		if errors.As(err, &refusal) || ctx.Err() != nil {
			return err
		}
		if s, looked := m.place.Look(ctx); looked == nil && w.stored(s, m) {
			return nil
		}
		if n == 3 {
			return err
		}
		r.Say("warn", err.Error()+"; it is tried again")
		if w.pause(ctx, time.Duration(n)*time.Second) != nil {
			return err
		}
	}
}

// discardLimit bounds what is done about a key that could not be stored.
const discardLimit = 20 * time.Second

// discard ends a key that was made and could not be stored: nobody has its value. The
// error is why it could not be stored, with what became of the key.
func (w *work) discard(ctx context.Context, r *actions.Run, key made, why error) error {
	if w.way == byBackup || w.typed() {
		return why
	}
	name := r.Fact(factName)
	left := func(because string) error {
		next := fmt.Sprintf("the key %s%s stays at %s and nobody has its value (%s): end it in its console", name, withID(key.id), w.rule.Provider, because)
		if w.rule.List != nil && w.rule.Revoke != nil {
			next = fmt.Sprintf("the key %s%s stays at %s and nobody has its value (%s): resume or roll back, which finds it by its name and ends it", name, withID(key.id), w.rule.Provider, because)
		}
		return fmt.Errorf("%w; %s", why, next)
	}
	if w.rule.Create.Again {
		return fmt.Errorf("%w; the key %s%s stays at %s: a resumption gets it again, a roll-back ends it", why, name, withID(key.id), w.rule.Provider)
	}
	if w.rule.Revoke == nil || key.id == "" {
		return left("it cannot be ended from here")
	}
	// Also where the time of the step is over: a key that nobody has must not stay.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardLimit)
	defer cancel()
	got, err := w.revoke(ctx, key.value, key.id)
	if err != nil || got.verdict != works {
		return left("ending it failed")
	}
	r.Say("ok", fmt.Sprintf("ended the new key %s%s at %s: it could not be stored", name, withID(key.id), w.rule.Provider))
	r.Note(factKeyID, "")
	return why
}

// probeObtain tells how far the first step came, by looking.
func (w *work) probeObtain(ctx context.Context, r *actions.Run) (plan.Effect, string, error) {
	m := w.members[0]
	state, err := m.place.Look(ctx)
	if err != nil {
		return plan.Unclear, "", err
	}
	token := w.facts[factToken+m.name]
	switch {
	case w.stored(state, m):
		return plan.Took, "version " + store.Short(token) + " of " + m.name + " holds the new key", nil
	case w.way == byBackup || w.typed():
		return plan.NotDone, "nothing of this run is stored in " + m.name, nil
	case w.rule.List == nil && w.rule.Create.Again:
		return plan.NotDone, "nothing is stored; a key that was made is had again by the same name", nil
	case w.rule.List == nil:
		return plan.Unclear, "nothing is stored, and " + w.orphanText(), nil
	}
	keys, err := w.named(ctx, r, w.facts[factName])
	switch {
	case err != nil:
		return plan.Unclear, "", err
	case len(keys) > 0:
		return plan.Partly, fmt.Sprintf("%s has a key that is not stored: %s. Its value is lost", w.rule.Provider, w.describe(keys)), nil
	}
	return plan.NotDone, fmt.Sprintf("%s has no key named %s, and nothing is stored", w.rule.Provider, w.facts[factName]), nil
}

// pendingKey reads the new key as it is stored.
func (w *work) pendingKey(ctx context.Context) (held, error) {
	m := w.members[0]
	h, err := w.read(ctx, m, w.facts[factToken+m.name])
	if err == nil {
		err = h.trouble
	}
	return h, err
}

// verifyObtain says by looking that the new key is stored.
func (w *work) verifyObtain(ctx context.Context, _ *actions.Run) (string, error) {
	m := w.members[0]
	state, err := m.place.Look(ctx)
	if err != nil {
		return "", err
	}
	token := w.facts[factToken+m.name]
	if !w.stored(state, m) {
		return "", &estate.Failure{Kind: estate.Missing, Doing: "see the new key in " + m.name, Detail: "version " + store.Short(token) + " is not pending there for this run", Next: "resume, which looks first"}
	}
	old, err := w.read(ctx, m, w.facts[factFrom+m.name])
	if err != nil {
		return "", err
	}
	h, err := w.pendingKey(ctx)
	if err == nil {
		err = Guard(h.key, old.key)
	}
	if err != nil {
		return "", err
	}
	return "version " + store.Short(token) + " of " + m.name + " is pending and holds the new key" + withID(h.id), nil
}

// try says whether the new key, as it is stored, works.
func (w *work) try(ctx context.Context, r *actions.Run) (string, error) {
	h, err := w.pendingKey(ctx)
	if err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		got, err := w.probe(ctx, h.key, h.id)
		if err != nil {
			return "", err
		}
		// Some providers need a moment until a new key is known everywhere: one more
		// look, and no login that fails beyond that.
		young := got.verdict == refused && n == 1 && w.way != byBackup && !w.typed()
		switch {
		case got.verdict == works:
			return "the new key " + got.String(), nil
		case got.temporary() && w.unproved:
			return "the new key could not be tried, as was accepted: it " + got.String(), nil
		case young:
			r.Say("info", "the new key is not known yet; it is tried once more")
			if err := w.idle(ctx, r, settleTime); err != nil {
				return "", err
			}
			continue
		case !got.temporary():
			f := w.failed("try the new key", got)
			f.Kind, f.Next = estate.BadSecret, "consumers still have the old key: roll back, which ends the new one"
			return "", f
		}
		if err := w.tryLater(ctx, r, "the new key", n, got); err != nil {
			if errors.Is(err, errEnough) {
				f := w.failed("try the new key", got)
				f.Next = "resume later, or roll back: consumers still have the old key"
				err = f
			}
			return "", err
		}
	}
}

// settleTime is what a provider gets to make a new key known.
const settleTime = 5 * time.Second
