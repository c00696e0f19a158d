package checks

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	passGap = 100 * time.Millisecond // between two looks at what changed
	// newGap is passGap while there is something that was never told.
	newGap  = 10 * time.Millisecond
	postGap = 500 * time.Millisecond // between two posts of one key
	look    = time.Second            // how often is looked at what time alone changes
)

// kubeWatch watches one cluster for all components that run in it.
type kubeWatch struct {
	set            *clients.Set
	name           string
	interval, slow time.Duration
	keys           []*kubeKey
	now            func() time.Time
	hurry          chan []estate.ID
}

// feeds are the watches of one namespace.
type feeds map[kubeKind]*feed

// confirm asks that the cluster be compared with what is known of it.
func (w *kubeWatch) confirm(ids []estate.ID) {
	select {
	case w.hurry <- ids:
	default: // one is waiting already
	}
}

// run watches until ctx ends.
func (w *kubeWatch) run(ctx context.Context, post func(estate.Key, Result)) {
	cluster, err := w.set.Kubernetes(w.name)
	if err != nil {
		w.misconfigured(ctx, post, err)
		return
	}
	news := make(chan struct{}, 1)
	changed := func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	all := w.feeds(cluster, changed, once(ctx))
	for _, k := range w.keys {
		k.version, k.posted, k.last = 0, time.Time{}, Result{}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, of := range all {
		for _, f := range of {
			wg.Go(func() { f.run(ctx) })
		}
	}
	asked := make(chan []estate.ID, 1)
	if !once(ctx) {
		wg.Go(func() { w.confirming(ctx, cluster, all, asked) })
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	gap := time.NewTimer(0) // the first look is at once
	defer gap.Stop()
	waiting := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
			if !waiting {
				gap.Reset(w.gap())
				waiting = true
			}
		case <-gap.C:
			waiting = false
			if again := w.pass(all, post); again {
				gap.Reset(postGap)
				waiting = true
			}
		case <-ticker.C:
			w.pass(all, post)
		case ids := <-w.hurry:
			w.hasten(all, ids)
			select {
			case asked <- ids:
			default:
			}
		}
	}
}

// gap is how long changes are collected before they are looked at.
func (w *kubeWatch) gap() time.Duration {
	if slices.ContainsFunc(w.keys, func(k *kubeKey) bool { return k.posted.IsZero() }) {
		return newGap
	}
	return passGap
}

