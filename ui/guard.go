package ui

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// Fault is a panic of ours that was caught. The terminal was restored before
// anyone sees it.
type Fault struct {
	Where string // what was being done
	Value string // what panicked, scrubbed
	Stack string // where, scrubbed
}

// Error names the fault without its stack.
func (f *Fault) Error() string {
	return fmt.Sprintf("warroom ended because of a fault of its own while %s: %s", f.Where, f.Value)
}

// guard keeps a panic in any goroutine of ours from leaving the terminal raw: it
// turns it into a Fault that ends the console in order.
type guard struct {
	end   func(error) // ends the console; the first cause is kept
	scrub func(string) string
	group sync.WaitGroup
}

func newGuard(end func(error), scrub func(string) string) *guard {
	return &guard{end: end, scrub: scrub}
}

// caught is deferred around our code. Without a console to end it lets the panic
// go on.
func (g *guard) caught(where string) {
	if g.end == nil {
		return
	}
	if v := recover(); v != nil {
		g.end(&Fault{Where: where, Value: g.scrub(fmt.Sprint(v)), Stack: g.scrub(string(debug.Stack()))})
	}
}

// start runs f in a goroutine of its own.
func (g *guard) start(where string, f func()) {
	g.group.Go(func() {
		defer g.caught(where)
		f()
	})
}

// command guards what a tea.Cmd does.
func (g *guard) command(where string, f func() tea.Msg) tea.Cmd {
	return func() tea.Msg {
		defer g.caught(where)
		return f()
	}
}

type guardKey struct{}

// Go runs f in a goroutine whose panic ends the console in order instead of
// leaving the terminal raw. ctx is the context that Options.Start was given;
// with any other context f runs as a plain goroutine.
func Go(ctx context.Context, where string, f func()) {
	if g, ok := ctx.Value(guardKey{}).(*guard); ok {
		g.start(where, f)
		return
	}
	go f()
}

// guarded is the model with its own panics caught, so that what they say is
// scrubbed before it is printed, and with the pace of drawing kept by what it
// does.
type guarded struct {
	*Model
	pace *pace
}

func (g guarded) Init() tea.Cmd {
	defer g.guard.caught("starting")
	return g.Model.Init()
}

func (g guarded) Update(msg tea.Msg) (out tea.Model, cmd tea.Cmd) {
	out = g
	defer g.guard.caught("taking a message")
	if _, quiet := msg.(Picture); !quiet {
		g.pace.hurry() // what terminal and program say to each other is flushed with a frame
	}
	_, cmd = g.Model.Update(msg)
	return g, cmd
}

func (g guarded) View() tea.View {
	defer g.guard.caught("drawing")
	before := g.cache.redrawn
	view := g.Model.View()
	if g.cache.redrawn != before {
		g.pace.hurry()
	}
	return view
}
