package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/estate"
	"warroom/internal/report"
	"warroom/ui"
	"warroom/ui/driver"
)

// console opens the console of an estate on a virtual terminal.
func console(t *testing.T, width, height int, run func(context.Context, looks) error) *driver.Terminal {
	t.Helper()
	return driver.Start(t, width, height, func(ctx context.Context, io driver.IO) error {
		return run(ctx, looks{terminal: ui.Terminal{
			In: io.In, Out: io.Out, Environ: io.Environ, Width: io.Size.Width, Height: io.Size.Height, OnResize: io.OnResize,
		}})
	})
}

// drillConsole opens a drill as warroom drill does.
func drillConsole(ctx context.Context, look looks) error {
	return onDrill(defaultScenario, func(cfg *config.Config, world *drill.World) error {
		return openConsole(ctx, cfg, look, func(ctx context.Context, end func(error)) error { return serving(ctx, world, end) })
	})
}

// The opening state of the drill is the guide's diagram.
func TestTheDrillShowsTheCrisis(t *testing.T) {
	d := console(t, 160, 45, drillConsole)
	screen := d.WaitText("Secret: EXPIRED", "Auth failures: 67% in 5m", "Rotation: MANUAL", "Next expiry: 12 days",
		"Rotation status: FAILED", "Last rotation: 15 days ago", "Status: ERROR", "Last run: FAILED", "Error: DB connection timeout",
		"Encryption keys: HEALTHY", "Rotation: SCHEDULED", "Next: 7 days", "User: app_user", "Password: EXPIRED", "Connections: BLOCKED",
		"Password: OLD_VERSION", "Connections: WORKING", "API key: ROTATED", "Rate limit: RESET", "Status: HEALTHY",
		"DB secret: EXPIRED", "Fallback: NONE", "API secret: ROTATED", "Last sync: 2h ago", "DB secret: STALE", "Connection: DEGRADED", "Retry attempts: 45",
		"Seal status: UNSEALED", "Secrets: 2,847", "Health: HEALTHY", "Replication lag: 45s", "Health: DEGRADED",
		"Encrypted at rest: YES", "Access logs: ENABLED", "Audit trail: COMPLETE",
		"Success rate: 23% in 24h", "Failed rotations: 12 in 24h", "Alert status: CRITICAL",
		"Expiry tracking: ACTIVE", "Near-expiry: 45 secrets", "Expired: 12 secrets",
		"Failed auths: 2,347 in 1h", "Secret usage: TRACKED", "Anomaly detection: ON",
		"DRILL db-rotation", "READ-ONLY", "✗ FAIL 9  ! WARN 3  ✓ OK 5  of 17 components")
	if strings.Contains(screen, "UNKNOWN") || strings.Contains(screen, "UNCHECKED") {
		t.Errorf("something of the diagram is not read:\n%s", screen)
	}
	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Errorf("quitting: %v", err)
	}
	if !d.Restored() {
		t.Error("the terminal was not restored")
	}
}

func TestTheDetailOfTheBlockedDatabase(t *testing.T) {
	for _, size := range []driver.Size{{Width: 80, Height: 24}, {Width: 100, Height: 30}} {
		d := console(t, size.Width, size.Height, drillConsole)
		d.WaitText("67%")
		d.Press(":")
		d.WaitText("Go to or do")
		d.Type("postgresql primary")
		d.Press("enter")
		d.WaitText("VALID UNTIL passed", "source: PostgreSQL login app_user@")
		d.Press(slices.Repeat([]string{"j"}, 20)...)
		d.WaitText("Login AWSCURRENT", "28P01")
		d.Press("q")
		if err := d.WaitEnd(); err != nil {
			t.Errorf("%dx%d: %v", size.Width, size.Height, err)
		}
	}
}

// visit opens the detail of every component in turn and presses keys there.
func visit(d *driver.Terminal, cfg *config.Config, keys ...string) {
	for _, c := range cfg.Components {
		d.Press(":")
		d.WaitText("Go to or do")
		d.Type(strings.ToLower(c.Name))
		d.Press("enter")
		d.WaitText("esc back", c.Name)
		d.Press(keys...)
		d.Press("esc")
		d.WaitGone("esc back")
	}
}

// drillSecrets is every secret value of a drill, as its store hands it out.
func drillSecrets(t *testing.T, cfg *config.Config) []string {
	t.Helper()
	set := clients.New(cfg)
	defer set.Close()
	account, err := set.AWS("main")
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, s := range cfg.Topology().Secrets {
		for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending, estate.StagePrevious} {
			v, err := account.Value(t.Context(), s.ID, stage)
			if err != nil {
				continue // not every label has a version
			}
			text, err := v.Text()
			if err != nil {
				continue
			}
			var object map[string]any
			if json.Unmarshal([]byte(text.Reveal()), &object) != nil {
				values = append(values, text.Reveal())
				continue
			}
			for _, field := range []string{"password", "api_key", "token"} {
				if s, ok := object[field].(string); ok {
					values = append(values, s)
				}
			}
		}
	}
	return values
}

