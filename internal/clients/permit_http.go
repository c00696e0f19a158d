package clients

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// answering is an error of a permit that stands for an answer of the system, as a
// test makes one.
type answering interface {
	error
	Response(*http.Request) *http.Response
}

// errUnsent says that a permit neither made a call nor said why not.
var errUnsent = errors.New("the permit did not make the call")

// permitted passes every request through the permit of its context, redirects and
// repetitions too.
type permitted struct {
	next http.RoundTripper
	call func(*http.Request) Call
}

// RoundTrip satisfies http.RoundTripper.
func (t *permitted) RoundTrip(req *http.Request) (*http.Response, error) {
	return around(req, t.call(req), func() (*http.Response, error) { return t.next.RoundTrip(req) })
}

// WrappedRoundTripper lets idle connections be closed.
func (t *permitted) WrappedRoundTripper() http.RoundTripper { return t.next }

// CloseIdleConnections closes those of what is wrapped.
func (t *permitted) CloseIdleConnections() {
	if idle, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// around sends a request through the permit of its context. An answer that the
// permit puts in place of what came, or of the call, is the answer.
func around(req *http.Request, call Call, send func() (*http.Response, error)) (*http.Response, error) {
	var res *http.Response
	sent := false
	err := Around(req.Context(), call, func() error {
		var err error
		sent = true
		res, err = send()
		return err
	})
	if err == nil && res != nil {
		return res, nil
	}
	if err == nil {
		err = errUnsent
	}
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if !sent && req.Body != nil {
		_ = req.Body.Close()
	}
	var said answering
	if errors.As(err, &said) {
		if res := said.Response(req); res != nil {
			if res.Request == nil {
				res.Request = req
			}
			return res, nil
		}
	}
	return nil, err
}

// onlyReadsKey marks the context of a request that changes nothing, whatever its
// method.
type onlyReadsKey struct{}

func onlyReads(ctx context.Context) context.Context {
	return context.WithValue(ctx, onlyReadsKey{}, true)
}

// webCall is a request to an endpoint that we know nothing of.
func webCall(req *http.Request) Call {
	path := req.URL.Path
	if path == "" {
		path = "/"
	}
	reads, _ := req.Context().Value(onlyReadsKey{}).(bool)
	return Call{
		System: "http:" + Strip(req.URL.Host, 120), Name: method(req) + " " + Strip(path, 160),
		Changes: !reads && !safe(req),
	}
}

// method is the method of a request, which is GET where it names none.
func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}

// safe reports whether the method of a request is one that only reads.
func safe(req *http.Request) bool {
	m := method(req)
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}

// vaultPosts are the paths at which a POST or PUT only reads.
var vaultPosts = map[string]bool{
	"sys/capabilities-self":  true,
	"auth/token/lookup-self": true,
}

// vaultCall is a request to a Vault cluster.
func (v *Vault) call(req *http.Request) Call {
	path := strings.Trim(strings.TrimPrefix(req.URL.Path, "/v1/"), "/")
	c := Call{System: "vault:" + v.cluster.Name, Name: method(req) + " " + Strip(path, 160)}
	switch method(req) {
	case http.MethodGet, http.MethodHead, "LIST":
		c.Changes = makesCredentials(path)
	case http.MethodPost, http.MethodPut:
		c.Changes = !vaultPosts[path]
	default:
		c.Changes = true
	}
	return c
}

// makesCredentials reports whether reading a path of Vault makes something: the
// engines of dynamic secrets create a user or a key for whoever reads creds/ROLE. A
// KV engine of version 2 has values and metadata below folders of their own.
func makesCredentials(path string) bool {
	for _, part := range strings.Split(path, "/") {
		switch part {
		case "data", "metadata", "sys":
			return false
		case "creds":
			return true
		}
	}
	return false
}

// kubernetesReviews are the resources of which creating one only asks.
var kubernetesReviews = map[string]bool{
	"selfsubjectreviews": true, "selfsubjectaccessreviews": true, "selfsubjectrulesreviews": true,
	"subjectaccessreviews": true, "localsubjectaccessreviews": true, "tokenreviews": true,
}

// kubernetesActs are the parts of an object that do something to it when they are
// read.
var kubernetesActs = map[string]bool{"exec": true, "attach": true, "portforward": true, "proxy": true}

// call is a request to a Kubernetes cluster, named by what it is about:
// PATCH prod/deployments/user-service.
func (k *Kubernetes) call(req *http.Request) Call {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case len(parts) >= 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 3 && parts[0] == "apis":
		parts = parts[3:]
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[1:] // the namespace's name stands first
	} else {
		parts = append([]string{""}, parts...)
	}
	kind, part := "", ""
	if len(parts) > 1 {
		kind = parts[1]
	}
	if len(parts) > 3 {
		part = parts[3]
	}
	changes := !safe(req)
	switch {
	case method(req) == http.MethodPost && kubernetesReviews[kind] && len(parts) == 2:
		changes = false
	case kubernetesActs[part]:
		changes = true
	}
	return Call{
		System: "kubernetes:" + k.cluster.Name, Name: method(req) + " " + Strip(strings.TrimPrefix(strings.Join(parts, "/"), "/"), 160),
		Changes: changes,
	}
}
