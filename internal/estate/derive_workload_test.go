package estate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// platform is an estate of one application of each sort and a job, with what they
// connect to.
func platform(more ...Component) *Topology {
	t := &Topology{
		Components: append([]Component{
			{ID: "sm", Name: "Secrets Manager", Kind: KindSecretsManager, Plane: Service},
			{ID: "app", Name: "App", Kind: KindApplication, Plane: Service, Workload: "prod/deployment/app"},
			{ID: "svc", Name: "Service", Kind: KindApplication, Plane: Service, Workload: "app.service"},
			{ID: "job", Name: "Job", Kind: KindScheduledJob, Plane: Service, Workload: "prod/rotate", Secrets: []string{"db"}},
			{ID: "pg", Name: "Primary", Kind: KindPostgres, Plane: State, Secrets: []string{"db"}},
			{ID: "api", Name: "API", Kind: KindExternalAPI, Plane: State, Secrets: []string{"key"}},
		}, more...),
		Secrets: []StoredSecret{{ID: "db", Store: "sm", Type: TypeDatabase}, {ID: "key", Store: "sm", Type: TypeAPIKey}},
		Rules:   Rules{ClockSkewWarn: 30 * time.Second, SyncWarn: day},
	}
	return t.Index()
}

func deriveAll(t *Topology, seen ...Observation) *Readings {
	var expected []Expectation
	for _, o := range seen {
		expected = append(expected, Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
	}
	return Derive(NewSnapshot(t, expected).With(seen...), noon)
}

// steady is a workload, a unit and a job with which nothing is wrong.
func steady() []Observation {
	return []Observation{
		saw("app", CheckWorkload, "", Workload{Kind: "Deployment", Name: "app", Desired: 3, Updated: 3, Ready: 3, Available: 3, Generation: 2, Observed: 2, Revision: "4"}),
		saw("app", CheckWorkloadPods, "", WorkloadPods{Running: 3, Restarts: 2, LastRestart: ago(3 * time.Hour), Oldest: ago(day), Newest: ago(day)}),
		saw("app", CheckWorkloadSecrets, "", WorkloadSecrets{Uses: []SecretUse{
			{Name: "db", How: []string{"env"}, Changed: ago(2 * day), From: "managedFields"}, {Name: "tls", How: []string{"volume"}, Refreshes: true, Changed: ago(time.Hour)}}}),
		saw("app", CheckWorkloadEvents, "", WorkloadEvents{Window: time.Hour}),
		saw("app", CheckExternalSecrets, "", ExternalSecrets{Secrets: []ExternalSecret{{Name: "db", Target: "db", Ready: true, Reason: "SecretSynced", Refreshed: ago(30 * time.Minute), Every: time.Hour}}}),
		saw("app", CheckRevisions, "", Revisions{Revisions: []Revision{{At: ago(day), Number: 4, Name: "app-b", Note: "restart"}, {At: ago(2 * day), Number: 3, Name: "app-a"}}}),
		saw("svc", CheckUnit, "", Unit{Name: "app.service", Load: "loaded", Active: "active", Sub: "running", Result: "success", Started: ago(time.Hour), Changed: ago(time.Hour),
			Secrets: []UnitSecret{{Name: "/etc/app.env", How: "EnvironmentFile", Changed: ago(2 * time.Hour)}}}),
		saw("job", CheckJob, "", Job{Name: "prod/rotate", Schedule: "0 */6 * * *", Last: ago(2 * time.Hour), LastSuccess: ago(2 * time.Hour), LastResult: "succeeded", Next: in(4 * time.Hour), Period: 6 * time.Hour}),
	}
}

func TestASteadyPlatformIsOK(t *testing.T) {
	r := deriveAll(platform(), steady()...)
	for _, id := range []ID{"app", "svc", "job"} {
		if one, _ := r.Of(id); one.Status != OK {
			t.Errorf("%s is %s %s: %s", id, one.Status, one.Word, one.Reason)
		}
	}
	for _, x := range []struct {
		id    ID
		name  string
		value string
		head  bool
	}{
		{"app", "Workload", "3/3 ready", true}, {"app", "Pods", "3 running, 0 not ready", false}, {"app", "Restarts", "2", false},
		{"app", "Secret db", "env", false}, {"app", "ExternalSecret db", "SYNCED", false}, {"app", "Warning events", "0 in 1h", false}, {"app", "Revision", "4, 24h ago", false},
		{"svc", "Unit", "ACTIVE", true}, {"svc", "Secret /etc/app.env", "EnvironmentFile", false},
		{"job", "Last run", "SUCCEEDED 2h ago", true}, {"job", "Schedule", "0 */6 * * *", true}, {"job", "Next", "in 4h", true}, {"job", "Last success", "2h ago", false},
	} {
		if f := fact(t, r, x.id, x.name); f.Value != x.value || f.Headline != x.head || f.Source == "" {
			t.Errorf("%s %s: %q headline %v source %q, want %q %v", x.id, x.name, f.Value, f.Headline, f.Source, x.value, x.head)
		}
	}
}

func TestHowARolloutStands(t *testing.T) {
	whole := Workload{Desired: 3, Updated: 3, Ready: 3, Available: 3, Generation: 2, Observed: 2}
	for _, x := range []struct {
		name   string
		change func(*Workload)
		word   string
		status Status
	}{
		{"whole", func(*Workload) {}, "", OK},
		{"stuck", func(w *Workload) { w.Updated, w.Progress = 1, "ProgressDeadlineExceeded" }, "STUCK", Fail},
		{"stuck and paused", func(w *Workload) { w.Paused, w.Progress = true, "ProgressDeadlineExceeded" }, "STUCK", Fail},
		{"down", func(w *Workload) { w.Ready = 0 }, "DOWN", Fail},
		{"scaled to nothing", func(w *Workload) { w.Desired, w.Ready, w.Updated = 0, 0, 0 }, "NONE WANTED", Warn},
		{"paused", func(w *Workload) { w.Paused = true }, "PAUSED", Warn},
		{"not looked at", func(w *Workload) { w.Generation = 3 }, "ROLLING", Warn},
		{"rolling", func(w *Workload) { w.Updated = 1 }, "ROLLING", Warn},
		{"one not ready", func(w *Workload) { w.Ready = 2 }, "DEGRADED", Warn},
		{"on delete, all new", func(w *Workload) { w.OnDelete, w.Revision, w.UpdateRevision = true, "a", "b" }, "", OK},
		{"on delete, old ones stay", func(w *Workload) { w.OnDelete, w.Updated = true, 1 }, "ON DELETE", Warn},
		{"partition holds", func(w *Workload) { w.Partition, w.Updated, w.Revision, w.UpdateRevision = 2, 1, "a", "b" }, "PARTITIONED", Warn},
		{"rolling beyond its partition", func(w *Workload) { w.Partition, w.Updated = 1, 1 }, "ROLLING", Warn},
		{"set between revisions", func(w *Workload) { w.Revision, w.UpdateRevision = "a", "b" }, "ROLLING", Warn},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := whole
			x.change(&w)
			word, status, note := rollout(w)
			if word != x.word || status != x.status || status > OK && note == "" {
				t.Errorf("%q %s (%s), want %q %s", word, status, note, x.word, x.status)
			}
			r := deriveAll(platform(), append(steady(), saw("app", CheckWorkload, "", w))...)
			one, _ := r.Of("app")
			if one.Status != x.status || x.word != "" && one.Word != x.word {
				t.Errorf("the application is %s %s (%s)", one.Status, one.Word, one.Reason)
			}
		})
	}
}

