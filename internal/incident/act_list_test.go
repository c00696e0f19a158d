package incident

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/diagnosis"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func TestAKillerNeedsItsValueTyped(t *testing.T) {
	tests := []struct {
		value, typed string
		ok           bool
	}{
		{"2 of 14 refused, 0 untested", "", false},
		{"2 of 14 refused, 0 untested", "checked", false},
		{"2 of 14 refused, 0 untested", "14", false},
		{"2 of 14 refused, 0 untested", "0", false},
		{"2 of 14 refused, 0 untested", "20", false},
		{"2 of 14 refused, 0 untested", "2 of 1", false},
		{"2 of 14 refused, 0 untested", "2 of 15 refused, 0 untested", false},
		{"2 of 14 refused, 0 untested", "2", true},
		{"2 of 14 refused, 0 untested", " 2  OF 14 ", true},
		{"2 of 14 refused, 0 untested", "2 of 14 refused, 0 untested", true},
		{"2,347 logins refused", "2347", true},
		{"2,347 logins refused", "2,347", true},
		{"2,347 logins refused", "2", false},
		{"refused: 3 of 5", "3", true},
		{"refused: 3 of 5", "refused 3", true},
		{"refused: 3 of 5", "refused", false},
		{"all (3) refused", "3", true},
		{"works", "works", true},
		{"works", "Works.", true},
		{"works", "work", false},
		{"28P01 from db", "28p01", true},
		{"100%", "100", true},
		{"db answers 28P01, 3 untested", "3", true},
		{"db answers 28P01, 3 untested", "28P01", false},
		{"ends 6h ago", "6h", true},
		{"✗", "anything", true}, // nothing in it that could be typed
	}
	for _, test := range tests {
		d := declaredDesk(t)
		d.f["s.tested"] = says(diagnosis.For, test.value)
		b := d.board()
		if !b.NeedsValue("test") {
			t.Fatal("a killer item does not ask for its value")
		}
		events, err := b.Tick(ic, "test", Evidence{Typed: test.typed}, "because")
		if test.ok {
			d.ok(events, err)
			if got := d.fold.State().Items["test"].Evidence; got.Value != test.value || got.Typed == "" || got.Source == "" || got.Read.IsZero() {
				t.Errorf("%q: evidence is %+v", test.value, got)
			}
			continue
		}
		d.refused(events, err, "Try every value")
		if d.status("test").Settled() {
			t.Errorf("%q typed as %q: settled", test.value, test.typed)
		}
	}
}

func TestNoWayRoundTheTypedValue(t *testing.T) {
	d := declaredDesk(t)
	for name, f := range map[string]diagnosis.Finding{
		"for":       says(diagnosis.For, "0 untested"),
		"against":   says(diagnosis.Against, "3 untested"),
		"no sensor": {},
	} {
		d.f["s.tested"] = f
		events, err := d.board().Tick(ic, "test", Evidence{Value: f.Value, Note: "x", Link: "https://x", With: "ops-2"}, "a reason")
		if err == nil {
			t.Errorf("%s: ticked without a typed value: %+v", name, events)
		}
	}
}

func TestWhatATickIsCalled(t *testing.T) {
	tests := []struct {
		name   string
		f      diagnosis.Finding
		reason string
		act    ItemAct
		status ItemStatus
		why    string // of the refusal
	}{
		{name: "ready", f: says(diagnosis.For, "3 hurt"), act: ItemTicked, status: ItemIsDone},
		{name: "nothing reads it", act: ItemTicked, status: ItemIsDone},
		{name: "against", f: says(diagnosis.Against, "not counted"), why: "speaks against it (not counted)"},
		{name: "against, with a reason", f: says(diagnosis.Against, "not counted"), reason: "counted by phone", act: ItemOverridden, status: ItemIsOverridden},
		{name: "unread", f: says(diagnosis.Unread, "no answer within 5s"), why: "is not read (no answer within 5s)"},
		{name: "unread, with a reason", f: says(diagnosis.Unread, "no answer within 5s"), reason: "counted by phone", act: ItemOverridden, status: ItemIsOverridden},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := declaredDesk(t)
			d.f["s.impact"] = test.f
			events, err := d.board().Tick(ic, "impact", Evidence{Note: "n", Link: "https://x/1"}, test.reason)
			if test.why != "" {
				d.refused(events, err, test.why)
				if d.board().NeedsReason("impact") == "" {
					t.Error("it is refused for want of a reason, and does not ask for one")
				}
				return
			}
			d.ok(events, err)
			got := d.fold.State().Items["impact"]
			if got.Act != test.act || d.status("impact") != test.status || got.By != ic || !got.At.Equal(t0) || got.Reason != test.reason {
				t.Errorf("%+v, %v", got, d.status("impact"))
			}
			if got.Evidence.Note != "n" || got.Evidence.Link != "https://x/1" || got.Evidence.Stance != test.f.Stance.String() {
				t.Errorf("evidence %+v", got.Evidence)
			}
		})
	}
}

