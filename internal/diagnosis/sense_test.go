package diagnosis

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
)

var now = estatetest.At

func ago(d time.Duration) time.Time { return now.Add(-d) }

const (
	day      = 24 * time.Hour
	dbSecret = "prod/db/postgres"
)

func crisis() *estate.Readings { return changed() }

// described is what was last read of a stored secret in the crisis, changed.
func described(s *estate.Snapshot, id string, do func(*estate.SecretDescription)) estate.Observation {
	slot, ok := s.Slot(estate.Key{Component: "secrets-manager", Check: estate.CheckDescribe, Item: id})
	if !ok {
		panic("no description of " + id)
	}
	d := slot.Good.Data.(estate.SecretDescription)
	do(&d)
	o := slot.Last
	o.At, o.Data = ago(3*time.Second), d
	return o
}

// changed is the crisis, its database's secret with its rotation function, with
// other observations in place of some of its own.
func changed(seen ...estate.Observation) *estate.Readings {
	s := estatetest.Crisis()
	s = s.With(described(s, dbSecret, func(d *estate.SecretDescription) {
		d.RotationFunctionARN = "arn:aws:lambda:eu-west-1:111122223333:function:rotate-db"
	}))
	return estate.Derive(s.With(seen...), now)
}

// saw is an observation of two seconds ago.
func saw(id estate.ID, check, item string, data estate.Data) estate.Observation {
	return estate.Observation{Key: estate.Key{Component: id, Check: check, Item: item}, Source: "test " + check + " of " + string(id),
		At: ago(2 * time.Second), Interval: 15 * time.Second, Data: data}
}

func lost(id estate.ID, check, item string, kind estate.FailureKind, detail string) estate.Observation {
	o := saw(id, check, item, nil)
	o.Failure = &estate.Failure{Kind: kind, Detail: detail}
	return o
}

func TestEverySensorHasOneNameAndAnAnswer(t *testing.T) {
	all := Sensors()
	names := Names()
	if len(all) < 50 || len(names) != len(all) {
		t.Fatalf("%d sensors, %d names", len(all), len(names))
	}
	found := Sense(crisis(), now)
	once := map[string]bool{}
	for i, s := range all {
		if names[i] != s.Name || once[s.Name] || s.Asks == "" || s.When == "" {
			t.Errorf("%+v at %d, named %q", s, i, names[i])
		}
		once[s.Name] = true
		if !strings.HasSuffix(s.Asks, "?") || strings.HasSuffix(s.When, ".") || strings.ContainsAny(s.Asks+s.When, "\n|") {
			t.Errorf("%s: %q %q", s.Name, s.Asks, s.When)
		}
		if _, ok := found[s.Name]; !ok {
			t.Errorf("%s has no answer", s.Name)
		}
	}
	if len(found) != len(all) {
		t.Errorf("%d answers of %d sensors", len(found), len(all))
	}
}

// What every finding keeps, whatever was seen.
func keeps(t *testing.T, r *estate.Readings, found Findings) {
	t.Helper()
	for name, f := range found {
		if f.Value == "" || strings.ContainsAny(f.Value, "\n\r\t\x1b") || strings.Contains(strings.ToLower(f.Value), "checked") {
			t.Errorf("%s says %q", name, f.Value)
		}
		if len(f.Facts) > factsKept {
			t.Errorf("%s has %d facts", name, len(f.Facts))
		}
		if f.Stance == NoSensor && (len(f.Facts) > 0 || f.Word != "") {
			t.Errorf("%s has no sensor, and %d facts", name, len(f.Facts))
		}
		if f.Word != "" && !slices.Contains([]string{expired, stuck, compromised}, f.Word) {
			t.Errorf("%s has the word %q", name, f.Word)
		}
		if f.Stance == For || f.Stance == Against {
			fresh := 0
			for _, one := range f.Facts {
				if !one.Stale && one.Status != estate.Unknown && !one.At.IsZero() {
					fresh++
				}
			}
			if fresh == 0 {
				t.Errorf("%s is %s and rests on nothing fresh: %q %+v", name, f.Stance, f.Value, f.Facts)
			}
		}
		for _, one := range f.Facts {
			if one.Name == "" || one.Value == "" {
				t.Errorf("%s: fact %+v", name, one)
			}
			if _, ok := r.Snapshot.Topology.Component(one.Component); one.Component != "" && !ok {
				t.Errorf("%s: fact of %q", name, one.Component)
			}
			if one.Stale && (one.Status == estate.OK || one.Status == estate.Fail) {
				t.Errorf("%s: stale and judged %+v", name, one)
			}
		}
	}
}

