package clients

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// httpCanary is planted as the credential of every request below.
const httpCanary = "cnry-7f3b1e9a55d04c/+=a"

func newSet() *Set { return New(&config.Config{}) }

// rawServer answers every connection with answer, after it has read the request.
func rawServer(t *testing.T, answer func(c net.Conn, request *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					req = nil // not HTTP, a TLS hello perhaps
				}
				answer(c, req)
			}()
		}
	}()
	return l.Addr().String()
}

// reset closes a connection so that the peer sees a reset.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func get(t *testing.T, h *HTTP, address string, body bool, within time.Duration) (*Answer, *estate.Failure) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	a, err := h.Get(ctx, address, &Credential{Header: "Authorization", Scheme: "Bearer", Value: estate.NewSecret(httpCanary)}, body)
	if err == nil {
		return a, nil
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); leaks(text) {
		t.Errorf("the error holds the credential: %s", text)
	}
	return nil, Classify(err, "ask")
}

// leaks reports whether text holds the canary in any form an endpoint echoes it.
func leaks(text string) bool {
	raw := []byte(httpCanary)
	for _, form := range []string{
		httpCanary, url.QueryEscape(httpCanary), url.PathEscape(httpCanary),
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), "7f3b1e9a55d0",
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestHTTPBadInput(t *testing.T) {
	const closed = "127.0.0.1:1" // nobody listens there; a port that was free could be taken
	echo := func(r *http.Request) string {
		if r == nil {
			return httpCanary
		}
		return r.Header.Get("Authorization")
	}
	raw := func(answer func(net.Conn, *http.Request)) string { return "http://" + rawServer(t, answer) + "/" }
	cases := []struct {
		name    string
		address string
		within  time.Duration
		want    estate.FailureKind
	}{
		{"refused", "http://" + closed + "/", 5 * time.Second, estate.Refused},
		{"does not resolve", "https://nowhere.invalid/", 5 * time.Second, estate.Unresolved},
		{"not a URL", "http://%zz/", 5 * time.Second, estate.Misconfigure},
		{"silent", raw(func(c net.Conn, _ *http.Request) { _, _ = io.Copy(io.Discard, c) }), 80 * time.Millisecond, estate.Silent},
		{"reset before the answer", raw(func(c net.Conn, _ *http.Request) { reset(c) }), 5 * time.Second, estate.Refused},
		{"reset half way", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+echo(r))
			reset(c)
		}), 5 * time.Second, estate.Refused},
		{"body breaks off", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+echo(r))
		}), 5 * time.Second, estate.Refused},
		{"garbage that echoes", raw(func(c net.Conn, r *http.Request) { _, _ = io.WriteString(c, "220 "+echo(r)+" ready\r\n\r\n") }), 5 * time.Second, estate.BadAnswer},
		{"status that echoes", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 "+echo(r)+"\r\n\r\n")
		}), 5 * time.Second, estate.BadAnswer},
		{"header that echoes", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+echo(r)+"\r\n\r\n")
		}), 5 * time.Second, estate.BadAnswer},
		{"chunk that echoes", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+echo(r)+"\r\n")
		}), 5 * time.Second, estate.BadAnswer},
		{"endless header", raw(func(c net.Conn, _ *http.Request) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for err == nil {
				_, err = io.WriteString(c, "X-Filler: "+strings.Repeat("x", 1000)+"\r\n")
			}
		}), 5 * time.Second, estate.BadAnswer},
		{"endless slow body", raw(func(c net.Conn, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n[")
			_, _ = io.Copy(io.Discard, c)
		}), 80 * time.Millisecond, estate.Silent},
		{"HTTP where TLS should be", "https://" + rawServer(t, func(c net.Conn, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}), 5 * time.Second, estate.BadAnswer},
		{"TLS garbage", "https://" + rawServer(t, func(c net.Conn, _ *http.Request) {
			_, _ = c.Write([]byte{0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3, 4, 5, 6, 7})
		}), 5 * time.Second, estate.BadAnswer},
		{"redirect loop that echoes", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /again?key="+url.QueryEscape(echo(r))+"\r\nContent-Length: 0\r\n\r\n")
		}), 5 * time.Second, estate.BadAnswer},
		{"redirect to nonsense that echoes", raw(func(c net.Conn, r *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: http://%zz/"+echo(r)+"\r\nContent-Length: 0\r\n\r\n")
		}), 5 * time.Second, estate.BadAnswer},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, f := get(t, newSet().HTTP(""), c.address, true, c.within)
			if f == nil {
				t.Fatalf("answered %d, want a failure", a.Code)
			}
			if f.Kind != c.want {
				t.Errorf("failure %q, want kind %q", f, c.want)
			}
			if leaks(f.Error()) {
				t.Errorf("the failure holds the credential: %s", f)
			}
		})
	}
}

