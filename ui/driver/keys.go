package driver

import (
	"io"
	"sync"
	"unicode/utf8"
)

// sequences are the bytes that an xterm with the kitty keyboard protocol sends,
// by key name. Esc is sent in that protocol's form because a lone ESC byte
// followed by another key reads as Alt and that key; use Send("\x1b") and then a
// wait to test the lone byte.
var sequences = map[string]string{
	"enter": "\r", "tab": "\t", "shift+tab": "\x1b[Z", "esc": "\x1b[27u",
	"space": " ", "backspace": "\x7f", "delete": "\x1b[3~",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
	"home": "\x1b[H", "end": "\x1b[F", "pgup": "\x1b[5~", "pgdown": "\x1b[6~",
	"ctrl+a": "\x01", "ctrl+c": "\x03", "ctrl+d": "\x04", "ctrl+l": "\x0c", "ctrl+n": "\x0e",
	"ctrl+p": "\x10", "ctrl+u": "\x15", "ctrl+w": "\x17", "ctrl+z": "\x1a",
}

// Press types keys by name: a single character is itself; the rest are named as
// Bubble Tea names them ("enter", "shift+tab", "ctrl+c").
func (d *Terminal) Press(keys ...string) {
	d.t.Helper()
	for _, key := range keys {
		seq, ok := sequences[key]
		switch {
		case ok:
			d.Send(seq)
		case utf8.RuneCountInString(key) == 1:
			d.Send(key)
		default:
			d.t.Fatalf("driver: no key called %q", key)
		}
	}
}

// Type types a text character by character.
func (d *Terminal) Type(text string) { d.Send(text) }

// Paste sends a text as a bracketed paste.
func (d *Terminal) Paste(text string) { d.Send("\x1b[200~" + text + "\x1b[201~") }

// Send sends bytes as they are.
func (d *Terminal) Send(bytes string) { d.in.write([]byte(bytes)) }

// queue is an input that never blocks its writer: a test must be able to type
// ahead of a program that is busy, as a person can.
type queue struct {
	mu     sync.Mutex
	wait   *sync.Cond
	data   []byte
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.wait = sync.NewCond(&q.mu)
	return q
}

func (q *queue) write(p []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.data = append(q.data, p...)
	q.wait.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wait.Broadcast()
}

// Read waits for input.
func (q *queue) Read(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.data) == 0 {
		if q.closed {
			return 0, io.EOF
		}
		q.wait.Wait()
	}
	n := copy(p, q.data)
	q.data = q.data[n:]
	return n, nil
}
