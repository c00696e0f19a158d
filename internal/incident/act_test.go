package incident

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

func TestDeclare(t *testing.T) {
	good := func() Declared {
		return Declared{Severity: runbook.SEV2, Summary: "logins are refused", Roles: map[Role]string{Commander: ic, Scribe: " ops-2\t"}}
	}
	tests := []struct {
		name string
		by   string
		edit func(*Declared)
		why  string
	}{
		{name: "good", by: ic, edit: func(*Declared) {}},
		{name: "the alert's time", by: ic, edit: func(d *Declared) { d.Started = t0.Add(-10 * time.Minute) }},
		{name: "nobody", by: "", edit: func(*Declared) {}, why: "the operator is missing"},
		{name: "no commander", by: ic, edit: func(d *Declared) { d.Roles = map[Role]string{Deputy: "ops-2"} }, why: "the commander is missing"},
		{name: "no roles", by: ic, edit: func(d *Declared) { d.Roles = nil }, why: "the commander is missing"},
		{name: "a role of no kind", by: ic, edit: func(d *Declared) { d.Roles["chief"] = "x" }, why: `nobody can be "chief"`},
		{name: "no summary", by: ic, edit: func(d *Declared) { d.Summary = " \n" }, why: "the summary is missing"},
		{name: "a long summary", by: ic, edit: func(d *Declared) { d.Summary = strings.Repeat("ä", 2001) }, why: "the summary is too long: 2001 characters, at most 2000"},
		{name: "no severity", by: ic, edit: func(d *Declared) { d.Severity = "" }, why: "SEV1 to SEV4"},
		{name: "a severity of no kind", by: ic, edit: func(d *Declared) { d.Severity = "SEV0" }, why: `not "SEV0"`},
		{name: "the future", by: ic, edit: func(d *Declared) { d.Started = t0.Add(time.Second) }, why: "that is still to come"},
		{name: "long ago", by: ic, edit: func(d *Declared) { d.Started = t0.AddDate(-2, 0, 0) }, why: "more than a year ago"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := good()
			test.edit(&d)
			e, err := Declare(test.by, d, t0)
			if test.why != "" {
				newDesk(t).refused(nil, err, test.why)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := e.Data.(Declared)
			if want := d.Started; got.Started.IsZero() || !want.IsZero() && !got.Started.Equal(want) || got.Roles[Scribe] != "ops-2" || len(got.Roles) != 2 {
				t.Errorf("%+v", got)
			}
			if d.Roles[Scribe] != " ops-2\t" {
				t.Error("what was passed in was changed")
			}
		})
	}
}

func TestClosing(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().OpenMeasure(ic, measure()))
	d.ok(d.board().OpenMeasure(ic, Measure{Kind: MeasureForced, What: "health check forced", Who: ic, Reason: "it flaps", Until: t0.Add(time.Hour)}))
	d.ok(d.board().Recover(ic, ""))
	events, err := d.board().Close(ic, "over", nil)
	d.refused(events, err, "2 temporary measures still open, end each or say why it stays: M1 (break-glass login to the primary), M2 (health check forced)")
	events, err = d.board().Close(ic, "over", map[string]string{"M1": " ", "M2": "until tomorrow"})
	d.refused(events, err, "1 temporary measure still open")
	d.ok(d.board().EndMeasure(ic, "M1", ""))
	events, err = d.board().Close(ic, "", map[string]string{"M2": "until tomorrow"})
	d.refused(events, err, "Immediate has 4 items left: closing it all the same needs a reason")
	d.settle("immediate")
	d.settle("recovery")
	d.ok(d.board().Close(ic, "", map[string]string{"M2": "until tomorrow", "M1": "ended", "M9": "never was"}))
	c := d.all[len(d.all)-1].Data.(Closed)
	if len(c.Open) != 1 || c.Open["M2"] != "until tomorrow" {
		t.Errorf("%+v", c)
	}
	s := d.fold.State()
	if s.Closed.IsZero() || s.Measures[1].Why != "until tomorrow" || len(s.Open()) != 1 {
		t.Errorf("%+v", s.Measures)
	}
	events, err = d.board().Close(ic, "again", nil)
	d.refused(events, err, "was closed at")
}

