package awssim

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"warroom/internal/labtest"
)

// TestCommandLine drives the endpoint with the real aws command line.
func TestCommandLine(t *testing.T) {
	if testing.Short() {
		t.Skip("each aws command takes a second or two")
	}
	bin := labtest.Tool(t, "aws")
	r := newRig(t)
	rotating(r)
	r.AddKey(Key{ID: "11111111-2222-4333-8444-555555555555", Alias: "alias/prod", Rotation: true})
	r.Metrics.Put("AWS/Lambda", "Errors", map[string]string{"FunctionName": "rotate"}, func(time.Time) float64 { return 2 })
	r.AddLog(LogEvent{Group: "/aws/lambda/rotate", Stream: "s", Message: "Task timed out after 30.00 seconds"})
	r.AddRole(Role{Name: "rotate", Policies: []Policy{{Name: "p", Document: `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`}}})
	r.AddEvent(RotationEvent("RotationFailed", "arn:a", time.Now().Add(-time.Hour), "no way there"))
	r.AddTrail(Trail{Name: "all", MultiRegion: true})
	r.AddCertificate(Certificate{Domain: "api.company.com", NotAfter: time.Now().Add(time.Hour)})
	r.AddLoadBalancer(LoadBalancer{Name: "edge"})
	r.AddAPI(API{ID: "a1b2c3d4e5", Name: "edge", Authorizers: []Authorizer{{Name: "a", Type: "JWT", Issuer: "https://issuer", Audience: []string{"b"}}}})
	end := time.Now().UTC().Truncate(time.Minute)
	query := `[{"Id":"e","MetricStat":{"Metric":{"Namespace":"AWS/Lambda","MetricName":"Errors","Dimensions":[{"Name":"FunctionName","Value":"rotate"}]},"Period":3600,"Stat":"Sum"}}]`
	from, to := end.Add(-time.Hour).Format(time.RFC3339), end.Format(time.RFC3339)
	run := func(secret string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), bin, append(args, "--output", "json")...)
		cmd.Env = []string{
			"AWS_ENDPOINT_URL=" + r.url, "AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
			"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
			"PATH=/usr/bin:/bin:" + pathOf(bin), "HOME=" + t.TempDir(),
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, tc := range []struct {
		args, want string
		fails      bool
	}{
		{"secretsmanager describe-secret --secret-id prod/db/postgres", `"RotationEnabled": true`, false},
		{"secretsmanager get-secret-value --secret-id prod/db/postgres --version-stage AWSCURRENT", tokenA, false},
		{"secretsmanager get-secret-value --secret-id prod/db/postgres --version-stage AWSPENDING", "(ResourceNotFoundException) when calling the GetSecretValue operation: Secrets Manager can't find the specified secret value for staging label: AWSPENDING", true},
		{"secretsmanager list-secrets", `"Name": "prod/db/postgres"`, false},
		{"secretsmanager get-random-password", "UnknownOperationException", true},
		{"lambda get-function-configuration --function-name rotate", `"State": "Active"`, false},
		{"lambda get-function-configuration --function-name none", "(ResourceNotFoundException) when calling the GetFunctionConfiguration operation: Function not found", true},
		{"lambda list-layers", "UnknownOperationException", true},
		{"sts get-caller-identity", testUser, false},
		{"sts get-session-token", "InvalidAction", true},
		{"kms describe-key --key-id alias/prod", `"KeyState": "Enabled"`, false},
		{"cloudwatch list-metrics", `"MetricName": "Errors"`, false},
		{"cloudwatch describe-alarms", "UnknownOperation", true},
		{"cloudwatch get-metric-data --start-time " + from + " --end-time " + to + " --metric-data-queries " + query, "120.0", false},
		{"logs filter-log-events --log-group-name /aws/lambda/rotate --filter-pattern ?ERROR\u00a0?\"timed\u00a0out\"", "Task timed out", false},
		{"iam list-users", "InvalidAction", true},
		{"iam get-role --role-name rotate", `"RoleName": "rotate"`, false},
		{"iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:role/rotate --action-names kms:Decrypt sts:AssumeRole", `"EvalDecision": "implicitDeny"`, false},
		{"cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=RotationFailed", `"EventName": "RotationFailed"`, false},
		{"cloudtrail describe-trails", `"IsMultiRegionTrail": true`, false},
		{"cloudtrail get-trail-status --name all", `"IsLogging": true`, false},
		{"cloudtrail get-event-selectors --trail-name all", `"ReadWriteType": "All"`, false},
		{"acm list-certificates", `"DomainName": "api.company.com"`, false},
		{"acm describe-certificate --certificate-arn arn:aws:acm:us-east-1:123456789012:certificate/none", "(ResourceNotFoundException) when calling the DescribeCertificate operation", true},
		{"elbv2 describe-load-balancers --names edge", `"Code": "active"`, false},
		{"elbv2 describe-load-balancers --names none", "(LoadBalancerNotFound) when calling the DescribeLoadBalancers operation: Load balancers '[none]' not found", true},
		{"apigatewayv2 get-authorizers --api-id a1b2c3d4e5", `"Issuer": "https://issuer"`, false},
		{"apigateway get-authorizers --rest-api-id none", "(NotFoundException) when calling the GetAuthorizers operation: Invalid API identifier specified", true},
	} {
		t.Run(strings.Join(strings.Fields(tc.args)[:2], " "), func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(strings.ReplaceAll(tc.args, "\u00a0", "\x00"))
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "\x00", " ")
			}
			out, err := run(testSecret, args...)
			if (err != nil) != tc.fails || !strings.Contains(out, tc.want) {
				t.Errorf("aws %s: %v\n%s\nwant %s", tc.args, err, out, tc.want)
			}
		})
	}
	if out, err := run("wrong", "sts", "get-caller-identity"); err == nil || !strings.Contains(out, "SignatureDoesNotMatch") {
		t.Errorf("wrong secret: %v %s", err, out)
	}
}

func pathOf(bin string) string {
	return bin[:strings.LastIndexByte(bin, '/')]
}
