package incident

import (
	"time"

	"warroom/internal/plan"
)

// goldenRuns are one event of every kind that a recovery run has, with every field
// set: see goldenEvents.
func goldenRuns(when time.Time) []Event {
	who := []plan.Identity{{System: "aws:main", Name: "arn:aws:sts::123456789012:assumed-role/act/ic-1", Expires: when.Add(time.Hour)}, {System: "vault:primary", Trouble: "sealed"}}
	p := plan.Plan{
		ID: "5f1c0a9be2d34477", Procedure: "rotate-database", Target: "prod/db/postgres", Mode: plan.Forward, Options: map[string]string{"strategy": "same_user"},
		Title: "Rotate the password of app_user", Why: "the value has leaked", Environment: "production", Drill: "db-rotation",
		Made: when, Expires: when.Add(10 * time.Minute), Facts: map[string]string{"token": "7f3a"},
		Observed:   []plan.Observed{{Name: "AWSCURRENT of prod/db/postgres", Value: "version 7f3a"}, {Name: "sessions", Value: "12", Live: true}},
		Affected:   []plan.Affected{{Component: "user-service", Name: "User Service", How: "logs in anew", Critical: true}},
		Identities: who,
		Warnings:   []plan.Warning{{ID: "plain-text", Text: "the server sees the password", Accept: true}},
		Inputs:     []plan.Input{{ID: "key", Label: "the new key", Optional: true}},
		Steps: []plan.Step{
			{ID: "store", Title: "Store the new password", Where: "aws:main", Calls: []string{"secretsmanager:PutSecretValue"}, Before: "no other version is pending",
				Verify: "reads it back", Undo: "takes the label away", Change: true, Limit: time.Minute},
			{ID: "set", Title: "Set it", Change: true},
		},
		NeedsReason: "break-glass", Second: true, Irreversible: "nothing", Measures: []plan.Measure{{Step: "store", Kind: "cancelled rotation", What: "the schedule", End: true}},
	}
	back := plan.Plan{ID: "0c", Procedure: p.Procedure, Target: p.Target, Mode: plan.Back, Of: p.ID, Title: "Roll back", Environment: p.Environment, Made: when, Expires: when.Add(time.Minute),
		Steps: []plan.Step{{ID: "store", Title: "Undo: Store the new password", Change: true}}}
	return []Event{
		New("ic-1", Armed{On: true, Until: when.Add(15 * time.Minute), Identities: who}),
		New("ic-1", Granted{Plan: p, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "all passwords are refused", Accepted: []string{"plain-text"},
			Signer: "ops-2@example.com", SignerKey: "SHA256:abc", Host: "bastion", PID: 4711}),
		New("ic-1", Intent{Run: p.ID, Step: "store", Facts: map[string]string{"version": "9b"}}),
		New("ic-1", Outcome{Run: p.ID, Step: "store", State: plan.Done, Detail: "version 9b is AWSPENDING", Next: "go on", Took: 1200 * time.Millisecond, Facts: map[string]string{"arn": "x"}}),
		New("ic-1", Intent{Run: p.ID, Step: "set"}),
		New("ic-1", Outcome{Run: p.ID, Step: "set", State: plan.Failed, Detail: "permission denied"}),
		New("ic-1", RunEnded{Run: p.ID, State: plan.RunFailed, Detail: "permission denied", Next: "roll it back"}),
		New("ic-1", Granted{Plan: back, Fingerprint: back.Fingerprint(), Host: "bastion", PID: 4712}),
		New("ic-1", Intent{Run: back.ID, Step: "store", Undo: true}),
		New("ic-1", Outcome{Run: back.ID, Step: "store", State: plan.Undone}),
		New("ic-1", RunEnded{Run: back.ID, State: plan.RunRolledBack}),
		New("", Armed{Why: "nobody did anything for 15m0s"}),
	}
}
