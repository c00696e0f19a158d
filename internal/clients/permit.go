package clients

import (
	"context"
	"fmt"

	"warroom/internal/estate"
)

// Call is one call to a system.
type Call struct {
	System  string // "aws:main", "vault:primary", "kubernetes:prod", "postgres:HOST:PORT", "http:HOST", "systemd:system", "file", "command"
	Name    string // "secretsmanager:PutSecretValue", "PUT secret/data/prod/db", "ALTER ROLE app_user", …; no values
	Changes bool   // whether it changes anything there
}

// Permit decides about every call that is made with a context.
type Permit interface {
	// Around makes a call by do, once, or not at all; what it returns is what the
	// caller gets. do's error is the call's.
	Around(ctx context.Context, call Call, do func() error) error
}

type permitKey struct{}

// WithPermit puts the calls that are made with the context under a permit. Without
// one, every call that changes something fails with NotPermitted before anything is
// sent.
func WithPermit(ctx context.Context, p Permit) context.Context {
	return context.WithValue(ctx, permitKey{}, p)
}

// NotPermitted says that a call that changes something was made without a permit. It
// was not sent.
type NotPermitted struct{ Call Call }

// Error says what was kept back.
func (e *NotPermitted) Error() string {
	return fmt.Sprintf("%s at %s changes something, and nothing permits that here: it was not sent", e.Call.Name, e.Call.System)
}

// Unwrap makes it an *estate.Failure to whoever classifies it.
func (e *NotPermitted) Unwrap() error {
	return &estate.Failure{Kind: estate.Denied, Doing: e.Call.Name + " at " + e.Call.System, Detail: "read-only: nothing was sent", Next: "do it by a plan"}
}

// Around passes one call through the permit of its context. It is for the calls of
// this package, and for the changes that subpackages of actions make to files and by
// commands.
func Around(ctx context.Context, call Call, do func() error) error {
	p, ok := ctx.Value(permitKey{}).(Permit)
	switch {
	case ok && p != nil:
		return p.Around(ctx, call, do)
	case call.Changes:
		return &NotPermitted{Call: call}
	}
	return do()
}