func TestWhatAWorkloadLacks(t *testing.T) {
	use := func(u SecretUse) Observation {
		return saw("app", CheckWorkloadSecrets, "", WorkloadSecrets{Uses: []SecretUse{u}})
	}
	failing := func(check string, kind FailureKind) Observation {
		o := saw("app", check, "", nil)
		o.Failure = &Failure{Kind: kind, Detail: "why"}
		return o
	}
	for _, x := range []struct {
		name   string
		seen   Observation
		fact   string
		value  string
		status Status
		word   string
		says   string
	}{
		{"pods older than the Secret", use(SecretUse{Name: "db", How: []string{"env"}, Changed: ago(2 * time.Hour), OlderPods: 2}), "Secret db", "env", Warn, "RESTART DUE", "2 pods started before it changed 2h ago and do not take it over: restart prod/deployment/app"},
		{"missing", use(SecretUse{Name: "db", How: []string{"env"}, Missing: true}), "Secret db", "env: MISSING", Fail, "SECRET MISSING", "do not come up"},
		{"optional and missing", use(SecretUse{Name: "db", How: []string{"env"}, Missing: true, Optional: true}), "Secret db", "env", OK, "HEALTHY", "optional"},
		{"pods not read", use(SecretUse{Name: "db", How: []string{"env"}, Changed: ago(time.Hour), OlderPods: -1}), "Secret db", "env", Unknown, "NOT READ", "could not be read"},
		{"secrets denied", failing(CheckWorkloadSecrets, Denied), "Secrets consumed", "?", Unknown, "NOT READ", "why"},
		{"no operator", failing(CheckExternalSecrets, NotSupported), "ExternalSecrets", "N/A", NA, "HEALTHY", "not installed"},
		{"not synced", saw("app", CheckExternalSecrets, "", ExternalSecrets{Secrets: []ExternalSecret{{Name: "db", Target: "db", Reason: "SecretSyncedError", Message: "denied"}}}), "ExternalSecret db", "NOT SYNCED", Fail, "NOT SYNCED", "SecretSyncedError: denied"},
		{"not refreshed", saw("app", CheckExternalSecrets, "", ExternalSecrets{Secrets: []ExternalSecret{{Name: "db", Target: "db", Ready: true, Refreshed: ago(5 * time.Hour), Every: time.Hour}}}), "ExternalSecret db", "SYNCED", Warn, "NOT SYNCED", "due every 1h"},
		{"created once", saw("app", CheckExternalSecrets, "", ExternalSecrets{Secrets: []ExternalSecret{{Name: "db", Target: "db", Ready: true, Refreshed: ago(50 * day)}}}), "ExternalSecret db", "SYNCED", OK, "HEALTHY", "does not refresh by itself"},
		{"containers wait", saw("app", CheckWorkloadPods, "", WorkloadPods{Running: 3, NotReady: 1, Waiting: []string{"CrashLoopBackOff"}}), "Waiting containers", "CrashLoopBackOff", Warn, "DEGRADED", ""},
		{"restarts of late", saw("app", CheckWorkloadPods, "", WorkloadPods{Running: 3, Restarts: 9, LastRestart: ago(5 * time.Minute)}), "Restarts", "9", Warn, "DEGRADED", "5m ago"},
		{"events", saw("app", CheckWorkloadEvents, "", WorkloadEvents{Window: time.Hour, Events: []WorkloadEvent{{At: ago(time.Minute), Count: 4, Reason: "BackOff", Object: "Pod/x", Text: "again"}}}), "Event 1", "BackOff, 4 times", NA, "DEGRADED", "Pod/x: again"},
		{"gone", failing(CheckWorkload, Missing), "Workload", "MISSING", Fail, "MISSING", "why"},
		{"the cluster is down", failing(CheckWorkload, OutOfReach), "Workload", "?", Unknown, "NOT READ", "out of reach"},
		{"the watch lags", failing(CheckWorkload, Lagging), "Workload", "?", Unknown, "NOT READ", "the watch lags"},
	} {
		t.Run(x.name, func(t *testing.T) {
			seen := steady()
			i := slices.IndexFunc(seen, func(o Observation) bool { return o.Key == x.seen.Key })
			seen[i] = x.seen
			r := deriveAll(platform(), seen...)
			f := fact(t, r, "app", x.fact)
			if f.Value != x.value || f.Status != x.status || !strings.Contains(f.Note, x.says) {
				t.Errorf("%s: %q %s (%s), want %q %s (%s)", x.fact, f.Value, f.Status, f.Note, x.value, x.status, x.says)
			}
			if one, _ := r.Of("app"); one.Word != x.word {
				t.Errorf("the application is %s (%s), want %s", one.Word, one.Reason, x.word)
			}
		})
	}
}

