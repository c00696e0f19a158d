package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// vaultNode is one Vault process.
type vaultNode struct {
	name    string
	cluster string
	dir     string
	port    int
	api     *rest
	process *process
}

// address is where it is reached, as VAULT_ADDR.
func (n *vaultNode) address() string { return "https://" + address(n.port) }

// start runs the server on the storage raft or file and returns when it answers.
// It is not initialised, or sealed, then.
func (n *vaultNode) start(ctx context.Context, s *Site, storage string) error {
	n.dir = filepath.Join(s.Dir, n.name)
	if err := errors.Join(os.Mkdir(n.dir, 0o700), os.Mkdir(filepath.Join(n.dir, "data"), 0o700)); err != nil {
		return fmt.Errorf("make the folder of %s: %w", n.name, err)
	}
	var err error
	if n.port, err = freePort(); err != nil {
		return err
	}
	peerPort, err := freePort()
	if err != nil {
		return err
	}
	certificate, key := filepath.Join(n.dir, "server.pem"), filepath.Join(n.dir, "server.key")
	if err := s.CA.Issue(localLeaf(), certificate, key); err != nil {
		return err
	}
	text, err := json.MarshalIndent(n.config(storage, certificate, key, peerPort), "", "  ")
	if err != nil {
		return fmt.Errorf("write the config of %s: %w", n.name, err)
	}
	conf := filepath.Join(n.dir, "vault.json")
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		return fmt.Errorf("write the config of %s: %w", n.name, err)
	}
	program, err := buildVault.program(ctx, "vault")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "server", "-config", conf)
	cmd.Dir = n.dir
	cmd.Env = append(vaultEnv(), "HOME="+n.dir)
	// Killed, not told to end: what it keeps is thrown away.
	if n.process, err = launch(cmd, nil, filepath.Join(s.Dir, n.name+".log"), syscall.SIGKILL); err != nil {
		return err
	}
	n.api = newREST(n.address(), s.CA)
	return poll(ctx, n.process, func(ctx context.Context) error {
		// It has no word on whether it may be used: sealed answers this too.
		return n.api.call(ctx, http.MethodGet, "/v1/sys/seal-status", nil, nil)
	})
}

func (n *vaultNode) config(storage, certificate, key string, peerPort int) map[string]any {
	own := map[string]any{"path": filepath.Join(n.dir, "data")}
	if storage == "raft" {
		own["node_id"] = n.name
		// The first election takes one to two times this many seconds. Vault's own is
		// 5; a shorter one has the nodes of a busy machine take the lead from each other.
		own["performance_multiplier"] = 3
		// How the nodes stand is looked at every second, not every ten.
		own["autopilot_reconcile_interval"], own["autopilot_update_interval"] = "1s", "1s"
	}
	return map[string]any{
		"cluster_name":  n.cluster,
		"storage":       map[string]any{storage: own},
		"api_addr":      n.address(),
		"cluster_addr":  "https://" + address(peerPort),
		"disable_mlock": true,
		"ui":            false,
		"log_level":     "warn",
		"listener": []any{map[string]any{"tcp": map[string]any{
			"address": address(n.port), "cluster_address": address(peerPort),
			"tls_cert_file": certificate, "tls_key_file": key,
			"telemetry": map[string]any{"unauthenticated_metrics_access": true},
		}}},
		"telemetry": map[string]any{"disable_hostname": true, "prometheus_retention_time": "1h"},
	}
}

// vaultEnv is our environment without anything of the caller's Vault.
func vaultEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VAULT_") || strings.HasPrefix(v, "HOME=") })
}

// initialise makes the cluster's keys and returns them.
func (n *vaultNode) initialise(ctx context.Context) (unsealKey, rootToken string, err error) {
	var made struct {
		Keys []string `json:"keys_base64"`
		Root string   `json:"root_token"`
	}
	if err := n.api.call(ctx, http.MethodPut, "/v1/sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &made); err != nil {
		return "", "", fmt.Errorf("initialise %s: %w", n.name, err)
	}
	if len(made.Keys) != 1 || made.Root == "" {
		return "", "", fmt.Errorf("initialise %s: it gave %d keys", n.name, len(made.Keys))
	}
	return made.Keys[0], made.Root, nil
}

// unseal opens it and waits until it is active, or a standby that knows who is.
func (n *vaultNode) unseal(ctx context.Context, key string, standby bool) error {
	// A node that joins is let in by the leader meanwhile, once: it is not asked twice.
	if err := n.api.call(ctx, http.MethodPut, "/v1/sys/unseal", map[string]string{"key": key}, nil); err != nil {
		return fmt.Errorf("unseal %s: %w", n.name, err)
	}
	return poll(ctx, n.process, func(ctx context.Context) error {
		var health struct {
			Initialized, Sealed, Standby bool
		}
		if err := n.api.call(ctx, http.MethodGet, "/v1/sys/health?standbyok=true&sealedcode=299&uninitcode=299", nil, &health); err != nil {
			return err
		}
		if !health.Initialized || health.Sealed || health.Standby != standby {
			return fmt.Errorf("%s is initialised %t, sealed %t, standby %t", n.name, health.Initialized, health.Sealed, health.Standby)
		}
		if !standby {
			return nil
		}
		var leader struct {
			Address string `json:"leader_address"`
		}
		if err := n.api.call(ctx, http.MethodGet, "/v1/sys/leader", nil, &leader); err != nil {
			return err
		}
		if leader.Address == "" {
			return fmt.Errorf("%s knows no leader", n.name)
		}
		return nil
	})
}

// join makes it a node of the cluster that leader leads.
func (n *vaultNode) join(ctx context.Context, s *Site, leader *vaultNode) error {
	ca, err := os.ReadFile(s.CA.File)
	if err != nil {
		return fmt.Errorf("read the lab's CA: %w", err)
	}
	err = n.api.call(ctx, http.MethodPost, "/v1/sys/storage/raft/join", map[string]any{
		"leader_api_addr": leader.address(), "leader_ca_cert": string(ca),
	}, nil)
	if err != nil {
		return fmt.Errorf("have %s join %s: %w", n.name, leader.name, err)
	}
	return nil
}

func (n *vaultNode) stop() error {
	n.api.close()
	return n.process.stop()
}
