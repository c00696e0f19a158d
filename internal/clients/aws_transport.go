package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// awsBodies bound one answer by its operation. Of the pages that can be large,
// honest ones stay under 4 MiB: 100,800 metric values, 100 secrets with all their
// tags, 1 MB of log lines, 50 events. A secret's value has at most 64 KiB, which
// escaping can make six times as long. Load balancers, certificates and
// simulations answer with long lists of rules, names and statements.
var awsBodies = map[string]int64{
	"GetMetricData":   4 << 20,
	"ListSecrets":     4 << 20,
	"FilterLogEvents": 8 << 20,
	"LookupEvents":    4 << 20,
	"GetSecretValue":  512 << 10,
	"GetPolicy":       512 << 10,

	"DescribeListeners":       1 << 20,
	"DescribeCertificate":     512 << 10,
	"SimulatePrincipalPolicy": 1 << 20,
	"GetAuthorizers":          1 << 20,
}

// awsBody is for operations that the table does not name, and for issuers of
// credentials.
const awsBody = 256 << 10

// bounded is an HTTP client whose answers end at the limit of their operation.
type bounded struct {
	client aws.HTTPClient
	turns  turns // to read a large answer
	call   func(*http.Request) Call
}

// Do sends a request. Its body is handed on as a plain reader: the SDK closes a
// body as soon as the answer begins, the WriteTo of a closed one returns io.EOF,
// and net/http takes that for a failed write and cuts the answer short.
func (b *bounded) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil && req.Body != http.NoBody {
		req = req.Clone(req.Context())
		req.Body = struct{ io.ReadCloser }{req.Body}
	}
	res, err := around(req, b.call(req), func() (*http.Response, error) { return b.client.Do(req) })
	if err == nil && res != nil {
		if err := final(res); err != nil {
			return nil, err
		}
	}
	if res != nil && res.Body != nil {
		limit, known := awsBodies[awsmiddleware.GetOperationName(req.Context())]
		if !known {
			limit = awsBody
		}
		res.Body = newBoundedBody(req.Context(), res.Body, bodyLimits{bytes: limit, free: awsBody, nests: 100_000, parts: 500_000}, b.turns)
	}
	return res, err
}

// paces are requests a second and the burst allowed, per account and operation,
// below the quotas that AWS publishes (Service Quotas, per account and region):
// Secrets Manager ListSecrets and BatchGetSecretValue 100/s, ListSecretVersionIds 50/s, DescribeSecret
// 40,000/s, GetSecretValue 10,000/s; KMS DescribeKey 2,000/s,
// GetKeyRotationStatus 1,000/s; Lambda GetPolicy 15/s, and 15/s for all other
// control plane calls together; CloudWatch GetMetricData 50/s; Logs FilterLogEvents 5/s in the
// strictest regions; CloudTrail LookupEvents 2/s, and 10/s for its other reads
// together; ACM DescribeCertificate 10/s; API Gateway 10/s for all reads; STS
// 600/s. IAM and Elastic Load Balancing publish none and throttle all the same.
// Others share the account, so we take a fraction.
var paces = map[string]struct {
	perSecond rate.Limit
	burst     int
}{
	"ListSecrets":          {40, 20},
	"BatchGetSecretValue":  {40, 20},
	"DescribeSecret":       {2000, 400},
	"GetSecretValue":       {1000, 200},
	"ListSecretVersionIds": {20, 20},
	"DescribeKey":          {100, 50},
	"GetKeyRotationStatus": {50, 25},
	lambdaControl:          {8, 7},
	"GetPolicy":            {5, 5},
	"GetMetricData":        {10, 10},
	"FilterLogEvents":      {3, 3},
	// No burst, and far enough apart that two which the network delays
	// differently do not arrive as three within a second.
	lookupEvents:              {1.5, 1},
	trailReads:                {4, 2},
	balancingReads:            {5, 5},
	"DescribeCertificate":     {6, 4},
	"SimulatePrincipalPolicy": {2, 2},
	"GetAuthorizers":          {3, 3},
	"GetCallerIdentity":       {20, 10},
	"AssumeRole":              {5, 5},

	// What recovery changes. Secrets Manager allows 50/s of each of these groups. A
	// rotation needs four calls of the first and two of the last, and everybody else
	// who rotates is waiting for it: together with their burst they stay below 50 in
	// any one second, and no further.
	changeSecret: {40, 8},
	tagSecret:    {40, 8},
	rotateSecret: {20, 20},
}

// shared names the pace of operations that AWS counts together.
var shared = map[string]string{
	"GetFunctionConfiguration": lambdaControl,
	"GetFunctionConcurrency":   lambdaControl,

	"DescribeTrails":    trailReads,
	"GetTrailStatus":    trailReads,
	"GetEventSelectors": trailReads,

	"PutSecretValue":           changeSecret,
	"UpdateSecret":             changeSecret,
	"UpdateSecretVersionStage": changeSecret,

	"RotateSecret":       rotateSecret,
	"CancelRotateSecret": rotateSecret,
	"TagResource":        tagSecret,
	"UntagResource":      tagSecret,

	"DescribeLoadBalancers":        balancingReads,
	"DescribeListeners":            balancingReads,
	"DescribeListenerCertificates": balancingReads,
}

