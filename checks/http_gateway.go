package checks

import (
	"context"
	"net/http"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// gatewayCheck reads one API gateway.
type gatewayCheck struct {
	gateway *config.Gateway
	client  *clients.HTTP
	others  *clients.HTTP // for the issuer and Prometheus
	build   builder
	own     *ownCalls // what we asked of it ourselves; nil where nothing is counted
}

func (b builder) gateway(g *config.Gateway) []Probe {
	c := &gatewayCheck{gateway: g, client: b.set.HTTP(g.CACert), others: b.set.HTTPBeside(g.CACert), build: b, own: b.own[b.id]}
	every := b.cfg.Checks
	out := []Probe{
		// A request without a token raises the gateway's own count of 4xx: no more
		// often than a refused token.
		b.probe(estate.CheckProbe, estate.ItemWithoutToken, "GET "+shown(g.URL)+" without a token", max(hold, every.SlowEvery), c.withoutToken),
	}
	if g.Token != nil {
		out = append(out, b.probe(estate.CheckProbe, estate.ItemWithToken, "GET "+shown(g.URL)+" with the token of "+g.Token.Secret, every.LoginEvery, c.withToken))
	}
	if g.Issuer != "" {
		out = append(out, b.probe(estate.CheckIssuer, "", "GET "+shown(discoveryURL(g.Issuer))+" and its jwks_uri", every.SlowEvery, c.issuer))
	}
	if g.Failures != nil && g.Failures.Prometheus != "" {
		p := &prometheusCheck{prometheus{url: g.Failures.Prometheus, asks: g.Failures.Query, window: b.cfg.Windows.AuthFailures, where: "failures.query", client: c.others, build: b}}
		out = append(out, b.probe(estate.CheckAuthFailures, "", p.source(), every.SlowEvery, p.read))
	}
	return out
}

func (c *gatewayCheck) withoutToken(ctx context.Context) Result {
	place := shown(c.gateway.URL)
	doing := "ask the gateway " + place + " without a token"
	made, err := c.build.gate.present(ctx, gateKey{place: place, user: "nobody"}, asker{by: string(c.build.id)},
		func(ctx context.Context) outcome { return c.ask(ctx, nil) })
	if err != nil {
		return c.build.failed(doing, err)
	}
	r := probed(&c.build, made, doing, func(p estate.GatewayProbe) estate.Data { return p })
	every := max(hold, c.build.cfg.Checks.SlowEvery)
	r.Interval = max(every, made.interval(every))
	switch {
	case made.remembered:
		r.Again = max(hold-made.age, time.Second)
	case made.says != refused:
		// Not the answer of a gateway that works, nor one that counts as a refusal.
		r.Again = c.build.cfg.Checks.SlowEvery
	}
	return r
}

func (c *gatewayCheck) withToken(ctx context.Context) Result {
	secret := c.gateway.Token.Secret
	field := c.gateway.Token.Field
	if field == "" {
		field = "token"
	}
	place := shown(c.gateway.URL)
	doing := "ask the gateway " + place + " with the token of " + secret
	stored, token, err := c.build.stored(ctx, secret, field, "read the token of "+place+" from "+secret)
	if err != nil {
		return c.build.failed("read the token of "+place+" from "+secret, err)
	}
	made, err := c.build.gate.present(ctx, gateKey{place, "gateway", secret + " " + field, stored.version}, asker{by: string(c.build.id)},
		func(ctx context.Context) outcome {
			return c.ask(ctx, &clients.Credential{Header: "Authorization", Scheme: "Bearer", Value: token})
		})
	if err != nil {
		return c.build.failed(doing, err)
	}
	return probed(&c.build, made, doing, func(p estate.GatewayProbe) estate.Data {
		p.WithToken, p.Secret, p.Remembered = true, secret, stored.remembered
		claims := claimsOf(token)
		p.KeyID, p.Expires, p.Issuer = c.build.set.Text(claims.keyID, 128), claims.expires, c.build.set.Text(claims.issuer, 256)
		p.Audience = c.build.set.Text(strings.Join(claims.audience[:min(len(claims.audience), audienceLimit)], " "), 1024)
		return p
	})
}

// ask makes one request, which counts as ours.
func (c *gatewayCheck) ask(ctx context.Context, with *clients.Credential) outcome {
	answer, err := c.client.Get(ctx, c.gateway.URL, with, false)
	if err != nil {
		return outcome{err: err}
	}
	c.own.add(c.build.now(), answer.Code)
	return outcome{data: gatewayAnswer(answer), says: judged(answer.Code)}
}

func gatewayAnswer(a *clients.Answer) estate.GatewayProbe {
	p := estate.GatewayProbe{Code: a.Code}
	values := challenge(strings.Join(a.Header.Values("WWW-Authenticate"), ", "))
	p.Error, p.Description = a.Text(values["error"], 64), a.Text(values["error_description"], 200)
	return p
}

// discoveryURL is where an issuer publishes what it is.
func discoveryURL(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// keysLimit bounds how many key ids of an issuer are kept.
const keysLimit = 100

func (c *gatewayCheck) issuer(ctx context.Context) Result {
	issuer := c.gateway.Issuer
	doing := "read the discovery document of issuer " + shown(issuer)
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	answer, err := getJSON(ctx, c.others, discoveryURL(issuer), &document)
	if err != nil {
		return c.build.failed(doing, err)
	}
	bad := func(detail, next string) Result {
		return Result{Err: &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: detail, Next: next}}
	}
	switch {
	case strings.TrimSuffix(document.Issuer, "/") != strings.TrimSuffix(issuer, "/"):
		return bad("it calls itself "+answer.Text(document.Issuer, 120), "tokens carry that name: correct issuer in warroom.yaml or at the gateway")
	case !strings.HasPrefix(document.JWKSURI, "https://") && !(strings.HasPrefix(issuer, "http://") && strings.HasPrefix(document.JWKSURI, "http://")):
		return bad("its jwks_uri is no https URL", "see the issuer's configuration")
	}
	doing = "read the keys of issuer " + shown(issuer)
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if answer, err = getJSON(ctx, c.others, document.JWKSURI, &set); err != nil {
		return c.build.failed(doing, err)
	}
	out := estate.IssuerKeys{Issuer: clients.Strip(issuer, 200)}
	for _, k := range set.Keys[:min(len(set.Keys), keysLimit)] {
		out.KeyIDs = append(out.KeyIDs, answer.Text(k.KeyID, 128))
	}
	if len(out.KeyIDs) == 0 {
		return bad("it publishes no key", "no token of this issuer can be verified")
	}
	return Result{Data: out}
}

// statusFailure says what an HTTP status means where data was expected.
func statusFailure(code int) *estate.Failure {
	f := &estate.Failure{Kind: estate.BadAnswer, Detail: "HTTP " + statusText(code)}
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		f.Kind = estate.Denied
	case code == http.StatusNotFound || code == http.StatusGone:
		f.Kind = estate.Missing
	case code == http.StatusTooManyRequests:
		f.Kind = estate.Throttled
	case code >= 500:
		f.Kind = estate.ServerError
	case code >= 300 && code < 400:
		f.Detail += ": it sends us elsewhere, which is not followed"
	}
	return f
}
