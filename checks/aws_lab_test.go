package checks

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// motoEndpoint is where the lab's moto listens. Unset WARROOM_LAB skips; a lab
// without moto fails.
func motoEndpoint(t *testing.T) string {
	t.Helper()
	path := os.Getenv("WARROOM_LAB")
	if path == "" {
		t.Skip("WARROOM_LAB is not set: no real peers")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read the lab: %v", err)
	}
	var lab struct {
		Moto struct {
			Endpoint string `json:"endpoint"`
		} `json:"moto"`
	}
	if err := json.Unmarshal(raw, &lab); err != nil || lab.Moto.Endpoint == "" {
		t.Fatalf("the lab %s has no moto.endpoint (%v): start moto_server", path, err)
	}
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(k, v)
	}
	return lab.Moto.Endpoint
}

// motoWorld fills moto with what the test reads and returns the estate.
type motoWorld struct {
	t        *testing.T
	ctx      context.Context
	endpoint string
	services *clients.AWSServices
	suffix   string // own names, so that runs do not meet
}

func must[T any](t *testing.T, what string) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

func (w *motoWorld) secret(name string, enable bool) string {
	id := name + w.suffix
	out := must[*secretsmanager.CreateSecretOutput](w.t, "create "+id)(w.services.SecretsManager.CreateSecret(w.ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(id), SecretString: aws.String(`{"username":"app","password":"CANARY-current-1"}`),
		Tags: []smtypes.Tag{{Key: aws.String("expires"), Value: aws.String("2026-12-31")}},
	}))
	if enable {
		must[*secretsmanager.PutSecretValueOutput](w.t, "put pending")(w.services.SecretsManager.PutSecretValue(w.ctx, &secretsmanager.PutSecretValueInput{
			SecretId: out.ARN, SecretString: aws.String(`{"username":"app","password":"CANARY-pending-1"}`), VersionStages: []string{"AWSPENDING"},
			ClientRequestToken: aws.String("11111111-2222-3333-4444-555555555555"),
		}))
	}
	return id
}

// role makes an IAM role, which moto wants a function to have, by the query API.
func (w *motoWorld) role() string {
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"rotator" + w.suffix}, "AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[]}`}}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=00")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 200 {
		w.t.Fatalf("create role: %s", res.Status)
	}
	return "arn:aws:iam::123456789012:role/rotator" + w.suffix
}

func (w *motoWorld) function() string {
	res, err := http.Post(w.endpoint+"/moto-api/config", "application/json", strings.NewReader(`{"lambda":{"use_docker":false}}`))
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	f, _ := z.Create("index.py")
	_, _ = f.Write([]byte("def handler(e, c): pass\n"))
	_ = z.Close()
	name := "rotate" + w.suffix
	must[*lambda.CreateFunctionOutput](w.t, "create function")(w.services.Lambda.CreateFunction(w.ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String(name), Role: aws.String(w.role()), Handler: aws.String("index.handler"), Runtime: lambdatypes.RuntimePython312,
		Timeout: aws.Int32(30), Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()},
	}))
	return name
}

