package labtest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Beside the lab a tool that is missing is an error, and a skip only where the
// run left out the peer that brings it.
func TestBesideTheLabNothingIsSkipped(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "psql")
	if err := os.WriteFile(tool, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, c := range []struct {
		name, description, want, fails string
		skips                          bool
	}{
		{"psql", `{"psql":"` + tool + `"}`, tool, "", false},
		{"psql", `{"peers":["tools"],"psql":"` + tool + `"}`, tool, "", false},
		{"aws", `{"psql":"` + tool + `"}`, "", "make lab-setup", false},
		{"vault", `{"peers":["tools"],"psql":"` + tool + `"}`, "", "", true},
		{"vault", `{"peers":["tools","vault"],"psql":"` + tool + `"}`, "", "make lab-setup", false},
		{"psql", `{"psql":"` + tool + `.gone"}`, "", "make lab-setup", false},
		{"psql", `{`, "", "read the lab's description", false},
		{"psql", "", "", "read the lab's description", false},
	} {
		description := filepath.Join(t.TempDir(), "lab.json")
		if c.description != "" {
			if err := os.WriteFile(description, []byte(c.description), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		path, skip, err := findTool(description, c.name)
		if path != c.want || (skip != "") != c.skips || (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s in %q: %q, skip %q, %v", c.name, c.description, path, skip, err)
		}
	}
}

func TestWithoutTheLabEverythingIsSkipped(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, skip, err := findTool("", "psql"); path != "" || skip == "" || err != nil {
		t.Errorf("%q, skip %q, %v", path, skip, err)
	}
	if d, skip, err := find("", "vault"); d != nil || skip == "" || err != nil {
		t.Errorf("%v, skip %q, %v", d, skip, err)
	}
}

func TestAPeerThatIsLeftOutIsSkippedAndAMissingOneFails(t *testing.T) {
	description := filepath.Join(t.TempDir(), "lab.json")
	if err := os.WriteFile(description, []byte(`{"peers":["postgres","moto"],"moto":{"endpoint":"http://127.0.0.1:1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(Variable, description)
	for _, c := range []struct {
		what  string
		of    func(testing.TB)
		fails bool
		skips bool
	}{
		{"moto is there", func(t testing.TB) { AWS(t) }, false, false},
		{"vault was left out", func(t testing.TB) { VaultPrimary(t) }, false, true},
		{"postgres ought to be there", func(t testing.TB) { PostgresPrimary(t) }, true, false},
		{"the config was left out", func(t testing.TB) { Estate(t) }, false, true},
		{"one of two was left out", func(t testing.TB) { Read(t, "moto", "vault") }, false, true},
	} {
		seen := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // Fatal and Skip end their goroutine
			defer close(done)
			c.of(seen)
		}()
		<-done
		if seen.failed != c.fails || seen.skipped != c.skips {
			t.Errorf("%s: failed %t, skipped %t", c.what, seen.failed, seen.skipped)
		}
	}
}

// recorder notes how a test would have ended.
type recorder struct {
	testing.TB
	failed, skipped bool
}

func (*recorder) Helper() {}

func (r *recorder) Fatal(...any) { r.failed = true; runtime.Goexit() }

func (r *recorder) Skip(...any) { r.skipped = true; runtime.Goexit() }

// The lab's description has every key that is read here, and no other: the two
// modules say the same.
func TestTheWholeDescriptionIsRead(t *testing.T) {
	Read(t) // skips where WARROOM_LAB is not set
	text, err := os.ReadFile(os.Getenv(Variable))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var d Description
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("the description has what is not read here: %v", err)
	}
	if !slices.Contains(d.Peers, "estate") {
		t.Skipf("the lab runs %v only", d.Peers)
	}
	all := reflect.ValueOf(d)
	for i := range all.NumField() {
		if all.Field(i).IsZero() {
			t.Errorf("the description says nothing of %s", all.Type().Field(i).Tag.Get("json"))
		}
	}
}
