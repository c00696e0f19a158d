package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"warroom/internal/estate"
)

// Bounds of what a PostgreSQL server may send us.
const (
	postgresMessage = 128 << 10 // one message
	postgresLogin   = 256 << 10 // a whole login
	postgresAnswer  = 1 << 20   // one statement's answer
)

// applicationName marks our sessions, so that counts can leave them out.
const applicationName = "warroom"

// PostgresServer is where a PostgreSQL server is and how its identity is
// verified.
type PostgresServer struct {
	Host     string // name, address or folder of a Unix socket
	Port     int
	Database string
	SSLMode  string // disable, require, verify-ca or verify-full
	CACert   string // PEM file; empty for the system's CAs
}

// Postgres logs in to one PostgreSQL server. It keeps no connection and is safe
// for concurrent use.
//
// A password goes into the driver's configuration and nowhere else: no
// connection string is made of it. Passwords are used with SCRAM-SHA-256 only,
// which proves that the server knows the verifier, never shows the password to
// it, and tells a server that asks for no password at all.
type Postgres struct {
	server PostgresServer
	text   func(string, int) string
	lookup func(ctx context.Context, host string) ([]string, error)
	name   string // application_name of our sessions

	mu     sync.Mutex
	loaded os.FileInfo
	roots  *x509.CertPool
}

// NewPostgres prepares to log in to a server. text makes remote text fit to be
// kept: see Set.Text.
func NewPostgres(server PostgresServer, text func(string, int) string) *Postgres {
	return &Postgres{server: server, text: text, lookup: net.DefaultResolver.LookupHost, name: applicationName}
}

// Named is the same server with sessions that show under another application_name
// than warroom, so that whoever looks at the server learns who holds what there. It
// is cut to printable ASCII of at most 63 bytes, which is what the server keeps.
func (p *Postgres) Named(application string) *Postgres {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, application)
	q := NewPostgres(p.server, p.text)
	q.lookup, q.name = p.lookup, name[:min(len(name), 63)]
	return q
}

// Place is the server as host:port.
func (p *Postgres) Place() string {
	return net.JoinHostPort(p.server.Host, strconv.Itoa(p.server.Port))
}

// trusted reads the CA file, again when it changed.
func (p *Postgres) trusted() (*x509.CertPool, error) {
	if p.server.CACert == "" {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.server.CACert)
	if err == nil && p.roots != nil && sameFile(p.loaded, info) {
		return p.roots, nil
	}
	data, err := readPEM(p.server.CACert)
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(data) {
		err = fmt.Errorf("%s holds no PEM certificate", p.server.CACert)
	}
	if err != nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "read the CA file of " + p.Place(), Detail: Strip(err.Error(), DetailLimit), Next: "correct ca_cert in warroom.yaml"}
	}
	p.roots, p.loaded = roots, info
	return roots, nil
}

// secure is the TLS configuration by libpq's rules for sslmode; nil for disable
// and for Unix sockets.
func (p *Postgres) secure() (*tls.Config, error) {
	if p.server.SSLMode == "disable" || strings.HasPrefix(p.server.Host, "/") {
		return nil, nil
	}
	roots, err := p.trusted()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: p.server.Host}
	switch {
	case p.server.SSLMode == "require" && p.server.CACert == "":
		// As the operator asked: encrypted, and not verified.
		config.InsecureSkipVerify = true
	case p.server.SSLMode == "require", p.server.SSLMode == "verify-ca":
		// The chain is verified and the name is not, which the library cannot do by
		// itself.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(s tls.ConnectionState) error { return verifyServerChain(s.PeerCertificates, roots) }
	}
	return config, nil
}

