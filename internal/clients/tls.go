package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"warroom/internal/estate"
)

// TLS hand-shakes with the addresses of one component. Every handshake is a new
// one: a resumed session would show the certificate of yesterday.
type TLS struct {
	caFile string

	mu     sync.Mutex
	loaded os.FileInfo
	roots  *x509.CertPool // nil means the system's
}

// TLS makes a client that trusts the PEM file caFile, or the system's CAs when it
// is empty. The file is read at the first handshake and again when it changes.
func (s *Set) TLS(caFile string) *TLS { return &TLS{caFile: caFile} }

// Handshake presents serverName to one address and returns the leaf that it
// serves. Expiry, trust and name are judged apart: now decides the first, which
// is left to whoever reads the leaf's dates.
func (t *TLS) Handshake(ctx context.Context, address netip.AddrPort, serverName string, now time.Time) estate.Served {
	served := estate.Served{Address: address.String()}
	var chain []*x509.Certificate
	call := Call{System: "tls:" + served.Address, Name: "handshake for " + Strip(serverName, 120)}
	err := Around(ctx, call, func() error {
		var err error
		chain, err = present(ctx, served.Address, serverName)
		return err
	})
	if err == nil && len(chain) == 0 {
		err = errUnsent
	}
	if err != nil {
		served.Failure = handshakeFailure(address, serverName, err)
		return served
	}
	leaf := describe(chain[0])
	served.Leaf = &leaf
	if err := chain[0].VerifyHostname(serverName); err != nil {
		served.NameError = Strip(err.Error(), 200)
	}
	roots, err := t.trusted()
	if err != nil {
		served.ChainError = Strip(err.Error(), 200)
		return served
	}
	if err := verifyChain(chain, roots, now); err != nil {
		served.ChainError = Strip(err.Error(), 200)
	}
	return served
}

// present hand-shakes and returns what the server presented, leaf first.
func present(ctx context.Context, address, serverName string) ([]*x509.Certificate, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = raw.Close() }()
	var chain []*x509.Certificate
	asked := false
	conn := tls.Client(raw, &tls.Config{
		ServerName: serverName,
		MinVersion: tls.VersionTLS12,
		// Verified below by verifyChain and VerifyHostname, which tell an expired
		// certificate from an untrusted and from a misnamed one; the library's own
		// verification stops at the first of them.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			chain = s.PeerCertificates
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		},
	})
	err = conn.HandshakeContext(ctx)
	if ctx.Err() != nil && err != nil {
		return nil, context.Cause(ctx)
	}
	// A server that insists on a client certificate has presented its own before
	// it turns us away, and its own is all we came for.
	var alert *net.OpError
	if err != nil && asked && len(chain) > 0 && errors.As(err, &alert) && alert.Op == "remote error" {
		err = nil
	}
	if err == nil && len(chain) == 0 {
		err = &estate.Failure{Kind: estate.BadAnswer, Detail: "the server presented no certificate"}
	}
	if err != nil {
		return nil, err
	}
	return chain, nil
}

// handshakeFailure says why an address presented nothing.
func handshakeFailure(address netip.AddrPort, serverName string, err error) *estate.Failure {
	doing := fmt.Sprintf("TLS handshake with %s for %s", address, Strip(serverName, 120))
	if address.Addr().Is6() && noRoute(err) {
		return &estate.Failure{Kind: estate.NoCheck, Doing: doing, Detail: "this host has no IPv6 route, so the address cannot be tried from here"}
	}
	return Classify(err, doing)
}

// verifyChain checks that the chain builds to a trusted root. An expired leaf is
// judged as of the last moment of its life, so that expiry does not hide whether
// the authority is known.
func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	leaf := chain[0]
	at := now
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	return err
}

// trusted returns the roots, read anew when the CA file was changed.
func (t *TLS) trusted() (*x509.CertPool, error) {
	if t.caFile == "" {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.caFile)
	if err == nil && t.roots != nil && sameFile(t.loaded, info) {
		return t.roots, nil
	}
	roots, err := readRoots(t.caFile, false)
	if err != nil {
		return nil, err
	}
	t.roots, t.loaded = roots, info
	return roots, nil
}

// noRoute reports whether this host itself has no way to such addresses.
func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}
