package vaultsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// reply is one answer.
type reply struct {
	status int
	body   any // nil: no body
	text   string
	header map[string]string
}

// response is the envelope of an answer. Fields that were not asked for are null,
// as Vault sends them.
type response struct {
	RequestID string   `json:"request_id"`
	LeaseID   string   `json:"lease_id"`
	Renewable bool     `json:"renewable"`
	Lease     int64    `json:"lease_duration"`
	Data      any      `json:"data"`
	Wrap      any      `json:"wrap_info"`
	Warnings  []string `json:"warnings"`
	Auth      any      `json:"auth"`
	Mount     string   `json:"mount_type"`
}

// refuse is an error answer.
func refuse(status int, messages ...string) reply {
	if messages == nil {
		messages = []string{}
	}
	return reply{status: status, body: map[string]any{"errors": messages}}
}

// refused is refuse for the errors that Vault wraps in a list.
func refused(status int, messages ...string) reply {
	head := "1 error occurred"
	if len(messages) > 1 {
		head = fmt.Sprintf("%d errors occurred", len(messages))
	}
	return refuse(status, head+":\n\t* "+strings.Join(messages, "\n\t* ")+"\n\n")
}

var (
	noContent   = reply{status: http.StatusNoContent}
	notFound    = refuse(http.StatusNotFound)
	sealedReply = refuse(http.StatusServiceUnavailable, "Vault is sealed")
	noToken     = refuse(http.StatusForbidden, "permission denied")
	badToken    = refused(http.StatusForbidden, "permission denied", "invalid token")
	denied      = refused(http.StatusForbidden, "permission denied")
	noPath      = refused(http.StatusNotFound, "unsupported path")
	noOperation = refused(http.StatusMethodNotAllowed, "unsupported operation")
	badMethod   = refuse(http.StatusMethodNotAllowed)
)

func badRequest(format string, args ...any) reply {
	return refuse(http.StatusBadRequest, fmt.Sprintf(format, args...))
}

// answer is data in the envelope.
func (q *request) answer(data any, warnings ...string) reply {
	return reply{status: http.StatusOK, body: response{RequestID: q.id, Data: data, Warnings: warnings, Mount: q.mountType}}
}

// spliced is answer for the paths that repeat their data beside the envelope.
func (q *request) spliced(data map[string]any) reply {
	raw, _ := json.Marshal(q.answer(data).body) // plain data
	body := map[string]any{}
	_ = json.Unmarshal(raw, &body) // just made
	body["data"] = data
	maps.Copy(body, data)
	return reply{status: http.StatusOK, body: body}
}

// keys is the answer to LIST: nothing to list is not found.
func (q *request) keys(names []string) reply {
	if len(names) == 0 {
		return notFound
	}
	return q.answer(map[string]any{"keys": names})
}

// found is an answer to what is there no more: 404 with data.
func (q *request) gone(data any, warnings ...string) reply {
	a := response{RequestID: q.id, Data: data, Warnings: warnings}
	return reply{status: http.StatusNotFound, body: a}
}

func (a reply) write(w http.ResponseWriter) {
	h := w.Header()
	for k, v := range a.header {
		h.Set(k, v)
	}
	switch {
	case a.text != "":
		if h.Get("Content-Type") == "application/json" {
			h.Set("Content-Type", "text/plain; charset=utf-8")
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.text)) // the client may be gone
	case a.body == nil:
		w.WriteHeader(a.status)
	default:
		w.WriteHeader(a.status)
		e := json.NewEncoder(w)
		e.SetEscapeHTML(true)
		_ = e.Encode(a.body) // the client may be gone
	}
}
