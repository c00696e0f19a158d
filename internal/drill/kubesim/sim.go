package kubesim

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Options are what a Sim is made from; all have defaults.
type Options struct {
	Clock func() time.Time // the simulated now; time.Now
	// Pace is the clock of rates, time limits of watches and bookmarks; time.Now
	// unless a test sets it.
	Pace    func() time.Time
	Seed    uint64   // decides uids and the endings of generated names
	Version string   // of the server, as in v1.37.2
	Nodes   []string // names of the nodes; node-1, node-2, node-3
	// StartDelay is from a pod's creation to its containers running, ReadyDelay from
	// there to ready: 2 s and 3 s.
	StartDelay, ReadyDelay time.Duration
	// ProbeEvery is the period of readiness probes: 10 s.
	ProbeEvery time.Duration
	// History is how many changes are kept for watches: 5000.
	History int
}

// Sim is one cluster. It is safe for concurrent use.
type Sim struct {
	o     Options
	began time.Time
	meter *meter

	mu       sync.Mutex // guards everything below
	r        *resources
	at       time.Time  // what is being done, is done at this time
	past     *time.Time // while a story is told
	gap      time.Duration
	serial   uint64
	objects  map[*resource]map[string]Object // by namespace/name
	order    map[*resource][]string          // keys of objects in order, while they stay the same
	broods   map[brood]map[string]bool       // keys of what a controller owns
	changes  []change
	version  int64
	floor    int64 // changes up to this one are forgotten
	pulse    chan struct{}
	watches  map[*watcher]bool
	frozen   bool
	noLists  bool // refuses sendInitialEvents
	users    map[string]*User
	tokens   map[[32]byte]string
	faults   []*namedFault
	latency  time.Duration
	down     bool
	queue    []key
	late     []key // after the queue
	queued   map[key]bool
	timers   timers
	due      map[key]time.Time
	pods     map[string]*podState // by uid
	senders  map[string]*bucket   // of events, by object
	forgot   time.Time            // when old events were last looked for
	alike    map[likeness]bool    // whether a ReplicaSet is of a Deployment's template
	retries  map[key]backoff      // of ExternalSecrets that failed
	wake     chan struct{}
	health   func(Pod) Health
	fetch    func(at time.Time, store, secret, property, version string) ([]byte, error)
	job      func(namespace, cronJob string, at time.Time) JobResult
	logLines func(Pod) []string
}

// New makes a cluster with nodes, the usual namespaces and nothing else.
func New(o Options) *Sim {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Pace == nil {
		o.Pace = time.Now
	}
	if o.Version == "" {
		o.Version = "v1.37.2"
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []string{"node-1", "node-2", "node-3"}
	}
	o.StartDelay = orElse(o.StartDelay, 2*time.Second)
	o.ReadyDelay = orElse(o.ReadyDelay, 3*time.Second)
	o.ProbeEvery = orElse(o.ProbeEvery, 10*time.Second)
	if o.History <= 0 {
		o.History = 5000
	}
	s := &Sim{
		o: o, began: o.Clock().UTC(), meter: newMeter(o.Pace),
		objects: map[*resource]map[string]Object{}, order: map[*resource][]string{}, broods: map[brood]map[string]bool{}, alike: map[likeness]bool{}, pulse: make(chan struct{}), watches: map[*watcher]bool{},
		users: map[string]*User{}, tokens: map[[32]byte]string{}, queued: map[key]bool{}, due: map[key]time.Time{},
		pods: map[string]*podState{}, senders: map[string]*bucket{}, retries: map[key]backoff{}, wake: make(chan struct{}, 1),
	}
	s.r = newResources()
	s.at = s.began
	s.version = 10_000 + int64(s.digest("resource version")[0])
	s.floor = s.version
	return s
}

// orElse is d, or a default for none.
func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// OnHealth installs what decides whether a running pod is well. It is called
// while the cluster stands still: it must be quick and must not call the Sim.
func (s *Sim) OnHealth(f func(Pod) Health) { s.set(func() { s.health = f }) }

// OnFetch installs where ExternalSecrets get their data from: a property of a
// version of a secret in a store, as it is at a time. It is called as OnHealth's
// function is.
func (s *Sim) OnFetch(f func(at time.Time, store, secret, property, version string) ([]byte, error)) {
	s.set(func() { s.fetch = f })
}

// OnJob installs what comes of the jobs of a CronJob; without it they succeed.
// It is called as OnHealth's function is.
func (s *Sim) OnJob(f func(namespace, cronJob string, at time.Time) JobResult) {
	s.set(func() { s.job = f })
}

// OnLogs installs what a pod has logged. It is called as OnHealth's function is.
func (s *Sim) OnLogs(f func(Pod) []string) { s.set(func() { s.logLines = f }) }

func (s *Sim) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Past tells a story: until Live, the cluster's time is t. What was due in
// between happens first; readiness is looked at once, at t.
func (s *Sim) Past(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t = t.UTC()
	if s.past == nil {
		s.at = t
	}
	s.past = &t
	s.advance(t)
	s.lookAround()
}

