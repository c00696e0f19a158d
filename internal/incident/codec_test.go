package incident

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/runbook"
)

// goldenEvents are one event of every kind, with every field set. The file
// testdata/events-v1.jsonl holds them as version 1 writes them. Both are for ever:
// a journal of today must be readable by every version to come.
func goldenEvents() []Event {
	when := time.Date(2026, 3, 14, 3, 12, 45, 123456789, time.UTC)
	evidence := Evidence{
		Stance: "for", Value: "0 of 14 on the old version", Source: "GET http://10.0.4.17:8080/health", Read: when.Add(-12 * time.Second),
		Typed: "0 of 14", Note: "“read aloud” <twice> & noted\nin two lines", Link: "https://wiki.example.com/x?a=1&b=2", With: "ops-2",
	}
	events := []Event{
		New("ic-1", Declared{
			ID: "2026-03-14-1", Severity: runbook.SEV1, Summary: "logins are refused", Started: when.Add(-4 * time.Minute), Environment: "production", Drill: "db-rotation",
			Roles: map[Role]string{Commander: "ic-1", Deputy: "ic-2", Scribe: "ops-1", Liaison: "ops-2"}, Runbook: "Secret rotation failure", Digest: strings.Repeat("ab", 32),
		}),
		New("ic-1", SeverityChanged{From: runbook.SEV1, To: runbook.SEV2, Reason: "most are back"}),
		New("ic-1", RoleAssigned{Role: Commander, From: "ic-1", To: "ic-2"}),
		New("ic-1", NodeMoved{Node: "fate", Act: NodeEntered}),
		New("ic-1", NodeMoved{Node: "fate", Act: NodeDone, Reason: "seen", Verdict: "compromised", Marked: true, Evidence: evidence}),
		New("", Sensed{Node: "fate", Regressed: true, Evidence: evidence}),
		New("", Sensed{Item: "immediate.test", Ready: true, Evidence: evidence}),
		New("ops-1", ItemMoved{Item: "immediate.test", Act: ItemTicked, Reason: "why", Evidence: evidence}),
		New("", Sensed{Item: "immediate.test", Regressed: true, Evidence: Evidence{Stance: "against", Value: "2 of 14"}}),
		New("ops-1", ItemMoved{Item: "immediate.test", Act: ItemReassessed, Evidence: evidence}),
		New("ops-1", ItemMoved{Item: "immediate.notify", Act: ItemSkipped, Reason: "told before"}),
		New("ic-1", Assigned{Item: "after.review", Owner: "ops-2", Due: when.Add(72 * time.Hour)}),
		New("ic-1", Noted{Text: "the provider was called"}),
		New("ic-1", Decided{Text: "roll forward", Reason: "the old value has expired"}),
		New("ic-1", Updated{Text: "Impact\n- 2 failing", To: "bridge", Next: when.Add(20 * time.Minute), Fail: "answered 500"}),
		New("ic-1", Updated{Text: "Impact\n- 2 failing", To: "clipboard", Next: when.Add(20 * time.Minute)}),
		New("ic-1", MeasureMoved{ID: "M1", Act: MeasureOpened, Kind: MeasureAccess, What: "break-glass login", Who: "ops-2", Reason: "refused", Until: when.Add(time.Hour)}),
		New("", ReadingChanged{Component: "user-service", Name: "User Service", From: estate.OK, To: estate.Fail, Word: "DOWN", Reason: "answered 503"}),
		New("", Overrun{Phase: "assess", Budget: 5 * time.Minute}),
		New("ic-1", ConsoleMoved{Act: "resumed", Host: "bastion", PID: 4711}),
		New("", JournalMoved{What: "106 bytes of a torn record were cut off"}),
		New("", ClockSet{By: -90 * time.Second}),
		New("ic-1", Acked{What: "You were at item 2 of 7"}),
		New("ic-1", Recovered{Note: "logins work"}),
		New("ic-1", Closed{Reason: "service is back", Open: map[string]string{"M1": "revoked tomorrow", "M2": "so is this"}}),
		New("ic-2", Reopened{Reason: "it is back"}),
		New("ic-2", Corrected{Started: when.Add(-10 * time.Minute), Summary: "logins and orders are refused", Reason: "the first alert was earlier"}),
	}
	events = append(events, goldenRuns(when)...)
	for i := range events {
		events[i].Seq, events[i].At = uint64(i+1), when.Add(time.Duration(i)*time.Second)
	}
	return events
}

