package clients

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/estate"
)

// exchange is which messages of the authentication were seen. It is told by the
// protocol's trace rather than by the driver's error texts, and knows what they
// do not say: whether an error came before or after authentication.
type exchange struct {
	asked bool   // the server began SCRAM
	proof bool   // the server asked for the proof of the password, and was sent it
	ok    bool   // the server said that we are authenticated
	sasl  bool   // and had proved that it knows the verifier
	weak  string // why nothing was sent, or what it was worth
}

// Write takes one message of the trace: direction, name, length, and for some
// what they say, which may hold line breaks and is not looked at.
func (e *exchange) Write(message []byte) (int, error) {
	fields := strings.SplitN(string(message), "\t", 3)
	if len(fields) < 3 {
		return len(message), nil
	}
	switch fields[0] + " " + fields[1] {
	case "B AuthenticationSASL":
		e.asked = true
	case "B AuthenticationSASLContinue":
		// Our answer to it is the proof; the trace leaves that one out.
		e.proof = true
	case "B AuthenticationSASLFinal":
		e.sasl = true
	case "B AuthenticationOk":
		e.ok = true
		if (e.asked || e.proof) && !e.sasl {
			e.weak = "the server did not prove that it knows the password: something else answers here"
		}
	case "B AuthenticationCleartextPassword":
		e.weak = unsent("the password in clear")
	case "B AuthenticationMD5Password":
		e.weak = unsent("an MD5 hash of the password")
	case "B AuthenticationGSS":
		e.weak = unsent("GSSAPI")
	}
	return len(message), nil
}

// outcome is what a login that ended in an error proves; empty when it proves
// nothing about the credential.
func (e *exchange) outcome(said *pgconn.PgError) estate.LoginOutcome {
	switch {
	case e.weak != "":
		return estate.LoginWeak
	case e.ok && !e.sasl:
		return estate.LoginTrusted
	case said == nil:
		return ""
	case e.ok:
		switch said.Code {
		case "3D000", "28000", "42501", "53300", "55000":
			return estate.LoginBarred
		}
		return ""
	}
	switch said.Code {
	case "28P01":
		return estate.LoginWrong
	case "28000":
		return estate.LoginRejected
	case "53300":
		return estate.LoginBusy
	}
	return ""
}

func unsent(what string) string { return "the server asked for " + what + "; it was not sent" }

// words explain an outcome that the server gave no words to.
func (e *exchange) words() string {
	if e.weak != "" {
		return e.weak
	}
	return "the server asked for no password: any would do"
}

// boundsKey is where a connection keeps its bounds.
const boundsKey = "warroom bounds"

// bounds limit what may be read from one connection.
type bounds struct {
	left       atomic.Int64
	refusedTLS atomic.Bool // the first byte that came was the refusal of TLS
}

// allow lets the next n bytes in.
func (b *bounds) allow(n int64) { b.left.Store(n) }

func (b *bounds) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: conn, bounds: b}, nil
}

type boundedConn struct {
	net.Conn
	bounds *bounds
	begun  bool
}

// Read is not called concurrently, as the protocol has one reader.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.bounds.left.Load() <= 0 {
		return 0, errTooLarge
	}
	n, err := c.Conn.Read(p)
	c.bounds.left.Add(int64(-n))
	if n > 0 && !c.begun {
		c.begun = true
		c.bounds.refusedTLS.Store(p[0] == 'N')
	}
	return n, err
}
