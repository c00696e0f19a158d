package awssim

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Quota is a published request quota: so many calls a second, shared by the
// operations of a group.
type Quota struct {
	Rate       float64 // calls a second
	Operations []string
	Burst      float64 // what an idle account may use at once; one second's worth when 0
}

// burst is how many calls may come at once.
func (q Quota) burst() float64 { return max(q.Rate, q.Burst) }

// Quotas are what an account has by default. Operations that are not listed
// are not limited.
var Quotas = []Quota{
	{Rate: 40000, Operations: []string{"secretsmanager:DescribeSecret"}},
	{Rate: 10000, Operations: []string{"secretsmanager:GetSecretValue"}},
	{Rate: 100, Operations: []string{"secretsmanager:ListSecrets"}},
	{Rate: 100, Operations: []string{"secretsmanager:BatchGetSecretValue"}},
	{Rate: 50, Operations: []string{"secretsmanager:ListSecretVersionIds"}},
	{Rate: 50, Operations: []string{"secretsmanager:CreateSecret"}},
	{Rate: 50, Operations: []string{"secretsmanager:DeleteSecret"}},
	{Rate: 50, Operations: []string{"secretsmanager:RestoreSecret"}},
	{Rate: 50, Operations: []string{"secretsmanager:TagResource", "secretsmanager:UntagResource"}},
	{Rate: 50, Operations: []string{"secretsmanager:RotateSecret", "secretsmanager:CancelRotateSecret"}},
	{Rate: 50, Operations: []string{"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage"}},
	{Rate: 100, Operations: []string{"lambda:GetFunction"}},
	{Rate: 15, Operations: []string{"lambda:GetPolicy"}},
	{Rate: 15, Operations: []string{"lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:ListFunctions"}},
	{Rate: 2000, Operations: []string{"kms:DescribeKey"}},
	{Rate: 1000, Operations: []string{"kms:GetKeyRotationStatus"}},
	{Rate: 500, Operations: []string{"kms:ListKeys"}},
	{Rate: 500, Operations: []string{"kms:ListAliases"}},
	{Rate: 100, Operations: []string{"kms:ListKeyRotations"}},
	{Rate: 600, Operations: []string{"sts:GetCallerIdentity", "sts:AssumeRole"}},
	{Rate: 50, Operations: []string{"cloudwatch:GetMetricData"}},
	{Rate: 400, Operations: []string{"cloudwatch:GetMetricStatistics"}},
	{Rate: 25, Operations: []string{"cloudwatch:ListMetrics"}},
	{Rate: 10, Operations: []string{"logs:FilterLogEvents"}},
	{Rate: 25, Operations: []string{"logs:DescribeLogStreams"}},
	{Rate: 10, Operations: []string{"logs:DescribeLogGroups"}},
	// CloudTrail: "Quotas in AWS CloudTrail", for one account and region.
	{Rate: 2, Operations: []string{"cloudtrail:LookupEvents"}},
	{Rate: 10, Operations: []string{"cloudtrail:DescribeTrails"}},
	{Rate: 10, Operations: []string{"cloudtrail:GetTrail"}},
	{Rate: 10, Operations: []string{"cloudtrail:GetTrailStatus"}},
	{Rate: 10, Operations: []string{"cloudtrail:GetEventSelectors"}},
	{Rate: 10, Operations: []string{"cloudtrail:ListTrails"}},
	// ACM: "API rate quotas" of its user guide.
	{Rate: 10, Operations: []string{"acm:DescribeCertificate"}},
	{Rate: 10, Operations: []string{"acm:GetCertificate"}},
	{Rate: 8, Operations: []string{"acm:ListCertificates"}},
	{Rate: 1, Operations: []string{"acm:ImportCertificate"}},
	{Rate: 5, Operations: []string{"acm:AddTagsToCertificate"}},
	{Rate: 10, Operations: []string{"acm:ListTagsForCertificate"}},
	// elbv2: "Request throttling for the ELB API": what changes nothing shares a
	// bucket of 40 that refills by 10 a second.
	{Rate: 10, Burst: 40, Operations: []string{
		"elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeListeners",
		"elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeTags",
	}},
	// API Gateway: "Quotas for creating, deploying and managing an API": all
	// operations of both versions together.
	{Rate: 10, Burst: 40, Operations: []string{
		"apigateway:GetApis", "apigateway:GetApi", "apigateway:GetAuthorizers", "apigateway:GetAuthorizer",
		"apigateway:GetRestApis", "apigateway:GetRestApi", "apigateway:GetRestAuthorizers", "apigateway:GetRestAuthorizer",
	}},
	// IAM publishes none for its reads; they are counted only.
}

