package kubesim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authzv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
)

// TestPagesAndVersions lists in pages that stay as of one version, until the
// history is forgotten.
func TestPagesAndVersions(t *testing.T) {
	b := newBench(t, Options{})
	for i := range 7 {
		b.must(b.Apply("test", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("c%d", i), Namespace: "prod", Labels: map[string]string{"even": fmt.Sprint(i%2 == 0)}}}))
	}
	maps := b.client("admin-token").CoreV1().ConfigMaps("prod")
	page, err := maps.List(t.Context(), metav1.ListOptions{Limit: 3})
	b.must(err)
	if len(page.Items) != 3 || page.Continue == "" || *page.RemainingItemCount != 4 {
		t.Fatalf("first page: %d items, continue %q, remaining %v", len(page.Items), page.Continue, page.RemainingItemCount)
	}
	b.Delete("ConfigMap", "prod", "c5")
	next, err := maps.List(t.Context(), metav1.ListOptions{Continue: page.Continue})
	b.must(err)
	if len(next.Items) != 4 || next.ResourceVersion != page.ResourceVersion {
		t.Errorf("second page: %d items of version %s, want 4 of %s", len(next.Items), next.ResourceVersion, page.ResourceVersion)
	}
	now, err := maps.List(t.Context(), metav1.ListOptions{})
	b.must(err)
	was, err := maps.List(t.Context(), metav1.ListOptions{ResourceVersion: page.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	b.must(err)
	if len(now.Items) != 6 || len(was.Items) != 7 {
		t.Errorf("%d now, %d then", len(now.Items), len(was.Items))
	}
	even, err := maps.List(t.Context(), metav1.ListOptions{LabelSelector: "even=true", FieldSelector: "metadata.name!=c0"})
	b.must(err)
	if len(even.Items) != 3 {
		t.Errorf("%d selected", len(even.Items))
	}
	b.Compact()
	if _, err = maps.List(t.Context(), metav1.ListOptions{Continue: page.Continue}); !apierrors.IsResourceExpired(err) {
		t.Errorf("a page of a forgotten version: %v", err)
	}
	// client-go would ask again and again.
	r := httptest.NewRequest(http.MethodGet, "/api/v1/pods?resourceVersion=99999999", nil)
	r.Header.Set("Authorization", "Bearer admin-token")
	answer := httptest.NewRecorder()
	b.ServeHTTP(answer, r)
	if answer.Code != http.StatusGatewayTimeout || !strings.Contains(answer.Body.String(), `"reason":"ResourceVersionTooLarge"`) || answer.Header().Get("Retry-After") != "1" {
		t.Errorf("a version of the future: %d %s", answer.Code, answer.Body)
	}
	if _, err = maps.List(t.Context(), metav1.ListOptions{FieldSelector: "data.a=b"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a field that cannot be selected by: %v", err)
	}
}

// TestRefusals has every refusal in the words of the real server.
func TestRefusals(t *testing.T) {
	b := deployed(t, 1)
	b.AddUser(User{Name: "reader", Rules: []Rule{{Verbs: []string{"get", "list"}, Groups: []string{"apps"}, Resources: []string{"deployments"}, Namespaces: []string{"prod"}}}}, "reader-token")
	admin, reader, nobody := b.client("admin-token"), b.client("reader-token"), b.client("wrong-token")
	stale := b.deployment().DeepCopy()
	stale.ResourceVersion = "5"
	bad := web(1)
	bad.Name, bad.Spec.Template.Labels = "bad", map[string]string{"app": "other"}
	moved := b.deployment().DeepCopy()
	moved.Spec.Selector.MatchLabels = map[string]string{"app": "else"}
	for _, test := range []struct {
		name string
		err  func() error
		code int32
		want string
	}{
		{"a wrong token", func() error {
			_, err := nobody.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{})
			return err
		}, 401, "Unauthorized"},
		{"a verb too many", func() error {
			_, err := reader.AppsV1().Deployments("prod").Watch(t.Context(), metav1.ListOptions{})
			return err
		}, 403,
			`deployments.apps is forbidden: User "reader" cannot watch resource "deployments" in API group "apps" in the namespace "prod"`},
		{"one object", func() error {
			_, err := reader.CoreV1().Secrets("prod").Get(t.Context(), "db", metav1.GetOptions{})
			return err
		}, 403,
			`secrets "db" is forbidden: User "reader" cannot get resource "secrets" in API group "" in the namespace "prod"`},
		{"the whole cluster", func() error {
			_, err := reader.AppsV1().Deployments("").List(t.Context(), metav1.ListOptions{})
			return err
		}, 403,
			`deployments.apps is forbidden: User "reader" cannot list resource "deployments" in API group "apps" at the cluster scope`},
		{"a subresource", func() error {
			_, err := reader.AppsV1().Deployments("prod").GetScale(t.Context(), "web", metav1.GetOptions{})
			return err
		}, 403,
			`deployments.apps "web" is forbidden: User "reader" cannot get resource "deployments/scale" in API group "apps" in the namespace "prod"`},
		{"what is not there", func() error {
			_, err := admin.AppsV1().Deployments("prod").Get(t.Context(), "x", metav1.GetOptions{})
			return err
		}, 404, `deployments.apps "x" not found`},
		{"a namespace that is not there", func() error {
			_, err := admin.CoreV1().Secrets("none").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
			return err
		}, 404, `namespaces "none" not found`},
		{"twice", func() error {
			_, err := admin.AppsV1().Deployments("prod").Create(t.Context(), web(1), metav1.CreateOptions{})
			return err
		}, 409, `deployments.apps "web" already exists`},
		{"an old version", func() error {
			_, err := admin.AppsV1().Deployments("prod").Update(t.Context(), stale, metav1.UpdateOptions{})
			return err
		}, 409,
			`Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again`},
		{"a selector that misses", func() error {
			_, err := admin.AppsV1().Deployments("prod").Create(t.Context(), bad, metav1.CreateOptions{})
			return err
		}, 422,
			"`selector` does not match template `labels`"},
		{"a selector that moves", func() error {
			_, err := admin.AppsV1().Deployments("prod").Update(t.Context(), moved, metav1.UpdateOptions{})
			return err
		}, 422, "field is immutable"},
	} {
		err := test.err()
		status, ok := err.(apierrors.APIStatus)
		if !ok || status.Status().Code != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %d %s", test.name, err, test.code, test.want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the refusal holds a value", test.name)
		}
	}
	review := func(verb, resource string) bool {
		out, err := reader.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authzv1.SelfSubjectAccessReview{Spec: authzv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authzv1.ResourceAttributes{Verb: verb, Group: "apps", Resource: resource, Namespace: "prod"}}}, metav1.CreateOptions{})
		b.must(err)
		return out.Status.Allowed
	}
	if !review("list", "deployments") || review("watch", "deployments") || review("list", "statefulsets") {
		t.Error("a review of one's own access is not what the requests say")
	}
	b.Deny("list", "apps", "deployments", true)
	if _, err := reader.AppsV1().Deployments("prod").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a verb that was taken away: %v", err)
	}
	b.Deny("list", "apps", "deployments", false)
	if _, err := reader.AppsV1().Deployments("prod").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("a verb that was given back: %v", err)
	}
}

