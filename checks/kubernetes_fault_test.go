package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// What is forbidden hides itself and nothing else.
func TestForbiddenOnOneVerb(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		deny   string
		denied []string
	}{
		{"watch deployments", []string{estate.CheckWorkload}},
		{"list deployments", []string{estate.CheckWorkload}},
		{"list pods", []string{estate.CheckWorkloadPods}},
		{"watch pods", []string{estate.CheckWorkloadPods}},
		{"list secrets", []string{estate.CheckWorkloadSecrets}},
		{"list events", []string{estate.CheckWorkloadEvents}},
		{"watch events", []string{estate.CheckWorkloadEvents}},
		{"list externalsecrets", []string{estate.CheckExternalSecrets}},
		{"list replicasets", []string{estate.CheckRevisions}},
	} {
		t.Run(x.deny, func(t *testing.T) {
			t.Parallel()
			c := newFakeCluster(t)
			c.usual()
			c.deny[x.deny] = 403
			l := watchLive(t, c.config(userApp()))
			for _, check := range workloadChecks {
				if slices.Contains(x.denied, check) {
					o := l.await("user", check, "denied", failedAs(estate.Denied))
					if strings.Contains(o.Failure.Error(), "CANARY") {
						t.Errorf("the token is in %v", o.Failure)
					}
				} else {
					l.await("user", check, "read", fine)
				}
			}
			if x.deny == "list pods" {
				uses := l.await("user", estate.CheckWorkloadSecrets, "read", fine).Data.(estate.WorkloadSecrets).Uses
				if uses[0].OlderPods != -1 {
					t.Errorf("older pods %d without reading any, want not known", uses[0].OlderPods)
				}
			}
			// A person who has granted it sees so at once.
			c.change(func() { delete(c.deny, x.deny) })
			l.CheckNow("user")
			for _, check := range x.denied {
				l.await("user", check, "read after it was granted", fine)
			}
		})
	}
}

func TestWhatAClusterRefuses(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		code int
		kind estate.FailureKind
	}{{401, estate.NoIdentity}, {500, estate.OutOfReach}, {503, estate.OutOfReach}, {429, estate.Throttled}} {
		t.Run(fmt.Sprint(x.code), func(t *testing.T) {
			t.Parallel()
			c := newFakeCluster(t)
			c.usual()
			c.deny["list *"], c.deny["watch *"] = x.code, x.code
			cfg := c.config(userApp())
			cfg.Checks.Timeout = 2 * time.Second // a refusal with 429 is repeated until then
			l := watchLive(t, cfg)
			o := l.await("user", estate.CheckWorkload, string(x.kind), failedAs(x.kind))
			if o.Failure.Kind.Status() != estate.Unknown {
				t.Errorf("%v reads %s: a cluster that is down says nothing of what runs in it", o.Failure, o.Failure.Kind.Status())
			}
		})
	}
}

func TestNoOperatorNoNamespaceNoCluster(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	delete(c.objects, "externalsecrets")
	nowhere := userApp()
	nowhere.ID, nowhere.Application.Workload = "nowhere", "test/deployment/user"
	nowhere.Application.Cluster = "main"
	broken := userApp()
	broken.ID, broken.Application = "broken", &config.Application{Cluster: "broken", Workload: "prod/deployment/user"}
	app := userApp()
	cfg := c.config(app, nowhere, broken)
	cfg.Kubernetes = append(cfg.Kubernetes, config.KubernetesCluster{Name: "broken", Kubeconfig: "/nonexistent"})
	l := watchLive(t, cfg)
	l.await("user", estate.CheckExternalSecrets, "not supported", failedAs(estate.NotSupported))
	l.await("user", estate.CheckWorkload, "read", fine)
	l.await("nowhere", estate.CheckWorkload, "missing", failedAs(estate.Missing))
	l.await("broken", estate.CheckWorkload, "misconfigured", failedAs(estate.Misconfigure))
}

func TestACutWatch(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	l := watchLive(t, c.config(userApp()))
	for _, check := range workloadChecks {
		l.await("user", check, "read", fine)
	}
	// Cut, and open again at once: nobody need know.
	c.cut()
	d := deployment("user")
	d.Status.ReadyReplicas = 1
	c.put("deployments", d)
	l.await("user", estate.CheckWorkload, "1 ready", ready(1))
	for _, o := range l.history() {
		if o.Failure != nil {
			t.Errorf("%s failed over a watch that was open again at once: %v", o.Key.Check, o.Failure)
		}
	}
	// Cut, and it stays away.
	c.change(func() { c.deny["list *"], c.deny["watch *"] = 503, 503 })
	c.cut()
	for _, check := range workloadChecks {
		o := l.await("user", check, "out of reach", failedAs(estate.OutOfReach))
		if o.Failure.Kind.Status() != estate.Unknown {
			t.Errorf("%s reads %s", check, o.Failure.Kind.Status())
		}
	}
	c.put("deployments", deployment("user"))
	c.change(func() { clear(c.deny) })
	l.await("user", estate.CheckWorkload, "2 ready again, by itself", ready(2))
}

