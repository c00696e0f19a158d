package estate

import (
	"strings"
	"testing"
	"time"
)

// A consumer that does not tell what it uses is judged by what its workload tells.
func TestAConsumerThatDoesNotTellIsJudgedByItsWorkload(t *testing.T) {
	app := Component{ID: "an", Name: "Analytics", Kind: KindApplication, Plane: Service, Workload: "prod/deployment/an", Secrets: []string{"db"}}
	external := func(every time.Duration, refreshed ...time.Time) Observation {
		var all []ExternalSecret
		for _, at := range refreshed {
			all = append(all, ExternalSecret{Name: "an-db", Target: "an-db", Ready: true, Reason: "SecretSynced", Refreshed: at, Every: every})
		}
		return saw("an", CheckExternalSecrets, "", ExternalSecrets{Secrets: all})
	}
	uses := func(u SecretUse) Observation {
		return saw("an", CheckWorkloadSecrets, "", WorkloadSecrets{Uses: []SecretUse{u}})
	}
	health := func(h Health) Observation {
		h.Code, h.Word, h.Connection, h.Retries = 200, "OK", "HEALTHY", -1
		return saw("an", CheckHealth, "", h)
	}
	late := external(time.Hour, ago(time.Minute), ago(33*day))
	old := late
	old.At = ago(time.Hour)
	older := SecretUse{Name: "an-db", How: []string{"envFrom"}, Changed: ago(2 * day), OlderPods: 2}
	absent := saw("an", CheckExternalSecrets, "", nil)
	absent.Failure = &Failure{Kind: NotSupported}
	for _, c := range []struct {
		name   string
		seen   []Observation
		value  string
		status Status
		sync   string
	}{
		{"nothing tells", nil, "ROTATED", OK, ""},
		{"refreshed before it rotated", []Observation{late}, "STALE", Warn, "33 days ago"},
		{"refreshed since", []Observation{external(time.Hour, ago(time.Minute))}, "ROTATED", OK, "1m ago"},
		{"the operator is not there", []Observation{absent}, "ROTATED", OK, ""},
		{"pods older than their Secret", []Observation{uses(older)}, "STALE", Warn, ""},
		{"pods that take it over", []Observation{uses(SecretUse{Name: "an-db", How: []string{"volume"}, Refreshes: true, Changed: ago(2 * day), OlderPods: 2})}, "ROTATED", OK, ""},
		{"pods that could not be read", []Observation{uses(SecretUse{Name: "an-db", How: []string{"env"}, OlderPods: -1})}, "ROTATED", OK, ""},
		{"an old answer proves nothing", []Observation{old}, "STALE", Unknown, "33 days ago"},
		{"health that tells neither", []Observation{health(Health{}), late}, "STALE", Warn, "33 days ago"},
		{"health that tells the version", []Observation{health(Health{Version: vNow}), late, uses(older)}, "ROTATED", OK, "33 days ago"},
		{"health that tells the last sync", []Observation{health(Health{LastSync: ago(2 * time.Hour)}), late}, "ROTATED", OK, "2h ago"},
	} {
		t.Run(c.name, func(t *testing.T) {
			described := saw("sm", CheckDescribe, "db", described("db", ago(3*day), in(11*day), SecretVersion{vNow, []Stage{StageCurrent}}))
			r := deriveAll(platform(app), append(c.seen, described)...)
			if f := fact(t, r, "an", "DB secret"); f.Value != c.value || f.Status != c.status {
				t.Errorf("%s %s (%s), want %s %s", f.Value, f.Status, f.Note, c.value, c.status)
			}
			one, _ := r.Of("an")
			if c.status == Warn && one.Status < Warn {
				t.Errorf("the application is %s %s", one.Status, one.Word)
			}
			sync := ""
			for _, f := range one.Facts {
				if f.Name == "Last sync" {
					sync = f.Value
				}
			}
			if sync != c.sync {
				t.Errorf("last sync %q, want %q", sync, c.sync)
			}
		})
	}
	// A stuck rotation is not hidden by it.
	stuck := saw("sm", CheckDescribe, "db", described("db", ago(3*day), ago(day), SecretVersion{vNow, []Stage{StageCurrent}}))
	if f := fact(t, deriveAll(platform(app), late, stuck), "an", "DB secret"); f.Value != "OVERDUE" || f.Status != Fail {
		t.Errorf("%s %s", f.Value, f.Status)
	}
}

