package estate

import "time"

// VaultHealth is what sys/health says to anybody. It is read from the body: the
// status code alone misleads.
type VaultHealth struct {
	Initialized bool
	Sealed      bool
	Standby     bool
	PerfStandby bool // Enterprise: a standby that serves reads
	NoActive    bool // a standby that cannot reach the active node
	Removed     bool // removed from its raft cluster
	Enterprise  bool
	Version     string
	ClusterName string
	ClusterID   string
	ClockSkew   time.Duration // their clock minus ours
	Code        int           // HTTP status, as said by this node
}

// VaultSeal is what sys/seal-status says to anybody.
type VaultSeal struct {
	Type        string // shamir, awskms, transit …
	Storage     string // raft, file, inmem, consul …
	Initialized bool
	Sealed      bool
	Shares      int
	Threshold   int
	Progress    int // key shares given to an unseal under way
	Recovery    bool
	Migration   bool
}

// VaultNode is one node of an HA cluster, by sys/ha-status.
type VaultNode struct {
	Host     string
	Address  string // its API address
	Active   bool
	Version  string
	LastEcho time.Time // when the active node last heard of it; zero for the active node
}

// VaultNodes are the nodes of an HA cluster.
type VaultNodes struct{ Nodes []VaultNode }

// VaultRaftServer is one server of raft storage, by autopilot.
type VaultRaftServer struct {
	ID, Address string
	Status      string // leader, voter, non-voter
	Healthy     bool
	LastContact time.Duration
	LastIndex   uint64
}

// VaultRaft is what raft's autopilot says. On other storage the read fails with
// NotSupported.
type VaultRaft struct {
	Healthy          bool
	FailureTolerance int // servers that may fail
	Leader           string
	Servers          []VaultRaftServer
}

// VaultReplicationSet is one of the two kinds of replication of Vault
// Enterprise.
type VaultReplicationSet struct {
	Kind        string // performance or dr
	Mode        string // disabled, primary, secondary, bootstrapping
	State       string // stream-wals is good; merkle-diff, merkle-sync and idle are not
	LastWAL     uint64 // on a primary: its last log entry of this kind
	RemoteWAL   uint64 // on a secondary: the last entry taken over from the primary
	Connection  string // connected, disconnected …
	CanaryAge   time.Duration
	CanaryKnown bool // CanaryAge was told: how far a secondary is behind, as time
	Secondaries []VaultSecondary
}

// VaultSecondary is a secondary as its primary sees it.
type VaultSecondary struct {
	ID, Connection string
	CanaryAge      time.Duration
	CanaryKnown    bool
}

// VaultReplication is what sys/replication/status says. The Community Edition
// answers that both kinds are disabled: then Licensed is false.
type VaultReplication struct {
	Licensed bool
	Sets     []VaultReplicationSet
}

// VaultPair compares the KV metadata of a cluster with that of another: what
// stands in for replication on the Community Edition, where a script copies.
type VaultPair struct {
	With     string    // name of the other cluster
	Compared int       // secrets looked at on both sides
	Behind   int       // of an older version here
	Missing  int       // not here
	Extra    int       // only here
	Oldest   time.Time // when the oldest change that is not here was made there; zero if none
	Complete bool      // false: a sample, because the tree is larger than the limit
}

// VaultMount is one secrets engine or auth method.
type VaultMount struct {
	Path    string
	Type    string // kv, database, pki, token, approle …
	Version string // of KV: 1 or 2
}

// VaultMounts are the secrets engines, or the auth methods.
type VaultMounts struct{ Mounts []VaultMount }

// VaultAuditDevice is one audit device.
type VaultAuditDevice struct{ Path, Type, Target string }

// VaultAudit are the audit devices. None means that nothing is recorded.
type VaultAudit struct{ Devices []VaultAuditDevice }

// VaultCount is how many secrets the KV mounts hold, by listing names only.
type VaultCount struct {
	Secrets  int
	Folders  int // folders listed
	Mounts   int
	Denied   int  // folders that we may not list
	Unlisted int  // folders whose listing failed otherwise: too large, too slow
	Complete bool // false: the limit was reached, or something could not be listed; Secrets is what was seen, Estimate what that suggests
	Running  bool // the count goes on: Secrets is its progress
	Estimate int  // of all, from the share of folders that were listed; equal to Secrets when Complete
	Limit    int  // listings that one count may make
	Usable   bool // the list of mounts is denied: only those are in it that the token may use
}

// VaultStaticRole is a database role whose password Vault rotates.
type VaultStaticRole struct {
	Mount, Name  string
	User         string
	LastRotation time.Time
	Period       time.Duration // 0 when a schedule decides
	Schedule     string
	Due          time.Time     // when the next rotation is due after LastRotation; zero if Vault never rotated it
	TTL          time.Duration // until Due, as it was read; 0 that stays is a rotation that fails
	Failure      string        // why this one could not be read
}

// VaultStaticRoles are the static roles of every database mount.
type VaultStaticRoles struct {
	Roles   []VaultStaticRole
	Partial bool // there are more than one read may look at
	Usable  bool // the list of mounts is denied: only roles of those are in it that the token may use
}

// VaultToken is what lookup-self says of the token with which we read.
type VaultToken struct {
	Name      string // display name
	Policies  []string
	Expires   time.Time // zero: never
	Renewable bool
	Root      bool
}

func (VaultHealth) data()      {}
func (VaultSeal) data()        {}
func (VaultNodes) data()       {}
func (VaultRaft) data()        {}
func (VaultReplication) data() {}
func (VaultPair) data()        {}
func (VaultMounts) data()      {}
func (VaultAudit) data()       {}
func (VaultCount) data()       {}
func (VaultStaticRoles) data() {}
func (VaultToken) data()       {}