// TestPatches changes one Deployment in every way there is.
func TestPatches(t *testing.T) {
	b := deployed(t, 2)
	apps := b.client("admin-token").AppsV1().Deployments("prod")
	image := func(v string) string {
		return `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"` + v + `"}]}}}}`
	}
	for _, test := range []struct {
		kind types.PatchType
		body string
		want func(d *appsv1.Deployment) bool
	}{
		{types.StrategicMergePatchType, image("web:2"), func(d *appsv1.Deployment) bool {
			c := d.Spec.Template.Spec.Containers
			return len(c) == 1 && c[0].Image == "web:2" && len(c[0].Env) == 1 && d.Generation == 2
		}},
		{types.MergePatchType, `{"metadata":{"annotations":{"a":"b"}}}`, func(d *appsv1.Deployment) bool { return d.Annotations["a"] == "b" && d.Generation == 2 }},
		{types.MergePatchType, `{"metadata":{"annotations":{"a":null}}}`, func(d *appsv1.Deployment) bool { _, has := d.Annotations["a"]; return !has }},
		{types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":2},{"op":"replace","path":"/spec/replicas","value":3}]`, func(d *appsv1.Deployment) bool { return *d.Spec.Replicas == 3 && d.Generation == 3 }},
	} {
		d, err := apps.Patch(t.Context(), "web", test.kind, []byte(test.body), metav1.PatchOptions{FieldManager: "tester"})
		if err != nil || !test.want(d) {
			t.Errorf("%s %s: %v %+v", test.kind, test.body, err, d)
		}
	}
	if _, err := apps.Patch(t.Context(), "web", types.JSONPatchType, []byte(`[{"op":"test","path":"/spec/replicas","value":9}]`), metav1.PatchOptions{}); apierrors.ReasonForError(err) != metav1.StatusReasonInvalid && !strings.Contains(fmt.Sprint(err), "test") {
		t.Errorf("a test that fails: %v", err)
	}
	before := b.deployment()
	same, err := apps.Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(image("web:2")), metav1.PatchOptions{})
	if err != nil || same.ResourceVersion != before.ResourceVersion {
		t.Errorf("a patch that changes nothing made version %s of %s: %v", same.ResourceVersion, before.ResourceVersion, err)
	}
	if _, err := apps.Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(image("web:3")), metav1.PatchOptions{DryRun: []string{"All"}}); err != nil || b.deployment().ResourceVersion != before.ResourceVersion {
		t.Errorf("a dry run changed something: %v", err)
	}
	managed := false
	for _, f := range b.deployment().ManagedFields {
		managed = managed || f.Manager == "tester" && strings.Contains(f.FieldsV1.GetRawString(), `"f:replicas"`) && !f.Time.IsZero()
	}
	if !managed {
		t.Errorf("managedFields do not say who changed the replicas: %+v", b.deployment().ManagedFields)
	}
	scale, err := apps.GetScale(t.Context(), "web", metav1.GetOptions{})
	b.must(err)
	scale.Spec.Replicas = 1
	_, err = apps.UpdateScale(t.Context(), "web", scale, metav1.UpdateOptions{})
	b.must(err)
	b.pass(time.Minute)
	if d := b.deployment(); d.Status.Replicas != 1 {
		t.Errorf("after scaling: %+v", d.Status)
	}
	// What is written to the object leaves its status alone, and the other way round.
	d := b.deployment().DeepCopy()
	d.Status.ReadyReplicas = 99
	d, err = apps.Update(t.Context(), d, metav1.UpdateOptions{})
	if err != nil || d.Status.ReadyReplicas != 1 {
		t.Errorf("an update wrote the status: %v %+v", err, d.Status)
	}
	dyn, err := dynamic.NewForConfig(b.rest("admin-token", jsonType))
	b.must(err)
	if _, err := dyn.Resource(schema.GroupVersionResource{Group: externalGroup, Version: "v1", Resource: "externalsecrets"}).Namespace("prod").
		Patch(t.Context(), "x", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a patch of what is not there: %v", err)
	}
}

