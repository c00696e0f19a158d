package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"warroom/internal/estate"
)

// HTTPRequest is one request to somebody else's API.
type HTTPRequest struct {
	Method string // empty is GET
	URL    string // without a value in it
	Header map[string]estate.Secret
	Body   estate.Secret
	// ReadOnly says of a method that could change something that this request does
	// not, as the configuration of a probe does.
	ReadOnly bool
}

// Do sends a request once and reads the answer with its body. Anything but GET and
// HEAD counts as a change unless ReadOnly says otherwise, and redirects of it are not
// followed. Values go over https only, except to this machine.
//
// An error never holds a value that was sent, even if the endpoint echoes it. The
// body of an answer may hold new values: whoever reads them makes them known to the
// nets before anything of it is kept.
func (h *HTTP) Do(ctx context.Context, r HTTPRequest) (*Answer, error) {
	client, err := h.ready()
	if err != nil {
		return nil, err
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.ReadOnly {
		ctx = onlyReads(ctx)
	}
	var body io.Reader
	if !r.Body.Empty() {
		body = strings.NewReader(r.Body.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil || req.URL.Host == "" {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "ask the endpoint", Detail: "its URL or method is not one", Next: "correct it in warroom.yaml"}
	}
	// Without it, net/http could send the body again by itself.
	req.GetBody = nil
	req.Header.Set("User-Agent", h.set.agent())
	req.Header.Set("Accept", "application/json, */*;q=0.1")
	answer := &Answer{set: h.set}
	if len(r.Header) > 0 || body != nil {
		if err := private(req.URL); err != nil {
			return nil, err
		}
	}
	for name, value := range r.Header {
		one := Credential{Header: name, Value: value}
		text, err := one.header()
		if err != nil {
			return nil, err
		}
		req.Header.Set(name, text)
		answer.sends(text)
	}
	if body != nil {
		answer.sent.Register(secrets(r.Body.Reveal(), 0)...)
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	if !safe(req) {
		// A change is told to go elsewhere by its own answer, never followed.
		once := *client
		once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		client = &once
	}
	res, err := client.Do(req)
	if err != nil {
		var kept *NotPermitted
		if errors.As(err, &kept) {
			return nil, kept
		}
		return nil, answer.clean(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := final(res); err != nil {
		return nil, err
	}
	answer.Code, answer.Header = res.StatusCode, res.Header
	return answer, h.take(ctx, res, answer)
}

// take reads the body of an answer, as far as it is kept.
func (h *HTTP) take(ctx context.Context, res *http.Response, answer *Answer) error {
	whole := newBoundedBody(ctx, res.Body, bodyLimits{bytes: bodyLimit + 1, free: freeBody, nests: 5_000, parts: 50_000}, h.set.large)
	defer func() { _ = whole.Close() }()
	body, err := io.ReadAll(io.LimitReader(whole, bodyLimit+1))
	if err != nil && !errors.Is(err, errTooLarge) {
		return answer.clean(ctx, fmt.Errorf("read the body of the answer: %w", err))
	}
	answer.Whole = err == nil && len(body) <= bodyLimit
	answer.Body = body[:min(len(body), bodyLimit)]
	return nil
}
