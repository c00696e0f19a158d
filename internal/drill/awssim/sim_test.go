package awssim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwschemas "github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
)

const (
	testKey    = "AKIADRILLREADER00001"
	testSecret = "drill/secret+key/0000000000000000000000"
	testUser   = "arn:aws:iam::123456789012:user/reader"
)

// clock is a settable clock, safe for concurrent use.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// rig is a Sim on a server, with a client's configuration for it.
type rig struct {
	*Sim
	url string
	cfg aws.Config
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	o := Options{Seed: 7, Credentials: map[string]Credential{testKey: {SecretKey: testSecret, Principal: testUser}}}
	for _, f := range change {
		f(&o)
	}
	s := New(o)
	srv := httptest.NewServer(s)
	t.Cleanup(func() { srv.Close(); s.Wait() })
	return &rig{Sim: s, url: srv.URL, cfg: aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:  &http.Client{Transport: plainBody{srv.Client().Transport}},
	}}
}

// plainBody hides that request bodies can write themselves. The SDK closes a
// body once the response has begun, and a closed one then writes itself with
// io.EOF as an error; when the server answers before net/http has looked for
// the body's end, that counts as a failed write and cuts the response short.
// A busy machine shows it.
type plainBody struct{ next http.RoundTripper }

func (p plainBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return p.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	r.Body = struct{ io.ReadCloser }{r.Body}
	return p.next.RoundTrip(r)
}

// code is the AWS error code of err.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprintf("%v", err)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestIdentity(t *testing.T) {
	r := newRig(t)
	r.AddRole(Role{Name: "act", Deny: []Permission{{Action: "secretsmanager:*"}}})
	c := sts.NewFromConfig(r.cfg)
	who := must(c.GetCallerIdentity(t.Context(), nil))(t)
	if *who.Arn != testUser || *who.Account != "123456789012" || !strings.HasPrefix(*who.UserId, "AIDA") {
		t.Fatalf("identity: %s %s %s", *who.Arn, *who.Account, *who.UserId)
	}
	as := must(c.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/act"), RoleSessionName: aws.String("incident")}))(t)
	cfg := r.cfg
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*as.Credentials.AccessKeyId, *as.Credentials.SecretAccessKey, *as.Credentials.SessionToken)
	who = must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil))(t)
	if want := "arn:aws:sts::123456789012:assumed-role/act/incident"; *who.Arn != want {
		t.Fatalf("assumed %s, want %s", *who.Arn, want)
	}
	if _, err := secretsmanager.NewFromConfig(cfg).ListSecrets(t.Context(), nil); code(err) != "AccessDeniedException" {
		t.Fatalf("the role's denial: %v", err)
	}
	if _, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/none"), RoleSessionName: aws.String("x")}); code(err) != "AccessDenied" {
		t.Fatalf("unknown role: %v", err)
	}
	if _, err := c.GetSessionToken(t.Context(), nil); code(err) != "InvalidAction" {
		t.Fatalf("unknown action: %v", err)
	}
}

