package checks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

func TestAWSProbesAndKeys(t *testing.T) {
	cfg := awsConfig("http://127.0.0.1:1")
	var got []string
	for _, p := range awsProbes(cfg, newSet(t, cfg), nil) {
		got = append(got, fmt.Sprintf("%s/%s/%s", p.Key.Component, p.Key.Check, p.Key.Item))
		if p.System != "aws:main" || p.Timeout <= 0 || p.Interval <= 0 {
			t.Errorf("%v: system %q, timeout %s, interval %s", p.Key, p.System, p.Timeout, p.Interval)
		}
		if !strings.Contains(p.Source, "AWS main eu-west-1 at http://127.0.0.1:1") {
			t.Errorf("%v: source %q does not say where", p.Key, p.Source)
		}
	}
	want := []string{
		"rot/function/", "rot/concurrency/", "rot/policy/", "rot/function-metrics/", "rot/function-logs/", "rot/permissions/",
		"sm/identity/", "sm/describe/prod/db/postgres", "sm/inventory/",
		"kms/key/alias/prod", "kms/key-rotation/alias/prod", "gw/auth-failures/",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestIdentityOfAnAccountWithoutSecretsManager(t *testing.T) {
	cfg := awsConfig("http://127.0.0.1:1")
	cfg.Components = append(cfg.Components[:1:1], cfg.Components[2:]...)
	if p := probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckIdentity); p.Key.Component != "rot" {
		t.Errorf("identity belongs to %q, want the first component of the account", p.Key.Component)
	}
}

func TestAWSAccountThatIsNotConfigured(t *testing.T) {
	cfg := awsConfig("http://127.0.0.1:1")
	cfg.AWS = nil
	probes := awsProbes(cfg, newSet(t, cfg), nil)
	if len(probes) != 12 {
		t.Fatalf("%d probes, want 12: what cannot be read must be seen", len(probes))
	}
	for _, p := range probes {
		kindIs(t, read(t, p).Err, estate.Misconfigure)
	}
}

func metricJSON(values ...string) string {
	var results []string
	for i, v := range values {
		at, _ := json.Marshal(float64(time.Now().Add(-time.Minute).Truncate(time.Minute).Unix()))
		timestamps := fmt.Sprintf("[%s]", at)
		if v == "" {
			timestamps = "[]"
		}
		results = append(results, fmt.Sprintf(`{"Id":"m%d","Label":"x","StatusCode":"Complete","Timestamps":%s,"Values":[%s]}`, i, timestamps, v))
	}
	return `{"MetricDataResults":[` + strings.Join(results, ",") + `]}`
}

func TestAWSReads(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	past := time.Now().Add(-time.Hour).Unix()
	reserved := 0
	tests := map[string]struct {
		check   string
		answers map[string]http.HandlerFunc
		want    any // data, or the kind of the failure
	}{
		"secret with a stuck pending version": {estate.CheckDescribe, map[string]http.HandlerFunc{"DescribeSecret": awsAnswer(`{
			"ARN":"arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-Ab","Name":"prod/db/postgres","RotationEnabled":true,
			"RotationLambdaARN":"arn:l","RotationRules":{"AutomaticallyAfterDays":30,"ScheduleExpression":"rate(12 hours)"},
			"LastRotatedDate":100,"NextRotationDate":200,"LastChangedDate":300,"LastAccessedDate":400,"KmsKeyId":"k","OwningService":"rds",
			"Tags":[{"Key":"expires","Value":"2026-01-01"}],
			"ReplicationStatus":[{"Region":"us-east-1","Status":"Failed","StatusMessage":"no key"}],
			"VersionIdsToStages":{"v2":["AWSPENDING"],"v1":["AWSCURRENT","AWSPREVIOUS"]}}`)},
			estate.SecretDescription{
				Secret: "prod/db/postgres", ARN: "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db/postgres-Ab", RotationEnabled: true,
				RotationFunctionARN: "arn:l", RotateEvery: 12 * time.Hour, Schedule: "rate(12 hours)", LastRotated: at(100), NextRotation: at(200),
				LastChanged: at(300), LastAccessed: at(400), KMSKey: "k", OwningService: "rds", Tags: map[string]string{"expires": "2026-01-01"},
				Replicas: []estate.SecretReplica{{Region: "us-east-1", Status: "Failed", Message: "no key"}},
				Versions: []estate.SecretVersion{{ID: "v1", Stages: []estate.Stage{"AWSCURRENT", "AWSPREVIOUS"}}, {ID: "v2", Stages: []estate.Stage{"AWSPENDING"}}},
			}},
		"secret whose pending version has an age": {estate.CheckDescribe, map[string]http.HandlerFunc{
			"DescribeSecret":       awsAnswer(`{"Name":"prod/db/postgres","VersionIdsToStages":{"v2":["AWSPENDING"],"v1":["AWSCURRENT"]}}`),
			"ListSecretVersionIds": awsAnswer(`{"Versions":[{"VersionId":"v1","CreatedDate":100},{"VersionId":"v2","CreatedDate":200}]}`)},
			estate.SecretDescription{Secret: "prod/db/postgres", PendingSince: at(200), Versions: []estate.SecretVersion{
				{ID: "v1", Stages: []estate.Stage{"AWSCURRENT"}}, {ID: "v2", Stages: []estate.Stage{"AWSPENDING"}}}}},
		"secret whose versions may not be listed": {estate.CheckDescribe, map[string]http.HandlerFunc{
			"DescribeSecret":       awsAnswer(`{"Name":"prod/db/postgres","VersionIdsToStages":{"v2":["AWSPENDING"]}}`),
			"ListSecretVersionIds": apiError(400, "AccessDeniedException", "no")},
			estate.SecretDescription{Secret: "prod/db/postgres", Versions: []estate.SecretVersion{{ID: "v2", Stages: []estate.Stage{"AWSPENDING"}}}}},
		"secret that does not exist": {estate.CheckDescribe, map[string]http.HandlerFunc{"DescribeSecret": apiError(400, "ResourceNotFoundException", "no such")}, estate.Missing},
		"answer without a secret":    {estate.CheckDescribe, map[string]http.HandlerFunc{"DescribeSecret": awsAnswer(`{}`)}, estate.BadAnswer},
		"inventory over two pages": {estate.CheckInventory, map[string]http.HandlerFunc{"ListSecrets": awsAnswer(
			fmt.Sprintf(`{"SecretList":[{"Name":"a","RotationEnabled":true,"NextRotationDate":%d,"LastAccessedDate":%[1]d},{"Name":"b","DeletedDate":5,"RotationEnabled":true,
				"Tags":[{"Key":"ends","Value":"2026-01-01"}]}],"NextToken":"p2"}`, past),
			fmt.Sprintf(`{"SecretList":[{"Name":"c","RotationEnabled":true,"NextRotationDate":4102444800,"LastAccessedDate":1000,"Tags":[{"Key":"ends","Value":"soon"}]},
				{"Name":"d"},{"Name":"e","LastAccessedDate":%d,"RotationEnabled":true,"NextRotationDate":4102444800,"Tags":[{"Key":"other","Value":"2020-01-01"},{"Key":"ends","Value":"2026-01-01"}]},
				{"Name":"f","LastAccessedDate":%[1]d,"NextRotationDate":4102444800}]}`, past))},
			estate.SecretInventory{Account: "main", Region: "eu-west-1", Total: 5, Rotating: 3, Overdue: 1, Deleted: 1, Idle: 2, Lives: []estate.SecretLife{
				{Name: "a", Ends: at(past)}, {Name: "c", Ends: at(4102444800)}, {Name: "e", Ends: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Tag: true}}}},
		"inventory without end": {estate.CheckInventory, map[string]http.HandlerFunc{"ListSecrets": awsAnswer(`{"SecretList":[],"NextToken":"same"}`)}, estate.BadAnswer},
		"function": {estate.CheckFunction, map[string]http.HandlerFunc{"configuration": awsAnswer(`{"FunctionName":"rotate-db","FunctionArn":"arn:f","Runtime":"python3.13",
			"Role":"arn:r","State":"Active","LastUpdateStatus":"Failed","LastUpdateStatusReason":"subnet out of addresses","LastModified":"2026-01-02T03:04:05.678+0000",
			"Timeout":30,"LoggingConfig":{"LogGroup":"/custom/group"},"VpcConfig":{"VpcId":"vpc-1"}}`)},
			estate.FunctionConfig{Name: "rotate-db", ARN: "arn:f", Runtime: "python3.13", Role: "arn:r", State: "Active", LastUpdate: "Failed",
				LastUpdateReason: "subnet out of addresses", LastModified: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Timeout: 30 * time.Second,
				LogGroup: "/custom/group", InVPC: true}},
		"answer without a function": {estate.CheckFunction, map[string]http.HandlerFunc{"configuration": awsAnswer(`{}`)}, estate.BadAnswer},
		"blocked function":          {estate.CheckConcurrency, map[string]http.HandlerFunc{"concurrency": awsAnswer(`{"ReservedConcurrentExecutions":0}`)}, estate.FunctionConcurrency{Reserved: &reserved}},
		"unreserved function":       {estate.CheckConcurrency, map[string]http.HandlerFunc{"concurrency": awsAnswer(`{}`)}, estate.FunctionConcurrency{}},
		"policy that allows": {estate.CheckPolicy, map[string]http.HandlerFunc{"policy": awsAnswer(
			`{"Policy":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"secretsmanager.amazonaws.com\"},\"Action\":\"lambda:InvokeFunction\"}]}"}`)},
			estate.FunctionPolicy{SecretsManagerMayInvoke: true}},
		"function without a policy": {estate.CheckPolicy, map[string]http.HandlerFunc{
			"policy": apiError(404, "ResourceNotFoundException", "The resource you requested does not exist."), "configuration": awsAnswer(`{"FunctionName":"rotate-db"}`)},
			estate.FunctionPolicy{}},
		"policy of no function":   {estate.CheckPolicy, map[string]http.HandlerFunc{"*": apiError(404, "ResourceNotFoundException", "Function not found")}, estate.Missing},
		"policy that is not JSON": {estate.CheckPolicy, map[string]http.HandlerFunc{"policy": awsAnswer(`{"Policy":"<html>"}`)}, estate.BadAnswer},
		"key behind an alias": {estate.CheckKey, map[string]http.HandlerFunc{"DescribeKey": awsAnswer(`{"KeyMetadata":{"KeyId":"1234","KeyState":"PendingDeletion","Origin":"AWS_KMS",
			"KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","DeletionDate":500}}`)},
			estate.KeyState{KeyID: "1234", State: "PendingDeletion", Origin: "AWS_KMS", Manager: "CUSTOMER", Spec: "SYMMETRIC_DEFAULT", Deletion: at(500)}},
		"rotation of a key": {estate.CheckKeyRotation, map[string]http.HandlerFunc{"DescribeKey": awsAnswer(`{"KeyMetadata":{"KeyId":"1234"}}`),
			"GetKeyRotationStatus": awsAnswer(`{"KeyRotationEnabled":true,"RotationPeriodInDays":90,"NextRotationDate":600}`)},
			estate.KeyRotation{KeyID: "1234", Supported: true, Enabled: true, PeriodDays: 90, Next: at(600)}},
		"key that cannot rotate": {estate.CheckKeyRotation, map[string]http.HandlerFunc{"DescribeKey": awsAnswer(`{"KeyMetadata":{"KeyId":"1234"}}`),
			"GetKeyRotationStatus": apiError(400, "UnsupportedOperationException", "asymmetric")}, estate.KeyRotation{KeyID: "1234"}},
		"alias that does not exist": {estate.CheckKeyRotation, map[string]http.HandlerFunc{"DescribeKey": apiError(400, "NotFoundException", "Alias is not found")}, estate.Missing},
		"failure rate": {estate.CheckAuthFailures, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(metricJSON("25", "100"))},
			estate.FailureRate{Window: 5 * time.Minute, Total: 100, Failed: 25, Metric: "AWS/ApiGateway 4xx of Count, ApiId=abc"}},
		"gateway that is idle": {estate.CheckAuthFailures, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(metricJSON("", ""), metricJSON("7"))},
			estate.FailureRate{Window: 5 * time.Minute, Metric: "AWS/ApiGateway 4xx of Count, ApiId=abc"}},
		"metric that does not exist": {estate.CheckAuthFailures, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(metricJSON("", ""), metricJSON(""))}, estate.Misconfigure},
		"failures without a total":   {estate.CheckAuthFailures, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(metricJSON("3", ""))}, estate.Misconfigure},
		"metric that is forbidden": {estate.CheckAuthFailures, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(
			`{"MetricDataResults":[{"Id":"m0","StatusCode":"Forbidden","Timestamps":[],"Values":[]}]}`)}, estate.Denied},
		"metrics answer without results": {estate.CheckFunctionMetrics, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(`{}`)}, estate.BadAnswer},
		"metrics of something else":      {estate.CheckFunctionMetrics, map[string]http.HandlerFunc{"GetMetricData": awsAnswer(`{"MetricDataResults":[{"Id":"zz"}]}`)}, estate.BadAnswer},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFakeAWS(t)
			for operation, h := range test.answers {
				fake.on(operation, h)
			}
			cfg := awsConfig(fake.URL)
			got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), test.check))
			if kind, bad := test.want.(estate.FailureKind); bad {
				kindIs(t, got.Err, kind)
				return
			}
			if got.Err != nil || !reflect.DeepEqual(got.Data, test.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got.Data, got.Err, test.want)
			}
		})
	}
}

