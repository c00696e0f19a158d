package diagnosis

import (
	"fmt"
	"testing"
	"time"

	"warroom/internal/estate"
)

// BenchmarkSense answers everything for the guide's crisis.
func BenchmarkSense(b *testing.B) {
	r := crisis()
	for b.Loop() {
		Sense(r, now)
	}
}

// many is an estate of n stored secrets, of which every hundredth is stuck.
func many(n int) *estate.Readings {
	t := &estate.Topology{Rules: estate.Rules{RotationWindow: day, ChangesWindow: day, ExpiryWarn: 7 * day}}
	t.Components = append(t.Components, estate.Component{ID: "sm", Name: "Secrets Manager", Kind: estate.KindSecretsManager})
	var seen []estate.Observation
	changes := estate.Changes{Account: "main", Window: day}
	for i := range n {
		id := fmt.Sprintf("prod/db/%04d", i)
		t.Secrets = append(t.Secrets, estate.StoredSecret{ID: id, Name: id, Store: "sm", Type: estate.TypeDatabase, Policy: estate.Policy{Expiry: estate.ExpiryRotation}})
		d := estate.SecretDescription{Secret: id, RotationEnabled: true, RotateEvery: 14 * day, LastRotated: ago(3 * day), NextRotation: now.Add(11 * day),
			Versions: []estate.SecretVersion{{ID: "1", Stages: []estate.Stage{estate.StageCurrent}}}}
		if i%100 == 0 {
			d.PendingSince = ago(2 * time.Hour)
			d.Versions = append(d.Versions, estate.SecretVersion{ID: "2", Stages: []estate.Stage{estate.StagePending}})
		}
		if i < 100 {
			changes.Changes = append(changes.Changes, estate.Change{At: ago(time.Duration(i) * time.Minute), What: "PutSecretValue", Target: id, By: "arn:aws:iam::1:user/ops"})
		}
		seen = append(seen, saw("sm", estate.CheckDescribe, id, d))
		if i < 89 {
			app := estate.ID(fmt.Sprintf("app-%d", i))
			t.Components = append(t.Components, estate.Component{ID: app, Name: string(app), Kind: estate.KindApplication, Secrets: []string{id}})
			seen = append(seen, saw(app, estate.CheckHealth, "", estate.Health{Code: 200, Word: "OK", Connection: "HEALTHY", Retries: -1, Version: "1"}))
		}
	}
	t.Components = append(t.Components, estate.Component{ID: "monitor", Name: "Rotation Monitor", Kind: estate.KindRotationMonitor})
	seen = append(seen, saw("monitor", estate.CheckChanges, "main", changes))
	return estate.Derive(estate.NewSnapshot(t.Index(), nil).With(seen...), now)
}

// BenchmarkSenseMany answers everything for 3,000 stored secrets.
func BenchmarkSenseMany(b *testing.B) {
	r := many(3000)
	for b.Loop() {
		Sense(r, now)
	}
}

// A large estate's findings keep what those of a small one do.
func TestManySecrets(t *testing.T) {
	r := many(3000)
	found := Sense(r, now)
	keeps(t, r, found)
	if f := found["secrets.failed"]; f.Stance != For || f.Value[:10] != "30 failed:" {
		t.Errorf("%s: %s", f.Stance, f.Value)
	}
}
