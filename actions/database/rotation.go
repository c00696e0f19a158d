package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/actions"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// estateOf is what a rotation works on, as configured.
type estateOf struct {
	systems  actions.Systems
	book     *postgres.Book
	place    store.Place
	stored   *config.StoredSecret
	db       *config.DatabaseRotation
	primary  postgres.Target
	replicas []postgres.Target
	copied   []store.Copy
	poolers  []postgres.Pooler
}

// targetsOf finds what a stored secret is rotated at.
func targetsOf(systems actions.Systems, book *postgres.Book, secret string) (*estateOf, error) {
	place, stored, err := store.Open(systems, secret)
	if err != nil {
		return nil, err
	}
	what := "rotating the password of " + secret
	if stored.Rotation == nil || stored.Rotation.Database == nil {
		return nil, &actions.Refusal{What: what, Why: "warroom.yaml does not say how", Next: "add rotation.database to the secret, or ask its platform: plan request-rotation " + secret}
	}
	e := &estateOf{systems: systems, book: book, place: place, stored: stored, db: stored.Rotation.Database, copied: store.Copies(systems, stored)}
	primary, replicas := postgres.Targets(systems.Config, secret)
	if primary == nil {
		return nil, &actions.Refusal{What: what, Why: "no postgres component with role primary uses it", Next: "add the primary to warroom.yaml: replicas cannot be changed"}
	}
	e.primary, e.replicas = *primary, replicas
	for _, p := range e.db.Poolers {
		e.poolers = append(e.poolers, postgres.Pooler{Pooler: p})
	}
	return e, nil
}

// all are the servers, the primary first.
func (e *estateOf) all() []postgres.Target {
	return append([]postgres.Target{e.primary}, e.replicas...)
}

// read reads a version of the secret as a credential.
func (e *estateOf) read(ctx context.Context, version string) (postgres.Credential, error) {
	v, err := e.place.Read(ctx, version)
	if err != nil {
		return postgres.Credential{}, err
	}
	return e.credential(v, version)
}

func (e *estateOf) credential(v clients.Value, version string) (postgres.Credential, error) {
	c, err := postgres.CredentialOf(e.place.Name(), v, cmp.Or(e.db.Username, "username"), e.passwordField(), e.primary.User)
	c.Version = version
	c.Know(e.systems)
	return c, err
}

func (e *estateOf) passwordField() string { return cmp.Or(e.db.Password, "password") }

// other reads the current credential of another stored secret: of an administrator, a
// superuser, a pooler or the monitoring role.
func (e *estateOf) other(ctx context.Context, secret string) (postgres.Credential, error) {
	place, stored, err := store.Open(e.systems, secret)
	if err != nil {
		return postgres.Credential{}, err
	}
	s, err := place.Look(ctx)
	if err != nil {
		return postgres.Credential{}, err
	}
	v, err := place.Read(ctx, s.Current)
	if err != nil {
		return postgres.Credential{}, err
	}
	userField, passwordField := "username", "password"
	if r := stored.Rotation; r != nil && r.Database != nil {
		userField, passwordField = cmp.Or(r.Database.Username, userField), cmp.Or(r.Database.Password, passwordField)
	}
	c, err := postgres.CredentialOf(secret, v, userField, passwordField, "")
	c.Version = s.Current
	c.Know(e.systems)
	return c, err
}

// fields are what of a value a rotation changes.
func (e *estateOf) fields(c postgres.Credential) store.Fields {
	f := store.Fields{e.passwordField(): c.Password}
	if e.primary.User == "" {
		f[cmp.Or(e.db.Username, "username")] = estate.NewSecret(c.User)
	}
	return f
}

// rotation carries out one plan.
type rotation struct {
	*estateOf
	*facts
	now func() time.Time

	mu      sync.Mutex
	session *clients.PostgresSession // holds the lock; nil when it is not held
}

// close lets go of the lock.
func (r *rotation) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session != nil {
		r.session.Close()
		r.session = nil
	}
}

// changers are the credentials by which the password may be set, in turn.
func (r *rotation) changers(ctx context.Context) ([]postgres.Credential, error) {
	switch {
	case r.by == byAdmin:
		c, err := r.other(ctx, r.db.Admin)
		return []postgres.Credential{c}, err
	case r.by == byEmergency:
		c, err := r.other(ctx, r.db.Emergency)
		return []postgres.Credential{c}, err
	}
	var all []postgres.Credential
	var last error
	// By its own: the version that worked, or after a crash whichever does now.
	for _, version := range []string{strings.TrimPrefix(r.by, bySelf), r.token, r.base} {
		if version == "" || slices.ContainsFunc(all, func(c postgres.Credential) bool { return c.Version == version }) {
			continue
		}
		c, err := r.read(ctx, version)
		var empty *store.Empty
		switch {
		case err == nil:
			all = append(all, c)
		case !errors.As(err, &empty):
			last = err
		}
	}
	if len(all) == 0 && last != nil {
		return nil, last
	}
	return all, nil
}

// locked is a session on the primary that may set the password, and holds the lock of
// the role until the run ends. It is for a running step only.
func (r *rotation) locked(ctx context.Context, run *actions.Run) (*clients.PostgresSession, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session != nil && !r.session.Broken() {
		return r.session, nil
	}
	r.session = nil
	all, err := r.changers(ctx)
	if err != nil {
		return nil, err
	}
	var last error = &estate.Failure{Kind: estate.NoCredential, Doing: "set a password at " + r.primary.Place(), Detail: "no credential is left to do it with"}
	for _, c := range all {
		s, answer := r.book.OpenToChange(ctx, r.systems, r.primary, c)
		if s == nil {
			if last = answer.Refused(r.primary, c.User); ctx.Err() != nil {
				return nil, last
			}
			continue
		}
		if err := postgres.Lock(ctx, s, r.primary, r.user, holder(r.systems)); err != nil {
			s.Close()
			return nil, err
		}
		r.session = s
		run.Hold(plan.Held{What: lockOf(r.user, r.primary), For: "this run: another console is told who holds it"}, true)
		return s, nil
	}
	return nil, last
}

// lockOf is how the lock of a role is told.
func lockOf(user string, primary postgres.Target) string {
	return fmt.Sprintf("advisory lock on role %s at %s", user, primary.Place())
}

// holder is who acts, as others are told.
func holder(systems actions.Systems) string {
	if systems.Holder != "" {
		return systems.Holder
	}
	name, host := "somebody", "a host"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// names lists what people call something.
func names[T any](all []T, name func(T) string) string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = name(one)
	}
	return strings.Join(out, ", ")
}
