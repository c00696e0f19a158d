//go:build unix

package certificate

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/labtest"
	"warroom/internal/plan"
)

// through lets every call of a test's own through.
type through struct{}

func (through) Around(_ context.Context, _ clients.Call, do func() error) error { return do() }

// nginx starts a real server on the files of a world, of its own, so that the lab's
// keeps what it serves. Its address takes the place of the simulated one's.
func (w *world) nginx() (conf string) {
	w.t.Helper()
	labtest.Read(w.t, "tls")
	program := ""
	for _, name := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		w.t.Fatal("the lab has nginx, and it is not found")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	end := &w.cfg.Components[0].Balancer.Endpoints[0]
	dir := w.t.TempDir()
	key := end.Key
	if key == "" {
		key = end.Certificate
	}
	var b bytes.Buffer
	if os.Geteuid() == 0 {
		b.WriteString("user root;\n")
	}
	fmt.Fprintf(&b, "daemon off;\nworker_processes 2;\npid %q;\nerror_log stderr;\nevents {}\nhttp {\n  access_log off;\n", dir+"/pid")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "  %s_temp_path %q;\n", kind, dir+"/"+kind)
	}
	fmt.Fprintf(&b, "  server { listen %s ssl; server_name %s; ssl_certificate %q; ssl_certificate_key %q; location / { return 200; } }\n}\n", address, name, end.Certificate, key)
	conf = filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, b.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	words := []string{program, "-e", "stderr", "-p", dir, "-c", conf}
	cmd := exec.Command(words[0], words[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("nginx: %s", said.String())
		}
	})
	_, port, _ := net.SplitHostPort(address)
	end.Address = "balancer.test:" + port
	end.Renew.Test, end.Renew.Reload = append(append([]string{}, words...), "-t"), append(append([]string{}, words...), "-s", "reload")
	w.list = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // until it listens
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return conf
		}
		if time.Now().After(until) {
			w.t.Fatalf("nginx does not listen: %v\n%s", err, said.String())
		}
	}
}

// TestRealNginx: renewed, refused by its configuration test, and rolled back after it
// was reloaded.
func TestRealNginx(t *testing.T) {
	for _, layout := range []string{"", "combined", "folder"} {
		t.Run("layout "+layout, func(t *testing.T) {
			w := newWorld(t, shape{layout: layout, one: true})
			conf := w.nginx()
			good, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			if !w.old() {
				t.Fatalf("it serves %v", w.served())
			}
			e := w.engine()
			// A configuration that nginx refuses.
			if err := os.WriteFile(conf, append([]byte("bogus on;\n"), good...), 0o600); err != nil {
				t.Fatal(err)
			}
			got := w.must(e, plan.RunFailed, plan.Request{})
			if !strings.Contains(got.Trouble, `unknown directive "bogus"`) || !w.old() {
				t.Errorf("it says: %s; served %v", got.Trouble, w.served())
			}
			w.matched("after the refusal")
			if err := os.WriteFile(conf, good, 0o600); err != nil {
				t.Fatal(err)
			}
			w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: got.Run})
			w.asBefore("after the refusal, rolled back")
			e.Close()
			// The process dies when nginx has been reloaded.
			w.begin(plan.Request{}, func() {
				w.calls.fault = func(_ int, c clients.Call, do func() error) error {
					err := do()
					if c.System == "command" && strings.Contains(c.Name, "reload") {
						w.calls.mu.Lock()
						defer w.calls.mu.Unlock()
						w.calls.dead = true
						w.log.mu.Lock()
						defer w.log.mu.Unlock()
						w.log.dead = true
					}
					return err
				}
			})
			w.log.mu.Lock()
			w.log.dead = false
			w.log.mu.Unlock()
			w.calls.reborn()
			e = w.engine()
			open, err := e.Advise(t.Context())
			if err != nil || len(open) != 1 {
				t.Fatalf("%+v, %v", open, err)
			}
			w.must(e, plan.RunRolledBack, plan.Request{Mode: plan.Back, Of: open[0].Run})
			w.asBefore("after a crash, rolled back")
			w.must(e, plan.RunDone, plan.Request{})
			if !w.fresh() {
				t.Errorf("served %v", w.served())
			}
			w.clean()
		})
	}
}

