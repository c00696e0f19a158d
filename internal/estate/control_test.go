package estate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// controlled is an estate with monitors, a store, its account and a Vault.
func controlled(change ...func(*Topology)) *Topology {
	t := topology()
	for i := range t.Components {
		switch c := &t.Components[i]; c.Kind {
		case KindSecretsManager, KindRotationFunction, KindKeys, KindGateway:
			c.System = "main"
		case KindVault:
			c.System, c.Unread = "v", ""
		}
	}
	t.Components = append(t.Components,
		Component{ID: "store", Name: "Secret Store", Plane: State, Kind: KindSecretStore, Sources: []string{"main", "v"}},
		Component{ID: "rm", Name: "Rotation Monitor", Plane: Control, Kind: KindRotationMonitor, Sources: []string{"main"}},
		Component{ID: "xm", Name: "Secret Monitor", Plane: Control, Kind: KindSecretMonitor},
		Component{ID: "am", Name: "Access Monitor", Plane: Control, Kind: KindAccessMonitor, Sources: []string{"db"}, Of: []ID{"pg1"}},
	)
	r := &t.Rules
	r.RotationWarn, r.RotationFail, r.AnomalyFactor, r.AnomalyFloor, r.RotationWindow, r.ChangesWindow = 0.95, 0.8, 3, 10, day, day
	for _, f := range change {
		f(t)
	}
	return t.Index()
}

var goodTrail = Trail{Name: "org", MultiRegion: true, Logging: true, Management: "all", Validated: true, Delivered: ago(5 * time.Minute)}

// watched is what the monitors rest on where nothing is wrong.
func watched() []Observation {
	return []Observation{
		saw("rm", CheckRotationEvents, "main", RotationEvents{Account: "main", Window: day, Started: 20, Succeeded: 20}),
		saw("rm", CheckChanges, "main", Changes{Account: "main", Window: day}),
		saw("store", CheckTrails, "main", Trails{Account: "main", Trails: []Trail{goodTrail}}),
		saw("am", CheckFailedAuths, "db", FailedAuths{Source: "db", Window: time.Hour, Failed: 5, Total: -1, Earlier: []float64{4, 6, 5}}),
		saw("vault", CheckVaultSeal, "", VaultSeal{Type: "shamir", Storage: "raft", Initialized: true}),
		saw("vault", CheckVaultAudit, "", VaultAudit{Devices: []VaultAuditDevice{{Path: "file/", Type: "file"}}}),
		saw("vault", CheckVaultStaticRoles, "", VaultStaticRoles{Roles: []VaultStaticRole{
			{Mount: "database", Name: "r", LastRotation: ago(2 * day), Period: 7 * day, Due: in(5 * day)}}}),
	}
}

// world is what is known after the batches; a key's last observation stays.
func world(t *Topology, batches ...[]Observation) *Snapshot {
	s := NewSnapshot(t, nil)
	for _, b := range batches {
		for _, o := range b {
			s = s.With(o)
		}
	}
	return s
}

func reading(t interface{ Fatalf(string, ...any) }, s *Snapshot, id ID) Reading {
	r, ok := Derive(s, noon).Of(id)
	if !ok {
		t.Fatalf("no component %s", id)
	}
	return r
}

func denied(owner ID, check, item string) Observation {
	o := saw(owner, check, item, nil)
	o.At, o.Failure = noon, &Failure{Kind: Denied, Doing: "read " + check, Detail: "not authorised"}
	return o
}

func TestMonitorsOfAHealthyEstateAreOK(t *testing.T) {
	s := world(controlled(), healthy(), watched())
	for _, id := range []ID{"store", "rm", "xm", "am"} {
		if r := reading(t, s, id); r.Status != OK {
			t.Errorf("%s is %s %s: %s\n%+v", id, r.Status, r.Word, r.Reason, r.Facts)
		}
	}
}

