package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// canary stands in the path of every URL, and nowhere else.
const canary = "T0CANARY/B0CANARY/xCANARYx"

// place is a webhook at a server, by its variable.
func place(t *testing.T, base string, format Format) *Sender {
	t.Helper()
	t.Setenv("WARROOM_TEST_WEBHOOK", base+"/services/"+canary)
	return New([]Place{{Name: "bridge", Env: "WARROOM_TEST_WEBHOOK", Format: format, Security: true}})
}

// failure sends and expects an error without the canary.
func failure(t *testing.T, s *Sender, kind Kind) *Error {
	t.Helper()
	return judged(t, s.Send(t.Context(), "bridge", "text"), kind)
}

func judged(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", e, e)} {
		if strings.Contains(text, "CANARY") || strings.Contains(text, "/services/") {
			t.Fatalf("the URL is in %s", text)
		}
	}
	if errors.Unwrap(err) != nil {
		t.Fatal("what it wraps may hold the URL")
	}
	if e.Kind != kind {
		t.Fatalf("got the kind %q, expected %q: %v", e.Kind, kind, err)
	}
	return e
}

func TestSendsWhatAPlaceTakes(t *testing.T) {
	const text = "SEV1 <!channel> A & B > C\n\"second\" line"
	for _, c := range []struct {
		format Format
		want   map[string]string
	}{
		{"", map[string]string{"text": "SEV1 &lt;!channel&gt; A &amp; B &gt; C\n\"second\" line"}},
		{Slack, map[string]string{"text": "SEV1 &lt;!channel&gt; A &amp; B &gt; C\n\"second\" line"}},
		{JSON, map[string]string{"schema": "warroom.update/v1", "text": text}},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				var got map[string]string
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("got %v (%v)", got, err)
				}
				if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, canary) || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
					t.Errorf("got %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
				}
				_, _ = io.WriteString(w, "ok")
			}))
			defer server.Close()
			s := place(t, server.URL, c.format)
			if err := s.Send(t.Context(), "bridge", text); err != nil || calls.Load() != 1 {
				t.Errorf("%v, %d calls", err, calls.Load())
			}
			if p := s.Places(); len(p) != 1 || p[0].Name != "bridge" || !p[0].Security {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestSaysWhatBecameOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		kind   Kind
		says   string
	}{
		"no longer good": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.URL.Path, http.StatusNotFound) }, Refused, "make a new webhook"},
		"forbidden":      {func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.URL.Path, http.StatusForbidden) }, Refused, "HTTP 403"},
		"bad payload":    {func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.URL.Path, http.StatusBadRequest) }, Refused, "format"},
		"broken":         {func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.URL.Path, http.StatusBadGateway) }, Unclear, "look there"},
		"too many": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			http.Error(w, r.URL.Path, http.StatusTooManyRequests)
		}, Limited, "in 30s"},
		"too many, does not say": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", r.URL.Path)
			w.WriteHeader(http.StatusTooManyRequests)
		}, Limited, "later"},
		"breaks off": {func(w http.ResponseWriter, r *http.Request) {
			panic(http.ErrAbortHandler)
		}, Unclear, "may have arrived"},
		"short answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, r.URL.Path)
		}, Unclear, "broke off"},
		"as a GET elsewhere on the host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other/"+canary, http.StatusFound)
		}, Refused, "points elsewhere"},
		"a bad redirect": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1/"+canary)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, Unclear, "broke"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); c.answer(w, r) }))
			defer server.Close()
			e := failure(t, place(t, server.URL, Slack), c.kind)
			if !strings.Contains(e.Error(), c.says) {
				t.Errorf("got %v", e)
			}
			if calls.Load() != 1 {
				t.Errorf("%d attempts", calls.Load())
			}
			if want := 30 * time.Second; name == "too many" && e.Wait != want {
				t.Errorf("waits %s", e.Wait)
			}
		})
	}
}

func TestFollowsOnTheSameHostOnly(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the text went to another host") }))
	defer stranger.Close()
	var arrived atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			arrived.Store(r.Method == http.MethodPost)
		case "/away/services/" + canary:
			http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	if err := place(t, server.URL, Slack).Send(t.Context(), "bridge", "text"); err != nil || !arrived.Load() {
		t.Errorf("%v, arrived %v", err, arrived.Load())
	}
	failure(t, place(t, server.URL+"/away", Slack), Refused)
}

func TestBoundsTheAnswer(t *testing.T) {
	stopped := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(stopped)
		chunk := []byte(strings.Repeat("x", 32<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if err := place(t, server.URL, Slack).Send(t.Context(), "bridge", "text"); err != nil {
		t.Error(err)
	}
	select {
	case <-stopped: // it was hung up on
	case <-time.After(10 * time.Second):
		t.Error("the answer was read for ever")
	}
}

func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel(); <-release }))
	defer server.Close()
	defer close(release)
	judged(t, place(t, server.URL, Slack).Send(ctx, "bridge", "text"), Unclear)

	late, done := context.WithDeadline(t.Context(), time.Now().Add(50*time.Millisecond))
	defer done()
	judged(t, place(t, server.URL, Slack).Send(late, "bridge", "text"), Unclear)
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	failure(t, place(t, "http://"+address, Slack), Unreachable)

	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	defer strange.Close()
	e := failure(t, place(t, strange.URL, Slack), Unreachable)
	if !strings.Contains(e.Detail, "certificate") {
		t.Errorf("got %v", e)
	}
}

func TestRefusesToSend(t *testing.T) {
	for name, base := range map[string]string{
		"clear text to another host": "http://203.0.113.5",
		"no scheme":                  "hooks.example.com",
		"another scheme":             "ftp://hooks.example.com",
		"no URL":                     "https://hooks.example.com:port\x7f",
		"no host":                    "https://",
	} {
		t.Run(name, func(t *testing.T) { failure(t, place(t, base, Slack), Misconfigured) })
	}
	s := place(t, "https://203.0.113.5", Slack)
	judged(t, s.Send(t.Context(), "elsewhere", "text"), Misconfigured)
	judged(t, s.Send(t.Context(), "bridge", " \n"), Misconfigured)
	judged(t, s.Send(t.Context(), "bridge", strings.Repeat("é", textLimit+1)), Misconfigured)
	t.Setenv("WARROOM_TEST_WEBHOOK", "")
	if e := failure(t, s, Misconfigured); !strings.Contains(e.Error(), "WARROOM_TEST_WEBHOOK") {
		t.Errorf("got %v", e)
	}
}

func TestURLInAFile(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "hook")
	s := New([]Place{{Name: "bridge", File: file}})
	if e := failure(t, s, Misconfigured); !strings.Contains(e.Error(), file) {
		t.Errorf("got %v", e)
	}
	if err := os.WriteFile(file, []byte(server.URL+"/services/"+canary+"\nnot this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), "bridge", "text"); err != nil || calls.Load() != 1 {
		t.Fatalf("%v, %d calls", err, calls.Load())
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if e := failure(t, s, Misconfigured); !strings.Contains(e.Error(), "chmod 600") || calls.Load() != 1 {
		t.Errorf("got %v", e)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("x", urlLimit+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	failure(t, s, Misconfigured)
}

func TestWait(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "7": 7 * time.Second, "99999999999": waitLimit, "9999999": waitLimit,
	} {
		if got := wait(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := wait(time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)); got < 50*time.Second || got > time.Minute {
		t.Errorf("a date: %s", got)
	}
}
