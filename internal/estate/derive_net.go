package estate

import (
	"fmt"
	"strings"
	"time"
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
		} else if kid := with.data.KeyID; with.ok && issuer.ok && kid != "" && !contains(keys, kid) {
			status, note = Fail, "the probe's token is signed by "+kid+", which the issuer does not publish"
		}
		d.add(false, issuer.fact("Issuer keys", count(len(keys), "key"), status, note))
	}
	d.say(OK, "HEALTHY", "")
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
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

// balancer: the nearest expiry of what it serves, who renews it, and whether
// every address serves what it should.
func (d *deriver) balancer() {
	all := seeAll[Endpoint](d.derivation, d.c.ID, CheckTLS)
	if len(all) == 0 {
		return
	}
	nearest := time.Time{}
	served, read, good, skipped := 0, 0, 0, 0
	lead := all[0]
	status := OK
	var lines []Fact
	for _, v := range all {
		if !v.ok {
			f := v.fact(v.slot.Last.Key.Item, "?", Unknown, "")
			lines = append(lines, f)
			served++
			status = Worst(status, f.Status)
			if nearest.IsZero() {
				lead = v
			}
			continue
		}
		for _, one := range v.data.Addresses {
			if one.Failure != nil && one.Failure.Kind == NoCheck {
				// This machine cannot reach the address at all (IPv6 without a
				// route): that says nothing about the endpoint.
				skipped++
				lines = append(lines, v.fact(one.Address+" "+v.data.ServerName, "NOT TRIED", NA, one.Failure.brief()))
				continue
			}
			served++
			f := d.servedBy(v, one)
			lines = append(lines, f)
			status = Worst(status, f.Status)
			if one.Leaf != nil {
				read++
			}
			if f.Status == OK || f.Status == Warn {
				good++
			}
			if one.Leaf != nil && (nearest.IsZero() || one.Leaf.NotAfter.Before(nearest)) {
				nearest, lead = one.Leaf.NotAfter, v
			}
		}
		lines = append(lines, d.onDisk(v)...)
	}
	text, note := fmt.Sprintf("%d of %d good", good, served), ""
	if read == 0 {
		text = fmt.Sprintf("0 of %d read", served)
	}
	if skipped > 0 {
		note = fmt.Sprintf("%d not tried from here", skipped)
	}
	d.add(true, lead.fact("SSL certificates", text, statusIf(good < served, status), note))
	renewal := Fact{Name: "Rotation", Value: "AUTOMATIC", Status: NA, Source: "renewal in warroom.yaml"}
	if d.c.Renewal == RenewalManual {
		renewal.Value, renewal.Note = "MANUAL", "nothing renews these certificates"
		if status == Warn {
			renewal.Status = Warn
		}
	}
	d.add(true, renewal)
	next, nextStatus, note := "?", Unknown, "no certificate was seen"
	if !nearest.IsZero() {
		next, note = Span(nearest.Sub(d.now)), ""
		nextStatus = d.certStatus(lead.data, nearest)
		if !nearest.After(d.now) {
			next = "EXPIRED"
			note = Ago(d.now, nearest)
		}
	}
	f := lead.fact("Next expiry", next, nextStatus, note)
	f.Formula = "the earliest notAfter of every leaf served at every address"
	d.add(true, f)
	for _, l := range lines {
		d.add(false, l)
		if l.Status == Unknown {
			d.say(Unknown, "NOT READ", l.Name+": "+l.Note)
		}
	}
	if nextStatus == Warn && renewal.Value == "MANUAL" {
		d.say(Warn, "MANUAL", "expires in "+next+" and nothing renews it")
	}
	d.say(OK, "VALID", "")
}

// certStatus finds the leaf that ends at end and judges its remaining life.
func (d *deriver) certStatus(e Endpoint, end time.Time) Status {
	for _, one := range e.Addresses {
		if one.Leaf != nil && one.Leaf.NotAfter.Equal(end) {
			s, _ := d.life(*one.Leaf)
			return s
		}
	}
	return Unknown
}