func TestTheCrisis(t *testing.T) {
	r := crisis()
	found := Sense(r, now)
	keeps(t, r, found)
	for name, want := range map[string]struct {
		stance Stance
		value  string
	}{
		"rotation.status":      {Against, "12 of 22 rotations failed in 24h (5 abandoned); 2 secrets failing now: prod/db/postgres (database, critical), AWSPENDING stuck on version 33333333 for 25h; and 1 more"},
		"rotation.logs":        {For, "9 × DB connection timeout"},
		"secrets.failed":       {For, "2 failed: prod/db/postgres (database, critical), prod/api/legacy"},
		"secrets.dependencies": {For, "1 service on prod/db/postgres: User Service (critical) DOWN"},
		"secrets.valid":        {Against, "2 of 2 tries refused: prod/db/postgres refused (28P01) by PostgreSQL Primary, refused (28P01) by PostgreSQL Replica, which takes AWSPREVIOUS"},
		"access.emergency":     {For, "AWSPREVIOUS of prod/db/postgres opens PostgreSQL Replica"},
		"rotation.mechanism":   {For, "prod/db/postgres: function rotate-db every 14 days, which failed 10m ago (9 of 9 runs in 24h)"},
		"targets.state":        {Against, "3 of 5 targets failing"},
		"credential.fate":      {For, "stuck: prod/db/postgres, AWSPENDING stuck on version 33333333 for 25h (DB connection timeout)"},
		"mechanism.lambda":     {For, "prod/db/postgres by rotate-db"},
		"mechanism.scheduled":  {For, "was due 26h ago"},
		"mechanism.cron":       {NoSensor, "no cron job or timer is configured"},
		"mechanism.manual":     {Against, "0 changes by hand of prod/db/postgres"},
		"mechanism.emergency":  {Against, "tried in vain: PutSecretValue of prod/db/postgres by deploy/oncall 25m ago, refused (AccessDeniedException)"},
		"mechanism.trigger":    {NoSensor, "no check reads the triggers"},
		"failure.network":      {For, "RevokeSecurityGroupEgress of sg-0a1b2c3d4e5f60718 by netops 22h ago; now 9 × DB connection timeout"},
		"network.firewall":     {For, "RevokeSecurityGroupEgress"},
		"network.dns":          {Against, "every name resolves"},
		"permission.denied":    {For, "PutSecretValue of prod/db/postgres by deploy/oncall 25m ago, refused (AccessDeniedException)"},
		"target.database":      {Unread, "PostgreSQL Primary: not permitted, permission denied"},
		"target.ratelimit":     {For, "3 × the provider answers 429 (prod/api/legacy)"},
		"state.partial":        {For, "AWSPENDING stuck"},
		"state.rollback":       {For, "PostgreSQL Primary takes none of AWSCURRENT, AWSPENDING, AWSPREVIOUS: nothing stored works, VALID UNTIL passed 30h ago"},
		"state.inconsistent":   {For, "PostgreSQL Replica takes AWSPREVIOUS of prod/db/postgres and refuses AWSCURRENT: its replay is paused"},
		"secrets.identified":   {For, "2 failed, 0 unread: prod/db/postgres"},
		"secrets.expiry":       {For, "prod/db/postgres ended 30h ago, its grace of 24h is over"},
		"secrets.tested":       {Unread, "2 refused, 1 untested"},
		"impact.assessed":      {For, "2 of 5 services down (API Gateway, User Service), 2 degraded, 67% of calls at API Gateway refused"},
		"network.stores":       {For, "0 of 3 stores out of reach"},
		"permission.validated": {Against, "denied: PutSecretValue"},
		"changes.reviewed":     {Unread, "what changed between the last rotation of prod/db/postgres 15 days ago and"},
		"stores.consumers":     {Unread, "1 of 3 consumers unknown: User Service"},
		"secrets.rotated":      {Against, "2 failed still"},
		"stores.updated":       {Against, "PostgreSQL Replica takes AWSPREVIOUS"},
		"services.restarted":   {Against, "Analytics Service uses 11111111, the store hands out 22222222"},
		"secrets.validated":    {Against, "3 of 4 tries refused"},
		"auth.recovering":      {Against, "67% of calls at API Gateway refused (201 of 300 in 5m)"},
		"lesson.rotation":      {For, "prod/db/postgres by rotate-db"},
		"lesson.seal":          {Against, "no Vault is sealed"},
		"lesson.revocation":    {Against, "none ended, revoked or failing to renew"},
	} {
		if f := found[name]; f.Stance != want.stance || !strings.Contains(f.Value, want.value) {
			t.Errorf("%s\n is %s: %s\nnot %s: %s", name, f.Stance, f.Value, want.stance, want.value)
		}
	}
	if w := found["credential.fate"].Word; w != stuck {
		t.Errorf("the fate is %q", w)
	}
}

