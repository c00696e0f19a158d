package validate

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"warroom/actions/apikey"
	"warroom/actions/postgres"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// held is for how long what was refused is not presented again.
const held = 5 * time.Minute

// keyBook remembers which keys were refused where.
type keyBook struct {
	mu      sync.Mutex
	refused map[string]refusal
}

type refusal struct {
	at   time.Time
	text string
}

// present makes a try, unless the same key was refused a short while ago. What says
// nothing of the key, as a provider that has trouble of its own, is asked again at once.
func (b *keyBook) present(now time.Time, key string, try func() (v Verdict, text string, ofKey bool)) (Verdict, string) {
	b.mu.Lock()
	old, known := b.refused[key]
	b.mu.Unlock()
	if known && now.Sub(old.at) < held {
		return Refused, fmt.Sprintf("%s (at %s; the same key is not tried again before %s)", old.text, old.at.UTC().Format("15:04:05Z"), old.at.Add(held).UTC().Format("15:04:05Z"))
	}
	v, text, ofKey := try()
	b.mu.Lock()
	defer b.mu.Unlock()
	if v == Refused && ofKey {
		if b.refused == nil {
			b.refused = map[string]refusal{}
		}
		b.refused[key] = refusal{now, text}
	} else if v == Works {
		delete(b.refused, key)
	}
	return v, text
}

// target is a server with a secret that logs in there.
type target struct {
	postgres.Target
	secret string
}

// logins are the servers with the secrets that log in there: those of warroom.yaml's
// servers, and those of applications that connect to one.
func (p *Procedure) logins() []target {
	var out []target
	add := func(t target) {
		if !slices.ContainsFunc(out, func(o target) bool { return o.ID == t.ID && o.secret == t.secret }) {
			out = append(out, t)
		}
	}
	servers := map[string]postgres.Target{}
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		if c.Postgres == nil {
			continue
		}
		t := postgres.Target{ID: estate.ID(c.ID), Name: c.Name, Postgres: *c.Postgres}
		servers[c.ID] = t
		for _, s := range append([]string{c.Postgres.Secret, c.Postgres.Monitor}, c.Postgres.Others...) {
			if s == "" {
				continue
			}
			as := t
			if s != c.Postgres.Secret {
				as.User = "" // the user that is configured is the other secret's
			}
			add(target{as, s})
		}
	}
	for i := range p.s.Config.Components {
		a := p.s.Config.Components[i].Application
		if a == nil {
			continue
		}
		t, ok := servers[a.Uses]
		if !ok {
			continue
		}
		for _, s := range a.Secrets {
			if stored, known := p.topo.Secret(s); known && stored.Type == estate.TypeDatabase {
				if s != t.Secret {
					t.User = ""
				}
				add(target{t, s})
			}
		}
	}
	return out
}

// databases are the logins that are tried.
func (p *Procedure) databases(secret string) []trial {
	var out []trial
	for _, t := range p.logins() {
		if secret != "" && t.secret != secret {
			continue
		}
		out = append(out, trial{
			name: "database " + t.secret + " at " + string(t.ID),
			call: "log in to " + t.Place() + " with the current value of " + t.secret + ", SELECT 1",
			try:  func(ctx context.Context) (Verdict, string) { return p.login(ctx, t) },
		})
	}
	return out
}

// login tries the current value of a secret at a server.
func (p *Procedure) login(ctx context.Context, t target) (Verdict, string) {
	value, err := p.s.Read.StoredFresh(ctx, t.secret, estate.StageCurrent)
	if err != nil {
		return failed(err)
	}
	userField, passwordField := "username", "password"
	if s := p.configured(t.secret); s != nil && s.Rotation != nil && s.Rotation.Database != nil {
		userField, passwordField = cmp.Or(s.Rotation.Database.Username, userField), cmp.Or(s.Rotation.Database.Password, passwordField)
	}
	c, err := postgres.CredentialOf(t.secret, value, userField, passwordField, t.User)
	if err != nil {
		return failed(err)
	}
	c.Know(p.s)
	version := "version " + short(c.Version)
	if at, text, is := p.refusedLately(t, c); is {
		return Refused, fmt.Sprintf("%s: the console's own check was refused at %s (%s), and the same password is not tried again before %s", version, at.UTC().Format("15:04:05Z"), text, at.Add(held).UTC().Format("15:04:05Z"))
	}
	a := p.book.Try(ctx, p.s, t.Target, c)
	switch {
	case a.Works():
		return Works, version + " logs in as " + clients.Strip(c.User, 64)
	case a.Err != nil:
		return failed(a.Err)
	}
	return Refused, version + " as " + clients.Strip(c.User, 64) + ": " + a.Words()
}

