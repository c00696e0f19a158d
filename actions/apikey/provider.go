package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// provider makes the calls of one rotation's provider.
type provider struct {
	rule  *config.APIKeyRotation
	sys   actions.Systems
	clock func() time.Time
}

// learn makes a value known to every net before anything else looks at it.
func (p *provider) learn(values ...estate.Secret) {
	for _, v := range values {
		if v.Empty() {
			continue
		}
		p.sys.Read.Net().Register(v.Reveal())
		p.sys.Act.Net().Register(v.Reveal())
	}
}

// field reads a field of the current value of a stored secret, for a template.
func (p *provider) field(ctx context.Context, secret, name string) (estate.Secret, error) {
	value, err := p.sys.Read.StoredFresh(ctx, secret, estate.StageCurrent)
	if err != nil {
		return estate.Secret{}, err
	}
	out, err := value.Field(name)
	p.learn(out)
	return out, err
}

// ask makes one call. Its error is of what kept it from being asked: an
// *estate.Failure about warroom.yaml or the store, a *clients.NotPermitted, or the end
// of ctx. Whatever the provider or the network did is the answer.
func (p *provider) ask(ctx context.Context, what string, call *config.ProviderCall, a about, changes bool) (answer, error) {
	where := "the " + what + " call of " + p.rule.Provider
	if call == nil {
		return answer{}, &estate.Failure{Kind: estate.Misconfigure, Doing: "make " + where, Detail: "warroom.yaml has none", Next: "add it, or do it in the provider's console"}
	}
	p.learn(a.key)
	req := clients.HTTPRequest{Method: call.Method, Header: map[string]estate.Secret{}, ReadOnly: !changes}
	var err error
	if req.URL, err = address(ctx, call.URL, where, a); err != nil {
		return answer{}, err
	}
	for name, template := range call.Headers {
		if req.Header[name], err = fill(ctx, template, "the header "+name+" of "+where, a, p.field, plainly); err != nil {
			return answer{}, err
		}
	}
	if call.Body != "" {
		if req.Body, err = fill(ctx, call.Body, "the body of "+where, a, p.field, bodyEscaping(call.Body, http.Header(headers(call.Headers)).Get("Content-Type"))); err != nil {
			return answer{}, err
		}
	}
	set := p.sys.Read
	if changes {
		set = p.sys.Act
	}
	got, err := set.HTTP(call.CACert).Do(ctx, req)
	if err == nil {
		return reading(call, got, p.clock()), nil
	}
	var kept *clients.NotPermitted
	var failure *estate.Failure
	switch {
	case errors.As(err, &kept):
		return answer{}, err
	case errors.Is(ctx.Err(), context.Canceled):
		return answer{}, context.Canceled
	case errors.As(err, &failure) && (failure.Kind == estate.Misconfigure || failure.Kind == estate.BadSecret):
		return answer{}, err
	}
	failure = set.Failure(err, "ask "+where)
	return answer{verdict: silent, said: failure.Detail, unsent: failure.Kind == estate.Unresolved}, nil
}

// headers are those of a template in the form in which they are looked up.
func headers(in map[string]string) map[string][]string {
	out := http.Header{}
	for name, value := range in {
		out.Set(name, value)
	}
	return out
}

// probe asks whether a key works.
func (p *provider) probe(ctx context.Context, key estate.Secret, id string) (answer, error) {
	return p.ask(ctx, "probe", p.rule.Probe, about{key: key, id: id}, false)
}

// made is a key that the provider made.
type made struct {
	value estate.Secret
	id    string
}

// create asks for a second key. The key is known to the nets when it returns. With a
// yes that does not hold what was asked for, the error is an *estate.Failure.
func (p *provider) create(ctx context.Context, name string) (made, answer, error) {
	got, err := p.ask(ctx, "create", p.rule.Create, about{name: name}, true)
	if err != nil || got.verdict != works {
		return made{}, got, err
	}
	doing := "create a key at " + p.rule.Provider
	value := estate.NewSecret(text(got.document, p.rule.Create.Value))
	p.learn(value)
	out := made{value: value, id: text(got.document, p.rule.Create.ID)}
	switch {
	case value.Empty():
		return out, got, lacks(doing, "value", p.rule.Create.Value)
	case p.rule.Create.ID != "" && out.id == "":
		return out, got, lacks(doing, "id", p.rule.Create.ID)
	case out.id != "" && p.sys.Read.Text(out.id, idLimit) != out.id:
		return made{value: value}, got, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "what stands at " + p.rule.Create.ID + " is no id", Next: "correct the path in warroom.yaml"}
	}
	return out, got, nil
}

