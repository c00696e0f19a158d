package kubesim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// bookmarkEvery is how often a watch that asked for bookmarks gets one.
const bookmarkEvery = time.Minute

// watcher is one open watch. Its fields are guarded by the Sim.
type watcher struct {
	cursor   int64 // has seen everything up to this version
	bookmark bool  // owes one
	end      chan errGone
}

// step is one thing to send.
type step struct {
	kind   watch.EventType
	object any
}

// watch answers a watch until its time is over, the client leaves, or it is cut.
func (q *request) watch() {
	s, query := q.sim, q.http.URL.Query()
	sel, err := q.selection()
	if err == nil {
		err = q.checkInitial()
	}
	if err != nil {
		q.fail(err)
		return
	}
	from, err := parseVersion(query.Get("resourceVersion"))
	if err != nil {
		q.fail(err)
		return
	}
	initial, bookmarks := truth(query.Get("sendInitialEvents")), truth(query.Get("allowWatchBookmarks"))
	var timeout <-chan time.Time
	if n, err := strconv.Atoi(query.Get("timeoutSeconds")); err == nil && n > 0 {
		t := time.NewTimer(time.Duration(n) * time.Second)
		defer t.Stop()
		timeout = t.C
	}
	ticker := time.NewTicker(bookmarkEvery)
	defer ticker.Stop()

	w := &watcher{cursor: from, end: make(chan errGone, 1)}
	s.mu.Lock()
	s.catchUp()
	var first []step
	switch {
	case from > s.version:
		s.mu.Unlock()
		q.fail(tooLarge(from, s.version))
		return
	case from == 0 || initial:
		for _, o := range s.stateAt(q.res.stored(), s.version) {
			if sel.matches(q.res, o) {
				first = append(first, q.step(watch.Added, o, len(first) == 0))
			}
		}
		w.cursor = s.version
		if initial && bookmarks {
			first = append(first, q.mark(s.version, true))
		}
	}
	s.watches[w] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watches, w)
	}()

	kind := jsonType
	if q.form.mime == protobufType {
		kind = protobufType
	}
	q.out.Header().Set("Content-Type", kind+";stream=watch")
	if kind == jsonType {
		q.out.Header().Set("Content-Type", kind)
	}
	q.out.WriteHeader(http.StatusOK)
	flush := func() bool { return http.NewResponseController(q.out).Flush() == nil }
	if !q.write(first) || !flush() {
		return
	}
	columns := len(first) == 0
	for {
		steps, pulse, over := q.next(w, sel, &columns, bookmarks)
		if len(steps) > 0 && (!q.write(steps) || !flush()) || over {
			return
		}
		select {
		case <-pulse:
		case <-ticker.C:
			s.set(func() { w.bookmark = true })
		case <-timeout:
			return
		case <-q.http.Context().Done():
			return
		case why := <-w.end:
			if why.expired {
				q.write([]step{gone(w, s)})
				flush()
			}
			return
		}
	}
}

// next is what a watch has not seen, and what to wait for then.
func (q *request) next(w *watcher, sel selection, columns *bool, bookmarks bool) (steps []step, pulse <-chan struct{}, over bool) {
	s := q.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	pulse = s.pulse
	if s.frozen {
		return nil, pulse, false
	}
	if w.cursor < s.floor {
		return []step{{watch.Error, expired(w.cursor, s.floor)}}, pulse, true
	}
	for _, c := range s.changes[s.since(w.cursor):] {
		if c.res != q.res.stored() {
			continue
		}
		// An object that comes to be selected is added, one that no longer is, is
		// deleted, for this watch.
		before := c.old != nil && sel.matches(q.res, c.old)
		after := c.kind != watch.Deleted && sel.matches(q.res, c.obj)
		kind := watch.Modified
		switch {
		case !before && !after:
			continue
		case !before:
			kind = watch.Added
		case !after:
			kind = watch.Deleted
		}
		o := c.obj
		if kind == watch.Deleted && c.kind != watch.Deleted {
			o = copyOf(c.old)
			o.SetResourceVersion(strconv.FormatInt(c.version, 10))
		}
		steps = append(steps, q.step(kind, o, *columns))
		*columns = false
	}
	w.cursor = s.version
	if w.bookmark && bookmarks {
		steps = append(steps, q.mark(s.version, false))
	}
	w.bookmark = false
	return steps, pulse, false
}

