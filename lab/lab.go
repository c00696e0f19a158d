package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// StartTimeout is how long all peers together may take until they are ready.
const StartTimeout = 3 * time.Minute

// errLate is why a start ends after StartTimeout.
var errLate = fmt.Errorf("the lab was not ready within %v", StartTimeout)

// Peer is one server of the lab.
type Peer interface {
	// Name is what progress, errors and Site.Await call it.
	Name() string
	// Key is what Select and the description call it; peers that are only of use
	// together share one.
	Key() string
	// Missing lists what this machine lacks to run it.
	Missing(ctx context.Context) []Requirement
	// Start runs it and returns when it answers. Stop is called even when Start
	// failed half way.
	Start(ctx context.Context, site *Site) error
	// Describe says in d how to reach it. It is called after Start succeeded.
	Describe(d *Description)
	// Stop ends it at once; what it kept is thrown away.
	Stop() error
}

// Site is where a lab runs: what its peers share.
type Site struct {
	// Dir is the lab's private folder. Other users may pass through it, but not
	// list it; what a peer keeps in it is closed to them.
	Dir string
	// CA signs the certificates of every peer.
	CA *CA

	log   io.Writer
	logMu sync.Mutex
	ready map[string]*readiness
}

type readiness struct {
	done chan struct{}
	err  error
}

// Has says whether the peer of that name is part of this run.
func (s *Site) Has(name string) bool { return s.ready[name] != nil }

// Await returns when the peer of that name is ready, or why it will not be.
func (s *Site) Await(ctx context.Context, name string) error {
	r, ok := s.ready[name]
	if !ok {
		return fmt.Errorf("wait for %s: the lab has no such peer", name)
	}
	select {
	case <-r.done:
		if r.err != nil {
			return fmt.Errorf("wait for %s: it did not start", name)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", name, context.Cause(ctx))
	}
}

// Logf writes one line of progress.
func (s *Site) Logf(format string, args ...any) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	_, _ = fmt.Fprintf(s.log, "lab: "+format+"\n", args...)
}

// Lab is a set of running peers.
type Lab struct {
	// File is the path of the JSON description, mode 0600.
	File string

	site        *Site
	peers       []Peer
	description Description
	stop        sync.Once
	err         error
}

// Start starts the peers side by side and writes their description. When one
// fails, all are stopped again. Progress goes to log, a line at a time.
func Start(ctx context.Context, peers []Peer, log io.Writer) (*Lab, error) {
	removeAbandoned()
	dir, err := makeDir()
	if err != nil {
		return nil, err
	}
	l := &Lab{peers: fit(ctx, peers, log), site: &Site{Dir: dir, log: log, ready: map[string]*readiness{}}}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

func (l *Lab) start(ctx context.Context) error {
	if err := missing(ctx, l.peers); err != nil {
		return err
	}
	ca, err := NewCA(filepath.Join(l.site.Dir, "ca.pem"))
	if err != nil {
		return err
	}
	l.site.CA = ca
	ctx, cancel := context.WithTimeoutCause(ctx, StartTimeout, errLate)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	for _, p := range l.peers {
		l.site.ready[p.Name()] = &readiness{done: make(chan struct{})}
	}
	var group sync.WaitGroup
	for _, p := range l.peers {
		group.Go(func() {
			began := time.Now()
			r := l.site.ready[p.Name()]
			defer close(r.done)
			if err := p.Start(ctx, l.site); err != nil {
				r.err = fmt.Errorf("start %s: %w", p.Name(), err)
				fail(r.err)
				return
			}
			l.site.Logf("%s is ready after %.1f s", p.Name(), time.Since(began).Seconds())
		})
	}
	group.Wait()

	var errs []error
	d := Description{CAFile: ca.File, Peers: keysOf(l.peers)}
	for _, p := range l.peers {
		if err := l.site.ready[p.Name()].err; err != nil {
			errs = append(errs, err)
			continue
		}
		p.Describe(&d)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	l.File = filepath.Join(l.site.Dir, descriptionFile)
	l.description = d
	return d.write(l.File)
}

// Stop ends every peer, the last first, and removes everything they kept.
// Calling it again does nothing.
func (l *Lab) Stop() error {
	l.stop.Do(func() {
		var errs []error
		for i := len(l.peers) - 1; i >= 0; i-- {
			if err := l.peers[i].Stop(); err != nil {
				errs = append(errs, fmt.Errorf("stop %s: %w", l.peers[i].Name(), err))
			}
		}
		if err := os.RemoveAll(l.site.Dir); err != nil {
			errs = append(errs, fmt.Errorf("remove the lab's folder: %w", err))
		}
		l.err = errors.Join(errs...)
	})
	return l.err
}

// missing is the error that names everything the machine lacks, nil when it
// lacks nothing.
func missing(ctx context.Context, peers []Peer) error {
	var errs []error
	for _, p := range peers {
		for _, r := range p.Missing(ctx) {
			errs = append(errs, fmt.Errorf("%s cannot run: %s is missing; %s", p.Name(), r.What, r.How))
		}
	}
	return errors.Join(errs...)
}
