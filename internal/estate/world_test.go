package estate

import "time"

// noon is the time of every test world.
var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

const (
	vOld = "11111111-aaaa-4aaa-8aaa-000000000001"
	vNow = "22222222-aaaa-4aaa-8aaa-000000000002"
	vNew = "33333333-aaaa-4aaa-8aaa-000000000003"
)

func ago(d time.Duration) time.Time { return noon.Add(-d) }
func in(d time.Duration) time.Time  { return noon.Add(d) }

// topology is a small estate with one component of every kind that is read.
func topology() *Topology {
	t := &Topology{
		Environment: "test",
		Components: []Component{
			{ID: "gw", Name: "API Gateway", Plane: Edge, Kind: KindGateway, Secrets: []string{"token"}},
			{ID: "lb", Name: "Load Balancer", Plane: Edge, Kind: KindBalancer, Renewal: RenewalManual},
			{ID: "sm", Name: "Secrets Manager", Plane: Service, Kind: KindSecretsManager, Policy: Policy{Criticality: Critical}},
			{ID: "fn", Name: "Rotation Lambda", Plane: Service, Kind: KindRotationFunction},
			{ID: "km", Name: "Key Management", Plane: Service, Kind: KindKeys},
			{ID: "app", Name: "User Service", Plane: Service, Kind: KindApplication, Secrets: []string{"db"}},
			{ID: "pg1", Name: "Primary", Plane: State, Kind: KindPostgres, Secrets: []string{"db"}, Policy: Policy{Criticality: Critical}},
			{ID: "pg2", Name: "Replica", Plane: State, Kind: KindPostgres, Secrets: []string{"db"}, Standby: true},
			{ID: "api", Name: "External API", Plane: State, Kind: KindExternalAPI, Secrets: []string{"key"}},
			{ID: "vault", Name: "Vault", Plane: State, Kind: KindVault, Unread: "no check reads Vault yet"},
		},
		Secrets: []StoredSecret{
			{ID: "db", Store: "sm", Type: TypeDatabase, Policy: Policy{Criticality: Critical, Expiry: ExpiryRole}},
			{ID: "key", Store: "sm", Type: TypeAPIKey, Policy: Policy{Expiry: ExpiryRotation}},
			{ID: "token", Store: "sm", Type: TypeToken, Policy: Policy{Expiry: ExpiryTag, ExpiryTag: "expires-at"}},
		},
		Flows: []Flow{
			{From: "gw", To: "sm", Kind: FlowSecret},
			{From: "fn", To: "pg1", Kind: FlowTarget},
			{From: "app", To: "sm", Kind: FlowAccess},
		},
		Rules: Rules{
			ExpiryWarn: 7 * day, CertWarnFraction: 0.33, CertFail: 3 * day,
			AuthFailuresWarn: 0.05, AuthFailuresFail: 0.25, ConnectionsWarn: 0.8, ConnectionsFail: 0.95,
			ReplayLagWarnBytes: 1 << 20, ReplayLagFailBytes: 64 << 20,
			ClockSkewWarn: 30 * time.Second, SyncWarn: day,
		},
	}
	return t.Index()
}

// saw is an observation made ten seconds ago at an interval of 15 s.
func saw(owner ID, check, item string, data Data) Observation {
	return Observation{
		Key: Key{owner, check, item}, Source: check + " " + item,
		At: ago(10 * time.Second), Took: 20 * time.Millisecond, Interval: 15 * time.Second, Data: data,
	}
}

func described(id string, rotated, next time.Time, versions ...SecretVersion) SecretDescription {
	return SecretDescription{
		Secret: id, RotationEnabled: true, RotateEvery: 14 * day,
		LastRotated: rotated, NextRotation: next, LastChanged: rotated, Versions: versions,
	}
}

func login(stage Stage, version string, outcome LoginOutcome, state string) Login {
	return Login{Secret: "db", Stage: stage, Version: version, User: "app_user", Database: "production", Outcome: outcome, SQLState: state, TLS: true}
}

