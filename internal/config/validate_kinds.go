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
	}
	block, kept := c.kept()
	for i := range kept {
		v.stored(&kept[i], decode.Index(at(block, "secrets"), i), c)
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
		if c.Application.Uses == c.ID && c.ID != "" {
			v.add(at("application", "connects_to"), "", "is the component itself; expected another one")
		}
	}
	if j := c.ScheduledJob; j != nil {
		v.scheduledJob(j, at("scheduled_job"))
	}
	if c.Vault != nil {
		v.kvSecrets(c.Vault.Secrets, at("vault", "secrets"))
		v.reference(at("vault", "cluster"), c.Vault.Cluster, v.vaults, "Vault cluster")
		v.reference(at("vault", "compare_with"), c.Vault.Compare, v.vaults, "Vault cluster")
		if c.Vault.Compare != "" && c.Vault.Compare == c.Vault.Cluster {
			v.add(at("vault", "compare_with"), "", "is the cluster itself; expected another one")
		}
	}
	if s := c.SecretStore; s != nil {
		v.reference(at("secret_store", "account"), s.Account, v.accounts, "AWS account")
		v.reference(at("secret_store", "cluster"), s.Cluster, v.vaults, "Vault cluster")
		if s.Account == "" && s.Cluster == "" {
			v.add(at("secret_store"), "", "names no store; expected account or cluster")
		}
	}
	watches := func(key string, list []string) {
		for i, id := range list {
			v.reference(decode.Index(at(key, "watches"), i), id, v.components, "component")
		}
		v.unique(at(key, "watches"), list)
	}
	if m := c.RotationMonitor; m != nil {
		watches("rotation_monitor", m.Watches)
		for i, name := range m.Accounts {
			v.reference(decode.Index(at("rotation_monitor", "accounts"), i), name, v.accounts, "AWS account")
		}
		v.unique(at("rotation_monitor", "accounts"), m.Accounts)
	}
	if m := c.SecretMonitor; m != nil {
		watches("secret_monitor", m.Watches)
	}
	if m := c.AccessMonitor; m != nil {
		watches("access_monitor", m.Watches)
		v.accessSources(m.Sources, at("access_monitor", "sources"))
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
	if g.API != "" && g.Account == "" {
		v.add(decode.Join(at, "account"), "", "missing; expected the AWS account of api_id")
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

// scheduledJob needs exactly one of a CronJob and a timer.
func (v *validator) scheduledJob(j *ScheduledJob, at string) {
	v.reference(decode.Join(at, "cluster"), j.Cluster, v.clusters, "Kubernetes cluster")
	switch {
	case (j.Job == "") == (j.Timer == ""):
		v.add(at, "", "expected one of job, with its cluster, and timer")
	case j.Job != "" && j.Cluster == "":
		v.add(decode.Join(at, "cluster"), "", "missing; expected the Kubernetes cluster of the job")
	case j.Job != "" && !jobSyntax.MatchString(j.Job):
		v.add(decode.Join(at, "job"), "", "found %q; expected namespace/name of a CronJob", brief(j.Job))
	case j.Timer != "" && !strings.HasSuffix(j.Timer, ".timer"):
		v.add(decode.Join(at, "timer"), "", "found %q; expected the name of a timer, which ends in .timer", brief(j.Timer))
	case j.Timer != "":
		v.unit(decode.Join(at, "timer"), j.Timer)
	}
	for i, s := range j.Secrets {
		v.reference(decode.Index(decode.Join(at, "secrets"), i), s, v.secrets, "stored secret")
	}
	v.unique(decode.Join(at, "secrets"), j.Secrets)
}

// accessSources each count by exactly one means.
func (v *validator) accessSources(list []AccessSource, at string) {
	var seen names
	for i, s := range list {
		one := decode.Index(at, i)
		if first, twice := seen.declare(s.Name, decode.Join(one, "name")); twice && s.Name != "" {
			v.add(decode.Join(one, "name"), "", "%q is the name of another source, in line %d; expected a name of its own", brief(s.Name), v.doc.At(first).Line)
		}
		v.reference(decode.Join(one, "of"), s.Of, v.components, "component")
		v.reference(decode.Join(one, "account"), s.Account, v.accounts, "AWS account")
		means := 0
		for _, set := range []bool{s.Metric != nil, s.Prometheus != nil, s.Logs != nil} {
			if set {
				means++
			}
		}
		switch {
		case means != 1:
			v.add(one, "", "expected exactly one of metric, prometheus and logs")
		case s.Prometheus != nil:
			prom := decode.Join(one, "prometheus")
			v.url(decode.Join(prom, "url"), s.Prometheus.URL)
			if q := s.Prometheus.Query; q != "" && !strings.Contains(q, "$window") {
				v.add(decode.Join(prom, "query"), "count over the window, for example sum(increase(NAME[$window]))", "has no $window; expected a count of failures over it")
			}
		case s.Account == "":
			v.add(decode.Join(one, "account"), "", "missing; expected the AWS account that is asked")
		}
	}
}

func (v *validator) balancer(b *Balancer, at string) {
	v.reference(decode.Join(at, "account"), b.Account, v.accounts, "AWS account")
	unread := v.doc.Failed(decode.Join(at, "load_balancer")) || v.doc.Failed(decode.Join(at, "endpoints"))
	switch {
	case unread:
	case len(b.Endpoints) == 0 && b.Balancer == "":
		v.add(at, "", "names nothing to read; expected endpoints, or account and load_balancer")
	case b.Balancer != "" && b.Account == "":
		v.add(decode.Join(at, "account"), "", "missing; expected the AWS account of load_balancer")
	}
	v.reference(decode.Join(at, "secret"), b.Secret, v.secrets, "stored secret")
	seen := map[TLSEndpoint]bool{}
	for i, e := range b.Endpoints {
		one := decode.Index(decode.Join(at, "endpoints"), i)
		v.address(decode.Join(one, "address"), e.Address)
		if e.Key != "" && e.Certificate == "" {
			v.add(decode.Join(one, "certificate"), "", "missing; expected the certificate that key belongs to")
		}
		if e.Renew != nil {
			v.certificate(&e, decode.Join(one, "rotation"))
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
	for i, other := range p.Others {
		v.reference(decode.Index(decode.Join(at, "other_secrets"), i), other, v.secrets, "stored secret")
	}
	if p.Monitor != "" && p.Service != "" {
		v.add(decode.Join(at, "service"), "", "there are two monitoring logins, monitor and service; expected one")
	}
}

// workloadSyntax is namespace/kind/name, and jobSyntax namespace/name, with the
// names that Kubernetes allows.
var (
	workloadSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/(deployment|statefulset|daemonset)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	jobSyntax      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

func (v *validator) application(a *Application, at string) {
	for i, s := range a.Secrets {
		v.reference(decode.Index(decode.Join(at, "secrets"), i), s, v.secrets, "stored secret")
	}
	v.unique(decode.Join(at, "secrets"), a.Secrets)
	v.reference(decode.Join(at, "connects_to"), a.Uses, v.components, "component")
	v.unit(decode.Join(at, "unit"), a.Unit)
	for i, id := range a.After {
		v.reference(decode.Index(decode.Join(at, "restart_after"), i), id, v.apps, "application")
	}
	v.unique(decode.Join(at, "restart_after"), a.After)
	if a.Retries != nil {
		v.url(decode.Join(decode.Join(at, "retries"), "url"), a.Retries.URL)
	}
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

// unitSyntax is what systemd allows in the name of a unit, which has at most
// unitLength bytes (systemd.unit(5)).
var unitSyntax = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+$`)

const unitLength = 255

func (v *validator) unit(path, name string) {
	if name != "" && (!unitSyntax.MatchString(name) || len(name) > unitLength) {
		v.add(path, "", "found %q; expected the name of a systemd unit: at most 255 letters, digits and :_.\\@-", brief(name))
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
