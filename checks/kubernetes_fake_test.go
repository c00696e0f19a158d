package checks

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/config"
)

// fakeCluster is an API server that keeps objects of namespace prod, serves lists
// and watches of them, and fails as it is told.
type fakeCluster struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	changed *sync.Cond
	version int
	objects map[string]map[string]json.RawMessage // by plural and name
	log     []fakeChange
	oldest  int                  // watches from before this version get 410
	deny    map[string]int       // HTTP status by "verb plural", or by "verb *"
	frozen  map[string]fakeCache // plurals of which the watch cache stands still
	epoch   int                  // watches of an earlier epoch are cut
	held    bool                 // watches are not answered
	asked   map[string]int       // by "verb plural"
}

// fakeCache is what a watch cache knows: watches are served from it, and lists
// that are content with what was known at a version.
type fakeCache struct {
	version int
	objects map[string]json.RawMessage
}

// freeze has the watch caches of some kinds stand still.
func (c *fakeCluster) freeze(plurals ...string) {
	c.change(func() {
		for _, p := range plurals {
			c.frozen[p] = fakeCache{c.version, maps.Clone(c.objects[p])}
		}
	})
}

type fakeChange struct {
	version      int
	plural, kind string
	object       json.RawMessage
}

// fakeGroups are the API groups of the plurals, and the names of their lists.
var fakeGroups = map[string][2]string{
	"deployments": {"apps/v1", "Deployment"}, "statefulsets": {"apps/v1", "StatefulSet"}, "daemonsets": {"apps/v1", "DaemonSet"},
	"replicasets": {"apps/v1", "ReplicaSet"}, "controllerrevisions": {"apps/v1", "ControllerRevision"},
	"pods": {"v1", "Pod"}, "events": {"v1", "Event"}, "secrets": {"v1", "Secret"},
	"cronjobs": {"batch/v1", "CronJob"}, "jobs": {"batch/v1", "Job"},
	"externalsecrets": {"external-secrets.io/v1", "ExternalSecret"},
}

func newFakeCluster(t *testing.T) *fakeCluster {
	c := &fakeCluster{
		t: t, version: 100, objects: map[string]map[string]json.RawMessage{},
		deny: map[string]int{}, frozen: map[string]fakeCache{}, asked: map[string]int{},
	}
	c.changed = sync.NewCond(&c.mu)
	c.server = httptest.NewUnstartedServer(c)
	c.server.EnableHTTP2 = true
	c.server.StartTLS()
	t.Cleanup(func() {
		c.cut()
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

// change runs f on the cluster and tells its watches.
func (c *fakeCluster) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	c.changed.Broadcast()
}

// cut ends every open watch.
func (c *fakeCluster) cut() { c.change(func() { c.epoch++ }) }

// put creates or updates an object, which is any of Kubernetes's types or a map.
func (c *fakeCluster) put(plural string, objects ...any) {
	c.change(func() {
		for _, o := range objects {
			c.version++
			text, err := json.Marshal(o)
			if err != nil {
				c.t.Error(err)
				return
			}
			var m map[string]any
			if err := json.Unmarshal(text, &m); err != nil {
				c.t.Error(err)
				return
			}
			meta := m["metadata"].(map[string]any)
			meta["resourceVersion"], meta["namespace"] = strconv.Itoa(c.version), "prod"
			m["apiVersion"], m["kind"] = fakeGroups[plural][0], fakeGroups[plural][1]
			text, _ = json.Marshal(m)
			name := meta["name"].(string)
			if c.objects[plural] == nil {
				c.objects[plural] = map[string]json.RawMessage{}
			}
			kind := "MODIFIED"
			if c.objects[plural][name] == nil {
				kind = "ADDED"
			}
			c.objects[plural][name] = text
			c.log = append(c.log, fakeChange{c.version, plural, kind, text})
		}
	})
}

func (c *fakeCluster) remove(plural, name string) {
	c.change(func() {
		c.version++
		c.log = append(c.log, fakeChange{c.version, plural, "DELETED", c.objects[plural][name]})
		delete(c.objects[plural], name)
	})
}

func (c *fakeCluster) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[what]
}

func fakeStatus(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Message: message, Reason: reason, Code: int32(code),
	})
}

var fakeReasons = map[int]metav1.StatusReason{
	401: metav1.StatusReasonUnauthorized, 403: metav1.StatusReasonForbidden, 410: metav1.StatusReasonExpired,
	429: metav1.StatusReasonTooManyRequests, 500: metav1.StatusReasonInternalError, 503: metav1.StatusReasonServiceUnavailable,
}