// meter counts calls and keeps the quotas.
type meter struct {
	pace    func() time.Time
	mu      sync.Mutex
	quotas  map[string]int       // by operation: its place in Quotas
	buckets map[bucketOf]*bucket // made when first used
	counts  map[string]*count
}

// bucketOf names a bucket: the quota's place in Quotas, and the region.
type bucketOf struct {
	quota  int
	region string
}

type bucket struct {
	Quota
	tokens float64
	at     time.Time
}

type count struct {
	total, throttled int
	peak             int                    // the most within any one second in one region, as the quotas are
	recent           map[string][]time.Time // by region: the last second's calls, oldest first
}

func newMeter(pace func() time.Time) *meter {
	m := &meter{pace: pace, quotas: map[string]int{}, buckets: map[bucketOf]*bucket{}, counts: map[string]*count{}}
	for i, q := range Quotas {
		for _, op := range q.Operations {
			m.quotas[op] = i
		}
	}
	return m
}

// take counts one call and says whether the quota has room for it. Quotas are an
// account's in one region.
func (m *meter) take(op, region string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.pace()
	c := m.counts[op]
	if c == nil {
		c = &count{recent: map[string][]time.Time{}}
		m.counts[op] = c
	}
	c.total++
	recent := append(c.recent[region], now)
	cut := 0
	for cut < len(recent) && now.Sub(recent[cut]) >= time.Second {
		cut++
	}
	c.recent[region] = recent[cut:]
	c.peak = max(c.peak, len(recent[cut:]))
	place, limited := m.quotas[op]
	if !limited {
		return true
	}
	key := bucketOf{place, region}
	b := m.buckets[key]
	if b == nil {
		q := Quotas[place]
		b = &bucket{Quota: q, tokens: q.burst(), at: now}
		m.buckets[key] = b
	}
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.burst(), b.tokens+d.Seconds()*b.Rate)
		b.at = now
	}
	if b.tokens < 1 {
		c.throttled++
		return false
	}
	b.tokens--
	return true
}

// Usage is what one operation has used of its quota.
type Usage struct {
	Operation string  // "cloudtrail:LookupEvents"
	Calls     int     // with those that were throttled
	Throttled int     // how many of them
	Peak      int     // the most within any one second in one region, which is what Rate bounds
	Rate      float64 // its quota, calls a second; 0 when none is published
	Burst     float64 // how many may come at once
}

func (m *meter) usage() []Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Usage
	for _, op := range slices.Sorted(maps.Keys(m.counts)) {
		c := m.counts[op]
		u := Usage{Operation: op, Calls: c.total, Throttled: c.throttled, Peak: c.peak}
		if place, limited := m.quotas[op]; limited {
			u.Rate, u.Burst = Quotas[place].Rate, Quotas[place].burst()
		}
		out = append(out, u)
	}
	return out
}

func (m *meter) read(op string) count {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.counts[op]; c != nil {
		return count{total: c.total, throttled: c.throttled, peak: c.peak}
	}
	return count{}
}

func (m *meter) calls(op string) int     { return m.read(op).total }
func (m *meter) peak(op string) int      { return m.read(op).peak }
func (m *meter) throttled(op string) int { return m.read(op).throttled }
