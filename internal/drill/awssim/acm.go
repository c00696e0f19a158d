package awssim

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"time"
)

// Certificate is a certificate of ACM. Of one with PEM, names, dates, serial and
// algorithms are the certificate's own.
type Certificate struct {
	ARN       string // made from the domain and the seed when empty
	Domain    string
	Names     []string
	Status    string // ISSUED when empty; EXPIRED by itself once it has ended
	Type      string // IMPORTED, AMAZON_ISSUED or PRIVATE; IMPORTED with PEM, else AMAZON_ISSUED
	NotBefore time.Time
	NotAfter  time.Time
	Imported  time.Time
	PEM       []byte // the certificate
	Chain     []byte
	InUseBy   []string // ARNs
	// Renewal is the state of the managed renewal under way, and RenewalNote its
	// reason; of what ACM issues alone.
	Renewal, RenewalNote string
	Failure              string // with status FAILED
	Tags                 map[string]string
}

// AddCertificate adds or replaces a certificate and returns its ARN.
func (s *Sim) AddCertificate(in Certificate) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addCertificate(in)
}

// addCertificate is AddCertificate; the caller holds s.mu.
func (s *Sim) addCertificate(in Certificate) string {
	if leaf := firstCertificate(in.PEM); leaf != nil {
		in.Domain, in.Names = cmp.Or(leaf.Subject.CommonName, in.Domain), slices.Clone(leaf.DNSNames)
		if in.Domain == "" && len(in.Names) > 0 {
			in.Domain = in.Names[0]
		}
		in.NotBefore, in.NotAfter = leaf.NotBefore.UTC(), leaf.NotAfter.UTC()
		in.Type = cmp.Or(in.Type, "IMPORTED")
	}
	in.Type, in.Status = cmp.Or(in.Type, "AMAZON_ISSUED"), cmp.Or(in.Status, "ISSUED")
	if len(in.Names) == 0 {
		in.Names = []string{in.Domain}
	}
	if in.ARN == "" {
		in.ARN = s.arn("acm", "certificate/"+s.uuid("certificate", in.Domain, s.next()))
	}
	if in.Imported.IsZero() {
		in.Imported = in.NotBefore
	}
	in.InUseBy, in.Tags = slices.Clone(in.InUseBy), maps.Clone(in.Tags)
	s.certificates[in.ARN] = in
	return in.ARN
}

func firstCertificate(data []byte) *x509.Certificate {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return leaf
}

func acmOperations() []operation {
	return []operation{
		define("acm", "DescribeCertificate", describeCertificate),
		define("acm", "ListCertificates", listCertificates),
		define("acm", "GetCertificate", getCertificate),
		define("acm", "ImportCertificate", importCertificate),
		define("acm", "AddTagsToCertificate", addTagsToCertificate),
		define("acm", "ListTagsForCertificate", listTagsForCertificate),
	}
}

// certificate finds a certificate; the caller holds s.mu.
func (c *call) certificate(arn string) (Certificate, *apiError) {
	s := c.sim
	if !strings.HasPrefix(arn, s.arn("acm", "certificate/")) {
		return Certificate{}, errf("ValidationException", "Provided ARN: %s is invalid for account: %s and region: %s", clip(arn, 256), s.account, s.region)
	}
	x, ok := s.certificates[arn]
	if !ok {
		return x, notFound("Could not find certificate %s in account %s.", clip(arn, 256), s.account)
	}
	return x, nil
}

// status is ISSUED until the certificate has ended.
func (x Certificate) status(now time.Time) string {
	if x.Status == "ISSUED" && !x.NotAfter.IsZero() && now.After(x.NotAfter) {
		return "EXPIRED"
	}
	return x.Status
}

// renewable says whether ACM renews it by itself: what it issued, while it is in
// use.
func (x Certificate) renewable() string {
	if x.Type != "IMPORTED" && len(x.InUseBy) > 0 {
		return "ELIGIBLE"
	}
	return "INELIGIBLE"
}