// What a monitor or store cannot read is unknown to it, and no failure of its own;
// what was read to be bad stays bad.
func TestAReadThatFailsIsNoFailureOfTheMonitor(t *testing.T) {
	rests := map[string]ID{CheckRotationEvents: "rm", CheckTrails: "store", CheckFailedAuths: "am", CheckVaultSeal: "store",
		CheckVaultAudit: "store", CheckVaultStaticRoles: "rm", CheckDescribe: "xm", CheckInventory: "xm", CheckAuthFailures: "am"}
	all := append(watched(), healthy()...)
	for _, o := range all {
		id, concerned := rests[o.Key.Check]
		if !concerned {
			continue
		}
		for _, kind := range []FailureKind{Refused, ServerError, BadAnswer, Missing, Denied} {
			for _, before := range []bool{true, false} {
				var base []Observation
				for _, other := range all {
					if before || other.Key != o.Key {
						base = append(base, other)
					}
				}
				bad := denied(o.Key.Component, o.Key.Check, o.Key.Item)
				bad.Failure.Kind = kind
				r := reading(t, world(controlled(), base, []Observation{bad}), id)
				if r.Status != Unknown {
					t.Errorf("%s of %v, read before %v: %s is %s %s: %s", kind, o.Key, before, id, r.Status, r.Word, r.Reason)
				}
			}
		}
	}
	bad := saw("am", CheckFailedAuths, "db", FailedAuths{Source: "db", Window: time.Hour, Failed: 70, Total: 100, Earlier: []float64{70}})
	refused := denied("am", CheckFailedAuths, "db")
	refused.Failure.Kind = Refused
	if r := reading(t, world(controlled(), healthy(), watched(), []Observation{bad, refused}), "am"); r.Status != Fail {
		t.Errorf("what was proven is %s %s", r.Status, r.Word)
	}
	disabled := saw("vault", CheckVaultAudit, "", VaultAudit{})
	down := denied("vault", CheckVaultAudit, "")
	down.Failure.Kind = Refused
	if r := reading(t, world(controlled(), healthy(), watched(), []Observation{disabled, down}), "store"); r.Status != Fail {
		t.Errorf("an audit that was off is %s %s", r.Status, r.Word)
	}
}

// Two reads tell whether Vault is sealed: the newer counts, for both figures.
func TestTheNewerReadOfTheSealCounts(t *testing.T) {
	health := func(sealed bool, age time.Duration) Observation {
		o := saw("v1", CheckVaultHealth, "", VaultHealth{Initialized: true, Sealed: sealed, Code: 200})
		o.At = ago(age)
		return o
	}
	seal := func(sealed bool, age time.Duration) Observation {
		o := saw("v1", CheckVaultSeal, "", VaultSeal{Initialized: true, Sealed: sealed, Threshold: 3, Storage: "raft"})
		o.At = ago(age)
		return o
	}
	const young, older = 2 * time.Second, 8 * time.Second
	for name, c := range map[string]struct {
		last                []Observation
		seal, health, state string
		status              Status
	}{
		"sealed, by health first":       {[]Observation{health(true, young), seal(false, older)}, "SEALED", "SEALED", "SEALED", Fail},
		"sealed, by its seal first":     {[]Observation{health(false, older), seal(true, young)}, "SEALED", "SEALED", "SEALED", Fail},
		"at the same time":              {[]Observation{health(false, older), seal(true, older)}, "SEALED", "SEALED", "SEALED", Fail},
		"both sealed":                   {[]Observation{health(true, young), seal(true, older)}, "SEALED", "SEALED", "SEALED", Fail},
		"unsealed, by health first":     {[]Observation{health(false, young), seal(true, older)}, "UNSEALED", "HEALTHY", "HEALTHY", OK},
		"unsealed, by its seal first":   {[]Observation{health(true, older), seal(false, young)}, "UNSEALED", "STARTING", "STARTING", Warn},
		"sealed, and the seal is quiet": {[]Observation{health(true, young), failed("v1", CheckVaultSeal, Silent)}, "SEALED", "SEALED", "SEALED", Fail},
	} {
		r := vaultSays(t, c.last...)
		if f := fact(t, r, "v1", "Seal status"); f.Value != c.seal {
			t.Errorf("%s: seal %s %s", name, f.Value, f.Status)
		}
		if f := fact(t, r, "v1", "Health"); f.Value != c.health {
			t.Errorf("%s: health %s %s (%s)", name, f.Value, f.Status, f.Note)
		}
		if one, _ := r.Of("v1"); one.Word != c.state || one.Status != c.status {
			t.Errorf("%s: %s %s: %s", name, one.Status, one.Word, one.Reason)
		}
	}
}

