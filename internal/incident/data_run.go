package incident

import (
	"time"

	"warroom/internal/plan"
)

// Armed tells that changes became possible, or no longer are.
type Armed struct {
	On         bool            `json:"on"`
	Why        string          `json:"why,omitempty"` // of the end: by key, idle, left …
	Until      time.Time       `json:"until,omitzero"`
	Identities []plan.Identity `json:"identities,omitempty"`
}

// Granted is the consent to one plan, and the beginning of its run.
type Granted struct {
	Plan        plan.Plan `json:"plan"`
	Fingerprint string    `json:"fingerprint"`
	Typed       string    `json:"typed,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Accepted    []string  `json:"accepted,omitempty"` // ids of warnings
	Signer      string    `json:"signer,omitempty"`   // the other operator, as the file of signers names them
	SignerKey   string    `json:"signer_key,omitempty"`
	Host        string    `json:"host,omitempty"`
	PID         int       `json:"pid,omitempty"`
}

// Intent is that a step is about to be done, or undone.
type Intent struct {
	Run   string            `json:"run"`
	Step  string            `json:"step"`
	Undo  bool              `json:"undo,omitempty"`
	Facts map[string]string `json:"facts,omitempty"` // what changed since the event before
}

// Outcome is what came of a step, as its verification says.
type Outcome struct {
	Run    string            `json:"run"`
	Step   string            `json:"step"`
	State  plan.StepState    `json:"state"`
	Detail string            `json:"detail,omitempty"`
	Next   string            `json:"next,omitempty"`
	Took   time.Duration     `json:"took,omitempty"`
	Facts  map[string]string `json:"facts,omitempty"` // what changed since the event before
}

// RunEnded is the end of a run, or of the taking up of one.
type RunEnded struct {
	Run    string        `json:"run"`
	State  plan.RunState `json:"state"`
	Detail string        `json:"detail,omitempty"`
	Next   string        `json:"next,omitempty"`
}

// Run is one run of a plan, as far as its events tell. What resumes it, rolls it back
// or abandons it is another run, whose plan names it in Of; what that did to its steps
// is folded into this one as well.
type Run struct {
	ID      string
	Plan    plan.Plan
	By      string
	Reason  string
	Signer  string
	Started time.Time
	Ended   time.Time // zero while it has no end
	State   plan.RunState
	Detail  string
	Next    string
	Steps   map[string]RunStep // by the step's id; one that is not there waits
	Facts   map[string]string
	Host    string // of the console that ran it last
	PID     int
}

// RunStep is how a step of a run stands.
type RunStep struct {
	State  plan.StepState
	At     time.Time // of the last event of it
	Detail string
	Undo   bool // the last event of it was about its undoing
}
