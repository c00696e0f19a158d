package checks

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apigatewaytypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/awssim"
	"warroom/internal/labtest"
)

// twinAWS is an account of its own, of the drill or of moto: whoever assumes a role
// of an account is in it there. What both let an SDK make is made by the SDK; of the
// rest, the drill is told.
type twinAWS struct {
	*clients.AWSServices
	account  string
	endpoint string
	sim      *awssim.Sim // nil for moto
}

const awsTwinKey = "AKIATWIN000000000000"

func newSimAWS(t *testing.T) *twinAWS {
	t.Helper()
	w := &twinAWS{account: accountNumber(t)}
	w.sim = awssim.New(awssim.Options{Account: w.account, Seed: 3, Delivery: time.Nanosecond, Credentials: map[string]awssim.Credential{
		awsTwinKey: {SecretKey: "canary-of-aws", Principal: "arn:aws:iam::" + w.account + ":user/twin", Allow: []awssim.Permission{{Action: "*"}}},
	}})
	w.sim.AddRole(awssim.Role{Name: "twin"})
	s := httptest.NewServer(w.sim)
	t.Cleanup(s.Close)
	w.endpoint = s.URL
	return w.connect(t)
}

func newMoto(t *testing.T) *twinAWS {
	t.Helper()
	return (&twinAWS{account: accountNumber(t), endpoint: labtest.AWS(t).Endpoint}).connect(t)
}

// accountNumber is the number of an account that nobody else uses.
func accountNumber(t *testing.T) string {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1e9))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("777%09d", n)
}

func (w *twinAWS) connect(t *testing.T) *twinAWS {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": awsTwinKey, "AWS_SECRET_ACCESS_KEY": "canary-of-aws", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(k, v)
	}
	set := newSet(t, w.config(t, "- {id: x, name: X, plane: state, secret_store: {account: main}}\n"))
	account, err := set.AWS("main")
	if err != nil {
		t.Fatal(err)
	}
	w.AWSServices = must[*clients.AWSServices](t, "services")(account.Services(t.Context()))
	return w
}

func (w *twinAWS) config(t *testing.T, components string) *config.Config {
	t.Helper()
	return twinConfig(t, fmt.Sprintf("checks: {interval: 30s, slow_interval: 30s, timeout: 20s}\naws: [{name: main, region: us-east-1, endpoint: %q, role_arn: \"arn:aws:iam::%s:role/twin\"}]\ncomponents:\n%s", w.endpoint, w.account, components))
}

