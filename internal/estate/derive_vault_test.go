package estate

import (
	"strings"
	"testing"
	"time"
)

// vaultEstate is a primary and a secondary of the guide, and no more.
func vaultEstate() *Topology {
	t := &Topology{
		Components: []Component{
			{ID: "v1", Name: "Vault Primary", Plane: State, Kind: KindVault},
			{ID: "v2", Name: "Vault Secondary", Plane: State, Kind: KindVault, Standby: true},
		},
		Rules: Rules{ClockSkewWarn: 30 * time.Second, VaultLagWarn: 10 * time.Second, VaultLagFail: 5 * time.Minute},
	}
	return t.Index()
}

// healthyVault is what a Vault says of itself in which nothing is wrong.
func healthyVault(id ID) []Observation {
	return []Observation{
		saw(id, CheckVaultHealth, "", VaultHealth{Initialized: true, Version: "1.19.0", ClusterName: "c", Code: 200}),
		saw(id, CheckVaultSeal, "", VaultSeal{Type: "shamir", Storage: "raft", Initialized: true, Shares: 5, Threshold: 3}),
		saw(id, CheckVaultNodes, "", VaultNodes{[]VaultNode{{Host: "a", Active: true}, {Host: "b", LastEcho: ago(12 * time.Second)}}}),
		saw(id, CheckVaultRaft, "", VaultRaft{Healthy: true, FailureTolerance: 1, Leader: "a", Servers: []VaultRaftServer{{ID: "a", Healthy: true}, {ID: "b", Healthy: true}}}),
		saw(id, CheckVaultReplication, "", VaultReplication{}),
		saw(id, CheckVaultMounts, "", VaultMounts{[]VaultMount{{"secret/", "kv", "2"}, {"database/", "database", ""}}}),
		saw(id, CheckVaultAuth, "", VaultMounts{[]VaultMount{{"token/", "token", ""}}}),
		saw(id, CheckVaultAudit, "", VaultAudit{[]VaultAuditDevice{{"file/", "file", "/var/log/vault.log"}}}),
		saw(id, CheckVaultCount, "", VaultCount{Secrets: 2847, Estimate: 2847, Folders: 61, Mounts: 2, Complete: true, Limit: 2000}),
		saw(id, CheckVaultStaticRoles, "", VaultStaticRoles{Roles: []VaultStaticRole{{Mount: "database/", Name: "app", User: "app_user", LastRotation: ago(time.Hour), Period: day, Due: in(23 * time.Hour)}}}),
		saw(id, CheckVaultToken, "", VaultToken{Name: "approle", Policies: []string{"warroom"}, Expires: in(time.Hour), Renewable: true}),
	}
}

