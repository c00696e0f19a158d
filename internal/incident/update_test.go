package incident

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnUpdateCountsOnceItIsKnownToHaveArrived(t *testing.T) {
	d := declaredDesk(t)
	counts := func(what string, want int, pending bool) {
		t.Helper()
		if s := d.fold.State(); s.Updates != want || s.Sending.At.IsZero() == pending {
			t.Errorf("%s: %d updates, sending %+v", what, s.Updates, s.Sending)
		}
	}
	d.ok(d.board().Sending(ic, "we know", "bridge"))
	counts("being sent", 0, true)
	d.ok(d.board().Sent(ic, "by hand", "clipboard", ""))
	counts("another place", 1, true)
	d.ok(d.board().Unclear(ic, "we know", "bridge", "no answer in time"))
	counts("unclear", 1, false)
	d.ok(d.board().Sending(ic, "we know", "bridge"))
	d.ok(d.board().Sent(ic, "we know", "bridge", "answered 500"))
	counts("failed", 1, false)
	d.ok(d.board().Sending(ic, "we know", "bridge"))
	d.ok(d.board().Sent(ic, "we know", "bridge", ""))
	counts("arrived", 2, false)
	d.record(New(ic, Updated{Text: "t", To: "bridge", State: "of a newer version"}))
	counts("a state that nobody knows", 2, false)
	events, err := d.board().Sending(ic, "", "bridge")
	d.refused(events, err, "the update is missing")

	// The console died while it was being sent.
	d.ok(d.board().Sending(ic, "we know", "bridge"))
	d.now = d.now.Add(2 * time.Minute)
	if got := strings.Join(d.board().Summary(nil), "\n"); !contains(got, "Whether the update of 03:00 UTC reached bridge is not known.") {
		t.Errorf("the summary is silent:\n%s", got)
	}
}

func TestTheSummaryHoldsTheLastThreeDecisions(t *testing.T) {
	d := declaredDesk(t)
	for _, text := range []string{"first", "second", "third", "fourth"} {
		d.ok(d.board().Decide(ic, text, ""))
	}
	got := d.board().Summary(nil)
	at := slices.IndexFunc(got, func(l string) bool { return strings.HasPrefix(l, "Decided ") })
	if at < 0 || len(got) < at+3 || !contains(got[at], "second") || !contains(got[at+1], "third") || !contains(got[at+2], "fourth") || contains(strings.Join(got, "\n"), "first") {
		t.Errorf("%q", got)
	}
}

// A draft is the witness of the journal: the head stands in it whole.
func TestADraftEndsWithTheHeadOfTheJournal(t *testing.T) {
	d := declaredDesk(t)
	b := d.board()
	if contains(b.Draft(nil), "Journal") {
		t.Error("a head that is not known")
	}
	b.Journal = "42:" + strings.Repeat("3f9a", 16)
	if got := b.Draft(nil); !strings.HasSuffix(got, "\nJournal "+b.Journal) {
		t.Errorf("%q", got)
	}
}

func TestTheCurrentStepHasItsShareOfTheBudget(t *testing.T) {
	d := declaredDesk(t)
	d.now = t0.Add(time.Minute)
	budgets := func() (out []time.Duration) {
		for _, p := range d.board().Flow {
			for _, n := range p.Nodes {
				out = append(out, n.Budget)
			}
		}
		return out
	}
	// Four minutes for alert, status and fate; the logs are beside the line.
	if got := budgets(); !slices.Equal(got, []time.Duration{80 * time.Second, 0, 0, 0, 0, 0}) {
		t.Errorf("%v", got)
	}
	d.ok(d.board().Enter(ic, "logs"))
	if got := budgets(); got[2] != 80*time.Second || got[0] != 0 {
		t.Errorf("beside the line: %v", got)
	}
	d.now = t0.Add(6 * time.Minute)
	if got := budgets(); slices.Max(got) != 0 {
		t.Errorf("over the budget: %v", got)
	}
	if b := NewBoard(nil, d.rb, d.f, d.now); b.Flow[0].Nodes[0].Budget != 0 {
		t.Error("before the declaration there is a budget")
	}
}