// refusedLately looks whether a check of the console was refused with the same version
// at the same server, within the time in which it must not be tried again.
func (p *Procedure) refusedLately(t target, c postgres.Credential) (at time.Time, text string, is bool) {
	if p.s.Readings == nil {
		return at, "", false
	}
	readings := p.s.Readings()
	if readings == nil {
		return at, "", false
	}
	for _, slot := range readings.Snapshot.Slots(t.ID) {
		login, ok := slot.Last.Data.(estate.Login)
		if !ok || login.Secret != c.Secret || login.Version != c.Version || login.User != c.User {
			continue
		}
		age := p.now().Sub(slot.Last.At)
		if (login.Outcome == estate.LoginWrong || login.Outcome == estate.LoginRejected) && age >= 0 && age < held {
			return slot.Last.At, login.Message, true
		}
	}
	return at, "", false
}

// interfaces are the APIs that are asked: those of warroom.yaml, and the probes of the
// rotations of keys.
func (p *Procedure) interfaces(secret string) []trial {
	var out []trial
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		if a := c.ExternalAPI; a != nil && (secret == "" || a.Secret == secret) {
			out = append(out, trial{
				name: "API " + a.Secret + " at " + c.ID, call: "GET " + clients.Strip(a.URL, 160) + " with the current key of " + a.Secret,
				try: func(ctx context.Context) (Verdict, string) { return p.api(ctx, a) },
			})
		}
	}
	for _, id := range p.secrets() {
		s := p.configured(id)
		if s.Rotation == nil || s.Rotation.APIKey == nil || secret != "" && secret != id {
			continue
		}
		rule := s.Rotation.APIKey
		out = append(out, trial{
			name: "API " + id + " at its provider", call: "the probe of " + rule.Provider + " with the current key of " + id,
			try: func(ctx context.Context) (Verdict, string) { return p.provider(ctx, id, rule) },
		})
	}
	return out
}

// api asks an external API with its current key.
func (p *Procedure) api(ctx context.Context, a *config.ExternalAPI) (Verdict, string) {
	value, err := p.s.Read.StoredFresh(ctx, a.Secret, estate.StageCurrent)
	if err != nil {
		return failed(err)
	}
	key, err := value.Field(cmp.Or(a.Field, "api_key"))
	if err != nil {
		return failed(err)
	}
	p.s.Read.Net().Register(key.Reveal())
	scheme := a.Scheme
	if scheme == "none" {
		scheme = ""
	}
	return p.keys.present(p.now(), a.URL+" "+a.Secret+" "+value.VersionID, func() (Verdict, string, bool) {
		answer, err := p.s.Read.HTTP(a.CACert).Get(ctx, a.URL, &clients.Credential{Header: cmp.Or(a.Header, "Authorization"), Scheme: scheme, Value: key}, false)
		if err != nil {
			v, text := failed(p.s.Read.Failure(err, "ask "+p.s.Read.Text(a.URL, 160)))
			return v, text, false
		}
		text := fmt.Sprintf("version %s is answered with %d %s", short(value.VersionID), answer.Code, http.StatusText(answer.Code))
		switch {
		case answer.Code >= 200 && answer.Code < 300:
			return Works, text, true
		case answer.Code == http.StatusTooManyRequests:
			return Unknown, text + ", which says nothing of the key", false
		}
		return Refused, text, answer.Code == http.StatusUnauthorized || answer.Code == http.StatusForbidden
	})
}

// provider asks the provider of a key whether it works.
func (p *Procedure) provider(ctx context.Context, id string, rule *config.APIKeyRotation) (Verdict, string) {
	value, err := p.s.Read.StoredFresh(ctx, id, estate.StageCurrent)
	if err != nil {
		return failed(err)
	}
	return p.keys.present(p.now(), rule.Provider+" "+id+" "+value.VersionID, func() (Verdict, string, bool) {
		answer, err := apikey.Try(ctx, p.s, rule, value)
		switch {
		case err != nil:
			v, text := failed(err)
			return v, text, false
		case answer.Works:
			return Works, "version " + short(value.VersionID) + " " + answer.Text, true
		case answer.Refused:
			return Refused, "version " + short(value.VersionID) + " " + answer.Text, true
		}
		return Unknown, "version " + short(value.VersionID) + " " + answer.Text, false
	})
}

// secrets are the ids of the stored secrets.
func (p *Procedure) secrets() []string {
	var out []string
	for _, s := range p.topo.Secrets {
		if p.configured(s.ID) != nil {
			out = append(out, s.ID)
		}
	}
	return out
}

// configured is what warroom.yaml says of a stored secret; nil where it has none.
func (p *Procedure) configured(id string) *config.StoredSecret {
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		var all []config.StoredSecret
		switch {
		case c.SecretsManager != nil:
			all = c.SecretsManager.Secrets
		case c.Vault != nil:
			all = c.Vault.Secrets
		}
		for j := range all {
			if all[j].Called() == id {
				return &all[j]
			}
		}
	}
	return nil
}

// short is the beginning of a version's id.
func short(version string) string {
	if len(version) > 8 {
		return version[:8] + "…"
	}
	return version
}
