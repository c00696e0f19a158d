package actions

import (
	"context"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Systems are what procedures work with.
type Systems struct {
	Config *config.Config
	// Read is as whom we look: plans, probes and verifications use it.
	Read *clients.Set
	// Act is as whom we change things. Its calls that change something fail unless
	// their context has the permit of a running step.
	Act *clients.Set
	// Readings tells how the estate stands, for notes on targets and blast radius; it
	// may be nil and may return nil.
	Readings func() *estate.Readings
	// Holder is who acts, OPERATOR@HOST, as locks and tags at the targets name them.
	// The engine fills it in where it is empty.
	Holder string
}

// Procedure is one recovery procedure. Its methods are safe for concurrent use.
type Procedure interface {
	About() plan.About
	// Targets is what it can be done to, as configured; it asks no system.
	Targets() []plan.Target
	// Prepare reads the systems and makes the plan and the steps that carry it out. It
	// changes nothing. Its error is an *estate.Failure or a *Refusal, which says why it
	// must not be done.
	Prepare(ctx context.Context, ask Ask) (*Prepared, error)
}

// Ask is what a procedure is prepared for.
type Ask struct {
	plan.Request
	// Past is the earlier run of a plan that is resumed or rolled back; nil for a new
	// one. The steps must come out with the ids of its plan, whatever the systems look
	// like by now.
	Past *Past
}

// Past is what is known of an earlier run.
type Past struct {
	Plan  *plan.Plan
	Facts map[string]string // of the plan, and of the outcomes of its steps
	Steps map[string]plan.StepState
}

// Prepared is a plan with what carries it out. The engine fills in ID, Mode,
// Environment, times and identities of the plan.
type Prepared struct {
	Plan  plan.Plan
	Steps []Step // as Plan.Steps, in that order
	// Observe reads again what the plan rests on, in the order of Plan.Observed; nil
	// where that is nothing.
	Observe func(ctx context.Context) ([]plan.Observed, error)
	// Systems lists those on which it acts, for the identities: "aws:main",
	// "vault:primary", "kubernetes:prod", "postgres:COMPONENT", "systemd:system", "files".
	Systems []string
	// Close gives back what was prepared, sessions and locks; it may be nil.
	Close func()
}

// Step carries out one step of a plan. Each function is bounded by ctx, returns an
// error that says what happened and what to do next, and may be called again after a
// crash: all of them are idempotent.
type Step struct {
	// Check is the precondition, looked at right before Do; nil where there is none.
	Check func(ctx context.Context, r *Run) error
	// Do makes the change. Nil for a step that only verifies.
	Do func(ctx context.Context, r *Run) error
	// Probe looks at the live system whether the step took effect; it changes nothing.
	// Nil for a step that changes nothing. The text says what it saw.
	Probe func(ctx context.Context, r *Run) (plan.Effect, string, error)
	// Verify says by looking that the step did what it should. The text is what it saw.
	Verify func(ctx context.Context, r *Run) (string, error)
	// Undo takes the step back, and VerifyUndo says by looking that it is. Both nil
	// where the plan's step has no Undo.
	Undo       func(ctx context.Context, r *Run) error
	VerifyUndo func(ctx context.Context, r *Run) (string, error)
	// UndoBefore is the id of a later step that is taken back only after this one, where
	// the usual order, last step first, would pass through a state that breaks more.
	UndoBefore string
}

// Refusal says why a procedure must not be done, or not so.
type Refusal struct {
	What string // what was refused, for example revoke the old key of prod/api/payment
	Why  string
	Next string // what to do instead
}

// Error says all three.
func (r *Refusal) Error() string {
	text := r.What + " is refused: " + r.Why
	if r.Next != "" {
		text += "; " + r.Next
	}
	return text
}

// Halt is the error of a step that ends its run on purpose, because what comes next
// is for a person to decide: the run is stopped there, not failed.
type Halt struct {
	Why  string
	Next string // the plans that may be made now, in words
}

// Error says both.
func (h *Halt) Error() string {
	text := "stops here: " + h.Why
	if h.Next != "" {
		text += "; " + h.Next
	}
	return text
}
