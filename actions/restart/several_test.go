package restart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// A job that is too large for one fact comes back from several, each of which a
// journal keeps.
func TestLargeJobsFitIntoFacts(t *testing.T) {
	for _, n := range []int{1, 89, 400} {
		j := &job{Token: "T", Since: time.Date(2026, 11, 23, 3, 12, 0, 0, time.UTC)}
		var rank []*member
		for i := range n {
			rank = append(rank, &member{Cluster: "prod", Namespace: "größe", Kind: deployment, Name: fmt.Sprintf("service-%03d", i), Copies: []string{fmt.Sprintf("prod/größe/db-%03d", i)}})
		}
		j.Ranks = [][]*member{rank}
		facts, err := j.facts()
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range facts {
			if !incident.FactFits(name, value) {
				t.Errorf("%d members: no journal keeps fact %s (%d bytes)", n, name, len(value))
			}
		}
		if n > 100 && len(facts) < 2 {
			t.Errorf("%d members are in %d fact: the test is too small", n, len(facts))
		}
		back := &job{}
		if err := back.recall(facts); err != nil {
			t.Fatal(err)
		}
		if len(back.Ranks) != 1 || len(back.Ranks[0]) != n || back.Ranks[0][n-1].String() != rank[n-1].String() || back.Token != "T" {
			t.Errorf("%d members came back otherwise", n)
		}
		if n == 400 {
			last := slices.Max(slices.Collect(maps.Keys(facts)))
			delete(facts, last)
			if err := new(job).recall(facts); err == nil {
				t.Error("a job of which a part is missing was taken up")
			}
		}
	}
}

// One plan restarts who uses any of several secrets, and only them.
func TestSeveralSecretsAreOneTarget(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("api", 2, nil)
	w.stale("deployment/api")
	d := w.process(w.config())
	for _, target := range []string{"*", "other/*", "test/db/restarts*x"} {
		if _, err := d.run(plan.Request{Target: target}); err == nil || !strings.Contains(err.Error(), "neither a stored secret") {
			t.Errorf("target %q: %v", target, err)
		}
	}
	got, err := d.run(plan.Request{Target: "test/db/*"})
	w.must(err)
	if got.State != plan.RunDone || part(t, got, "api").State != plan.Done {
		t.Fatalf("%s: %s\n%s", got.State, got.Trouble, logOf(got))
	}
}
