package vaultsim

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	leastLag = 400 * time.Millisecond // of a link that is well
	catchUp  = 9                      // seconds of the log that a secondary makes up in one
	canary   = time.Second            // how often the primary writes its time
)

// link is how far a secondary is behind its primary. It follows from the clock: it
// grows no faster than time passes, and shrinks by catchUp.
type link struct {
	from    time.Time     // when the rest was said
	lag     time.Duration // then
	target  time.Duration // where it goes
	stopped bool          // nothing comes over
	seq     uint64        // of the last change taken over
}

func (l link) at(now time.Time) time.Duration {
	d := max(0, now.Sub(l.from))
	switch {
	case l.stopped:
		return l.lag + d
	case l.target >= l.lag:
		return min(l.lag+d, l.target)
	}
	return max(l.lag-catchUp*d, l.target)
}

// SetLag gives a secondary's link a lag that it goes to and keeps: growing no
// faster than time passes, shrinking as it catches up. Zero is a link that is well.
func (c *Cluster) SetLag(lag time.Duration) {
	c.relink(func(l *link) { l.target, l.stopped = max(lag, leastLag), false })
}

// Disconnect stops the replication of a secondary until SetLag.
func (c *Cluster) Disconnect() { c.relink(func(l *link) { l.stopped = true }) }

func (c *Cluster) relink(f func(*link)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	now := c.now()
	c.link.lag, c.link.from = c.link.at(now), now
	f(&c.link)
}

// Lag is how far a secondary is behind.
func (c *Cluster) Lag() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link.at(c.now())
}

// catchUp takes over what has come from the primary by now. The caller holds c.mu.
func (c *Cluster) catchUp() {
	p := c.o.Primary
	if p == nil {
		return
	}
	until := c.now().Add(-c.link.at(c.now()))
	for _, e := range p.log {
		if e.seq > c.link.seq && !e.at.After(until) {
			e.apply(c.store)
			c.link.seq = e.seq
		}
	}
	least := c.link.seq
	for _, s := range p.seconds {
		least = min(least, s.link.seq)
	}
	p.log = slices.DeleteFunc(p.log, func(e entry) bool { return e.seq <= least })
}

// heard is what a secondary last heard of its primary: the time of the canary that
// had come over at the last heartbeat, and the age that it had then.
func (c *Cluster) heard() (written time.Time, age time.Duration) {
	beat := c.now().Truncate(canary)
	if c.link.stopped && c.link.from.Before(beat) {
		beat = c.link.from.Truncate(canary)
	}
	written = beat.Add(-c.link.at(beat)).Truncate(canary)
	if idle := c.o.Primary.idle; !idle.IsZero() && written.After(idle) {
		written = idle.Truncate(canary)
	}
	d := c.digest("canary", strconv.FormatInt(beat.Unix(), 10))
	return written, c.now().Truncate(canary).Sub(written) + time.Duration(40+int(d[0]))*time.Millisecond
}

// connected says whether a secondary reaches its primary.
func (c *Cluster) connected() bool {
	return !c.link.stopped && c.o.Primary.active() != nil && c.active() != nil
}

func (c *Cluster) performanceMode() string {
	switch {
	case c.o.Primary != nil:
		return "secondary"
	case len(c.seconds) > 0:
		return "primary"
	}
	return "disabled"
}

// replicationID is the id that a primary and its secondaries share.
func (c *Cluster) replicationID() string {
	if c.o.Primary != nil {
		return c.o.Primary.replicationID()
	}
	return c.uuid("replication id")
}

// merkle is the root of the tree at a position of the log.
func (c *Cluster) merkle(wal uint64) string {
	if c.o.Primary != nil {
		return c.o.Primary.merkle(wal)
	}
	d := c.digest("merkle", strconv.FormatUint(wal, 10))
	return hex.EncodeToString(d[:20])
}

