package pgsim

import (
	"crypto/tls"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Options are what a Cluster is made with. Zero values have defaults.
type Options struct {
	// Now is the drill's clock, for VALID UNTIL, session ages and the WAL; the
	// system's when nil. Network deadlines always follow the system's.
	Now func() time.Time
	// Seed decides the figures that nobody sets: LSNs, sizes of WAL records.
	Seed uint64
	// ServerVersion is what the servers call themselves; 15.8 when empty.
	ServerVersion string
	// TLS is offered to clients that ask for it; nil answers that TLS is not
	// supported. Its first certificate is the one bound by SCRAM-SHA-256-PLUS.
	TLS *tls.Config
	// Databases are made at the start beside postgres.
	Databases []string
	// MaxConnections and ReservedConnections are max_connections (100) and
	// superuser_reserved_connections (3).
	MaxConnections, ReservedConnections int
	// WALRate is how many bytes of WAL the primary writes by itself in a second
	// of the drill's clock; 0 for none.
	WALRate int64
	// HandshakeTimeout bounds a login, as authentication_timeout; 15 seconds when
	// zero.
	HandshakeTimeout time.Duration
	// Refused is told of each login that failed authentication (28P01), before
	// the client is, as the server's log would be; nil for nobody.
	Refused func(Refusal)
}

// Refusal is a login that failed authentication.
type Refusal struct {
	At                                  time.Time
	User, Database, Application, Client string // Client is its address, with the port
	Replica                             bool
}

// Role is one role of the cluster.
type Role struct {
	Name       string
	Verifier   string    // rolpassword: SCRAM-SHA-256$…; empty refuses every password
	CanLogin   bool      // LOGIN
	ValidUntil time.Time // VALID UNTIL; zero for none
	Infinite   bool      // VALID UNTIL 'infinity'
	ConnLimit  int       // CONNECTION LIMIT; -1 for none
	Superuser  bool
	Monitor    bool     // member of pg_monitor
	CreateRole bool     // CREATEROLE, as before PostgreSQL 16: it may change every role that is no superuser
	MemberOf   []string // roles that were granted to it
}

// database is one database of the cluster.
type database struct {
	closed  bool            // ALLOW_CONNECTIONS false
	revoked map[string]bool // roles without CONNECT
}

// catalog is the shared catalog at one LSN. It is never changed once recorded.
type catalog struct {
	lsn       int64
	at        time.Time
	roles     map[string]Role
	databases map[string]database
}

// Cluster is a primary and its replica. It is safe for concurrent use.
type Cluster struct {
	opts             Options
	primary, replica *Server

	mu       sync.Mutex
	rng      *rand.Rand
	began    time.Time
	written  int64     // bytes of WAL beside those of WALRate
	history  []catalog // by LSN; the last is the primary's
	paused   bool
	pausedAt int64 // replay position while paused
}

// New makes a cluster with the database postgres and the superuser postgres,
// who has no password yet. It listens nowhere: see Server.Serve.
func New(o Options) *Cluster {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ServerVersion == "" {
		o.ServerVersion = "15.8"
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 100
	}
	if o.ReservedConnections <= 0 {
		o.ReservedConnections = 3
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 15 * time.Second
	}
	c := &Cluster{opts: o, began: o.Now(), rng: rand.New(rand.NewPCG(o.Seed, 0x70677369))}
	c.written = walStart + c.rng.Int64N(1<<20)*8
	first := catalog{lsn: c.written, at: c.began, roles: map[string]Role{}, databases: map[string]database{"postgres": {}}}
	first.roles["postgres"] = Role{Name: "postgres", CanLogin: true, ConnLimit: -1, Superuser: true}
	for _, d := range o.Databases {
		first.databases[d] = database{}
	}
	c.history = []catalog{first}
	c.primary = newServer(c, false)
	c.replica = newServer(c, true)
	return c
}

// Primary is the server that takes changes.
func (c *Cluster) Primary() *Server { return c.primary }

// Replica is the hot standby.
func (c *Cluster) Replica() *Server { return c.replica }

// Close ends both servers with all their connections and waits until they are
// gone.
func (c *Cluster) Close() {
	c.primary.Close()
	c.replica.Close()
}

// SetRole makes or replaces a role on the primary.
func (c *Cluster) SetRole(r Role) {
	c.change(func(next *catalog) { next.roles[r.Name] = r })
}

// SetPassword gives a role a password, as ALTER ROLE … PASSWORD on the primary;
// an empty one removes it. A role that does not exist is made with LOGIN.
func (c *Cluster) SetPassword(role, password string) {
	verifier := ""
	if password != "" {
		verifier = NewVerifier(password, c.salt())
	}
	c.edit(role, func(r *Role) { r.Verifier = verifier })
}

// SetValidUntil is ALTER ROLE … VALID UNTIL; the zero time removes the end.
func (c *Cluster) SetValidUntil(role string, until time.Time) {
	c.edit(role, func(r *Role) { r.ValidUntil, r.Infinite = until, false })
}

// SetConnect is GRANT or REVOKE CONNECT ON DATABASE for one role.
func (c *Cluster) SetConnect(databaseName, role string, granted bool) {
	c.change(func(next *catalog) {
		d := next.databases[databaseName]
		d.revoked = maps.Clone(d.revoked)
		if d.revoked == nil {
			d.revoked = map[string]bool{}
		}
		d.revoked[role] = !granted
		next.databases[databaseName] = d
	})
}

// SetAllowConnections is ALTER DATABASE … ALLOW_CONNECTIONS.
func (c *Cluster) SetAllowConnections(databaseName string, allowed bool) {
	c.change(func(next *catalog) {
		d := next.databases[databaseName]
		d.closed = !allowed
		next.databases[databaseName] = d
	})
}

// RoleOf returns a role as the primary knows it.
func (c *Cluster) RoleOf(name string) (Role, bool) {
	return c.primary.role(name)
}

// edit changes one role of the primary.
func (c *Cluster) edit(name string, f func(*Role)) {
	c.change(func(next *catalog) {
		r, ok := next.roles[name]
		if !ok {
			r = Role{Name: name, CanLogin: true, ConnLimit: -1}
		}
		f(&r)
		next.roles[name] = r
	})
}

// change writes one change of the shared catalog to the WAL.
func (c *Cluster) change(f func(*catalog)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.history[len(c.history)-1]
	next := catalog{roles: maps.Clone(last.roles), databases: maps.Clone(last.databases)}
	f(&next)
	c.written += 160 + c.rng.Int64N(64)*8
	next.lsn, next.at = c.lsn(), c.opts.Now()
	c.history = append(c.history, next)
	c.forget()
}

// forget drops catalogs that neither server can read any more: those before the
// one at the replay position.
func (c *Cluster) forget() {
	at := c.replayed()
	first := 0
	for i, h := range c.history {
		if h.lsn <= at {
			first = i
		}
	}
	c.history = slices.Delete(c.history, 0, first)
}

// catalogFor is the catalog as one of the servers sees it now.
func (c *Cluster) catalogFor(replica bool) catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !replica {
		return c.history[len(c.history)-1]
	}
	at, seen := c.replayed(), c.history[0]
	for _, h := range c.history {
		if h.lsn <= at {
			seen = h
		}
	}
	return seen
}

// lastReplay is the commit time of the last change that the replica replayed.
func (c *Cluster) lastReplay() time.Time { return c.catalogFor(true).at }

// sorted lists the roles by name.
func (c catalog) sorted() []Role {
	var out []Role
	for _, name := range sortedKeys(c.roles) {
		out = append(out, c.roles[name])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// salt draws the salt of a verifier from the seed.
func (c *Cluster) salt() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := make([]byte, 16)
	for i := range s {
		s[i] = byte(c.rng.UintN(256))
	}
	return s
}