// ServeHTTP satisfies http.Handler.
func (c *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.URL.Path == "/apis/external-secrets.io" {
		c.mu.Lock()
		_, installed := c.objects["externalsecrets"]
		c.mu.Unlock()
		if !installed {
			fakeStatus(w, 404, metav1.StatusReasonNotFound, "the server could not find the requested resource")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.APIGroup{
			TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: "external-secrets.io",
			Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "external-secrets.io/v1", Version: "v1"}},
		})
		return
	}
	plural, namespace := parts[len(parts)-1], parts[len(parts)-2]
	verb := "list"
	if r.URL.Query().Get("watch") != "" {
		verb = "watch"
	}
	bare := strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
	if plural == "secrets" && !bare {
		c.t.Errorf("%s secrets asked for more than metadata: Accept %q", verb, r.Header.Get("Accept"))
	}
	c.mu.Lock()
	c.asked[verb+" "+plural]++
	code := max(c.deny[verb+" "+plural], c.deny[verb+" *"])
	epoch := c.epoch
	c.mu.Unlock()
	if code != 0 {
		fakeStatus(w, code, fakeReasons[code], fmt.Sprintf("cannot %s %s: CANARY-bearer-token", verb, plural))
		return
	}
	if verb == "watch" {
		c.watch(w, r, plural, bare, epoch)
		return
	}
	c.list(w, r, plural, namespace, bare)
}

func (c *fakeCluster) list(w http.ResponseWriter, r *http.Request, plural, namespace string, bare bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	group := fakeGroups[plural]
	list := map[string]any{"apiVersion": group[0], "kind": group[1] + "List"}
	if bare {
		list["apiVersion"], list["kind"] = "meta.k8s.io/v1", "PartialObjectMetadataList"
	}
	objects, version := c.objects[plural], c.version
	if cache, frozen := c.frozen[plural]; frozen && r.URL.Query().Get("resourceVersion") != "" {
		objects, version = cache.objects, cache.version
	}
	names := slices.Sorted(maps.Keys(objects))
	if namespace != "prod" {
		names = nil
	}
	meta := map[string]any{"resourceVersion": strconv.Itoa(version)}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	names = names[min(from, len(names)):]
	if limit > 0 && len(names) > limit {
		names = names[:limit]
		meta["continue"] = strconv.Itoa(from + limit)
	}
	items := []any{}
	for _, name := range names {
		items = append(items, seen1(objects[name], bare))
	}
	list["metadata"], list["items"] = meta, items
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// seen1 is an object, or its metadata where that is all that was asked for.
func seen1(object json.RawMessage, bare bool) any {
	if !bare {
		return object
	}
	var m map[string]any
	_ = json.Unmarshal(object, &m)
	return map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": m["metadata"]}
}

func (c *fakeCluster) watch(w http.ResponseWriter, r *http.Request, plural string, bare bool, epoch int) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	c.mu.Lock()
	gone := from < c.oldest
	c.mu.Unlock()
	if gone {
		fakeStatus(w, 410, metav1.StatusReasonExpired, "too old resource version")
		return
	}
	ctx := r.Context()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-ctx.Done():
			c.change(func() {})
		case <-stop:
		}
	}()
	c.mu.Lock()
	for c.held && ctx.Err() == nil && c.epoch == epoch {
		c.changed.Wait()
	}
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(200)
	w.(http.Flusher).Flush()
	next := 0
	for {
		c.mu.Lock()
		for ctx.Err() == nil && c.epoch == epoch {
			if _, frozen := c.frozen[plural]; !frozen && next < len(c.log) {
				break
			}
			c.changed.Wait()
		}
		if ctx.Err() != nil || c.epoch != epoch {
			c.mu.Unlock()
			return
		}
		var out []any
		for ; next < len(c.log); next++ {
			if e := c.log[next]; e.plural == plural && e.version > from {
				out = append(out, map[string]any{"type": e.kind, "object": seen1(e.object, bare)})
			}
		}
		c.mu.Unlock()
		for _, e := range out {
			if json.NewEncoder(w).Encode(e) != nil {
				return
			}
		}
		w.(http.Flusher).Flush()
	}
}

// config is an estate with the cluster under the name main.
func (c *fakeCluster) config(components ...config.Component) *config.Config {
	c.t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})
	path := filepath.Join(c.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: {token: CANARY-bearer-token}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`, c.server.URL, base64.StdEncoding.EncodeToString(ca))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return &config.Config{
		Checks:     config.Checks{Interval: 300 * time.Millisecond, SlowEvery: time.Hour, Timeout: 5 * time.Second, Concurrency: 4},
		Kubernetes: []config.KubernetesCluster{{Name: "main", Kubeconfig: path}},
		Components: components,
	}
}