// TestEveryForm reads the same in JSON and protobuf, whole and as metadata, and
// metadata holds no value.
func TestEveryForm(t *testing.T) {
	b := deployed(t, 2)
	for _, form := range []string{jsonType, protobufType} {
		c, err := kubernetes.NewForConfig(b.rest("admin-token", form))
		b.must(err)
		pods, err := c.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(pods.Items) != 2 || pods.Items[0].Status.Phase != corev1.PodRunning || pods.ResourceVersion == "" {
			t.Errorf("%s: %v %+v", form, err, pods)
		}
		s, err := c.CoreV1().Secrets("prod").Get(t.Context(), "db", metav1.GetOptions{})
		if err != nil || string(s.Data["password"]) != canary {
			t.Errorf("%s: the Secret reads otherwise: %v", form, err)
		}
		events, err := c.EventsV1().Events("prod").List(t.Context(), metav1.ListOptions{FieldSelector: "regarding.kind=Deployment"})
		if err != nil || len(events.Items) == 0 || events.Items[0].Reason != "ScalingReplicaSet" {
			t.Errorf("%s: events %v %+v", form, err, events)
		}
	}
	m, err := metadata.NewForConfig(b.rest("admin-token", jsonType))
	b.must(err)
	list, err := m.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace("prod").List(t.Context(), metav1.ListOptions{})
	b.must(err)
	if len(list.Items) != 1 || list.Items[0].Name != "db" || len(list.Items[0].ManagedFields) == 0 || strings.Contains(fmt.Sprintf("%+v", list), canary) {
		t.Errorf("metadata: %+v", list)
	}
	for _, path := range []string{"/api/v1/secrets", "/api/v1/namespaces/prod/secrets/db"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer admin-token")
		r.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"kind":"Table"`) || strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s as a table: %d %s", path, w.Code, w.Body)
		}
	}
}

// informer is a running informer of Deployments that tells what it sees.
func (b *bench) informer(t *testing.T, token string) (seen func() (int32, bool)) {
	t.Helper()
	factory := informers.NewSharedInformerFactory(b.client(token), 0)
	deployments := factory.Apps().V1().Deployments()
	store := deployments.Informer()
	factory.StartWithContext(t.Context())
	eventually(t, "the informer has its list", store.HasSynced)
	return func() (int32, bool) {
		d, err := deployments.Lister().Deployments("prod").Get("web")
		if err != nil {
			return 0, false
		}
		return *d.Spec.Replicas, true
	}
}

// TestInformers has client-go keep up through everything that happens to watches.
func TestInformers(t *testing.T) {
	for _, lists := range []bool{true, false} {
		t.Run(fmt.Sprintf("watch lists %v", lists), func(t *testing.T) {
			b := deployed(t, 1)
			b.SetWatchList(lists)
			seen := b.informer(t, "admin-token")
			next := int32(1)
			scale := func() func() bool {
				next++
				want := next
				b.must(b.Apply("test", web(want)))
				return func() bool { n, ok := seen(); return ok && n == want }
			}
			eventually(t, "a change arrives", scale())
			eventually(t, "the watch is open", func() bool { return b.Watches() == 1 })
			b.CutWatches()
			eventually(t, "a change after a cut", scale())
			eventually(t, "the watch is open again", func() bool { return b.Watches() == 1 })
			lists := b.Calls("list deployments.apps") + b.Calls("watch deployments.apps")
			b.ExpireWatches()
			eventually(t, "a change after 410 Gone", scale())
			if now := b.Calls("list deployments.apps") + b.Calls("watch deployments.apps"); now <= lists {
				t.Errorf("%d requests before the watch expired, %d after", lists, now)
			}
			eventually(t, "the watch is open once more", func() bool { return b.Watches() == 1 })
			b.FreezeWatches(true)
			held := scale()
			b.Bookmark()
			b.Tick()
			if held() {
				t.Error("a frozen watch tells what happens")
			}
			b.FreezeWatches(false)
			eventually(t, "the watch thaws", held)
			b.Delete("Deployment", "prod", "web")
			eventually(t, "what is deleted goes", func() bool { _, there := seen(); return !there })
		})
	}
}

// TestWatchEvents reads one watch closely: what comes to be selected is added,
// bookmarks say how far it is, and a version that is forgotten ends it.
func TestWatchEvents(t *testing.T) {
	b := deployed(t, 1)
	maps := b.client("admin-token").CoreV1().ConfigMaps("prod")
	put := func(label string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "prod", Labels: map[string]string{"on": label}}}
	}
	b.must(b.Apply("test", put("no")))
	list, err := maps.List(t.Context(), metav1.ListOptions{})
	b.must(err)
	w, err := maps.Watch(t.Context(), metav1.ListOptions{LabelSelector: "on=yes", ResourceVersion: list.ResourceVersion, AllowWatchBookmarks: true})
	b.must(err)
	defer w.Stop()
	read := func() watch.Event {
		t.Helper()
		select {
		case e := <-w.ResultChan():
			return e
		case <-time.After(10 * time.Second):
			t.Fatal("the watch says nothing")
			return watch.Event{}
		}
	}
	b.must(b.Apply("test", put("yes")))
	if e := read(); e.Type != watch.Added {
		t.Errorf("what comes to be selected is %s", e.Type)
	}
	b.must(b.Apply("test", put("no")))
	if e := read(); e.Type != watch.Deleted {
		t.Errorf("what is no longer selected is %s", e.Type)
	}
	b.Bookmark()
	if e := read(); e.Type != watch.Bookmark || e.Object.(*corev1.ConfigMap).ResourceVersion == "" {
		t.Errorf("a bookmark is %+v", e)
	}
	b.Compact()
	b.must(b.Apply("test", put("yes")))
	if e := read(); e.Type != watch.Added {
		t.Errorf("a watch that had seen everything did not outlive the compaction: %+v", e)
	}
	old, err := maps.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	b.must(err)
	defer old.Stop()
	e := <-old.ResultChan()
	if status, ok := e.Object.(*metav1.Status); e.Type != watch.Error || !ok || status.Code != 410 || status.Reason != metav1.StatusReasonExpired {
		t.Errorf("a watch from a forgotten version: %+v", e)
	}
	b.SetWatchList(false)
	yes := true
	if _, err := maps.Watch(t.Context(), metav1.ListOptions{SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true}); !apierrors.IsInvalid(err) {
		t.Errorf("a server without watch lists: %v", err)
	}
}

// TestHistoryIsBounded writes more than is kept.
func TestHistoryIsBounded(t *testing.T) {
	b := newBench(t, Options{History: 50})
	for i := range 200 {
		b.must(b.Apply("test", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "prod"}, Data: map[string]string{"n": fmt.Sprint(i)}}))
	}
	b.mu.Lock()
	n := len(b.changes)
	b.mu.Unlock()
	if n > 50+50/4 {
		t.Errorf("%d changes are kept", n)
	}
}

func TestFaults(t *testing.T) {
	b := deployed(t, 1)
	cfg := b.rest("admin-token", jsonType)
	c, err := kubernetes.NewForConfig(cfg)
	b.must(err)
	list := func() error { _, err := c.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{}); return err }
	b.SetFault("busy", &Fault{Verb: "list", Resource: "pods", Status: 500, Message: "etcdserver: leader changed"})
	if err := list(); !apierrors.IsInternalError(err) && !strings.Contains(fmt.Sprint(err), "leader changed") {
		t.Errorf("a server in trouble: %v", err)
	}
	b.SetFault("busy", &Fault{Verb: "list", Resource: "pods", Status: 429, RetryAfter: 1, Times: 1})
	if err := list(); err != nil {
		t.Errorf("client-go does not try again after 429: %v", err)
	}
	if n := b.Calls("list pods"); n != 3 {
		t.Errorf("%d lists were counted, want 3", n)
	}
	if b.PeakRate() == 0 {
		t.Error("no rate was measured")
	}
	b.SetDown(true)
	if err := list(); err == nil {
		t.Error("a server that is down answers")
	}
	b.SetDown(false)
	if err := list(); err != nil {
		t.Errorf("a server that is up again: %v", err)
	}
}

func TestBudgetsHoldEvictions(t *testing.T) {
	b := deployed(t, 3)
	least := intstr.FromInt32(3)
	b.must(b.Apply("test", &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "prod"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
	}))
	c := b.client("admin-token")
	pods, err := c.CoreV1().Pods("prod").List(t.Context(), metav1.ListOptions{})
	b.must(err)
	evict := func() error {
		return c.PolicyV1().Evictions("prod").Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods.Items[0].Name, Namespace: "prod"}})
	}
	if err := evict(); !apierrors.IsTooManyRequests(err) {
		t.Errorf("an eviction that the budget forbids: %v", err)
	}
	b.must(b.Apply("test", web(4)))
	b.pass(time.Minute)
	if err := evict(); err != nil {
		t.Errorf("an eviction that the budget allows: %v", err)
	}
}
