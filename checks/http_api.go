package checks

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// apiCheck asks one external API with its stored key.
type apiCheck struct {
	api    *config.ExternalAPI
	client *clients.HTTP
	build  builder
}

func (b builder) externalAPI(a *config.ExternalAPI) Probe {
	c := &apiCheck{api: a, client: b.set.HTTP(a.CACert), build: b}
	return b.probe(estate.CheckAPI, "", "GET "+shown(a.URL)+" with the key of "+a.Secret, b.cfg.Checks.LoginEvery, c.read)
}

func (c *apiCheck) read(ctx context.Context) Result {
	place := shown(c.api.URL)
	doing := "ask " + place + " with the key of " + c.api.Secret
	stored, key, err := c.build.stored(ctx, c.api.Secret, c.api.Field, "read the key of "+place+" from "+c.api.Secret)
	if err != nil {
		return c.build.failed("read the key of "+place+" from "+c.api.Secret, err)
	}
	scheme := c.api.Scheme
	if scheme == "none" {
		scheme = ""
	}
	made, err := c.build.gate.present(ctx, gateKey{place, "api " + c.api.Header, c.api.Secret + " " + c.api.Field, stored.version}, asker{by: string(c.build.id)},
		func(ctx context.Context) outcome {
			answer, err := c.client.Get(ctx, c.api.URL, &clients.Credential{Header: c.api.Header, Scheme: scheme, Value: key}, false)
			if err != nil {
				return outcome{err: err}
			}
			data := estate.APIProbe{Code: answer.Code}
			rateLimits(&data, answer.Header, c.build.now())
			return outcome{data: data, says: judged(answer.Code)}
		})
	if err != nil {
		return c.build.failed(doing, err)
	}
	return probed(&c.build, made, doing, func(p estate.APIProbe) estate.Data {
		p.Secret, p.Version, p.Remembered, p.KeyFingerprint = c.api.Secret, stored.version, stored.remembered, fingerprint(key)
		return p
	})
}

// rateLimits reads what an API says of its limit: the X-RateLimit headers, the
// RateLimit headers of the IETF drafts in both their forms, and Retry-After.
func rateLimits(p *estate.APIProbe, h http.Header, now time.Time) {
	number := func(names ...string) int {
		for _, name := range names {
			// The drafts allow parameters and, for the limit, a list: "100, 100;w=60".
			text, _, _ := strings.Cut(h.Get(name), ",")
			text, _, _ = strings.Cut(text, ";")
			if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n >= 0 {
				return n
			}
		}
		return -1
	}
	p.RateLimit = number("X-RateLimit-Limit", "RateLimit-Limit", "X-Rate-Limit-Limit")
	p.RateRemaining = number("X-RateLimit-Remaining", "RateLimit-Remaining", "X-Rate-Limit-Remaining")
	if s := number("X-RateLimit-Reset", "X-Rate-Limit-Reset"); s >= 0 {
		p.RateReset = resetTime(s, now)
	} else if s := number("RateLimit-Reset"); s >= 0 {
		p.RateReset = now.Add(bounded(s))
	}
	// draft-ietf-httpapi-ratelimit-headers: RateLimit: "default";r=50;t=30, and in
	// its earlier form RateLimit: limit=100, remaining=50, reset=30.
	for key, value := range parameters(h.Get("RateLimit")) {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			continue
		}
		switch key {
		case "limit":
			p.RateLimit = n
		case "remaining", "r":
			p.RateRemaining = n
		case "reset", "t":
			p.RateReset = now.Add(bounded(n))
		}
	}
	if n, err := strconv.Atoi(parameters(h.Get("RateLimit-Policy"))["q"]); err == nil && n >= 0 && p.RateLimit < 0 {
		p.RateLimit = n
	}
	p.RetryAfter = retryAfter(h.Get("Retry-After"), now)
}

// resetTime reads X-RateLimit-Reset, which some APIs give in seconds from now,
// others as a Unix time in seconds or milliseconds.
func resetTime(n int, now time.Time) time.Time {
	switch {
	case n < 1e9:
		return now.Add(bounded(n))
	case n < 1e11:
		return time.Unix(int64(n), 0).UTC()
	case n < 1e14:
		return time.UnixMilli(int64(n)).UTC()
	}
	return time.Time{}
}

// retryAfter reads Retry-After in either of its forms, seconds or a date; 0 when
// there is none, or none that makes sense.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if n, err := strconv.Atoi(text); err == nil {
		return bounded(max(n, 0))
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), bounded(1<<40))
	}
	return 0
}

// bounded makes n seconds a duration of at most a year.
func bounded(n int) time.Duration {
	const year = 366 * 24 * 3600
	return time.Duration(min(n, year)) * time.Second
}

// parameters reads key=value pairs separated by commas, semicolons or spaces.
func parameters(text string) map[string]string {
	out := map[string]string{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		if key, value, ok := strings.Cut(part, "="); ok && len(out) < 32 {
			out[strings.ToLower(key)] = strings.Trim(value, `"`)
		}
	}
	return out
}
