package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/config"
)

// Values that the hostile estate's store hands out. Each is long enough that
// finding it anywhere is no accident.
const (
	canaryPassword = "canary-pass/word+1 with<markup>&\"quotes\""
	canaryKey      = "canary-api-key-0123456789abcdef"
	canaryToken    = "eyJhbGciOiJFUzI1NiJ9.canary-token-payload.canary-signature"
)

// leaks says every canary in every form that the net must know.
func leaks() string {
	var b strings.Builder
	for _, v := range []string{canaryPassword, canaryKey, canaryToken} {
		fmt.Fprintf(&b, " raw=%s b64=%s url=%s json=%q ", v, base64.StdEncoding.EncodeToString([]byte(v)), url.QueryEscape(v), v)
	}
	return b.String()
}

// store is a Secrets Manager that hands out canaries. Once all of them are in
// use, which is when the systems have them, every answer and error of every
// system says them all.
type store struct {
	mu   sync.Mutex
	used map[string]bool
}

// use notes that a system was given a canary.
func (s *store) use(canary string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = map[string]bool{}
	}
	s.used[canary] = true
}

func (s *store) leak() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.used) < 3 {
		return ""
	}
	return leaks()
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	op := r.Header.Get("X-Amz-Target")
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case strings.HasSuffix(op, "GetSecretValue") && strings.Contains(string(body), "AWSCURRENT"):
		values := map[string]string{
			"db":    fmt.Sprintf(`{"username":"app_user","password":%q}`, canaryPassword),
			"key":   fmt.Sprintf(`{"api_key":%q}`, canaryKey),
			"token": fmt.Sprintf(`{"token":%q}`, canaryToken),
		}
		for id, v := range values {
			if strings.Contains(string(body), `"`+id+`"`) {
				fmt.Fprintf(w, `{"Name":%q,"VersionId":"11111111-1111-4111-8111-111111111111","VersionStages":["AWSCURRENT"],"SecretString":%q}`, id, v)
			}
		}
	case strings.HasSuffix(op, "DescribeSecret"):
		text := s.leak()
		fmt.Fprintf(w, `{"Name":"x","ARN":%q,"OwningService":%q,"RotationEnabled":true,"Tags":[{"Key":%q,"Value":%q},{"Key":"end","Value":%q}],"VersionIdsToStages":{%q:["AWSPENDING"]},"ReplicationStatus":[{"Region":"r","Status":"Failed","StatusMessage":%q}]}`,
			text, text, text, text, text, "v"+text, text)
	case strings.HasSuffix(op, "FilterLogEvents"):
		fmt.Fprintf(w, `{"events":[{"timestamp":%d,"message":%q}]}`, time.Now().Add(-time.Minute).UnixMilli(), "[ERROR] could not log in:"+s.leak())
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"AccessDeniedException","message":%q,"Message":%q}`, "denied"+s.leak(), "denied"+s.leak())
	}
}

// postgresThatQuotes answers every connection with an error that says the
// canaries.
func postgresThatQuotes(t *testing.T, s *store) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				head := make([]byte, 4)
				if _, err := io.ReadFull(c, head); err != nil {
					return
				}
				s.use(canaryPassword)
				text := "password authentication failed" + s.leak()
				body := "SFATAL\x00C28P01\x00M" + text + "\x00D" + text + "\x00\x00"
				n := len(body) + 4
				_, _ = c.Write(append([]byte{'E', byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...))
			}()
		}
	}()
	return l.Addr().String()
}

// hostile is an estate of which every system says the secrets it was given.
func hostile(t *testing.T) *config.Config {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	credentials := filepath.Join(dir, "credentials")
	if err := os.WriteFile(credentials, []byte("[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = canary-of-our-own-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &store{}
	aws := httptest.NewServer(s)
	t.Cleanup(aws.Close)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("Authorization")
		if key := strings.TrimPrefix(given, "Bearer "); key != "" {
			s.use(key)
		}
		text := given + s.leak()
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error=%q, error_description=%q`, text, text))
		w.Header().Set("X-Request-Id", given)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"status":%q,"connection":%q,"secret_version":%q,"issuer":%q,"jwks_uri":%q}`, text, text, text, text, text)
	}))
	t.Cleanup(echo.Close)
	host, port, _ := net.SplitHostPort(postgresThatQuotes(t, s))
	text := fmt.Sprintf(`
version: 1
environment: hostile
checks: {interval: 1s, slow_interval: 1s, login_interval: 5s, timeout: 900ms}
aws: [{name: main, region: us-west-2, profile: default, shared_files: [%[1]s], endpoint: %[2]s}]
components:
  - {id: gw, name: Gateway, plane: edge, gateway: {url: %[3]s/x, issuer: %[3]s, token: {secret: token}, account: main, failures: {dimensions: {ApiId: x}}}}
  - {id: lb, name: Balancer, plane: edge, balancer: {endpoints: [{address: "%[4]s:%[5]s", server_name: x.example}]}}
  - id: sm
    name: Secrets Manager
    plane: service
    expiry: tag:end
    secrets_manager: {account: main, secrets: [{id: db}, {id: key, type: api_key}, {id: token, type: token}]}
  - {id: fn, name: Function, plane: service, rotation_function: {account: main, function: f}}
  - {id: km, name: Keys, plane: service, keys: {account: main, keys: [k]}}
  - {id: app, name: App, plane: service, application: {secrets: [db], health: {url: %[3]s/health}}}
  - {id: pg, name: Postgres, plane: state, postgres: {host: %[4]s, port: %[5]s, sslmode: disable, secret: db}}
  - {id: api, name: API, plane: state, external_api: {url: %[3]s/api, secret: key}}
flows: []
`, credentials, aws.URL, echo.URL, host, port)
	cfg, err := config.Parse("hostile.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Whatever the systems say, no secret value that was read gets out, nor our own
// key.
func TestNoSecretOfAHostileEstateLeaves(t *testing.T) {
	cfg := hostile(t)
	fresh := hostile(t)
	values := []string{canaryPassword, canaryKey, canaryToken, "canary-of-our-own-key"}
	for name, write := range writers {
		for range 2 { // in the second round everything is said from the first answer on
			var out, progress bytes.Buffer
			_ = check(t.Context(), cfg, &out, &progress, write)
			if !strings.Contains(out.String(), "Gateway") && !strings.Contains(out.String(), "gw") {
				t.Errorf("%s: %q", name, out.String())
			}
			assertAbsent(t, name, out.String()+progress.String(), values)
			assertAbsent(t, name, out.String(), []string{"canary-pass", "canary-signature", "canary-api-key"})
		}
	}
	// On screen each text is drawn as it comes, so the systems say the values from
	// when they were given them: docs/safety.md says what the net cannot know.
	d := console(t, 200, 60, func(ctx context.Context, look looks) error { return openConsole(ctx, fresh, look, nil) })
	d.WaitText("Gateway", "REFUSED", "Postgres")
	visit(d, fresh, "R", "y")
	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Error(err)
	}
	assertAbsent(t, "a frame", d.Raw(), values)
	assertAbsent(t, "a frame", d.Raw(), []string{"canary-pass", "canary-signature", "canary-api-key"})
}
