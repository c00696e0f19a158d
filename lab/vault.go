package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// vaults are two Vault clusters and two processes that serve nobody. The first
// cluster has two nodes, one active and one standby. The second is the copy that
// a script keeps of the first one's secrets: one entry is missing there and one
// is a version behind. Of the two others one is sealed and one was never
// initialised.
type vaults struct {
	primary         *postgresPrimary // the database engine's server
	active, standby *vaultNode
	copy            *vaultNode
	sealed, empty   *vaultNode
	first, second   vaultAccess
	approle         vaultAppRole
	program         string
}

// vaultAccess is what opens a cluster: files of mode 0600 with one value each.
type vaultAccess struct {
	unsealKeyFile, rootTokenFile, readerTokenFile string

	root *rest // its active node, as root
}

// vaultAppRole are the files of a login by AppRole.
type vaultAppRole struct{ roleIDFile, secretIDFile string }

const (
	vaultCluster     = "lab-primary"
	vaultCopyCluster = "lab-secondary"
)

func (*vaults) Name() string { return "vault" }
func (*vaults) Key() string  { return "vault" }

func (*vaults) Missing(ctx context.Context) []Requirement { return buildVault.requirement(ctx) }

func (v *vaults) Start(ctx context.Context, s *Site) error {
	var err error
	if v.program, err = buildVault.program(ctx, "vault"); err != nil {
		return err
	}
	v.active = &vaultNode{name: "vault-1", cluster: vaultCluster}
	v.standby = &vaultNode{name: "vault-2", cluster: vaultCluster}
	v.copy = &vaultNode{name: "vault-copy", cluster: vaultCopyCluster}
	v.sealed = &vaultNode{name: "vault-sealed", cluster: "lab-sealed"}
	v.empty = &vaultNode{name: "vault-uninitialised", cluster: "lab-uninitialised"}
	return errors.Join(inParallel(
		func() error { return v.startFirst(ctx, s) },
		func() error { return v.startSecond(ctx, s) },
		func() error {
			if err := v.sealed.start(ctx, s, "file"); err != nil {
				return err
			}
			_, _, err := v.sealed.initialise(ctx)
			return err
		},
		func() error { return v.empty.start(ctx, s, "file") },
	)...)
}

// inParallel runs all of them and returns what each returned.
func inParallel(steps ...func() error) []error {
	errs := make([]error, len(steps))
	var group sync.WaitGroup
	for i, step := range steps {
		group.Go(func() { errs[i] = step() })
	}
	group.Wait()
	return errs
}

func (v *vaults) startFirst(ctx context.Context, s *Site) error {
	started := inParallel(
		func() error { return v.active.start(ctx, s, "raft") },
		func() error { return v.standby.start(ctx, s, "raft") },
	)
	if err := errors.Join(started...); err != nil {
		return err
	}
	key, err := v.open(ctx, s, v.active, &v.first)
	if err != nil {
		return err
	}
	// The new node gets its vote only once it is there to use it: a leader whose
	// one peer is silent gives up the lead.
	if err := v.letVoteAfter(ctx, "1h"); err != nil {
		return err
	}
	if err := v.standby.join(ctx, s, v.active); err != nil {
		return err
	}
	if err := errors.Join(inParallel(
		func() error { return v.standby.unseal(ctx, key, true) },
		func() error { return v.fillFirst(ctx, s) },
	)...); err != nil {
		return err
	}
	if err := v.startAudit(ctx); err != nil {
		return err
	}
	if err := v.letVoteAfter(ctx, "1s"); err != nil {
		return err
	}
	return v.awaitVoter(ctx)
}

func (v *vaults) startSecond(ctx context.Context, s *Site) error {
	if err := v.copy.start(ctx, s, "raft"); err != nil {
		return err
	}
	if _, err := v.open(ctx, s, v.copy, &v.second); err != nil {
		return err
	}
	return v.fillSecond(ctx)
}

// open initialises and unseals a node, and keeps its keys in files.
func (v *vaults) open(ctx context.Context, s *Site, n *vaultNode, access *vaultAccess) (unsealKey string, err error) {
	unsealKey, root, err := n.initialise(ctx)
	if err != nil {
		return "", err
	}
	access.unsealKeyFile = filepath.Join(n.dir, "unseal-key")
	access.rootTokenFile = filepath.Join(n.dir, "root-token")
	access.readerTokenFile = filepath.Join(n.dir, "reader-token")
	if err := errors.Join(writePrivate(access.unsealKeyFile, unsealKey), writePrivate(access.rootTokenFile, root)); err != nil {
		return "", err
	}
	if err := n.unseal(ctx, unsealKey, false); err != nil {
		return "", err
	}
	access.root = newREST(n.address(), s.CA).with("X-Vault-Token", root)
	return unsealKey, nil
}

// letVoteAfter says how long a node must have been well before it may vote.
func (v *vaults) letVoteAfter(ctx context.Context, time string) error {
	return v.first.root.call(ctx, http.MethodPost, "/v1/sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": time}, nil)
}

// awaitVoter waits until the standby takes part in elections, so that a test
// that has the active node step down has a successor.
func (v *vaults) awaitVoter(ctx context.Context) error {
	return poll(ctx, v.standby.process, func(ctx context.Context) error {
		var answer struct {
			Data struct {
				Healthy bool     `json:"healthy"`
				Voters  []string `json:"voters"`
			} `json:"data"`
		}
		if err := v.first.root.call(ctx, http.MethodGet, "/v1/sys/storage/raft/autopilot/state", nil, &answer); err != nil {
			return err
		}
		if len(answer.Data.Voters) != 2 || !answer.Data.Healthy {
			return fmt.Errorf("raft has %d voters, healthy %t", len(answer.Data.Voters), answer.Data.Healthy)
		}
		return nil
	})
}

// writePrivate writes a value, without a newline, that only we may read.
func writePrivate(path, value string) error {
	if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func (v *vaults) Stop() error {
	var errs []error
	for _, n := range []*vaultNode{v.standby, v.active, v.copy, v.sealed, v.empty} {
		if n != nil {
			errs = append(errs, n.stop())
		}
	}
	v.first.root.close()
	v.second.root.close()
	return errors.Join(errs...)
}
