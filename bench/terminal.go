//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// synchronized is the mode in which a terminal holds back what it shows: what
// is written between its start and its end appears at once.
const synchronized = ansi.DECMode(2026)

// terminal is a program in a pseudo-terminal, with an emulator that answers its
// queries and keeps its screen.
type terminal struct {
	cmd     *exec.Cmd
	file    *os.File // our side of the pseudo-terminal
	started time.Time
	ended   chan struct{} // closed when the program has ended and all it wrote is on the screen
	err     error         // how it ended; set before ended is closed

	mu      sync.Mutex
	screen  *screen
	waiters []*waiter
	writes  []write
	held    bool // the program is within a synchronized update
}

// write says when how much came from the program.
type write struct {
	at    time.Time
	bytes int
}

type waiter struct {
	want func(*screen) bool
	seen chan time.Time
}

// start runs a program on a terminal of the bench's size.
func start(ctx context.Context, dir string, argv ...string) (*terminal, error) {
	t := &terminal{ended: make(chan struct{}), screen: newScreen(columns, rows)}
	t.screen.emulator.SetCallbacks(vt.Callbacks{
		EnableMode:  func(m ansi.Mode) { t.held = t.held || m == synchronized },
		DisableMode: func(m ansi.Mode) { t.held = t.held && m != synchronized },
	})
	t.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	t.cmd.Dir = dir
	t.cmd.Env = []string{
		"TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8", "HOME=" + dir, "PATH=" + os.Getenv("PATH"),
		"AWS_EC2_METADATA_DISABLED=true",
	}
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	t.started = time.Now()
	file, err := pty.StartWithSize(t.cmd, &pty.Winsize{Cols: columns, Rows: rows, X: columns * 8, Y: rows * 16})
	if err != nil {
		return nil, fmt.Errorf("start %s in a pseudo-terminal: %w", argv[0], err)
	}
	t.file = file
	t.pump()
	return t, nil
}

// pump moves what the program writes to the screen, and the terminal's answers
// to the program. Reading is apart from drawing, so that the times of reading
// do not hold the time the emulator takes.
func (t *terminal) pump() {
	type chunk struct {
		at   time.Time
		text []byte
	}
	chunks := make(chan chunk, 4096)
	go func() {
		defer close(chunks)
		buffer := make([]byte, 64<<10)
		for {
			n, err := t.file.Read(buffer)
			if n > 0 {
				chunks <- chunk{time.Now(), append([]byte(nil), buffer[:n]...)}
			}
			if err != nil {
				return // the other side is closed: the program has ended
			}
		}
	}()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(t.file, t.screen.emulator)
		// Once the program is gone, answers go nowhere; the emulator still waits
		// for them to be read.
		_, _ = io.Copy(io.Discard, t.screen.emulator)
	}()
	go func() {
		for c := range chunks {
			t.draw(c.at, c.text)
		}
		t.err = t.cmd.Wait()
		t.screen.close()
		<-answered
		_ = t.file.Close()
		close(t.ended)
	}()
}

// draw puts what was read on the screen and tells who waited for it.
func (t *terminal) draw(at time.Time, text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes = append(t.writes, write{at, len(text)})
	_, _ = t.screen.emulator.Write(text)
	if t.held {
		return
	}
	waiting := t.waiters[:0]
	for _, w := range t.waiters {
		if w.want(t.screen) {
			w.seen <- at
			continue
		}
		waiting = append(waiting, w)
	}
	t.waiters = waiting
}

// press sends a key and says after how long the screen showed what is wanted.
// The screen must not show it before.
func (t *terminal) press(ctx context.Context, key string, want func(*screen) bool) (time.Duration, error) {
	w := &waiter{want: want, seen: make(chan time.Time, 1)}
	t.mu.Lock()
	if want(t.screen) {
		t.mu.Unlock()
		return 0, fmt.Errorf("press %q: the screen shows what the key should bring, before it", key)
	}
	t.waiters = append(t.waiters, w)
	t.mu.Unlock()
	pressed := time.Now()
	if _, err := io.WriteString(t.file, key); err != nil {
		return 0, fmt.Errorf("press %q: %w", key, err)
	}
	at, err := t.wait(ctx, w)
	if err != nil {
		return 0, fmt.Errorf("press %q: %w", key, err)
	}
	return at.Sub(pressed), nil
}

// await says when the screen showed what is wanted; at once if it does.
func (t *terminal) await(ctx context.Context, want func(*screen) bool) (time.Time, error) {
	w := &waiter{want: want, seen: make(chan time.Time, 1)}
	t.mu.Lock()
	if !t.held && want(t.screen) {
		t.mu.Unlock()
		return time.Now(), nil
	}
	t.waiters = append(t.waiters, w)
	t.mu.Unlock()
	return t.wait(ctx, w)
}

// patience is how long the screen may take to show what is waited for.
const patience = 10 * time.Second

func (t *terminal) wait(ctx context.Context, w *waiter) (time.Time, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case at := <-w.seen:
		return at, nil
	case <-t.ended:
		select {
		case at := <-w.seen: // with the last it wrote
			return at, nil
		default:
		}
		return time.Time{}, fmt.Errorf("the program ended (%v); its screen:\n%s", t.err, t.text())
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	case <-late.C:
		return time.Time{}, fmt.Errorf("not within %v; the screen:\n%s", patience, t.text())
	}
}

// written is how many bytes came from the program in a span of time.
func (t *terminal) written(from, until time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := 0
	for _, w := range t.writes {
		if !w.at.Before(from) && w.at.Before(until) {
			sum += w.bytes
		}
	}
	return sum
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for y := range t.screen.height {
		b.WriteString(t.screen.row(y) + "\n")
	}
	return b.String()
}

// quit leaves the program with its own key, by force when that does nothing.
func (t *terminal) quit() error {
	_, err := io.WriteString(t.file, "q")
	select {
	case <-t.ended:
		if t.err != nil {
			return fmt.Errorf("the program left with %w", t.err)
		}
		return nil
	case <-time.After(patience):
	}
	kill := t.cmd.Process.Kill()
	<-t.ended
	return errors.Join(fmt.Errorf("the program did not leave within %v of its key", patience), err, kill)
}
