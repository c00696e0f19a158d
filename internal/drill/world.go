package drill

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options are what a World is opened with.
type Options struct {
	// Dir is the folder for the CA, the certificates and the AWS credentials of
	// the world, made with mode 0700 if it is not there. When it is empty, a
	// temporary one is made, and removed by Close.
	Dir string
	// Clock is the world's now; the system's when nil.
	Clock func() time.Time
	// Seed decides passwords, keys and version ids.
	Seed uint64
}

// World is one open scenario. It is safe for concurrent use.
type World struct {
	scenario scenario
	seed     uint64
	clock    func() time.Time
	began    time.Time
	dir      string
	ownDir   bool
	lock     *os.File // says that the folder is in use; nil when it is not our own

	listeners map[string]net.Listener
	ready     chan struct{}
	done      chan struct{} // closed by Close
	running   sync.WaitGroup

	mu     sync.Mutex
	serves bool
	closed bool
	stops  []func()
}

// Open makes the world of a scenario and listens for it on loopback. It is quick,
// and nothing answers before Serve: connections made in between wait.
func Open(name string, o Options) (*World, error) {
	s, err := find(name)
	if err != nil {
		return nil, err
	}
	w := &World{
		scenario: s, seed: o.Seed, clock: o.Clock, dir: o.Dir,
		listeners: map[string]net.Listener{}, ready: make(chan struct{}), done: make(chan struct{}),
	}
	if w.clock == nil {
		w.clock = time.Now
	}
	w.began = w.clock().UTC()
	if err := w.folder(); err != nil {
		return nil, err
	}
	for _, server := range s.servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on loopback for the drill's %s: %w", server, err), w.Close())
		}
		w.listeners[server] = l
	}
	return w, nil
}

// Dir is the folder with the world's files.
func (w *World) Dir() string { return w.dir }

// Alert is when the alert was raised that calls the commander into the scenario.
func (w *World) Alert() time.Time { return w.ago(w.scenario.Alert) }

// Config is the warroom.yaml of the world.
func (w *World) Config() []byte { return w.scenario.config(w) }

// Env is the environment, as NAME=value, with which aws, psql and openssl reach
// the world. The key in it opens nothing but this world.
func (w *World) Env() []string { return w.scenario.env(w) }

// Examples are command lines to try in that environment. They fetch passwords
// from the world's own store; none stands in them.
func (w *World) Examples() []string { return w.scenario.examples(w) }

// Ready is closed when every server answers.
func (w *World) Ready() <-chan struct{} { return w.ready }

// Serve makes keys, files and state, and serves until ctx ends or Close is
// called, which it both takes for a good end. It serves once.
func (w *World) Serve(ctx context.Context) error {
	w.mu.Lock()
	if w.serves || w.closed {
		w.mu.Unlock()
		return fmt.Errorf("serve drill %s: it was served or closed before", w.scenario.Name)
	}
	w.serves = true
	w.mu.Unlock()
	if w.ownDir {
		sweep(filepath.Dir(w.dir))
	}
	if err := w.scenario.build(w); err != nil {
		return errors.Join(fmt.Errorf("set up drill %s: %w", w.scenario.Name, err), w.Close())
	}
	close(w.ready)
	select {
	case <-ctx.Done():
	case <-w.done:
	}
	return w.Close()
}

// run starts one server of the world: serve must return after stop.
func (w *World) run(serve, stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		stop()
		return
	}
	w.stops = append(w.stops, stop)
	w.running.Go(serve)
}

// Close ends every server and connection, waits for them, and removes the
// folder if the world made it. It may be called more than once.
func (w *World) Close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
	stops := w.stops
	w.stops = nil
	w.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	for _, l := range w.listeners {
		_ = l.Close() // its server has closed it, if it has one
	}
	w.running.Wait()
	return w.removeFolder()
}

// now is the world's time.
func (w *World) now() time.Time { return w.clock().UTC() }

// ago is a time before the world was opened.
func (w *World) ago(d time.Duration) time.Time { return w.began.Add(-d).Truncate(time.Second) }

// address is host:port of a server.
func (w *World) address(server string) string { return w.listeners[server].Addr().String() }

// port is the port of a server.
func (w *World) port(server string) int { return w.listeners[server].Addr().(*net.TCPAddr).Port }

// file is the path of one of the world's files.
func (w *World) file(name string) string { return filepath.Join(w.dir, name) }

// source draws from the seed, for one purpose: what one draw yields does not
// depend on the others.
func (w *World) source(purpose string) *rand.Rand {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, w.seed)
	h.Write([]byte(purpose))
	return rand.New(rand.NewChaCha8([32]byte(h.Sum(nil))))
}

// text draws n letters and digits.
func (w *World) text(purpose string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	r := w.source(purpose)
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

// uuid draws a version 4 UUID.
func (w *World) uuid(purpose string) string {
	r := w.source(purpose)
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}