func TestLambda(t *testing.T) {
	r := newRig(t)
	zero := 0
	r.AddFunction(Function{Name: "rotate-postgres", SubnetIDs: []string{"subnet-1"}, VPC: "vpc-1", Timeout: 45 * time.Second, Policy: r.InvokePolicy("rotate-postgres")})
	r.AddFunction(Function{Name: "blocked", Reserved: &zero, State: "Inactive", StateReasonCode: "Idle"})
	c := lambda.NewFromConfig(r.cfg)
	conf := must(c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(r.FunctionARN("rotate-postgres"))}))(t)
	if *conf.Timeout != 45 || conf.State != "Active" || conf.LastUpdateStatus != "Successful" || *conf.LoggingConfig.LogGroup != "/aws/lambda/rotate-postgres" || conf.VpcConfig == nil {
		t.Fatalf("configuration: %+v", conf)
	}
	if got := must(c.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String("blocked")}))(t); got.ReservedConcurrentExecutions == nil || *got.ReservedConcurrentExecutions != 0 {
		t.Fatalf("reserved 0 must be said, not left out")
	}
	if got := must(c.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String("rotate-postgres")}))(t); got.ReservedConcurrentExecutions != nil {
		t.Fatalf("unreserved: %d", *got.ReservedConcurrentExecutions)
	}
	if got := must(c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("rotate-postgres")}))(t); !strings.Contains(*got.Policy, "secretsmanager.amazonaws.com") {
		t.Fatalf("policy: %s", *got.Policy)
	}
	if _, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("blocked")}); code(err) != "ResourceNotFoundException" {
		t.Fatalf("no policy: %v", err)
	}
	if _, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("none")}); code(err) != "ResourceNotFoundException" || !strings.Contains(err.Error(), "Function not found: arn:aws:lambda:us-east-1:123456789012:function:none") {
		t.Fatalf("missing function: %v", err)
	}
	if got := must(c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("blocked")}))(t); got.Concurrency == nil {
		t.Fatal("concurrency missing")
	}
	if got := must(c.ListFunctions(t.Context(), nil))(t); len(got.Functions) != 2 {
		t.Fatalf("%d functions", len(got.Functions))
	}
	if _, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("blocked")}); code(err) != "TooManyRequestsException" {
		t.Fatalf("blocked: %v", err)
	}
	got := make(chan string, 1)
	r.OnInvoke(func(f string, event []byte) error {
		got <- f + string(event)
		return errors.New("Unable to log into database")
	})
	res := must(c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("rotate-postgres"), Payload: []byte(`{"Step":"x"}`)}))(t)
	if res.FunctionError == nil || *res.FunctionError != "Unhandled" || !strings.Contains(string(res.Payload), "Unable to log into database") || <-got != `rotate-postgres{"Step":"x"}` {
		t.Fatalf("invoke: %+v %s", res, res.Payload)
	}
	if _, err := c.ListLayers(t.Context(), nil); code(err) != "UnknownOperationException" {
		t.Fatalf("unknown operation: %v", err)
	}
}

func TestKMS(t *testing.T) {
	next := time.Now().Add(7 * 24 * time.Hour).UTC().Truncate(time.Second)
	r := newRig(t)
	r.AddKey(Key{ID: "11111111-2222-4333-8444-555555555555", Alias: "alias/prod", Rotation: true, PeriodDays: 90, NextRotation: next, Rotations: []KeyRotation{{next.AddDate(0, 0, -90), "AUTOMATIC"}}})
	r.AddKey(Key{ID: "deleted", State: "PendingDeletion", Rotation: true, Deletion: next})
	r.AddKey(Key{ID: "signing", Spec: "ECC_NIST_P256", Usage: "SIGN_VERIFY"})
	r.AddKey(Key{ID: "managed", Manager: "AWS", Alias: "alias/aws/secretsmanager"})
	c := kms.NewFromConfig(r.cfg)
	d := must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/prod")}))(t)
	if d.KeyMetadata.KeyState != "Enabled" || !d.KeyMetadata.Enabled {
		t.Fatalf("%+v", d.KeyMetadata)
	}
	st := must(c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: d.KeyMetadata.Arn}))(t)
	if !st.KeyRotationEnabled || *st.RotationPeriodInDays != 90 || !st.NextRotationDate.Equal(next) {
		t.Fatalf("%+v", st)
	}
	if st := must(c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: aws.String("deleted")}))(t); st.KeyRotationEnabled {
		t.Fatal("pending deletion must read false")
	}
	if st := must(c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: aws.String("managed")}))(t); !st.KeyRotationEnabled {
		t.Fatal("an AWS managed key must read true")
	}
	for id, want := range map[string]string{"signing": "UnsupportedOperationException", "none": "NotFoundException", "alias/prod": "InvalidArnException"} {
		if _, err := c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &id}); code(err) != want {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
	if got := must(c.ListKeys(t.Context(), &kms.ListKeysInput{Limit: aws.Int32(3)}))(t); len(got.Keys) != 3 || !got.Truncated {
		t.Fatalf("%+v", got)
	} else if got = must(c.ListKeys(t.Context(), &kms.ListKeysInput{Limit: aws.Int32(3), Marker: got.NextMarker}))(t); len(got.Keys) != 1 || got.Truncated {
		t.Fatalf("second page: %+v", got)
	}
	if got := must(c.ListAliases(t.Context(), nil))(t); len(got.Aliases) != 2 {
		t.Fatalf("%+v", got)
	}
	if got := must(c.ListKeyRotations(t.Context(), &kms.ListKeyRotationsInput{KeyId: d.KeyMetadata.KeyId}))(t); len(got.Rotations) != 1 {
		t.Fatalf("%+v", got)
	}
	if _, err := c.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: aws.String("managed")}); code(err) != "UnknownOperationException" {
		t.Fatalf("unknown operation: %v", err)
	}
}

