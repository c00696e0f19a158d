package pgsim

import (
	"maps"
	"slices"
	"time"
)

// Session is one row of pg_stat_activity: a simulated client, or one of ours
// that is really connected.
type Session struct {
	PID         int    // 0 lets AddSessions choose; those of real connections are given by the server
	User        string // role
	Database    string
	Application string    // application_name
	Client      string    // address; empty for 127.0.0.1
	Started     time.Time // backend_start; zero for now
	State       string    // active, idle, idle in transaction; idle when empty
	Query       string
	BlockedBy   int       // pid of the session whose lock it waits for; 0 for none
	WaitStart   time.Time // since when; zero for now, where BlockedBy is set
}

// AddSessions adds simulated client sessions, which hold a connection slot until
// they are ended, and returns their pids in the same order. A session may be
// blocked by one that was added before, or earlier in the same call.
func (s *Server) AddSessions(sessions ...Session) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pids []int
	for _, one := range sessions {
		if one.PID == 0 {
			one.PID = int(s.newPID())
		}
		if one.Client == "" {
			one.Client = "127.0.0.1"
		}
		if one.Started.IsZero() {
			one.Started = s.now()
		}
		if one.BlockedBy != 0 {
			one.State = "active"
			if one.WaitStart.IsZero() {
				one.WaitStart = s.now()
			}
		}
		if one.State == "" {
			one.State = "idle"
		}
		s.backends[uint32(one.PID)] = &one
		pids = append(pids, one.PID)
	}
	return pids
}

// EndSessions ends sessions by pid, as pg_terminate_backend, and returns how
// many there were. Whoever waited for a lock of theirs gets it.
func (s *Server) EndSessions(pids ...int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, pid := range pids {
		if _, ok := s.backends[uint32(pid)]; ok {
			n++
		}
		if l := s.live[uint32(pid)]; l != nil {
			// Not its TLS: saying goodbye could wait for a client that reads nothing.
			_ = l.raw.Close()
		}
		s.drop(uint32(pid))
	}
	return n
}

// Sessions lists the sessions by pid.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Session, 0, len(s.backends))
	for _, b := range s.backends {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Session) int { return a.PID - b.PID })
	return out
}

// drop forgets a backend and lets go of its locks. The lock is held.
func (s *Server) drop(pid uint32) {
	delete(s.backends, pid)
	delete(s.live, pid)
	maps.DeleteFunc(s.locks, func(_ lockKey, h advisory) bool { return h.pid == pid })
	for _, b := range s.backends {
		if b.BlockedBy == int(pid) {
			b.BlockedBy, b.WaitStart, b.State = 0, time.Time{}, "idle"
		}
	}
}

func (s *Server) newPID() uint32 {
	for {
		s.nextPID++
		if s.backends[s.nextPID] == nil {
			return s.nextPID
		}
	}
}

// counts is how many sessions there are, and how many of them a role has.
func (s *Server) counts(user string) (all, own int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.backends {
		if b.User == user {
			own++
		}
	}
	return len(s.backends), own
}

// enter gives a session that logged in its row.
func (s *Server) enter(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.pid = s.newPID()
	s.backends[one.pid] = &Session{
		PID: int(one.pid), User: one.user, Database: one.database, Application: one.application(),
		Client: "127.0.0.1", Started: s.now(), State: "idle",
	}
	s.live[one.pid] = one
}

// update changes the row of a session that is connected.
func (s *Server) update(pid uint32, f func(*Session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.backends[pid]; b != nil {
		f(b)
	}
}

func (s *Server) leave(pid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(pid)
}

// cancel ends the statement of a session, if the caller knows its key.
func (s *Server) cancel(pid uint32, key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.live[pid]; one != nil && slices.Equal(one.key, key) {
		one.interrupt()
	}
}
