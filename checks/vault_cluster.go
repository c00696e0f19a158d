package checks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// vaultNodesKept is how many nodes, servers and secondaries of a cluster are kept.
const vaultNodesKept = 200

func (b vaultBuilder) nodes() Probe {
	const path = "sys/ha-status"
	return b.probe(estate.CheckVaultNodes, "GET "+path, b.cfg.Checks.Interval, func(ctx context.Context) Result {
		var body struct {
			Nodes []struct {
				Host     string    `json:"hostname"`
				Address  string    `json:"api_address"`
				Active   bool      `json:"active_node"`
				Version  string    `json:"version"`
				LastEcho time.Time `json:"last_echo"`
			}
		}
		if err := b.here.Read(ctx, clients.VaultRoot, path, &body); err != nil {
			return Result{Err: err}
		}
		if len(body.Nodes) == 0 {
			return Result{Err: hollow("the nodes")}
		}
		var out estate.VaultNodes
		for _, n := range body.Nodes[:min(len(body.Nodes), vaultNodesKept)] {
			out.Nodes = append(out.Nodes, estate.VaultNode{
				Host: b.text(n.Host), Address: b.text(n.Address), Active: n.Active, Version: b.text(n.Version), LastEcho: n.LastEcho,
			})
		}
		return Result{Data: out}
	})
}

// raft reads autopilot's opinion. Where the storage is another, or autopilot is
// off, Vault knows no such path.
func (b vaultBuilder) raft() Probe {
	const path = "sys/storage/raft/autopilot/state"
	return b.probe(estate.CheckVaultRaft, "GET "+path, b.cfg.Checks.Interval, func(ctx context.Context) Result {
		var body struct {
			Healthy   *bool
			Tolerance int `json:"failure_tolerance"`
			Leader    string
			Servers   map[string]struct {
				ID          string
				Address     string
				Status      string
				Healthy     bool
				LastContact string `json:"last_contact"`
				LastIndex   uint64 `json:"last_index"`
			}
		}
		if err := b.here.Read(ctx, clients.VaultRoot, path, &body); err != nil {
			return Result{Err: absent(err, "there is no raft storage with autopilot")}
		}
		if body.Healthy == nil {
			return Result{Err: hollow("whether the servers are healthy")}
		}
		out := estate.VaultRaft{Healthy: *body.Healthy, FailureTolerance: body.Tolerance, Leader: b.text(body.Leader)}
		for _, id := range slices.Sorted(maps.Keys(body.Servers)) {
			s := body.Servers[id]
			contact, err := time.ParseDuration(cmp.Or(s.LastContact, "0s"))
			if err != nil {
				return Result{Err: hollow("a duration in last_contact")}
			}
			if len(out.Servers) == vaultNodesKept {
				break
			}
			out.Servers = append(out.Servers, estate.VaultRaftServer{
				ID: b.text(id), Address: b.text(s.Address), Status: b.text(s.Status), Healthy: s.Healthy, LastContact: contact, LastIndex: s.LastIndex,
			})
		}
		return Result{Data: out}
	})
}

// absent makes a path that Vault does not have a thing that it does not support.
func absent(err error, detail string) error {
	var f *estate.Failure
	if !errors.As(err, &f) || f.Kind != estate.Missing && f.Kind != estate.NotSupported {
		return err
	}
	g := *f
	g.Kind, g.Detail = estate.NotSupported, detail
	return &g
}

// vaultNumber is an integer that Vault writes now as a number and now as a string.
type vaultNumber int64

func (n *vaultNumber) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if text == "null" {
		return nil
	}
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	if text == "" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	*n = vaultNumber(v)
	return nil
}

// vaultPeer is another cluster as a replication set speaks of it.
type vaultPeer struct {
	ID         string       `json:"node_id"`
	Connection string       `json:"connection_status"`
	Canary     *vaultNumber `json:"replication_primary_canary_age_ms"`
}