// Whatever of the reads of a monitor or store fails or grows old, it is not OK,
// and its word does not say that all is well.
func TestUnknownIsNeverOKToMonitors(t *testing.T) {
	topo, all := controlled(), watched()
	rests := map[string]ID{CheckRotationEvents: "rm", CheckTrails: "store", CheckFailedAuths: "am", CheckVaultSeal: "store", CheckVaultAudit: "store", CheckVaultStaticRoles: "rm", CheckDescribe: "xm", CheckInventory: "xm"}
	all = append(all, healthy()...)
	rapid.Check(t, func(t *rapid.T) {
		o := all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
		id, concerned := rests[o.Key.Check]
		if !concerned {
			t.Skip("no monitor rests on it")
		}
		kind := rapid.SampledFrom([]FailureKind{Denied, NoIdentity, Silent, Throttled, Refused, ServerError, BadAnswer}).Draw(t, "kind")
		before := rapid.SampledFrom([]string{"never", "fresh", "old"}).Draw(t, "read before")
		var base []Observation
		for _, other := range all {
			if other.Key != o.Key {
				base = append(base, other)
			} else if before == "old" {
				other.At = ago(time.Hour)
				base = append(base, other)
			} else if before == "fresh" {
				base = append(base, other)
			}
		}
		bad := denied(o.Key.Component, o.Key.Check, o.Key.Item)
		bad.Failure.Kind = kind
		r := reading(t, world(topo, base, []Observation{bad}), id)
		if r.Status < Unknown {
			t.Fatalf("%s of %v, read before: %s: %s %s", kind, o.Key, before, r.Status, r.Word)
		}
		for _, f := range r.Headlines() {
			if f.Value == "CLEAR" {
				t.Fatalf("%s of %v: the alert is CLEAR", kind, o.Key)
			}
		}
		switch r.Word {
		case "CLEAR", "ACTIVE", "TRACKED", "PROTECTED", "HEALTHY":
			t.Fatalf("%s of %v: %s stands beside %s", kind, o.Key, r.Word, r.Status)
		}
	})
}

func TestRotationMonitor(t *testing.T) {
	events := func(started, good, bad, abandoned int) Observation {
		return saw("rm", CheckRotationEvents, "main", RotationEvents{Account: "main", Window: day, Started: started, Succeeded: good, Failed: bad, Abandoned: abandoned})
	}
	roles := func(all ...VaultStaticRole) Observation {
		return saw("vault", CheckVaultStaticRoles, "", VaultStaticRoles{Roles: all})
	}
	stuck := VaultStaticRole{Mount: "database/", Name: "s", LastRotation: ago(3 * day), Period: 2 * day, Due: ago(day)}
	fresh := VaultStaticRole{Mount: "database/", Name: "f", LastRotation: ago(3 * time.Hour), Period: 2 * day, Due: in(45 * time.Hour)}
	partial := events(0, 96, 4, 0)
	partial.Data = RotationEvents{Account: "main", Window: day, Succeeded: 96, Failed: 4, Partial: true}
	critical := described("db", ago(20*day), ago(6*day), SecretVersion{vNow, []Stage{StageCurrent}})
	for _, c := range []struct {
		name                string
		seen                []Observation
		rate, failed, alert string
		status              Status
		says                string
	}{
		{"the guide's", []Observation{events(23, 5, 12, 5)}, "23% in 24h", "12 in 24h", "CRITICAL", Fail, "5 of 22 rotations succeeded"},
		{"no rotation", []Observation{events(0, 0, 0, 0)}, "no rotation in 24h", "0 in 24h", "CLEAR", OK, ""},
		{"some fail", []Observation{events(100, 90, 10, 0)}, "90% in 24h", "10 in 24h", "WARNING", Warn, ""},
		{"few fail", []Observation{events(100, 99, 1, 0)}, "99% in 24h", "1 in 24h", "CLEAR", Warn, ""},
		{"abandoned is neither", []Observation{events(10, 9, 0, 1)}, "90% in 24h", "0 in 24h", "WARNING", Warn, "abandoned"},
		{"Vault rotated and one is stuck", []Observation{events(0, 0, 0, 0), roles(stuck, fresh)}, "50% in 24h", "1 in 24h", "CRITICAL", Fail, "1 stuck in Vault"},
		{"a role that could not be read", []Observation{events(0, 1, 0, 0), roles(VaultStaticRole{Name: "x", Failure: "denied"})}, "100% in 24h", "0 in 24h", "CLEAR", OK, "1 role of Vault could not be read"},
		{"more than was read", []Observation{partial}, "96% in 24h", "4 in 24h", "CLEAR", Warn, "of the newest 100 events only"},
		{"a critical secret", []Observation{events(100, 100, 0, 0), saw("sm", CheckDescribe, "db", critical)}, "100% in 24h", "0 in 24h", "CRITICAL", Fail, "critical: db: OVERDUE"},
		{"not permitted", []Observation{denied("rm", CheckRotationEvents, "main")}, "0% in 24h", "", "?", Unknown, "not authorised"},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := watched()
			if c.name == "not permitted" {
				good = good[1:]
			}
			later := c.seen
			for i := range later {
				later[i].At = noon
			}
			r := Derive(world(controlled(), healthy(), good, later), noon)
			one, _ := r.Of("rm")
			if one.Status != c.status {
				t.Errorf("%s %s: %s", one.Status, one.Word, one.Reason)
			}
			if f := fact(t, r, "rm", "Alert status"); f.Value != c.alert {
				t.Errorf("alert %s (%s)", f.Value, f.Note)
			}
			if c.alert != "?" {
				if f := fact(t, r, "rm", "Success rate"); f.Value != c.rate {
					t.Errorf("rate %s (%s)", f.Value, f.Note)
				}
				if f := fact(t, r, "rm", "Failed rotations"); f.Value != c.failed {
					t.Errorf("failed %s (%s)", f.Value, f.Note)
				}
			}
			all := one.Reason
			for _, f := range one.Facts {
				all += "\n" + f.Note
				if f.Headline && f.Formula == "" {
					t.Errorf("%s has no formula", f.Name)
				}
			}
			if !strings.Contains(all, c.says) {
				t.Errorf("nothing says %q: %s", c.says, all)
			}
		})
	}
}

