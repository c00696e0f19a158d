package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// runRunbook runs warroom runbook as the whole command line knows it.
func runRunbook(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRootCommand()
	root.SilenceErrors, root.SilenceUsage = true, true
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"runbook"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestRunbookExampleIsTheEmbeddedOneAndValid(t *testing.T) {
	out, err := runRunbook(t, "example")
	if err != nil || out != string(runbook.Guide().Source) {
		t.Fatalf("%.80q, %v", out, err)
	}
	path := filepath.Join(t.TempDir(), "runbook.yaml")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	want := path + ": valid: 2 phases of the flow with 18 nodes, 4 phases of the checklist with 24 items, 3 lessons\n"
	if out, err := runRunbook(t, "validate", path); err != nil || out != want {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRunbookValidateReportsEveryMistake(t *testing.T) {
	text := strings.NewReplacer("version: 1\n", "version: 3\n", "beside: status", "beside: sttaus", "    complete: RECOVERY COMPLETE\n", "").Replace(string(runbook.Guide().Source))
	path := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runRunbook(t, "validate", path)
	if _, ok := errors.AsType[*runbook.Error](err); code(err) != exitUsage || out != "" || !ok {
		t.Fatalf("%q, %v", out, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%v", len(lines), err)
	}
	for i, want := range []string{"version: found 3", `did you mean "status"?`, "complete: missing"} {
		if !strings.HasPrefix(lines[i], path+":") || !strings.Contains(lines[i], want) {
			t.Errorf("%s: want %s", lines[i], want)
		}
	}
}

func TestRunbookSensorsListsAll(t *testing.T) {
	out, err := runRunbook(t, "sensors")
	if err != nil {
		t.Fatal(err)
	}
	all := diagnosis.Sensors()
	if len(all) == 0 || strings.Count(out, "\n") != 3*len(all) {
		t.Fatalf("%d sensors in\n%s", len(all), out)
	}
	for _, s := range all {
		if !strings.Contains("\n"+out, "\n"+s.Name+"\n    "+s.Asks+"\n    yes when: "+s.When+"\n") {
			t.Errorf("%s is not listed", s.Name)
		}
	}
}

// The embedded runbook, which is parsed without the names of sensors, names none
// that there is not.
func TestRunbookGuideNamesOnlySensors(t *testing.T) {
	if _, err := runbook.Parse("guide.yaml", runbook.Guide().Source, diagnosis.Names()); err != nil {
		t.Error(err)
	}
}

func TestRunbookWrongUse(t *testing.T) {
	folder := t.TempDir()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no file":           {[]string{"validate"}, "accepts 1 arg"},
		"two files":         {[]string{"validate", "a", "b"}, "accepts 1 arg"},
		"no such file":      {[]string{"validate", filepath.Join(folder, "none.yaml")}, "warroom runbook example > runbook.yaml"},
		"a folder":          {[]string{"validate", folder}, "it is a folder"},
		"example with file": {[]string{"example", "a"}, "unknown command"},
		"sensors of a file": {[]string{"sensors", "a"}, "unknown command"},
		"no such command":   {[]string{"frobnicate"}, "unknown command"},
	} {
		if _, err := runRunbook(t, test.args...); code(err) != exitUsage || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: code %d, %v", name, code(err), err)
		}
	}
}
