package drill

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"warroom/internal/drill/edge"
)

// awsConfig reaches the world with a plain SDK client.
func awsConfig(w *World) aws.Config {
	id, secret := w.awsKey()
	return aws.Config{
		Region: region, BaseEndpoint: aws.String("http://" + w.address(srvAWS)), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	}
}

// actConfig is awsConfig as whoever may change things.
func actConfig(w *World) aws.Config {
	id, secret := w.actKey()
	c := awsConfig(w)
	c.Credentials = credentials.NewStaticCredentialsProvider(id, secret, "")
	return c
}

// roots trusts the world's CA file alone.
func roots(t *testing.T, w *World) *tls.Config {
	t.Helper()
	data, err := os.ReadFile(w.file(fileCA))
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(data) {
		t.Fatalf("the CA file cannot be used: %v", err)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func fetch(t *testing.T, w *World, url, bearer string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: roots(t, w), DisableKeepAlives: true}, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" && strings.Contains(string(body), bearer) {
		t.Errorf("%s echoes the credential", url)
	}
	return res, string(body)
}

func value(t *testing.T, w *World, secret, stage, field string) string {
	t.Helper()
	out, err := secretsmanager.NewFromConfig(awsConfig(w)).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secret), VersionStage: aws.String(stage)})
	if err != nil {
		t.Fatal(err)
	}
	return stringField(aws.ToString(out.SecretString), field)
}

// logIn is the SQLSTATE of a login, empty when it succeeds.
func logIn(t *testing.T, w *World, server, user, password string) string {
	t.Helper()
	config, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable dbname=" + databaseName)
	if err != nil {
		t.Fatal(err)
	}
	config.Port, config.User, config.Password, config.TLSConfig = uint16(w.port(server)), user, password, roots(t, w)
	config.TLSConfig.ServerName = "127.0.0.1"
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var one int
	if err := conn.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("SELECT 1 on %s: %d, %v", server, one, err)
	}
	return ""
}

// TestTheStoryInAWS reads what the control plane would say.
func TestTheStoryInAWS(t *testing.T) {
	w := open(t, Options{Seed: 5})
	cfg := awsConfig(w)
	d, err := secretsmanager.NewFromConfig(cfg).DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db/postgres")})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if age := now.Sub(aws.ToTime(d.LastRotatedDate)); age < 15*day || age > 15*day+12*time.Hour {
		t.Errorf("last rotated %v ago, want 15 days with hours to spare", age)
	}
	if !aws.ToBool(d.RotationEnabled) || !aws.ToTime(d.NextRotationDate).Before(now) || aws.ToInt64(d.RotationRules.AutomaticallyAfterDays) != 14 {
		t.Errorf("rotation enabled %v, next %v, rules %+v", aws.ToBool(d.RotationEnabled), d.NextRotationDate, d.RotationRules)
	}
	stuck := 0
	for _, stages := range d.VersionIdsToStages {
		if slices.Equal(stages, []string{"AWSPENDING"}) {
			stuck++
		}
	}
	if stuck != 1 || len(d.VersionIdsToStages) != 3 {
		t.Errorf("versions %v, want one of three stuck under AWSPENDING", d.VersionIdsToStages)
	}
	list, err := secretsmanager.NewFromConfig(cfg).ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range list.SecretList {
		names = append(names, aws.ToString(s.Name))
	}
	for _, want := range []string{"prod/db/postgres", "prod/db/analytics", "prod/api/external", "prod/api/payment", "prod/edge/gateway-token"} {
		if !slices.Contains(names, want) {
			t.Errorf("the account lacks %s: %q", want, names)
		}
	}
	f, err := lambda.NewFromConfig(cfg).GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(functionName)})
	if err != nil {
		t.Fatal(err)
	}
	if f.State != "Active" || aws.ToInt32(f.Timeout) != 30 || f.VpcConfig == nil {
		t.Errorf("function %+v", f)
	}
	logs, err := cloudwatchlogs.NewFromConfig(cfg).FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: f.LoggingConfig.LogGroup, FilterPattern: aws.String(`"Task timed out"`), StartTime: aws.Int64(now.Add(-day).UnixMilli()),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(logs.Events) != 15 || !strings.HasSuffix(aws.ToString(logs.Events[0].Message), "Task timed out after 30.03 seconds") {
		t.Errorf("%d timeouts in a day, want 15", len(logs.Events))
	}
	k, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(keyAlias)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := kms.NewFromConfig(cfg).GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: k.KeyMetadata.KeyId})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(aws.ToTime(r.NextRotationDate)); !k.KeyMetadata.Enabled || !r.KeyRotationEnabled || left < 7*day || left > 8*day {
		t.Errorf("key enabled %v, rotation %v in %v", k.KeyMetadata.Enabled, r.KeyRotationEnabled, left)
	}
	id, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(id.Account) != account {
		t.Errorf("identity %+v, %v", id, err)
	}
}

