package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"warroom/internal/config"
)

func runConfig(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "warroom", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().String("config", "", "file")
	root.AddCommand(newConfigCommand())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"config"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func code(err error) int {
	var e *exitError
	if !errors.As(err, &e) {
		return -1
	}
	return e.code
}

func TestConfigExampleIsValid(t *testing.T) {
	out, err := runConfig(t, "example")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "warroom.yaml")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	want := path + ": valid: 17 components, 8 secrets, 14 flows\n"
	for _, args := range [][]string{{"validate", path}, {"validate", "--config", path}} {
		if out, err := runConfig(t, args...); err != nil || out != want {
			t.Errorf("%v: %q, %v", args, out, err)
		}
	}
	t.Setenv(config.EnvFile, path)
	if out, err := runConfig(t, "validate"); err != nil || out != want {
		t.Errorf("by environment: %q, %v", out, err)
	}
}

func TestConfigValidateReportsEveryMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(path, []byte("version: 3\nenviroment: x\ncomponents: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runConfig(t, "validate", path)
	var typed *config.Error
	if code(err) != exitUsage || out != "" || !errors.As(err, &typed) || strings.Count(err.Error(), path+":") != 3 {
		t.Errorf("%q, %v", out, err)
	}
}

func TestConfigWrongUse(t *testing.T) {
	for name, args := range map[string][]string{
		"no such file":      {"validate", filepath.Join(t.TempDir(), "none.yaml")},
		"two files":         {"validate", "a", "b"},
		"schema with file":  {"schema", "a"},
		"example with file": {"example", "a"},
		"no such command":   {"frobnicate"},
	} {
		if _, err := runConfig(t, args...); code(err) != exitUsage {
			t.Errorf("%s: code %d, %v", name, code(err), err)
		}
	}
}

func TestConfigSchemaIsJSON(t *testing.T) {
	out, err := runConfig(t, "schema")
	if err != nil || !json.Valid([]byte(out)) || !strings.Contains(out, "2020-12") {
		t.Errorf("%.80q, %v", out, err)
	}
}

type refuses struct{}

func (refuses) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestOutputThatCannotBeWrittenFails(t *testing.T) {
	if err := printAll(refuses{}, []byte("x")); code(err) != exitFailed {
		t.Errorf("%v", err)
	}
}

func TestExitErrorsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	if err := usage(cause); !errors.Is(err, cause) || err.Error() != "cause" || code(err) != 64 {
		t.Errorf("%v", err)
	}
	if usage(nil) != nil || failed(nil) != nil {
		t.Error("nil became an error")
	}
}
