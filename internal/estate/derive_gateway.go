package estate

import (
	"fmt"
	"slices"
	"strings"
)

// gateway: whether its token is still good, and how many calls fail to
// authenticate.
func (d *deriver) gateway() {
	with := see[GatewayProbe](d.derivation, d.c.ID, CheckProbe, ItemWithToken)
	without := see[GatewayProbe](d.derivation, d.c.ID, CheckProbe, ItemWithoutToken)
	rate := see[FailureRate](d.derivation, d.c.ID, CheckAuthFailures, "")
	issuer := see[IssuerKeys](d.derivation, d.c.ID, CheckIssuer, "")

	if without.ok && without.data.Code >= 200 && without.data.Code < 300 {
		d.say(Fail, "OPEN", "a call without a token was let in")
	}
	if len(d.c.Secrets) > 0 { // a gateway has one token, or none is configured
		state := d.consumed(d.c.Secrets[0])
		f := state.fact("Secret")
		if end := with.data.Expires; with.ok && !end.IsZero() && !d.now.Before(end) && state.word != "EXPIRED" {
			f = with.fact("Secret", "EXPIRED", Fail, "the token's exp passed "+Ago(d.now, end))
		}
		d.add(true, f)
		if f.Status == Fail {
			d.say(Fail, f.Value, f.Note)
		}
	}
	if rate.planned {
		d.add(true, d.failures("Auth failures", rate))
	}
	if with.planned {
		word, status, note := verdict(with.data)
		f := with.fact("JWT validation", word, status, note)
		d.add(true, f)
		if f.Status == Fail {
			d.say(Fail, f.Value, f.Note)
		}
		if at := with.data.Remembered; with.sure() && !at.IsZero() {
			d.add(false, with.fact("Token used", "remembered", NA, "read "+Ago(d.now, at)+"; the store did not answer since"))
		}
	}
	if without.planned {
		word, status, note := "REFUSED", OK, "as it should be"
		switch code := without.data.Code; {
		case code >= 500:
			word, status, note = fmt.Sprintf("ERROR %d", code), Fail, "the gateway itself fails"
		case code >= 200 && code < 300:
			word, status, note = "LET IN", Fail, "a call without a token was let in"
		case code != 401 && code != 403:
			word, status, note = fmt.Sprint(code), Warn, "neither refused (401, 403) nor let in"
		}
		d.add(false, without.fact("Without a token", word, status, note))
	}
	if issuer.planned {
		keys := issuer.data.KeyIDs
		status, note := OK, strings.Join(keys, ", ")
		if issuer.ok && len(keys) == 0 {
			status, note = Fail, "no key: no token can be verified"
		} else if kid := with.data.KeyID; with.ok && issuer.ok && kid != "" && !slices.Contains(keys, kid) {
			status, note = Fail, "the probe's token is signed by "+kid+", which the issuer does not publish"
		}
		d.add(false, issuer.fact("Issuer keys", count(len(keys), "key"), status, note))
	}
	d.authorizers(with, issuer)
	d.say(OK, "HEALTHY", "")
}

// authorizers: whether what the API accepts is what warroom.yaml calls its issuer
// and what the probe's token says of itself.
func (d *deriver) authorizers(with seen[GatewayProbe], issuer seen[IssuerKeys]) {
	v := see[Authorizers](d.derivation, d.c.ID, CheckAuthorizers, "")
	if !v.planned {
		return
	}
	list := v.data.Authorizers
	if !v.ok || len(list) == 0 {
		// Authorization by IAM needs none; a token does.
		d.add(false, v.fact("Authorizers", "NONE", statusIf(with.planned || issuer.planned, Warn), "nothing of this API looks at a token"))
		return
	}
	var tokens []Authorizer // those that take a JWT of a known issuer
	for _, a := range list {
		if a.Issuer != "" {
			tokens = append(tokens, a)
		}
	}
	for _, a := range list {
		f := v.fact("Authorizer "+a.Name, a.Type, OK, strings.Join(present(a.ID, a.Issuer, prefixed("audience ", strings.Join(a.Audience, ", ")), a.Function), "; "))
		if a.Issuer != "" && issuer.ok && !sameIssuer(a.Issuer, issuer.data.Issuer) && f.Status == OK {
			f = v.fact(f.Name, "OTHER ISSUER", Warn, "it trusts "+a.Issuer+", warroom.yaml says "+issuer.data.Issuer).on(issuer.basis)
		}
		d.add(false, f)
	}
	if with.ok && with.data.Issuer != "" && len(tokens) > 0 {
		word, status, note := fits(with.data, tokens)
		f := v.fact("Token fits", word, status, note).on(with.basis)
		f.Formula = "iss and aud of the probe's token, unverified, against the issuer and audience of every JWT authorizer"
		d.add(false, f)
		if f.Status == Fail {
			d.say(Fail, word, note)
		}
	}
}

