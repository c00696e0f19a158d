package vaultsim

import (
	"strings"
	"sync"
	"time"
)

// meter counts requests.
type meter struct {
	pace   func() time.Time
	mu     sync.Mutex
	counts map[string]int
	recent []time.Time // the last second's, oldest first
	peak   int
}

func newMeter(pace func() time.Time) *meter { return &meter{pace: pace, counts: map[string]int{}} }

func (m *meter) count(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.counts[path]; known || len(m.counts) < 1<<16 { // a flood of names is not kept
		m.counts[path]++
	}
	now := m.pace()
	m.recent = append(m.recent, now)
	cut := 0
	for cut < len(m.recent) && now.Sub(m.recent[cut]) >= time.Second {
		cut++
	}
	m.recent = m.recent[cut:]
	m.peak = max(m.peak, len(m.recent))
}

func (m *meter) calls(path string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	prefix, any := strings.CutSuffix(path, "*")
	if !any {
		return m.counts[path]
	}
	n := 0
	for p, one := range m.counts {
		if strings.HasPrefix(p, prefix) {
			n += one
		}
	}
	return n
}

func (m *meter) peakRate() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}

// bucket is a token bucket with a burst of one second, at least one.
type bucket struct {
	rate, tokens float64
	at           time.Time
}

func (b *bucket) take(now time.Time) bool {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(max(b.rate, 1), b.tokens+d.Seconds()*b.rate)
		b.at = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
