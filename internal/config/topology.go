package config

import (
	"cmp"
	"net"
	"strconv"
	"strings"

	"warroom/internal/estate"
)

// Topology is the estate that c describes, indexed. Stored secrets have the
// policy of their component where they have none of their own.
func (c *Config) Topology() *estate.Topology {
	t := &estate.Topology{
		Environment: c.Environment,
		Drill:       c.Drill,
		Rules:       c.rules(),
	}
	for i := range c.Components {
		one := &c.Components[i]
		t.Components = append(t.Components, c.component(one))
		_, kept := one.kept()
		for _, s := range kept {
			own := s.Policy
			if !c.inherited {
				own = inherited(own, one.Policy, own.has)
			}
			t.Secrets = append(t.Secrets, estate.StoredSecret{
				ID: s.Called(), Name: s.ID, Store: estate.ID(one.ID), Type: estate.SecretType(s.Type), Policy: own.estate(),
			})
		}
	}
	for _, f := range c.Flows {
		t.Flows = append(t.Flows, estate.Flow{From: estate.ID(f.From), To: estate.ID(f.To), Kind: estate.FlowKind(f.Kind), Label: f.Label})
	}
	return t.Index()
}

func (c *Config) component(one *Component) estate.Component {
	kind := one.Kind()
	out := estate.Component{
		ID: estate.ID(one.ID), Name: one.Name, Plane: planeOf(one.Plane), Group: one.Group, Subtitle: one.Subtitle,
		Kind: kind, Target: c.target(one), Secrets: one.uses(), Unread: one.unread(), System: one.system(), Policy: one.Policy.estate(),
	}
	switch {
	case one.Balancer != nil:
		out.Renewal = estate.Renewal(one.Balancer.Renewal)
	case one.Postgres != nil:
		out.Standby = one.Postgres.Role == "replica"
		if one.Postgres.Monitor != one.Postgres.Secret {
			out.Monitor = one.Postgres.Monitor
		}
	case one.Vault != nil:
		out.Standby = one.Vault.Role == "secondary"
	case one.Application != nil:
		out.Workload, out.Uses = cmp.Or(one.Application.Workload, one.Application.Unit), estate.ID(one.Application.Uses)
	case one.ScheduledJob != nil:
		out.Workload = cmp.Or(one.ScheduledJob.Job, one.ScheduledJob.Timer)
	case one.SecretStore != nil:
		for _, name := range []string{one.SecretStore.Account, one.SecretStore.Cluster} {
			if name != "" {
				out.Sources = append(out.Sources, name)
			}
		}
	case one.RotationMonitor != nil:
		out.Watches, out.Sources = ids(one.RotationMonitor.Watches), c.monitored(one.RotationMonitor)
	case one.SecretMonitor != nil:
		out.Watches = ids(one.SecretMonitor.Watches)
	case one.AccessMonitor != nil:
		out.Watches = ids(one.AccessMonitor.Watches)
		for _, s := range one.AccessMonitor.Sources {
			out.Sources, out.Of = append(out.Sources, s.Name), append(out.Of, estate.ID(s.Of))
		}
	}
	return out
}

func ids(names []string) []estate.ID {
	var out []estate.ID
	for _, name := range names {
		out = append(out, estate.ID(name))
	}
	return out
}

// monitored are the accounts whose rotations a monitor counts.
func (c *Config) monitored(m *RotationMonitor) []string {
	if len(m.Accounts) > 0 {
		return m.Accounts
	}
	var all []string
	for _, a := range c.AWS {
		all = append(all, a.Name)
	}
	return all
}

func planeOf(key string) estate.Plane {
	for _, p := range estate.Planes {
		if p.String() == key {
			return p
		}
	}
	return estate.Service
}

// target says where a component is.
func (c *Config) target(one *Component) string {
	switch {
	case one.Gateway != nil:
		return one.Gateway.URL
	case one.Balancer != nil:
		addresses := make([]string, len(one.Balancer.Endpoints))
		for i, e := range one.Balancer.Endpoints {
			addresses[i] = e.Address
		}
		if len(addresses) == 0 {
			return one.Balancer.Balancer
		}
		return strings.Join(addresses, ", ")
	case one.SecretsManager != nil:
		return c.account(one.SecretsManager.Account)
	case one.RotationFunction != nil:
		return one.RotationFunction.Function
	case one.Keys != nil:
		return strings.Join(one.Keys.Keys, ", ")
	case one.Postgres != nil:
		return net.JoinHostPort(one.Postgres.Host, strconv.Itoa(one.Postgres.Port)) + "/" + one.Postgres.Database
	case one.ExternalAPI != nil:
		return one.ExternalAPI.URL
	case one.Application != nil:
		a := one.Application
		switch {
		case a.Health != nil:
			return a.Health.URL
		case a.Workload != "":
			return a.Workload
		}
		return a.Unit
	case one.ScheduledJob != nil:
		return cmp.Or(one.ScheduledJob.Job, one.ScheduledJob.Timer)
	case one.Vault != nil:
		return c.vault(one.Vault.Cluster)
	case one.SecretStore != nil && one.SecretStore.Account != "":
		return c.account(one.SecretStore.Account)
	case one.SecretStore != nil:
		return c.vault(one.SecretStore.Cluster)
	}
	return ""
}

