package edge

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"
)

// Balancer terminates TLS with a certificate and key from disk. Like the real
// ones it goes on serving what it has loaded until it is told to reload.
type Balancer struct {
	CertFile, KeyFile string

	loaded atomic.Pointer[tls.Certificate]
}

// Reload reads certificate and key anew. When they cannot be used, what was
// served before goes on being served.
func (b *Balancer) Reload() error {
	pair, err := tls.LoadX509KeyPair(b.CertFile, b.KeyFile)
	if err != nil {
		return fmt.Errorf("load the certificate %s of the load balancer: %w", b.CertFile, err)
	}
	b.loaded.Store(&pair)
	return nil
}

// TLS is the configuration of its listener.
func (b *Balancer) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := b.loaded.Load(); c != nil {
				return c, nil
			}
			return nil, fmt.Errorf("the load balancer has no certificate")
		},
	}
}

// ServeHTTP answers its own health check, and has no backend for anything else.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
		return
	}
	reply(w, http.StatusServiceUnavailable, map[string]string{"error": "no backend"})
}
