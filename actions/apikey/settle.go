package apikey

import (
	"context"
	"fmt"
	"strings"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// factCopy begins the facts of what a copy held before; a member's and the copy's name
// follow.
const factCopy = "copy:"

// copied is one copy of a member.
type copied struct {
	member
	store.Copy
	keyOnly bool // it does not hold the provider's id of the key
}

func (c copied) fact() string { return factCopy + c.member.name + " " + c.Copy.Name() }

// copies are those of all members. Where follows is true, those that take their value
// from the store by themselves; else the others.
func (s *subject) copies(follows bool) (out []copied) {
	for _, m := range s.members {
		if m.secret.Rotation == nil {
			continue
		}
		for i, c := range store.Copies(s.systems, m.secret) {
			if c.Follows() != follows {
				continue
			}
			// What is made for a service alone has the key and nothing else, unless the
			// configuration names its keys.
			rule := m.secret.Rotation.Copies[i]
			out = append(out, copied{member: m, Copy: c, keyOnly: rule.Kubernetes != "" && len(rule.Keys) == 0})
		}
	}
	return out
}

func (s *subject) allCopies() []copied { return append(s.copies(false), s.copies(true)...) }

// fields are what a copy of a member holds of a version.
func (s *subject) fields(ctx context.Context, c copied, version string) (store.Fields, error) {
	m := c.member
	h, err := s.read(ctx, m, version)
	if err == nil {
		err = h.trouble
	}
	if err != nil {
		return nil, err
	}
	f := store.Fields{m.field: h.key}
	if h.id != "" && !c.keyOnly {
		f[m.idField] = estate.NewSecret(h.id)
	}
	return f, nil
}

// lookCopies notes what the copies hold, for a roll-back. One that cannot be looked at
// does not keep the rotation from being planned.
func (w *work) lookCopies(ctx context.Context, out *plan.Plan) error {
	for i, c := range w.allCopies() {
		was, err := c.Look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			out.Warnings = append(out.Warnings, plan.Warning{ID: fmt.Sprintf("copy-%d", i+1),
				Text: fmt.Sprintf("The copy %s cannot be looked at (%s): the run will stop there until it can.", c.Copy.Name(), w.systems.Read.Failure(err, "").Detail)})
		}
		if text := store.Caution(c.Copy); text != "" {
			out.Warnings = append(out.Warnings, plan.Warning{ID: fmt.Sprintf("interval-%d", i+1), Text: text})
		}
		w.facts[c.fact()] = was
		out.Affected = append(out.Affected, plan.Affected{Name: c.Copy.Name(), How: "gets the new key once it is current"})
	}
	return nil
}

// settleStep updates the copies, once the new key is handed out, and takes off who
// rotates it.
func (w *work) settleStep() step {
	title, verify := "Take off who rotates it", "nobody is named there as rotating it"
	var calls, names []string
	for _, c := range w.allCopies() {
		names = append(names, c.Copy.Name())
		calls = append(calls, c.Copy.Calls()...)
	}
	undo := ""
	if len(names) > 0 {
		title, verify, undo = "Update the copies, and take off who rotates it", "each copy holds the new key, and "+verify, "put back what the copies held"
	}
	for _, m := range w.members {
		calls = append(calls, m.place.Calls("drop", store.State{}, w.facts[factToken+m.name])[1:]...)
	}
	s := step{
		plan.Step{ID: stepSettle, Title: title, Where: strings.Join(append(names, w.target), ", "), Calls: calls, Verify: verify, Undo: undo, Change: true, Limit: w.tries.longest()},
		actions.Step{
			Do: func(ctx context.Context, r *actions.Run) error {
				for _, c := range w.allCopies() {
					if err := w.copyOf(ctx, r, c); err != nil {
						return err
					}
				}
				return w.each(r, w.members, func(m member) (string, error) { return "hands out the new key", m.place.Sign(ctx, "") })
			},
			Probe: w.settled,
			Verify: func(ctx context.Context, r *actions.Run) (string, error) {
				effect, text, err := w.settled(ctx, r)
				if err == nil && effect != plan.Took {
					err = &estate.Failure{Kind: estate.BadAnswer, Doing: "see that the new key is everywhere", Detail: text, Next: "resume, which does the rest"}
				}
				return text, err
			},
		},
	}
	if undo != "" {
		s.step.Undo = func(ctx context.Context, r *actions.Run) error { return w.back(ctx, r, w.copies(false)) }
		s.step.VerifyUndo = func(ctx context.Context, _ *actions.Run) (string, error) { return w.areBack(ctx, w.copies(false)) }
	}
	return s
}

