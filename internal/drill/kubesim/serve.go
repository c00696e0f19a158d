package kubesim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxBody bounds a request's body, as the real server does.
const maxBody = 3 << 20

// request is one request for a resource.
type request struct {
	sim  *Sim
	http *http.Request
	out  http.ResponseWriter
	form media
	user *User
	res  *resource
	attributes
	body []byte
}

// ServeHTTP answers one request.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	down, latency := s.down, s.latency
	user := s.who(r)
	s.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	if !pause(r.Context(), latency) {
		return
	}
	q := &request{sim: s, http: r, out: w, user: user}
	h := w.Header()
	h.Set("Cache-Control", "no-cache, private")
	h.Set("Date", s.o.Clock().UTC().Format(http.TimeFormat))
	if user == nil || user.Name == anonymous && !openPath(r.URL.Path, user) {
		q.fail(unauthorized())
		return
	}
	if !q.route() {
		q.plainPath()
		return
	}
	q.serve()
}

// unauthorized is what somebody unknown is told.
func unauthorized() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Message: "Unauthorized", Reason: metav1.StatusReasonUnauthorized, Code: http.StatusUnauthorized}}
}

// pause waits, and reports whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// route tells the resource and verb of a path, or that it is none of those.
func (q *request) route() bool {
	parts := strings.Split(strings.Trim(q.http.URL.Path, "/"), "/")
	var version string
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		q.group, version, parts = parts[1], parts[2], parts[3:]
	default:
		return false
	}
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
		q.namespace, parts = parts[1], parts[2:]
	} else if parts[0] == "namespaces" && q.group == "" && len(parts) > 1 {
		q.namespace = parts[1]
	}
	q.resource = parts[0]
	if len(parts) > 1 {
		q.name = parts[1]
	}
	if len(parts) > 2 {
		q.sub = strings.Join(parts[2:], "/")
	}
	q.res = q.sim.r.find(q.group, version, q.resource)
	query := q.http.URL.Query()
	switch q.http.Method {
	case http.MethodGet, http.MethodHead:
		q.verb = "get"
		if q.name == "" {
			q.verb = "list"
			if truth(query.Get("watch")) {
				q.verb = "watch"
			}
		}
	case http.MethodPost:
		q.verb = "create"
	case http.MethodPut:
		q.verb = "update"
	case http.MethodPatch:
		q.verb = "patch"
	case http.MethodDelete:
		q.verb = "delete"
		if q.name == "" {
			q.verb = "deletecollection"
		}
	}
	if q.verb == "list" || q.verb == "watch" {
		// One that asks for one name by a field is judged by that name.
		if name, ok := strings.CutPrefix(query.Get("fieldSelector"), "metadata.name="); ok && !strings.Contains(name, ",") {
			q.name = name
		}
	}
	return true
}

func truth(v string) bool { return v == "true" || v == "1" }

// serve answers a request for a resource.
func (q *request) serve() {
	s := q.sim
	s.mu.Lock()
	ok := s.allowed(q.user, q.attributes)
	fault := s.takeFault(q.attributes)
	s.mu.Unlock()
	what := q.verb + " " + q.full()
	if q.group != "" {
		what += "." + q.group
	}
	s.meter.count(what)
	if fault != nil && !q.spoil(fault) {
		return
	}
	var err error
	q.form, err = negotiate(q.http, q.res)
	switch {
	case !ok:
		e := apierrors.NewForbidden(schema.GroupResource{Group: q.group, Resource: q.resource}, q.name, nil)
		e.ErrStatus.Message = refusal(q.user, q.attributes)
		q.fail(e)
		return
	case q.res == nil || q.res.namespaced && q.namespace == "" && q.verb != "list" && q.verb != "watch":
		http.Error(q.out, "404 page not found", http.StatusNotFound)
		return
	case err != nil:
		q.fail(err)
		return
	case !slices.Contains(q.res.verbs(), q.verb):
		q.fail(apierrors.NewMethodNotSupported(q.res.gr(), q.verb))
		return
	}
	if q.http.Body != nil && q.verb != "get" && q.verb != "list" && q.verb != "watch" {
		if q.body, err = io.ReadAll(http.MaxBytesReader(q.out, q.http.Body, maxBody)); err != nil {
			var big *http.MaxBytesError
			if errors.As(err, &big) {
				q.fail(apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxBody)))
			}
			return
		}
	}
	if q.verb == "watch" {
		q.watch()
		return
	}
	if q.sub == "log" && q.res == s.r.pods {
		q.log()
		return
	}
	status, answer, err := q.run()
	if err != nil {
		q.fail(err)
		return
	}
	q.send(status, answer)
}

