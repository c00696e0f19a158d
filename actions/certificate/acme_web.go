package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// acmeAnswer bounds one answer of an ACME server.
const acmeAnswer = 1 << 20

// web is a client for an ACME server: each of its requests passes the permit of its
// context, and each answer is bounded.
func (p *Procedure) web(caFile string) (*http.Client, func()) {
	base := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: p.limit()}).DialContext, TLSHandshakeTimeout: p.limit(),
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: &acmeTransport{base: base, caFile: caFile}, Timeout: 30 * time.Second, CheckRedirect: fewRedirects}, base.CloseIdleConnections
}

// acmeTransport passes requests on.
type acmeTransport struct {
	base   *http.Transport
	caFile string

	once sync.Once
	bad  error
}

// RoundTrip satisfies http.RoundTripper. Of an ACME server's POST requests none can
// be told from one that reads: all are held to change something.
func (t *acmeTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.once.Do(t.trust); t.bad != nil {
		return nil, t.bad
	}
	if host := req.URL.Hostname(); req.URL.Scheme != "https" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "ask the ACME server", Detail: "not over http, where anybody could answer", Next: "set an https URL as directory in warroom.yaml"}
	}
	var res *http.Response
	call := clients.Call{System: "http:" + req.URL.Host, Name: req.Method + " " + clients.Strip(req.URL.Path, 120), Changes: req.Method == http.MethodPost}
	err := clients.Around(req.Context(), call, func() error {
		var err error
		res, err = t.base.RoundTrip(req)
		return err
	})
	if err != nil {
		if res != nil {
			_ = res.Body.Close()
		}
		return nil, err
	}
	if res == nil {
		return nil, errors.New("the request was not sent")
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, acmeAnswer), res.Body}
	return res, nil
}

func (t *acmeTransport) trust() {
	if t.caFile == "" {
		return
	}
	data, _, err := readFile(t.caFile)
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(data) {
		err = fmt.Errorf("%s holds no PEM certificate", t.caFile)
	}
	if err != nil {
		t.bad = &estate.Failure{Kind: estate.Misconfigure, Doing: "read the CA file of the ACME server", Detail: clients.Strip(err.Error(), clients.DetailLimit), Next: "correct ca_cert under acme in warroom.yaml"}
		return
	}
	t.base.TLSClientConfig.RootCAs = roots
}

// answers are what challenges find.
type answers interface {
	present(ctx context.Context, c acme.Challenge) error
	withdraw(ctx context.Context, c acme.Challenge) error
	close()
}

// isToken reports whether a challenge's token is what it may be (RFC 8555, 8.3): it
// becomes a file's name.
func isToken(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

func (a *acmeIssuer) answers() (answers, error) {
	if a.of.Webroot != "" {
		return webroot(a.of.Webroot), nil
	}
	l, err := net.Listen("tcp", a.of.Listen)
	if err != nil {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "answer challenges on " + a.of.Listen, Detail: clients.Strip(err.Error(), clients.DetailLimit), Next: "free the port, run warroom as a user who may listen there, or use webroot"}
	}
	s := &standalone{by: map[string]string{}}
	s.server = &http.Server{Handler: s, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	s.done.Go(func() { _ = s.server.Serve(l) })
	return s, nil
}

// webroot is a folder that a web server shows as /.well-known/acme-challenge.
type webroot string

func (w webroot) present(ctx context.Context, c acme.Challenge) error {
	if !isToken(c.Token) {
		return &estate.Failure{Kind: estate.BadAnswer, Doing: "answer a challenge", Detail: "its token is not of the form that tokens have"}
	}
	// Not a secret: anybody may fetch it, and the web server must be able to read it.
	return put(ctx, filepath.Join(string(w), c.Token), []byte(c.KeyAuthorization), meta{Mode: 0o644, UID: -1, GID: -1})
}

func (w webroot) withdraw(ctx context.Context, c acme.Challenge) error {
	return remove(ctx, filepath.Join(string(w), c.Token))
}

func (webroot) close() {}

// standalone answers by itself.
type standalone struct {
	server *http.Server
	done   sync.WaitGroup

	mu sync.Mutex
	by map[string]string
}

func (s *standalone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	text, ok := s.by[r.URL.Path]
	s.mu.Unlock()
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, text)
}

func (s *standalone) present(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[c.HTTP01ResourcePath()] = c.KeyAuthorization
	return nil
}

func (s *standalone) withdraw(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, c.HTTP01ResourcePath())
	return nil
}

func (s *standalone) close() {
	_ = s.server.Close()
	s.done.Wait()
}

// makeParent makes the folder of a file that is about to be made, where there is none.
func makeParent(ctx context.Context, dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	return makeDir(ctx, dir)
}

// quoted is a command as it is written in a plan.
func quoted(words []string) string {
	parts := make([]string, len(words))
	for i, w := range words {
		if parts[i] = w; w == "" || strings.ContainsAny(w, " \t\n\"'\\$*?[]{}|&;<>()#~`") {
			parts[i] = fmt.Sprintf("%q", w)
		}
	}
	return strings.Join(parts, " ")
}
