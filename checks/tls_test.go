package checks

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// addresses is a resolver that knows one name.
type addresses []string

func (a addresses) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	out := []netip.Addr{}
	for _, one := range a {
		out = append(out, netip.MustParseAddr(one))
	}
	return out, nil
}

// server listens at address with TLS and a test certificate for example.com.
func server(t *testing.T, address string) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	_ = s.Listener.Close()
	s.Listener = l
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// silent listens and says nothing.
func silent(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

func endpointProbe(e config.TLSEndpoint, r resolver) *tlsProbe {
	set := clients.New(&config.Config{})
	return &tlsProbe{endpoint: e, name: e.ServerName, set: set, client: set.TLS(""), resolver: r, now: time.Now}
}

func TestEveryAddressIsTried(t *testing.T) {
	good := server(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(good.Listener.Addr().String())
	server(t, "127.0.0.2:"+port)
	silent(t, "127.0.0.3:"+port) // 127.0.0.4 refuses
	p := endpointProbe(config.TLSEndpoint{Address: "api.test:" + port, ServerName: "example.com"}, addresses{"127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.1", "::ffff:127.0.0.1"})
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	r := p.read(ctx)
	if ctx.Err() != nil {
		t.Error("the read used up its whole timeout: what it saw would be lost")
	}
	e, ok := r.Data.(estate.Endpoint)
	if !ok || len(e.Addresses) != 4 || e.Name != "api.test:"+port || e.ServerName != "example.com" {
		t.Fatalf("%+v, %v", r.Data, r.Err)
	}
	for i, want := range []estate.FailureKind{"", "", estate.Silent, estate.Refused} {
		s := e.Addresses[i]
		if s.Address != "127.0.0."+string(rune('1'+i))+":"+port {
			t.Errorf("address %d is %s: not in a stable order", i, s.Address)
		}
		if want == "" && (s.Leaf == nil || s.NameError != "" || !strings.Contains(s.ChainError, "unknown authority")) {
			t.Errorf("%s: %+v", s.Address, s)
		}
		if want != "" && (s.Failure == nil || s.Failure.Kind != want) {
			t.Errorf("%s: %v, want %q", s.Address, s.Failure, want)
		}
	}
}

func TestDeadEndpointStillSpeaks(t *testing.T) {
	p := endpointProbe(config.TLSEndpoint{Address: "api.test:1", ServerName: "api.test", Certificate: "/nowhere/api.crt", Key: "/nowhere/api.key"}, addresses{"127.0.0.1"})
	r := p.read(t.Context())
	e, ok := r.Data.(estate.Endpoint)
	if !ok || len(e.Addresses) != 1 || e.Addresses[0].Failure == nil || e.DiskError == "" || e.KeyError == "" || e.KeyMatches != nil {
		t.Errorf("%+v, %v", r.Data, r.Err)
	}
}

func TestEndpointFailures(t *testing.T) {
	for _, c := range []struct {
		address string
		to      addresses
		want    estate.FailureKind
	}{
		{"api.test:443", nil, estate.Unresolved},
		{"api.test:443", addresses{}, estate.Unresolved},
		{"api.test", addresses{"127.0.0.1"}, estate.Misconfigure},
		{"api.test:https", addresses{"127.0.0.1"}, estate.Misconfigure},
	} {
		r := endpointProbe(config.TLSEndpoint{Address: c.address}, c.to).read(t.Context())
		if kindOf(r.Err) != c.want {
			t.Errorf("%s: %+v, %v; want %q", c.address, r.Data, r.Err, c.want)
		}
	}
}

func TestTLSProbes(t *testing.T) {
	cfg := testConfig(config.Component{Balancer: &config.Balancer{Endpoints: []config.TLSEndpoint{{Address: "api.test:443"}, {Address: "api.test:443", ServerName: "other.test"}}}})
	probes := tlsProbes(cfg, clients.New(cfg))
	if len(probes) != 2 {
		t.Fatalf("%d probes, want 2", len(probes))
	}
	for i, item := range []string{"api.test:443|api.test", "api.test:443|other.test"} {
		if p := probes[i]; p.Key != (estate.Key{Component: "it", Check: "tls", Item: item}) || p.System != "tls:it" {
			t.Errorf("%+v", p.Key)
		}
	}
}

// Addresses beyond those that are tried are not known to be fine, nor left out on
// purpose.
func TestAddressesBeyondTheLimitAreUnknown(t *testing.T) {
	var many addresses
	for i := range addressLimit + 2 {
		many = append(many, netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}).String())
	}
	p := endpointProbe(config.TLSEndpoint{Address: "api.test:1", ServerName: "api.test"}, many)
	e, ok := p.read(t.Context()).Data.(estate.Endpoint)
	if !ok || len(e.Addresses) != len(many) {
		t.Fatalf("%d addresses, want %d", len(e.Addresses), len(many))
	}
	for i, s := range e.Addresses {
		if s.Failure == nil || (s.Failure.Kind == estate.Paused) != (i >= addressLimit) || s.Failure.Kind == estate.NoCheck {
			t.Errorf("address %d: %v", i, s.Failure)
		}
	}
}
