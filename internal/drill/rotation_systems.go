package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"warroom/internal/drill/awssim"
	"warroom/internal/drill/edge"
	"warroom/internal/drill/pgsim"
)

// makePostgres lives the database's part of the story through, each event at its
// time, so that the WAL, the ages and the replica are what it left behind.
func (e *estate) makePostgres() error {
	var past atomic.Pointer[time.Time]
	at := func(before time.Duration) { t := e.ago(before); past.Store(&t) }
	now := func() time.Time {
		if t := past.Load(); t != nil {
			return *t
		}
		return e.now()
	}
	at(40 * day)
	c := pgsim.New(pgsim.Options{
		Now: now, Seed: e.seed, TLS: e.pki.server.Clone(), Databases: []string{databaseName}, MaxConnections: 200,
		WALRate: 4 << 10, // a quiet database: some 5 GiB since the replica was paused
		Refused: e.refusedLogin,
	})
	e.postgres = c
	c.SetRole(pgsim.Role{Name: "monitoring", CanLogin: true, Monitor: true, ConnLimit: 10})
	c.SetPassword("monitoring", e.password("monitoring"))
	c.SetRole(pgsim.Role{Name: breakGlass, CanLogin: true, Superuser: true, ConnLimit: 3})
	c.SetPassword(breakGlass, e.password("break glass"))
	c.SetPassword("analytics_user", e.password("analytics previous"))
	e.makeVaultUsers(c)
	at(rotatedOnce)
	c.SetPassword("app_user", e.password("app previous"))
	// The last commit that the replica replayed.
	at(paused + 2*time.Second)
	c.SetConnect(databaseName, "app_user", true)
	at(paused)
	c.PauseReplay()
	// The policy of that rotation: a password ends with its period.
	at(rotated)
	c.SetPassword("app_user", e.password("app current"))
	c.SetValidUntil("app_user", e.ago(due))
	at(analytics)
	c.SetPassword("analytics_user", e.password("analytics current"))
	past.Store(nil)

	// What logged in while it could: nightly reports with a connection held since
	// before the last rotation, and a batch job of yesterday that stopped in the
	// middle of a transaction and keeps two others waiting.
	primary := c.Primary()
	pids := primary.AddSessions(
		pgsim.Session{User: "app_user", Database: databaseName, Application: "nightly-report", Client: "10.20.4.17", Started: e.ago(20 * day), State: "idle", Query: "COMMIT"},
		pgsim.Session{User: "app_user", Database: databaseName, Application: "batch-import", Client: "10.20.4.31", Started: e.ago(due + time.Hour), State: "idle in transaction", Query: "UPDATE accounts SET last_seen = $1 WHERE id = $2"},
	)
	wait := func(client string, since time.Duration) pgsim.Session {
		return pgsim.Session{
			User: "app_user", Database: databaseName, Application: "user-service", Client: client, Started: e.ago(due + 40*time.Minute),
			State: "active", Query: "UPDATE accounts SET last_login = $1 WHERE id = $2", BlockedBy: pids[1], WaitStart: e.ago(since),
		}
	}
	primary.AddSessions(wait("10.20.2.11", 95*time.Minute), wait("10.20.2.12", 80*time.Minute))
	c.Replica().AddSessions(
		pgsim.Session{User: "analytics_user", Database: databaseName, Application: "analytics-service", Client: "10.20.3.8", Started: e.ago(6 * time.Hour), State: "active", Query: "SELECT date_trunc('hour', created), count(*) FROM orders GROUP BY 1"},
		pgsim.Session{User: "app_user", Database: databaseName, Application: "search-indexer", Client: "10.20.2.40", Started: e.ago(19 * day), State: "idle", Query: "SELECT id, name FROM accounts WHERE updated > $1"},
	)
	e.run(func() { _ = c.Primary().Serve(e.listeners[srvPrimary]) }, c.Primary().Close)
	e.run(func() { _ = c.Replica().Serve(e.listeners[srvReplica]) }, c.Replica().Close)
	return nil
}

// breakGlass is a superuser for emergencies.
const breakGlass = "break_glass"

func (e *estate) password(of string) string { return e.text("password "+of, 32) }

