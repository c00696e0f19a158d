package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	vaultapi "github.com/hashicorp/vault/api"

	"warroom/internal/estate"
)

// DetailLimit is how many runes of another system's words are kept in a Failure.
const DetailLimit = 200

// Classify says in the estate's terms why a read brought nothing: an
// *estate.Failure in the chain passes through, anything else becomes one by its
// type. doing says what was being done and to what ("describe secret
// prod/db/postgres"). The detail is stripped and bounded; where the words may
// hold a secret that we have read, use Set.Failure, which scrubs them too.
//
// It returns nil for a nil error.
func Classify(err error, doing string) *estate.Failure { return classify(err, doing, Strip) }

func classify(err error, doing string, clean func(string, int) string) *estate.Failure {
	if err == nil {
		return nil
	}
	var known *estate.Failure
	if errors.As(err, &known) {
		f := *known
		if f.Doing == "" {
			f.Doing = doing
		}
		f.Detail = clean(f.Detail, DetailLimit)
		return &f
	}
	f := &estate.Failure{Doing: doing}
	var text string
	f.Kind, text, f.Next = kindOf(err)
	f.Detail = clean(text, DetailLimit)
	return f
}

// kindOf tells the kind of an error, the words worth keeping of it, and what to do
// next. What was said by the system itself is looked at before how the
// connection ended.
func kindOf(err error) (estate.FailureKind, string, string) {
	var identity *credentialsError
	if errors.As(err, &identity) {
		return identity.kindOf()
	}
	if errors.Is(err, errTooLarge) {
		return estate.BadAnswer, errTooLarge.Error(), "check what listens at this address"
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return sortAPI(api, status(err))
	}
	var vault *vaultapi.ResponseError
	if errors.As(err, &vault) {
		return sortVault(vault)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return estate.Silent, "nothing came within the timeout", nextSilent
	}
	if errors.Is(err, context.Canceled) {
		return estate.Broken, "interrupted", ""
	}
	if code := status(err); code != 0 && !brokeOff(err) {
		return sortStatus(code)
	}
	if kind, text, next, ok := sortTLS(err); ok {
		return kind, text, next
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsTimeout {
			return estate.Silent, "the name server gave no answer for " + dns.Name, "check DNS from this machine"
		}
		return estate.Unresolved, "lookup " + dns.Name + ": " + dns.Err, "check the host name, and DNS from this machine"
	}
	if kind, text, next, ok := sortLost(err); ok {
		return kind, text, next
	}
	if malformed(err) {
		return estate.BadAnswer, inner(err), "check what listens at this address"
	}
	if kind, next, ok := sortConnection(err); ok {
		return kind, inner(err), next
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return estate.Silent, inner(err), nextSilent
	}
	if ofTLS(err) {
		return estate.BadAnswer, inner(err), "check what listens at this address, and that it speaks TLS as we do"
	}
	return estate.Broken, inner(err), ""
}

// ofTLS reports whether the TLS library gave up over what the peer sent: what it
// finds wrong has no type of its own.
func ofTLS(err error) bool {
	var operated *net.OpError
	if errors.As(err, &operated) && operated.Op == "local error" {
		return true
	}
	return strings.HasPrefix(inner(err), "tls: ")
}

const (
	nextSilent  = "check the route and firewall from this machine, and whether the system hangs"
	nextRefused = "check that the service runs and listens there"
	nextBroke   = "the connection broke off: check the service, and proxies on the way"
)

