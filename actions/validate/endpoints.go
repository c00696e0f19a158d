package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// mostAddresses bounds the addresses of one name that are tried.
const mostAddresses = 32

// endpoints are the TLS and health endpoints that are asked. For one secret they are
// those of the components that use it.
func (p *Procedure) endpoints(secret string) []trial {
	var out []trial
	for i := range p.s.Config.Components {
		c := &p.s.Config.Components[i]
		if c.Balancer != nil && (secret == "" || c.Balancer.Secret == secret) {
			for _, e := range c.Balancer.Endpoints {
				name := e.ServerName
				if name == "" {
					name, _, _ = net.SplitHostPort(e.Address)
				}
				out = append(out, trial{
					name: "TLS " + name + " at " + e.Address, call: "TLS handshake with every address of " + e.Address + " for " + name,
					try: func(ctx context.Context) (Verdict, string) {
						return p.handshakes(ctx, c.Balancer.CACert, e.Address, name)
					},
				})
			}
		}
		if a := c.Application; a != nil && a.Health != nil && (secret == "" || slices.Contains(a.Secrets, secret)) {
			out = append(out, trial{
				name: "health of " + c.ID, call: "GET " + clients.Strip(a.Health.URL, 160),
				try: func(ctx context.Context) (Verdict, string) { return p.health(ctx, a) },
			})
		}
	}
	return out
}

// handshakes looks at what every address serves: a certificate that is trusted, has
// the name and is valid now.
func (p *Procedure) handshakes(ctx context.Context, caFile, address, name string) (Verdict, string) {
	doing := "TLS handshake with " + address
	host, text, err := net.SplitHostPort(address)
	port, bad := strconv.ParseUint(text, 10, 16)
	if err != nil || bad != nil {
		return failed(&estate.Failure{Kind: estate.Misconfigure, Doing: doing, Detail: "the address is not host:port", Next: "correct address in warroom.yaml"})
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return failed(p.s.Read.Failure(err, doing))
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	if len(all) == 0 {
		return Unknown, "the name has no address"
	}
	client := p.s.Read.TLS(caFile)
	serials := map[string]bool{}
	untried := 0
	for _, a := range all[:min(len(all), mostAddresses)] {
		to := netip.AddrPortFrom(a, uint16(port))
		var served estate.Served
		err := clients.Around(ctx, clients.Call{System: "tls:" + address, Name: "handshake with " + to.String()}, func() error {
			served = client.Handshake(ctx, to, name, p.now())
			return nil
		})
		switch {
		case err != nil:
			return failed(p.s.Read.Failure(err, doing))
		case served.Failure != nil && served.Failure.Kind == estate.NoCheck:
			untried++
			continue
		case served.Failure != nil:
			return failed(served.Failure)
		case p.now().After(served.Leaf.NotAfter):
			return Refused, fmt.Sprintf("%s serves a certificate that ran out at %s", to, served.Leaf.NotAfter.UTC().Format("2006-01-02 15:04:05Z"))
		case p.now().Before(served.Leaf.NotBefore):
			return Refused, fmt.Sprintf("%s serves a certificate that is not valid before %s", to, served.Leaf.NotBefore.UTC().Format("2006-01-02 15:04:05Z"))
		case served.NameError != "":
			return Refused, fmt.Sprintf("%s serves a certificate for other names: %s", to, served.NameError)
		case served.ChainError != "":
			return Refused, fmt.Sprintf("%s serves a certificate that is not trusted: %s", to, served.ChainError)
		}
		serials[served.Leaf.Serial] = true
	}
	switch {
	case len(serials) == 0:
		return Unknown, "no address could be tried from here"
	case len(serials) > 1:
		return Refused, fmt.Sprintf("its %d addresses serve %d different certificates", len(all), len(serials))
	}
	for serial := range serials {
		text = fmt.Sprintf("%d of %d addresses serve certificate %s, trusted, named and valid", len(all)-untried, len(all), short(serial))
	}
	return Works, text
}

// health asks the health endpoint of an application; where it tells which version of
// its secret it uses, that must be current.
func (p *Procedure) health(ctx context.Context, a *config.Application) (Verdict, string) {
	answer, err := p.s.Read.HTTP(a.Health.CACert).Get(ctx, a.Health.URL, nil, true)
	if err != nil {
		return failed(p.s.Read.Failure(err, "ask "+p.s.Read.Text(a.Health.URL, 160)))
	}
	var document any
	if !answer.Whole || json.Unmarshal(answer.Body, &document) != nil {
		document = nil
	}
	word := strings.ToUpper(answer.Text(field(document, a.Health.Status), 24))
	text := strings.TrimSpace(fmt.Sprintf("it answers %d %s", answer.Code, word))
	if answer.Code != http.StatusOK {
		return Refused, text
	}
	version := answer.Text(field(document, a.Health.Version), 64)
	if version == "" || len(a.Secrets) == 0 {
		return Works, text
	}
	for _, s := range a.Secrets {
		value, err := p.s.Read.StoredFresh(ctx, s, estate.StageCurrent)
		if err != nil {
			return failed(err)
		}
		if value.VersionID == version {
			return Works, text + ", on the current version of " + s
		}
	}
	return Refused, text + ", on version " + short(version) + " of its secret, which is not current: restart it"
}

// field finds a text by a dotted path; empty where there is none.
func field(document any, path string) string {
	for key := range strings.SplitSeq(path, ".") {
		at, ok := document.(map[string]any)
		if !ok {
			return ""
		}
		document = at[key]
	}
	text, _ := document.(string)
	return text
}