func TestClosingBeforeServiceIsBackNeedsAReason(t *testing.T) {
	d := declaredDesk(t)
	events, err := d.board().Close(ic, "", nil)
	d.refused(events, err, "service was not said to be back")
	d.ok(d.board().Close(ic, "a false alarm", nil))
	events, err = NewBoard(d.fold.State(), d.rb, d.f, d.now).Reopen(ic, "")
	d.refused(events, err, "the reason is missing")
	d.ok(d.board().Reopen(ic, "it was none"))
	if !d.fold.State().Closed.IsZero() {
		t.Error("still closed")
	}
	events, err = d.board().Reopen(ic, "again")
	d.refused(events, err, "is open")
}

func TestRecoverAgainstTheEvidenceNeedsANote(t *testing.T) {
	d := declaredDesk(t)
	d.f["s.restarted"] = says(diagnosis.Against, "3 of 14 on the old version")
	events, err := d.board().Recover(ic, "")
	d.refused(events, err, "(3 of 14 on the old version): a note says why")
	d.ok(d.board().Recover(ic, "those 3 are switched off"))
	events, err = d.board().Recover(ic, "")
	d.refused(events, err, "back since 03:00 UTC")
	d.now = t0.Add(time.Hour)
	d.ok(d.board().Recover(ic, "it failed again in between"))
	if got := d.fold.State().Recovered; !got.Equal(d.now) {
		t.Errorf("back since %v", got)
	}
}

func TestMeasures(t *testing.T) {
	d := declaredDesk(t)
	until := t0.Add(time.Hour)
	for why, edit := range map[string]func(*Measure){
		"what the measure is is missing":     func(m *Measure) { m.What = "" },
		"who answers for the measure":        func(m *Measure) { m.Who = "" },
		"the reason is missing":              func(m *Measure) { m.Reason = "" },
		"one kind of 6":                      func(m *Measure) { m.Kind = "prayer" },
		"cannot end at 2026-03-14 03:00 UTC": func(m *Measure) { m.Until = t0 },
	} {
		m := measure()
		edit(&m)
		events, err := d.board().OpenMeasure(ic, m)
		d.refused(events, err, why)
	}
	m := measure()
	m.Until = until
	d.ok(d.board().OpenMeasure(ic, m))
	d.ok(d.board().OpenMeasure(ic, measure()))
	events, err := d.board().ExtendMeasure(ic, "M1", until.Add(time.Hour), "")
	d.refused(events, err, "the reason is missing")
	events, err = d.board().ExtendMeasure(ic, "M1", until, "r")
	d.refused(events, err, "ends at 2026-03-14 04:00 UTC already")
	events, err = d.board().ExtendMeasure(ic, "M1", t0.Add(-time.Hour), "r")
	d.refused(events, err, "that is past")
	events, err = d.board().ExtendMeasure(ic, "M7", until, "r")
	d.refused(events, err, `no measure "M7"`)
	d.ok(d.board().ExtendMeasure(ic, "M1", until.Add(time.Hour), "the provider needs longer"))
	d.now = t0.Add(time.Minute)
	d.ok(d.board().EndMeasure(ic, "M2", "revoked"))
	events, err = d.board().EndMeasure(ic, "M2", "")
	d.refused(events, err, "was ended at 03:01 UTC")
	s := d.fold.State()
	if open := s.Open(); len(open) != 1 || open[0].ID != "M1" || !open[0].Until.Equal(until.Add(time.Hour)) || open[0].Why != "the provider needs longer" {
		t.Errorf("%+v", open)
	}
	if got := s.Measures[1]; !got.Ended.Equal(d.now) || got.Why != "revoked" || !got.Opened.Equal(t0) {
		t.Errorf("%+v", got)
	}
	for range maxMeasures - 1 {
		d.ok(d.board().OpenMeasure(ic, measure()))
	}
	events, err = d.board().OpenMeasure(ic, measure())
	d.refused(events, err, "50 measures are open")
}

func TestAMeasuresIDIsNeverGivenTwice(t *testing.T) {
	d := declaredDesk(t)
	for _, id := range []string{"M5", "M2", "gate"} {
		d.record(New(ic, MeasureMoved{ID: id, Act: MeasureOpened, What: "w"}), New(ic, MeasureMoved{ID: id, Act: MeasureEnded}))
	}
	d.ok(d.board().OpenMeasure(ic, measure()))
	if open := d.fold.State().Open(); len(open) != 1 || open[0].ID != "M6" {
		t.Errorf("%+v", open)
	}
}

