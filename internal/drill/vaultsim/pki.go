package vaultsim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pkiStore is one PKI mount. Its keys are ECDSA P-256.
type pkiStore struct {
	ca      *x509.Certificate
	key     *ecdsa.PrivateKey
	roles   map[string]pkiRole
	issued  map[string][]byte // DER by serial number
	revoked map[string]time.Time
}

// pkiRole is what a role allows.
type pkiRole struct {
	domains        []string
	bare, sub, any bool
	ttl, max       time.Duration
	localhost, ips bool
	server, client bool
}

func newPKIStore() *pkiStore {
	return &pkiStore{roles: map[string]pkiRole{}, issued: map[string][]byte{}, revoked: map[string]time.Time{}}
}

func (p *pkiStore) clone() *pkiStore {
	if p == nil {
		return nil
	}
	return &pkiStore{ca: p.ca, key: p.key, roles: maps.Clone(p.roles), issued: maps.Clone(p.issued), revoked: maps.Clone(p.revoked)}
}

// SetCA gives a PKI mount its authority.
func (c *Cluster) SetCA(mount string, ca *x509.Certificate, key *ecdsa.PrivateKey) {
	c.setup(func(s *store) { s.mounts[mount].pki.ca, s.mounts[mount].pki.key = ca, key })
}

// AddPKIRole adds a role that issues for the subdomains of domains.
func (c *Cluster) AddPKIRole(mount, name string, longest time.Duration, domains ...string) {
	r := pkiRole{domains: domains, sub: true, max: longest, ips: true, localhost: true, server: true, client: true}
	c.setup(func(s *store) { s.mounts[mount].pki.roles[name] = r })
}

func asPEM(kind string, der []byte) string {
	return strings.TrimSuffix(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})), "\n")
}

// serial is a serial number as Vault writes it.
func serial(n *big.Int) string {
	x := hex.EncodeToString(n.Bytes())
	var parts []string
	for i := 0; i+2 <= len(x); i += 2 {
		parts = append(parts, x[i:i+2])
	}
	return strings.Join(parts, ":")
}

// pki answers in a PKI mount.
func (q *request) pki(m *mount, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	p := m.pki
	switch {
	case (rest == "ca/pem" || rest == "ca") && q.op == read:
		if p.ca == nil {
			return noContent
		}
		if rest == "ca" {
			return reply{status: http.StatusOK, text: string(p.ca.Raw), header: map[string]string{"Content-Type": "application/pkix-cert"}}
		}
		return reply{status: http.StatusOK, text: asPEM("CERTIFICATE", p.ca.Raw) + "\n", header: map[string]string{"Content-Type": "application/pem-certificate-chain"}}
	case kind == "cert" && q.op == read:
		return q.pkiCert(m, name)
	case rest == "certs/" && q.op == list:
		return q.keys(slices.Sorted(maps.Keys(p.issued)))
	case kind == "roles":
		return q.pkiRole(m, name)
	case kind == "issue" && q.op == update:
		return q.pkiIssue(m, name, nil)
	case kind == "sign" && q.op == update:
		csr := q.str("csr")
		if csr == "" {
			return badRequest("\"csr\" is empty")
		}
		block, _ := pem.Decode([]byte(csr))
		if block == nil {
			return badRequest("csr contains no data")
		}
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err == nil {
			err = request.CheckSignature()
		}
		if err != nil {
			return badRequest("certificate request could not be parsed: %v", err)
		}
		return q.pkiIssue(m, name, request)
	case rest == "revoke" && q.op == update:
		number := q.str("serial_number")
		if p.issued[number] == nil {
			return badRequest("certificate with serial %s not found.", number)
		}
		at, already := p.revoked[number]
		if !already {
			at = q.c.now()
			path := m.path
			q.write(func(s *store) { s.mounts[path].pki.revoked[number] = at })
		}
		return q.answer(map[string]any{"revocation_time": at.Unix(), "revocation_time_rfc3339": stamp(at), "state": "revoked"})
	case rest == "root/generate/internal" && q.op == update:
		return q.pkiRoot(m)
	}
	return noPath
}

