package clients

import (
	"io"
	"net/http"
)

// kubernetesLimits bound one page of a list: 500 pods with all that tools write
// into them are some 10 MiB.
var kubernetesLimits = bodyLimits{bytes: 32 << 20, free: 4 << 20, nests: 4 << 20, parts: 8 << 20}

// watchedObject bounds one event of a watch. etcd keeps no object of more than
// 1.5 MiB by default.
const watchedObject = 8 << 20

// kubernetesTransport bounds what a cluster answers: client-go reads any answer
// whole into memory. The watches of a cluster begin together, and share one
// connection from the first.
type kubernetesTransport struct {
	next  http.RoundTripper
	turns turns
	call  func(*http.Request) Call
	first firstConnection
}

// RoundTrip satisfies http.RoundTripper.
func (t *kubernetesTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	call := t.call(req)
	res, err := around(req, call, func() (*http.Response, error) { return t.first.roundTrip(t.next, req) })
	if err != nil {
		return nil, err
	}
	if call.Changes {
		// With it, client-go would send the change again by itself.
		res.Header.Del("Retry-After")
	}
	if err := final(res); err != nil {
		return nil, err
	}
	if req.URL.Query().Get("watch") != "" && res.StatusCode == http.StatusOK {
		res.Body = &watchedBody{ReadCloser: res.Body, binary: res.Header.Get("Content-Type") != "application/json"}
		return res, nil
	}
	res.Body = newBoundedBody(req.Context(), res.Body, kubernetesLimits, t.turns)
	return res, nil
}

// WrappedRoundTripper lets idle connections be closed.
func (t *kubernetesTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// watchedBody is the endless body of a watch, in which one event has an end. Of
// the two forms only JSON is without a bound of its own in client-go; there, one
// event is one line.
type watchedBody struct {
	io.ReadCloser
	binary bool
	line   int // bytes since the last event ended
}

// Read satisfies io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.binary {
		return n, err
	}
	for _, c := range p[:n] {
		if c == '\n' {
			b.line = 0
		} else {
			b.line++
		}
	}
	if b.line > watchedObject {
		return 0, errTooLarge
	}
	return n, err
}
