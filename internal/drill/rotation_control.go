package drill

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"warroom/internal/drill/awssim"
	"warroom/internal/drill/edge"
	"warroom/internal/drill/pgsim"
)

// The figures of the control plane that the guide shows, and what of them the
// rest of the story contributes. The inventory makes up the difference.
const (
	nearExpiry = 45 // Secret Monitor; one of them is the load balancer's certificate
	expired    = 12 // two of them are prod/db/postgres and prod/edge/gateway-token

	nearElsewhere    = 1
	expiredElsewhere = 2

	// What failed to authenticate in an hour comes to 2,347: 1,608 calls at the
	// gateway, and these.
	refusedLogins = 703 // of the database
	refusedTokens = 36  // of Vault, in peace as now: machines whose token had run out
	strayLogins   = 2   // of the database, an hour in peace
	vaultLogins   = 1200
)

// Names in AWS of what the control plane reads.
const (
	apiID         = "a1b2c3d4e5"
	balancerName  = "prod-edge"
	databaseLogs  = "/aws/rds/instance/production/postgresql"
	functionGroup = "sg-0c3d4e5f607182930"
	databaseGroup = "sg-0f1e2d3c4b5a69788"
	managedPolicy = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
)

// rotations are those of the last day besides prod/db/postgres, which fails five
// times a day, and Vault's, of which three succeeded: 7 more failed, two
// succeeded, and five were abandoned, because somebody stored a value of their own
// meanwhile. Of 22 in all five succeeded, which is 23%. All lie hours within a day,
// so that the counts stay for hours.
var rotations = []struct {
	secret, outcome string
	ago             time.Duration
	message         string
}{
	{"prod/db/orders", "RotationFailed", 2*time.Hour + 6*time.Minute, "DB connection timeout"},
	{"prod/db/billing", "RotationFailed", 5*time.Hour + 41*time.Minute, "DB connection timeout"},
	{"prod/db/catalog", "RotationFailed", 9*time.Hour + 17*time.Minute, "DB connection timeout"},
	{"prod/api/sms", "RotationFailed", 3*time.Hour + 25*time.Minute, "the provider answered 429 Too Many Requests"},
	{"prod/api/geocoding", "RotationFailed", 7*time.Hour + 3*time.Minute, "the provider answered 429 Too Many Requests"},
	{"prod/api/tax", "RotationFailed", 11*time.Hour + 52*time.Minute, "the provider answered 429 Too Many Requests"},
	{"prod/tls/partner", "RotationFailed", 6*time.Hour + 30*time.Minute, "the order was refused: rateLimited"},
	{"prod/api/external", "RotationSucceeded", keysRotated, ""},
	{"prod/api/payment", "RotationSucceeded", keysRotated, ""},
	{"prod/api/fraud", "RotationAbandoned", 2*time.Hour + 50*time.Minute, ""},
	{"prod/api/ledger", "RotationAbandoned", 4*time.Hour + 31*time.Minute, ""},
	{"prod/api/shipping", "RotationAbandoned", 6*time.Hour + 18*time.Minute, ""},
	{"prod/queue/events", "RotationAbandoned", 9*time.Hour + 40*time.Minute, ""},
	{"prod/queue/jobs", "RotationAbandoned", 12*time.Hour + 27*time.Minute, ""},
}

// inventoried are what the other secrets of the account are called: prod/KIND/NAME.
var inventoried = struct{ kinds, names []string }{
	[]string{"api", "db", "token", "tls", "webhook"},
	[]string{"accounts", "audit", "backoffice", "carts", "coupons", "delivery", "exports", "feeds", "invoices", "loyalty", "media", "notices", "pricing", "profile", "refunds", "returns", "reviews", "stock", "support", "warehouse"},
}