const (
	lambdaControl  = "Lambda control plane"
	lookupEvents   = "LookupEvents"
	trailReads     = "CloudTrail reads"
	balancingReads = "Elastic Load Balancing reads"
	changeSecret   = "values and labels of secrets"
	rotateSecret   = "rotations of secrets"
	tagSecret      = "tags of secrets"
)

// defaultPace is for operations that the table does not name.
const defaultPace = 5

// pacer holds back the calls to one account in one region.
type pacer struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// newPacer makes one whose lookups of events wait for turns that others may share.
func newPacer(lookups *rate.Limiter) *pacer {
	return &pacer{limiters: map[string]*rate.Limiter{lookupEvents: lookups}}
}

// lookups paces the event history of CloudTrail in one region. The entries of
// warroom.yaml that are, as far as can be told without asking, the same account
// share one: two of its regions look for the events of IAM in the same place.
func (s *Set) lookups(account config.AWSAccount, region string) *rate.Limiter {
	who := account.Profile + " " + strings.Join(account.SharedFiles, " ")
	if parts := strings.Split(account.RoleARN, ":"); len(parts) > 4 {
		who = parts[4] // the role's account
	}
	key := region + " " + account.Endpoint + " " + who
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trails == nil {
		s.trails = map[string]*rate.Limiter{}
	}
	l, ok := s.trails[key]
	if !ok {
		pace := paces[lookupEvents]
		l = rate.NewLimiter(pace.perSecond, pace.burst)
		s.trails[key] = l
	}
	return l
}

// attemptKey marks a context whose attempts are bounded one by one.
type attemptKey struct{}

// WithinEach bounds every attempt of the calls made with ctx by limit, from when
// its turn has come. Where an API is metered so strictly that calls wait for
// seconds, that is no silence of it.
func WithinEach(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, attemptKey{}, limit)
}

func (p *pacer) limiter(operation string) *rate.Limiter {
	if together, ok := shared[operation]; ok {
		operation = together
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.limiters[operation]
	if !ok {
		pace, known := paces[operation]
		if !known {
			pace.perSecond, pace.burst = defaultPace, defaultPace
		}
		l = rate.NewLimiter(pace.perSecond, pace.burst)
		p.limiters[operation] = l
	}
	return l
}

// install has every attempt of every call wait for its turn.
func (p *pacer) install(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("WarroomPace", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		operation := awsmiddleware.GetOperationName(ctx)
		limiter := p.limiter(operation)
		if err := limiter.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			} else {
				err = &estate.Failure{
					Kind:   estate.Paused,
					Detail: fmt.Sprintf("%s is kept below %v calls a second, and its turn does not come within the timeout", operation, limiter.Limit()),
				}
			}
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		if limit, ok := ctx.Value(attemptKey{}).(time.Duration); ok && limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		return next.HandleFinalize(ctx, in)
	}), "Retry", middleware.After)
}

// renewing hands out credentials, and loads them anew after they were missing or
// refused: the SDK reads shared files once, and an operator renews a session
// while we run.
type renewing struct {
	load  func(context.Context) (aws.CredentialsProvider, error)
	again time.Duration // how long a failure to get any is remembered, at least
	next  string
	know  func(aws.Credentials) // is told what was got

	mu       sync.Mutex
	provider aws.CredentialsProvider // nil: load anew
	loadedAt time.Time
	failure  *credentialsError
	failedAt time.Time
}

// Retrieve satisfies aws.CredentialsProvider.
//
// A failure is remembered for a moment: instance metadata that swallows packets
// would otherwise cost every read its whole timeout.
func (r *renewing) Retrieve(ctx context.Context) (aws.Credentials, error) {
	r.mu.Lock()
	if r.failure != nil && time.Since(r.failedAt) < r.again {
		defer r.mu.Unlock()
		return aws.Credentials{}, r.failure
	}
	if r.provider == nil {
		provider, err := r.load(ctx)
		if err != nil {
			r.mu.Unlock()
			return aws.Credentials{}, err
		}
		r.provider, r.loadedAt = provider, time.Now()
	}
	provider := r.provider
	r.mu.Unlock()

	creds, err := provider.Retrieve(ctx)
	if err == nil && r.know != nil {
		r.know(creds)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.failure = nil
		return creds, nil
	}
	if errors.Is(err, context.Canceled) {
		return aws.Credentials{}, err
	}
	failure := &credentialsError{err: err, next: r.next}
	r.failure, r.failedAt = failure, time.Now()
	if r.provider == provider {
		r.provider = nil
	}
	return aws.Credentials{}, failure
}

// install has credentials that AWS refused loaded anew at the next call.
func (r *renewing) install(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("WarroomIdentity", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, meta, err := next.HandleInitialize(ctx, in)
		if err != nil && Classify(err, "").Kind == estate.NoIdentity {
			r.refused()
		}
		return out, meta, err
	}), middleware.Before)
}

// refused forgets credentials that are older than a moment.
func (r *renewing) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.loadedAt) >= r.again {
		r.provider = nil
	}
}
