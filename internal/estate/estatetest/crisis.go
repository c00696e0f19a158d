package estatetest

import (
	"slices"
	"time"

	"warroom/internal/estate"
)

// At is when the crisis is looked at.
var At = time.Date(2026, 3, 14, 3, 12, 45, 0, time.UTC)

func ago(d time.Duration) time.Time { return At.Add(-d) }
func in(d time.Duration) time.Time  { return At.Add(d) }

const (
	vOld = "11111111-aaaa-4aaa-8aaa-000000000001"
	vNow = "22222222-aaaa-4aaa-8aaa-000000000002"
	vNew = "33333333-aaaa-4aaa-8aaa-000000000003"
)

// Crisis is what is known of the estate at At: the guide's first scenario. The
// rotation of the database's password stopped half way fifteen days ago, and the
// role has expired since.
func Crisis() *estate.Snapshot {
	seen := observations()
	expected := make([]estate.Expectation, 0, len(seen))
	for _, o := range seen {
		expected = append(expected, estate.Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
	}
	s := estate.NewSnapshot(Topology(), expected).With(seen...)
	// Since its answer four minutes ago the user service has given none, and the role
	// that warroom reads with has lost its right to the replication.
	return s.With(
		estate.Observation{
			Key: estate.Key{Component: "postgres-primary", Check: estate.CheckReplication}, Source: "SELECT FROM pg_stat_replication at db.company.com:5432",
			At: ago(25 * time.Second), Took: 12 * time.Millisecond, Interval: 30 * time.Second,
			Failure: &estate.Failure{Kind: estate.Denied, Doing: "read pg_stat_replication at db.company.com:5432", Detail: "permission denied", Next: "grant pg_monitor to the role warroom reads with"},
		},
		estate.Observation{
			Key: estate.Key{Component: "user-service", Check: estate.CheckHealth}, Source: "GET http://10.0.4.17:8080/health",
			At: ago(5 * time.Second), Took: 5 * time.Second, Interval: 15 * time.Second,
			Failure: &estate.Failure{Kind: estate.Silent, Doing: "GET http://10.0.4.17:8080/health", Detail: "no answer within 5s", Next: "see whether it still runs"},
		},
	)
}

// saw is an observation made 22 seconds ago.
func saw(owner estate.ID, check, item, source string, data estate.Data) estate.Observation {
	return estate.Observation{
		Key: estate.Key{Component: owner, Check: check, Item: item}, Source: source,
		At: ago(22 * time.Second), Took: 41 * time.Millisecond, Interval: 15 * time.Second, Data: data,
	}
}

func described(id string, rotated, next time.Time, versions ...estate.SecretVersion) estate.SecretDescription {
	return estate.SecretDescription{
		Secret: id, ARN: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:" + id + "-AbCdEf", RotationEnabled: true, RotateEvery: 14 * day,
		LastRotated: rotated, NextRotation: next, LastChanged: rotated, Versions: versions,
		KMSKey: "arn:aws:kms:eu-west-1:111122223333:key/" + keyID,
	}
}

func version(id string, stages ...estate.Stage) estate.SecretVersion {
	return estate.SecretVersion{ID: id, Stages: stages}
}

func login(stage estate.Stage, version string, outcome estate.LoginOutcome, state string) estate.Login {
	return estate.Login{Secret: dbSecret, Stage: stage, Version: version, User: "app_user", Database: "production", Outcome: outcome, SQLState: state, TLS: true}
}

func observations() []estate.Observation {
	const (
		db, replica = "db.company.com:5432", "db-ro.company.com:5432"
		loginSource = "PostgreSQL login app_user@"
	)
	describe := func(d estate.SecretDescription) estate.Observation {
		return saw("secrets-manager", estate.CheckDescribe, d.Secret, "DescribeSecret "+d.Secret+" at secretsmanager.eu-west-1.amazonaws.com", d)
	}
	postgres := described(dbSecret, ago(15*day+2*time.Hour), ago(day+2*time.Hour),
		version(vNew, estate.StagePending), version(vNow, estate.StageCurrent), version(vOld, estate.StagePrevious))
	postgres.PendingSince = ago(day + time.Hour)
	token := described(tokenSecret, ago(40*day), in(day), version(vNow, estate.StageCurrent))
	token.Tags = map[string]string{"expires-at": ago(6 * time.Hour).Format(time.RFC3339)}
	leaf := estate.Certificate{
		Subject: "lb.company.com", Issuer: "Company CA", Names: []string{"lb.company.com"}, Serial: "0a1b", SHA256: "ab12",
		NotBefore: ago(77 * day), NotAfter: in(12*day + 12*time.Hour),
	}
	attempt := func(owner estate.ID, address string, stage estate.Stage, version string, outcome estate.LoginOutcome, state string) estate.Observation {
		return saw(owner, estate.CheckLogin, string(stage), loginSource+address+"/production, "+string(stage)+" of "+dbSecret, login(stage, version, outcome, state))
	}
	health := func(owner estate.ID, address string, h estate.Health) estate.Observation {
		return saw(owner, estate.CheckHealth, "", "GET http://"+address+"/health", h)
	}
	const lambda = "rotate-db at lambda.eu-west-1.amazonaws.com"
	down := health("user-service", "10.0.4.17:8080", estate.Health{Code: 503, Word: "DOWN", Connection: "FAILED", Retries: -1, Version: vNow})
	down.At = ago(4*time.Minute + 10*time.Second)
	return slices.Concat(vaults(), workloads(), control(), []estate.Observation{
		saw("api-gateway", estate.CheckProbe, estate.ItemWithToken, "GET https://api.company.com with the token of "+tokenSecret,
			estate.GatewayProbe{WithToken: true, Secret: tokenSecret, Code: 401, Error: "invalid_token", Description: "the token has expired", KeyID: "k1", Expires: ago(6 * time.Hour)}),
		saw("api-gateway", estate.CheckProbe, estate.ItemWithoutToken, "GET https://api.company.com without a token", estate.GatewayProbe{Code: 401}),
		saw("api-gateway", estate.CheckIssuer, "", "GET https://login.company.com/.well-known/jwks.json", estate.IssuerKeys{Issuer: "https://login.company.com", KeyIDs: []string{"k1"}}),
		saw("api-gateway", estate.CheckAuthFailures, "", "GetMetricData at monitoring.eu-west-1.amazonaws.com",
			estate.FailureRate{Window: 5 * time.Minute, Total: 300, Failed: 201, Metric: "AWS/ApiGateway 4XXError / Count"}),
		saw("load-balancer", estate.CheckTLS, estate.TLSItem("lb.company.com:443", "lb.company.com"), "TLS to lb.company.com:443", estate.Endpoint{
			Name: "lb.company.com:443", ServerName: "lb.company.com", Addresses: []estate.Served{{Address: "203.0.113.10:443", Leaf: &leaf}, {Address: "203.0.113.11:443", Leaf: &leaf}}}),
		saw("secrets-manager", estate.CheckIdentity, "", "GetCallerIdentity at sts.eu-west-1.amazonaws.com",
			estate.CallerIdentity{Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/warroom-read/oncall", Expires: in(3 * time.Hour)}),
		saw("secrets-manager", estate.CheckInventory, "", "ListSecrets at secretsmanager.eu-west-1.amazonaws.com", estate.SecretInventory{
			Account: "main", Region: "eu-west-1", Total: 214, Rotating: 180, Overdue: 1, Idle: 9, Lives: ending()}),
		describe(postgres), describe(token),
		describe(described(analyticsSecret, ago(3*day), in(11*day), version(vNow, estate.StageCurrent), version(vOld, estate.StagePrevious))),
		describe(described(paymentSecret, ago(2*day), in(12*day), version(vNow, estate.StageCurrent))),
		describe(described(apiSecret, ago(2*time.Hour), in(14*day), version(vNow, estate.StageCurrent))),
		saw("rotation-lambda", estate.CheckFunction, "", "GetFunctionConfiguration "+lambda, estate.FunctionConfig{
			Name: "rotate-db", ARN: "arn:aws:lambda:eu-west-1:111122223333:function:rotate-db", Runtime: "python3.13", State: "Active", LastUpdate: "Successful", Timeout: 30 * time.Second, LastModified: ago(40 * day), InVPC: true,
			Role: "arn:aws:iam::111122223333:role/rotate-db"}),
		saw("rotation-lambda", estate.CheckConcurrency, "", "GetFunctionConcurrency "+lambda, estate.FunctionConcurrency{}),
		saw("rotation-lambda", estate.CheckPolicy, "", "GetPolicy "+lambda, estate.FunctionPolicy{SecretsManagerMayInvoke: true}),
		saw("rotation-lambda", estate.CheckFunctionMetrics, "", "GetMetricData at monitoring.eu-west-1.amazonaws.com",
			estate.FunctionMetrics{Window: day, Invocations: 9, Errors: 9, LastErrors: 1, LastPoint: ago(10 * time.Minute), MaxDuration: 30 * time.Second}),
		saw("rotation-lambda", estate.CheckFunctionLogs, "", "FilterLogEvents /aws/lambda/rotate-db at logs.eu-west-1.amazonaws.com", estate.FunctionLogs{
			Window: day, Group: "/aws/lambda/rotate-db", Errors: []estate.LogLine{
				{At: ago(10 * time.Minute), Text: ago(10*time.Minute).Format("2006-01-02T15:04:05.000Z") + " 5f2b8c1e-0000-4000-8000-000000000000 Task timed out after 30.03 seconds"},
				{At: ago(10 * time.Minute), Text: "[ERROR] " + ago(10*time.Minute).Format("2006-01-02T15:04:05.000Z") + " 5f2b8c1e-0000-4000-8000-000000000000 DB connection timeout"},
			}}),
		saw("key-management", estate.CheckKey, "alias/prod", "DescribeKey alias/prod at kms.eu-west-1.amazonaws.com", estate.KeyState{KeyID: keyID, State: "Enabled"}),
		saw("key-management", estate.CheckKeyRotation, "alias/prod", "GetKeyRotationStatus alias/prod at kms.eu-west-1.amazonaws.com",
			estate.KeyRotation{KeyID: keyID, Supported: true, Enabled: true, PeriodDays: 90, Next: in(7*day + 12*time.Hour)}),
		down,
		health("payment-service", "10.0.4.18:8080", estate.Health{Code: 200, Word: "OK", Connection: "HEALTHY", Retries: -1, LastSync: ago(2 * time.Hour), Version: vNow}),
		health("analytics-service", "10.0.4.19:8080", estate.Health{Code: 200, Word: "OK", Connection: "DEGRADED", Retries: 45, Version: vOld}),
		attempt("postgres-primary", db, estate.StageCurrent, vNow, estate.LoginWrong, "28P01"),
		attempt("postgres-primary", db, estate.StagePending, vNew, estate.LoginWrong, "28P01"),
		attempt("postgres-primary", db, estate.StagePrevious, vOld, estate.LoginWrong, "28P01"),
		saw("postgres-primary", estate.CheckRole, "", "SELECT FROM pg_roles at "+db, estate.Role{Name: "app_user", Exists: true, CanLogin: true, ValidUntil: ago(day + 6*time.Hour), ConnLimit: -1}),
		saw("postgres-primary", estate.CheckConnections, "", "SELECT FROM pg_stat_activity at "+db, estate.Connections{Used: 41, Max: 100, Reserved: 3, OldSessions: 1}),
		attempt("postgres-replica", replica, estate.StageCurrent, vNow, estate.LoginWrong, "28P01"),
		attempt("postgres-replica", replica, estate.StagePrevious, vOld, estate.LoginAccepted, ""),
		saw("postgres-replica", estate.CheckReplication, "", "SELECT FROM pg_stat_wal_receiver at "+replica, estate.Replication{InRecovery: true, Connected: true, Paused: true, LagBytes: 100 << 20, LastReplay: ago(16 * day)}),
		saw("external-api", estate.CheckAPI, "", "GET https://api.external.com with the key of "+apiSecret, estate.APIProbe{Secret: apiSecret, Version: vNow, Code: 200, RateLimit: 100, RateRemaining: 100}),
	})
}
