package discover

import (
	"net"
	"slices"
	"strings"
)

func (w *writer) edge() {
	for _, a := range w.found.accounts {
		for _, b := range a.balancers {
			w.component("lb-"+b.name, b.name, "edge", "")
			w.line(2, "subtitle: SSL certificates")
			w.line(2, "expiry: not_after")
			w.line(2, "balancer:")
			w.line(3, "account: %s", quote(a.Name))
			w.line(3, "load_balancer: %s", quote(b.name))
			w.line(3, "renewal: manual  # assumed; automatic, if something renews its certificates")
			w.line(3, "# To see what each address really serves, name it:")
			w.line(3, "# endpoints: [{address: www.example.com:443}]")
			w.line(0, "")
		}
	}
	edges := slices.Clone(w.found.edges)
	for _, k := range w.found.clusters {
		for _, h := range k.hosts {
			edges = append(edges, edge{address: net.JoinHostPort(h, "443"), name: h, from: "an Ingress of " + k.Name})
		}
	}
	if len(edges) == 0 {
		return
	}
	w.component("tls-endpoints", "TLS Endpoints", "edge", "")
	w.line(2, "subtitle: SSL certificates")
	w.line(2, "expiry: not_after")
	w.line(2, "balancer:")
	w.line(3, "renewal: manual  # assumed; automatic, if something renews these certificates")
	w.line(3, "endpoints:")
	seen := map[string]bool{}
	for _, e := range edges {
		if seen[e.address+"|"+e.name] {
			continue
		}
		seen[e.address+"|"+e.name] = true
		w.line(4, "- address: %s%s", quote(e.address), comment(e.from, true))
		if e.name != "" {
			w.line(5, "server_name: %s", quote(e.name))
		}
		if e.certificate != "" {
			w.line(5, "certificate: %s", quote(e.certificate))
		}
	}
	w.line(0, "")
}

func (w *writer) service() {
	several := len(w.found.accounts) > 1
	for _, a := range w.found.accounts {
		w.secretsManager(a, several)
		for _, f := range a.functions {
			id := w.component(f, of(f, a.Name, several), "service", "Secret Management")
			w.line(2, "subtitle: rotates secrets")
			w.line(2, "rotation_function:")
			w.line(3, "account: %s", quote(a.Name))
			w.line(3, "function: %s", quote(f))
			w.line(0, "")
			w.rotators = append(w.rotators, id)
			if len(a.secrets) > 0 {
				w.flow(w.managers[len(w.managers)-1], id, "secret", "rotates")
			}
		}
		if len(a.keys) > 0 {
			id := w.component("key-management-"+a.Name, of("Key Management", a.Name, several), "service", "Secret Management")
			w.line(2, "subtitle: Encryption keys")
			w.line(2, "keys:")
			w.line(3, "account: %s", quote(a.Name))
			w.line(3, "keys:")
			for _, k := range a.keys {
				w.line(4, "- %s", quote(k))
			}
			w.line(0, "")
			if len(a.secrets) > 0 {
				w.flow(w.managers[len(w.managers)-1], id, "secret", "encrypts")
			}
		}
	}
	for _, k := range w.found.clusters {
		w.jobs(k)
		w.workloads(k)
	}
}

func (w *writer) secretsManager(a account, several bool) {
	if len(a.secrets) == 0 {
		return
	}
	id := w.component("secrets-manager-"+a.Name, of("Secrets Manager", a.Name, several), "service", "Secret Management")
	w.managers = append(w.managers, id)
	w.line(2, "subtitle: AWS Secrets Manager")
	w.line(2, "secrets_manager:")
	w.line(3, "account: %s", quote(a.Name))
	if tag := a.expiryTag(); tag != "" {
		w.line(3, "expiry_tag: %s", quote(tag))
	}
	if rest := a.total - len(a.secrets); rest > 0 || a.partial {
		w.line(3, "# %d of the %d secrets that were seen; those that rotate come first. The rest are counted, not watched.", len(a.secrets), a.total)
	}
	w.line(3, "secrets:")
	for _, s := range a.secrets {
		called := s.name
		if w.called[called] {
			called = a.Name + ":" + s.name
		}
		w.called[called] = true
		w.stored[a.Name+"|"+s.name] = called
		w.line(4, "- id: %s", quote(s.name))
		if called != s.name {
			w.line(5, "as: %s", quote(called))
		}
		w.line(5, "type: %s%s", s.kind, comment("guessed from its name", s.guessed))
		if s.criticality != "" {
			w.line(5, "criticality: %s", s.criticality)
		}
		if s.owner != "" {
			w.line(5, "owner: %s", quote(s.owner))
		}
		if s.expiryTag != "" {
			w.line(5, "expiry: %s", quote("tag:"+s.expiryTag))
		}
	}
	w.line(0, "")
}

