package checks

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// vaultMountsKept is how many mounts and audit devices are kept.
const vaultMountsKept = 2000

// vaultMount is a mount as Vault describes it.
type vaultMount struct {
	Type    string
	Local   bool // never replicated, by decision
	Options struct {
		Version string
		File    string `json:"file_path"`
		Address string
	}
}

// vaultMounted are mounts by path. Beside them old versions repeat the frame of the
// answer, whose parts are no objects with a type.
type vaultMounted map[string]vaultMount

func (m *vaultMounted) UnmarshalJSON(raw []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	*m = vaultMounted{}
	for path, one := range all {
		var mount vaultMount
		if !strings.HasSuffix(path, "/") || len(*m) >= vaultMountsKept {
			continue
		}
		if err := json.Unmarshal(one, &mount); err != nil {
			return err
		}
		(*m)[path] = mount
	}
	return nil
}

// mounts reads the secrets engines or the auth methods.
func (b vaultBuilder) mounts(check, path string) Probe {
	return b.probe(check, "GET "+path, b.cfg.Checks.SlowEvery, func(ctx context.Context) Result {
		var all vaultMounted
		if err := b.here.Read(ctx, clients.VaultNamespace, path, &all); err != nil {
			return Result{Err: err}
		}
		if len(all) == 0 {
			return Result{Err: hollow("the mounts")} // token/ and sys/ are always there
		}
		var out estate.VaultMounts
		for _, path := range slices.Sorted(maps.Keys(all)) {
			m := all[path]
			out.Mounts = append(out.Mounts, estate.VaultMount{Path: b.text(path), Type: b.text(m.Type), Version: b.text(m.version())})
		}
		return Result{Data: out}
	})
}

// version is 1 or 2 for KV, and empty for all else.
func (m vaultMount) version() string {
	switch {
	case m.Type != "kv" && m.Type != "generic":
		return ""
	case m.Options.Version == "2":
		return "2"
	}
	return "1"
}

// engines are the secrets engines of a cluster. Where the token may not see all, it
// is asked for those that it may use, which every token may ask.
func (s vaultSide) engines(ctx context.Context) (all vaultMounted, usable bool, err error) {
	err = s.Read(ctx, clients.VaultNamespace, "sys/mounts", &all)
	var f *estate.Failure
	if !errors.As(err, &f) || f.Kind != estate.Denied {
		return all, false, err
	}
	var own struct{ Secret vaultMounted }
	if s.Read(ctx, clients.VaultNamespace, "sys/internal/ui/mounts", &own) != nil {
		return nil, false, err
	}
	return own.Secret, true, nil
}

func (b vaultBuilder) audit() Probe {
	const path = "sys/audit"
	return b.probe(estate.CheckVaultAudit, "GET "+path, b.cfg.Checks.SlowEvery, func(ctx context.Context) Result {
		var all vaultMounted
		err := b.here.Read(ctx, clients.VaultRoot, path, &all)
		var f *estate.Failure
		if errors.As(err, &f) && f.Kind == estate.Denied {
			g := *f
			g.Detail += "; it needs read and sudo on sys/audit"
			g.Next = `give the token's policy path "sys/audit" { capabilities = ["read", "sudo"] }, in the root namespace`
			err = &g
		}
		if err != nil {
			return Result{Err: err}
		}
		out := estate.VaultAudit{}
		for _, path := range slices.Sorted(maps.Keys(all)) {
			m := all[path]
			target := m.Options.File
			if target == "" {
				target = m.Options.Address
			}
			out.Devices = append(out.Devices, estate.VaultAuditDevice{Path: b.text(path), Type: b.text(m.Type), Target: b.text(target)})
		}
		return Result{Data: out}
	})
}

// token reads what the token says of itself: never the token, which the answer
// repeats.
func (b vaultBuilder) token() Probe {
	return b.probe(estate.CheckVaultToken, "GET "+clients.VaultLookupSelf, b.cfg.Checks.SlowEvery, func(ctx context.Context) Result {
		var body struct {
			Name      string     `json:"display_name"`
			Policies  []string   `json:"policies"`
			Identity  []string   `json:"identity_policies"`
			Expires   *time.Time `json:"expire_time"`
			Renewable bool       `json:"renewable"`
		}
		if err := b.here.Read(ctx, clients.VaultNamespace, clients.VaultLookupSelf, &body); err != nil {
			return Result{Err: err}
		}
		if len(body.Policies) == 0 && body.Name == "" {
			return Result{Err: hollow("the token's policies")}
		}
		out := estate.VaultToken{Name: b.text(body.Name), Renewable: body.Renewable, Root: slices.Contains(body.Policies, "root")}
		if body.Expires != nil {
			out.Expires = *body.Expires
		}
		policies := slices.Concat(body.Policies, body.Identity)
		for _, p := range policies[:min(len(policies), vaultNodesKept)] {
			out.Policies = append(out.Policies, b.text(p))
		}
		return Result{Data: out}
	})
}