// fits judges whether some authorizer takes a token of this issuer and audience.
// What the gateway accepted fits after all: another route may have another
// authorizer.
func fits(p GatewayProbe, tokens []Authorizer) (word string, status Status, note string) {
	bad := Fail
	if p.Code >= 200 && p.Code < 300 {
		bad = Warn
	}
	trusted := false
	var wanted, issuers []string
	for _, a := range tokens {
		issuers = append(issuers, a.Issuer)
		switch {
		case a.Issuer != p.Issuer:
			continue
		case len(a.Audience) == 0 || p.Audience == "": // client_id can stand for it
			return "YES", OK, ""
		}
		trusted = true
		for _, one := range strings.Fields(p.Audience) {
			if slices.Contains(a.Audience, one) {
				return "YES", OK, ""
			}
		}
		wanted = append(wanted, a.Audience...)
	}
	if trusted {
		return "WRONG AUDIENCE", bad, "the token is for " + p.Audience + ", the authorizer takes " + fewOf(wanted, 3)
	}
	note = "the token is of " + p.Issuer + ", the authorizer trusts " + fewOf(issuers, 3)
	for _, one := range issuers {
		if sameIssuer(one, p.Issuer) {
			note += ": they differ by a slash, and are compared letter by letter"
		}
	}
	return "WRONG ISSUER", bad, note
}

// sameIssuer compares two issuers without a slash at the end.
func sameIssuer(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

// prefixed puts a word before a text, where there is one.
func prefixed(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}

// verdict is what the gateway made of the probe's token.
func verdict(p GatewayProbe) (word string, status Status, note string) {
	note = strings.TrimSpace(p.Error + " " + p.Description)
	switch {
	case p.Code >= 200 && p.Code < 300:
		return "ACCEPTED", OK, ""
	case p.Code == 401:
		return "REFUSED", Fail, strings.TrimSpace("401 " + note)
	case p.Code == 403:
		return "FORBIDDEN", Fail, strings.TrimSpace("403 " + note)
	case p.Code == 429:
		return "THROTTLED", Warn, "429: the token was not judged"
	case p.Code >= 500:
		return fmt.Sprintf("ERROR %d", p.Code), Fail, "the gateway itself fails"
	}
	return fmt.Sprint(p.Code), Warn, "an unexpected answer"
}

// failures judges a rate of failed authentications.
func (d *deriver) failures(name string, v seen[FailureRate]) Fact {
	x := v.data
	if v.ok && x.Total <= 0 {
		return v.fact(name, "no calls in "+Span(x.Window), NA, "")
	}
	share := 0.0
	if x.Total > 0 {
		share = x.Failed / x.Total
	}
	status := OK
	switch {
	case share >= d.t.Rules.AuthFailuresFail:
		status = Fail
	case share >= d.t.Rules.AuthFailuresWarn:
		status = Warn
	}
	note := ""
	if x.Total > 1 {
		note = fmt.Sprintf("%s of %s calls", whole(x.Failed), whole(x.Total))
	}
	if x.Ours > 0 {
		note += fmt.Sprintf("; %s of our own left out", whole(x.Ours))
	}
	f := v.fact(name, percent(share)+" in "+Span(x.Window), status, note)
	f.Formula = x.Metric
	return f
}
