// Package driver runs a full-screen program on a virtual terminal inside the
// test process, types keys and waits for what the screen shows.
//
// Its rules:
//
//   - Nothing sleeps. A test waits for a condition on the screen; every byte that
//     the program writes is a chance for the condition to become true, and a
//     deadline ends the wait with the screen in the failure.
//   - The terminal answers the queries that a real one answers (modes, device
//     attributes, background colour), so that the program takes the same path.
//   - The program is any function that draws on an output and reads keys from an
//     input, so that the whole command line can be driven like the console alone.
//   - Everything the program wrote is kept, so that a test can prove what never
//     appeared on the screen, not even for one frame.
package driver

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// Deadline is how long a wait lasts before the test fails. It is generous
// because tests share a machine; a test that passes never waits for it.
const Deadline = 60 * time.Second

// Size is a terminal's size in cells.
type Size struct{ Width, Height int }

// IO is what a program gets in place of a real terminal.
type IO struct {
	In      io.Reader
	Out     io.Writer
	Environ []string
	Size    Size
	// OnResize registers who hears of the sizes that the terminal takes later.
	OnResize func(report func(width, height int))
}

// Terminal is a virtual terminal with a program on it. Its methods may be
// called from the test's goroutine while the program runs.
type Terminal struct {
	t     testing.TB
	in    *queue
	ended chan struct{}
	err   error // valid once ended is closed

	mu        sync.Mutex
	emu       *vt.Emulator
	size      Size
	first     Size
	raw       strings.Builder
	title     string
	clipboard string
	clips     int
	cursor    bool
	partial   bool // in the middle of a synchronized update
	resized   []func(width, height int)
	changed   chan struct{} // closed and replaced whenever the screen may have changed
}

// Start runs program on a terminal of the given size and stops it when the test
// ends: its context is cancelled and its input closed.
func Start(t testing.TB, width, height int, program func(context.Context, IO) error) *Terminal {
	t.Helper()
	d := &Terminal{
		t: t, in: newQueue(), ended: make(chan struct{}),
		emu: vt.NewEmulator(width, height), size: Size{width, height}, first: Size{width, height}, cursor: true,
		changed: make(chan struct{}),
	}
	d.emu.SetCallbacks(vt.Callbacks{
		Title:            func(s string) { d.title = s },
		CursorVisibility: func(v bool) { d.cursor = v },
		EnableMode:       func(m ansi.Mode) { d.partial = d.partial || m == ansi.ModeSynchronizedOutput },
		DisableMode:      func(m ansi.Mode) { d.partial = d.partial && m != ansi.ModeSynchronizedOutput },
	})
	d.emu.RegisterOscHandler(52, d.copied)
	d.emu.RegisterCsiHandler(ansi.Command('?', '$', 'p'), d.asked)
	// A terminal starts a new line at its first column. Programs that see no
	// terminal settings count on the line discipline for that; here is none.
	_, _ = d.emu.WriteString("\x1b[20h")

	// What the emulator answers goes to the program's input. The emulator writes
	// its answers synchronously, so they must be drained at all times.
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := d.emu.Read(buf)
			d.in.write(buf[:n])
			if err != nil {
				return
			}
		}
	}()

	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(d.ended)
		d.err = program(ctx, IO{
			In: d.in, Out: (*output)(d), Size: Size{width, height}, OnResize: d.onResize,
			Environ: []string{"TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8"},
		})
	}()
	t.Cleanup(func() {
		cancel()
		d.in.close()
		select {
		case <-d.ended:
		case <-time.After(Deadline):
			t.Errorf("the program did not end within %s of being told to", Deadline)
		}
		if w, ok := d.emu.InputPipe().(io.Closer); ok {
			_ = w.Close()
		}
	})
	return d
}

// output is the program's side of the terminal.
type output Terminal

// Write draws on the emulator and wakes whoever waits.
func (o *output) Write(p []byte) (int, error) {
	d := (*Terminal)(o)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.raw.Write(p)
	n, err := d.emu.Write(p)
	d.wake()
	return n, err
}