// function makes a function and the role of it, of which it returns the ARN.
func (w *twinAWS) function(t *testing.T, name string) string {
	t.Helper()
	role := "arn:aws:iam::" + w.account + ":role/rotator"
	allow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Resource":"*"}]}`
	if w.sim != nil {
		w.sim.AddRole(awssim.Role{Name: "rotator", Policies: []awssim.Policy{{Name: "reads", Document: allow}}})
		w.sim.AddFunction(awssim.Function{Name: name, Role: role, Timeout: 30 * time.Second, LastModified: time.Now()})
		return w.sim.FunctionARN(name)
	}
	must[*iam.CreateRoleOutput](t, "role")(w.IAM.CreateRole(changing(t), &iam.CreateRoleInput{RoleName: aws.String("rotator"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`)}))
	must[*iam.PutRolePolicyOutput](t, "policy")(w.IAM.PutRolePolicy(changing(t), &iam.PutRolePolicyInput{RoleName: aws.String("rotator"), PolicyName: aws.String("reads"), PolicyDocument: &allow}))
	// Without this it wants Docker; the whole lab shares the setting.
	res := must[*http.Response](t, "configure moto")(http.Post(w.endpoint+"/moto-api/config", "application/json", strings.NewReader(`{"lambda":{"use_docker":false}}`)))
	_ = res.Body.Close()
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	f := must[io.Writer](t, "zip")(z.Create("index.py"))
	if _, err := io.WriteString(f, "def handler(e, c): pass\n"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	made := must[*lambda.CreateFunctionOutput](t, "function")(w.Lambda.CreateFunction(changing(t), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: &role, Handler: aws.String("index.handler"), Runtime: lambdatypes.RuntimePython312, Timeout: aws.Int32(30), Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()},
	}))
	return aws.ToString(made.FunctionArn)
}

// invocable lets Secrets Manager invoke the function, and bars everybody from it.
func (w *twinAWS) invocable(t *testing.T, name string) {
	t.Helper()
	if w.sim != nil {
		zero := 0
		w.sim.AddFunction(awssim.Function{Name: name, Role: "arn:aws:iam::" + w.account + ":role/rotator", Timeout: 30 * time.Second, LastModified: time.Now(), Policy: w.sim.InvokePolicy(name), Reserved: &zero})
		return
	}
	must[*lambda.AddPermissionOutput](t, "permission")(w.Lambda.AddPermission(changing(t), &lambda.AddPermissionInput{
		FunctionName: &name, StatementId: aws.String("sm"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("secretsmanager.amazonaws.com")}))
	must[*lambda.PutFunctionConcurrencyOutput](t, "concurrency")(w.Lambda.PutFunctionConcurrency(changing(t), &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0)}))
}

// keys makes a key that rotates and one that is to be deleted, and returns their ids.
func (w *twinAWS) keys(t *testing.T) (ids [2]string) {
	t.Helper()
	if w.sim != nil {
		for i, k := range []awssim.Key{{Alias: "alias/rotates", Rotation: true, NextRotation: time.Now().Add(300 * 24 * time.Hour)}, {Alias: "alias/ends", State: "PendingDeletion", Deletion: time.Now().Add(7 * 24 * time.Hour)}} {
			k.ID, k.Created = fmt.Sprintf("1111111%d-2222-3333-4444-555555555555", i), time.Now()
			w.sim.AddKey(k)
			ids[i] = k.ID
		}
		return ids
	}
	for i, alias := range []string{"alias/rotates", "alias/ends"} {
		key := must[*kms.CreateKeyOutput](t, "key")(w.KMS.CreateKey(changing(t), &kms.CreateKeyInput{}))
		ids[i] = aws.ToString(key.KeyMetadata.KeyId)
		must[*kms.CreateAliasOutput](t, "alias")(w.KMS.CreateAlias(changing(t), &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: &ids[i]}))
	}
	must[*kms.EnableKeyRotationOutput](t, "rotation")(w.KMS.EnableKeyRotation(changing(t), &kms.EnableKeyRotationInput{KeyId: &ids[0]}))
	must[*kms.ScheduleKeyDeletionOutput](t, "deletion")(w.KMS.ScheduleKeyDeletion(changing(t), &kms.ScheduleKeyDeletionInput{KeyId: &ids[1], PendingWindowInDays: aws.Int32(7)}))
	return ids
}

// metric records one sample of a minute ago.
func (w *twinAWS) metric(t *testing.T, namespace, name, dimension, value string, n float64) {
	t.Helper()
	at := time.Now().Add(-time.Minute)
	if w.sim != nil {
		w.sim.Metrics.Add(namespace, name, map[string]string{dimension: value}, at, n)
		return
	}
	must[*cloudwatch.PutMetricDataOutput](t, "metric")(w.CloudWatch.PutMetricData(changing(t), &cloudwatch.PutMetricDataInput{Namespace: &namespace, MetricData: []cwtypes.MetricDatum{{
		MetricName: &name, Value: &n, Timestamp: &at, Dimensions: []cwtypes.Dimension{{Name: &dimension, Value: &value}}}}}))
}

// log writes lines of the last minute.
func (w *twinAWS) log(t *testing.T, group string, lines ...string) {
	t.Helper()
	stream, events := "s", []logtypes.InputLogEvent{}
	for i, line := range lines {
		at := time.Now().Add(time.Duration(i-60) * time.Second)
		if w.sim != nil {
			w.sim.AddLog(awssim.LogEvent{Group: group, Stream: stream, At: at, Message: line})
		}
		events = append(events, logtypes.InputLogEvent{Message: &line, Timestamp: aws.Int64(at.UnixMilli())})
	}
	if w.sim != nil {
		return
	}
	must[*cloudwatchlogs.CreateLogGroupOutput](t, "group")(w.Logs.CreateLogGroup(changing(t), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group}))
	must[*cloudwatchlogs.CreateLogStreamOutput](t, "stream")(w.Logs.CreateLogStream(changing(t), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream}))
	must[*cloudwatchlogs.PutLogEventsOutput](t, "events")(w.Logs.PutLogEvents(changing(t), &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: events}))
}

// balancer makes a load balancer with an HTTPS listener and an imported certificate.
func (w *twinAWS) balancer(t *testing.T, name string) {
	t.Helper()
	file, secret, _ := twinFiles(t)
	pem, key := must[[]byte](t, "certificate")(os.ReadFile(file)), must[[]byte](t, "key")(os.ReadFile(secret))
	arn := must[*acm.ImportCertificateOutput](t, "import")(w.ACM.ImportCertificate(changing(t), &acm.ImportCertificateInput{Certificate: pem, PrivateKey: key})).CertificateArn
	const policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
	if w.sim != nil {
		w.sim.AddLoadBalancer(awssim.LoadBalancer{Name: name, Listeners: []awssim.LoadListener{
			{Port: 443, Protocol: "HTTPS", Policy: policy, Certificates: []string{*arn}}, {Port: 80, Protocol: "HTTP", Redirect: "HTTPS"}}})
		return
	}
	subnets := w.subnets(t)
	lb := must[*elb.CreateLoadBalancerOutput](t, "balancer")(w.Balancing.CreateLoadBalancer(changing(t), &elb.CreateLoadBalancerInput{Name: &name, Subnets: subnets[:2]})).LoadBalancers[0]
	redirect := []elbtypes.Action{{Type: elbtypes.ActionTypeEnumRedirect, RedirectConfig: &elbtypes.RedirectActionConfig{Protocol: aws.String("HTTPS"), StatusCode: elbtypes.RedirectActionStatusCodeEnumHttp301}}}
	must[*elb.CreateListenerOutput](t, "listener")(w.Balancing.CreateListener(changing(t), &elb.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Port: aws.Int32(443), Protocol: elbtypes.ProtocolEnumHttps,
		SslPolicy: aws.String(policy), Certificates: []elbtypes.Certificate{{CertificateArn: arn}}, DefaultActions: redirect}))
	must[*elb.CreateListenerOutput](t, "listener")(w.Balancing.CreateListener(changing(t), &elb.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Port: aws.Int32(80), Protocol: elbtypes.ProtocolEnumHttp, DefaultActions: redirect}))
}

// subnets are those that every account has at first. No client of ours speaks EC2.
func (w *twinAWS) subnets(t *testing.T) (ids []string) {
	t.Helper()
	who := must[aws.Credentials](t, "credentials")(w.IAM.Options().Credentials.Retrieve(t.Context()))
	req := must[*http.Request](t, "request")(http.NewRequestWithContext(t.Context(), http.MethodPost, w.endpoint, strings.NewReader(url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}}.Encode())))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Amz-Security-Token", who.SessionToken)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+who.AccessKeyID+"/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00")
	res := must[*http.Response](t, "subnets")(http.DefaultClient.Do(req))
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		IDs []string `xml:"subnetSet>item>subnetId"`
	}
	if err := xml.NewDecoder(res.Body).Decode(&answer); err != nil || len(answer.IDs) < 2 {
		t.Fatalf("subnets: %s %v %v", res.Status, answer.IDs, err)
	}
	return answer.IDs
}

// apis makes a REST API and an HTTP API with an authorizer each, and returns their
// ids.
func (w *twinAWS) apis(t *testing.T, function string) (rest, web string) {
	t.Helper()
	if w.sim != nil {
		w.sim.AddAPI(awssim.API{ID: "restapi001", Name: "rest", Protocol: "REST", Authorizers: []awssim.Authorizer{{Name: "tokens", Type: "TOKEN", Function: function}}})
		w.sim.AddAPI(awssim.API{ID: "httpapi001", Name: "web", Authorizers: []awssim.Authorizer{{Name: "jwt", Type: "JWT", Issuer: "https://issuer.example.com", Audience: []string{"api"}}}})
		return "restapi001", "httpapi001"
	}
	rest = aws.ToString(must[*apigateway.CreateRestApiOutput](t, "api")(w.REST.CreateRestApi(changing(t), &apigateway.CreateRestApiInput{Name: aws.String("rest")})).Id)
	must[*apigateway.CreateAuthorizerOutput](t, "authorizer")(w.REST.CreateAuthorizer(changing(t), &apigateway.CreateAuthorizerInput{RestApiId: &rest, Name: aws.String("tokens"), Type: apigatewaytypes.AuthorizerTypeToken,
		IdentitySource: aws.String("method.request.header.Authorization"), AuthorizerUri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + function + "/invocations")}))
	web = aws.ToString(must[*apigatewayv2.CreateApiOutput](t, "api")(w.API.CreateApi(changing(t), &apigatewayv2.CreateApiInput{Name: aws.String("web"), ProtocolType: apitypes.ProtocolTypeHttp})).ApiId)
	must[*apigatewayv2.CreateAuthorizerOutput](t, "authorizer")(w.API.CreateAuthorizer(changing(t), &apigatewayv2.CreateAuthorizerInput{ApiId: &web, Name: aws.String("jwt"), AuthorizerType: apitypes.AuthorizerTypeJwt,
		IdentitySource: []string{"$request.header.Authorization"}, JwtConfiguration: &apitypes.JWTConfiguration{Issuer: aws.String("https://issuer.example.com"), Audience: []string{"api"}}}))
	return rest, web
}

// trail makes a trail of all regions that logs.
func (w *twinAWS) trail(t *testing.T) {
	t.Helper()
	if w.sim != nil {
		w.sim.AddTrail(awssim.Trail{Name: "audit", Bucket: "audit-" + w.account, MultiRegion: true, Global: true, Validated: true})
		return
	}
	who := must[aws.Credentials](t, "credentials")(w.IAM.Options().Credentials.Retrieve(t.Context()))
	req := must[*http.Request](t, "request")(http.NewRequestWithContext(t.Context(), http.MethodPut, w.endpoint+"/audit-"+w.account, nil))
	req.Header.Set("X-Amz-Security-Token", who.SessionToken)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+who.AccessKeyID+"/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
	res := must[*http.Response](t, "bucket")(http.DefaultClient.Do(req))
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("make the bucket: %s", res.Status)
	}
	must[*cloudtrail.CreateTrailOutput](t, "trail")(w.CloudTrail.CreateTrail(changing(t), &cloudtrail.CreateTrailInput{Name: aws.String("audit"), S3BucketName: aws.String("audit-" + w.account),
		IsMultiRegionTrail: aws.Bool(true), IncludeGlobalServiceEvents: aws.Bool(true), EnableLogFileValidation: aws.Bool(true)}))
	must[*cloudtrail.StartLoggingOutput](t, "logging")(w.CloudTrail.StartLogging(changing(t), &cloudtrail.StartLoggingInput{Name: aws.String("audit")}))
}
