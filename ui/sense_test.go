package ui

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
)

// sensed is a console with a runbook whose sensors answer everything, and count.
func sensed(t *testing.T) (*Model, *atomic.Int64) {
	t.Helper()
	r := newRoom()
	var made atomic.Int64
	o := r.options()
	sense := o.Sense
	o.Sense = func(rs *estate.Readings, now time.Time) diagnosis.Findings {
		made.Add(1)
		return sense(rs, now)
	}
	m := alone(o)
	m.width, m.height = 100, 30
	return m, &made
}

// Sensing thousands of secrets costs more than the rest of a picture does, so that
// nothing is sensed while nothing rests on it; and the first frame that does rest on
// it must not claim that no sensor exists.
func TestFindingsAreMadeOnceSomethingRestsOnThem(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m, made := sensed(t)
			for range 3 {
				m.Update(m.pump.next())
			}
			m.View()
			if n := made.Load(); n != 0 {
				t.Fatalf("frozen %v: sensed %d times with only the planes on screen", frozen, n)
			}
			if frozen {
				m.Update(press("z"))
			}
			for _, view := range []string{"2", "5", "8"} {
				m.Update(press(view))
				m.View()
				if m.shown.Findings == nil || m.live.Findings == nil {
					t.Fatalf("view %s was drawn without findings", view)
				}
			}
			most := int64(1)
			if frozen {
				most = 2 // what is shown and what is live
			}
			if n := made.Load(); n < 1 || n > most {
				t.Errorf("three views sensed %d times, at most %d are needed", n, most)
			}
			m.Update(m.pump.next())
			if m.live.Findings == nil {
				t.Error("a picture that came while the view was open brought no findings")
			}
			m.Update(press("1"))
			before := made.Load()
			m.Update(m.pump.next())
			m.Update(m.pump.next())
			if n := made.Load() - before; n != 0 {
				t.Errorf("sensed %d times after going back to the planes", n)
			}
		})
	}
}

func TestEvidencedViewsAreThoseOfAnIncident(t *testing.T) {
	m, _ := sensed(t)
	var got []mode
	for v := mode(0); v < modes; v++ {
		if v.view() {
			m.view = v
			if m.evidenced() {
				got = append(got, v)
			}
		}
	}
	want := []mode{modeFlow, modeNode, modeChecklist, modeBrief, modeUpdate}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("views that rest on findings: %v, want %v", got, want)
	}
}
