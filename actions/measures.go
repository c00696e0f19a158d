package actions

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// measures are the events of the temporary measures that a step opened or ended: when
// it is done, and the other way about when it is undone. They are journalled together
// with its outcome.
func (r *running) measures(w *work, state plan.StepState) (out []incident.Data) {
	if state != plan.Done && state != plan.Undone {
		return nil
	}
	c := r.log.Case()
	if c == nil || c.State == nil {
		return nil
	}
	last := 0
	for _, m := range c.State.Measures {
		if n, err := strconv.Atoi(strings.TrimPrefix(m.ID, "R")); err == nil {
			last = max(last, n)
		}
	}
	why := fmt.Sprintf("run %s of %s", r.p.plan.ID, r.p.plan.Procedure)
	for _, m := range w.measures {
		if state == plan.Undone && !m.End && r.run.staying(m.What) {
			continue
		}
		kind := incident.MeasureKind(m.Kind)
		if !slices.Contains(incident.MeasureKinds[:], kind) {
			kind = incident.MeasureOther
		}
		at := slices.IndexFunc(c.State.Measures, func(old incident.Measure) bool {
			return old.Ended.IsZero() && old.Kind == kind && old.What == m.What
		})
		switch opens := m.End == (state == plan.Undone); {
		case opens && at < 0:
			last++
			// People number theirs M1, M2 …: two who open one at a time must not give the same.
			out = append(out, incident.MeasureMoved{
				ID: "R" + strconv.Itoa(last), Act: incident.MeasureOpened, Kind: kind, What: m.What, Who: r.e.o.Operator, Reason: why,
			})
		case !opens && at >= 0:
			out = append(out, incident.MeasureMoved{ID: c.State.Measures[at].ID, Act: incident.MeasureEnded, Reason: why})
		}
	}
	return out
}
