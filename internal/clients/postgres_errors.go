package clients

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/estate"
)

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
	case "42P01", "42703", "42883", "0A000":
		// Catalog or function of another version, or one that a managed server
		// (Aurora, for positions in the WAL) does not support.
		return estate.NotSupported
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
	case "42P01", "42703", "42883", "0A000":
		return "this server's version does not know what was asked; PostgreSQL 14 or later is needed, and managed servers leave some of it out"
	}
	return ""
}
