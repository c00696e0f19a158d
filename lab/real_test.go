package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// running is the description of the lab this test runs beside, of which the
// peers of these keys are part; the test is skipped where they were left out.
func running(t *testing.T, keys ...string) Description {
	t.Helper()
	path := os.Getenv(Variable)
	if path == "" {
		t.Skipf("%s is not set: run it under lab run", Variable)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d Description
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if !slices.Contains(d.Peers, key) {
			t.Skipf("%s is not part of this run, which has %v", key, d.Peers)
		}
	}
	there := map[string]bool{
		"postgres":   d.Primary != nil && d.Replica != nil,
		"pgbouncer":  d.PgBouncer != nil,
		"moto":       d.Moto != nil,
		"tls":        d.TLS != nil && d.TLSOther != nil,
		"tools":      d.PSQL != "" && d.AWS != "" && d.OpenSSL != "",
		"vault":      d.Vault != nil && d.VaultSecondary != nil && d.VaultSealed != nil && d.VaultUninitialised != nil && d.VaultCLI != "",
		"kubernetes": d.Kubernetes != nil && d.Kubectl != "",
		"acme":       d.ACME != nil,
		"systemd":    d.Systemd != nil,
		"toxiproxy":  d.Toxiproxy != nil,
		"estate":     d.Config != "" && d.Environment != "",
	}
	for _, key := range d.Peers {
		if !there[key] {
			t.Fatalf("%s is part of the run, and not described in %s", key, text)
		}
	}
	return d
}

// ask runs one statement through psql as a role and returns the bare answer.
func ask(t *testing.T, server *PostgresURL, role, password, sslmode, statement string) (string, error) {
	t.Helper()
	home := t.TempDir()
	passfile := filepath.Join(home, "pgpass")
	if err := os.WriteFile(passfile, []byte("*:*:*:*:"+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conninfo := fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=%s sslrootcert=%s connect_timeout=10",
		server.Host, server.Port, role, sslmode, server.CAFile)
	cmd := exec.CommandContext(t.Context(), filepath.Join(postgresBin(), "psql"), "-X", "-w", "-q", "-A", "-t", "-c", statement, conninfo)
	cmd.Env = []string{"HOME=" + home, "PGPASSFILE=" + passfile, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestRealPostgres(t *testing.T) {
	d := running(t, "postgres")
	tests := []struct {
		what, role, password, sslmode, statement, want string
		server                                         *PostgresURL
	}{
		{"the primary", d.Primary.Superuser, d.Primary.SuperuserPassword, "verify-full", "SELECT pg_is_in_recovery()", "f", d.Primary},
		{"the replica", d.Replica.Superuser, d.Replica.SuperuserPassword, "verify-full", "SELECT pg_is_in_recovery()", "t", d.Replica},
		{"without TLS", d.Primary.Superuser, d.Primary.SuperuserPassword, "disable", "SELECT 1", "1", d.Primary},
		{"the trusted role with a wrong password", d.Primary.TrustUser, "wrong", "verify-full", "SELECT current_user", d.Primary.TrustUser, d.Primary},
		{"passwords are kept as SCRAM", d.Primary.Superuser, d.Primary.SuperuserPassword, "verify-full",
			"SELECT count(*) FROM pg_authid WHERE rolpassword NOT LIKE 'SCRAM-SHA-256$%'", "0", d.Primary},
		{"the slot is in use", d.Primary.Superuser, d.Primary.SuperuserPassword, "verify-full",
			"SELECT bool_and(active) FROM pg_replication_slots WHERE slot_type = 'physical'", "t", d.Primary},
	}
	for _, test := range tests {
		got, err := ask(t, test.server, test.role, test.password, test.sslmode, test.statement)
		if err != nil || got != test.want {
			t.Errorf("%s: %q, error %v, want %q", test.what, got, err, test.want)
		}
	}
	out, err := ask(t, d.Primary, d.Primary.Superuser, "wrong", "verify-full", "SELECT 1")
	if err == nil || !strings.Contains(out, "password authentication failed") {
		t.Errorf("a wrong password: %q, error %v", out, err)
	}
}

func TestRealReplicaFollows(t *testing.T) {
	d := running(t, "postgres")
	p, r := d.Primary, d.Replica
	if out, err := ask(t, p, p.Superuser, p.SuperuserPassword, "verify-full",
		"CREATE TABLE lab_follow AS SELECT 42 AS answer"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer func() {
		if out, err := ask(t, p, p.Superuser, p.SuperuserPassword, "verify-full", "DROP TABLE lab_follow"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		out, err := ask(t, r, r.Superuser, r.SuperuserPassword, "verify-full", "SELECT answer FROM lab_follow")
		if err == nil && out == "42" {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the replica did not follow: %v: %s", err, out)
		}
	}
}

func TestRealMoto(t *testing.T) {
	d := running(t, "moto")
	if err := post(t.Context(), d.Moto.Endpoint+"/moto-api/config", `{"lambda":{"use_docker":false}}`); err != nil {
		t.Error(err)
	}
}

func TestRealTLS(t *testing.T) {
	d := running(t, "tls")
	ca, err := os.ReadFile(d.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	tests := []struct {
		what string
		at   string
		site *TLSURL
		days float64
	}{
		{"edge on its port", d.TLS.Address, d.TLS, 60},
		{"the other on its port", d.TLSOther.Address, d.TLSOther, 5},
		{"the other by name on the edge's port", d.TLS.Address, d.TLSOther, 5},
	}
	for _, test := range tests {
		disk, err := tls.LoadX509KeyPair(test.site.CertificateFile, test.site.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: test.site.ServerName}}
		conn, err := dialer.DialContext(t.Context(), "tcp", test.at)
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		served := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if !served.Equal(disk.Leaf) {
			t.Errorf("%s: what is served is not what is on disk", test.what)
		}
		if days := time.Until(served.NotAfter).Hours() / 24; math.Abs(days-test.days) > 0.5 {
			t.Errorf("%s: %.1f days are left, want %g", test.what, days, test.days)
		}
	}
}