func TestIdentitySaysWhoUntilWhenAndTheClock(t *testing.T) {
	fake := newFakeAWS(t)
	fake.on("GetCallerIdentity", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		awsAnswer(identityXML)(w, r)
	})
	cfg := awsConfig(fake.URL)
	got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckIdentity))
	who, ok := got.Data.(estate.CallerIdentity)
	if !ok {
		t.Fatalf("got %v", got.Err)
	}
	if who.Account != "1" || who.ARN != "arn:aws:iam::1:role/reader" || !who.Expires.IsZero() {
		t.Errorf("got %+v", who)
	}
	if skew := who.ClockSkew; skew < -10*time.Minute-2*time.Second || skew > -10*time.Minute+2*time.Second {
		t.Errorf("clock skew %s, want about -10m", skew)
	}
}

func TestFunctionMetricsSumTheWindowAndFindTheLastInvocation(t *testing.T) {
	fake := newFakeAWS(t)
	fake.on("GetMetricData", awsAnswer(
		`{"MetricDataResults":[{"Id":"m0","Timestamps":[3000,1800],"Values":[0,2]},{"Id":"m1","Timestamps":[1800],"Values":[1]}],"NextToken":"more"}`,
		`{"MetricDataResults":[{"Id":"m0","Timestamps":[1200],"Values":[5]},{"Id":"m1","Timestamps":[1200],"Values":[4]},{"Id":"m2","Timestamps":[1200],"Values":[3]},{"Id":"m3","Timestamps":[1200,600],"Values":[1500.5,20]}]}`))
	cfg := awsConfig(fake.URL)
	got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckFunctionMetrics))
	want := estate.FunctionMetrics{Window: 24 * time.Hour, Invocations: 7, Errors: 5, Throttles: 3,
		MaxDuration: 1500500 * time.Microsecond, LastPoint: time.Unix(1800, 0).UTC(), LastErrors: 1}
	if got.Err != nil || got.Data != want {
		t.Errorf("got %+v, %v\nwant %+v", got.Data, got.Err, want)
	}
	if body := fake.bodies["GetMetricData"][0]; !strings.Contains(body, `"FunctionName"`) || !strings.Contains(body, `"rotate-db"`) {
		t.Errorf("asked %s, want the function's dimension", body)
	}
}

