package diagnosis

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

// asked checks what one sensor says of an estate.
func asked(t *testing.T, r *estate.Readings, sensor string, stance Stance, parts ...string) Finding {
	t.Helper()
	found := Sense(r, now)
	keeps(t, r, found)
	f := found[sensor]
	if f.Stance != stance {
		t.Errorf("%s is %s, not %s: %s", sensor, f.Stance, stance, f.Value)
	}
	for _, p := range parts {
		if !strings.Contains(f.Value, p) {
			t.Errorf("%s does not say %q: %s", sensor, p, f.Value)
		}
	}
	return f
}

// login is a try of the database's secret.
func login(id estate.ID, stage estate.Stage, outcome estate.LoginOutcome, state string) estate.Observation {
	return saw(id, estate.CheckLogin, string(stage), estate.Login{Secret: dbSecret, Stage: stage, User: "app_user", Outcome: outcome, SQLState: state, Message: "said the server", TLS: true})
}

// mended is the crisis after everything was put right.
func mended() []estate.Observation {
	s := crisis().Snapshot
	right := func(id string) estate.Observation {
		return described(s, id, func(d *estate.SecretDescription) {
			d.LastRotated, d.NextRotation, d.PendingSince = ago(time.Minute), now.Add(14*day), time.Time{}
			d.Versions = []estate.SecretVersion{{ID: "new", Stages: []estate.Stage{estate.StageCurrent}}, {ID: "old", Stages: []estate.Stage{estate.StagePrevious}}}
			d.Tags = map[string]string{"expires-at": now.Add(90 * day).Format(time.RFC3339)}
		})
	}
	out := []estate.Observation{
		right(dbSecret), right("prod/db/analytics"), right("prod/api/payment"), right("prod/api/external"), right("prod/jwt/gateway"),
		login("postgres-primary", estate.StageCurrent, estate.LoginAccepted, ""), login("postgres-primary", estate.StagePending, estate.LoginNoSuch, ""), login("postgres-primary", estate.StagePrevious, estate.LoginWrong, "28P01"),
		login("postgres-replica", estate.StageCurrent, estate.LoginAccepted, ""), login("postgres-replica", estate.StagePrevious, estate.LoginWrong, "28P01"),
		saw("postgres-primary", estate.CheckRole, "", estate.Role{Name: "app_user", Exists: true, CanLogin: true, ValidUntil: now.Add(90 * day), ConnLimit: -1}),
		saw("postgres-primary", estate.CheckConnections, "", estate.Connections{Used: 4, Max: 100, Reserved: 3}),
		saw("postgres-primary", estate.CheckReplication, "", estate.Replication{Standbys: []estate.Standby{{Name: "r", State: "streaming"}}}),
		saw("postgres-replica", estate.CheckReplication, "", estate.Replication{InRecovery: true, Connected: true}),
		saw("api-gateway", estate.CheckProbe, estate.ItemWithToken, estate.GatewayProbe{WithToken: true, Secret: "prod/jwt/gateway", Code: 200, KeyID: "k1"}),
		saw("api-gateway", estate.CheckAuthFailures, "", estate.FailureRate{Window: 5 * time.Minute, Total: 300, Failed: 3, Metric: "m"}),
		saw("rotation-monitor", estate.CheckRotationEvents, "main", estate.RotationEvents{Account: "main", Window: day, Succeeded: 9}),
		saw("rotation-monitor", estate.CheckChanges, "main", estate.Changes{Account: "main", Window: day}),
		saw("rotation-lambda", estate.CheckFunctionMetrics, "", estate.FunctionMetrics{Window: day, Invocations: 9, Errors: 8, LastPoint: ago(time.Minute)}),
		saw("access-monitor", estate.CheckFailedAuths, "database logins", estate.FailedAuths{Source: "database logins", Window: time.Hour, Failed: 4, Total: -1, Earlier: []float64{18, 22}}),
		saw("access-monitor", estate.CheckFailedAuths, "Vault requests", estate.FailedAuths{Source: "Vault requests", Window: time.Hour, Failed: 4, Total: -1, Earlier: []float64{18, 22}}),
	}
	for _, id := range []estate.ID{"user-service", "payment-service", "analytics-service"} {
		out = append(out, saw(id, estate.CheckHealth, "", estate.Health{Code: 200, Word: "OK", Connection: "HEALTHY", Retries: -1, Version: "new"}),
			saw(id, estate.CheckWorkload, "", estate.Workload{Kind: "Deployment", Name: string(id), Desired: 3, Updated: 3, Ready: 3, Available: 3}),
			saw(id, estate.CheckWorkloadPods, "", estate.WorkloadPods{Running: 3, Oldest: ago(time.Minute), Newest: ago(time.Minute)}),
			saw(id, estate.CheckWorkloadSecrets, "", estate.WorkloadSecrets{Uses: []estate.SecretUse{{Name: "s", How: []string{"env"}, Changed: ago(2 * time.Minute)}}}),
			saw(id, estate.CheckWorkloadEvents, "", estate.WorkloadEvents{Window: time.Hour}))
	}
	// What the inventory said was overdue is not watched: it is left out.
	return append(out, saw("secrets-manager", estate.CheckInventory, "", estate.SecretInventory{Account: "main", Total: 214, Rotating: 180}))
}

