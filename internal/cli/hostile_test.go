package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
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
	"unicode"

	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
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

// What a terminal obeys: a title, a clipboard, a link, a colour, a turned
// direction, C1 forms of the same, and one that is never ended.
const obeyed = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b]8;;http://evil.example\x1b\\\x1b[31mred\u009b2J\u202eturned\u2066\u200f\x7f\r\x1b]52;c;"

// assertHarmless finds what a terminal would obey in what was printed.
func assertHarmless(t *testing.T, what, out string) {
	t.Helper()
	for i, r := range out {
		if r != '\n' && r != '\t' && unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("%s prints %U: …%q", what, r, out[max(0, i-60):min(len(out), i+20)])
			return
		}
	}
}

// An incident whose journal someone else has written can say anything in any
// field, and nothing of it reaches the terminal.
func TestNothingThatATerminalObeysLeaves(t *testing.T) {
	store := ownState(t)
	t.Chdir(t.TempDir())
	session, err := store.Create(t.Context(), incident.New("ic"+obeyed, incident.Declared{
		Severity: "SEV1" + obeyed, Summary: "logins" + obeyed, Started: incidentStart, Environment: "prod" + obeyed,
		Roles: map[incident.Role]string{incident.Commander: "ic" + obeyed},
	}), runbook.Guide())
	if err != nil {
		t.Fatal(err)
	}
	id := session.ID()
	err = session.Record(t.Context(),
		incident.New("ic"+obeyed, incident.NodeMoved{Node: "fate", Act: incident.NodeDone, Verdict: "expired" + obeyed, Evidence: incident.Evidence{Value: obeyed}}),
		incident.New("ic"+obeyed, incident.NodeMoved{Node: "node" + obeyed, Act: "act" + incident.NodeAct(obeyed)}),
		incident.New("ic"+obeyed, incident.ItemMoved{Item: "item" + obeyed, Act: "act" + incident.ItemAct(obeyed), Reason: obeyed}),
		incident.New("ic"+obeyed, incident.MeasureMoved{ID: "M1" + obeyed, Act: incident.MeasureOpened, Kind: "other" + incident.MeasureKind(obeyed), What: obeyed, Who: obeyed}),
		incident.New("ic"+obeyed, incident.SeverityChanged{From: "SEV1", To: "SEV2" + obeyed}),
		incident.New("ic"+obeyed, incident.Noted{Text: "note" + obeyed}),
		incident.New("", incident.JournalMoved{What: obeyed}), incident.New("", incident.ConsoleMoved{Act: "act" + obeyed, Host: obeyed}))
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"incident", "show", id}, {"incident", "list"}, {"checklist", "--plain", id}, {"incident", "verify", id}, {"incident", "report", id},
		{"incident", "show", "--json", id}, {"incident", "list", "--json"}, {"incident", "verify", "--json", id}, {"incident", "report", "--format", "json", id},
		{"incident", "report", "--format", "html", id},
	} {
		out, code := run(t, args...)
		if code != 0 || len(out) < 100 {
			t.Errorf("%v: %d %q", args, code, out)
		}
		assertHarmless(t, strings.Join(args, " "), out)
	}
	// The same document as without: it is escaped, and nothing is lost.
	var doc struct{ Summary string }
	out, _ := run(t, "incident", "show", "--json", id)
	if err := json.Unmarshal([]byte(out), &doc); err != nil || !strings.HasPrefix(doc.Summary, "logins") {
		t.Errorf("%v: %+v", err, doc)
	}

	// What is wrong with a journal quotes the journal.
	folder, err := store.Folder(id)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(folder, "journal-000001.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(obeyed + "\n" + obeyed + "\n"); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	for _, args := range [][]string{
		{"incident", "verify", id}, {"incident", "verify", "--json", id}, {"incident", "show", id}, {"incident", "list"}, {"incident", "report", id},
		{"incident", "show", "no" + obeyed}, {"incident", "verify", id, "--head", obeyed}, {"incident", "show", id, "--kind", obeyed},
		{"incident", "report", id, "--format", obeyed}, {"incident", "report", id, "--lesson", obeyed}, {"drill", obeyed}, {"--config", obeyed, "check"},
		{"runbook", "validate", obeyed}, {obeyed}, {"--alert-time", obeyed},
	} {
		out, _ := run(t, args...)
		assertHarmless(t, fmt.Sprintf("%.40q", args), out)
	}
}

// Lines stay lines in what is printed: a sequence that is never ended takes
// nothing with it but the rest of its own line.
func TestErrorsKeepTheirLines(t *testing.T) {
	var out bytes.Buffer
	printError(&out, fmt.Errorf("first\x1b]0;%s\n  second\u009b31m\tthird\n%w", "never ended", errors.New("last\u202e")))
	if got, want := out.String(), "warroom: first\n  second31m\tthird\nlast\n"; got != want {
		t.Errorf("it prints %q, want %q", got, want)
	}
	for in, want := range map[string]string{
		"{\"a\":\"\u009b\u202e\u2066\u200f\u061c\x7f é 🧯\"}\n": `{"a":"\u009b\u202e\u2066\u200f\u061c\u007f é 🧯"}` + "\n", "{}\n": "{}\n", "": "",
	} {
		if got := safeJSON(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// The document of a check says what systems said, and those escape too.
func TestTheDocumentOfACheckIsHarmless(t *testing.T) {
	topology := (&estate.Topology{Environment: "prod\u009b2J\u202e", Components: []estate.Component{{ID: "a", Name: "x\u009d52;c;\u2066", Plane: estate.Edge}}}).Index()
	var out strings.Builder
	if err := checkJSON(&out, estate.Derive(estate.NewSnapshot(topology, nil), incidentStart)); err != nil || !strings.Contains(out.String(), `\u009b2J`) {
		t.Fatalf("%v: %s", err, out.String())
	}
	assertHarmless(t, "check --json", out.String())
}