// While its watch lags, is cut or may not be read, the last good figures stay and
// are not called good.
func TestTheLastGoodFiguresOfAWatchStay(t *testing.T) {
	for _, kind := range []FailureKind{Lagging, OutOfReach, Denied, Silent} {
		later := saw("app", CheckWorkload, "", nil)
		later.At, later.Failure = noon, &Failure{Kind: kind, Detail: "user is at version 7 there and 5 here"}
		var expected []Expectation
		for _, o := range steady() {
			expected = append(expected, Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
		}
		r := Derive(NewSnapshot(platform(), expected).With(steady()...).With(later), noon)
		f := fact(t, r, "app", "Workload")
		if f.Value != "3/3 ready" || f.Status != Unknown || !f.Failed || !strings.Contains(f.Note, "version 7 there") {
			t.Errorf("%s: %+v", kind, f)
		}
	}
}

func TestHowAUnitStands(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(*Unit)
		value  string
		status Status
		word   string
	}{
		{"active", func(*Unit) {}, "ACTIVE", OK, "HEALTHY"},
		{"failed", func(u *Unit) { u.Active, u.Sub, u.Result, u.ExitCode = "failed", "failed", "exit-code", 1 }, "FAILED", Fail, "FAILED"},
		{"stopped", func(u *Unit) { u.Active, u.Sub = "inactive", "dead" }, "INACTIVE", Fail, "INACTIVE"},
		{"crash loop", func(u *Unit) { u.Active, u.Sub = "activating", "auto-restart" }, "RESTARTING", Fail, "RESTARTING"},
		{"starting", func(u *Unit) { u.Active, u.Sub = "activating", "start" }, "ACTIVATING", Warn, "ACTIVATING"},
		{"unknown to systemd", func(u *Unit) { u.Load, u.Active = "not-found", "inactive" }, "NOT FOUND", Fail, "NOT FOUND"},
		{"masked", func(u *Unit) { u.Load = "masked" }, "MASKED", Fail, "MASKED"},
		{"bad unit file", func(u *Unit) { u.Load = "bad-setting" }, "NOT LOADED", Fail, "NOT LOADED"},
		{"another state", func(u *Unit) { u.Active = "odd" }, "?", Unknown, "?"},
		{"file changed after the start", func(u *Unit) { u.Secrets[0].Changed = ago(time.Minute) }, "ACTIVE", OK, "RESTART DUE"},
		{"file gone", func(u *Unit) { u.Secrets[0].Missing = true }, "ACTIVE", OK, "SECRET MISSING"},
		{"file's age not known", func(u *Unit) { u.Secrets[0].Changed = time.Time{} }, "ACTIVE", OK, "NOT READ"},
	} {
		t.Run(x.name, func(t *testing.T) {
			u := Unit{Name: "app.service", Load: "loaded", Active: "active", Sub: "running", Result: "success", Started: ago(time.Hour), Changed: ago(time.Hour),
				Secrets: []UnitSecret{{Name: "/etc/app.env", How: "EnvironmentFile", Changed: ago(2 * time.Hour)}}}
			x.change(&u)
			r := deriveAll(platform(), saw("svc", CheckUnit, "", u))
			if f := fact(t, r, "svc", "Unit"); f.Value != x.value || f.Status != x.status {
				t.Errorf("unit %q %s (%s), want %q %s", f.Value, f.Status, f.Note, x.value, x.status)
			}
			if one, _ := r.Of("svc"); one.Word != x.word {
				t.Errorf("the application is %s %s (%s), want %s", one.Status, one.Word, one.Reason, x.word)
			}
		})
	}
}