// cloudwatchClients are the protocols that the SDK speaks to CloudWatch.
func cloudwatchClients(r *rig) map[string]*cloudwatch.Client {
	return map[string]*cloudwatch.Client{
		"cbor": cloudwatch.NewFromConfig(r.cfg),
		"json": cloudwatch.NewFromConfig(r.cfg, func(o *cloudwatch.Options) { o.Protocol = awsjson.New10(cwschemas.GraniteServiceVersion20100801) }),
	}
}

func TestCloudWatch(t *testing.T) {
	base := time.Now().UTC().Truncate(time.Minute)
	ck := &clock{t: base}
	r := newRig(t, func(o *Options) { o.Clock = ck.now })
	dims := map[string]string{"FunctionName": "rotate-postgres"}
	r.Metrics.Put("AWS/Lambda", "Errors", dims, func(t time.Time) float64 { return float64(t.Minute() % 2) })
	r.Metrics.PutSamples("AWS/ApiGateway", "4xx", map[string]string{"ApiId": "a1"}, func(time.Time) Sample { return Sample{100, 67, 0, 1} })
	for name, c := range cloudwatchClients(r) {
		t.Run(name, func(t *testing.T) {
			stat := func(id, ns, name, stat string, period int32, d ...cwtypes.Dimension) cwtypes.MetricDataQuery {
				return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{Stat: &stat, Period: &period, Metric: &cwtypes.Metric{Namespace: &ns, MetricName: &name, Dimensions: d}}}
			}
			fn := cwtypes.Dimension{Name: aws.String("FunctionName"), Value: aws.String("rotate-postgres")}
			api := cwtypes.Dimension{Name: aws.String("ApiId"), Value: aws.String("a1")}
			in := &cloudwatch.GetMetricDataInput{
				StartTime: aws.Time(base.Add(-time.Hour)), EndTime: aws.Time(base),
				MetricDataQueries: []cwtypes.MetricDataQuery{
					stat("errors", "AWS/Lambda", "Errors", "Sum", 3600, fn),
					stat("rate", "AWS/ApiGateway", "4xx", "Average", 300, api),
					stat("minutes", "AWS/Lambda", "Errors", "Maximum", 60, fn),
					stat("none", "AWS/Lambda", "Errors", "Sum", 60),
				},
			}
			out := must(c.GetMetricData(t.Context(), in))(t)
			res := map[string]cwtypes.MetricDataResult{}
			for _, x := range out.MetricDataResults {
				res[*x.Id] = x
			}
			if v := res["errors"].Values; len(v) != 1 || v[0] != 30 {
				t.Errorf("sum of an hour: %v", v)
			}
			if v := res["rate"].Values; len(v) != 12 || v[0] != 0.67 {
				t.Errorf("rate: %v", v)
			}
			if x := res["minutes"]; len(x.Values) != 60 || x.Values[0] != float64((base.Minute()+59)%2) || !x.Timestamps[0].Equal(base.Add(-time.Minute)) {
				t.Errorf("newest first: %v %v", x.Values, x.Timestamps)
			}
			if x := res["none"]; len(x.Values) != 0 || x.StatusCode != "Complete" {
				t.Errorf("other dimensions are another metric: %+v", x)
			}
			in.MaxDatapoints = aws.Int32(20)
			points, pages := 0, 0
			for p := cloudwatch.NewGetMetricDataPaginator(c, in); p.HasMorePages(); pages++ {
				out := must(p.NextPage(t.Context()))(t)
				for _, x := range out.MetricDataResults {
					points += len(x.Values)
				}
			}
			if points != 73 || pages != 4 {
				t.Errorf("%d points on %d pages, want 73 on 4", points, pages)
			}
			if got := must(c.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("AWS/Lambda")}))(t); len(got.Metrics) != 1 {
				t.Errorf("%+v", got.Metrics)
			}
			gs := must(c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
				Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("Errors"), Dimensions: []cwtypes.Dimension{fn}, Period: aws.Int32(3600),
				StartTime: in.StartTime, EndTime: in.EndTime, Statistics: []cwtypes.Statistic{"Sum", "Average"},
			}))(t)
			if len(gs.Datapoints) != 1 || *gs.Datapoints[0].Sum != 30 || *gs.Datapoints[0].Average != 0.5 {
				t.Errorf("%+v", gs.Datapoints)
			}
			bad := stat("bad", "AWS/Lambda", "Errors", "Sum", 61, fn)
			if _, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{StartTime: in.StartTime, EndTime: in.EndTime, MetricDataQueries: []cwtypes.MetricDataQuery{bad}}); code(err) != "ValidationError" {
				t.Errorf("period 61: %v", err)
			}
			if _, err := c.DescribeAlarms(t.Context(), nil); code(err) != "UnknownOperationException" {
				t.Errorf("unknown operation: %v", err)
			}
		})
	}
}