// misconfigured says why nothing can be watched, until ctx ends.
func (w *kubeWatch) misconfigured(ctx context.Context, post func(estate.Key, Result), err error) {
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	for {
		for _, k := range w.keys {
			post(k.expected.Key, Result{Err: err})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// feeds prepares the watches that the keys need, by namespace.
func (w *kubeWatch) feeds(cluster *clients.Kubernetes, changed func(), single bool) map[string]feeds {
	all := map[string]feeds{}
	for _, k := range w.keys {
		namespace := k.work.namespace
		of := all[namespace]
		if of == nil {
			of = feeds{}
			all[namespace] = of
		}
		for _, kind := range slices.Concat(k.needs, k.optional) {
			if of[kind] == nil && (kind != replicaSets || k.work.kind == "deployment") {
				of[kind] = newFeed(kind, namespace, cluster, w.set.Text, w.names(namespace).keep, changed)
				of[kind].single = single
			}
		}
	}
	return all
}

// hasten ends the waits of what failed.
func (w *kubeWatch) hasten(all map[string]feeds, ids []estate.ID) {
	for _, k := range w.keys {
		if len(ids) > 0 && !slices.Contains(ids, k.expected.Key.Component) {
			continue
		}
		for _, kind := range k.needs {
			all[k.work.namespace][kind].hurry()
		}
	}
}

// confirming compares what is known with the cluster: each feed once in a slow
// interval, one after the other, and at once when asked; a feed in doubt more
// often.
func (w *kubeWatch) confirming(ctx context.Context, cluster *clients.Kubernetes, all map[string]feeds, asked <-chan []estate.ID) {
	var order []*feed
	for _, of := range all {
		for _, f := range of {
			order = append(order, f)
		}
	}
	due := make(map[*feed]time.Time, len(order))
	for i, f := range order {
		due[f] = time.Now().Add(w.slow * time.Duration(i+1) / time.Duration(len(order)))
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			for f := range due {
				due[f] = time.Time{}
			}
		case <-ticker.C:
		}
		for _, f := range order {
			if ctx.Err() != nil || time.Now().Before(due[f]) {
				continue
			}
			if clients, err := cluster.Clients(); err == nil {
				f.confirmSafely(ctx, clients)
			}
			due[f] = time.Now().Add(w.slow)
			if f.doubtful() {
				due[f] = time.Now().Add(min(w.slow, w.interval))
			}
		}
	}
}

func (f *feed) doubtful() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doubt != nil || f.missed > 0
}

// confirmSafely keeps a panic of a confirming read from ending the program.
func (f *feed) confirmSafely(ctx context.Context, all *clients.KubernetesClients) {
	defer func() {
		if v := recover(); v != nil {
			f.unconfirmed(&estate.Failure{Kind: estate.Broken, Doing: "confirm the watch of " + f.String(), Detail: fmt.Sprintf("the check itself failed (panic of type %T)", v)})
		}
	}()
	f.confirm(ctx, all)
}

// pass posts what changed and what is due, and reports whether something was held
// back because it was posted a moment ago.
func (w *kubeWatch) pass(all map[string]feeds, post func(estate.Key, Result)) (again bool) {
	now := time.Now()
	for _, k := range w.keys {
		of := all[k.work.namespace]
		var version uint64
		for _, kinds := range [...][]kubeKind{k.needs, k.optional} {
			for _, kind := range kinds {
				if f := of[kind]; f != nil {
					version += f.version()
				}
			}
		}
		due := !k.posted.IsZero() && now.Sub(k.posted) >= w.interval
		if version == k.version && !due && (k.posted.IsZero() || k.settled(of, now)) {
			continue
		}
		r, ok := w.work(k, of, version, now)
		if !ok {
			continue // too early to say
		}
		same := !k.posted.IsZero() && sameResult(r, k.last)
		switch {
		case same && !due:
			k.version = version
		case now.Sub(k.posted) < postGap:
			again = true
		default:
			k.version, k.posted, k.last = version, now, r
			post(k.expected.Key, r)
		}
	}
	return again
}

// settled reports whether time alone cannot change what the key's feeds are good
// for: none of them is away and may stay so.
func (k *kubeKey) settled(of feeds, now time.Time) bool {
	for _, kind := range k.needs {
		if ok, _ := of[kind].ready(now); !ok {
			return k.last.Err != nil
		}
	}
	return k.last.Err == nil
}

// work works out one key: why it cannot be told, or what it is.
func (w *kubeWatch) work(k *kubeKey, of feeds, version uint64, now time.Time) (Result, bool) {
	for _, kind := range k.needs {
		ok, why := of[kind].ready(now)
		if why != nil {
			return Result{Err: why}, true
		}
		if !ok {
			return Result{}, false
		}
	}
	for _, kind := range k.optional {
		if f := of[kind]; f != nil {
			if ok, why := f.ready(now); !ok && why == nil {
				return Result{}, false
			}
		}
	}
	if version == k.version && k.last.Err == nil && !k.posted.IsZero() && !k.moves {
		return k.last, true // nothing happened
	}
	return k.read(w, k, of), true
}

func sameResult(a, b Result) bool {
	fa, _ := a.Err.(*estate.Failure)
	fb, _ := b.Err.(*estate.Failure)
	if a.Err != nil || b.Err != nil {
		return fa != nil && fb != nil && *fa == *fb
	}
	return reflect.DeepEqual(a.Data, b.Data)
}
