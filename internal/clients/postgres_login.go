package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
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
	if err := Around(ctx, p.call("SELECT 1", false), func() error { _, err := conn.PgConn().Exec(ctx, "SELECT 1").ReadAll(); return err }); err != nil {
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
		f := pgproto3.NewFrontend(&scramGuard{Reader: r, seen: &seen}, w)
		f.Trace(&seen, pgproto3.TracerOptions{SuppressTimestamps: true, RegressMode: true})
		return f
	}
	wire.allow(postgresLogin)
	var conn *pgx.Conn
	err = Around(ctx, p.call("log in as "+Strip(config.User, 64), false), func() error {
		var err error
		conn, err = pgx.ConnectConfig(ctx, config)
		return err
	})
	if err == nil && conn == nil {
		err = errUnsent
	}
	if err != nil && conn != nil {
		leave(conn)
	}
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