func TestWhatIsMendedIsSeenToBe(t *testing.T) {
	r := changed(mended()...)
	for sensor, part := range map[string]string{
		"rotation.status": "0 of 10 rotations failed in 24h", "secrets.failed": "0 failed: all of 5 watched secrets", "secrets.valid": "0 of 4 tries refused",
		"secrets.identified": "0 failed, 0 unread", "secrets.validated": "0 of 4 tries refused", "secrets.rotated": "0 of 5 watched secrets failed",
		"stores.updated": "0 stores behind", "services.restarted": "0 on the old version", "auth.recovering": "under 5% refused: 1% of calls at API Gateway",
		"stores.consumers": "0 of 3 consumers unknown", "targets.state": "0 of 5 targets failing", "permission.validated": "0 calls denied",
		"changes.reviewed": "1 change in 24h: rollout 41", "access.emergency": "0 failed", "rotation.mechanism": "5 secrets rotated",
	} {
		asked(t, r, sensor, For, part)
	}
	for _, sensor := range []string{"credential.fate", "failure.network", "failure.permission", "failure.target", "failure.state", "state.partial", "lesson.rotation"} {
		asked(t, r, sensor, Against)
	}
	// One secret whose rotation hangs takes it all back.
	one := described(r.Snapshot, "prod/api/payment", func(d *estate.SecretDescription) {
		d.PendingSince = ago(time.Hour)
		d.Versions = append(d.Versions, estate.SecretVersion{ID: "p", Stages: []estate.Stage{estate.StagePending}})
	})
	one.At = ago(time.Second)
	r = estate.Derive(r.Snapshot.With(one), now)
	for _, sensor := range []string{"rotation.status", "secrets.rotated", "secrets.validated", "stores.updated"} {
		asked(t, r, sensor, Against, "prod/api/payment")
	}
}

