package apikey

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"warroom/actions"
	"warroom/actions/store"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// family is what the procedures share.
type family struct {
	systems actions.Systems
	now     func() time.Time
	// pause waits, or returns why it was not waited for.
	pause  func(ctx context.Context, d time.Duration) error
	jitter func() float64 // from 0 to below 1
}

// New makes the procedures that deal with API keys.
func New(systems actions.Systems) []actions.Procedure {
	return (&family{systems: systems, now: time.Now, pause: pause, jitter: mathrand.Float64}).procedures()
}

func (f *family) procedures() []actions.Procedure {
	return []actions.Procedure{
		&rotation{family: f, way: byMaking},
		&revocation{family: f},
		&rotation{family: f, way: byBackup},
		&help{family: f},
		&rotation{family: f, way: byRetrying},
	}
}

// pause waits until the time is over, or ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errStopped ends a wait that a person stopped.
var errStopped = &estate.Failure{Kind: estate.Paused, Detail: "it was stopped while it waited", Next: "resume it to go on, or roll it back"}

// glance is how often a wait looks whether it was stopped.
const glance = time.Second

// idle waits as part of a run: a stop ends it, too.
func (f *family) idle(ctx context.Context, r *actions.Run, d time.Duration) error {
	for d > 0 {
		if r.Stopping() {
			return errStopped
		}
		now := min(d, glance)
		if err := f.pause(ctx, now); err != nil {
			return err
		}
		d -= now
	}
	return nil
}

// targets lists the stored secrets whose API key can be rotated. fit says why a
// procedure cannot be done to one, and a note otherwise.
func (f *family) targets(fit func(*config.APIKeyRotation) (note string, ready bool)) []plan.Target {
	var out []plan.Target
	for _, s := range store.Secrets(f.systems.Config) {
		if s.Rotation == nil || s.Rotation.APIKey == nil {
			continue
		}
		t := plan.Target{ID: s.Called(), Title: "API key of " + s.Rotation.APIKey.Provider}
		t.Note, t.Ready = fit(s.Rotation.APIKey)
		out = append(out, t)
	}
	return out
}

// member is one stored secret that holds the key.
type member struct {
	name           string
	place          store.Place
	secret         *config.StoredSecret
	field, idField string
}

// subject is what a procedure is done to: the stored secret of a key, and those that
// hold the same key.
type subject struct {
	*family
	provider
	target  string
	members []member // the target first, then its dependents
}

// subject finds a target in the configuration.
func (f *family) subject(target string) (*subject, error) {
	place, secret, err := store.Open(f.systems, target)
	if err != nil {
		return nil, err
	}
	if secret.Rotation == nil || secret.Rotation.APIKey == nil {
		return nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "rotate the API key " + target, Detail: "warroom.yaml does not say how: it has no rotation.api_key",
			Next: "add it, or rotate the key in the provider's console",
		}
	}
	rule := secret.Rotation.APIKey
	s := &subject{family: f, target: target, provider: provider{rule: rule, sys: f.systems, clock: f.now}}
	s.members = []member{{name: target, place: place, secret: secret, field: rule.Field, idField: rule.IDField}}
	for _, id := range rule.Dependents {
		place, secret, err := store.Open(f.systems, id)
		if err != nil {
			return nil, err
		}
		m := member{name: id, place: place, secret: secret, field: rule.Field, idField: rule.IDField}
		if r := secret.Rotation; r != nil && r.APIKey != nil {
			m.field, m.idField = r.APIKey.Field, r.APIKey.IDField
		}
		s.members = append(s.members, m)
	}
	return s, nil
}

// held is a version of a member, with the key in it.
type held struct {
	value clients.Value
	key   estate.Secret // empty where trouble says why
	id    string        // the provider's id of the key; empty where it is not stored
	// trouble is why the value holds no usable key.
	trouble error
}

// read reads a version of a member. The error is of the store; a value without a key
// is told in held.
func (s *subject) read(ctx context.Context, m member, version string) (held, error) {
	value, err := m.place.Read(ctx, version)
	if err != nil {
		return held{}, err
	}
	h := held{value: value}
	h.key, h.trouble = value.Field(m.field)
	s.learn(h.key)
	if m.idField != "" {
		if id, err := value.Field(m.idField); err == nil {
			h.id = clients.Strip(id.Reveal(), idLimit)
		}
	}
	return h, nil
}

// draft is the value of a member with another key in it.
func (s *subject) draft(m member, h held, key made) (estate.Secret, error) {
	fields := map[string]estate.Secret{m.field: key.value}
	if m.idField != "" && (key.id != "" || h.id != "") {
		fields[m.idField] = estate.NewSecret(key.id)
	}
	return h.value.With(fields)
}

// rotationName makes up the name of a rotation: the provider shows it, and by it a key
// is found again.
func rotationName(at time.Time) string {
	var raw [5]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "warroom-" + at.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(raw[:])
}

// call names a provider's call for a plan.
func call(c *config.ProviderCall, note string) string {
	method := c.Method
	if method == "" {
		method = "GET"
	}
	if note != "" {
		note = " (" + note + ")"
	}
	return fmt.Sprintf("%s %s%s", method, c.URL, note)
}

// systemsOf lists where a plan acts.
func (s *subject) systemsOf() []string {
	var out []string
	for _, m := range s.members {
		out = append(out, m.place.System())
	}
	for _, c := range s.allCopies() {
		out = append(out, c.System())
	}
	return out
}

// sign writes at every member who rotates it. Not being able to is told, and no more:
// the claim of the version is what counts.
func (s *subject) sign(ctx context.Context, r *actions.Run, m member) {
	if err := m.place.Sign(ctx, store.Holder(r.Plan().ID, s.systems.Holder, s.family.now())); err != nil {
		r.Say("warn", m.name+" does not say who rotates it: "+err.Error())
	}
}
