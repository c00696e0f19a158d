package checks

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// How much of AWS's words is kept, in runes.
const (
	nameLimit   = 256  // names, ids, states
	arnLimit    = 2048 // ARNs
	reasonLimit = 300  // reasons and log lines
)

// awsProbes reads what AWS knows: Secrets Manager, rotation functions, keys, load
// balancers, authorizers, the events and trails of CloudTrail, the failures that
// CloudWatch counts, and once per account as whom we do so.
func awsProbes(cfg *config.Config, set *clients.Set, own map[estate.ID]*ownCalls) []Probe {
	var out []Probe
	identified := identityHolders(cfg)
	for i := range cfg.Components {
		c := &cfg.Components[i]
		builder := func(account string) awsBuilder {
			client, err := set.AWS(account)
			return awsBuilder{cfg: cfg, id: estate.ID(c.ID), account: account, client: client, broken: err}
		}
		account := awsAccountOf(c)
		b := builder(account)
		if account != "" && identified[account] == c.ID {
			out = append(out, b.identity())
		}
		switch {
		case c.RotationMonitor != nil:
			out = append(out, trails(cfg, c.RotationMonitor, builder)...)
		case c.AccessMonitor != nil:
			out = append(out, accessProbes(cfg, c.AccessMonitor.Sources, own, builder)...)
		case account == "":
		case c.SecretsManager != nil:
			out = append(out, b.secretsManager(c.SecretsManager)...)
		case c.RotationFunction != nil:
			out = append(out, b.rotator(c.RotationFunction)...)
		case c.Keys != nil:
			out = append(out, b.keys(c.Keys)...)
		case c.Balancer != nil:
			out = append(out, b.listeners(c.Balancer))
		case c.SecretStore != nil:
			out = append(out, b.auditTrails())
		case c.Gateway != nil:
			if f := c.Gateway.Failures; f != nil && f.Prometheus == "" {
				out = append(out, b.authFailures(f, own[b.id]))
			}
			if c.Gateway.API != "" {
				out = append(out, b.authorizers(c.Gateway.API))
			}
		}
	}
	return out
}

// awsAccountOf is the account whose APIs the checks of c call, or "". Monitors
// look into several.
func awsAccountOf(c *config.Component) string {
	switch {
	case c.SecretsManager != nil:
		return c.SecretsManager.Account
	case c.RotationFunction != nil:
		return c.RotationFunction.Account
	case c.Keys != nil:
		return c.Keys.Account
	case c.Balancer != nil && c.Balancer.Balancer != "":
		return c.Balancer.Account
	case c.SecretStore != nil:
		return c.SecretStore.Account
	case c.Gateway != nil && (c.Gateway.API != "" || c.Gateway.Failures != nil && c.Gateway.Failures.Prometheus == ""):
		return c.Gateway.Account
	}
	return ""
}

// identityHolders is which component shows as whom we read an account: its first
// Secrets Manager, else the first component that uses it.
func identityHolders(cfg *config.Config) map[string]string {
	holder := map[string]string{}
	best := map[string]bool{}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		account := awsAccountOf(c)
		if account == "" || best[account] || holder[account] != "" && c.SecretsManager == nil {
			continue
		}
		holder[account], best[account] = c.ID, c.SecretsManager != nil
	}
	return holder
}

// awsBuilder makes the probes of one component.
type awsBuilder struct {
	cfg     *config.Config
	id      estate.ID
	account string
	client  *clients.AWS
	broken  error // why there is no client
}

// awsWidth is by how much more reads may be under way at once on an account than on
// a single server: an account is served by many, and each kind of call is paced
// below its own quota. At 200 ms a call, 16 times the usual 8 are 640 calls a second.
const (
	awsWidth    = 16
	awsWidthTop = 128 // as many connections are kept
)

// call is one read through the account's clients.
type call func(ctx context.Context, services *clients.AWSServices) (estate.Data, error)

// probe makes one of them. api is the service and operation, of what it is asked
// for, doing the same in words for errors.
func (b awsBuilder) probe(check, item, api, of, doing string, every time.Duration, read call) Probe {
	source := api
	if of != "" {
		source += " " + of
	}
	place := "AWS " + b.account
	if b.client != nil {
		place = b.client.Place()
	}
	return Probe{
		Key:      estate.Key{Component: b.id, Check: check, Item: item},
		Source:   source + ", " + place,
		System:   "aws:" + b.account,
		Width:    min(awsWidth*max(b.cfg.Checks.Concurrency, 1), awsWidthTop),
		Interval: every,
		Timeout:  b.cfg.Checks.Timeout,
		Read: func(ctx context.Context) Result {
			if b.client == nil {
				return Result{Err: b.broken}
			}
			services, err := b.client.Services(ctx)
			if err == nil {
				var data estate.Data
				if data, err = read(ctx, services); err == nil {
					return Result{Data: data}
				}
			}
			if errors.Is(err, context.Canceled) && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return Result{Err: context.Canceled} // we were told to stop: nothing was seen
			}
			return Result{Err: b.client.Failure(err, doing+" in "+place)}
		},
	}
}

// paged lets a probe that reads page after page take longer: each page has the
// configured timeout for itself.
func (b awsBuilder) paged(p Probe, factor int) Probe {
	p.Timeout = min(time.Duration(factor)*p.Timeout, max(p.Timeout, 2*time.Minute))
	return p
}

// page bounds the reading of one page.
func (b awsBuilder) page(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.cfg.Checks.Timeout)
}

func (b awsBuilder) name(s *string) string   { return b.client.Text(aws.ToString(s), nameLimit) }
func (b awsBuilder) arn(s *string) string    { return b.client.Text(aws.ToString(s), arnLimit) }
func (b awsBuilder) reason(s *string) string { return b.client.Text(aws.ToString(s), reasonLimit) }

// hollow is the failure for an answer that parses and says nothing: HTTP 200 with
// {}, which must not read as "rotation is off".
func hollow(lacks string) error {
	return &estate.Failure{Kind: estate.BadAnswer, Detail: "the answer lacks " + lacks, Next: "check what listens at this endpoint"}
}

// identity reads as whom we call the account.
func (b awsBuilder) identity() Probe {
	return b.probe(estate.CheckIdentity, "", "sts GetCallerIdentity", "", "ask as whom we read", b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			out, err := s.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			if err != nil {
				return nil, err
			}
			if aws.ToString(out.Arn) == "" {
				return nil, hollow("the caller's ARN")
			}
			who := estate.CallerIdentity{Account: b.name(out.Account), ARN: b.arn(out.Arn)}
			theirs, said := awsmiddleware.GetServerTime(out.ResultMetadata)
			ours, known := awsmiddleware.GetResponseAt(out.ResultMetadata)
			if said && known {
				// The Date header is cut to the second: half of one is its error.
				who.ClockSkew = theirs.Add(500 * time.Millisecond).Sub(ours).Round(time.Second)
			}
			who.Expires, err = b.client.Expires(ctx)
			return who, err
		})
}
