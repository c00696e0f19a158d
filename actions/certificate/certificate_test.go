//go:build unix

package certificate

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"warroom/actions"
	"warroom/internal/plan"
)

// TestItIsRenewed: in every layout of the files, the new certificate is served on every
// address, modes are kept, and nothing temporary is left.
func TestItIsRenewed(t *testing.T) {
	for _, layout := range []string{"", "combined", "folder", "data"} {
		t.Run("layout "+layout, func(t *testing.T) {
			w := newWorld(t, shape{layout: layout, rotation: "valid_for: 30d\n            test: [\"true\"]"})
			e := w.engine()
			got := w.must(e, plan.RunDone, plan.Request{})
			if !w.fresh() {
				t.Errorf("served: %v", w.served())
			}
			w.matched("at the end")
			end := w.endpoint()
			for path, want := range map[string]fs.FileMode{end.Certificate: 0o644, end.Key: 0o640} {
				if layout == "combined" {
					want = 0o640
				} else if layout != "" && path == end.Key {
					want = 0o600
				}
				if info, err := os.Stat(path); path != "" && (err != nil || info.Mode().Perm() != want) {
					t.Errorf("%s: %v %v, want %v", path, info, err, want)
				}
			}
			if layout == "folder" {
				if text, err := os.ReadFile(w.path("current/dhparam.pem")); err != nil || string(text) != "parameters\n" {
					t.Errorf("what else was in the folder: %q, %v", text, err)
				}
			}
			for _, path := range w.left() {
				if !strings.Contains(path, "/old/") && !strings.HasSuffix(path, "/"+doneFile) && !strings.Contains(path, "warroom-"+got.Plan.Facts[factTag]+"/") {
					t.Errorf("left: %s", path)
				}
				if strings.HasSuffix(path, "/"+keyFile) {
					t.Errorf("the temporary key is left: %s", path)
				}
			}
			fresh, err := os.ReadFile(end.Key + map[bool]string{true: end.Certificate}[end.Key == ""])
			if err != nil {
				t.Fatal(err)
			}
			w.clean(fresh)
		})
	}
}

// TestTheBackupOfOneRenewalIsKept, and those before it go.
func TestTheBackupOfOneRenewalIsKept(t *testing.T) {
	w := newWorld(t, shape{})
	e := w.engine()
	w.must(e, plan.RunDone, plan.Request{})
	first, err := filepath.Glob(w.path(".warroom-" + name + "-*"))
	if err != nil || len(first) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	kept, err := os.ReadFile(filepath.Join(first[0], "old", "2-server.crt"))
	if err != nil || !bytes.Equal(kept, w.oldCert) {
		t.Errorf("the back-up: %v", err)
	}
	w.must(e, plan.RunDone, plan.Request{Options: map[string]string{anyway: "yes"}})
	second, err := filepath.Glob(w.path(".warroom-" + name + "-*"))
	if err != nil || len(second) != 1 || second[0] == first[0] {
		t.Errorf("%v, %v", second, err)
	}
}

// TestWhatIsInOrderIsLeftAlone, unless it is asked for anyway.
func TestWhatIsInOrderIsLeftAlone(t *testing.T) {
	w := newWorld(t, shape{left: 300 * day, life: 365 * day, rotation: "valid_for: 30d"})
	e := w.engine()
	_, err := w.do(e, plan.Request{})
	var no *actions.Refusal
	if !errors.As(err, &no) || !strings.Contains(no.Why, "in order") || !strings.Contains(no.Next, "anyway=yes") {
		t.Fatalf("got %v", err)
	}
	p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target, Options: map[string]string{anyway: "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	if p.NeedsReason == "" {
		t.Error("no reason is asked for")
	}
	w.must(e, plan.RunDone, plan.Request{Options: map[string]string{anyway: "yes"}})
	if !w.fresh() {
		t.Errorf("served: %v", w.served())
	}
}

// TestWhyItIsDue: each reason to renew is found, and named.
func TestWhyItIsDue(t *testing.T) {
	tests := []struct {
		what  string
		shape shape
		spoil func(*testing.T, *world)
		want  string
		warns string
	}{
		{"near its end by its fraction", shape{left: 100 * day, life: 365 * day}, nil, "near its end", ""},
		{"ended", shape{left: -day, life: 365 * day}, nil, "ended 24 h ago", ""},
		{"the key is another's", shape{left: 300 * day, life: 365 * day}, func(t *testing.T, w *world) {
			_, key := w.ca.issue(t, day, day, nil)
			w.write("server.key", key, 0o640)
		}, "does not belong", ""},
		{"not for the name", shape{left: 300 * day, life: 365 * day, change: func(c *x509.Certificate) { c.DNSNames = []string{"other.company.com"} }}, nil, "not for api.company.com", ""},
		{"another is served", shape{left: 300 * day, life: 365 * day}, func(t *testing.T, w *world) {
			cert, key := w.ca.issue(t, 300*day, 365*day, nil)
			w.write("server.crt", cert, 0o644)
			w.write("server.key", key, 0o640)
		}, "is expected", "reload-may-do"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			w := newWorld(t, test.shape)
			if test.spoil != nil {
				test.spoil(t, w)
			}
			p, err := w.engine().Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(p.Why, test.want) {
				t.Errorf("%q does not say %q", p.Why, test.want)
			}
			has := slices.ContainsFunc(p.Warnings, func(x plan.Warning) bool { return x.ID == "reload-may-do" })
			if has != (test.warns != "") {
				t.Errorf("warnings: %+v", p.Warnings)
			}
		})
	}
}

// TestARollBackRestoresEverything: files, modes and what is served, verified.
func TestARollBackRestoresEverything(t *testing.T) {
	for _, layout := range []string{"", "combined", "folder", "data"} {
		t.Run("layout "+layout, func(t *testing.T) {
			w := newWorld(t, shape{layout: layout})
			w.fronts[1].ReloadFile = "" // one of two servers does not hear
			w.drain = 200_000_000
			e := w.engine()
			got := w.must(e, plan.RunFailed, plan.Request{})
			if !strings.Contains(got.Trouble, "127.0.0.2") || !strings.Contains(got.Trouble, serialOf(t, w.oldCert)) || strings.Contains(got.Trouble, "127.0.0.1:") {
				t.Errorf("it says: %s", got.Trouble)
			}
			w.matched("after the failure")
			advice, err := e.Advise(t.Context())
			if err != nil || len(advice) != 1 {
				t.Fatalf("%+v, %v", advice, err)
			}
			w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: got.Run})
			w.asBefore("rolled back")
			w.clean()
		})
	}
}

// asBefore checks that the world is as it was, to the byte.
func (w *world) asBefore(when string) {
	w.t.Helper()
	if !w.old() {
		w.t.Errorf("%s: served %v", when, w.served())
	}
	end := w.endpoint()
	if text, err := os.ReadFile(end.Certificate); err != nil || !bytes.Contains(text, w.oldCert) {
		w.t.Errorf("%s: the certificate is not the old one: %v", when, err)
	}
	if end.Key != "" {
		if text, err := os.ReadFile(end.Key); err != nil || !bytes.Equal(text, w.oldKey) {
			w.t.Errorf("%s: the key is not the old one: %v", when, err)
		}
	}
	w.matched(when)
	if left := w.left(); len(left) > 0 {
		w.t.Errorf("%s: left %v", when, left)
	}
}
