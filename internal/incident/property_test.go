package incident

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/runbook"
)

var (
	nodes = []string{"alert", "status", "logs", "fate", "machine", "network", "gone"}
	items = []string{"test", "impact", "notify", "immediate.complete", "phone", "rotate", "restart", "recovery.complete", "review", "policy", "after.complete", "gone"}
)

// anyEvent draws an event of any kind, sensible or not.
func anyEvent(t *rapid.T) Event {
	text := rapid.SampledFrom([]string{"", "x", "why", "M1", "M2", ic, "ops-2"})
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 5).Draw(t, "zero") == 0 {
			return time.Time{}
		}
		return t0.Add(time.Duration(rapid.IntRange(-600, 20000).Draw(t, "second")) * time.Second)
	})
	evidence := func() Evidence {
		return Evidence{Stance: rapid.SampledFrom([]string{"", "for", "against", "unread", "no sensor", "later"}).Draw(t, "stance"), Value: text.Draw(t, "value")}
	}
	node, item := rapid.SampledFrom(nodes), rapid.SampledFrom(items)
	var data Data
	switch rapid.IntRange(0, 25).Draw(t, "kind") {
	case 0:
		data = Declared{ID: text.Draw(t, "id"), Severity: runbook.SEV1, Started: moment.Draw(t, "started"), Roles: map[Role]string{Commander: text.Draw(t, "who")}}
	case 1:
		data = SeverityChanged{To: rapid.SampledFrom([]runbook.Severity{"", "SEV1", "SEV3", "SEV4"}).Draw(t, "to")}
	case 2:
		data = RoleAssigned{Role: rapid.SampledFrom([]Role{Commander, Deputy, "chief"}).Draw(t, "role"), To: text.Draw(t, "to")}
	case 3:
		data = Recovered{}
	case 4:
		data = Closed{Open: map[string]string{"M1": text.Draw(t, "why")}}
	case 5:
		data = Reopened{}
	case 6, 7, 8:
		data = NodeMoved{Node: node.Draw(t, "node"), Act: rapid.SampledFrom([]NodeAct{NodeEntered, NodeDone, NodeRuledOut, NodeOpened, ""}).Draw(t, "act"),
			Verdict: rapid.SampledFrom([]string{"", "expired", "compromised"}).Draw(t, "verdict"), Evidence: evidence()}
	case 9, 10, 11, 12:
		data = ItemMoved{Item: item.Draw(t, "item"), Act: rapid.SampledFrom([]ItemAct{ItemTicked, ItemSkipped, ItemNA, ItemOverridden, ItemUndone, ItemStarted, ItemReassessed, ""}).Draw(t, "act"), Evidence: evidence()}
	case 13, 14:
		data = Sensed{Item: rapid.SampledFrom(append([]string{""}, items...)).Draw(t, "item"), Node: rapid.SampledFrom(append([]string{""}, nodes...)).Draw(t, "node"),
			Ready: rapid.Bool().Draw(t, "ready"), Regressed: rapid.Bool().Draw(t, "regressed")}
	case 15:
		data = Assigned{Item: item.Draw(t, "item"), Owner: text.Draw(t, "owner"), Due: moment.Draw(t, "due")}
	case 16:
		data = Decided{Text: text.Draw(t, "text")}
	case 17:
		data = Updated{Fail: text.Draw(t, "fail"), Next: moment.Draw(t, "next")}
	case 18:
		data = MeasureMoved{ID: text.Draw(t, "id"), Act: rapid.SampledFrom([]string{MeasureOpened, MeasureExtended, MeasureEnded, ""}).Draw(t, "act"), Until: moment.Draw(t, "until")}
	case 19:
		data = ReadingChanged{Component: "c", To: estate.Fail}
	case 20:
		data = Overrun{Phase: rapid.SampledFrom([]string{"", "assess", "immediate", "gone"}).Draw(t, "phase")}
	case 22, 23, 24, 25:
		data = anyRunEvent(t)
	case 21:
		data = rapid.SampledFrom([]Data{Noted{Text: "n"}, ConsoleMoved{Act: "resumed"}, JournalMoved{}, ClockSet{By: 1}, Acked{}, Unreadable{Kind: "x"}, nil, &Noted{}, (*Closed)(nil)}).Draw(t, "other")
	}
	return Event{At: moment.Draw(t, "at"), By: text.Draw(t, "by"), Data: data}
}