// makeControl makes what the control plane and the edge read of AWS besides: the
// inventory, CloudTrail, the load balancer with its certificate, the API with its
// authorizer, the function's role, and the counts of failed authentications.
func (e *estate) makeControl() error {
	e.makeInventory()
	e.makeHistory()
	e.makeReaders()
	if err := e.makeEntrance(); err != nil {
		return err
	}
	e.makeRole()
	e.makeCounts()
	return nil
}

// makeInventory fills the account with secrets that nobody watches: some end soon
// and some have ended, by their tag; most have no end.
func (e *estate) makeInventory() {
	draw := e.source("inventory")
	add := func(s awssim.Secret) {
		s.KMSKey, s.Created = keyAlias, e.ago(time.Duration(90+draw.IntN(300))*day)
		s.LastAccessed = e.ago(time.Duration(draw.IntN(20)) * day)
		if s.LastRotated.IsZero() {
			s.LastChanged = s.Created
		}
		s.Versions = []awssim.Version{{ID: e.uuid("version " + s.Name), Value: e.text("value "+s.Name, 32), Stages: []string{"AWSCURRENT"}, Created: s.Created}}
		e.aws.AddSecret(s)
	}
	tags := func(name string) map[string]string {
		return map[string]string{"environment": "production", "service": name[strings.LastIndexByte(name, '/')+1:]}
	}
	for _, r := range rotations {
		if strings.HasPrefix(r.secret, "prod/api/external") || strings.HasPrefix(r.secret, "prod/api/payment") {
			continue
		}
		kind := strings.Split(r.secret, "/")[1]
		s := awssim.Secret{Name: r.secret, RotationLambda: "rotate-" + kind, RotateAfterDays: 30, Tags: tags(r.secret)}
		s.LastRotated, s.NextRotation = e.ago(r.ago), e.began.Add(30*day-r.ago)
		if r.outcome == "RotationFailed" {
			s.LastRotated, s.NextRotation = e.ago(r.ago+30*day), e.ago(r.ago+time.Minute)
		}
		add(s)
	}
	for _, kind := range []string{"api", "db", "queue", "tls"} {
		name := "rotate-" + kind
		e.aws.AddFunction(awssim.Function{Name: name, LastModified: e.ago(200 * day), Policy: e.aws.InvokePolicy(name)})
	}
	n := 0
	for _, kind := range inventoried.kinds {
		for _, name := range inventoried.names {
			s := awssim.Secret{Name: "prod/" + kind + "/" + name, Tags: tags(name)}
			// Well away from the edges, so that the counts stay for hours: between one
			// and six and a half days to come, or days ago.
			switch {
			case n < nearExpiry-nearElsewhere:
				s.Tags["expires-at"] = e.began.Add(day + time.Duration(n)*3*time.Hour).Format(time.RFC3339)
			case n < nearExpiry-nearElsewhere+expired-expiredElsewhere:
				s.Tags["expires-at"] = e.ago(time.Duration(1+draw.IntN(40))*day + 3*time.Hour).Format(time.RFC3339)
			case n%5 == 0:
				s.Tags["expires-at"] = e.began.Add(time.Duration(30+draw.IntN(200)) * day).Format(time.DateOnly)
			}
			add(s)
			n++
		}
	}
}

// session is the ARN of a session of a role.
func session(role, name string) string {
	return "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name
}

