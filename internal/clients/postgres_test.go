package clients

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/pgsim"
	"warroom/internal/estate"
)

const canaryPassword = "canary-Zt81-login"

// pgAt serves a simulated primary on an address of loopback and returns its port.
func pgAt(t *testing.T, address string) (port int) {
	t.Helper()
	c := pgsim.New(pgsim.Options{Databases: []string{"production"}})
	c.SetPassword("app_user", canaryPassword)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Primary().Serve(l) }()
	t.Cleanup(func() {
		c.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	port := pgAt(t, "127.0.0.1:0")
	for _, x := range []struct {
		name      string
		addresses []string
		err       error
		kind      estate.FailureKind
		detail    string
	}{
		{name: "the only one answers", addresses: []string{"127.0.0.1"}},
		{name: "the second answers", addresses: []string{"127.0.0.2", "127.0.0.1"}},
		{name: "none answers", addresses: []string{"127.0.0.2", "127.0.0.3"}, kind: estate.Refused, detail: "127.0.0.2: refused; 127.0.0.3: refused; dial tcp 127.0.0.2"},
		{name: "no address", kind: estate.Unresolved},
		{name: "no name server", err: &net.DNSError{Err: "no such host", Name: "db.example.com", IsNotFound: true}, kind: estate.Unresolved, detail: "db.example.com"},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := NewPostgres(PostgresServer{Host: "db.example.com", Port: port, Database: "production", SSLMode: "disable"}, Strip)
			p.lookup = func(context.Context, string) ([]string, error) { return x.addresses, x.err }
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			try := p.Login(ctx, "app_user", estate.NewSecret(canaryPassword))
			if strings.Contains(fmt.Sprintf("%+v %#v", try, try), canaryPassword) {
				t.Error("the password shows")
			}
			if x.kind == "" {
				if try.Err != nil || try.Login.Outcome != estate.LoginAccepted || !try.Presented {
					t.Errorf("got %+v", try)
				}
				return
			}
			var f *estate.Failure
			if !errors.As(try.Err, &f) || f.Kind != x.kind || !strings.Contains(f.Detail, x.detail) {
				t.Errorf("got %v", try.Err)
			}
		})
	}
}

// A silent address leaves time for the one after it.
func TestASilentAddressLeavesTimeForTheNext(t *testing.T) {
	port := pgAt(t, "127.0.0.1:0")
	silent, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		t.Skip("this system has one loopback address")
	}
	defer func() { _ = silent.Close() }()
	p := NewPostgres(PostgresServer{Host: "db.example.com", Port: port, Database: "production", SSLMode: "disable"}, Strip)
	p.lookup = func(context.Context, string) ([]string, error) { return []string{"127.0.0.2", "127.0.0.1"}, nil }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if try := p.Login(ctx, "app_user", estate.NewSecret(canaryPassword)); try.Err != nil || try.Login.Outcome != estate.LoginAccepted {
		t.Errorf("got %+v", try)
	}
}

func TestTogetherIsTheWorst(t *testing.T) {
	f := together([]string{"192.0.2.1", "192.0.2.2"}, []*estate.Failure{{Kind: estate.Silent, Detail: "a"}, {Kind: estate.BadAnswer, Detail: "b"}})
	if f.Kind != estate.BadAnswer || f.Detail != "192.0.2.1: no answer; 192.0.2.2: bad answer; b" {
		t.Errorf("got %+v", f)
	}
}

func TestExchangeOutcome(t *testing.T) {
	said := func(code string) *pgconn.PgError { return &pgconn.PgError{Code: code} }
	const asked, proved, ok = "B\tAuthenticationSASLContinue\t1\n", "B\tAuthenticationSASLFinal\t1\n", "B\tAuthenticationOk\t8\n"
	for _, x := range []struct {
		name  string
		trace []string
		said  *pgconn.PgError
		want  estate.LoginOutcome
	}{
		{"wrong", []string{asked}, said("28P01"), estate.LoginWrong},
		{"28000 before", nil, said("28000"), estate.LoginRejected},
		{"28000 after", []string{asked, proved, ok}, said("28000"), estate.LoginBarred},
		{"53300 before", nil, said("53300"), estate.LoginBusy},
		{"53300 after", []string{asked, proved, ok}, said("53300"), estate.LoginBarred},
		{"3D000 before, as poolers say it", nil, said("3D000"), ""},
		{"3D000 after", []string{asked, proved, ok}, said("3D000"), estate.LoginBarred},
		{"57P03", nil, said("57P03"), ""},
		{"57P01 after", []string{asked, proved, ok}, said("57P01"), ""},
		{"trust", []string{ok}, nil, estate.LoginTrusted},
		{"takes the proof and proves nothing", []string{asked, ok}, nil, estate.LoginWeak},
		{"trust, and no such role", []string{ok}, said("28000"), estate.LoginTrusted},
		{"cleartext", []string{"B\tAuthenticationCleartextPassword\t8\n"}, nil, estate.LoginWeak},
		{"md5", []string{"B\tAuthenticationMD5Password\t12\n"}, nil, estate.LoginWeak},
		{"GSSAPI", []string{"B\tAuthenticationGSS\t8\n"}, nil, estate.LoginWeak},
		{"no answer", []string{asked}, nil, ""},
		{"words that look like a message", []string{"B\tErrorResponse\t90 M \"x\nB\tAuthenticationOk\t8\n\""}, said("28P01"), estate.LoginWrong},
	} {
		var e exchange
		for _, line := range x.trace {
			if n, err := e.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := e.outcome(x.said); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}

func TestQuoteSetting(t *testing.T) {
	for _, name := range []string{"plain", "it's", `back\slash`, "two words", `a' host='evil`} {
		p := NewPostgres(PostgresServer{Host: "127.0.0.1", Port: 5432, Database: name, SSLMode: "disable"}, Strip)
		t.Setenv("PGSERVICEFILE", pgFile(t, "services", "[s]\nuser=u\n"))
		config, err := p.serviceConfig("s", "")
		if err != nil || config.Database != name || config.Host != "127.0.0.1" {
			t.Errorf("%q: %v %+v", name, err, config)
		}
	}
}

func pgFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatAServerDoesNotKnowIsNotItsFailure(t *testing.T) {
	p := NewPostgres(PostgresServer{Host: "db", Port: 5432}, Strip)
	for code, want := range map[string]estate.FailureKind{
		"42703": estate.NotSupported, "42P01": estate.NotSupported, "42883": estate.NotSupported, "0A000": estate.NotSupported,
		"42501": estate.Denied, "57014": estate.Silent, "XX000": estate.ServerError,
	} {
		var f *estate.Failure
		err := p.failure(t.Context(), &pgconn.PgError{Code: code, Message: "words"}, nil, "read")
		if !errors.As(err, &f) || f.Kind != want || want == estate.NotSupported && (f.Kind.Status() != estate.Unknown || !strings.Contains(f.Next, "PostgreSQL 14")) {
			t.Errorf("%s: %v, want kind %q", code, err, want)
		}
	}
}