func TestFates(t *testing.T) {
	reads := func(known bool) estate.Observation {
		return saw("secrets-manager", estate.CheckSecretReads, dbSecret, estate.SecretReads{Account: "main", Window: day, Named: []string{"user-service"}, Reads: 9,
			Readers: []estate.SecretReader{{Who: "arn:aws:sts::1:assumed-role/build/runner-7", Role: "build", From: []string{"198.51.100.9"}, Reads: 3, Last: ago(2 * time.Hour), Known: known, Why: "no known reader"}}})
	}
	unnamed := reads(false)
	open := unnamed.Data.(estate.SecretReads)
	open.Named = nil
	unnamed.Data = open
	s := crisis().Snapshot
	unstuck := described(s, dbSecret, func(d *estate.SecretDescription) {
		d.PendingSince, d.NextRotation = time.Time{}, now.Add(day)
		d.Versions = d.Versions[1:2]
	})
	late := described(s, "prod/api/external", func(d *estate.SecretDescription) { d.NextRotation = ago(time.Hour) })
	late.At = ago(time.Second)
	took := login("postgres-replica", estate.StagePrevious, estate.LoginWrong, "28P01")
	for name, c := range map[string]struct {
		seen   []estate.Observation
		stance Stance
		word   string
		parts  []string
	}{
		"stuck and expired":               {nil, For, stuck, []string{"stuck: prod/db/postgres", "expired: VALID UNTIL of prod/db/postgres passed 30h ago", "compromised: no sensor"}},
		"expired only":                    {[]estate.Observation{unstuck, took}, For, expired, []string{"expired: VALID UNTIL"}},
		"labels and target disagree":      {[]estate.Observation{unstuck}, For, stuck, []string{"stuck: prod/db/postgres: AWSCURRENT refused by PostgreSQL Replica, AWSPREVIOUS accepted"}},
		"a stranger read it":              {[]estate.Observation{reads(false)}, For, compromised, []string{"compromised: build/runner-7 read prod/db/postgres 3 times from 198.51.100.9, last 2h ago (no known reader)", "stuck: ", "expired: "}},
		"known readers only":              {[]estate.Observation{reads(true)}, For, stuck, []string{"compromised: no sign, 0 unknown readers of 1 secret in 24h"}},
		"nobody said who may":             {[]estate.Observation{unnamed}, For, stuck, []string{"compromised: not known, warroom.yaml names no known readers"}},
		"reads denied":                    {[]estate.Observation{lost("secrets-manager", estate.CheckSecretReads, dbSecret, estate.Denied, "x")}, For, stuck, []string{"compromised: not known, reads of 1 secret were not read"}},
		"all well":                        {mended(), Against, "", []string{"neither expired nor stuck; compromised: no sensor"}},
		"all well and reads denied":       {append(mended(), lost("secrets-manager", estate.CheckSecretReads, dbSecret, estate.Denied, "x")), Unread, "", []string{"Secrets Manager (prod/db/postgres): not permitted"}},
		"all well and a stranger read it": {append(mended(), reads(false)), For, compromised, []string{"compromised: build/runner-7"}},
		"all well and only the known did": {append(mended(), reads(true)), Against, "", []string{"compromised: no sign, 0 unknown readers"}},
		"overdue, and its target refuses it": {append(mended(), late,
			saw("external-api", estate.CheckAPI, "", estate.APIProbe{Secret: "prod/api/external", Code: 401, RateRemaining: -1})), For, expired, []string{"prod/api/external was due 1h ago and is refused by its target"}},
		"overdue, and its target takes it": {append(mended(), late), Against, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := asked(t, changed(c.seen...), "credential.fate", c.stance, c.parts...)
			if f.Word != c.word {
				t.Errorf("the word is %q, not %q: %s", f.Word, c.word, f.Value)
			}
		})
	}
}