// vaultReplicated is one of the two sets of sys/replication/status.
type vaultReplicated struct {
	Mode        string
	State       string
	LastDR      vaultNumber `json:"last_dr_wal"`
	LastPerf    vaultNumber `json:"last_performance_wal"`
	LastRemote  vaultNumber `json:"last_remote_wal"`
	Connection  string      `json:"connection_state"`
	Primaries   []vaultPeer
	Secondaries []vaultPeer
}

func (b vaultBuilder) replication() Probe {
	const path = "sys/replication/status"
	return b.probe(estate.CheckVaultReplication, "GET "+path, b.cfg.Checks.Interval, func(ctx context.Context) Result {
		a, err := b.here.Ask(ctx, path)
		if err != nil {
			return Result{Err: err}
		}
		out, ok := b.parseReplication(a)
		if !ok {
			return Result{Err: b.here.Refusal(ctx, a, path)}
		}
		return Result{Data: out}
	})
}

// parseReplication reads both answers: the Community Edition's one mode for all, and
// the Enterprise's two sets.
func (b vaultBuilder) parseReplication(a clients.VaultAnswer) (estate.VaultReplication, bool) {
	var body struct {
		Data *struct {
			Mode        string
			DR          *vaultReplicated `json:"dr"`
			Performance *vaultReplicated `json:"performance"`
		}
	}
	if a.Code != 200 || json.Unmarshal(a.Body, &body) != nil || body.Data == nil {
		return estate.VaultReplication{}, false
	}
	var out estate.VaultReplication
	for _, set := range []struct {
		kind string
		*vaultReplicated
		wal func(*vaultReplicated) vaultNumber
	}{
		{"performance", body.Data.Performance, func(r *vaultReplicated) vaultNumber { return r.LastPerf }},
		{"dr", body.Data.DR, func(r *vaultReplicated) vaultNumber { return r.LastDR }},
	} {
		if set.vaultReplicated == nil {
			continue
		}
		out.Licensed = true
		out.Sets = append(out.Sets, b.replicated(set.kind, set.vaultReplicated, set.wal(set.vaultReplicated)))
	}
	return out, out.Licensed || body.Data.Mode != ""
}

func (b vaultBuilder) replicated(kind string, r *vaultReplicated, wal vaultNumber) estate.VaultReplicationSet {
	out := estate.VaultReplicationSet{
		Kind: kind, Mode: b.text(r.Mode), State: b.text(r.State), Connection: b.text(r.Connection),
		LastWAL: uint64(max(wal, 0)), RemoteWAL: uint64(max(r.LastRemote, 0)),
	}
	for _, p := range r.Secondaries[:min(len(r.Secondaries), vaultNodesKept)] {
		s := estate.VaultSecondary{ID: b.text(p.ID), Connection: b.text(p.Connection)}
		s.CanaryAge, s.CanaryKnown = p.age()
		out.Secondaries = append(out.Secondaries, s)
	}
	// A secondary knows several nodes of its primary's cluster; the nearest tells how
	// far it is behind, and one connection is enough.
	for _, p := range r.Primaries {
		if age, known := p.age(); known && p.Connection != "disconnected" && (!out.CanaryKnown || age < out.CanaryAge) {
			out.CanaryAge, out.CanaryKnown = age, true
		}
	}
	if out.Connection == "" && len(r.Primaries) > 0 {
		out.Connection = "disconnected"
		if slices.ContainsFunc(r.Primaries, func(p vaultPeer) bool { return p.Connection == "connected" }) {
			out.Connection = "connected"
		}
	}
	return out
}

// age is how old the last canary was that came over.
func (p vaultPeer) age() (time.Duration, bool) {
	if p.Canary == nil {
		return 0, false
	}
	const most = vaultNumber(10 * 365 * 24 * time.Hour / time.Millisecond)
	return time.Duration(min(max(*p.Canary, 0), most)) * time.Millisecond, true
}
