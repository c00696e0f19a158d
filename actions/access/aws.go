package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// changing are the calls of Secrets Manager that the procedures make to a secret.
var changing = []string{
	"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage", "secretsmanager:TagResource", "secretsmanager:UntagResource",
	"secretsmanager:CancelRotateSecret", "secretsmanager:RotateSecret",
}

// mostSecrets is how many secrets of an account are asked about by name: those that
// are rotated in an emergency come first.
const mostSecrets = 20

// awsSecrets are the secrets of an account that procedures change, those with a
// rotation first.
func awsSecrets(cfg *config.Config, account string) []string {
	var first, rest []string
	for i := range cfg.Components {
		m := cfg.Components[i].SecretsManager
		if m == nil {
			continue
		}
		for j := range m.Secrets {
			s := &m.Secrets[j]
			switch {
			case m.Account == account && s.Rotation != nil:
				first = append(first, s.ID)
			case m.Account == account:
				rest = append(rest, s.ID)
			}
			if s.Rotation == nil {
				continue
			}
			for _, c := range s.Rotation.Copies {
				if c.Account == account {
					first = append(first, or(c.Secret, s.ID))
				}
			}
		}
	}
	out := append(first, rest...)
	return out[:min(len(out), mostSecrets)]
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func awsCalls(cfg *config.Config, a config.AWSAccount) []string {
	calls := []string{"sts:GetCallerIdentity as whom we read" + alsoAct(a.Act != nil), "secretsmanager:ListSecrets, one of them"}
	if len(awsSecrets(cfg, a.Name)) > 0 {
		calls = append(calls, "secretsmanager:DescribeSecret of one, for its ARN", "iam:SimulatePrincipalPolicy of the identity that acts")
	}
	return calls
}

// aws asks an account: identities, Secrets Manager, and what the acting one may do.
func (p *Procedure) aws(a config.AWSAccount) look {
	return func(ctx context.Context, r *actions.Run) (string, string) {
		var words []string
		state, arn := Usable, ""
		for _, who := range p.identities(a.Act != nil) {
			text, known := identify(ctx, who, "aws:"+a.Name)
			if !known {
				if strings.HasPrefix(who.role, "reading") {
					state = Gone
				} else if state != Gone {
					state = Limited
				}
			}
			words = append(words, text)
			r.Part(plan.Part{Name: "identity for " + who.role, State: done(known), Detail: text})
		}
		if state == Gone {
			return strings.Join(words, "; "), Gone
		}
		text, readable := p.listSecrets(ctx, a.Name)
		words = append(words, text)
		r.Part(plan.Part{Name: "Secrets Manager readable", State: done(readable), Detail: text})
		if !readable {
			return strings.Join(words, "; "), Gone
		}
		if state == Usable {
			if id := p.act().Identity(ctx, "aws:"+a.Name); id.Err == nil {
				arn = id.Name
			}
			text, all := p.simulate(ctx, a.Name, arn)
			if !all {
				state = Limited
			}
			if text != "" {
				words = append(words, text)
				r.Part(plan.Part{Name: "may change secrets", State: done(all), Detail: text})
			}
		}
		return strings.Join(words, "; "), state
	}
}

// listSecrets reads one entry of the list of secrets.
func (p *Procedure) listSecrets(ctx context.Context, account string) (string, bool) {
	a, services, err := p.services(ctx, p.systems.Read, account)
	if err != nil {
		return err.Error(), false
	}
	if _, err := services.SecretsManager.ListSecrets(ctx, &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(1)}); err != nil {
		return a.Failure(err, "list the secrets of "+a.Place()).Error(), false
	}
	return "Secrets Manager of " + services.Region + " answers", true
}

func (p *Procedure) services(ctx context.Context, set *clients.Set, account string) (*clients.AWS, *clients.AWSServices, error) {
	a, err := set.AWS(account)
	if err != nil {
		return nil, nil, err
	}
	services, err := a.Services(ctx)
	return a, services, err
}

