package vaultsim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Storage backends.
const (
	Raft  = "raft"
	File  = "file"
	InMem = "inmem"
)

// Options are what a Cluster is made from. Zero values have defaults.
type Options struct {
	// Clock is the simulated now; time.Now when nil.
	Clock func() time.Time
	// Pace is the clock of rate limits and of what is counted; time.Now when nil.
	Pace func() time.Time
	// Seed decides ids, tokens, unseal keys and drawn secrets.
	Seed uint64
	// Name is the cluster's name; vault-cluster-… drawn from the seed when empty.
	Name string
	// Version without its edition; 1.19.0 when empty. Build is the build date.
	Version string
	Build   time.Time
	// Enterprise makes it the enterprise edition, with a license until License, and
	// performance standbys.
	Enterprise bool
	License    time.Time
	// Namespace is the one namespace beside the root that is served, with the same
	// content; other names are unknown.
	Namespace string
	// Storage is Raft, File or InMem; Raft when empty. Only raft has standbys.
	Storage string
	// Nodes are the nodes; one on http://127.0.0.1:8200 when empty. The first is
	// active at the start.
	Nodes []NodeOptions
	// Shares and Threshold are of the unseal keys; 5 and 3 when zero.
	Shares, Threshold int
	// Began is when the cluster was initialised; now when zero. Since is how long
	// its active node has been that; it began a day after Began, at the most now.
	Began time.Time
	// Active is when the active node became that; Began when zero.
	Active time.Time
	// Uninitialized leaves the initialisation to a client.
	Uninitialized bool
	// Writes is how many entries a second it writes to its log by itself, the
	// canary of replication among them; 3 when zero.
	Writes int
	// Primary makes this cluster a performance secondary of another, an enterprise
	// one, whose content it takes over. Lag is how far behind it is.
	Primary *Cluster
	Lag     time.Duration
	// Latency is added to every answer.
	Latency time.Duration
}

// NodeOptions are one node: its name and the URLs that it tells others.
type NodeOptions struct {
	Name    string // node1 …
	Host    string // hostname; Name when empty
	API     string // https://…:8200
	Cluster string // https://…:8201
}

// Cluster is one Vault cluster. It is safe for concurrent use. Clusters that
// replicate share one lock.
type Cluster struct {
	o       Options
	meter   *meter
	rotates sync.Mutex // one rotation of a database password at a time; taken before mu
	rotate  func(database, user, password string) error

	mu      *sync.Mutex // guards everything below
	nodes   []*Node
	order   []*Node   // whose turn it is to be active
	idle    time.Time // since when no node is active; zero while one is
	lost    *Node     // the one that was active when it went away, while none is
	serial  uint64
	init    *keys // nil: not initialised
	store   *store
	tokens  map[string]*token
	log     []entry    // on a primary: what its secondaries have not all taken over
	wal     uint64     // log entries beside those that it writes by itself
	link    link       // of a secondary
	seconds []*Cluster // of a primary
	faults  map[string]*Fault
	limit   *bucket   // rate limit quota
	auto    string    // the key service that seals it, awskms for one; empty for shares
	ailing  time.Time // since when that is unhealthy; zero while it is well
	latency time.Duration
}

// keys are the unseal keys and how many of them unseal.
type keys struct {
	shares    [][]byte
	threshold int
	root      string // the initial root token
}

// entry is one change of the log: secondaries repeat it.
type entry struct {
	at    time.Time
	seq   uint64 // how many changes there were with it
	apply func(*store)
}

// New makes a cluster: initialised and unsealed unless o says otherwise, with a KV
// store nowhere and the system's own mounts.
func New(o Options) *Cluster {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Pace == nil {
		o.Pace = time.Now
	}
	if o.Version == "" {
		o.Version = "1.19.0"
	}
	if o.Storage == "" {
		o.Storage = Raft
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []NodeOptions{{API: "http://127.0.0.1:8200", Cluster: "https://127.0.0.1:8201"}}
	}
	if o.Storage != Raft {
		o.Nodes = o.Nodes[:1]
	}
	if o.Shares <= 0 || o.Threshold <= 0 {
		o.Shares, o.Threshold = 5, 3
	}
	if o.Writes <= 0 {
		o.Writes = 3
	}
	now := o.Clock().UTC()
	if o.Began.IsZero() {
		o.Began = now
	}
	if o.Active.IsZero() {
		o.Active = o.Began
	}
	if o.Build.IsZero() {
		o.Build = time.Date(2025, 3, 4, 12, 36, 40, 0, time.UTC)
	}
	c := &Cluster{
		o: o, meter: newMeter(o.Pace), mu: &sync.Mutex{}, tokens: map[string]*token{}, faults: map[string]*Fault{}, latency: o.Latency,
	}
	if c.o.Name == "" {
		c.o.Name = "vault-cluster-" + c.uuid("cluster name")[:8]
	}
	for i, n := range o.Nodes {
		if n.Name == "" {
			n.Name = fmt.Sprintf("node%d", i+1)
		}
		if n.Host == "" {
			n.Host = n.Name
		}
		c.nodes = append(c.nodes, &Node{c: c, o: n, sealed: o.Uninitialized, since: o.Began})
	}
	c.order = c.nodes
	if o.Uninitialized {
		c.idle = now
	}
	if o.Primary != nil {
		c.mu = o.Primary.mu
		c.o.Enterprise, o.Primary.o.Enterprise = true, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !o.Uninitialized {
		c.initialise(o.Shares, o.Threshold)
	}
	if p := o.Primary; p != nil {
		p.seconds = append(p.seconds, c)
		c.store = p.store.clone()
		c.link = link{from: now, lag: max(o.Lag, leastLag), target: max(o.Lag, leastLag), seq: p.wal}
	}
	return c
}

// initialise makes the unseal keys, the root token and the empty store.
func (c *Cluster) initialise(shares, threshold int) {
	k := &keys{threshold: threshold, root: "hvs." + c.text("root token", 24)}
	for i := range shares {
		d := c.digest("unseal key", fmt.Sprint(i))
		k.shares = append(k.shares, append(d[:], byte(i+1))) // as Shamir's shares are: 32 bytes and the point
	}
	c.init = k
	c.store = newStore(c)
	c.tokens[k.root] = &token{
		id: k.root, accessor: c.text("root accessor", 24), display: "root", policies: []string{"root"}, path: "auth/token/root", orphan: true,
		created: c.o.Began, kind: "service",
	}
}

// Node is one node of the cluster, to be served.
func (c *Cluster) Node(i int) *Node { return c.nodes[i] }

// ServeHTTP answers as the first node.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.nodes[0].ServeHTTP(w, r) }

// RootToken is the initial root token. It is a secret.
func (c *Cluster) RootToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.init == nil {
		return ""
	}
	return c.init.root
}

