package ui

import (
	"context"
	"fmt"
	"sync"
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
)

// The estate of these tests: the boxes and figures of the guide's diagram, given
// by hand, so that what is tested here does not move with how readings are
// derived. The golden frames are of estatetest's crisis, as it is derived.

// at is when the tests look at it.
var at = estatetest.At

// canary stands for a secret value that must appear nowhere.
const canary = "hunter2-CANARY-9f3e"

type box struct {
	id, name, group, word, reason string
	plane                         estate.Plane
	status                        estate.Status
	facts                         []string // name, value
	target                        string
}

var boxes = []box{
	{"api-gateway", "API Gateway", "", "EXPIRED", "the token of prod/api/external expired 15 days ago", estate.Edge, estate.Fail, []string{"Secret", "EXPIRED", "Auth failures", "67%"}, "https://api.company.com"},
	{"load-balancer", "Load Balancer", "", "MANUAL", "nothing renews the certificate, which ends in 12 days", estate.Edge, estate.Warn, []string{"Rotation", "MANUAL", "Next expiry", "12 days"}, "lb.company.com:443"},
	{"secrets-manager", "Secrets Manager", "Secret Management", "FAILED", "prod/db/postgres was due 14 days ago", estate.Service, estate.Fail, []string{"Rotation status", "FAILED", "Last rotation", "15 days ago"}, "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod"},
	{"rotation-lambda", "Rotation Lambda", "Secret Management", "ERROR", "its last 3 invocations failed", estate.Service, estate.Fail, []string{"Status", "ERROR", "Last run", "FAILED", "Error", "DB connection timeout"}, "arn:aws:lambda:eu-west-1:111122223333:function:rotate-db"},
	{"key-management", "Key Management", "Secret Management", "HEALTHY", "", estate.Service, estate.OK, []string{"Encryption keys", "HEALTHY", "Next", "7 days"}, "alias/prod"},
	{"user-service", "User Service", "Application Services", "EXPIRED", "its version of prod/db/postgres is refused", estate.Service, estate.Fail, []string{"DB secret", "EXPIRED", "Connection", "FAILED"}, "http://10.0.4.17:8080/health"},
	{"payment-service", "Payment Service", "Application Services", "ROTATED", "", estate.Service, estate.OK, []string{"API secret", "ROTATED", "Connection", "HEALTHY"}, "http://10.0.4.18:8080/health"},
	{"analytics-service", "Analytics Service", "Application Services", "STALE", "it uses the version before the current one", estate.Service, estate.Warn, []string{"DB secret", "STALE", "Retry attempts", "45"}, "http://10.0.4.19:8080/health"},
	{"vault-primary", "Vault Primary", "Secret Storage", "UNREAD", "no check reads Vault in this version", estate.State, estate.Unknown, nil, "https://vault-1.company.com:8200"},
	{"vault-secondary", "Vault Secondary", "Secret Storage", "UNREAD", "no check reads Vault in this version", estate.State, estate.Unknown, nil, "https://vault-2.company.com:8200"},
	{"secret-store", "Secret Store", "Secret Storage", "UNREAD", "no check reads Vault in this version", estate.State, estate.Unknown, nil, ""},
	{"postgres-primary", "PostgreSQL Primary", "Target Systems", "BLOCKED", "the current password of app_user is refused (28P01)", estate.State, estate.Fail, []string{"User", "app_user", "Password", "EXPIRED", "Connections", "BLOCKED"}, "db.company.com:5432"},
	{"postgres-replica", "PostgreSQL Replica", "Target Systems", "OLD_VERSION", "only the previous password works here", estate.State, estate.Warn, []string{"User", "app_user", "Password", "OLD_VERSION"}, "db-ro.company.com:5432"},
	{"external-api", "External API", "Target Systems", "HEALTHY", "", estate.State, estate.OK, []string{"API key", "ROTATED", "Rate limit", "RESET"}, "https://api.external.com"},
	{"rotation-monitor", "Rotation Monitor", "", "UNREAD", "no check reads monitors in this version", estate.Control, estate.Unknown, nil, ""},
	{"secret-monitor", "Secret Monitor", "", "UNREAD", "no check reads monitors in this version", estate.Control, estate.Unknown, nil, ""},
	{"access-monitor", "Access Monitor", "", "UNREAD", "no check reads monitors in this version", estate.Control, estate.Unknown, nil, ""},
}

