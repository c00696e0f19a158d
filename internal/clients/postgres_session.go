package clients

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"warroom/internal/estate"
)

// PostgresSession is a connection for monitoring reads, whose transactions are read
// only, or for changes. It is for one goroutine at a time.
type PostgresSession struct {
	client *Postgres
	writes bool
	conn   *pgx.Conn
	wire   *bounds
}

// Open logs in for monitoring with a stored credential. The session is nil
// unless the outcome is LoginAccepted.
func (p *Postgres) Open(ctx context.Context, user string, password estate.Secret, limit time.Duration) (*PostgresSession, LoginTry) {
	return p.open(ctx, user, limit, false, func(address string) (*pgx.ConnConfig, error) { return p.config(address, user, password) })
}

// OpenToChange is Open for a session that can change something, by Change. A
// statement may take limit.
func (p *Postgres) OpenToChange(ctx context.Context, user string, password estate.Secret, limit time.Duration) (*PostgresSession, LoginTry) {
	return p.open(ctx, user, limit, true, func(address string) (*pgx.ConnConfig, error) { return p.config(address, user, password) })
}

// OpenService logs in for monitoring as the libpq service file says.
func (p *Postgres) OpenService(ctx context.Context, service string, limit time.Duration) (*PostgresSession, LoginTry) {
	return p.open(ctx, "service "+service, limit, false, func(address string) (*pgx.ConnConfig, error) { return p.serviceConfig(service, address) })
}

func (p *Postgres) open(ctx context.Context, user string, limit time.Duration, writes bool, configure func(string) (*pgx.ConnConfig, error)) (*PostgresSession, LoginTry) {
	conn, try := p.connect(ctx, user, configure)
	if conn == nil {
		return nil, try
	}
	s := &PostgresSession{client: p, conn: conn, writes: writes}
	s.wire, _ = conn.PgConn().CustomData()[boundsKey].(*bounds)
	// Set here rather than in the startup packet, where poolers refuse them.
	ms := max(limit, time.Second).Milliseconds()
	setup := fmt.Sprintf("SET default_transaction_read_only = %t; SET statement_timeout = %d; SET lock_timeout = %d", !writes, ms, ms)
	if _, err := conn.PgConn().Exec(ctx, setup).ReadAll(); err != nil {
		s.Close()
		try.Err, try.Login.Outcome = p.failure(ctx, err, nil, "set up the session at "+p.Place()), ""
		return nil, try
	}
	return s, try
}

// Read runs one statement and calls each for every row. It is a read to the permit of
// ctx, so that on a session that can change something it must be one: a statement
// that changes something goes through Change. Its error is an *estate.Failure, the
// context's own where it was interrupted, or that of each.
func (s *PostgresSession) Read(ctx context.Context, doing, sql string, args []any, each func(scan func(...any) error) error) error {
	var own error
	err := Around(ctx, s.client.call(sketch(sql), false), func() error {
		err := s.read(ctx, doing, sql, args, each)
		own = err
		return err
	})
	return s.outcome(ctx, err, own, doing)
}

func (s *PostgresSession) read(ctx context.Context, doing, sql string, args []any, each func(scan func(...any) error) error) error {
	s.wire.allow(postgresAnswer)
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return s.client.failure(ctx, err, nil, doing)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: s.client.text(err.Error(), DetailLimit)}
		}
	}
	if err := rows.Err(); err != nil {
		return s.client.failure(ctx, err, nil, doing)
	}
	return nil
}

// Version is the server's major version, as it or a pooler before it states;
// 0 when that is no number.
func (s *PostgresSession) Version() int {
	text := s.conn.PgConn().ParameterStatus("server_version")
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(text)
	}
	major, err := strconv.Atoi(text[:end])
	if err != nil {
		return 0
	}
	return major
}

// Broken reports whether the connection can no longer be used.
func (s *PostgresSession) Broken() bool { return s.conn.IsClosed() }

// Close ends the session.
func (s *PostgresSession) Close() { leave(s.conn) }