func logEvent(at int, text string) string {
	message, _ := json.Marshal(text)
	return fmt.Sprintf(`{"timestamp":%d,"message":%s}`, at, message)
}

func TestFunctionLogs(t *testing.T) {
	configuration := awsAnswer(`{"FunctionName":"rotate-db","LoggingConfig":{"LogGroup":"/custom/group"}}`)
	tests := map[string]struct {
		pages       []string
		want        string
		wantPartial bool
		wantCalls   int
	}{
		"empty pages are followed": {[]string{
			`{"events":[],"nextToken":"a"}`, `{"events":[],"nextToken":"b"}`, `{"events":[` + logEvent(9, "[ERROR] boom") + `]}`}, "9 [ERROR] boom", false, 3},
		"what the server did not filter is filtered here, newest first": {[]string{
			`{"events":[` + logEvent(1, "START") + "," + logEvent(2, "Task timed out after 3.00 seconds") + "," + logEvent(3, "AccessDenied for kms") + "," + logEvent(4, "END") + `]}`},
			"3 AccessDenied for kms|2 Task timed out after 3.00 seconds", false, 1},
		"newest first stops at five": {[]string{
			`{"events":[` + strings.Join([]string{logEvent(9, "ERROR 9"), logEvent(8, "ERROR 8"), logEvent(7, "ERROR 7"), logEvent(6, "ERROR 6"), logEvent(5, "ERROR 5")}, ",") + `],"nextToken":"a"}`,
			`{"events":[` + logEvent(1, "ERROR 1") + `]}`}, "9 ERROR 9|8 ERROR 8|7 ERROR 7|6 ERROR 6|5 ERROR 5", false, 1},
		"oldest first goes on to the newest": {[]string{
			`{"events":[` + strings.Join([]string{logEvent(1, "ERROR 1"), logEvent(2, "ERROR 2"), logEvent(3, "ERROR 3"), logEvent(4, "ERROR 4"), logEvent(5, "ERROR 5")}, ",") + `],"nextToken":"a"}`,
			`{"events":[` + logEvent(6, "ERROR 6") + `]}`}, "6 ERROR 6|5 ERROR 5|4 ERROR 4|3 ERROR 3|2 ERROR 2", false, 2},
		"control sequences are stripped": {[]string{`{"events":[` + logEvent(1, "ERROR \x1b[31mred\x1b[0m\r\nline") + `]}`}, "1 ERROR red line", false, 1},
		"no error":                       {[]string{`{"events":[]}`}, "", false, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFakeAWS(t)
			fake.on("configuration", configuration)
			fake.on("FilterLogEvents", awsAnswer(test.pages...))
			cfg := awsConfig(fake.URL)
			got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckFunctionLogs))
			logs, ok := got.Data.(estate.FunctionLogs)
			if !ok {
				t.Fatalf("got %v", got.Err)
			}
			var lines []string
			for _, l := range logs.Errors {
				lines = append(lines, fmt.Sprintf("%d %s", l.At.UnixMilli(), l.Text))
			}
			if text := strings.Join(lines, "|"); text != test.want || logs.Partial != test.wantPartial || logs.Group != "/custom/group" || logs.Window != 24*time.Hour {
				t.Errorf("got %q, partial %v, group %q, window %s; want %q, %v", text, logs.Partial, logs.Group, logs.Window, test.want, test.wantPartial)
			}
			if n := fake.called("FilterLogEvents"); n != test.wantCalls {
				t.Errorf("%d calls, want %d", n, test.wantCalls)
			}
			if body := fake.bodies["FilterLogEvents"][0]; !strings.Contains(body, `"startFromHead":false`) || !strings.Contains(body, `Task timed out`) {
				t.Errorf("asked %s", body)
			}
		})
	}
}