var arrows = [][2]estate.ID{
	{"api-gateway", "secrets-manager"}, {"load-balancer", "key-management"}, {"secrets-manager", "rotation-lambda"},
	{"rotation-lambda", "vault-primary"}, {"vault-primary", "vault-secondary"}, {"user-service", "vault-primary"},
	{"payment-service", "vault-primary"}, {"rotation-lambda", "postgres-primary"}, {"rotation-lambda", "postgres-replica"},
	{"rotation-monitor", "rotation-lambda"},
}

// world is an estate whose readings a test sets. It is feed, checker and
// derivation in one.
type world struct {
	mu       sync.Mutex
	snap     *estate.Snapshot
	readings map[estate.ID]estate.Reading
	checked  [][]estate.ID
	news     chan struct{}
	last     time.Time // when Next last returned
}

func newWorld(extra ...box) *world {
	t := &estate.Topology{Environment: "production", Drill: "db-rotation"}
	w := &world{readings: map[estate.ID]estate.Reading{}, news: make(chan struct{}, 1)}
	for _, b := range append(append([]box(nil), boxes...), extra...) {
		t.Components = append(t.Components, estate.Component{
			ID: estate.ID(b.id), Name: b.name, Group: b.group, Plane: b.plane, Target: b.target,
			Policy: estate.Policy{Criticality: estate.High, Owner: "platform"},
		})
		r := estate.Reading{ID: estate.ID(b.id), Status: b.status, Word: b.word, Reason: b.reason, At: at.Add(-22 * time.Second), Took: 41 * time.Millisecond}
		if len(b.facts) == 0 {
			r.At = time.Time{}
		}
		for i := 0; i+1 < len(b.facts); i += 2 {
			r.Facts = append(r.Facts, estate.Fact{
				Name: b.facts[i], Value: b.facts[i+1], Status: b.status, Headline: true, At: r.At, Took: r.Took,
				Source: "DescribeSecret at secretsmanager.eu-west-1.amazonaws.com",
			})
		}
		w.readings[r.ID] = r
	}
	for _, a := range arrows {
		t.Flows = append(t.Flows, estate.Flow{From: a[0], To: a[1], Kind: estate.FlowSecret})
	}
	w.snap = estate.NewSnapshot(t.Index(), nil)
	return w
}

// set changes a reading and lets the feed bring it.
func (w *world) set(id estate.ID, change func(*estate.Reading)) {
	w.mu.Lock()
	r := w.readings[id]
	change(&r)
	w.readings[id] = r
	w.snap = w.snap.With(estate.Observation{Key: estate.Key{Component: id, Check: "test"}})
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *world) Next(ctx context.Context) (*estate.Snapshot, error) {
	select {
	case <-w.news:
		// As fast as a feed may be.
		pace := time.NewTimer(100*time.Millisecond - time.Since(w.last))
		defer pace.Stop()
		select {
		case <-pace.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		w.last = time.Now()
		return w.snapshot(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *world) snapshot() *estate.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snap
}

// crisis is a world of which the readings are those that the derivation makes.
func crisis() *world { return &world{snap: estatetest.Crisis(), news: make(chan struct{}, 1)} }

func (w *world) derive(s *estate.Snapshot, now time.Time) *estate.Readings {
	r := estate.Derive(s, now)
	if w.readings == nil {
		return r
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range r.All {
		r.All[i] = w.readings[r.All[i].ID]
	}
	return r
}

func (w *world) CheckNow(ids ...estate.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checked = append(w.checked, ids)
}

func (w *world) checks() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprint(w.checked)
}

func (w *world) options() Options {
	return Options{
		Snapshot: w.snapshot(), Feed: w, Checker: w, Derive: w.derive,
		Clock: func() time.Time { return at },
	}
}

// alone makes a console that nothing runs.
func alone(o Options) *Model { return newModel(context.Background(), o, newGuard(nil, nil)) }
