package pgsim

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Codes in place of a protocol version in the first packet.
const (
	codeSSL    = 80877103
	codeGSS    = 80877104
	codeCancel = 80877102
)

// Bounds of what a client may send.
const (
	maxStartup = 10_000  // MAX_STARTUP_PACKET_LENGTH
	maxAuth    = 65_535  // PG_MAX_AUTH_TOKEN_LENGTH
	maxMessage = 1 << 20 // of a statement; the real limit is 1 GiB
	idleLimit  = 30 * time.Minute
)

// session is one connection.
type session struct {
	server   *Server
	raw      net.Conn // as accepted
	conn     net.Conn // raw, or TLS over it
	tls      bool
	backend  *pgproto3.Backend
	user     string
	database string
	pid      uint32
	key      []byte

	settings   map[string]string // what SET changed
	statements map[string]*prepared
	portals    map[string]*portal
	tx         byte             // I, T or E as in ReadyForQuery
	readOnly   bool             // of this transaction
	pending    []func(*catalog) // changes of this transaction

	interrupting sync.Mutex
	cancelRun    context.CancelFunc
}

// serve runs the connection to its end.
func (s *session) serve() {
	_ = s.conn.SetDeadline(time.Now().Add(s.server.cluster.opts.HandshakeTimeout))
	parameters, ok := s.startup()
	if !ok {
		return
	}
	s.backend.SetMaxBodyLen(maxAuth)
	if f := s.login(parameters); f != nil {
		if told := s.server.cluster.opts.Refused; told != nil && f.code == "28P01" {
			told(Refusal{s.server.now(), s.user, s.database, parameters["application_name"], s.raw.RemoteAddr().String(), s.server.replica})
		}
		s.refuse(f)
		return
	}
	defer s.server.leave(s.pid)
	s.backend.SetMaxBodyLen(maxMessage)
	if s.greet() != nil {
		return
	}
	s.run()
}

// refuse says why and ends the connection.
func (s *session) refuse(f *failure) {
	if f == gone {
		return
	}
	if f.code == "28P01" {
		s.server.mu.Lock()
		s.server.failed++
		s.server.mu.Unlock()
	}
	s.backend.Send(f.response())
	_ = s.backend.Flush()
	s.linger()
}

// linger lets the client read what was said: closing with unread input makes
// the kernel send a reset, which can overtake the answer.
func (s *session) linger() {
	var half interface{ CloseWrite() error }
	if h, ok := s.conn.(interface{ CloseWrite() error }); ok {
		half = h
	}
	if half == nil || half.CloseWrite() != nil {
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, s.conn, maxAuth)
}

// startup reads first packets, one by one and not a byte further (what follows
// a request for TLS belongs to TLS), until the client names itself.
func (s *session) startup() (map[string]string, bool) {
	s.backend = pgproto3.NewBackend(s.conn, s.conn)
	for range 4 {
		code, body, err := firstPacket(s.conn)
		if err != nil {
			return nil, false
		}
		switch {
		case code == codeCancel:
			var m pgproto3.CancelRequest
			if m.Decode(body) == nil {
				s.server.cancel(m.ProcessID, m.SecretKey)
			}
			return nil, false
		case code == codeSSL && !s.tls && s.server.cluster.opts.TLS != nil:
			if _, err := s.conn.Write([]byte{'S'}); err != nil {
				return nil, false
			}
			secure := tls.Server(s.conn, s.server.cluster.opts.TLS)
			if err := secure.HandshakeContext(s.server.ctx); err != nil {
				return nil, false
			}
			s.conn, s.tls = secure, true
			s.backend = pgproto3.NewBackend(secure, secure)
		case code == codeSSL, code == codeGSS:
			if _, err := s.conn.Write([]byte{'N'}); err != nil {
				return nil, false
			}
		case code>>16 == 3:
			return s.hello(code, body)
		default:
			s.refuse(fatal("0A000", fmt.Sprintf("unsupported frontend protocol %d.%d: server supports 3.0 to 3.0", code>>16, code&0xffff)).from("postmaster.c", "ProcessStartupPacket"))
			return nil, false
		}
	}
	return nil, false
}

// firstPacket reads a packet without a type byte.
func firstPacket(r io.Reader) (code uint32, body []byte, err error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(size[:])) - 4
	if n < 4 || n > maxStartup {
		return 0, nil, errors.New("invalid length of startup packet")
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(body), body, nil
}

// hello decodes the packet in which the client names itself. A newer minor
// version is answered with ours.
func (s *session) hello(code uint32, body []byte) (map[string]string, bool) {
	binary.BigEndian.PutUint32(body, pgproto3.ProtocolVersion30)
	var m pgproto3.StartupMessage
	if err := m.Decode(body); err != nil {
		s.refuse(fatal("08P01", "invalid startup packet layout: expected terminator as last byte").from("postmaster.c", "ProcessStartupPacket"))
		return nil, false
	}
	if code&0xffff > 0 {
		s.backend.Send(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 0})
	}
	return m.Parameters, true
}

