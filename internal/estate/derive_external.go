package estate

import (
	"fmt"
	"strings"
)

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
	d.add(true, f.by("remaining of limit by the headers of the answer; WARN below a tenth"))
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

// rateLimit words how many calls are left. RESET is when at least 95 of 100 are:
// our own questions use them up too, and must not make the word go away.
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
	case p.RateLimit > 0 && 20*p.RateRemaining >= 19*p.RateLimit:
		return "RESET", OK, fmt.Sprintf("%d of %d left", p.RateRemaining, p.RateLimit)
	case p.RateLimit > 0:
		return fmt.Sprintf("%d of %d left", p.RateRemaining, p.RateLimit), statusIf(10*p.RateRemaining < p.RateLimit, Warn), note
	}
	return fmt.Sprintf("%d left", p.RateRemaining), statusIf(p.RateRemaining == 0, Warn), note
}
