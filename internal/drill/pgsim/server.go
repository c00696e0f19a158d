package pgsim

import (
	"context"
	"net"
	"sync"
	"time"
)

// HBA is the method of a line of pg_hba.conf.
type HBA string

// Methods. All but HBAScram exist so that checks can be tried against servers
// that are set up wrong.
const (
	HBAScram    HBA = "scram-sha-256"
	HBATrust    HBA = "trust"    // accepts any password
	HBAReject   HBA = "reject"   // an explicit reject line
	HBANone     HBA = "none"     // no line fits
	HBAPassword HBA = "password" // asks for the password in clear
	HBAMD5      HBA = "md5"      // asks for an MD5 hash of it
)

// maxConns bounds connections to one server that have not logged in or have, the
// simulated sessions aside.
const maxConns = 256

// Server is one of the two servers of a cluster.
type Server struct {
	cluster *Cluster
	replica bool
	booted  time.Time
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	hba      HBA
	userHBA  map[string]HBA
	starting bool // refuses logins with 57P03
	closed   bool
	open     map[net.Conn]*session
	listen   map[net.Listener]bool
	nextPID  uint32
	backends map[uint32]*Session
	live     map[uint32]*session // those of backends that have a connection
	locks    map[lockKey]advisory
	failed   int
}

func newServer(c *Cluster, replica bool) *Server {
	ctx, stop := context.WithCancel(context.Background())
	return &Server{
		cluster: c, replica: replica, booted: c.began, ctx: ctx, stop: stop, hba: HBAScram,
		userHBA: map[string]HBA{}, open: map[net.Conn]*session{}, listen: map[net.Listener]bool{},
		nextPID: 1200 + uint32(c.rng.UintN(400)), backends: map[uint32]*Session{}, live: map[uint32]*session{}, locks: map[lockKey]advisory{},
	}
}

// SetHBA sets the method for everyone who has none of their own.
func (s *Server) SetHBA(h HBA) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hba = h
}

// SetUserHBA sets the method for one user, as a line before all others.
func (s *Server) SetUserHBA(user string, h HBA) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.userHBA[user] = h
}

// SetStarting makes the server answer that it is starting up.
func (s *Server) SetStarting(starting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = starting
}

// FailedLogins counts the logins that failed authentication (28P01) since the
// start, as a log would.
func (s *Server) FailedLogins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Serve takes connections until Close, then returns nil. It may run on several
// listeners at once and closes them.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return l.Close()
	}
	s.listen[l] = true
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			closed := s.closed
			delete(s.listen, l)
			s.mu.Unlock()
			if closed {
				return nil
			}
			return err
		}
		s.accept(conn)
	}
}

// accept serves one connection, or drops it where there are too many.
func (s *Server) accept(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= maxConns {
		_ = conn.Close()
		return
	}
	one := &session{server: s, raw: conn, conn: conn}
	s.open[conn] = one
	s.running.Go(func() {
		one.serve()
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
	})
}

// Close stops listening, ends every connection and waits until all are gone. It
// may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.stop()
	for l := range s.listen {
		_ = l.Close()
	}
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *Server) now() time.Time { return s.cluster.opts.Now() }

func (s *Server) role(name string) (Role, bool) {
	r, ok := s.cluster.catalogFor(s.replica).roles[name]
	return r, ok
}

// method is how a user must authenticate, and whether the server takes logins.
func (s *Server) method(user string) (h HBA, starting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.userHBA[user]; ok {
		return h, s.starting
	}
	return s.hba, s.starting
}