func TestFailurePoints(t *testing.T) {
	logs := func(texts ...string) estate.Observation {
		var lines []estate.LogLine
		for _, text := range texts {
			lines = append(lines, estate.LogLine{At: ago(time.Minute), Text: text})
		}
		return saw("rotation-lambda", estate.CheckFunctionLogs, "", estate.FunctionLogs{Window: day, Group: "/aws/lambda/rotate-db", Errors: lines})
	}
	failing := saw("rotation-lambda", estate.CheckFunctionMetrics, "", estate.FunctionMetrics{Window: day, Invocations: 1, Errors: 1, LastErrors: 1, LastPoint: ago(time.Minute)})
	says := func(text string) []estate.Observation { return append(mended(), failing, logs(text)) }
	with := func(seen ...estate.Observation) []estate.Observation { return append(mended(), seen...) }
	zero := 0
	for name, c := range map[string]struct {
		seen   []estate.Observation
		sensor string
		part   string
	}{
		"time-out":             {says("dial tcp 10.0.0.7:5432: i/o timeout"), "network.timeout", "1 × dial tcp 10.0.0.7:5432: i/o timeout"},
		"run cut off":          {with(saw("rotation-lambda", estate.CheckFunctionMetrics, "", estate.FunctionMetrics{Window: day, Invocations: 1, Errors: 1, LastErrors: 1, LastPoint: ago(time.Minute), MaxDuration: 30 * time.Second}), logs()), "network.timeout", "runs into its timeout of 30s"},
		"no answer to us":      {with(lost("external-api", estate.CheckAPI, "", estate.Silent, "5s")), "network.timeout", "External API does not answer from here"},
		"no route":             {says("connect: no route to host"), "network.firewall", "no route to host"},
		"name":                 {says("lookup db.company.com: no such host"), "network.dns", "no such host"},
		"our name":             {with(lost("external-api", estate.CheckAPI, "", estate.Unresolved, "x")), "network.dns", "External API does not resolve from here"},
		"denied":               {says("AccessDeniedException: User is not authorized to perform: secretsmanager:PutSecretValue"), "permission.denied", "AccessDeniedException"},
		"role missing":         {with(lost("rotation-lambda", estate.CheckPermissions, "", estate.Missing, "NoSuchEntity: no such role")), "permission.role", "the role of Rotation Lambda does not exist"},
		"role lacks":           {with(saw("rotation-lambda", estate.CheckPermissions, "", estate.Permissions{Role: "rotate-db", Permissions: []estate.Permission{{Action: "kms:Decrypt", Resource: "alias/prod", Decision: "implicitDeny"}}})), "permission.role", "role rotate-db lacks kms:Decrypt"},
		"role may not log in":  {with(saw("postgres-primary", estate.CheckRole, "", estate.Role{Name: "app_user", Exists: true, ConnLimit: -1})), "permission.role", "may not log in to PostgreSQL Primary"},
		"explicit deny":        {with(saw("rotation-lambda", estate.CheckPermissions, "", estate.Permissions{Role: "rotate-db", Permissions: []estate.Permission{{Action: "kms:Decrypt", Decision: "explicitDeny", By: "boundary"}}})), "permission.policy", "boundary denies role rotate-db kms:Decrypt"},
		"may not be invoked":   {with(saw("rotation-lambda", estate.CheckPolicy, "", estate.FunctionPolicy{})), "permission.policy", "does not let Secrets Manager invoke it"},
		"key disabled":         {with(saw("key-management", estate.CheckKey, "alias/prod", estate.KeyState{KeyID: "k", State: "Disabled"})), "permission.policy", "key alias/prod is Disabled"},
		"pg_hba":               {with(login("postgres-primary", estate.StageCurrent, estate.LoginRejected, "28000")), "permission.policy", "does not admit app_user by pg_hba.conf"},
		"database refuses":     {with(lost("postgres-primary", estate.CheckLogin, string(estate.StageCurrent), estate.Refused, "connection refused")), "target.database", "PostgreSQL Primary takes no connection: refused"},
		"too many clients":     {with(login("postgres-primary", estate.StageCurrent, estate.LoginBusy, "53300")), "target.database", "PostgreSQL Primary: said the server"},
		"slots":                {with(saw("postgres-primary", estate.CheckConnections, "", estate.Connections{Used: 97, Max: 100, Reserved: 3})), "target.database", "97 of 100 connections"},
		"read-only":            {says("cannot execute ALTER ROLE in a read-only transaction"), "target.database", "read-only transaction"},
		"primary is a replica": {with(saw("postgres-primary", estate.CheckReplication, "", estate.Replication{InRecovery: true})), "target.database", "is a replica and takes no writes"},
		"429":                  {with(saw("external-api", estate.CheckAPI, "", estate.APIProbe{Secret: "prod/api/external", Code: 429})), "target.ratelimit", "External API: 429"},
		"throttled":            {with(saw("rotation-lambda", estate.CheckFunctionMetrics, "", estate.FunctionMetrics{Window: day, Invocations: 9, Throttles: 4, LastPoint: ago(time.Minute)})), "target.ratelimit", "throttled 4 times"},
		"5xx":                  {with(saw("external-api", estate.CheckAPI, "", estate.APIProbe{Secret: "prod/api/external", Code: 503, RateRemaining: -1})), "target.service", "External API answers 503"},
		"sealed":               {with(saw("vault-primary", estate.CheckVaultHealth, "", estate.VaultHealth{Initialized: true, Sealed: true, Code: 503})), "target.service", "Vault Primary is sealed"},
		"no concurrency":       {with(saw("rotation-lambda", estate.CheckConcurrency, "", estate.FunctionConcurrency{Reserved: &zero})), "target.service", "reserved concurrency of 0"},
		"roll-back":            {says("setSecret: rollback failed"), "state.rollback", "rollback failed"},
		"half way":             {says("A previous rotation isn't complete. That rotation will be reattempted"), "state.partial", "A previous rotation isn't complete"},
		"pending taken":        {with(login("postgres-primary", estate.StageCurrent, estate.LoginWrong, "28P01"), login("postgres-primary", estate.StagePending, estate.LoginAccepted, "")), "state.partial", "PostgreSQL Primary takes AWSPENDING of prod/db/postgres"},
		"a copy behind":        {with(saw("vault-secondary", estate.CheckVaultPair, "", estate.VaultPair{With: "vault-1", Compared: 90, Behind: 2, Missing: 1, Complete: true})), "state.inconsistent", "Vault Secondary has 2 behind, 1 missing of 90 compared"},
		"a consumer behind":    {with(saw("analytics-service", estate.CheckHealth, "", estate.Health{Code: 200, Word: "OK", Retries: -1, Version: "old"})), "state.inconsistent", "Analytics Service uses old, the store hands out new"},
	} {
		t.Run(name, func(t *testing.T) {
			r := changed(c.seen...)
			f := asked(t, r, c.sensor, For, c.part)
			group, _, _ := strings.Cut(c.sensor, ".")
			asked(t, r, "failure."+group, For)
			if len(f.Facts) == 0 || f.Facts[0].Source == "" {
				t.Errorf("it shows nothing: %+v", f.Facts)
			}
		})
	}
}