// life judges what is left of a certificate: by days and as a share of its
// whole life, since lifetimes differ from a day to years. The time at which it
// fails is the configured one, but no more than a tenth of its life.
func (d *deriver) life(c Certificate) (Status, string) {
	left := c.NotAfter.Sub(d.now)
	whole := c.NotAfter.Sub(c.NotBefore)
	share := 0.0
	if whole > 0 {
		share = float64(left) / float64(whole)
	}
	switch {
	case left <= 0:
		return Fail, "expired " + Ago(d.now, c.NotAfter)
	case d.now.Before(c.NotBefore):
		return Fail, "not valid before " + c.NotBefore.UTC().Format("2006-01-02 15:04 UTC")
	case left < min(d.t.Rules.CertFail, whole/10):
		return Fail, fmt.Sprintf("%s left, %s of its life", Span(left), percent(share))
	case share < d.t.Rules.CertWarnFraction:
		return Warn, fmt.Sprintf("%s left, %s of its life", Span(left), percent(share))
	}
	return OK, fmt.Sprintf("%s left, %s of its life", Span(left), percent(share))
}

// servedBy judges what one address presented.
func (d *deriver) servedBy(v seen[Endpoint], one Served) Fact {
	name := one.Address + " " + v.data.ServerName
	if one.Leaf == nil {
		f := v.fact(name, "NO CERTIFICATE", Unknown, "")
		if one.Failure != nil && v.sure() {
			f.Value, f.Status, f.Note = one.Failure.Kind.word(), one.Failure.Kind.Status(), one.Failure.brief()
		}
		if f.Status == Fail {
			d.say(Fail, f.Value, one.Address+": "+f.Note)
		}
		return f
	}
	status, left := d.life(*one.Leaf)
	word := "VALID"
	notes := []string{left}
	fault := func(s Status, w, note string) {
		status = Worst(status, s)
		if s == Fail && word != "EXPIRED" {
			word = w
		}
		notes = append(notes, note)
	}
	if !one.Leaf.NotAfter.After(d.now) {
		word = "EXPIRED"
	} else if status > OK {
		word = "EXPIRING"
	}
	if one.ChainError != "" {
		fault(Fail, "UNTRUSTED", one.ChainError)
	}
	if one.NameError != "" {
		fault(Fail, "WRONG NAME", one.NameError)
	}
	if disk := v.data.Disk; disk != nil && disk.SHA256 != one.Leaf.SHA256 {
		fault(Fail, "NOT RELOADED", "serves serial "+one.Leaf.Serial+", on disk is "+disk.Serial)
	} else if disk != nil {
		notes = append(notes, "serves what is on disk")
	}
	leaf := one.Leaf
	notes = append(notes, "serial "+leaf.Serial, "for "+strings.Join(leaf.Names, ", "), "by "+leaf.Issuer)
	if status == Fail {
		d.say(Fail, word, one.Address+": "+strings.Join(notes, "; "))
	} else if status == Warn && d.c.Renewal != RenewalManual {
		d.say(Warn, word, one.Address+": "+left)
	}
	return v.fact(name, word, status, strings.Join(notes, "; "))
}

// onDisk judges the certificate and key files of an endpoint.
func (d *deriver) onDisk(v seen[Endpoint]) []Fact {
	e := v.data
	var out []Fact
	switch {
	case e.DiskError != "":
		out = append(out, file(v.fact("Certificate file", "?", Unknown, e.DiskError)))
	case e.Disk != nil:
		status, left := d.life(*e.Disk)
		out = append(out, file(v.fact("Certificate file", "serial "+e.Disk.Serial, status, left)))
	}
	switch {
	case e.KeyError != "":
		out = append(out, file(v.fact("Key file", "?", Unknown, e.KeyError)))
	case e.KeyMatches != nil && !*e.KeyMatches:
		d.say(Fail, "KEY MISMATCH", "the key on disk is not the certificate's")
		out = append(out, file(v.fact("Key file", "MISMATCH", Fail, "the key on disk is not the certificate's: a reload would fail")))
	case e.KeyMatches != nil:
		out = append(out, file(v.fact("Key file", "matches", OK, "")))
	}
	return out
}

