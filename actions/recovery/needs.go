package recovery

import (
	"context"
	"fmt"
	"sync"

	"warroom/actions"
	"warroom/actions/apikey"
	"warroom/actions/postgres"
	"warroom/actions/store"
	"warroom/internal/config"
)

// need is whether a stored secret needs a new value.
type need struct {
	secret    string
	kind      int    // databases before keys
	procedure string // empty when it is in order
	why       string
	err       error // it could not be told
}

// needs finds out which secrets need a new value.
type needs interface {
	find(ctx context.Context, databases, keys []string) []need
}

// live asks the stores, databases and providers themselves.
type live struct {
	systems actions.Systems
	book    postgres.Book
}

// atOnce is how many secrets are looked at side by side.
const atOnce = 8

func (l *live) find(ctx context.Context, databases, keys []string) []need {
	out := make([]need, len(databases)+len(keys))
	turns := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range out {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if i < len(databases) {
				out[i] = l.database(ctx, databases[i])
			} else {
				out[i] = l.key(ctx, keys[i-len(databases)])
			}
		})
	}
	all.Wait()
	return out
}

// database tells whether a password is stuck, or let in nowhere.
func (l *live) database(ctx context.Context, secret string) need {
	n := need{secret: secret, procedure: nameRotate}
	fail := func(err error) need { n.err = err; return n }
	place, stored, err := store.Open(l.systems, secret)
	if err != nil {
		return fail(err)
	}
	state, err := place.Look(ctx)
	if err != nil {
		return fail(err)
	}
	if state.Pending != "" {
		n.procedure, n.why = nameRecover, "a rotation of it is stuck: version "+store.Short(state.Pending)+" is pending"
		return n
	}
	primary, replicas := postgres.Targets(l.systems.Config, secret)
	if primary == nil {
		n.procedure, n.why = "", "no primary uses it"
		return n
	}
	value, err := place.Read(ctx, state.Current)
	if err != nil {
		return fail(err)
	}
	userField, passwordField := "username", "password"
	if r := stored.Rotation; r != nil && r.Database != nil {
		userField, passwordField = or(r.Database.Username, userField), or(r.Database.Password, passwordField)
	}
	credential, err := postgres.CredentialOf(secret, value, userField, passwordField, primary.User)
	if err != nil {
		return fail(err)
	}
	credential.Version = state.Current
	credential.Know(l.systems)
	for _, t := range append([]postgres.Target{*primary}, replicas...) {
		a := l.book.Try(ctx, l.systems, t, credential)
		switch {
		case a.Err != nil:
			return fail(a.Err)
		case a.Wrong() && t.Role != "replica":
			n.why = "its current version is refused by " + t.Name
			return n
		case !a.Works():
			// A new password does not help a replica that lags, or a role that is barred.
			return fail(fmt.Errorf("%s says to its current version: %s", t.Name, l.systems.Read.Text(a.Words(), 200)))
		}
	}
	n.procedure, n.why = "", "its current version is let in everywhere"
	return n
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// key tells whether a key is refused by its provider.
func (l *live) key(ctx context.Context, secret string) need {
	n := need{secret: secret, kind: 1, procedure: nameAPIKey}
	fail := func(err error) need { n.err = err; return n }
	place, stored, err := store.Open(l.systems, secret)
	if err != nil {
		return fail(err)
	}
	rule := apiRule(stored)
	if rule == nil {
		n.procedure, n.why = "", "warroom.yaml does not say how it is rotated"
		return n
	}
	state, err := place.Look(ctx)
	if err != nil {
		return fail(err)
	}
	value, err := place.Read(ctx, state.Current)
	if err != nil {
		return fail(err)
	}
	said, err := apikey.Try(ctx, l.systems, rule, value)
	switch {
	case err != nil:
		return fail(err)
	case said.Refused:
		n.why = "its provider refuses the current key: " + l.systems.Read.Text(said.Text, 200)
	case said.Works:
		n.procedure, n.why = "", "its provider takes the current key"
	default:
		return fail(fmt.Errorf("its provider says nothing of the current key: %s", l.systems.Read.Text(said.Text, 200)))
	}
	return n
}

func apiRule(s *config.StoredSecret) *config.APIKeyRotation {
	if s.Rotation == nil {
		return nil
	}
	return s.Rotation.APIKey
}
