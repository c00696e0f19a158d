package incident

import (
	"fmt"
	"testing"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
)

// with is readings of which some were changed.
func with(r *estate.Readings, change func(*estate.Reading)) *estate.Readings {
	out := *r
	out.All = append([]estate.Reading(nil), r.All...)
	for i := range out.All {
		change(&out.All[i])
	}
	return &out
}

func TestChangesOfStatus(t *testing.T) {
	now := estatetest.At
	before := estate.Derive(estatetest.Crisis(), now)
	n := StatusesOf(nil)
	if got := n.Changes(nil); got != nil {
		t.Errorf("to nothing: %+v", got)
	}
	if got := n.Changes(estate.Derive(estate.NewSnapshot(estatetest.Topology(), nil), now)); len(got) > 0 {
		t.Errorf("what was never read has changed: %+v", got)
	}
	for _, e := range n.Changes(before) {
		if d := e.Data.(ReadingChanged); d.From != estate.Unknown || isWell(d.To) {
			t.Errorf("read for the first time: %+v", d)
		}
	}
	if got := n.Changes(before); len(got) > 0 {
		t.Errorf("of itself: %+v", got)
	}
	after := with(before, func(r *estate.Reading) {
		if r.ID == "user-service" || r.ID == "external-api" {
			r.Status, r.Word, r.Reason = estate.Unknown, "STALE", "no answer"
		}
	})
	got := n.Changes(after)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	was, _ := before.Of("user-service")
	want := ReadingChanged{Component: "user-service", Name: "User Service", From: was.Status, To: estate.Unknown, Word: "STALE", Reason: "no answer"}
	if got[0].Data != want || got[0].By != "" || got[0].Kind != KindReading {
		t.Errorf("%+v, want %+v", got[0], want)
	}
}

// What changed while no console was there is found from the journal.
func TestAChangeWhileNobodyWasThereIsTold(t *testing.T) {
	before := estate.Derive(estatetest.Crisis(), estatetest.At)
	d := declaredDesk(t)
	base := StatusesOf(d.fold.State()).Baseline(before)
	bad := 0
	for i := range before.All {
		if r := &before.All[i]; !neverRead(r) && !isWell(r.Status) {
			bad++
		}
	}
	if len(base) != bad || bad == 0 {
		t.Fatalf("%d of %d are told", len(base), bad)
	}
	first := base[0].Data.(ReadingChanged)
	if got, want := Tell(&base[0], nil), fmt.Sprintf("at the declaration: %s FAIL", first.Name); !contains(got, want) {
		t.Errorf("%q, want %q in it", got, want)
	}
	d.record(base...)
	if s := d.fold.State(); len(s.Changes) > 0 || len(s.Statuses) != bad {
		t.Errorf("%d changes, %d statuses", len(s.Changes), len(s.Statuses))
	}
	if got := StatusesOf(d.fold.State()).Changes(before); len(got) > 0 {
		t.Errorf("told again: %+v", got)
	}
	after := with(before, func(r *estate.Reading) {
		if r.ID == first.Component {
			r.Status = estate.OK
		}
	})
	got := StatusesOf(d.fold.State()).Changes(after)
	if len(got) != 1 || got[0].Data.(ReadingChanged).From != estate.Fail || got[0].Data.(ReadingChanged).To != estate.OK {
		t.Errorf("%+v", got)
	}
}

func TestABaselineIsBounded(t *testing.T) {
	topology := &estate.Topology{}
	for i := range 60 {
		topology.Components = append(topology.Components, estate.Component{ID: estate.ID(fmt.Sprintf("c%d", i)), Name: fmt.Sprintf("C %d", i)})
	}
	r := with(estate.Derive(estate.NewSnapshot(topology.Index(), nil), t0), func(r *estate.Reading) {
		r.At, r.Status, r.Reason = t0, estate.Warn, ""
		if r.ID == "c50" {
			r.Status, r.Word = estate.Fail, "EXPIRED"
		}
	})
	got := StatusesOf(nil).Baseline(r)
	if len(got) != mostBaseline+1 {
		t.Fatalf("%d events", len(got))
	}
	if text := Tell(&got[0], nil); text != "at the declaration: C 50 FAIL EXPIRED" {
		t.Errorf("the worst is not first: %q", text)
	}
	if text := Tell(&got[mostBaseline], nil); text != "at the declaration: 20 more were not OK" {
		t.Errorf("%q", text)
	}
}