func TestSecretsThatFailedToRotateAreNamed(t *testing.T) {
	o := watched()
	o[0].Data = RotationEvents{Account: "main", Window: day, Succeeded: 8, Failed: 2, Events: []RotationEvent{
		{At: ago(time.Minute), What: RotationSucceeded, Secret: "good/again"},
		{At: ago(time.Hour), What: RotationFailed, Secret: "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf", Error: "boom"},
		{At: ago(2 * time.Hour), What: RotationFailed, Secret: "prod/db", Error: "older"},
		{At: ago(3 * time.Hour), What: RotationFailed, Secret: "good/again"},
	}}
	r := Derive(world(controlled(), healthy(), o), noon)
	if f := fact(t, r, "rm", "Failed: prod/db"); f.Value != "2 times" || f.Status != Warn || !strings.Contains(f.Note, "boom") {
		t.Errorf("%+v", f)
	}
	if f := fact(t, r, "rm", "Failed: good/again"); f.Status != OK || !strings.Contains(f.Note, "succeeded since") {
		t.Errorf("%+v", f)
	}
}

func TestSecretMonitorCountsEachSecretOnce(t *testing.T) {
	lives := []SecretLife{
		{Name: "db", Ends: ago(day)}, // watched: its own policy decides
		{Name: "arn:aws:secretsmanager:eu-west-1:1:secret:token-AbCdEf", Ends: ago(day), Tag: true}, // watched too
		{Name: "old", Ends: ago(time.Hour), Tag: true},
		{Name: "soon", Ends: in(6 * day), Tag: true},
		{Name: "later", Ends: in(8 * day), Tag: true},
		{Name: "late", Ends: ago(time.Hour)},
		{Name: "scheduled", Ends: in(time.Hour)},
	}
	inventory := saw("sm", CheckInventory, "", SecretInventory{Account: "main", Region: "eu-west-1", Total: 100, Lives: lives})
	r := Derive(world(controlled(), healthy(), watched(), []Observation{inventory}), noon)
	for name, want := range map[string]string{"Expired": "1 secret", "Near-expiry": "1 secret", "Overdue": "1 secret", "Expiry tracking": "ACTIVE", "Critical": "0 secrets"} {
		if f := fact(t, r, "xm", name); f.Value != want {
			t.Errorf("%s: %s (%s), want %s", name, f.Value, f.Note, want)
		}
	}
	if f := fact(t, r, "xm", "Expiry tracking"); !strings.Contains(f.Note, "3 watched, 97 in inventories, 1 certificate served, 1 role of Vault") {
		t.Errorf("coverage: %s", f.Note)
	}
	one, _ := r.Of("xm")
	if one.Status != Fail || one.Word != "EXPIRED" || !strings.Contains(one.Reason, "first old") {
		t.Errorf("%s %s: %s", one.Status, one.Word, one.Reason)
	}

	// A second store that lists the same account adds nothing.
	twice := controlled(func(t *Topology) {
		t.Components = append(t.Components, Component{ID: "sm2", Name: "Also", Plane: Service, Kind: KindSecretsManager, System: "main"})
	})
	also := inventory
	also.Key.Component = "sm2"
	r = Derive(world(twice, healthy(), watched(), []Observation{inventory, also}), noon)
	if f := fact(t, r, "xm", "Expired"); f.Value != "1 secret" {
		t.Errorf("an account listed twice: %s", f.Value)
	}
	// What it does not watch it does not count.
	narrow := controlled(func(t *Topology) { t.Components[len(t.Components)-2].Watches = []ID{"lb"} })
	r = Derive(world(narrow, healthy(), watched(), []Observation{inventory}), noon)
	if f := fact(t, r, "xm", "Expired"); f.Value != "0 secrets" {
		t.Errorf("watching the balancer alone: %s", f.Value)
	}
}

