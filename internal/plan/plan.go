// Package plan is what a recovery procedure will do, as data: the plan that a
// person reads before anything is changed, what they consent to, and how a run of
// it stands.
//
// Its rules: it is pure. A plan names every call it will make, what depends on its
// target, what is checked first, and how each step is verified and undone; what is
// not in the plan is not done. A plan holds no secret value, so that it can be
// shown, journalled and signed as it is; values are named by where they are stored.
// Its fingerprint covers everything that decides what will happen, so that consent
// to one plan is consent to no other.
package plan

import (
	"time"

	"warroom/internal/estate"
)

// Mode is what a plan does with a procedure.
type Mode string

// Modes of a plan.
const (
	Forward Mode = "run"       // the procedure from its first step
	Resume  Mode = "resume"    // an interrupted run from the step where it stopped
	Back    Mode = "roll-back" // undo what an interrupted or failed run has done, last step first
	Abandon Mode = "abandon"   // leave an interrupted run as it is; changes nothing
)

// About describes a procedure, for a list of what can be done.
type About struct {
	Name    string // as on the command line, for example rotate-database
	Title   string // for example Rotate a database password
	Summary string // one sentence: what it does and what it never does
	Target  string // what a target of it is called, for example stored secret
	Options []Option
	Changes bool // false for one that only reads
}

// Option is one setting of a procedure.
type Option struct {
	Name    string   // for example strategy
	Summary string   // one line
	Words   []string // what it may be; none stands for any text
	Default string
}

// Target is something that a procedure can be done to.
type Target struct {
	ID    string // what is typed to confirm, for example prod/db/postgres
	Title string // a few words on it
	Note  string // why it is, or is not, a likely choice now; may be empty
	Ready bool   // false: Note says why the procedure cannot be done to it
	// Due is why the last readings call for it now, in a few words; empty when they do
	// not. It proposes: the systems are read when the plan is made.
	Due string
}

// Request asks for a plan.
type Request struct {
	Procedure string            `json:"procedure"`
	Target    string            `json:"target"`
	Options   map[string]string `json:"options,omitempty"` // by Option.Name
	Mode      Mode              `json:"mode,omitempty"`    // empty is Forward
	Of        string            `json:"of,omitempty"`      // the run that is resumed, rolled back or abandoned
}

// Plan is what will be done.
type Plan struct {
	ID          string            `json:"id"` // random; the run of it has the same
	Procedure   string            `json:"procedure"`
	Target      string            `json:"target"` // what is typed to confirm
	Mode        Mode              `json:"mode"`
	Of          string            `json:"of,omitempty"`
	Options     map[string]string `json:"options,omitempty"`
	Title       string            `json:"title"` // for example Rotate the password of app_user (prod/db/postgres)
	Why         string            `json:"why,omitempty"`
	Environment string            `json:"environment"`
	Drill       string            `json:"drill,omitempty"`
	Made        time.Time         `json:"made"`
	Expires     time.Time         `json:"expires"` // no grant is given after it

	// Facts are what a run must know again after a crash and before anything is
	// changed: idempotency tokens, version ids, names that were made up. No values.
	Facts map[string]string `json:"facts,omitempty"`

	Observed   []Observed `json:"observed,omitempty"` // on what the plan rests; read again before the first change
	Affected   []Affected `json:"affected,omitempty"` // the blast radius
	Identities []Identity `json:"identities,omitempty"`
	Warnings   []Warning  `json:"warnings,omitempty"`
	Inputs     []Input    `json:"inputs,omitempty"` // secret values that people type
	Steps      []Step     `json:"steps"`

	NeedsReason string `json:"needs_reason,omitempty"` // why a reason must be given; empty when none must
	Second      bool   `json:"second,omitempty"`       // another operator must sign the fingerprint
	// Irreversible is what cannot be undone and from which step on; empty when the
	// whole plan can be rolled back.
	Irreversible string `json:"irreversible,omitempty"`
	// Measures are the temporary measures that steps open or end, for the list of
	// what is to be taken back after the incident.
	Measures []Measure `json:"measures,omitempty"`
}

// Measure is a temporary measure that a step opens when it is done, and closes when
// it is undone; with End it is the other way about.
type Measure struct {
	Step string `json:"step"`
	Kind string `json:"kind"` // as internal/incident calls it, for example cancelled rotation
	What string `json:"what"` // for example the scheduled rotation of prod/db/postgres
	End  bool   `json:"end,omitempty"`
}

// Step is one step of a plan.
type Step struct {
	ID     string        `json:"id"` // unique within the plan, the same when it is prepared again
	Title  string        `json:"title"`
	Where  string        `json:"where,omitempty"`  // the system or component it acts on
	Calls  []string      `json:"calls,omitempty"`  // each call as it will be made
	Before string        `json:"before,omitempty"` // what is checked first
	Verify string        `json:"verify,omitempty"` // how it is seen that it took effect
	Undo   string        `json:"undo,omitempty"`   // how it is undone; empty when it cannot be or need not be
	Change bool          `json:"change,omitempty"` // whether it changes anything
	Limit  time.Duration `json:"limit,omitempty"`  // after which it counts as failed
}

// Observed is one thing that was seen when the plan was made.
type Observed struct {
	Name  string `json:"name"`  // for example AWSCURRENT of prod/db/postgres
	Value string `json:"value"` // for example version 7f3a…
	// Live is set for what may change without harm; anything else that reads
	// differently before the first change ends the run there.
	Live bool `json:"live,omitempty"`
}

// Affected is something that depends on the target.
type Affected struct {
	Component estate.ID `json:"component,omitempty"`
	Name      string    `json:"name"`
	How       string    `json:"how"` // what will happen to it
	Critical  bool      `json:"critical,omitempty"`
}

// Identity is as whom we act on a system.
type Identity struct {
	System  string    `json:"system"`
	Name    string    `json:"name"` // an ARN, a user, a policy
	Expires time.Time `json:"expires,omitzero"`
	Trouble string    `json:"trouble,omitempty"` // why it cannot be had
}

// Warning is what a person must know before they consent.
type Warning struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Accept bool   `json:"accept,omitempty"` // it must be accepted by itself
}

// Input is a secret value that a person types. It is never echoed, stored or
// journalled.
type Input struct {
	ID       string `json:"id"`
	Label    string `json:"label"`
	Optional bool   `json:"optional,omitempty"`
}

// Consent is what a person gives for one plan.
type Consent struct {
	Plan        string // its ID
	Fingerprint string // of the plan that was drawn
	Typed       string // the target's name
	Reason      string
	Accepted    []string                 // ids of warnings
	Inputs      map[string]estate.Secret // by Input.ID
	// Signature is another operator's, over Statement of the plan: armored, as
	// ssh-keygen -Y sign writes it. Empty when none is needed.
	Signature string
}

// Arming is whether anything can be changed, and as whom.
type Arming struct {
	On         bool
	By         string
	Since      time.Time
	Until      time.Time // it ends by itself, unless something is done before
	Identities []Identity
	Why        string // why it is off, where something turned it off
}

// Effect is what a probe found of a step.
type Effect string

// Effects of a step.
const (
	Took    Effect = "took effect"
	NotDone Effect = "did not take effect"
	Partly  Effect = "took effect in part"
	Unclear Effect = "cannot be told"
)