func (q *request) pkiCert(m *mount, number string) reply {
	der := m.pki.issued[number]
	if number == "ca" && m.pki.ca != nil {
		der = m.pki.ca.Raw
		q.mountType = ""
	}
	if der == nil {
		return notFound
	}
	out := map[string]any{"certificate": asPEM("CERTIFICATE", der), "revocation_time": int64(0), "revocation_time_rfc3339": ""}
	if at, ok := m.pki.revoked[number]; ok {
		out["revocation_time"], out["revocation_time_rfc3339"] = at.Unix(), stamp(at)
	}
	return q.answer(out)
}

func (q *request) pkiRole(m *mount, name string) reply {
	r, ok := m.pki.roles[name]
	path := m.path
	switch {
	case q.op == list:
		return q.keys(slices.Sorted(maps.Keys(m.pki.roles)))
	case q.op == read && !ok:
		return notFound
	case q.op == update:
		if !ok {
			r = pkiRole{ips: true, localhost: true, server: true, client: true}
		}
		if kind := q.str("key_type"); kind != "" && kind != "ec" && kind != "any" {
			return badRequest("keys of type %s are not part of this simulation; ec is", kind)
		}
		if _, given := q.in["allowed_domains"]; given {
			r.domains = q.names("allowed_domains")
		}
		r.bare, r.sub, r.any = q.flag("allow_bare_domains", r.bare), q.flag("allow_subdomains", r.sub), q.flag("allow_any_name", r.any)
		r.localhost, r.ips = q.flag("allow_localhost", r.localhost), q.flag("allow_ip_sans", r.ips)
		r.server, r.client = q.flag("server_flag", r.server), q.flag("client_flag", r.client)
		if d, given := q.duration("ttl"); given {
			r.ttl = d
		}
		if d, given := q.duration("max_ttl"); given {
			r.max = d
		}
		q.write(func(s *store) { s.mounts[path].pki.roles[name] = r })
		return q.answer(r.fields())
	case q.op == read:
		return q.answer(r.fields())
	case q.op == remove:
		q.write(func(s *store) { delete(s.mounts[path].pki.roles, name) })
		return noContent
	}
	return noOperation
}

func (r pkiRole) fields() map[string]any {
	return map[string]any{
		"allow_any_name": r.any, "allow_bare_domains": r.bare, "allow_subdomains": r.sub, "allow_localhost": r.localhost, "allow_ip_sans": r.ips,
		"allowed_domains": r.domains, "client_flag": r.client, "server_flag": r.server, "key_bits": 256, "key_type": "ec", "max_ttl": int64(r.max / time.Second),
		"ttl": int64(r.ttl / time.Second), "enforce_hostnames": true, "require_cn": true, "no_store": false, "issuer_ref": "default", "not_before_duration": 30,
		"allow_glob_domains": false, "allow_wildcard_certificates": true, "allow_token_displayname": false, "generate_lease": false, "signature_bits": 0,
		"key_usage": []string{"DigitalSignature", "KeyAgreement", "KeyEncipherment"}, "ext_key_usage": []string{}, "use_csr_common_name": true, "use_csr_sans": true,
	}
}

// allows says whether a role issues for a name.
func (r pkiRole) allows(name string) bool {
	if r.any || r.localhost && name == "localhost" {
		return true
	}
	for _, d := range r.domains {
		if r.bare && name == d || r.sub && strings.HasSuffix(name, "."+d) {
			return true
		}
	}
	return false
}

