package certificate

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"warroom/internal/clients"
)

// crlLimit bounds a revocation list; those of public CAs are split to stay small.
const crlLimit = 16 << 20

// crlsTried bounds how many distribution points are asked.
const crlsTried = 3

// revocation asks the lists that a certificate names whether it is revoked. OCSP is
// not asked: a CA that has stopped it is the rule by now, and its absence says
// nothing.
func (n *renewal) revocation(ctx context.Context, s *sight) {
	switch {
	case s.cert == nil:
		s.revoke = "not applicable: no file holds the certificate, and its lists are named in it"
		return
	case len(s.cert.CRLDistributionPoints) == 0:
		s.revoke = "not applicable: it names no revocation list"
		return
	}
	issuers := n.issuersOf(s)
	var trouble string
	for _, point := range s.cert.CRLDistributionPoints[:min(len(s.cert.CRLDistributionPoints), crlsTried)] {
		list, err := n.p.crl(ctx, point)
		if err == nil && !signedBy(list, issuers) {
			err = fmt.Errorf("its signature is of no issuer that we know")
		}
		if err == nil && !list.NextUpdate.IsZero() && n.p.now().After(list.NextUpdate) {
			err = fmt.Errorf("it ended on %s", list.NextUpdate.UTC().Format("2006-01-02 15:04Z"))
		}
		if err != nil {
			trouble = "unknown: the list at " + clients.Strip(point, 120) + ": " + clients.Strip(err.Error(), 160)
			continue
		}
		s.revoke = "not revoked, as of " + list.ThisUpdate.UTC().Format("2006-01-02 15:04Z")
		for _, entry := range list.RevokedCertificateEntries {
			// 8 is removeFromCRL: a hold that was lifted.
			if entry.SerialNumber.Cmp(s.cert.SerialNumber) == 0 && entry.ReasonCode != 8 {
				s.revoke = "revoked on " + entry.RevocationTime.UTC().Format("2006-01-02 15:04Z")
				s.due = append(s.due, "it was "+s.revoke+", says "+clients.Strip(point, 120))
			}
		}
		return
	}
	s.revoke = trouble
	s.notes = append(s.notes, "whether it was revoked is "+trouble)
}

// issuersOf are the certificates that may have signed the list: what stands beside the
// certificate, and the CA of the endpoint.
func (n *renewal) issuersOf(s *sight) []*x509.Certificate {
	out := append([]*x509.Certificate{}, s.disk.chain...)
	if file := n.e.component.Balancer.CACert; file != "" {
		if data, _, err := readFile(file); err == nil {
			if b, err := parseBundle(data); err == nil {
				out = append(out, b.chain...)
			}
		}
	}
	return out
}

func signedBy(list *x509.RevocationList, issuers []*x509.Certificate) bool {
	for _, c := range issuers {
		if list.CheckSignatureFrom(c) == nil {
			return true
		}
	}
	return false
}

// crl fetches a revocation list. It is signed, so http will do.
func (p *Procedure) crl(ctx context.Context, point string) (*x509.RevocationList, error) {
	u, err := url.Parse(point)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("only http and https can be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit())
	defer cancel()
	var data []byte
	err = clients.Around(ctx, clients.Call{System: "http:" + u.Host, Name: "GET " + clients.Strip(u.Path, 120)}, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, point, nil)
		if err != nil {
			return err
		}
		req.Header.Set("User-Agent", clients.UserAgent)
		web := &http.Client{CheckRedirect: fewRedirects}
		defer web.CloseIdleConnections()
		res, err := web.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("HTTP %d", res.StatusCode)
		}
		data, err = io.ReadAll(io.LimitReader(res.Body, crlLimit+1))
		if err == nil && len(data) > crlLimit {
			err = fmt.Errorf("it is larger than %d MiB", crlLimit>>20)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, err := x509.ParseRevocationList(unarmoured(data))
	if err != nil {
		return nil, fmt.Errorf("it cannot be parsed")
	}
	return list, nil
}

func fewRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > 3 {
		return fmt.Errorf("it redirects more than 3 times")
	}
	return nil
}

// unarmoured takes a list out of PEM where it is in that.
func unarmoured(data []byte) []byte {
	if strings.HasPrefix(string(data[:min(len(data), 20)]), "-----BEGIN X509 CRL") {
		if block := firstBlock(data); block != nil {
			return block
		}
	}
	return data
}
