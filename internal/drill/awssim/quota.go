package awssim

import (
	"sync"
	"time"
)

// Quota is a published request quota: so many calls a second, shared by the
// operations of a group.
type Quota struct {
	Rate       float64 // calls a second, with a burst of one second's worth
	Operations []string
}

// Quotas are what an account has by default. Operations that are not listed
// are not limited.
var Quotas = []Quota{
	{40000, []string{"secretsmanager:DescribeSecret"}},
	{10000, []string{"secretsmanager:GetSecretValue"}},
	{100, []string{"secretsmanager:ListSecrets"}},
	{100, []string{"secretsmanager:BatchGetSecretValue"}},
	{50, []string{"secretsmanager:ListSecretVersionIds"}},
	{50, []string{"secretsmanager:CreateSecret"}},
	{50, []string{"secretsmanager:DeleteSecret"}},
	{50, []string{"secretsmanager:RestoreSecret"}},
	{50, []string{"secretsmanager:TagResource", "secretsmanager:UntagResource"}},
	{50, []string{"secretsmanager:RotateSecret", "secretsmanager:CancelRotateSecret"}},
	{50, []string{"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage"}},
	{100, []string{"lambda:GetFunction"}},
	{15, []string{"lambda:GetPolicy"}},
	{15, []string{"lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:ListFunctions"}},
	{2000, []string{"kms:DescribeKey"}},
	{1000, []string{"kms:GetKeyRotationStatus"}},
	{500, []string{"kms:ListKeys"}},
	{500, []string{"kms:ListAliases"}},
	{100, []string{"kms:ListKeyRotations"}},
	{600, []string{"sts:GetCallerIdentity", "sts:AssumeRole"}},
	{50, []string{"cloudwatch:GetMetricData"}},
	{400, []string{"cloudwatch:GetMetricStatistics"}},
	{25, []string{"cloudwatch:ListMetrics"}},
	{10, []string{"logs:FilterLogEvents"}},
	{25, []string{"logs:DescribeLogStreams"}},
	{10, []string{"logs:DescribeLogGroups"}},
}

// meter counts calls and keeps the quotas.
type meter struct {
	pace    func() time.Time
	mu      sync.Mutex
	buckets map[string]*bucket // by operation, shared within a group
	counts  map[string]*count
}

type bucket struct {
	rate, tokens float64
	at           time.Time
}

type count struct {
	total, throttled, peak int
	recent                 []time.Time // the last second's calls, oldest first
}

func newMeter(pace func() time.Time) *meter {
	m := &meter{pace: pace, buckets: map[string]*bucket{}, counts: map[string]*count{}}
	now := pace()
	for _, q := range Quotas {
		b := &bucket{rate: q.Rate, tokens: q.Rate, at: now}
		for _, op := range q.Operations {
			m.buckets[op] = b
		}
	}
	return m
}

// take counts one call and says whether the quota has room for it.
func (m *meter) take(op string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.pace()
	c := m.counts[op]
	if c == nil {
		c = &count{}
		m.counts[op] = c
	}
	c.total++
	c.recent = append(c.recent, now)
	cut := 0
	for cut < len(c.recent) && now.Sub(c.recent[cut]) >= time.Second {
		cut++
	}
	c.recent = c.recent[cut:]
	c.peak = max(c.peak, len(c.recent))
	b := m.buckets[op]
	if b == nil {
		return true
	}
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.rate, b.tokens+d.Seconds()*b.rate)
		b.at = now
	}
	if b.tokens < 1 {
		c.throttled++
		return false
	}
	b.tokens--
	return true
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