func TestATickOfWhatIsNoMoreAsDrawnIsRefused(t *testing.T) {
	d := declaredDesk(t)
	drawn := EvidenceOf(d.f["s.impact"])
	d.f["s.impact"] = says(diagnosis.Against, "turned")
	events, err := d.board().Tick(ic, "impact", drawn, "a reason")
	d.refused(events, err, "from for to against since it was drawn")
}

func TestSettledItemsAreRefused(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	d.ok(d.board().Skip(ic, "notify", "told before"))
	for _, item := range []string{"impact", "notify"} {
		events, err := d.board().Tick(ic, item, Evidence{}, "r")
		d.refused(events, err, "since 03:00 UTC: u opens it again")
		events, err = d.board().Skip(ic, item, "r")
		d.refused(events, err, "u opens it again")
		events, err = d.board().Start(ic, item)
		d.refused(events, err, "is ")
	}
	events, err := d.board().Undo(ic, "test")
	d.refused(events, err, "nothing to undo")
	events, err = d.board().Tick(ic, "nothing", Evidence{}, "")
	d.refused(events, err, `no item "nothing"`)
}

func TestSettingAsideNeedsAReason(t *testing.T) {
	d := declaredDesk(t)
	events, err := d.board().Skip(ic, "notify", " \t\x1b[31m ")
	d.refused(events, err, "the reason is missing")
	events, err = d.board().NA(ic, "notify", "")
	d.refused(events, err, "the reason is missing")
	events, err = d.board().Skip(ic, "immediate.complete", "no time")
	d.refused(events, err, "cannot be skipped")
	d.ok(d.board().NA(ic, "notify", "no personal data"))
	if _, v := d.board().item("notify"); v.Status != ItemIsNA || v.Response != "no personal data" {
		t.Errorf("%+v", v)
	}
}

func TestUndoOpensAgain(t *testing.T) {
	d := declaredDesk(t)
	before := d.board().List
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	d.now = t0.Add(time.Minute)
	d.ok(d.board().Undo(ic, "impact"))
	if got := d.status("impact"); got != before[0].Items[1].Status {
		t.Errorf("it is %v, was %v", got, before[0].Items[1].Status)
	}
	if d.board().List[0].Count != before[0].Count {
		t.Errorf("counts %v, were %v", d.board().List[0].Count, before[0].Count)
	}
	if n := d.fold.State().Counts[KindItem]; n != 2 {
		t.Errorf("%d events of items: an undo is one of them", n)
	}
	d.ok(d.board().Start("ops-2", "notify"))
	if d.status("notify") != ItemIsDoing {
		t.Error("nobody is at it")
	}
	events, err := d.board().Start("ops-2", "notify")
	d.refused(events, err, "ops-2 is at")
	d.ok(d.board().Undo(ic, "notify"))
	if d.status("notify") != ItemIsOpen {
		t.Error("an item that was begun is not open after the undo")
	}
}

