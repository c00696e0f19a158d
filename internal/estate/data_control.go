package estate

import "time"

// RotationEvent is one event of a rotation that CloudTrail recorded.
type RotationEvent struct {
	At     time.Time
	What   RotationOutcome
	Secret string // its name or ARN as recorded
	Error  string // scrubbed and stripped; empty when none is told
}

// RotationOutcome is the name of a rotation event.
type RotationOutcome string

// The events of a rotation, as CloudTrail names them. RotationAbandoned: a new
// version made by hand took AWSPENDING away.
const (
	RotationStarted   RotationOutcome = "RotationStarted"
	RotationSucceeded RotationOutcome = "RotationSucceeded"
	RotationFailed    RotationOutcome = "RotationFailed"
	RotationAbandoned RotationOutcome = "RotationAbandoned"
)

// RotationEvents are the rotation events of one account and region over Window.
// CloudTrail delivers them minutes late.
type RotationEvents struct {
	Account                               string        // name in warroom.yaml
	Window                                time.Duration // the time before the read that all counts cover: the configured one, shorter when Partial
	Started, Succeeded, Failed, Abandoned int
	Events                                []RotationEvent // newest first, at most 100
	Partial                               bool            // there was more than one read may look at: the counts are of the newest
}

// Change is one write that somebody made to something on which secrets depend.
type Change struct {
	At     time.Time
	What   string // the event's name: PutSecretValue, RevokeSecurityGroupEgress, rollout …
	Target string // what was changed
	By     string // who: ARN or name, stripped
	From   string // source address or agent; empty when not told
	Where  string // the account, or the cluster
	Detail string // what more is known, in one line
	Failed string // the error code, when the write was refused
	// ByRotation says that rotation itself made it: the service, or the rotation
	// function by its role.
	ByRotation bool
}

// Changes are the recent writes of one account and region, newest first, as far
// as they touch what the estate names.
type Changes struct {
	Account string
	Window  time.Duration // the time before the read that was looked at: the configured one, shorter when Partial
	Changes []Change      // newest first, at most 100; where there were more, those by rotation went first
	Looked  int           // events looked at
	Partial bool          // there were more than one read may look at: older ones are missing
	Unread  string        // why a part could not be read (the events of global services, in another region); empty when all was
}

// Trail is one CloudTrail trail.
type Trail struct {
	Name                 string
	MultiRegion, Logging bool
	Management           string // which management events it records: all, write, read, some (a selector narrows them), none
	Validated            bool   // log file validation is on
	Delivered            time.Time
	Error                string // of the last delivery
	Unread               string // why its status or selectors could not be read; Logging or Management say nothing then
}

// Trails are the trails that record an account and region.
type Trails struct {
	Account string
	Trails  []Trail
}

// Permission is one action that a role may or may not do, as IAM simulates it.
type Permission struct {
	Action, Resource string
	Decision         string // allowed, implicitDeny, explicitDeny
	By               string // the policy that decided, where one did
	Lacks            string // the condition keys that the simulation was not told of and that would have counted
}

// Permissions is what the rotation role may do. A simulation does not see the
// resource policies of secrets nor key policies; it says so in its figure.
type Permissions struct {
	Role        string
	Permissions []Permission
}

// FailedAuths is a count of failed authentications from one source, with those
// of earlier windows to compare with.
type FailedAuths struct {
	Source  string // name of the source in warroom.yaml
	Window  time.Duration
	Failed  float64
	Total   float64   // -1 when the source does not count attempts
	Ours    float64   // failures of our own probes, already left out of Failed
	Earlier []float64 // of the windows before, newest first; empty when the source has no history
	Metric  string    // how it was asked
	Partial bool      // there was more than one read may look at: Failed is at least this
}

// Gauge is one number from a metrics server.
type Gauge struct {
	Value float64
	Query string
}

// Listener is one listener of a load balancer with the certificates that it
// serves.
type Listener struct {
	Port         int
	Protocol     string
	Policy       string // the TLS policy
	Certificates []ManagedCertificate
}

// ManagedCertificate is a certificate of ACM, or one that IAM holds, of which
// only the ARN is known.
type ManagedCertificate struct {
	ARN         string
	Default     bool // served when no server name matches
	Domain      string
	Names       []string
	Status      string // ISSUED, EXPIRED, REVOKED, PENDING_VALIDATION, FAILED …
	Type        string // AMAZON_ISSUED, IMPORTED, PRIVATE
	NotBefore   time.Time
	NotAfter    time.Time
	Renewal     string // status of the managed renewal; empty when there is none
	RenewalNote string // its reason
	Eligible    bool   // ACM renews it by itself
	Serial      string // hex
	Failure     string // why ACM could not be asked of it
}

// Listeners are the TLS listeners of one load balancer of elbv2.
type Listeners struct {
	Balancer  string // its ARN
	Name      string
	DNSName   string
	State     string // active, provisioning, active_impaired, failed
	Listeners []Listener
}

// Authorizer is one authorizer of an API of API Gateway.
type Authorizer struct {
	ID, Name string
	Type     string // JWT, REQUEST, TOKEN, COGNITO_USER_POOLS
	Issuer   string
	Audience []string
	Function string // ARN of the Lambda authorizer, where it is one
}

// Authorizers are the authorizers of one API.
type Authorizers struct {
	API         string
	Authorizers []Authorizer
}

// SecretLife is the end of life of one secret of an inventory.
type SecretLife struct {
	Name string
	Ends time.Time // by its tag, or its next rotation
	Tag  bool      // Ends comes from a tag; else it is the date of the next rotation
}

func (RotationEvents) data() {}
func (Changes) data()        {}
func (Trails) data()         {}
func (Permissions) data()    {}
func (FailedAuths) data()    {}
func (Gauge) data()          {}
func (Listeners) data()      {}
func (Authorizers) data()    {}
