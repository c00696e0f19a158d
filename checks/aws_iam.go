package checks

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// What one simulation looks at.
const (
	simulatedSecrets = 10 // secrets that the function rotates
	describedSecrets = 40 // watched secrets that are asked which function rotates them
	simulationPages  = 4
	simulatedEvery   = 5 // slow intervals: policies change seldom, and the next check of changes tells
)

// Actions that a rotation function needs, as AWS's own templates have them.
var (
	secretActions   = []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"}
	passwordActions = []string{"secretsmanager:GetRandomPassword"}
	keyActions      = []string{"kms:Decrypt", "kms:GenerateDataKey"}
)

// permissions has IAM simulate what the role of a rotation function may do with
// the watched secrets that it rotates and their keys.
func (b awsBuilder) permissions(f string) Probe {
	return b.paged(b.probe(estate.CheckPermissions, "", "iam SimulatePrincipalPolicy", "the role of "+functionName(f), "simulate what the role of function "+f+" may do", simulatedEvery*b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			ctx = clients.WithinEach(ctx, b.cfg.Checks.Timeout)
			function, err := s.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(f)})
			if err != nil {
				return nil, err
			}
			role := aws.ToString(function.Role)
			if !strings.Contains(role, ":role/") {
				return nil, hollow("the ARN of the function's role")
			}
			of, err := b.rotated(ctx, s, aws.ToString(function.FunctionArn))
			if err != nil {
				return nil, err
			}
			out := estate.Permissions{Role: b.arn(function.Role)}
			about := simulation{role: role, function: functionARN(aws.ToString(function.FunctionArn)), region: s.Region}
			for _, ask := range []struct{ actions, resources []string }{
				{secretActions, of.secrets}, {passwordActions, []string{"*"}}, {keyActions, slices.Sorted(maps.Keys(of.keys))},
			} {
				if len(ask.resources) == 0 {
					continue
				}
				if ask.resources[0] != "*" && len(of.secrets) > 0 {
					about.secret = of.secrets[0]
				}
				got, err := b.simulate(ctx, s, about, ask.actions, ask.resources)
				if err != nil {
					return nil, err
				}
				out.Permissions = append(out.Permissions, got...)
			}
			return out, nil
		}), 6)
}

// rotatedSecrets are the ARNs of secrets that a function rotates, and of their
// keys.
type rotatedSecrets struct {
	secrets []string
	keys    map[string]bool
}

// rotated asks the watched secrets of the account which function rotates them.
// Where it is none of them, those with no function at all stand for them: a
// rotation that was cancelled leaves the function's name out.
func (b awsBuilder) rotated(ctx context.Context, s *clients.AWSServices, function string) (rotatedSecrets, error) {
	var mine, free []*secretsmanager.DescribeSecretOutput
	var last error
	for some := range slices.Chunk(b.watchedSecrets(), simulatedSecrets) {
		outs := make([]*secretsmanager.DescribeSecretOutput, len(some))
		errs := make([]error, len(some))
		var all sync.WaitGroup
		for i, id := range some {
			all.Go(func() { outs[i], _, errs[i] = b.client.Describe(ctx, id) })
		}
		all.Wait()
		for i, out := range outs {
			switch {
			case errs[i] != nil && ctx.Err() != nil:
				return rotatedSecrets{}, errs[i]
			case errs[i] != nil:
				last = errs[i] // that secret's own check says so
			case aws.ToString(out.ARN) == "":
			case functionARN(aws.ToString(out.RotationLambdaARN)) == functionARN(function):
				mine = append(mine, out)
			case aws.ToString(out.RotationLambdaARN) == "":
				free = append(free, out)
			}
		}
		if len(mine) >= simulatedSecrets {
			break
		}
	}
	if len(mine) == 0 {
		mine = free
	}
	if len(mine) == 0 && last != nil {
		return rotatedSecrets{}, last
	}
	of := rotatedSecrets{keys: map[string]bool{}}
	for _, one := range mine[:min(len(mine), simulatedSecrets)] {
		of.secrets = append(of.secrets, aws.ToString(one.ARN))
		// The key of AWS that all have by default lets in whoever may read the secret.
		key := aws.ToString(one.KmsKeyId)
		if key == "" || strings.HasSuffix(key, "alias/aws/secretsmanager") {
			continue
		}
		if !strings.Contains(key, ":key/") {
			meta, err := describeKey(ctx, s, key)
			if err != nil {
				return rotatedSecrets{}, err
			}
			key = aws.ToString(meta.Arn)
		}
		if key != "" {
			of.keys[key] = true
		}
	}
	return of, nil
}