// replication is what sys/replication/performance/status says. Numbers of
// milliseconds are text there.
func (c *Cluster) replication() map[string]any {
	mode := c.performanceMode()
	if mode == "disabled" {
		return map[string]any{"mode": mode}
	}
	out := map[string]any{
		"mode": mode, "cluster_id": c.replicationID(), "corrupted_merkle_tree": false, "last_corruption_check_epoch": "-62135596800",
		"ssct_generation_counter": 0,
	}
	if mode == "primary" {
		wal := c.walAt(c.now())
		known, peers := []string{}, []map[string]any{}
		for _, s := range c.seconds {
			known = append(known, s.secondaryID())
			peer := s.peer(s)
			peer["node_id"] = s.secondaryID()
			peers = append(peers, peer)
		}
		out["known_secondaries"], out["secondaries"] = known, peers
		out["last_performance_wal"], out["last_wal"], out["merkle_root"] = wal, wal, c.merkle(wal)
		out["last_reindex_epoch"], out["primary_cluster_addr"], out["state"] = "0", "", "running"
		return out
	}
	p := c.o.Primary
	written, _ := c.heard()
	wal := p.walAt(written)
	addresses := []string{}
	for _, n := range p.nodes {
		addresses = append(addresses, n.o.Cluster)
	}
	out["known_primary_cluster_addrs"], out["primary_cluster_addr"] = addresses, addresses[0]
	out["last_remote_wal"], out["merkle_root"] = wal, c.merkle(wal)
	out["last_reindex_epoch"] = strconv.FormatInt(c.o.Began.Unix(), 10)
	out["last_start"] = c.o.Active.UTC().Format(time.RFC3339)
	out["secondary_id"] = c.secondaryID()
	out["primaries"] = []map[string]any{c.peer(p)}
	out["connection_state"], out["state"] = "ready", "stream-wals"
	if !c.connected() {
		out["connection_state"], out["state"] = "transient_failure", "idle"
	}
	return out
}

// peer is one end of the link of secondary c as the other tells it: of is the
// cluster at that end.
func (c *Cluster) peer(of *Cluster) map[string]any {
	beat := c.now().Truncate(canary)
	if c.link.stopped {
		beat = c.link.from.Truncate(canary)
	}
	_, age := c.heard()
	status, node := "connected", of.nodes[0]
	if active := of.active(); active != nil {
		node = active
	}
	if !c.connected() {
		status = "disconnected"
	}
	return map[string]any{
		"api_address": node.o.API, "cluster_address": node.o.Cluster, "connection_status": status, "clock_skew_ms": "0",
		"last_heartbeat": beat.Format(time.RFC3339), "last_heartbeat_duration_ms": "1",
		"replication_primary_canary_age_ms": strconv.FormatInt(age.Milliseconds(), 10),
	}
}

func (c *Cluster) secondaryID() string { return c.uuid("secondary id") }

// replicationStatus answers the status paths, which need no token.
func (q *request) replicationStatus() reply {
	c := q.c
	q.mountType = ""
	disabled := map[string]any{"mode": "disabled"}
	switch {
	case !c.o.Enterprise && q.path == "sys/replication/status":
		return q.answer(disabled)
	case !c.o.Enterprise:
		return refuse(404, "enterprise-only feature")
	case q.path == "sys/replication/status":
		return q.answer(map[string]any{"dr": disabled, "performance": c.replication()})
	case q.path == "sys/replication/performance/status":
		return q.answer(c.replication())
	}
	return q.answer(disabled)
}

// index is X-Vault-Index: up to where the log must be for a reader of what was just
// written.
func (c *Cluster) index() string {
	p := c
	if c.o.Primary != nil {
		p = c.o.Primary
	}
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "v1:%s:0:%d:%s", c.replicationID(), p.walAt(p.now()), p.merkle(p.wal)))
}

// arrived says whether everything that a request wants to have been written is
// here. Only an enterprise cluster looks.
func (c *Cluster) arrived(wanted []string) bool {
	if !c.o.Enterprise || c.o.Primary == nil {
		return true
	}
	written, _ := c.heard()
	here := c.o.Primary.walAt(written)
	for _, one := range wanted {
		raw, err := base64.StdEncoding.DecodeString(one)
		if err != nil {
			continue
		}
		f := strings.Split(string(raw), ":")
		if len(f) != 5 || f[0] != "v1" || f[1] != c.replicationID() {
			continue
		}
		if n, err := strconv.ParseUint(f[3], 10, 64); err == nil && n > here {
			return false
		}
	}
	return true
}
