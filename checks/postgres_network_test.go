package checks

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// hostile listens and does what serve says with every connection.
func hostile(t *testing.T, serve func(net.Conn)) config.Postgres {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				unblock := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer unblock()
				serve(c)
				_ = c.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		<-done
	})
	return config.Postgres{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, SSLMode: "disable", Database: pgDatabase}
}

// packet reads a first packet.
func packet(c net.Conn) []byte {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
	_, _ = io.ReadFull(c, body)
	return body
}

func silence(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// message is one message of the server's.
func message(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

func TestServersThatAreNotThere(t *testing.T) {
	certificate, ca := pgCertificate(t)
	_, otherCA := pgCertificate(t)
	const free = 1 // nobody listens there; a port that was free could be taken
	secure := func(c net.Conn) net.Conn {
		packet(c)
		_, _ = c.Write([]byte("S"))
		return tls.Server(c, certificate)
	}
	withTLS := func(at config.Postgres, mode, ca string) config.Postgres {
		at.SSLMode, at.CACert = mode, ca
		return at
	}
	garbage := bytes.Repeat([]byte("\x00\xffgarbage\x1b[2J"), 4096)

	cases := []struct {
		name   string
		at     config.Postgres
		kind   estate.FailureKind
		detail string
	}{
		{"refused", config.Postgres{Host: "127.0.0.1", Port: free, SSLMode: "disable"}, estate.Refused, "refused"},
		{"host does not resolve", config.Postgres{Host: "nowhere.invalid", Port: 5432, SSLMode: "disable"}, estate.Unresolved, "nowhere.invalid"},
		{"silent", hostile(t, silence), estate.Silent, ""},
		{"silent before TLS", withTLS(hostile(t, silence), "verify-full", ca), estate.Silent, ""},
		{"silent in TLS", withTLS(hostile(t, func(c net.Conn) { packet(c); _, _ = c.Write([]byte("S")); silence(c) }), "verify-full", ca), estate.Silent, ""},
		{"silent after the first message", hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = c.Write(message('R', []byte("\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00")))
			silence(c)
		}), estate.Silent, ""},
		{"closes at once", hostile(t, func(net.Conn) {}), estate.Refused, ""},
		{"resets half way", hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = c.Write(message('R', []byte("\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))[:7])
			_ = c.(*net.TCPConn).SetLinger(0)
		}), estate.Refused, ""},
		{"no TLS there", withTLS(hostile(t, func(c net.Conn) { packet(c); _, _ = c.Write([]byte("N")); silence(c) }), "verify-full", ca), estate.Refused, "does not offer TLS"},
		{"HTTP where TLS should be", withTLS(hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}), "verify-full", ca), estate.BadAnswer, ""},
		{"garbage for TLS", withTLS(hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = c.Write([]byte("S"))
			_, _ = c.Write(garbage)
			silence(c)
		}), "verify-full", ca), estate.BadAnswer, ""},
		{"another CA", withTLS(hostile(t, func(c net.Conn) { silence(secure(c)) }), "verify-full", otherCA), estate.Misconfigure, "unknown authority"},
		{"another CA, verify-ca", withTLS(hostile(t, func(c net.Conn) { silence(secure(c)) }), "verify-ca", otherCA), estate.Misconfigure, "unknown authority"},
		{"no CA file", withTLS(config.Postgres{Host: "127.0.0.1", Port: free}, "verify-full", ca+".gone"), estate.Misconfigure, ""},
		{"HTTP", hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nServer: \x1b]0;owned\a\r\n\r\n")
		}), estate.BadAnswer, ""},
		{"garbage", hostile(t, func(c net.Conn) { packet(c); _, _ = c.Write(garbage); silence(c) }), estate.BadAnswer, ""},
		{"one huge message", hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = c.Write([]byte{'E', 0x7f, 0xff, 0xff, 0xff})
			for {
				if _, err := c.Write(garbage); err != nil {
					return
				}
			}
		}), estate.BadAnswer, ""},
		{"endless notices", hostile(t, func(c net.Conn) {
			packet(c)
			one := message('N', append(bytes.Repeat([]byte("M"+strings.Repeat("x", 1000)+"\x00"), 60), 0))
			for {
				if _, err := c.Write(one); err != nil {
					return
				}
			}
		}), estate.BadAnswer, "larger"},
		{"an error with control sequences", hostile(t, func(c net.Conn) {
			packet(c)
			_, _ = c.Write(message('E', []byte("SFATAL\x00C58000\x00M\x1b[2Jwiped\x1b]0;t\a \u202egone\nB\tAuthenticationOk\t8\x00\x00")))
			silence(c)
		}), estate.ServerError, "wiped gone B AuthenticationOk 8 (SQLSTATE 58000)"},
		{"an impostor who does not know the verifier", hostile(t, impostor), estate.BadAnswer, ""},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			at := x.at
			if at.Database == "" {
				at.Database = pgDatabase
			}
			e := newPGEstate(t, at)
			e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
			for k, p := range e.probes {
				p.Timeout = 400 * time.Millisecond
				e.probes[k] = p
			}
			began := time.Now()
			r := e.run(t, "db0", estate.CheckLogin, string(estate.StageCurrent))
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %s with a timeout of 400 ms", took)
			}
			f := kindIs(t, r.Err, x.kind)
			if !strings.Contains(f.Detail, x.detail) {
				t.Errorf("detail %q, want %q in it", f.Detail, x.detail)
			}
			if strings.ContainsAny(f.Error(), "\x1b\a\n\u202e") || len(f.Error()) > 700 {
				t.Errorf("unfit to be drawn: %q", f.Error())
			}
			if f.Kind.Status() == estate.OK || f.Doing == "" {
				t.Errorf("got %+v", f)
			}
		})
	}
}

