package checks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	listPage  = 500                    // objects in one page of a list
	feedAgain = 200 * time.Millisecond // the first wait before a watch is opened again; doubled up to feedTop
	feedTop   = 15 * time.Second
	// feedDenied is the wait where the answer will stay the same until a person
	// changes something: a role, a login, what is installed.
	feedDenied = time.Minute
	// feedSteady is how long a watch must have lived for its end to be no part of
	// the trouble before it.
	feedSteady = 5 * time.Second
	// feedGrace is how long a watch that ended may be away before its figures are no
	// longer called fresh. Watches end all the time: API servers end each after some
	// minutes, and forget old versions.
	feedGrace = 3 * time.Second
)

// feed keeps one kind of object of one namespace up to date.
type feed struct {
	kind      kubeKind
	namespace string
	cluster   *clients.Kubernetes
	clean     words
	keep      func(*item) bool // drops what nothing that is configured needs
	single    bool             // read once, and do not watch
	store     kubeStore

	mu     sync.Mutex
	source *source
	open   bool
	cut    func()          // ends the open watch, so that it is opened anew
	opened time.Time       // when the watch was last opened
	lost   time.Time       // since when there was no steady watch; zero while there is
	err    *estate.Failure // why there is no watch
	doubt  *estate.Failure // why what is known is not to be relied on, though the watch is open
	missed int             // confirming reads that failed in a row
	state  uint64          // moves with every change of the above

	kick chan struct{} // ends a wait before the next attempt
}

func newFeed(kind kubeKind, namespace string, cluster *clients.Kubernetes, clean words, keep func(*item) bool, changed func()) *feed {
	return &feed{
		kind: kind, namespace: namespace, cluster: cluster, clean: clean, keep: keep,
		store: kubeStore{changed: changed, byName: map[string]*item{}}, kick: make(chan struct{}, 1),
	}
}

// String names what the feed reads.
func (f *feed) String() string { return string(f.kind) + " in namespace " + f.namespace }

// version moves with everything that could change a figure.
func (f *feed) version() uint64 {
	f.mu.Lock()
	n := f.state
	f.mu.Unlock()
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	return n + f.store.version
}

// ready reports whether what the feed knows may be told, or why not: a nil
// failure with false means that it is too early to say.
func (f *feed) ready(now time.Time) (bool, *estate.Failure) {
	f.store.mu.Lock()
	synced, full, listed := f.store.synced, f.store.full, f.store.listed
	f.store.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return false, f.err
	case full:
		return false, &estate.Failure{Kind: estate.Broken, Doing: "watch " + f.String(), Detail: errTooMany.Error()}
	case !synced:
		return false, nil
	case f.doubt != nil:
		return false, f.doubt
	case f.single || f.open:
		return true, nil
	case f.opened.IsZero():
		// A list is a reading: it is not held back for the round trip that opens the
		// watch after it. Where that takes long, it is too early to say more.
		return now.Sub(listed) <= feedGrace, nil
	case now.Sub(f.lost) > feedGrace:
		return false, &estate.Failure{
			Kind: estate.OutOfReach, Doing: "watch " + f.String(), Detail: "the watch was cut, and is not open again yet",
			Next: "check the API server, and proxies before it",
		}
	}
	return true, nil
}

// run keeps the feed going until ctx ends, or until it was read once.
func (f *feed) run(ctx context.Context) {
	failed := 0
	for ctx.Err() == nil {
		began := time.Now()
		f.attempt(ctx)
		f.mu.Lock()
		steady, why := f.opened.After(began) && time.Since(f.opened) > feedSteady, f.err
		f.mu.Unlock()
		if f.single {
			return
		}
		if steady {
			failed = 0
		}
		pause := min(feedAgain<<min(failed, 10), feedTop)
		if why != nil && (why.Kind == estate.Denied || why.Kind == estate.NoIdentity || why.Kind == estate.NotSupported || why.Kind == estate.Misconfigure) {
			pause = feedDenied
		}
		failed++
		timer := time.NewTimer(time.Duration(float64(pause) * (1 + jitter*(2*rand.Float64()-1))))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-f.kick:
			failed = 0
		}
		timer.Stop()
	}
}

// hurry ends a wait before the next attempt.
func (f *feed) hurry() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// attempt lists and watches until that fails. A panic is one more way to fail.
func (f *feed) attempt(ctx context.Context) {
	defer func() {
		if v := recover(); v != nil {
			f.broken(&estate.Failure{
				Kind: estate.Broken, Doing: "watch " + f.String(), Detail: fmt.Sprintf("the watch itself failed (panic of type %T)", v),
				Next: "report this as a fault of warroom; the watch is begun again, and the other checks go on",
			})
		}
	}()
	if err := f.find(ctx); err != nil {
		f.failed(ctx, err, "look for "+f.String())
		return
	}
	if f.single {
		f.readOnce(ctx)
		return
	}
	r := cache.NewReflectorWithOptions(f, nil, &f.store, cache.ReflectorOptions{
		Name: f.String(), TypeDescription: string(f.kind),
		// Only for what the reflector repeats by itself: too many requests, and a
		// connection that is refused.
		Backoff: &wait.Backoff{Duration: feedAgain, Factor: 2, Steps: 10, Cap: feedTop, Jitter: jitter},
	})
	r.WatchListPageSize = listPage
	if err := r.ListAndWatchWithContext(ctx); err != nil {
		f.mu.Lock()
		said := f.err != nil // by the list or watch itself, in better words
		f.mu.Unlock()
		if !said {
			f.failed(ctx, err, "watch "+f.String())
		}
	}
}

