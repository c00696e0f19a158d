package incident

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
	"warroom/internal/runbook"
)

// crisisDesk is an incident half an hour old, in the middle of its work.
func crisisDesk(t testing.TB) (*desk, *estate.Readings) {
	d := newDesk(t)
	d.now = estatetest.At.Add(-20 * time.Minute)
	d.declare(d.now.Add(-3 * time.Minute))
	d.f["s.network"] = says(diagnosis.For, "15 timeouts in 24h")
	d.f["s.machine"] = says(diagnosis.Against, "nothing of ours rotates it")
	d.f["s.rotated"], d.f["s.restarted"] = says(diagnosis.Against, "1 of 5 failed"), says(diagnosis.Unread, "no answer within 5s")
	for d.board().Node != "" {
		d.ok(d.board().Step(ic, ""))
	}
	d.ok(d.board().OpenMeasure(ic, measure()))
	d.ok(d.board().Decide(ic, "roll forward with a new password", "the old one has expired"))
	d.ok(d.board().Sent(ic, "first words", "bridge", ""))
	d.ok(d.board().Start("ops-2", "notify"))
	d.now = estatetest.At
	return d, estate.Derive(estatetest.Crisis(), estatetest.At)
}

func TestTheDraftSaysWhatTheEvidenceSays(t *testing.T) {
	d, r := crisisDesk(t)
	got := d.board().Draft(r)
	want := strings.TrimPrefix(`
SEV1 · 2026-03-14-1 · production · since 2026-03-14 02:49 UTC, for 23 min · commander ic-1
logins are refused

Impact
- of 5 applications and entry points: 2 failing, 2 degraded, 1 well
- User Service FAIL: no pod of it is ready
- API Gateway FAIL: the token's exp passed 6h ago
- Load Balancer WARN: expires in 12 days and nothing renews it
- Analytics Service WARN: prod/db/analytics: uses version 11111111, the store hands out 22222222
Known
- the credential is expired, by its evidence
- Network (no answer in time): 15 timeouts in 24h
- 1 possibility ruled out
- Fate: the role expired 6h ago
- Status: seen s.status
Being done
- Immediate: Try every value
- Call security (ops-2 since 02:52 UTC)
- 1 temporary measure open, the latest: break-glass login to the primary, without an end

Next update at 03:32 UTC.`, "\n")
	if got != want {
		t.Errorf("the draft is\n%s\nwant\n%s", got, want)
	}
	// It promises what is then recorded.
	d.ok(d.board().Sent(ic, got, "bridge", ""))
	if next := d.board().Update.Due; hour(next) != "03:32 UTC" {
		t.Errorf("due %v", next)
	}
}

