package report

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

// t0 is when the incidents of the tests begin.
var t0 = time.Date(2026, 3, 14, 3, 0, 0, 0, time.UTC)

// log is a journal that a test writes. Every event goes through the codec.
type log struct {
	t   testing.TB
	at  time.Time
	all []incident.Event
}

func (l *log) add(after time.Duration, by string, data incident.Data) {
	l.t.Helper()
	l.at = l.at.Add(after)
	e := incident.New(by, data)
	e.At = l.at
	line, err := incident.Encode(e)
	if err != nil {
		l.t.Fatal(err)
	}
	if e, err = incident.Decode(uint64(len(l.all)+1), line); err != nil {
		l.t.Fatal(err)
	}
	l.all = append(l.all, e)
}

func (l *log) each(do func(incident.Event) error) error {
	for _, e := range l.all {
		if err := do(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *log) declare() {
	rb := runbook.Guide()
	l.add(0, "ic-1", incident.Declared{
		ID: "2026-03-14-1", Severity: runbook.SEV2, Summary: "logins of the shop are refused", Started: t0, Environment: "production",
		Roles: map[incident.Role]string{incident.Commander: "ic-1", incident.Scribe: "ops-2"}, Runbook: rb.Name, Digest: rb.Digest,
	})
}

func seenFor(value string, read time.Time) incident.Evidence {
	return incident.Evidence{Stance: diagnosis.For.String(), Value: value, Source: "pg_stat_activity at db-1", Read: read}
}

// recovery is a run that fails and is rolled back, within ten seconds.
func (l *log) recovery() {
	run := plan.Plan{
		ID: "5f1c0a9be2d34477", Procedure: "rotate-database", Target: "shop/db", Mode: plan.Forward, Title: "Rotate the password of shop_app",
		Irreversible: "sessions that are ended", Steps: []plan.Step{{ID: "store", Title: "Store the new password", Change: true}, {ID: "set", Title: "Set it in db-1", Change: true},
			{ID: "restart", Title: "Restart the shop", Change: true}},
	}
	back := plan.Plan{ID: "0c2a", Procedure: run.Procedure, Target: run.Target, Mode: plan.Back, Of: run.ID, Title: "Roll back: " + run.Title, Steps: run.Steps[:1]}
	for _, d := range []incident.Data{
		incident.Armed{On: true, Until: l.at.Add(15 * time.Minute), Identities: []plan.Identity{{System: "aws:main", Name: "role/act"}}},
		incident.Granted{Plan: run, Fingerprint: strings.Repeat("ab", 32), Reason: "the pending one is refused now", Signer: "ops-3"},
		incident.Intent{Run: run.ID, Step: "store"}, incident.Outcome{Run: run.ID, Step: "store", State: plan.Done, Detail: "version 9b is AWSPENDING"},
		incident.Intent{Run: run.ID, Step: "set"}, incident.Outcome{Run: run.ID, Step: "set", State: plan.Failed, Detail: "permission denied for role"},
		incident.RunEnded{Run: run.ID, State: plan.RunFailed, Detail: "Set it in db-1: permission denied for role", Next: "roll back"},
		incident.Granted{Plan: back, Fingerprint: strings.Repeat("cd", 32)}, incident.Outcome{Run: back.ID, Step: "store", State: plan.Undone, Detail: "no version is pending"},
		incident.RunEnded{Run: back.ID, State: plan.RunRolledBack, Detail: "everything that it did is undone and verified"},
	} {
		l.add(time.Second, "ic-2", d)
	}
}

// rich is an incident that has one of everything.
func rich(t testing.TB) *log {
	l := &log{t: t, at: t0.Add(90 * time.Second)}
	l.declare()
	l.add(2*time.Second, "", incident.ConsoleMoved{Act: "opened", Host: "bridge-1", PID: 4711})
	l.add(8*time.Second, "ic-1", incident.SeverityChanged{From: runbook.SEV2, To: runbook.SEV1, Reason: "checkout is down"})
	l.add(10*time.Second, "", incident.ReadingChanged{Component: "pg", Name: "PostgreSQL Primary", From: estate.OK, To: estate.Fail, Word: "REFUSED", Reason: "password of app_user refused"})
	step := func(after time.Duration, node string, e incident.Evidence) {
		l.add(after, "ic-1", incident.NodeMoved{Node: node, Act: incident.NodeDone, Evidence: e})
	}
	step(10*time.Second, "alert", incident.Evidence{})
	step(20*time.Second, "status", seenFor("1 of 14 rotations failed", l.at))
	step(20*time.Second, "failed", seenFor("1 secret failed: shop/db", l.at))
	step(20*time.Second, "validity", seenFor("AWSCURRENT is refused by db-1", l.at))
	l.add(5*time.Second, "ops-2", incident.NodeMoved{Node: "logs", Act: incident.NodeEntered})
	l.add(5*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.identify", Act: incident.ItemTicked, Evidence: incident.Evidence{
		Stance: "for", Value: "1 failed; 0 unread", Typed: "1", With: "ops-3", Source: "DescribeSecret at eu-west-1", Read: l.at}})
	l.add(3*time.Second, "", incident.Sensed{Item: "immediate.test", Ready: true, Evidence: seenFor("2 refused; 0 untested", l.at)})
	l.add(9*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.test", Act: incident.ItemTicked, Evidence: incident.Evidence{Value: "2 refused; 0 untested", Stance: "for", Typed: "2"}})
	l.add(15*time.Second, "ic-1", incident.Noted{Text: "the on-call of the shop has joined"})
	l.add(95*time.Second, "ic-1", incident.Updated{Text: "Checkout is down since 03:00.\nWe know the failed secret.\nNext update follows.", To: "slack", Next: l.at.Add(195 * time.Second)})
	step(20*time.Second, "mechanism", seenFor("function rotate-db rotates shop/db", l.at))
	step(5*time.Second, "targets", seenFor("db-1 answers", l.at))
	l.add(30*time.Second, "ic-1", incident.NodeMoved{Node: "fate", Act: incident.NodeDone, Verdict: "stuck", Marked: true, Reason: "AWSPENDING stands since 02:10", Evidence: incident.Evidence{Stance: "unread", Value: "CloudTrail was not read"}})
	l.add(time.Second, "", incident.Overrun{Phase: "assess", Budget: 5 * time.Minute})
	step(60*time.Second, "automated", seenFor("rotation function: rotate-db", l.at))
	l.add(20*time.Second, "ic-1", incident.NodeMoved{Node: "manual", Act: incident.NodeRuledOut, Evidence: incident.Evidence{Stance: "against", Value: "no change by hand in 90 days"}})
	l.add(5*time.Second, "ic-1", incident.NodeMoved{Node: "delegated", Act: incident.NodeRuledOut, Evidence: incident.Evidence{Stance: "against", Value: "no service owns it"}})
	l.add(5*time.Second, "ic-1", incident.NodeMoved{Node: "integrated", Act: incident.NodeRuledOut, Evidence: incident.Evidence{Stance: "against", Value: "no Vault role"}})
	l.add(30*time.Second, "ic-1", incident.NodeMoved{Node: "network", Act: incident.NodeRuledOut, Evidence: incident.Evidence{Stance: "against", Value: "every store answers"}})
	l.add(5*time.Second, "ic-1", incident.NodeMoved{Node: "permission", Act: incident.NodeRuledOut, Evidence: incident.Evidence{Stance: "against", Value: "0 calls denied"}})
	l.add(5*time.Second, "ic-1", incident.NodeMoved{Node: "target", Act: incident.NodeRuledOut, Evidence: incident.Evidence{Stance: "against", Value: "db-1 takes logins of others"}})
	step(10*time.Second, "state", seenFor("db-1 takes AWSPENDING, the store says AWSCURRENT", l.at))
	l.add(10*time.Second, "ic-1", incident.Decided{Text: "finish the rotation by hand", Reason: "the database has the pending password already"})
	l.add(20*time.Second, "ic-1", incident.MeasureMoved{ID: "M1", Act: incident.MeasureOpened, Kind: incident.MeasureAccess, What: "break-glass account on db-1", Who: "ops-3", Reason: "to read pg_roles", Until: l.at.Add(time.Hour)})
	l.add(5*time.Second, "ic-1", incident.MeasureMoved{ID: "M2", Act: incident.MeasureOpened, Kind: incident.MeasureCancelled, What: "rotation of shop/db", Who: "ops-2", Reason: "it must not run again meanwhile", Until: l.at.Add(24 * time.Hour)})
	l.add(40*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.expiry", Act: incident.ItemSkipped, Reason: "static passwords have no expiry"})
	l.add(10*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.impact", Act: incident.ItemTicked, Evidence: incident.Evidence{Stance: "for", Value: "1 service down; 100% refused"}})
	l.add(10*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.access", Act: incident.ItemOverridden, Reason: "the break-glass account is open", Evidence: incident.Evidence{Stance: "against", Value: "no way in is known"}})
	l.add(10*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.notify", Act: incident.ItemNA, Reason: "no personal data behind it"})
	l.add(5*time.Second, "ops-2", incident.ItemMoved{Item: "immediate.complete", Act: incident.ItemTicked})
	l.add(60*time.Second, "ic-1", incident.Updated{Text: "The pending password is being stored.", To: "slack", Next: l.at.Add(20 * time.Minute)})
	l.add(2*time.Second, "ic-1", incident.Updated{Text: "The pending password is being stored.", To: "status-page", Fail: "503 from the webhook"})
	for i := range 24 {
		from, to := estate.Fail, estate.OK
		if i%2 == 1 {
			from, to = to, from
		}
		l.add(4*time.Second, "", incident.ReadingChanged{Component: "app", Name: "Shop", From: from, To: to, Word: "DEGRADED", Reason: "pool is refilled"})
	}
	l.add(10*time.Second, "ops-2", incident.RoleAssigned{Role: incident.Commander, From: "ic-1", To: "ic-2"})
	l.add(time.Second, "ic-2", incident.RoleAssigned{Role: incident.Deputy, To: "ic-1"})
	l.add(10*time.Second, "ic-2", incident.ItemMoved{Item: "investigation.logs", Act: incident.ItemStarted})
	l.add(10*time.Second, "", incident.ClockSet{By: -3 * time.Second})
	l.add(10*time.Second, "", incident.JournalMoved{What: "a torn tail of 41 bytes was cut off"})
	l.add(10*time.Second, "ic-2", incident.Acked{What: "you were at Name each consumer's version"})
	l.add(3*time.Minute, "ops-3", incident.ItemMoved{Item: "recovery.validate", Act: incident.ItemTicked, Evidence: incident.Evidence{Stance: "for", Value: "0 targets refuse it", Link: "https://wiki.example/run/17", Note: "by psql"}})
	l.add(time.Minute, "", incident.Sensed{Item: "recovery.validate", Regressed: true, Evidence: incident.Evidence{Stance: "against", Value: "1 target refuses it"}})
	l.add(2*time.Minute, "ops-3", incident.ItemMoved{Item: "recovery.validate", Act: incident.ItemReassessed, Reason: "replica caught up", Evidence: incident.Evidence{Stance: "for", Value: "0 targets refuse it"}})
	l.add(time.Minute, "ops-3", incident.ItemMoved{Item: "recovery.restart", Act: incident.ItemTicked, Evidence: seenFor("0 on the old version", l.at)})
	l.add(time.Second, "ops-3", incident.ItemMoved{Item: "recovery.restart", Act: incident.ItemUndone, Reason: "wrong line"})
	l.add(20*time.Second, "ops-3", incident.MeasureMoved{ID: "M1", Act: incident.MeasureEnded, Reason: "not needed any more"})
	l.add(5*time.Second, "ops-3", incident.MeasureMoved{ID: "M2", Act: incident.MeasureExtended, Reason: "the function is not mended", Until: l.at.Add(48 * time.Hour)})
	l.recovery()
	l.add(20*time.Second, "ic-2", incident.Recovered{Note: "checkout works again"})
	l.add(14*time.Minute, "ic-2", incident.Closed{Reason: "the rest is work of the days after", Open: map[string]string{"M2": "until the function is mended"}})
	l.add(time.Hour, "ic-2", incident.Assigned{Item: "after.automation", Owner: "database team", Due: t0.Add(48 * time.Hour)})
	l.add(20*time.Hour, "ic-2", incident.Noted{Text: "the function was mended in staging"})
	l.all = append(l.all, incident.Event{Seq: uint64(len(l.all) + 1), At: l.at.Add(time.Minute), Kind: incident.KindUnreadable,
		Data: incident.Unreadable{Kind: "poll", Version: 2, Raw: []byte("{}")}})
	return l
}

func (l *log) input() IncidentInput {
	return IncidentInput{
		Events: l.each, Runbook: runbook.Guide(), Now: t0.Add(75 * time.Hour),
		Journal: IncidentJournal{
			Verified: true, Head: fmt.Sprintf("%d:3f9a", len(l.all)), Records: uint64(len(l.all)), Files: 2,
			Signers: []IncidentSigner{{"SHA256:abcdefgh", uint64(len(l.all) - 3)}, {"SHA256:ijklmnop", 3}},
			Notes:   []string{"41 bytes after record 60 were kept beside the journal"},
		},
		Lessons: []IncidentLesson{{ID: "vault-2019", Why: "it was asked for when this report was made"}},
	}
}

func (l *log) report() *Incident {
	l.t.Helper()
	made, err := NewIncident(l.input())
	if err != nil {
		l.t.Fatal(err)
	}
	return made
}

// rendered are the three renderings, by format.
func rendered(t testing.TB, i *Incident) map[string]string {
	t.Helper()
	var md, html, asJSON bytes.Buffer
	if err := errors.Join(i.Markdown(&md), i.HTML(&html), i.JSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"md": md.String(), "html": html.String(), "json": asJSON.String()}
}

// A start that was corrected late counts for all that was told before.
func TestEveryClockCountsFromTheCorrectedStart(t *testing.T) {
	l := &log{t: t, at: t0.Add(90 * time.Second)}
	l.declare()
	l.add(time.Minute, "ic-1", incident.Noted{Text: "before the correction"})
	l.add(time.Minute, "ic-1", incident.Corrected{Started: t0.Add(-10 * time.Minute), Reason: "the alert's own time"})
	made, err := NewIncident(IncidentInput{Events: l.each, Runbook: runbook.Guide(), Now: l.at.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if got := made.doc.Started.Time; !got.Equal(t0.Add(-10 * time.Minute)) {
		t.Errorf("it started at %v", got)
	}
	if got, want := time.Duration(made.doc.Notes[0].T), 12*time.Minute+30*time.Second; got != want {
		t.Errorf("the note stands at T+%v, want T+%v", got, want)
	}
}

// What no console saw is a gap, and one that was killed says so by its silence.
func TestTimeThatNobodyWatchedIsAGap(t *testing.T) {
	l := &log{t: t, at: t0.Add(time.Minute)}
	l.declare()
	console := func(after time.Duration, act string) {
		l.add(after, "ic-1", incident.ConsoleMoved{Act: act, Host: "bridge-1"})
	}
	console(0, "opened")
	l.add(time.Minute, "ic-1", incident.Noted{Text: "the last word"})
	console(4*time.Minute, "resumed") // killed in between
	console(time.Minute, "left")
	console(2*time.Minute, "resumed")
	l.add(time.Minute, "ic-1", incident.Closed{Reason: "done"})
	console(time.Minute, "left")
	console(24*time.Hour, "resumed") // the days after are nobody's watch
	made, err := NewIncident(IncidentInput{Events: l.each, Runbook: runbook.Guide(), Now: l.at.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"From 2026-03-14 03:02:00Z to 2026-03-14 03:06:00Z there was no console for some or all of the time: it ended without a word, killed or with its machine.",
		"Nothing was watched from 2026-03-14 03:07:00Z to 2026-03-14 03:09:00Z: no console was open.",
	}
	if got := made.doc.Basis.Gaps; !slices.Equal(got, want) {
		t.Errorf("gaps\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