// keys are the certificate's algorithms, as ACM calls them.
func (x Certificate) keys() (key, signature, serial string) {
	leaf := firstCertificate(x.PEM)
	if leaf == nil {
		return "RSA_2048", "SHA256WITHRSA", ""
	}
	b := leaf.SerialNumber.Bytes()
	pairs := make([]string, len(b))
	for i := range b {
		pairs[i] = hex.EncodeToString(b[i : i+1])
	}
	serial = strings.Join(pairs, ":")
	signature = map[x509.SignatureAlgorithm]string{
		x509.ECDSAWithSHA256: "SHA256WITHECDSA", x509.ECDSAWithSHA384: "SHA384WITHECDSA", x509.SHA256WithRSA: "SHA256WITHRSA",
	}[leaf.SignatureAlgorithm]
	switch k := leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		key = map[elliptic.Curve]string{elliptic.P256(): "EC_prime256v1", elliptic.P384(): "EC_secp384r1", elliptic.P521(): "EC_secp521r1"}[k.Curve]
	case *rsa.PublicKey:
		key = map[int]string{256: "RSA_2048", 384: "RSA_3072", 512: "RSA_4096"}[k.Size()]
	}
	return key, signature, serial
}

type renewalSummary struct {
	RenewalStatus           string
	DomainValidationOptions []struct{} `aws:",keep"`
	RenewalStatusReason     string
	UpdatedAt               time.Time
}

type certificateDetail struct {
	CertificateArn, DomainName              string
	SubjectAlternativeNames                 []string
	Serial, Subject, Issuer                 string
	CreatedAt, IssuedAt, ImportedAt         time.Time
	Status                                  string
	NotBefore, NotAfter                     time.Time
	KeyAlgorithm, SignatureAlgorithm        string
	InUseBy                                 []string `aws:",keep"`
	FailureReason, Type, RenewalEligibility string
	RenewalSummary                          *renewalSummary
	Options                                 *struct{ CertificateTransparencyLoggingPreference string }
}

type certificateInput struct{ CertificateArn string }

func describeCertificate(c *call, in *certificateInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := c.certificate(in.CertificateArn)
	if err != nil {
		return nil, err
	}
	d := certificateDetail{
		CertificateArn: x.ARN, DomainName: x.Domain, SubjectAlternativeNames: x.Names, Subject: "CN=" + x.Domain, Issuer: "Amazon",
		CreatedAt: x.Imported, Status: x.status(s.now()), NotBefore: x.NotBefore, NotAfter: x.NotAfter, InUseBy: x.InUseBy,
		FailureReason: x.Failure, Type: x.Type, RenewalEligibility: x.renewable(),
	}
	d.KeyAlgorithm, d.SignatureAlgorithm, d.Serial = x.keys()
	if leaf := firstCertificate(x.PEM); leaf != nil {
		d.Issuer = cmp.Or(leaf.Issuer.CommonName, strings.Join(leaf.Issuer.Organization, ","))
	}
	if x.Type == "IMPORTED" {
		d.ImportedAt = x.Imported
	} else {
		d.IssuedAt = x.NotBefore
		d.Options = &struct{ CertificateTransparencyLoggingPreference string }{"ENABLED"}
		if x.Renewal != "" {
			d.RenewalSummary = &renewalSummary{RenewalStatus: x.Renewal, RenewalStatusReason: x.RenewalNote, UpdatedAt: s.now().Truncate(time.Hour)}
		}
	}
	return struct{ Certificate certificateDetail }{d}, nil
}

type certificateSummary struct {
	CertificateArn, DomainName, Status, Type, KeyAlgorithm, RenewalEligibility string
	SubjectAlternativeNameSummaries                                            []string
	HasAdditionalSubjectAlternativeNames                                       bool `aws:",keep"`
	InUse                                                                      bool `aws:",keep"`
	NotBefore, NotAfter, CreatedAt, IssuedAt, ImportedAt                       time.Time
}