func TestHTTPEndlessBody(t *testing.T) {
	address := "http://" + rawServer(t, func(c net.Conn, _ *http.Request) {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		for err == nil {
			_, err = io.WriteString(c, strings.Repeat("x", 64<<10))
		}
	})
	a, f := get(t, newSet().HTTP(""), address, true, 10*time.Second)
	if f != nil {
		t.Fatal(f)
	}
	if a.Whole || len(a.Body) != bodyLimit {
		t.Errorf("kept %d bytes, whole %v; want %d, not whole", len(a.Body), a.Whole, bodyLimit)
	}
}

// TestHTTPUnreadBody shows that a code is not held up by a body nobody reads.
func TestHTTPUnreadBody(t *testing.T) {
	address := "http://" + rawServer(t, func(c net.Conn, _ *http.Request) {
		_, _ = io.WriteString(c, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 10\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	a, f := get(t, newSet().HTTP(""), address, false, 10*time.Second)
	if f != nil {
		t.Fatal(f)
	}
	if a.Code != 429 {
		t.Errorf("code %d, want 429", a.Code)
	}
}

func TestHTTPRedirects(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL+"/steal", http.StatusFound)
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusMovedPermanently)
		default:
			if r.Header.Get("Authorization") != "Bearer "+httpCanary {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = io.WriteString(w, r.UserAgent())
		}
	}))
	defer here.Close()
	h := newSet().HTTP("")
	if a, f := get(t, h, here.URL+"/away", true, 5*time.Second); f != nil || a.Code != 302 {
		t.Errorf("a redirect elsewhere: %v, %v; want its 302", a, f)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("the other host was asked %d times with our credential", n)
	}
	a, f := get(t, h, here.URL+"/moved", true, 5*time.Second)
	if f != nil || a.Code != 200 {
		t.Fatalf("a redirect within the origin: %v, %v; want 200", a, f)
	}
	if !strings.HasPrefix(string(a.Body), "warroom/") {
		t.Errorf("user agent %q does not say that it is us", a.Body)
	}
}

func TestHTTPCredentialThatNoHeaderCarries(t *testing.T) {
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	for _, value := range []string{"", httpCanary + "\n", " " + httpCanary, httpCanary + "\x00", "\x1b]0;" + httpCanary, httpCanary + "é"} {
		_, err := newSet().HTTP("").Get(t.Context(), server.URL, &Credential{Header: "X-Api-Key", Value: estate.NewSecret(value)}, false)
		var f *estate.Failure
		if !errors.As(err, &f) || f.Kind != estate.BadSecret || leaks(err.Error()) {
			t.Errorf("error %v, want an unusable secret that is not quoted", err)
		}
	}
	if asked {
		t.Error("the endpoint was asked with a credential that cannot be sent")
	}
}