// TestTheStoryInPostgres logs in with every version on both servers.
func TestTheStoryInPostgres(t *testing.T) {
	w := open(t, Options{Seed: 5})
	for _, c := range []struct{ server, stage, state string }{
		{srvPrimary, "AWSCURRENT", "28P01"}, {srvPrimary, "AWSPENDING", "28P01"}, {srvPrimary, "AWSPREVIOUS", "28P01"},
		{srvReplica, "AWSCURRENT", "28P01"}, {srvReplica, "AWSPENDING", "28P01"}, {srvReplica, "AWSPREVIOUS", ""},
	} {
		if got := logIn(t, w, c.server, "app_user", value(t, w, "prod/db/postgres", c.stage, "password")); got != c.state {
			t.Errorf("%s with %s: %q, want %q", c.server, c.stage, got, c.state)
		}
	}
	password := value(t, w, "prod/db/monitoring", "AWSCURRENT", "password")
	for _, server := range []string{srvPrimary, srvReplica} {
		if got := logIn(t, w, server, "monitoring", password); got != "" {
			t.Errorf("the monitoring role on %s: %q", server, got)
		}
	}
}

// TestTheStoryAtTheEdge asks the gateway, the load balancer, the external API and
// the applications.
func TestTheStoryAtTheEdge(t *testing.T) {
	w := open(t, Options{Seed: 5})
	gateway := "https://" + w.address(srvGateway) + "/v1/ping"
	if res, _ := fetch(t, w, gateway, ""); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != `Bearer realm="api.company.com"` {
		t.Errorf("without a token: %d %q", res.StatusCode, res.Header.Get("WWW-Authenticate"))
	}
	res, _ := fetch(t, w, gateway, value(t, w, "prod/edge/gateway-token", "AWSCURRENT", "token"))
	if want := `Bearer realm="api.company.com", error="invalid_token", error_description="the token has expired"`; res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != want {
		t.Errorf("with the token: %d %q", res.StatusCode, res.Header.Get("WWW-Authenticate"))
	}
	conn, err := tls.Dial("tcp", w.address(srvBalancer), func() *tls.Config { c := roots(t, w); c.ServerName = "api.company.com"; return c }())
	if err != nil {
		t.Fatal(err)
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	_ = conn.Close()
	if left := time.Until(leaf.NotAfter); left < 12*day || left > 13*day {
		t.Errorf("the certificate ends in %v, want 12 days", left)
	}
	pair, err := tls.LoadX509KeyPair(w.file(fileCert), w.file(fileKey))
	if err != nil || !slices.Equal(pair.Certificate[0], leaf.Raw) {
		t.Errorf("what is served is not what is on disk: %v", err)
	}
	account := "https://" + w.address(srvExternal) + "/v1/account"
	// This call is the first of its window.
	res, _ = fetch(t, w, account, value(t, w, "prod/api/external", "AWSCURRENT", "api_key"))
	if res.StatusCode != 200 || res.Header.Get("X-RateLimit-Remaining") != "4999" || res.Header.Get("X-RateLimit-Limit") != "5000" {
		t.Errorf("external API: %d %v", res.StatusCode, res.Header)
	}
	if res, _ = fetch(t, w, account, value(t, w, "prod/api/external", "AWSPREVIOUS", "api_key")); res.StatusCode != 401 {
		t.Errorf("external API with the previous key: %d", res.StatusCode)
	}
	for _, c := range []struct {
		server, status string
		code, retries  int
	}{{srvUsers, "failed", 503, 1800}, {srvPayment, "healthy", 200, 0}, {srvAnalytics, "degraded", 200, 45}} {
		r, code := health(t, w, c.server)
		if code != c.code || r.Status != c.status || r.Connection != c.status || r.Retries != c.retries || r.SecretVersion == "" {
			t.Errorf("%s: %d %+v", c.server, code, r)
		}
	}
}

func health(t *testing.T, w *World, server string) (edge.Report, int) {
	t.Helper()
	var r edge.Report
	res, body := fetch(t, w, "https://"+w.address(server)+"/health", "")
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%s: %v", server, err)
	}
	return r, res.StatusCode
}