func (c *Config) account(name string) string {
	for _, a := range c.AWS {
		if a.Name == name && a.Region != "" {
			return name + " " + a.Region
		}
	}
	return name
}

func (c *Config) vault(name string) string {
	for _, v := range c.Vaults {
		if v.Name == name && v.Address != "" {
			return v.Address
		}
	}
	return name
}

// uses lists the stored secrets with which a component does its work.
func (c *Component) uses() []string {
	var out []string
	add := func(id string) {
		if id != "" {
			out = append(out, id)
		}
	}
	switch {
	case c.Gateway != nil && c.Gateway.Token != nil:
		add(c.Gateway.Token.Secret)
	case c.Postgres != nil:
		add(c.Postgres.Secret)
	case c.Balancer != nil:
		add(c.Balancer.Secret)
	case c.ExternalAPI != nil:
		add(c.ExternalAPI.Secret)
	case c.Application != nil:
		out = append(out, c.Application.Secrets...)
	case c.ScheduledJob != nil:
		out = append(out, c.ScheduledJob.Secrets...)
	}
	return out
}

// Uses are the stored secrets that some component uses to do its work, or that
// warroom itself watches with.
func (c *Config) Uses() map[string]bool {
	used := map[string]bool{}
	for i := range c.Components {
		one := &c.Components[i]
		for _, secret := range one.uses() {
			used[secret] = true
		}
		if one.Postgres != nil && one.Postgres.Monitor != "" {
			used[one.Postgres.Monitor] = true
		}
	}
	return used
}

// system is the account or cluster in which a component is read.
func (c *Component) system() string {
	switch {
	case c.Gateway != nil:
		return c.Gateway.Account
	case c.Balancer != nil:
		return c.Balancer.Account
	case c.SecretsManager != nil:
		return c.SecretsManager.Account
	case c.RotationFunction != nil:
		return c.RotationFunction.Account
	case c.Keys != nil:
		return c.Keys.Account
	case c.Application != nil:
		return c.Application.Cluster
	case c.ScheduledJob != nil:
		return c.ScheduledJob.Cluster
	case c.Vault != nil:
		return c.Vault.Cluster
	}
	return ""
}

// unread says why no check reads a component; empty when one does.
func (c *Component) unread() string {
	switch c.Kind() {
	case estate.KindAccessMonitor:
		if len(c.AccessMonitor.Sources) == 0 {
			return "no source of failed authentications is configured"
		}
	case estate.KindApplication:
		// What there is to read of a workload or unit is announced as such; an
		// application of which nothing is configured has nothing to announce.
		if a := c.Application; a.Health == nil && len(a.Secrets) == 0 && a.Workload == "" && a.Unit == "" {
			return "neither secrets, health endpoint, workload nor unit are configured"
		}
	}
	return ""
}

// has reports whether the field called key is set.
func (p Policy) has(key string) bool {
	switch key {
	case "criticality":
		return p.Criticality != ""
	case "owner":
		return p.Owner != ""
	case "contact":
		return p.Contact != ""
	case "fallback":
		return p.Fallback != ""
	case "grace":
		return p.Grace != 0
	}
	return p.Expiry != ""
}

func (p Policy) estate() estate.Policy {
	out := estate.Policy{
		Criticality: estate.Criticality(p.Criticality), Owner: p.Owner, Contact: p.Contact, Fallback: p.Fallback, Grace: p.Grace,
	}
	out.Expiry, out.ExpiryTag, _ = parseExpiry(p.Expiry)
	return out
}

// parseExpiry reads the expiry key: a word, or tag:KEY.
func parseExpiry(text string) (source estate.ExpirySource, tag string, ok bool) {
	if key, isTag := strings.CutPrefix(text, "tag:"); isTag {
		return estate.ExpiryTag, key, strings.TrimSpace(key) != ""
	}
	switch source := estate.ExpirySource(text); source {
	case estate.ExpiryNone, estate.ExpiryRole, estate.ExpiryCert, estate.ExpiryRotation:
		return source, "", true
	}
	return estate.ExpiryNone, "", false
}

func (c *Config) rules() estate.Rules {
	t := c.Thresholds
	return estate.Rules{
		RotationWarn: t.RotationWarn, RotationFail: t.RotationFail, VaultLagWarn: t.VaultLagWarn, VaultLagFail: t.VaultLagFail,
		AnomalyFactor: t.AnomalyFactor, AnomalyFloor: t.AnomalyFloor,
		ExpiryWarn: t.ExpiryWarn, CertWarnFraction: t.CertWarnFraction, CertFail: t.CertFail,
		AuthFailuresWarn: t.AuthFailuresWarn, AuthFailuresFail: t.AuthFailuresFail,
		ConnectionsWarn: t.ConnectionsWarn, ConnectionsFail: t.ConnectionsFail,
		ReplayLagWarnBytes: t.ReplayLagWarn, ReplayLagFailBytes: t.ReplayLagFail,
		ClockSkewWarn: t.ClockSkewWarn, SyncWarn: t.SyncWarn,
		RotationWindow: c.Windows.Rotation, ChangesWindow: c.Windows.Changes,
	}
}
