package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// Quote quotes a name of a role or database.
func Quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal quotes a text. Backslashes are refused by who calls it, so that it means
// the same whatever standard_conforming_strings says.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Role is what the catalog says of a role.
type Role struct {
	Exists     bool
	CanLogin   bool
	Superuser  bool
	ValidUntil time.Time // zero for no end
}

// RoleOf reads a role in a session that any user may have.
func RoleOf(ctx context.Context, s *clients.PostgresSession, name string) (Role, error) {
	var r Role
	sql := `SELECT rolcanlogin, rolsuper, rolvaliduntil FROM pg_roles WHERE rolname = ` + literal(name)
	err := s.Read(ctx, "read role "+Quote(name), sql, nil, func(scan func(...any) error) error {
		r.Exists = true
		var until endTime
		if err := scan(&r.CanLogin, &r.Superuser, &until); err != nil {
			return err
		}
		r.ValidUntil = until.at
		return nil
	})
	return r, err
}

// SetPassword is the statement that sets a role's password, and its end where one is
// given. The password is a verifier, or in clear where the configuration asks for it.
func SetPassword(role, password string, until string) string {
	sql := "ALTER ROLE " + Quote(role) + " WITH PASSWORD " + literal(password)
	if until != "" {
		sql += " VALID UNTIL " + literal(until)
	}
	return sql
}

// Shown is SetPassword as a plan shows it.
func Shown(role string, clear bool, until string) string {
	what := "'SCRAM-SHA-256$…'"
	if clear {
		what = "'[the password in clear]'"
	}
	sql := "ALTER ROLE " + Quote(role) + " WITH PASSWORD " + what
	if until != "" {
		sql += " VALID UNTIL " + literal(until)
	}
	return sql
}

// MakeClone are the statements that make the other user of two that alternate.
func MakeClone(clone, of, password string, until string) []string {
	make := "CREATE ROLE " + Quote(clone) + " WITH LOGIN PASSWORD " + literal(password)
	if until != "" {
		make += " VALID UNTIL " + literal(until)
	}
	return []string{make, Grant(of, clone)}
}

// Verifier is what a server is told of a password: a SCRAM-SHA-256 verifier, or where
// it must be, the password itself.
func Verifier(password estate.Secret, clear bool) (string, error) {
	if clear {
		if text := password.Reveal(); !strings.ContainsAny(text, "\\\x00") {
			return text, nil
		}
		return "", errors.New("the password has characters that cannot be sent in clear: store one without backslashes")
	}
	return clients.SCRAMVerifier(password)
}

// Ends says of a role when its password ends.
func (r Role) Ends() string {
	if r.ValidUntil.IsZero() {
		return "no end"
	}
	return "ends " + r.ValidUntil.UTC().Format(time.RFC3339)
}

// endTime scans VALID UNTIL, in which infinity is no end.
type endTime struct{ at time.Time }

// Scan satisfies sql.Scanner.
func (e *endTime) Scan(v any) error {
	switch v := v.(type) {
	case nil:
	case time.Time:
		e.at = v
	case string:
		switch v {
		case "infinity":
		case "-infinity":
			e.at = time.Unix(0, 0)
		default:
			return errors.New("a time of the catalog cannot be read")
		}
	default:
		return fmt.Errorf("a time of the catalog has the type %T", v)
	}
	return nil
}

// Grant is the statement that makes a role a member of another.
func Grant(role, to string) string { return "GRANT " + Quote(role) + " TO " + Quote(to) }
