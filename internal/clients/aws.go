package clients

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwschemas "github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// AWS is one account in one region. Its configuration is loaded at first use and
// its credentials again whenever they were missing or refused, so that a renewed
// session is taken up without a restart.
type AWS struct {
	set     *Set
	account config.AWSAccount
	pace    *pacer // of its region; nil before its first use
	renew   string // how its credentials are renewed
	limit   time.Duration

	described described

	mu       sync.Mutex
	services *AWSServices
	identity *renewing
	http     aws.HTTPClient
}

// AWSServices are the clients of one account. Each call through them is paced
// below the API's published quota, retried at most once and bounded in size.
type AWSServices struct {
	SecretsManager *secretsmanager.Client
	Lambda         *lambda.Client
	KMS            *kms.Client
	STS            *sts.Client
	CloudWatch     *cloudwatch.Client
	Logs           *cloudwatchlogs.Client
	CloudTrail     *cloudtrail.Client
	// GlobalTrail is CloudTrail in the region that records the events of global
	// services, IAM among them; nil where CloudTrail is that itself.
	GlobalTrail *cloudtrail.Client
	Balancing   *elasticloadbalancingv2.Client
	ACM         *acm.Client
	IAM         *iam.Client
	API         *apigatewayv2.Client // HTTP and WebSocket APIs
	REST        *apigateway.Client   // REST APIs
	Region      string
}

// GlobalRegion is where the events of global services are recorded, in the
// partition of region.
func GlobalRegion(region string) string {
	for prefix, global := range map[string]string{"cn-": "cn-north-1", "us-gov-": "us-gov-west-1", "us-iso-": "us-iso-east-1", "us-isob-": "us-isob-east-1"} {
		if strings.HasPrefix(region, prefix) {
			return global
		}
	}
	return "us-east-1"
}

// idlePerHost is how many idle connections are kept to one AWS endpoint; the
// SDK's own 10 make a full check open connections again and again.
const idlePerHost = 128

func newAWS(s *Set, account config.AWSAccount) *AWS {
	a := &AWS{set: s, account: account, limit: s.cfg.Checks.Timeout}
	if a.limit <= 0 {
		a.limit = defaultLimit
	}
	switch {
	case account.Profile != "":
		a.renew = "renew the credentials of profile " + account.Profile + ", for example with: aws sso login --profile " + account.Profile
	default:
		a.renew = nextRenew + " (aws sso login, AWS_PROFILE, or the AWS_ variables) of this machine"
	}
	return a
}

// Place says where the account's endpoints are, for the source of a figure.
func (a *AWS) Place() string {
	place := "AWS " + a.account.Name
	if a.account.Region != "" {
		place += " " + a.account.Region
	}
	if u, err := url.Parse(a.account.Endpoint); err == nil && u.Host != "" {
		place += " at " + u.Scheme + "://" + u.Host
	}
	return Strip(place, 200)
}

// Failure classifies an error of a call to this account, with its words
// scrubbed, and says how this account's credentials are renewed when that is the
// matter.
func (a *AWS) Failure(err error, doing string) *estate.Failure {
	f := a.set.Failure(err, doing)
	if f != nil && f.Kind == estate.NoIdentity && f.Next == nextRenew {
		f.Next = a.renew
	}
	return f
}

// Text makes text of this account fit to be kept: see Set.Text.
func (a *AWS) Text(text string, limit int) string { return a.set.Text(text, limit) }

// Services returns the account's clients. An error says what is wrong with its
// configuration; it is not remembered.
func (a *AWS) Services(ctx context.Context) (*AWSServices, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.services != nil {
		return a.services, nil
	}
	cfg, err := a.load(ctx)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "use AWS account " + a.account.Name, Detail: "no region is set",
			Next: "set region of the account in warroom.yaml, or AWS_REGION",
		}
	}
	a.identity = &renewing{again: a.limit, next: a.renew, know: a.know, load: func(ctx context.Context) (aws.CredentialsProvider, error) {
		cfg, err := a.load(ctx)
		if err != nil {
			return nil, err
		}
		return a.assume(cfg), nil
	}}
	if a.http, err = a.bound(cfg.HTTPClient); err != nil {
		return nil, err
	}
	cfg.HTTPClient = a.http
	a.identity.provider = a.assume(cfg)
	cfg.Credentials = a.identity
	common := cfg.APIOptions
	paced := func(region string) (aws.Config, *pacer) {
		here, pace := cfg.Copy(), newPacer(a.set.lookups(a.account, region))
		here.Region = region
		here.APIOptions = append(slices.Clone(common), pace.install, once, a.identity.install)
		return here, pace
	}
	cfg, a.pace = paced(cfg.Region)
	a.services = &AWSServices{
		SecretsManager: secretsmanager.NewFromConfig(cfg),
		Lambda:         lambda.NewFromConfig(cfg),
		KMS:            kms.NewFromConfig(cfg),
		STS:            sts.NewFromConfig(cfg),
		CloudWatch: cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
			// The default, RPC v2 CBOR, is not spoken by every endpoint that
			// stands in for AWS; AWS itself takes both.
			o.Protocol = awsjson.New10(cwschemas.GraniteServiceVersion20100801)
		}),
		Logs:       cloudwatchlogs.NewFromConfig(cfg),
		CloudTrail: cloudtrail.NewFromConfig(cfg),
		Balancing:  elasticloadbalancingv2.NewFromConfig(cfg),
		ACM:        acm.NewFromConfig(cfg),
		IAM:        iam.NewFromConfig(cfg),
		API:        apigatewayv2.NewFromConfig(cfg),
		REST:       apigateway.NewFromConfig(cfg),
		Region:     cfg.Region,
	}
	if global := GlobalRegion(cfg.Region); global != cfg.Region {
		there, _ := paced(global)
		a.services.GlobalTrail = cloudtrail.NewFromConfig(there)
	}
	return a.services, nil
}

