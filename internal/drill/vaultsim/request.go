package vaultsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is max_request_size.
const maxBody = 32 << 20

// operation is what a request does to its path.
type operation string

const (
	read   operation = "read"
	list   operation = "list"
	update operation = "update" // or create
	remove operation = "delete"
	patch  operation = "patch"
)

// request is one call on its way. It is handled under the cluster's lock.
type request struct {
	c         *Cluster
	home      *Cluster // where it writes: of a secondary, the primary
	s         *store   // home's for a write, else c's
	node      *Node
	http      *http.Request
	id        string
	op        operation
	path      string // below /v1/; that of a list ends in /
	in        map[string]any
	who       *token // nil where none is needed
	mountType string
}

// parse reads what a request asks for. The answer has a status where it cannot.
func (q *request) parse(body []byte) (reply, bool) {
	r := q.http
	q.path = strings.TrimPrefix(r.URL.Path, "/v1/")
	switch r.Method {
	case http.MethodGet:
		q.op = read
		if ok, _ := strconv.ParseBool(r.URL.Query().Get("list")); ok {
			q.op = list
		}
	case "LIST":
		q.op = list
	case http.MethodPut, http.MethodPost:
		q.op = update
	case http.MethodDelete:
		q.op = remove
	case http.MethodPatch:
		q.op = patch
	default:
		return badMethod, false
	}
	if q.op == list && !strings.HasSuffix(q.path, "/") {
		q.path += "/"
	}
	q.in = map[string]any{}
	if q.op == read || q.op == list || q.op == remove {
		for k, v := range r.URL.Query() {
			q.in[k] = v[0]
		}
		return reply{}, true
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return reply{}, true
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" && body[0] != '{' {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return badRequest("error parsing form data"), false
		}
		for k, v := range form {
			q.in[k] = v[0]
		}
		return reply{}, true
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&q.in); err != nil {
		return badRequest("error parsing JSON"), false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("error parsing JSON"), false
	}
	if q.in == nil { // null
		q.in = map[string]any{}
	}
	return reply{}, true
}

// str is a field as text, empty when it is not there.
func (q *request) str(name string) string { return text(q.in[name]) }

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// flag is a field as a boolean.
func (q *request) flag(name string, otherwise bool) bool {
	if b, err := strconv.ParseBool(q.str(name)); err == nil {
		return b
	}
	return otherwise
}

// number is a field as a whole number, and whether there is one.
func (q *request) number(name string) (int, bool) {
	n, err := strconv.Atoi(q.str(name))
	return n, err == nil
}

// names is a field as a list: an array, or text with commas.
func (q *request) names(name string) []string {
	out := []string{}
	switch v := q.in[name].(type) {
	case []any:
		for _, one := range v {
			out = append(out, text(one))
		}
	default:
		for s := range strings.SplitSeq(text(v), ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// object is a field that is an object of text.
func (q *request) object(name string) map[string]string {
	m, ok := q.in[name].(map[string]any)
	if !ok {
		return nil
	}
	out := map[string]string{}
	for k, v := range m {
		out[k] = text(v)
	}
	return out
}

// duration is a field as seconds or as Go writes them, days allowed.
func (q *request) duration(name string) (time.Duration, bool) {
	s := q.str(name)
	if s == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil {
			return time.Duration(n) * 24 * time.Hour, true
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// stamp is a time as Vault writes it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
