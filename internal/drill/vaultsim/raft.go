package vaultsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// raftIndex is the last entry of the raft log.
func (c *Cluster) raftIndex(now time.Time) uint64 { return c.walAt(now) + 1200 }

const (
	contactLimit = 10 * time.Second // last_contact_threshold of autopilot
	forgotten    = 30 * time.Second // after which ha-status drops a node that is silent
)

// contact is how long ago the active node last heard from a node.
func (c *Cluster) contact(n *Node) time.Duration {
	switch {
	case n == c.active():
		return 0
	case n.serves() && !n.cut:
		return c.heartbeat(n)
	}
	return c.now().Sub(n.since)
}

type haNode struct {
	Host    string  `json:"hostname"`
	API     string  `json:"api_address"`
	Cluster string  `json:"cluster_address"`
	Active  bool    `json:"active_node"`
	Echo    *string `json:"last_echo"`
	Version string  `json:"version"`
	Upgrade string  `json:"upgrade_version,omitempty"`
	Took    int64   `json:"echo_duration_ms"`
	Skew    int64   `json:"clock_skew_ms"`
	Canary  int64   `json:"replication_primary_canary_age_ms"`
}

// haStatus are the nodes of which the active one knows.
func (c *Cluster) haStatus() []haNode {
	var out []haNode
	for _, n := range c.nodes {
		one := haNode{Host: n.o.Host, API: n.o.API, Cluster: n.o.Cluster, Active: n == c.active(), Version: c.version()}
		if c.ha() {
			one.Upgrade = c.o.Version
		}
		if !one.Active {
			silent := c.contact(n)
			if n.removed || silent > forgotten {
				continue
			}
			at := stamp(c.now().Add(-silent))
			one.Echo = &at
			if c.o.Enterprise {
				one.Canary = 250 + silent.Milliseconds()%500
			}
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b haNode) int { return strings.Compare(a.API, b.API) })
	return out
}

type raftServer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Node    string `json:"node_status"`
	Contact string `json:"last_contact"`
	Term    uint64 `json:"last_term"`
	Index   uint64 `json:"last_index"`
	Healthy bool   `json:"healthy"`
	Stable  string `json:"stable_since"`
	Status  string `json:"status"`
	Version string `json:"version"`
	Type    string `json:"node_type"`
}

// raft answers below sys/storage/raft/.
func (q *request) raft(rest string) reply {
	c := q.c
	if !c.ha() {
		return noPath
	}
	if q.op != read {
		return noPath
	}
	switch rest {
	case "autopilot/state":
		return q.autopilot()
	case "autopilot/configuration":
		return q.answer(map[string]any{
			"cleanup_dead_servers": false, "dead_server_last_contact_threshold": "24h0m0s", "disable_upgrade_migration": false, "last_contact_threshold": contactLimit.String(),
			"max_trailing_logs": 1000, "min_quorum": 0, "server_stabilization_time": "10s",
		})
	case "configuration":
		servers := []map[string]any{}
		for _, n := range c.nodes {
			if !n.removed {
				servers = append(servers, map[string]any{"node_id": n.o.Name, "address": hostPort(n.o.Cluster), "leader": n == c.active(), "protocol_version": "3", "voter": true})
			}
		}
		return q.answer(map[string]any{"config": map[string]any{"servers": servers, "index": 0}})
	}
	return noPath
}

func (q *request) autopilot() reply {
	c, now := q.c, q.c.now()
	servers, voters, well, leader := map[string]raftServer{}, []string{}, 0, ""
	for _, n := range c.nodes {
		if n.removed {
			continue
		}
		silent := c.contact(n)
		s := raftServer{
			ID: n.o.Name, Name: n.o.Name, Address: hostPort(n.o.Cluster), Node: "alive", Contact: fmt.Sprint(silent), Term: 3, Index: c.raftIndex(now.Add(-silent)),
			Healthy: silent < contactLimit, Stable: stamp(n.since), Status: "voter", Version: c.o.Version, Type: "voter",
		}
		if n == c.active() {
			s.Status, leader = "leader", n.o.Name
		}
		if s.Healthy {
			well++
		}
		servers[n.o.Name] = s
		voters = append(voters, n.o.Name)
	}
	state := map[string]any{
		"healthy": well == len(servers), "failure_tolerance": max(0, well-len(servers)/2-1), "leader": leader, "servers": servers, "voters": voters,
	}
	if c.o.Enterprise {
		state["optimistic_failure_tolerance"] = state["failure_tolerance"]
	}
	return reply{status: http.StatusOK, body: q.answer(state).body}
}

// hostPort is the address in a URL.
func hostPort(url string) string {
	for i := range len(url) - 2 {
		if url[i:i+3] == "://" {
			return url[i+3:]
		}
	}
	return url
}