// listCertificates lists, as AWS does unless told otherwise, every status, and of
// the keys RSA of 2048 bits alone.
func listCertificates(c *call, in *struct {
	CertificateStatuses []string
	Includes            struct {
		KeyTypes []string `aws:"keyTypes"`
	}
	NextToken string
	MaxItems  *int
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := 1000
	if in.MaxItems != nil {
		if limit = *in.MaxItems; limit < 1 || limit > 1000 {
			return nil, constraint("maxItems", "Member must have value between 1 and 1000")
		}
	}
	types := in.Includes.KeyTypes
	if len(types) == 0 {
		types = []string{"RSA_1024", "RSA_2048"}
	}
	now := s.now()
	var all []certificateSummary
	for _, arn := range slices.Sorted(maps.Keys(s.certificates)) {
		x := s.certificates[arn]
		key, _, _ := x.keys()
		if len(in.CertificateStatuses) > 0 && !slices.Contains(in.CertificateStatuses, x.status(now)) || !slices.Contains(types, key) {
			continue
		}
		y := certificateSummary{
			CertificateArn: x.ARN, DomainName: x.Domain, Status: x.status(now), Type: x.Type, KeyAlgorithm: key, RenewalEligibility: x.renewable(),
			SubjectAlternativeNameSummaries: x.Names, InUse: len(x.InUseBy) > 0, NotBefore: x.NotBefore, NotAfter: x.NotAfter, CreatedAt: x.Imported,
		}
		if x.Type == "IMPORTED" {
			y.ImportedAt = x.Imported
		} else {
			y.IssuedAt = x.NotBefore
		}
		all = append(all, y)
	}
	start, ok := readToken("certificates", in.NextToken)
	if !ok || start > len(all) {
		return nil, errf("ValidationException", "The NextToken is not valid.")
	}
	out := struct {
		CertificateSummaryList []certificateSummary `aws:",keep"`
		NextToken              string
	}{}
	end := min(start+limit, len(all))
	out.CertificateSummaryList = all[start:end]
	if end < len(all) {
		out.NextToken = makeToken("certificates", end)
	}
	return out, nil
}

func getCertificate(c *call, in *certificateInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	x, err := c.certificate(in.CertificateArn)
	if err != nil {
		return nil, err
	}
	if len(x.PEM) == 0 {
		return nil, errf("RequestInProgressException", "Certificate %s has not been issued yet.", x.ARN)
	}
	return struct{ Certificate, CertificateChain string }{string(x.PEM), string(x.Chain)}, nil
}

// importCertificate takes a certificate that matches its key and is valid now;
// under an ARN it replaces an imported one, which keeps its uses.
func importCertificate(c *call, in *struct {
	CertificateArn                            string
	Certificate, PrivateKey, CertificateChain []byte
	Tags                                      []tag
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	leaf := firstCertificate(in.Certificate)
	if leaf == nil {
		return nil, errf("ValidationException", "The certificate field contains more than one certificate, or none, or is not PEM.")
	}
	if _, err := tls.X509KeyPair(in.Certificate, in.PrivateKey); err != nil {
		return nil, errf("ValidationException", "The private key does not match the public key in the certificate.")
	}
	if now := s.now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, errf("ValidationException", "The certificate is not valid at this time.")
	}
	x := Certificate{Tags: map[string]string{}}
	if in.CertificateArn != "" {
		old, err := c.certificate(in.CertificateArn)
		if err != nil {
			return nil, err
		}
		if old.Type != "IMPORTED" {
			return nil, errf("ValidationException", "The certificate %s was not imported.", old.ARN)
		}
		if len(in.Tags) > 0 {
			return nil, errf("InvalidParameterException", "Tags cannot be given when a certificate is imported again.")
		}
		x = Certificate{ARN: old.ARN, InUseBy: old.InUseBy, Tags: old.Tags}
	}
	for _, t := range in.Tags {
		x.Tags[t.Key] = t.Value
	}
	x.PEM, x.Chain, x.Imported = bytes.Clone(in.Certificate), bytes.Clone(in.CertificateChain), s.now()
	return struct{ CertificateArn string }{s.addCertificate(x)}, nil
}

func addTagsToCertificate(c *call, in *struct {
	CertificateArn string
	Tags           []tag
}) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	x, err := c.certificate(in.CertificateArn)
	if err != nil {
		return nil, err
	}
	x.Tags = maps.Clone(x.Tags)
	if x.Tags == nil {
		x.Tags = map[string]string{}
	}
	for _, t := range in.Tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 {
			return nil, errf("InvalidTagException", "A tag's key has 1 to 128 and its value at most 256 characters.")
		}
		x.Tags[t.Key] = t.Value
	}
	if len(x.Tags) > 50 {
		return nil, errf("TooManyTagsException", "A certificate has at most 50 tags.")
	}
	c.sim.certificates[x.ARN] = x
	return nil, nil
}

func listTagsForCertificate(c *call, in *certificateInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	x, err := c.certificate(in.CertificateArn)
	if err != nil {
		return nil, err
	}
	out := struct {
		Tags []tag `aws:",keep"`
	}{}
	for _, k := range slices.Sorted(maps.Keys(x.Tags)) {
		out.Tags = append(out.Tags, tag{k, x.Tags[k]})
	}
	return out, nil
}
