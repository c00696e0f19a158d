package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// manages asks a provider with a credential and, of a creation, an idempotency key.
func manages(p *Provider, method, path, credential, body, again string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+credential)
	if again != "" {
		r.Header.Set("Idempotency-Key", again)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// managed is a provider with one key, whose keys are managed.
func managed() *Provider {
	p := &Provider{Limit: 100, Window: time.Hour, Now: func() time.Time { return testNow }, Admin: "admin-credential"}
	p.Accept("production", "key-1")
	return p
}

func TestProviderManagesKeys(t *testing.T) {
	p := managed()
	w := manages(p, "POST", "/v1/keys", "admin-credential", `{"name":"second"}`, "")
	var made struct{ Key created }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != 201 || made.Key.Name != "second" || made.Key.ID == "" || len(made.Key.Value) < 32 {
		t.Fatalf("create: %d %s, %v", w.Code, w.Body, err)
	}
	if code := p.Judge(made.Key.Value); code != 200 {
		t.Errorf("the new key is answered %d", code)
	}
	if w := manages(p, "POST", "/v1/keys", "admin-credential", `{"name":"third"}`, ""); w.Code != 409 || !strings.Contains(w.Body.String(), "may have 2 keys") {
		t.Errorf("a third key: %d %s", w.Code, w.Body)
	}
	shown := func(id string) *time.Time {
		t.Helper()
		var out struct{ Key KeyInfo }
		w := manages(p, "GET", "/v1/keys/"+id, "admin-credential", "", "")
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.Key.ID != id {
			t.Fatalf("show %s: %d %s, %v", id, w.Code, w.Body, err)
		}
		if strings.Contains(w.Body.String(), made.Key.Value) {
			t.Error("the value is told twice")
		}
		return out.Key.LastUsed
	}
	if used := shown(made.Key.ID); used != nil {
		t.Errorf("never used, and last used %v", used)
	}
	if w := ask(p, "/v1/account", "Bearer "+made.Key.Value); w.Code != 200 {
		t.Fatalf("use: %d", w.Code)
	}
	if used := shown(made.Key.ID); used == nil || !used.Equal(testNow) {
		t.Errorf("last used %v, want %v", used, testNow)
	}
	old := KeyID("production", "key-1")
	if used := shown(old); used != nil {
		t.Errorf("the other key was not used, and last used %v", used)
	}
	w = manages(p, "GET", "/v1/keys", "admin-credential", "", "")
	var list struct{ Keys []KeyInfo }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Keys) != 2 || strings.Contains(w.Body.String(), "sk_live") {
		t.Errorf("list: %s, %v", w.Body, err)
	}
	if w := manages(p, "DELETE", "/v1/keys/"+old, "admin-credential", "", ""); w.Code != 204 || p.Judge("key-1") != 401 || len(p.Keys()) != 1 {
		t.Errorf("revoke: %d, the key is answered %d", w.Code, p.Judge("key-1"))
	}
	if w := manages(p, "DELETE", "/v1/keys/"+old, "admin-credential", "", ""); w.Code != 404 {
		t.Errorf("revoke again: %d", w.Code)
	}
	audit := fmt.Sprintf("%+v", p.Audit())
	if strings.Contains(audit, made.Key.Value) || strings.Contains(audit, "admin-credential") || !strings.Contains(audit, "Name:second Code:201") {
		t.Errorf("audit %s", audit)
	}
}

func TestOnlyTheAdminManagesKeys(t *testing.T) {
	p := managed()
	for _, credential := range []string{"", "key-1", "admin-credentia", "admin-credential2"} {
		for _, c := range [][2]string{{"GET", "/v1/keys"}, {"POST", "/v1/keys"}, {"DELETE", "/v1/keys/" + KeyID("production", "key-1")}} {
			if w := manages(p, c[0], c[1], credential, `{"name":"x"}`, ""); w.Code != 401 {
				t.Errorf("%s %s as %q: %d", c[0], c[1], credential, w.Code)
			}
		}
	}
	if len(p.Keys()) != 1 {
		t.Errorf("%d keys", len(p.Keys()))
	}
	p.Admin = ""
	if w := manages(p, "GET", "/v1/keys", "", "", ""); w.Code != 401 {
		t.Errorf("a provider without an admin: %d", w.Code)
	}
}

func TestACreationIsRepeatedWhereTheProviderDoesThat(t *testing.T) {
	for _, replay := range []bool{true, false} {
		p := managed()
		p.Replay, p.Most = replay, 3
		first := manages(p, "POST", "/v1/keys", "admin-credential", `{"name":"n"}`, "once")
		second := manages(p, "POST", "/v1/keys", "admin-credential", `{"name":"n"}`, "once")
		if first.Code != 201 || second.Code != 201 || (first.Body.String() == second.Body.String()) != replay {
			t.Errorf("replay %v: %d, %d", replay, first.Code, second.Code)
		}
		if n := len(p.Keys()); n != map[bool]int{true: 2, false: 3}[replay] {
			t.Errorf("replay %v: %d keys", replay, n)
		}
	}
}

func TestProviderFaults(t *testing.T) {
	p := managed()
	p.SetFault("use", &ProviderFault{Code: 503, RetryAfter: "7", Times: 1})
	if w := ask(p, "/v1/account", "Bearer key-1"); w.Code != 503 || w.Header().Get("Retry-After") != "7" {
		t.Errorf("%d", w.Code)
	}
	if w := ask(p, "/v1/account", "Bearer key-1"); w.Code != 200 {
		t.Errorf("after the fault: %d", w.Code)
	}
	p.SetFault("create", &ProviderFault{Drop: true, After: true})
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the connection is not cut")
			}
		}()
		manages(p, "POST", "/v1/keys", "admin-credential", `{"name":"lost"}`, "")
	}()
	if keys := p.Keys(); len(keys) != 2 || keys[0].Name != "lost" && keys[1].Name != "lost" {
		t.Errorf("the lost call had no effect: %+v", keys)
	}
	p.SetFault("create", nil)
	if w := manages(p, "POST", "/v1/keys", "admin-credential", `{}`, ""); w.Code != 400 {
		t.Errorf("without a name: %d", w.Code)
	}
}
