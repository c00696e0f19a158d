package clients

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"warroom/internal/config"
)

// all lets everything through.
type all struct{}

func (all) Around(_ context.Context, _ Call, do func() error) error { return do() }

// TestTheAnswerToAWriteMayComeLate: the library ends the context of a write when it
// has the header of the answer, and the body is wanted all the same.
func TestTheAnswerToAWriteMayComeLate(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-release // the header is read by then
		_, _ = io.WriteString(w, `{"data":{"serial_number":"3f"}}`)
	}))
	t.Cleanup(s.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hvs.test"), 0o600); err != nil {
		t.Fatal(err)
	}
	set := New(&config.Config{Checks: config.Checks{Timeout: 5 * time.Second}, Vaults: []config.VaultCluster{{Name: "main", Address: s.URL, TokenFile: token}}})
	t.Cleanup(set.Close)
	v, err := set.Vault("main")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	var out struct {
		Serial string `json:"serial_number"`
	}
	if err := v.Write(WithPermit(t.Context(), all{}), "pki/sign/web", map[string]any{"csr": "x"}, &out); err != nil || out.Serial != "3f" {
		t.Errorf("%+v, %v", out, err)
	}
}