// copyOf updates one copy.
func (w *work) copyOf(ctx context.Context, r *actions.Run, c copied) error {
	r.Part(plan.Part{Name: c.Copy.Name(), State: plan.Running})
	token := w.facts[factToken+c.member.name]
	f, err := w.fields(ctx, c, token)
	if err == nil {
		err = c.Put(ctx, token, f)
	}
	if err != nil {
		r.Part(plan.Part{Name: c.Copy.Name(), State: plan.Failed, Detail: w.systems.Act.Failure(err, "").Detail})
		return err
	}
	r.Part(plan.Part{Name: c.Copy.Name(), State: plan.Done, Detail: "has the new key"})
	return nil
}

// settled tells how far the last change came, by looking.
func (w *work) settled(ctx context.Context, _ *actions.Run) (plan.Effect, string, error) {
	all, same := w.allCopies(), 0
	for _, c := range all {
		f, err := w.fields(ctx, c, w.facts[factToken+c.member.name])
		if err != nil {
			return plan.Unclear, "", err
		}
		is, err := c.Same(ctx, f)
		if err != nil {
			return plan.Unclear, "", err
		}
		if is {
			same++
		}
	}
	signed := 0
	for _, m := range w.members {
		s, err := m.place.Look(ctx)
		if err != nil {
			return plan.Unclear, "", err
		}
		if s.Holder != "" {
			signed++
		}
	}
	text := "nobody is named as rotating it"
	if signed > 0 {
		text = fmt.Sprintf("%d of %d secrets still name who rotates them", signed, len(w.members))
	}
	if len(all) > 0 {
		text = fmt.Sprintf("%d of %d copies hold the new key; %s", same, len(all), text)
	}
	switch {
	case same == len(all) && signed == 0:
		return plan.Took, text, nil
	case same == 0 && signed == len(w.members):
		return plan.NotDone, text, nil
	}
	return plan.Partly, text, nil
}

// back puts back what copies held.
func (w *work) back(ctx context.Context, r *actions.Run, all []copied) error {
	for _, c := range all {
		fresh, err := w.fields(ctx, c, w.facts[factToken+c.member.name])
		ours := false
		if err == nil {
			ours, err = c.Same(ctx, fresh)
		}
		if err == nil && ours { // what somebody else has put there since is theirs
			var f store.Fields
			if f, err = w.fields(ctx, c, w.facts[factFrom+c.member.name]); err == nil {
				err = c.Back(ctx, w.facts[c.fact()], f)
			}
		}
		if err != nil {
			return fmt.Errorf("put back the copy %s: %w", c.Copy.Name(), err)
		}
		r.Part(plan.Part{Name: c.Copy.Name(), State: plan.Undone})
	}
	return nil
}

// areBack says by looking that copies do not hold the new key any more.
func (w *work) areBack(ctx context.Context, all []copied) (string, error) {
	for _, c := range all {
		f, err := w.fields(ctx, c, w.facts[factToken+c.member.name])
		if err != nil {
			return "", err
		}
		still, err := c.Same(ctx, f)
		if err != nil {
			return "", err
		}
		if still {
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "put back the copy " + c.Copy.Name(), Detail: "it still holds the new key", Next: "roll back again"}
		}
	}
	return fmt.Sprintf("%d copies hold what they held before", len(all)), nil
}
