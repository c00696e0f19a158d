package apikey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// stored gives one awkward value for every field.
func stored(_ context.Context, secret, field string) (estate.Secret, error) {
	if secret == "none" {
		return estate.Secret{}, errors.New("there is no such secret")
	}
	return estate.NewSecret(`v"\` + secret + ":" + field), nil
}

func TestTemplates(t *testing.T) {
	a := about{key: estate.NewSecret(canary + `"&key`), id: "key/1 2", name: "warroom-1"}
	for _, c := range []struct {
		template, want, fails string
		escape                escaping
	}{
		{"Bearer ${key}", "Bearer " + canary + `"&key`, "", plainly},
		{`{"key":"${key}","n":"${name}"}`, `{"key":"` + canary + `\"\u0026key","n":"warroom-1"}`, "", asJSON},
		{"key=${key}&id=${key_id}", "key=" + url.QueryEscape(canary+`"&key`) + "&id=key%2F1+2", "", url.QueryEscape},
		{"${secret:arn:aws:x:field}", `v"\arn:aws:x:field`, "", plainly},
		{"nothing to fill in, $5 and {x}", "nothing to fill in, $5 and {x}", "", plainly},
		{"${value}", "", "there is no such thing to fill in", plainly},
		{"${secret:one}", "", "it names no secret and field", plainly},
		{"${secret::field}", "", "it names no secret and field", plainly},
		{"${secret:none:field}", "", "there is no such secret", plainly},
	} {
		got, err := fill(t.Context(), c.template, "the test", a, stored, c.escape)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.template, err, c.fails)
			}
			continue
		}
		if err != nil || got.Reveal() != c.want {
			t.Errorf("%s: %q %v, want %q", c.template, got.Reveal(), err, c.want)
		}
	}
	for _, c := range []struct{ template, want, fails string }{
		{"https://api.test/v1/keys/${key_id}?n=${name}", "https://api.test/v1/keys/key%2F1%202?n=warroom-1", ""},
		{"https://api.test/${key}", "", "headers and in the body only"},
		{"https://api.test/${secret:a:b}", "", "headers and in the body only"},
		{"https://user:password@api.test/", "", "has a password in it"},
		{"/v1/keys", "", "it is not a URL"},
		{"ftp://api.test/", "", "it is not a URL"},
	} {
		got, err := address(t.Context(), c.template, "the test", a)
		if c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), canary)) || c.fails == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %q %v, want %q %q", c.template, got, err, c.want, c.fails)
		}
	}
	for what, about := range map[string]about{"${key_id}": {}, "${name}": {}, "${key}": {}} {
		if _, err := fill(t.Context(), what, "the test", about, stored, plainly); err == nil {
			t.Errorf("%s is filled in with nothing", what)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add(`{"key":"${key}"}`, `va"lue`)
	f.Add("${secret:a:b}${key}${", "\x00\u2028")
	f.Fuzz(func(t *testing.T, template, key string) {
		a := about{key: estate.NewSecret(key), id: "id", name: "name"}
		if got, err := address(t.Context(), template, "the test", a); err == nil && strings.Contains(template, "${key}") {
			t.Fatalf("a value is in the URL %q", got)
		}
		body, err := fill(t.Context(), `{"k":"${key}"}`, "the test", a, stored, asJSON)
		if err != nil {
			return
		}
		var out struct{ K string }
		if json.Unmarshal([]byte(body.Reveal()), &out) != nil {
			t.Fatalf("the body is no JSON: %q", body.Reveal())
		}
	})
}

func TestVerdicts(t *testing.T) {
	for code, want := range map[int]verdict{
		200: works, 204: works, 401: refused, 403: forbidden, 429: limited, 500: trouble, 503: trouble, 599: trouble, 302: odd, 400: odd, 404: odd, 100: odd,
	} {
		if got := judge(&config.ProviderCall{}, code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
	if got := judge(&config.ProviderCall{OK: []int{201}}, 200); got != odd {
		t.Errorf("200 where 201 is yes: %s", got)
	}
	if got := judge(&config.ProviderCall{OK: []int{403}}, 403); got != works {
		t.Errorf("403 where 403 is yes: %s", got)
	}
}

func TestNothingOfAYesIsQuoted(t *testing.T) {
	call := &config.ProviderCall{OK: []int{200}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"message":"two keys are the most"}`)
	}))
	defer server.Close()
	set := clients.New(&config.Config{})
	defer set.Close()
	for code, want := range map[int]string{201: "", 302: "", 200: "", 409: "two keys are the most"} {
		answered, err := set.HTTP("").Do(t.Context(), clients.HTTPRequest{URL: fmt.Sprintf("%s/%d", server.URL, code)})
		if err != nil {
			t.Fatal(err)
		}
		got := reading(call, answered, time.Now())
		if got.said != want {
			t.Errorf("%d: %q, want %q", code, got.said, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-5": 0, "99999999999": longestWait, "x": 0,
		"Sun, 01 Mar 2026 12:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "Mon, 02 Mar 2026 12:00:00 GMT": longestWait,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestPatience(t *testing.T) {
	p := patience{tries: 20, first: 30 * time.Second, most: 15 * time.Minute}
	for n := 1; n <= 20; n++ {
		least, most := p.wait(n, 0, 0), p.wait(n, 0.9999, 0)
		want := min(30*time.Second<<min(n-1, 10), 15*time.Minute)
		if least != want/2 || most > want || most < want*9/10 {
			t.Errorf("attempt %d: between %s and %s, want %s to %s", n, least, most, want/2, want)
		}
	}
	if got := p.wait(1, 0, time.Minute); got != time.Minute {
		t.Errorf("what the provider asks for: %s", got)
	}
}

func TestPaths(t *testing.T) {
	var document any
	decoder := json.NewDecoder(strings.NewReader(`{"a":{"b":[{"c":"x"},{"c":7}]},"n":null,"e":""}`))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a.b.0.c": "x", "a.b.1.c": "7", "a.b.2.c": "", "a.b.-1.c": "", "a.b.c": "", "n": "", "e": "", "zz.y": ""} {
		if got := text(document, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if _, there := look(document, "n"); !there {
		t.Error("null is not there")
	}
	if _, there := look(document, "m"); there {
		t.Error("what is not there is")
	}
}