func anyFindings(t *rapid.T) diagnosis.Findings {
	f := diagnosis.Findings{}
	for _, name := range []string{"s.status", "s.logs", "s.fate", "s.machine", "s.network", "s.timeout", "s.tested", "s.impact", "s.rotated", "s.restarted"} {
		if stance := rapid.SampledFrom([]diagnosis.Stance{diagnosis.NoSensor, diagnosis.Unread, diagnosis.Against, diagnosis.For, diagnosis.For}).Draw(t, name); stance != diagnosis.NoSensor {
			f[name] = diagnosis.Finding{Stance: stance, Value: rapid.SampledFrom([]string{"", "3 of 14", "no answer"}).Draw(t, "value"), Word: rapid.SampledFrom([]string{"", "expired", "lambda"}).Draw(t, "word")}
		}
	}
	return f
}

func text(t *rapid.T, v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestAnyJournalFolds folds events of any kind in any order.
func TestAnyJournalFolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fold Fold
		if rapid.Bool().Draw(t, "declared") {
			fold.Apply(declaredAt())
		}
		f := anyFindings(t)
		was := fold.State()
		wasText := text(t, was)
		n, settling := 0, map[string]bool{}
		for _, c := range was.Counts {
			n += c
		}
		for i := range rapid.IntRange(0, 40).Draw(t, "events") {
			e := anyEvent(t)
			e.Seq = uint64(i + 2)
			if d, ok := e.Data.(ItemMoved); ok {
				settling[d.Item] = settling[d.Item] || d.Act != ItemUndone && d.Act != ItemStarted && d.Act != ""
			}
			fold.Apply(e)
			n++
			if now := text(t, was); now != wasText {
				t.Fatalf("%T changed a state that was given out:\n%s\n%s", e.Data, wasText, now)
			}
			if rapid.Bool().Draw(t, "look") {
				was = fold.State()
				wasText = text(t, was)
			}
		}
		s := fold.State()
		counted := 0
		for _, c := range s.Counts {
			counted += c
		}
		if counted != n {
			t.Fatalf("%d events, counted %d", n, counted)
		}
		now := t0.Add(time.Duration(rapid.IntRange(-60, 30000).Draw(t, "now")) * time.Second)
		rb := small()
		b := NewBoard(s, rb, f, now)
		if again := NewBoard(s, rb, maps.Clone(f), now); !reflect.DeepEqual(b, again) {
			t.Fatal("two boards of the same arguments differ")
		}
		checkBoard(t, b)
		for i := range b.List {
			for _, v := range b.List[i].Items {
				if v.Status.Settled() && !settling[v.Item.ID] {
					t.Fatalf("%s is %v, and nobody settled it", v.Item.ID, v.Status)
				}
			}
		}
		if now := text(t, was); now != wasText {
			t.Fatal("a board changed the state")
		}
	})
}

// checkBoard checks what holds of every board.
func checkBoard(t *rapid.T, b *Board) {
	for i := range b.List {
		list := &b.List[i]
		var count [ItemIsRegressed + 1]int
		all := true
		for _, v := range list.Items {
			if !v.Call {
				count[v.Status]++
			}
			all = all && v.Status.Settled()
			if v.Status.Settled() && v.Done.Regressed || v.Overdue && v.Due.IsZero() {
				t.Fatalf("%+v", v)
			}
		}
		if count != list.Count || list.Clock.Done != (all && b.State != nil) || !list.Items[len(list.Items)-1].Call {
			t.Fatalf("%s: count %v, is %v, clock %+v", list.Phase.ID, list.Count, count, list.Clock)
		}
		if c := list.Clock; c.Over < 0 || c.Elapsed < 0 || c.Running && (c.Done || b.State == nil || !b.State.Closed.IsZero()) {
			t.Fatalf("%+v", c)
		}
	}
	current := 0
	for i := range b.Flow {
		for _, v := range b.Flow[i].Nodes {
			if v.Status == NodeIsCurrent || v.Node.ID == b.Node && v.Status == NodeIsRegressed {
				current++
			}
		}
	}
	if (current == 1) != (b.Node != "") || current > 1 {
		t.Fatalf("%d current nodes, at %q", current, b.Node)
	}
	if _, v := b.item(b.Item); b.Item != "" && (v == nil || v.Status.Settled()) {
		t.Fatalf("the current item is %+v", v)
	}
	if u := b.Update; u.Left > 0 && u.Overdue > 0 || u.Left < 0 || u.Overdue < 0 {
		t.Fatalf("%+v", u)
	}
	if n := len(b.Summary(nil)); n > summaryLines {
		t.Fatalf("a summary of %d lines", n)
	}
	_ = b.Draft(nil)
}
