package certificate

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// sight is how an endpoint stands.
type sight struct {
	disk   *bundle // nil where no file holds it here
	served []estate.Served
	cert   *x509.Certificate   // the one in question: on disk, else nil
	leaf   *estate.Certificate // the same as is shown; of what is served where no file holds it
	due    []string            // why it must be renewed
	revoke string              // what its revocation lists say
	notes  []string            // what could not be told
}

// addressLimit bounds how many addresses of one name are tried.
const addressLimit = 128

// addresses are those that an endpoint resolves to now.
func (p *Procedure) addresses(ctx context.Context, address string) ([]netip.AddrPort, error) {
	doing := "look up the addresses of " + address
	host, portText, err := net.SplitHostPort(address)
	port, bad := strconv.ParseUint(portText, 10, 16)
	if err != nil || bad != nil || port == 0 {
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: doing, Detail: "the address is not host:port", Next: "correct address in warroom.yaml"}
	}
	found, err := p.lookup(ctx, host)
	if err != nil {
		return nil, p.systems.Read.Failure(err, doing)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	found = slices.Compact(found)
	if len(found) == 0 || len(found) > addressLimit {
		return nil, &estate.Failure{Kind: estate.Unresolved, Doing: doing, Detail: fmt.Sprintf("the name has %d addresses; 1 to %d are tried", len(found), addressLimit)}
	}
	out := make([]netip.AddrPort, len(found))
	for i, a := range found {
		out[i] = netip.AddrPortFrom(a, uint16(port))
	}
	return out, nil
}

// handshakes look at what every address serves, each in a new handshake. What an
// address says is in its part; the error tells that we may not look at all.
func (p *Procedure) handshakes(ctx context.Context, e *endpoint, list []netip.AddrPort) ([]estate.Served, error) {
	client := p.systems.Read.TLS(e.component.Balancer.CACert)
	out := make([]estate.Served, len(list))
	var wg sync.WaitGroup
	for i, a := range list {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, p.limit())
			defer cancel()
			out[i] = client.Handshake(ctx, a, e.name, p.now())
		})
	}
	wg.Wait()
	for _, one := range out {
		if one.Failure != nil && one.Failure.Kind == estate.Denied {
			return nil, one.Failure
		}
	}
	return out, nil
}

// look reads how an endpoint stands: on disk, on every address, and whether its
// certificate was revoked.
func (n *renewal) look(ctx context.Context) (*sight, error) {
	s := &sight{}
	if path := n.where.cert; path != "" {
		data, _, err := readFile(path)
		if err != nil {
			return nil, &estate.Failure{
				Kind: estate.Missing, Doing: "read the certificate of " + n.e.id, Detail: clients.Strip(err.Error(), clients.DetailLimit),
				Next: "correct the path in warroom.yaml, or run warroom on the host that serves it, as a user who may read it",
			}
		}
		if s.disk, err = parseBundle(data); err != nil {
			return nil, &estate.Failure{Kind: estate.BadAnswer, Doing: "read the certificate of " + n.e.id, Detail: path + ": " + err.Error(), Next: "restore the file: what the new one must have is taken from it"}
		}
		s.cert, s.leaf = s.disk.leaf, described(s.disk.leaf)
	}
	list, err := n.p.addresses(ctx, n.e.Address)
	if err != nil {
		return nil, err
	}
	if s.served, err = n.p.handshakes(ctx, n.e, list); err != nil {
		return nil, err
	}
	for i := range s.served {
		if s.leaf == nil {
			s.leaf = s.served[i].Leaf
		}
	}
	if s.leaf == nil {
		failure := s.served[0].Failure
		if failure == nil {
			failure = &estate.Failure{Kind: estate.BadAnswer, Doing: "look at " + n.e.Address, Detail: "it serves no certificate"}
		}
		return nil, failure
	}
	n.judge(s)
	n.revocation(ctx, s)
	return s, nil
}

