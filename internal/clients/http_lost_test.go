package clients

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

// frame is one frame of HTTP/2 (RFC 9113, 4.1).
func frame(kind byte, stream uint32, payload []byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, 0}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

// The frames of HTTP/2 that are used here.
const (
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoAway   = 7
)

// A connection that ends below HTTP says nothing of what would have been said over it,
// and what the server writes into its farewell is not kept.
func TestHTTP2ThatEnds(t *testing.T) {
	known := httptest.NewTLSServer(http.NotFoundHandler())
	defer known.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	numbers := func(n ...uint32) (out []byte) {
		for _, one := range n {
			out = binary.BigEndian.AppendUint32(out, one)
		}
		return out
	}
	for name, c := range map[string]struct {
		last   []byte
		want   estate.FailureKind
		detail string
	}{
		"GOAWAY":               {frame(frameGoAway, 0, append(numbers(1, 0), httpCanary...)), estate.Silent, "GOAWAY"},
		"GOAWAY over an error": {frame(frameGoAway, 0, append(numbers(1, 2), httpCanary...)), estate.Refused, "INTERNAL_ERROR"},
		"reset":                {frame(frameReset, 1, numbers(2)), estate.Refused, "reset"},
		"nothing":              {nil, estate.Refused, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: known.TLS.Certificates, NextProtos: []string{"h2"}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go endAfterRequest(conn, c.last)
				}
			}()
			cred := &Credential{Header: "X-Api-Key", Value: estate.NewSecret(httpCanary)}
			_, err = newSet().HTTP(ca).Get(t.Context(), "https://"+listener.Addr().String(), cred, true)
			f := Classify(err, "")
			if f == nil || f.Kind != c.want || !strings.Contains(f.Detail, c.detail) {
				t.Errorf("%v, want %q with %q", err, c.want, c.detail)
			}
			if f != nil && leaks(f.Error()) {
				t.Errorf("%q holds the credential", f)
			}
		})
	}
}

// endAfterRequest greets, waits for a request and sends its last words.
func endAfterRequest(conn net.Conn, last []byte) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	if _, err := conn.Write(frame(frameSettings, 0, nil)); err != nil {
		return
	}
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			return
		}
		if head[3] == frameHeaders {
			_, _ = conn.Write(last)
			return
		}
	}
}
