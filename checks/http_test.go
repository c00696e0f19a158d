package checks

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// httpCanary is the token or key that every request below carries. The servers
// echo it wherever they can.
const httpCanary = "cnry-91be04d7c2f65a38"

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// store is a stored secret whose version can change.
type store struct {
	value, version string
	remembered     time.Time
	err            error // of the read
	bad            error // of the field
}

func (s *store) read(context.Context, string, estate.Stage) (credential, error) {
	value := estate.NewSecret(s.value)
	return credential{version: s.version, remembered: s.remembered, field: func(string) (estate.Secret, error) { return value, s.bad }}, s.err
}

func testConfig(c config.Component) *config.Config {
	c.ID = "it"
	return &config.Config{
		Checks: config.Checks{
			Interval: 15 * time.Second, Timeout: 5 * time.Second, SlowEvery: time.Minute, LoginEvery: 30 * time.Second,
		},
		Windows:    config.Windows{AuthFailures: 5 * time.Minute},
		Components: []config.Component{c},
	}
}

func probesOf(c config.Component, read credentialReader, now func() time.Time) []Probe {
	cfg := testConfig(c)
	return httpProbes(cfg, clients.New(cfg), shared{read: read, gate: newGate(now, nil), now: now})
}

// only returns the probe with that check and item.
func only(t *testing.T, probes []Probe, check, item string) Probe {
	t.Helper()
	for _, p := range probes {
		if p.Key == (estate.Key{Component: "it", Check: check, Item: item}) {
			if p.System != "http:it" || p.Timeout == 0 || p.Interval == 0 || p.Source == "" {
				t.Errorf("probe %+v lacks what the scheduler needs", p.Key)
			}
			return p
		}
	}
	t.Fatalf("no probe %s %s among %d", check, item, len(probes))
	return Probe{}
}

// run reads once and looks for the canary in what it brought.
func run(t *testing.T, p Probe) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p.Timeout)
	defer cancel()
	r := p.Read(ctx)
	text := fmt.Sprintf("%v %+v %#v %v %+v %s", r.Data, r.Data, r.Data, r.Err, r.Err, p.Source)
	for _, form := range []string{httpCanary, base64.StdEncoding.EncodeToString([]byte(httpCanary)), "\x1b", "\u009b", "\x07"} {
		if strings.Contains(text, form) {
			t.Errorf("the result holds %q: %s", form, text)
		}
	}
	return r
}

func kindOf(err error) estate.FailureKind {
	var f *estate.Failure
	if !errors.As(err, &f) {
		return ""
	}
	return f.Kind
}

// serve answers with a function and counts its requests.
func serve(t *testing.T, answer http.HandlerFunc) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); answer(w, r) }))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// echo repeats the credential wherever an endpoint can.
func echo(w http.ResponseWriter, r *http.Request) {
	credential := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.Header().Set("X-Echo", credential)
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token `+credential+`", error_description="the token `+credential[:len(credential)/2]+"\u009b0m"+credential[len(credential)/2:]+` has expired"`)
}

func TestExternalAPICodes(t *testing.T) {
	for _, code := range []int{200, 204, 301, 401, 403, 404, 429, 500, 503} {
		url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			echo(w, r)
			w.Header().Set("X-RateLimit-Limit", "1000")
			w.Header().Set("X-RateLimit-Remaining", "999")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "wrong key "+r.Header.Get("Authorization"))
		})
		s := &store{value: httpCanary, version: "v1"}
		component := config.Component{ExternalAPI: &config.ExternalAPI{URL: url + "/health?key=" + httpCanary, Secret: "prod/api/external", Field: "api_key", Header: "Authorization", Scheme: "Bearer"}}
		r := run(t, only(t, probesOf(component, s.read, (&clock{testNow}).now), estate.CheckAPI, ""))
		got, ok := r.Data.(estate.APIProbe)
		if !ok || got.Code != code || got.Version != "v1" || got.RateLimit != 1000 || got.RateRemaining != 999 || len(got.KeyFingerprint) != 8 {
			t.Errorf("%d: %+v, %v", code, r.Data, r.Err)
		}
	}
}

func TestExternalAPIHeaders(t *testing.T) {
	for _, c := range []struct{ header, scheme, sent string }{
		{"Authorization", "Bearer", "Bearer " + httpCanary},
		{"X-Api-Key", "none", httpCanary},
		{"Authorization", "Token", "Token " + httpCanary},
	} {
		url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(c.header) != c.sent || !strings.HasPrefix(r.UserAgent(), "warroom/") {
				w.WriteHeader(http.StatusTeapot)
			}
		})
		component := config.Component{ExternalAPI: &config.ExternalAPI{URL: url, Secret: "s", Field: "api_key", Header: c.header, Scheme: c.scheme}}
		r := run(t, only(t, probesOf(component, (&store{value: httpCanary, version: "v1"}).read, time.Now), estate.CheckAPI, ""))
		if got, _ := r.Data.(estate.APIProbe); got.Code != 200 {
			t.Errorf("%s %s: %+v, %v", c.header, c.scheme, r.Data, r.Err)
		}
	}
}

