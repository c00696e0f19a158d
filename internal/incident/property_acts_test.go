package incident

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// person draws an act of a person on a board, with what that needs or without.
func person(t *rapid.T, b *Board) (string, []Event, error) {
	item, node := rapid.SampledFrom(items).Draw(t, "item"), rapid.SampledFrom(nodes).Draw(t, "node")
	reason := rapid.SampledFrom([]string{"", "a reason"}).Draw(t, "reason")
	switch act := rapid.IntRange(0, 11).Draw(t, "act"); act {
	case 0:
		events, err := b.Step(ic, rapid.SampledFrom([]string{"", "", "compromised"}).Draw(t, "verdict"))
		return "step", events, err
	case 1:
		events, err := b.Enter(ic, node)
		return "enter " + node, events, err
	case 2:
		events, err := b.Mark(ic, node, rapid.SampledFrom([]NodeAct{NodeDone, NodeRuledOut, NodeOpened}).Draw(t, "to"), "", reason)
		return "mark " + node, events, err
	case 3, 4, 5, 6:
		typed := ""
		if rapid.Bool().Draw(t, "typed") {
			typed = first(b.AskedValue(item), "seen")
		}
		events, err := b.Tick(ic, item, Evidence{Typed: typed}, reason)
		return "tick " + item, events, err
	case 7:
		events, err := b.Skip(ic, item, reason)
		return "skip " + item, events, err
	case 8:
		events, err := b.Undo(ic, item)
		return "undo " + item, events, err
	case 9:
		events, err := b.Start(ic, item)
		return "start " + item, events, err
	case 10:
		events, err := b.Sent(ic, "text", "bridge", "")
		return "send", events, err
	default:
		switch rapid.IntRange(0, 6).Draw(t, "rare") {
		case 0:
			events, err := b.Close(ic, reason, nil)
			return "close", events, err
		case 1:
			events, err := b.Recover(ic, reason)
			return "recover", events, err
		case 2:
			events, err := b.Reopen(ic, reason)
			return "reopen", events, err
		case 3:
			events, err := b.OpenMeasure(ic, measure())
			return "measure", events, err
		}
		events, err := b.Regrade(ic, rapid.SampledFrom([]runbook.Severity{"SEV1", "SEV3", "SEV4"}).Draw(t, "to"), "")
		return "regrade", events, err
	}
}

// TestAnyIncident plays people on boards, with evidence that turns as it likes.
func TestAnyIncident(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fold Fold
		now, seq := t0, uint64(0)
		rb := small()
		f := anyFindings(t)
		record := func(events []Event) {
			for _, e := range events {
				seq++
				e.Seq, e.At = seq, now
				line, err := Encode(e)
				if err != nil {
					t.Fatal(err)
				}
				back, err := Decode(seq, line)
				if err != nil || !reflect.DeepEqual(back, e) {
					t.Fatalf("%s: %+v, %v", line, back, err)
				}
				fold.Apply(back)
			}
		}
		record([]Event{declaredAt()})
		over := map[string]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "acts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			if rapid.IntRange(0, 3).Draw(t, "turn") == 0 {
				f = anyFindings(t)
			}
			before := NewBoard(fold.State(), rb, f, now)
			what, events, err := person(t, before)
			if (err == nil) != (len(events) > 0) {
				t.Fatalf("%s: %v, %v", what, events, err)
			}
			record(events)
			b := NewBoard(fold.State(), rb, f, now)
			checkBoard(t, b)
			if err == nil {
				checkAct(t, what, events, before, b)
			}
			notices := b.Notices()
			for _, e := range notices {
				if o, ok := e.Data.(Overrun); ok {
					if over[o.Phase] {
						t.Fatalf("%s is over twice", o.Phase)
					}
					over[o.Phase] = true
				}
			}
			record(notices)
			b = NewBoard(fold.State(), rb, f, now)
			checkBoard(t, b)
			if again := b.Notices(); len(again) > 0 {
				t.Fatalf("after %s: %+v is told again as %+v", what, notices, again)
			}
		}
	})
}

// checkAct checks what an act has done.
func checkAct(t *rapid.T, what string, events []Event, before, b *Board) {
	for _, e := range events {
		d, ok := e.Data.(ItemMoved)
		if !ok {
			continue
		}
		_, was := before.item(d.Item)
		_, v := b.item(d.Item)
		switch {
		case d.Act == ItemUndone && (v.Status.Settled() || v.Status == ItemIsRegressed || v.Status == ItemIsDoing):
			t.Fatalf("%s: it is %v", what, v.Status)
		case d.Act == ItemUndone || d.Act == ItemStarted:
		case !v.Status.Settled():
			t.Fatalf("%s: it is %v after %s", what, v.Status, d.Act)
		case was.Status.Settled():
			t.Fatalf("%s: it was %v", what, was.Status)
		case was.Item.Killer && d.Act != ItemSkipped && d.Evidence.Typed == "" && was.Finding.Stance != diagnosis.Unread && was.Finding.Value != "":
			t.Fatalf("%s: a killer without its value: %+v", what, d)
		case d.Act == ItemOverridden && d.Reason == "" || d.Act == ItemSkipped && d.Reason == "":
			t.Fatalf("%s: without a reason: %+v", what, d)
		}
		if d.Act == ItemTicked || d.Act == ItemSkipped {
			var fold Fold
			fold.state = *b.State
			undo, err := b.Undo(ic, d.Item)
			if err != nil {
				t.Fatalf("%s cannot be undone: %v", what, err)
			}
			fold.Apply(undo[0])
			after := NewBoard(fold.State(), b.Runbook, b.Findings, b.Now)
			_, open := after.item(d.Item)
			if was.Status != ItemIsRegressed && was.Status != ItemIsDoing && open.Status != was.Status && !was.Done.Regressed && !was.Call {
				t.Fatalf("%s, undone: %v, was %v", what, open.Status, was.Status)
			}
		}
	}
	if slices.ContainsFunc(events, func(e Event) bool { return kindOf(e.Data) == KindUnreadable || e.By == "" }) {
		t.Fatal(fmt.Sprint(what, ": ", events))
	}
}
