package checks

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// jwt is a token that says what it is and is signed with the canary.
func jwt(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + httpCanary
}

func gatewayProbes(url string, s *store, change func(*config.Gateway)) []Probe {
	g := &config.Gateway{URL: url, Issuer: url, Token: &config.Field{Secret: "prod/edge/gateway-token"}}
	if change != nil {
		change(g)
	}
	return probesOf(config.Component{Gateway: g}, s.read, (&clock{testNow}).now)
}

func TestGatewayProbes(t *testing.T) {
	expired := testNow.Add(-26 * time.Hour)
	token := jwt(`{"alg":"ES256","kid":"key-1"}`, fmt.Sprintf(`{"exp":%d}`, expired.Unix()))
	url, asked := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		echo(w, r)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	probes := gatewayProbes(url, &store{value: token, version: "v1"}, nil)
	without := run(t, only(t, probes, estate.CheckProbe, estate.ItemWithoutToken))
	if want := (estate.GatewayProbe{Code: 401}); without.Data != want {
		t.Errorf("without a token: %+v, %v; want %+v", without.Data, without.Err, want)
	}
	p := only(t, probes, estate.CheckProbe, estate.ItemWithToken)
	r := run(t, p)
	got, _ := r.Data.(estate.GatewayProbe)
	if !got.WithToken || got.Code != 401 || got.Secret != "prod/edge/gateway-token" || got.KeyID != "key-1" || !got.Expires.Equal(expired) ||
		got.Error != "invalid_token [redacted]" || got.Description != "the token [redacted].[redacted].[redacted] has expired" {
		t.Errorf("with a token: %+v, %v", r.Data, r.Err)
	}
	before := asked.Load()
	if r = run(t, p); !r.At.Equal(testNow) || asked.Load() != before {
		t.Errorf("the refused token was tried again at once: %+v", r)
	}
}

