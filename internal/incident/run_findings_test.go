package incident

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/plan"
)

func TestAValidationSpeaksWhereNothingLiveDoes(t *testing.T) {
	ended := time.Date(2026, 11, 23, 3, 12, 0, 0, time.UTC)
	run := func(facts map[string]string) *State {
		return &State{Runs: []Run{{ID: "a1", Plan: plan.Plan{Procedure: "validate"}, Ended: ended, State: plan.RunDone, Facts: facts}}}
	}
	works := map[string]string{"validated prod/db/postgres": "works: let in", "x/validated prod/api/payment": "works: 200", "validated rates": "told: 2% in 5m", "version": "7"}
	for _, c := range []struct {
		what  string
		live  diagnosis.Stance
		state *State
		after time.Duration
		want  diagnosis.Stance
		value string
	}{
		{"all works", diagnosis.NoSensor, run(works), time.Minute, diagnosis.For, "0 of 2 refused"},
		{"and nothing live is read", diagnosis.Unread, run(works), time.Minute, diagnosis.For, "0 of 2 refused"},
		{"but something live says no", diagnosis.Against, run(works), time.Minute, diagnosis.Against, "live"},
		{"something live says yes", diagnosis.For, run(works), time.Minute, diagnosis.For, "live"},
		{"it is too old", diagnosis.NoSensor, run(works), validationHolds + time.Second, diagnosis.NoSensor, "live"},
		{"it comes from the future", diagnosis.NoSensor, run(works), -time.Second, diagnosis.NoSensor, "live"},
		{"one is refused", diagnosis.NoSensor, run(map[string]string{"validated a": "works", "validated b": "refused: 28P01"}), 0, diagnosis.Against, "1 of 2 refused, as validate tried at 03:12:00Z: b"},
		{"one is not known", diagnosis.NoSensor, run(map[string]string{"validated a": "works", "validated b": "not known: no answer"}), 0, diagnosis.Unread, "could not tell 1"},
		{"nothing was tried", diagnosis.NoSensor, run(map[string]string{"validated rates": "told: 2%"}), 0, diagnosis.NoSensor, "live"},
		{"there is no run", diagnosis.NoSensor, &State{}, 0, diagnosis.NoSensor, "live"},
		{"there is no incident", diagnosis.NoSensor, nil, 0, diagnosis.NoSensor, "live"},
	} {
		live := diagnosis.Findings{validatedSense: {Stance: c.live, Value: "live"}}
		got := withRuns(live, c.state, ended.Add(c.after))[validatedSense]
		if got.Stance != c.want || !strings.Contains(got.Value, c.value) {
			t.Errorf("%s: %v %q, want %v %q", c.what, got.Stance, got.Value, c.want, c.value)
		}
		if live[validatedSense].Value != "live" {
			t.Errorf("%s: the findings that were given have changed", c.what)
		}
	}
	if got := withRuns(nil, run(works), ended)[validatedSense]; got.Stance != diagnosis.For || len(got.Facts) != 3 || got.At() != ended {
		t.Errorf("without findings: %+v", got)
	}
}