func TestHowAJobStands(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(*Job)
		last   string
		status Status
		word   string
	}{
		{"well", func(*Job) {}, "SUCCEEDED 2h ago", OK, "HEALTHY"},
		{"failed", func(j *Job) { j.LastResult, j.Reason, j.Failures = "failed", "BackoffLimitExceeded", 3 }, "FAILED 2h ago", Fail, "FAILED"},
		{"running", func(j *Job) { j.LastResult, j.Running = "running", 1 }, "RUNNING since 2h", OK, "HEALTHY"},
		{"never", func(j *Job) { j.Last, j.LastSuccess, j.LastResult = time.Time{}, time.Time{}, "" }, "NEVER", Warn, "NEVER RAN"},
		{"ended, nobody knows how", func(j *Job) { j.LastResult = "" }, "? 2h ago", Unknown, "?"},
		{"suspended", func(j *Job) { j.Suspended, j.Next = true, time.Time{} }, "SUCCEEDED 2h ago", Warn, "SUSPENDED"},
		{"last success two periods ago", func(j *Job) { j.LastSuccess = ago(13 * time.Hour) }, "SUCCEEDED 2h ago", Warn, "OVERDUE"},
		{"schedule that cannot be read", func(j *Job) { j.Next, j.Period = time.Time{}, 0 }, "SUCCEEDED 2h ago", Unknown, "NOT READ"},
		{"did not start when it was due", func(j *Job) { j.Next = ago(time.Hour) }, "SUCCEEDED 2h ago", Warn, "DEGRADED"},
	} {
		t.Run(x.name, func(t *testing.T) {
			j := Job{Name: "prod/rotate", Schedule: "0 */6 * * *", Last: ago(2 * time.Hour), LastSuccess: ago(2 * time.Hour), LastResult: "succeeded", Next: in(4 * time.Hour), Period: 6 * time.Hour}
			x.change(&j)
			r := deriveAll(platform(), saw("job", CheckJob, "", j))
			if f := fact(t, r, "job", "Last run"); f.Value != x.last {
				t.Errorf("last run %q (%s), want %q", f.Value, f.Note, x.last)
			}
			if one, _ := r.Of("job"); one.Status != x.status || one.Word != x.word {
				t.Errorf("the job is %s %s (%s), want %s %s", one.Status, one.Word, one.Reason, x.status, x.word)
			}
		})
	}
}

