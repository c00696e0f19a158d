package checks

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// rotator reads a rotation function: its configuration, what may keep it from
// being invoked, what its invocations came to, and its last error lines.
func (b awsBuilder) rotator(r *config.RotationFunction) []Probe {
	f := r.Function
	return []Probe{
		b.function(f), b.concurrency(f), b.policy(f), b.functionMetrics(f), b.functionLogs(f), b.permissions(f),
	}
}

func (b awsBuilder) function(f string) Probe {
	return b.probe(estate.CheckFunction, "", "lambda GetFunctionConfiguration", f, "read the configuration of function "+f, b.cfg.Checks.Interval,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out, err := s.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(f)})
			if err != nil {
				return nil, err
			}
			if aws.ToString(out.FunctionName) == "" && aws.ToString(out.FunctionArn) == "" {
				return nil, hollow("the function's name and ARN")
			}
			c := estate.FunctionConfig{
				Name:             b.name(out.FunctionName),
				ARN:              b.arn(out.FunctionArn),
				Runtime:          b.client.Text(string(out.Runtime), nameLimit),
				Role:             b.arn(out.Role),
				State:            b.client.Text(string(out.State), nameLimit),
				StateReason:      b.reason(out.StateReason),
				LastUpdate:       b.client.Text(string(out.LastUpdateStatus), nameLimit),
				LastUpdateReason: b.reason(out.LastUpdateStatusReason),
				LastModified:     lambdaTime(aws.ToString(out.LastModified)),
				Timeout:          time.Duration(aws.ToInt32(out.Timeout)) * time.Second,
				LogGroup:         b.client.Text(logGroup(out.LoggingConfig, f), nameLimit*2),
				InVPC:            out.VpcConfig != nil && aws.ToString(out.VpcConfig.VpcId) != "",
			}
			return c, nil
		})
}

// lambdaTime reads Lambda's own form of ISO 8601; zero for anything else.
func lambdaTime(s string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05.999-0700", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// logGroup is where a function logs: where it says so, else the default.
func logGroup(c *lambdatypes.LoggingConfig, f string) string {
	if c != nil && aws.ToString(c.LogGroup) != "" {
		return *c.LogGroup
	}
	return "/aws/lambda/" + functionName(f)
}

// functionName is the name in a function's name, ARN or partial ARN, without a
// version or alias.
func functionName(f string) string {
	if _, rest, ok := strings.Cut(f, ":function:"); ok {
		f = rest
	}
	name, _, _ := strings.Cut(f, ":")
	return name
}

func (b awsBuilder) concurrency(f string) Probe {
	return b.probe(estate.CheckConcurrency, "", "lambda GetFunctionConcurrency", f, "read the reserved concurrency of function "+f, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out, err := s.Lambda.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String(f)})
			if err != nil {
				return nil, err
			}
			c := estate.FunctionConcurrency{}
			if out.ReservedConcurrentExecutions != nil {
				n := int(*out.ReservedConcurrentExecutions)
				c.Reserved = &n
			}
			return c, nil
		})
}

func (b awsBuilder) policy(f string) Probe {
	return b.probe(estate.CheckPolicy, "", "lambda GetPolicy", f, "read who may invoke function "+f, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out, err := s.Lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: aws.String(f)})
			var none *lambdatypes.ResourceNotFoundException
			if errors.As(err, &none) {
				return b.noPolicy(ctx, s, f, err)
			}
			if err != nil {
				return nil, err
			}
			may, err := mayInvoke(aws.ToString(out.Policy))
			if err != nil {
				return nil, err
			}
			return estate.FunctionPolicy{SecretsManagerMayInvoke: may}, nil
		})
}

// noPolicy tells a function without a policy, which nobody may invoke, from one
// that does not exist: both are ResourceNotFoundException.
func (b awsBuilder) noPolicy(ctx context.Context, s *clients.AWSServices, f string, absent error) (estate.Data, error) {
	_, err := s.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(f)})
	var none *lambdatypes.ResourceNotFoundException
	if errors.As(err, &none) {
		return nil, absent
	}
	// When we may not ask, the function's own check says so; a policy is what
	// was asked for here, and there is none.
	return estate.FunctionPolicy{}, nil
}

// rotationService is the principal as which Secrets Manager invokes.
const rotationService = "secretsmanager.amazonaws.com"

// oneOrMany is a JSON string or list of strings, as IAM writes them.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(o))
}

type statement struct {
	Effect    string
	Principal json.RawMessage
	Action    oneOrMany
	NotAction oneOrMany
	Condition map[string]json.RawMessage
}

// mayInvoke judges a function's policy: some statement allows Secrets Manager to
// invoke and none forbids it outright. Conditions name the account or secrets
// and cannot be judged from here: an allowance with one counts, a prohibition
// with one does not.
func mayInvoke(policy string) (bool, error) {
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		return false, &estate.Failure{Kind: estate.BadAnswer, Detail: "the function's policy is not JSON"}
	}
	var all []statement
	if json.Unmarshal(document.Statement, &all) != nil {
		var one statement
		if err := json.Unmarshal(document.Statement, &one); err != nil {
			return false, &estate.Failure{Kind: estate.BadAnswer, Detail: "the function's policy has no statements that can be read"}
		}
		all = []statement{one}
	}
	allowed := false
	for _, s := range all {
		if !s.invokes() || !s.meansSecretsManager() {
			continue
		}
		switch s.Effect {
		case "Allow":
			allowed = true
		case "Deny":
			if len(s.Condition) == 0 {
				return false, nil
			}
		}
	}
	return allowed, nil
}

// invokes reports whether the statement covers lambda:InvokeFunction.
func (s statement) invokes() bool {
	for _, a := range s.NotAction {
		if actionMatches(a) {
			return false
		}
	}
	if len(s.NotAction) > 0 {
		return true
	}
	for _, a := range s.Action {
		if actionMatches(a) {
			return true
		}
	}
	return false
}

// actionMatches matches as IAM does: any case, * and ? as wildcards.
func actionMatches(pattern string) bool {
	ok, err := path.Match(strings.ToLower(pattern), "lambda:invokefunction")
	return err == nil && ok
}

func (s statement) meansSecretsManager() bool {
	var anyone string
	if json.Unmarshal(s.Principal, &anyone) == nil {
		return anyone == "*"
	}
	var kinds map[string]oneOrMany
	if json.Unmarshal(s.Principal, &kinds) != nil {
		return false
	}
	for _, service := range kinds["Service"] {
		if service == rotationService || service == "*" {
			return true
		}
	}
	return false
}
