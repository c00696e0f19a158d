package clients

import (
	"net/http"
	"net/http/httptrace"
	"sync"
)

// firstConnection has the first request to a server make its connection alone.
// Requests that begin together would each make one, with a handshake each, and
// then share one of them where HTTP/2 is spoken. Once there was a connection, or
// none could be made, nothing waits any more. The zero value is ready for use.
type firstConnection struct {
	begin sync.Once
	there chan struct{} // closed when nothing waits any more
	tell  sync.Once
}

// roundTrip sends a request through next when its turn has come. A request whose
// context ends while it waits ends with it.
func (f *firstConnection) roundTrip(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	first := false
	f.begin.Do(func() { first, f.there = true, make(chan struct{}) })
	if !first {
		select {
		case <-f.there:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		return next.RoundTrip(req)
	}
	defer f.open()
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { f.open() }})
	return next.RoundTrip(req.WithContext(ctx))
}

func (f *firstConnection) open() { f.tell.Do(func() { close(f.there) }) }