// 410 Gone: old versions are forgotten, all is read anew, and nobody need know.
func TestAnExpiredWatch(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	l := watchLive(t, c.config(userApp()))
	l.await("user", estate.CheckWorkload, "read", fine)
	d := deployment("user")
	d.Status.ReadyReplicas = 0
	c.freeze("deployments")
	c.put("deployments", d)
	c.change(func() { c.oldest, c.epoch = c.version, c.epoch+1; clear(c.frozen) })
	l.await("user", estate.CheckWorkload, "0 ready", ready(0))
	for _, o := range l.history() {
		if o.Key.Check == estate.CheckWorkload && o.Failure != nil {
			t.Errorf("it failed over versions that were forgotten: %v", o.Failure)
		}
	}
	if n := c.count("list deployments"); n < 2 {
		t.Errorf("listed %d times, want anew after 410", n)
	}
}

// A watch that is open and tells nothing, while the API server knows more.
func TestALaggingWatch(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	l := watchLive(t, c.config(userApp()))
	l.await("user", estate.CheckWorkload, "read", ready(2))
	l.CheckNow("user") // nothing lags
	c.freeze("deployments", "secrets")
	d := deployment("user")
	d.Status.ReadyReplicas = 1
	c.put("deployments", d)
	c.remove("secrets", "db")
	time.Sleep(manualGap) // what is asked twice within it is asked once
	l.CheckNow("user")
	o := l.await("user", estate.CheckWorkload, "lagging", failedAs(estate.Lagging))
	if o.Failure.Kind.Status() != estate.Unknown || !strings.Contains(o.Failure.Detail, "user is at version") {
		t.Errorf("it reads %v", o.Failure)
	}
	o = l.await("user", estate.CheckWorkloadSecrets, "lagging", failedAs(estate.Lagging))
	if !strings.Contains(o.Failure.Detail, "db is gone there") {
		t.Errorf("it reads %v", o.Failure)
	}
	l.await("user", estate.CheckWorkloadPods, "read", fine)
	c.change(func() { clear(c.frozen) })
	l.await("user", estate.CheckWorkload, "up to date again", ready(1))
}

// An API server that no longer answers what is asked beside the watch, though the
// watch stays open.
func TestAWatchThatCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	c := newFakeCluster(t)
	c.usual()
	cfg := c.config(userApp())
	cfg.Checks.SlowEvery = 500 * time.Millisecond
	l := watchLive(t, cfg)
	l.await("user", estate.CheckWorkload, "read", fine)
	c.change(func() { c.deny["list *"] = 503 })
	o := l.await("user", estate.CheckWorkload, "in doubt", failedAs(estate.OutOfReach))
	if !strings.HasPrefix(o.Failure.Doing, "confirm the watch") {
		t.Errorf("it reads %v", o.Failure)
	}
	c.change(func() { clear(c.deny) })
	l.await("user", estate.CheckWorkload, "confirmed", fine)
}

// Doubt outlasts the end of a watch, and ends when another is open, unless what is
// doubted is that watches tell everything.
func TestDoubtAndTheEndOfAWatch(t *testing.T) {
	for kind, stays := range map[estate.FailureKind]bool{estate.Silent: false, estate.Lagging: true} {
		f := newFeed(pods, "prod", nil, nil, nil, func() {})
		f.store.synced = true
		f.begun(func() {})
		if ok, why := f.ready(time.Now()); !ok {
			t.Fatalf("an open watch is not ready: %v", why)
		}
		f.mu.Lock()
		f.doubted(&estate.Failure{Kind: kind})
		f.mu.Unlock()
		f.ended()
		if ok, why := f.ready(time.Now()); ok || why == nil || why.Kind != kind {
			t.Errorf("%s: after the watch ended it is ready %v, %v", kind, ok, why)
		}
		f.begun(func() {})
		if ok, _ := f.ready(time.Now()); ok == stays {
			t.Errorf("%s: with another watch open it is ready: %v", kind, ok)
		}
		f.judge(nil)
		f.ended()
		if ok, _ := f.ready(time.Now()); !ok {
			t.Errorf("%s: a watch that ended a moment ago counts as lost", kind)
		}
		if ok, why := f.ready(time.Now().Add(feedGrace + time.Second)); ok || why == nil || why.Kind != estate.OutOfReach {
			t.Errorf("%s: a watch that stays away is ready %v, %v", kind, ok, why)
		}
	}
}
