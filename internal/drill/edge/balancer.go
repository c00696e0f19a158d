package edge

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Balancer terminates TLS with a certificate and key from disk. Like the real
// ones it goes on serving what it has loaded until it is told to reload: by Reload, or
// by whoever touches its reload file.
type Balancer struct {
	CertFile, KeyFile string
	// ReloadFile is looked at before each handshake; empty for none. When it was
	// touched since, certificate and key are read anew.
	ReloadFile string

	loaded atomic.Pointer[tls.Certificate]
	mu     sync.Mutex
	told   time.Time // the reload file's time when it was looked at last
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

// heed reloads where it was told to. What cannot be loaded is not tried again until
// it is told anew, as a server that was sent a signal does.
func (b *Balancer) heed() {
	if b.ReloadFile == "" {
		return
	}
	info, err := os.Stat(b.ReloadFile)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if info.ModTime().Equal(b.told) {
		return
	}
	b.told = info.ModTime()
	_ = b.Reload() // what was served before goes on being served
}

// TLS is the configuration of its listener.
func (b *Balancer) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			b.heed()
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
