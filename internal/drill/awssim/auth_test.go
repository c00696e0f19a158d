package awssim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// probes make one call to a service each.
var probes = map[string]func(context.Context, aws.Config) error{
	"secretsmanager": func(ctx context.Context, c aws.Config) error {
		_, err := secretsmanager.NewFromConfig(c).ListSecrets(ctx, nil)
		return err
	},
	"kms": func(ctx context.Context, c aws.Config) error {
		_, err := kms.NewFromConfig(c).ListKeys(ctx, nil)
		return err
	},
	"lambda": func(ctx context.Context, c aws.Config) error {
		_, err := lambda.NewFromConfig(c).ListFunctions(ctx, nil)
		return err
	},
	"sts": func(ctx context.Context, c aws.Config) error {
		_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
		return err
	},
	"cloudwatch": func(ctx context.Context, c aws.Config) error {
		_, err := cloudwatch.NewFromConfig(c).ListMetrics(ctx, nil)
		return err
	},
}

func TestRefusals(t *testing.T) {
	ck := &clock{t: time.Now()}
	r := newRig(t, func(o *Options) {
		o.Clock = ck.now
		o.Credentials["ASIATEMP"] = Credential{SecretKey: "s", SessionToken: "token", Expires: time.Now().Add(time.Hour), Principal: testUser}
		o.Credentials["ASIAEXPIRED"] = Credential{SecretKey: "s", SessionToken: "token", Expires: time.Now().Add(-time.Hour), Principal: testUser}
		o.Credentials["AKIADENIED"] = Credential{SecretKey: "s", Principal: testUser, Deny: []Permission{{Action: "*"}}}
		o.Credentials["AKIANONE"] = Credential{SecretKey: "s", Principal: testUser, Allow: []Permission{{Action: "ec2:*"}}}
	})
	type want map[string]string // service, or "" for the rest, to code
	for name, tc := range map[string]struct {
		key, secret, token, region string
		want                       want
	}{
		"good":           {testKey, testSecret, "", "us-east-1", want{"": "<nil>"}},
		"temporary":      {"ASIATEMP", "s", "token", "us-east-1", want{"": "<nil>"}},
		"unknown key":    {"AKIANOBODY", "s", "", "us-east-1", want{"": "UnrecognizedClientException", "sts": "InvalidClientTokenId"}},
		"wrong token":    {"ASIATEMP", "s", "other", "us-east-1", want{"": "UnrecognizedClientException", "sts": "InvalidClientTokenId"}},
		"missing token":  {"ASIATEMP", "s", "", "us-east-1", want{"": "UnrecognizedClientException", "sts": "InvalidClientTokenId"}},
		"unasked token":  {testKey, testSecret, "extra", "us-east-1", want{"": "UnrecognizedClientException", "sts": "InvalidClientTokenId"}},
		"wrong secret":   {testKey, "wrong", "", "us-east-1", want{"": "InvalidSignatureException", "sts": "SignatureDoesNotMatch"}},
		"expired":        {"ASIAEXPIRED", "s", "token", "us-east-1", want{"": "ExpiredTokenException", "sts": "ExpiredToken"}},
		"other region":   {testKey, testSecret, "", "eu-west-1", want{"": "InvalidSignatureException", "sts": "<nil>"}},
		"denied":         {"AKIADENIED", "s", "", "us-east-1", want{"": "AccessDeniedException", "sts": "<nil>"}},
		"nothing allows": {"AKIANONE", "s", "", "us-east-1", want{"": "AccessDeniedException", "sts": "<nil>"}},
	} {
		for service, call := range probes {
			cfg := r.cfg
			cfg.Region = tc.region
			cfg.Credentials = credentials.NewStaticCredentialsProvider(tc.key, tc.secret, tc.token)
			w, ok := tc.want[service]
			if !ok {
				w = tc.want[""]
			}
			if err := call(t.Context(), cfg); code(err) != w {
				t.Errorf("%s, %s: %v, want %s", name, service, err, w)
			}
		}
	}
}

