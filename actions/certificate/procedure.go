package certificate

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/adrg/xdg"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Name is the procedure's name on the command line.
const Name = "rotate-certificate"

// anyway is the option by which a certificate is renewed that is in order.
const anyway = "anyway"

// Procedure is rotate-certificate.
type Procedure struct {
	systems actions.Systems

	// What tests put others for.
	now    func() time.Time
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// state is where the key lies of an endpoint that has no files here.
	state func() string
	// drain is how long old workers of a server may go on serving what they have
	// loaded, and pause the time between two looks.
	drain, pause time.Duration
	// patience bounds a command, and poll is the time between two looks at an order of
	// an ACME server that does not say when to look.
	patience, poll time.Duration
}

// New makes the procedure for the endpoints that say how they are renewed.
func New(s actions.Systems) *Procedure {
	return &Procedure{
		systems: s, now: time.Now,
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		state: func() string { return filepath.Join(xdg.StateHome, "warroom", "certificates") },
		drain: time.Minute, pause: 500 * time.Millisecond, patience: commandLimit, poll: time.Second,
	}
}

// About describes the procedure.
func (p *Procedure) About() plan.About {
	return plan.About{
		Name: Name, Title: "Renew a certificate", Target: "TLS endpoint", Changes: true,
		Summary: "Gets a new key and certificate, checks and installs them, reloads the server and looks at the serial number on every address. It never leaves a certificate beside a key that does not belong to it.",
		Options: []plan.Option{{
			Name: anyway, Summary: "renew it although it is neither near its end, revoked nor at odds with what is served", Words: []string{"no", "yes"}, Default: "no",
		}},
	}
}

// endpoint is one TLS endpoint that can be renewed.
type endpoint struct {
	id        string
	component *config.Component
	config.TLSEndpoint
	name string // SNI
	rot  *config.CertificateRotation
}

// endpoints are those of the estate that say how they are renewed.
func (p *Procedure) endpoints() []endpoint {
	var out []endpoint
	for i := range p.systems.Config.Components {
		c := &p.systems.Config.Components[i]
		if c.Balancer == nil {
			continue
		}
		var of []endpoint
		names := map[string]int{}
		for _, e := range c.Balancer.Endpoints {
			if e.Renew == nil {
				continue
			}
			one := endpoint{component: c, TLSEndpoint: e, name: serverName(e), rot: e.Renew}
			names[one.name]++
			of = append(of, one)
		}
		for j := range of {
			switch of[j].id = c.ID; {
			case len(of) == 1:
			case names[of[j].name] == 1:
				of[j].id += "/" + of[j].name
			default:
				of[j].id += "/" + of[j].name + "@" + of[j].Address
			}
		}
		out = append(out, of...)
	}
	return out
}

// serverName is what is asked for in the handshake.
func serverName(e config.TLSEndpoint) string {
	if e.ServerName != "" {
		return e.ServerName
	}
	host, _, err := net.SplitHostPort(e.Address)
	if err != nil {
		return e.Address
	}
	return host
}

// Targets are the endpoints with a rotation block.
func (p *Procedure) Targets() []plan.Target {
	var out []plan.Target
	for _, e := range p.endpoints() {
		t := plan.Target{ID: e.id, Title: fmt.Sprintf("%s, certificate of %s at %s", e.component.Name, e.name, e.Address), Ready: true}
		if err := usable(&e); err != nil {
			t.Ready, t.Note = false, err.Why
		} else {
			t.Note, t.Due = p.note(&e)
		}
		out = append(out, t)
	}
	return out
}

