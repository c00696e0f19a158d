package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"
)

// ErrNoTerminal says that there is nothing to draw the console on.
var ErrNoTerminal = errors.New("the console needs a terminal and there is none; `warroom check` prints the same readings without one")

// Stopped is the error of a console that a signal ended.
type Stopped struct{ Signal os.Signal }

// Error names the signal.
func (s *Stopped) Error() string {
	return fmt.Sprintf("the console was ended by a signal: %s", s.Signal)
}

// HasTerminal reports whether the process can show the console: its output is a
// terminal that can place text, and keys can be read from somewhere.
func HasTerminal() bool {
	if os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(os.Stdout.Fd())) {
		return false
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return true
	}
	in, out, err := tea.OpenTTY()
	if err != nil {
		return false
	}
	_ = in.Close()
	if out != in {
		_ = out.Close()
	}
	return true
}

// stopWait is how long Run waits for what it started to return, once the
// terminal is restored.
const stopWait = 2 * time.Second

// Run shows the console until it is left. The terminal is restored whatever
// ended it. It returns nil when the user quit or ctx ended, ErrNoTerminal,
// *Stopped after a signal, *Fault after a panic, or the error of Options.Start.
func Run(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if o.Terminal.Out == nil {
		if !HasTerminal() {
			return ErrNoTerminal
		}
		o.Terminal.Out = os.Stdout
		if w, h, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			o.Terminal.Width, o.Terminal.Height = w, h
		}
	}
	outer := ctx
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	g := newGuard(end, o.scrub)
	ctx = context.WithValue(ctx, guardKey{}, g)

	out, drawn := watch(o.Terminal.Out)
	killed, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	options := []tea.ProgramOption{
		tea.WithContext(killed), tea.WithOutput(out), tea.WithFPS(rate()), tea.WithoutSignalHandler(),
	}
	if o.Terminal.In != nil {
		options = append(options, tea.WithInput(o.Terminal.In))
	}
	if o.Terminal.Environ != nil {
		options = append(options, tea.WithEnvironment(o.Terminal.Environ))
	}
	if o.Terminal.Width > 0 && o.Terminal.Height > 0 {
		options = append(options, tea.WithWindowSize(o.Terminal.Width, o.Terminal.Height))
	}
	pace := &pace{}
	defer pace.stop()
	m := newModel(ctx, o, g)
	p := tea.NewProgram(guarded{m, pace}, options...)
	pace.program = p

	done := make(chan struct{})
	g.start("ending the console", func() { leave(ctx, p, done, kill) })
	g.start("waiting for signals", func() { waitForSignals(ctx, end) })
	if o.Terminal.OnResize != nil {
		g.start("following the terminal's size", func() {
			o.Terminal.OnResize(func(w, h int) { p.Send(tea.WindowSizeMsg{Width: w, Height: h}) })
		})
	}
	if o.Start != nil {
		g.start("starting the checks", func() {
			select {
			case <-drawn:
			case <-ctx.Done():
				return
			}
			if err := o.Start(ctx); err != nil && ctx.Err() == nil {
				end(err)
			}
		})
	}

	_, err := p.Run()
	close(done)
	cause := context.Cause(ctx)
	end(nil)
	m.wrap(o)
	g.wait(stopWait)
	switch {
	case outer.Err() != nil:
		return nil
	case cause != nil:
		return cause
	case err != nil:
		return fmt.Errorf("run the console on this terminal: %w", err)
	}
	return nil
}

// wrap records what still waits, once the program does not change the model any
// more, and tells what is not.
func (m *Model) wrap(o Options) {
	defer m.guard.caught("recording on the way out")
	if lost := m.wrapUp(stopWait); len(lost) > 0 && o.Unrecorded != nil {
		o.Unrecorded(lost)
	}
}

// leave quits the program once ctx ends. Quitting restores the terminal in
// order; a program that does not listen any more is killed, which restores it
// too.
func leave(ctx context.Context, p *tea.Program, done <-chan struct{}, kill func()) {
	select {
	case <-ctx.Done():
	case <-done:
		return
	}
	go p.Quit() // waits for the program to listen, at most until it has ended
	limit := time.NewTimer(stopWait)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		kill()
	}
}

// waitForSignals ends the console in order on the signals that would otherwise
// leave the terminal raw.
func waitForSignals(ctx context.Context, end func(error)) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(c)
	select {
	case s := <-c:
		end(&Stopped{s})
	case <-ctx.Done():
	}
}

// wait waits for every guarded goroutine, but not longer than limit.
func (g *guard) wait(limit time.Duration) {
	done := make(chan struct{})
	go func() { g.group.Wait(); close(done) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// altScreen is how the first frame begins.
var altScreen = []byte("\x1b[?1049h")

// watcher tells when the first frame has been written.
type watcher struct {
	once  sync.Once
	drawn chan struct{}
}

func (w *watcher) saw(p []byte) {
	if bytes.Contains(p, altScreen) {
		w.once.Do(func() { close(w.drawn) })
	}
}

type watchedFile struct {
	*os.File // so that it is still known for a terminal
	*watcher
}

func (w *watchedFile) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	w.saw(p)
	return n, err
}

type watchedWriter struct {
	io.Writer
	*watcher
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.saw(p)
	return n, err
}

// watch passes on what is written to out; the channel closes after the first
// frame.
func watch(out io.Writer) (io.Writer, <-chan struct{}) {
	w := &watcher{drawn: make(chan struct{})}
	if f, ok := out.(*os.File); ok {
		return &watchedFile{f, w}, w.drawn
	}
	return &watchedWriter{out, w}, w.drawn
}