// watchedSecrets are the ids of the watched secrets of the account.
func (b awsBuilder) watchedSecrets() []string {
	var out []string
	for i := range b.cfg.Components {
		if m := b.cfg.Components[i].SecretsManager; m != nil && m.Account == b.account {
			for _, one := range m.Secrets {
				out = append(out, one.ID)
			}
		}
	}
	return out[:min(len(out), describedSecrets)]
}

// functionARN is a function's ARN without a version or alias.
func functionARN(arn string) string {
	before, after, ok := strings.Cut(arn, ":function:")
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(after, ":")
	return before + ":function:" + name
}

// simulation is as whom and under what circumstances is simulated.
type simulation struct {
	role, function, region string
	secret                 string // for a key: the secret that is encrypted with it
}

// context is what a real request of the function would carry and policies of
// rotation roles ask for.
func (a simulation) context() []iamtypes.ContextEntry {
	entry := func(name, value string) iamtypes.ContextEntry {
		return iamtypes.ContextEntry{ContextKeyName: aws.String(name), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{value}}
	}
	out := []iamtypes.ContextEntry{entry("aws:RequestedRegion", a.region)}
	if a.function != "" {
		out = append(out, entry("secretsmanager:resource/AllowRotationLambdaArn", a.function))
	}
	if a.secret != "" {
		out = append(out, entry("secretsmanager:SecretId", a.secret), entry("kms:EncryptionContext:SecretARN", a.secret))
	}
	service := "secretsmanager." + a.region + ".amazonaws.com"
	if strings.HasPrefix(a.region, "cn-") {
		service += ".cn"
	}
	return append(out, entry("kms:ViaService", service))
}

// simulate asks IAM for its decision on every action and resource.
func (b awsBuilder) simulate(ctx context.Context, s *clients.AWSServices, about simulation, actions, resources []string) ([]estate.Permission, error) {
	in := &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(about.role), ActionNames: actions, ResourceArns: resources, ContextEntries: about.context(),
	}
	var out []estate.Permission
	for range simulationPages {
		page, err := s.IAM.SimulatePrincipalPolicy(ctx, in)
		if err != nil {
			return nil, err
		}
		for i := range page.EvaluationResults {
			out = append(out, b.decisions(&page.EvaluationResults[i])...)
		}
		next := aws.ToString(page.Marker)
		if !page.IsTruncated || next == "" {
			return b.decided(out, actions, resources)
		}
		in.Marker = page.Marker
	}
	return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the simulation does not end"}
}

// decided checks that every action was decided on: one that is left out must not
// count as allowed.
func (b awsBuilder) decided(got []estate.Permission, actions, resources []string) ([]estate.Permission, error) {
	for _, action := range actions {
		n := 0
		for _, p := range got {
			if strings.EqualFold(p.Action, action) {
				n++
			}
		}
		if n < len(resources) {
			return nil, hollow("a decision on " + action)
		}
	}
	return got[:min(len(got), len(actions)*len(resources))], nil
}

// decisions reads the result of one action, which stands for one resource, or
// holds a result for each of several.
func (b awsBuilder) decisions(r *iamtypes.EvaluationResult) []estate.Permission {
	one := func(resource *string, decision iamtypes.PolicyEvaluationDecisionType, by []iamtypes.Statement, lacks []string) estate.Permission {
		p := estate.Permission{Action: b.name(r.EvalActionName), Resource: b.arn(resource), Decision: b.client.Text(string(decision), nameLimit)}
		var policies []string
		for _, s := range by {
			if id := b.name(s.SourcePolicyId); id != "" && !slices.Contains(policies, id) && len(policies) < 4 {
				policies = append(policies, id)
			}
		}
		p.By = strings.Join(policies, ", ")
		if decision != iamtypes.PolicyEvaluationDecisionTypeAllowed {
			p.Lacks = b.client.Text(strings.Join(lacks[:min(len(lacks), 8)], ", "), nameLimit)
		}
		return p
	}
	if len(r.ResourceSpecificResults) == 0 {
		return []estate.Permission{one(r.EvalResourceName, r.EvalDecision, r.MatchedStatements, r.MissingContextValues)}
	}
	var out []estate.Permission
	for _, s := range r.ResourceSpecificResults {
		out = append(out, one(s.EvalResourceName, s.EvalResourceDecision, s.MatchedStatements, s.MissingContextValues))
	}
	return out
}
