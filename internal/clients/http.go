package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"warroom/internal/estate"
	"warroom/internal/redact"
)

// UserAgent is how our own requests show in the access logs of the systems we
// read, so that they can be told from real traffic.
const UserAgent = "warroom/1 (read-only check)"

// ActingAgent is how the requests of recovery procedures show.
const ActingAgent = "warroom/1 (recovery)"

// agent is how the requests of this set show.
func (s *Set) agent() string {
	if s.acting {
		return ActingAgent
	}
	return UserAgent
}

const (
	// bodyLimit bounds what is kept of an answer: an endless one must not fill
	// the memory of the console.
	bodyLimit = 1 << 20
	// headerLimit bounds the header of an answer.
	headerLimit = 64 << 10
	// streamBuffer is what a server may send ahead of what is read, over HTTP/2.
	streamBuffer = 128 << 10
	// freeBody is how much of an answer is read without waiting for others.
	freeBody = 32 << 10
	// largeAnswers is how many answers beyond freeBody are read at a time, by all
	// components together.
	largeAnswers = 4
	// hopLimit bounds redirects within one origin.
	hopLimit = 5
	// drainFor and drainBytes bound what is spent on a body nobody reads, so that
	// its connection can be used again.
	drainFor   = 100 * time.Millisecond
	drainBytes = 64 << 10
)

// HTTP asks HTTP endpoints that are trusted alike. Components share one, and with
// it the connection to a server behind which many of them are: over HTTP/2 none
// waits for another, and over HTTP/1.1 each has a connection while it asks. It is
// safe for concurrent use.
type HTTP struct {
	set    *Set
	caFile string
	others bool // trust the system's CAs beside caFile

	mu     sync.Mutex
	loaded os.FileInfo // the CA file as it was when client was made
	client *http.Client
}

// HTTP makes a client that trusts the PEM file caFile alone, or the system's CAs
// when it is empty. It opens nothing: the file is read at the first request, and again
// when it changes.
func (s *Set) HTTP(caFile string) *HTTP { return s.http(caFile, false) }

// HTTPBeside is HTTP that trusts the system's CAs beside caFile: for what a
// component refers to, which its own CA need not have signed.
func (s *Set) HTTPBeside(caFile string) *HTTP {
	return s.http(caFile, true)
}

// trust is what is trusted: a CA file, and the system's CAs.
type trust struct {
	caFile string
	others bool
}

func (s *Set) http(caFile string, others bool) *HTTP {
	key := trust{caFile, others}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.web[key]
	if h == nil {
		h = &HTTP{set: s, caFile: caFile, others: others}
		s.web[key] = h
		s.closers = append(s.closers, h.close)
	}
	return h
}

// Credential is a secret that travels in one header of a request.
type Credential struct {
	Header string // Authorization, X-Api-Key …
	Scheme string // the word before the value; empty for none
	Value  estate.Secret
}

// Answer is what an endpoint answered. Its header and body are remote text: not
// stripped, and an endpoint may echo the credential in them. Use Text for
// whatever is kept of them.
type Answer struct {
	Code   int
	Header http.Header
	Body   []byte // at most 1 MiB and 5,000 objects and lists; nil when it was not asked for
	Whole  bool   // Body is all of it

	set  *Set
	sent redact.Net // knows the credential of this request
}

// Text makes remote text of this answer fit to be kept: at most limit runes,
// without control sequences, without the credential it was sent or a part of it,
// and without any other value that the Set has read.
func (a *Answer) Text(text string, limit int) string {
	// Twice: a control sequence in the middle of an echo hides it from the first
	// pass, and joins its halves when it is stripped.
	text = a.sent.Scrub(Strip(a.sent.Scrub(text), len(text)+1))
	return a.set.Text(text, limit)
}

// part is how long a part of a token must be to be looked for by itself: gateways
// echo a signature alone. Shorter ones are words.
const part = 12

// sends notes the credential of the request.
func (a *Answer) sends(value string) {
	a.sent.Register(value)
	for _, p := range strings.FieldsFunc(value, func(r rune) bool { return r == '.' || r == ' ' }) {
		if len(p) >= part {
			a.sent.Register(p)
		}
	}
}

// Get asks address once, with cred where it is not nil. Redirects are followed
// within the same origin only: the credential goes to no other host. A redirect
// that is not followed is the answer. The body is read where body is set.
//
// An error never holds the credential, even if the endpoint echoes it.
func (h *HTTP) Get(ctx context.Context, address string, cred *Credential, body bool) (*Answer, error) {
	client, err := h.ready()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "ask the endpoint", Detail: "its URL is not one", Next: "correct the URL in warroom.yaml"}
	}
	req.Header.Set("User-Agent", h.set.agent())
	req.Header.Set("Accept", "application/json, */*;q=0.1")
	answer := &Answer{set: h.set}
	if cred != nil {
		if err := private(req.URL); err != nil {
			return nil, err
		}
		value, err := cred.header()
		if err != nil {
			return nil, err
		}
		req.Header.Set(cred.Header, value)
		answer.sends(cred.Value.Reveal())
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, answer.clean(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := final(res); err != nil {
		return nil, err
	}
	answer.Code, answer.Header = res.StatusCode, res.Header
	if !body {
		// Given up by cancelling, because a body that never comes would block.
		stop := time.AfterFunc(drainFor, cancel)
		_, _ = io.CopyN(io.Discard, res.Body, drainBytes)
		stop.Stop()
		return answer, nil
	}
	whole := newBoundedBody(ctx, res.Body, bodyLimits{bytes: bodyLimit + 1, free: freeBody, nests: 5_000, parts: 50_000}, h.set.large)
	defer func() { _ = whole.Close() }()
	answer.Body, err = io.ReadAll(io.LimitReader(whole, bodyLimit+1))
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, answer.clean(ctx, fmt.Errorf("read the body of the answer: %w", err))
	}
	answer.Whole = err == nil && len(answer.Body) <= bodyLimit
	answer.Body = answer.Body[:min(len(answer.Body), bodyLimit)]
	return answer, nil
}