// makeHistory states what CloudTrail recorded: the rotations of the last day, and
// the changes of the last days, one of which is the cause.
func (e *estate) makeHistory() {
	a := e.aws
	a.AddTrail(awssim.Trail{Name: "organization-audit", MultiRegion: true, Validated: true, Global: true, KMSKey: a.KeyARN(keyAlias)})
	for _, r := range rotations {
		s, ok := a.Secret(r.secret)
		if !ok {
			continue // every one of them is in the inventory or watched
		}
		at := e.ago(r.ago)
		a.AddEvent(awssim.RotationEvent("RotationStarted", s.ARN, at.Add(-40*time.Second), ""))
		a.AddEvent(awssim.RotationEvent(r.outcome, s.ARN, at, r.message))
		if r.outcome == "RotationAbandoned" {
			e.happened(at, "secretsmanager", "PutSecretValue", session("deploy", "release"), map[string]any{"secretId": r.secret}, "AWS::SecretsManager::Secret", s.ARN)
		}
	}
	rule := func(group, other string) map[string]any {
		return map[string]any{"groupId": group, "ipPermissions": map[string]any{"items": []any{map[string]any{
			"ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "groups": map[string]any{"items": []any{map[string]any{"groupId": other}}},
		}}}}
	}
	const sg = "AWS::EC2::SecurityGroup"
	network := session("network-automation", "apply-1182")
	at := e.ago(cutOff)
	e.happened(at, "ec2", "RevokeSecurityGroupIngress", network, rule(databaseGroup, functionGroup), sg, databaseGroup)
	e.happened(at.Add(4*time.Second), "ec2", "RevokeSecurityGroupEgress", network, rule(functionGroup, databaseGroup), sg, functionGroup)
	// What the same run did to others, and what others did, is harmless.
	e.happened(at.Add(9*time.Second), "ec2", "AuthorizeSecurityGroupIngress", network, rule("sg-0a9b8c7d6e5f40312", "sg-0b1c2d3e4f5061728"), sg, "sg-0a9b8c7d6e5f40312")
	named := func(secret string) (map[string]any, string) {
		s, _ := a.Secret(secret)
		return map[string]any{"secretId": secret}, s.ARN
	}
	for _, c := range []struct {
		ago          time.Duration
		name, secret string
		by           string
	}{
		{62 * time.Hour, "TagResource", "prod/api/payment", session("cost-reporting", "monthly")},
		{due + 20*time.Minute, "TagResource", "prod/db/analytics", session("cost-reporting", "monthly")},
	} {
		in, arn := named(c.secret)
		e.happened(e.ago(c.ago), "secretsmanager", c.name, c.by, in, "AWS::SecretsManager::Secret", arn)
	}
	// Somebody has tried to rotate by hand, in vain: AWS refuses while one is stuck.
	in, arn := named("prod/db/postgres")
	e.aws.AddEvent(awssim.Event{
		At: e.ago(26*time.Hour + 15*time.Minute), Source: "secretsmanager.amazonaws.com", Name: "RotateSecret", Principal: session("on-call", "break-glass"), From: "10.20.9.21",
		Agent: "aws-cli/2.27.0", Request: in, Resources: []awssim.EventResource{{Type: "AWS::SecretsManager::Secret", Name: arn}},
		Code: "InvalidRequestException", Message: "A previous rotation isn't complete. That rotation will be reattempted.",
	})
	e.happened(e.ago(44*time.Hour), "iam", "TagRole", session("cost-reporting", "monthly"), map[string]any{"roleName": functionName}, "AWS::IAM::Role", functionName)
}

// happened states a call that was made.
func (e *estate) happened(at time.Time, service, name, by string, request map[string]any, kind, resource string) {
	e.aws.AddEvent(awssim.Event{
		At: at, Source: service + ".amazonaws.com", Name: name, Principal: by, From: "10.20.9.4", Agent: "aws-sdk-go-v2/1.39.0",
		Request: request, Resources: []awssim.EventResource{{Type: kind, Name: resource}},
	})
}

