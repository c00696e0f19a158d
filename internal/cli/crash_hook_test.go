package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/incident"
)

// breakAt says in a process of a test what happens at the calls and records of its
// recovery engine: "list:FILE" writes a line for each; "kill:N" and "kill:N:after" end
// the process with SIGKILL before or after the Nth; "WAY:N" breaks the Nth in one of
// the ways of faultWays.
const breakAt = "WARROOM_TEST_BREAK_AT"

// The ways in which a call is broken.
var faultWays = []string{"timeout-before", "timeout-after", "refusal", "throttled", "reset"}

// breaker counts the calls of an engine to systems, and the records of its journal.
type breaker struct {
	way   string
	at    int64
	after bool
	list  *os.File
	count atomic.Int64
}

func breakCalls(spec string) {
	if spec == "" {
		return
	}
	b := &breaker{}
	way, rest, _ := strings.Cut(spec, ":")
	b.way = way
	if way == "list" {
		f, err := os.OpenFile(rest, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			panic(err)
		}
		b.list = f
	} else {
		number, when, _ := strings.Cut(rest, ":")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic(err)
		}
		b.at, b.after = n, when == "after"
	}
	aroundCalls = b
	aroundLog = func(l actions.Log) actions.Log { return &brokenLog{Log: l, b: b} }
}

func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }

// Around satisfies clients.Permit.
func (b *breaker) Around(_ context.Context, call clients.Call, do func() error) error {
	kind := "read"
	if call.Changes {
		kind = "change"
	}
	return b.pass(kind, call.System+" "+call.Name, call, do)
}

func (b *breaker) pass(kind, name string, call clients.Call, do func() error) error {
	n := b.count.Add(1)
	if b.list != nil {
		fmt.Fprintf(b.list, "%d\t%s\t%s\n", n, kind, name)
		return do()
	}
	if n != b.at {
		return do()
	}
	switch b.way {
	case "kill":
		if !b.after {
			die()
		}
		_ = do() // whatever came of it, nobody hears of it
		die()
	case "timeout-before":
		return lostAnswer(call)
	case "timeout-after":
		_ = do() // it took effect, and nobody hears of it
		return lostAnswer(call)
	case "reset":
		return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	case "refusal", "throttled":
		return refuse(call, b.way)
	}
	return do()
}

// lostAnswer is how a call ends of which no answer came in time.
func lostAnswer(clients.Call) error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
}

// answered makes an HTTP transport answer in place of a system.
type answered struct {
	code int
	head http.Header
	body string
}

// Error satisfies error.
func (a *answered) Error() string { return fmt.Sprintf("answered %d in place of the system", a.code) }

// Response is the answer.
func (a *answered) Response(req *http.Request) *http.Response {
	return &http.Response{StatusCode: a.code, Status: fmt.Sprintf("%d %s", a.code, http.StatusText(a.code)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.head, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req}
}

// refuse is how a system says no, or not now, in its own words.
func refuse(call clients.Call, way string) error {
	system, _, _ := strings.Cut(call.System, ":")
	throttled := way == "throttled"
	code := http.StatusForbidden
	if throttled {
		code = http.StatusTooManyRequests
	}
	switch system {
	case "aws":
		kind, text := "AccessDeniedException", "User is not authorized to perform this action"
		if throttled {
			kind, text = "ThrottlingException", "Rate exceeded"
		}
		head := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Errortype": {kind}}
		return &answered{http.StatusBadRequest, head, fmt.Sprintf(`{"__type":%q,"message":%q}`, kind, text)}
	case "vault":
		text := `{"errors":["permission denied"]}`
		if throttled {
			text = `{"errors":["request path \"x\": rate limit quota exceeded"]}`
		}
		return &answered{code, http.Header{"Content-Type": {"application/json"}}, text}
	case "kubernetes":
		reason := "Forbidden"
		if throttled {
			reason = "TooManyRequests"
		}
		body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"%s by the test","reason":%q,"code":%d}`, reason, reason, code)
		return &answered{code, http.Header{"Content-Type": {"application/json"}}, body}
	case "postgres":
		if throttled {
			return &pgconn.PgError{Severity: "FATAL", Code: "53300", Message: "sorry, too many clients already"}
		}
		return &pgconn.PgError{Severity: "ERROR", Code: "42501", Message: "permission denied to alter role"}
	case "http":
		return &answered{code, http.Header{"Content-Type": {"application/json"}}, `{"error":"no"}`}
	}
	if throttled {
		return syscall.EAGAIN
	}
	return os.ErrPermission
}

// brokenLog is a journal of which each record counts as a call.
type brokenLog struct {
	actions.Log
	b *breaker
}

// errDisk is what a journal says that could not be written.
var errDisk = errors.New("write the journal: no space left on device")

// Record satisfies actions.Log.
func (l *brokenLog) Record(ctx context.Context, events ...incident.Event) error {
	what := "journal"
	if len(events) > 0 {
		what += " " + string(events[0].Kind)
	}
	if l.b.list == nil && l.b.way != "kill" && l.b.count.Load()+1 == l.b.at {
		l.b.count.Add(1)
		if l.b.way == "timeout-after" {
			_ = l.Log.Record(ctx, events...)
			return incident.ErrUnsure
		}
		return errDisk
	}
	return l.b.pass("journal", what, clients.Call{System: "journal", Name: what}, func() error { return l.Log.Record(ctx, events...) })
}

// patience is how long a test waits for a process of its own.
const patience = 2 * time.Minute