func TestSecretMonitorSaysHowMuchItSees(t *testing.T) {
	blind := []Observation{denied("sm", CheckDescribe, "db"), denied("sm", CheckInventory, "")}
	r := Derive(world(controlled(), blind), noon)
	if f := fact(t, r, "xm", "Expiry tracking"); f.Value != "BLIND" || f.Status != Unknown {
		t.Errorf("%+v", f)
	}
	r = Derive(world(controlled(), healthy(), watched(), []Observation{denied("sm", CheckDescribe, "key")}), noon)
	if f := fact(t, r, "xm", "Expiry tracking"); f.Value != "PARTIAL" || f.Status != Unknown {
		t.Errorf("%+v", f)
	}
	// An end that is configured and not known is not counted as none.
	untagged := described("token", ago(day), in(13*day), SecretVersion{vNow, []Stage{StageCurrent}})
	r = Derive(world(controlled(), healthy(), watched(), []Observation{saw("sm", CheckDescribe, "token", untagged)}), noon)
	if f := fact(t, r, "xm", "Expiry tracking"); f.Value != "PARTIAL" || !strings.Contains(f.Note, "when 1 of them end is not known") {
		t.Errorf("%+v", f)
	}
}

func TestAccessMonitor(t *testing.T) {
	auths := func(failed, total float64, earlier ...float64) Observation {
		return saw("am", CheckFailedAuths, "db", FailedAuths{Source: "db", Window: time.Hour, Failed: failed, Total: total, Ours: 2, Earlier: earlier})
	}
	for _, c := range []struct {
		name            string
		o               Observation
		detection, odd  string
		status          Status
		word            string
		detectionStatus Status
	}{
		{"as usual", auths(9, -1, 4, 6, 5), "ON", "none", OK, "TRACKED", OK},
		{"exactly at the factor", auths(15, -1, 5, 6, 5, 7, 5), "ON", "none", OK, "TRACKED", OK},
		{"above the factor", auths(16, -1, 5, 6, 5, 7, 5), "ON", "1 source", Warn, "FAILING", OK},
		{"above, and under the floor", auths(9, -1, 1, 0, 0, 1), "ON", "none", OK, "TRACKED", OK},
		{"at the floor after nothing", auths(10, -1, 0, 0), "ON", "1 source", Warn, "FAILING", OK},
		{"one wild window does not raise the usual", auths(40, -1, 5, 5, 500), "ON", "1 source", Warn, "FAILING", OK},
		{"trouble that has lasted for most of the windows is not usual", auths(60, -1, slices.Concat(slices.Repeat([]float64{60}, 17), slices.Repeat([]float64{5}, 7))...), "ON", "1 source", Warn, "FAILING", OK},
		{"what has lasted for all of them is", auths(60, -1, slices.Repeat([]float64{60}, 24)...), "ON", "none", OK, "TRACKED", OK},
		{"no history", auths(1000, -1), "OFF", "none", Warn, "DEGRADED", Warn},
		{"a share that fails", auths(70, 100, 70, 70), "ON", "none", Fail, "FAILING", OK},
		{"a share that warns", auths(10, 100, 10, 10), "ON", "none", Warn, "FAILING", OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.At = noon
			r := Derive(world(controlled(), healthy(), watched(), []Observation{c.o}), noon)
			if f := fact(t, r, "am", "Anomaly detection"); f.Value != c.detection || f.Status != c.detectionStatus || f.Formula == "" {
				t.Errorf("detection %s %s (%s)", f.Value, f.Status, f.Note)
			}
			if f := fact(t, r, "am", "Anomalies"); f.Value != c.odd {
				t.Errorf("anomalies %s (%s)", f.Value, f.Note)
			}
			if one, _ := r.Of("am"); one.Status != c.status || one.Word != c.word {
				t.Errorf("%s %s: %s", one.Status, one.Word, one.Reason)
			}
		})
	}
}

