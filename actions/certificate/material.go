package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// bundle is a certificate with those that lead to its root, as PEM and parsed.
type bundle struct {
	pem   []byte
	leaf  *x509.Certificate
	chain []*x509.Certificate // leaf first
}

// serial is a serial number as estate.Certificate has it.
func serial(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

// parseBundle reads the certificates of a PEM text.
func parseBundle(data []byte) (*bundle, error) {
	b := &bundle{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("it holds a damaged certificate")
		}
		b.chain = append(b.chain, c)
		b.pem = append(b.pem, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if len(b.chain) == 0 {
		return nil, errors.New("it holds no PEM certificate")
	}
	b.leaf = b.chain[0]
	return b, nil
}

// between are the certificates of a bundle after its leaf, as PEM.
func (b *bundle) between() []byte {
	var out []byte
	for _, c := range b.chain[1:] {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// newKey makes a private key and its PEM text.
func newKey(kind string) (crypto.Signer, []byte, error) {
	var key crypto.Signer
	var err error
	switch kind {
	case "", "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	default:
		return nil, nil, fmt.Errorf("keys of type %q cannot be made", kind)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a private key: %w", err)
	}
	text, err := keyPEM(key)
	return key, text, err
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// parseKey reads the first private key of a PEM text. Its errors quote nothing of it.
func parseKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the private key is encrypted")
		default:
			continue
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, errors.New("the private key cannot be parsed")
		}
		return signer, nil
	}
	return nil, errors.New("there is no PEM private key")
}

// belongs reports whether a key is the certificate's.
func belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// subject is for whom a certificate is asked.
type subject struct {
	common string
	names  []string // DNS names, addresses and URIs
}

// namesOf are all names of a certificate.
func namesOf(c *x509.Certificate) []string {
	out := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	for _, u := range c.URIs {
		out = append(out, u.String())
	}
	return append(out, c.EmailAddresses...)
}

// covers reports whether names has a name; DNS names know no case.
func covers(names []string, name string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return strings.EqualFold(one, name) })
}

// split sorts names by their kind.
func (s subject) split() (dns []string, ips []net.IP, uris []*url.URL, mails []string, err error) {
	for _, name := range s.names {
		switch ip := net.ParseIP(name); {
		case ip != nil:
			ips = append(ips, ip)
		case strings.Contains(name, "://"):
			u, err := url.Parse(name)
			if err != nil {
				return nil, nil, nil, nil, fmt.Errorf("%q is no URI", name)
			}
			uris = append(uris, u)
		case strings.Contains(name, "@"):
			mails = append(mails, name)
		default:
			dns = append(dns, name)
		}
	}
	return dns, ips, uris, mails, nil
}

// request makes the certificate request, in DER.
func (s subject) request(key crypto.Signer) ([]byte, error) {
	dns, ips, uris, mails, err := s.split()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: s.common}, DNSNames: dns, IPAddresses: ips, URIs: uris, EmailAddresses: mails,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return der, nil
}

// register makes the parts of a private key known to a net, so that no output can
// quote them: the text, and each of its lines as a program would print them.
func register(net interface{ Register(values ...string) }, text []byte) {
	s := estate.NewSecret(string(text))
	var values []string
	for line := range strings.Lines(s.Reveal()) {
		if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			values = append(values, line)
		}
	}
	net.Register(append(values, strings.TrimSpace(s.Reveal()), strings.Join(values, ""))...)
}

// leafPEM is the leaf of a bundle alone.
func leafPEM(b *bundle) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.leaf.Raw})
}

// firstBlock is the content of the first PEM block.
func firstBlock(data []byte) []byte {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	return block.Bytes
}

// sameKey reports whether a request is of a key.
func sameKey(key crypto.Signer, r *x509.CertificateRequest) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(r.PublicKey)
}
