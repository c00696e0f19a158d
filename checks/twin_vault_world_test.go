package checks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"warroom/internal/drill/vaultsim"
	"warroom/internal/labtest"
)

// twinVault is a Vault cluster of one or two nodes that the test started itself:
// the drill's, or real processes. Everything in it is made through its API, so
// that both worlds hold the same.
type twinVault interface {
	// address is the URL of a node.
	address(node int) string
	caFile() string
	// join makes the second node one of the first one's cluster.
	join(t *testing.T, v *vaultOps)
	// stop ends a node: nobody listens there any more.
	stop(t *testing.T, node int)
	// database makes an engine for the users of a database at database/ with two of
	// them, and returns what keeps the second one from being rotated.
	database(t *testing.T, v *vaultOps) (users [2]string, spoil func(t *testing.T))
}

// vaultStorage is how a cluster is to be set up.
type vaultStorage struct {
	name    string // of the cluster
	storage string
	nodes   int
}

// twinPeers skips a test without the lab, or without those peers.
func twinPeers(t *testing.T, keys ...string) { labtest.Read(t, keys...) }

// twinAddress reserves a port, for a server that another process is to start.
func twinAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// twinFiles are a certificate for 127.0.0.1 and its key, as files.
func twinFiles(t *testing.T) (certificate, key string, parsed tls.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(12), Subject: pkix.Name{CommonName: "a twin"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	if err := errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	if parsed, err = tls.LoadX509KeyPair(certificate, key); err != nil {
		t.Fatal(err)
	}
	return certificate, key, parsed
}

// simVault is the drill's cluster.
type simVault struct {
	*vaultsim.Cluster
	servers []*httptest.Server
	ca      string
}

func newSimVault(t *testing.T, o vaultStorage) twinVault {
	t.Helper()
	ca, _, certificate := twinFiles(t)
	w := &simVault{ca: ca}
	var nodes []vaultsim.NodeOptions
	for range o.nodes {
		s := httptest.NewUnstartedServer(nil)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		w.servers = append(w.servers, s)
	}
	// Vault lists nodes by their addresses.
	slices.SortFunc(w.servers, func(a, b *httptest.Server) int {
		return strings.Compare(a.Listener.Addr().String(), b.Listener.Addr().String())
	})
	for i, s := range w.servers {
		s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.Node(i).ServeHTTP(rw, r) })
		at := "https://" + s.Listener.Addr().String()
		nodes = append(nodes, vaultsim.NodeOptions{Name: fmt.Sprintf("vault-%d", i+1), API: at, Cluster: at})
	}
	w.Cluster = vaultsim.New(vaultsim.Options{Name: o.name, Storage: o.storage, Nodes: nodes, Uninitialized: true, Seed: 7})
	for i, s := range w.servers {
		w.Node(i).SetRemoved(i > 0)                    // until it joins
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that hung up
		s.StartTLS()
		t.Cleanup(s.Close)
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // as the drill does
		defer close(done)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				w.Tick()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return w
}

func (w *simVault) address(node int) string    { return w.servers[node].URL }
func (w *simVault) caFile() string             { return w.ca }
func (w *simVault) join(*testing.T, *vaultOps) { w.Node(1).SetRemoved(false) }

func (w *simVault) stop(_ *testing.T, node int) {
	w.Node(node).SetDown(true)
	w.servers[node].Close()
}

func (w *simVault) database(t *testing.T, v *vaultOps) ([2]string, func(*testing.T)) {
	var mu sync.Mutex
	gone := ""
	w.OnRotate(func(_, user, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if user == gone {
			return errors.New(`ERROR: role "` + user + `" does not exist (SQLSTATE 42704)`)
		}
		return nil
	})
	users := [2]string{"twin_app", "twin_stuck"}
	v.must(t, http.MethodPost, "sys/mounts/database", map[string]any{"type": "database"})
	v.must(t, http.MethodPost, "database/config/twin", map[string]any{"plugin_name": "postgresql-database-plugin", "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1/postgres", "username": "u", "password": "canary-root", "allowed_roles": "*"})
	return users, func(*testing.T) { mu.Lock(); gone = users[1]; mu.Unlock() }
}

// realVault are processes of Vault.
type realVault struct {
	ca    string
	urls  []string
	ended []func()
}

