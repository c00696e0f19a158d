package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"warroom/internal/config"
)

// initIn runs warroom init in a folder with an environment, and returns what it
// wrote to its outputs and its exit code.
func initIn(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(t, t.TempDir(), append([]string{"init"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(cmd.Env, env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	_ = cmd.Run()
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// alone is an environment that names no system.
func alone(home string) []string {
	return []string{"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "none"), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + filepath.Join(home, "none"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(home, "none"), "VAULT_ADDR="}
}

// What init finds on the served drill, check takes as it is.
func TestInitOnTheServedDrill(t *testing.T) {
	s := serveProcess(t, t.TempDir())
	dir := t.TempDir()
	env := append(alone(t.TempDir()), s.env...)
	out, complaint, code := initIn(t, dir, env)
	if code != 0 || !strings.Contains(out, "warroom.yaml written") {
		t.Fatalf("it ended with %d:\n%s%s", code, out, complaint)
	}
	path := filepath.Join(dir, "warroom.yaml")
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	top := cfg.Topology()
	for _, id := range []string{"prod/db/postgres", "prod/api/external"} {
		if _, ok := top.Secret(id); !ok {
			t.Errorf("%s is not among its secrets", id)
		}
	}
	if !slices.ContainsFunc(cfg.Components, func(c config.Component) bool {
		return c.RotationFunction != nil && c.RotationFunction.Function == "rotate-postgres"
	}) {
		t.Error("the rotation function is not among its components")
	}
	for _, workload := range []string{"prod/deployment/user-service", "prod/statefulset/analytics-service"} {
		if !slices.ContainsFunc(cfg.Components, func(c config.Component) bool {
			return c.Application != nil && c.Application.Workload == workload && len(c.Application.Secrets) == 1
		}) {
			t.Errorf("%s with its stored secret is not among its components:\n%s", workload, complaint)
		}
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	check := program(t, t.TempDir(), "check", "--json", "--config", path)
	check.Env = append(check.Env, env...)
	document, err := check.Output()
	if exit, ended := err.(*exec.ExitError); !ended || exit.ExitCode() != 2 {
		t.Errorf("check ended with %v", err)
	}
	var doc struct {
		Components []struct{ ID, Status, Word, Reason string }
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	for _, c := range doc.Components {
		if c.ID == "secrets-manager-main" && (c.Status != "fail" || c.Word != "FAILED") {
			t.Errorf("%s reads %s %s: %s", c.ID, c.Status, c.Word, c.Reason)
		}
	}

	// A second time it leaves the file alone.
	_, complaint, code = initIn(t, dir, env)
	if code != exitFailed || !strings.Contains(complaint, "is left as it is") {
		t.Errorf("it ended with %d:\n%s", code, complaint)
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, written) {
		t.Error("it changed a file that was there")
	}
	// A link that leads nowhere is a file that is there.
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, _, code = initIn(t, dir, env, "--output", "link.yaml"); code != exitFailed {
		t.Errorf("onto a link it ended with %d", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("it wrote through a link")
	}
	if out, _, code = initIn(t, dir, env, "--output", "-"); code != 0 || out != string(written) {
		t.Errorf("printed it is another one, with %d", code)
	}
}

func TestInitWithNothingToFind(t *testing.T) {
	dir := t.TempDir()
	_, complaint, code := initIn(t, dir, alone(dir))
	if code != exitFailed || !strings.Contains(complaint, "nothing was found") || !strings.Contains(complaint, "not looked at: AWS account main") {
		t.Errorf("it ended with %d:\n%s", code, complaint)
	}
	if _, err := os.Stat(filepath.Join(dir, "warroom.yaml")); err == nil {
		t.Error("it wrote a file all the same")
	}
	for _, args := range [][]string{{"--config", "x.yaml"}, {"extra"}, {"--bad"}} {
		if _, complaint, code := initIn(t, dir, alone(dir), args...); code != exitUsage {
			t.Errorf("%v ends with %d:\n%s", args, code, complaint)
		}
	}
}