// healthy is an estate in which nothing is wrong.
func healthy() []Observation {
	dbOK := described("db", ago(3*day), in(11*day), SecretVersion{vNow, []Stage{StageCurrent, StagePending}}, SecretVersion{vOld, []Stage{StagePrevious}})
	token := described("token", ago(day), in(13*day), SecretVersion{vNow, []Stage{StageCurrent}})
	token.Tags = map[string]string{"expires-at": in(30 * day).Format(time.RFC3339)}
	leaf := Certificate{Subject: "api", Serial: "01", SHA256: "ab", NotBefore: ago(20 * day), NotAfter: in(70 * day)}
	free := true
	return []Observation{
		saw("gw", CheckProbe, ItemWithToken, GatewayProbe{WithToken: true, Code: 200, KeyID: "k1", Expires: in(30 * day)}),
		saw("gw", CheckProbe, ItemWithoutToken, GatewayProbe{Code: 401}),
		saw("gw", CheckIssuer, "", IssuerKeys{KeyIDs: []string{"k1"}}),
		saw("gw", CheckAuthFailures, "", FailureRate{Window: 5 * time.Minute, Total: 1000, Failed: 3}),
		saw("lb", CheckTLS, "lb:443|api", Endpoint{Name: "lb:443", ServerName: "api", Addresses: []Served{{Address: "10.0.0.1:443", Leaf: &leaf}}, Disk: &leaf, KeyMatches: &free}),
		saw("sm", CheckIdentity, "", CallerIdentity{Account: "1", ARN: "arn:x", Expires: in(time.Hour)}),
		saw("sm", CheckInventory, "", SecretInventory{Total: 3, Rotating: 3}),
		saw("sm", CheckDescribe, "db", dbOK),
		saw("sm", CheckDescribe, "key", described("key", ago(2*time.Hour), in(14*day), SecretVersion{vNow, []Stage{StageCurrent}})),
		saw("sm", CheckDescribe, "token", token),
		saw("fn", CheckFunction, "", FunctionConfig{State: "Active", LastUpdate: "Successful", Timeout: 30 * time.Second, LastModified: ago(40 * day)}),
		saw("fn", CheckConcurrency, "", FunctionConcurrency{}),
		saw("fn", CheckPolicy, "", FunctionPolicy{SecretsManagerMayInvoke: true}),
		saw("fn", CheckFunctionMetrics, "", FunctionMetrics{Window: day, Invocations: 4, LastPoint: ago(2 * time.Hour), MaxDuration: 2 * time.Second}),
		saw("fn", CheckFunctionLogs, "", FunctionLogs{Window: day}),
		saw("km", CheckKey, "k", KeyState{KeyID: "k", State: "Enabled"}),
		saw("km", CheckKeyRotation, "k", KeyRotation{KeyID: "k", Supported: true, Enabled: true, PeriodDays: 90, Next: in(7*day + 12*time.Hour)}),
		saw("km", CheckKey, "k2", KeyState{KeyID: "k2", State: "Enabled"}),
		saw("km", CheckKeyRotation, "k2", KeyRotation{KeyID: "k2", Supported: true, Enabled: true, PeriodDays: 365, Next: in(200 * day)}),
		saw("app", CheckHealth, "", Health{Code: 200, Word: "OK", Connection: "HEALTHY", LastSync: ago(2 * time.Hour), Version: vNow}),
		saw("pg1", CheckLogin, string(StageCurrent), login(StageCurrent, vNow, LoginAccepted, "")),
		saw("pg1", CheckLogin, string(StagePending), login(StagePending, vNow, LoginAccepted, "")),
		saw("pg1", CheckLogin, string(StagePrevious), login(StagePrevious, vOld, LoginWrong, "28P01")),
		saw("pg1", CheckRole, "", Role{Name: "app_user", Exists: true, CanLogin: true, ValidUntil: in(20 * day), ConnLimit: -1}),
		saw("pg1", CheckConnections, "", Connections{Used: 20, Max: 100, Reserved: 3}),
		saw("pg1", CheckReplication, "", Replication{Standbys: []Standby{{Name: "r", State: "streaming", LagBytes: 100}}}),
		saw("pg2", CheckLogin, string(StageCurrent), login(StageCurrent, vNow, LoginAccepted, "")),
		saw("pg2", CheckReplication, "", Replication{InRecovery: true, Connected: true, LastReplay: ago(time.Minute)}),
		saw("api", CheckAPI, "", APIProbe{Code: 200, RateLimit: 100, RateRemaining: 100}),
	}
}