func TestFunctionLogsWhenTheConfigurationIsDenied(t *testing.T) {
	fake := newFakeAWS(t)
	fake.on("configuration", apiError(403, "AccessDeniedException", "no"))
	fake.on("FilterLogEvents", awsAnswer(`{"events":[`+logEvent(1, "ERROR x")+`]}`))
	cfg := awsConfig(fake.URL)
	got := read(t, probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckFunctionLogs))
	if logs, ok := got.Data.(estate.FunctionLogs); !ok || logs.Group != "/aws/lambda/rotate-db" || len(logs.Errors) != 1 {
		t.Errorf("got %+v, %v; want the default group's line", got.Data, got.Err)
	}
}

func TestMayInvoke(t *testing.T) {
	const service = `"Principal":{"Service":"secretsmanager.amazonaws.com"}`
	tests := map[string]bool{
		`{"Statement":[{"Effect":"Allow",` + service + `,"Action":"lambda:InvokeFunction"}]}`:                                                                     true,
		`{"Statement":{"Effect":"Allow",` + service + `,"Action":["lambda:Get*","lambda:Invoke*"]}}`:                                                              true,
		`{"Statement":[{"Effect":"Allow",` + service + `,"Action":"LAMBDA:invokefunction","Condition":{"StringEquals":{"AWS:SourceAccount":"1"}}}]}`:              true,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":["x","secretsmanager.amazonaws.com"]},"Action":"*"}]}`:                                            true,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction"}]}`:                                                                     true,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction"}]}`:                                          false,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"lambda:InvokeFunction"}]}`:                                           false,
		`{"Statement":[{"Effect":"Allow",` + service + `,"Action":"lambda:GetFunction"}]}`:                                                                        false,
		`{"Statement":[{"Effect":"Allow",` + service + `,"NotAction":"lambda:Invoke*"}]}`:                                                                         false,
		`{"Statement":[{"Effect":"Allow",` + service + `,"Action":"*"},{"Effect":"Deny","Principal":"*","Action":"lambda:*"}]}`:                                   false,
		`{"Statement":[{"Effect":"Allow",` + service + `,"Action":"*"},{"Effect":"Deny","Principal":"*","Action":"lambda:*","Condition":{"Bool":{"x":"true"}}}]}`: true,
		`{"Statement":[]}`: false,
	}
	for policy, want := range tests {
		if got, err := mayInvoke(policy); err != nil || got != want {
			t.Errorf("mayInvoke(%s) = %v, %v; want %v", policy, got, err, want)
		}
	}
	for _, policy := range []string{"", "[]", `{"Statement":7}`, `{}`} {
		if _, err := mayInvoke(policy); err == nil {
			t.Errorf("mayInvoke(%q) found no fault", policy)
		}
	}
}

func TestTheAgeOfAPendingVersionIsAskedOnce(t *testing.T) {
	fake := newFakeAWS(t)
	fake.on("ListSecretVersionIds", awsAnswer(`{"Versions":[{"VersionId":"v2","CreatedDate":200}]}`))
	cfg := awsConfig(fake.URL)
	p := probeOf(t, awsProbes(cfg, newSet(t, cfg), nil), estate.CheckDescribe)
	step := func(what, stages string, calls int, since int64) {
		t.Helper()
		fake.on("DescribeSecret", awsAnswer(`{"Name":"prod/db/postgres","VersionIdsToStages":`+stages+`}`))
		var d estate.SecretDescription
		var ok bool
		// A description serves others for a moment: this step's is the one that is
		// asked for after it.
		for before := fake.called("DescribeSecret"); fake.called("DescribeSecret") == before; <-time.After(20 * time.Millisecond) {
			d, ok = read(t, p).Data.(estate.SecretDescription)
		}
		var got int64
		if !d.PendingSince.IsZero() {
			got = d.PendingSince.Unix()
		}
		if n := fake.called("ListSecretVersionIds"); !ok || n != calls || got != since {
			t.Errorf("%s: %d calls (want %d), since %d (want %d)", what, n, calls, got, since)
		}
	}
	step("none pending", `{"v1":["AWSCURRENT"]}`, 0, 0)
	step("left on the current one", `{"v1":["AWSCURRENT","AWSPENDING"]}`, 0, 0)
	step("pending", `{"v1":["AWSCURRENT"],"v2":["AWSPENDING"]}`, 1, 200)
	step("still", `{"v1":["AWSCURRENT"],"v2":["AWSPENDING"]}`, 1, 200)
	fake.on("ListSecretVersionIds", apiError(400, "AccessDeniedException", "no"))
	step("another, and denied", `{"v1":["AWSCURRENT"],"v3":["AWSPENDING"]}`, 2, 0)
	step("not asked again soon", `{"v1":["AWSCURRENT"],"v3":["AWSPENDING"]}`, 2, 0)
	// A list that never answers leaves the description its time.
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	fake.on("ListSecretVersionIds", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	step("silent", `{"v1":["AWSCURRENT"],"v4":["AWSPENDING"]}`, 3, 0)
}