// run does what is asked for while the cluster stands still, then lets the
// controllers act on it.
func (q *request) run() (status int, answer any, err error) {
	s := q.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	defer s.settle()
	status = http.StatusOK
	switch q.verb {
	case "list":
		answer, err = q.list()
	case "get":
		answer, err = q.get()
	case "create":
		status = http.StatusCreated
		answer, err = q.create()
	case "update":
		answer, err = q.update()
	case "patch":
		status, answer, err = q.patch()
	case "delete":
		answer, err = q.delete()
	case "deletecollection":
		answer, err = q.deleteAll()
	}
	if err == nil {
		answer, err = q.render(answer)
	}
	return status, answer, err
}

// spoil does what a fault says; it reports whether the request goes on.
func (q *request) spoil(f *Fault) bool {
	if !pause(q.http.Context(), f.Latency) {
		return false
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return true
	}
	e := apierrors.NewGenericServerResponse(f.Status, q.verb, schema.GroupResource{Group: q.group, Resource: q.resource}, q.name, f.Message, f.RetryAfter, true)
	switch f.Status {
	case http.StatusTooManyRequests:
		e = apierrors.NewTooManyRequests(orText(f.Message, "Too many requests, please try again later."), f.RetryAfter)
	case http.StatusGone:
		e = apierrors.NewResourceExpired(orText(f.Message, "The provided continue parameter is too old"))
	default:
		if f.Message != "" {
			e.ErrStatus.Message = f.Message
		}
	}
	q.fail(e)
	return false
}

func orText(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// fail answers with a Status object.
func (q *request) fail(err error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	body := status.Status()
	body.Kind, body.APIVersion = "Status", "v1"
	if d := body.Details; d != nil && d.RetryAfterSeconds > 0 {
		q.out.Header().Set("Retry-After", fmt.Sprint(d.RetryAfterSeconds))
	}
	q.form.as = ""
	q.send(int(body.Code), &body)
}

// plainPath answers paths that are no resources.
func (q *request) plainPath() {
	s, p := q.sim, q.http.URL.Path
	if !openPath(p, q.user) {
		e := apierrors.NewForbidden(schema.GroupResource{}, "", nil)
		verb := strings.ToLower(q.http.Method)
		e.ErrStatus.Message = fmt.Sprintf("forbidden: User %q cannot %s path %q", q.user.Name, verb, p)
		q.fail(e)
		return
	}
	switch p {
	case "/healthz", "/livez", "/readyz":
		q.out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if q.http.URL.Query().Has("verbose") {
			_, _ = fmt.Fprintf(q.out, "[+]ping ok\n[+]etcd ok\n%s check passed\n", strings.TrimPrefix(p, "/"))
			return
		}
		_, _ = io.WriteString(q.out, "ok")
	case "/version", "/version/":
		major, rest, _ := strings.Cut(strings.TrimPrefix(s.o.Version, "v"), ".")
		minor, _, _ := strings.Cut(rest, ".")
		q.json(map[string]string{
			"major": major, "minor": minor, "gitVersion": s.o.Version, "gitCommit": "", "gitTreeState": "clean",
			"buildDate": "2026-08-01T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
		})
	default:
		if !q.discover(p) {
			http.Error(q.out, "404 page not found", http.StatusNotFound)
		}
	}
}

func (q *request) json(v any) { q.jsonAs(jsonType, v) }

func (q *request) jsonAs(kind string, v any) {
	q.out.Header().Set("Content-Type", kind)
	_ = json.NewEncoder(q.out).Encode(v) // the client has gone away
}
