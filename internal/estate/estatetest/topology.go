package estatetest

import (
	"time"

	"warroom/internal/estate"
)

const day = 24 * time.Hour

// Ids of the stored secrets.
const (
	dbSecret        = "prod/db/postgres"
	analyticsSecret = "prod/db/analytics"
	paymentSecret   = "prod/api/payment"
	apiSecret       = "prod/api/external"
	tokenSecret     = "prod/jwt/gateway"
)

// Names of the sources of failed authentications.
const (
	databaseLogins = "database logins"
	gatewayCalls   = "gateway calls"
	vaultRequests  = "Vault requests"
)

// Topology is the guide's architecture diagram.
func Topology() *estate.Topology {
	c := func(id estate.ID, name string, p estate.Plane, group, sub string, kind estate.Kind, crit estate.Criticality, target string, secrets ...string) estate.Component {
		return estate.Component{ID: id, Name: name, Plane: p, Group: group, Subtitle: sub, Kind: kind, Target: target, Secrets: secrets,
			Policy: estate.Policy{Criticality: crit, Owner: "platform", Contact: "+44 20 7946 0000", Grace: day}}
	}
	const (
		management, applications = "Secret Management", "Application Services"
		storage, targets         = "Secret Storage", "Target Systems"
	)
	t := &estate.Topology{
		Environment: "production",
		Components: []estate.Component{
			c("api-gateway", "API Gateway", estate.Edge, "", "JWT validation", estate.KindGateway, estate.High, "https://api.company.com", tokenSecret),
			c("load-balancer", "Load Balancer", estate.Edge, "", "SSL certificates", estate.KindBalancer, estate.High, "lb.company.com:443"),
			c("secrets-manager", "Secrets Manager", estate.Service, management, "AWS/HashiCorp Vault", estate.KindSecretsManager, estate.Critical, "account 111122223333"),
			c("rotation-lambda", "Rotation Lambda", estate.Service, management, "", estate.KindRotationFunction, estate.High, "arn:aws:lambda:eu-west-1:111122223333:function:rotate-db"),
			c("key-management", "Key Management", estate.Service, management, "", estate.KindKeys, estate.Medium, "alias/prod"),
			c("user-service", "User Service", estate.Service, applications, "", estate.KindApplication, estate.Critical, "http://10.0.4.17:8080/health", dbSecret),
			c("payment-service", "Payment Service", estate.Service, applications, "", estate.KindApplication, estate.Critical, "http://10.0.4.18:8080/health", paymentSecret),
			c("analytics-service", "Analytics Service", estate.Service, applications, "reports", estate.KindApplication, estate.Low, "http://10.0.4.19:8080/health", analyticsSecret),
			c("vault-primary", "Vault Primary", estate.State, storage, "", estate.KindVault, estate.Critical, "https://vault-1.company.com:8200"),
			c("vault-secondary", "Vault Secondary", estate.State, storage, "", estate.KindVault, estate.High, "https://vault-2.company.com:8200"),
			c("secret-store", "Secret Store", estate.State, storage, "Encrypted at rest", estate.KindSecretStore, estate.High, ""),
			c("postgres-primary", "PostgreSQL Primary", estate.State, targets, "", estate.KindPostgres, estate.Critical, "db.company.com:5432", dbSecret),
			c("postgres-replica", "PostgreSQL Replica", estate.State, targets, "", estate.KindPostgres, estate.High, "db-ro.company.com:5432", dbSecret),
			c("external-api", "External API", estate.State, targets, "", estate.KindExternalAPI, estate.Medium, "https://api.external.com", apiSecret),
			c("rotation-monitor", "Rotation Monitor", estate.Control, "", "", estate.KindRotationMonitor, estate.Medium, ""),
			c("secret-monitor", "Secret Monitor", estate.Control, "", "", estate.KindSecretMonitor, estate.Medium, ""),
			c("access-monitor", "Access Monitor", estate.Control, "", "", estate.KindAccessMonitor, estate.Medium, ""),
		},
		Secrets: []estate.StoredSecret{
			{ID: dbSecret, Store: "secrets-manager", Type: estate.TypeDatabase, Policy: estate.Policy{Criticality: estate.Critical, Owner: "platform", Grace: day, Expiry: estate.ExpiryRole}},
			{ID: analyticsSecret, Store: "secrets-manager", Type: estate.TypeDatabase, Policy: estate.Policy{Criticality: estate.Low, Owner: "data", Expiry: estate.ExpiryRotation}},
			{ID: paymentSecret, Store: "secrets-manager", Type: estate.TypeAPIKey, Policy: estate.Policy{Criticality: estate.Critical, Expiry: estate.ExpiryRotation}},
			{ID: apiSecret, Store: "secrets-manager", Type: estate.TypeAPIKey, Policy: estate.Policy{Expiry: estate.ExpiryRotation}},
			{ID: tokenSecret, Store: "secrets-manager", Type: estate.TypeToken, Policy: estate.Policy{Expiry: estate.ExpiryTag, ExpiryTag: "expires-at"}},
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
		Rules: estate.Rules{
			ExpiryWarn: 7 * day, CertWarnFraction: 0.33, CertFail: 3 * day,
			AuthFailuresWarn: 0.05, AuthFailuresFail: 0.25, ConnectionsWarn: 0.8, ConnectionsFail: 0.95,
			ReplayLagWarnBytes: 1 << 20, ReplayLagFailBytes: 64 << 20, ClockSkewWarn: 30 * time.Second, SyncWarn: day,
			RotationWarn: 0.95, RotationFail: 0.8, VaultLagWarn: 10 * time.Second, VaultLagFail: 5 * time.Minute,
			AnomalyFactor: 3, AnomalyFloor: 10, RotationWindow: day, ChangesWindow: day,
		},
	}
	for id, system := range map[estate.ID]string{
		"api-gateway": "main", "secrets-manager": "main", "rotation-lambda": "main", "key-management": "main",
		"user-service": "prod", "payment-service": "prod", "analytics-service": "prod",
		"vault-primary": "vault-1", "vault-secondary": "vault-2",
	} {
		component(t, id).System = system
	}
	for id, workload := range map[estate.ID]string{
		"user-service": "apps/deployment/user-service", "payment-service": "apps/deployment/payment-service", "analytics-service": "apps/deployment/analytics-service",
	} {
		component(t, id).Workload = workload
	}
	component(t, "user-service").Uses, component(t, "analytics-service").Uses = "postgres-primary", "postgres-replica"
	component(t, "vault-secondary").Standby = true
	component(t, "secret-store").Sources = []string{"main", "vault-1"}
	component(t, "rotation-monitor").Sources = []string{"main"}
	component(t, "access-monitor").Sources = []string{databaseLogins, gatewayCalls, vaultRequests}
	component(t, "access-monitor").Of = []estate.ID{"postgres-primary", "api-gateway", "vault-primary"}
	component(t, "load-balancer").Renewal = estate.RenewalManual
	component(t, "postgres-replica").Standby = true
	component(t, "postgres-primary").Expiry, component(t, "postgres-replica").Expiry = estate.ExpiryRole, estate.ExpiryRole
	component(t, "payment-service").Fallback = "queued, and charged later"
	component(t, "analytics-service").Fallback = "yesterday's figures"
	return t.Index()
}

func component(t *estate.Topology, id estate.ID) *estate.Component {
	for i := range t.Components {
		if t.Components[i].ID == id {
			return &t.Components[i]
		}
	}
	panic("the diagram has no " + id)
}
