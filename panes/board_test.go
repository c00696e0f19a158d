package panes

import (
	"strings"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// An incident by hand: a runbook with the guide's two phases of the flow and four
// of the checklist, and boards of it in six situations. They are literals, so that
// what the panes draw is known without the packages that compute it.

const (
	minute = time.Minute
	hour   = time.Hour
)

func flowRunbook() *runbook.Runbook {
	node := func(id, title, text, sense string) runbook.Node {
		return runbook.Node{ID: id, Title: title, Text: text, Sense: sense}
	}
	urgent := func(n runbook.Node) runbook.Node { n.Urgent = true; return n }
	beside := func(n runbook.Node, of string) runbook.Node { n.Beside = of; return n }
	box := func(group, leads, id, title string, lines ...string) runbook.Node {
		n := runbook.Node{ID: id, Title: title, Group: group, Leads: leads, Sense: id}
		for _, l := range lines {
			sense, text, _ := strings.Cut(l, "=")
			n.Lines = append(n.Lines, runbook.Line{ID: id + "." + sense, Text: text, Sense: sense})
		}
		return n
	}
	item := func(id, text, expect, sense string) runbook.Item {
		return runbook.Item{ID: id, Text: text, Expect: expect, Sense: sense}
	}
	killer := func(i runbook.Item) runbook.Item { i.Killer = true; return i }
	forward := func(i runbook.Item) runbook.Item { i.Forward = []string{"compromised"}; return i }
	due := func(i runbook.Item, d time.Duration) runbook.Item { i.Due = d; return i }
	return &runbook.Runbook{
		Version: 1, Name: "guide",
		Flow: []runbook.FlowPhase{
			{ID: "assess", Title: "Assess", To: 5 * minute, Leave: "the credential's fate is told", Nodes: []runbook.Node{
				urgent(node("alert", "Rotation alert", "Confirm that the alert is real: a rotation failed", "rotation.status")),
				node("status", "Check rotation status", "Count rotations that succeeded and failed in 24 h", "rotation.status"),
				urgent(node("failed", "Identify failed secrets", "Name each secret that failed, its type and criticality", "secrets.failed")),
				node("validity", "Test current secret validity", "Log in with the current version at every target", "secrets.valid"),
				urgent(node("mechanism", "Check rotation mechanism", "Find out what rotates it: function, job or a person", "rotation.mechanism")),
				node("targets", "Validate target systems", "See that database, API and certificate answer", "targets.state"),
				node("fate", "Assess security impact", "Tell expired, stuck and compromised apart", "credential.fate"),
				beside(node("logs", "Review rotation logs", "Read the errors of the last runs, newest first", "rotation.logs"), "status"),
				beside(node("dependencies", "Check secret dependencies", "List who uses each failed secret", "secrets.dependencies"), "failed"),
				beside(node("emergency", "Emergency access options", "See whether the emergency role can log in", "access.emergency"), "validity"),
			}},
			{ID: "cause", Title: "Root cause", From: 5 * minute, To: 15 * minute, Leave: "one mechanism and one failure point stand", Nodes: []runbook.Node{
				box("Rotation mechanism", "failure.network", "mechanism.automated", "Automated", "mechanism.lambda=Rotation functions", "mechanism.scheduled=Scheduled tasks", "mechanism.cron=Cron jobs"),
				box("Rotation mechanism", "failure.permission", "mechanism.manual", "Manual", "mechanism.operator=Started by an operator", "mechanism.emergency=Emergency procedure", "mechanism.breakglass=Break-glass access"),
				box("Rotation mechanism", "failure.target", "mechanism.delegated", "Delegated", "mechanism.service=Managed by the service", "mechanism.trigger=Database triggers", "mechanism.application=Driven by the application"),
				box("Rotation mechanism", "failure.state", "mechanism.integrated", "Integrated", "mechanism.vault=Vault rotates it", "mechanism.cloud=The cloud rotates it", "mechanism.ca=Certificate authority"),
				box("Failure point", "", "failure.network", "Network", "network.timeout=Connection timeouts", "network.firewall=Firewall blocks", "network.dns=DNS resolution"),
				box("Failure point", "", "failure.permission", "Permission", "permission.role=Role of the function", "permission.denied=Access denied", "permission.policy=Policy of the secret"),
				box("Failure point", "", "failure.target", "Target", "target.database=Database unavailable", "target.ratelimit=API rate limits", "target.service=Service downtime"),
				box("Failure point", "", "failure.state", "State", "state.partial=Partial update", "state.rollback=Rollback failed", "state.inconsistent=Copies disagree"),
			}},
		},
		Checklist: []runbook.ListPhase{
			{ID: "immediate", Title: "Immediate response", To: 10 * minute, Mode: runbook.ReadDo, Leave: "impact is known and security is told", Complete: "IMMEDIATE COMPLETE", Items: []runbook.Item{
				killer(item("identify", "Identify each secret whose rotation failed", "all named", "secrets.identified")),
				killer(item("tested", "Test current secrets at their targets", "every target tried", "secrets.tested")),
				item("expiry", "Check expiry and grace of each failed secret", "earliest expiry", "secrets.expiry"),
				item("impact", "Assess impact on services and logins", "services down and degraded", "impact.assessed"),
				item("access", "Enable emergency access", "emergency role logs in", "access.emergency"),
				item("notify", "Notify security and compliance", "who was told, when", ""),
			}},
			{ID: "investigation", Title: "Investigation", From: 10 * minute, To: 30 * minute, Mode: runbook.DoConfirm, Leave: "one cause is named", Complete: "INVESTIGATION COMPLETE", Items: []runbook.Item{
				item("logs", "Analyse rotation logs and error patterns", "the error of the last run", "rotation.logs"),
				item("network", "Check the network to every secret store", "all reachable", "network.stores"),
				item("permission", "Validate role and policy of the rotation", "no call denied", "permission.validated"),
				item("changes", "Review recent changes to the rotation", "changes in 7 days", "changes.reviewed"),
				item("targets", "Examine target systems", "answering and configured", "targets.examined"),
				item("coordination", "Compare stores and consumers", "all on one version", "stores.consumers"),
			}},
			{ID: "recovery", Title: "Recovery", From: 30 * minute, To: 180 * minute, Mode: runbook.DoConfirm, Leave: "all consumers on the new version", Complete: "RECOVERY COMPLETE", Items: []runbook.Item{
				killer(forward(item("rotate", "Rotate every failed secret", "0 failed", "secrets.rotated"))),
				item("stores", "Update every store that holds a copy", "all the same version", "stores.updated"),
				item("restart", "Restart services that hold old credentials", "0 on the old version", "services.restarted"),
				item("validate", "Validate new secrets at every target", "every login succeeds", "secrets.validated"),
				item("monitor", "Watch login success and errors", "above 99 % for 15 min", "auth.recovering"),
				item("document", "Document manual steps and exceptions", "a link", ""),
			}},
			{ID: "after", Title: "Post-recovery", From: 24 * hour, To: 168 * hour, Mode: runbook.DoConfirm, Owned: true, Leave: "every item has an owner and an end", Complete: "POST-RECOVERY COMPLETE", Items: []runbook.Item{
				due(item("postmortem", "Hold the post-mortem", "a date and a document", ""), 72*hour),
				due(item("automation", "Improve rotation automation and monitoring", "a change that is live", ""), 168*hour),
				due(item("alerting", "Improve expiry tracking and alerts", "an alert that fired in a test", ""), 168*hour),
				due(item("rehearse", "Test the recovery procedures", "a drill that was run", ""), 120*hour),
				due(item("redundancy", "Add redundancy and fallback", "a second path that was tried", ""), 168*hour),
				due(item("policies", "Update policies and compliance records", "a link", ""), 168*hour),
			}},
		},
	}
}

// found is a finding that rests on one or two facts.
func found(st diagnosis.Stance, value string, s estate.Status, source string, age time.Duration) diagnosis.Finding {
	return diagnosis.Finding{Stance: st, Value: value, Facts: []diagnosis.Fact{
		{Component: "rotation-lambda", Name: "Last run", Value: value, Status: s, Source: source, At: ago(age)},
		{Component: "postgres-primary", Name: "Connections", Value: "94 of 100", Status: min(s, warn), Source: "pg_stat_activity at db.company.com:5432", At: ago(age / 2)},
	}}
}

func flowFindings() diagnosis.Findings {
	const cw, sm, pg = "FilterLogEvents at logs.eu-west-1.amazonaws.com", "DescribeSecret at secretsmanager.eu-west-1.amazonaws.com", "SCRAM login at db.company.com:5432"
	yes, no := diagnosis.For, diagnosis.Against
	unread := func(why string) diagnosis.Finding { return diagnosis.Finding{Stance: diagnosis.Unread, Value: why} }
	stale := found(yes, "8 of 12 copies agree", warn, sm, 4*minute)
	stale.Facts[0].Stale = true
	fate := found(yes, "expired: valid until 03:00:00, no unknown reader", fail, pg, 12*time.Second)
	fate.Word = "expired"
	return diagnosis.Findings{
		"rotation.status": found(no, "12 of 35 rotations failed in 24 h", fail, sm, 11*time.Second), "secrets.failed": found(yes, "3 failed: prod/db/postgres, prod/db/analytics, prod/api/external", fail, sm, 11*time.Second),
		"secrets.valid": found(no, "1 of 3 refused: app_user at PostgreSQL Primary (28P01)", fail, pg, 22*time.Second), "rotation.mechanism": found(yes, "Rotation Lambda, every 30 days", okay, sm, 40*time.Second),
		"targets.state": found(no, "PostgreSQL Primary BLOCKED, 2 of 3 answer", fail, pg, 9*time.Second), "credential.fate": fate, "rotation.logs": found(yes, "15 × connection timed out, last 03:11:58", fail, cw, 30*time.Second),
		"secrets.dependencies": found(yes, "14 consumers: 1 down, 1 degraded", fail, "topology", 5*time.Second), "access.emergency": unread("no emergency role is configured"),
		"mechanism.automated": found(yes, "Rotation Lambda rotates 3 of 3", okay, sm, 11*time.Second), "mechanism.lambda": found(yes, "rotate-db runs every 30 days", okay, sm, 11*time.Second),
		"mechanism.manual": found(no, "no rotation by hand in 7 days", okay, cw, minute), "mechanism.operator": found(no, "0 by hand in 7 days", okay, cw, minute), "mechanism.breakglass": unread("CloudTrail: access denied"),
		"mechanism.delegated": {}, "mechanism.integrated": found(no, "no engine is mounted", okay, "sys/mounts", minute), "mechanism.vault": found(no, "database engine not mounted", okay, "sys/mounts", minute), "mechanism.ca": found(no, "no certificate failed", okay, "TLS at 443", minute),
		"failure.network": found(yes, "15 × connection timed out to db.company.com:5432", fail, cw, 30*time.Second), "network.timeout": found(yes, "15 in 1 h", fail, cw, 30*time.Second), "network.firewall": unread("security groups: access denied"), "network.dns": found(no, "3 of 3 names resolve", okay, "lookup", 10*time.Second),
		"failure.permission": found(no, "no call denied in 1 h", okay, cw, 40*time.Second), "permission.denied": found(no, "0 denied in 1 h", okay, cw, 40*time.Second), "permission.role": found(no, "role may do all it needs", okay, "SimulatePrincipalPolicy", 2*minute),
		"failure.target": found(no, "PostgreSQL answers in 2 ms", okay, pg, 9*time.Second), "target.database": found(no, "accepts connections", okay, pg, 9*time.Second), "target.service": found(no, "all up", okay, pg, 9*time.Second),
		"failure.state": stale, "state.partial": found(yes, "AWSPENDING is newer than the role", warn, sm, 11*time.Second), "state.inconsistent": stale,
		"secrets.identified": found(yes, "3 failed: prod/db/postgres, prod/db/analytics, prod/api/external", fail, sm, 11*time.Second), "secrets.tested": found(yes, "3 of 3 tried, 1 refused", fail, pg, 22*time.Second), "secrets.expiry": found(yes, "earliest 03:00:00, no grace left", fail, sm, 11*time.Second),
		"impact.assessed": found(yes, "1 down, 1 degraded of 14; 67 % of logins fail", fail, pg, 9*time.Second), "network.stores": found(yes, "4 of 4 reachable, worst 31 ms", okay, "TCP at 443", 10*time.Second),
		"permission.validated": found(yes, "0 denied in 1 h", okay, cw, 40*time.Second), "changes.reviewed": unread("CloudTrail: access denied"), "targets.examined": found(yes, "3 of 3 answer", okay, pg, 9*time.Second), "stores.consumers": stale,
		"secrets.rotated": found(no, "3 of 3 still failed", fail, sm, 11*time.Second), "stores.updated": found(no, "2 versions in 3 stores", fail, sm, 11*time.Second), "services.restarted": found(no, "14 of 14 on the old version", fail, pg, 9*time.Second),
		"secrets.validated": found(no, "1 of 3 refused", fail, pg, 22*time.Second), "auth.recovering": found(no, "33 % of logins succeed in 5 min", fail, pg, 9*time.Second),
	}
}

// boardOf is a board with the evidence of the crisis and what was done: nodes and
// items are changed by do.
func boardOf(declared bool, elapsed time.Duration, do func(*incident.Board)) *incident.Board {
	rb := flowRunbook()
	b := &incident.Board{Runbook: rb, Findings: flowFindings(), Now: now}
	t0 := now.Add(-elapsed)
	if declared {
		b.Elapsed = elapsed
		b.State = &incident.State{
			Head: 42, At: t0.Add(40 * time.Second), Severity: runbook.SEV1, LastAt: now,
			Declared: incident.Declared{ID: "2026-11-23-1", Severity: runbook.SEV1, Summary: "Logins to PostgreSQL fail after a rotation", Started: t0, Environment: "production"},
			Roles:    map[incident.Role]string{incident.Commander: "ic-1", incident.Scribe: "ops-2"},
		}
		b.Update = incident.UpdateClock{Due: now.Add(4*minute + 10*time.Second), Left: 4*minute + 10*time.Second}
	}
	count := func(id, title, of string, number int, from, to time.Duration) incident.PhaseClock {
		c := incident.PhaseClock{ID: id, Title: title, Of: of, Number: number, From: from, To: to, Elapsed: b.Elapsed, Running: declared && elapsed >= from}
		if declared {
			c.Over = max(elapsed-to, 0)
		}
		return c
	}
	for i := range rb.Flow {
		p := &rb.Flow[i]
		v := incident.FlowView{Phase: p, Clock: count(p.ID, p.Title, "flow", i+1, p.From, p.To)}
		for j := range p.Nodes {
			n := incident.NodeView{Node: &p.Nodes[j], Finding: b.Findings[p.Nodes[j].Sense]}
			for k := range p.Nodes[j].Lines {
				n.Lines = append(n.Lines, incident.LineView{Line: &p.Nodes[j].Lines[k], Finding: b.Findings[p.Nodes[j].Lines[k].Sense]})
			}
			v.Nodes = append(v.Nodes, n)
		}
		b.Flow = append(b.Flow, v)
	}
	for i := range rb.Checklist {
		p := &rb.Checklist[i]
		v := incident.ListView{Phase: p, Clock: count(p.ID, p.Title, "checklist", i+1, p.From, p.To)}
		for j := range p.Items {
			f := b.Findings[p.Items[j].Sense]
			one := incident.ItemView{Item: &p.Items[j], Finding: f, Response: f.Value}
			if f.Stance == diagnosis.For && declared {
				one.Status = incident.ItemIsReady
			}
			v.Items = append(v.Items, one)
		}
		v.Items = append(v.Items, incident.ItemView{Item: &runbook.Item{ID: p.CompleteID(), Text: p.Complete}, Call: true})
		b.List = append(b.List, v)
	}
	b.Phase = b.Flow[0].Clock
	if do != nil {
		do(b)
	}
	for i := range b.List {
		for j := range b.List[i].Items {
			if one := &b.List[i].Items[j]; !one.Call {
				b.List[i].Count[one.Status]++
			}
		}
	}
	return b
}

func nodeOf(b *incident.Board, id string) *incident.NodeView {
	for i := range b.Flow {
		for j := range b.Flow[i].Nodes {
			if b.Flow[i].Nodes[j].Node.ID == id {
				return &b.Flow[i].Nodes[j]
			}
		}
	}
	panic("no node " + id)
}

func itemOf(b *incident.Board, id string) *incident.ItemView {
	for i := range b.List {
		for j := range b.List[i].Items {
			if b.List[i].Items[j].Item.ID == id {
				return &b.List[i].Items[j]
			}
		}
	}
	panic("no item " + id)
}

func settleNode(b *incident.Board, s incident.NodeStatus, at time.Duration, reason string, ids ...string) {
	for i, id := range ids {
		n := nodeOf(b, id)
		n.Status = s
		n.Done = incident.NodeState{Act: incident.NodeDone, At: b.State.Declared.Started.Add(at + time.Duration(i)*20*time.Second), By: "ic-1", Reason: reason, Evidence: incident.EvidenceOf(n.Finding)}
	}
}

func settleItem(b *incident.Board, s incident.ItemStatus, at time.Duration, by, reason string, ids ...string) {
	for i, id := range ids {
		one := itemOf(b, id)
		one.Status = s
		one.Done = incident.ItemState{Act: incident.ItemTicked, At: b.State.Declared.Started.Add(at + time.Duration(i)*25*time.Second), By: by, Reason: reason, Evidence: incident.EvidenceOf(one.Finding)}
		if reason != "" {
			one.Response = reason
		}
	}
}

// goldenBoards are the six situations.
func goldenBoards() map[string]*incident.Board {
	mid := func(b *incident.Board) {
		settleNode(b, incident.NodeIsDone, 50*time.Second, "", "alert", "status", "logs")
		nodeOf(b, "failed").Status, b.Node = incident.NodeIsCurrent, "failed"
		settleItem(b, incident.ItemIsDone, 90*time.Second, "ic-1", "", "identify")
		settleItem(b, incident.ItemIsSkipped, 150*time.Second, "ops-2", "no grace is configured for database secrets", "expiry")
		itemOf(b, "impact").Status = incident.ItemIsDoing
		b.Item = "tested"
	}
	phase2 := func(b *incident.Board) {
		settleNode(b, incident.NodeIsDone, 50*time.Second, "", "alert", "status", "failed", "validity", "mechanism", "targets", "fate")
		settleNode(b, incident.NodeIsRuledOut, 4*minute, "no emergency role here", "emergency")
		settleNode(b, incident.NodeIsDone, 6*minute, "", "mechanism.automated")
		settleNode(b, incident.NodeIsRuledOut, 7*minute, "nothing by hand in 7 days", "mechanism.manual")
		nodeOf(b, "failure.network").Status, b.Node = incident.NodeIsCurrent, "failure.network"
		settleItem(b, incident.ItemIsDone, 90*time.Second, "ic-1", "", "identify", "tested", "expiry", "impact")
		settleItem(b, incident.ItemIsNA, 5*minute, "ops-2", "no emergency role exists", "access")
		n := itemOf(b, "notify")
		settleItem(b, incident.ItemIsDone, 6*minute, "liaison-1", "", "notify")
		n.Done.Evidence = incident.Evidence{Note: "paged #sec-oncall, answered 03:18", Link: "https://chat.company.com/t/881"}
		n.Done.Evidence.With = "ops-2"
		n.Response = n.Done.Evidence.Note
		settleItem(b, incident.ItemIsDone, 7*minute, "ic-1", "", "immediate.complete")
		b.List[0].Clock.Done, b.List[0].Clock.Running, b.List[0].Clock.Over, b.List[0].Clock.Elapsed = true, false, 0, 7*minute
		b.Flow[0].Clock.Done, b.Flow[0].Clock.Running, b.Flow[0].Clock.Over, b.Flow[0].Clock.Elapsed = true, false, 0, 4*minute+50*time.Second
		b.State.Verdict = "expired"
		b.Item = "network"
		b.Phase = b.Flow[1].Clock
	}
	out := map[string]*incident.Board{
		"no incident": boardOf(false, 0, nil),
		"mid":         boardOf(true, 3*minute+12*time.Second, mid),
		"over": boardOf(true, 12*minute+41*time.Second, func(b *incident.Board) {
			mid(b)
			b.Update = incident.UpdateClock{Due: now.Add(-70 * time.Second), Overdue: 70 * time.Second}
		}),
		"regressed": boardOf(true, 14*minute+2*time.Second, func(b *incident.Board) {
			phase2(b)
			nodeOf(b, "validity").Status, nodeOf(b, "validity").Done.Regressed = incident.NodeIsRegressed, true
			nodeOf(b, "validity").Done.Evidence.Value = "3 of 3 log in"
			one := itemOf(b, "tested")
			one.Status, one.Done.Regressed, one.Done.Turned = incident.ItemIsRegressed, true, ago(20*time.Second)
			one.Done.Evidence.Value = "3 of 3 log in"
			b.Item = "tested"
		}),
		"compromised": boardOf(true, 14*minute+2*time.Second, func(b *incident.Board) {
			phase2(b)
			b.State.Verdict, b.State.Marked = "compromised", true
			itemOf(b, "rotate").Forward = true
			b.Item = "rotate"
			b.State.Measures = []incident.Measure{
				{ID: "M1", Kind: incident.MeasureAccess, What: "break-glass login to PostgreSQL Primary at db.company.com:5432", Who: "ops-2", Reason: "the app role is locked out", Opened: ago(40 * minute), Until: ago(6 * minute)},
				{ID: "M2", Kind: incident.MeasureBackupKey, What: "payment-service runs on the backup key", Who: "ic-1", Reason: "keeps payments alive until the rotation is repaired", Opened: ago(8 * minute), Until: now.Add(52 * minute)},
				{ID: "M3", Kind: incident.MeasureCancelled, What: "rotation of prod/db/analytics cancelled", Who: "ic-1", Reason: "would fail the same way", Opened: ago(9 * minute), Ended: ago(2 * minute), Why: "rotated by hand"},
				{ID: "M4", Kind: incident.MeasureOverride, What: "health check of user-service forced green", Who: "ops-3", Reason: "keeps the pods from restarting", Opened: ago(minute)},
			}
		}),
		"done": boardOf(true, 51*hour+7*minute, func(b *incident.Board) {
			phase2(b)
			for i := range b.Flow {
				b.Flow[i].Clock.Done, b.Flow[i].Clock.Running, b.Flow[i].Clock.Over = true, false, 0
				b.Flow[i].Clock.Elapsed = b.Flow[i].Clock.To - 30*time.Second
				for j := range b.Flow[i].Nodes {
					if n := &b.Flow[i].Nodes[j]; n.Status == incident.NodeIsOpen || n.Status == incident.NodeIsCurrent {
						settleNode(b, incident.NodeIsDone, 8*minute, "", n.Node.ID)
					}
				}
			}
			for i := range b.List[:3] {
				b.List[i].Clock.Done, b.List[i].Clock.Running, b.List[i].Clock.Over = true, false, 0
				for j := range b.List[i].Items {
					if !b.List[i].Items[j].Status.Settled() {
						settleItem(b, incident.ItemIsDone, time.Duration(9+10*i)*minute, "ops-2", "", b.List[i].Items[j].Item.ID)
					}
				}
			}
			itemOf(b, "changes").Status, itemOf(b, "changes").Done.Reason = incident.ItemIsOverridden, "read by hand in the console of the cloud"
			itemOf(b, "changes").Response = itemOf(b, "changes").Done.Reason
			p := &b.List[3]
			for i, owner := range []string{"ic-1", "team-platform", "", "ops-2", "", "compliance-1"} {
				p.Items[i].Owner, p.Items[i].Due = owner, now.Add(time.Duration(i*30-40)*hour)
				p.Items[i].Overdue = p.Items[i].Due.Before(now)
			}
			settleItem(b, incident.ItemIsDone, 30*hour, "ic-1", "", "postmortem")
			itemOf(b, "postmortem").Response, itemOf(b, "postmortem").Overdue = "held on 24 Nov, 9 actions", false
			b.Node, b.Item = "", "automation"
			b.State.Recovered = b.State.Declared.Started.Add(2*hour + 20*minute)
			b.Phase = p.Clock
			b.Update = incident.UpdateClock{}
		}),
	}
	return out
}