// What a run said counts until a run succeeds.
func TestAnErrorFromBeforeASuccessIsNoFault(t *testing.T) {
	r := changed(mended()...) // its log still holds the time-outs
	asked(t, r, "network.timeout", Against)
	asked(t, r, "rotation.logs", For, "DB connection timeout")
}

func TestMechanisms(t *testing.T) {
	s := crisis().Snapshot
	as := func(do func(*estate.SecretDescription)) estate.Observation {
		o := described(s, dbSecret, do)
		o.At = ago(time.Second)
		return o
	}
	byHand := func(by, failed string, at time.Duration) estate.Observation {
		return saw("rotation-monitor", estate.CheckChanges, "main", estate.Changes{Account: "main", Window: day, Changes: []estate.Change{
			{At: ago(at), What: "PutSecretValue", Target: dbSecret, By: by, Where: "main", Failed: failed}}})
	}
	for name, c := range map[string]struct {
		seen   []estate.Observation
		sensor string
		stance Stance
		part   string
	}{
		"function":            {nil, "mechanism.lambda", For, "rotate-db"},
		"no function":         {[]estate.Observation{as(func(d *estate.SecretDescription) { d.RotationFunctionARN = "" })}, "mechanism.lambda", Against, "no rotation function for prod/db/postgres"},
		"the provider":        {[]estate.Observation{as(func(d *estate.SecretDescription) { d.RotationFunctionARN = "" })}, "mechanism.cloud", For, "by Secrets Manager itself"},
		"a service":           {[]estate.Observation{as(func(d *estate.SecretDescription) { d.OwningService = "rds" })}, "mechanism.service", For, "prod/db/postgres belongs to rds"},
		"an operator":         {[]estate.Observation{byHand("arn:aws:iam::1:user/ops-2", "", time.Hour)}, "mechanism.operator", For, "PutSecretValue of prod/db/postgres by ops-2 1h ago"},
		"after it failed":     {[]estate.Observation{byHand("arn:aws:iam::1:user/ops-2", "", time.Hour)}, "mechanism.emergency", For, "by ops-2"},
		"break-glass":         {[]estate.Observation{byHand("arn:aws:sts::1:assumed-role/Break_Glass/ic", "", time.Hour)}, "mechanism.breakglass", For, "by Break_Glass/ic"},
		"refused":             {[]estate.Observation{byHand("arn:aws:sts::1:assumed-role/Break_Glass/ic", "AccessDenied", time.Hour)}, "mechanism.breakglass", Against, "tried in vain"},
		"an application":      {[]estate.Observation{byHand("arn:aws:sts::1:assumed-role/user-service/pod", "", time.Hour)}, "mechanism.application", For, "by user-service/pod"},
		"changes not read":    {[]estate.Observation{lost("rotation-monitor", estate.CheckChanges, "main", estate.Denied, "LookupEvents")}, "mechanism.operator", Unread, "Rotation Monitor (main): not permitted"},
		"Vault's are in time": {nil, "mechanism.vault", Against, "no failed secret is among them"},
		"Vault's hang": {[]estate.Observation{saw("vault-primary", estate.CheckVaultStaticRoles, "", estate.VaultStaticRoles{Roles: []estate.VaultStaticRole{
			{Mount: "database/", Name: "reports", LastRotation: ago(2 * day), Period: day, Due: ago(day)}}})}, "mechanism.vault", For, "database/reports last rotated 2 days ago"},
		"a certificate ended": {[]estate.Observation{saw("load-balancer", estate.CheckTLS, estate.TLSItem("lb.company.com:443", "lb.company.com"), estate.Endpoint{Name: "lb.company.com:443", ServerName: "lb.company.com",
			Addresses: []estate.Served{{Address: "a", Leaf: &estate.Certificate{Serial: "1", NotAfter: ago(time.Hour)}}}})}, "mechanism.ca", For, "lb.company.com ended"},
	} {
		t.Run(name, func(t *testing.T) { asked(t, changed(c.seen...), c.sensor, c.stance, c.part) })
	}
}