// TestRealACME: Pebble issues, and takes the second order as the replacement of the
// first certificate.
func TestRealACME(t *testing.T) {
	peer := labtest.Authority(t)
	root, err := os.ReadFile(peer.IssuerFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := newWorld(t, shape{
		one: true, trusts: root,
		issuer: fmt.Sprintf("acme: { directory: %q, ca_cert: %q, account_key: %q, webroot: %q }", peer.Directory, peer.CAFile, dir+"/account.pem", dir),
	})
	e := w.engine()
	w.must(e, plan.RunDone, plan.Request{})
	first := w.served()[0]
	if !w.fresh() {
		t.Fatalf("served %v", w.served())
	}
	text, err := os.ReadFile(w.path("server.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := parseBundle(text); err != nil || len(b.chain) < 2 {
		t.Errorf("the chain of Pebble is not installed: %v", err)
	}
	p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target, Options: map[string]string{anyway: "yes"}})
	if err != nil || p.Facts[factReplaces] == "" {
		t.Fatalf("%v, %v", p, err)
	}
	got := w.must(e, plan.RunDone, plan.Request{Options: map[string]string{anyway: "yes"}})
	if w.served()[0] == first || strings.Contains(lines(got), "ordered without") {
		t.Errorf("served %v\n%s", w.served(), lines(got))
	}
	key, err := os.ReadFile(dir + "/account.pem")
	if err != nil {
		t.Fatal(err)
	}
	w.clean(key)
}

// TestRealVault: a PKI engine of a real Vault signs the request.
func TestRealVault(t *testing.T) {
	peer := labtest.VaultPrimary(t)
	const mount = "pki-of-renewals"
	set := clients.New(&config.Config{Checks: config.Checks{Timeout: 10 * time.Second}, Vaults: []config.VaultCluster{{Name: "main", Address: peer.Address, CACert: peer.CAFile, TokenFile: peer.RootTokenFile}}})
	t.Cleanup(set.Close)
	v, err := set.Vault("main")
	if err != nil {
		t.Fatal(err)
	}
	ctx := clients.WithPermit(t.Context(), through{})
	do := func(path string, body map[string]any, out any) {
		t.Helper()
		if err := v.Write(ctx, path, body, out); err != nil {
			t.Fatal(err)
		}
	}
	do("sys/mounts/"+mount, map[string]any{"type": "pki", "config": map[string]any{"max_lease_ttl": "8760h"}}, nil)
	t.Cleanup(func() {
		if err := v.Delete(clients.WithPermit(context.Background(), through{}), "sys/mounts/"+mount); err != nil {
			t.Errorf("remove the test's mount: %v", err)
		}
	})
	var ca struct {
		Certificate string `json:"certificate"`
	}
	do(mount+"/root/generate/internal", map[string]any{"common_name": "renewals", "ttl": "8000h"}, &ca)
	do(mount+"/roles/web", map[string]any{"allowed_domains": "company.com", "allow_subdomains": true, "allow_ip_sans": true, "key_type": "any", "max_ttl": "2160h"}, nil)
	for _, kind := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-2048"} {
		w := newWorld(t, shape{
			one: true, trusts: []byte(ca.Certificate + "\n"), rotation: "valid_for: 60d\n            key_type: " + kind,
			vault: fmt.Sprintf("address: %q, ca_cert: %q, token_file: %q", peer.Address, peer.CAFile, peer.RootTokenFile), issuer: "vault: { cluster: main, mount: " + mount + ", role: web }",
		})
		w.must(w.engine(), plan.RunDone, plan.Request{})
		if !w.fresh() {
			t.Errorf("%s: served %v", kind, w.served())
		}
		w.clean()
	}
}
