package estate

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func fact(t *testing.T, r *Readings, id ID, name string) Fact {
	t.Helper()
	reading, ok := r.Of(id)
	if !ok {
		t.Fatalf("no component %s", id)
	}
	for _, f := range reading.Facts {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("%s has no fact %q: %+v", id, name, reading.Facts)
	return Fact{}
}

func TestTheGuidesFigures(t *testing.T) {
	r := Derive(snapshot(healthy(), crisis()), noon)
	for _, w := range []struct {
		id     ID
		name   string
		value  string
		status Status
	}{
		{"gw", "Secret", "EXPIRED", Fail},
		{"gw", "Auth failures", "67% in 5m", Fail},
		{"lb", "Rotation", "MANUAL", Warn},
		{"lb", "Next expiry", "12 days", Warn},
		{"sm", "Rotation status", "FAILED", Fail},
		{"sm", "Last rotation", "15 days ago", Fail},
		{"fn", "Status", "ERROR", Fail},
		{"fn", "Last run", "FAILED", Fail},
		{"fn", "Error", "DB connection timeout", Fail},
		{"km", "Encryption keys", "HEALTHY", OK},
		{"km", "Rotation", "SCHEDULED", OK},
		{"km", "Next", "7 days", OK},
		{"app", "DB secret", "EXPIRED", Fail},
		{"app", "Connection", "FAILED", Fail},
		{"app", "Fallback", "NONE", NA},
		{"pg1", "User", "app_user", NA},
		{"pg1", "Password", "EXPIRED", Fail},
		{"pg1", "Connections", "BLOCKED", Fail},
		{"pg2", "Password", "OLD_VERSION", Fail},
		{"pg2", "Connections", "WORKING", OK},
		{"api", "API key", "ROTATED", OK},
		{"api", "Rate limit", "RESET", OK},
		{"api", "Status", "HEALTHY", OK},
	} {
		f := fact(t, r, w.id, w.name)
		if f.Value != w.value || f.Status != w.status {
			t.Errorf("%s %s: %q %s (%s), want %q %s", w.id, w.name, f.Value, f.Status, f.Note, w.value, w.status)
		}
		if !f.Headline {
			t.Errorf("%s %s is not drawn in its box", w.id, w.name)
		}
		if f.Source == "" {
			t.Errorf("%s %s has no source", w.id, w.name)
		}
	}
	for id, word := range map[ID]string{"gw": "EXPIRED", "lb": "MANUAL", "sm": "FAILED", "fn": "ERROR", "km": "HEALTHY", "pg1": "EXPIRED", "pg2": "OLD_VERSION", "api": "HEALTHY", "vault": "UNCHECKED"} {
		if got, _ := r.Of(id); got.Word != word {
			t.Errorf("%s reads %s (%s), want %s", id, got.Word, got.Reason, word)
		}
	}
	if worst := r.All[r.Worst()].ID; worst != "pg1" {
		t.Errorf("worst is %s, want the critical database that others connect to", worst)
	}
	if empty := Derive(NewSnapshot((&Topology{}).Index(), nil), noon); empty.Worst() != -1 {
		t.Error("an estate of nothing has a worst component")
	}
}

func TestAHealthyEstateIsOK(t *testing.T) {
	r := Derive(snapshot(healthy()), noon)
	for _, one := range r.All {
		want := OK
		if one.ID == "vault" {
			want = Unknown
		}
		if one.Status != want {
			t.Errorf("%s is %s %s: %s", one.ID, one.Status, one.Word, one.Reason)
		}
	}
	if got := r.Status(State); got != Unknown {
		t.Errorf("a plane with an unread component is %s, want UNKNOWN", got)
	}
}

func TestNothingReadIsUnknown(t *testing.T) {
	var expected []Expectation
	for _, o := range healthy() {
		expected = append(expected, Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
	}
	for _, one := range Derive(NewSnapshot(topology(), expected), noon).All {
		if one.Status != Unknown {
			t.Errorf("%s was never read and is %s %s", one.ID, one.Status, one.Word)
		}
		if one.Reason == "" {
			t.Errorf("%s is unknown without a reason", one.ID)
		}
	}
}

// Whatever fails, is denied or grows old, its component is not OK.
func TestUnknownIsNeverOK(t *testing.T) {
	kinds := []FailureKind{Denied, NoIdentity, Silent, Unresolved, Throttled, Broken, Refused, ServerError, BadAnswer, Missing, Misconfigure, BadSecret}
	all := healthy()
	rapid.Check(t, func(t *rapid.T) {
		o := all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		if o.Key.Check == CheckFunctionLogs && kind == Missing {
			t.Skip("a function that has not logged has no log group")
		}
		neverRead := rapid.Bool().Draw(t, "never read before")
		base := all
		if neverRead {
			base = nil
			for _, other := range all {
				if other.Key != o.Key {
					base = append(base, other)
				}
			}
		}
		bad := o
		bad.Data, bad.At = nil, o.At.Add(time.Second)
		bad.Failure = &Failure{Kind: kind, Doing: "x", Detail: "y"}
		got, _ := Derive(snapshot(base, []Observation{bad}), noon).Of(o.Key.Component)
		if got.Status <= OK || got.Status == Warn {
			t.Fatalf("%v of %v (never read before: %v): %s %s", kind, o.Key, neverRead, got.Status, got.Word)
		}
		if got.Word == "HEALTHY" || got.Word == "WORKING" || got.Word == "VALID" || got.Word == "ACTIVE" || got.Word == "ROTATED" {
			t.Fatalf("%v of %v: %s stands beside %s", kind, o.Key, got.Word, got.Status)
		}
	})
}

func TestWhatGrowsOldIsStaleAndUnknown(t *testing.T) {
	s := snapshot(healthy())
	for _, one := range Derive(s, noon.Add(40*time.Second)).All { // 50 s old at an interval of 15 s
		if one.Status != Unknown {
			t.Errorf("%s is %s %s after three missed intervals", one.ID, one.Status, one.Word)
		}
	}
	f := fact(t, Derive(s, noon.Add(40*time.Second)), "pg1", "Password")
	if !f.Stale || f.Value != "CURRENT" || f.Status != Unknown {
		t.Errorf("stale password: %+v, want the last good value, marked", f)
	}
	if f := fact(t, Derive(s, noon.Add(34*time.Second)), "pg1", "Password"); f.Stale {
		t.Errorf("44 s old at an interval of 15 s is not stale yet")
	}
}

func TestOneDeniedCallHidesNothingElse(t *testing.T) {
	denied := Observation{Key: Key{"fn", CheckPolicy, ""}, At: noon, Interval: 15 * time.Second,
		Failure: &Failure{Kind: Denied, Detail: "lambda:GetPolicy"}}
	r := Derive(snapshot(healthy(), []Observation{denied}), noon)
	if f := fact(t, r, "fn", "Status"); f.Status != OK {
		t.Errorf("Status became %s", f.Status)
	}
	if f := fact(t, r, "fn", "Secrets Manager may invoke"); f.Status != Unknown || !strings.Contains(f.Note, "lambda:GetPolicy") {
		t.Errorf("the denied figure reads %+v", f)
	}
	if got, _ := r.Of("km"); got.Status != OK {
		t.Errorf("another component became %s", got.Status)
	}
}

func TestPasswords(t *testing.T) {
	at := func(stage Stage, version string, outcome LoginOutcome) Observation {
		o := saw("pg1", CheckLogin, string(stage), login(stage, version, outcome, ""))
		o.At = noon
		return o
	}
	role := func(change func(*Role)) Observation {
		r := Role{Name: "app_user", Exists: true, CanLogin: true, ConnLimit: -1}
		change(&r)
		o := saw("pg1", CheckRole, "", r)
		o.At = noon
		return o
	}
	wrong := []Observation{at(StageCurrent, vNow, LoginWrong), at(StagePending, vNew, LoginWrong), at(StagePrevious, vOld, LoginWrong)}
	for _, c := range []struct {
		name        string
		seen        []Observation
		password    string
		connections string
		status      Status
	}{
		{"pending works", []Observation{at(StageCurrent, vNow, LoginWrong), at(StagePending, vNew, LoginAccepted)}, "PENDING_VERSION", "WORKING", Fail},
		{"previous works", []Observation{at(StageCurrent, vNow, LoginWrong), at(StagePending, vNew, LoginWrong), at(StagePrevious, vOld, LoginAccepted)}, "OLD_VERSION", "WORKING", Fail},
		{"none works", append(wrong, role(func(*Role) {})), "REFUSED", "BLOCKED", Fail},
		{"no such role", append(wrong, role(func(r *Role) { r.Exists = false })), "NO SUCH ROLE", "BLOCKED", Fail},
		{"expired", append(wrong, role(func(r *Role) { r.ValidUntil = ago(time.Hour) })), "EXPIRED", "BLOCKED", Fail},
		{"trust", []Observation{at(StageCurrent, vNow, LoginTrusted)}, "NOT CHECKED", "WORKING", Fail},
		{"asks for the password in clear", []Observation{at(StageCurrent, vNow, LoginWeak), at(StagePending, vNow, LoginWeak), at(StagePrevious, vOld, LoginWeak)}, "WEAK METHOD", "?", Fail},
		{"right but barred", []Observation{at(StageCurrent, vNow, LoginBarred), at(StagePending, vNow, LoginBarred)}, "CURRENT", "BARRED", Fail},
		{"slots full", []Observation{at(StageCurrent, vNow, LoginBusy), at(StagePending, vNow, LoginBusy)}, "?", "EXHAUSTED", Fail},
		{"expires soon", []Observation{role(func(r *Role) { r.ValidUntil = in(2 * day) })}, "EXPIRING", "WORKING", Warn},
		{"not admitted", []Observation{at(StageCurrent, vNow, LoginRejected), at(StagePending, vNow, LoginRejected), at(StagePrevious, vOld, LoginRejected)}, "NOT ADMITTED", "BLOCKED", Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Derive(snapshot(healthy(), c.seen), noon)
			if f := fact(t, r, "pg1", "Password"); f.Value != c.password {
				t.Errorf("password %s (%s), want %s", f.Value, f.Note, c.password)
			}
			if f := fact(t, r, "pg1", "Connections"); f.Value != c.connections {
				t.Errorf("connections %s (%s), want %s", f.Value, f.Note, c.connections)
			}
			if got, _ := r.Of("pg1"); got.Status != c.status {
				t.Errorf("status %s, want %s", got.Status, c.status)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*SecretDescription)
		word   string
		status Status
	}{
		{"finished: pending beside current", func(*SecretDescription) {}, "ROTATED", OK},
		{"under way", func(v *SecretDescription) {
			v.Versions = []SecretVersion{{vNew, []Stage{StagePending}}, {vNow, []Stage{StageCurrent}}}
			v.LastChanged = ago(time.Minute)
		}, "ROTATING", Warn},
		{"stuck", func(v *SecretDescription) {
			v.Versions = []SecretVersion{{vNew, []Stage{StagePending}}, {vNow, []Stage{StageCurrent}}}
			v.LastChanged = ago(time.Hour)
		}, "FAILED", Fail},
		{"overdue", func(v *SecretDescription) { v.NextRotation = ago(time.Hour) }, "OVERDUE", Fail},
		{"not scheduled", func(v *SecretDescription) { v.RotationEnabled = false }, "MANUAL", OK},
		{"cancelled", func(v *SecretDescription) { v.RotationEnabled, v.RotationFunctionARN = false, "arn:fn" }, "ROTATION OFF", Warn},
		{"stuck, and somebody edits a tag", func(v *SecretDescription) {
			v.Versions = []SecretVersion{{vNew, []Stage{StagePending}}, {vNow, []Stage{StageCurrent}}}
			v.LastChanged, v.PendingSince = ago(time.Minute), ago(2*day)
		}, "FAILED", Fail},
		{"never ran", func(v *SecretDescription) { v.LastRotated = time.Time{} }, "NEVER ROTATED", Warn},
		{"being deleted", func(v *SecretDescription) { v.Deleted = in(day) }, "DELETED", Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := described("db", ago(3*day), in(11*day), SecretVersion{vNow, []Stage{StageCurrent, StagePending}})
			c.change(&v)
			if got := rotating(v, noon); got.word != c.word || got.status != c.status {
				t.Errorf("%s %s (%s), want %s %s", got.word, got.status, got.note, c.word, c.status)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	tagged := func(value string) []Observation {
		v := described("token", ago(day), in(13*day), SecretVersion{vNow, []Stage{StageCurrent}})
		if value != "" {
			v.Tags = map[string]string{"expires-at": value}
		}
		o := saw("sm", CheckDescribe, "token", v)
		o.At = noon
		return []Observation{o}
	}
	for _, c := range []struct {
		name   string
		seen   []Observation
		grace  time.Duration
		word   string
		status Status
	}{
		{"a life of two weeks warns late", tagged(in(5 * day).Format(time.RFC3339)), 0, "ROTATED", OK},
		{"far", tagged("2027-01-01"), 0, "ROTATED", OK},
		{"near", tagged(in(2 * day).Format(time.RFC3339)), 0, "EXPIRING", Warn},
		{"past", tagged(ago(time.Hour).Format(time.RFC3339)), 0, "EXPIRED", Fail},
		{"past, within grace", tagged(ago(time.Hour).Format(time.RFC3339)), day, "IN GRACE", Warn},
		{"past, grace over", tagged(ago(2 * day).Format(time.RFC3339)), day, "EXPIRED", Fail},
		{"at the second", tagged(noon.Format(time.RFC3339)), 0, "EXPIRED", Fail},
		{"no tag", tagged(""), 0, "ROTATED", Unknown},
		{"tag is nonsense", tagged("soon"), 0, "ROTATED", Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(healthy(), c.seen)
			for i := range s.Topology.Secrets {
				s.Topology.Secrets[i].Grace = c.grace
			}
			d := &derivation{s: s, t: s.Topology, now: noon, secrets: map[string]*secretState{}}
			if got := d.secret("token"); got.word != c.word || got.status != c.status {
				t.Errorf("%s %s (%s), want %s %s", got.word, got.status, got.note, c.word, c.status)
			}
		})
	}
}

func TestACertificateIsJudgedByItsWholeLife(t *testing.T) {
	d := &deriver{derivation: &derivation{t: topology(), now: noon}}
	for _, c := range []struct {
		from, to time.Duration
		want     Status
	}{
		{-20 * day, 70 * day, OK},
		{-77 * day, 12 * day, Warn},
		{-3 * day, 4 * day, OK},                // a life of a week: four days are most of it
		{-5 * day, 2 * day, Warn},              // a week's: two days are a good part of it
		{-6 * day, day / 4, Fail},              // nearly over
		{-87 * day, 2 * day, Fail},             // three months', nearly over
		{-22 * time.Hour, 2 * time.Hour, Fail}, // a day's, nearly over
		{-80 * day, -day, Fail},                // over
		{day, 90 * day, Fail},                  // not begun
		{-300 * day, 40 * day, Warn},
	} {
		if got, note := d.life(Certificate{NotBefore: noon.Add(c.from), NotAfter: noon.Add(c.to)}); got != c.want {
			t.Errorf("%v to %v: %s (%s), want %s", c.from, c.to, got, note, c.want)
		}
	}
}

func TestRotators(t *testing.T) {
	metrics := func(m FunctionMetrics) Observation {
		m.Window = day
		o := saw("fn", CheckFunctionMetrics, "", m)
		o.At = noon
		return o
	}
	state := func(name string) Observation {
		o := saw("fn", CheckFunction, "", FunctionConfig{State: name, LastUpdate: "Successful", Timeout: 30 * time.Second, ARN: "arn:fn"})
		o.At = noon
		return o
	}
	overdue := described("db", ago(20*day), ago(day), SecretVersion{vNow, []Stage{StageCurrent}})
	overdue.RotationFunctionARN = "arn:fn"
	late := saw("sm", CheckDescribe, "db", overdue)
	late.At = noon
	for _, c := range []struct {
		name   string
		seen   []Observation
		word   string
		status Status
	}{
		{"half of the runs fail, the last one not", []Observation{metrics(FunctionMetrics{Invocations: 10, Errors: 9, LastPoint: ago(time.Hour)})}, "ERROR", Fail},
		{"one old failure", []Observation{metrics(FunctionMetrics{Invocations: 10, Errors: 1, LastPoint: ago(time.Hour)})}, "UNSTEADY", Warn},
		{"throttled", []Observation{metrics(FunctionMetrics{Invocations: 10, Throttles: 50, LastPoint: ago(time.Hour)})}, "UNSTEADY", Warn},
		{"an old timeout, recovered since", []Observation{metrics(FunctionMetrics{Invocations: 10, LastPoint: ago(time.Hour), MaxDuration: 30 * time.Second})}, "ACTIVE", OK},
		{"no run, none due", []Observation{metrics(FunctionMetrics{})}, "ACTIVE", OK},
		{"no run, one overdue", []Observation{metrics(FunctionMetrics{}), state("Active"), late}, "NOT INVOKED", Fail},
		{"asleep", []Observation{state("Inactive")}, "INACTIVE", Warn},
		{"broken", []Observation{state("Failed")}, "FAILED", Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := Derive(snapshot(healthy(), c.seen), noon).Of("fn")
			if got.Word != c.word || got.Status != c.status {
				t.Errorf("%s %s (%s), want %s %s", got.Status, got.Word, got.Reason, c.status, c.word)
			}
		})
	}
}

func TestHealthWords(t *testing.T) {
	for _, c := range []struct {
		health Health
		word   string
		status Status
	}{
		{Health{Code: 200, Word: "UP", Connection: "HEALTHY"}, "HEALTHY", OK},
		{Health{Code: 200, Word: "DOWN", Connection: "HEALTHY"}, "DOWN", Fail},
		{Health{Code: 200, Word: "OK", Connection: "REFUSED"}, "REFUSED", Fail},
		{Health{Code: 200, Word: "OUT_OF_SERVICE"}, "OUT_OF_SERVICE", Fail},
		{Health{Code: 200, Word: "SPLENDID"}, "SPLENDID", Unknown},
		{Health{Code: 200}, "REACHABLE", OK},
		{Health{Code: 401, Word: "OK"}, "?", Unknown},
		{Health{Code: 404}, "?", Unknown},
		{Health{Code: 302, Word: "OK"}, "OK", Warn},
		{Health{Code: 503}, "FAILED", Fail},
	} {
		if word, status, _ := connection(c.health); word != c.word || status != c.status {
			t.Errorf("%+v: %s %s, want %s %s", c.health, word, status, c.word, c.status)
		}
	}
}

// A figure that follows from several reads is as old and as sure as the least of
// them.
func TestStaleInputIsNotLaundered(t *testing.T) {
	old := func(o Observation) Observation { o.At = ago(3 * time.Hour); return o }
	var seen []Observation
	for _, o := range healthy() {
		if o.Key.Component == "pg1" && (o.Key.Check == CheckRole || o.Key.Check == CheckConnections) {
			o = old(o)
			if c, ok := o.Data.(Connections); ok {
				c.Used = 99
				o.Data = c
			}
		}
		seen = append(seen, o)
	}
	r := Derive(snapshot(seen), noon)
	if f := fact(t, r, "app", "DB secret"); f.Status != Unknown || !f.Stale {
		t.Errorf("DB secret, whose expiry was read three hours ago: %+v", f)
	}
	if f := fact(t, r, "pg1", "Connections"); f.Value == "EXHAUSTED" {
		t.Errorf("slots used three hours ago are told as used now: %+v", f)
	}
	expired := append([]Observation(nil), crisis()...)
	for i, o := range expired {
		if o.Key.Check == CheckRole {
			expired[i].At = ago(20 * time.Second)
		}
	}
	f := fact(t, Derive(snapshot(healthy(), expired), noon), "pg1", "Password")
	if f.At.After(ago(10*time.Second)) || !strings.Contains(f.Source, CheckRole) {
		t.Errorf("EXPIRED rests on the role, and says so: %+v", f)
	}
}

// The age of a box is that of the oldest figure in it, not of the last attempt.
func TestTheAgeOfABox(t *testing.T) {
	s := snapshot(healthy())
	failed := Observation{Key: Key{"pg1", CheckLogin, string(StageCurrent)}, At: noon, Interval: 15 * time.Second, Failure: &Failure{Kind: Silent}}
	got, _ := Derive(s.With(failed), noon).Of("pg1")
	if !got.At.Equal(ago(10 * time.Second)) {
		t.Errorf("age counts from %v, want the last good answer %v", got.At, ago(10*time.Second))
	}
	if !got.Tried.Equal(noon) {
		t.Errorf("last tried %v, want %v", got.Tried, noon)
	}
	if f := fact(t, Derive(s.With(failed), noon), "pg1", "Password"); !f.Failed || f.Value != "CURRENT" || f.Status != Unknown {
		t.Errorf("%+v, want the last good value, marked as such", f)
	}
	nothing, _ := Derive(NewSnapshot(topology(), []Expectation{{Key: failed.Key}}).With(failed), noon).Of("pg1")
	if !nothing.At.IsZero() {
		t.Error("a box of which nothing was ever read has an age")
	}
}

func BenchmarkDerive3000Secrets(b *testing.B) {
	t := topology()
	var seen []Observation
	for i := range 3000 {
		id := "s" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + time.Duration(i).String()
		t.Secrets = append(t.Secrets, StoredSecret{ID: id, Store: "sm"})
		seen = append(seen, saw("sm", CheckDescribe, id, described(id, ago(day), in(day), SecretVersion{vNow, []Stage{StageCurrent}})))
	}
	s := NewSnapshot(t.Index(), nil).With(append(healthy(), seen...)...)
	b.ReportAllocs()
	for b.Loop() {
		Derive(s, noon)
	}
}

func TestAnAddressThatCannotBeReachedFromHereSaysNothing(t *testing.T) {
	leaf := Certificate{Serial: "01", NotBefore: ago(20 * day), NotAfter: in(70 * day)}
	o := saw("lb", CheckTLS, "lb:443|api", Endpoint{ServerName: "api", Addresses: []Served{
		{Address: "10.0.0.1:443", Leaf: &leaf},
		{Address: "[2001:db8::1]:443", Failure: &Failure{Kind: NoCheck, Detail: "no route"}},
	}})
	o.At = noon
	r := Derive(snapshot(healthy(), []Observation{o}), noon)
	if got, _ := r.Of("lb"); got.Status != OK {
		t.Errorf("%s %s: %s", got.Status, got.Word, got.Reason)
	}
	if f := fact(t, r, "lb", "[2001:db8::1]:443 api"); f.Status != NA || f.Note == "" {
		t.Errorf("the address reads %+v", f)
	}
	if f := fact(t, r, "lb", "SSL certificates"); f.Value != "1 of 1 good" {
		t.Errorf("certificates: %s", f.Value)
	}
}