func TestRolesAndSeverity(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Hand(ic, Commander, "ic-2"))
	d.ok(d.board().Hand(ic, Deputy, "ops-2"))
	d.ok(d.board().Hand(ic, Deputy, ""))
	s := d.fold.State()
	if s.Roles[Commander] != "ic-2" || s.Roles[Deputy] != "" || s.Declared.Roles[Commander] != ic {
		t.Errorf("%v", s.Roles)
	}
	if got := d.all[1].Data.(RoleAssigned); got.From != ic {
		t.Errorf("%+v", got)
	}
	events, err := d.board().Hand(ic, Commander, "")
	d.refused(events, err, "the new commander is missing")
	events, err = d.board().Hand(ic, Commander, "ic-2")
	d.refused(events, err, "ic-2 is commander already")
	events, err = d.board().Hand(ic, Scribe, "")
	d.refused(events, err, "nobody is scribe")
	events, err = d.board().Hand(ic, "chief", "x")
	d.refused(events, err, "no role")
	d.ok(d.board().Regrade(ic, runbook.SEV3, "most are back"))
	if got := d.all[len(d.all)-1].Data.(SeverityChanged); got.From != runbook.SEV1 || d.fold.State().Severity != runbook.SEV3 {
		t.Errorf("%+v", got)
	}
	events, err = d.board().Regrade(ic, runbook.SEV3, "")
	d.refused(events, err, "it is SEV3 already")
	events, err = d.board().Regrade(ic, "SEV9", "")
	d.refused(events, err, "SEV1 to SEV4")
}

func TestTextsAreCleanedAndBounded(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Note(ic, "  a\x1b[31mred\x1b[0m\u202e \x00\xffb\r\n\tc\u009b2Jd\x1b]0;title\x07e "))
	if got := d.all[len(d.all)-1].Data.(Noted).Text; got != "ared \ufffdb cde" {
		t.Errorf("%q", got)
	}
	d.ok(d.board().Note(ic, "it said \x1b]0;and then the rest"))
	if got := d.all[len(d.all)-1].Data.(Noted).Text; got != "it said 0;and then the rest" {
		t.Errorf("%q", got)
	}
	d.ok(d.board().Sent(ic, "\nImpact\r\n- one\x07  \n\n\tNext\u200b\n\n", "bridge", "the webhook answered\n500 "+strings.Repeat("x", 3000)))
	if got := d.all[len(d.all)-1].Data.(Updated); got.Text != "Impact\n- one\n\n    Next" || len([]rune(got.Fail)) != maxText || strings.Contains(got.Fail, "\n") || !got.Next.IsZero() {
		t.Errorf("%q, %q", got.Text, got.Fail[:60])
	}
	long := strings.Repeat("ä", maxText+1)
	b := d.board()
	for name, act := range map[string]func() ([]Event, error){
		"note":     func() ([]Event, error) { return b.Note(ic, long) },
		"decision": func() ([]Event, error) { return b.Decide(ic, long, "") },
		"why":      func() ([]Event, error) { return b.Decide(ic, "d", long) },
		"tick":     func() ([]Event, error) { return b.Tick(ic, "impact", Evidence{Note: long}, "") },
		"skip":     func() ([]Event, error) { return b.Skip(ic, "impact", long) },
		"mark":     func() ([]Event, error) { return b.Mark(ic, "logs", NodeDone, "", long) },
		"update":   func() ([]Event, error) { return b.Sent(ic, long, "bridge", "") },
		"measure": func() ([]Event, error) {
			m := measure()
			m.What = long
			return b.OpenMeasure(ic, m)
		},
		"close":    func() ([]Event, error) { return b.Close(ic, long, nil) },
		"operator": func() ([]Event, error) { return b.Note(long, "x") },
	} {
		events, err := act()
		if err == nil || !contains(err.Error(), "too long") {
			t.Errorf("%s: %v, %v", name, len(events), err)
		}
	}
	// The longest that are taken can be written.
	d.ok(d.board().Note(ic, strings.Repeat("\U0001f525", maxText)))
	d.ok(d.board().Tick(ic, "impact", Evidence{Note: strings.Repeat("<", maxText), Typed: strings.Repeat("\\", maxText)}, strings.Repeat("\"", maxText)))
}