// makeEntrance makes the load balancer with the certificate that it serves, which
// was imported and so is renewed by nobody, and the API with its authorizer.
func (e *estate) makeEntrance() error {
	certificate, err := os.ReadFile(e.file(fileCert))
	if err != nil {
		return fmt.Errorf("read the load balancer's certificate: %w", err)
	}
	a := e.aws
	c := awssim.Certificate{ARN: e.certificateARN(), PEM: certificate, Chain: e.pki.pem(), Tags: map[string]string{"service": "load-balancer"}}
	c.ARN = a.AddCertificate(c)
	arn := a.AddLoadBalancer(awssim.LoadBalancer{
		Name: balancerName, VPC: "vpc-0d1f2e3a4b5c6d7e8", SecurityGroups: []string{"sg-0d4e5f60718293a4b"},
		Subnets: map[string]string{"us-west-2a": "subnet-0c3d4e5f60718293a", "us-west-2b": "subnet-0d4e5f60718293a4b"},
		Tags:    map[string]string{"environment": "production"},
		Listeners: []awssim.LoadListener{
			{Port: 443, Protocol: "HTTPS", Policy: "ELBSecurityPolicy-TLS13-1-2-2021-06", Certificates: []string{c.ARN}},
			{Port: 80, Protocol: "HTTP", Redirect: "HTTPS"},
		},
	})
	c.InUseBy = []string{arn}
	a.AddCertificate(c)
	a.AddAPI(awssim.API{ID: apiID, Name: "edge", Description: "the public API", Authorizers: []awssim.Authorizer{
		{Name: "clients", Type: "JWT", Issuer: "https://" + e.address(srvIssuer), Audience: []string{audience}},
	}})
	return nil
}

// makeRole makes the function's role, which may do all that its work needs: the
// cause lies in the network.
func (e *estate) makeRole() {
	statement := func(resource string, actions ...string) map[string]any {
		return map[string]any{"Effect": "Allow", "Action": actions, "Resource": resource}
	}
	policy := func(statements ...map[string]any) string {
		raw, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements}) // texts
		return string(raw)
	}
	a := e.aws
	e.addUsers(a)
	a.AddRole(awssim.Role{
		Name: functionName, Description: "what " + functionName + " runs as", Created: e.ago(400 * day),
		Policies: []awssim.Policy{
			{Name: "rotate-database-secrets", Document: policy(
				statement("arn:aws:secretsmanager:"+region+":"+account+":secret:prod/db/*", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
				statement("*", "secretsmanager:GetRandomPassword"),
				statement(a.KeyARN(keyAlias), "kms:Decrypt", "kms:GenerateDataKey"),
			)},
			{Name: "AWSLambdaVPCAccessExecutionRole", ARN: managedPolicy, Document: policy(statement("*",
				"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces",
				"ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"))},
		},
	})
}

// Metrics of failed authentications.
const (
	gatewayMetrics = "AWS/ApiGateway"
	logMetrics     = "LogMetrics" // of metric filters on logs
)

var (
	gatewayDimensions  = map[string]string{"ApiId": apiID}
	databaseDimensions = map[string]string{"Database": databaseName}
	vaultDimensions    = map[string]string{"Cluster": "primary"}
)

// crisis is a span of time: since it began and, once it is over, until it ended.
type crisis struct {
	began time.Time
	ended atomic.Int64 // Unix time from which on it is over; 0 while it goes on
}

func (c *crisis) over() bool { return c.ended.Load() != 0 }

func (c *crisis) end(at time.Time) { c.ended.CompareAndSwap(0, at.Unix()) }

func (c *crisis) at(t time.Time) bool {
	ended := c.ended.Load()
	return !t.Before(c.began) && (ended == 0 || t.Unix() < ended)
}

// perMinute spreads a count of an hour over its minutes, the same in each hour, so
// that any sixty minutes come to the count.
func perMinute(hourly int, minute time.Time) int {
	n := minute.Minute()
	return hourly*(n+1)/60 - hourly*n/60
}

