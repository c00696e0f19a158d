package awssim

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const rotatorPolicy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["secretsmanager:Get*","secretsmanager:PutSecretValue"],"Resource":"arn:aws:secretsmanager:*:*:secret:prod/db/*"},
 {"Effect":"Allow","Action":"kms:*","Resource":"*"},
 {"Effect":"Deny","Action":"kms:ScheduleKeyDeletion","Resource":"*"},
 {"Effect":"Allow","NotAction":["iam:*","secretsmanager:*","kms:*","lambda:*"],"Resource":"arn:aws:logs:*"},
 {"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}},
 {"Effect":"Allow","Action":"lambda:GetPolicy","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}}]}`

func newRole(t *testing.T) (*rig, *iam.Client) {
	r := newRig(t, func(o *Options) { o.Region = "us-west-2" })
	r.AddRole(Role{Name: "rotator", Policies: []Policy{
		{Name: "inline", Document: rotatorPolicy},
		{Name: "vpc", ARN: "arn:aws:iam::aws:policy/vpc", Document: `{"Statement":{"Effect":"Allow","Action":"ec2:CreateNetworkInterface","Resource":"*"}}`},
	}})
	return r, iam.NewFromConfig(r.cfg) // signed for us-east-1: IAM is one for all regions
}

func TestRoleIsRead(t *testing.T) {
	_, c := newRole(t)
	name := aws.String("rotator")
	role := must(c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: name}))(t).Role
	trusts, err := url.PathUnescape(aws.ToString(role.AssumeRolePolicyDocument))
	if err != nil || aws.ToString(role.Arn) != "arn:aws:iam::123456789012:role/rotator" || !strings.Contains(trusts, "lambda.amazonaws.com") {
		t.Errorf("role %+v: %s %v", role, trusts, err)
	}
	inline := must(c.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: name}))(t)
	if len(inline.PolicyNames) != 1 || inline.IsTruncated {
		t.Fatalf("policies %+v", inline)
	}
	doc := must(c.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: name, PolicyName: &inline.PolicyNames[0]}))(t)
	if got, err := url.PathUnescape(aws.ToString(doc.PolicyDocument)); err != nil || got != rotatorPolicy {
		t.Errorf("document %s, %v", got, err)
	}
	managed := must(c.ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: name}))(t).AttachedPolicies
	if len(managed) != 1 || aws.ToString(managed[0].PolicyArn) != "arn:aws:iam::aws:policy/vpc" {
		t.Errorf("attached %+v", managed)
	}
	if _, err := c.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("none")}); code(err) != "NoSuchEntity" {
		t.Errorf("no such role: %v", err)
	}
}

func TestSimulation(t *testing.T) {
	_, c := newRole(t)
	const secrets, logs = "arn:aws:secretsmanager:us-west-2:123456789012:secret:", "arn:aws:logs:us-west-2:123456789012:log-group:x"
	vpc := []types.ContextEntry{{ContextKeyName: aws.String("aws:SourceVpc"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"vpc-1"}}}
	for _, tc := range []struct {
		action, resource string
		context          []types.ContextEntry
		want             types.PolicyEvaluationDecisionType
		by               string
		missing          int
	}{
		{"secretsmanager:GetSecretValue", secrets + "prod/db/postgres-AbCdEf", nil, "allowed", "inline", 0},
		{"secretsmanager:getsecretvalue", secrets + "prod/db/postgres-AbCdEf", nil, "allowed", "inline", 0},
		{"secretsmanager:GetSecretValue", secrets + "dev/db/postgres-AbCdEf", nil, "implicitDeny", "", 0},
		{"secretsmanager:DeleteSecret", secrets + "prod/db/postgres-AbCdEf", nil, "implicitDeny", "", 0},
		{"kms:Decrypt", "arn:aws:kms:us-west-2:123456789012:key/1", nil, "allowed", "inline", 0},
		{"kms:ScheduleKeyDeletion", "arn:aws:kms:us-west-2:123456789012:key/1", nil, "explicitDeny", "inline", 0},
		{"ec2:CreateNetworkInterface", "", nil, "allowed", "vpc", 0},
		{"logs:PutLogEvents", logs, nil, "allowed", "inline", 0},
		{"iam:PassRole", logs, nil, "implicitDeny", "", 0},
		{"lambda:InvokeFunction", "*", nil, "implicitDeny", "", 1},
		{"lambda:InvokeFunction", "*", vpc, "allowed", "inline", 0},
		{"lambda:GetPolicy", "*", nil, "allowed", "inline", 1},
		{"lambda:GetPolicy", "*", vpc, "implicitDeny", "", 0},
	} {
		in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::123456789012:role/rotator"), ActionNames: []string{tc.action}, ContextEntries: tc.context}
		if tc.resource != "" {
			in.ResourceArns = []string{tc.resource}
		}
		out := must(c.SimulatePrincipalPolicy(t.Context(), in))(t).EvaluationResults
		if len(out) != 1 || out[0].EvalDecision != tc.want || len(out[0].MissingContextValues) != tc.missing {
			t.Errorf("%s on %s: %+v, want %s", tc.action, tc.resource, out, tc.want)
			continue
		}
		if by := out[0].MatchedStatements; tc.by == "" && len(by) != 0 || tc.by != "" && (len(by) != 1 || aws.ToString(by[0].SourcePolicyId) != tc.by) {
			t.Errorf("%s on %s decided by %+v, want %q", tc.action, tc.resource, by, tc.by)
		}
	}
	// Of several resources the worst stands for the action, each is told on its own.
	out := must(c.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::123456789012:role/rotator"), ActionNames: []string{"secretsmanager:PutSecretValue", "kms:Decrypt"},
		ResourceArns: []string{secrets + "prod/db/a", secrets + "prod/api/b"},
	}))(t).EvaluationResults
	if len(out) != 2 || out[0].EvalDecision != "implicitDeny" || out[1].EvalDecision != "allowed" || len(out[0].ResourceSpecificResults) != 2 ||
		out[0].ResourceSpecificResults[0].EvalResourceDecision != "allowed" || out[0].ResourceSpecificResults[1].EvalResourceDecision != "implicitDeny" {
		t.Errorf("several resources: %+v", out)
	}
	for name, tc := range map[string]struct {
		arn, action, want string
	}{
		"no role": {"arn:aws:iam::123456789012:role/none", "kms:Decrypt", "NoSuchEntity"}, "no entity": {"rotator", "kms:Decrypt", "InvalidInput"},
		"no action": {"arn:aws:iam::123456789012:role/rotator", "Decrypt", "InvalidInput"}, "wildcard": {"arn:aws:iam::123456789012:role/rotator", "kms:*", "InvalidInput"},
	} {
		if _, err := c.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &tc.arn, ActionNames: []string{tc.action}}); code(err) != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}
