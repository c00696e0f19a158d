package estatetest

import (
	"testing"

	"warroom/internal/estate"
)

// The crisis is the one of the guide's diagram, whatever becomes of derivations,
// and holds what is hard to draw: a value past its time and a read denied.
func TestTheCrisisIsTheGuides(t *testing.T) {
	r := estate.Derive(Crisis(), At)
	if len(r.All) != 17 {
		t.Fatalf("%d components, not 17", len(r.All))
	}
	for id, want := range map[estate.ID]estate.Status{
		"api-gateway": estate.Fail, "load-balancer": estate.Warn, "secrets-manager": estate.Fail, "rotation-lambda": estate.Fail,
		"key-management": estate.OK, "payment-service": estate.OK, "analytics-service": estate.Warn,
		"postgres-primary": estate.Fail, "postgres-replica": estate.Fail, "external-api": estate.OK,
		"secret-store": estate.OK, "rotation-monitor": estate.Fail, "secret-monitor": estate.Fail, "access-monitor": estate.Fail,
	} {
		if one, _ := r.Of(id); one.Status != want {
			t.Errorf("%s is %s (%s), want %s", id, one.Status, one.Reason, want)
		}
	}
	figures := map[string]string{}
	for _, one := range r.All {
		for _, f := range one.Headlines() {
			figures[string(one.ID)+" "+f.Name] = f.Value
		}
	}
	for name, want := range map[string]string{
		"secret-store Encrypted at rest": "YES", "secret-store Access logs": "ENABLED", "secret-store Audit trail": "COMPLETE",
		"rotation-monitor Success rate": "23% in 24h", "rotation-monitor Failed rotations": "12 in 24h", "rotation-monitor Alert status": "CRITICAL",
		"secret-monitor Expiry tracking": "ACTIVE", "secret-monitor Near-expiry": "45 secrets", "secret-monitor Expired": "12 secrets",
		"access-monitor Failed auths": "2,347 in 1h", "access-monitor Secret usage": "TRACKED", "access-monitor Anomaly detection": "ON",
	} {
		if figures[name] != want {
			t.Errorf("%s: %q, want %q", name, figures[name], want)
		}
	}
	stale, failed := 0, 0
	for _, one := range r.All {
		for _, f := range one.Facts {
			if f.Stale {
				stale++
			}
		}
		for _, slot := range r.Snapshot.Slots(one.ID) {
			if slot.Last.Failure != nil {
				failed++
			}
		}
	}
	if stale == 0 || failed != 2 {
		t.Errorf("%d facts are stale and %d reads failed", stale, failed)
	}
}
