package ui

import (
	"context"
	"errors"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// Casebook keeps incidents. Its methods may take their time: they are called in
// commands of their own, never from Update.
type Casebook interface {
	// List lists the incidents that are kept, in any order.
	List(ctx context.Context) ([]incident.Listed, error)
	// Declare opens a new incident, whose first event is declared, for writing.
	Declare(ctx context.Context, declared incident.Event) (Book, error)
	// Open opens one that is kept: for writing when nobody else has it open,
	// and to follow it otherwise.
	Open(ctx context.Context, id string) (Book, error)
}

// Book is one incident that is open. One that has a method Now() time.Time tells by it
// what time it is for the incident: what an event that is recorded now would carry.
// Every clock of the incident counts by it, and without it by the wall clock. Record and Next are called at the same time,
// from two goroutines, and so may the other methods be.
type Book interface {
	// Case is the incident as it is recorded now.
	Case() *incident.Case
	// Next waits for a case that is newer than the one that it returned last; at
	// first it returns the one of now. An error that is not ctx's is shown, and Next is called again a
	// second later.
	Next(ctx context.Context) (*incident.Case, error)
	// Record makes events durable, in their order, and returns when they are: from
	// then on Case tells of them. After an error none of them is recorded, but for one
	// that is incident.ErrUnsure: then some or all of them may be, and the timeline
	// shows which.
	Record(ctx context.Context, events ...incident.Event) error
	// Page reads a part of the timeline.
	Page(ctx context.Context, q incident.Query) (incident.Page, error)
	// Runbook is the procedure that the incident follows.
	Runbook() *runbook.Runbook
	// Close leaves the incident; what was recorded stays.
	Close() error
}

// Place is where status updates can be sent.
type Place struct {
	Name     string // as the configuration calls it
	Security bool   // it is where security is told of a compromise
}

// ErrUnclear is the error of a Send of which it is not known whether the text
// arrived: the place is to be looked at before it is sent again.
var ErrUnclear = errors.New("it is not known whether it arrived")

// Sender sends status updates. It is never called without a key that says so.
type Sender interface {
	// Places lists where updates can go.
	Places() []Place
	// Send sends a text to one of the places, and returns when it has arrived.
	Send(ctx context.Context, place, text string) error
}
