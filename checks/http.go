package checks

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// shared is what the probes of one estate have in common.
type shared struct {
	read credentialReader
	gate *gate
	own  map[estate.ID]*ownCalls // by gateway
	now  func() time.Time
}

// httpProbes reads gateways, external APIs and health endpoints. Each component
// has a client of its own.
func httpProbes(cfg *config.Config, set *clients.Set, with shared) []Probe {
	var out []Probe
	for i := range cfg.Components {
		c := &cfg.Components[i]
		b := builder{shared: with, cfg: cfg, set: set, id: estate.ID(c.ID)}
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

// builder makes the probes of one component.
type builder struct {
	shared
	cfg *config.Config
	set *clients.Set
	id  estate.ID
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

// refusedCode reports whether an HTTP status says no to the credential.
func refusedCode(code int) bool {
	return code == http.StatusUnauthorized || code == http.StatusForbidden
}

// judged is what an answer says of the credential that was sent.
func judged(code int) verdict {
	switch {
	case refusedCode(code):
		return refused
	case code >= 200 && code < 300:
		return accepted
	}
	return inconclusive
}

// stored reads a field of the current version of a stored secret.
func (b *builder) stored(ctx context.Context, secret, field, doing string) (credential, estate.Secret, error) {
	c, err := b.read.get(ctx, secret, estate.StageCurrent, doing)
	if err != nil {
		return c, estate.Secret{}, err
	}
	value, err := c.field(field)
	return c, value, err
}

// probed makes a result of an attempt, whose data complete fills in.
func probed[T estate.Data](b *builder, made attempt, doing string, complete func(T) estate.Data) Result {
	if made.err != nil {
		return b.failed(doing, made.err)
	}
	data, ok := made.data.(T)
	if !ok {
		return Result{Err: &estate.Failure{Kind: estate.Broken, Doing: doing, Detail: "what is remembered is of another kind"}}
	}
	return made.result(complete(data), b.cfg.Checks.LoginEvery)
}

// failed makes a result of an error. A failure that says already what was being
// done is kept in its words, with what it was done for.
func (b *builder) failed(doing string, err error) Result {
	if errors.Is(err, context.Canceled) {
		return Result{Err: context.Canceled} // we were told to stop: nothing was seen
	}
	f := b.set.Failure(err, doing)
	if f.Doing != doing {
		f.Doing = doing + ": " + f.Doing
	}
	return Result{Err: f}
}
