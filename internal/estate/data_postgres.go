package estate

import "time"

// LoginOutcome says what a login proved about a credential.
type LoginOutcome string

// Outcomes of a login. After LoginBarred the server's answer came after
// authentication, which proves the password right although the session was
// refused; after LoginBusy it came before, which proves nothing.
const (
	LoginAccepted LoginOutcome = "accepted"
	LoginBarred   LoginOutcome = "password right, session refused"
	LoginBusy     LoginOutcome = "inconclusive"
	LoginWrong    LoginOutcome = "refused"            // 28P01: one code for six causes
	LoginTrusted  LoginOutcome = "not asked"          // pg_hba trust: any password would do
	LoginWeak     LoginOutcome = "weak method"        // cleartext or MD5 asked for, too cheap or too costly a SCRAM, or a server that did not prove itself; Message says which
	LoginRejected LoginOutcome = "rejected by pg_hba" // 28000 before authentication
	LoginNoSuch   LoginOutcome = "no version"         // the staging label has no version
	LoginUnusable LoginOutcome = "unusable"           // the stored value cannot be used; Message says why
)

// Login is one attempt to log in with one version of a stored secret.
type Login struct {
	Secret   string
	Stage    Stage
	Version  string // version id of the credential tried
	User     string
	Database string
	Outcome  LoginOutcome
	SQLState string // five characters; empty when the server gave none
	Message  string // the server's words, scrubbed and stripped
	TLS      bool
	// Remembered is when the credential was read, where the store did not answer
	// now; zero when it was just read.
	Remembered time.Time
}

// Role is what pg_roles says of the role that applications log in as.
type Role struct {
	Name       string
	Exists     bool
	CanLogin   bool
	ValidUntil time.Time // zero means no end
	Infinite   bool      // VALID UNTIL 'infinity'
	ConnLimit  int       // -1 is no limit
	InUse      int       // its sessions now
}

// Connections is the use of connection slots and who waits for whom.
type Connections struct {
	Used, Max, Reserved int
	Blocked             int           // sessions waiting for a lock
	OldestBlocked       time.Duration // how long the first of them has waited
	OldSessions         int           // of the application role, older than the last rotation; -1 when that time is unknown
}

// Standby is one replica as the primary sees it.
type Standby struct {
	Name, State string
	LagBytes    int64
}

// Replication is how far replicas are behind, in bytes of WAL: time-based lag
// misleads both when idle and when replay is paused.
type Replication struct {
	InRecovery bool
	Standbys   []Standby // on a primary
	LagBytes   int64     // on a replica: received but not replayed
	Paused     bool      // replay is paused
	Connected  bool      // the WAL receiver runs
	LastReplay time.Time // commit time of the last replayed transaction; zero if none
}

func (Login) data()       {}
func (Role) data()        {}
func (Connections) data() {}
func (Replication) data() {}
