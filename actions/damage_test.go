package actions

import (
	"errors"
	"slices"
	"testing"

	"warroom/internal/plan"
)

// TestARunOfADamagedJournalIsTakenUpOnlyKnowingly: records that are missing or were
// changed may have told otherwise.
func TestARunOfADamagedJournalIsTakenUpOnlyKnowingly(t *testing.T) {
	k := newDesk(t)
	k.w.fail["set database"] = func(func() error) error { return errors.New("no") }
	k.arms()
	first := k.does(k.plans(plan.Forward, ""))
	delete(k.w.fail, "set database")
	asked := func(p *plan.Plan) bool {
		return slices.ContainsFunc(p.Warnings, func(w plan.Warning) bool { return w.ID == "journal-damaged" && w.Accept })
	}
	for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
		if asked(k.plans(mode, first.Run)) {
			t.Errorf("%s of a journal that is whole asks", mode)
		}
		k.log.mu.Lock()
		k.log.state.Damage = "record 7 was changed"
		k.log.mu.Unlock()
		if !asked(k.plans(mode, first.Run)) {
			t.Errorf("%s of a damaged journal does not ask", mode)
		}
		k.log.mu.Lock()
		k.log.state.Damage = ""
		k.log.mu.Unlock()
	}
}
