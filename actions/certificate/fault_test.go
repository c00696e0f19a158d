//go:build unix

package certificate

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"crypto/rand"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/plan"
)

// failing has every changing call fail whose name holds a text; with late it takes
// effect first.
func failing(text string, late bool, why error) func(int, clients.Call, func() error) error {
	return func(_ int, c clients.Call, do func() error) error {
		if !c.Changes || !strings.Contains(c.Name, text) {
			return do()
		}
		if late {
			_ = do()
		}
		return why
	}
}

// TestWhatIsWrongIsNotInstalled: a certificate that does not stand the checks replaces
// nothing, and the roll-back leaves nothing.
func TestWhatIsWrongIsNotInstalled(t *testing.T) {
	tests := []struct {
		what  string
		spoil func(*testing.T, *world, *renewal) []byte // what came in place of the certificate
		want  string
	}{
		{"for another key", func(t *testing.T, w *world, _ *renewal) []byte {
			cert, _ := w.ca.issue(t, 30*day, 31*day, nil)
			return cert
		}, "another key"},
		{"without a name", func(t *testing.T, w *world, n *renewal) []byte {
			return w.sign(t, n, w.ca, func(c *x509.Certificate) { c.DNSNames = []string{name} })
		}, "www.company.com"},
		{"of an authority that nobody knows", func(t *testing.T, w *world, n *renewal) []byte {
			return w.sign(t, n, newAuthority(t), nil)
		}, "stand up"},
		{"not for servers", func(t *testing.T, w *world, n *renewal) []byte {
			return w.sign(t, n, w.ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}, "stand up"},
		{"not valid yet", func(t *testing.T, w *world, n *renewal) []byte {
			return w.sign(t, n, w.ca, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
		}, "a clock is wrong"},
		{"ended", func(t *testing.T, w *world, n *renewal) []byte {
			return w.sign(t, n, w.ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}, "it ended on"},
		{"ending before the old one", func(t *testing.T, w *world, n *renewal) []byte {
			return w.sign(t, n, w.ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(day) })
		}, "before the one that it replaces"},
		{"no certificate", func(*testing.T, *world, *renewal) []byte { return []byte("sorry\n") }, "no PEM certificate"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			w := newWorld(t, shape{one: true})
			// What was issued lies in the folder: it is exchanged there, as an issuer that
			// gives something else would.
			w.calls.fault = func(_ int, c clients.Call, do func() error) error {
				err := do()
				if strings.Contains(c.Name, "rename ") && strings.HasSuffix(c.Name, "/"+chainFile) && err == nil {
					_, path, _ := strings.Cut(c.Name, " to ")
					err = os.WriteFile(path, test.spoil(t, w, &renewal{folder: filepath.Dir(path)}), 0o600)
				}
				return err
			}
			e := w.engine()
			got := w.must(e, plan.RunFailed, plan.Request{})
			if !strings.Contains(got.Trouble, test.want) {
				t.Errorf("it says: %s", got.Trouble)
			}
			if !w.old() {
				t.Error("it was installed")
			}
			w.calls.reborn()
			w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: got.Run})
			w.asBefore("rolled back")
			w.clean()
		})
	}
}