func (d *Terminal) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// copied takes what the program puts on the clipboard. It runs under mu, inside
// Write.
func (d *Terminal) copied(data []byte) bool {
	parts := strings.SplitN(string(data), ";", 3)
	if len(parts) != 3 {
		return false
	}
	text, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	d.clipboard = string(text)
	d.clips++
	return true
}

// onResize registers report, and tells it the size at once when that changed
// before the program asked to hear of it.
func (d *Terminal) onResize(report func(width, height int)) {
	d.mu.Lock()
	d.resized = append(d.resized, report)
	now, first := d.size, d.first
	d.mu.Unlock()
	if now != first {
		report(now.Width, now.Height)
	}
}

// asked answers whether the terminal knows a mode, for the one that the emulator
// leaves to its host: with synchronized output a screen is never looked at in
// the middle of a frame.
func (d *Terminal) asked(params ansi.Params) bool {
	n, _, ok := params.Param(0, 0)
	if !ok || ansi.DECMode(n) != ansi.ModeSynchronizedOutput {
		return false
	}
	_, _ = io.WriteString(d.emu.InputPipe(), ansi.ReportMode(ansi.ModeSynchronizedOutput, ansi.ModeReset))
	return true
}

// Resize changes the terminal's size and tells the program.
func (d *Terminal) Resize(width, height int) {
	d.mu.Lock()
	d.emu.Resize(width, height)
	d.size = Size{width, height}
	tell := slices.Clone(d.resized)
	d.wake()
	d.mu.Unlock()
	for _, report := range tell {
		report(width, height)
	}
}

// WaitFor returns once cond holds for the plain text of the screen.
func (d *Terminal) WaitFor(what string, cond func(screen string) bool) string {
	d.t.Helper()
	deadline := time.NewTimer(Deadline)
	defer deadline.Stop()
	for {
		d.mu.Lock()
		screen, changed, partial := d.text(), d.changed, d.partial
		d.mu.Unlock()
		if !partial && cond(screen) {
			return screen
		}
		select {
		case <-changed:
		case <-d.ended:
			// The last write may have come between the look and the end.
			if screen = d.Screen(); cond(screen) {
				return screen
			}
			d.t.Fatalf("the program ended (%v) before %s; the screen was:\n%s", d.err, what, screen)
		case <-deadline.C:
			d.t.Fatalf("waited %s for %s; the screen is:\n%s", Deadline, what, screen)
		}
	}
}

// WaitText waits until every one of the texts is on the screen.
func (d *Terminal) WaitText(texts ...string) string {
	d.t.Helper()
	return d.WaitFor(fmt.Sprintf("text %q", texts), func(s string) bool {
		for _, want := range texts {
			if !strings.Contains(s, want) {
				return false
			}
		}
		return true
	})
}

// WaitGone waits until none of the texts is on the screen.
func (d *Terminal) WaitGone(texts ...string) string {
	d.t.Helper()
	return d.WaitFor(fmt.Sprintf("no text %q", texts), func(s string) bool {
		for _, no := range texts {
			if strings.Contains(s, no) {
				return false
			}
		}
		return true
	})
}

// WaitClipboard waits until the program has put a text on the clipboard for
// which cond holds, and returns it.
func (d *Terminal) WaitClipboard(what string, cond func(string) bool) string {
	d.t.Helper()
	var text string
	d.WaitFor("a clipboard with "+what, func(string) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		text = d.clipboard
		return d.clips > 0 && cond(text)
	})
	return text
}

// WaitEnd waits until the program has returned, and returns its error.
func (d *Terminal) WaitEnd() error {
	d.t.Helper()
	select {
	case <-d.ended:
		return d.err
	case <-time.After(Deadline):
		d.t.Fatalf("waited %s for the program to end; the screen is:\n%s", Deadline, d.Screen())
		return nil
	}
}