func TestLessons(t *testing.T) {
	sealed := saw("vault-primary", estate.CheckVaultSeal, "", estate.VaultSeal{Initialized: true, Sealed: true})
	asked(t, changed(sealed), "lesson.seal", For, "Vault Primary is sealed")
	asked(t, changed(sealed), "network.stores", Against, "Vault Primary is sealed")
	gone := lost("vault-primary", estate.CheckVaultHealth, "", estate.Refused, "connection refused")
	asked(t, changed(gone), "network.stores", Against, "Vault Primary: refused")
	revoked := saw("load-balancer", estate.CheckListeners, "", estate.Listeners{Listeners: []estate.Listener{{Port: 443, Certificates: []estate.ManagedCertificate{
		{ARN: "arn:aws:acm:eu-west-1:1:certificate/x", Domain: "shop.company.com", Status: "REVOKED", Serial: "aa", NotAfter: now.Add(day)},
		{ARN: "arn:aws:acm:eu-west-1:1:certificate/y", Domain: "api.company.com", Status: "ISSUED", Serial: "bb", NotAfter: now.Add(day), Renewal: "FAILED", RenewalNote: "CAA_ERROR"}}}}})
	asked(t, changed(revoked), "lesson.revocation", For, "shop.company.com REVOKED", "api.company.com renewal FAILED: CAA_ERROR")
	asked(t, changed(mended()...), "lesson.rotation", Against)
	asked(t, changed(lost("secrets-manager", estate.CheckDescribe, dbSecret, estate.Throttled, "")), "lesson.rotation", Unread, "Secrets Manager (prod/db/postgres): throttled")
}
