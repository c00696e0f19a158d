package estate

// FailureKind says why a read brought no data. It decides the status: see
// Status.
type FailureKind string

// What can go wrong with a read.
const (
	NotYetRead    FailureKind = "not read yet"
	NoCheck       FailureKind = "no check"
	Denied        FailureKind = "not permitted"       // this read is forbidden to us
	NoIdentity    FailureKind = "no identity"         // our own credentials are missing, wrong or expired
	Silent        FailureKind = "no answer"           // timed out, or accepted the connection and said nothing
	Unresolved    FailureKind = "name not found"      // the host name does not resolve from here
	Throttled     FailureKind = "throttled"           // the system asked us to slow down
	Broken        FailureKind = "check broken"        // a fault of ours: a panic, an impossible answer
	Paused        FailureKind = "held back"           // not repeated so as to do no harm
	NoCredential  FailureKind = "credential not read" // what the read needs from a secret store did not come; says nothing of the target
	NotSupported  FailureKind = "not supported here"  // the system's version or kind does not know this read
	Sealed        FailureKind = "sealed"              // the Vault is sealed and says nothing else; its seal status is the failure
	Uninitialised FailureKind = "not initialised"     // the Vault was never initialised and says nothing else; its seal status is the failure
	Misconfigure  FailureKind = "not configured"      // warroom.yaml lacks what the read needs
	Refused       FailureKind = "refused"             // connection refused, reset, TLS alert
	ServerError   FailureKind = "server error"        // 5xx and its like
	BadAnswer     FailureKind = "bad answer"          // what came back is not the protocol
	Missing       FailureKind = "does not exist"      // the system says there is no such thing
	BadSecret     FailureKind = "unusable secret"     // the stored value is not what its users need
	OutOfReach    FailureKind = "out of reach"        // what would tell us of the target is down; says nothing of the target
	Lagging       FailureKind = "the watch lags"      // the system knows more than it tells us
)

// Status is Fail for what the target itself says no to, and Unknown for a read
// that we may not make, that got no answer or that was never made.
func (k FailureKind) Status() Status {
	switch k {
	case Refused, ServerError, BadAnswer, Missing, BadSecret:
		return Fail
	}
	return Unknown
}

// Failure is why a read brought no data. It is an error so that checks can wrap
// and return it.
type Failure struct {
	Kind   FailureKind
	Doing  string // what was being done and to what: "read rotation of prod/db/postgres"
	Detail string // what happened, scrubbed and stripped of control characters
	Next   string // what to do about it; may be empty
}

// Error reads: doing: kind: detail; next.
func (f *Failure) Error() string {
	s := string(f.Kind)
	if f.Doing != "" {
		s = f.Doing + ": " + s
	}
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	if f.Next != "" {
		s += "; " + f.Next
	}
	return s
}
