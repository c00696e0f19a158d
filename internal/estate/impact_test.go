package estate

import (
	"slices"
	"testing"
)

func impactTopology() *Topology {
	t := &Topology{
		Components: []Component{
			{ID: "gateway", Kind: KindGateway, Secrets: []string{"token"}},
			{ID: "store", Kind: KindSecretsManager},
			{ID: "rotator", Kind: KindRotationFunction},
			{ID: "users", Kind: KindApplication, Secrets: []string{"db"}, Policy: Policy{Criticality: Critical}},
			{ID: "reports", Kind: KindApplication, Secrets: []string{"reports-db"}},
			{ID: "primary", Kind: KindPostgres, Secrets: []string{"db", "monitoring"}, Monitor: "monitoring"},
			{ID: "replica", Kind: KindPostgres, Secrets: []string{"db", "monitoring"}, Monitor: "monitoring", Standby: true},
			{ID: "partner", Kind: KindExternalAPI, Secrets: []string{"key"}},
			{ID: "watcher", Kind: KindAccessMonitor},
			{ID: "stray", Kind: KindApplication, Secrets: []string{"nowhere"}},
			{ID: "watched", Kind: KindApplication, Secrets: []string{"monitoring"}},
		},
		Secrets: []StoredSecret{
			{ID: "db", Store: "store"}, {ID: "reports-db", Store: "store"}, {ID: "monitoring", Store: "store"},
			{ID: "key", Store: "store"}, {ID: "token", Store: "store"},
		},
		Flows: []Flow{
			{From: "store", To: "rotator", Kind: FlowSecret},
			{From: "rotator", To: "primary", Kind: FlowTarget}, {From: "rotator", To: "partner", Kind: FlowTarget},
			{From: "watcher", To: "users", Kind: FlowMonitoring},
		},
	}
	return t.Index()
}

func TestSecretsOfAndConsumers(t *testing.T) {
	top := impactTopology()
	for _, c := range []struct {
		id        ID
		secrets   []string
		consumers []ID
	}{
		{"primary", []string{"db"}, []ID{"users"}},
		{"replica", []string{"db"}, []ID{"users"}},
		{"partner", []string{"key"}, nil},
		{"rotator", []string{"db", "key"}, []ID{"users", "partner"}},
		{"store", []string{"db", "reports-db", "monitoring", "key", "token"}, []ID{"gateway", "users", "reports", "partner", "watched"}},
		{"users", []string{"db"}, nil},
		{"gateway", []string{"token"}, nil},
		{"stray", []string{"nowhere"}, nil},
		{"watcher", nil, nil},
		{"absent", nil, nil},
	} {
		if got := top.SecretsOf(c.id); !slices.Equal(got, c.secrets) {
			t.Errorf("SecretsOf(%s) = %v, want %v", c.id, got, c.secrets)
		}
		if got := top.Consumers(c.id); !slices.Equal(got, c.consumers) {
			t.Errorf("Consumers(%s) = %v, want %v", c.id, got, c.consumers)
		}
	}
	// Of a function that changes no system we know of, what its store holds.
	top.Flows = top.Flows[:1]
	if got := top.Index().SecretsOf("rotator"); len(got) != 5 {
		t.Errorf("a rotation function with no targets rotates %v", got)
	}
}

func TestWorstFirstBeginsWithTheWorstAndLeavesOutTheWell(t *testing.T) {
	top := impactTopology()
	r := &Readings{Snapshot: NewSnapshot(top, nil), All: make([]Reading, len(top.Components))}
	for i, c := range top.Components {
		r.All[i] = Reading{ID: c.ID, Status: OK}
	}
	if got := r.WorstFirst(); got != nil {
		t.Errorf("of a healthy estate: %v", got)
	}
	set := func(id ID, s Status) { r.All[top.byID[id]].Status = s }
	set("reports", Warn)
	set("watcher", Unknown)
	set("users", Fail)
	set("primary", Fail)
	set("stray", NA)
	var ids []ID
	for _, i := range r.WorstFirst() {
		ids = append(ids, r.All[i].ID)
	}
	if want := []ID{"users", "primary", "watcher", "reports"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	if first := r.WorstFirst()[0]; first != r.Worst() {
		t.Errorf("the first is %d, Worst says %d", first, r.Worst())
	}
}
