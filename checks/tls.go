package checks

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// addressLimit bounds how many addresses of one name are tried: a resolver could
// answer with thousands.
const addressLimit = 128

// resolver turns a host name into its addresses.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// tlsProbe reads one TLS endpoint: every address it resolves to, and the files
// its operator keeps.
type tlsProbe struct {
	endpoint config.TLSEndpoint
	name     string // SNI
	set      *clients.Set
	client   *clients.TLS
	resolver resolver
	now      func() time.Time
}

// tlsProbes reads every endpoint of every load balancer.
func tlsProbes(cfg *config.Config, set *clients.Set) []Probe {
	var out []Probe
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Balancer == nil {
			continue
		}
		client := set.TLS(c.Balancer.CACert)
		for _, e := range c.Balancer.Endpoints {
			p := &tlsProbe{endpoint: e, name: e.ServerName, client: client, resolver: net.DefaultResolver, now: time.Now, set: set}
			if host, _, err := net.SplitHostPort(e.Address); err == nil && p.name == "" {
				p.name = host
			}
			out = append(out, Probe{
				Key:      estate.Key{Component: estate.ID(c.ID), Check: estate.CheckTLS, Item: estate.TLSItem(e.Address, p.name)},
				Source:   "TLS handshake " + e.Address + " SNI " + p.name,
				System:   "tls:" + c.ID,
				Interval: cfg.Checks.Interval,
				Timeout:  cfg.Checks.Timeout,
				Read:     p.read,
			})
		}
	}
	return out
}

func (p *tlsProbe) read(ctx context.Context) Result {
	doing := "TLS handshake with " + p.endpoint.Address
	host, portText, err := net.SplitHostPort(p.endpoint.Address)
	port, badPort := strconv.ParseUint(portText, 10, 16)
	if err != nil || badPort != nil || port == 0 {
		return Result{Err: &estate.Failure{Kind: estate.Misconfigure, Doing: doing, Detail: "the address is not host:port", Next: "correct address in warroom.yaml"}}
	}
	addresses, err := p.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return Result{Err: p.set.Failure(err, doing)}
	}
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	addresses = slices.Compact(addresses)
	if len(addresses) == 0 {
		return Result{Err: &estate.Failure{Kind: estate.Unresolved, Doing: doing, Detail: "the name has no address"}}
	}
	out := estate.Endpoint{Name: p.endpoint.Address, ServerName: p.name}
	out.Addresses = p.handshakes(ctx, addresses, uint16(port))
	p.files(&out)
	return Result{Data: out}
}

// handshakes tries all addresses at once, so that a dead one costs the others
// nothing. It ends before ctx does: what the others said must still be reported.
func (p *tlsProbe) handshakes(ctx context.Context, addresses []netip.Addr, port uint16) []estate.Served {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*9/10)
		defer cancel()
	}
	out := make([]estate.Served, len(addresses))
	var wg sync.WaitGroup
	for i, a := range addresses {
		target := netip.AddrPortFrom(a, port)
		if i >= addressLimit {
			out[i] = estate.Served{Address: target.String(), Failure: &estate.Failure{
				Kind: estate.Paused, Doing: "TLS handshake with " + target.String(),
				Detail: "not tried: the name has more than " + strconv.Itoa(addressLimit) + " addresses",
			}}
			continue
		}
		wg.Go(func() { out[i] = p.client.Handshake(ctx, target, p.name, p.now()) })
	}
	wg.Wait()
	return out
}

// files reads the certificate and key that the operator keeps on disk.
func (p *tlsProbe) files(out *estate.Endpoint) {
	if p.endpoint.Certificate == "" {
		return
	}
	disk, err := clients.ReadCertificate(p.endpoint.Certificate)
	if err != nil {
		out.DiskError = clients.Strip(err.Error(), 200)
	}
	out.Disk = disk
	if p.endpoint.Key == "" {
		return
	}
	matches, err := clients.KeyMatches(p.endpoint.Certificate, p.endpoint.Key)
	if err != nil {
		out.KeyError = clients.Strip(err.Error(), 200)
		return
	}
	out.KeyMatches = &matches
}