// vaultSays derives an estate of both Vaults, in which what is given came last.
func vaultSays(t *testing.T, last ...Observation) *Readings {
	t.Helper()
	all := append(healthyVault("v1"), healthyVault("v2")...)
	var expected []Expectation
	known := map[Key]bool{}
	for _, o := range append(all, last...) {
		if !known[o.Key] {
			known[o.Key] = true
			expected = append(expected, Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
		}
	}
	return Derive(NewSnapshot(vaultEstate(), expected).With(all...).With(last...), noon)
}

// failed is a read that brought nothing, after one that did.
func failed(id ID, check string, kind FailureKind) Observation {
	o := saw(id, check, "", nil)
	o.At = ago(time.Second)
	o.Failure = &Failure{Kind: kind, Doing: "x", Detail: "said no"}
	return o
}

func secondarySet(age time.Duration) VaultReplicationSet {
	return VaultReplicationSet{Kind: "performance", Mode: "secondary", State: "stream-wals", Connection: "ready", CanaryAge: age, CanaryKnown: true}
}

func replicating(sets ...VaultReplicationSet) VaultReplication {
	return VaultReplication{Licensed: true, Sets: sets}
}

func TestVaultHeadlinesAreTheGuides(t *testing.T) {
	r := vaultSays(t, saw("v2", CheckVaultReplication, "", replicating(secondarySet(45*time.Second))))
	for id, want := range map[ID][]string{
		"v1": {"Seal status: UNSEALED", "Secrets: 2,847", "Health: HEALTHY"},
		"v2": {"Seal status: UNSEALED", "Replication lag: 45s", "Health: DEGRADED"},
	} {
		one, _ := r.Of(id)
		var got []string
		for _, f := range one.Headlines() {
			got = append(got, f.Name+": "+f.Value)
			if f.Source == "" {
				t.Errorf("%s of %s has no source", f.Name, id)
			}
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if one, _ := r.Of("v1"); one.Status != OK || one.Word != "HEALTHY" {
		t.Errorf("the primary is %s %s: %s", one.Status, one.Word, one.Reason)
	}
	if one, _ := r.Of("v2"); one.Status != Warn || one.Word != "DEGRADED" || !strings.Contains(one.Reason, "45s") {
		t.Errorf("the secondary is %s %s: %s", one.Status, one.Word, one.Reason)
	}
}

// What each state of a Vault reads as: the component's status and word, and one fact.
func TestVaultStates(t *testing.T) {
	health := func(h VaultHealth) Observation { return saw("v1", CheckVaultHealth, "", h) }
	roles := func(r ...VaultStaticRole) Observation {
		return saw("v1", CheckVaultStaticRoles, "", VaultStaticRoles{Roles: r})
	}
	late := VaultStaticRole{Mount: "database/", Name: "late", LastRotation: ago(25 * time.Hour), Period: day, Due: ago(time.Hour)}
	for name, c := range map[string]struct {
		last   []Observation
		status Status
		word   string
		fact   string
		value  string
		of     Status
	}{
		"sealed": {[]Observation{
			health(VaultHealth{Initialized: true, Sealed: true, Standby: true, Code: 503}),
			saw("v1", CheckVaultSeal, "", VaultSeal{Initialized: true, Sealed: true, Threshold: 3, Progress: 1}),
			failed("v1", CheckVaultCount, Sealed), failed("v1", CheckVaultToken, Sealed),
		}, Fail, "SEALED", "Seal status", "SEALED", Fail},
		"what a sealed vault held": {[]Observation{
			health(VaultHealth{Initialized: true, Sealed: true}), saw("v1", CheckVaultSeal, "", VaultSeal{Initialized: true, Sealed: true}),
			failed("v1", CheckVaultCount, Sealed),
		}, Fail, "SEALED", "Secrets", "2,847", Unknown},
		"uninitialised":        {[]Observation{health(VaultHealth{Sealed: true, Code: 501}), saw("v1", CheckVaultSeal, "", VaultSeal{Sealed: true})}, Fail, "UNINITIALISED", "Health", "UNINITIALISED", Fail},
		"sealed by health":     {[]Observation{health(VaultHealth{Initialized: true, Sealed: true}), failed("v1", CheckVaultSeal, Silent)}, Fail, "SEALED", "Seal status", "SEALED", Fail},
		"unreachable":          {[]Observation{failed("v1", CheckVaultHealth, Refused), failed("v1", CheckVaultSeal, Refused)}, Fail, "NO CONNECTION", "Health", "HEALTHY", Fail},
		"standby":              {[]Observation{health(VaultHealth{Initialized: true, Standby: true, Code: 429})}, OK, "HEALTHY", "This node", "standby", OK},
		"no active node":       {[]Observation{health(VaultHealth{Initialized: true, Standby: true, NoActive: true, Code: 474})}, Fail, "NO ACTIVE NODE", "Health", "NO ACTIVE NODE", Fail},
		"removed":              {[]Observation{health(VaultHealth{Initialized: true, Removed: true, Code: 530})}, Fail, "REMOVED", "Health", "REMOVED", Fail},
		"clock":                {[]Observation{health(VaultHealth{Initialized: true, ClockSkew: -time.Minute})}, Warn, "CLOCK SKEW", "Clock skew", "1m behind us", Warn},
		"denied audit":         {[]Observation{failed("v1", CheckVaultAudit, Denied)}, Unknown, "NOT READ", "Audit devices", "1", Unknown},
		"no audit":             {[]Observation{saw("v1", CheckVaultAudit, "", VaultAudit{})}, Warn, "NOT AUDITED", "Audit devices", "NONE", Warn},
		"wrong token":          {[]Observation{failed("v1", CheckVaultToken, NoIdentity), failed("v1", CheckVaultCount, NoIdentity)}, Unknown, "NOT READ", "Seal status", "UNSEALED", OK},
		"root token":           {[]Observation{saw("v1", CheckVaultToken, "", VaultToken{Name: "root", Policies: []string{"root"}, Root: true})}, Warn, "ROOT TOKEN", "Token", "does not expire", Warn},
		"token ends":           {[]Observation{saw("v1", CheckVaultToken, "", VaultToken{Policies: []string{"p"}, Expires: in(10*time.Minute + time.Second)})}, Warn, "TOKEN ENDS", "Token", "expires in 10m", Warn},
		"token ended":          {[]Observation{saw("v1", CheckVaultToken, "", VaultToken{Policies: []string{"p"}, Expires: ago(time.Minute)})}, Unknown, "NOT READ", "Token", "expired 1m ago", Unknown},
		"stuck role":           {[]Observation{roles(late)}, Fail, "STATIC ROLES STUCK", "Static role database/late", "STUCK", Fail},
		"role just due":        {[]Observation{roles(VaultStaticRole{Mount: "database/", Name: "due", LastRotation: ago(day), Period: day, Due: ago(time.Minute)})}, OK, "HEALTHY", "Static role database/due", "due now", OK},
		"role never rotated":   {[]Observation{roles(VaultStaticRole{Mount: "database/", Name: "new", Period: day})}, OK, "HEALTHY", "Static role database/new", "NOT YET ROTATED", NA},
		"role denied":          {[]Observation{roles(VaultStaticRole{Mount: "database/", Name: "x", Failure: "not permitted: HTTP 403"})}, Unknown, "NOT READ", "Static role database/x", "?", Unknown},
		"no roles":             {[]Observation{roles()}, OK, "HEALTHY", "Static roles", "none", NA},
		"silent node":          {[]Observation{saw("v1", CheckVaultNodes, "", VaultNodes{[]VaultNode{{Host: "a", Active: true}, {Host: "b", LastEcho: ago(2 * time.Minute)}}})}, Warn, "DEGRADED", "Health", "DEGRADED", Warn},
		"no active among them": {[]Observation{saw("v1", CheckVaultNodes, "", VaultNodes{[]VaultNode{{Host: "b", LastEcho: ago(10 * time.Second)}}})}, Fail, "UNHEALTHY", "Nodes", "1", Fail},
		"raft unhealthy":       {[]Observation{saw("v1", CheckVaultRaft, "", VaultRaft{Servers: []VaultRaftServer{{ID: "b", LastContact: time.Minute}}})}, Warn, "DEGRADED", "Raft", "UNHEALTHY", Warn},
		"raft without spare":   {[]Observation{saw("v1", CheckVaultRaft, "", VaultRaft{Healthy: true, Servers: []VaultRaftServer{{ID: "a", Healthy: true}, {ID: "b", Healthy: true}, {ID: "c", Healthy: true}}})}, Warn, "DEGRADED", "Raft", "NO SPARE", Warn},
		"one raft server":      {[]Observation{saw("v1", CheckVaultRaft, "", VaultRaft{Healthy: true, Servers: []VaultRaftServer{{ID: "a", Healthy: true}}})}, OK, "HEALTHY", "Raft", "healthy", OK},
		"counting":             {[]Observation{saw("v1", CheckVaultCount, "", VaultCount{Secrets: 1200, Estimate: 5000, Folders: 40, Running: true})}, OK, "HEALTHY", "Secrets", "1,200 so far", OK},
		"huge":                 {[]Observation{saw("v1", CheckVaultCount, "", VaultCount{Secrets: 20000, Estimate: 1234567, Folders: 2000, Limit: 2000})}, OK, "HEALTHY", "Secrets", "about 1,200,000", OK},
		"partly denied":        {[]Observation{saw("v1", CheckVaultCount, "", VaultCount{Secrets: 20, Estimate: 20, Folders: 3, Denied: 2})}, Unknown, "NOT READ", "Secrets", "at least 20", Unknown},
		"primary of two":       {[]Observation{saw("v1", CheckVaultReplication, "", replicating(VaultReplicationSet{Kind: "performance", Mode: "primary", State: "running", LastWAL: 7, Secondaries: []VaultSecondary{{ID: "s", Connection: "connected", CanaryAge: time.Second, CanaryKnown: true}}}))}, OK, "HEALTHY", "Secondary s", "1s behind", OK},
		"primary cut off":      {[]Observation{saw("v1", CheckVaultReplication, "", replicating(VaultReplicationSet{Kind: "dr", Mode: "primary", Secondaries: []VaultSecondary{{ID: "s", Connection: "disconnected"}}}))}, Warn, "DEGRADED", "Secondary s", "DISCONNECTED", Warn},
		"wrong role":           {[]Observation{saw("v1", CheckVaultReplication, "", replicating(secondarySet(time.Second)))}, Fail, "WRONG ROLE", "Replication", "WRONG ROLE", Fail},
	} {
		r := vaultSays(t, c.last...)
		got, _ := r.Of("v1")
		f := fact(t, r, "v1", c.fact)
		if got.Status != c.status || got.Word != c.word {
			t.Errorf("%s: %s %s (%s), want %s %s", name, got.Status, got.Word, got.Reason, c.status, c.word)
		}
		if f.Value != c.value || f.Status != c.of {
			t.Errorf("%s: %s %q %s (%s), want %q %s", name, f.Name, f.Value, f.Status, f.Note, c.value, c.of)
		}
	}
}

// Key shares are counted only where there are any.
func TestVaultStorageNamesItsShares(t *testing.T) {
	for want, seal := range map[string]VaultSeal{
		"seal shamir, 3 of 5 key shares": {Type: "shamir", Storage: "raft", Initialized: true, Threshold: 3, Shares: 5},
		"seal shamir":                    {Type: "shamir", Storage: "raft", Sealed: true},
	} {
		if f := fact(t, vaultSays(t, saw("v1", CheckVaultSeal, "", seal)), "v1", "Storage"); f.Value != "raft" || f.Note != want {
			t.Errorf("%+v: %q (%s), want %q", seal, f.Value, f.Note, want)
		}
	}
}

// How far a secondary is behind, on every edition.
func TestVaultSecondaries(t *testing.T) {
	repl := func(sets ...VaultReplicationSet) Observation {
		return saw("v2", CheckVaultReplication, "", replicating(sets...))
	}
	pair := func(p VaultPair) Observation {
		p.With = "one"
		return saw("v2", CheckVaultPair, "", p)
	}
	state := func(change func(*VaultReplicationSet)) Observation {
		set := secondarySet(time.Second)
		change(&set)
		return repl(set)
	}
	wal := func(behind uint64) []Observation {
		return []Observation{
			saw("v1", CheckVaultReplication, "", replicating(VaultReplicationSet{Kind: "performance", Mode: "primary", State: "running", LastWAL: 5000})),
			repl(VaultReplicationSet{Kind: "performance", Mode: "secondary", State: "stream-wals", RemoteWAL: 5000 - behind}),
		}
	}
	one := func(o Observation) []Observation { return []Observation{o} }
	for name, c := range map[string]struct {
		last   []Observation
		fact   string
		value  string
		of     Status
		health string
		status Status
	}{
		"near":                {one(repl(secondarySet(900 * time.Millisecond))), "Replication lag", "under 1s", OK, "HEALTHY", OK},
		"far":                 {one(repl(secondarySet(6 * time.Minute))), "Replication lag", "6m", Fail, "UNHEALTHY", Fail},
		"merkle":              {one(state(func(s *VaultReplicationSet) { s.State = "merkle-sync" })), "Replication lag", "1s", Warn, "DEGRADED", Warn},
		"idle":                {one(state(func(s *VaultReplicationSet) { s.State = "idle" })), "Replication lag", "1s", Fail, "UNHEALTHY", Fail},
		"cut off":             {one(state(func(s *VaultReplicationSet) { s.Connection = "transient_failure" })), "Replication lag", "1s", Fail, "UNHEALTHY", Fail},
		"being set up":        {one(state(func(s *VaultReplicationSet) { s.Mode = "bootstrapping" })), "Replication lag", "1s", Warn, "DEGRADED", Warn},
		"no canary, no log":   {one(repl(VaultReplicationSet{Kind: "dr", Mode: "secondary", State: "stream-wals"})), "Replication lag", "?", Unknown, "HEALTHY", Unknown},
		"few entries":         {wal(12), "Replication lag", "12 entries", OK, "HEALTHY", OK},
		"many entries":        {wal(2000), "Replication lag", "2,000 entries", Warn, "DEGRADED", Warn},
		"not enabled":         {one(repl(VaultReplicationSet{Kind: "dr", Mode: "disabled"})), "Replication lag", "NONE", Warn, "DEGRADED", Warn},
		"it is a primary":     {one(repl(VaultReplicationSet{Kind: "dr", Mode: "primary"})), "Replication lag", "WRONG ROLE", Fail, "UNHEALTHY", Fail},
		"community":           {nil, "Replication lag", "N/A", NA, "HEALTHY", OK},
		"copy in step":        {one(pair(VaultPair{Compared: 40, Complete: true})), "Copy", "in step", OK, "HEALTHY", OK},
		"copy of nothing yet": {one(pair(VaultPair{})), "Copy", "?", Unknown, "HEALTHY", Unknown},
		"copy just behind":    {one(pair(VaultPair{Compared: 40, Behind: 1, Oldest: ago(5 * time.Second), Complete: true})), "Copy", "1 behind, oldest under 10s", OK, "HEALTHY", OK},
		"copy behind":         {one(pair(VaultPair{Compared: 40, Behind: 3, Missing: 2, Oldest: ago(45 * time.Second), Complete: true})), "Copy", "3 behind, 2 missing, oldest 40s", Warn, "DEGRADED", Warn},
		"copy far behind":     {one(pair(VaultPair{Compared: 4000, Behind: 3000, Oldest: ago(2 * time.Hour)})), "Copy", "3,000 behind, oldest 2h", Fail, "UNHEALTHY", Fail},
		"copy without times":  {one(pair(VaultPair{Compared: 4, Missing: 1, Complete: true})), "Copy", "1 missing", Warn, "DEGRADED", Warn},
		"the other is away":   {append(one(pair(VaultPair{Compared: 4, Complete: true})), failed("v2", CheckVaultPair, OutOfReach)), "Copy", "in step", Unknown, "HEALTHY", Unknown},
	} {
		r := vaultSays(t, c.last...)
		if name == "the other is away" {
			r = vaultSays(t, c.last[1])
			c.value = "?"
		}
		f, h := fact(t, r, "v2", c.fact), fact(t, r, "v2", "Health")
		if f.Value != c.value || f.Status != c.of || !f.Headline {
			t.Errorf("%s: %s %q %s (%s), want %q %s in the box", name, f.Name, f.Value, f.Status, f.Note, c.value, c.of)
		}
		got, _ := r.Of("v2")
		if h.Value != c.health || got.Status != c.status {
			t.Errorf("%s: health %s, %s %s (%s), want %s, %s", name, h.Value, got.Status, got.Word, got.Reason, c.health, c.status)
		}
		if f.Value != "?" && f.Value != "N/A" && f.Formula == "" && f.Status != Fail && f.Status != Warn {
			t.Errorf("%s: %s has no formula", name, f.Name)
		}
	}
}

// Nothing that fails leaves a Vault OK, and nothing of a sealed one is a failure of
// its own.
func TestVaultUnknownIsNeverOK(t *testing.T) {
	for _, o := range healthyVault("v1") {
		for _, kind := range []FailureKind{Denied, NoIdentity, Silent, Unresolved, Throttled, Broken, Sealed, Refused, ServerError, BadAnswer, Misconfigure} {
			r := vaultSays(t, failed("v1", o.Key.Check, kind))
			if got, _ := r.Of("v1"); got.Status != Unknown && got.Status != Fail || got.Word == "HEALTHY" {
				t.Errorf("%s after %q: %s %s", o.Key.Check, kind, got.Status, got.Word)
			}
		}
	}
	var never []Expectation
	for _, o := range healthyVault("v1") {
		never = append(never, Expectation{Key: o.Key, Source: o.Source, Interval: o.Interval})
	}
	s := NewSnapshot(vaultEstate(), never)
	if got, _ := Derive(s, noon).Of("v1"); got.Status != Unknown {
		t.Errorf("never read: %s %s", got.Status, got.Word)
	}
	for _, o := range healthyVault("v1") {
		o.Data, o.Failure = nil, &Failure{Kind: Sealed, Detail: "Vault is sealed"}
		switch o.Key.Check {
		case CheckVaultHealth:
			o.Data, o.Failure = VaultHealth{Initialized: true, Sealed: true}, nil
		case CheckVaultSeal:
			o.Data, o.Failure = VaultSeal{Initialized: true, Sealed: true}, nil
		}
		s = s.With(o)
	}
	r := Derive(s, noon)
	got, _ := r.Of("v1")
	if got.Status != Fail || got.Word != "SEALED" {
		t.Errorf("sealed: %s %s", got.Status, got.Word)
	}
	for _, f := range got.Facts {
		if f.Status == Fail && f.Name != "Seal status" && f.Name != "Health" {
			t.Errorf("sealed: %s fails by itself: %s %s", f.Name, f.Value, f.Note)
		}
		if f.Status == OK && f.Name != "Clock skew" {
			t.Errorf("sealed: %s is OK: %s", f.Name, f.Value)
		}
	}
	if got, _ := vaultSays(t, failed("v1", CheckVaultRaft, NotSupported), saw("v1", CheckVaultSeal, "", VaultSeal{Initialized: true, Storage: "file"})).Of("v1"); got.Status != OK {
		t.Errorf("without raft: %s %s", got.Status, got.Reason)
	}
	if got, _ := vaultSays(t, failed("v1", CheckVaultRaft, NotSupported)).Of("v1"); got.Status != Unknown {
		t.Errorf("raft whose autopilot is off: %s", got.Status)
	}
}

func TestVaultNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 2847: "2,847", 1234567: "1,234,567", -2847: "-2,847", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]int{7: 7, 99: 99, 104: 100, 2847: 2800, 2850: 2900, 1234567: 1200000} {
		if got := roughly(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}