// While a rotation hangs or failed last, the alert is not CLEAR.
func TestAHangingRotationIsAlerted(t *testing.T) {
	stuck := described("key", ago(20*day), in(day), SecretVersion{vNew, []Stage{StagePending}}, SecretVersion{vNow, []Stage{StageCurrent}})
	stuck.PendingSince = ago(day)
	events := func(last ...RotationEvent) Observation {
		return saw("rm", CheckRotationEvents, "main", RotationEvents{Account: "main", Window: day, Succeeded: 100, Failed: 1, Events: last})
	}
	end := func(what RotationOutcome, age time.Duration) RotationEvent {
		return RotationEvent{At: ago(age), What: what, Secret: "key", Error: "x"}
	}
	role := VaultStaticRole{Mount: "database/", Name: "s", LastRotation: ago(3 * day), Period: 2 * day, Due: ago(day)}
	critical := described("db", ago(20*day), in(day), SecretVersion{vNew, []Stage{StagePending}}, SecretVersion{vNow, []Stage{StageCurrent}})
	critical.PendingSince = ago(day)
	unread := denied("sm", CheckDescribe, "key")
	for _, c := range []struct {
		name  string
		last  []Observation
		alert string
		state Status
		says  string
	}{
		{"nothing hangs", []Observation{events()}, "CLEAR", OK, ""},
		{"AWSPENDING of a secret that is not critical", []Observation{saw("sm", CheckDescribe, "key", stuck)}, "WARNING", Warn, "key: FAILED"},
		{"overdue", []Observation{saw("sm", CheckDescribe, "key", described("key", ago(20*day), ago(day)))}, "WARNING", Warn, "key: OVERDUE"},
		{"failed last", []Observation{events(end(RotationFailed, time.Hour))}, "WARNING", Warn, "key: its last rotation failed"},
		{"succeeded since", []Observation{events(end(RotationSucceeded, time.Minute), end(RotationFailed, time.Hour))}, "CLEAR", OK, ""},
		{"rotated since, by the store", []Observation{events(end(RotationFailed, 3*time.Hour))}, "CLEAR", OK, ""},
		{"a role hangs", []Observation{events(), saw("vault", CheckVaultStaticRoles, "", VaultStaticRoles{Roles: []VaultStaticRole{role}})}, "WARNING", Warn, "database/s: stuck"},
		{"a critical one", []Observation{saw("sm", CheckDescribe, "db", critical)}, "CRITICAL", Fail, "critical: db"},
		{"one that cannot be read", []Observation{unread}, "?", Unknown, "not authorised"},
		{"one that cannot be read, and one hangs", []Observation{unread, events(), saw("vault", CheckVaultStaticRoles, "", VaultStaticRoles{Roles: []VaultStaticRole{role}})}, "WARNING", Unknown, "database/s: stuck"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.last {
				c.last[i].At = noon
			}
			// The key was last rotated two hours ago.
			r := Derive(world(controlled(), healthy(), watched(), c.last), noon)
			if f := fact(t, r, "rm", "Alert status"); f.Value != c.alert || f.Status != c.state || !strings.Contains(f.Note, c.says) {
				t.Errorf("%s %s (%s)", f.Value, f.Status, f.Note)
			}
		})
	}
}