// makeEdge starts the gateway with its issuer, the load balancer and the APIs of
// others, which know the keys of two hours ago and no older ones.
func (e *estate) makeEdge() (err error) {
	if e.issuer, err = edge.NewIssuer("https://"+e.address(srvIssuer), "drill-"+e.text("signing key", 8)); err != nil {
		return err
	}
	e.balancer = &edge.Balancer{CertFile: e.file(fileCert), KeyFile: e.file(fileKey), ReloadFile: e.file(fileReload)}
	if err := e.balancer.Reload(); err != nil {
		return err
	}
	e.external = &edge.Provider{Limit: 5000, Window: time.Hour, Now: e.now}
	e.external.Accept("production", e.apiKey("external current"))
	e.paying = &edge.Provider{Limit: 600, Window: time.Minute, Now: e.now}
	e.paying.Accept("production", e.apiKey("payment current"))
	// Their keys are managed with credentials of the company's own. The payment
	// provider allows a third key, for emergencies, and knows a request again.
	for _, p := range []struct {
		*edge.Provider
		name string
	}{{e.external, "external"}, {e.paying, "payment"}} {
		p.Admin = e.text(p.name+" admin", 40)
		p.Mint = func(n int) string { return e.apiKey(fmt.Sprintf("%s made %d", p.name, n)) }
	}
	e.paying.Replay, e.paying.Most = true, 3
	e.paying.Accept("backup", e.apiKey("payment backup"))

	e.web(srvIssuer, e.issuer, true)
	e.traffic = &traffic{crisis{began: e.ago(tokenEnded)}}
	gateway := &edge.Gateway{Realm: "api.company.com", Issuer: e.issuer, Audience: audience, Now: e.now}
	e.web(srvGateway, &countedGateway{gateway, e.aws.Metrics, e.now}, true)
	e.web(srvExternal, e.external, true)
	e.web(srvPaying, e.paying, true)
	front := edge.NewServer(e.balancer, e.balancer.TLS())
	e.run(func() { _ = front.ServeTLS(e.listeners[srvBalancer], "", "") }, func() { _ = front.Close() })
	return nil
}

func (e *estate) apiKey(of string) string { return "sk_live_" + e.text("key "+of, 40) }

// makeAWS makes the account: secrets, the rotation function, the key, metrics
// and logs.
func (e *estate) makeAWS() error {
	a := e.aws
	a.AddKey(awssim.Key{
		ID: e.uuid("kms key"), Alias: keyAlias, Description: "encrypts the secrets of production", Created: e.ago(400 * day),
		Rotation: true, PeriodDays: 90, NextRotation: e.began.Add(keyRotation),
		Rotations: []awssim.KeyRotation{{At: e.began.Add(keyRotation - 90*day), Type: "AUTOMATIC"}},
	})
	a.AddFunction(awssim.Function{
		Name: functionName, Description: "rotates the passwords of PostgreSQL roles, one user at a time", Timeout: lambdaTimeout, MemoryMB: 256,
		VPC: "vpc-0d1f2e3a4b5c6d7e8", SubnetIDs: []string{"subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f6071829"}, SecurityGroups: []string{"sg-0c3d4e5f607182930"},
		LastModified: e.ago(60 * day), Policy: a.InvokePolicy(functionName),
	})
	a.OnInvoke(func(_ string, event []byte) error {
		var in struct{ Step string }
		if json.Unmarshal(event, &in) != nil || in.Step == "createSecret" {
			return nil // reads and writes the store, which it reaches
		}
		return errors.New(timeoutWords)
	})
	if err := e.makeSecrets(); err != nil {
		return err
	}
	a.Metrics.PutSamples(gatewayMetrics, "Count", gatewayDimensions, e.traffic.count)
	a.Metrics.PutSamples(gatewayMetrics, "4xx", gatewayDimensions, e.traffic.refused)
	if err := e.makeControl(); err != nil {
		return err
	}
	e.pastAttempts()
	e.web(srvAWS, a, false)
	return nil
}