func assertAbsent(t *testing.T, where, text string, values []string) {
	t.Helper()
	for _, v := range values {
		for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), url.QueryEscape(v)} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("a secret value is in %s: …%q…", where, text[max(0, at-80):min(len(text), at+len(form)+20)])
				return
			}
		}
	}
}

func TestNoSecretOfTheDrillLeaves(t *testing.T) {
	err := onDrill(defaultScenario, func(cfg *config.Config, world *drill.World) error {
		ctx, end := context.WithCancelCause(t.Context())
		defer end(nil)
		if err := serving(ctx, world, end); err != nil {
			return err
		}
		values := drillSecrets(t, cfg)
		if len(values) < 8 {
			t.Fatalf("only %d secret values were found to look for", len(values))
		}
		for name, write := range writers {
			var out, progress bytes.Buffer
			if err := check(ctx, cfg, &out, &progress, write); err == nil {
				t.Errorf("%s: the crisis was reported as OK", name)
			}
			if out.Len() < 1000 {
				t.Errorf("%s: only %q", name, out.String())
			}
			assertAbsent(t, name, out.String()+progress.String(), values)
		}
		d := console(t, 200, 60, func(ctx context.Context, look looks) error { return openConsole(ctx, cfg, look, nil) })
		d.WaitText("Auth failures: ", "OLD_VERSION", "Retry attempts: 45")
		visit(d, cfg, "y")
		d.Press("q")
		if err := d.WaitEnd(); err != nil {
			t.Error(err)
		}
		assertAbsent(t, "a frame", d.Raw(), values)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var writers = map[string]writer{"JSON": report.CheckJSON, "CSV": report.CheckCSV, "plain": report.CheckPlain}

func TestCheckEndsWithItsVerdict(t *testing.T) {
	for status, want := range map[estate.Status]int{estate.OK: 0, estate.NA: 0, estate.Warn: 1, estate.Fail: 2, estate.Unknown: 3} {
		err := verdict(status)
		got := 0
		var exit *exitError
		if errors.As(err, &exit) {
			got = exit.code
		}
		if got != want {
			t.Errorf("%s ends with %d, want %d", status, got, want)
		}
	}
}

// run runs the whole command line and returns what it printed and its code.
func run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	root := newRootCommand()
	root.SilenceErrors, root.SilenceUsage = true, true
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err == nil {
		return out.String(), 0
	}
	printError(&out, err)
	return out.String(), exitCode(err)
}

func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv(config.EnvFile, "")
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\nenviroment: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"check", "--config", "no-such-file.yaml"}, exitUsage, "no-such-file.yaml"},
		{[]string{"check", "--config", bad}, exitUsage, `did you mean "environment"?`},
		{[]string{"check", "--config", bad}, exitUsage, "bad.yaml:2"},
		{[]string{"check", "--json", "--csv"}, exitUsage, "json"},
		{[]string{"check", "extra"}, exitUsage, "extra"},
		{[]string{"check", "--drill", "no-such"}, exitUsage, "db-rotation"},
		{[]string{"drill", "no-such"}, exitUsage, "db-rotation"},
		{[]string{"drill", "--list"}, 0, "db-rotation"},
		{[]string{"--theme", "pink", "--config", bad}, exitUsage, "environment"},
		{[]string{"no-such-command"}, exitUsage, "no-such-command"},
		{[]string{"drill", "--config", bad}, exitUsage, "no effect"},
		{[]string{"check", "--drill", "db-rotation", "--config", bad}, exitUsage, "no effect"},
		{[]string{"check", "--drill", ""}, exitUsage, "db-rotation"},
		{[]string{"small.yaml"}, exitUsage, "--config small.yaml"},
		{[]string{"--no-such-flag"}, exitUsage, "no-such-flag"},
		{[]string{"drill"}, exitUsage, "warroom check"}, // the tests have no terminal
	} {
		out, code := run(t, c.args...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("warroom %s: code %d and %q, want %d and %q", strings.Join(c.args, " "), code, out, c.code, c.says)
		}
	}
}

// Every scenario is named by the list, with its title and its summary in one
// column, and by the pages that tell of the drill.
func TestTheScenariosAreListed(t *testing.T) {
	out, code := run(t, "drill", "--list")
	column := 0
	for i, row := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		text := row
		if i%2 == 0 {
			name, _, _ := strings.Cut(row, " ")
			text = row[len(name):]
		}
		at := len(row) - len(strings.TrimLeft(text, " "))
		if i == 0 {
			column = at
		}
		if at != column {
			t.Errorf("the text of %q begins at %d and not at %d", row, at, column)
		}
	}
	for _, name := range scenarioNames() {
		if code != 0 || !strings.Contains("\n"+out, "\n"+name+" ") {
			t.Errorf("the list does not name %s: %d\n%s", name, code, out)
		}
		for _, path := range []string{"README.md", "docs/drill.md"} {
			page, err := os.ReadFile(filepath.Join("..", "..", path))
			if err != nil || !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("%s says nothing of %s: %v", path, name, err)
			}
		}
	}
}