// impostor plays SCRAM without knowing the password.
func impostor(c net.Conn) {
	scram(c, "4096", nil, &pgproto3.AuthenticationSASLFinal{Data: []byte("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")}, &pgproto3.AuthenticationOk{})
}

// scram asks for a proof over so many iterations, one byte of the challenge at a
// time, tells proved when it came, and answers it.
func scram(c net.Conn, iterations string, proved chan<- struct{}, answer ...pgproto3.BackendMessage) {
	packet(c)
	b := pgproto3.NewBackend(c, c)
	b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
	_ = b.Flush()
	_ = b.SetAuthType(pgproto3.AuthTypeSASL)
	m, err := b.Receive()
	first, ok := m.(*pgproto3.SASLInitialResponse)
	if err != nil || !ok {
		return
	}
	_, nonce, _ := strings.Cut(string(first.Data), "r=")
	challenge := "\x00\x00\x00\x0br=" + nonce + "more,s=c2FsdHNhbHRzYWx0c2FsdA==,i=" + iterations
	for _, one := range message('R', []byte(challenge)) {
		_, _ = c.Write([]byte{one})
	}
	_ = b.SetAuthType(pgproto3.AuthTypeSASLContinue)
	if m, err := b.Receive(); err != nil {
		return
	} else if _, ok := m.(*pgproto3.SASLResponse); ok && proved != nil {
		proved <- struct{}{}
	}
	for _, m := range answer {
		b.Send(m)
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	_ = b.Flush()
	silence(c)
}

// A server is sent no proof that is cheap to crack or dear to make, and one that
// takes a proof without giving its own is neither trusted nor believed.
func TestServersThatDoNotProveThemselves(t *testing.T) {
	for _, x := range []struct {
		name, iterations string
		answer           []pgproto3.BackendMessage
		message          string
		proofs           int
	}{
		{"none", "0", nil, "over 0 iterations", 0},
		{"fewer than none", "-1", nil, "over -1 iterations", 0},
		{"one", "1", nil, "easily cracked", 0},
		{"just too few", "4095", nil, "at least 4096", 0},
		{"just too many", "1000001", nil, "more than 1000000", 0},
		{"no signature", "4096", []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}, "did not prove that it knows the password", 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			proved := make(chan struct{}, 10)
			at := hostile(t, func(c net.Conn) { scram(c, x.iterations, proved, x.answer...) })
			e := newPGEstate(t, at)
			e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
			for range 2 {
				l := e.login(t, "db0", estate.StageCurrent)
				if l.Outcome != estate.LoginWeak || !strings.Contains(l.Message, x.message) {
					t.Errorf("got %+v, want %q", l, x.message)
				}
			}
			if n := len(proved); n != x.proofs {
				t.Errorf("the server got %d proofs, want %d", n, x.proofs)
			}
		})
	}
}

