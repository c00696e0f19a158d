package lab

import (
	"os"
	"path/filepath"
	"testing"
)

// A version manager's name for a program that is not installed is none.
func TestAToolIsTheFirstThatRuns(t *testing.T) {
	dir := t.TempDir()
	script := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	shim := script("shim", "echo 'aws-cli/0: not installed' >&2; exit 127")
	other := script("other", "echo something else")
	good := script("good", "echo aws-cli/9")
	absent := filepath.Join(dir, "absent")
	if got := firstThatRuns(t.Context(), "aws-cli/", absent, shim, other, good); got != good {
		t.Errorf("took %q", got)
	}
	if got := firstThatRuns(t.Context(), "aws-cli/", absent, shim, other); got != "" {
		t.Errorf("took %q", got)
	}
}

func TestMissingToolsSayHowToGetThem(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, r := range (&tools{}).Missing(t.Context()) {
		if r.How == "" || len(r.Packages) == 0 && r.Install == nil {
			t.Errorf("%s: nothing brings it", r.What)
		}
	}
	if awsTool(t.Context()) != "" {
		t.Error("an aws was found where there is none")
	}
}