func TestTokenClaims(t *testing.T) {
	for _, c := range []struct {
		name, token, key string
		expires          time.Time
	}{
		{"whole", jwt(`{"kid":"k"}`, `{"exp":1772366400}`), "k", time.Unix(1772366400, 0).UTC()},
		{"fraction", jwt(`{}`, `{"exp":1772366400.5}`), "", time.Unix(1772366400, 0).UTC()},
		{"opaque", httpCanary, "", time.Time{}},
		{"not base64", "a.b!.c", "", time.Time{}},
		{"not JSON", jwt("x", "y"), "", time.Time{}},
		{"odd types", jwt(`{"kid":7}`, `{"exp":"soon"}`), "", time.Time{}},
		{"absurd", jwt(`{}`, `{"exp":1e300}`), "", time.Time{}},
		{"negative", jwt(`{}`, `{"exp":-1}`), "", time.Time{}},
	} {
		if got := claimsOf(estate.NewSecret(c.token)); got.keyID != c.key || !got.expires.Equal(c.expires) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestChallenge(t *testing.T) {
	for header, want := range map[string][2]string{
		`Bearer realm="x", error="invalid_token", error_description="the token has expired"`: {"invalid_token", "the token has expired"},
		`Bearer scope="" error="invalid_token" error_description="the token has expired"`:    {"invalid_token", "the token has expired"},
		`Bearer error=invalid_token`:                                  {"invalid_token", ""},
		`Basic realm="a, error=\"no\"", Bearer error="invalid_token"`: {"invalid_token", ""},
		`Bearer error="a", Bearer error="b"`:                          {"a", ""},
		`Bearer ERROR="a"`:                                            {"a", ""},
		`Bearer`:                                                      {"", ""},
		`Bearer error="never ends`:                                    {"never ends", ""},
		`==="`:                                                        {"", ""},
	} {
		if got := challenge(header); got["error"] != want[0] || got["error_description"] != want[1] {
			t.Errorf("%s: %q", header, got)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer realm="x", error="invalid_token", error_description="a \" b"`)
	f.Add(`=="\`)
	f.Add("\xfb=") // grows by being made lower case
	f.Fuzz(func(t *testing.T, header string) {
		for k, v := range challenge(header) {
			if len(k) > len(header) || len(v) > len(header) {
				t.Errorf("%q grew out of %q", v, header)
			}
		}
	})
}

func FuzzRateLimits(f *testing.F) {
	f.Add("100", "limit=1,r=2;t=3", "Sun, 01 Mar 2026 12:00:00 GMT")
	f.Fuzz(func(t *testing.T, number, structured, retry string) {
		var p estate.APIProbe
		rateLimits(&p, http.Header{"X-Ratelimit-Reset": {number}, "Ratelimit-Limit": {number}, "Ratelimit": {structured}, "Retry-After": {retry}}, testNow)
		if p.RetryAfter < 0 || p.RateLimit < -1 || p.RateRemaining < -1 {
			t.Errorf("%+v", p)
		}
	})
}

func TestIssuer(t *testing.T) {
	cases := []struct {
		name      string
		discovery string // SELF stands for the server's URL
		keys      string
		kids      string
		kind      estate.FailureKind
	}{
		{"good", `{"issuer":"SELF","jwks_uri":"SELF/keys"}`, `{"keys":[{"kid":"a"},{"kid":"b\u001b[2J"}]}`, "a b", ""},
		{"trailing slash", `{"issuer":"SELF/","jwks_uri":"SELF/keys"}`, `{"keys":[{"kid":"a"}]}`, "a", ""},
		{"another issuer", `{"issuer":"https://evil.example","jwks_uri":"SELF/keys"}`, `{}`, "", estate.BadAnswer},
		{"no jwks_uri", `{"issuer":"SELF"}`, `{}`, "", estate.BadAnswer},
		{"a file", `{"issuer":"SELF","jwks_uri":"file:///etc/passwd"}`, `{}`, "", estate.BadAnswer},
		{"no keys", `{"issuer":"SELF","jwks_uri":"SELF/keys"}`, `{"keys":[]}`, "", estate.BadAnswer},
		{"HTML", `<html>`, ``, "", estate.BadAnswer},
		{"wrong shape", `{"issuer":7}`, ``, "", estate.BadAnswer},
		{"keys missing", `{"issuer":"SELF","jwks_uri":"SELF/nothing"}`, ``, "", estate.Missing},
		{"keys failing", `{"issuer":"SELF","jwks_uri":"SELF/down"}`, ``, "", estate.ServerError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				self := "http://" + r.Host
				switch r.URL.Path {
				case "/.well-known/openid-configuration":
					_, _ = io.WriteString(w, strings.ReplaceAll(c.discovery, "SELF", self))
				case "/keys":
					_, _ = io.WriteString(w, c.keys)
				case "/down":
					w.WriteHeader(http.StatusBadGateway)
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			})
			r := run(t, only(t, gatewayProbes(url, &store{}, nil), estate.CheckIssuer, ""))
			if got, ok := r.Data.(estate.IssuerKeys); ok != (c.kind == "") || strings.Join(got.KeyIDs, " ") != c.kids || kindOf(r.Err) != c.kind {
				t.Errorf("%+v, %v; want %q, kind %q", r.Data, r.Err, c.kids, c.kind)
			}
		})
	}
}

func TestPrometheus(t *testing.T) {
	vector := func(value string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1772366400,"` + value + `"]}]}}`
	}
	cases := []struct {
		name, body string
		code       int
		total      float64
		failed     float64
		kind       estate.FailureKind
	}{
		{"vector", vector("0.67"), 200, 1, 0.67, ""},
		{"scalar", `{"status":"success","data":{"resultType":"scalar","result":[1772366400,"0.5"]}}`, 200, 1, 0.5, ""},
		{"no attempts", vector("NaN"), 200, 0, 0, ""},
		{"percent", vector("67"), 200, 0, 0, estate.Misconfigure},
		{"nothing", `{"status":"success","data":{"resultType":"vector","result":[]}}`, 200, 0, 0, estate.Misconfigure},
		{"two", strings.Replace(vector("0.1"), `{"metric"`, `{"value":[1,"1"]},{"metric"`, 1), 200, 0, 0, estate.Misconfigure},
		{"matrix", `{"status":"success","data":{"resultType":"matrix","result":[]}}`, 200, 0, 0, estate.Misconfigure},
		{"bad query", `{"status":"error","errorType":"bad_data","error":"parse error \u001b[31mred"}`, 400, 0, 0, estate.Misconfigure},
		{"wrong shape", `{"status":"success","data":{"resultType":"vector","result":{}}}`, 200, 0, 0, estate.BadAnswer},
		{"short sample", `{"status":"success","data":{"resultType":"scalar","result":[1]}}`, 200, 0, 0, estate.BadAnswer},
		{"HTML", `<html>`, 200, 0, 0, estate.BadAnswer},
		{"denied", ``, 403, 0, 0, estate.Denied},
		{"down", ``, 503, 0, 0, estate.ServerError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked := ""
			url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Path + "?" + r.URL.Query().Get("query")
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, c.body)
			})
			probes := gatewayProbes(url, &store{}, func(g *config.Gateway) {
				g.Failures = &config.FailureMetric{Prometheus: url + "/", Query: "rate(x[$window]) / 2"}
			})
			r := run(t, only(t, probes, estate.CheckAuthFailures, ""))
			got, ok := r.Data.(estate.FailureRate)
			if ok != (c.kind == "") || got.Total != c.total || got.Failed != c.failed || kindOf(r.Err) != c.kind {
				t.Errorf("%+v, %v; want %v of %v, kind %q", r.Data, r.Err, c.failed, c.total, c.kind)
			}
			if ok && (got.Window != 5*time.Minute || got.Metric != "rate(x[300s]) / 2") {
				t.Errorf("%+v", got)
			}
			if asked != "/api/v1/query?rate(x[300s]) / 2" {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestCloudWatchFailuresAreNotOurs(t *testing.T) {
	probes := gatewayProbes("http://127.0.0.1:1", &store{}, func(g *config.Gateway) {
		g.Failures = &config.FailureMetric{Namespace: "AWS/ApiGateway", Failed: "4xx", Total: "Count"}
	})
	for _, p := range probes {
		if p.Key.Check == estate.CheckAuthFailures {
			t.Errorf("a second probe for %v", p.Key)
		}
	}
}

func TestOurOwnRefusalsAreLeftOut(t *testing.T) {
	base := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return base.Add(time.Duration(minute) * time.Minute) }
	for _, c := range []struct {
		name   string
		ours   map[int]int // requests by minute
		failed map[int]float64
		want   float64
	}{
		{"none", nil, map[int]float64{1: 5}, 0},
		{"all of them", map[int]int{1: 1, 2: 1}, map[int]float64{1: 1, 2: 1}, 2},
		{"among others", map[int]int{1: 2}, map[int]float64{1: 7, 2: 9}, 2},
		{"not counted yet", map[int]int{3: 1}, map[int]float64{1: 4}, 0},
		{"counted a minute later", map[int]int{1: 1}, map[int]float64{2: 3}, 1},
		{"counted a minute before", map[int]int{2: 1}, map[int]float64{1: 3}, 1},
		{"more than there are", map[int]int{1: 9}, map[int]float64{0: 1, 1: 2, 2: 3, 3: 4}, 6},
		{"no failures at all", map[int]int{1: 1}, map[int]float64{}, 0},
	} {
		o := &ownCalls{}
		for minute, n := range c.ours {
			for range n {
				o.add(at(minute).Add(20*time.Second), 401)
			}
			o.add(at(minute), 200)
			o.add(at(minute), 503)
		}
		var s series
		for minute, n := range c.failed {
			s.at, s.values = append(s.at, at(minute)), append(s.values, n)
		}
		if got := o.within(s, time.Minute); got != c.want {
			t.Errorf("%s: %v left out, want %v", c.name, got, c.want)
		}
	}
	var none *ownCalls
	none.add(base, 401)
	if none.within(series{at: []time.Time{base}, values: []float64{1}}, time.Minute) != 0 {
		t.Error("nothing was counted and something left out")
	}
	old := &ownCalls{}
	for i := range 5000 {
		old.add(at(i), 403)
	}
	if len(old.minutes) > ownKept {
		t.Errorf("%d minutes are kept", len(old.minutes))
	}
}

// The probes of one gateway and the metric that counts them, end to end.
func TestTheFailureRateIsWithoutOurOwn(t *testing.T) {
	aws := newFakeAWS(t)
	aws.on("GetMetricData", awsAnswer(metricJSON("3", "10")))
	url, asked := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	for _, c := range []struct {
		metric string
		want   estate.FailureRate
	}{
		{"4xx", estate.FailureRate{Failed: 2, Total: 9, Ours: 1}},
		{"5XXError", estate.FailureRate{Failed: 3, Total: 10}},
	} {
		cfg := awsConfig(aws.URL)
		cfg.Drill = "a test"
		gw := &cfg.Components[3]
		gw.Gateway.URL, gw.Gateway.Failures.Failed = url, c.metric
		probes := Probes(cfg, newSet(t, cfg))
		before := asked.Load()
		for range 4 { // however often, the gateway is asked once
			if got, _ := read(t, probeOf(t, probes, estate.CheckProbe)).Data.(estate.GatewayProbe); got.Code != 401 {
				t.Errorf("got %+v", got)
			}
		}
		if n := asked.Load() - before; n != 1 {
			t.Errorf("%d requests without a token, want 1", n)
		}
		r := read(t, probeOf(t, probes, estate.CheckAuthFailures))
		got, ok := r.Data.(estate.FailureRate)
		if !ok || got.Failed != c.want.Failed || got.Total != c.want.Total || got.Ours != c.want.Ours {
			t.Errorf("%s: %+v %v, want %+v", c.metric, r.Data, r.Err, c.want)
		}
	}
}

func TestTheRequestWithoutATokenIsRare(t *testing.T) {
	code := 401
	url, asked := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	c := &clock{testNow}
	g := &config.Gateway{URL: url}
	p := only(t, probesOf(config.Component{Gateway: g}, nil, c.now), estate.CheckProbe, estate.ItemWithoutToken)
	if p.Interval < hold {
		t.Errorf("interval %s", p.Interval)
	}
	for range 120 { // an hour, asked twice a minute as by somebody who keeps pressing r
		r := run(t, p)
		due := r.Again
		if due == 0 {
			due = p.Interval
		}
		at := r.At
		if at.IsZero() {
			at = c.at
		}
		if age := c.at.Add(due + due/10).Sub(at); age > estate.StaleAfter*max(r.Interval, p.Interval) {
			t.Fatalf("at its next run it is %s old", age)
		}
		c.at = c.at.Add(30 * time.Second)
	}
	if n := asked.Load(); n != 12 {
		t.Errorf("%d requests in an hour, want one every five minutes", n)
	}
	// A gateway that is ill is looked at more often: that is no refusal.
	code = 503
	c.at = c.at.Add(hold)
	if r := run(t, p); r.Again != time.Minute {
		t.Errorf("again in %s after a 503", r.Again)
	}
}
