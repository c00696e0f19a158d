package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"warroom/internal/estate"
)

// LoginTry is what came of one login. Either Err says why the server gave no
// answer to it, or Login has the outcome.
type LoginTry struct {
	Login estate.Login // User, Database, Outcome, SQLState, Message and TLS are filled in
	Err   error        // *estate.Failure, or the context's error where it was interrupted
	// Presented is set when the proof of the password was sent: the login may
	// have counted against the role even if no answer came.
	Presented bool
}

// Login logs in as user, asks SELECT 1 and leaves. Addresses of the host are
// tried in turn until one answers.
func (p *Postgres) Login(ctx context.Context, user string, password estate.Secret) LoginTry {
	conn, try := p.connect(ctx, user, func(address string) (*pgx.ConnConfig, error) { return p.config(address, user, password) })
	if conn == nil {
		return try
	}
	// A pooler takes the login by itself and reaches for the server only now.
	if _, err := conn.PgConn().Exec(ctx, "SELECT 1").ReadAll(); err != nil {
		try.Err, try.Login.Outcome = p.failure(ctx, err, nil, p.doing(user)), ""
	}
	leave(conn)
	return try
}

func (p *Postgres) doing(user string) string {
	return fmt.Sprintf("log in to %s as %s", p.Place(), Strip(user, 64))
}

// leave closes a connection without waiting long for the server's goodbye.
func leave(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	_ = conn.Close(ctx)
}