func TestAccessMonitorAddsUp(t *testing.T) {
	gateway := saw("gw", CheckAuthFailures, "", FailureRate{Window: 5 * time.Minute, Total: 3000, Failed: 30, Ours: 3})
	db := saw("am", CheckFailedAuths, "db", FailedAuths{Source: "db", Window: time.Hour, Failed: 2317, Total: -1, Ours: 4, Earlier: []float64{2000}})
	r := Derive(world(controlled(), healthy(), watched(), []Observation{gateway, db}), noon)
	f := fact(t, r, "am", "Failed auths")
	if f.Value != "2,347 in 5m to 1h" || !strings.Contains(f.Note, "7 of our own probes left out") || !strings.Contains(f.Note, "API Gateway 30 in 5m") {
		t.Errorf("%s (%s)", f.Value, f.Note)
	}
	// A source that counts the gateway's takes the place of its own rate.
	covered := controlled(func(t *Topology) { t.Components[len(t.Components)-1].Of = []ID{"gw"} })
	r = Derive(world(covered, healthy(), watched(), []Observation{gateway, db}), noon)
	if f := fact(t, r, "am", "Failed auths"); f.Value != "2,317 in 1h" {
		t.Errorf("counted twice: %s (%s)", f.Value, f.Note)
	}
}

func TestSecretUsage(t *testing.T) {
	inventory := saw("sm", CheckInventory, "", SecretInventory{Account: "main", Region: "r", Total: 2000, Idle: 300})
	trail := func(change func(*Trail)) Observation {
		x := goodTrail
		change(&x)
		return saw("store", CheckTrails, "main", Trails{Account: "main", Trails: []Trail{x}})
	}
	for _, c := range []struct {
		name string
		seen []Observation
		want string
	}{
		{"recorded", []Observation{trail(func(*Trail) {}), inventory}, "TRACKED"},
		{"only reads", []Observation{trail(func(x *Trail) { x.Management = "read" }), inventory}, "TRACKED"},
		{"only writes", []Observation{trail(func(x *Trail) { x.Management = "write" }), inventory}, "UNTRACKED"},
		{"stopped", []Observation{trail(func(x *Trail) { x.Logging = false }), inventory}, "UNTRACKED"},
	} {
		r := Derive(world(controlled(), healthy(), watched(), c.seen), noon)
		if f := fact(t, r, "am", "Secret usage"); f.Value != c.want || !strings.Contains(f.Note, "1,700 of 2,000 secrets read within 90 days") {
			t.Errorf("%s: %s (%s)", c.name, f.Value, f.Note)
		}
	}
	r := Derive(world(controlled(), healthy(), []Observation{inventory}), noon)
	if f := fact(t, r, "am", "Secret usage"); f.Value != "BY DAY" || f.Status != Warn {
		t.Errorf("without a trail: %+v", f)
	}
}

