package vaultsim

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Status codes of sys/health that no standard knows.
const (
	codeDRSecondary = 472
	codePerfStandby = 473
	codeUnhealthy   = 474
	codeRemoved     = 530
)

// health is what sys/health says.
type health struct {
	Initialized bool     `json:"initialized"`
	Sealed      bool     `json:"sealed"`
	Standby     bool     `json:"standby"`
	PerfStandby bool     `json:"performance_standby"`
	Performance string   `json:"replication_performance_mode"`
	DR          string   `json:"replication_dr_mode"`
	Time        int64    `json:"server_time_utc"`
	Version     string   `json:"version"`
	Enterprise  bool     `json:"enterprise"`
	ClusterName string   `json:"cluster_name,omitempty"`
	ClusterID   string   `json:"cluster_id,omitempty"`
	LastWAL     uint64   `json:"last_wal,omitempty"`
	License     *license `json:"license,omitempty"`
	Echo        int64    `json:"echo_duration_ms"`
	Skew        int64    `json:"clock_skew_ms"`
	Canary      int64    `json:"replication_primary_canary_age_ms"`
	Removed     *bool    `json:"removed_from_cluster,omitempty"`
	Connected   *bool    `json:"ha_connection_healthy,omitempty"`
	Heartbeat   int64    `json:"last_request_forwarding_heartbeat_ms,omitempty"`
}

type license struct {
	State      string `json:"state"`
	Expiry     string `json:"expiry_time"`
	Terminated bool   `json:"terminated"`
}

// sealStatus is what sys/seal-status says.
type sealStatus struct {
	Type        string `json:"type"`
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Threshold   int    `json:"t"`
	Shares      int    `json:"n"`
	Progress    int    `json:"progress"`
	Nonce       string `json:"nonce"`
	Version     string `json:"version"`
	Build       string `json:"build_date"`
	Migration   bool   `json:"migration"`
	ClusterName string `json:"cluster_name,omitempty"`
	ClusterID   string `json:"cluster_id,omitempty"`
	Recovery    bool   `json:"recovery_seal"`
	Storage     string `json:"storage_type"`
	Removed     *bool  `json:"removed_from_cluster,omitempty"`
}

// leader is what sys/leader says.
type leader struct {
	HA             bool      `json:"ha_enabled"`
	Self           bool      `json:"is_self"`
	Since          time.Time `json:"active_time"`
	Address        string    `json:"leader_address"`
	ClusterAddress string    `json:"leader_cluster_address"`
	PerfStandby    bool      `json:"performance_standby"`
	LastRemoteWAL  uint64    `json:"performance_standby_last_remote_wal"`
	LastWAL        uint64    `json:"last_wal,omitempty"`
	Committed      uint64    `json:"raft_committed_index,omitempty"`
	Applied        uint64    `json:"raft_applied_index,omitempty"`
}

// nodeStatus answers what a node answers by itself, sealed or not.
func (q *request) nodeStatus(body []byte) (reply, bool) {
	n, method := q.node, q.http.Method
	get := method == http.MethodGet || method == http.MethodHead
	put := method == http.MethodPut || method == http.MethodPost
	a := badMethod
	switch q.http.URL.Path[len("/v1/"):] {
	case "sys/health":
		if get {
			a = n.health(q.http)
		}
	case "sys/seal-status":
		if method == http.MethodGet {
			a = reply{status: http.StatusOK, body: n.sealStatus()}
		}
	case "sys/seal-backend-status":
		if method == http.MethodGet {
			a = reply{status: http.StatusOK, body: q.c.sealBackends()}
		}
	case "sys/init":
		switch {
		case method == http.MethodGet:
			a = reply{status: http.StatusOK, body: map[string]bool{"initialized": q.c.init != nil}}
		case put:
			a = n.initialise(body)
		}
	case "sys/unseal":
		if put {
			a = n.unseal(body)
		}
	case "sys/leader":
		if n.sealed && q.c.ha() {
			return sealedReply, true
		}
		if method == http.MethodGet && !q.c.limited() {
			a = reply{status: http.StatusOK, body: n.leader()}
		} else if method == http.MethodGet {
			a = refuse(http.StatusTooManyRequests, `request path "sys/leader": rate limit quota exceeded`)
		}
	default:
		return reply{}, false
	}
	return a, true
}

