package discover

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"warroom/internal/clients"
	"warroom/internal/config"
)

// account is what was found in one AWS account and region.
type account struct {
	config.AWSAccount
	number    string // of the account
	secrets   []secret
	total     int  // secrets there are, listed or not
	partial   bool // the listing broke off
	functions []string
	keys      []string
	balancers []balancer
}

// secret is one stored secret, without its value.
type secret struct {
	name, kind, owner, criticality, expiryTag string
	guessed                                   bool // kind comes from the name
	rotates                                   bool
	function                                  string
}

// balancer is a load balancer with a TLS listener.
type balancer struct{ name string }

// secretLetters is what AWS allows in the name of a secret. Its length is looked at
// apart: a pattern that counts to 512 costs every start of the program.
var secretLetters = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]+$`)

// secretName reports whether a secret may be called that.
func secretName(name string) bool { return len(name) <= 512 && secretLetters.MatchString(name) }

// listingPages bounds the pages of one listing: 10,000 secrets.
const listingPages = 100

func (l *looker) aws(ctx context.Context, cfg config.AWSAccount) {
	what := "AWS account " + cfg.Name
	l.Progress(what)
	client, err := l.set.AWS(cfg.Name)
	if err != nil {
		l.note(what, err)
		return
	}
	services, err := client.Services(ctx)
	if err != nil {
		l.note(what, err)
		return
	}
	a := account{AWSAccount: cfg}
	a.Region = cmp.Or(cfg.Region, services.Region)
	who, err := services.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		l.note(what, client.Failure(err, "ask AWS who we are"))
		return
	}
	a.number = oneLine(aws.ToString(who.Account))
	if err := l.listSecrets(ctx, services, &a); err != nil {
		l.note("the secrets of "+what, client.Failure(err, "list the secrets"))
	}
	if err := l.balancers(ctx, services, &a); err != nil {
		l.note("the load balancers of "+what, client.Failure(err, "list the load balancers"))
	}
	l.add(func(f *Found) { f.accounts = append(f.accounts, a) })
}

func (l *looker) listSecrets(ctx context.Context, services *clients.AWSServices, a *account) error {
	functions, keys := map[string]bool{}, map[string]bool{}
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100)}
	var err error
	for range listingPages {
		var out *secretsmanager.ListSecretsOutput
		if out, err = services.SecretsManager.ListSecrets(ctx, in); err != nil {
			break
		}
		for _, e := range out.SecretList {
			name := aws.ToString(e.Name)
			if e.DeletedDate != nil || !secretName(name) {
				continue
			}
			a.total++
			s := secret{name: name, rotates: aws.ToBool(e.RotationEnabled), function: functionName(aws.ToString(e.RotationLambdaARN))}
			s.kind, s.guessed = guessType(name)
			s.guessed = true
			for _, t := range e.Tags {
				s.tag(aws.ToString(t.Key), aws.ToString(t.Value))
			}
			if s.function != "" {
				functions[s.function] = true
			}
			if key := aws.ToString(e.KmsKeyId); key != "" && !strings.HasSuffix(key, "alias/aws/secretsmanager") {
				keys[key] = true
			}
			a.secrets = append(a.secrets, s)
		}
		if aws.ToString(out.NextToken) == "" {
			in.NextToken = nil
			break
		}
		in.NextToken = out.NextToken
	}
	a.partial = err != nil || in.NextToken != nil
	if err == nil && in.NextToken != nil {
		err = errors.New("there are more than one look reads")
	}
	// Those that rotate are what this is about; they come first where not all do.
	slices.SortFunc(a.secrets, func(x, y secret) int {
		if x.rotates != y.rotates {
			if x.rotates {
				return -1
			}
			return 1
		}
		return strings.Compare(x.name, y.name)
	})
	a.secrets = a.secrets[:min(len(a.secrets), MaxSecrets)]
	a.functions = slices.Sorted(maps.Keys(functions))
	a.keys = slices.Sorted(maps.Keys(keys))
	return err
}

// tag takes over what a tag says of a secret.
func (s *secret) tag(key, value string) {
	switch lower := strings.ToLower(strings.NewReplacer("_", "-", ":", "-", " ", "-").Replace(key)); lower {
	case "owner", "team":
		s.owner = oneLine(value)
	case "criticality", "tier":
		if word := strings.ToLower(value); slices.Contains([]string{"critical", "high", "medium", "low"}, word) {
			s.criticality = word
		}
	case "expires", "expires-at", "expiry", "expiration", "expiration-date", "valid-until", "not-after":
		s.expiryTag = key
	}
}

// functionName is the name in a Lambda function's ARN.
func functionName(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) >= 7 && parts[5] == "function" {
		return parts[6]
	}
	return arn
}
