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

// PostgresSession is a connection for monitoring reads. Its transactions are
// read only. It is for one goroutine at a time.
type PostgresSession struct {
	client *Postgres
	conn   *pgx.Conn
	wire   *bounds
}

// Open logs in for monitoring with a stored credential. The session is nil
// unless the outcome is LoginAccepted.
func (p *Postgres) Open(ctx context.Context, user string, password estate.Secret, limit time.Duration) (*PostgresSession, LoginTry) {
	return p.open(ctx, user, limit, func(address string) (*pgx.ConnConfig, error) { return p.config(address, user, password) })
}

// OpenService logs in for monitoring as the libpq service file says.
func (p *Postgres) OpenService(ctx context.Context, service string, limit time.Duration) (*PostgresSession, LoginTry) {
	return p.open(ctx, "service "+service, limit, func(address string) (*pgx.ConnConfig, error) { return p.serviceConfig(service, address) })
}

func (p *Postgres) open(ctx context.Context, user string, limit time.Duration, configure func(string) (*pgx.ConnConfig, error)) (*PostgresSession, LoginTry) {
	conn, try := p.connect(ctx, user, configure)
	if conn == nil {
		return nil, try
	}
	s := &PostgresSession{client: p, conn: conn}
	s.wire, _ = conn.PgConn().CustomData()[boundsKey].(*bounds)
	// Set here rather than in the startup packet, where poolers refuse them.
	ms := max(limit, time.Second).Milliseconds()
	setup := fmt.Sprintf("SET default_transaction_read_only = on; SET statement_timeout = %d; SET lock_timeout = %d", ms, ms)
	if _, err := conn.PgConn().Exec(ctx, setup).ReadAll(); err != nil {
		s.Close()
		try.Err, try.Login.Outcome = p.failure(ctx, err, nil, "set up the monitoring session at "+p.Place()), ""
		return nil, try
	}
	return s, try
}

// Read runs one statement and calls each for every row. Its error is an
// *estate.Failure, the context's own where it was interrupted, or that of each.
func (s *PostgresSession) Read(ctx context.Context, doing, sql string, args []any, each func(scan func(...any) error) error) error {
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
