package ui

import (
	"context"
	"io"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

// Feed brings what was seen.
type Feed interface {
	// Next waits for something new and returns everything seen so far. It is
	// called again as soon as it has returned, so it sets the pace: at most one
	// snapshot every 100 ms. An error that is not ctx's is shown, and Next is
	// called again a second later.
	Next(ctx context.Context) (*estate.Snapshot, error)
}

// Checker makes checks due at once.
type Checker interface {
	// CheckNow makes the checks of the components due, or of all when none is
	// named. It must not wait for them.
	CheckNow(ids ...estate.ID)
}

// Terminal is where the console is drawn. The zero value is the process's own
// terminal.
type Terminal struct {
	In      io.Reader // nil is standard input
	Out     io.Writer // nil is standard output
	Environ []string  // nil is the process's environment

	// Width and Height are used when Out is not a real terminal.
	Width, Height int
	// OnResize registers who hears of later sizes when Out is not a real
	// terminal; it may be nil.
	OnResize func(report func(width, height int))
}

// Options are what the console is made of.
type Options struct {
	Snapshot *estate.Snapshot // what is known at the start; required
	Feed     Feed             // nil: nothing new ever comes
	Checker  Checker          // nil: checking now is refused with a reason

	// Operator is who records: the name before every event of this console.
	Operator string
	// Runbook is the procedure that is shown before an incident is declared, and
	// that one is declared with; nil: there is no flow, checklist or incident.
	Runbook *runbook.Runbook
	// Casebook keeps the incidents; nil: none can be declared or resumed.
	Casebook Casebook
	// Book is an incident that is open from the start; nil offers to resume one
	// that Casebook lists as open.
	Book Book
	// Sense answers the sensors of the runbook; nil answers none. It is called
	// where Derive is, never from Update.
	Sense func(*estate.Readings, time.Time) diagnosis.Findings
	// Sender sends status updates; nil, or one without places, sends nowhere.
	Sender Sender
	// Recovery plans and runs recovery procedures; nil: nothing can be changed from
	// here, and view 4 says so.
	Recovery Recovery
	// Credentials names environment variables that hold secrets: an editor does not
	// inherit them, nor those that are known to.
	Credentials []string
	// Alert is when the alert was raised that an incident would answer; zero when
	// that is not known.
	Alert time.Time
	// Checklist begins on the checklist: for the days after recovery, when there is
	// no estate to show and Snapshot has no components.
	Checklist bool

	// Start runs in a goroutine of its own once the first frame is on the
	// screen: what takes time at the start belongs here. Its context ends with
	// the console, which waits a moment for it to return. An error ends the
	// console with that error.
	Start func(ctx context.Context) error

	// Unrecorded is told, once the terminal is restored and before Run returns, what
	// was done and is not recorded, or of which that is not known, in words. It is
	// called at most once, and not when there is nothing. nil: nobody is told.
	Unrecorded func(lines []string)

	// Running says what is under way that quitting would interrupt, in words;
	// empty when nothing is. nil is nothing ever.
	Running func() string

	// Theme is drawn from the start. nil chooses the default, or the light
	// theme when the terminal says that its background is light.
	Theme *theme.Theme
	// NoColor keeps every theme to attributes alone, for NO_COLOR.
	NoColor bool
	// Share begins in share mode: hosts, account ids and ARNs are masked.
	Share bool

	// Clock is the time that ages are measured against; nil is the system's.
	Clock func() time.Time
	// Derive reads a snapshot at a time; nil is estate.Derive. It is called from
	// one goroutine at a time, never from Update.
	Derive func(*estate.Snapshot, time.Time) *estate.Readings
	// Scrub replaces known secret values in what is about to be drawn, copied or
	// reported; nil leaves text as it is. It is a second net: what is drawn was
	// scrubbed when it was read.
	Scrub func(string) string

	Terminal Terminal
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Derive == nil {
		o.Derive = estate.Derive
	}
	if o.Running == nil {
		o.Running = func() string { return "" }
	}
	return o
}

// scrub is Scrub, or nothing.
func (o Options) scrub(text string) string {
	if o.Scrub == nil {
		return text
	}
	return o.Scrub(text)
}