// The word of the box is that of the secret which its reason names.
func TestAStuckRotationIsNamedBeforeALateOne(t *testing.T) {
	stuck := described("token", ago(15*day), in(day), SecretVersion{vNew, []Stage{StagePending}}, SecretVersion{vNow, []Stage{StageCurrent}})
	stuck.PendingSince = ago(day)
	late := saw("sm", CheckDescribe, "key", described("key", ago(40*day), ago(26*day), SecretVersion{vNow, []Stage{StageCurrent}}))
	critical := saw("sm", CheckDescribe, "db", described("db", ago(20*day), ago(day), SecretVersion{vNow, []Stage{StageCurrent}}))
	for _, c := range []struct {
		name        string
		seen        []Observation
		value, says string
	}{
		{"stuck and late", []Observation{late, saw("sm", CheckDescribe, "token", stuck)}, "FAILED", "worst token: AWSPENDING stuck"},
		{"late alone", []Observation{late}, "OVERDUE", "worst key: was due"},
		{"a critical one that is late", []Observation{critical, saw("sm", CheckDescribe, "token", stuck)}, "OVERDUE", "worst db: was due"},
	} {
		r := Derive(snapshot(healthy(), c.seen), noon)
		if f := fact(t, r, "sm", "Rotation status"); f.Value != c.value || f.Status != Fail || !strings.Contains(f.Note, c.says) {
			t.Errorf("%s: %s %s (%s)", c.name, f.Value, f.Status, f.Note)
		}
	}
}

func TestAFunctionWithoutLogGroupOrRole(t *testing.T) {
	gone := func(check, detail string) Observation {
		o := saw("fn", check, "", nil)
		o.Failure = &Failure{Kind: Missing, Detail: detail}
		return o
	}
	var fresh []Observation
	for _, o := range healthy() {
		if o.Key.Check != CheckFunctionLogs {
			fresh = append(fresh, o)
		}
	}
	r := Derive(snapshot(fresh, []Observation{gone(CheckFunctionLogs, "ResourceNotFoundException")}), noon)
	if f := fact(t, r, "fn", "Error"); f.Value != "has not logged" || f.Status != NA || !strings.Contains(f.Note, "4 runs") {
		t.Errorf("%s %s (%s)", f.Value, f.Status, f.Note)
	}
	if one, _ := r.Of("fn"); one.Status != OK {
		t.Errorf("%s %s: %s", one.Status, one.Word, one.Reason)
	}
	r = Derive(snapshot(healthy(), []Observation{gone(CheckPermissions, "NoSuchEntity: the role cannot be found")}), noon)
	if f := fact(t, r, "fn", "Role may"); f.Value != "role missing" || f.Status != Fail {
		t.Errorf("%s %s (%s)", f.Value, f.Status, f.Note)
	}
	if one, _ := r.Of("fn"); one.Word != "ROLE MISSING" {
		t.Errorf("%s %s: %s", one.Status, one.Word, one.Reason)
	}
	r = Derive(snapshot(healthy(), []Observation{gone(CheckPermissions, "ResourceNotFoundException: no such secret")}), noon)
	if f := fact(t, r, "fn", "Role may"); f.Value != "MISSING" || f.Status != Fail {
		t.Errorf("not the role: %s %s", f.Value, f.Status)
	}
}

// READING stands only until something was tried, also by others.
func TestReadingEndsWithTheFirstRefusal(t *testing.T) {
	topo := controlled(func(t *Topology) {
		for i := range t.Components {
			if t.Components[i].ID == "store" {
				t.Components[i].Sources = []string{"v"}
			}
		}
	})
	expect := func(checks ...string) *Snapshot {
		var all []Expectation
		for _, check := range checks {
			all = append(all, Expectation{Key: Key{"vault", check, ""}, Source: check, Interval: 15 * time.Second})
		}
		return NewSnapshot(topo, all)
	}
	s := expect(CheckVaultSeal, CheckVaultAudit)
	if r := reading(t, s, "store"); r.Word != "READING" || r.Status != Unknown {
		t.Errorf("never tried: %s %s", r.Status, r.Word)
	}
	refused := denied("vault", CheckVaultAudit, "")
	refused.Failure.Kind = NoIdentity
	if r := reading(t, s.With(refused), "store"); r.Word != "NOT READ" || r.Status != Unknown {
		t.Errorf("refused: %s %s: %s", r.Status, r.Word, r.Reason)
	}
	// What another component's secret is read with counts for the next one too.
	s = NewSnapshot(topo, []Expectation{{Key: Key{"sm", CheckDescribe, "db"}}, {Key: Key{"sm", CheckDescribe, "key"}}, {Key: Key{"sm", CheckDescribe, "token"}}})
	if r := reading(t, s, "xm"); r.Word != "READING" {
		t.Errorf("never tried: %s %s", r.Status, r.Word)
	}
	if r := reading(t, s.With(denied("sm", CheckDescribe, "db")), "xm"); r.Word != "NOT READ" {
		t.Errorf("refused: %s %s", r.Status, r.Word)
	}
}