// private refuses to send a credential where anybody on the way could read it.
// Redirects stay within the origin, and with it within this rule.
func private(to *url.URL) error {
	if to.Scheme == "https" || loopback(to.Hostname()) {
		return nil
	}
	return &estate.Failure{
		Kind: estate.Misconfigure, Doing: "send the stored value to " + Strip(to.Host, 120), Detail: "not sent over http",
		Next: "configure an https URL in warroom.yaml",
	}
}

// loopback reports whether a host is this machine, by its name or its number.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// header is the header value that carries the credential, or why it cannot be
// one. A stored value with a line break at its end is common and would be sent
// as nothing at all.
func (c *Credential) header() (string, error) {
	value := c.Value.Reveal()
	bad := func(detail string) error {
		return &estate.Failure{Kind: estate.BadSecret, Doing: "put the stored value into the header " + Strip(c.Header, 64), Detail: detail, Next: "store the value as its issuer gave it"}
	}
	switch {
	case value == "":
		return "", bad("it is empty")
	case strings.TrimSpace(value) != value:
		return "", bad("it begins or ends with white space or a line break")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", bad("it has characters that a header cannot carry")
	case c.Header == "" || strings.ContainsFunc(c.Header, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }):
		return "", &estate.Failure{Kind: estate.Misconfigure, Doing: "send the stored value", Detail: "the configured header is not a header name", Next: "correct header in warroom.yaml"}
	}
	if c.Scheme != "" {
		value = c.Scheme + " " + value
	}
	return value, nil
}

// ready returns the client, made anew when the CA file was changed.
func (h *HTTP) ready() (*http.Client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.caFile == "" {
		if h.client == nil {
			h.client = newHTTPClient(nil)
		}
		return h.client, nil
	}
	info, err := os.Stat(h.caFile)
	if err == nil && h.client != nil && sameFile(h.loaded, info) {
		return h.client, nil
	}
	roots, err := readRoots(h.caFile, h.others)
	if err != nil {
		return nil, err
	}
	if h.client != nil {
		h.client.CloseIdleConnections()
	}
	h.client, h.loaded = newHTTPClient(roots), info
	return h.client, nil
}

// close gives back idle connections.
func (h *HTTP) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != nil {
		h.client.CloseIdleConnections()
	}
}

func newHTTPClient(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &permitted{call: webCall, next: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        2 * time.Minute,
			MaxResponseHeaderBytes: headerLimit,
			DisableCompression:     true,
			// A connection that died without a word must not eat the whole
			// timeout of the next read.
			HTTP2: &http.HTTP2Config{
				SendPingTimeout: 15 * time.Second, PingTimeout: 2 * time.Second,
				MaxReceiveBufferPerConnection: 4 * streamBuffer, MaxReceiveBufferPerStream: streamBuffer,
			},
		}},
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			first := before[0].URL
			if next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
				return http.ErrUseLastResponse
			}
			if len(before) > hopLimit {
				return &estate.Failure{Kind: estate.BadAnswer, Doing: "follow redirects", Detail: fmt.Sprintf("more than %d in a row", hopLimit), Next: "configure the URL that answers by itself"}
			}
			return nil
		},
	}
}

// clean takes out of an error what must not be kept: the URL (an endpoint can
// put the credential into a redirect) and any echo of the credential. What
// Classify decides on stays reachable.
func (a *Answer) clean(ctx context.Context, err error) error {
	var failure *estate.Failure
	if errors.As(err, &failure) {
		return failure
	}
	// An answer that breaks off while our own deadline passes is the deadline.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ofConnection(err) {
		return err
	}
	if kind, text, next, ok := sortLost(err); ok {
		return &estate.Failure{Kind: kind, Doing: "read the answer", Detail: text, Next: next}
	}
	// Nothing of what the endpoint said is quoted: it could be our credential,
	// broken up and escaped beyond recognition.
	text, _, _ := strings.Cut(err.Error(), `"`)
	return &estate.Failure{
		Kind: estate.BadAnswer, Doing: "read the answer", Detail: strings.TrimRight(a.Text(text, 160), ": "),
		Next: "see what listens at this address: it does not speak HTTP as configured",
	}
}

// ofConnection reports whether err comes from the network or from TLS rather
// than from what was said over it. The texts of the former quote nothing that an
// endpoint could have echoed.
func ofConnection(err error) bool {
	var network net.Error
	var verify *tls.CertificateVerificationError
	return errors.As(err, &network) || errors.As(err, &verify) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
