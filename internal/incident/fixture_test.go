package incident

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// t0 is when the incidents of the tests begin.
var t0 = time.Date(2026, 3, 14, 3, 0, 0, 0, time.UTC)

const ic = "ic-1"

// small is a runbook that has one of everything.
func small() *runbook.Runbook {
	return &runbook.Runbook{
		Version: 1, Name: "small",
		Updates: []runbook.Cadence{
			{Severity: runbook.SEV1, First: 5 * time.Minute, Scoped: 5 * time.Minute, Every: 20 * time.Minute, Relax: 2 * time.Hour},
			{Severity: runbook.SEV3, First: 15 * time.Minute, Every: time.Hour},
		},
		Flow: []runbook.FlowPhase{
			{ID: "assess", Title: "Assess", To: 5 * time.Minute, Nodes: []runbook.Node{
				{ID: "alert", Title: "Alert"},
				{ID: "status", Title: "Status", Sense: "s.status"},
				{ID: "logs", Title: "Logs", Sense: "s.logs", Beside: "status"},
				{ID: "fate", Title: "Fate", Sense: "s.fate"},
			}},
			{ID: "cause", Title: "Cause", From: 5 * time.Minute, To: 15 * time.Minute, Nodes: []runbook.Node{
				{ID: "machine", Title: "Machine", Group: "Mechanism", Sense: "s.machine"},
				{ID: "network", Title: "Network", Group: "Failure point", Sense: "s.network", Lines: []runbook.Line{
					{ID: "timeout", Text: "no answer in time", Sense: "s.timeout"}, {ID: "dns", Text: "no such name"},
				}},
			}},
		},
		Checklist: []runbook.ListPhase{
			{ID: "immediate", Title: "Immediate", To: 10 * time.Minute, Mode: runbook.ReadDo, Complete: "IMMEDIATE COMPLETE", Items: []runbook.Item{
				{ID: "test", Text: "Try every value", Killer: true, Sense: "s.tested"},
				{ID: "impact", Text: "Count who is hurt", Sense: "s.impact"},
				{ID: "notify", Text: "Call security"},
			}},
			{ID: "recovery", Title: "Recovery", From: 30 * time.Minute, To: 3 * time.Hour, Mode: runbook.DoConfirm, Complete: "RECOVERY COMPLETE", Items: []runbook.Item{
				{ID: "phone", Text: "Ask the provider", Killer: true},
				{ID: "rotate", Text: "Store new values", Sense: "s.rotated", Forward: []string{"compromised"}},
				{ID: "restart", Text: "Restart services", Sense: "s.restarted"},
			}},
			{ID: "after", Title: "Days after", From: 24 * time.Hour, To: 168 * time.Hour, Mode: runbook.DoConfirm, Owned: true, Complete: "AFTER COMPLETE", Items: []runbook.Item{
				{ID: "review", Text: "Hold the review", Due: 72 * time.Hour},
				{ID: "policy", Text: "Update policies"},
			}},
		},
	}
}

func says(stance diagnosis.Stance, value string) diagnosis.Finding {
	return diagnosis.Finding{Stance: stance, Value: value, Facts: []diagnosis.Fact{{Name: "f", Value: value, Source: "GET https://x/health", At: t0}}}
}

// well are findings that speak for everything.
func well() diagnosis.Findings {
	f := diagnosis.Findings{}
	for _, name := range []string{"s.status", "s.logs", "s.machine", "s.network", "s.timeout", "s.impact", "s.rotated", "s.restarted"} {
		f[name] = says(diagnosis.For, "seen "+name)
	}
	f["s.tested"] = says(diagnosis.For, "2 of 14 refused, 0 untested")
	fate := says(diagnosis.For, "the role expired 6h ago")
	fate.Word = "expired"
	f["s.fate"] = fate
	return f
}

// desk is an incident as a test works on it. Every event goes through the codec.
type desk struct {
	t    testing.TB
	rb   *runbook.Runbook
	f    diagnosis.Findings
	now  time.Time
	fold Fold
	all  []Event
}

func newDesk(t testing.TB) *desk { return &desk{t: t, rb: small(), f: well(), now: t0} }

// declaredDesk has an incident of SEV1 declared at t0.
func declaredDesk(t testing.TB) *desk {
	d := newDesk(t)
	d.declare(t0)
	return d
}

func (d *desk) declare(started time.Time) {
	d.t.Helper()
	e, err := Declare(ic, Declared{
		ID: "2026-03-14-1", Severity: runbook.SEV1, Summary: "logins are refused", Started: started, Environment: "production",
		Roles: map[Role]string{Commander: ic},
	}, d.now)
	d.ok([]Event{e}, err)
}

func (d *desk) board() *Board { return NewBoard(d.fold.State(), d.rb, d.f, d.now) }

// ok records what an act made.
func (d *desk) ok(events []Event, err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("refused: %v", err)
	}
	d.record(events...)
}

func (d *desk) record(events ...Event) {
	d.t.Helper()
	for _, e := range events {
		e.At = utc(d.now)
		line, err := Encode(e)
		if err != nil {
			d.t.Fatal(err)
		}
		back, err := Decode(uint64(len(d.all)+1), line)
		if err != nil {
			d.t.Fatalf("%s: %v", line, err)
		}
		e.Seq = uint64(len(d.all) + 1)
		if !reflect.DeepEqual(e, back) {
			d.t.Fatalf("%s\nwas    %#v\nis now %#v", line, e, back)
		}
		d.all = append(d.all, back)
		d.fold.Apply(back)
	}
}

// notices records what nobody did, and says what it was.
func (d *desk) notices() []Event {
	d.t.Helper()
	events := d.board().Notices()
	d.record(events...)
	if again := d.board().Notices(); len(again) > 0 {
		d.t.Fatalf("told twice: %+v", again)
	}
	return events
}

// refused checks that an act was refused, with words that hold why.
func (d *desk) refused(events []Event, err error, why string) {
	d.t.Helper()
	var r *Refusal
	switch {
	case !errors.As(err, &r):
		d.t.Errorf("not refused: %+v, %v", events, err)
	case len(events) > 0:
		d.t.Errorf("refused with events: %+v", events)
	case !contains(r.Why, why):
		d.t.Errorf("refused with %q, want %q in it", r.Why, why)
	}
}

func (d *desk) status(item string) ItemStatus {
	d.t.Helper()
	_, v := d.board().item(item)
	if v == nil {
		d.t.Fatalf("no item %s", item)
	}
	return v.Status
}

// settle settles every item of a phase, and calls it complete.
func (d *desk) settle(phase string) {
	d.t.Helper()
	for i := range d.rb.Checklist {
		p := &d.rb.Checklist[i]
		if p.ID != phase {
			continue
		}
		for j := range p.Items {
			id := p.Items[j].ID
			if b := d.board(); !d.status(id).Settled() {
				d.ok(b.Tick(ic, id, Evidence{Typed: first(b.AskedValue(id), "seen")}, "checked by hand"))
			}
		}
		d.ok(d.board().Tick(ic, p.CompleteID(), Evidence{}, ""))
	}
}