// pkiIssue issues a certificate, for a key of its own or that of a request.
func (q *request) pkiIssue(m *mount, name string, csr *x509.CertificateRequest) reply {
	r, ok := m.pki.roles[name]
	p := m.pki
	if !ok {
		return badRequest("unknown role: %s", name)
	}
	cn := q.str("common_name")
	names := q.names("alt_names")
	var ips []net.IP
	for _, s := range q.names("ip_sans") {
		ip := net.ParseIP(s)
		if ip == nil || !r.ips {
			return badRequest("the value %q is not a valid IP address, or IP addresses are not allowed by this role", s)
		}
		ips = append(ips, ip)
	}
	if csr != nil {
		if csr.Subject.CommonName != "" {
			cn = csr.Subject.CommonName
		}
		// use_csr_sans, the default: those of the request itself count, and no others.
		names, ips = slices.Clone(csr.DNSNames), csr.IPAddresses
	}
	if cn == "" {
		return badRequest("the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false")
	}
	if !r.allows(cn) {
		return badRequest("common name %s not allowed by this role", cn)
	}
	names = slices.Compact(slices.Sorted(slices.Values(append(names, cn))))
	for _, one := range names {
		if !r.allows(one) {
			return badRequest("subject alternate name %s not allowed by this role", one)
		}
	}
	if p.ca == nil {
		return refused(http.StatusInternalServerError, "error fetching CA certificate: stored CA information not able to be parsed")
	}
	now := q.c.now().Truncate(time.Second)
	ttl, asked := q.duration("ttl")
	longest := maxTTL
	if m.maxTTL > 0 {
		longest = m.maxTTL
	}
	if r.max > 0 {
		longest = min(longest, r.max)
	}
	if !asked || ttl <= 0 {
		if ttl = r.ttl; ttl <= 0 {
			ttl = min(maxTTL, longest)
		}
	}
	var warnings []string
	if ttl > longest {
		warnings = append(warnings, fmt.Sprintf("TTL %q is longer than permitted maxTTL %q, so maxTTL is being used", ttl, longest))
		ttl = longest
	}
	if now.Add(ttl).After(p.ca.NotAfter) {
		return badRequest("cannot satisfy request, as TTL would result in notAfter of %s that is beyond the expiration of the CA certificate at %s", stamp(now.Add(ttl)), stamp(p.ca.NotAfter))
	}
	out := map[string]any{"issuing_ca": asPEM("CERTIFICATE", p.ca.Raw), "ca_chain": []string{asPEM("CERTIFICATE", p.ca.Raw)}}
	var public any
	if csr != nil {
		public = csr.PublicKey
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return refused(http.StatusInternalServerError, err.Error())
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return refused(http.StatusInternalServerError, err.Error())
		}
		public = key.Public()
		out["private_key"], out["private_key_type"] = asPEM("EC PRIVATE KEY", der), "ec"
	}
	template := &x509.Certificate{
		SerialNumber: q.serialNumber(), Subject: pkix.Name{CommonName: cn}, DNSNames: names, IPAddresses: ips,
		NotBefore: now.Add(-30 * time.Second), NotAfter: now.Add(ttl), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement,
	}
	if r.server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, public, p.key)
	if err != nil {
		return refused(http.StatusInternalServerError, err.Error())
	}
	number, path := serial(template.SerialNumber), m.path
	q.write(func(s *store) { s.mounts[path].pki.issued[number] = der })
	out["certificate"], out["serial_number"], out["expiration"] = asPEM("CERTIFICATE", der), number, template.NotAfter.Unix()
	return q.answer(out, warnings...)
}

func (q *request) serialNumber() *big.Int {
	d := q.c.digest("certificate", q.c.next())
	d[0] = d[0]&0x3f | 0x40 // always twenty bytes, and positive
	return new(big.Int).SetBytes(d[:20])
}

// pkiRoot makes the mount's own authority.
func (q *request) pkiRoot(m *mount) reply {
	if q.str("common_name") == "" {
		return badRequest("the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false")
	}
	ttl, _ := q.duration("ttl")
	longest := maxTTL
	if m.maxTTL > 0 {
		longest = m.maxTTL
	}
	if ttl <= 0 || ttl > longest {
		ttl = longest
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return refused(http.StatusInternalServerError, err.Error())
	}
	now := q.c.now().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: q.serialNumber(), Subject: pkix.Name{CommonName: q.str("common_name")}, NotBefore: now.Add(-30 * time.Second), NotAfter: now.Add(ttl),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return refused(http.StatusInternalServerError, err.Error())
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return refused(http.StatusInternalServerError, err.Error())
	}
	number, path := serial(template.SerialNumber), m.path
	q.write(func(s *store) {
		p := s.mounts[path].pki
		p.ca, p.key, p.issued[number] = ca, key, der
	})
	return q.answer(map[string]any{
		"certificate": asPEM("CERTIFICATE", der), "issuing_ca": asPEM("CERTIFICATE", der), "expiration": template.NotAfter.Unix(), "serial_number": number,
		"issuer_id": q.c.uuid("issuer", number), "issuer_name": "", "key_id": q.c.uuid("key", number), "key_name": "",
	})
}
