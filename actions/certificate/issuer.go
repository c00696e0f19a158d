package certificate

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// issuer signs the request of a renewal.
type issuer interface {
	// about says in words who issues, as a plan names it.
	about() string
	// calls are what it will send.
	calls() []string
	// issue brings the certificate with those between it and its root, as PEM. It may
	// be asked again.
	issue(ctx context.Context, r *actions.Run, order order) ([]byte, error)
}

// order is what an issuer is asked for.
type order struct {
	subject
	request []byte // DER
	key     crypto.Signer
	life    time.Duration // zero: as the issuer has it
}

// issuerOf is the one that the rotation block names.
func (n *renewal) issuerOf() issuer {
	switch r := n.e.rot; {
	case r.Vault != nil:
		return &vaultIssuer{n: n, of: r.Vault}
	case r.ACME != nil:
		return n.acme()
	default:
		return &selfIssuer{n: n}
	}
}

// vaultIssuer is a role of Vault's PKI engine.
type vaultIssuer struct {
	n  *renewal
	of *config.VaultIssuer
}

func (v *vaultIssuer) path() string { return strings.Trim(v.of.Mount, "/") + "/sign/" + v.of.Role }

func (v *vaultIssuer) about() string {
	return fmt.Sprintf("role %s of %s in Vault cluster %s", v.of.Role, v.of.Mount, v.of.Cluster)
}

func (v *vaultIssuer) calls() []string { return []string{"PUT " + v.path()} }

func (v *vaultIssuer) issue(ctx context.Context, _ *actions.Run, o order) ([]byte, error) {
	vault, err := v.n.p.systems.Act.Vault(v.of.Cluster)
	if err != nil {
		return nil, err
	}
	dns, ips, uris, mails, err := o.split()
	if err != nil {
		return nil, err
	}
	body := map[string]any{
		"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: o.request})), "format": "pem", "common_name": o.common,
		"alt_names": strings.Join(append(dns, mails...), ","), "ip_sans": joined(ips, net.IP.String),
	}
	if len(uris) > 0 {
		body["uri_sans"] = joined(uris, (*url.URL).String)
	}
	if o.life > 0 {
		body["ttl"] = fmt.Sprintf("%ds", int64(o.life/time.Second))
	}
	var out struct {
		Certificate string   `json:"certificate"`
		Issuing     string   `json:"issuing_ca"`
		Chain       []string `json:"ca_chain"`
	}
	if err := vault.Write(ctx, v.path(), body, &out); err != nil {
		return nil, err
	}
	text := out.Certificate + "\n"
	chain := out.Chain
	if len(chain) == 0 && out.Issuing != "" {
		chain = []string{out.Issuing}
	}
	for _, one := range chain {
		// The root is of no use to a client: it has it, or does not trust it.
		if b, err := parseBundle([]byte(one)); err == nil && !selfSigned(b.leaf) {
			text += one + "\n"
		}
	}
	return []byte(text), nil
}

// joined is a list as Vault takes it.
func joined[T any](list []T, text func(T) string) string {
	parts := make([]string, len(list))
	for i, one := range list {
		parts[i] = text(one)
	}
	return strings.Join(parts, ",")
}

func selfSigned(c *x509.Certificate) bool {
	return string(c.RawIssuer) == string(c.RawSubject) && c.CheckSignatureFrom(c) == nil
}

// selfIssuer signs with the certificate's own key.
type selfIssuer struct{ n *renewal }

func (*selfIssuer) about() string   { return "its own key" }
func (*selfIssuer) calls() []string { return nil }

// selfLife is the life of a certificate that nobody else limits, where nothing says.
const selfLife = 90 * 24 * time.Hour

func (s *selfIssuer) issue(_ context.Context, _ *actions.Run, o order) ([]byte, error) {
	dns, ips, uris, mails, err := o.split()
	if err != nil {
		return nil, err
	}
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(o.key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	id := sha1.Sum(public) // the identifier of RFC 5280, 4.2.1.2; nothing rests on its strength
	life := o.life
	if life <= 0 {
		life = selfLife
	}
	now := s.n.p.now()
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: o.common}, DNSNames: dns, IPAddresses: ips, URIs: uris, EmailAddresses: mails,
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(life), SubjectKeyId: id[:], BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, o.key.Public(), o.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate with its own key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// vet checks a certificate before it is installed. life is the least that may be left
// of it, until what it must outlive; a zero one asks for nothing.
func (n *renewal) vet(b *bundle, key crypto.Signer, want subject, life time.Duration, until time.Time) error {
	bad := func(format string, args ...any) error {
		return &estate.Failure{
			Kind: estate.BadAnswer, Doing: "check the new certificate of " + n.e.id, Detail: fmt.Sprintf(format, args...),
			Next: "nothing was installed: correct the issuer or the rotation block, roll this run back and plan again",
		}
	}
	now, leaf := n.p.now(), b.leaf
	if !belongs(key, leaf) {
		return bad("it is for another key than ours")
	}
	names := namesOf(leaf)
	for _, name := range want.names {
		if !covers(names, name) {
			return bad("it is not for %s: its names are %s", name, n.p.systems.Act.Text(strings.Join(names, ", "), 160))
		}
	}
	if err := leaf.VerifyHostname(n.e.name); err != nil {
		return bad("it is not for %s", n.e.name)
	}
	switch {
	case now.Before(leaf.NotBefore):
		return bad("it is not valid before %s, and it is %s: a clock is wrong", leaf.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case !leaf.NotAfter.After(now):
		return bad("it ended on %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case life > 0 && leaf.NotAfter.Sub(now) < life-life/50:
		return bad("only %s of life were given, and %s were asked for", span(leaf.NotAfter.Sub(now)), span(life))
	case leaf.NotAfter.Before(until):
		return bad("it ends on %s, before the one that it replaces", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	roots, err := n.roots()
	if err != nil {
		return bad("the CA file of the endpoint cannot be read: %v", err)
	}
	if n.e.rot.SelfSigned {
		roots = x509.NewCertPool()
		roots.AddCert(leaf)
	}
	between := x509.NewCertPool()
	for _, c := range b.chain[1:] {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		return bad("it does not stand up to the endpoint's CA as a server's: %s", n.p.systems.Act.Text(err.Error(), 160))
	}
	return nil
}

// roots are what clients of the endpoint trust; nil stands for the system's.
func (n *renewal) roots() (*x509.CertPool, error) {
	file := n.e.component.Balancer.CACert
	if file == "" {
		return nil, nil
	}
	data, _, err := readFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return roots, nil
}
