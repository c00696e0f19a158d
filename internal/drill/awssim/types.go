package awssim

import (
	"fmt"
	"time"
)

// Secret is a stored secret, as the author of a scenario states it.
type Secret struct {
	Name            string
	ARN             string // made from the name and the seed when empty
	Description     string
	KMSKey          string // key id, ARN or alias; empty is aws/secretsmanager
	RotationLambda  string // ARN or name of the rotation function
	RotateAfterDays int
	Schedule        string // a ScheduleExpression in place of RotateAfterDays
	Window          string // the rotation rules' Duration, such as "3h"
	// RotationCancelled says that CancelRotateSecret was called. Any other
	// secret with a period or a schedule has rotation enabled, however long its
	// rotations have been failing.
	RotationCancelled bool
	Created           time.Time // 90 days before the clock's now when zero
	LastRotated       time.Time
	NextRotation      time.Time
	LastChanged       time.Time // newest version's date when zero
	LastAccessed      time.Time // cut to the day
	Deleted           time.Time // zero unless deletion is scheduled
	RecoveryDays      int       // of a scheduled deletion; 30 when 0
	Tags              map[string]string
	Versions          []Version
	OwningService     string
	Replicas          []Replica
}

// Version is one version of a secret. A version with neither Value nor Binary
// is what RotateSecret leaves when its function never stored a value.
type Version struct {
	ID      string // 32 to 64 characters; made from the seed when empty
	Value   string
	Binary  []byte
	Stages  []string
	Created time.Time
}

// Format keeps the value out of every formatter.
func (v Version) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "version %s %v", v.ID, v.Stages)
}

func (v Version) empty() bool { return v.Value == "" && len(v.Binary) == 0 }

// Replica is a copy of a secret in another region.
type Replica struct{ Region, Status, Message string }

// Function is a Lambda function.
type Function struct {
	Name             string
	Runtime          string // python3.12 when empty
	Role             string
	Handler          string
	Description      string
	Timeout          time.Duration // 30 s when zero
	MemoryMB         int           // 128 when zero
	State            string        // Active when empty
	StateReason      string
	StateReasonCode  string
	LastUpdate       string // Successful when empty
	LastUpdateReason string
	LastUpdateCode   string
	LastModified     time.Time
	KMSKey           string
	LogGroup         string // /aws/lambda/NAME when empty
	SubnetIDs        []string
	SecurityGroups   []string
	VPC              string
	// Reserved is the reserved concurrency: nil for none, 0 blocks every
	// invocation.
	Reserved *int
	// Policy is the resource policy's JSON. Empty means that the function has
	// none; InvokePolicy makes the usual one.
	Policy string
}

// Key is a KMS key.
type Key struct {
	ID           string
	Alias        string // "alias/NAME"
	Description  string
	State        string // Enabled, Disabled, PendingDeletion, PendingImport, Unavailable; Enabled when empty
	Manager      string // CUSTOMER or AWS; CUSTOMER when empty
	Spec         string // SYMMETRIC_DEFAULT when empty
	Usage        string // ENCRYPT_DECRYPT when empty
	Origin       string // AWS_KMS when empty
	Created      time.Time
	Deletion     time.Time // with PendingDeletion
	Rotation     bool
	PeriodDays   int // 365 when 0 and Rotation
	NextRotation time.Time
	OnDemand     time.Time // start of an on-demand rotation under way
	Rotations    []KeyRotation
}

// KeyRotation is one past rotation of a key.
type KeyRotation struct {
	At   time.Time
	Type string // AUTOMATIC or ON_DEMAND
}

// LogEvent is one line of a log stream.
type LogEvent struct {
	Group, Stream string
	At            time.Time
	Message       string
}
