package awssim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// amzDate is the form of the X-Amz-Date header.
const amzDate = "20060102T150405Z"

// maxSkew is how far a request's date may lie from ours.
const maxSkew = 5 * time.Minute

// authorization is what a signed request says of itself.
type authorization struct {
	accessKey, day, region, service string
	signed                          []string // header names, lower case
	signature                       string
}

// Kinds of refusal; each protocol words and codes them in its own way.
const (
	authMissing    = "missing"
	authIncomplete = "incomplete"
	authUnknownKey = "unknown key"
	authBad        = "bad signature"
	authExpired    = "expired token"
)

// parseAuthorization reads the Authorization header.
func parseAuthorization(r *http.Request) (authorization, string, string) {
	var a authorization
	h := r.Header.Get("Authorization")
	if h == "" {
		return a, authMissing, ""
	}
	rest, ok := strings.CutPrefix(h, "AWS4-HMAC-SHA256 ")
	if !ok {
		return a, authIncomplete, "Authorization header requires the AWS4-HMAC-SHA256 algorithm."
	}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch k {
		case "Credential":
			f := strings.Split(v, "/")
			if len(f) != 5 || f[4] != "aws4_request" {
				return a, authIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
			}
			a.accessKey, a.day, a.region, a.service = f[0], f[1], f[2], f[3]
		case "SignedHeaders":
			a.signed = strings.Split(v, ";")
		case "Signature":
			a.signature = v
		}
	}
	for _, m := range []struct {
		name    string
		missing bool
	}{{"Credential", a.accessKey == ""}, {"Signature", a.signature == ""}, {"SignedHeaders", len(a.signed) == 0}} {
		if m.missing {
			return a, authIncomplete, "Authorization header requires '" + m.name + "' parameter."
		}
	}
	if r.Header.Get("X-Amz-Date") == "" {
		return a, authIncomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
	}
	return a, "", ""
}

// verify says who signed the request, or which refusal and in what words.
func (s *Sim) verify(r *http.Request, a authorization, body []byte) (*credential, string, string) {
	s.mu.Lock()
	c := s.creds[a.accessKey]
	s.mu.Unlock()
	if c == nil {
		return nil, authUnknownKey, ""
	}
	if r.Header.Get("X-Amz-Security-Token") != c.SessionToken {
		return nil, authUnknownKey, ""
	}
	at, err := time.Parse(amzDate, r.Header.Get("X-Amz-Date"))
	if err != nil {
		return nil, authIncomplete, "Date must be in ISO-8601 'basic format'. Got '" + clip(r.Header.Get("X-Amz-Date"), 40) + "'."
	}
	if a.day != at.Format("20060102") {
		return nil, authBad, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			clip(a.day, 16) + "' != '" + at.Format("20060102") + "', from '" + at.Format(amzDate) + "'."
	}
	now := s.now()
	if limit := now.Add(-maxSkew); at.Before(limit) {
		return nil, authBad, "Signature expired: " + at.Format(amzDate) + " is now earlier than " + limit.Format(amzDate) +
			" (" + now.Format(amzDate) + " - 5 min.)"
	}
	if limit := now.Add(maxSkew); at.After(limit) {
		return nil, authBad, "Signature not yet current: " + at.Format(amzDate) + " is still later than " + limit.Format(amzDate) +
			" (" + now.Format(amzDate) + " + 5 min.)"
	}
	if a.region != s.region && a.service != "sts" && a.service != "iam" && (a.service != "cloudtrail" || a.region != globalRegion) {
		return nil, authBad, "Credential should be scoped to a valid region. "
	}
	if !c.genuine(r, a, body, at) {
		return nil, authBad, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	}
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		return nil, authExpired, ""
	}
	return c, "", ""
}

// genuine signs the request anew, over exactly the headers the caller signed,
// and compares. Host, date and every x-amz header must be among them, or they
// could be changed on the way.
func (c *credential) genuine(r *http.Request, a authorization, body []byte, at time.Time) bool {
	if !slices.Contains(a.signed, "host") {
		return false
	}
	for k := range r.Header {
		if l := strings.ToLower(k); strings.HasPrefix(l, "x-amz-") && !slices.Contains(a.signed, l) {
			return false
		}
	}
	u := &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	again := &http.Request{Method: r.Method, URL: u, Host: r.Host, Header: http.Header{}}
	for _, h := range a.signed {
		switch h {
		case "host":
		case "content-length":
			again.ContentLength = int64(len(body))
		default:
			again.Header[http.CanonicalHeaderKey(h)] = slices.Clone(r.Header.Values(h))
		}
	}
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: a.accessKey, SecretAccessKey: c.SecretKey, SessionToken: c.SessionToken}
	if err := c.signer.SignHTTP(r.Context(), creds, again, hex.EncodeToString(sum[:]), a.service, a.region, at); err != nil {
		return false
	}
	want, kind, _ := parseAuthorization(again)
	return kind == "" && slices.Equal(want.signed, a.signed) &&
		subtle.ConstantTimeCompare([]byte(want.signature), []byte(a.signature)) == 1
}

// clip bounds remote text that is repeated in an answer.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
