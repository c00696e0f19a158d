package database_test

import (
	"strings"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// TestAForgedJournalSetsNoOtherPassword: taking up a run sets a password of the secret's
// own roles alone, whatever its journal says, and the emergency superuser is used with a
// reason and accepted as in a new plan.
func TestAForgedJournalSetsNoOtherPassword(t *testing.T) {
	for what, c := range map[string]struct {
		shape shape
		forge func(p *plan.Plan)
	}{
		"the superuser's":          {shape{}, func(p *plan.Plan) { p.Facts["user"], p.Facts["by"] = "postgres", "emergency" }},
		"the superuser as both":    {shape{}, func(p *plan.Plan) { p.Facts["user"], p.Facts["old_user"] = "postgres", "postgres" }},
		"another role's":           {shape{secret: "{ strategy: alternating, admin: prod/db/keeper }"}, func(p *plan.Plan) { p.Facts["user"] = "watch" }},
		"one that ends the SQL":    {shape{}, func(p *plan.Plan) { p.Facts["user"] = `app" SUPERUSER; --` }},
		"in place of another role": {shape{}, func(p *plan.Plan) { p.Facts["old_user"] = "watch" }},
	} {
		for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
			t.Run(what+", "+string(mode), func(t *testing.T) {
				w := newWorld(t, c.shape)
				of := w.forged(c.forge)
				if got, err := w.do(w.engine(), plan.Request{Mode: mode, Of: of}); err == nil && got.State != plan.RunRolledBack {
					t.Errorf("it was carried out, and ended %s: %s\n%s", got.State, got.Trouble, lines(got))
				}
				for user, password := range map[string]string{"app": now, "postgres": boss, "watch": watching, "keeper": boss} {
					if !w.takes(user, password) {
						t.Errorf("%s has another password now", user)
					}
				}
			})
		}
	}
	t.Run("the emergency superuser", func(t *testing.T) {
		w := newWorld(t, shape{})
		of := w.forged(func(p *plan.Plan) { p.Facts["by"] = "emergency" })
		p, err := w.engine().Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: of})
		if err != nil {
			t.Fatal(err)
		}
		accept := false
		for _, one := range p.Warnings {
			accept = accept || one.ID == "emergency" && one.Accept
		}
		if p.NeedsReason == "" || !accept {
			t.Errorf("it is used without a reason (%q) and without being accepted:\n%s", p.NeedsReason, strings.Join(plan.Text(p, 120), "\n"))
		}
	})
	t.Run("none is configured", func(t *testing.T) {
		w := newWorld(t, shape{secret: "{ length: 40 }"})
		of := w.forged(func(p *plan.Plan) { p.Facts["by"] = "emergency" })
		if _, err := w.engine().Plan(t.Context(), plan.Request{Mode: plan.Resume, Of: of}); err == nil {
			t.Error("it is planned")
		}
	})
}

// forged has the journal tell of a run that nobody began.
func (w *world) forged(forge func(*plan.Plan)) string {
	w.t.Helper()
	e := w.engine()
	ask := rotate()
	ask.Target = target
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		w.t.Fatal(err)
	}
	e.Close()
	forge(p)
	p.ID = "forged"
	if err := w.log.Record(w.t.Context(), incident.New("eve", incident.Granted{Plan: *p, Fingerprint: p.Fingerprint()}),
		incident.New("eve", incident.RunEnded{Run: p.ID, State: plan.RunStopped})); err != nil {
		w.t.Fatal(err)
	}
	return p.ID
}
