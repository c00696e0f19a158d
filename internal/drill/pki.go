package drill

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is the certificate authority of a world. Its keys are ECDSA: RSA takes too
// long to make while somebody waits for the screen.
type pki struct {
	server *tls.Config // of the servers that share one certificate
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// span is the validity of one certificate.
type span struct{ from, to time.Time }

// broad is valid whether a client goes by the world's clock or by the system's.
func broad(world time.Time) span {
	system := time.Now()
	s := span{world, world}
	if system.Before(world) {
		s.from = system
	} else {
		s.to = system
	}
	return span{s.from.AddDate(-2, 0, 0), s.to.AddDate(2, 0, 0)}
}

func newPKI(valid span) (*pki, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the drill's CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"warroom drill"}, CommonName: "warroom drill CA"},
		NotBefore: valid.from, NotAfter: valid.to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the drill's CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the drill's CA: %w", err)
	}
	return &pki{cert: cert, key: key}, nil
}

// pem is the CA certificate as a file holds it.
func (p *pki) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

// issue makes a server certificate for names and for loopback, as PEM and for
// use.
func (p *pki) issue(serial *big.Int, valid span, names ...string) (certificate, private []byte, pair tls.Certificate, err error) {
	fail := func(err error) ([]byte, []byte, tls.Certificate, error) {
		return nil, nil, tls.Certificate{}, fmt.Errorf("issue the drill's certificate for %s: %w", names[0], err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"Company"}, CommonName: names[0]},
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: valid.from, NotAfter: valid.to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, key.Public(), p.key)
	if err != nil {
		return fail(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fail(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if pair, err = tls.X509KeyPair(certificate, private); err != nil {
		return fail(err)
	}
	return certificate, private, pair, nil
}

// write puts a file of the world in place whole, readable by its owner alone.
func (w *World) write(name string, data []byte) error {
	f, err := os.CreateTemp(w.dir, "."+filepath.Base(name)+"-") // mode 0600
	if err != nil {
		return fmt.Errorf("write the drill's %s: %w", name, err)
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), w.file(name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write the drill's %s: %w", name, err)
	}
	return nil
}

// equip makes the certificate that all servers of the world share, except those
// whose certificate is part of the story.
func (p *pki) equip(valid span, names ...string) error {
	_, _, pair, err := p.issue(big.NewInt(2), valid, names...)
	if err != nil {
		return err
	}
	p.server = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	return nil
}

// client trusts the world's CA alone.
func (p *pki) client(serverName string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(p.cert)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: serverName}
}

func bigInt(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