// UnsealKeys are the shares of the unseal key in base64. They are secrets.
func (c *Cluster) UnsealKeys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.init.encoded(base64.StdEncoding.EncodeToString)
}

func (k *keys) encoded(f func([]byte) string) []string {
	out := []string{}
	if k != nil {
		for _, s := range k.shares {
			out = append(out, f(s))
		}
	}
	return out
}

// Format keeps what the cluster holds out of every formatter.
func (c *Cluster) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "Vault cluster "+c.o.Name) }

// OnRotate installs what changes a password in a database: it is called for every
// rotation of a static role and of a database's root user, without a lock held, and
// what it returns is what the database said.
func (c *Cluster) OnRotate(f func(database, user, password string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rotate = f
}

// SetAutoSeal has a key service of that type seal the cluster, in place of shares.
func (c *Cluster) SetAutoSeal(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auto = kind
}

// SetSealHealthy makes that key service answer, or not.
func (c *Cluster) SetSealHealthy(healthy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ailing = time.Time{}
	if !healthy {
		c.ailing = c.now()
	}
}

// SetLatency changes what is added to every answer.
func (c *Cluster) SetLatency(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latency = d
}

// commit makes a change to what the cluster stores and logs it for its
// secondaries. What apply sets it must have drawn before: it runs once a cluster.
// The caller holds c.mu.
func (c *Cluster) commit(apply func(*store)) {
	apply(c.store)
	c.wal++
	if len(c.seconds) > 0 {
		c.log = append(c.log, entry{at: c.now(), seq: c.wal, apply: apply})
		for _, s := range c.seconds {
			s.catchUp() // so that the log keeps no more than they lack
		}
	}
}

// setup is commit for what was there before: secondaries have it at once. The
// cluster has been initialised.
func (c *Cluster) setup(apply func(*store)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	apply(c.store)
	for _, s := range c.seconds {
		apply(s.store)
	}
}

// walAt is the number of the last entry of the log at a time: what it writes by
// itself, and what was committed until then. The caller holds c.mu.
func (c *Cluster) walAt(at time.Time) uint64 {
	d := c.digest("first wal")
	n := uint64(binary.BigEndian.Uint16(d[:2])) + c.wal
	if !c.idle.IsZero() && at.After(c.idle) {
		at = c.idle // nothing is written without an active node
	}
	if s := at.Sub(c.o.Began); s > 0 {
		n += uint64(s/time.Second) * uint64(c.o.Writes)
	}
	for _, e := range c.log { // those later than at are not yet written then
		if e.at.After(at) {
			n--
		}
	}
	return n
}

func (c *Cluster) now() time.Time { return c.o.Clock().UTC() }

// ha says whether the storage allows standbys.
func (c *Cluster) ha() bool { return c.o.Storage == Raft }

// version as health calls it.
func (c *Cluster) version() string {
	if c.o.Enterprise {
		return c.o.Version + "+ent"
	}
	return c.o.Version
}

// id is the cluster's id.
func (c *Cluster) id() string { return c.uuid("cluster id") }

// digest is 32 bytes that follow from the seed and the parts alone.
func (c *Cluster) digest(parts ...string) [32]byte { return digest(c.o.Seed, parts...) }

func digest(seed uint64, parts ...string) [32]byte {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, seed)
	for _, p := range parts {
		_, _ = io.WriteString(h, fmt.Sprint(len(p))+":"+p)
	}
	return [32]byte(h.Sum(nil))
}

// uuid is a UUID as Vault draws them, from the seed and the parts.
func (c *Cluster) uuid(parts ...string) string {
	d := c.digest(parts...)
	x := hex.EncodeToString(d[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// text draws n letters and digits.
func (c *Cluster) text(of string, n int) string { return drawn(c.o.Seed, n, of) }

func drawn(seed uint64, n int, parts ...string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, n)
	for round := 0; len(out) < n; round++ {
		d := digest(seed, append([]string{fmt.Sprint("text", round)}, parts...)...)
		for _, b := range d {
			if int(b) < 4*len(alphabet) && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// next numbers things that must differ; the caller holds c.mu.
func (c *Cluster) next() string {
	c.serial++
	return fmt.Sprint(c.serial)
}