func TestDeniedWords(t *testing.T) {
	r := newRig(t)
	r.AddSecret(Secret{Name: "prod/db/postgres", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	r.AddSecret(Secret{Name: "prod/db/analytics", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	c := secretsmanager.NewFromConfig(r.cfg)
	get := func(id string) error {
		_, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &id})
		return err
	}
	only := Permission{"secretsmanager:DescribeSecret", "arn:aws:secretsmanager:*:*:secret:prod/db/postgres-*"}
	r.Deny(testKey, only)
	want := "User: " + testUser + " is not authorized to perform: secretsmanager:DescribeSecret on resource: prod/db/postgres with an explicit deny in an identity-based policy"
	if err := get("prod/db/postgres"); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), want) {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	if err := get("prod/db/analytics"); err != nil {
		t.Fatalf("the other secret: %v", err)
	}
	if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db/postgres")}); err != nil {
		t.Fatalf("the other call: %v", err)
	}
	r.Permit(testKey, only)
	if err := get("prod/db/postgres"); err != nil {
		t.Fatal(err)
	}
	r.SetCredential(testKey, Credential{SecretKey: testSecret, Principal: testUser, Allow: []Permission{{Action: "secretsmanager:List*"}}})
	if err := get("prod/db/postgres"); err == nil || !strings.Contains(err.Error(), "because no identity-based policy allows the secretsmanager:DescribeSecret action") {
		t.Fatal(err)
	}
	// A replaced secret key counts at once.
	r.SetCredential(testKey, Credential{SecretKey: "new", Principal: testUser})
	if err := get("prod/db/postgres"); code(err) != "InvalidSignatureException" {
		t.Fatal(err)
	}
}

// TestClockSkew: beyond five minutes the signature counts as expired, and the
// SDK's own correction by the Date header then gets through.
func TestClockSkew(t *testing.T) {
	for _, tc := range []struct {
		skew time.Duration
		want string
	}{{0, ""}, {4 * time.Minute, ""}, {-4 * time.Minute, ""}, {6 * time.Minute, "Signature expired"}, {-6 * time.Minute, "Signature not yet current"}} {
		r := newRig(t, func(o *Options) { o.Clock = func() time.Time { return time.Now().Add(tc.skew) } })
		for service, call := range probes {
			err := call(t.Context(), r.cfg)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s, %s: %v, want %q", tc.skew, service, err, tc.want)
			}
			cfg := r.cfg
			cfg.Retryer = func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) {
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			}
			if err := call(t.Context(), cfg); err != nil {
				t.Errorf("%s, %s: not corrected: %v", tc.skew, service, err)
			}
		}
	}
}

// signed is a signed DescribeSecret request.
func signed(t testing.TB, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "secretsmanager.DescribeSecret")
	sign(t, req, "secretsmanager", body)
	return req
}

func sign(t testing.TB, req *http.Request, service, body string) {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
}

func do(t testing.TB, req *http.Request) (int, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("X-Amzn-Errortype") + string(b)
}

func TestTampering(t *testing.T) {
	r := newRig(t)
	r.AddSecret(Secret{Name: "a"})
	const body = `{"SecretId":"a"}`
	if status, text := do(t, signed(t, r.url, body)); status != 200 {
		t.Fatalf("untouched: %d %s", status, text)
	}
	auth := func(old, new string) func(*http.Request) {
		return func(q *http.Request) {
			q.Header.Set("Authorization", strings.Replace(q.Header.Get("Authorization"), old, new, 1))
		}
	}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"body":   {func(q *http.Request) { q.Body = io.NopCloser(strings.NewReader(`{"SecretId":"b"}`)) }, "InvalidSignatureException"},
		"target": {func(q *http.Request) { q.Header.Set("X-Amz-Target", "secretsmanager.DeleteSecret") }, "InvalidSignatureException"},
		"path":   {func(q *http.Request) { q.URL.Path = "/x" }, "InvalidSignatureException"},
		"query":  {func(q *http.Request) { q.URL.RawQuery = "a=b" }, "InvalidSignatureException"},
		"date": {func(q *http.Request) {
			q.Header.Set("X-Amz-Date", time.Now().Add(-2*time.Minute).UTC().Format(amzDate))
		}, "InvalidSignatureException"},
		"bad date": {func(q *http.Request) { q.Header.Set("X-Amz-Date", "yesterday") }, "IncompleteSignatureException"},
		"no date":  {func(q *http.Request) { q.Header.Del("X-Amz-Date") }, "IncompleteSignatureException"},
		"host":     {func(q *http.Request) { q.Host = "elsewhere" }, "InvalidSignatureException"},
		"signature": {func(q *http.Request) {
			h := q.Header.Get("Authorization")
			q.Header.Set("Authorization", h[:len(h)-1]+string(h[len(h)-1]^1))
		}, "InvalidSignatureException"},
		"unsigned amz":  {func(q *http.Request) { q.Header.Set("X-Amz-Extra", "1") }, "InvalidSignatureException"},
		"not x-amz":     {auth("x-amz-target", "x-amz-targex"), "InvalidSignatureException"},
		"no host":       {auth("host;", ""), "InvalidSignatureException"},
		"service":       {auth("/secretsmanager/", "/kms/"), "InvalidSignatureException"},
		"day":           {auth(time.Now().UTC().Format("20060102"), "19990101"), "InvalidSignatureException"},
		"no header":     {func(q *http.Request) { q.Header.Del("Authorization") }, "MissingAuthenticationTokenException"},
		"basic":         {func(q *http.Request) { q.SetBasicAuth("a", "b") }, "IncompleteSignatureException"},
		"no signature":  {auth("Signature=", "Other="), "IncompleteSignatureException"},
		"short scope":   {auth("/aws4_request", ""), "IncompleteSignatureException"},
		"only the name": {func(q *http.Request) { q.Header.Set("Authorization", "AWS4-HMAC-SHA256 ") }, "IncompleteSignatureException"},
	} {
		req := signed(t, r.url, body)
		tc.change(req)
		if status, text := do(t, req); status != 400 || !strings.Contains(text, tc.want) {
			t.Errorf("%s: %d %s, want %s", name, status, text, tc.want)
		}
	}
	if _, ok := r.Secret("a"); !ok {
		t.Fatal("the secret is gone")
	}
}