// file says that a figure was read from a file and not from the endpoint.
func file(f Fact) Fact {
	f.Source = "the file that warroom.yaml names for this endpoint"
	return f
}

// externalAPI: whether the stored key is honoured and how much of the rate is
// left.
func (d *deriver) externalAPI() {
	v := see[APIProbe](d.derivation, d.c.ID, CheckAPI, "")
	p := v.data
	state := d.consumed(strings.Join(d.c.Secrets, "")) // config sees to it that there is exactly one
	f := state.fact("API key")
	switch {
	case v.ok && p.Code == 401:
		f = v.fact("API key", "REFUSED", Fail, "401: the API does not know this key, or it has ended")
		d.say(Fail, "REFUSED", f.Note)
	case v.ok && p.Code == 403:
		f = v.fact("API key", "FORBIDDEN", Fail, "403: the key is known and may not do this")
		d.say(Fail, "FORBIDDEN", f.Note)
	}
	d.add(true, f)

	word, status, note := d.rateLimit(p)
	f = v.fact("Rate limit", word, status, note)
	if !v.ok && f.Status == Fail {
		f.Value, f.Status = "?", Unknown // Status says what is wrong
	}
	d.add(true, f)
	if v.ok && p.Code == 429 {
		d.say(Fail, "THROTTLED", note)
	}

	word, status, note = "HEALTHY", OK, fmt.Sprint(p.Code)
	switch {
	case !v.ok:
		if fail := v.failure(); fail != nil && fail.Kind.Status() == Fail {
			d.say(Fail, fail.Kind.word(), fail.brief())
		}
	case p.Code >= 500:
		word, status = "DOWN", Fail
		d.say(Fail, "DOWN", fmt.Sprintf("answers %d", p.Code))
	case p.Code == 401 || p.Code == 403:
		word, status, note = "REACHABLE", NA, fmt.Sprintf("answers %d", p.Code)
	case p.Code == 429:
		word, status = "THROTTLED", Fail
	case v.ok && (p.Code < 200 || p.Code >= 300):
		word, status, note = fmt.Sprint(p.Code), Warn, "an unexpected answer"
	}
	d.add(true, v.fact("Status", word, status, note))
	if p.KeyFingerprint != "" {
		note := "version " + short(p.Version)
		if !p.Remembered.IsZero() {
			note += ", read " + Ago(d.now, p.Remembered) + "; the store did not answer since"
		}
		d.add(false, v.fact("Key used", p.KeyFingerprint, NA, note))
	}
	d.say(OK, "HEALTHY", "")
}

// rateLimit words how many calls are left. RESET is when all are, but for the
// one that asked.
func (d *deriver) rateLimit(p APIProbe) (word string, status Status, note string) {
	if !p.RateReset.IsZero() {
		note = "resets " + Ago(d.now, p.RateReset)
	}
	switch {
	case p.Code == 429:
		if p.RetryAfter > 0 {
			note = "429; try again in " + Span(p.RetryAfter)
		}
		return "EXHAUSTED", Fail, note
	case p.RateRemaining < 0:
		return "NOT STATED", NA, "the API sends no rate-limit headers"
	case p.RateLimit > 0 && p.RateRemaining >= p.RateLimit-1:
		return "RESET", OK, fmt.Sprintf("%d of %d left", p.RateRemaining, p.RateLimit)
	case p.RateLimit > 0:
		return fmt.Sprintf("%d of %d left", p.RateRemaining, p.RateLimit), statusIf(10*p.RateRemaining < p.RateLimit, Warn), note
	}
	return fmt.Sprintf("%d left", p.RateRemaining), statusIf(p.RateRemaining == 0, Warn), note
}