// Expires is when the credentials that we call AWS with end; zero if they do not,
// or do not say (keys of a session in a shared file).
func (a *AWS) Expires(ctx context.Context) (time.Time, error) {
	if _, err := a.Services(ctx); err != nil {
		return time.Time{}, err
	}
	creds, err := a.identity.Retrieve(ctx)
	if err != nil || !creds.CanExpire {
		return time.Time{}, err
	}
	return creds.Expires, nil
}

// load reads the environment and shared files. It asks nothing of the network.
func (a *AWS) load(ctx context.Context) (aws.Config, error) {
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(a.transport()),
		awsconfig.WithLogger(logging.Nop{}), // the SDK's own writes to the terminal
		awsconfig.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				// One more try, so that the probe's timeout holds; no quota of
				// retries, which would answer for the system.
				o.MaxAttempts = 2
				o.MaxBackoff = 250 * time.Millisecond
				o.RateLimiter = ratelimit.None
			})
		}),
		awsconfig.WithAPIOptions(a.agent()),
	}
	if a.account.Region != "" {
		options = append(options, awsconfig.WithRegion(a.account.Region))
	}
	if a.account.Profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(a.account.Profile))
	}
	if len(a.account.SharedFiles) > 0 {
		files := a.account.SharedFiles
		options = append(options, awsconfig.WithSharedConfigFiles(files), awsconfig.WithSharedCredentialsFiles(files))
	}
	if a.account.Endpoint != "" {
		options = append(options, awsconfig.WithBaseEndpoint(a.account.Endpoint))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		if ctx.Err() != nil {
			return cfg, ctx.Err()
		}
		return cfg, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "load the configuration of AWS account " + a.account.Name,
			Detail: a.set.Text(err.Error(), DetailLimit), Next: "correct profile or shared_files in warroom.yaml, or the AWS_ variables",
		}
	}
	return cfg, nil
}

// agent is how our calls show in the trails of the account.
func (a *AWS) agent() []func(*middleware.Stack) error {
	all := []func(*middleware.Stack) error{awsmiddleware.AddUserAgentKeyValue("warroom", "1")}
	if a.set.acting {
		all = append(all, awsmiddleware.AddUserAgentKey("recovery"))
	}
	return all
}

// assume puts the account's role on top of the credentials of cfg.
func (a *AWS) assume(cfg aws.Config) aws.CredentialsProvider {
	if a.account.RoleARN == "" {
		return cfg.Credentials
	}
	cfg.HTTPClient = a.http
	source := cfg.Credentials
	cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		creds, err := source.Retrieve(ctx)
		if err == nil {
			a.know(creds)
		}
		return creds, err
	})
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), a.account.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "warroom"
		if a.set.acting {
			o.RoleSessionName = "warroom-recovery"
		}
	})
	return aws.NewCredentialsCache(role)
}

// know keeps our own credentials out of what is shown: an endpoint can echo the
// headers of a request, which carry the token and the key's id.
func (a *AWS) know(creds aws.Credentials) {
	a.set.net.Register(creds.SecretAccessKey, creds.SessionToken, creds.AccessKeyID)
}

// transport is an HTTP client of the account's own. The SDK adds AWS_CA_BUNDLE
// to it while loading, which is why the bound on answers is put around it later.
func (a *AWS) transport() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		// Credential issuers are asked without the probe's deadline.
		WithTimeout(30 * time.Second).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = a.limit }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = 4 * idlePerHost
			t.MaxIdleConnsPerHost = idlePerHost
			t.IdleConnTimeout = 30 * time.Second // what the first round of reads needed is soon too many
			t.TLSHandshakeTimeout = a.limit
			t.MaxResponseHeaderBytes = headerLimit
			t.DisableCompression = true // what is bounded is what came
			t.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 4 * streamBuffer, MaxReceiveBufferPerStream: streamBuffer}
		})
}

// bound freezes the SDK's client and bounds its answers.
func (a *AWS) bound(client aws.HTTPClient) (aws.HTTPClient, error) {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return nil, fmt.Errorf("the AWS SDK brought an HTTP client of type %T, which cannot be bounded", client)
	}
	frozen := buildable.Freeze()
	if idle, ok := frozen.(interface{ CloseIdleConnections() }); ok {
		a.set.onClose(idle.CloseIdleConnections)
	}
	return &bounded{client: frozen, turns: make(turns, 1), call: a.call}, nil
}