// A login whose proof was sent and never answered may have been counted.
func TestUnansweredProofIsNotRepeated(t *testing.T) {
	proofs := make(chan struct{}, 10)
	at := hostile(t, func(c net.Conn) {
		packet(c)
		b := pgproto3.NewBackend(c, c)
		b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
		_ = b.Flush()
		_ = b.SetAuthType(pgproto3.AuthTypeSASL)
		m, err := b.Receive()
		first, ok := m.(*pgproto3.SASLInitialResponse)
		if err != nil || !ok {
			return
		}
		_, nonce, _ := strings.Cut(string(first.Data), "r=")
		b.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "more,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096")})
		_ = b.Flush()
		_ = b.SetAuthType(pgproto3.AuthTypeSASLContinue)
		if _, err := b.Receive(); err == nil {
			proofs <- struct{}{}
		}
		silence(c)
	})
	e := newPGEstate(t, at)
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	for k, p := range e.probes {
		p.Timeout = 400 * time.Millisecond
		e.probes[k] = p
	}
	for range 3 {
		f := kindIs(t, e.run(t, "db0", estate.CheckLogin, "AWSCURRENT").Err, estate.Silent)
		if strings.Contains(f.Detail, "not tried again") != (e.clock.Now().Minute() > 0) {
			t.Errorf("at %s: %v", e.clock.Now(), f)
		}
		e.clock.advance(time.Minute)
	}
	if n := len(proofs); n != 1 {
		t.Errorf("the server saw %d proofs in 3 minutes, want 1", n)
	}
	e.clock.advance(hold)
	kindIs(t, e.run(t, "db0", estate.CheckLogin, "AWSCURRENT").Err, estate.Silent)
	if n := len(proofs); n != 2 {
		t.Errorf("the server saw %d proofs after the rest, want 2", n)
	}
}

func TestAnInterruptedReadIsNoReading(t *testing.T) {
	e := newPGEstate(t, hostile(t, silence))
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	for _, check := range []string{estate.CheckLogin, estate.CheckConnections} {
		item := map[string]string{estate.CheckLogin: string(estate.StageCurrent)}[check]
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan Result, 1)
		go func() {
			answer <- e.probes[estate.Key{Component: "db0", Check: check, Item: item}].Read(ctx)
		}()
		cancel()
		select {
		case r := <-answer:
			if !errors.Is(r.Err, context.Canceled) {
				t.Errorf("%s: %v", check, r.Err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s did not return when interrupted", check)
		}
	}
}

// The environment is the operator's own, and must not change what a probe proves.
func TestProbesIgnoreTheEnvironment(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	for name, value := range map[string]string{
		"PGPASSWORD": pgWrong, "PGUSER": "wr_other", "PGHOST": "nowhere.invalid", "PGPORT": "1", "PGDATABASE": "other", "PGSSLMODE": "disable",
		"PGSERVICE": "no-such-service", "PGSERVICEFILE": "/nonexistent", "PGAPPNAME": "psql", "PGOPTIONS": "-c geqo=off",
		"PGREQUIREAUTH": "none", "PGCHANNELBINDING": "nonsense", "PGTARGETSESSIONATTRS": "standby", "PGCONNECT_TIMEOUT": "x", "PGSSLCERT": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	e := newPGEstate(t, w.at(false))
	e.vault.put(pgSecret, estate.StageCurrent, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	if l := e.login(t, "db0", estate.StageCurrent); l.Outcome != estate.LoginAccepted || l.User != "wr_app" || !l.TLS {
		t.Errorf("got %+v", l)
	}
}

// What hangs is the server, also for a login that waits for another one of the
// same version to be answered.
func TestASilentServerIsNotBlamedOnTheSecretStore(t *testing.T) {
	at := hostile(t, silence)
	e := newPGEstate(t, at)
	for _, stage := range []estate.Stage{estate.StageCurrent, estate.StagePending} {
		e.vault.put(pgSecret, stage, pgVersion{id: "v1", user: "wr_app", password: pgOld})
	}
	var probes []Probe
	for _, p := range e.probes {
		p.Timeout = 400 * time.Millisecond
		probes = append(probes, p)
	}
	r := &recorder{}
	NewScheduler(probes, Options{Concurrency: len(probes), Post: r.post}).Once(t.Context())
	silent := 0
	for _, o := range r.all {
		if o.Failure == nil {
			continue // no version under that label
		}
		silent++
		if o.Failure.Kind != estate.Silent || strings.Contains(o.Failure.Doing, "password") || !strings.Contains(o.Failure.Doing, net.JoinHostPort(at.Host, strconv.Itoa(at.Port))) {
			t.Errorf("%s %s: %v", o.Key.Check, o.Key.Item, o.Failure)
		}
	}
	if silent != 5 {
		t.Errorf("%d readings of the silent server, want 5", silent)
	}
}
