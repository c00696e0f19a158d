package unseal

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/internal/labtest"
	"warroom/internal/plan"
)

// free are ports of loopback on which nothing listens.
func free(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// realNode starts a Vault on raft storage, which is sealed as any is that has just been
// started.
func realNode(t *testing.T, bin, name string, port, cluster int) *api.Client {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf(`
storage "raft" {
  path = %q
  node_id = %q
  performance_multiplier = 1
}
listener "tcp" {
  address = "127.0.0.1:%d"
  cluster_address = "127.0.0.1:%d"
  tls_disable = true
}
api_addr = "http://127.0.0.1:%d"
cluster_addr = "https://127.0.0.1:%d"
disable_mlock = true
`, dir, name, port, cluster, port, cluster)
	file := filepath.Join(dir, "vault.hcl")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "server", "-config", file)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s:\n%s", name, log.String())
		}
	})
	cfg := api.DefaultConfig()
	cfg.Address = fmt.Sprintf("http://127.0.0.1:%d", port)
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken("") // not that of whoever runs the test
	until(t, name+" to answer", func() bool { _, err := c.Sys().SealStatusWithContext(t.Context()); return err == nil })
	return c
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// TestARealVaultIsUnsealed unseals two nodes of a real Vault, which are told apart from
// the simulated ones by nothing that this procedure sees.
func TestARealVaultIsUnsealed(t *testing.T) {
	bin := labtest.Tool(t, "vault")
	ports := free(t, 4)
	one := realNode(t, bin, "one", ports[0], ports[1])
	made, err := one.Sys().InitWithContext(t.Context(), &api.InitRequest{SecretShares: 5, SecretThreshold: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := newConsole(t, []string{fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[2])}, made.RootToken)
	p := w.plan()
	if len(p.Steps) != 2 || len(p.Warnings) != 1 { // the second node does not run yet
		t.Fatalf("steps %+v, warnings %+v", p.Steps, p.Warnings)
	}
	// One share is of another cluster: Vault takes it, and says no to all three.
	w.start(p, made.KeysB64[0], made.KeysB64[1], "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJAF")
	if got := w.wait(p); got.State != plan.RunFailed || !strings.Contains(got.Trouble, "at least one of them is wrong") {
		t.Fatalf("with a wrong share: %s, %q", got.State, got.Trouble)
	}
	p = w.plan()
	w.start(p, made.KeysB64[0], made.Keys[1], made.KeysB64[4]) // in base64 and in hexadecimal
	if got := w.wait(p); got.State != plan.RunDone {
		t.Fatalf("%s: %s %s", got.State, got.Trouble, got.Next)
	}
	// The second node joins, and is unsealed by itself.
	two := realNode(t, bin, "two", ports[2], ports[3])
	if _, err := two.Sys().RaftJoinWithContext(t.Context(), &api.RaftJoinRequest{LeaderAPIAddr: w.urls[0]}); err != nil {
		t.Fatal(err)
	}
	until(t, "the second node to join", func() bool {
		s, err := two.Sys().SealStatusWithContext(t.Context())
		return err == nil && s.Initialized
	})
	p = w.plan()
	w.start(p, made.KeysB64[2], made.KeysB64[3])
	until(t, "two shares to be with the second node", func() bool {
		s, err := two.Sys().SealStatusWithContext(t.Context())
		return err == nil && s.Progress == 2
	})
	if _, err := two.Sys().UnsealWithContext(t.Context(), made.KeysB64[0]); err != nil {
		t.Fatal(err)
	}
	got := w.wait(p)
	if got.State != plan.RunDone || !strings.Contains(got.Steps[len(got.Steps)-1].Detail, "is active") {
		t.Errorf("%s: %s %s, %+v", got.State, got.Trouble, got.Next, got.Steps)
	}
	// Sealed again by hand, it is sealed to us as well.
	one.SetToken(made.RootToken)
	if err := one.Sys().SealWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := w.plan(); len(p.Steps) != 2 || !strings.Contains(p.Steps[0].Title, w.urls[0]) {
		t.Errorf("after it was sealed: %+v", p.Steps)
	}
	w.without(slices.Concat(made.Keys, made.KeysB64), got)
}
