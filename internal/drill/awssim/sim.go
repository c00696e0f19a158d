package awssim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Options are what a Sim is made from. Region, Account and Clock have defaults
// (us-east-1, 123456789012, time.Now).
type Options struct {
	Region  string
	Account string // twelve digits
	Seed    uint64 // decides ARN suffixes, version ids and request ids
	// Clock is the simulated now: dates, expiry, clock skew, the Date header.
	Clock func() time.Time
	// Pace is the clock by which quotas and peak rates are measured; time.Now
	// unless a test sets it.
	Pace func() time.Time
	// Credentials are keyed by access key id.
	Credentials map[string]Credential
	// Latency is added to every call.
	Latency time.Duration
	// Delivery is how long after an event CloudTrail lets it be looked up; five
	// minutes, its published average, when zero.
	Delivery time.Duration
}

// Sim is one simulated account in one region. It is safe for concurrent use.
type Sim struct {
	// Metrics is the store behind CloudWatch.
	Metrics *Metrics

	region, account string
	seed            uint64
	clock, pace     func() time.Time
	ops             map[string]map[string]operation // service, then name
	meter           *meter

	mu        sync.Mutex // guards everything below
	serial    uint64
	latency   time.Duration
	creds     map[string]*credential
	roles     map[string]Role
	faults    map[string]*Fault
	invoke    func(function string, event []byte) error
	secrets   map[string]*secret   // by name
	orders    map[string][]*secret // lists in ascending order, by what sorts them, until a secret comes or goes
	functions map[string]Function
	keys      map[string]Key // by id
	groups    map[string]*logGroup

	delivery     time.Duration
	events       []*trailEvent // oldest first
	eventSerial  uint64
	trails       []Trail
	certificates map[string]Certificate // by ARN
	balancers    []LoadBalancer         // by name
	apis         []API                  // by id

	running tasks // rotations and asynchronous invocations
}

// New makes an account without secrets, functions, keys, metrics or logs.
func New(o Options) *Sim {
	s := &Sim{
		region: o.Region, account: o.Account, seed: o.Seed, clock: o.Clock, pace: o.Pace, latency: o.Latency,
		creds: map[string]*credential{}, roles: map[string]Role{}, faults: map[string]*Fault{},
		secrets: map[string]*secret{}, orders: map[string][]*secret{}, functions: map[string]Function{}, keys: map[string]Key{}, groups: map[string]*logGroup{},
		delivery: cmp.Or(o.Delivery, 5*time.Minute), certificates: map[string]Certificate{},
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.account == "" {
		s.account = "123456789012"
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.pace == nil {
		s.pace = time.Now
	}
	s.Metrics = newMetrics()
	s.meter = newMeter(s.pace)
	for id, c := range o.Credentials {
		s.creds[id] = newCredential(c)
	}
	s.ops = s.operations()
	return s
}

// ServeHTTP answers one AWS request.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }

// SetLatency changes what is added to every call.
func (s *Sim) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// OnInvoke installs the rotation function, or any other: it is called for
// every invocation of a function, by Lambda's Invoke and four times by a
// rotation (createSecret, setSecret, testSecret, finishSecret). An error is the
// function's failure, and its text goes to the function's log. The hook may
// call the endpoint; no lock is held.
func (s *Sim) OnInvoke(f func(function string, event []byte) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invoke = f
}

// Wait returns when no rotation and no asynchronous invocation is under way.
func (s *Sim) Wait() { s.running.wait() }

// Calls is how often an operation was called, for example
// "secretsmanager:DescribeSecret", counting the throttled and refused calls and
// leaving out those that were not authenticated.
func (s *Sim) Calls(op string) int { return s.meter.calls(op) }

// Usage is what every operation that was called has used of its quota, by name.
func (s *Sim) Usage() []Usage { return s.meter.usage() }

// PeakRate is the most calls of an operation within any one second in one region.
func (s *Sim) PeakRate(op string) int { return s.meter.peak(op) }

// Throttled is how often an operation was refused for its quota.
func (s *Sim) Throttled(op string) int { return s.meter.throttled(op) }

// Fault is what happens to calls of one operation in place of, or after, their
// effect.
type Fault struct {
	Status  int    // HTTP status; 400 when 0
	Code    string // AWS error code
	Message string
	Times   int  // how many calls; 0 means every call until cleared
	Drop    bool // close the connection without an answer
	After   bool // let the call take effect first: the reply is what is lost
}

// SetFault makes calls of an operation ("kms:DescribeKey") fail; nil ends it.
func (s *Sim) SetFault(op string, f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil {
		delete(s.faults, op)
		return
	}
	c := *f
	s.faults[op] = &c
}

// takeFault consumes one use of the operation's fault.
func (s *Sim) takeFault(op string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults[op]
	if f == nil {
		return nil
	}
	c := *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			delete(s.faults, op)
		}
	}
	return &c
}

func (s *Sim) now() time.Time { return s.clock().UTC() }

// digest is 32 bytes that follow from the seed and the parts alone.
func (s *Sim) digest(parts ...string) [32]byte {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, s.seed)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [32]byte(h.Sum(nil))
}

// uuid is a version-4-shaped UUID that follows from the seed and the parts.
func (s *Sim) uuid(parts ...string) string {
	d := s.digest(parts...)
	d[6], d[8] = d[6]&0x0f|0x40, d[8]&0x3f|0x80
	x := hex.EncodeToString(d[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// next numbers things that must differ; the caller holds s.mu.
func (s *Sim) next() string {
	s.serial++
	return fmt.Sprint(s.serial)
}

func (s *Sim) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uuid("request", s.next())
}

// pause waits for the configured latency, or until the caller gives up.
func (s *Sim) pause(ctx context.Context) {
	s.mu.Lock()
	d := s.latency
	s.mu.Unlock()
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// arn builds an ARN of this account and region.
func (s *Sim) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + s.region + ":" + s.account + ":" + resource
}
