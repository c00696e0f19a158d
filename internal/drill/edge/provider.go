package edge

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Provider is somebody else's API: it knows its keys, and limits the calls made
// with each of them per window. /health does not count against the limit.
type Provider struct {
	Limit  int           // calls a window
	Window time.Duration // windows begin at multiples of it
	Now    func() time.Time

	mu   sync.Mutex
	keys map[[32]byte]*apiKey // by digest: the values are not kept
}

type apiKey struct {
	name    string
	blocked bool
	window  time.Time
	used    int
}

// Accept makes a key known under a name.
func (p *Provider) Accept(name, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys = map[[32]byte]*apiKey{}
	}
	p.keys[sha256.Sum256([]byte(key))] = &apiKey{name: name}
}

// Revoke forgets a key: it is answered 401.
func (p *Provider) Revoke(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, sha256.Sum256([]byte(key)))
}

// Block leaves a key known and forbids it everything: it is answered 403.
func (p *Provider) Block(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.keys[sha256.Sum256([]byte(key))]; k != nil {
		k.blocked = true
	}
}

// Judge is the status that a key would be answered with, its rate limit aside.
func (p *Provider) Judge(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	code, _ := p.judge(key)
	return code
}

// judge finds a key; the lock is held.
func (p *Provider) judge(key string) (int, *apiKey) {
	switch k := p.keys[sha256.Sum256([]byte(key))]; {
	case key == "" || k == nil:
		return http.StatusUnauthorized, nil
	case k.blocked:
		return http.StatusForbidden, k
	default:
		return http.StatusOK, k
	}
}

// ServeHTTP takes the key as a bearer token or in X-Api-Key.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("X-Api-Key")
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		key = value
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code, k := p.judge(key)
	switch code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		reply(w, code, map[string]string{"error": "unknown_key"})
		return
	case http.StatusForbidden:
		reply(w, code, map[string]string{"error": "key_blocked"})
		return
	}
	now := p.Now()
	window := now.Truncate(p.Window)
	if !k.window.Equal(window) {
		k.window, k.used = window, 0
	}
	reset := window.Add(p.Window)
	counted := r.URL.Path != "/health"
	exhausted := counted && k.used >= p.Limit
	if counted && !exhausted {
		k.used++
	}
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(p.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(p.Limit-k.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if exhausted {
		h.Set("Retry-After", strconv.Itoa(int(reset.Sub(now).Seconds())+1))
		reply(w, http.StatusTooManyRequests, map[string]string{"error": "rate_limited"})
		return
	}
	reply(w, http.StatusOK, map[string]string{"account": "company", "key": k.name, "status": "ok"})
}