// expiryTag is the tag that most of an account's secrets use for their end.
func (a account) expiryTag() string {
	count, best := map[string]int{}, ""
	for _, s := range a.secrets {
		if s.expiryTag == "" {
			continue
		}
		count[s.expiryTag]++
		if n := count[s.expiryTag]; best == "" || n > count[best] || n == count[best] && s.expiryTag < best {
			best = s.expiryTag
		}
	}
	return best
}

func (w *writer) jobs(k cluster) {
	for _, job := range k.jobs {
		_, name, _ := strings.Cut(job, "/")
		w.component(name, name, "service", "Secret Management")
		w.line(2, "scheduled_job:  # taken for one that rotates secrets by its name")
		w.line(3, "cluster: %s", quote(k.Name))
		w.line(3, "job: %s", quote(job))
		w.line(0, "")
	}
}

func (w *writer) workloads(k cluster) {
	if k.more > 0 {
		w.line(1, "# %d more workloads of %s consume secrets and are not listed here.", k.more, oneLine(k.Name))
	}
	for _, one := range k.workloads {
		id := w.component(one.name, one.name, "service", "Application Services")
		w.consumers = append(w.consumers, id)
		w.line(2, "application:")
		w.line(3, "cluster: %s", quote(k.Name))
		w.line(3, "workload: %s", quote(one.namespace+"/"+one.kind+"/"+one.name))
		w.line(3, "# It consumes: %s", oneLine(strings.Join(one.secrets, ", ")))
		var known []string
		for _, name := range one.stored {
			var keepers []int
			for i, a := range w.found.accounts {
				if _, ok := w.stored[a.Name+"|"+name]; ok {
					keepers = append(keepers, i)
				}
			}
			switch len(keepers) {
			case 0:
			case 1:
				known = append(known, quote(w.stored[w.found.accounts[keepers[0]].Name+"|"+name]))
				w.flow(id, w.manager(keepers[0]), "access", "reads")
			default:
				w.line(3, "# It reads %s of one of several accounts that have one.", oneLine(name))
			}
		}
		if len(known) > 0 {
			w.line(3, "secrets: [%s]  # by their ExternalSecrets", strings.Join(known, ", "))
		} else {
			w.line(3, "# secrets: [the stored secrets that these come from]")
		}
		w.line(3, "# health: {url: https://%s.example.com/health}", strings.ReplaceAll(one.name, "_", "-"))
		w.line(0, "")
	}
}

// manager is the component of the i-th account's secrets.
func (w *writer) manager(i int) string {
	n := 0
	for j := range i {
		if len(w.found.accounts[j].secrets) > 0 {
			n++
		}
	}
	return w.managers[n]
}

func (w *writer) state() {
	several := len(w.found.vaults) > 1
	for _, v := range w.found.vaults {
		w.component(v.Name, of("Vault", v.Name, several), "state", "Secret Storage")
		if !v.token {
			w.line(2, "# There was no token: without one only its seal and its health can be read.")
		}
		if v.sealed {
			w.line(2, "# It was sealed when this was written.")
		}
		w.line(2, "vault:")
		w.line(3, "cluster: %s", quote(v.Name))
		w.line(0, "")
	}
	for i, a := range w.found.accounts {
		id := w.component("secret-store-"+a.Name, of("Secret Store", a.Name, len(w.found.accounts) > 1), "state", "Secret Storage")
		w.line(2, "secret_store:")
		w.line(3, "account: %s", quote(a.Name))
		if i == 0 && len(w.found.vaults) > 0 {
			w.line(3, "cluster: %s", quote(w.found.vaults[0].Name))
		}
		w.line(0, "")
		if len(a.secrets) > 0 {
			w.flow(w.manager(i), id, "secret", "stores")
		}
	}
	w.line(1, "# A database whose password is rotated; logging in proves which password works:")
	w.line(1, "# - id: database")
	w.line(1, "#   name: PostgreSQL Primary")
	w.line(1, "#   plane: state")
	w.line(1, "#   group: Target Systems")
	w.line(1, "#   postgres: {host: db.example.com, database: production, secret: prod/db/postgres}")
	w.line(0, "")
}

func (w *writer) control() {
	if len(w.found.accounts) > 0 {
		id := w.component("rotation-monitor", "Rotation Monitor", "control", "")
		w.line(2, "rotation_monitor: {}")
		w.line(0, "")
		for _, r := range w.rotators {
			w.flow(id, r, "monitoring", "monitors")
		}
		id = w.component("secret-monitor", "Secret Monitor", "control", "")
		w.line(2, "secret_monitor: {}")
		w.line(0, "")
		for _, m := range w.managers {
			w.flow(id, m, "monitoring", "tracks")
		}
	}
	w.line(1, "# Failed authentications need a source: a log group, a metric, or a Prometheus query.")
	w.line(1, "# - id: access-monitor")
	w.line(1, "#   name: Access Monitor")
	w.line(1, "#   plane: control")
	w.line(1, "#   access_monitor:")
	w.line(1, "#     sources:")
	w.line(1, "#       - {name: database logins, account: main, logs: {group: /aws/rds/instance/db/postgresql}}")
	w.line(0, "")
}
