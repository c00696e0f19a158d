package clients

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/estate"
)

// Console logs in to the administration console of a pooler, which knows no session
// settings and no parameters, and gives its commands in turn. Each is sent once. The
// error is as that of PostgresSession.Change; it is nil, and nothing was given, where
// the login's outcome is not LoginAccepted.
func (p *Postgres) Console(ctx context.Context, user string, password estate.Secret, doing string, commands ...string) (LoginTry, error) {
	conn, try := p.connect(ctx, user, func(address string) (*pgx.ConnConfig, error) { return p.config(address, user, password) })
	if conn == nil {
		return try, try.Err
	}
	defer leave(conn)
	for _, command := range commands {
		err := Around(ctx, p.call(sketch(command), true), func() error {
			_, err := conn.PgConn().Exec(ctx, command).ReadAll()
			return err
		})
		var kept *NotPermitted
		if errors.As(err, &kept) {
			return try, kept
		}
		if err == nil {
			continue
		}
		failed := p.failure(ctx, err, nil, doing)
		var said *pgconn.PgError
		var f *estate.Failure
		if errors.As(err, &said) && errors.As(failed, &f) {
			return try, &SQLError{Failure: f, SQLState: Strip(said.Code, 5), said: said}
		}
		return try, failed
	}
	return try, nil
}
