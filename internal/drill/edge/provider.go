package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Provider is somebody else's API: it knows its keys, and limits the calls made
// with each of them per window. /health does not count against the limit. With an
// admin credential the keys themselves are managed; see provider_keys.go.
type Provider struct {
	Limit  int           // calls a window
	Window time.Duration // windows begin at multiples of it
	Now    func() time.Time

	// Admin is the credential, a bearer token, by which keys are managed; nothing
	// manages them where it is empty.
	Admin string
	// Most is how many keys the account may have; 2 when zero.
	Most int
	// Replay makes the creation of a key idempotent: asked again with the same
	// Idempotency-Key, it is answered with the same key.
	Replay bool
	// Mint makes the value of a new key, the n-th that was created; random when nil.
	Mint func(n int) string

	mu      sync.Mutex
	keys    map[[32]byte]*apiKey // by digest: the values are not kept
	made    int
	replays map[string]created // by Idempotency-Key, as providers keep them for a day
	audit   []ProviderCall
	faults  map[string]*ProviderFault
}

type apiKey struct {
	id, name string
	created  time.Time
	lastUsed time.Time // zero if never
	blocked  bool
	window   time.Time
	used     int
}

// Accept makes a key known under a name. Its id is made from both.
func (p *Provider) Accept(name, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(&apiKey{id: KeyID(name, key), name: name, created: p.now()}, key)
}

// KeyID is the id by which a provider calls a key that was made known by Accept.
func KeyID(name, key string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + key))
	return "key_" + hex.EncodeToString(sum[:8])
}

// add makes a key known; the lock is held.
func (p *Provider) add(k *apiKey, value string) {
	if p.keys == nil {
		p.keys = map[[32]byte]*apiKey{}
	}
	p.keys[sha256.Sum256([]byte(value))] = k
}

func (p *Provider) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
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

// Use is Judge by somebody who really calls: it counts as a use of the key.
func (p *Provider) Use(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	code, k := p.judge(key)
	if code == http.StatusOK {
		k.lastUsed = p.now()
	}
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

// bearer is the credential of a request, as a bearer token or in X-Api-Key.
func bearer(r *http.Request) string {
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return value
	}
	return r.Header.Get("X-Api-Key")
}

// ServeHTTP takes the key as a bearer token or in X-Api-Key.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.Admin != "" && (r.URL.Path == keysPath || strings.HasPrefix(r.URL.Path, keysPath+"/")) {
		p.manage(w, r)
		return
	}
	p.broken(w, r, "use", func(w http.ResponseWriter) { p.use(w, r) })
}

// use answers a call that is made with a key.
func (p *Provider) use(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code, k := p.judge(bearer(r))
	switch code {
	case http.StatusUnauthorized:
		p.note(r, "", code)
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		reply(w, code, map[string]string{"error": "unknown_key"})
		return
	case http.StatusForbidden:
		p.note(r, k.id, code)
		reply(w, code, map[string]string{"error": "key_blocked"})
		return
	}
	now := p.now()
	k.lastUsed = now
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
		p.note(r, k.id, http.StatusTooManyRequests)
		h.Set("Retry-After", strconv.Itoa(int(reset.Sub(now).Seconds())+1))
		reply(w, http.StatusTooManyRequests, map[string]string{"error": "rate_limited"})
		return
	}
	p.note(r, k.id, http.StatusOK)
	reply(w, http.StatusOK, map[string]string{"account": "company", "key": k.name, "status": "ok"})
}
