package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/diagnosis"
	"warroom/internal/drill"
	"warroom/internal/estate"
	"warroom/internal/runbook"
)

// sensed are the findings of one round of checks over the drill db-rotation.
func sensed(t *testing.T) (found diagnosis.Findings, took time.Duration) {
	t.Helper()
	err := onDrill("db-rotation", func(cfg *config.Config, world *drill.World) error {
		ctx, end := context.WithCancelCause(t.Context())
		defer end(nil)
		if err := serving(ctx, world, end); err != nil {
			return err
		}
		o := observe(cfg, nil, func() {})
		defer o.set.Close()
		o.scheduler.Once(ctx)
		now := time.Now()
		r := estate.Derive(o.board.Snapshot(), now)
		took = time.Hour
		for range 5 { // the best of a few: others use this machine too
			began := time.Now()
			found = diagnosis.Sense(r, now)
			took = min(took, time.Since(began))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, took
}

// The sensors tell the story of the drill as it is: a function that no longer
// reaches the database since somebody closed a security group, a password that hangs
// half way and whose role has ended, and a replica that stayed behind.
func TestSensorsTellTheDrillsStory(t *testing.T) {
	found, took := sensed(t)
	t.Logf("sensed in %v", took)
	for _, name := range diagnosis.Names() {
		t.Logf("%-22s %-9s %s", name, found[name].Stance, found[name].Value)
	}
	for name, want := range map[string]struct {
		stance diagnosis.Stance
		values []string
	}{
		"rotation.status":      {diagnosis.Against, []string{"12 of 22 rotations failed in 24h", "prod/db/postgres (database, critical), AWSPENDING stuck"}},
		"rotation.logs":        {diagnosis.For, []string{"8 × DB connection timeout", "0 runs unread"}},
		"secrets.identified":   {diagnosis.For, []string{"8 failed, 0 unread: prod/db/postgres"}},
		"secrets.dependencies": {diagnosis.For, []string{"User Service (critical) FAILED"}},
		"secrets.valid":        {diagnosis.Against, []string{"refused (28P01) by PostgreSQL Primary", "PostgreSQL Replica, which takes AWSPREVIOUS"}},
		"secrets.expiry":       {diagnosis.For, []string{"prod/db/postgres ended 30h ago, no grace"}},
		"secrets.tested":       {diagnosis.Unread, []string{"2 refused, 7 untested"}},
		"access.emergency":     {diagnosis.For, []string{"prod/db/monitoring opens PostgreSQL Primary", "no fallback: User Service"}},
		"rotation.mechanism":   {diagnosis.For, []string{"function rotate-postgres every 14 days, which failed"}},
		"credential.fate":      {diagnosis.For, []string{"stuck: prod/db/postgres, AWSPENDING stuck", "expired: VALID UNTIL of prod/db/postgres passed 30h ago", "compromised: no sign, 0 unknown readers"}},
		"mechanism.automated":  {diagnosis.For, []string{"rotate-postgres"}},
		"mechanism.manual":     {diagnosis.Against, []string{"tried in vain: RotateSecret of prod/db/postgres by on-call/break-glass"}},
		"mechanism.delegated":  {diagnosis.Against, nil},
		"mechanism.integrated": {diagnosis.Against, nil},
		"failure.network":      {diagnosis.For, []string{"RevokeSecurityGroup", "of function rotate-postgres by network-automation/apply-1182", "DB connection timeout"}},
		"network.dns":          {diagnosis.Against, []string{"every name resolves"}},
		"failure.permission":   {diagnosis.Against, []string{"may do all 7 actions"}},
		"target.database":      {diagnosis.Against, nil},
		"target.ratelimit":     {diagnosis.For, []string{"429 Too Many Requests (prod/api/"}},
		"state.partial":        {diagnosis.For, []string{"AWSPENDING stuck on version"}},
		"state.rollback":       {diagnosis.For, []string{"nothing stored works, VALID UNTIL passed 30h ago"}},
		"state.inconsistent":   {diagnosis.For, []string{"PostgreSQL Replica takes AWSPREVIOUS", "replay is paused"}},
		"impact.assessed":      {diagnosis.For, []string{"2 of 5 services down (API Gateway, User Service)", "67% of calls at API Gateway refused"}},
		"network.stores":       {diagnosis.For, []string{"0 of 3 stores out of reach"}},
		"permission.validated": {diagnosis.For, []string{"0 calls denied"}},
		"changes.reviewed":     {diagnosis.Unread, []string{"RevokeSecurityGroup", "15 days ago"}},
		"stores.consumers":     {diagnosis.For, []string{"0 of 3 consumers unknown", "Analytics Service uses"}},
		"secrets.rotated":      {diagnosis.Against, []string{"8 failed still"}},
		"stores.updated":       {diagnosis.Against, nil},
		"services.restarted":   {diagnosis.Against, []string{"Analytics Service uses"}},
		"secrets.validated":    {diagnosis.Against, []string{"the new value of prod/db/postgres is not in use"}},
		"auth.recovering":      {diagnosis.Against, []string{"67% of calls"}},
		"lesson.rotation":      {diagnosis.For, []string{"rotate-postgres"}},
		"lesson.seal":          {diagnosis.Against, nil},
		"lesson.revocation":    {diagnosis.Against, nil},
	} {
		f := found[name]
		if f.Stance != want.stance {
			t.Errorf("%s is %s, not %s: %s", name, f.Stance, want.stance, f.Value)
		}
		for _, v := range want.values {
			if !strings.Contains(f.Value, v) {
				t.Errorf("%s does not say %q: %s", name, v, f.Value)
			}
		}
		for _, fact := range f.Facts {
			if fact.Source == "" {
				t.Errorf("%s: %q has no source", name, fact.Name)
			}
		}
	}
	if w := found["credential.fate"].Word; w != "stuck" {
		t.Errorf("the fate is %q", w)
	}
}

// Runbooks and sensors name the same things: the guide's runbook leaves no sensor
// unused, and uses none that there is not.
func TestTheGuideUsesEverySensor(t *testing.T) {
	used := map[string]bool{}
	guide := runbook.Guide()
	for i := range guide.Flow {
		for _, n := range guide.Flow[i].Nodes {
			used[n.Sense] = true
			for _, l := range n.Lines {
				used[l.Sense] = true
			}
		}
	}
	for i := range guide.Checklist {
		for _, item := range guide.Checklist[i].Items {
			used[item.Sense] = true
		}
	}
	for _, l := range guide.Lessons {
		for _, s := range l.Sense {
			used[s] = true
		}
	}
	delete(used, "")
	for _, name := range diagnosis.Names() {
		if !used[name] {
			t.Errorf("nothing in the guide's runbook asks %s", name)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("the guide's runbook asks %s, which is no sensor", name)
	}
}