func (e *estate) makeSecrets() error {
	object := func(pairs ...any) string {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		raw, _ := json.Marshal(m) // strings and numbers
		return string(raw)
	}
	login := func(user, password, server string) string {
		return object("engine", "postgres", "host", "127.0.0.1", "port", e.port(server), "dbname", databaseName, "username", user, "password", password)
	}
	version := func(secret, what string, created time.Duration, value string, stages ...string) awssim.Version {
		return awssim.Version{ID: e.uuid("version " + secret + " " + what), Value: value, Stages: stages, Created: e.ago(created)}
	}
	tags := func(service string, more ...string) map[string]string {
		t := map[string]string{"environment": "production", "service": service}
		for i := 0; i+1 < len(more); i += 2 {
			t[more[i]] = more[i+1]
		}
		return t
	}
	token, err := e.issuer.Token("client:edge", audience, e.ago(tokenEnded+30*day), e.ago(tokenEnded))
	if err != nil {
		return err
	}
	key := func(which, server string) string {
		return object("api_key", e.apiKey(which), "key_id", edge.KeyID("production", e.apiKey(which)), "endpoint", "https://"+e.address(server))
	}
	// kept is a secret that nothing rotates.
	kept := func(name, description, what, value string) awssim.Secret {
		return awssim.Secret{Name: name, Description: description, Tags: tags("warroom"), Versions: []awssim.Version{version(what, "current", 40*day, value, "AWSCURRENT")}}
	}
	accessed := e.ago(0)
	for _, s := range []awssim.Secret{
		{
			Name: "prod/db/postgres", Description: "app_user on the production database", RotationLambda: functionName, RotateAfterDays: int(period / day),
			LastRotated: e.ago(rotated), NextRotation: e.ago(due), Tags: tags("user-service"),
			Versions: []awssim.Version{
				version("postgres", "previous", rotatedOnce, login("app_user", e.password("app previous"), srvPrimary), "AWSPREVIOUS"),
				version("postgres", "current", rotated, login("app_user", e.password("app current"), srvPrimary), "AWSCURRENT"),
				version("postgres", "pending", due-time.Minute, login("app_user", e.password("app pending"), srvPrimary), "AWSPENDING"),
			},
		},
		{
			Name: "prod/db/analytics", Description: "analytics_user on the production database", RotationLambda: functionName, RotateAfterDays: 30,
			LastRotated: e.ago(analytics), NextRotation: e.began.Add(30*day - analytics), Tags: tags("analytics-service"),
			Versions: []awssim.Version{
				version("analytics", "previous", analytics+30*day, login("analytics_user", e.password("analytics previous"), srvReplica), "AWSPREVIOUS"),
				version("analytics", "current", analytics, login("analytics_user", e.password("analytics current"), srvReplica), "AWSCURRENT"),
			},
		},
		{
			Name: "prod/db/monitoring", Description: "a role in pg_monitor, for the war room", Tags: tags("warroom"),
			Versions: []awssim.Version{version("monitoring", "current", 40*day, login("monitoring", e.password("monitoring"), srvPrimary), "AWSCURRENT")},
		},
		kept("prod/db/superuser", "a superuser of the production database, for emergencies", "superuser", login(breakGlass, e.password("break glass"), srvPrimary)),
		kept("prod/api/external-admin", "manages the keys of the external API", "external admin", object("token", e.external.Admin)),
		kept("prod/api/payment-admin", "manages the keys of the payment API", "payment admin", object("token", e.paying.Admin)),
		kept("prod/api/payment-backup", "a second key of the payment API, for emergencies", "payment backup",
			object("api_key", e.apiKey("payment backup"), "key_id", edge.KeyID("backup", e.apiKey("payment backup")))),
		e.rotatedKey("prod/api/external", "integrations",
			version("external", "previous", keysRotated+90*day, key("external previous", srvExternal), "AWSPREVIOUS"),
			version("external", "current", keysRotated, key("external current", srvExternal), "AWSCURRENT")),
		e.rotatedKey("prod/api/payment", "payment-service",
			version("payment", "previous", keysRotated+90*day, key("payment previous", srvPaying), "AWSPREVIOUS"),
			version("payment", "current", keysRotated, key("payment current", srvPaying), "AWSCURRENT")),
		{
			Name: "prod/edge/gateway-token", Description: "client token of the edge, renewed by hand", Tags: tags("api-gateway", "expires-at", e.ago(tokenEnded).Format(time.RFC3339)),
			Versions: []awssim.Version{version("token", "current", tokenEnded+30*day, object("token", token, "client_id", "edge"), "AWSCURRENT")},
		},
	} {
		s.KMSKey, s.Created, s.LastAccessed = keyAlias, e.ago(300*day), accessed
		e.aws.AddSecret(s)
	}
	return nil
}

// rotatedKey is an API key that was rotated two hours ago, as a secret that AWS
// rotates with its provider: no function of ours takes part.
func (e *estate) rotatedKey(name, service string, versions ...awssim.Version) awssim.Secret {
	return awssim.Secret{
		Name: name, Description: "API key, rotated with its provider", RotateAfterDays: 90,
		LastRotated: e.ago(keysRotated), NextRotation: e.began.Add(90*day - keysRotated),
		Tags: map[string]string{"environment": "production", "service": service}, Versions: versions,
	}
}

// staged is the version of a secret that carries a staging label.
func (e *estate) staged(secret, stage string) (awssim.Version, error) {
	s, ok := e.aws.Secret(secret)
	if ok {
		for _, v := range s.Versions {
			for _, label := range v.Stages {
				if label == stage {
					return v, nil
				}
			}
		}
	}
	return awssim.Version{}, fmt.Errorf("%s has no version under %s", secret, stage)
}