func TestRefusedKeyIsLeftAlone(t *testing.T) {
	code := 401
	url, asked := serve(t, func(w http.ResponseWriter, r *http.Request) { echo(w, r); w.WriteHeader(code) })
	s, c := &store{value: httpCanary, version: "v1"}, &clock{testNow}
	component := config.Component{ExternalAPI: &config.ExternalAPI{URL: url, Secret: "s", Field: "api_key", Header: "Authorization", Scheme: "Bearer"}}
	p := only(t, probesOf(component, s.read, c.now), estate.CheckAPI, "")
	step := func(what string, after time.Duration, wantAsked int32, wantAt time.Time, wantCode int) {
		t.Helper()
		c.at = c.at.Add(after)
		r := run(t, p)
		got, _ := r.Data.(estate.APIProbe)
		if asked.Load() != wantAsked || !r.At.Equal(wantAt) || got.Code != wantCode {
			t.Errorf("%s: asked %d times (want %d), at %v (want %v), code %d (want %d), err %v", what, asked.Load(), wantAsked, r.At, wantAt, got.Code, wantCode, r.Err)
		}
		if !wantAt.IsZero() {
			due := time.Duration(float64(r.Again) * (1 + jitter))
			if r.Again != p.Interval || c.at.Add(due).Sub(r.At) > estate.StaleAfter*r.Interval {
				t.Errorf("%s: again in %v at interval %v: a remembered try is stale by its next run", what, r.Again, r.Interval)
			}
		}
		if wantCode == 200 && r.Interval != 0 {
			t.Errorf("%s: interval %v, want the probe's own", what, r.Interval)
		}
	}
	step("first try", 0, 1, time.Time{}, 401)
	first := c.at
	step("at once", 0, 1, first, 401)
	step("just before the end", hold-time.Second, 1, first, 401)
	step("after five minutes", time.Second, 2, time.Time{}, 401)
	s.version, code = "v2", 200
	step("a new version", time.Second, 3, time.Time{}, 200)
	step("a good key is asked each time", 30*time.Second, 4, time.Time{}, 200)
	code = 403
	step("the good key turned bad", 0, 5, time.Time{}, 403)
	code = 200
	step("and is left alone", time.Minute, 5, c.at, 403)
}

func TestExternalAPIFailures(t *testing.T) {
	api := config.ExternalAPI{URL: "http://127.0.0.1:1/", Secret: "s", Field: "api_key", Header: "Authorization", Scheme: "Bearer"}
	for _, c := range []struct {
		name  string
		store store
		want  estate.FailureKind
	}{
		{"refused", store{value: httpCanary}, estate.Refused},
		{"empty", store{}, estate.BadSecret},
		{"line break", store{value: httpCanary + "\n"}, estate.BadSecret},
		{"not permitted", store{err: &estate.Failure{Kind: estate.Denied, Doing: "get the value of s"}}, estate.NoCredential},
		{"store down", store{err: &estate.Failure{Kind: estate.Refused, Doing: "get the value of s"}}, estate.NoCredential},
		{"no such secret", store{err: &estate.Failure{Kind: estate.Missing, Doing: "get the value of s"}}, estate.NoCredential},
		{"no such label", store{err: &clients.NoVersionError{SecretID: "s", Stage: estate.StageCurrent}}, estate.Missing},
		{"no such field", store{bad: &estate.Failure{Kind: estate.BadSecret}}, estate.BadSecret},
	} {
		component := config.Component{ExternalAPI: &api}
		r := run(t, only(t, probesOf(component, c.store.read, time.Now), estate.CheckAPI, ""))
		if kindOf(r.Err) != c.want {
			t.Errorf("%s: %v, %v; want %q", c.name, r.Data, r.Err, c.want)
		}
	}
}

