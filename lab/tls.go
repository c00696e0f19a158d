package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"time"
)

// tlsServer is nginx with two server names on two ports. On the first port both
// names are served, each with its own certificate; on the second only the
// other, whose certificate is near its end.
type tlsServer struct {
	edge, other virtualHost
	apiKey      string // the one that /v1/ping takes
	token       string // the one that /gateway/ping takes
	health      string // folder of what /health/NAME answers
	pidFile     string
	process     *process
}

// virtualHost is one server name of nginx.
type virtualHost struct {
	name             string
	port             int
	certificate, key string
	ca               string
}

const (
	edgeName  = "edge.lab.test"
	otherName = "api.lab.test"

	// What is left of the other certificate's 90 days.
	otherLeft = 5 * 24 * time.Hour
)

func (*tlsServer) Name() string { return "tls server" }
func (*tlsServer) Key() string  { return "tls" }

func (*tlsServer) Missing(context.Context) []Requirement {
	if nginxPath() != "" {
		return nil
	}
	return []Requirement{{
		What:     "nginx",
		Packages: []string{"nginx"},
		How:      "install it with: apt-get install nginx",
	}}
}

// nginxPath is the nginx program, empty for none. Users other than root often
// lack sbin in their PATH.
func nginxPath() string {
	for _, name := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (t *tlsServer) Start(ctx context.Context, s *Site) error {
	dir := filepath.Join(s.Dir, "nginx")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make nginx's folder: %w", err)
	}
	now := time.Now()
	var err error
	if t.edge, err = newVirtualHost(s, dir, edgeName, now.Add(-time.Hour), now.Add(60*24*time.Hour)); err != nil {
		return err
	}
	if t.other, err = newVirtualHost(s, dir, otherName, now.Add(otherLeft-90*24*time.Hour), now.Add(otherLeft)); err != nil {
		return err
	}
	t.pidFile = filepath.Join(dir, "nginx.pid")
	runAs := ""
	if os.Geteuid() == 0 {
		u, err := user.Current()
		if err != nil {
			return fmt.Errorf("find the user nginx is to run as: %w", err)
		}
		runAs = u.Username
	}
	t.apiKey, t.token = rand.Text(), rand.Text()
	t.health = filepath.Join(dir, "health")
	if err := os.Mkdir(t.health, 0o700); err != nil {
		return fmt.Errorf("make the folder of health pages: %w", err)
	}
	locations := protected("/v1/ping", t.apiKey) + protected("/gateway/ping", t.token) + healthPages(t.health)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConf(dir, t.pidFile, runAs, locations, t.edge, t.other)), 0o600); err != nil {
		return fmt.Errorf("write nginx.conf: %w", err)
	}
	cmd := exec.Command(nginxPath(), "-e", "stderr", "-p", dir, "-c", conf)
	cmd.Dir = dir
	if t.process, err = launch(cmd, nil, filepath.Join(s.Dir, "nginx.log"), syscall.SIGTERM); err != nil {
		return err
	}
	return poll(ctx, t.process, func(ctx context.Context) error {
		for _, one := range []virtualHost{t.edge, t.other} {
			if err := handshake(ctx, s.CA, one); err != nil {
				return err
			}
		}
		return nil
	})
}

func newVirtualHost(s *Site, dir, name string, from, until time.Time) (virtualHost, error) {
	port, err := freePort()
	if err != nil {
		return virtualHost{}, err
	}
	one := virtualHost{
		name: name, port: port, ca: s.CA.File,
		certificate: filepath.Join(dir, name+".pem"), key: filepath.Join(dir, name+".key"),
	}
	leaf := Leaf{Names: []string{name, "localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: from, NotAfter: until}
	return one, s.CA.Issue(leaf, one.certificate, one.key)
}

func handshake(ctx context.Context, ca *CA, one virtualHost) error {
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: ca.Pool, ServerName: one.name}}
	conn, err := dialer.DialContext(ctx, "tcp", address(one.port))
	if err != nil {
		return fmt.Errorf("connect to %s on %s: %w", one.name, address(one.port), err)
	}
	return conn.Close()
}

func (t *tlsServer) Describe(d *Description) {
	d.TLS, d.TLSOther = t.describe(t.edge), t.describe(t.other)
	d.TLS.HealthDir = t.health
}

func (t *tlsServer) describe(one virtualHost) *TLSURL {
	return &TLSURL{
		Address: address(one.port), ServerName: one.name,
		CertificateFile: one.certificate, KeyFile: one.key, CAFile: one.ca, PIDFile: t.pidFile,
	}
}

func (t *tlsServer) Stop() error { return t.process.stop() }
