package edge

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// keysPath is where keys are managed: POST makes one, GET lists them, GET and DELETE
// of one below it show and end it.
const keysPath = "/v1/keys"

// auditLimit bounds the audit: the oldest calls are dropped.
const auditLimit = 10_000

// KeyInfo is what a provider tells of a key. Its value is told once, when it is made.
type KeyInfo struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	LastUsed *time.Time `json:"last_used"`
}

// created is the answer to the creation of a key.
type created struct {
	KeyInfo
	Value string `json:"value"`
}

// ProviderCall is one call in the audit of a provider. It holds no value.
type ProviderCall struct {
	At     time.Time
	Method string
	Path   string
	By     string // the id of the key that it was made with, "admin", or empty
	Name   string // of the key that was to be made
	Code   int    // 0 where no answer was given
}

// ProviderFault is what happens to calls of one operation in place of, or after, their
// effect.
type ProviderFault struct {
	Code       int    // status of the answer
	RetryAfter string // header of that name
	Times      int    // how many calls; 0 means every one until cleared
	Drop       bool   // close the connection without an answer
	After      bool   // let the call take effect first: the answer is what is lost
}

// SetFault makes calls of an operation fail: "use", "create", "list", "show" or
// "revoke"; nil ends it.
func (p *Provider) SetFault(operation string, f *ProviderFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults == nil {
		p.faults = map[string]*ProviderFault{}
	}
	if f == nil {
		delete(p.faults, operation)
		return
	}
	own := *f
	p.faults[operation] = &own
}

// Audit is every call so far, oldest first, at most the latest 10,000.
func (p *Provider) Audit() []ProviderCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.audit)
}

// Keys are the keys as the provider lists them, oldest first.
func (p *Provider) Keys() []KeyInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list()
}

func (p *Provider) list() []KeyInfo {
	all := []KeyInfo{}
	for _, k := range p.keys {
		all = append(all, k.info())
	}
	slices.SortFunc(all, func(a, b KeyInfo) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return all
}

func (k *apiKey) info() KeyInfo {
	out := KeyInfo{ID: k.id, Name: k.name, Created: k.created}
	if !k.lastUsed.IsZero() {
		out.LastUsed = &k.lastUsed
	}
	return out
}

// note keeps a call in the audit; the lock is held.
func (p *Provider) note(r *http.Request, by string, code int) {
	if len(p.audit) >= auditLimit {
		p.audit = slices.Delete(p.audit, 0, auditLimit/10)
	}
	p.audit = append(p.audit, ProviderCall{At: p.now(), Method: r.Method, Path: r.URL.Path, By: by, Code: code})
}

// broken answers a call, as far as no fault is set for its operation.
func (p *Provider) broken(w http.ResponseWriter, r *http.Request, operation string, answer func(http.ResponseWriter)) {
	p.mu.Lock()
	f := p.faults[operation]
	var now ProviderFault
	if f != nil {
		now = *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				delete(p.faults, operation)
			}
		}
	}
	p.mu.Unlock()
	if f == nil {
		answer(w)
		return
	}
	if now.After {
		answer(&nowhere{header: http.Header{}})
	}
	p.mu.Lock()
	p.note(r, "", now.Code)
	p.mu.Unlock()
	if now.Drop {
		panic(http.ErrAbortHandler)
	}
	if now.RetryAfter != "" {
		w.Header().Set("Retry-After", now.RetryAfter)
	}
	reply(w, now.Code, map[string]string{"error": "unavailable", "message": "try again later"})
}

// nowhere takes an answer that is lost on the way.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

// manage answers the calls that manage keys.
func (p *Provider) manage(w http.ResponseWriter, r *http.Request) {
	sent, own := sha256.Sum256([]byte(bearer(r))), sha256.Sum256([]byte(p.Admin))
	if subtle.ConstantTimeCompare(sent[:], own[:]) != 1 {
		p.mu.Lock()
		p.note(r, "", http.StatusUnauthorized)
		p.mu.Unlock()
		reply(w, http.StatusUnauthorized, map[string]string{"error": "unknown_admin", "message": "this credential does not manage keys"})
		return
	}
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, keysPath), "/")
	switch {
	case r.Method == http.MethodPost && id == "":
		p.broken(w, r, "create", func(w http.ResponseWriter) { p.create(w, r) })
	case r.Method == http.MethodGet && id == "":
		p.broken(w, r, "list", func(w http.ResponseWriter) { p.showAll(w, r) })
	case r.Method == http.MethodGet:
		p.broken(w, r, "show", func(w http.ResponseWriter) { p.one(w, r, id, false) })
	case r.Method == http.MethodDelete && id != "":
		p.broken(w, r, "revoke", func(w http.ResponseWriter) { p.one(w, r, id, true) })
	default:
		reply(w, http.StatusMethodNotAllowed, map[string]string{"error": "method_not_allowed"})
	}
}

func (p *Provider) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"name"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&in)
	p.mu.Lock()
	defer p.mu.Unlock()
	refuse := func(code int, word, message string) {
		p.noteNamed(r, in.Name, code)
		reply(w, code, map[string]string{"error": word, "message": message})
	}
	again := r.Header.Get("Idempotency-Key")
	past, known := p.replays[again]
	most := cmp.Or(p.Most, 2)
	switch {
	case err != nil || in.Name == "" || len(in.Name) > 100:
		refuse(http.StatusBadRequest, "bad_request", "a key needs a name of at most 100 characters")
	case p.Replay && again != "" && known && past.Name == in.Name:
		p.noteNamed(r, in.Name, http.StatusCreated)
		reply(w, http.StatusCreated, map[string]created{"key": past})
	case len(p.keys) >= most:
		refuse(http.StatusConflict, "key_limit", fmt.Sprintf("an account may have %d keys", most))
	default:
		p.made++
		value := p.mint()
		k := &apiKey{id: fmt.Sprintf("key_%04d%s", p.made, KeyID(in.Name, value)[4:12]), name: in.Name, created: p.now()}
		p.add(k, value)
		out := created{KeyInfo: k.info(), Value: value}
		if p.Replay && again != "" {
			if p.replays == nil {
				p.replays = map[string]created{}
			}
			p.replays[again] = out
		}
		p.noteNamed(r, in.Name, http.StatusCreated)
		reply(w, http.StatusCreated, map[string]created{"key": out})
	}
}

// noteNamed is note of a call that makes a key; the lock is held.
func (p *Provider) noteNamed(r *http.Request, name string, code int) {
	p.note(r, "admin", code)
	p.audit[len(p.audit)-1].Name = name
}

// mint makes the value of a new key.
func (p *Provider) mint() string {
	if p.Mint != nil {
		return p.Mint(p.made)
	}
	return "sk_live_" + rand.Text() + rand.Text()
}

func (p *Provider) showAll(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(r, "admin", http.StatusOK)
	reply(w, http.StatusOK, map[string][]KeyInfo{"keys": p.list()})
}

// one shows a key by its id, or ends it: that is idempotent only in its effect, and
// answers 404 when there is none.
func (p *Provider) one(w http.ResponseWriter, r *http.Request, id string, end bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for digest, k := range p.keys {
		if k.id != id {
			continue
		}
		if end {
			delete(p.keys, digest)
			p.note(r, "admin", http.StatusNoContent)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		p.note(r, "admin", http.StatusOK)
		reply(w, http.StatusOK, map[string]KeyInfo{"key": k.info()})
		return
	}
	p.note(r, "admin", http.StatusNotFound)
	reply(w, http.StatusNotFound, map[string]string{"error": "no_such_key"})
}