// note says of the last reading how long the certificate lives, and due the same where
// that is so short that it is to be renewed.
func (p *Procedure) note(e *endpoint) (note, due string) {
	if p.systems.Readings == nil {
		return "", ""
	}
	readings := p.systems.Readings()
	if readings == nil {
		return "", ""
	}
	key := estate.Key{Component: estate.ID(e.component.ID), Check: estate.CheckTLS, Item: estate.TLSItem(e.Address, e.name)}
	slot, ok := readings.Snapshot.Slot(key)
	if !ok || slot.Good == nil {
		return "", ""
	}
	read, ok := slot.Good.Data.(estate.Endpoint)
	if !ok {
		return "", ""
	}
	for _, one := range read.Addresses {
		if one.Leaf != nil {
			note = lifeLeft(one.Leaf.NotBefore, one.Leaf.NotAfter, p.now())
			if nearEnd(p.systems.Config.Thresholds, one.Leaf.NotBefore, one.Leaf.NotAfter, p.now()) {
				due = note
			}
			return note, due
		}
	}
	return "", ""
}

// nearEnd tells whether a certificate has so little life left that it is to be renewed.
func nearEnd(limits config.Thresholds, from, until, now time.Time) bool {
	left, life := until.Sub(now), until.Sub(from)
	return left <= 0 || left <= limits.CertFail || left.Seconds() <= limits.CertWarnFraction*life.Seconds()
}

// usable refuses an endpoint whose rotation block cannot be carried out.
func usable(e *endpoint) *actions.Refusal {
	r := e.rot
	issuers := 0
	for _, on := range []bool{r.Vault != nil, r.ACME != nil, r.SelfSigned} {
		if on {
			issuers++
		}
	}
	no := func(why, next string) *actions.Refusal {
		return &actions.Refusal{What: "renewing the certificate of " + e.id, Why: why, Next: next}
	}
	const correct = "correct rotation of the endpoint in warroom.yaml"
	switch {
	case issuers != 1:
		return no(fmt.Sprintf("its rotation names %d issuers, and exactly one of vault, acme and self_signed is needed", issuers), correct)
	case r.Combined == "" && r.Object == "" && r.ACM == "" && e.Certificate == "":
		return no("nothing says where the certificate is kept", "name certificate and key of the endpoint, or combined, object or acm of its rotation, in warroom.yaml")
	case r.Combined == "" && (e.Certificate == "") != (e.Key == ""):
		return no("certificate and key of the endpoint are needed together", "name both in warroom.yaml, or combined in rotation")
	case len(r.Reload) > 0 && r.Unit != "":
		return no("it has a reload command and a unit to reload", correct)
	case r.Object != "" && (r.Cluster == "" || !strings.Contains(r.Object, "/")):
		return no("object needs its cluster, and is written namespace/name", correct)
	case r.ACM != "" && r.Account == "":
		return no("acm needs its account", correct)
	case r.ACME != nil && (r.ACME.Webroot == "") == (r.ACME.Listen == ""):
		return no("acme needs one of webroot and listen, to answer the challenges", correct)
	}
	return nil
}

// find is the endpoint of a target.
func (p *Procedure) find(target string) (*endpoint, error) {
	for _, e := range p.endpoints() {
		if e.id == target {
			return &e, nil
		}
	}
	return nil, &estate.Failure{
		Kind: estate.Misconfigure, Doing: "renew the certificate of " + clients.Strip(target, 120), Detail: "no TLS endpoint of that name has a rotation block",
		Next: "choose one that warroom plan lists, or add rotation to the endpoint in warroom.yaml",
	}
}

// lifeLeft says how much of a certificate's life is left.
func lifeLeft(from, until, now time.Time) string {
	if now.After(until) {
		return "ended " + span(now.Sub(until)) + " ago, on " + until.UTC().Format("2006-01-02 15:04Z")
	}
	life := until.Sub(from)
	if life <= 0 {
		return "ends " + until.UTC().Format("2006-01-02 15:04Z")
	}
	left := until.Sub(now)
	return fmt.Sprintf("%s of %s are left (%.0f%%), until %s", span(left), span(life), 100*left.Seconds()/life.Seconds(), until.UTC().Format("2006-01-02 15:04Z"))
}

// span writes a duration with the unit that tells it.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
}