func verifyServerChain(chain []*x509.Certificate, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return x509.UnknownAuthorityError{}
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// config is the driver's configuration for one address. Everything is set here:
// PG* of the environment belongs to the operator's own tools and must not change
// what a probe proves.
func (p *Postgres) config(address, user string, password estate.Secret) (*pgx.ConnConfig, error) {
	config, err := bareConfig()
	if err != nil {
		return nil, err
	}
	config.TLSConfig, err = p.secure()
	if err != nil {
		return nil, err
	}
	config.Host, config.Port = p.server.Host, uint16(p.server.Port)
	config.User, config.Database = user, p.server.Database
	config.Password = password.Reveal()
	config.RequireAuth = "scram-sha-256"
	p.common(config, address)
	return config, nil
}

// common sets what holds for every connection.
func (p *Postgres) common(config *pgx.ConnConfig, address string) {
	config.Fallbacks = nil
	config.ConnectTimeout = 0 // the context's
	config.RuntimeParams = map[string]string{"application_name": p.name}
	config.MaxProtocolMessageBodyLen = postgresMessage
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing stays prepared: poolers cannot keep it
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	if address != "" {
		config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address}, nil }
	}
}

var bare = sync.OnceValues(func() (*pgx.ConnConfig, error) {
	settings := "host=localhost port=5432 user=nobody dbname=postgres password='' passfile='' sslmode=disable sslcertmode=disable " +
		"sslcert='' sslkey='' sslrootcert='' target_session_attrs=any connect_timeout=0 min_protocol_version=3.0 max_protocol_version=3.0 " +
		"channel_binding=prefer require_auth='' sslnegotiation=postgres"
	if service := os.Getenv("PGSERVICE"); service != "" {
		// The driver reads the named service whatever else is given, and nothing
		// turns that off: it gets an empty one of that name.
		file, err := os.CreateTemp("", "warroom-*.conf")
		if err != nil {
			return nil, fmt.Errorf("leave PGSERVICE aside: %w", err)
		}
		defer func() { _ = os.Remove(file.Name()) }()
		_, err = fmt.Fprintf(file, "[%s]\n", service)
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return nil, fmt.Errorf("leave PGSERVICE aside: %w", err)
		}
		settings += " servicefile=" + quoteSetting(file.Name())
	}
	config, err := pgx.ParseConfig(settings)
	if err != nil {
		return nil, err
	}
	config.Password, config.KerberosSrvName, config.KerberosSpn = "", "", ""
	return config, nil
})

// bareConfig is a configuration that took nothing from the environment.
func bareConfig() (*pgx.ConnConfig, error) {
	config, err := bare()
	if err != nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "prepare a PostgreSQL connection", Detail: Strip(err.Error(), DetailLimit), Next: "correct the PG* variables of the environment"}
	}
	return config.Copy(), nil
}

// serviceConfig is the configuration of the monitoring login that the libpq
// service file, PG* variables and password file describe. Where the server is,
// and how it is verified, stays as warroom.yaml says.
func (p *Postgres) serviceConfig(service, address string) (*pgx.ConnConfig, error) {
	settings := "service=" + quoteSetting(service) + " host=" + quoteSetting(p.server.Host) + " port=" + strconv.Itoa(p.server.Port) +
		" dbname=" + quoteSetting(p.server.Database) + " sslmode=" + quoteSetting(p.server.SSLMode) + " target_session_attrs=any"
	if p.server.CACert != "" {
		settings += " sslrootcert=" + quoteSetting(p.server.CACert)
	}
	config, err := pgx.ParseConfig(settings)
	if err != nil {
		// The driver's words may quote what it read, and that file holds passwords.
		return nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "use service " + Strip(service, 64) + " of the libpq service file",
			Detail: "the driver cannot use it", Next: "check that the file has a section of that name with user and password, and the PG* variables",
		}
	}
	if config.RequireAuth == "" {
		config.RequireAuth = "!password,!md5"
	}
	p.common(config, address)
	return config, nil
}

// quoteSetting quotes a value of a keyword/value connection string.
func quoteSetting(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// addresses is every address of the server in the resolver's order; one empty
// address for a Unix socket.
func (p *Postgres) addresses(ctx context.Context) ([]string, error) {
	if strings.HasPrefix(p.server.Host, "/") {
		return []string{""}, nil
	}
	if net.ParseIP(p.server.Host) != nil {
		return []string{p.server.Host}, nil
	}
	found, err := p.lookup(ctx, p.server.Host)
	if err != nil {
		return nil, err
	}
	const most = 16 // a resolver could answer with thousands
	return found[:min(len(found), most)], nil
}

// share is the part of the time left that the next of n addresses may use, so
// that a silent one leaves time for those after it.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || n <= 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
}