func TestTheCompletionCallComesLast(t *testing.T) {
	d := declaredDesk(t)
	events, err := d.board().Tick(ic, "immediate.complete", Evidence{}, "a reason")
	d.refused(events, err, "IMMEDIATE COMPLETE cannot be called: 3 items left, next “Try every value”")
	d.ok(d.board().Tick(ic, "test", Evidence{Typed: "2"}, ""))
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	d.ok(d.board().Skip(ic, "notify", "told before"))
	b := d.board()
	if _, v := b.item("immediate.complete"); b.Item != "immediate.complete" || v.Status != ItemIsReady || v.Item.Text != "IMMEDIATE COMPLETE: 2 done, 1 skipped" {
		t.Errorf("current %s, call %+v", b.Item, v.Item)
	}
	d.now = t0.Add(8 * time.Minute)
	d.ok(b.Tick(ic, "immediate.complete", Evidence{Note: "read aloud", With: "ops-2"}, ""))
	b = d.board()
	if c := b.List[0].Clock; !c.Done || b.List[0].Count[ItemIsDone] != 2 || b.Item != "phone" {
		t.Errorf("clock %+v, count %v, current %s", c, b.List[0].Count, b.Item)
	}
	if e := b.State.Items["immediate.complete"].Evidence; e.Value != "2 done, 1 skipped" || e.With != "ops-2" {
		t.Errorf("called with %+v", e)
	}
	// Something above it opens again: the call stands no more, until it is settled.
	d.ok(d.board().Undo(ic, "notify"))
	if _, v := d.board().item("immediate.complete"); v.Status != ItemIsRegressed || d.board().List[0].Clock.Done {
		t.Errorf("the call is %v", v.Status)
	}
	d.ok(d.board().Tick(ic, "notify", Evidence{Note: "called"}, ""))
	if !d.board().List[0].Clock.Done {
		t.Error("everything is settled, and the phase is not done")
	}
}

func TestAssign(t *testing.T) {
	d := declaredDesk(t)
	due := t0.Add(100 * time.Hour)
	d.ok(d.board().Assign(ic, "review", "ops-2", due))
	if _, v := d.board().item("review"); v.Owner != "ops-2" || !v.Due.Equal(due) || v.Overdue {
		t.Errorf("%+v", v)
	}
	d.now = due.Add(time.Second)
	if _, v := d.board().item("review"); !v.Overdue {
		t.Error("not overdue")
	}
	for why, act := range map[string]func() ([]Event, error){
		"the owner is missing":      func() ([]Event, error) { return d.board().Assign(ic, "policy", "", time.Time{}) },
		"has no owner":              func() ([]Event, error) { return d.board().Assign(ic, "after.complete", "ops-2", time.Time{}) },
		"before the incident began": func() ([]Event, error) { return d.board().Assign(ic, "policy", "ops-2", t0.Add(-time.Hour)) },
		"days after have a due":     func() ([]Event, error) { return d.board().Assign(ic, "test", "ops-2", due) },
		"too long":                  func() ([]Event, error) { return d.board().Assign(ic, "policy", strings.Repeat("x", 81), due) },
	} {
		events, err := act()
		d.refused(events, err, why)
	}
}

// What is settled is what was drawn: of a killer item, and of an override, also the
// value.
func TestAValueThatChangedSinceItWasDrawnIsRefused(t *testing.T) {
	d := declaredDesk(t)
	drawn := func(item string) Evidence {
		_, v := d.board().item(item)
		return Evidence{Stance: v.Finding.Stance.String(), Value: v.Finding.Value, Typed: d.board().AskedValue(item)}
	}
	killer, plainly := drawn("test"), drawn("impact")
	d.f["s.tested"], d.f["s.impact"] = says(diagnosis.For, "2 of 15 refused, 0 untested"), says(diagnosis.For, "5 hurt")
	events, err := d.board().Tick(ic, "test", killer, "")
	d.refused(events, err, `has changed from "2 of 14 refused, 0 untested" to "2 of 15 refused, 0 untested"`)
	d.ok(d.board().Tick(ic, "test", drawn("test"), ""))
	d.ok(d.board().Tick(ic, "impact", plainly, "")) // it still says that it is done

	d.f["s.rotated"] = says(diagnosis.Against, "3 left")
	against := drawn("rotate")
	d.f["s.rotated"] = says(diagnosis.Against, "9 left")
	events, err = d.board().Tick(ic, "rotate", against, "they are retired")
	d.refused(events, err, `has changed from "3 left" to "9 left"`)
	d.ok(d.board().Tick(ic, "rotate", drawn("rotate"), "they are retired"))
}