// Without a health endpoint its connection is judged by what it connects to, and
// says so.
func TestAConnectionByWhatItConnectsTo(t *testing.T) {
	try := func(stage Stage, secret string, outcome LoginOutcome) Observation {
		l := login(stage, vNow, outcome, "")
		l.Secret = secret
		return saw("pg", CheckLogin, string(stage), l)
	}
	down := saw("pg", CheckLogin, string(StageCurrent), nil)
	down.Failure = &Failure{Kind: Refused, Detail: "connection refused"}
	for _, x := range []struct {
		name   string
		uses   ID
		secret string
		seen   []Observation
		value  string
		status Status
		says   string
	}{
		{"taken", "pg", "db", []Observation{try(StageCurrent, "db", LoginAccepted)}, "HEALTHY", OK, "by the login of Primary with db"},
		{"refused", "pg", "db", []Observation{try(StageCurrent, "db", LoginWrong)}, "FAILED", Fail, "refused"},
		{"the previous one is taken", "pg", "db", []Observation{try(StageCurrent, "db", LoginWrong), try(StagePrevious, "db", LoginAccepted)}, "FAILED", Fail, "AWSPREVIOUS is taken"},
		{"session refused", "pg", "db", []Observation{try(StageCurrent, "db", LoginBarred)}, "BARRED", Fail, "the password is right"},
		{"too busy to say", "pg", "db", []Observation{try(StageCurrent, "db", LoginBusy)}, "?", Unknown, ""},
		{"another secret", "pg", "key", []Observation{try(StageCurrent, "db", LoginAccepted)}, "?", Unknown, "none of its secrets"},
		{"no connection", "pg", "db", []Observation{down}, "NO CONNECTION", Fail, "connection refused"},
		{"nothing read", "pg", "db", nil, "?", Unknown, ""},
		{"key taken", "api", "key", []Observation{saw("api", CheckAPI, "", APIProbe{Secret: "key", Code: 200, RateLimit: -1, RateRemaining: -1})}, "HEALTHY", OK, "answers 200"},
		{"key refused", "api", "key", []Observation{saw("api", CheckAPI, "", APIProbe{Secret: "key", Code: 401})}, "FAILED", Fail, "answers 401"},
		{"throttled", "api", "key", []Observation{saw("api", CheckAPI, "", APIProbe{Secret: "key", Code: 429})}, "DEGRADED", Warn, "answers 429"},
		{"something that cannot tell", "sm", "key", nil, "?", Unknown, "cannot tell"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := Component{ID: "x", Name: "X", Kind: KindApplication, Plane: Service, Secrets: []string{x.secret}, Uses: x.uses}
			f := fact(t, deriveAll(platform(c), x.seen...), "x", "Connection")
			if f.Value != x.value || f.Status != x.status || !strings.Contains(f.Note, x.says) || !f.Headline {
				t.Errorf("%q %s (%s), want %q %s (%s)", f.Value, f.Status, f.Note, x.value, x.status, x.says)
			}
			if !strings.Contains(f.Formula, "not its own word") {
				t.Errorf("it does not say whose word it is: %q", f.Formula)
			}
		})
	}
}

func TestRetriesFromAMetric(t *testing.T) {
	for value, status := range map[float64]Status{0: OK, 45: Warn} {
		r := deriveAll(platform(), append(steady(), saw("app", CheckRetries, "", Gauge{Value: value, Query: "sum(retries)"}))...)
		f := fact(t, r, "app", "Retry attempts")
		if f.Value != whole(value) || f.Status != status || f.Formula != "sum(retries)" || f.Headline != (value > 0) {
			t.Errorf("%v retries read %+v", value, f)
		}
	}
}

// Whatever read of a workload, unit or job fails, its component is not OK.
func TestNoFailedWatchIsOK(t *testing.T) {
	kinds := []FailureKind{Denied, NoIdentity, Silent, Unresolved, Throttled, Broken, Refused, ServerError, BadAnswer, Missing, Misconfigure, OutOfReach, Lagging}
	all := steady()
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
		bad := all[i]
		bad.Data, bad.Failure = nil, &Failure{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Detail: "y"}
		seen := slices.Clone(all)
		seen[i] = bad
		r := deriveAll(platform(), seen...)
		if rapid.Bool().Draw(t, "read before") {
			bad.At = noon
			r = deriveAll(platform(), append(slices.Clone(all), bad)...)
		}
		got, _ := r.Of(bad.Key.Component)
		if got.Status == OK || got.Status == NA || got.Word == "HEALTHY" {
			t.Fatalf("%s of %v: %s %s", bad.Failure.Kind, bad.Key, got.Status, got.Word)
		}
	})
}