// health gives the code that the node's state has, or that the caller wants for it.
func (n *Node) health(r *http.Request) reply {
	c, query := n.c, r.URL.Query()
	code := map[string]int{
		"activecode": http.StatusOK, "standbycode": http.StatusTooManyRequests, "drsecondarycode": codeDRSecondary, "performancestandbycode": codePerfStandby,
		"haunhealthycode": codeUnhealthy, "removedcode": codeRemoved, "sealedcode": http.StatusServiceUnavailable, "uninitcode": http.StatusNotImplemented,
	}
	for name := range code {
		if !query.Has(name) {
			continue
		}
		wanted, err := strconv.Atoi(query.Get(name))
		if err != nil || wanted < 100 || wanted > 999 {
			return refuse(http.StatusBadRequest)
		}
		code[name] = wanted
	}
	ok := map[string]bool{}
	for _, name := range []string{"standbyok", "perfstandbyok"} {
		if query.Has(name) {
			b, err := strconv.ParseBool(query.Get(name))
			if err != nil {
				return badRequest("bad value for %s parameter: strconv.ParseBool: parsing %q: invalid syntax", name, query.Get(name))
			}
			ok[name] = b
		}
	}
	active := c.leads()
	h := health{
		Initialized: c.init != nil, Sealed: n.sealed, Standby: n.standby(), PerfStandby: n.perfStandby(), Performance: "unknown", DR: "unknown",
		Time: c.now().Unix(), Version: c.version(), Enterprise: c.o.Enterprise,
	}
	if !n.sealed && active != nil {
		h.Performance, h.DR = c.performanceMode(), "disabled"
	}
	if !n.sealed {
		h.ClusterName, h.ClusterID = c.o.Name, c.id()
	}
	if c.o.Enterprise {
		h.License = &license{State: "autoloaded"}
		if !c.o.License.IsZero() {
			h.License.Expiry = c.o.License.UTC().Format(time.RFC3339)
			h.License.Terminated = c.now().After(c.o.License.AddDate(10, 0, 0))
		}
		if h.Initialized && !h.Standby {
			h.LastWAL = c.walAt(c.now())
		}
	}
	if c.ha() {
		h.Removed = &n.removed
	}
	if !n.sealed && active != nil && active != n { // a standby, which hears of the active node every five seconds
		fine := !n.cut && active == c.active()
		h.Connected, h.Heartbeat = &fine, c.heartbeat(n).Milliseconds()
		if !fine {
			since := n.since
			if active.down {
				since = active.since
			}
			h.Heartbeat = c.now().Sub(since).Milliseconds()
		}
		if n.perfStandby() {
			h.Canary = 250 + h.Heartbeat%500
		}
	}
	status := code["activecode"]
	switch {
	case !h.Initialized:
		status = code["uninitcode"]
	case n.removed:
		status = code["removedcode"]
	case n.sealed:
		status = code["sealedcode"]
	case h.Connected != nil && !*h.Connected:
		status = code["haunhealthycode"]
	case h.PerfStandby:
		if !ok["perfstandbyok"] {
			status = code["performancestandbycode"]
		}
	case h.Standby:
		if !ok["standbyok"] {
			status = code["standbycode"]
		}
	}
	if r.Method == http.MethodHead {
		return reply{status: status}
	}
	return reply{status: status, body: h}
}

// heartbeat is how long ago a standby and the active node heard of each other.
func (c *Cluster) heartbeat(n *Node) time.Duration {
	d := c.digest("heartbeat", n.o.Name)
	phase := time.Duration(d[0]) * 5 * time.Second / 256
	return c.now().Add(phase).Sub(c.now().Add(phase).Truncate(5*time.Second)) + time.Millisecond
}

func (n *Node) sealStatus() sealStatus {
	c := n.c
	s := sealStatus{
		Type: "shamir", Initialized: c.init != nil, Sealed: n.sealed, Version: c.version(), Build: c.o.Build.UTC().Format(time.RFC3339),
		Storage: c.o.Storage, Progress: len(n.progress), Nonce: n.nonce,
	}
	if c.auto != "" {
		s.Type, s.Recovery = c.auto, true
	}
	if c.init != nil {
		s.Threshold, s.Shares = c.init.threshold, len(c.init.shares)
	}
	if !n.sealed {
		s.ClusterName, s.ClusterID = c.o.Name, c.id()
	}
	if c.ha() {
		s.Removed = &n.removed
	}
	return s
}

func (n *Node) leader() leader {
	c := n.c
	if !c.ha() {
		return leader{}
	}
	l := leader{HA: true, PerfStandby: n.perfStandby()}
	if active := c.active(); active != nil {
		l.Self, l.Address, l.ClusterAddress = active == n, active.o.API, active.o.Cluster
		if l.Self {
			l.Since = c.o.Active.UTC()
			if c.o.Enterprise {
				l.LastWAL = c.walAt(c.now())
			}
		} else if l.PerfStandby {
			l.LastRemoteWAL = c.walAt(c.now().Add(-time.Second))
		}
	}
	l.Committed = c.raftIndex(c.now())
	l.Applied = l.Committed
	return l
}

