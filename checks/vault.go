package checks

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Vault publishes no quota of its own. What walks a tree of secrets keeps below
// these for each cluster, all checks of it together.
const (
	vaultRate  = 100 // calls a second
	vaultBurst = 50
)

// vaultProbes reads the Vault clusters. What a Vault says to anybody is read with
// or without a token.
func vaultProbes(cfg *config.Config, set *clients.Set) []Probe {
	var out []Probe
	pace := map[string]*rate.Limiter{}
	for _, cluster := range cfg.Vaults {
		pace[cluster.Name] = rate.NewLimiter(vaultRate, vaultBurst)
	}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Vault == nil {
			continue
		}
		b := vaultBuilder{cfg: cfg, id: estate.ID(c.ID), conf: c.Vault, here: vaultCluster(set, c.Vault.Cluster, pace)}
		out = append(out,
			b.health(), b.seal(), b.nodes(), b.raft(), b.replication(),
			b.mounts(estate.CheckVaultMounts, "sys/mounts"), b.mounts(estate.CheckVaultAuth, "sys/auth"),
			b.audit(), b.token(), b.staticRoles(), b.count())
		out = append(out, b.stored()...)
		if c.Vault.Compare != "" {
			out = append(out, b.pair(vaultCluster(set, c.Vault.Compare, pace)))
		}
	}
	return out
}

// vaultSide is one cluster as the checks use it.
type vaultSide struct {
	*clients.Vault
	name   string
	broken error // why there is no client
	pace   *rate.Limiter
}

func vaultCluster(set *clients.Set, name string, pace map[string]*rate.Limiter) vaultSide {
	client, err := set.Vault(name)
	return vaultSide{Vault: client, name: name, broken: err, pace: pace[name]}
}

// vaultBuilder makes the probes of one component.
type vaultBuilder struct {
	cfg  *config.Config
	id   estate.ID
	conf *config.Vault
	here vaultSide
}

// probe makes one of them; what says which call it makes.
func (b vaultBuilder) probe(check, what string, every time.Duration, read func(context.Context) Result) Probe {
	return Probe{
		Key:      estate.Key{Component: b.id, Check: check},
		Source:   what + ", Vault " + b.here.name,
		System:   "vault:" + b.here.name,
		Interval: every,
		Timeout:  b.cfg.Checks.Timeout,
		Read: func(ctx context.Context) Result {
			if b.here.broken != nil {
				return Result{Err: b.here.broken}
			}
			r := read(ctx)
			if r.Err != nil && errors.Is(ctx.Err(), context.Canceled) {
				return Result{Err: context.Canceled} // we were told to stop: nothing was seen
			}
			return r
		},
	}
}

// resultOf makes a Result of a read that brings one thing.
func resultOf(data estate.Data, err error) Result {
	if err != nil {
		return Result{Err: err}
	}
	return Result{Data: data}
}

func (b vaultBuilder) text(s string) string { return b.here.Text(s, nameLimit) }

const vaultHealthPath = "sys/health"

// health reads what load balancers go by. Its status codes are 429 for a standby,
// 472 for a DR secondary, 473 for a performance standby, 474 for a standby without
// an active node, 501 for uninitialised, 503 for sealed and 530 for removed; a
// proxy can make any of them, so that only the body counts.
func (b vaultBuilder) health() Probe {
	return b.probe(estate.CheckVaultHealth, "GET "+vaultHealthPath, b.cfg.Checks.Interval, func(ctx context.Context) Result {
		a, err := b.here.Ask(ctx, vaultHealthPath)
		if err != nil {
			return Result{Err: err}
		}
		health, ok := b.parseHealth(a)
		if !ok {
			return Result{Err: b.here.Refusal(ctx, a, vaultHealthPath)}
		}
		return Result{Data: health}
	})
}

func (b vaultBuilder) parseHealth(a clients.VaultAnswer) (estate.VaultHealth, bool) {
	var body struct {
		Initialized *bool
		Sealed      *bool
		Standby     bool
		PerfStandby bool   `json:"performance_standby"`
		Removed     bool   `json:"removed_from_cluster"`
		Connected   *bool  `json:"ha_connection_healthy"`
		Time        int64  `json:"server_time_utc"`
		Version     string `json:"version"`
		Enterprise  bool   `json:"enterprise"`
		ClusterName string `json:"cluster_name"`
		ClusterID   string `json:"cluster_id"`
	}
	if json.Unmarshal(a.Body, &body) != nil || body.Initialized == nil || body.Sealed == nil {
		return estate.VaultHealth{}, false
	}
	h := estate.VaultHealth{
		Initialized: *body.Initialized, Sealed: *body.Sealed, Standby: body.Standby, PerfStandby: body.PerfStandby,
		NoActive: body.Connected != nil && !*body.Connected, Removed: body.Removed, Enterprise: body.Enterprise,
		Version: b.text(body.Version), ClusterName: b.text(body.ClusterName), ClusterID: b.text(body.ClusterID), Code: a.Code,
	}
	if body.Time > 0 && body.Time < 1<<40 {
		// Their time is cut to the second: half of one is its error. It was taken
		// somewhere between question and answer.
		ours := a.Sent.Add(a.Came.Sub(a.Sent) / 2)
		h.ClockSkew = time.Unix(body.Time, 0).Add(500 * time.Millisecond).Sub(ours).Round(time.Second)
	}
	return h, true
}

const vaultSealPath = "sys/seal-status"

func (b vaultBuilder) seal() Probe {
	return b.probe(estate.CheckVaultSeal, "GET "+vaultSealPath, b.cfg.Checks.Interval, func(ctx context.Context) Result {
		a, err := b.here.Ask(ctx, vaultSealPath)
		if err != nil {
			return Result{Err: err}
		}
		var body struct {
			Type        string
			Initialized *bool
			Sealed      *bool
			Threshold   int    `json:"t"`
			Shares      int    `json:"n"`
			Progress    int    `json:"progress"`
			Storage     string `json:"storage_type"`
			Recovery    bool   `json:"recovery_seal"`
			Migration   bool
		}
		if json.Unmarshal(a.Body, &body) != nil || body.Initialized == nil || body.Sealed == nil {
			return Result{Err: b.here.Refusal(ctx, a, vaultSealPath)}
		}
		return Result{Data: estate.VaultSeal{
			Type: b.text(body.Type), Storage: b.text(body.Storage), Initialized: *body.Initialized, Sealed: *body.Sealed,
			Shares: body.Shares, Threshold: body.Threshold, Progress: body.Progress, Recovery: body.Recovery, Migration: body.Migration,
		}}
	})
}