// simulate has IAM say what the acting identity may do to the secrets. Policies of the
// secrets and keys themselves take no part, as in any simulation.
func (p *Procedure) simulate(ctx context.Context, account, arn string) (string, bool) {
	names := awsSecrets(p.systems.Config, account)
	if len(names) == 0 || arn == "" {
		return "", true
	}
	a, services, err := p.services(ctx, p.systems.Read, account)
	if err != nil {
		return err.Error(), false
	}
	const unasked = "what it may change could not be asked: "
	var arns []string
	for _, name := range names {
		said, _, err := a.Describe(ctx, name)
		if err != nil {
			return unasked + err.Error(), false
		}
		arns = append(arns, aws.ToString(said.ARN))
	}
	var refused []string
	pages := iam.NewSimulatePrincipalPolicyPaginator(services.IAM, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(principal(arn)), ActionNames: changing, ResourceArns: arns,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			f := a.Failure(err, "ask IAM what "+arn+" may do")
			if f.Kind == estate.Denied || f.Kind == estate.Missing {
				f.Next = "allow iam:SimulatePrincipalPolicy on it to the reading identity, or try the change itself"
			}
			return unasked + f.Error(), false
		}
		for _, e := range page.EvaluationResults {
			for i, one := range e.ResourceSpecificResults {
				if one.EvalResourceDecision != types.PolicyEvaluationDecisionTypeAllowed {
					refused = append(refused, a.Text(aws.ToString(e.EvalActionName)+" on "+resource(names, arns, aws.ToString(one.EvalResourceName), i), 200))
				}
			}
		}
	}
	if len(refused) == 0 {
		return fmt.Sprintf("may change %s, by its own policies", count(len(names), "secret")), true
	}
	slices.Sort(refused)
	more := ""
	if n := len(refused) - mostRefused; n > 0 {
		refused, more = refused[:mostRefused], fmt.Sprintf(" and %d more", n)
	}
	return "its policies do not allow " + strings.Join(refused, ", ") + more, false
}

// mostRefused is how many refusals are named.
const mostRefused = 6

// resource is what the estate calls a resource of an answer.
func resource(names, arns []string, arn string, i int) string {
	if at := slices.Index(arns, arn); at >= 0 {
		return names[at]
	}
	if i < len(names) {
		return names[i]
	}
	return arn
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// principal is whose policies decide about a caller: of a session its role.
func principal(arn string) string {
	// arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	head, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return arn
	}
	role, _, _ := strings.Cut(rest, "/")
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + role
}

// verdict judges what was found: without a store of secrets nothing can be rotated.
func (p *Procedure) verdict(r *actions.Run) (string, error) {
	cfg := p.systems.Config
	var usable, limited, gone []string
	stores := 0
	note := func(id string, store bool) {
		switch r.Fact(id) {
		case Usable:
			usable = append(usable, id)
		case Limited:
			limited = append(limited, id)
		default:
			gone = append(gone, id)
			return
		}
		if store {
			stores++
		}
	}
	for _, c := range cfg.Vaults {
		note("vault:"+c.Name, true)
	}
	for _, a := range cfg.AWS {
		note("aws:"+a.Name, true)
	}
	for _, c := range cfg.Kubernetes {
		note("kubernetes:"+c.Name, false)
	}
	var parts []string
	for _, one := range []struct {
		words string
		ids   []string
	}{{"can be used", usable}, {"can be used in part", limited}, {"cannot be used", gone}} {
		if len(one.ids) > 0 {
			parts = append(parts, strings.Join(one.ids, ", ")+" "+one.words)
		}
	}
	text := strings.Join(parts, "; ")
	if stores > 0 || len(cfg.Vaults)+len(cfg.AWS) == 0 {
		return text, nil
	}
	r.Say("fail", "No store of secrets can be used: nothing can be rotated from here. What can still be done by hand:")
	lines := ByHand(cfg)
	for _, line := range lines {
		r.Say("info", line)
	}
	return "", &unusable{found: text, lines: lines}
}

// unusable says that no store can be used.
type unusable struct {
	found string
	lines []string
}

// Error says it, and what is left.
func (u *unusable) Error() string {
	return "no store of secrets can be used (" + u.found + "): nothing can be rotated from here; by hand: " + strings.Join(u.lines, " ")
}

// Unwrap makes it a failure of the check's own kind.
func (u *unusable) Unwrap() error {
	return &estate.Failure{Kind: estate.OutOfReach, Doing: "check access", Detail: u.found, Next: "by hand: " + strings.Join(u.lines, " ")}
}

// Unusable reports whether err says that no store of secrets can be used.
func Unusable(err error) bool {
	var u *unusable
	return errors.As(err, &u)
}