func TestRateLimits(t *testing.T) {
	at := testNow.Add(time.Hour)
	cases := []struct {
		name   string
		header map[string]string
		want   estate.APIProbe
	}{
		{"none", nil, estate.APIProbe{RateLimit: -1, RateRemaining: -1}},
		{"x, Unix time", map[string]string{"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(at.Unix())}, estate.APIProbe{RateLimit: 60, RateRemaining: 0, RateReset: at}},
		{"x, milliseconds", map[string]string{"X-RateLimit-Reset": fmt.Sprint(at.UnixMilli())}, estate.APIProbe{RateLimit: -1, RateRemaining: -1, RateReset: at}},
		{"x, seconds", map[string]string{"X-RateLimit-Reset": "3600"}, estate.APIProbe{RateLimit: -1, RateRemaining: -1, RateReset: at}},
		{"drafts, one header each", map[string]string{"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "50", "RateLimit-Reset": "3600"}, estate.APIProbe{RateLimit: 100, RateRemaining: 50, RateReset: at}},
		{"drafts, one header", map[string]string{"RateLimit": "limit=100, remaining=50, reset=3600"}, estate.APIProbe{RateLimit: 100, RateRemaining: 50, RateReset: at}},
		{"drafts, structured", map[string]string{"RateLimit": `"default";r=50;t=3600`, "RateLimit-Policy": `"default";q=100;w=60`}, estate.APIProbe{RateLimit: 100, RateRemaining: 50, RateReset: at}},
		{"retry in seconds", map[string]string{"Retry-After": "120"}, estate.APIProbe{RateLimit: -1, RateRemaining: -1, RetryAfter: 2 * time.Minute}},
		{"retry at a date", map[string]string{"Retry-After": at.Format(http.TimeFormat)}, estate.APIProbe{RateLimit: -1, RateRemaining: -1, RetryAfter: time.Hour}},
		{"retry in the past", map[string]string{"Retry-After": testNow.Add(-time.Hour).Format(http.TimeFormat)}, estate.APIProbe{RateLimit: -1, RateRemaining: -1}},
		{"nonsense", map[string]string{"X-RateLimit-Limit": "-5", "X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "99999999999999999999", "Retry-After": "soon", "RateLimit": "=;=,r=x;limit"}, estate.APIProbe{RateLimit: -1, RateRemaining: -1}},
		{"absurd", map[string]string{"X-RateLimit-Reset": "9223372036854775807", "Retry-After": "9223372036854775807"}, estate.APIProbe{RateLimit: -1, RateRemaining: -1, RetryAfter: 366 * 24 * time.Hour}},
	}
	for _, c := range cases {
		h := http.Header{}
		for k, v := range c.header {
			h.Set(k, v)
		}
		var got estate.APIProbe
		rateLimits(&got, h, testNow)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestHealth(t *testing.T) {
	health := config.HealthCheck{Status: "status", Connection: "checks.db.state", Retries: "checks.db.retries", LastSync: "sync.at", Version: "secrets.0.version"}
	whole := `{"status":"degraded","checks":{"db":{"state":"failed","retries":45}},"sync":{"at":"2026-03-01T10:00:00Z"},"secrets":[{"version":"v1"}]}`
	cases := []struct {
		name string
		code int
		body string
		want estate.Health
		kind estate.FailureKind
	}{
		{"whole", 503, whole, estate.Health{Code: 503, Word: "DEGRADED", Connection: "FAILED", Retries: 45, LastSync: testNow.Add(-2 * time.Hour), Version: "v1"}, ""},
		{"only a status", 200, `{"status":"UP"}`, estate.Health{Code: 200, Word: "UP", Retries: -1}, ""},
		{"plain word", 200, "OK\n", estate.Health{Code: 200, Word: "OK", Retries: -1}, ""},
		{"nothing", 204, "", estate.Health{Code: 204, Retries: -1}, ""},
		{"empty", 200, "", estate.Health{Code: 200, Retries: -1}, ""},
		{"proxy's page", 502, "<html>Bad Gateway</html>", estate.Health{Code: 502, Retries: -1}, ""},
		{"login page", 200, "<!doctype html><title>Log in</title>", estate.Health{}, estate.BadAnswer},
		{"broken JSON", 200, `{"status":"UP"`, estate.Health{}, estate.BadAnswer},
		{"two documents", 200, `{"status":"UP"}{"status":"DOWN"}`, estate.Health{}, estate.BadAnswer},
		{"huge", 200, `{"status":"` + strings.Repeat("x", 2<<20) + `"}`, estate.Health{}, estate.BadAnswer},
		{"deep", 200, strings.Repeat("[", 200_000), estate.Health{}, estate.BadAnswer},
		{"a list", 200, `[1,2]`, estate.Health{Code: 200, Retries: -1}, ""},
		{"other types", 200, `{"status":true,"checks":{"db":{"state":{},"retries":"7"}},"sync":{"at":1},"secrets":{}}`, estate.Health{Code: 200, Word: "TRUE", Retries: 7}, ""},
		{"odd counts", 200, `{"checks":{"db":{"retries":-1e308}}}`, estate.Health{Code: 200, Retries: -1}, ""},
		{"not a number", 200, `{"checks":{"db":{"retries":"NaN"}}}`, estate.Health{Code: 200, Retries: -1}, ""},
		{"controls", 200, `{"status":"\u001b[2Jup\u0007 and a very long story after it"}`, estate.Health{Code: 200, Word: "UP AND A VERY LONG STOR…", Retries: -1}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.code); _, _ = io.WriteString(w, c.body) })
			h := health
			h.URL = url
			r := run(t, only(t, probesOf(config.Component{Application: &config.Application{Health: &h}}, nil, time.Now), estate.CheckHealth, ""))
			if c.kind != "" {
				if kindOf(r.Err) != c.kind {
					t.Errorf("%+v, %v; want kind %q", r.Data, r.Err, c.kind)
				}
				return
			}
			if r.Data != c.want {
				t.Errorf("%+v, %v; want %+v", r.Data, r.Err, c.want)
			}
		})
	}
}