// idLimit bounds the id of a key: it stands in plans and facts.
const idLimit = 200

// listed is a key as the provider lists it. Its id is not scrubbed, since it is
// compared with others: an id that a person typed is known to the nets.
type listed struct{ id, name string }

// mostListed bounds a list of keys.
const mostListed = 1000

// list names the keys of the account.
func (p *provider) list(ctx context.Context) ([]listed, answer, error) {
	got, err := p.ask(ctx, "list", p.rule.List, about{}, false)
	if err != nil || got.verdict != works {
		return nil, got, err
	}
	doing := "list the keys at " + p.rule.Provider
	items, ok := find(got.document, p.rule.List.Items).([]any)
	if !ok || len(items) > mostListed {
		return nil, got, lacks(doing, "list of keys", p.rule.List.Items)
	}
	var out []listed
	for _, item := range items {
		one := listed{
			id:   clients.Strip(text(item, p.rule.List.ID), idLimit),
			name: p.sys.Read.Text(text(item, p.rule.List.Name), idLimit),
		}
		if one.id == "" {
			return nil, got, lacks(doing, "id of a key", p.rule.List.ID)
		}
		out = append(out, one)
	}
	return out, got, nil
}

// lastUsed tells when a key was used last; zero is never.
func (p *provider) lastUsed(ctx context.Context, key estate.Secret, id string) (time.Time, answer, error) {
	got, err := p.ask(ctx, "last_used", p.rule.LastUsed, about{key: key, id: id}, false)
	if err != nil || got.verdict != works {
		return time.Time{}, got, err
	}
	doing := fmt.Sprintf("ask %s when the key %s was used last", p.rule.Provider, id)
	found, there := look(got.document, p.rule.LastUsed.Time)
	if !there {
		return time.Time{}, got, lacks(doing, "time", p.rule.LastUsed.Time)
	}
	if found == nil || found == "" {
		return time.Time{}, got, nil
	}
	word, _ := found.(string)
	at, err := time.Parse(time.RFC3339, word)
	if err != nil {
		return time.Time{}, got, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "what stands at " + p.rule.LastUsed.Time + " is no time in RFC 3339", Next: "correct the path in warroom.yaml"}
	}
	return at.UTC(), got, nil
}

// revoke ends a key. That there is none any more is as good.
func (p *provider) revoke(ctx context.Context, key estate.Secret, id string) (answer, error) {
	got, err := p.ask(ctx, "revoke", p.rule.Revoke, about{key: key, id: id}, true)
	if err == nil && (got.code == http.StatusNotFound || got.code == http.StatusGone) {
		got.verdict = works
	}
	return got, err
}

// failed is an answer as the error of a step.
func (p *provider) failed(doing string, got answer) *estate.Failure {
	f := &estate.Failure{Doing: doing + " at " + p.rule.Provider, Detail: p.rule.Provider + " answers " + status(got.code)}
	if got.said != "" {
		f.Detail += ": " + got.said
	}
	switch got.verdict {
	case refused:
		f.Kind, f.Next = estate.NoIdentity, "the credential of this call is not taken: renew it"
	case forbidden:
		f.Kind, f.Next = estate.Denied, "give the credential of this call the right to do it"
	case limited:
		f.Kind, f.Next = estate.Throttled, "wait and resume, or plan retry-api-key"
	case trouble:
		f.Kind, f.Next = estate.ServerError, "plan retry-api-key or ask-provider"
	case silent:
		f.Kind, f.Detail, f.Next = estate.Silent, got.said, "what came of it is not known: resume, which looks first"
	default:
		f.Kind, f.Next = estate.BadAnswer, "see the call in warroom.yaml, and the provider's documentation"
	}
	return f
}
