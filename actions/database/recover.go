package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/plan"
)

// recoverPending ends a rotation that got stuck.
type recoverPending struct {
	systems actions.Systems
	book    *postgres.Book
}

// optionEnd says how a stuck rotation is ended.
const optionEnd = "end"

func (p *recoverPending) About() plan.About {
	return plan.About{
		Name: RecoverName, Title: "Recover a stuck rotation", Target: "stored secret", Changes: true,
		Summary: "Finds out in which form AWSPENDING is stuck by logging in, then finishes the rotation from there, or gives the pending version up.",
		Options: []plan.Option{{Name: optionEnd, Summary: "finish the rotation, or drop the pending version", Words: []string{"finish", "drop"}, Default: "finish"}},
	}
}

func (p *recoverPending) Targets() []plan.Target {
	all := databases(p.systems.Config)
	if p.systems.Readings == nil {
		return all
	}
	if readings := p.systems.Readings(); readings != nil {
		for i := range all {
			if all[i].Ready {
				all[i].Due = readings.Stuck(all[i].ID)
			}
		}
	}
	return all
}

func (p *recoverPending) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	e, err := targetsOf(p.systems, p.book, ask.Target)
	if err != nil {
		return nil, err
	}
	s, err := e.look(ctx)
	if err != nil {
		return nil, err
	}
	if ask.Past != nil {
		return e.again(ctx, s, ask)
	}
	f := &facts{base: s.state.Current, previous: s.state.Previous, token: s.state.Pending, claim: s.state.Claim, old: s.base.User, user: s.base.User, cancel: s.state.Schedule.On}
	drop := ask.Options[optionEnd] == "drop"
	title := fmt.Sprintf("Recover the stuck rotation of %s", e.place.Name())
	switch {
	case s.state.Pending == "" && (s.state.Done == "" || s.state.Claim == "" && s.state.Holder == ""):
		return nil, &actions.Refusal{What: "recovering a rotation of " + e.place.Name(), Why: "none is stuck: no version is pending that is not current", Next: "plan rotate-database " + e.place.Name()}
	case s.state.Pending == "":
		f.token, f.drop, f.cancel = s.state.Done, true, false
		return e.prepared(s, f, "Take away what a rotation left at "+e.place.Name(), "The rotation succeeded: the pending version is current. Only its label and tag are left."), nil
	}
	if s.state.Holder != "" {
		s.warn = append(s.warn, plan.Warning{ID: "held", Accept: true, Text: "The pending version is held by " + s.state.Holder + ". If that run is still open, resume or roll it back in its own incident instead; two must not do this at once."})
	}
	form, why, err := p.form(ctx, s, f, drop)
	if err != nil {
		return nil, err
	}
	if drop {
		f.drop, f.form = true, form
		return e.prepared(s, f, title+" (give it up)", why), nil
	}
	f.form = form
	if form == formC {
		f.fill, f.claim = true, store.NewClaim()
	}
	s.lookAtReplicas(ctx, f)
	if err := s.lookAtCopies(ctx, f); err != nil {
		return nil, err
	}
	return e.prepared(s, f, title, why), nil
}

// form finds out in which form a rotation is stuck, and by whom it can be finished.
func (p *recoverPending) form(ctx context.Context, s *survey, f *facts, drop bool) (form, why string, err error) {
	at := "Version " + store.Short(f.token) + " is pending"
	pendingValue := tried{}
	pendingValue.Credential, err = s.read(ctx, f.token)
	var empty *store.Empty
	if errors.As(err, &empty) {
		if drop {
			return formC, "Form (c): " + strings.ToLower(at[:1]) + at[1:] + " and holds no value. Its label is taken away; nothing knows a password of it.", nil
		}
		if s.db.Strategy == "alternating" {
			if f.user, err = s.alternate(ctx); err != nil {
				return "", "", err
			}
		}
		if err := s.who(ctx, f); err != nil {
			return "", "", err
		}
		f.create = !f.same() && s.known && !s.role.Exists
		return formC, "Form (c): " + at + " and holds no value. A new password is stored under that same version, and the rotation is finished with it.", nil
	}
	if err != nil {
		return "", "", err
	}
	if err := p.belongs(ctx, s, f, pendingValue.Credential); err != nil {
		return "", "", err
	}
	switch s.try(ctx, &pendingValue, "AWSPENDING (version "+store.Short(f.token)+")"); {
	case pendingValue.Right() && drop:
		return "", "", &actions.Refusal{What: "giving up version " + store.Short(f.token) + " of " + s.place.Name(), Why: "it is the password that the database takes now", Next: "finish the rotation: plan recover-pending without end=drop"}
	case pendingValue.Err != nil:
		return "", "", pendingValue.Err
	case pendingValue.Right():
		f.by = bySelf + f.token
		if !f.same() && s.tryAdmin(ctx) {
			f.by = byAdmin
		}
		return formA, "Form (a): " + at + ", and the database takes its password already. It is tried everywhere, and made current.", nil
	case drop:
		return formB, at + ", and the database does not take its password. Its label is taken away; the version stays in the store.", nil
	}
	if err := s.who(ctx, f); err != nil {
		return "", "", err
	}
	f.create = !f.same() && s.known && !s.role.Exists
	if s.base.done && s.base.Works() || !f.same() {
		return formB, "Form (b): " + at + " and the database does not know its password yet. It is set, tried everywhere, and made current.", nil
	}
	return formD, "Form (d): " + at + ", and the database takes neither its password nor that of AWSCURRENT. It is set by " + (&rotation{estateOf: s.estateOf, facts: f}).whose() + ".", nil
}

// belongs is that the pending value is for the user and the server of the current one.
func (p *recoverPending) belongs(ctx context.Context, s *survey, f *facts, c postgres.Credential) error {
	what := "using the pending version of " + s.place.Name()
	if c.User != s.base.User {
		other, err := "", error(nil)
		if s.db.Strategy == "alternating" {
			if other, err = s.alternate(ctx); err != nil {
				return err
			}
		}
		if c.User != other {
			return &actions.Refusal{What: what, Why: "it is for another user than the current one", Next: "give it up (end=drop), and rotate anew"}
		}
		f.user = other
	}
	now, err := s.place.Read(ctx, s.state.Current)
	if err != nil {
		return err
	}
	next, err := s.place.Read(ctx, f.token)
	if err != nil {
		return err
	}
	for _, key := range []string{"host", "dbname"} {
		a, err := now.Field(key)
		if err != nil {
			continue // it is not kept in the secret
		}
		if b, err := next.Field(key); err != nil || a.Reveal() != b.Reveal() {
			return &actions.Refusal{What: what, Why: "its " + key + " is not that of the current one", Next: "give it up (end=drop), and rotate anew"}
		}
	}
	return nil
}
