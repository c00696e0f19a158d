package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"

	"warroom/internal/estate"
)

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

type answered struct {
	status int
	error
}

func (a answered) HTTPStatusCode() int { return a.status }
func (a answered) Unwrap() error       { return a.error }

func TestClassify(t *testing.T) {
	api := func(code, message string) error {
		return &smithy.OperationError{ServiceID: "X", OperationName: "Y", Err: &smithy.GenericAPIError{Code: code, Message: message}}
	}
	dial := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://user:pw@host/", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	tests := map[string]struct {
		err    error
		kind   estate.FailureKind
		detail string // contained
	}{
		"passes through":       {fmt.Errorf("wrapped: %w", &estate.Failure{Kind: estate.BadSecret, Detail: "it is binary"}), estate.BadSecret, "it is binary"},
		"deadline":             {fmt.Errorf("x: %w", context.DeadlineExceeded), estate.Silent, "timeout"},
		"interrupted":          {context.Canceled, estate.Broken, "interrupted"},
		"i/o timeout":          {dial(timeoutError{}), estate.Silent, "i/o timeout"},
		"no such host":         {dial(&net.DNSError{Err: "no such host", Name: "db.internal", IsNotFound: true}), estate.Unresolved, "db.internal"},
		"server misbehaving":   {dial(&net.DNSError{Err: "server misbehaving", Name: "db.internal", IsTemporary: true}), estate.Unresolved, "server misbehaving"},
		"name server silent":   {dial(&net.DNSError{Err: "i/o timeout", Name: "db.internal", IsTimeout: true}), estate.Silent, "db.internal"},
		"refused":              {dial(syscall.ECONNREFUSED), estate.Refused, "connection refused"},
		"reset":                {dial(syscall.ECONNRESET), estate.Refused, "reset"},
		"unreachable":          {dial(syscall.EHOSTUNREACH), estate.Silent, "no route"},
		"EOF":                  {&url.Error{Op: "Get", URL: "x", Err: io.EOF}, estate.Refused, "EOF"},
		"unexpected EOF":       {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), estate.Refused, "unexpected EOF"},
		"TLS alert":            {&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, estate.Refused, "handshake failure"},
		"not TLS":              {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, estate.BadAnswer, "does not look like"},
		"HTTP on a TLS port":   {errors.New("http: server gave HTTP response to HTTPS client"), estate.BadAnswer, "HTTP"},
		"malformed HTTP":       {errors.New(`net/http: malformed HTTP response "x"`), estate.BadAnswer, "malformed"},
		"JSON":                 {fmt.Errorf("parse: %w", json.Unmarshal([]byte("<"), new(any))), estate.BadAnswer, "invalid character"},
		"truncated JSON":       {&smithy.DeserializationError{Err: io.ErrUnexpectedEOF}, estate.BadAnswer, "cannot be read"},
		"body broke off":       {&smithy.DeserializationError{Err: &bodyError{io.ErrUnexpectedEOF}}, estate.Refused, "broke off"},
		"too large":            {&smithy.DeserializationError{Err: errTooLarge}, estate.BadAnswer, "larger than"},
		"unknown authority":    {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, estate.Misconfigure, "unknown authority"},
		"HTTP/2 lost":          {&url.Error{Op: "Get", URL: "x", Err: errors.New("http2: client connection lost")}, estate.Silent, "lost"},
		"HTTP/2 header slow":   {errors.New("http2: timeout awaiting response headers"), estate.Silent, "lost"},
		"HTTP/2 body lost":     {&smithy.DeserializationError{Err: &bodyError{errors.New("http2: client connection lost")}}, estate.Silent, "lost"},
		"GOAWAY":               {errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug="ErrCode=PW"`), estate.Silent, "GOAWAY"},
		"GOAWAY over an error": {errors.New("http2: Transport received GOAWAY from server ErrCode:ENHANCE_YOUR_CALM"), estate.Refused, "ENHANCE_YOUR_CALM"},
		"GOAWAY, graceful":     {errors.New("http2: Transport received Server's graceful shutdown GOAWAY"), estate.Silent, "GOAWAY"},
		"stream reset":         {errors.New("stream error: stream ID 1; INTERNAL_ERROR; received from peer"), estate.Refused, "reset"},
		"idle closed":          {errors.New("http: server closed idle connection"), estate.Refused, "closed"},
		"words of a server":    {errors.New(`net/http: malformed HTTP response "http2: client connection lost"`), estate.BadAnswer, "malformed"},
		"expired":              {&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "yesterday"}}, estate.Refused, "expired"},
		"wrong name":           {&tls.CertificateVerificationError{Err: x509.HostnameError{Host: "db", Certificate: &x509.Certificate{DNSNames: []string{"other"}}}}, estate.Refused, "valid for other"},
		"HTML 502":             {answered{502, errors.New("parse")}, estate.ServerError, "HTTP 502"},
		"HTML 429":             {answered{429, errors.New("parse")}, estate.Throttled, "HTTP 429"},
		"HTML 301":             {answered{301, errors.New("parse")}, estate.BadAnswer, "HTTP 301"},
		"something else":       {errors.New("what is this"), estate.Broken, "what is this"},
		"denied":               {api("AccessDeniedException", "User: x is not authorized"), estate.Denied, "AccessDeniedException: User: x"},
		"denied by EC2":        {api("UnauthorizedOperation", ""), estate.Denied, "UnauthorizedOperation"},
		"denied by KMS":        {api("KMSAccessDeniedException", ""), estate.Denied, ""},
		"expired token":        {api("ExpiredToken", ""), estate.NoIdentity, ""},
		"expired exception":    {api("ExpiredTokenException", ""), estate.NoIdentity, ""},
		"unrecognized client":  {api("UnrecognizedClientException", ""), estate.NoIdentity, ""},
		"bad signature":        {api("SignatureDoesNotMatch", ""), estate.NoIdentity, ""},
		"throttled":            {api("ThrottlingException", "Rate exceeded"), estate.Throttled, "Rate exceeded"},
		"too many":             {api("TooManyRequestsException", ""), estate.Throttled, ""},
		"limit":                {api("LimitExceededException", ""), estate.Throttled, ""},
		"missing":              {api("ResourceNotFoundException", "no"), estate.Missing, "no"},
		"missing key":          {api("NotFoundException", ""), estate.Missing, ""},
		"marked for deletion":  {api("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."), estate.Missing, "marked"},
		"invalid request":      {api("InvalidRequestException", "no"), estate.Refused, ""},
		"internal":             {api("InternalServiceError", ""), estate.ServerError, ""},
		"5xx of another code":  {answered{503, &smithy.GenericAPIError{Code: "Weird"}}, estate.ServerError, "Weird"},
		"disabled key":         {api("KMSInvalidStateException", "is pending deletion"), estate.Refused, "pending deletion"},
		"cannot decrypt":       {api("DecryptionFailure", ""), estate.Refused, ""},
		"no metadata":          {&credentialsError{err: errors.New("no EC2 IMDS role found, x"), next: "log in"}, estate.NoIdentity, "instance metadata gives none"},
		"role refused":         {&credentialsError{err: api("AccessDenied", "sts:AssumeRole"), next: "log in"}, estate.NoIdentity, "sts:AssumeRole"},
		"role throttled":       {&credentialsError{err: api("Throttling", "")}, estate.Throttled, ""},
		"issuer silent":        {&credentialsError{err: context.DeadlineExceeded}, estate.NoIdentity, "within the timeout"},
		"identity over refuse": {&credentialsError{err: dial(syscall.ECONNREFUSED)}, estate.NoIdentity, "connection refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := Classify(test.err, "read x")
			if f.Kind != test.kind || !strings.Contains(f.Detail, test.detail) || f.Doing != "read x" {
				t.Errorf("Classify(%v) = %+v, want %q with %q", test.err, f, test.kind, test.detail)
			}
			if strings.Contains(f.Error(), "pw@") {
				t.Errorf("%q holds the password of a URL", f.Error())
			}
		})
	}
	if f := Classify(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "x"); f.Kind.Status() != estate.Unknown || !strings.Contains(f.Next, "set ca_cert") {
		t.Errorf("a CA that we do not trust: %v", f)
	}
	if f := Classify(nil, "x"); f != nil {
		t.Errorf("Classify(nil) = %v", f)
	}
}

func TestClassifyKeepsDetailShortAndClean(t *testing.T) {
	f := Classify(errors.New("\x1b]0;owned\x07"+strings.Repeat("é\n", 500)), "read x")
	if n := len([]rune(f.Detail)); n != DetailLimit || strings.ContainsAny(f.Detail, "\x1b\n") {
		t.Errorf("%d runes: %q", n, f.Detail)
	}
	given := &estate.Failure{Kind: estate.Denied, Doing: "own words", Detail: "a\x1b[31mb"}
	if f := Classify(given, "read x"); f.Doing != "own words" || f.Detail != "ab" || given.Detail != "a\x1b[31mb" {
		t.Errorf("got %+v; the caller's is %+v", f, given)
	}
}

func TestSkewedClockSaysSo(t *testing.T) {
	err := &smithy.GenericAPIError{Code: "InvalidSignatureException", Message: "Signature not yet current: 20260101T000000Z is still later than"}
	if f := Classify(err, ""); f.Kind != estate.NoIdentity || !strings.Contains(f.Next, "clock") {
		t.Errorf("got %+v", f)
	}
}

// Errors as net/http really makes them.
func TestClassifyRealTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // its own view of what we provoke
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	trusting := server.Client()
	trusting.Transport.(*http.Transport).TLSClientConfig.ServerName = "other.invalid"
	mutual := httptest.NewUnstartedServer(http.NotFoundHandler())
	mutual.Config.ErrorLog = log.New(io.Discard, "", 0)
	mutual.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	mutual.StartTLS()
	defer mutual.Close()

	tests := map[string]struct {
		client *http.Client
		url    string
		want   estate.FailureKind
		detail string
	}{
		"unknown authority":         {&http.Client{Transport: &http.Transport{}}, server.URL, estate.Misconfigure, "unknown authority"},
		"wrong name":                {trusting, server.URL, estate.Refused, "other.invalid"},
		"plain HTTP on the port":    {&http.Client{Transport: &http.Transport{}}, strings.Replace(plain.URL, "http:", "https:", 1), estate.BadAnswer, "HTTP"},
		"client certificate wanted": {mutual.Client(), mutual.URL, estate.Refused, "certificate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			defer test.client.CloseIdleConnections()
			res, err := test.client.Get(test.url)
			if err == nil {
				_ = res.Body.Close()
				t.Fatal("no error")
			}
			if f := Classify(err, ""); f.Kind != test.want || !strings.Contains(f.Detail, test.detail) {
				t.Errorf("Classify(%v) = %+v, want %q with %q", err, f, test.want, test.detail)
			}
		})
	}
}
