package vaultsim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Fault is what happens to the requests of one path in place of, or after, their
// effect.
type Fault struct {
	Status  int      // HTTP status; 500 when 0
	Errors  []string // what the answer says
	Times   int      // how many requests; 0 means every one until cleared
	Drop    bool     // close the connection without an answer
	After   bool     // let the request take effect first: the reply is what is lost
	Latency time.Duration
	Only    bool // Latency alone: then answer as ever
}

// SetFault makes requests of a path below /v1/ fail ("sys/health"; a * at the end
// stands for anything); nil ends it.
func (c *Cluster) SetFault(path string, f *Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f == nil {
		delete(c.faults, path)
		return
	}
	one := *f
	c.faults[path] = &one
}

// takeFault consumes one use of the fault of a path: of the longest that fits. The
// caller holds c.mu.
func (c *Cluster) takeFault(path string) *Fault {
	best := ""
	for p := range c.faults {
		prefix, any := strings.CutSuffix(p, "*")
		if (p == path || any && strings.HasPrefix(path, prefix)) && (best == "" || len(p) > len(best)) {
			best = p
		}
	}
	f := c.faults[best]
	if f == nil {
		return nil
	}
	one := *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			delete(c.faults, best)
		}
	}
	return &one
}

func (n *Node) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	switch {
	case r.URL.Path == "/v1":
		http.Redirect(w, r, "/v1/", http.StatusTemporaryRedirect)
		return
	case !ok:
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", "application/json")
	if ns := r.Header.Get("X-Vault-Namespace"); ns != "" {
		h.Set("X-Vault-Namespace", ns)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			refuse(http.StatusRequestEntityTooLarge, "http: request body too large").write(w)
			return
		}
		badRequest("error reading the request").write(w)
		return
	}
	n.c.meter.count(path)
	n.c.mu.Lock()
	down, wait, fault := n.down, n.c.latency, n.c.takeFault(path)
	n.c.mu.Unlock()
	if fault != nil {
		wait += fault.Latency
	}
	pause(r.Context(), wait)
	if down {
		drop()
	}
	var a reply
	if fault == nil || fault.Only || fault.After {
		a = n.handle(r, body)
	}
	if fault != nil && !fault.Only {
		if fault.Drop {
			drop()
		}
		if fault.Status == 0 {
			fault.Status = http.StatusInternalServerError
		}
		a = refuse(fault.Status, fault.Errors...)
	}
	a.write(w)
}

// drop ends the connection without an answer.
func drop() { panic(http.ErrAbortHandler) }

// pause waits, or until the caller gives up.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// handle answers one request.
func (n *Node) handle(r *http.Request, body []byte) reply {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &request{c: c, node: n, http: r, id: c.uuid("request", c.next())}
	if a, ok := q.nodeStatus(body); ok {
		return a
	}
	if n.sealed || c.init == nil {
		return sealedReply
	}
	if n.removed {
		return refuse(http.StatusInternalServerError, "node has been removed from the HA cluster. All requests to this node will fail.")
	}
	if a, ok := q.parse(body); !ok {
		return a
	}
	if n.standby() {
		active := c.leads()
		switch {
		case active == nil:
			return refuse(http.StatusInternalServerError, "local node not active but active cluster node not found")
		// What cannot be handed on is sent on, whether or not anybody is there.
		case n.cut, active != c.active(), r.Header.Get("X-Vault-No-Request-Forwarding") != "" && !n.perfStandby():
			return reply{status: http.StatusTemporaryRedirect, header: map[string]string{"Location": active.o.API + r.URL.RequestURI(), "Content-Type": ""}}
		}
	}
	if c.limited() {
		return refuse(http.StatusTooManyRequests, `request path "`+q.path+`": rate limit quota exceeded`)
	}
	if ns := strings.Trim(r.Header.Get("X-Vault-Namespace"), "/"); c.o.Enterprise && ns != "" && ns != "root" && ns != strings.Trim(c.o.Namespace, "/") {
		return q.noRoute()
	}
	if r.Header.Get("X-Vault-Wrap-TTL") != "" {
		return badRequest("response wrapping is not part of this simulation")
	}
	c.catchUp()
	if !c.arrived(r.Header.Values("X-Vault-Index")) {
		return refuse(http.StatusPreconditionFailed, "required index state not present")
	}
	q.home, q.s = c, c.store
	if p := c.o.Primary; p != nil && q.shared() {
		if !c.connected() {
			return refuse(http.StatusInternalServerError, "1 error occurred:\n\t* error forwarding the write to the performance primary: it cannot be reached\n\n")
		}
		q.home, q.s = p, p.store
	}
	a, ok := q.authorise()
	if !ok {
		return a
	}
	before := q.home.wal
	a = q.route()
	if c.o.Enterprise && q.home.wal != before {
		if a.header == nil {
			a.header = map[string]string{}
		}
		a.header["X-Vault-Index"] = c.index()
	}
	return a
}

// shared says whether a request changes what a secondary shares with its primary:
// tokens and the nodes are its own.
func (q *request) shared() bool {
	if q.op == read || q.op == list {
		return false
	}
	for _, own := range []string{"auth/token/", "cubbyhole/", "sys/capabilities", "sys/seal", "sys/step-down"} {
		if strings.HasPrefix(q.path, own) {
			return false
		}
	}
	return true
}

// write changes what is stored, here or at the primary.
func (q *request) write(apply func(*store)) { q.home.commit(apply) }

func (q *request) noRoute() reply {
	return refuse(http.StatusNotFound, `no handler for route "`+strings.TrimSuffix(q.path, "/")+`". route entry not found.`)
}

// SetRateLimit makes a rate limit quota of so many requests a second, with a burst
// of one second's; zero ends it.
func (c *Cluster) SetRateLimit(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = nil
	if rate > 0 {
		c.limit = &bucket{rate: rate, tokens: max(rate, 1), at: c.o.Pace()}
	}
}

func (c *Cluster) limited() bool { return c.limit != nil && !c.limit.take(c.o.Pace()) }

// Calls is how many requests there were of a path below /v1/, or of all that begin
// with it where it ends in a *.
func (c *Cluster) Calls(path string) int { return c.meter.calls(path) }

// PeakRate is the most requests within any one second.
func (c *Cluster) PeakRate() int { return c.meter.peakRate() }