func TestLabMotoReadsWhatWasMade(t *testing.T) {
	endpoint := motoEndpoint(t)
	cfg := awsConfig(endpoint)
	cfg.AWS[0].Region = "us-east-1"
	cfg.Checks.Timeout = 20 * time.Second
	set := newSet(t, cfg)
	account, err := set.AWS("main")
	if err != nil {
		t.Fatal(err)
	}
	services, err := account.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &motoWorld{t: t, ctx: changing(t), endpoint: endpoint, services: services, suffix: time.Now().UTC().Format("-150405.000000")}
	w.suffix = strings.ReplaceAll(w.suffix, ".", "-")
	stuck, plain, function := w.secret("stuck", true), w.secret("plain", false), w.function()
	key := must[*kms.CreateKeyOutput](t, "create key")(services.KMS.CreateKey(changing(t), &kms.CreateKeyInput{}))
	keyID := aws.ToString(key.KeyMetadata.KeyId)
	must[*kms.EnableKeyRotationOutput](t, "enable rotation")(services.KMS.EnableKeyRotation(changing(t), &kms.EnableKeyRotationInput{KeyId: &keyID}))
	alias := "alias/prod" + w.suffix
	must[*kms.CreateAliasOutput](t, "create alias")(services.KMS.CreateAlias(changing(t), &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: &keyID}))

	cfg.Components = []config.Component{
		{ID: "sm", SecretsManager: &config.SecretsManager{Account: "main", Secrets: []config.StoredSecret{{ID: stuck}, {ID: plain}, {ID: "absent" + w.suffix}}}},
		{ID: "rot", RotationFunction: &config.RotationFunction{Account: "main", Function: function}},
		{ID: "kms", Keys: &config.Keys{Account: "main", Keys: []string{alias}}},
		{ID: "gw", Gateway: &config.Gateway{Account: "main", Failures: &config.FailureMetric{
			Namespace: "Custom/Gateway", Failed: "4xx", Total: "Count", Dimensions: map[string]string{"ApiId": w.suffix}}}},
	}
	probes := awsProbes(cfg, set, nil)
	one := func(check, item string) Result {
		t.Helper()
		i := slices.IndexFunc(probes, func(p Probe) bool { return p.Key.Check == check && p.Key.Item == item })
		if i < 0 {
			t.Fatalf("no probe %s %s", check, item)
		}
		return read(t, probes[i])
	}

	t.Run("identity", func(t *testing.T) {
		who, ok := one(estate.CheckIdentity, "").Data.(estate.CallerIdentity)
		if !ok || who.Account != "123456789012" || who.ARN == "" || who.ClockSkew.Abs() > 5*time.Second {
			t.Errorf("got %+v, %v", who, one(estate.CheckIdentity, "").Err)
		}
	})
	t.Run("secrets", func(t *testing.T) {
		d, ok := one(estate.CheckDescribe, stuck).Data.(estate.SecretDescription)
		if !ok || len(d.Versions) != 2 || d.RotationEnabled || d.Tags["expires"] != "2026-12-31" || !d.Deleted.IsZero() {
			t.Errorf("got %+v", d)
		}
		kindIs(t, one(estate.CheckDescribe, "absent"+w.suffix).Err, estate.Missing)
		inventory, ok := one(estate.CheckInventory, "").Data.(estate.SecretInventory)
		if !ok || inventory.Total < 2 || inventory.Region != "us-east-1" {
			t.Errorf("got %+v", inventory)
		}
	})
	t.Run("values", func(t *testing.T) {
		for stage, want := range map[estate.Stage]string{estate.StageCurrent: "CANARY-current-1", estate.StagePending: "CANARY-pending-1"} {
			v, err := account.Value(t.Context(), stuck, stage)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := v.Field("password"); err != nil || got.Reveal() != want {
				t.Errorf("%s: %v, %v", stage, got, err)
			}
		}
		var absent *clients.NoVersionError
		if _, err := account.Value(t.Context(), plain, estate.StagePending); !asType(err, &absent) || absent.Version != "" {
			t.Errorf("pending of a secret without one: %v", err)
		}
		_, err := account.Value(t.Context(), "absent"+w.suffix, estate.StagePending)
		kindIs(t, err, estate.Missing)
	})
	t.Run("function", func(t *testing.T) {
		f, ok := one(estate.CheckFunction, "").Data.(estate.FunctionConfig)
		if !ok || f.State != "Active" || f.Timeout != 30*time.Second || f.LogGroup != "/aws/lambda/"+function || f.LastModified.IsZero() {
			t.Errorf("got %+v, %v", f, one(estate.CheckFunction, "").Err)
		}
		if got := one(estate.CheckPolicy, ""); got.Data != (estate.FunctionPolicy{}) {
			t.Errorf("policy before the permission: %+v, %v", got.Data, got.Err)
		}
		must[*lambda.AddPermissionOutput](t, "add permission")(services.Lambda.AddPermission(changing(t), &lambda.AddPermissionInput{
			FunctionName: &function, StatementId: aws.String("sm"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("secretsmanager.amazonaws.com")}))
		if got := one(estate.CheckPolicy, ""); got.Data != (estate.FunctionPolicy{SecretsManagerMayInvoke: true}) {
			t.Errorf("policy after the permission: %+v, %v", got.Data, got.Err)
		}
		if got := one(estate.CheckConcurrency, ""); got.Data != (estate.FunctionConcurrency{}) {
			t.Errorf("concurrency: %+v, %v", got.Data, got.Err)
		}
		must[*lambda.PutFunctionConcurrencyOutput](t, "block")(services.Lambda.PutFunctionConcurrency(changing(t), &lambda.PutFunctionConcurrencyInput{
			FunctionName: &function, ReservedConcurrentExecutions: aws.Int32(0)}))
		if got, ok := one(estate.CheckConcurrency, "").Data.(estate.FunctionConcurrency); !ok || got.Reserved == nil || *got.Reserved != 0 {
			t.Errorf("blocked concurrency: %+v", got)
		}
	})
	t.Run("keys", func(t *testing.T) {
		k, ok := one(estate.CheckKey, alias).Data.(estate.KeyState)
		if !ok || k.KeyID != keyID || k.State != string(kmstypes.KeyStateEnabled) {
			t.Errorf("got %+v", k)
		}
		r, ok := one(estate.CheckKeyRotation, alias).Data.(estate.KeyRotation)
		if !ok || !r.Supported || !r.Enabled || r.KeyID != keyID {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		kindIs(t, one(estate.CheckAuthFailures, "").Err, estate.Misconfigure)
		put := func(namespace, name, dimension, value string, n float64) {
			must[*cloudwatch.PutMetricDataOutput](t, "put metric")(services.CloudWatch.PutMetricData(changing(t), &cloudwatch.PutMetricDataInput{
				Namespace: &namespace, MetricData: []cwtypes.MetricDatum{{MetricName: &name, Value: &n, Timestamp: aws.Time(time.Now().Add(-time.Minute)),
					Dimensions: []cwtypes.Dimension{{Name: &dimension, Value: &value}}}}}))
		}
		put("Custom/Gateway", "4xx", "ApiId", w.suffix, 25)
		put("Custom/Gateway", "Count", "ApiId", w.suffix, 60)
		put("Custom/Gateway", "Count", "ApiId", w.suffix, 40)
		rate, ok := one(estate.CheckAuthFailures, "").Data.(estate.FailureRate)
		if !ok || rate.Failed != 25 || rate.Total != 100 {
			t.Errorf("got %+v, %v", rate, one(estate.CheckAuthFailures, "").Err)
		}
		for name, n := range map[string]float64{"Invocations": 4, "Errors": 3, "Throttles": 2, "Duration": 1500} {
			put("AWS/Lambda", name, "FunctionName", function, n)
		}
		m, ok := one(estate.CheckFunctionMetrics, "").Data.(estate.FunctionMetrics)
		if !ok || m.Invocations != 4 || m.Errors != 3 || m.Throttles != 2 || m.MaxDuration != 1500*time.Millisecond || m.LastErrors != 3 || time.Since(m.LastPoint) > 10*time.Minute {
			t.Errorf("got %+v, %v", m, one(estate.CheckFunctionMetrics, "").Err)
		}
	})
	t.Run("logs", func(t *testing.T) {
		group, stream := "/aws/lambda/"+function, "s"
		must[*cloudwatchlogs.CreateLogGroupOutput](t, "create group")(services.Logs.CreateLogGroup(changing(t), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group}))
		must[*cloudwatchlogs.CreateLogStreamOutput](t, "create stream")(services.Logs.CreateLogStream(changing(t), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream}))
		var events []logtypes.InputLogEvent
		for i, text := range []string{"START", "[ERROR] one", "[ERROR] two CANARY-current-1", "Task timed out after 30.00 seconds", "END", "AccessDenied for kms", "[ERROR] five", "[ERROR] six"} {
			events = append(events, logtypes.InputLogEvent{Message: aws.String(text), Timestamp: aws.Int64(time.Now().Add(time.Duration(i-60) * time.Second).UnixMilli())})
		}
		must[*cloudwatchlogs.PutLogEventsOutput](t, "put events")(services.Logs.PutLogEvents(changing(t), &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: events}))
		logs, ok := one(estate.CheckFunctionLogs, "").Data.(estate.FunctionLogs)
		if !ok {
			t.Fatal(one(estate.CheckFunctionLogs, "").Err)
		}
		var got []string
		for _, l := range logs.Errors {
			got = append(got, l.Text)
		}
		want := []string{"[ERROR] six", "[ERROR] five", "AccessDenied for kms", "Task timed out after 30.00 seconds", "[ERROR] two [redacted]"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
