package incident_test

import (
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

func TestTellSaysWhatHappenedInOneLine(t *testing.T) {
	at := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	rb := runbook.Guide()
	item, node := rb.Checklist[0].Items[0], rb.Flow[0].Nodes[0]
	for _, c := range []struct {
		data incident.Data
		want []string
	}{
		{incident.Declared{Severity: runbook.SEV1, Summary: "no logins", Started: at, Roles: map[incident.Role]string{incident.Commander: "ic-1"}},
			[]string{"SEV1 declared: no logins; T0 2026-03-21 12:00:00Z; commander ic-1"}},
		{incident.SeverityChanged{From: "SEV2", To: "SEV1", Reason: "payments"}, []string{"severity SEV2 → SEV1: payments"}},
		{incident.RoleAssigned{Role: incident.Scribe, To: "ops-2"}, []string{"scribe: ops-2"}},
		{incident.RoleAssigned{Role: incident.Scribe, From: "ops-2", To: "ops-3"}, []string{"scribe: ops-2 → ops-3"}},
		{incident.RoleAssigned{Role: incident.Scribe, From: "ops-2"}, []string{"nobody"}},
		{incident.Recovered{}, []string{"service is back"}},
		{incident.Closed{Reason: "done", Open: map[string]string{"M1": "stays a week"}}, []string{"closed: done; M1 stays a week"}},
		{incident.Reopened{Reason: "again"}, []string{"opened again: again"}},
		{incident.NodeMoved{Node: node.ID, Act: incident.NodeDone, Verdict: "stuck", Evidence: incident.Evidence{Value: "12 failed"}}, []string{node.Title, "done: stuck; 12 failed"}},
		{incident.NodeMoved{Node: "gone", Act: incident.NodeRuledOut, Reason: "seen"}, []string{"gone: ruled out: seen"}},
		{incident.ItemMoved{Item: item.ID, Act: incident.ItemTicked, Evidence: incident.Evidence{Value: "3 secrets", Typed: "3", Note: "as expected"}},
			[]string{"ticked: " + item.Text + ": 3 secrets; typed 3; as expected"}},
		{incident.Sensed{Item: item.ID, Ready: true, Evidence: incident.Evidence{Value: "3"}}, []string{"READY: " + item.Text + ": 3"}},
		{incident.Sensed{Node: node.ID, Regressed: true}, []string{"REGRESSED: " + node.Title}},
		{incident.Sensed{Item: item.ID}, []string{"no longer ready"}},
		{incident.Sensed{Lesson: rb.Lessons[0].ID, Evidence: incident.Evidence{Value: "1 is"}}, []string{"like a past incident: " + rb.Lessons[0].Title + ": 1 is"}},
		{incident.Sensed{Lesson: "gone"}, []string{"like a past incident: gone"}},
		{incident.Assigned{Item: item.ID, Owner: "ops-2", Due: at}, []string{item.Text, "ops-2; due 2026-03-21 12:00:00Z"}},
		{incident.Noted{Text: "one\ntwo"}, []string{"one two"}},
		{incident.Decided{Text: "fail over", Reason: "lag"}, []string{"fail over: lag"}},
		{incident.Updated{Text: "we know", To: "bridge", Next: at}, []string{"update to bridge: we know; next at 2026-03-21 12:00:00Z"}},
		{incident.Updated{Text: "we know", To: "bridge", Fail: "HTTP 500"}, []string{"NOT reach bridge: HTTP 500"}},
		{incident.Updated{Text: "we know", To: "bridge", State: incident.UpdateSending}, []string{"sending an update to bridge: we know"}},
		{incident.Updated{Text: "we know", To: "bridge", State: incident.UpdateUnclear, Fail: "no answer"}, []string{"NOT KNOWN whether an update reached bridge: no answer; we know"}},
		{incident.MeasureMoved{ID: "M1", Act: "opened", Kind: incident.MeasureBackupKey, What: "old key", Who: "ops-2", Until: at}, []string{"measure M1 opened: backup key: old key; ops-2; until 2026-03-21"}},
		{incident.MeasureMoved{ID: "M1", Act: incident.MeasureEnded, Reason: "taken back"}, []string{"measure M1 ended: taken back"}},
		{incident.MeasureMoved{ID: "M1", Act: incident.MeasureExtended, Until: at, Reason: "not mended"}, []string{"measure M1 extended: until 2026-03-21 12:00:00Z; not mended"}},
		{incident.ReadingChanged{Name: "Vault", From: estate.OK, To: estate.Fail, Word: "SEALED"}, []string{"Vault: OK → FAIL: SEALED"}},
		{incident.Overrun{Phase: rb.Flow[0].ID, Budget: 5 * time.Minute}, []string{rb.Flow[0].Title + " is over its budget of 5m"}},
		{incident.Overrun{Phase: "gone", Budget: 3 * time.Hour}, []string{"phase gone is over its budget of 3h"}},
		{incident.ConsoleMoved{Act: "resumed", Host: "bastion", PID: 42}, []string{"console resumed on bastion, process 42"}},
		{incident.JournalMoved{What: "37 bytes cut"}, []string{"journal: 37 bytes cut"}},
		{incident.ClockSet{By: -90 * time.Second}, []string{"set back by 1m30s"}},
		{incident.Acked{What: "item 4"}, []string{"reminder answered: item 4"}},
		{incident.Armed{On: true, Until: at, Identities: []plan.Identity{{System: "aws:main", Name: "act"}, {System: "vault:a", Trouble: "sealed"}}},
			[]string{"ARMED: changes are possible: until 2026-03-21 12:00:00Z", "aws:main as act; vault:a as nobody: sealed"}},
		{incident.Armed{Why: "left"}, []string{"DISARMED: nothing can be changed: left"}},
		{incident.Granted{Plan: plan.Plan{ID: "5f", Procedure: "rotate", Target: "prod/db", Mode: plan.Forward, Title: "Rotate"}, Reason: "leaked", Signer: "ops-2", Fingerprint: strings.Repeat("ab", 32)},
			[]string{"run 5f of rotate on prod/db begins: Rotate; leaked; signed by ops-2; abababababababab"}},
		{incident.Granted{Plan: plan.Plan{ID: "6f", Of: "5f", Procedure: "rotate", Target: "prod/db", Mode: plan.Back}}, []string{"run 6f rolls back run 5f of rotate on prod/db begins"}},
		{incident.Intent{Run: "5f", Step: "store"}, []string{"run 5f, step store: about to be done"}},
		{incident.Intent{Run: "5f", Step: "store", Undo: true}, []string{"about to be undone"}},
		{incident.Outcome{Run: "5f", Step: "store", State: plan.Failed, Detail: "denied", Next: "ask"}, []string{"run 5f, step store: failed: denied; ask"}},
		{incident.RunEnded{Run: "5f", State: plan.RunRolledBack, Detail: "verified"}, []string{"run 5f is rolled back: verified"}},
		{incident.Unreadable{Kind: "merged", Version: 9}, []string{`"merged" of version 9`}},
	} {
		e := incident.New("ic-1", c.data)
		got := incident.Tell(&e, rb)
		if strings.ContainsAny(got, "\n\r\t") || strings.Contains(got, "  ") {
			t.Errorf("%T: not one line: %q", c.data, got)
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%T: %q, want %q in it", c.data, got, want)
			}
		}
		if strings.Contains(got, "::") || strings.HasSuffix(got, ":") {
			t.Errorf("%T: says nothing after a colon: %q", c.data, got)
		}
		if incident.Tell(&e, nil) == "" {
			t.Errorf("%T: nothing without a runbook", c.data)
		}
	}
}