func TestSenseIsPureAndInOrder(t *testing.T) {
	want := Sense(crisis(), now)
	for range 5 {
		if got := Sense(crisis(), now); !reflect.DeepEqual(got, want) {
			for name := range want {
				if !reflect.DeepEqual(got[name], want[name]) {
					t.Fatalf("%s: %+v, then %+v", name, want[name], got[name])
				}
			}
		}
	}
}

// What was never read, or may not be, speaks neither for nor against anything.
func TestWhatIsUnreadSaysNothing(t *testing.T) {
	var expected []estate.Expectation
	var forbidden []estate.Observation
	s := estatetest.Crisis()
	for i := range s.Topology.Components {
		for _, slot := range s.Slots(s.Topology.Components[i].ID) {
			o := slot.Last
			expected = append(expected, estate.Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
			o.Data, o.Failure = nil, &estate.Failure{Kind: estate.Denied, Detail: "permission denied for everything"}
			forbidden = append(forbidden, o)
		}
	}
	fresh := estate.NewSnapshot(s.Topology, expected)
	for name, snapshot := range map[string]*estate.Snapshot{
		"nothing configured": estate.NewSnapshot(s.Topology, nil), "nothing read": fresh, "nothing permitted": fresh.With(forbidden...),
	} {
		r := estate.Derive(snapshot, now)
		found := Sense(r, now)
		keepsWords(t, found)
		for sensor, f := range found {
			// That a store refuses us is an answer: it was reached.
			if reached := sensor == "network.stores" && name == "nothing permitted"; f.Stance > Unread && !reached {
				t.Errorf("%s: %s is %s: %s", name, sensor, f.Stance, f.Value)
			}
			if name == "nothing permitted" && f.Stance == Unread && !strings.Contains(f.Value, "not permitted") && !strings.Contains(f.Value, "not read") {
				t.Errorf("%s: %s does not say why: %s", name, sensor, f.Value)
			}
		}
	}
	empty := Sense(estate.Derive(estate.NewSnapshot((&estate.Topology{}).Index(), nil), now), now)
	for sensor, f := range empty {
		if f.Stance > Unread || f.Value == "" {
			t.Errorf("of no estate %s is %s: %s", sensor, f.Stance, f.Value)
		}
	}
}

func keepsWords(t *testing.T, found Findings) {
	t.Helper()
	for name, f := range found {
		if f.Value == "" || len(f.Facts) > factsKept {
			t.Errorf("%s says %q with %d facts", name, f.Value, len(f.Facts))
		}
	}
}

// What was read too long ago speaks neither for nor against anything.
func TestWhatIsStaleSaysNothing(t *testing.T) {
	later := now.Add(3 * time.Hour)
	for name, f := range Sense(estate.Derive(estatetest.Crisis(), later), later) {
		if f.Stance > Unread {
			t.Errorf("%s is %s: %s", name, f.Stance, f.Value)
		}
	}
}

// One read that goes dark never turns a finding against what it said before.
func TestOneReadLessNeverTurnsAFinding(t *testing.T) {
	s := estatetest.Crisis()
	before := Sense(estate.Derive(s, now), now)
	for i := range s.Topology.Components {
		for _, slot := range s.Slots(s.Topology.Components[i].ID) {
			k := slot.Last.Key
			r := estate.Derive(s.With(lost(k.Component, k.Check, k.Item, estate.Denied, "no right")), now)
			for name, f := range Sense(r, now) {
				was := before[name].Stance
				if was == For && f.Stance == Against || was == Against && f.Stance == For {
					t.Errorf("without %v %s turned from %s (%s) to %s (%s)", k, name, was, before[name].Value, f.Stance, f.Value)
				}
			}
		}
	}
}