func TestMalformed(t *testing.T) {
	r := newRig(t)
	r.AddSecret(Secret{Name: "a"})
	deep := strings.Repeat(`{"a":`, 100000)
	for name, tc := range map[string]struct{ body, want string }{
		"empty":     {"", "ValidationException"},
		"text":      {"not json", "SerializationException"},
		"list":      {"[]", "SerializationException"},
		"number":    {`{"SecretId":12}`, "SerializationException"},
		"object":    {`{"SecretId":{}}`, "SerializationException"},
		"two":       {`{"SecretId":"a"}{}`, "SerializationException"},
		"cut":       {`{"SecretId":"a`, "SerializationException"},
		"deep":      {deep, "SerializationException"},
		"null":      {`{"SecretId":null}`, "ValidationException"},
		"long name": {`{"SecretId":"` + strings.Repeat("x", 5000) + `"}`, "ValidationException"},
	} {
		if status, text := do(t, signed(t, r.url, tc.body)); status != 400 || !strings.Contains(text, tc.want) {
			t.Errorf("%s: %d %.200s, want %s", name, status, text, tc.want)
		}
	}
	if status, text := do(t, signed(t, r.url, strings.Repeat(" ", maxBody+1))); status != 413 || !strings.Contains(text, "RequestEntityTooLarge") {
		t.Errorf("too large: %d %s", status, text)
	}
}