// makeWorld is a world that is built but not served by Serve, so that its state can
// be changed.
func makeWorld(t *testing.T, clock func() time.Time) *estate {
	t.Helper()
	w, err := Open("db-rotation", Options{Dir: t.TempDir(), Seed: 9, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	e, err := makeRotation(w)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestRepairsShow repairs each part of the story and looks at what depends on it.
func TestRepairsShow(t *testing.T) {
	e := makeWorld(t, nil)
	if e.tokenGood(e.now()) || !e.stuck() {
		t.Error("the world does not begin broken")
	}
	// The role: the user service connects with the password it has.
	e.postgres.SetValidUntil("app_user", e.now().Add(day))
	if r, code := health(t, e.World, srvUsers); code != 200 || r.Status != "healthy" {
		t.Errorf("user service after the repair: %d %+v", code, r)
	}
	// The replica: replay brings the new passwords, and the analytics service, which
	// still has the old one, fails in full.
	e.postgres.ResumeReplay()
	if got := logIn(t, e.World, srvReplica, "analytics_user", e.password("analytics previous")); got != "28P01" {
		t.Errorf("the replica after replay: %q", got)
	}
	if got := logIn(t, e.World, srvReplica, "app_user", e.password("app current")); got != "" {
		t.Errorf("the replica after replay: %q", got)
	}
	// The token: a good one in the store ends the failures at the gateway.
	token, err := e.issuer.Token("client:edge", audience, e.now(), e.now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	sm := secretsmanager.NewFromConfig(actConfig(e.World))
	text, _ := json.Marshal(map[string]string{"token": token})
	if _, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/edge/gateway-token"), SecretString: aws.String(string(text))}); err != nil {
		t.Fatal(err)
	}
	if res, _ := fetch(t, e.World, "https://"+e.address(srvGateway)+"/v1/ping", token); res.StatusCode != 200 {
		t.Errorf("the gateway with a good token: %d", res.StatusCode)
	}
	before := e.now().Add(-time.Minute)
	e.tick(e.now().Add(time.Hour))
	later := e.now().Add(time.Minute)
	if !e.traffic.at(before) || e.traffic.at(later) {
		t.Errorf("the gateway's failures go on before the repair %v, after it %v", e.traffic.at(before), e.traffic.at(later))
	}
	if !e.logins.at(before) || e.logins.at(later) {
		t.Errorf("the database's failures go on before the repair %v, after it %v", e.logins.at(before), e.logins.at(later))
	}
	// The key at its provider.
	e.paying.Revoke(e.apiKey("payment current"))
	if r, code := health(t, e.World, srvPayment); code != 503 || r.Status != "failed" {
		t.Errorf("payment service without its key: %d %+v", code, r)
	}
}

// TestAttemptsGoOnWhileStuck moves the clock over the next attempt.
func TestAttemptsGoOnWhileStuck(t *testing.T) {
	at := time.Now()
	e := makeWorld(t, func() time.Time { return at })
	logged := func() int {
		out, err := cloudwatchlogs.NewFromConfig(awsConfig(e.World)).FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/aws/lambda/" + functionName), FilterPattern: aws.String(`"Task timed out"`), StartTime: aws.Int64(e.began.Add(-lastAttempt - time.Minute).UnixMilli()),
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Events)
	}
	first := e.ago(lastAttempt).Add(attemptEvery)
	if next := e.tick(first); !next.Equal(first) || logged() != 1 {
		t.Errorf("an attempt before its time: next %v, %d logged", next, logged())
	}
	next := e.tick(e.began)
	if want := e.began.Add(attemptEvery); !next.Equal(want) || logged() != 2 {
		t.Errorf("the attempt that was due: next %v, want %v, %d logged", next, want, logged())
	}
	if _, err := secretsmanager.NewFromConfig(actConfig(e.World)).CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("prod/db/postgres")}); err != nil {
		t.Fatal(err)
	}
	if e.tick(e.began); logged() != 2 {
		t.Errorf("an attempt after rotation was cancelled: %d logged", logged())
	}
}

// TestTrafficIsWhole: any five minutes have 67 refused of a hundred calls, and any
// hour as many as the story says.
func TestTrafficIsWhole(t *testing.T) {
	tr := &traffic{crisis{began: time.Unix(0, 0)}}
	sum := func(from, minutes int) (total, failed float64) {
		for i := range minutes {
			at := time.Unix(int64(from+i)*60, 0)
			total, failed = total+tr.count(at).Sum, failed+tr.refused(at).Sum
		}
		return total, failed
	}
	for i := range 300 {
		if total, failed := sum(28_000_000+i, 5); total != 200 || failed != 134 {
			t.Fatalf("five minutes from %d: %v of %v", i, failed, total)
		}
		if _, failed := sum(28_000_000+i, 60); failed+refusedLogins+refusedTokens != 2347 {
			t.Fatalf("an hour from %d: %v", i, failed)
		}
	}
}

// TestPerMinute: any sixty minutes come to the count.
func TestPerMinute(t *testing.T) {
	for _, hourly := range []int{0, 1, 2, refusedTokens, refusedLogins, vaultLogins} {
		for from := range 60 {
			n := 0
			for i := range 60 {
				n += perMinute(hourly, time.Unix(int64(from+i)*60, 0).UTC())
			}
			if n != hourly {
				t.Fatalf("%d an hour from minute %d: %d", hourly, from, n)
			}
		}
	}
}