// sealBackend is how one key service is.
type sealBackend struct {
	Name    string `json:"name"`
	Healthy bool   `json:"healthy"`
	Since   string `json:"unhealthy_since,omitempty"`
}

// sealBackends is what sys/seal-backend-status says.
func (c *Cluster) sealBackends() map[string]any {
	one := sealBackend{Name: "shamir", Healthy: c.ailing.IsZero(), Since: stamp(c.ailing)}
	if c.auto != "" {
		one.Name = c.auto
	}
	out := map[string]any{"healthy": one.Healthy, "fully_wrapped": one.Healthy, "backends": []sealBackend{one}}
	if !one.Healthy {
		out["unhealthy_since"] = one.Since
	}
	return out
}

// unseal takes one share of the unseal key. Shamir's scheme cannot tell a wrong
// share from a right one: only all together open the barrier, or do not.
func (n *Node) unseal(body []byte) reply {
	c := n.c
	var in struct {
		Key   string
		Reset bool
	}
	if err := json.Unmarshal(body, &in); err != nil && len(bytes.TrimSpace(body)) > 0 {
		return badRequest("failed to parse JSON input: %v", err)
	}
	switch {
	case c.init == nil:
		return badRequest("Vault is not initialized")
	case in.Reset:
		if n.sealed {
			n.progress, n.nonce = nil, ""
		}
		return reply{status: http.StatusOK, body: n.sealStatus()}
	case in.Key == "":
		return badRequest("'key' must be specified in request body as JSON, or 'reset' set to true")
	}
	share, err := hex.DecodeString(in.Key)
	if err != nil {
		if share, err = base64.StdEncoding.DecodeString(in.Key); err != nil {
			return badRequest("'key' must be a valid hex or base64 string")
		}
	}
	if !n.sealed {
		return reply{status: http.StatusOK, body: n.sealStatus()}
	}
	if len(share) < 16 {
		return badRequest("invalid key: key is shorter than minimum 16 bytes")
	}
	if len(share) > 33 {
		return badRequest("invalid key: key is longer than maximum 33 bytes")
	}
	for _, given := range n.progress {
		if bytes.Equal(given, share) {
			return reply{status: http.StatusOK, body: n.sealStatus()}
		}
	}
	if n.nonce == "" {
		n.nonce = c.uuid("unseal nonce", c.next())
	}
	n.progress = append(n.progress, share)
	if len(n.progress) < c.init.threshold {
		return reply{status: http.StatusOK, body: n.sealStatus()}
	}
	given := n.progress
	n.progress, n.nonce = nil, ""
	for _, one := range given {
		if len(one) != len(given[0]) {
			return badRequest("invalid key: failed to compute combined key: all parts must be the same length")
		}
		if !c.init.knows(one) {
			return badRequest("failed to decrypt encrypted stored keys: cipher: message authentication failed")
		}
	}
	n.change(func() { n.sealed = false })
	return reply{status: http.StatusOK, body: n.sealStatus()}
}

func (k *keys) knows(share []byte) bool {
	for _, s := range k.shares {
		if bytes.Equal(s, share) {
			return true
		}
	}
	return false
}

// initialise makes the cluster, for operator init: the only answer that holds the
// keys.
func (n *Node) initialise(body []byte) reply {
	c := n.c
	var in struct {
		Shares    int `json:"secret_shares"`
		Threshold int `json:"secret_threshold"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return badRequest("failed to parse JSON input: %v", err)
	}
	switch {
	case c.init != nil:
		return badRequest("Vault is already initialized")
	case in.Shares < 1 || in.Shares > 255:
		return badRequest("invalid seal configuration: shares must be at least one")
	case in.Threshold < 1:
		return badRequest("invalid seal configuration: threshold must be at least one")
	case in.Threshold > in.Shares:
		return badRequest("invalid seal configuration: threshold cannot be larger than shares")
	case in.Shares > 1 && in.Threshold == 1:
		return badRequest("invalid seal configuration: threshold must be greater than one for multiple shares")
	}
	c.initialise(in.Shares, in.Threshold)
	return reply{status: http.StatusOK, body: map[string]any{
		"keys": c.init.encoded(hex.EncodeToString), "keys_base64": c.init.encoded(base64.StdEncoding.EncodeToString), "root_token": c.init.root,
	}}
}