// crisis is the guide's Scenario 1 over healthy.
func crisis() []Observation {
	db := described("db", ago(15*day+2*time.Hour), ago(day+2*time.Hour),
		SecretVersion{vNew, []Stage{StagePending}}, SecretVersion{vNow, []Stage{StageCurrent}}, SecretVersion{vOld, []Stage{StagePrevious}})
	db.LastChanged = ago(day + time.Hour)
	token := described("token", ago(40*day), in(day), SecretVersion{vNow, []Stage{StageCurrent}})
	token.Tags = map[string]string{"expires-at": ago(6 * time.Hour).Format(time.RFC3339)}
	leaf := Certificate{Subject: "api", Serial: "01", SHA256: "ab", NotBefore: ago(77 * day), NotAfter: in(12*day + 12*time.Hour)}
	return []Observation{
		saw("gw", CheckProbe, ItemWithToken, GatewayProbe{WithToken: true, Code: 401, Error: "invalid_token", Description: "the token has expired", KeyID: "k1", Expires: ago(6 * time.Hour)}),
		saw("gw", CheckAuthFailures, "", FailureRate{Window: 5 * time.Minute, Total: 3000, Failed: 2010}),
		saw("lb", CheckTLS, "lb:443|api", Endpoint{Name: "lb:443", ServerName: "api", Addresses: []Served{{Address: "10.0.0.1:443", Leaf: &leaf}}, Disk: &leaf}),
		saw("sm", CheckDescribe, "db", db),
		saw("sm", CheckDescribe, "token", token),
		saw("fn", CheckFunctionMetrics, "", FunctionMetrics{Window: day, Invocations: 9, Errors: 9, LastErrors: 1, LastPoint: ago(10 * time.Minute), MaxDuration: 30 * time.Second}),
		saw("fn", CheckFunctionLogs, "", FunctionLogs{Window: day, Errors: []LogLine{
			{ago(10 * time.Minute), "2026-03-21T11:50:00.000Z 5f2b8c1e-0000-4000-8000-000000000000 Task timed out after 30.03 seconds"},
			{ago(10 * time.Minute), "[ERROR] 2026-03-21T11:49:59.100Z 5f2b8c1e-0000-4000-8000-000000000000 DB connection timeout"},
		}}),
		saw("app", CheckHealth, "", Health{Code: 503, Word: "DOWN", Connection: "FAILED", Retries: -1, Version: vNow}),
		saw("pg1", CheckLogin, string(StageCurrent), login(StageCurrent, vNow, LoginWrong, "28P01")),
		saw("pg1", CheckLogin, string(StagePending), login(StagePending, "", LoginNoSuch, "")),
		saw("pg1", CheckRole, "", Role{Name: "app_user", Exists: true, CanLogin: true, ValidUntil: ago(day + time.Hour), ConnLimit: -1}),
		saw("pg2", CheckLogin, string(StageCurrent), login(StageCurrent, vNow, LoginWrong, "28P01")),
		saw("pg2", CheckLogin, string(StagePrevious), login(StagePrevious, vOld, LoginAccepted, "")),
		saw("pg2", CheckReplication, "", Replication{InRecovery: true, Connected: true, Paused: true, LagBytes: 100 << 20, LastReplay: ago(16 * day)}),
	}
}

// snapshot is what is known after the batches, in order.
func snapshot(batches ...[]Observation) *Snapshot {
	var expected []Expectation
	for _, b := range batches {
		for _, o := range b {
			expected = append(expected, Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
		}
	}
	s := NewSnapshot(topology(), expected)
	for _, b := range batches {
		s = s.With(b...)
	}
	return s
}
