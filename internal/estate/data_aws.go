package estate

import "time"

// Stage is a staging label of AWS Secrets Manager.
type Stage string

// The staging labels that AWS moves during a rotation.
const (
	StageCurrent  Stage = "AWSCURRENT"
	StagePending  Stage = "AWSPENDING"
	StagePrevious Stage = "AWSPREVIOUS"
)

// SecretVersion is one version of a stored secret.
type SecretVersion struct {
	ID     string
	Stages []Stage
}

// SecretDescription is what DescribeSecret says. It holds no value.
type SecretDescription struct {
	Secret              string
	ARN                 string
	RotationEnabled     bool
	RotationFunctionARN string        // empty when AWS rotates it by itself
	RotateEvery         time.Duration // 0 when the schedule is not a plain period
	Schedule            string        // the ScheduleExpression, where there is one
	LastRotated         time.Time     // zero if never
	NextRotation        time.Time     // zero if none; the past means that rotation is failing
	LastChanged         time.Time
	LastAccessed        time.Time // day's grain
	Deleted             time.Time // zero unless deletion is scheduled
	OwningService       string
	KMSKey              string
	Versions            []SecretVersion
	PendingSince        time.Time // creation of the version under AWSPENDING that is not current; zero when there is none or it was not told
	Tags                map[string]string
	Replicas            []SecretReplica
}

// SecretReplica is the copy of a stored secret in another region.
type SecretReplica struct{ Region, Status, Message string }

// SecretInventory is what ListSecrets says of a whole account and region. AWS
// lets it lag up to five minutes.
type SecretInventory struct {
	Account  string // name of the account in warroom.yaml
	Region   string
	Total    int // without those whose deletion is scheduled
	Rotating int // rotation enabled
	Overdue  int // rotation enabled and NextRotation past
	Deleted  int // deletion scheduled
	Idle     int // not read for 90 days, or never
	// Lives are the ends of life of the secrets that have one, in no order: what
	// the secret monitor counts, watched or not.
	Lives []SecretLife
}

// FunctionConfig is what GetFunctionConfiguration says of a rotation function.
type FunctionConfig struct {
	Name, ARN, Runtime, Role string
	State                    string // Active, Pending, Inactive, Failed
	StateReason              string
	LastUpdate               string // Successful, Failed, InProgress
	LastUpdateReason         string
	LastModified             time.Time
	Timeout                  time.Duration
	LogGroup                 string
	InVPC                    bool
}

// FunctionConcurrency is the reserved concurrency: nil is unreserved, 0 blocks
// every invocation.
type FunctionConcurrency struct{ Reserved *int }

// FunctionPolicy says whether Secrets Manager may invoke the function.
type FunctionPolicy struct{ SecretsManagerMayInvoke bool }

// FunctionMetrics are the function's CloudWatch sums over Window.
type FunctionMetrics struct {
	Window                         time.Duration
	Invocations, Errors, Throttles float64
	MaxDuration                    time.Duration
	LastPoint                      time.Time // newest minute with an invocation; zero if none
	LastErrors                     float64   // errors in that minute
}

// LogLine is one line of a log, stripped of control characters and scrubbed.
type LogLine struct {
	At   time.Time
	Text string
}

// FunctionLogs are the function's newest error lines within Window, newest
// first.
type FunctionLogs struct {
	Window time.Duration
	Group  string
	Errors []LogLine
	// Partial says that there was more to read than one read may: older lines of
	// the window, or newer ones where the server cannot begin at the end, are not
	// in Errors.
	Partial bool
}

// KeyState is what DescribeKey says.
type KeyState struct {
	KeyID, State, Origin, Manager, Spec string // State: Enabled, Disabled, PendingDeletion …
	Deletion                            time.Time
}

// KeyRotation is what GetKeyRotationStatus says. Supported is false for keys
// that cannot rotate (asymmetric, HMAC, imported, custom store).
type KeyRotation struct {
	KeyID      string
	Supported  bool
	Enabled    bool
	PeriodDays int
	Next       time.Time
	LastOnDmd  time.Time
}

// CallerIdentity is as whom we read AWS.
type CallerIdentity struct {
	Account, ARN string
	Expires      time.Time     // of the session; zero if it does not expire or does not say
	ClockSkew    time.Duration // their clock minus ours, by the Date header
}

// FailureRate is a count of failures among attempts over Window, from a metric.
type FailureRate struct {
	Window        time.Duration
	Total, Failed float64
	Metric        string  // how it was asked: metric names or query
	Ours          float64 // our own probes' failures, already left out of Total and Failed
}

func (SecretDescription) data()   {}
func (SecretInventory) data()     {}
func (FunctionConfig) data()      {}
func (FunctionConcurrency) data() {}
func (FunctionPolicy) data()      {}
func (FunctionMetrics) data()     {}
func (FunctionLogs) data()        {}
func (KeyState) data()            {}
func (KeyRotation) data()         {}
func (CallerIdentity) data()      {}
func (FailureRate) data()         {}