// connect logs in at the first address that answers. The connection is nil
// unless the outcome is LoginAccepted.
func (p *Postgres) connect(ctx context.Context, user string, configure func(address string) (*pgx.ConnConfig, error)) (*pgx.Conn, LoginTry) {
	doing := p.doing(user)
	addresses, err := p.addresses(ctx)
	if err != nil {
		return nil, LoginTry{Err: p.failure(ctx, err, nil, doing)}
	}
	var failures []*estate.Failure
	var silent []string
	presented := false
	for i, address := range addresses {
		one, cancel := share(ctx, len(addresses)-i)
		conn, try := p.connectOne(one, address, configure, doing)
		cancel()
		presented = presented || try.Presented
		try.Login.User, try.Login.Database = user, p.server.Database
		if try.Err == nil {
			if len(silent) > 0 && try.Login.Message == "" {
				try.Login.Message = strings.Join(silent, "; ")
			}
			return conn, try
		}
		var failure *estate.Failure
		if ctx.Err() == context.Canceled || !errors.As(try.Err, &failure) || try.Presented || failure.Kind == estate.Misconfigure {
			// After a proof was sent no other address gets one.
			return nil, LoginTry{Err: try.Err, Presented: presented}
		}
		failures = append(failures, failure)
		if ip := net.ParseIP(address); ip == nil || !ip.IsLoopback() {
			silent = append(silent, fmt.Sprintf("address %s: %s", address, failure.Kind))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, LoginTry{Err: together(addresses, failures), Presented: presented}
}

// together is the failure of several addresses: the worst of their kinds, and
// what each of them said.
func together(addresses []string, failures []*estate.Failure) *estate.Failure {
	if len(failures) == 0 {
		return &estate.Failure{Kind: estate.Unresolved, Doing: "connect", Detail: "the host name has no address", Next: "check the host name, and DNS from this machine"}
	}
	worst := *failures[0]
	if len(failures) == 1 {
		return &worst
	}
	var each []string
	for i, f := range failures {
		if f.Kind.Status() > worst.Kind.Status() {
			worst = *f
		}
		each = append(each, fmt.Sprintf("%s: %s", addresses[i], f.Kind))
	}
	worst.Detail = Strip(strings.Join(each, "; ")+"; "+worst.Detail, 2*DetailLimit)
	return &worst
}

// connectOne logs in at one address.
func (p *Postgres) connectOne(ctx context.Context, address string, configure func(string) (*pgx.ConnConfig, error), doing string) (*pgx.Conn, LoginTry) {
	config, err := configure(address)
	if err != nil {
		return nil, LoginTry{Err: err}
	}
	wire := &bounds{}
	config.DialFunc = wire.dial
	var seen exchange
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.Trace(&seen, pgproto3.TracerOptions{SuppressTimestamps: true, RegressMode: true})
		return f
	}
	wire.allow(postgresLogin)
	conn, err := pgx.ConnectConfig(ctx, config)
	try := LoginTry{Presented: seen.proof, Login: estate.Login{TLS: config.TLSConfig != nil}}
	if err == nil {
		conn.PgConn().Frontend().Untrace()
		conn.PgConn().CustomData()[boundsKey] = wire
		try.Login.Outcome = estate.LoginAccepted
		return conn, try
	}
	var said *pgconn.PgError
	errors.As(err, &said)
	if said != nil {
		try.Login.SQLState = Strip(said.Code, 5)
		try.Login.Message = p.text(said.Message, DetailLimit)
		if said.Detail != "" {
			try.Login.Message = p.text(said.Message+" ("+said.Detail+")", DetailLimit)
		}
	}
	if try.Login.Outcome = seen.outcome(said); try.Login.Outcome == "" {
		try.Err = p.failure(ctx, err, wire, doing)
	} else if said == nil {
		try.Login.Message = seen.words()
	}
	return nil, try
}

// exchange is which messages of the authentication were seen. It is told by the
// protocol's trace rather than by the driver's error texts, and knows what they
// do not say: whether an error came before or after authentication.
type exchange struct {
	proof bool // the server asked for the proof of the password, and was sent it
	ok    bool // the server said that we are authenticated
	sasl  bool // and had proved that it knows the verifier
	weak  string
}

// Write takes one message of the trace: direction, name, length, and for some
// what they say, which may hold line breaks and is not looked at.
func (e *exchange) Write(message []byte) (int, error) {
	fields := strings.SplitN(string(message), "\t", 3)
	if len(fields) < 3 {
		return len(message), nil
	}
	switch fields[0] + " " + fields[1] {
	case "B AuthenticationSASLContinue":
		// Our answer to it is the proof; the trace leaves that one out.
		e.proof = true
	case "B AuthenticationSASLFinal":
		e.sasl = true
	case "B AuthenticationOk":
		e.ok = true
	case "B AuthenticationCleartextPassword":
		e.weak = "the password in clear"
	case "B AuthenticationMD5Password":
		e.weak = "an MD5 hash of the password"
	case "B AuthenticationGSS":
		e.weak = "GSSAPI"
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

// words explain an outcome that the server gave no words to.
func (e *exchange) words() string {
	if e.weak != "" {
		return "the server asked for " + e.weak + "; it was not sent"
	}
	return "the server asked for no password: any would do"
}

// failure is why the server gave no answer about the credential.
func (p *Postgres) failure(ctx context.Context, err error, wire *bounds, doing string) error {
	if ctx.Err() == context.Canceled {
		return context.Canceled
	}
	err = innerPostgres(err)
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return &estate.Failure{
			Kind: sortPostgres(said.Code), Doing: doing,
			Detail: p.text(said.Message+" (SQLSTATE "+said.Code+")", DetailLimit), Next: nextPostgres(said.Code),
		}
	}
	f := Classify(err, doing)
	f.Detail = p.text(f.Detail, DetailLimit)
	if wire != nil && wire.refusedTLS.Load() && strings.Contains(err.Error(), "refused TLS") {
		f.Kind, f.Detail, f.Next = estate.Refused, "the server does not offer TLS", "turn ssl on at the server, or set sslmode if its path is trusted"
		return f
	}
	if f.Kind == estate.Broken {
		f.Kind = estate.BadAnswer
		if f.Next == "" {
			f.Next = "check that PostgreSQL listens at this address"
		}
	}
	return f
}

// innerPostgres takes off the driver's wrappings, which repeat user, database
// and address.
func innerPostgres(err error) error {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	err = connect.Unwrap()
	if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 0 {
		err = several.Unwrap()[0]
	}
	if one := errors.Unwrap(err); one != nil {
		return one
	}
	return err
}

// sortPostgres is the kind of failure that a SQLSTATE means for a read.
func sortPostgres(code string) estate.FailureKind {
	switch code {
	case "42501":
		return estate.Denied
	case "57014":
		return estate.Silent
	case "42P01", "42703", "42883":
		return estate.Missing
	}
	return estate.ServerError
}

func nextPostgres(code string) string {
	switch code {
	case "57P03":
		return "the server starts, stops or recovers: look at its log, then try again"
	case "42501":
		return "grant the monitoring role pg_monitor"
	case "57014":
		return "the server is slow: look at what it waits for"
	case "53300":
		return "free connection slots"
	}
	return ""
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