// TestUnknown: what is not simulated is refused in the service's own way.
func TestUnknown(t *testing.T) {
	r := newRig(t)
	for name, tc := range map[string]struct {
		method, path, service, target, kind, body string
		status                                    int
		want                                      string
	}{
		"json":        {"POST", "/", "secretsmanager", "secretsmanager.Nothing", "application/x-amz-json-1.1", "{}", 400, "UnknownOperationException"},
		"cross":       {"POST", "/", "kms", "secretsmanager.ListSecrets", "application/x-amz-json-1.1", "{}", 400, "UnknownOperationException"},
		"service":     {"POST", "/", "dynamodb", "DynamoDB_20120810.ListTables", "application/x-amz-json-1.0", "{}", 400, "UnknownOperationException"},
		"query":       {"POST", "/", "sts", "", "application/x-www-form-urlencoded", "Action=Nothing&Version=2011-06-15", 400, "<Code>InvalidAction</Code><Message>Could not find operation Nothing for version 2011-06-15"},
		"no action":   {"POST", "/", "sts", "", "application/x-www-form-urlencoded", "", 400, "InvalidAction"},
		"iam":         {"POST", "/", "iam", "", "application/x-www-form-urlencoded", "Action=ListUsers&Version=2010-05-08", 400, "InvalidAction"},
		"rest":        {"GET", "/2015-03-31/event-source-mappings/", "lambda", "", "", "", 404, "UnknownOperationException"},
		"rest method": {"DELETE", "/2015-03-31/functions/f", "lambda", "", "", "", 404, "UnknownOperationException"},
		"root":        {"GET", "/", "s3", "", "", "", 404, "UnknownOperationException"},
		"cbor":        {"POST", "/service/GraniteServiceVersion20100801/operation/Nothing", "monitoring", "", "application/cbor", "\xa0", 404, "UnknownOperationException"},
		"cbor body":   {"POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", "monitoring", "", "application/cbor", "\xff\xff", 400, "SerializationException"},
		"form":        {"POST", "/", "monitoring", "", "application/x-www-form-urlencoded", "Action=ListMetrics&Dimensions.member.x=1", 400, "Serialization"},
		"form clash":  {"POST", "/", "monitoring", "", "application/x-www-form-urlencoded", "Action=ListMetrics&A=1&A.B=2", 400, "MalformedInput"},
		"form query":  {"POST", "/", "monitoring", "", "application/x-www-form-urlencoded", "Action=ListMetrics&Version=2010-08-01", 200, "<ListMetricsResult><Metrics></Metrics></ListMetricsResult>"},
	} {
		req, err := http.NewRequest(tc.method, r.url+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		if tc.target != "" {
			req.Header.Set("X-Amz-Target", tc.target)
		}
		if tc.kind != "" {
			req.Header.Set("Content-Type", tc.kind)
		}
		sign(t, req, tc.service, tc.body)
		if status, text := do(t, req); status != tc.status || !strings.Contains(text, tc.want) {
			t.Errorf("%s: %d %s, want %d %s", name, status, text, tc.status, tc.want)
		}
	}
}

// FuzzRequest: whatever a signed request holds, the answer is not a fault of
// ours.
func FuzzRequest(f *testing.F) {
	s := New(Options{Credentials: map[string]Credential{testKey: {SecretKey: testSecret, Principal: testUser}}})
	s.AddSecret(Secret{Name: "a", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	s.AddFunction(Function{Name: "f"})
	s.AddKey(Key{ID: "k"})
	s.AddLog(LogEvent{Group: "g", Stream: "s", Message: "m"})
	s.Metrics.Put("n", "m", nil, func(time.Time) float64 { return 1 })
	f.Add(uint8(0), "ListSecrets", []byte(`{"MaxResults":1,"Filters":[{"Key":"name","Values":["!a"]}]}`))
	f.Add(uint8(0), "PutSecretValue", []byte(`{"SecretId":"a","SecretString":"b","VersionStages":["x"]}`))
	f.Add(uint8(1), "ListAliases", []byte(`{"Limit":1}`))
	f.Add(uint8(2), "FilterLogEvents", []byte(`{"logGroupName":"g","filterPattern":"?a -\"b\" %c%"}`))
	f.Add(uint8(3), "GetMetricData", []byte(`{"StartTime":1,"EndTime":"1970-01-01T01:00:00Z","MetricDataQueries":[{"Id":"a","MetricStat":{"Metric":{"Namespace":"n","MetricName":"m"},"Period":60,"Stat":"p99"}}]}`))
	f.Add(uint8(4), "", []byte("Action=AssumeRole&RoleArn=a&RoleSessionName=b&DurationSeconds=x"))
	f.Add(uint8(5), "GetMetricData", []byte("\xa1\x61a\x80"))
	f.Add(uint8(6), "2015-03-31/functions/f/invocations", []byte("{}"))
	f.Fuzz(func(t *testing.T, kind uint8, name string, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "http://sim/", bytes.NewReader(body))
		service := "monitoring"
		switch kind % 7 {
		case 0, 1, 2, 3:
			service = []string{"secretsmanager", "kms", "logs", "monitoring"}[kind%7]
			req.Header.Set("X-Amz-Target", targets[service]+"."+name)
		case 4:
			service = "sts"
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		case 5:
			req.URL.Path = "/service/GraniteServiceVersion20100801/operation/" + name
		case 6:
			service = "lambda"
			req.URL.Path = "/" + name
		}
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
			t.Skip()
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Fatalf("%s %q: %d %s", service, name, w.Code, w.Body)
		}
		if w.Code >= 400 && w.Body.Len() == 0 {
			t.Fatal(fmt.Sprint("an error without words: ", w.Code))
		}
	})
}
