package labtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Beside the lab a tool that is missing is an error, and never a skip.
func TestBesideTheLabNothingIsSkipped(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "psql")
	if err := os.WriteFile(tool, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, c := range []struct{ name, description, want, fails string }{
		{"psql", `{"psql":"` + tool + `"}`, tool, ""},
		{"aws", `{"psql":"` + tool + `"}`, "", "make lab-setup"},
		{"psql", `{"psql":"` + tool + `.gone"}`, "", "make lab-setup"},
		{"psql", `{`, "", "read the lab's description"},
		{"psql", "", "", "read the lab's description"},
	} {
		description := filepath.Join(t.TempDir(), "lab.json")
		if c.description != "" {
			if err := os.WriteFile(description, []byte(c.description), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path, skip, err := find(description, c.name)
		if path != c.want || skip != "" || (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s in %q: %q, skip %q, %v", c.name, c.description, path, skip, err)
		}
	}
}

func TestWithoutTheLabAMissingToolIsSkipped(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, skip, err := find("", "psql"); path != "" || skip == "" || err != nil {
		t.Errorf("%q, skip %q, %v", path, skip, err)
	}
}
