package checks

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// listener serves raw connections on loopback until the test ends.
func listener(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
			go serve(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		close(conns)
		for c := range conns {
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

// request reads one whole HTTP request, so that closing the connection does not
// reset it.
func request(c net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// awsFault is a way in which an endpoint can fail, and as what it must read.
type awsFault struct {
	endpoint func(*testing.T, *fakeAWS) string
	want     estate.FailureKind
}

func awsFaults() map[string]awsFault {
	served := func(h http.HandlerFunc) func(*testing.T, *fakeAWS) string {
		return func(_ *testing.T, f *fakeAWS) string {
			f.on("*", h)
			return f.URL
		}
	}
	raw := func(serve func(net.Conn)) func(*testing.T, *fakeAWS) string {
		return func(t *testing.T, _ *fakeAWS) string { return listener(t, serve) }
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(`{"Name":"` + strings.Repeat("x", 64<<10))
		for {
			if _, err := w.Write(chunk); err != nil || r.Context().Err() != nil {
				return
			}
		}
	}
	return map[string]awsFault{
		"connection refused": {func(t *testing.T, _ *fakeAWS) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			return "http://" + l.Addr().String()
		}, estate.Refused},
		"name that does not resolve": {func(*testing.T, *fakeAWS) string { return "http://warroom.invalid" }, estate.Unresolved},
		"accepts and says nothing":   {raw(func(net.Conn) {}), estate.Silent},
		"closes at once":             {raw(func(c net.Conn) { _ = c.Close() }), estate.Refused},
		"resets half way": {raw(func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 500\r\n\r\n{\"Name\":\"prod")
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}), estate.Refused},
		"ends half way": {raw(func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"Name\":\"prod")
			_ = c.Close()
		}), estate.Refused},
		"stops half way": {raw(func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"Name\":\"prod")
		}), estate.Silent},
		"is not HTTP": {raw(func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			_ = c.Close()
		}), estate.BadAnswer},
		"endless header": {raw(func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X-Long: "+strings.Repeat("y", 4000)+"\r\n"); err != nil {
					return
				}
			}
		}), estate.BadAnswer},
		"endless body":     {served(endless), estate.BadAnswer},
		"HTML 500":         {served(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>oops</html>", 500) }), estate.ServerError},
		"HTML 404":         {served(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>nothing</html>", 404) }), estate.BadAnswer},
		"HTML 200":         {served(awsAnswer("<!doctype html><p>Welcome")), estate.BadAnswer},
		"truncated answer": {served(awsAnswer(`{"Name":"prod/db`)), estate.BadAnswer},
		"empty answer":     {served(awsAnswer("")), estate.BadAnswer},
		"garbage":          {served(awsAnswer("\x00\x01\xff\xfe")), estate.BadAnswer},
		"not permitted":    {served(apiError(400, "AccessDeniedException", "User is not authorized")), estate.Denied},
		"expired session":  {served(apiError(403, "ExpiredTokenException", "The security token included in the request is expired")), estate.NoIdentity},
		"unknown keys":     {served(apiError(403, "InvalidClientTokenId", "The security token is invalid")), estate.NoIdentity},
		"clock skew":       {served(apiError(403, "SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than")), estate.NoIdentity},
		"throttled":        {served(apiError(400, "ThrottlingException", "Rate exceeded")), estate.Throttled},
		"internal failure": {served(apiError(500, "InternalFailure", "oops")), estate.ServerError},
		"unknown call":     {served(apiError(400, "UnknownOperationException", "")), estate.Broken},
	}
}

// One read of each of the protocols that AWS speaks meets every way in which an
// endpoint can fail. Each ends within its timeout, as the right kind.
func TestAWSBadInput(t *testing.T) {
	for name, test := range awsFaults() {
		for _, check := range []string{
			estate.CheckDescribe, estate.CheckFunction, estate.CheckIdentity,
			estate.CheckListeners, estate.CheckAuthorizers, estate.CheckRotationEvents,
		} {
			if check == estate.CheckRotationEvents && !slices.Contains([]string{"HTML 500", "accepts and says nothing", "endless body", "not permitted", "truncated answer"}, name) {
				continue // a second try waits for its turn, and some of the faults will do
			}
			t.Run(name+"/"+check, func(t *testing.T) {
				fake := newFakeAWS(t)
				endpoint := test.endpoint(t, fake)
				before := runtime.NumGoroutine()
				cfg := controlConfig(endpoint)
				cfg.Checks.Timeout = 20 * time.Second // none but the silent ones may need it
				if test.want == estate.Silent {
					cfg.Checks.Timeout = 200 * time.Millisecond
				}
				set := clients.New(cfg)
				p := probeOf(t, awsProbes(cfg, set, nil), check)
				began := time.Now()
				got := read(t, p)
				if took := time.Since(began); took > p.Timeout+500*time.Millisecond {
					t.Errorf("took %s with a timeout of %s", took, p.Timeout)
				}
				f := kindIs(t, got.Err, test.want)
				if !strings.Contains(f.Doing, "AWS main") || f.Detail == "" || len([]rune(f.Detail)) > clients.DetailLimit {
					t.Errorf("failure %+v", f)
				}
				set.Close()
				fake.CloseClientConnections()
				settle(t, before)
			})
		}
	}
}

func TestDeniedForOneCallOnly(t *testing.T) {
	fake := newFakeAWS(t)
	fake.on("ListSecrets", apiError(400, "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized to perform: secretsmanager:ListSecrets"))
	fake.on("DescribeSecret", awsAnswer(`{"Name":"prod/db/postgres"}`))
	fake.on("GetCallerIdentity", awsAnswer(identityXML))
	cfg := awsConfig(fake.URL)
	probes := awsProbes(cfg, newSet(t, cfg), nil)
	f := kindIs(t, read(t, probeOf(t, probes, estate.CheckInventory)).Err, estate.Denied)
	if !strings.Contains(f.Detail, "secretsmanager:ListSecrets") || f.Next == "" {
		t.Errorf("failure %v does not say which permission and what to do", f)
	}
	for _, check := range []string{estate.CheckDescribe, estate.CheckIdentity} {
		if got := read(t, probeOf(t, probes, check)); got.Err != nil {
			t.Errorf("%s: %v", check, got.Err)
		}
	}
}

func TestInterruptedReadSawNothing(t *testing.T) {
	fake := newFakeAWS(t)
	cfg := awsConfig(fake.URL)
	set := newSet(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	fake.on("DescribeSecret", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	got := probeOf(t, awsProbes(cfg, set, nil), estate.CheckDescribe).Read(ctx)
	if got.Err != context.Canceled || got.Data != nil {
		t.Errorf("got %v, %v; want the context's own error", got.Data, got.Err)
	}
}

// A secret that was read is planted, in every encoding, in every answer and
// error of every call, and must come back in nothing.
func TestAWSNeverShowsASecret(t *testing.T) {
	const canary = `CANARY-p/w+"7&f` + "é"
	quoted, _ := json.Marshal(canary)
	inside := string(quoted[1 : len(quoted)-1])
	planted := []string{
		canary, inside, url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte("x" + canary + "y")), base64.URLEncoding.EncodeToString([]byte(canary)),
	}
	everything := strings.Join(planted, " ") + strings.Repeat(" "+canary, 30)
	text, _ := json.Marshal(everything)
	answers := map[string]string{
		"DescribeSecret": fmt.Sprintf(`{"ARN":%[1]s,"Name":%[1]s,"OwningService":%[1]s,"KmsKeyId":%[1]s,"RotationLambdaARN":%[1]s,"RotationRules":{"ScheduleExpression":%[1]s},
			"Tags":[{"Key":%[1]s,"Value":%[1]s}],"ReplicationStatus":[{"Region":%[1]s,"Status":%[1]s,"StatusMessage":%[1]s}],"VersionIdsToStages":{%[1]s:[%[1]s]}}`, text),
		"configuration": fmt.Sprintf(`{"FunctionName":%[1]s,"FunctionArn":%[1]s,"State":%[1]s,"StateReason":%[1]s,"LastUpdateStatus":%[1]s,"LastUpdateStatusReason":%[1]s,
			"Runtime":%[1]s,"Role":%[1]s,"LastModified":%[1]s,"LoggingConfig":{"LogGroup":%[1]s}}`, text),
		"policy":               fmt.Sprintf(`{"Policy":%s}`, text),
		"concurrency":          `{}`,
		"DescribeKey":          fmt.Sprintf(`{"KeyMetadata":{"KeyId":%[1]s,"KeyState":%[1]s,"Origin":%[1]s,"KeyManager":%[1]s,"KeySpec":%[1]s}}`, text),
		"GetKeyRotationStatus": `{"KeyRotationEnabled":true}`,
		"GetMetricData":        fmt.Sprintf(`{"MetricDataResults":[{"Id":"m0","StatusCode":"Forbidden","Messages":[{"Code":%[1]s,"Value":%[1]s}]}]}`, text),
		"FilterLogEvents":      `{"events":[` + logEvent(1, "ERROR "+everything) + `]}`,
		"ListSecrets":          fmt.Sprintf(`{"SecretList":[{"Name":%s}]}`, text),
		"LookupEvents": fmt.Sprintf(`{"Events":[{"EventId":"1","EventName":"RotationFailed","EventTime":%[2]d,"Username":%[1]s,"Resources":[{"ResourceName":%[1]s,"ResourceType":%[1]s}],"CloudTrailEvent":%[3]s},
			{"EventId":"2","EventName":"PutSecretValue","EventSource":"secretsmanager.amazonaws.com","EventTime":%[2]d,"Username":%[1]s,"CloudTrailEvent":%[3]s}]}`, text, time.Now().Unix(), plantedRecord(everything)),
		"DescribeTrails":        fmt.Sprintf(`{"trailList":[{"Name":%[1]s,"TrailARN":%[1]s}]}`, text),
		"GetTrailStatus":        fmt.Sprintf(`{"IsLogging":true,"LatestDeliveryError":%[1]s}`, text),
		"GetEventSelectors":     fmt.Sprintf(`{"EventSelectors":[{"ReadWriteType":%[1]s}]}`, text),
		"authorizers":           fmt.Sprintf(`{"items":[{"authorizerId":%[1]s,"name":%[1]s,"authorizerType":%[1]s,"authorizerUri":"x/functions/%[2]s/invocations","jwtConfiguration":{"issuer":%[1]s,"audience":[%[1]s]}}]}`, text, inside),
		"DescribeLoadBalancers": strings.ReplaceAll(balancerXML, "edge", html.EscapeString(canary)), "DescribeListeners": strings.ReplaceAll(fmt.Sprintf(listenersXML, ""), "TLS13", html.EscapeString(everything)),
		"DescribeListenerCertificates": servedXML,
		"DescribeCertificate": fmt.Sprintf(`{"Certificate":{"CertificateArn":%[1]s,"DomainName":%[1]s,"SubjectAlternativeNames":[%[1]s],"Status":%[1]s,"Type":%[1]s,"FailureReason":%[1]s,"Serial":%[1]s,
			"RenewalSummary":{"RenewalStatus":%[1]s,"RenewalStatusReason":%[1]s}}}`, text),
		"SimulatePrincipalPolicy": strings.ReplaceAll(`<R><SimulatePrincipalPolicyResult><EvaluationResults><member><EvalActionName>X</EvalActionName><EvalResourceName>X</EvalResourceName><EvalDecision>X</EvalDecision>
			<MatchedStatements><member><SourcePolicyId>X</SourcePolicyId></member></MatchedStatements></member></EvaluationResults></SimulatePrincipalPolicyResult></R>`, "X", html.EscapeString(everything)),
		"ListAttachedRolePolicies": strings.ReplaceAll(`<R><ListAttachedRolePoliciesResult><AttachedPolicies><member><PolicyName>X</PolicyName><PolicyArn>X</PolicyArn></member></AttachedPolicies></ListAttachedRolePoliciesResult></R>`, "X", html.EscapeString(canary)),
		"GetCallerIdentity":        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>" + url.QueryEscape(canary) + "</Arn><Account>" + url.QueryEscape(canary) + "</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
	}
	stored, _ := json.Marshal(map[string]string{"username": "app", "password": canary, "engine": "postgres"})
	value, _ := json.Marshal(map[string]any{"Name": "x", "VersionId": "v1", "SecretString": string(stored), "VersionStages": []string{"AWSCURRENT"}})

	failing := map[string]http.HandlerFunc{
		"answers": nil,
		"error":   apiError(400, "AccessDeniedException", everything),
		"throttled": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-ErrorType", "ThrottlingException")
			w.WriteHeader(400)
			_, _ = fmt.Fprintf(w, `{"message":%s}`, text)
		},
		"page":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, everything, 500) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, `{"Name":%s`, text) },
		"code": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = fmt.Fprintf(w, `{"__type":%s,"message":%s}`, text, text)
		},
	}
	for name, handler := range failing {
		t.Run(name, func(t *testing.T) {
			fake := newFakeAWS(t)
			cfg := controlConfig(fake.URL)
			cfg.AWS[0].Region = "us-east-1" // one region's lookups: each waits for its turn
			set := newSet(t, cfg)
			probes := awsProbes(cfg, set, nil)
			fake.on("GetSecretValue", awsAnswer(string(value)))
			account, err := set.AWS("main")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := account.Value(t.Context(), "x", estate.StageCurrent); err != nil {
				t.Fatal(err)
			}
			for operation, one := range answers {
				h := handler
				if h == nil {
					h = awsAnswer(one)
				}
				fake.on(operation, h)
			}
			results := make([]Result, len(probes))
			var wait sync.WaitGroup
			for i, p := range probes {
				wait.Go(func() { results[i] = read(t, p) })
			}
			wait.Wait()
			for i, p := range probes {
				got := results[i]
				all := fmt.Sprintf("%+v %#v %v", got.Data, got.Data, got.Err)
				inJSON, _ := json.Marshal(got)
				all += string(inJSON)
				if strings.Contains(all, "CANARY") || strings.Contains(all, base64.StdEncoding.EncodeToString([]byte(canary))[:12]) {
					t.Errorf("%v shows the secret: %s", p.Key, all)
				}
			}
		})
	}
}