// login authenticates and authorizes, in PostgreSQL's order: what comes after
// authentication tells the client that its password was right.
func (s *session) login(parameters map[string]string) *failure {
	s.user, s.database = parameters["user"], parameters["database"]
	if s.user == "" {
		return fatal("28000", "no PostgreSQL user name specified in startup packet").from("postmaster.c", "ProcessStartupPacket")
	}
	if s.database == "" {
		s.database = s.user
	}
	method, starting := s.server.method(s.user)
	if starting {
		return fatal("57P03", "the database system is starting up").from("postmaster.c", "ProcessStartupPacket")
	}
	o := s.server.cluster.opts
	if all, _ := s.server.counts(s.user); all >= o.MaxConnections {
		return fatal("53300", "sorry, too many clients already").from("proc.c", "InitProcess")
	}
	if f := s.authenticate(method); f != nil {
		return f
	}
	s.backend.Send(&pgproto3.AuthenticationOk{})
	if f := s.authorize(); f != nil {
		return f
	}
	if f := s.preset(parameters); f != nil {
		return f
	}
	s.statements, s.portals, s.tx = map[string]*prepared{}, map[string]*portal{}, 'I'
	s.key = make([]byte, 4)
	_, _ = rand.Read(s.key)
	s.server.enter(s)
	return nil
}

func (s *session) authenticate(method HBA) *failure {
	encryption := "no encryption"
	if s.tls {
		encryption = "SSL encryption"
	}
	host := "127.0.0.1"
	if a, ok := s.conn.RemoteAddr().(*net.TCPAddr); ok {
		host = a.IP.String()
	}
	switch method {
	case HBATrust:
		return nil
	case HBAReject:
		return fatal("28000", fmt.Sprintf("pg_hba.conf rejects connection for host %q, user %q, database %q, %s", host, s.user, s.database, encryption)).from("auth.c", "ClientAuthentication")
	case HBANone:
		return fatal("28000", fmt.Sprintf("no pg_hba.conf entry for host %q, user %q, database %q, %s", host, s.user, s.database, encryption)).from("auth.c", "ClientAuthentication")
	case HBAPassword, HBAMD5:
		return s.weak(method)
	default:
		return s.password()
	}
}

// weak asks for the password in a way that a careful client refuses. The answer
// is always wrong: verifiers are SCRAM's.
func (s *session) weak(method HBA) *failure {
	kind := uint32(pgproto3.AuthTypeCleartextPassword)
	if method == HBAMD5 {
		kind = pgproto3.AuthTypeMD5Password
		s.backend.Send(&pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}})
	} else {
		s.backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	}
	if _, f := receiveAuth[*pgproto3.PasswordMessage](s, kind); f != nil {
		return f
	}
	return fatal("28P01", fmt.Sprintf("password authentication failed for user %q", s.user)).from("auth.c", "auth_failed")
}

// authorize is what PostgreSQL checks once it knows who is there.
func (s *session) authorize() *failure {
	seen := s.server.cluster.catalogFor(s.server.replica)
	r, ok := seen.roles[s.user]
	o := s.server.cluster.opts
	all, own := s.server.counts(s.user)
	d, exists := seen.databases[s.database]
	switch {
	case !ok:
		return fatal("28000", fmt.Sprintf("role %q does not exist", s.user)).from("miscinit.c", "InitializeSessionUserId")
	case !r.CanLogin:
		return fatal("28000", fmt.Sprintf("role %q is not permitted to log in", s.user)).from("miscinit.c", "InitializeSessionUserId")
	case !r.Superuser && r.ConnLimit >= 0 && own >= r.ConnLimit:
		return fatal("53300", fmt.Sprintf("too many connections for role %q", s.user)).from("miscinit.c", "InitializeSessionUserId")
	case !r.Superuser && o.MaxConnections-all <= o.ReservedConnections:
		return fatal("53300", "remaining connection slots are reserved for non-replication superuser connections").from("postinit.c", "InitPostgres")
	case !exists:
		return fatal("3D000", fmt.Sprintf("database %q does not exist", s.database)).from("postinit.c", "InitPostgres")
	case d.closed:
		return fatal("55000", fmt.Sprintf("database %q is not currently accepting connections", s.database)).from("postinit.c", "CheckMyDatabase")
	case !r.Superuser && d.revoked[s.user]:
		f := fatal("42501", fmt.Sprintf("permission denied for database %q", s.database)).from("postinit.c", "CheckMyDatabase")
		return f.with("User does not have CONNECT privilege.", "")
	}
	return nil
}

// greet is the end of the login.
func (s *session) greet() error {
	for _, name := range reported {
		value, _ := s.setting(name)
		s.backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	s.backend.Send(&pgproto3.BackendKeyData{ProcessID: s.pid, SecretKey: s.key})
	s.backend.Send(&pgproto3.ReadyForQuery{TxStatus: s.tx})
	if err := s.backend.Flush(); err != nil {
		return err
	}
	return s.conn.SetDeadline(time.Time{})
}

// interrupt ends the statement that runs now.
func (s *session) interrupt() {
	s.interrupting.Lock()
	defer s.interrupting.Unlock()
	if s.cancelRun != nil {
		s.cancelRun()
	}
}
