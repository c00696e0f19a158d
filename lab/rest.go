package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// rest speaks to one server that takes and gives JSON, straight and past any
// proxy.
type rest struct {
	base   string
	header http.Header
	client *http.Client
}

// newREST is a client of the server at base; ca is nil for one without TLS.
func newREST(base string, ca *CA) *rest {
	transport := &http.Transport{}
	if ca != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: ca.Pool}
	}
	return &rest{base: base, header: http.Header{}, client: &http.Client{Transport: transport}}
}

// with is the same client with one more header.
func (r *rest) with(name, value string) *rest {
	header := r.header.Clone()
	header.Set(name, value)
	return &rest{base: r.base, header: header, client: r.client}
}

// call sends in, unless it is nil, and reads the answer into out, unless that is
// nil. Every status but 2xx is an error; it never holds what was sent.
func (r *rest) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	status, answer, err := r.send(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		return fmt.Errorf("%s %s%s: %d: %s", method, r.base, path, status, strings.TrimSpace(string(answer[:min(len(answer), 400)])))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s%s: read the answer: %w", method, r.base, path, err)
	}
	return nil
}

// send makes one request and returns whatever the server answered, up to 1 MiB.
func (r *rest) send(ctx context.Context, method, path, contentType string, body io.Reader) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s%s: %w", method, r.base, path, err)
	}
	for name, values := range r.header {
		request.Header[name] = values
	}
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s%s: %w", method, r.base, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = io.ReadAll(io.LimitReader(response.Body, 1<<20)); err != nil {
		return 0, nil, fmt.Errorf("%s %s%s: %w", method, r.base, path, err)
	}
	return response.StatusCode, answer, nil
}

// close lets go of idle connections.
func (r *rest) close() {
	if r != nil {
		r.client.CloseIdleConnections()
	}
}
