package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// pgbouncer pools connections to the primary. It asks the primary for the
// password of whoever logs in, so that every role of the primary can, and logs
// in there with what the client proved.
type pgbouncer struct {
	primary  *postgresPrimary
	dir      string
	port     int
	password string // of the admin console
	process  *process
}

const (
	poolerAdmin  = "lab_pooler_admin" // exists in pgbouncer only
	poolerLookup = "lab_pooler"       // asks the primary for passwords
)

func (*pgbouncer) Name() string { return "pgbouncer" }
func (*pgbouncer) Key() string  { return "pgbouncer" }

func (*pgbouncer) Missing(context.Context) []Requirement {
	if pgbouncerPath() != "" {
		return nil
	}
	return []Requirement{{What: "pgbouncer", Packages: []string{"pgbouncer"}, How: "install it with: apt-get install pgbouncer"}}
}

// pgbouncerPath is the pgbouncer program, empty for none.
func pgbouncerPath() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (b *pgbouncer) Start(ctx context.Context, s *Site) error {
	if err := s.Await(ctx, b.primary.Name()); err != nil {
		return err
	}
	// It refuses to run as root, like PostgreSQL; Debian has it run as its user.
	as := b.primary.as
	b.dir = filepath.Join(s.Dir, "pgbouncer")
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		return fmt.Errorf("make pgbouncer's folder: %w", err)
	}
	var err error
	if b.port, err = freePort(); err != nil {
		return err
	}
	certificate, key := filepath.Join(b.dir, "server.pem"), filepath.Join(b.dir, "server.key")
	if err := s.CA.Issue(localLeaf(), certificate, key); err != nil {
		return err
	}
	lookup := rand.Text()
	b.password = rand.Text()
	if err := b.allowLookup(ctx, lookup); err != nil {
		return err
	}
	conf := filepath.Join(b.dir, "pgbouncer.ini")
	passfile := filepath.Join(b.dir, "pgpass")
	for path, text := range map[string]string{
		conf:         pgbouncerConf(b.dir, b.port, b.primary.port, s.CA.File),
		b.authFile(): fmt.Sprintf("%q %q\n%q %q\n", poolerAdmin, b.password, poolerLookup, lookup),
		passfile:     "127.0.0.1:*:*:" + poolerAdmin + ":" + b.password + "\n",
	} {
		if err := b.primary.write(path, text); err != nil {
			return err
		}
	}
	if err := as.own(b.dir, certificate, key); err != nil {
		return err
	}
	cmd := exec.Command(pgbouncerPath(), conf)
	cmd.Dir = b.dir
	cmd.Env = b.primary.env()
	// SIGTERM is its immediate shutdown.
	if b.process, err = launch(cmd, as, filepath.Join(s.Dir, "pgbouncer.log"), syscall.SIGTERM); err != nil {
		return err
	}
	env := append(b.primary.env(), "PGPASSFILE="+passfile)
	return poll(ctx, b.process, func(ctx context.Context) error {
		_, err := runTool(ctx, as, env, "SHOW VERSION;", filepath.Join(b.primary.bin, "psql"), "--no-psqlrc", "--no-password", "--quiet", "--file=-",
			fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=pgbouncer sslmode=verify-full sslrootcert=%s connect_timeout=5", b.port, poolerAdmin, s.CA.File))
		return err
	})
}

// authFile holds the passwords of its own two roles.
func (b *pgbouncer) authFile() string { return filepath.Join(b.dir, "userlist.txt") }

// allowLookup makes the role that may ask for one password verifier, in the
// databases there are and in those still to be made.
func (b *pgbouncer) allowLookup(ctx context.Context, password string) error {
	if _, err := b.primary.sql(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD %s;\n", poolerLookup, quote(password))); err != nil {
		return err
	}
	function := fmt.Sprintf(`CREATE FUNCTION public.lab_verifier(role text, OUT name text, OUT verifier text) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog AS 'SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil > now())';
REVOKE ALL ON FUNCTION public.lab_verifier(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.lab_verifier(text) TO %s;
`, poolerLookup)
	_, err := b.primary.sql(ctx, function+"\\connect template1\n"+function)
	return err
}

// pgbouncerConf is pgbouncer.ini. Sessions are pooled, so that whatever is said
// to the primary can be said through it; a server connection that failed is
// tried again at once.
func pgbouncerConf(dir string, port, primary int, ca string) string {
	lines := []string{
		"[databases]",
		"* = host=127.0.0.1 port=" + strconv.Itoa(primary),
		"[pgbouncer]",
		"listen_addr = 127.0.0.1",
		"listen_port = " + strconv.Itoa(port),
		"unix_socket_dir = " + dir,
		"auth_type = scram-sha-256",
		"auth_file = " + filepath.Join(dir, "userlist.txt"),
		"auth_user = " + poolerLookup,
		"auth_query = SELECT name, verifier FROM public.lab_verifier($1)",
		"admin_users = " + poolerAdmin,
		"pool_mode = session",
		"default_pool_size = 4",
		"max_client_conn = 100",
		"ignore_startup_parameters = extra_float_digits,options",
		"server_reset_query_always = 1",
		"server_login_retry = 1",
		"query_wait_timeout = 10",
		"client_tls_sslmode = allow",
		"client_tls_cert_file = " + filepath.Join(dir, "server.pem"),
		"client_tls_key_file = " + filepath.Join(dir, "server.key"),
		"server_tls_sslmode = verify-full",
		"server_tls_ca_file = " + ca,
	}
	return strings.Join(lines, "\n") + "\n"
}

func (b *pgbouncer) Describe(d *Description) {
	d.PgBouncer = &PgBouncerURL{
		Host: "127.0.0.1", Port: b.port, CAFile: b.primary.ca,
		AdminUser: poolerAdmin, AdminPassword: b.password, AuthFile: b.authFile(),
	}
}

func (b *pgbouncer) Stop() error { return b.process.stop() }