// status is the HTTP status that came with err, or 0.
func status(err error) int {
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// brokeOff reports whether the answer's body ended early by the connection.
func brokeOff(err error) bool {
	var body *bodyError
	return errors.As(err, &body)
}

// sortStatus judges an answer that is no answer of the API: a proxy's page, a
// web server's.
func sortStatus(code int) (estate.FailureKind, string, string) {
	text := fmt.Sprintf("HTTP %d %s, without an error of the API", code, http.StatusText(code))
	switch {
	case code == http.StatusTooManyRequests:
		return estate.Throttled, text, ""
	case code >= 500:
		return estate.ServerError, text, "the system itself, or a proxy before it, is failing"
	case code >= 200 && code < 300:
		return estate.BadAnswer, fmt.Sprintf("HTTP %d with a body that cannot be read as this API's answer", code), "check what listens at this address"
	}
	return estate.BadAnswer, text, "check that the endpoint is this API and not a proxy's or web server's"
}

func sortTLS(err error) (estate.FailureKind, string, string, bool) {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		roots    x509.SystemRootsError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		operated *net.OpError
	)
	switch {
	case errors.As(err, &invalid):
		next := "check the certificate that the server presents"
		if invalid.Reason == x509.Expired {
			next = "renew the certificate, or check this machine's clock"
		}
		return estate.Refused, invalid.Error(), next, true
	case errors.As(err, &host):
		return estate.Refused, host.Error(), "check the host name, or issue the certificate for it", true
	case errors.As(err, &unknown):
		// It is we who do not know the authority: the system's own clients may.
		return estate.Misconfigure, unknown.Error(), "set ca_cert (or AWS_CA_BUNDLE, VAULT_CACERT) to the CA that signed it, or check who answers there", true
	case errors.As(err, &roots):
		return estate.Broken, roots.Error(), "install the CA certificates of this machine", true
	case errors.As(err, &verify):
		return estate.Refused, verify.Err.Error(), "check the certificate that the server presents", true
	case errors.As(err, &record):
		return estate.BadAnswer, record.Error(), "check that this port speaks TLS", true
	case errors.As(err, &alert):
		return estate.Refused, "TLS alert: " + alert.Error(), "check TLS versions and client certificates", true
	case errors.As(err, &operated) && operated.Op == "remote error":
		return estate.Refused, operated.Error(), "check TLS versions and client certificates", true
	}
	if text := err.Error(); strings.Contains(text, "server gave HTTP response to HTTPS client") {
		return estate.BadAnswer, "the port speaks HTTP, not TLS", "check the scheme and port", true
	}
	return "", "", "", false
}

// malformed reports whether what came back is not the protocol. A parser's
// "unexpected EOF" over a whole body belongs here; the same words from a
// connection that broke off do not.
func malformed(err error) bool {
	if brokeOff(err) {
		return false
	}
	var (
		parse  *smithy.DeserializationError
		syntax *json.SyntaxError
		typed  *json.UnmarshalTypeError
	)
	if errors.As(err, &parse) || errors.As(err, &syntax) || errors.As(err, &typed) {
		return true
	}
	text := err.Error()
	for _, mark := range []string{"malformed HTTP", "malformed MIME header", "tls: received unexpected", "headers exceeded", "invalid header", "tls: unexpected message"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// sortLost judges a connection that ended below what was asked over it, where HTTP
// gives its errors no type of their own. They are told by how their texts begin,
// and nothing of these is kept: a GOAWAY quotes what the server wrote into it.
func sortLost(err error) (estate.FailureKind, string, string, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		text := err.Error()
		begins := func(words ...string) bool {
			return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(text, w) })
		}
		switch {
		case begins("http2: client connection lost", "http2: timeout awaiting response headers", "http2: no cached connection was available", "http2: client conn"):
			return estate.Silent, "the HTTP/2 connection was lost", nextSilent, true
		case begins("http2: server sent GOAWAY", "http2: Transport received GOAWAY", "http2: Transport received Server's graceful shutdown GOAWAY"):
			before, _, _ := strings.Cut(text, "debug=")
			if code := goneAway.FindStringSubmatch(before); code != nil && code[1] != "NO_ERROR" {
				return estate.Refused, "the server ended the HTTP/2 connection: GOAWAY " + code[1], nextBroke, true
			}
			return estate.Silent, "the server ended the HTTP/2 connection (GOAWAY) before it answered", "it restarts or sheds load: see whether the next read is answered", true
		case begins("stream error: ") && strings.HasSuffix(text, "; received from peer"):
			return estate.Refused, "the server reset the HTTP/2 stream", nextBroke, true
		case begins("http: server closed idle connection"):
			return estate.Refused, "the server closed the connection", nextBroke, true
		}
	}
	return "", "", "", false
}

// goneAway finds the code of a GOAWAY.
var goneAway = regexp.MustCompile(`ErrCode:?=?([A-Z_]+)`)

func sortConnection(err error) (estate.FailureKind, string, bool) {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return estate.Refused, nextRefused, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return estate.Refused, nextBroke, true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ETIMEDOUT):
		return estate.Silent, nextSilent, true
	}
	// Windows has numbers of its own for these.
	switch text := err.Error(); {
	case strings.Contains(text, "actively refused"):
		return estate.Refused, nextRefused, true
	case strings.Contains(text, "forcibly closed"), strings.Contains(text, "server closed idle connection"):
		return estate.Refused, nextBroke, true
	}
	return "", "", false
}

// inner is the text of the innermost error that still says where and what: the
// wrappings repeat the operation and carry request ids and URLs.
func inner(err error) string {
	var operated *net.OpError
	if errors.As(err, &operated) {
		return operated.Error()
	}
	var parse *smithy.DeserializationError
	if errors.As(err, &parse) && parse.Err != nil {
		return "the answer cannot be read: " + parse.Err.Error()
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		return asked.Err.Error()
	}
	return err.Error()
}