// plantedRecord is CloudTrail's record of an event with a text in every place.
func plantedRecord(text string) []byte {
	in := func(v any) map[string]any {
		return map[string]any{"secretId": v, "reason": v, "policyName": v, "groupId": v, "secretString": v, "name": v}
	}
	record, _ := json.Marshal(map[string]any{
		"eventType": text, "sourceIPAddress": text, "userAgent": text, "errorCode": text, "errorMessage": text,
		"userIdentity":      map[string]any{"arn": text, "userName": text, "sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": text}}},
		"requestParameters": map[string]any{"secretId": "prod/db/postgres", "more": in(text)}, "additionalEventData": in(text), "resources": []any{map[string]any{"ARN": text}},
	})
	quoted, _ := json.Marshal(string(record))
	return quoted
}

// An account whose credentials nobody gives must not cost every read its whole
// timeout, and says what to do.
func TestAWSWithoutCredentials(t *testing.T) {
	fake := newFakeAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", listener(t, func(net.Conn) {}))
	cfg := awsConfig(fake.URL)
	cfg.Checks.Timeout = 300 * time.Millisecond
	cfg.AWS = []config.AWSAccount{{Name: "main", Region: "eu-west-1", Endpoint: fake.URL}}
	set := newSet(t, cfg)
	probes := awsProbes(cfg, set, nil)
	began := time.Now()
	for _, p := range probes {
		if f := kindIs(t, read(t, p).Err, estate.NoIdentity); f.Next == "" || !strings.Contains(f.Detail, "credentials") {
			t.Errorf("%v: %v", p.Key, f)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("%d reads took %s, want one timeout of 300ms for all", len(probes), took)
	}
}
