package panes

import (
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
)

// The guide's architecture diagram at one moment of the crisis: its 17 boxes
// with its figures, and its arrows.

var now = estatetest.At

const (
	okay = estate.OK
	warn = estate.Warn
	fail = estate.Fail
	unk  = estate.Unknown
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// fig is a headline figure.
func fig(name, value string, s estate.Status) estate.Fact {
	return estate.Fact{Name: name, Value: value, Status: s, Headline: true, At: ago(22 * time.Second), Took: 41 * time.Millisecond,
		Source: "DescribeSecret at secretsmanager.eu-west-1.amazonaws.com"}
}

func more(name, value, note, source, formula string, s estate.Status) estate.Fact {
	return estate.Fact{Name: name, Value: value, Note: note, Source: source, Formula: formula, Status: s, At: ago(48 * time.Second), Took: 130 * time.Millisecond}
}

func topology() *estate.Topology {
	c := func(id estate.ID, name string, p estate.Plane, group, sub string, kind estate.Kind, crit estate.Criticality, target string, secrets ...string) estate.Component {
		return estate.Component{ID: id, Name: name, Plane: p, Group: group, Subtitle: sub, Kind: kind, Target: target, Secrets: secrets,
			Policy: estate.Policy{Criticality: crit, Owner: "platform", Contact: "+44 20 7946 0000", Fallback: "read-only from the replica", Grace: 24 * time.Hour, Expiry: estate.ExpiryRole}}
	}
	const arn = "arn:aws:lambda:eu-west-1:111122223333:function:rotate-db"
	t := &estate.Topology{
		Environment: "production",
		Components: []estate.Component{
			c("api-gateway", "API Gateway", estate.Edge, "", "JWT validation", estate.KindGateway, estate.High, "https://api.company.com", "prod/api/external"),
			c("load-balancer", "Load Balancer", estate.Edge, "", "SSL certificates", estate.KindBalancer, estate.High, "lb.company.com:443"),
			c("secrets-manager", "Secrets Manager", estate.Service, "Secret Management", "AWS/HashiCorp Vault", estate.KindSecretsManager, estate.Critical, "account 111122223333", "prod/db/postgres", "prod/db/analytics"),
			c("rotation-lambda", "Rotation Lambda", estate.Service, "Secret Management", "", estate.KindRotationFunction, estate.High, arn),
			c("key-management", "Key Management", estate.Service, "Secret Management", "", estate.KindKeys, estate.Medium, "alias/prod"),
			c("user-service", "User Service", estate.Service, "Application Services", "", estate.KindApplication, estate.Critical, "http://10.0.4.17:8080/health", "prod/db/postgres"),
			c("payment-service", "Payment Service", estate.Service, "Application Services", "", estate.KindApplication, estate.Critical, "http://10.0.4.18:8080/health", "prod/api/payment"),
			c("analytics-service", "Analytics Service", estate.Service, "Application Services", "", estate.KindApplication, estate.Low, "http://10.0.4.19:8080/health", "prod/db/analytics"),
			c("vault-primary", "Vault Primary", estate.State, "Secret Storage", "", estate.KindVault, estate.Critical, "https://vault-1.company.com:8200"),
			c("vault-secondary", "Vault Secondary", estate.State, "Secret Storage", "", estate.KindVault, estate.High, "https://vault-2.company.com:8200"),
			c("secret-store", "Secret Store", estate.State, "Secret Storage", "Encrypted at rest", estate.KindSecretStore, estate.High, ""),
			c("postgres-primary", "PostgreSQL Primary", estate.State, "Target Systems", "", estate.KindPostgres, estate.Critical, "db.company.com:5432", "prod/db/postgres"),
			c("postgres-replica", "PostgreSQL Replica", estate.State, "Target Systems", "", estate.KindPostgres, estate.High, "db-ro.company.com:5432", "prod/db/postgres"),
			c("external-api", "External API", estate.State, "Target Systems", "", estate.KindExternalAPI, estate.Medium, "https://api.external.com", "prod/api/external"),
			c("rotation-monitor", "Rotation Monitor", estate.Control, "", "", estate.KindRotationMonitor, estate.Medium, ""),
			c("secret-monitor", "Secret Monitor", estate.Control, "", "", estate.KindSecretMonitor, estate.Medium, ""),
			c("access-monitor", "Access Monitor", estate.Control, "", "", estate.KindAccessMonitor, estate.Medium, ""),
		},
		Secrets: []estate.StoredSecret{
			{ID: "prod/db/postgres", Store: "secrets-manager", Type: estate.TypeDatabase, Policy: estate.Policy{Criticality: estate.Critical, Owner: "platform", Grace: 24 * time.Hour, Expiry: estate.ExpiryRole}},
		},
		Flows: []estate.Flow{
			{From: "api-gateway", To: "secrets-manager", Kind: estate.FlowSecret},
			{From: "load-balancer", To: "key-management", Kind: estate.FlowSecret},
			{From: "secrets-manager", To: "rotation-lambda", Kind: estate.FlowSecret},
			{From: "rotation-lambda", To: "vault-primary", Kind: estate.FlowSecret},
			{From: "vault-primary", To: "vault-secondary", Kind: estate.FlowSecret},
			{From: "user-service", To: "vault-primary", Kind: estate.FlowAccess},
			{From: "payment-service", To: "vault-primary", Kind: estate.FlowAccess},
			{From: "analytics-service", To: "vault-secondary", Kind: estate.FlowAccess},
			{From: "rotation-lambda", To: "postgres-primary", Kind: estate.FlowTarget},
			{From: "rotation-lambda", To: "postgres-replica", Kind: estate.FlowTarget},
			{From: "rotation-lambda", To: "external-api", Kind: estate.FlowTarget},
			{From: "rotation-monitor", To: "rotation-lambda", Kind: estate.FlowMonitoring, Label: "monitors"},
			{From: "secret-monitor", To: "vault-primary", Kind: estate.FlowMonitoring, Label: "tracks"},
			{From: "access-monitor", To: "user-service", Kind: estate.FlowMonitoring, Label: "audits"},
		},
	}
	return t.Index()
}

// readingsOf makes readings by hand: what each component says is given, not
// derived.
func readingsOf(t *estate.Topology, given map[estate.ID]estate.Reading, seen ...estate.Observation) *estate.Readings {
	s := estate.NewSnapshot(t, nil)
	if len(seen) > 0 {
		s = s.With(seen...)
	}
	r := estate.Derive(s, now)
	for i, c := range t.Components {
		one := given[c.ID]
		one.ID = c.ID
		r.All[i] = one
	}
	return r
}

func guideReadings() map[estate.ID]estate.Reading {
	rd := func(s estate.Status, word, reason string, facts ...estate.Fact) estate.Reading {
		return estate.Reading{Status: s, Word: word, Reason: reason, Facts: facts, At: ago(22 * time.Second), Took: 130 * time.Millisecond}
	}
	stale := fig("Replication lag", "45s", unk)
	stale.Stale, stale.At = true, ago(4*time.Minute+10*time.Second)
	return map[estate.ID]estate.Reading{
		"api-gateway": rd(fail, "EXPIRED", "the token of prod/api/external expired 15 days ago; 67% of requests fail to authenticate",
			fig("Secret", "EXPIRED", fail), fig("Auth failures", "67%", fail),
			more("Token key", "kid 2025-11", "", "GET https://login.company.com/.well-known/jwks.json", "", okay)),
		"load-balancer": rd(warn, "MANUAL", "nothing renews the certificate of lb.company.com, which ends in 12 days",
			fig("Rotation", "MANUAL", warn), fig("Next expiry", "12 days", warn),
			more("Addresses", "2 of 2 serve the same certificate", "", "TLS to 203.0.113.10:443", "", okay)),
		"secrets-manager": rd(fail, "FAILED", "prod/db/postgres was due 14 days ago and a version stays AWSPENDING",
			fig("Rotation status", "FAILED", fail), fig("Last rotation", "15 days ago", fail),
			more("prod/db/postgres next", "14 days ago", "overdue", "DescribeSecret at secretsmanager.eu-west-1.amazonaws.com", "", fail),
			more("AWSPENDING", "version 7c4e…, 15 days", "a rotation began and did not end", "DescribeSecret", "", fail)),
		"rotation-lambda": rd(fail, "ERROR", "every one of its last 3 invocations failed: DB connection timeout",
			fig("Status", "ERROR", fail), fig("Last run", "FAILED", fail), fig("Error", "DB connection timeout", fail),
			more("Failure rate", "100% of 3", "", "GetMetricData at monitoring.eu-west-1.amazonaws.com", "Errors / Invocations over 24 h", fail)),
		"key-management": rd(okay, "HEALTHY", "",
			fig("Encryption keys", "HEALTHY", okay), fig("Rotation", "SCHEDULED", okay), fig("Next", "7 days", okay)),
		"user-service": rd(fail, "EXPIRED", "its version of prod/db/postgres is refused by PostgreSQL Primary",
			fig("DB secret", "EXPIRED", fail), fig("Connection", "FAILED", fail), fig("Fallback", "NONE", warn)),
		"payment-service": rd(okay, "ROTATED", "",
			fig("API secret", "ROTATED", okay), fig("Connection", "HEALTHY", okay), fig("Last sync", "2h ago", okay)),
		"analytics-service": rd(warn, "STALE", "it still uses the version before the current one",
			fig("DB secret", "STALE", warn), fig("Connection", "DEGRADED", warn), fig("Retry attempts", "45", warn)),
		"vault-primary": rd(okay, "UNSEALED", "",
			fig("Seal status", "UNSEALED", okay), fig("Secrets", "2,847", okay), fig("Health", "HEALTHY", okay)),
		"vault-secondary": {Status: unk, Word: "DEGRADED", Reason: "no answer from vault-2.company.com:8200 for 4 minutes; the last good answer is shown",
			Facts: []estate.Fact{fig("Seal status", "UNSEALED", unk), stale, fig("Health", "DEGRADED", warn)}, At: ago(4*time.Minute + 10*time.Second)},
		"secret-store": {Status: unk, Word: "UNREAD", Reason: "no check reads audit devices of Vault in this version",
			Facts: []estate.Fact{fig("Access logs", "?", unk), fig("Audit trail", "?", unk)}},
		"postgres-primary": rd(fail, "BLOCKED", "the current password of app_user is refused (28P01) and the role expired 15 days ago",
			fig("User", "app_user", okay), fig("Password", "EXPIRED", fail), fig("Connections", "BLOCKED", fail),
			more("Login AWSCURRENT", "refused", "28P01 stands for six causes; VALID UNTIL is in the past", "SCRAM login at db.company.com:5432", "", fail),
			more("Slots", "97 of 100", "", "SELECT count(*) FROM pg_stat_activity at db.company.com:5432", "sessions / max_connections − reserved", warn)),
		"postgres-replica": rd(warn, "OLD_VERSION", "only the previous password works here: replay is 45 s behind",
			fig("User", "app_user", okay), fig("Password", "OLD_VERSION", warn), fig("Connections", "WORKING", okay)),
		"external-api": rd(okay, "HEALTHY", "",
			fig("API key", "ROTATED", okay), fig("Rate limit", "RESET", okay), fig("Status", "HEALTHY", okay)),
		"rotation-monitor": rd(fail, "CRITICAL", "23% of rotations succeeded in 24 h",
			fig("Success rate", "23%", fail), fig("Failed rotations", "12", fail), fig("Alert status", "CRITICAL", fail)),
		"secret-monitor": rd(warn, "ACTIVE", "12 secrets have expired",
			fig("Expiry tracking", "ACTIVE", okay), fig("Near-expiry", "45 secrets", warn), fig("Expired", "12 secrets", fail)),
		"access-monitor": rd(warn, "TRACKED", "2,347 failed authentications in 15 min",
			fig("Failed auths", "2,347", warn), fig("Secret usage", "TRACKED", okay), fig("Anomaly detection", "ON", okay)),
	}
}

func guide() *estate.Readings {
	return readingsOf(topology(), guideReadings(), estate.Observation{
		Key:    estate.Key{Component: "postgres-primary", Check: "replication"},
		Source: "SELECT from pg_stat_replication at db.company.com:5432", At: ago(25 * time.Second), Took: 12 * time.Millisecond, Interval: 30 * time.Second,
		Failure: &estate.Failure{Kind: estate.Denied, Doing: "read replication lag of PostgreSQL Primary", Detail: "permission denied for view pg_stat_replication", Next: "grant pg_monitor to the role warroom reads with"},
	})
}
