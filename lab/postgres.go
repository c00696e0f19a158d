package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	postgresAccount = "postgres" // the user Debian's package makes for the server
	superuser       = "postgres"
	replicator      = "lab_replicator"
	trustUser       = "lab_trust"
	replicaSlot     = "lab_replica"
)

// postgresPrimary is a PostgreSQL server that only lets in who knows a SCRAM
// password, but for one role that its pg_hba.conf trusts.
type postgresPrimary struct {
	postgresServer
	superuserPassword  string
	replicatorPassword string
}

// postgresServer is what the primary and the replica have in common.
type postgresServer struct {
	as       *account
	bin      string // folder of the server's programs
	dir      string // holds everything below, owned by as
	data     string
	passfile string // lets our own tools in
	ca       string
	port     int
	process  *process
}

func (*postgresPrimary) Name() string { return "postgresql primary" }
func (*postgresPrimary) Key() string  { return "postgres" }

func (*postgresPrimary) Missing(context.Context) []Requirement { return missingPostgres() }

func missingPostgres() []Requirement {
	if postgresBin() != "" {
		return nil
	}
	return []Requirement{{
		What:     "a PostgreSQL server (initdb, postgres, pg_basebackup), version 15 or later",
		Packages: []string{"postgresql"},
		How:      "install it with: apt-get install postgresql",
	}}
}

// postgresBin is the folder of the newest installed server, empty for none.
// Debian keeps the server's programs out of PATH.
func postgresBin() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil {
		if newest := newestVersion(found, 15); newest != "" {
			return filepath.Dir(newest)
		}
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	return ""
}

// prepare makes the folders, the certificate and the port of a server.
func (s *postgresServer) prepare(site *Site, name string) error {
	var err error
	if s.as, err = unprivileged(postgresAccount); err != nil {
		return err
	}
	s.bin = postgresBin()
	s.dir = filepath.Join(site.Dir, name)
	s.data = filepath.Join(s.dir, "data")
	s.passfile = filepath.Join(s.dir, "pgpass")
	s.ca = site.CA.File
	if s.port, err = freePort(); err != nil {
		return err
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", name, err)
	}
	certificate, key := filepath.Join(s.dir, "server.pem"), filepath.Join(s.dir, "server.key")
	if err := site.CA.Issue(localLeaf(), certificate, key); err != nil {
		return err
	}
	return s.as.own(s.dir, certificate, key)
}

// localLeaf is a certificate for a server that is reached by address.
func localLeaf() Leaf {
	now := time.Now()
	return Leaf{
		Names:     []string{"localhost"},
		IPs:       []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(90 * 24 * time.Hour),
	}
}

func (p *postgresPrimary) Start(ctx context.Context, site *Site) error {
	if err := p.prepare(site, "primary"); err != nil {
		return err
	}
	p.superuserPassword, p.replicatorPassword = rand.Text(), rand.Text()
	pwfile := filepath.Join(p.dir, "superuser")
	if err := p.write(pwfile, p.superuserPassword+"\n"); err != nil {
		return err
	}
	if err := p.write(p.passfile, passfile(p.superuserPassword, p.replicatorPassword)); err != nil {
		return err
	}
	if _, err := runTool(ctx, p.as, p.env(), "", filepath.Join(p.bin, "initdb"), "-D", p.data, "-U", superuser,
		"-A", "scram-sha-256", "--pwfile", pwfile, "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"); err != nil {
		return err
	}
	if err := p.configure(); err != nil {
		return err
	}
	if err := p.run(ctx, site); err != nil {
		return err
	}
	_, err := p.sql(ctx, rolesSQL(p.replicatorPassword))
	return err
}

// configure writes the server's settings over those initdb made.
func (s *postgresServer) configure() error {
	if err := s.write(filepath.Join(s.data, "postgresql.conf"), serverConf(s.dir, s.port)); err != nil {
		return err
	}
	return s.write(filepath.Join(s.data, "pg_hba.conf"), hbaConf())
}

// run starts the server and waits until it answers.
func (s *postgresServer) run(ctx context.Context, site *Site) error {
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data)
	cmd.Dir = s.dir
	cmd.Env = s.env()
	var err error
	// SIGQUIT is PostgreSQL's immediate shutdown: its data is thrown away.
	if s.process, err = launch(cmd, s.as, filepath.Join(site.Dir, filepath.Base(s.dir)+".log"), syscall.SIGQUIT); err != nil {
		return err
	}
	return poll(ctx, s.process, func(ctx context.Context) error {
		_, err := s.sql(ctx, "SELECT 1;")
		return err
	})
}

// sql runs statements as the superuser through psql, over TLS, and returns the
// bare rows.
func (s *postgresServer) sql(ctx context.Context, statements string) (string, error) {
	return runTool(ctx, s.as, s.env(), statements, filepath.Join(s.bin, "psql"),
		"--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-", s.conninfo(superuser))
}

func (s *postgresServer) conninfo(role string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres sslmode=verify-full sslrootcert=%s connect_timeout=5", s.port, role, s.ca)
}

// env is the environment of the server and its tools: our password file, none
// of the caller's PostgreSQL settings, and not the caller's home, in which they
// would look for a client certificate that the server's user may not read.
func (s *postgresServer) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") })
	return append(env, "PGPASSFILE="+s.passfile, "HOME="+s.dir)
}

// write writes a file that only the server's user may read.
func (s *postgresServer) write(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return s.as.own(path)
}

func (p *postgresPrimary) Describe(d *Description) { d.Primary = p.describe(p.superuserPassword) }

func (s *postgresServer) describe(password string) *PostgresURL {
	return &PostgresURL{
		Host: "127.0.0.1", Port: s.port, Superuser: superuser, SuperuserPassword: password,
		CAFile: s.ca, TrustUser: trustUser,
	}
}

func (p *postgresPrimary) Stop() error { return p.process.stop() }