func newRealVault(t *testing.T, o vaultStorage) twinVault {
	t.Helper()
	program := labtest.Tool(t, "vault")
	certificate, key, _ := twinFiles(t)
	w := &realVault{ca: certificate}
	var all []string
	for range o.nodes {
		all = append(all, twinAddress(t))
	}
	slices.Sort(all)
	for i, api := range all {
		dir := t.TempDir()
		storage := map[string]any{"path": dir}
		switch o.storage {
		case vaultsim.Raft:
			storage["node_id"], storage["performance_multiplier"] = fmt.Sprintf("vault-%d", i+1), 1
		case vaultsim.InMem:
			storage = map[string]any{}
		}
		cluster := twinAddress(t)
		conf, err := json.Marshal(map[string]any{
			"cluster_name": o.name, "storage": map[string]any{o.storage: storage}, "api_addr": "https://" + api, "cluster_addr": "https://" + cluster,
			"disable_mlock": true, "log_level": "warn",
			"listener": []any{map[string]any{"tcp": map[string]any{"address": api, "cluster_address": cluster, "tls_cert_file": certificate, "tls_key_file": key}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "vault.json")
		if err := os.WriteFile(file, conf, 0o600); err != nil {
			t.Fatal(err)
		}
		w.urls = append(w.urls, "https://"+api)
		w.ended = append(w.ended, twinProcess(t, program, "server", "-config", file))
	}
	for _, at := range w.urls {
		client := twinClient(t, w.ca)
		until(t, "Vault at "+at, 20*time.Second, func() (bool, string) {
			res, err := client.Get(at + "/v1/sys/seal-status")
			if err != nil {
				return false, err.Error()
			}
			_ = res.Body.Close()
			return res.StatusCode == 200, res.Status
		})
	}
	return w
}

// twinProcess runs a program until the test ends, or until what it returns is called.
func twinProcess(t *testing.T, program string, args ...string) (stop func()) {
	t.Helper()
	dir := t.TempDir()
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.Env = []string{"HOME=" + dir, "PATH=/usr/bin:/bin"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: that it did not end well is no news
		_ = said.Close()
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			text, _ := os.ReadFile(said.Name())
			t.Logf("%s said:\n%s", filepath.Base(program), text[max(0, len(text)-2000):])
		}
	})
	return stop
}

func (w *realVault) address(node int) string     { return w.urls[node] }
func (w *realVault) caFile() string              { return w.ca }
func (w *realVault) stop(_ *testing.T, node int) { w.ended[node]() }

func (w *realVault) join(t *testing.T, v *vaultOps) {
	// A new node may vote after ten seconds, unless it is told otherwise.
	v.must(t, http.MethodPost, "sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": "1s"})
	ca, err := os.ReadFile(w.ca)
	if err != nil {
		t.Fatal(err)
	}
	second := &vaultOps{url: w.urls[1], client: twinClient(t, w.ca)}
	second.must(t, http.MethodPost, "sys/storage/raft/join", map[string]any{"leader_api_addr": w.urls[0], "leader_ca_cert": string(ca)})
}

func (w *realVault) database(t *testing.T, v *vaultOps) ([2]string, func(*testing.T)) {
	p := labtest.PostgresPrimary(t)
	suffix := strings.ToLower(rand.Text()[:8])
	root, password := "twin_vault_"+suffix, rand.Text()
	users := [2]string{"twin_app_" + suffix, "twin_stuck_" + suffix}
	db, err := pgx.Connect(t.Context(), fmt.Sprintf("postgresql://%s:%s@127.0.0.1:%d/postgres?sslmode=verify-full&sslrootcert=%s", p.Superuser, url.QueryEscape(p.SuperuserPassword), p.Port, url.QueryEscape(p.CAFile)))
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, statement string) error {
		if _, err := db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%.40s…: %w", statement, err)
		}
		return nil
	}
	t.Cleanup(func() {
		for _, role := range []string{users[0], users[1], root} {
			if err := run(context.Background(), "DROP ROLE IF EXISTS "+role); err != nil {
				t.Error(err)
			}
		}
		_ = db.Close(context.Background())
	})
	for _, statement := range []string{
		"CREATE ROLE " + root + " LOGIN SUPERUSER PASSWORD '" + password + "'", "CREATE ROLE " + users[0] + " LOGIN", "CREATE ROLE " + users[1] + " LOGIN",
	} {
		if err := run(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	v.must(t, http.MethodPost, "sys/mounts/database", map[string]any{"type": "database"})
	v.must(t, http.MethodPost, "database/config/twin", map[string]any{
		"plugin_name": "postgresql-database-plugin", "username": root, "password": password, "allowed_roles": "*", "password_authentication": "scram-sha-256",
		"connection_url": fmt.Sprintf("postgresql://{{username}}:{{password}}@127.0.0.1:%d/postgres?sslmode=verify-full&sslrootcert=%s", p.Port, p.CAFile),
	})
	return users, func(t *testing.T) {
		if err := run(t.Context(), "DROP ROLE "+users[1]); err != nil {
			t.Fatal(err)
		}
	}
}

// twinClient trusts one CA.
func twinClient(t *testing.T, caFile string) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatalf("no certificate in %s", caFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// vaultOps are what an operator does with a node, through its API.
type vaultOps struct {
	url, token string
	client     *http.Client
}

func (v *vaultOps) call(method, path string, in any) (int, []byte, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, v.url+"/v1/"+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	if v.token != "" {
		req.Header.Set("X-Vault-Token", v.token)
	}
	res, err := v.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	return res.StatusCode, out, err
}

// must makes a call that has to succeed. A mount that is still being set up, and a
// cluster between two leaders, is asked again.
func (v *vaultOps) must(t *testing.T, method, path string, in any) []byte {
	t.Helper()
	var answer []byte
	until(t, method+" "+path, 20*time.Second, func() (bool, string) {
		code, out, err := v.call(method, path, in)
		answer = out
		return err == nil && code < 300, fmt.Sprintf("%d %s %v", code, out, err)
	})
	return answer
}

// decoded is a must whose answer is wanted.
func decoded[T any](t *testing.T, v *vaultOps, method, path string, in any) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(v.must(t, method, path, in), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