// sign signs the request of a run.
func (w *world) sign(t *testing.T, n *renewal, by *authority, change func(*x509.Certificate)) []byte {
	t.Helper()
	csr, err := n.request()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: csr.Subject, DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(30 * day), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, csr.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestAFaultIsToldAndTakenUp: each way in which a call can fail leaves matching files,
// is told with its cause, and can be resumed and rolled back.
func TestAFaultIsToldAndTakenUp(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "…", Err: syscall.ENOSPC}
	late := errors.New("context deadline exceeded")
	tests := []struct {
		what  string
		fault func(int, clients.Call, func() error) error
		shape shape
		state plan.RunState
		want  string
	}{
		{"the disk is full at the key", failing(keyFile+".warroom-new", false, full), shape{}, plan.RunFailed, "no space left"},
		{"the disk is full at the back-up", failing("old/.1-server.key.warroom-new", false, full), shape{}, plan.RunFailed, "no space left"},
		{"the disk is full at the new certificate", failing("/.server.crt.warroom-new", false, full), shape{}, plan.RunFailed, "no space left"},
		{"a rename says no", failing(".server.crt.warroom-new to", false, syscall.EIO), shape{}, plan.RunFailed, "input/output error"},
		{"a rename says no and was made", failing(".server.crt.warroom-new to", true, syscall.EIO), shape{}, plan.RunDone, ""},
		{"Vault times out", failing("pki/sign", false, late), shape{}, plan.RunFailed, "pki/sign/web"},
		{"Vault times out, and has signed", failing("pki/sign", true, late), shape{}, plan.RunFailed, "pki/sign/web"},
		{"Vault refuses the name", nil, shape{issuer: "vault: { cluster: main, role: stranger }"}, plan.RunFailed, "not allowed by this role"},
		{"the reload fails", nil, shape{rotation: "key_type: ecdsa-p384"}, plan.RunDone, ""},
		{"the reload fails and took effect", failing("touch", true, errors.New("exit status 1")), shape{}, plan.RunDone, ""},
		{"the clean-up fails", failing("remove ", false, full), shape{}, plan.RunFailed, "no space left"},
	}
	for _, test := range tests {
		for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
			t.Run(test.what+", then "+string(mode), func(t *testing.T) {
				test.shape.one = true
				w := newWorld(t, test.shape)
				w.calls.fault = test.fault
				e := w.engine()
				got := w.must(e, test.state, plan.Request{})
				if !strings.Contains(got.Trouble, test.want) {
					t.Errorf("it says %q, not %q", got.Trouble, test.want)
				}
				if got.State == plan.RunDone {
					w.matched("done")
					return
				}
				w.matched("after the failure")
				w.calls.reborn()
				if mode == plan.Resume && test.fault != nil {
					w.must(e, plan.RunDone, plan.Request{Mode: plan.Resume, Of: got.Run})
					if !w.fresh() {
						t.Errorf("resumed, served %v", w.served())
					}
				} else {
					w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: got.Run})
					w.asBefore("rolled back")
				}
				w.matched("at the end")
				w.clean()
			})
		}
	}
}

// TestTheTestCommandDecides: a configuration that the server refuses is taken back by
// the step itself, and what the command printed is told without any of the key.
func TestTheTestCommandDecides(t *testing.T) {
	for _, layout := range []string{"", "combined", "folder"} {
		w := newWorld(t, shape{one: true, layout: layout})
		// The command prints the key that it finds: no line of it may be told.
		end := &w.cfg.Components[0].Balancer.Endpoints[0]
		key := end.Key
		if key == "" {
			key = end.Certificate
		}
		end.Renew.Test = []string{"sh", "-c", "cat " + key + "; echo unknown directive; exit 3"}
		e := w.engine()
		got := w.must(e, plan.RunFailed, plan.Request{})
		if !strings.Contains(got.Trouble, "it said no (exit status 3)") || !strings.Contains(got.Trouble, "unknown directive") || !strings.Contains(lines(got), "old files are back") {
			t.Errorf("layout %s: it says: %s\n%s", layout, got.Trouble, lines(got))
		}
		w.matched("after the refusal")
		if text, err := os.ReadFile(end.Certificate); err != nil || serialOf(t, text) != serialOf(t, w.oldCert) {
			t.Errorf("layout %s: the old files are not back: %v", layout, err)
		}
		end.Renew.Test = []string{"true"}
		fresh, _, err := (&renewal{p: New(actions.Systems{Act: clients.New(w.cfg)}), e: &endpoint{}, folder: got.Plan.Facts[factFolder]}).newKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		text, err := keyPEM(fresh)
		if err != nil {
			t.Fatal(err)
		}
		w.clean(text)
		w.must(e, plan.RunDone, plan.Request{Mode: plan.Resume, Of: got.Run})
		if !w.fresh() {
			t.Errorf("layout %s: resumed, served %v", layout, w.served())
		}
		w.clean(text)
	}
}

// TestACommandIsBounded: one that is not there is told, and one that hangs is stopped
// with all that it started.
func TestACommandIsBounded(t *testing.T) {
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"/nonexistent/nginx", "-t"}, "no such file"},
		{[]string{"sh", "-c", "sleep 300 & sleep 300"}, "did not end within 300ms"},
	} {
		w := newWorld(t, shape{one: true})
		w.procured = func(p *Procedure) { p.patience = 300 * time.Millisecond }
		w.cfg.Components[0].Balancer.Endpoints[0].Renew.Test = test.words
		e := w.engine()
		began := time.Now()
		got := w.must(e, plan.RunFailed, plan.Request{})
		if !strings.Contains(got.Trouble, test.want) {
			t.Errorf("it says: %s", got.Trouble)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: got.Run})
		w.asBefore("rolled back")
	}
}

