//go:build unix

package certificate

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"warroom/internal/plan"
)

// TestANewerCertificateIsNotRolledBackOver: what somebody else has installed since the
// run stays, and it is said whose it is not.
func TestANewerCertificateIsNotRolledBackOver(t *testing.T) {
	for _, layout := range []string{"", "combined", "folder"} {
		t.Run("layout "+layout, func(t *testing.T) {
			w := newWorld(t, shape{layout: layout})
			w.fronts[1].ReloadFile = ""
			w.drain = 100_000_000
			e := w.engine()
			got := w.must(e, plan.RunFailed, plan.Request{})
			cert, key := w.ca.issue(t, 60*day, 90*day, nil)
			end := w.endpoint()
			switch layout {
			case "combined":
				w.write("both.pem", append(bytes.Clone(cert), key...), 0o640)
			case "folder":
				w.write("theirs/server.crt", cert, 0o644)
				w.write("theirs/server.key", key, 0o600)
				if err := os.Remove(w.path("current")); err != nil {
					t.Fatal(err)
				}
				w.link("theirs", "current")
			default:
				w.write("server.crt", cert, 0o644)
				w.write("server.key", key, 0o640)
			}
			now, err := w.do(e, plan.Request{Mode: plan.Back, Of: got.Run})
			if err != nil || now.State != plan.RunFailed || !strings.Contains(now.Trouble, "somebody has renewed it since") {
				t.Errorf("it ended %s, %v: %s", now.State, err, now.Trouble)
			}
			if text, err := os.ReadFile(end.Certificate); err != nil || !bytes.Contains(text, cert) {
				t.Errorf("the newer certificate is gone: %v", err)
			}
			if layout == "" {
				if text, err := os.ReadFile(end.Key); err != nil || !bytes.Equal(text, key) {
					t.Errorf("its key is gone: %v", err)
				}
			}
		})
	}
}