// judge finds why a certificate must be renewed.
func (n *renewal) judge(s *sight) {
	now := n.p.now()
	due := func(format string, args ...any) { s.due = append(s.due, fmt.Sprintf(format, args...)) }
	switch {
	case nearEnd(n.p.systems.Config.Thresholds, s.leaf.NotBefore, s.leaf.NotAfter, now):
		due("it is near its end: %s", lifeLeft(s.leaf.NotBefore, s.leaf.NotAfter, now))
	case now.Before(s.leaf.NotBefore):
		due("it is not valid before %s", s.leaf.NotBefore.UTC().Format("2006-01-02 15:04Z"))
	}
	if s.disk != nil {
		if err := s.disk.leaf.VerifyHostname(n.e.name); err != nil {
			due("the certificate on disk is not for %s", n.e.name)
		}
		if n.where.key != "" {
			if data, _, err := readFile(n.where.key); err != nil {
				due("its key cannot be read: %s", clients.Strip(err.Error(), 200))
			} else if key, err := parseKey(data); err != nil {
				due("its key cannot be used: %v", err)
			} else if !belongs(key, s.disk.leaf) {
				due("the key on disk does not belong to the certificate on disk")
			}
		}
	}
	for _, one := range s.served {
		switch {
		case one.Leaf == nil:
			if one.Failure != nil {
				s.notes = append(s.notes, "what "+one.Address+" serves cannot be told: "+one.Failure.Error())
			}
			continue
		case one.Leaf.SHA256 != s.leaf.SHA256:
			due("%s serves serial %s, and %s is expected", one.Address, brief(one.Leaf.Serial), brief(s.leaf.Serial))
		case one.NameError != "":
			due("what %s serves is not for %s", one.Address, n.e.name)
		}
		if one.ChainError != "" && !n.e.rot.SelfSigned {
			due("what %s serves does not build to the CA: %s", one.Address, one.ChainError)
		}
	}
}

// stale reports whether the files are in order and only not served: reloading is the
// better move then.
func (s *sight) stale(n *renewal) bool {
	if s.disk == nil {
		return false
	}
	alone := *s
	alone.due, alone.notes, alone.served = nil, nil, nil
	n.judge(&alone)
	return len(alone.due) == 0 && slices.ContainsFunc(s.served, func(one estate.Served) bool { return one.Leaf != nil && one.Leaf.SHA256 != s.leaf.SHA256 })
}

// observed says of each address what it serves.
func (s *sight) observed() (served string, answering []string) {
	var parts []string
	for _, one := range s.served {
		switch {
		case one.Leaf != nil:
			parts = append(parts, one.Address+" serial "+one.Leaf.Serial)
			answering = append(answering, one.Address)
		case one.Failure != nil:
			parts = append(parts, one.Address+" "+string(one.Failure.Kind))
		}
	}
	return strings.Join(parts, ", "), answering
}

// described is a certificate as it is shown.
func described(c *x509.Certificate) *estate.Certificate {
	return &estate.Certificate{
		Subject: clients.Strip(c.Subject.String(), 200), Issuer: clients.Strip(c.Issuer.String(), 200), Serial: serial(c), SHA256: digest(c.Raw),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Names: namesOf(c),
	}
}

// brief is the beginning of a serial number, which is enough to tell two apart.
func brief(serial string) string {
	if len(serial) > 12 {
		return serial[:12] + "…"
	}
	return serial
}

// wanted is for whom the new certificate is: the configured names, else those of the
// one that it replaces, and always the name that is asked for in the handshake.
func (n *renewal) wanted(s *sight) (subject, []string, error) {
	old := s.leaf.Names
	want := subject{names: slices.Clone(n.e.rot.Names)}
	if len(want.names) == 0 {
		want.names = slices.Clone(old)
	}
	if !covers(want.names, n.e.name) && !wildcardCovers(want.names, n.e.name) {
		want.names = append(want.names, n.e.name)
	}
	var lost []string
	for _, name := range old {
		if !covers(want.names, name) {
			lost = append(lost, name)
		}
	}
	if s.cert != nil && covers(want.names, s.cert.Subject.CommonName) {
		want.common = s.cert.Subject.CommonName
	}
	for _, name := range want.names {
		if want.common == "" && net.ParseIP(name) == nil && !strings.ContainsAny(name, ":@") && len(name) <= 64 {
			want.common = name
		}
	}
	if _, _, _, _, err := want.split(); err != nil {
		return want, nil, &estate.Failure{Kind: estate.Misconfigure, Doing: "name the new certificate of " + n.e.id, Detail: err.Error(), Next: "correct names in warroom.yaml"}
	}
	if n.e.rot.ACME != nil && slices.ContainsFunc(want.names, func(s string) bool { return strings.HasPrefix(s, "*.") }) {
		return want, nil, errWildcard(n.e.id)
	}
	return want, lost, nil
}

func wildcardCovers(names []string, name string) bool {
	_, parent, ok := strings.Cut(name, ".")
	return ok && covers(names, "*."+parent)
}