func TestTheSummaryIsShort(t *testing.T) {
	d, r := crisisDesk(t)
	d.ok(d.board().Tick(ic, "impact", Evidence{}, ""))
	d.f["s.impact"] = says(diagnosis.Against, "5 hurt")
	got := d.board().Summary(r)
	want := []string{
		"SEV1 · 2026-03-14-1 · production · since 2026-03-14 02:49 UTC, for 23 min · commander ic-1",
		"Impact: of 5 applications and entry points: 2 failing, 2 degraded, 1 well",
		"Impact: User Service FAIL: no pod of it is ready",
		"Impact: API Gateway FAIL: the token's exp passed 6h ago (and 2 more)",
		"Known: the credential is expired, by its evidence",
		"Known: Network (no answer in time): 15 timeouts in 24h",
		"Decided 02:52 UTC: roll forward with a new password",
		"Under way: Immediate: Try every value",
		"Under way: Call security (ops-2 since 02:52 UTC)",
		"Under way: 1 temporary measure open, the latest: break-glass login to the primary, without an end",
		"1 settled step regressed: Count who is hurt",
		"Update overdue since 02:57 UTC.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestWhatIsNotKnownIsSaid(t *testing.T) {
	d := newDesk(t)
	d.f = nil
	d.declare(t0)
	unread := estate.Derive(estate.NewSnapshot(estatetest.Topology(), nil), t0)
	for name, r := range map[string]*estate.Readings{"nothing": nil, "nothing yet": unread} {
		got := d.board().Draft(r)
		if !contains(got, "not known") || !contains(got, "the cause is not known yet") || contains(got, "well") || contains(got, " OK") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := d.board().Draft(unread); !contains(got, "of 5 applications and entry points: 5 not known") || !contains(got, "User Service not known: ") {
		t.Errorf("%s", got)
	}
	// What was not read is no knowledge, and neither is a node that was passed over.
	d.ok(d.board().Step(ic, ""))
	d.f = diagnosis.Findings{"s.status": says(diagnosis.Unread, "no answer within 5s")}
	d.ok(d.board().Mark(ic, "status", NodeDone, "", "read aloud from the web console"))
	got := d.board().Draft(nil)
	if contains(got, "no answer within 5s") || contains(got, "Alert") || !contains(got, "Status: read aloud from the web console") {
		t.Errorf("%s", got)
	}
	// Without a cadence nobody promises a time.
	d.ok(d.board().Regrade(ic, runbook.SEV4, ""))
	if got := d.board().Draft(nil); !contains(got, "When the next update comes is not decided.") {
		t.Errorf("%s", got)
	}
	d.ok(d.board().Recover(ic, ""))
	if got := d.board().Draft(nil); !contains(got, "service back since 03:00 UTC") {
		t.Errorf("%s", got)
	}
	d.ok(d.board().Close(ic, "over", nil))
	if got := d.board().Draft(nil); !contains(got, "closed 2026-03-14 03:00 UTC") || !contains(got, "this is the last update") || !contains(got, "nothing is under way") {
		t.Errorf("%s", got)
	}
}

// TestTheDraftOnTheGuide: many causes, of which those nearest to the root are told.
func TestTheDraftOnTheGuide(t *testing.T) {
	r := estate.Derive(estatetest.Crisis(), estatetest.At)
	d := newDesk(t)
	d.rb, d.now = runbook.Guide(), estatetest.At
	d.f = diagnosis.Sense(r, d.now)
	d.declare(time.Time{})
	for d.board().Node != "" {
		b := d.board()
		events, err := b.Step(ic, "")
		if err != nil {
			events, err = b.Mark(ic, b.Node, NodeRuledOut, "", "seen by hand")
		}
		d.ok(events, err)
	}
	b := d.board()
	if len(b.Regressed) > 0 || b.State.Verdict == "" {
		t.Errorf("regressed %v, verdict %q", b.Regressed, b.State.Verdict)
	}
	last := b.Flow[1].Nodes[len(b.Flow[1].Nodes)-1].Node.Group
	got := b.Draft(r)
	told := 0
	for _, v := range b.Flow[1].Nodes {
		switch {
		case v.Status != NodeIsDone:
		case v.Node.Group == last:
			if !contains(got, "- "+v.Node.Title+" (") && !contains(got, "- "+v.Node.Title+": ") {
				t.Errorf("%s is not told in\n%s", v.Node.Title, got)
			}
			told++
		default:
			if !contains(got, v.Node.Group+": ") {
				t.Errorf("%s is not told in\n%s", v.Node.Group, got)
			}
		}
	}
	if lines := strings.Count(got, "\n") + 1; told < 2 || lines > draftLines || !contains(got, "Next update at ") {
		t.Errorf("%d causes in %d lines:\n%s", told, lines, got)
	}
	// Every killer that can be read asks for something that stands in its value.
	for i := range b.List {
		for _, v := range b.List[i].Items {
			if asked := b.AskedValue(v.Item.ID); b.NeedsValue(v.Item.ID) && (asked == "" || !contains(v.Response, asked)) {
				t.Errorf("%s asks for %q, observed is %q", v.Item.ID, asked, v.Response)
			}
		}
	}
}

// TestPassingANodeConfirmsNothing: with nothing to read, walking through the matrix
// names no cause.
func TestPassingANodeConfirmsNothing(t *testing.T) {
	d := declaredDesk(t)
	d.f = nil
	for d.board().Node != "" {
		d.ok(d.board().Step(ic, map[bool]string{true: "stuck"}[d.board().NeedsVerdict(d.board().Node)]))
	}
	if got := d.board().Draft(nil); !contains(got, "the cause is not known yet") || contains(got, "Network") {
		t.Errorf("%s", got)
	}
	d.ok(d.board().Mark(ic, "network", NodeDone, "", "the firewall team says so"))
	if got := d.board().Draft(nil); !contains(got, "- Network: the firewall team says so") {
		t.Errorf("%s", got)
	}
}

func TestADraftIsBounded(t *testing.T) {
	d, r := crisisDesk(t)
	long := strings.Repeat("a long word and another ", 80)
	for i := range r.All {
		r.All[i].Reason, r.All[i].Status = long+"\nnext\x1b[2J", estate.Fail
	}
	for range 20 {
		m := measure()
		m.What = long[:1900]
		d.ok(d.board().OpenMeasure(ic, m))
	}
	for _, p := range d.rb.Flow {
		for _, n := range p.Nodes {
			d.f[n.Sense] = says(diagnosis.For, long)
			d.ok(d.board().Mark(ic, n.ID, NodeDone, "stuck", long[:1900]))
		}
	}
	for name, lines := range map[string][]string{"draft": strings.Split(d.board().Draft(r), "\n"), "summary": d.board().Summary(r)} {
		most := draftLines
		if name == "summary" {
			most = summaryLines
		}
		if len(lines) > most {
			t.Errorf("the %s has %d lines", name, len(lines))
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > draftRunes || strings.ContainsAny(line, "\x1b\n") {
				t.Errorf("%s: %q", name, line)
			}
		}
		if last := lines[len(lines)-1]; !contains(strings.ToLower(last), "update") {
			t.Errorf("the %s ends with %q", name, last)
		}
	}
	d.ok(d.board().Sent(ic, d.board().Draft(r), "bridge", ""))
}

// Security asks first why it is called compromised.
func TestTheDraftSaysWhyAPersonToldTheVerdict(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Mark(ic, "fate", NodeDone, "compromised", "read from 198.51.100.7"))
	if got := d.board().Draft(nil); !contains(got, "the credential is compromised, by a person's word: read from 198.51.100.7") {
		t.Errorf("%s", got)
	}
}
