package config

import (
	"net"
	"regexp"
	"strings"

	"warroom/internal/decode"
)

func (v *validator) component(c *Component, path string) {
	at := func(keys ...string) string {
		p := path
		for _, k := range keys {
			p = decode.Join(p, k)
		}
		return p
	}
	v.expiry(at("expiry"), c.Expiry)
	if c.Gateway != nil {
		v.gateway(c.Gateway, at("gateway"))
	}
	if c.Balancer != nil {
		v.balancer(c.Balancer, at("balancer"))
	}
	if s := c.SecretsManager; s != nil {
		v.reference(at("secrets_manager", "account"), s.Account, v.accounts, "AWS account")
		for i, one := range s.Secrets {
			v.expiry(decode.Join(decode.Index(at("secrets_manager", "secrets"), i), "expiry"), one.Expiry)
		}
	}
	if r := c.RotationFunction; r != nil {
		v.reference(at("rotation_function", "account"), r.Account, v.accounts, "AWS account")
	}
	if k := c.Keys; k != nil {
		v.reference(at("keys", "account"), k.Account, v.accounts, "AWS account")
		v.unique(at("keys", "keys"), k.Keys)
	}
	if c.Postgres != nil {
		v.postgres(c.Postgres, at("postgres"))
	}
	if e := c.ExternalAPI; e != nil {
		v.url(at("external_api", "url"), e.URL)
		v.reference(at("external_api", "secret"), e.Secret, v.secrets, "stored secret")
		if !headerName.MatchString(e.Header) && e.Header != "" {
			v.add(at("external_api", "header"), "", "found %q; expected the name of an HTTP header", brief(e.Header))
		}
	}
	if c.Application != nil {
		v.application(c.Application, at("application"))
	}
	if c.Vault != nil {
		v.reference(at("vault", "cluster"), c.Vault.Cluster, v.vaults, "Vault cluster")
	}
	if s := c.SecretStore; s != nil {
		v.reference(at("secret_store", "account"), s.Account, v.accounts, "AWS account")
		v.reference(at("secret_store", "cluster"), s.Cluster, v.vaults, "Vault cluster")
		if s.Account == "" && s.Cluster == "" {
			v.add(at("secret_store"), "", "names no store; expected account or cluster")
		}
	}
	for key, m := range map[string]*Monitor{"rotation_monitor": c.RotationMonitor, "secret_monitor": c.SecretMonitor, "access_monitor": c.AccessMonitor} {
		if m == nil {
			continue
		}
		for i, id := range m.Watches {
			v.reference(decode.Index(at(key, "watches"), i), id, v.components, "component")
		}
		v.unique(at(key, "watches"), m.Watches)
	}
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (v *validator) gateway(g *Gateway, at string) {
	v.url(decode.Join(at, "url"), g.URL)
	v.url(decode.Join(at, "issuer"), g.Issuer)
	v.reference(decode.Join(at, "account"), g.Account, v.accounts, "AWS account")
	if g.Token != nil {
		v.reference(decode.Join(decode.Join(at, "token"), "secret"), g.Token.Secret, v.secrets, "stored secret")
	}
	f := g.Failures
	if f == nil {
		return
	}
	at = decode.Join(at, "failures")
	v.url(decode.Join(at, "prometheus"), f.Prometheus)
	switch {
	case f.Prometheus != "" && f.Query == "":
		v.add(decode.Join(at, "query"), "", "missing; expected a PromQL query beside prometheus")
	case f.Prometheus == "" && f.Query != "":
		v.add(decode.Join(at, "prometheus"), "", "missing; expected the URL of a Prometheus server beside query")
	case f.Prometheus == "" && g.Account == "":
		v.add(at, "", "says neither prometheus and query, nor of which account CloudWatch is asked; expected one of them")
	}
}

func (v *validator) balancer(b *Balancer, at string) {
	v.reference(decode.Join(at, "secret"), b.Secret, v.secrets, "stored secret")
	seen := map[TLSEndpoint]bool{}
	for i, e := range b.Endpoints {
		one := decode.Index(decode.Join(at, "endpoints"), i)
		v.address(decode.Join(one, "address"), e.Address)
		if e.Key != "" && e.Certificate == "" {
			v.add(decode.Join(one, "certificate"), "", "missing; expected the certificate that key belongs to")
		}
		same := TLSEndpoint{Address: e.Address, ServerName: e.ServerName}
		if seen[same] && e.Address != "" {
			v.add(one, "", "the same address and server name are listed already")
		}
		seen[same] = true
	}
}

func (v *validator) postgres(p *Postgres, at string) {
	host := decode.Join(at, "host")
	if name, _, err := net.SplitHostPort(p.Host); err == nil && name != "" {
		v.add(host, "write the port under port", "%s; expected a host name or address alone", quoted(p.Host))
	} else if p.Host != "" && !strings.HasPrefix(p.Host, "/") && !validHost(p.Host) {
		v.add(host, "", "is not a host; expected a host name or address")
	}
	v.reference(decode.Join(at, "secret"), p.Secret, v.secrets, "stored secret")
	v.reference(decode.Join(at, "monitor"), p.Monitor, v.secrets, "stored secret")
	if p.Monitor != "" && p.Service != "" {
		v.add(decode.Join(at, "service"), "", "there are two monitoring logins, monitor and service; expected one")
	}
}

// workloadSyntax is namespace/kind/name with the names that Kubernetes allows.
var workloadSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/(deployment|statefulset|daemonset)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

func (v *validator) application(a *Application, at string) {
	for i, s := range a.Secrets {
		v.reference(decode.Index(decode.Join(at, "secrets"), i), s, v.secrets, "stored secret")
	}
	v.unique(decode.Join(at, "secrets"), a.Secrets)
	if a.Health != nil {
		v.url(decode.Join(decode.Join(at, "health"), "url"), a.Health.URL)
	}
	v.reference(decode.Join(at, "cluster"), a.Cluster, v.clusters, "Kubernetes cluster")
	if a.Workload != "" && !workloadSyntax.MatchString(a.Workload) {
		v.add(decode.Join(at, "workload"), "", "found %q; expected namespace/kind/name, kind one of deployment, statefulset or daemonset", brief(a.Workload))
	}
	if a.Workload != "" && a.Cluster == "" {
		v.add(decode.Join(at, "cluster"), "", "missing; expected the Kubernetes cluster of the workload")
	}
	if a.Cluster != "" && a.Workload == "" {
		v.add(decode.Join(at, "workload"), "", "missing; expected namespace/kind/name in the cluster")
	}
}

// unique reports items that a list names twice.
func (v *validator) unique(path string, list []string) {
	var seen names
	for i, one := range list {
		if _, twice := seen.declare(one, ""); twice && one != "" {
			v.add(decode.Index(path, i), "", "%q is listed already", brief(one))
		}
	}
}

func (v *validator) expiry(path, text string) {
	if text == "" {
		return
	}
	if _, _, ok := parseExpiry(text); !ok {
		v.add(path, decode.DidYouMean(text, []string{"valid_until", "not_after", "rotation", "tag:"}),
			"found %q; expected valid_until, not_after, rotation or tag:KEY", brief(text))
	}
}
