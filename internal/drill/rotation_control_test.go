package drill

import (
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// TestTheStoryInCloudTrail counts the rotations of a day and finds the change that
// is the cause.
func TestTheStoryInCloudTrail(t *testing.T) {
	w := open(t, Options{Seed: 5})
	c := cloudtrail.NewFromConfig(awsConfig(w))
	look := func(key cttypes.LookupAttributeKey, value string, window time.Duration) (out []cttypes.Event) {
		in := &cloudtrail.LookupEventsInput{
			LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: key, AttributeValue: aws.String(value)}}, StartTime: aws.Time(time.Now().Add(-window)),
		}
		for p := cloudtrail.NewLookupEventsPaginator(c, in); p.HasMorePages(); {
			// Two lookups a second is all that the account may do.
			page, err := p.NextPage(t.Context(), func(o *cloudtrail.Options) { o.RetryMaxAttempts = 20 })
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, page.Events...)
		}
		return out
	}
	failed := look(cttypes.LookupAttributeKeyEventName, "RotationFailed", day)
	if len(failed) != 12 {
		t.Errorf("%d rotations failed within a day, want 12", len(failed))
	}
	of := 0
	for _, e := range failed {
		if strings.Contains(aws.ToString(e.CloudTrailEvent), ":secret:prod/db/postgres-") {
			of++
		}
	}
	if of != 5 {
		t.Errorf("%d of them of prod/db/postgres, want 5", of)
	}
	if n := len(look(cttypes.LookupAttributeKeyEventName, "RotationSucceeded", day)); n != 2 {
		t.Errorf("%d rotations succeeded within a day, want 2 beside Vault's", n)
	}
	if n := len(look(cttypes.LookupAttributeKeyEventName, "RotationAbandoned", day)); n != 5 {
		t.Errorf("%d rotations were abandoned within a day, want 5", n)
	}
	changes := look(cttypes.LookupAttributeKeyEventName, "RevokeSecurityGroupIngress", 72*time.Hour)
	if len(changes) != 1 || aws.ToString(changes[0].Username) != "apply-1182" || !strings.Contains(aws.ToString(changes[0].CloudTrailEvent), functionGroup) {
		t.Fatalf("the cause: %+v", changes)
	}
	if age := time.Since(aws.ToTime(changes[0].EventTime)); age < cutOff || age > cutOff+time.Minute {
		t.Errorf("the cause lies %v back", age)
	}
	trails, err := c.DescribeTrails(t.Context(), nil)
	if err != nil || len(trails.TrailList) != 1 || !aws.ToBool(trails.TrailList[0].IsMultiRegionTrail) || !aws.ToBool(trails.TrailList[0].LogFileValidationEnabled) {
		t.Errorf("trails %+v, %v", trails, err)
	}
}

// TestTheInventory counts what ends soon and what has ended, by tag, besides what
// is watched.
func TestTheInventory(t *testing.T) {
	w := open(t, Options{Seed: 5})
	now := time.Now()
	near, over, total := 0, 0, 0
	for p := secretsmanager.NewListSecretsPaginator(secretsmanager.NewFromConfig(awsConfig(w)), &secretsmanager.ListSecretsInput{}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.SecretList {
			total++
			i := slices.IndexFunc(s.Tags, func(tag smtypes.Tag) bool { return aws.ToString(tag.Key) == "expires-at" })
			if i < 0 {
				continue
			}
			text := aws.ToString(s.Tags[i].Value)
			ends, err := time.Parse(time.RFC3339, text)
			if err != nil {
				if ends, err = time.Parse(time.DateOnly, text); err != nil {
					t.Errorf("%s ends %q", aws.ToString(s.Name), text)
				}
			}
			switch left := ends.Sub(now); {
			case left <= 0:
				over++
			case left < 7*day:
				near++
				// The count is to stay while somebody practises.
				if left < day-time.Minute {
					t.Errorf("%s ends in %v", aws.ToString(s.Name), left)
				}
			case left < 8*day:
				t.Errorf("%s comes close in %v", aws.ToString(s.Name), left)
			}
		}
	}
	// The gateway's token is among those that have ended.
	if near != nearExpiry-nearElsewhere || over != expired-expiredElsewhere+1 || total < 100 {
		t.Errorf("%d end soon, %d have ended, of %d", near, over, total)
	}
}

