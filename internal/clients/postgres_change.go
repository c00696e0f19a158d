package clients

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/estate"
)

// Change runs SQL that changes something, as one or several statements and without
// parameters, on a session of OpenToChange. The text must hold no password, only a
// verifier: servers log what they are sent. It is sent once.
//
// The error is an *estate.Failure, which says the SQLSTATE of what the server refused
// and wraps the *pgconn.PgError; a *NotPermitted where nothing was sent; or the
// context's own where it was interrupted. Only of a refusal is it known that nothing
// changed.
func (s *PostgresSession) Change(ctx context.Context, doing, sql string) error {
	if !s.writes {
		return &estate.Failure{Kind: estate.Broken, Doing: doing, Detail: "this session is for reading; nothing was sent"}
	}
	err := Around(ctx, s.client.call(sketch(sql), true), func() error {
		s.wire.allow(postgresAnswer)
		_, err := s.conn.PgConn().Exec(ctx, sql).ReadAll()
		return err
	})
	return s.outcome(ctx, err, nil, doing)
}

// call is a call to this server.
func (p *Postgres) call(name string, changes bool) Call {
	return Call{System: "postgres:" + p.Place(), Name: name, Changes: changes}
}

// SQLError is a failure that the server itself stated.
type SQLError struct {
	*estate.Failure
	SQLState string
	said     *pgconn.PgError
}

// Unwrap gives both.
func (e *SQLError) Unwrap() []error { return []error{e.Failure, e.said} }

// outcome is what the caller of a session gets of an error: own is what it made of it
// already.
func (s *PostgresSession) outcome(ctx context.Context, err, own error, doing string) error {
	var kept *NotPermitted
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kept):
		return kept
	case own != nil && errors.Is(err, own):
		return err
	}
	failed := s.client.failure(ctx, err, nil, doing)
	var said *pgconn.PgError
	var f *estate.Failure
	if errors.As(err, &said) && errors.As(failed, &f) {
		return &SQLError{Failure: f, SQLState: Strip(said.Code, 5), said: said}
	}
	return failed
}

// literals are the quoted values of an SQL text.
var literals = regexp.MustCompile(`(?s)[eE]'(?:[^'\\]|''|\\.)*(?:'|$)|(?:[uU]&)?'(?:[^']|'')*(?:'|$)|\$(\w*)\$.*`)

// sketch is an SQL text without the values in it, for whoever watches the calls.
func sketch(sql string) string {
	return Strip(literals.ReplaceAllLiteralString(strings.TrimSpace(sql), "'…'"), 200)
}
