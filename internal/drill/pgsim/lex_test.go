package pgsim

import (
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestLex(t *testing.T) {
	for sql, want := range map[string]string{
		"":                                    "",
		" ; ;; ":                              "",
		"SELECT 1;":                           "select 1",
		"select\t1 ; SELECT 'a;b'":            "select 1 | select 'a;b'",
		"SELECT 1 -- one; two\n, 2 /* ; */":   "select 1 , 2",
		`SELECT "It""s", 'it''s'`:             `select "It""s" , 'it''s'`,
		"SELECT $1::text <> $2":               "select $1 :: text <> $2",
		"SELECT 1.5, a.b":                     "select 1.5 , a . b",
		"SELECT 'Größe' AS größe":             "select 'Größe' as größe",
		"ALTER ROLE x VALID UNTIL '2026-1-1'": "alter role x valid until '2026-1-1'",
	} {
		statements, f := lex(sql)
		if f != nil {
			t.Errorf("%q: %s", sql, f.message)
			continue
		}
		var out []string
		for _, s := range statements {
			out = append(out, normal(s))
		}
		if got := strings.Join(out, " | "); got != want {
			t.Errorf("%q: got %q, want %q", sql, got, want)
		}
	}
}

// FuzzStatement compiles and runs anything: it may be refused, with a SQLSTATE,
// and must not panic.
func FuzzStatement(f *testing.F) {
	for _, sql := range []string{
		"SELECT 1", "SHOW server_version", "SET a TO b", "BEGIN READ ONLY", "ALTER ROLE x PASSWORD 'y' VALID UNTIL 'infinity'",
		"SELECT count(*) FROM pg_roles WHERE rolname = 'x' ORDER BY rolname LIMIT 1", sqlRole, sqlReplay, "select now() as", "SET TIME ZONE 'UTC'",
		"START TRANSACTION", "SELECT pg_terminate_backend(1)", "RESET ALL", "ALTER USER", "SELECT pg_sleep(0)", `SELECT "a"`, "ROLLBACK TO x",
	} {
		f.Add(sql)
	}
	c := New(Options{})
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, sql string) {
		if strings.Contains(strings.ToLower(sql), "pg_sleep") {
			return
		}
		s := &session{server: c.Primary(), user: "postgres", database: "postgres", tx: 'I', settings: map[string]string{}}
		s.backend = pgproto3.NewBackend(strings.NewReader(""), io.Discard)
		statements, fail := lex(sql)
		if fail != nil {
			if len(fail.code) != 5 {
				t.Errorf("refused with %q", fail.code)
			}
			return
		}
		for _, one := range statements {
			p, fail := s.compile(one)
			if fail == nil {
				_, _, fail = p.run(t.Context(), s, make([]any, len(p.params)))
			}
			if fail != nil && (len(fail.code) != 5 || fail.severity != "ERROR" || len(fail.message) > 400) {
				t.Errorf("%q refused with %+v", sql, fail)
			}
		}
	})
}

func FuzzVerifier(f *testing.F) {
	f.Add(NewVerifier("x", []byte("0123456789abcdef")))
	f.Add("SCRAM-SHA-256$4096:$:")
	f.Add("md5abc")
	f.Fuzz(func(t *testing.T, v string) {
		c, err := parseVerifier(v)
		if err == nil && (len(c.StoredKey) != 32 || len(c.ServerKey) != 32 || c.Iters < 1 || c.Salt == "") {
			t.Errorf("%q read as %+v", v, c)
		}
	})
}