// TestARevokedCertificateIsDue: the revocation list of the certificate decides, and one
// that cannot be had or trusted says nothing.
func TestARevokedCertificateIsDue(t *testing.T) {
	var answer []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	t.Cleanup(s.Close)
	list := func(by *authority, revoked *big.Int, until time.Duration) []byte {
		t.Helper()
		template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(until)}
		if revoked != nil {
			template.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: revoked, RevocationTime: time.Now().Add(-time.Minute)}}
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, by.cert, by.key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	w := newWorld(t, shape{one: true, left: 300 * day, life: 365 * day, change: func(c *x509.Certificate) { c.CRLDistributionPoints = []string{s.URL + "/ca.crl"} }})
	b, err := parseBundle(w.oldCert)
	if err != nil {
		t.Fatal(err)
	}
	e := w.engine()
	for _, test := range []struct {
		what   string
		answer []byte
		due    bool
		says   string
	}{
		{"revoked", list(w.ca, b.leaf.SerialNumber, day), true, "revoked on"},
		{"another is", list(w.ca, big.NewInt(4), day), false, "not revoked"},
		{"in PEM", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list(w.ca, b.leaf.SerialNumber, day)}), true, "revoked on"},
		{"of a stranger", list(newAuthority(t), b.leaf.SerialNumber, day), false, "no issuer that we know"},
		{"ended", list(w.ca, b.leaf.SerialNumber, -time.Minute), false, "it ended on"},
		{"no list", []byte("<html>"), false, "cannot be parsed"},
	} {
		answer = test.answer
		p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			said = p.Why
		}
		if (err == nil) != test.due || !strings.Contains(said, test.says) {
			t.Errorf("%s: %v %q", test.what, err, said)
		}
	}
}

// TestOneRenewalAtATime: of two consoles on a host one renews, and the other is told
// who does.
func TestOneRenewalAtATime(t *testing.T) {
	w := newWorld(t, shape{one: true})
	first, second := w.engine(), w.engine()
	inside, release := make(chan struct{}), make(chan struct{})
	w.calls.fault = func(_ int, c clients.Call, do func() error) error {
		if strings.Contains(c.Name, "pki/sign") {
			close(inside)
			<-release
		}
		return do()
	}
	p, err := first.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(t.Context(), consent(p)); err != nil {
		t.Fatal(err)
	}
	<-inside
	q, err := second.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context(), consent(q)); err != nil {
		t.Fatal(err)
	}
	got, err := second.Wait(t.Context(), q.ID)
	if err != nil || got.State != plan.RunFailed || !strings.Contains(got.Trouble, "run "+p.ID+" of anna@war") {
		t.Errorf("the second: %v %s %s", err, got.State, got.Trouble)
	}
	close(release)
	if got, err := first.Wait(t.Context(), p.ID); err != nil || got.State != plan.RunDone {
		t.Errorf("the first: %v %s %s", err, got.State, got.Trouble)
	}
	w.matched("at the end")
}

// TestSomebodyElseReplacedIt: what the plan rests on is looked at again, at the start
// and before it is replaced.
func TestSomebodyElseReplacedIt(t *testing.T) {
	w := newWorld(t, shape{one: true})
	e := w.engine()
	p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
	if err != nil {
		t.Fatal(err)
	}
	cert, key := w.ca.issue(t, 20*day, 90*day, nil)
	w.write("server.crt", cert, 0o644)
	w.write("server.key", key, 0o640)
	var changed *actions.Changed
	if err := e.Start(t.Context(), consent(p)); !errors.As(err, &changed) {
		t.Errorf("started: %v", err)
	}
	if err := w.fronts[0].Reload(); err != nil {
		t.Fatal(err)
	}
	w.calls.fault = func(_ int, c clients.Call, do func() error) error {
		if strings.Contains(c.Name, "pki/sign") {
			w.write("server.crt", w.oldCert, 0o644)
			w.write("server.key", w.oldKey, 0o640)
		}
		return do()
	}
	got := w.must(e, plan.RunFailed, plan.Request{})
	if !strings.Contains(got.Trouble, "somebody else has replaced it") {
		t.Errorf("it says: %s", got.Trouble)
	}
}
