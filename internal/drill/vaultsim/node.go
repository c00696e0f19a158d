package vaultsim

import (
	"net/http"
	"slices"
	"time"
)

// Node is one node of a cluster. It is an http.Handler.
type Node struct {
	c *Cluster
	o NodeOptions

	// Guarded by the cluster's lock.
	sealed   bool
	down     bool
	cut      bool // cannot reach the active node
	removed  bool
	since    time.Time // of the last change of the above
	nonce    string
	progress [][]byte // shares given
}

// ServeHTTP answers one request as this node.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) { n.serve(w, r) }

// Seal seals this node, as a restart does.
func (n *Node) Seal() { n.set(func() { n.sealed, n.progress, n.nonce = true, nil, "" }) }

// Unseal unseals this node.
func (n *Node) Unseal() { n.set(func() { n.sealed, n.progress, n.nonce = false, nil, "" }) }

// SetDown takes the node away, connections and all, or brings it back.
func (n *Node) SetDown(down bool) { n.set(func() { n.down = down }) }

// SetCut keeps a standby from reaching the active node, or ends that.
func (n *Node) SetCut(cut bool) { n.set(func() { n.cut = cut }) }

// SetRemoved removes the node from its raft cluster, or takes it back.
func (n *Node) SetRemoved(removed bool) { n.set(func() { n.removed = removed }) }

func (n *Node) set(f func()) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.change(f)
}

// change changes a node's state; the caller holds the lock.
func (n *Node) change(f func()) {
	before := n.c.active()
	f()
	n.since = n.c.now()
	switch after := n.c.active(); {
	case after == nil && n.c.idle.IsZero():
		n.c.idle = n.since
		if before != nil && before.down {
			n.c.lost = before
		}
	case after != nil && after != before:
		n.c.o.Active, n.c.idle, n.c.lost = n.since, time.Time{}, nil
	}
}

// leads is the node that standbys take for the active one: one that went away
// without a word stays that until another is elected. The caller holds the lock.
func (c *Cluster) leads() *Node {
	if active := c.active(); active != nil {
		return active
	}
	return c.lost
}

// serves says whether the node takes part in the cluster.
func (n *Node) serves() bool { return !n.sealed && !n.down && !n.removed }

// active is the active node: the first that serves, or none without a quorum. The
// caller holds the lock.
func (c *Cluster) active() *Node {
	serving := 0
	var first *Node
	for _, n := range c.order {
		if n.serves() && !n.cut {
			if serving++; first == nil {
				first = n
			}
		}
	}
	if 2*serving <= c.voters() {
		return nil
	}
	return first
}

func (c *Cluster) voters() int {
	n := 0
	for _, one := range c.nodes {
		if !one.removed {
			n++
		}
	}
	return n
}

// standby says whether the node is a standby, of whatever kind: as Vault does, a
// sealed node is one too.
func (n *Node) standby() bool { return n.sealed || n.c.active() != n }

// perfStandby says whether the node is one that serves reads.
func (n *Node) perfStandby() bool {
	return n.c.o.Enterprise && !n.sealed && n.c.active() != nil && n.c.active() != n && !n.cut
}

// StepDown makes the next serving node active.
func (c *Cluster) StepDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stepDown()
}

func (c *Cluster) stepDown() {
	i := slices.Index(c.order, c.active())
	if i < 0 || len(c.order) == 1 {
		return
	}
	c.order = slices.Concat(c.order[i+1:], c.order[:i+1])
	c.o.Active = c.now()
}
