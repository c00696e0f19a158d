package checks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	// confirmPage is how many objects of a kind one confirming read compares.
	confirmPage = 500
	// lagGrace is how long a watch may take to tell what the API server already
	// answers.
	lagGrace = 5 * time.Second
	// confirmsMissed is how many confirming reads in a row may fail before what the
	// watch says is doubted.
	confirmsMissed = 2
)

// confirm reads the versions of the feed's objects, their metadata and nothing
// else, and compares them with what the watch told. A watch that is open and says
// nothing looks like one in which nothing happens; this is what tells them apart.
func (f *feed) confirm(ctx context.Context, all *clients.KubernetesClients) {
	if f.kind == events {
		return // they change all the time, and nothing rests on any one of them
	}
	f.mu.Lock()
	source, open := f.source, f.open
	f.mu.Unlock()
	if source == nil || !open {
		return
	}
	limited, cancel := context.WithTimeout(ctx, f.cluster.Limit())
	defer cancel()
	list, err := all.Metadata.Resource(source.resource).Namespace(f.namespace).List(limited, metav1.ListOptions{Limit: confirmPage})
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		f.unconfirmed(f.cluster.Failure(err, "confirm the watch of "+f.String()))
		return
	}
	behind := f.behind(list)
	for deadline := time.Now().Add(lagGrace); len(behind) > 0 && time.Now().Before(deadline); {
		timer := time.NewTimer(lagGrace / 20)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		maps.DeleteFunc(behind, func(name string, was gap) bool { return f.version1(name) != was.here })
	}
	f.judge(behind)
}

// gap is one object of which the API server knows another version than we do;
// empty versions stand for no such object.
type gap struct{ here, there string }

// behind finds what the watch has not told yet.
func (f *feed) behind(list *metav1.PartialObjectMetadataList) map[string]gap {
	out := map[string]gap{}
	there := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		o := &list.Items[i]
		there[o.Name] = true
		here := f.version1(o.Name)
		// What is not kept here may have been left out; what is, is compared.
		if here != "" && here != o.ResourceVersion && !newer(here, o.ResourceVersion) {
			out[o.Name] = gap{here, o.ResourceVersion}
		}
	}
	if list.Continue != "" {
		return out // the rest was not read
	}
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	for name, i := range f.store.byName {
		// One that is newer than the whole list was made after it was read.
		if !there[name] && !newer(i.ResourceVersion, list.ResourceVersion) {
			out[name] = gap{here: i.ResourceVersion}
		}
	}
	return out
}

// newer reports whether version a is later than b. Where they are no numbers,
// which is allowed, nothing is.
func newer(a, b string) bool {
	x, err1 := strconv.ParseUint(a, 10, 64)
	y, err2 := strconv.ParseUint(b, 10, 64)
	return err1 == nil && err2 == nil && x > y
}

// version1 is the version in which the object called name is known.
func (f *feed) version1(name string) string {
	if i, ok := f.store.get(name); ok {
		return i.ResourceVersion
	}
	return ""
}

// judge notes that the watch lags, or that it does not.
func (f *feed) judge(behind map[string]gap) {
	var why *estate.Failure
	if len(behind) > 0 {
		name := slices.Sorted(maps.Keys(behind))[0]
		b := behind[name]
		text := fmt.Sprintf("%s is at version %s there and %s here", name, b.there, b.here)
		if b.there == "" {
			text = name + " is gone there and not here"
		}
		why = &estate.Failure{
			Kind: estate.Lagging, Doing: "watch " + f.String(),
			Detail: f.clean(text+fmt.Sprintf(", for longer than %s", lagGrace), kubeNoteLimit),
			Next:   "the figures are those of before; check the API server's load and proxies before it; the watch is opened anew",
		}
	}
	f.mu.Lock()
	f.missed = 0
	f.doubted(why)
	if why != nil && f.cut != nil {
		f.cut() // a connection that is stuck is cured by another
	}
	f.mu.Unlock()
	f.store.changed()
}

// unconfirmed notes that a confirming read failed. One alone proves nothing.
func (f *feed) unconfirmed(why *estate.Failure) {
	f.mu.Lock()
	defer f.store.changed()
	defer f.mu.Unlock()
	f.missed++
	if f.missed >= confirmsMissed && why.Kind != estate.Throttled {
		f.doubted(why)
	}
}

// doubted sets why the watch is not to be relied on, under the lock.
func (f *feed) doubted(why *estate.Failure) {
	if f.doubt == nil && why == nil || f.doubt != nil && why != nil && *f.doubt == *why {
		return
	}
	f.doubt = why
	f.state++
}