const golden = "testdata/events-v1.jsonl"

func TestVersion1IsReadAndWrittenForEver(t *testing.T) {
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	events := goldenEvents()
	if len(lines) != len(events) {
		t.Fatalf("%d lines of %d events", len(lines), len(events))
	}
	kinds := map[Kind]bool{}
	for i, want := range events {
		kinds[want.Kind] = true
		got, err := Decode(want.Seq, lines[i])
		if err != nil {
			t.Errorf("line %d: %v", i+1, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("line %d reads\n%#v, want\n%#v", i+1, got, want)
		}
		if out, err := Encode(want); err != nil || !bytes.Equal(out, lines[i]) {
			t.Errorf("line %d is written as\n%s, want\n%s (%v)", i+1, out, lines[i], err)
		}
	}
	for kind := range decoders {
		if !kinds[kind] {
			t.Errorf("no event of kind %q is among them", kind)
		}
	}
}

func TestJournalsOfOtherVersions(t *testing.T) {
	const head = `{"v":1,"kind":"item","at":"2026-03-14T03:12:45Z","by":"ic-1",`
	tick := Event{Seq: 7, At: time.Date(2026, 3, 14, 3, 12, 45, 0, time.UTC), By: "ic-1", Kind: KindItem, Data: ItemMoved{Item: "a", Act: ItemTicked}}
	unread := func(kind Kind, version int) *Unreadable { return &Unreadable{Kind: kind, Version: version} }
	tests := []struct {
		name, line string
		want       *Unreadable // nil: it is the tick
	}{
		{"as written", head + `"data":{"item":"a","act":"ticked"}}`, nil},
		{"with blanks", `{ "v": 1, "kind": "item", "at": "2026-03-14T03:12:45Z", "by": "ic-1", "data": {"item": "a", "act": "ticked"} }`, nil},
		{"in another order", `{"data":{"item":"a","act":"ticked"},"by":"ic-1","at":"2026-03-14T03:12:45Z","kind":"item","v":1}`, nil},
		{"with escapes", strings.Replace(head, "ic-1", `ic\u002d1`, 1) + `"data":{"item":"a","act":"ticked"}}`, nil},
		{"in another zone", strings.Replace(head, "03:12:45Z", "04:12:45+01:00", 1) + `"data":{"item":"a","act":"ticked"}}`, nil},
		{"with fields of later", head + `"data":{"item":"a","act":"ticked","mood":"calm"},"more":{"x":[1]}}`, nil},
		{"with less evidence", head + `"data":{"item":"a","act":"ticked","evidence":{}}}`, nil},
		{"of a later version", strings.Replace(head, `"v":1`, `"v":2`, 1) + `"data":{"item":"a","act":"ticked"}}`, unread(KindItem, 2)},
		{"of a later version, with other data", strings.Replace(head, `"v":1`, `"v":9`, 1) + `"data":[1,2]}`, unread(KindItem, 9)},
		{"of a kind of later", strings.Replace(head, `"item"`, `"action"`, 1) + `"data":{"x":1}}`, unread("action", 1)},
		{"with data of another shape", head + `"data":{"item":7}}`, unread(KindItem, 1)},
		{"with data of no object", head + `"data":"x"}`, unread(KindItem, 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode(7, []byte(test.line))
			if err != nil {
				t.Fatal(err)
			}
			want := tick
			if test.want != nil {
				want.Kind = KindUnreadable
				test.want.Raw = []byte(test.line)
				want.Data = *test.want
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%#v\nwant %#v", got, want)
			}
		})
	}
	old, err := Decode(1, []byte(`{"v":1,"kind":"declared","at":"2026-03-14T03:12:45Z"}`))
	if err != nil || !reflect.DeepEqual(old.Data, Declared{}) {
		t.Errorf("an event without data: %+v, %v", old, err)
	}
	if e, err := Decode(1, []byte(`{"v":1,"kind":"reading","at":"2026-03-14T03:12:45Z","by":"","data":{"to":"ablaze"}}`)); err != nil || e.Data.(ReadingChanged).To != estate.Unknown {
		t.Errorf("a status of later: %+v, %v", e, err)
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	for _, line := range []string{
		"", "{}", "null", "7", `"x"`, "[]", "{", `{"v":1,"kind":"note","at":"2026-03-14T03:12:45Z","by":"","data":{}`,
		`{"v":0,"kind":"note","at":"2026-03-14T03:12:45Z"}`, `{"v":-1,"kind":"note","at":"2026-03-14T03:12:45Z"}`, `{"kind":"note","at":"2026-03-14T03:12:45Z"}`,
		`{"v":1,"at":"2026-03-14T03:12:45Z"}`, `{"v":1,"kind":"note"}`, `{"v":1,"kind":"note","at":"yesterday"}`, `{"v":1,"kind":7,"at":"2026-03-14T03:12:45Z"}`,
		`{"v":"1","kind":"note","at":"2026-03-14T03:12:45Z"}`, `{"v":1,"kind":"note","at":"2026-03-14T03:12:45Z","by":"","data":{}} x`,
		`{"v":1,"kind":"note","at":"2026-03-14T03:12:45Z","by":"` + strings.Repeat("x", maxLine) + `","data":{}}`,
	} {
		if e, err := Decode(3, []byte(line)); err == nil {
			t.Errorf("%.80s reads %+v", line, e)
		} else if !contains(err.Error(), "read event 3: ") {
			t.Errorf("%.80s: %v", line, err)
		}
	}
	for _, e := range []Event{
		{Kind: KindNote}, {Kind: KindUnreadable, Data: Unreadable{Kind: "x"}}, {Kind: KindNote, Data: &Noted{}},
		New("", Noted{Text: strings.Repeat("x", maxLine)}),
	} {
		if line, err := Encode(e); err == nil {
			t.Errorf("%T is written as %.80s", e.Data, line)
		}
	}
}

// slow reads an event without the short cut.
func slow(line []byte) (wire, bool) {
	var w wire
	return w, json.Unmarshal(line, &w) == nil
}

func FuzzDecode(f *testing.F) {
	for _, e := range goldenEvents() {
		line, err := Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"v":2,"kind":"note","at":"2026-03-14T03:12:45Z","by":"","data":{}}`))
	f.Add([]byte(`{"v":1,"kind":"note","at":"2026-03-14T03:12:45Z","by":"","data":{},"v":2}`))
	f.Add([]byte(`{"v":1,"kind":"note","at":"2026-03-14T03:12:45Z","by":"","data":{},"data":{"text":"x"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if w, ok := cut(line); ok && json.Valid(w.Data) {
			// The short cut reads what the long way reads.
			long, ok := slow(line)
			if !ok || long.Version != w.Version || long.Kind != w.Kind || long.By != w.By || !long.At.Equal(w.At) || !bytes.Equal(long.Data, w.Data) {
				t.Fatalf("%q: cut to %+v, is %+v", line, w, long)
			}
		}
		e, err := Decode(1, line)
		if err != nil {
			return
		}
		var fold Fold
		fold.Apply(declaredAt())
		fold.Apply(e)
		b := NewBoard(fold.State(), small(), nil, t0)
		_, _, _ = b.Notices(), b.Draft(nil), Tell(&e, nil)
		if e.Kind == KindUnreadable {
			if !bytes.Equal(e.Data.(Unreadable).Raw, line) {
				t.Fatalf("%q is not kept as it is", line)
			}
			return
		}
		out, err := Encode(e)
		if err != nil {
			if len(line) < maxLine/8 {
				t.Fatalf("%q cannot be written again: %v", line, err)
			}
			return
		}
		back, err := Decode(1, out)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", line, out, err)
		}
		if again, err := Encode(back); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q is written as %q, and then as %q", line, out, again)
		}
	})
}