// TestTheEntrance: the load balancer serves what ACM holds, and the API trusts the
// issuer.
func TestTheEntrance(t *testing.T) {
	w := open(t, Options{Seed: 5})
	cfg := awsConfig(w)
	lb, err := elb.NewFromConfig(cfg).DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{Names: []string{balancerName}})
	if err != nil {
		t.Fatal(err)
	}
	ls, err := elb.NewFromConfig(cfg).DescribeListeners(t.Context(), &elb.DescribeListenersInput{LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn})
	if err != nil || len(ls.Listeners) != 2 || aws.ToInt32(ls.Listeners[0].Port) != 443 {
		t.Fatalf("listeners %+v, %v", ls, err)
	}
	arn := ls.Listeners[0].Certificates[0].CertificateArn
	d, err := acm.NewFromConfig(cfg).DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(aws.ToTime(d.Certificate.NotAfter)); left < 12*day || left > 13*day || d.Certificate.Type != "IMPORTED" || !slices.Contains(d.Certificate.InUseBy, aws.ToString(lb.LoadBalancers[0].LoadBalancerArn)) {
		t.Errorf("certificate %+v", d.Certificate)
	}
	got, err := acm.NewFromConfig(actConfig(w)).GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: arn})
	disk, err2 := os.ReadFile(w.file(fileCert))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	here, _ := pem.Decode(disk)
	there, _ := pem.Decode([]byte(aws.ToString(got.Certificate)))
	if there == nil || !slices.Equal(here.Bytes, there.Bytes) {
		t.Error("ACM holds another certificate than is served")
	}
	z, err := apigatewayv2.NewFromConfig(cfg).GetAuthorizers(t.Context(), &apigatewayv2.GetAuthorizersInput{ApiId: aws.String(apiID)})
	if err != nil || len(z.Items) != 1 || aws.ToString(z.Items[0].JwtConfiguration.Issuer) != "https://"+w.address(srvIssuer) || !slices.Equal(z.Items[0].JwtConfiguration.Audience, []string{audience}) {
		t.Errorf("authorizers %+v, %v", z, err)
	}
}

// TestTheRoleMayRotate: the cause is not a permission.
func TestTheRoleMayRotate(t *testing.T) {
	w := open(t, Options{Seed: 5})
	cfg := awsConfig(w)
	key, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(keyAlias)})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := secretsmanager.NewFromConfig(cfg).DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db/postgres")})
	if err != nil {
		t.Fatal(err)
	}
	for resource, actions := range map[string][]string{
		aws.ToString(secret.ARN):          {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"},
		aws.ToString(key.KeyMetadata.Arn): {"kms:Decrypt", "kms:GenerateDataKey"},
		"*":                               {"secretsmanager:GetRandomPassword", "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"},
	} {
		out, err := iam.NewFromConfig(cfg).SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String("arn:aws:iam::" + account + ":role/" + functionName), ActionNames: actions, ResourceArns: []string{resource},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.EvaluationResults {
			if e.EvalDecision != "allowed" {
				t.Errorf("%s on %s: %s", aws.ToString(e.EvalActionName), resource, e.EvalDecision)
			}
		}
	}
}

// TestRefusedLoginsAreLogged: a login that really fails stands in the database's
// log, beside those of the story.
func TestRefusedLoginsAreLogged(t *testing.T) {
	w := open(t, Options{Seed: 5})
	began := time.Now()
	count := func(pattern string, from time.Time) int {
		out, err := cloudwatchlogs.NewFromConfig(awsConfig(w)).FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String(databaseLogs), FilterPattern: aws.String(pattern), StartTime: aws.Int64(from.UnixMilli()),
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Events)
	}
	hour := began.Truncate(time.Minute).Add(-59 * time.Minute)
	if n := count(`"password authentication failed"`, hour); n < refusedLogins || n > refusedLogins+20 {
		t.Errorf("%d lines in an hour, want %d", n, refusedLogins)
	}
	if got := logIn(t, w, srvPrimary, "nobody", "canary-password-3312"); got != "28P01" {
		t.Fatalf("login: %q", got)
	}
	if n := count(`"for user \"nobody\""`, began.Add(-time.Second)); n != 1 {
		t.Errorf("%d lines of the login that failed", n)
	}
	if n := count(`"canary-password-3312"`, hour); n != 0 {
		t.Error("the log holds a password")
	}
}