// step is an object as the watch asked to see it.
func (q *request) step(kind watch.EventType, o Object, columns bool) step {
	switch q.form.as {
	case "Table":
		return step{kind, q.table([]Object{o}, metav1.ListMeta{ResourceVersion: o.GetResourceVersion()}, columns)}
	case "PartialObjectMetadata", "PartialObjectMetadataList":
		return step{kind, partial(o)}
	}
	return step{kind, q.res.typed(o)}
}

// mark is a bookmark: an empty object with a version.
func (q *request) mark(version int64, first bool) step {
	o := q.res.make()
	if u, ok := o.(*unstructured.Unstructured); ok {
		u.Object["metadata"] = map[string]any{}
	}
	o.SetResourceVersion(strconv.FormatInt(version, 10))
	if first {
		o.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	if q.form.as == "Table" {
		t := q.table(nil, metav1.ListMeta{ResourceVersion: o.GetResourceVersion()}, false)
		t.Rows = []metav1.TableRow{{Cells: []any{}, Object: runtime.RawExtension{Object: partial(o)}}}
		return step{watch.Bookmark, t}
	}
	if q.form.as != "" {
		return step{watch.Bookmark, partial(o)}
	}
	if !q.res.custom {
		o.GetObjectKind().SetGroupVersionKind(q.res.gvk())
	}
	return step{watch.Bookmark, o}
}

// write sends steps; it reports whether the client takes them.
func (q *request) write(steps []step) bool {
	for _, st := range steps {
		raw, err := frame(st, q.form.mime)
		if err != nil {
			return false
		}
		if _, err := q.out.Write(raw); err != nil {
			return false
		}
	}
	return true
}

// frame is one event of a watch: a line of JSON, or protobuf after its length.
func frame(st step, kind string) ([]byte, error) {
	if kind == protobufType {
		object, ok, err := encodeProtobuf(st.object)
		if err != nil || !ok {
			return nil, fmt.Errorf("encode an event in protobuf: no such form: %w", err)
		}
		event := metav1.WatchEvent{Type: string(st.kind), Object: runtime.RawExtension{Raw: object}}
		raw, err := event.Marshal()
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...), err
	}
	raw, err := json.Marshal(struct {
		Type   string `json:"type"`
		Object any    `json:"object"`
	}{string(st.kind), st.object})
	return append(raw, '\n'), err
}

// checkInitial is the API server's validation of sendInitialEvents.
func (q *request) checkInitial() error {
	query := q.http.URL.Query()
	if !query.Has("sendInitialEvents") {
		if query.Get("resourceVersionMatch") != "" {
			return invalidOptions(field.Forbidden(field.NewPath("resourceVersionMatch"), "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
		}
		return nil
	}
	q.sim.mu.Lock()
	refused := q.sim.noLists
	q.sim.mu.Unlock()
	if refused {
		return invalidOptions(field.Forbidden(field.NewPath("sendInitialEvents"), "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"))
	}
	if query.Get("resourceVersionMatch") != string(metav1.ResourceVersionMatchNotOlderThan) {
		return invalidOptions(field.Forbidden(field.NewPath("resourceVersionMatch"), "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
	}
	return nil
}

func invalidOptions(e *field.Error) error {
	return apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "ListOptions"}, "", field.ErrorList{e})
}

// expired is the Status of a watch that began too long ago.
func expired(from, floor int64) *metav1.Status {
	status := apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, floor)).ErrStatus
	status.Kind, status.APIVersion = "Status", "v1"
	return &status
}

// gone is the end of a watch that was cut for its age.
func gone(w *watcher, s *Sim) step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return step{watch.Error, expired(w.cursor, s.floor)}
}

// parseVersion reads a resource version; none is 0.
func parseVersion(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, invalidOptions(field.Invalid(field.NewPath("resourceVersion"), text, err.Error()))
	}
	return int64(n), nil
}

// tooLarge is the answer to somebody from the future.
func tooLarge(asked, have int64) error {
	e := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", asked, have), 1)
	e.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}
	return e
}
