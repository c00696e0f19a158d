package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// fakeAWS answers by operation: the last word of X-Amz-Target, the Action of the
// query protocol, or GET and the last part of a Lambda path.
type fakeAWS struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	calls   map[string]int
	bodies  map[string][]string
}

func newFakeAWS(t *testing.T) *fakeAWS {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"AWS_ENDPOINT_URL": "", "AWS_REGION": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(k, v)
	}
	f := &fakeAWS{answers: map[string]http.HandlerFunc{}, calls: map[string]int{}, bodies: map[string][]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	operation := r.Header.Get("X-Amz-Target")
	if i := strings.LastIndex(operation, "."); i >= 0 {
		operation = operation[i+1:]
	}
	if operation == "" {
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
			operation = form.Get("Action")
		} else {
			operation = r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		}
	}
	f.mu.Lock()
	f.calls[operation]++
	f.bodies[operation] = append(f.bodies[operation], string(body))
	answer := f.answers[operation]
	if answer == nil {
		answer = f.answers["*"]
	}
	f.mu.Unlock()
	if answer == nil {
		apiError(400, "UnknownOperationException", operation)(w, r)
		return
	}
	answer(w, r)
}

func (f *fakeAWS) on(operation string, answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[operation] = answer
}

func (f *fakeAWS) called(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

// awsAnswer gives one JSON or XML text after another, the last for ever.
func awsAnswer(texts ...string) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		text := texts[0]
		if len(texts) > 1 {
			texts = texts[1:]
		}
		mu.Unlock()
		_, _ = io.WriteString(w, text)
	}
}

func apiError(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, html.EscapeString(message))
			return
		}
		w.Header().Set("X-Amzn-ErrorType", code)
		w.WriteHeader(status)
		text, _ := json.Marshal(message)
		_, _ = fmt.Fprintf(w, `{"__type":%q,"message":%s}`, code, text)
	}
}

const identityXML = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:role/reader</Arn><UserId>u</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`

// awsConfig is an estate with everything of AWS in it.
func awsConfig(endpoint string) *config.Config {
	return &config.Config{
		Checks:  config.Checks{Interval: 15 * time.Second, Timeout: 2 * time.Second, SlowEvery: time.Minute, Concurrency: 8},
		Windows: config.Windows{AuthFailures: 5 * time.Minute, Rotation: 24 * time.Hour},
		AWS:     []config.AWSAccount{{Name: "main", Region: "eu-west-1", Endpoint: endpoint}},
		Components: []config.Component{
			{ID: "rot", RotationFunction: &config.RotationFunction{Account: "main", Function: "rotate-db"}},
			{ID: "sm", SecretsManager: &config.SecretsManager{Account: "main", Tag: "ends", Secrets: []config.StoredSecret{{ID: "prod/db/postgres"}}}},
			{ID: "kms", Keys: &config.Keys{Account: "main", Keys: []string{"alias/prod"}}},
			{ID: "gw", Gateway: &config.Gateway{Account: "main", Failures: &config.FailureMetric{
				Namespace: "AWS/ApiGateway", Failed: "4xx", Total: "Count", Dimensions: map[string]string{"ApiId": "abc"}}}},
		},
	}
}

// probeOf finds one probe of an estate.
func probeOf(t *testing.T, probes []Probe, check string) Probe {
	t.Helper()
	for _, p := range probes {
		if p.Key.Check == check {
			return p
		}
	}
	t.Fatalf("no probe %q", check)
	return Probe{}
}

func read(t *testing.T, p Probe) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p.Timeout)
	defer cancel()
	return p.Read(ctx)
}

// newSet is a Set whose connections are given back before goroutines are
// counted.
func newSet(t *testing.T, cfg *config.Config) *clients.Set {
	t.Helper()
	set := clients.New(cfg)
	t.Cleanup(set.Close)
	return set
}

func kindIs(t *testing.T, err error, want estate.FailureKind) *estate.Failure {
	t.Helper()
	f, ok := err.(*estate.Failure)
	if !ok {
		t.Fatalf("got error %v of type %T, want an *estate.Failure of kind %q", err, err, want)
	}
	if f.Kind != want {
		t.Fatalf("got %q (%v), want %q", f.Kind, f, want)
	}
	return f
}

// settle waits until no more goroutines run than before.
func settle(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

// asType is errors.As with the result in place.
func asType[T error](err error, target *T) bool { return errors.As(err, target) }