func TestHTTPTrustsItsCAFile(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	server.Config.ErrorLog = quiet()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	h := newSet().HTTP(ca)
	if _, f := get(t, h, server.URL, false, 5*time.Second); f == nil || f.Kind != estate.Misconfigure {
		t.Errorf("without the CA file: %v, want %q", f, estate.Misconfigure)
	}
	if _, f := get(t, newSet().HTTP(""), server.URL, false, 5*time.Second); f == nil || f.Kind != estate.Misconfigure || !strings.Contains(f.Next, "set ca_cert") {
		t.Errorf("unknown authority: %v, want %q", f, estate.Misconfigure)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*HTTP{h, newSet().HTTPBeside(ca)} {
		if _, f := get(t, h, server.URL, false, 5*time.Second); f != nil {
			t.Errorf("once the CA file is there: %v", f)
		}
	}
}

func TestAnswerText(t *testing.T) {
	a := &Answer{set: newSet()}
	a.sends("eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjE3NjAwMDAwMDB9.c2lnbmF0dXJlc2lnbmF0dXJl")
	for _, echo := range []string{
		"bad eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjE3NjAwMDAwMDB9.c2lnbmF0dXJlc2lnbmF0dXJl",
		"signature c2lnbmF0dXJlc2lnbmF0dXJl is wrong",
		"bad eyJhbGci\x1b[0mOiJFUzI1NiJ9.eyJleHAi\x00OjE3NjAwMDAwMDB9",
	} {
		got := a.Text(echo, 200)
		for _, part := range []string{"eyJhbGciOiJFUzI1NiJ9", "eyJleHAiOjE3NjAwMDAwMDB9", "c2lnbmF0dXJl", "\x1b", "\x00"} {
			if strings.Contains(got, part) {
				t.Errorf("%q holds %q", got, part)
			}
		}
	}
	if got := a.Text("plain words", 200); got != "plain words" {
		t.Errorf("plain words became %q", got)
	}
}

func TestNoCredentialGoesOverPlainHTTP(t *testing.T) {
	for _, c := range []struct {
		address string
		refused bool
	}{
		{"http://192.0.2.1/x", true},
		{"http://api.example.invalid/x", true},
		{"http://localhost.example.invalid/", true},
		{"HTTP://192.0.2.1:443/", true},
		{"http://0.0.0.0:1/", true},
		{"ftp://192.0.2.1/", true},
		{"http://127.0.0.1:1/", false},
		{"http://127.9.9.9:1/", false},
		{"http://[::1]:1/", false},
		{"http://localhost:1/", false},
		{"https://127.0.0.1:1/", false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		set := newSet()
		_, err := set.HTTP("").Get(ctx, c.address, &Credential{Header: "Authorization", Scheme: "Bearer", Value: estate.NewSecret(httpCanary)}, false)
		set.Close()
		cancel()
		var f *estate.Failure
		refused := errors.As(err, &f) && f.Kind == estate.Misconfigure && strings.Contains(f.Detail, "not sent over http")
		if refused != c.refused || err == nil {
			t.Errorf("%s: %v, want refused here: %v", c.address, err, c.refused)
		}
		if err != nil && strings.Contains(err.Error(), httpCanary) {
			t.Errorf("%s: the credential shows in %v", c.address, err)
		}
	}
}

// After 101 the body is the bare connection, which no context closes.
func TestSwitchingProtocolsIsNoAnswer(t *testing.T) {
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	switching := func(c net.Conn, _ *http.Request) {
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: none\r\n\r\n")
		<-held
	}
	address := "http://" + rawServer(t, switching)
	for _, body := range []bool{true, false} {
		began := time.Now()
		_, f := get(t, newSet().HTTP(""), address, body, 5*time.Second)
		if f == nil || f.Kind != estate.BadAnswer || !strings.Contains(f.Detail, "101") {
			t.Errorf("body %v: %v", body, f)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("body %v: took %s", body, took)
		}
	}
	keys(t)
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: address})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := a.Value(ctx, "x", estate.StageCurrent)
	if f := Classify(err, ""); f.Kind != estate.BadAnswer || !strings.Contains(f.Detail, "101") || ctx.Err() != nil {
		t.Errorf("AWS: %v", err)
	}
}