func TestSecretStore(t *testing.T) {
	trails := func(all ...Trail) Observation {
		return saw("store", CheckTrails, "main", Trails{Account: "main", Trails: all})
	}
	trail := func(change func(*Trail)) Trail {
		x := goodTrail
		change(&x)
		return x
	}
	keyed := described("db", ago(3*day), in(11*day), SecretVersion{vNow, []Stage{StageCurrent}})
	keyed.KMSKey = "arn:aws:kms:eu-west-1:1:key/k"
	for _, c := range []struct {
		name   string
		seen   []Observation
		figure string
		want   string
		status Status
		says   string
	}{
		{"the AWS managed key", nil, "Encrypted at rest", "YES", OK, "3 secrets by the AWS managed key"},
		{"a watched key", []Observation{saw("sm", CheckDescribe, "db", keyed)}, "Encrypted at rest", "YES", OK, "1 secret by k"},
		{"a key that is disabled", []Observation{saw("sm", CheckDescribe, "db", keyed), saw("km", CheckKey, "k", KeyState{KeyID: "k", State: "Disabled"})}, "Encrypted at rest", "KEY UNUSABLE", Fail, "DISABLED"},
		{"Vault is not initialised", []Observation{saw("vault", CheckVaultSeal, "", VaultSeal{})}, "Encrypted at rest", "NOT INITIALISED", Fail, "Vault"},
		{"no trail", []Observation{trails()}, "Audit trail", "GAPS", Fail, "main: no trail"},
		{"no trail", []Observation{trails()}, "Access logs", "PARTIAL", Fail, "no trail records reads"},
		{"stopped", []Observation{trails(trail(func(x *Trail) { x.Logging = false }))}, "Audit trail", "GAPS", Fail, "org is not logging"},
		{"writes only", []Observation{trails(trail(func(x *Trail) { x.Management = "write" }))}, "Audit trail", "GAPS", Warn, "records write"},
		{"not validated", []Observation{trails(trail(func(x *Trail) { x.Validated = false }))}, "Audit trail", "GAPS", Warn, "not validated"},
		{"delivered long ago", []Observation{trails(trail(func(x *Trail) { x.Delivered = ago(9 * time.Hour) }))}, "Audit trail", "GAPS", Warn, "delivered last 9h ago"},
		{"delivery fails", []Observation{trails(trail(func(x *Trail) { x.Error = "AccessDenied" }))}, "Audit trail", "GAPS", Warn, "AccessDenied"},
		{"one whole trail is enough", []Observation{trails(trail(func(x *Trail) { x.Logging = false }), goodTrail)}, "Audit trail", "COMPLETE", OK, ""},
		{"no audit device", []Observation{saw("vault", CheckVaultAudit, "", VaultAudit{})}, "Access logs", "PARTIAL", Fail, "Vault: no audit device"},
		{"neither", []Observation{trails(), saw("vault", CheckVaultAudit, "", VaultAudit{})}, "Access logs", "DISABLED", Fail, ""},
	} {
		t.Run(c.name+", "+c.figure, func(t *testing.T) {
			r := Derive(world(controlled(), healthy(), watched(), c.seen), noon)
			f := fact(t, r, "store", c.figure)
			if f.Value != c.want || f.Status != c.status || !strings.Contains(f.Note, c.says) {
				t.Errorf("%s %s (%s)", f.Value, f.Status, f.Note)
			}
			if one, _ := r.Of("store"); one.Status < c.status || c.status == OK && one.Status != OK {
				t.Errorf("the store is %s %s: %s", one.Status, one.Word, one.Reason)
			}
		})
	}
	// A source that nothing reads is not passed over.
	lost := controlled(func(t *Topology) { t.Components[len(t.Components)-4].Sources = []string{"main", "v", "elsewhere"} })
	r := Derive(world(lost, healthy(), watched()), noon)
	for _, name := range []string{"Access logs", "Audit trail"} {
		if f := fact(t, r, "store", name); f.Status < Unknown || !strings.Contains(f.Note, "elsewhere: no check reads it") {
			t.Errorf("%s: %s %s (%s)", name, f.Value, f.Status, f.Note)
		}
	}
}

// bigEstate has 3,000 watched secrets, as many in its inventory, and monitors.
func bigEstate() *Snapshot {
	topo := controlled(func(t *Topology) {
		for i := range 3000 {
			t.Secrets = append(t.Secrets, StoredSecret{ID: fmt.Sprintf("s%04d", i), Store: "sm", Policy: Policy{Criticality: []Criticality{Low, Critical}[i%2], Expiry: ExpiryRotation}})
		}
	})
	var seen []Observation
	inventory := SecretInventory{Account: "main", Region: "r", Total: 6000}
	for i := range 3000 {
		id := fmt.Sprintf("s%04d", i)
		seen = append(seen, saw("sm", CheckDescribe, id, described(id, ago(3*day), in(time.Duration(i-100)*time.Hour), SecretVersion{vNow, []Stage{StageCurrent}})))
		inventory.Lives = append(inventory.Lives, SecretLife{Name: id, Ends: in(time.Hour)}, SecretLife{Name: "other/" + id, Ends: in(time.Duration(i-50) * time.Hour), Tag: true})
	}
	seen = append(seen, saw("sm", CheckInventory, "", inventory))
	return NewSnapshot(topo, nil).With(append(append(healthy(), watched()...), seen...)...)
}

func BenchmarkDeriveMonitors3000Secrets(b *testing.B) {
	s := bigEstate()
	for b.Loop() {
		Derive(s, noon)
	}
}

func BenchmarkRecentChanges3000Secrets(b *testing.B) {
	var all []Change
	for i := range 300 {
		all = append(all, Change{At: ago(time.Duration(i) * time.Minute), What: "PutSecretValue", Target: fmt.Sprintf("s%04d", i), Where: "main"})
	}
	s := bigEstate().With(saw("rm", CheckChanges, "main", Changes{Account: "main", Changes: all}))
	for b.Loop() {
		RecentChanges(s, noon)
	}
}