// TestMetricsReach: a window of ages is answered from what is kept, at once.
func TestMetricsReach(t *testing.T) {
	m := newMetrics()
	now := time.Now()
	asked := 0
	m.Put("n", "m", nil, func(time.Time) float64 { asked++; return 1 })
	ps := m.read("n", "m", nil, time.Unix(-1e11, 0), time.Unix(1e11, 0), now, 365*24*time.Hour)
	if len(ps) == 0 || len(ps) > 3 || asked > 821*24*60 {
		t.Fatalf("%d points, %d minutes asked", len(ps), asked)
	}
}

func TestLogs(t *testing.T) {
	base := time.Now().UTC().Truncate(time.Minute)
	ck, pace := &clock{t: base}, &clock{t: base}
	r := newRig(t, func(o *Options) {
		o.Clock = ck.now
		o.Pace = func() time.Time { pace.add(time.Second); return pace.now() } // no quota in the way
	})
	const group = "/aws/lambda/rotate-postgres"
	r.AddLog(LogEvent{group, "s1", base.Add(-3 * time.Minute), "START RequestId: 1"})
	r.AddLog(LogEvent{group, "s1", base.Add(-2 * time.Minute), "[ERROR] setSecret: Unable to log into database"})
	r.AddLog(LogEvent{group, "s2", base.Add(-time.Minute), "Task timed out after 30.00 seconds"})
	r.AddLog(LogEvent{group, "s1", base.Add(-4 * time.Minute), "an older line that came late"})
	c := cloudwatchlogs.NewFromConfig(r.cfg)
	filter := func(change func(*cloudwatchlogs.FilterLogEventsInput)) ([]string, error) {
		in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group)}
		change(in)
		var out []string
		for p := cloudwatchlogs.NewFilterLogEventsPaginator(c, in); p.HasMorePages(); {
			page, err := p.NextPage(context.WithoutCancel(t.Context()))
			if err != nil {
				return nil, err
			}
			for _, e := range page.Events {
				out = append(out, (*e.Message)[:5])
			}
		}
		return out, nil
	}
	for name, tc := range map[string]struct {
		change func(*cloudwatchlogs.FilterLogEventsInput)
		want   string
	}{
		"all":   {func(*cloudwatchlogs.FilterLogEventsInput) {}, "an ol START [ERRO Task "},
		"or":    {func(i *cloudwatchlogs.FilterLogEventsInput) { i.FilterPattern = aws.String(`?ERROR ?"Task timed out"`) }, "[ERRO Task "},
		"paged": {func(i *cloudwatchlogs.FilterLogEventsInput) { i.Limit = aws.Int32(1) }, "an ol START [ERRO Task "},
		"newest": {func(i *cloudwatchlogs.FilterLogEventsInput) {
			i.StartFromHead = aws.Bool(false)
			i.Limit = aws.Int32(3)
		}, "Task  [ERRO START an ol"},
		"window": {func(i *cloudwatchlogs.FilterLogEventsInput) {
			i.StartTime = aws.Int64(base.Add(-150 * time.Second).UnixMilli())
			i.EndTime = aws.Int64(base.Add(-90 * time.Second).UnixMilli())
		}, "[ERRO"},
		"stream":  {func(i *cloudwatchlogs.FilterLogEventsInput) { i.LogStreamNames = []string{"s2"} }, "Task "},
		"nothing": {func(i *cloudwatchlogs.FilterLogEventsInput) { i.FilterPattern = aws.String("error") }, ""},
	} {
		got, err := filter(tc.change)
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, %v; want %q", name, strings.Join(got, " "), err, tc.want)
		}
	}
	if _, err := filter(func(i *cloudwatchlogs.FilterLogEventsInput) { i.FilterPattern = aws.String(`{ $.level = "ERROR" }`) }); code(err) != "InvalidParameterException" {
		t.Errorf("a pattern that is not simulated: %v", err)
	}
	if _, err := filter(func(i *cloudwatchlogs.FilterLogEventsInput) { i.LogGroupName = aws.String("none") }); code(err) != "ResourceNotFoundException" {
		t.Errorf("missing group: %v", err)
	}
	st := must(c.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(group), OrderBy: "LastEventTime", Descending: aws.Bool(true)}))(t)
	if len(st.LogStreams) != 2 || *st.LogStreams[0].LogStreamName != "s2" || *st.LogStreams[0].LastEventTimestamp != base.Add(-time.Minute).UnixMilli() {
		t.Errorf("%+v", st.LogStreams)
	}
	if g := must(c.DescribeLogGroups(t.Context(), nil))(t); len(g.LogGroups) != 1 || *g.LogGroups[0].LogGroupName != group {
		t.Errorf("%+v", g.LogGroups)
	}
	if _, err := c.DescribeQueries(t.Context(), nil); code(err) != "UnknownOperationException" {
		t.Errorf("unknown operation: %v", err)
	}
}