// Live ends the story: the clock goes on.
func (s *Sim) Live() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past = nil
	s.advance(s.now())
	s.lookAround()
}

// lookAround has readiness and ExternalSecrets looked at, which the steps of a
// story pass over.
func (s *Sim) lookAround() {
	for _, st := range s.pods {
		st.probed = time.Time{}
	}
	s.markAll(s.r.pods, "")
	s.markAll(s.r.externalSecrets, "")
	s.settle()
}

// Tick does what is due. Every request does so too.
func (s *Sim) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
}

// Run does what is due when it is due, until stop is closed.
func (s *Sim) Run(stop <-chan struct{}) {
	const longest = 5 * time.Second // a clock that is set gives no notice
	for {
		s.mu.Lock()
		s.catchUp()
		wait := longest
		if len(s.timers) > 0 {
			wait = min(max(s.timers[0].at.Sub(s.now()), 10*time.Millisecond), longest)
		}
		s.mu.Unlock()
		t := time.NewTimer(wait)
		select {
		case <-stop:
			t.Stop()
			return
		case <-s.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// now is the time of the clock, or of the story; the caller holds s.mu.
func (s *Sim) now() time.Time {
	if s.past != nil {
		return *s.past
	}
	return s.o.Clock().UTC()
}

// catchUp does everything that is due by now.
func (s *Sim) catchUp() {
	s.advance(s.now())
	s.settle()
}

// advance moves time from event to event up to a time.
func (s *Sim) advance(to time.Time) {
	s.gap = max(to.Sub(s.at), 0)
	s.settle()
	for len(s.timers) > 0 && !s.timers[0].at.After(to) {
		at := s.timers[0].at
		for len(s.timers) > 0 && s.timers[0].at.Equal(at) {
			t := heap.Pop(&s.timers).(timer)
			if due, ok := s.due[t.key]; ok && due.Equal(t.at) { // else another time took its place
				delete(s.due, t.key)
				s.mark(t.key)
			}
		}
		s.at = maxTime(s.at, at)
		s.settle()
	}
	if to.After(s.at) {
		s.at = to
	}
	s.gap = 0
	s.forgetEvents()
}

// settle runs controllers until none has anything to do.
func (s *Sim) settle() {
	const enough = 200_000 // a loop between controllers would be a fault of ours
	for range enough {
		if len(s.queue) == 0 {
			if len(s.late) == 0 {
				return
			}
			s.queue, s.late = s.late, nil
		}
		k := s.queue[0]
		s.queue = s.queue[1:]
		delete(s.queued, k)
		if k.res.reconcile != nil {
			k.res.reconcile(s, k.namespace, k.name)
		}
	}
	panic("kubesim: the controllers do not come to rest")
}

// key names one object.
type key struct {
	res             *resource
	namespace, name string
}

// mark has an object looked at by its controller.
func (s *Sim) mark(k key) {
	if k.res != nil && k.res.reconcile != nil && !s.queued[k] {
		s.queued[k] = true
		if k.res == s.r.services || k.res == s.r.budgets || k.res == s.r.quotas {
			s.late = append(s.late, k) // once the pods have come to rest
			return
		}
		s.queue = append(s.queue, k)
	}
}

// after has an object looked at again at a time; the earliest counts.
func (s *Sim) after(k key, at time.Time) {
	if !at.After(s.at) {
		at = s.at.Add(time.Millisecond) // time goes on, whatever a controller thinks
	}
	if due, ok := s.due[k]; ok && !due.After(at) {
		return
	}
	s.due[k] = at
	s.serial++
	heap.Push(&s.timers, timer{at: at, serial: s.serial, key: k})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// timer is a time at which an object is looked at.
type timer struct {
	at     time.Time
	serial uint64
	key    key
}

// timers is a heap, earliest first.
type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if t[i].at.Equal(t[j].at) {
		return t[i].serial < t[j].serial
	}
	return t[i].at.Before(t[j].at)
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push is heap.Interface's.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop is heap.Interface's.
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}

// stamp is s.at as Kubernetes writes it, in whole seconds.
func (s *Sim) stamp() metav1.Time { return metav1.NewTime(s.at.Truncate(time.Second)) }

// digest is 32 bytes that follow from the seed and the parts alone.
func (s *Sim) digest(parts ...string) [32]byte {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, s.o.Seed)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [32]byte(h.Sum(nil))
}

// uid draws a UUID.
func (s *Sim) uid() string {
	s.serial++
	d := s.digest("uid", fmt.Sprint(s.serial))
	d[6], d[8] = d[6]&0x0f|0x40, d[8]&0x3f|0x80
	x := hex.EncodeToString(d[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// nameLetters are those of generated names: no vowels, nothing that looks like
// another letter.
const nameLetters = "bcdfghjklmnpqrstvwxz2456789"

// suffix draws the ending of a generated name.
func (s *Sim) suffix() string {
	s.serial++
	d := s.digest("name", fmt.Sprint(s.serial))
	out := make([]byte, 5)
	for i := range out {
		out[i] = nameLetters[int(d[i])%len(nameLetters)]
	}
	return string(out)
}
