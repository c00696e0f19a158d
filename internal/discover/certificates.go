package discover

import (
	"net"
	"os"
	"path/filepath"
)

// edge is a TLS endpoint.
type edge struct{ address, name, certificate, from string }

// certificates takes the endpoints that the caller knows, and looks into the
// folders in which certbot keeps what it renews.
func (l *looker) certificates() {
	var out []edge
	for _, e := range l.Endpoints {
		out = append(out, edge{address: e, from: "named on the command line"})
	}
	for _, dir := range l.CertDirs {
		l.Progress("certificates in " + dir)
		list, err := os.ReadDir(dir)
		if err != nil {
			if !os.IsNotExist(err) {
				l.note("the certificates in "+dir, err)
			}
			continue
		}
		for _, one := range list {
			file := filepath.Join(dir, one.Name(), "cert.pem")
			if _, err := os.Stat(file); err == nil && len(out) < maxHosts {
				out = append(out, edge{address: net.JoinHostPort(one.Name(), "443"), name: one.Name(), certificate: file, from: "kept in " + dir})
			}
		}
	}
	l.add(func(f *Found) { f.edges = append(f.edges, out...) })
}
