package checks

import (
	"context"
	"net/url"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// storedValue is a field of a stored secret with the version it was read from.
type storedValue struct {
	value   estate.Secret
	version string
}

// valueReader reads a field of the current version of a stored secret. Its error
// never holds the value.
type valueReader func(ctx context.Context, secret, field string) (storedValue, error)

// httpProbes reads gateways, external APIs and health endpoints. Each component
// has a client of its own.
func httpProbes(cfg *config.Config, set *clients.Set) []Probe {
	return httpProbesWith(cfg, set, storedValues(cfg, set), time.Now)
}

func httpProbesWith(cfg *config.Config, set *clients.Set, values valueReader, now func() time.Time) []Probe {
	var out []Probe
	for i := range cfg.Components {
		c := &cfg.Components[i]
		b := builder{cfg: cfg, set: set, id: estate.ID(c.ID), values: values, now: now}
		switch {
		case c.Gateway != nil:
			out = append(out, b.gateway(c.Gateway)...)
		case c.ExternalAPI != nil:
			out = append(out, b.externalAPI(c.ExternalAPI))
		case c.Application != nil && c.Application.Health != nil:
			out = append(out, b.health(c.Application.Health))
		}
	}
	return out
}

// storedValues reads stored secrets from the accounts that keep them.
func storedValues(cfg *config.Config, set *clients.Set) valueReader {
	accounts := map[string]string{}
	for i := range cfg.Components {
		if m := cfg.Components[i].SecretsManager; m != nil {
			for _, s := range m.Secrets {
				accounts[s.ID] = m.Account
			}
		}
	}
	return func(ctx context.Context, secret, field string) (storedValue, error) {
		account, known := accounts[secret]
		if !known {
			return storedValue{}, &estate.Failure{Kind: estate.Misconfigure, Detail: "no secrets_manager in warroom.yaml lists " + secret, Next: "list it where it is stored"}
		}
		aws, err := set.AWS(account)
		if err != nil {
			return storedValue{}, err
		}
		value, err := aws.Value(ctx, secret, estate.StageCurrent)
		if err != nil {
			return storedValue{}, err
		}
		one, err := value.Field(field)
		return storedValue{value: one, version: value.VersionID}, err
	}
}

// builder makes the probes of one component.
type builder struct {
	cfg    *config.Config
	set    *clients.Set
	id     estate.ID
	values valueReader
	now    func() time.Time
}

func (b *builder) probe(check, item, source string, every time.Duration, read func(context.Context) Result) Probe {
	return Probe{
		Key:      estate.Key{Component: b.id, Check: check, Item: item},
		Source:   source,
		System:   "http:" + string(b.id),
		Interval: every,
		Timeout:  b.cfg.Checks.Timeout,
		Read:     read,
	}
}

// shown is a URL as it may be drawn: without user, password, query and fragment,
// all of which can carry credentials.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the configured URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// restFor is how long a credential that was refused is left alone: the console
// must not lock an account or drown a failure count with its own tries.
const restFor = 5 * time.Minute

// rest remembers the refused try of one credential version.
type rest struct {
	mu      sync.Mutex
	version string
	at      time.Time
	data    estate.Data
}

// held returns the remembered try when version was refused less than restFor
// before now. The probe looks again in half that time: reading which version is
// current harms nobody, and a new one is tried at once.
func (r *rest) held(version string, now time.Time) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.data == nil || r.version != version || now.Sub(r.at) >= restFor || now.Before(r.at) {
		return Result{}, false
	}
	return Result{Data: r.data, At: r.at, Interval: restFor / 2}, true
}

// tried notes the outcome of a try, and returns it as a result.
func (r *rest) tried(version string, now time.Time, data estate.Data, refused bool) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !refused {
		r.data = nil
		return Result{Data: data}
	}
	r.version, r.at, r.data = version, now, data
	return Result{Data: data, Interval: restFor / 2}
}

// refused reports whether an HTTP status says no to the credential.
func refused(code int) bool { return code == 401 || code == 403 }

// failed makes a result of an error. A failure that says already what was being
// done is kept in its words, with what it was done for.
func (b *builder) failed(doing string, err error) Result {
	f := b.set.Failure(err, doing)
	if f.Doing != doing {
		f.Doing = doing + ": " + f.Doing
	}
	return Result{Err: f}
}
