package incident

import (
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// about are the notices of one item.
func about(events []Event, item string) (out []Sensed) {
	for _, e := range events {
		if s, ok := e.Data.(Sensed); ok && s.Item == item {
			out = append(out, s)
		}
	}
	return out
}

func TestReadyIsToldOnceAndTakenBack(t *testing.T) {
	d := declaredDesk(t)
	got := about(d.notices(), "impact")
	if len(got) != 1 || !got[0].Ready || got[0].Evidence.Value != "seen s.impact" || d.status("impact") != ItemIsReady {
		t.Fatalf("%+v", got)
	}
	d.now = t0.Add(time.Hour)
	if got := about(d.notices(), "impact"); len(got) > 0 {
		t.Fatalf("told again: %+v", got)
	}
	d.f["s.impact"] = says(diagnosis.Unread, "no answer")
	if got := about(d.notices(), "impact"); len(got) > 0 {
		t.Fatalf("unread takes nothing back: %+v", got)
	}
	if d.status("impact") != ItemIsOpen {
		t.Error("ready without evidence")
	}
	d.f["s.impact"] = says(diagnosis.Against, "not counted")
	if got := about(d.notices(), "impact"); len(got) != 1 || got[0].Ready || got[0].Regressed {
		t.Fatalf("not taken back: %+v", got)
	}
	if d.fold.State().Items["impact"].Ready {
		t.Error("still ready")
	}
}

func TestRegressionIsToldOnceAndLoud(t *testing.T) {
	d := declaredDesk(t)
	d.settle("immediate")
	d.notices()
	d.now = t0.Add(20 * time.Minute)
	d.f["s.impact"] = says(diagnosis.Unread, "no answer")
	d.f["s.tested"] = says(diagnosis.Unread, "no answer")
	if got := d.notices(); len(about(got, "impact"))+len(about(got, "test")) > 0 || d.status("impact") != ItemIsDone {
		t.Fatalf("unread is no regression: %+v", got)
	}
	d.f["s.impact"] = says(diagnosis.Against, "5 hurt")
	if b := d.board(); d.status("impact") != ItemIsRegressed || b.Item != "impact" || joined(b.Regressed) != "impact " {
		t.Errorf("not loud at once: %v, at %s, %v", d.status("impact"), b.Item, b.Regressed)
	}
	if got := about(d.notices(), "impact"); len(got) != 1 || !got[0].Regressed || got[0].Evidence.Value != "5 hurt" {
		t.Fatalf("%+v", got)
	}
	b := d.board()
	if b.List[0].Count[ItemIsRegressed] != 1 || b.List[0].Clock.Done {
		t.Errorf("count %v", b.List[0].Count)
	}
	if _, told := b.State.Overrun["immediate"]; told {
		t.Error("a phase that was called complete in time ran over")
	}
	// The evidence comes back: it waits for a person.
	d.now = d.now.Add(2 * time.Minute)
	d.f["s.impact"] = says(diagnosis.For, "0 hurt")
	if got := about(d.notices(), "impact"); len(got) != 1 || !got[0].Ready || d.status("impact") != ItemIsReady {
		t.Fatalf("%+v, %v", got, d.status("impact"))
	}
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	if got := d.fold.State().Items["impact"]; got.Act != ItemReassessed || got.Regressed || d.status("impact") != ItemIsDone || len(d.board().Regressed) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestWhatWasSettledAgainstItsEvidenceDoesNotRegress(t *testing.T) {
	d := declaredDesk(t)
	d.f["s.impact"] = says(diagnosis.Against, "5 hurt")
	d.ok(d.board().Tick(ic, "impact", Evidence{}, "counted by phone"))
	d.f["s.rotated"] = says(diagnosis.Against, "2 failed")
	d.ok(d.board().Skip(ic, "rotate", "by the provider"))
	if got := d.notices(); len(about(got, "impact"))+len(about(got, "rotate")) > 0 {
		t.Errorf("%+v", got)
	}
	// But what nobody could read and now speaks against it does.
	d.f["s.restarted"] = says(diagnosis.Unread, "no answer")
	d.ok(d.board().Tick(ic, "restart", Evidence{}, "the team says so"))
	d.f["s.restarted"] = says(diagnosis.Against, "3 of 14 on the old version")
	if got := about(d.notices(), "restart"); len(got) != 1 || !got[0].Regressed {
		t.Errorf("%+v", got)
	}
}

func TestFlappingIsToldOncePerMinute(t *testing.T) {
	d := declaredDesk(t)
	told := map[time.Duration]int{}
	for second := range 600 {
		d.now = t0.Add(time.Duration(second) * time.Second)
		d.f["s.impact"] = says(diagnosis.For, "yes")
		if second%2 == 1 {
			d.f["s.impact"] = says(diagnosis.Against, "no")
		}
		for range about(d.notices(), "impact") {
			told[d.now.Sub(t0).Truncate(time.Minute)]++
		}
	}
	all := 0
	for minute, n := range told {
		if all += n; n > 2 {
			t.Errorf("%d notices in minute %v", n, minute)
		}
	}
	if all < 10 || all > 20 {
		t.Errorf("%d notices in 10 minutes", all)
	}
}

func TestAPhaseIsOverOnce(t *testing.T) {
	d := declaredDesk(t)
	var over []string
	for minute := range 40 {
		d.now = t0.Add(time.Duration(minute)*time.Minute + time.Second)
		for _, e := range d.notices() {
			if o, ok := e.Data.(Overrun); ok {
				over = append(over, o.Phase+" "+o.Budget.String()+" at "+d.now.Sub(t0).String())
			}
		}
	}
	want := []string{"assess 5m0s at 5m1s", "immediate 10m0s at 10m1s", "cause 15m0s at 15m1s"}
	if len(over) != len(want) {
		t.Fatalf("%q", over)
	}
	for i := range want {
		if over[i] != want[i] {
			t.Errorf("%q, want %q", over[i], want[i])
		}
	}
}

// What the incident is like is told while its sensor says so, once; when service is
// back it says so no more.
func TestALikePastIncidentIsToldOnce(t *testing.T) {
	d := declaredDesk(t)
	d.rb.Lessons = []runbook.Lesson{
		{ID: "seal", Title: "A sealed Vault", Sense: []string{"lesson.other", "lesson.seal"}},
		{ID: "quiet", Title: "Nothing", Sense: []string{"lesson.quiet", "lesson.unread", "lesson.none"}},
	}
	d.f["lesson.other"], d.f["lesson.seal"] = says(diagnosis.Unread, "no answer"), says(diagnosis.For, "1 sealed")
	d.f["lesson.quiet"], d.f["lesson.unread"] = says(diagnosis.Against, "none"), says(diagnosis.Unread, "no answer")
	lessons := func() (out []Sensed) {
		for _, e := range d.notices() {
			if s, ok := e.Data.(Sensed); ok && s.Lesson != "" {
				out = append(out, s)
			}
		}
		return out
	}
	if got := lessons(); len(got) != 1 || got[0].Lesson != "seal" || got[0].Evidence.Value != "1 sealed" || got[0].Evidence.Stance != "for" {
		t.Fatalf("%+v", got)
	}
	before := d.fold.State()
	d.f["lesson.seal"] = says(diagnosis.Against, "none is")
	d.now = t0.Add(time.Hour)
	if got := lessons(); len(got) > 0 {
		t.Fatalf("%+v", got)
	}
	d.f["lesson.seal"], d.f["lesson.quiet"] = says(diagnosis.For, "2 sealed"), says(diagnosis.For, "now")
	if got := lessons(); len(got) != 1 || got[0].Lesson != "quiet" {
		t.Fatalf("%+v", got)
	}
	if len(before.Lessons) != 1 || len(d.fold.State().Lessons) != 2 {
		t.Errorf("%v, %v", before.Lessons, d.fold.State().Lessons)
	}
}