// makeCounts makes the counts of failed authentications, beside those that the
// gateway counts: of the database's log and of Vault's audit log.
func (e *estate) makeCounts() {
	e.logins = &crisis{began: e.ago(due)}
	hosts := []struct{ app, client string }{
		{"user-service", "10.20.2.11"}, {"user-service", "10.20.2.12"}, {"batch-import", "10.20.4.31"}, {"user-service", "10.20.2.13"}, {"nightly-report", "10.20.4.17"},
	}
	failed := func(minute time.Time) int {
		if e.logins.at(minute) {
			return perMinute(refusedLogins, minute)
		}
		return perMinute(strayLogins, minute)
	}
	e.aws.GenerateLog(databaseLogs, "production.0", e.ago(7*day), func(minute time.Time) []awssim.LogLine {
		out := make([]awssim.LogLine, failed(minute))
		for i := range out {
			// Every pool tries again at the full minute, so that a minute's lines are
			// all there as soon as it has begun.
			at := minute.Add(time.Duration(i) * time.Millisecond)
			host := hosts[i%len(hosts)]
			client := fmt.Sprintf("%s(%d)", host.client, 40000+(minute.Minute()*131+i*17)%20000)
			out[i] = awssim.LogLine{At: at, Message: refusalLine(at, client, "app_user", host.app, 2000+minute.Minute()*20+i)}
		}
		return out
	})
	// A metric filter on that log counts its lines.
	e.aws.Metrics.PutSamples(logMetrics, "DatabaseFailedLogins", databaseDimensions, func(t time.Time) awssim.Sample {
		n := float64(failed(t))
		return awssim.Sample{Count: max(n, 1), Sum: n, Min: 0, Max: 1}
	})
	count := func(hourly int) func(time.Time) awssim.Sample {
		return func(t time.Time) awssim.Sample {
			n := float64(perMinute(hourly, t))
			return awssim.Sample{Count: max(n, 1), Sum: n, Min: 0, Max: 1}
		}
	}
	e.aws.Metrics.PutSamples(logMetrics, "VaultFailedLogins", vaultDimensions, count(refusedTokens))
	e.aws.Metrics.PutSamples(logMetrics, "VaultLogins", vaultDimensions, count(vaultLogins))
}

// refusalLine is a line of the database's log, with the prefix that RDS gives it
// and the application's name.
func refusalLine(at time.Time, client, user, application string, pid int) string {
	return fmt.Sprintf("%s UTC:%s:%s@%s:[%d]:%s:FATAL:  password authentication failed for user %q",
		at.UTC().Format("2006-01-02 15:04:05"), client, user, databaseName, pid, application, user)
}

// refusedLogin logs a login that really failed on the primary, and has the metric
// count it. Those of the world's own applications are among the generated lines.
func (e *estate) refusedLogin(r pgsim.Refusal) {
	if r.Replica || r.Application == srvUsers || r.Application == srvAnalytics {
		return
	}
	host, port, _ := strings.Cut(r.Client, ":")
	e.aws.AddLog(awssim.LogEvent{Group: databaseLogs, Stream: "production.0", At: r.At, Message: refusalLine(r.At, host+"("+port+")", r.User, r.Application, 3000)})
	e.aws.Metrics.Add(logMetrics, "DatabaseFailedLogins", databaseDimensions, r.At, 1)
}

// countedGateway is the gateway with its metrics: the calls that really arrive
// count beside those of its clients.
type countedGateway struct {
	*edge.Gateway
	metrics *awssim.Metrics
	now     func() time.Time
}

// ServeHTTP counts the call by its answer, before that is sent.
func (g *countedGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.Gateway.ServeHTTP(&countedAnswer{w, g, g.now()}, r)
}

// countedAnswer counts an answer when its code is known.
type countedAnswer struct {
	http.ResponseWriter
	gateway *countedGateway
	at      time.Time
}

// WriteHeader counts. The gateway calls it once.
func (a *countedAnswer) WriteHeader(code int) {
	refused := 0.0
	if code >= 400 && code < 500 {
		refused = 1
	}
	a.gateway.metrics.Add(gatewayMetrics, "Count", gatewayDimensions, a.at, 1)
	a.gateway.metrics.Add(gatewayMetrics, "4xx", gatewayDimensions, a.at, refused)
	a.ResponseWriter.WriteHeader(code)
}
