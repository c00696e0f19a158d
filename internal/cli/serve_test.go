package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"warroom/internal/labtest"
)

// verdictOf is what one component says in a document of warroom check --json,
// without its times.
type verdictOf struct {
	Status, Word string
	Facts        map[string]string // status by name
}

// passing is what differs between two runs of a drill: ports and times.
var passing = regexp.MustCompile(`:\d{4,5}\b|\b\d\d:\d\d(:\d\d)?\b|\b\d+ ?[a-z]+ ago\b`)

func verdicts(t *testing.T, document string) map[string]verdictOf {
	t.Helper()
	var doc struct {
		Drill      string
		Components []struct {
			ID, Status, Word string
			Facts            []struct{ Name, Status string }
		}
	}
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if doc.Drill != defaultScenario {
		t.Errorf("the document is of drill %q", doc.Drill)
	}
	out := map[string]verdictOf{}
	for _, c := range doc.Components {
		v := verdictOf{c.Status, c.Word, map[string]string{}}
		for _, f := range c.Facts {
			v.Facts[passing.ReplaceAllString(f.Name, "*")] = f.Status
		}
		out[c.ID] = v
	}
	return out
}

// A drill that is served by one process and read by another says what the drill
// in one process says.
func TestAServedDrillReadsLikeTheDrill(t *testing.T) {
	s := serveProcess(t, t.TempDir())
	outside, code := checkProcess(t, s.path)
	if code != 2 {
		t.Errorf("check on the served drill ended with %d", code)
	}
	cmd := program(t, t.TempDir(), "check", "--json", "--drill", defaultScenario)
	within, _ := cmd.Output() // it ends with its verdict
	if code := cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("check --drill ended with %d", code)
	}
	got, want := verdicts(t, outside), verdicts(t, string(within))
	if len(want) != 17 {
		t.Fatalf("the drill has %d components, not the 17 of the guide", len(want))
	}
	for id := range want {
		if !reflect.DeepEqual(got[id], want[id]) {
			t.Errorf("%s\nserved: %v\nwithin: %v", id, got[id], want[id])
		}
	}
	if code := s.end(t, os.Interrupt); code != 0 {
		t.Errorf("it ended with %d:\n%s", code, s.stderr.String())
	}
	if _, code := checkProcess(t, filepath.Join(t.TempDir(), "gone.yaml")); code != exitUsage {
		t.Errorf("a configuration that is gone gives %d", code)
	}
}

// tool runs a command line in the printed environment and in no other.
func (s *served) tool(t *testing.T, path string, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "PGCONNECT_TIMEOUT=5"}, s.env...)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The printed environment is all that aws and psql need.
func TestToolsReachAServedDrill(t *testing.T) {
	aws, psql := labtest.Tool(t, "aws"), labtest.Tool(t, "psql")
	s := serveProcess(t, t.TempDir())
	out, err := s.tool(t, aws, nil, "secretsmanager", "describe-secret", "--secret-id", "prod/db/postgres", "--output", "json")
	if err != nil || !strings.Contains(out, `"RotationEnabled": true`) {
		t.Errorf("describe-secret: %v\n%s", err, out)
	}
	out, err = s.tool(t, aws, []string{"AWS_SECRET_ACCESS_KEY=wrong"}, "sts", "get-caller-identity")
	if err == nil || !strings.Contains(out, "SignatureDoesNotMatch") {
		t.Errorf("with a wrong key: %v\n%s", err, out)
	}
	password := func(stage string) string {
		out, err := s.tool(t, aws, nil, "secretsmanager", "get-secret-value", "--secret-id", "prod/db/postgres", "--version-stage", stage, "--query", "SecretString", "--output", "text")
		var value struct{ Password string }
		if err == nil {
			err = json.Unmarshal([]byte(out), &value)
		}
		if err != nil || value.Password == "" {
			t.Fatalf("%s: %v", stage, err)
		}
		return value.Password
	}
	portOf := func(id string) string {
		_, after, _ := strings.Cut(s.config, "id: "+id+"\n")
		_, after, _ = strings.Cut(after, "port: ")
		digits := after[:max(strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' }), 0)]
		if digits == "" {
			t.Fatalf("the configuration names no port of %s:\n%s", id, s.config)
		}
		return digits
	}
	for _, c := range []struct {
		what, component, password, want string
		fails                           bool
	}{
		{"the previous password on the replica", "postgres-replica", password("AWSPREVIOUS"), "1", false},
		{"a wrong password on the replica", "postgres-replica", "wrong", "password authentication failed for user \"app_user\"", true},
		{"the current password on the primary, whose role expired", "postgres-primary", password("AWSCURRENT"), "password authentication failed for user \"app_user\"", true},
	} {
		out, err := s.tool(t, psql, []string{"PGPASSWORD=" + c.password, "PGHOST=127.0.0.1", "PGPORT=" + portOf(c.component), "PGUSER=app_user", "PGDATABASE=production"},
			"-X", "-A", "-t", "-c", "SELECT 1")
		if (err != nil) != c.fails || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", c.what, err, out)
		}
	}
}