func TestQuota(t *testing.T) {
	ck := &clock{t: time.Unix(1_700_000_000, 0)}
	r := newRig(t, func(o *Options) { o.Pace = ck.now })
	c := secretsmanager.NewFromConfig(r.cfg)
	r.AddSecret(Secret{Name: "a", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	tag := &secretsmanager.TagResourceInput{SecretId: aws.String("a"), Tags: []smtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	refused := 0
	for range 60 {
		if _, err := c.TagResource(t.Context(), tag); err != nil {
			if code(err) != "ThrottlingException" {
				t.Fatal(err)
			}
			refused++
		}
	}
	const op = "secretsmanager:TagResource"
	if refused != 10 || r.Calls(op) != 60 || r.PeakRate(op) != 60 || r.Throttled(op) != 10 {
		t.Fatalf("refused %d, calls %d, peak %d, throttled %d", refused, r.Calls(op), r.PeakRate(op), r.Throttled(op))
	}
	ck.add(100 * time.Millisecond) // room for five
	for i := range 6 {
		if _, err := c.TagResource(t.Context(), tag); (err == nil) != (i < 5) {
			t.Fatalf("call %d after 100 ms: %v", i, err)
		}
	}
	l := lambda.NewFromConfig(r.cfg)
	r.AddFunction(Function{Name: "f", Policy: "{}"})
	for i := range 16 {
		if _, err := l.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("f")}); i == 15 && code(err) != "TooManyRequestsException" {
			t.Fatalf("16th call: %v", err)
		}
	}
}

func TestFaults(t *testing.T) {
	r := newRig(t)
	c := secretsmanager.NewFromConfig(r.cfg)
	r.AddSecret(Secret{Name: "a", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	token := strings.Repeat("t", 32)
	put := &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("y"), ClientRequestToken: &token}
	r.SetFault("secretsmanager:PutSecretValue", &Fault{Drop: true, After: true, Times: 1})
	if _, err := c.PutSecretValue(t.Context(), put); err == nil {
		t.Fatal("the reply was to be lost")
	}
	if s, _ := r.Secret("a"); len(s.Versions) != 2 {
		t.Fatal("the call was to take effect")
	}
	if _, err := c.PutSecretValue(t.Context(), put); err != nil {
		t.Fatalf("the same call again: %v", err)
	}
	r.SetFault("secretsmanager:DescribeSecret", &Fault{Status: 500, Code: "InternalServiceError", Message: "broken"})
	for range 2 {
		if _, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("a")}); code(err) != "InternalServiceError" {
			t.Fatal(err)
		}
	}
	r.SetFault("secretsmanager:DescribeSecret", nil)
	if _, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
}

// TestNoValueIsPrinted plants a value and looks for it in every formatter.
func TestNoValueIsPrinted(t *testing.T) {
	const canary = "canary-7f3a"
	s := Secret{Name: "a", Versions: []Version{{ID: "v", Value: canary, Binary: []byte(canary)}}}
	c := Credential{SecretKey: canary, SessionToken: canary, Principal: testUser}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", s, s, s), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if strings.Contains(text, canary) {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestAnswersAreSigned(t *testing.T) {
	r := newRig(t)
	res, err := http.Post(r.url, "application/x-amz-json-1.1", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var m map[string]any
	_ = json.NewDecoder(res.Body).Decode(&m)
	if res.StatusCode != 403 && res.StatusCode != 400 || res.Header.Get("X-Amzn-Requestid") == "" || res.Header.Get("Date") == "" {
		t.Fatalf("%s %v %v", res.Status, res.Header, m)
	}
}
