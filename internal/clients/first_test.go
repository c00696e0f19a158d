package clients

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRequestsThatBeginTogetherShareAConnection(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	var first firstConnection
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := first.roundTrip(server.Client().Transport, req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
		})
	}
	wg.Wait()
	// A request that comes in the moment between the connection's being made and
	// its being shared may begin one of its own.
	if n := connections.Load(); n > 3 {
		t.Errorf("16 requests made %d connections", n)
	}
}

// refusing fails every request once it is let.
type refusing struct{ let chan struct{} }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-r.let:
	case <-req.Context().Done():
	}
	return nil, net.ErrClosed
}

func TestNobodyWaitsForAConnectionThatCannotBeMade(t *testing.T) {
	var first firstConnection
	let := make(chan struct{})
	request := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/", nil)
		if err != nil {
			return err
		}
		_, err = first.roundTrip(refusing{let}, req)
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- request(t.Context()) }()
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	<-short.Done()
	if err := request(short); err == nil {
		t.Error("a request waited longer than its context")
	}
	go func() { ended <- request(t.Context()) }()
	close(let)
	for range 2 {
		if err := <-ended; err != net.ErrClosed {
			t.Errorf("error %v", err)
		}
	}
}