// find finds out how the kind is read, once.
func (f *feed) find(ctx context.Context) error {
	f.mu.Lock()
	known := f.source != nil
	f.mu.Unlock()
	if known {
		return nil
	}
	all, err := f.cluster.Clients()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.cluster.Limit())
	defer cancel()
	s, err := f.kind.source(ctx, all, f.namespace)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.source = &s
	f.mu.Unlock()
	return nil
}

// readOnce lists without watching.
func (f *feed) readOnce(ctx context.Context) {
	var all []any
	o := metav1.ListOptions{Limit: listPage}
	for {
		list, err := f.ListWithContext(ctx, o)
		if err != nil {
			f.failed(ctx, err, "list "+f.String())
			return
		}
		page := list.(*items)
		for _, obj := range page.Items {
			all = append(all, obj)
		}
		if len(all) > mostItems {
			f.failed(ctx, errTooMany, "list "+f.String())
			return
		}
		if o.Continue = page.Continue; o.Continue == "" {
			break
		}
	}
	if err := f.store.Replace(all, ""); err != nil {
		f.failed(ctx, err, "list "+f.String())
	}
}

// IsWatchListSemanticsUnSupported has the reflector list in pages and then watch.
// Streaming the list over the watch would wait for a minute on API servers that
// do not know of it, and those are not rare.
func (*feed) IsWatchListSemanticsUnSupported() bool { return true }

// List satisfies cache.ListerWatcher; the reflector calls ListWithContext.
func (f *feed) List(o metav1.ListOptions) (runtime.Object, error) {
	return f.ListWithContext(context.Background(), o)
}

// Watch satisfies cache.ListerWatcher; the reflector calls WatchWithContext.
func (f *feed) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return f.WatchWithContext(context.Background(), o)
}

// ListWithContext lists one page.
func (f *feed) ListWithContext(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	limited, cancel := context.WithTimeout(ctx, f.cluster.Limit())
	defer cancel()
	f.narrow(&o)
	list, err := f.source.list(limited, o)
	if err == nil {
		list, err = f.clean.stripped(list, f.keep)
	}
	if err != nil {
		f.failed(ctx, err, "list "+f.String())
		return nil, err
	}
	return list, nil
}

// WatchWithContext opens a watch.
func (f *feed) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	f.narrow(&o)
	open, cancel := context.WithCancel(ctx)
	patience := time.AfterFunc(f.cluster.Limit(), cancel)
	w, err := f.source.watch(open, o)
	if late := !patience.Stop(); late {
		if err == nil {
			w.Stop()
		}
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		f.failed(ctx, err, "watch "+f.String())
		return nil, err
	}
	f.begun(cancel)
	return newWatched(w, f.filter, func() { f.ended(); cancel() }), nil
}

// narrow leaves out what is not needed where the API server can.
func (f *feed) narrow(o *metav1.ListOptions) {
	if f.kind == events {
		o.FieldSelector = "type=Warning"
	}
}

// filter strips one event of a watch.
func (f *feed) filter(e watch.Event) (watch.Event, bool) {
	switch e.Type {
	case watch.Added, watch.Modified, watch.Deleted:
		i := f.clean.strip(e.Object)
		if i == nil {
			return e, false
		}
		if i.what == nil || !f.keep(i) {
			// It may have been kept before.
			e.Type = watch.Deleted
		}
		e.Object = i
	}
	return e, true
}

// watched is an open watch with each event stripped, which tells when it ends.
// The library's own filter would stay behind for ever where a watch ends while an
// event is on its way.
type watched struct {
	from watch.Interface
	out  chan watch.Event
	gone chan struct{}
	stop func()
}

func newWatched(from watch.Interface, strip watch.FilterFunc, ended func()) *watched {
	w := &watched{from: from, out: make(chan watch.Event), gone: make(chan struct{})}
	w.stop = sync.OnceFunc(func() {
		close(w.gone)
		ended()
		from.Stop()
	})
	go w.pass(strip)
	return w
}

// pass hands events on until the watch ends.
func (w *watched) pass(strip watch.FilterFunc) {
	defer close(w.out)
	defer utilruntime.HandleCrash() // what cannot be stripped ends the watch, not the program
	for e := range w.from.ResultChan() {
		e, keep := strip(e)
		if !keep {
			continue
		}
		select {
		case w.out <- e:
		case <-w.gone:
			return
		}
	}
}

// ResultChan satisfies watch.Interface.
func (w *watched) ResultChan() <-chan watch.Event { return w.out }

// Stop satisfies watch.Interface.
func (w *watched) Stop() { w.stop() }

func (f *feed) begun(cut func()) {
	f.mu.Lock()
	f.open, f.opened, f.err, f.cut = true, time.Now(), nil, cut
	if f.doubt != nil && f.doubt.Kind != estate.Lagging {
		// The cluster answers again. A lag only a confirming read can disprove.
		f.doubt, f.missed = nil, 0
	}
	f.state++
	f.mu.Unlock()
	f.store.changed()
}

func (f *feed) ended() {
	f.mu.Lock()
	f.open = false
	if now := time.Now(); f.lost.IsZero() || now.Sub(f.opened) > feedSteady {
		f.lost = now
	}
	f.state++
	f.mu.Unlock()
	f.store.changed()
}

// failed notes why there is no watch. That old versions were forgotten is none:
// the reflector reads all anew by itself, and only if that fails is there one.
func (f *feed) failed(ctx context.Context, err error, doing string) {
	if ctx.Err() != nil {
		return // we were told to stop: nothing was seen
	}
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	f.broken(f.cluster.Failure(err, doing))
}

func (f *feed) broken(why *estate.Failure) {
	f.mu.Lock()
	same := f.err != nil && *f.err == *why
	f.err = why
	if !same {
		f.state++
	}
	f.mu.Unlock()
	if !same {
		f.store.changed()
	}
}
