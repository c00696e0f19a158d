package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// described goes through the descriptions of the secrets in question.
func (x *senses) described(e *evidence, each func(s *estate.Standing, v seen)) {
	for _, s := range x.focus {
		if s.Slot == nil {
			continue
		}
		if v := x.seenOf(s.Slot); !v.absent() && e.look(v) {
			each(s, v)
		}
	}
}

// about is whose rotation a mechanism is asked for: the failed secrets, and all when
// none failed.
func (x *senses) about() string {
	switch ids := x.failedIDs(); {
	case len(ids) > 2:
		return count(len(ids), "failed secret")
	case len(ids) > 0:
		return strings.Join(ids, " and ")
	}
	return count(len(x.secrets), "watched secret")
}

const noStore = "no store is configured that describes secrets"

// period is how often a secret rotates, in words.
func period(d *estate.SecretDescription) string {
	switch {
	case d.RotateEvery > 0:
		return "every " + estate.Span(d.RotateEvery)
	case d.Schedule != "":
		return d.Schedule
	}
	return "without a told period"
}

// mechanismLambda: does a rotation function rotate it?
func (x *senses) mechanismLambda() Finding {
	e := x.gather()
	x.described(e, func(s *estate.Standing, v seen) {
		if arn := s.Described.RotationFunctionARN; arn != "" {
			e.hit(s.Secret.ID+" by "+function(arn)+x.lastRun(arn), x.fact(v, "Rotation function of "+s.Secret.ID, arn, estate.NA))
			e.note(x.runs(arn)...)
			return
		}
		e.note(x.fact(v, "Rotation function of "+s.Secret.ID, "none", estate.NA))
	})
	return e.any("no rotation function for "+x.about(), noStore)
}

// function is a Lambda function's name.
func function(arn string) string {
	name := estate.PlainName(arn)
	return name[strings.LastIndexByte(name, ':')+1:]
}

// runsOf finds the component of a function and what its metrics say.
func (x *senses) runsOf(arn string) (v of[estate.FunctionMetrics], ok bool) {
	for _, cfg := range every[estate.FunctionConfig](x, estate.CheckFunction) {
		c, _ := x.t.Component(cfg.owner())
		if cfg.data.ARN == arn || cfg.data.ARN == "" && (c.Target == arn || c.Target == function(arn)) {
			return one[estate.FunctionMetrics](x, cfg.owner(), estate.CheckFunctionMetrics, "")
		}
	}
	return v, false
}

// lastRun words how a function runs; empty when that is not known.
func (x *senses) lastRun(arn string) string {
	v, ok := x.runsOf(arn)
	if !ok || !v.sure() {
		return ""
	}
	m := &v.data
	switch {
	case m.LastPoint.IsZero():
		return ", which did not run in " + estate.Span(m.Window)
	case m.LastErrors > 0:
		return fmt.Sprintf(", which failed %s (%.0f of %.0f runs in %s)", estate.Ago(x.now, m.LastPoint), m.Errors, m.Invocations, estate.Span(m.Window))
	}
	return ", which ran well " + estate.Ago(x.now, m.LastPoint)
}

func (x *senses) runs(arn string) []Fact {
	v, ok := x.runsOf(arn)
	if !ok || !v.sure() {
		return nil
	}
	m := &v.data
	return []Fact{x.fact(v.seen, "Runs", fmt.Sprintf("%.0f, %.0f failed in %s", m.Invocations, m.Errors, estate.Span(m.Window)), bad(m.LastErrors > 0, estate.Fail))}
}

// mechanismScheduled: does a schedule start its rotation?
func (x *senses) mechanismScheduled() Finding {
	e := x.gather()
	x.described(e, func(s *estate.Standing, v seen) {
		d := &s.Described
		if !d.RotationEnabled {
			e.note(x.fact(v, "Schedule of "+s.Secret.ID, "none", estate.NA))
			return
		}
		text, status := period(d), estate.OK
		switch {
		case d.NextRotation.IsZero():
		case d.NextRotation.Before(x.now):
			text, status = text+", was due "+estate.Ago(x.now, d.NextRotation), estate.Fail
		default:
			text += ", next " + estate.Ago(x.now, d.NextRotation)
		}
		e.hit(s.Secret.ID+" "+text, x.fact(v, "Schedule of "+s.Secret.ID, text, status))
	})
	return e.any("no schedule for "+x.about(), noStore)
}

// mechanismCron: does a job of ours rotate it?
func (x *senses) mechanismCron() Finding {
	e := x.gather()
	for _, v := range every[estate.Job](x, estate.CheckJob) {
		if !e.look(v.seen) {
			continue
		}
		c, _ := x.t.Component(v.owner())
		j := &v.data
		text := j.Schedule
		if j.Suspended {
			text += ", suspended"
		}
		if !j.Last.IsZero() {
			text += fmt.Sprintf(", %s %s", cmp.Or(j.LastResult, "ran"), estate.Ago(x.now, j.Last))
		}
		f := x.fact(v.seen, "Job "+j.Name, text, bad(j.LastResult == "failed", estate.Fail))
		if len(c.Secrets) == 0 || x.focused(&c) {
			e.hit(c.Name+" ("+text+")", f)
			continue
		}
		e.note(f)
	}
	return e.any("no job rotates "+x.about(), "no cron job or timer is configured")
}

// mechanismVault: does Vault rotate it by itself?
func (x *senses) mechanismVault() Finding {
	e := x.gather()
	roles, stuck := 0, 0
	for _, v := range every[estate.VaultStaticRoles](x, estate.CheckVaultStaticRoles) {
		if c, _ := x.t.Component(v.owner()); c.Standby || !e.look(v.seen) {
			continue
		}
		roles += len(v.data.Roles)
		late := 0
		for i := range v.data.Roles {
			role := &v.data.Roles[i]
			if role.Stuck(x.readAt(v.seen)) {
				late++
				text := fmt.Sprintf("%s/%s last rotated %s, was due %s", strings.Trim(role.Mount, "/"), role.Name, estate.Ago(x.now, role.LastRotation), estate.Ago(x.now, role.Due))
				e.hit(text, x.fact(v.seen, "Static role "+role.Name, text, estate.Fail))
			}
		}
		stuck += late
		e.note(x.fact(v.seen, "Static roles", fmt.Sprintf("%d, %d stuck", len(v.data.Roles), late), bad(late > 0, estate.Fail)))
	}
	switch {
	case stuck == 0 && roles > 0 && len(e.blind) == 0 && len(x.failing.all) == 0:
		return e.finding(For, "Vault rotates "+count(roles, "static role")+", all in time")
	case roles > 0:
		return e.any(fmt.Sprintf("Vault rotates %s, all in time; no failed secret is among them", count(roles, "static role")), "")
	}
	return e.any("Vault rotates no database role", "no Vault is configured")
}

// mechanismCloud: does the cloud provider rotate it without a function of ours?
func (x *senses) mechanismCloud() Finding {
	e := x.gather()
	x.described(e, func(s *estate.Standing, v seen) {
		d := &s.Described
		if d.RotationEnabled && d.RotationFunctionARN == "" {
			e.hit(s.Secret.ID+" by Secrets Manager itself, "+period(d), x.fact(v, "Rotation of "+s.Secret.ID, "managed, "+period(d), estate.NA))
		}
	})
	return e.any("the provider by itself does not rotate "+x.about(), noStore)
}

// mechanismService: does another service own it?
func (x *senses) mechanismService() Finding {
	e := x.gather()
	x.described(e, func(s *estate.Standing, v seen) {
		if owner := s.Described.OwningService; owner != "" {
			e.hit(s.Secret.ID+" belongs to "+owner, x.fact(v, "Owner of "+s.Secret.ID, owner, estate.NA))
		}
	})
	return e.any("no other service owns "+x.about(), noStore)
}

// mechanismCA: does a certificate authority renew it? For names the certificates
// that are in trouble, or the secrets in question that are certificates.
func (x *senses) mechanismCA() Finding {
	e := x.gather()
	all := 0
	for _, c := range x.certificates(e) {
		all++
		if c.trouble != "" {
			e.hit(c.name+" "+c.trouble, c.fact)
		} else {
			e.note(c.fact)
		}
	}
	for _, s := range x.focus {
		if s.Secret.Type != estate.TypeCertificate || s.Slot == nil {
			continue
		}
		if v := x.seenOf(s.Slot); e.look(v) {
			e.hit(s.Secret.ID+" is a certificate", x.fact(v, s.Secret.ID, s.Word, s.Status))
		}
	}
	return e.any(fmt.Sprintf("%s served, none ended, revoked or failing to renew", count(all, "certificate")), "no certificate is configured")
}

// mechanismTrigger: no check reads triggers.
func (x *senses) mechanismTrigger() Finding {
	return Finding{Value: "no check reads the triggers of a database"}
}

// rotationMechanism: what rotates it, and did it run?
func (x *senses) rotationMechanism() Finding {
	if f := x.failing; f.looks == 0 {
		return Finding{Value: noStore + ", and no job"}
	}
	e := x.gather()
	x.described(e, func(s *estate.Standing, v seen) {
		d := &s.Described
		how := "nothing rotates it: no function, no schedule"
		switch {
		case d.RotationFunctionARN != "" && !d.RotationEnabled:
			how = "function " + function(d.RotationFunctionARN) + ", switched off"
		case d.RotationFunctionARN != "":
			how = "function " + function(d.RotationFunctionARN) + " " + period(d) + x.lastRun(d.RotationFunctionARN)
		case d.OwningService != "":
			how = d.OwningService + " " + period(d)
		case d.RotationEnabled:
			how = "Secrets Manager itself " + period(d)
		}
		if job := x.jobOf(s.Secret.ID); job != "" && d.RotationFunctionARN == "" {
			how = "job " + job
		}
		e.hit(s.Secret.ID+": "+how, x.fact(v, "Rotation of "+s.Secret.ID, how, s.RotationStatus))
		if d.RotationFunctionARN != "" {
			e.note(x.runs(d.RotationFunctionARN)...)
		}
	})
	for i := range x.failing.all {
		if f := &x.failing.all[i]; f.item == nil && f.times == 0 {
			e.hit(f.name+": "+f.how, f.fact)
		}
	}
	if len(e.blind) > 0 {
		return e.unreadable()
	}
	if len(e.hits) == 0 {
		return e.finding(Unread, "the failed secrets are not in warroom.yaml: "+x.failing.named(3))
	}
	if len(x.failing.all) == 0 {
		return e.finding(For, x.census())
	}
	return e.finding(For, few(e.hits, 2))
}

// census counts what rotates the watched secrets when none of them fails.
func (x *senses) census() string {
	by, order := map[string]int{}, []string{}
	for i := range x.secrets {
		d := &x.secrets[i].Described
		what := "by nothing"
		switch {
		case d.RotationFunctionARN != "":
			what = "by " + function(d.RotationFunctionARN)
		case d.OwningService != "":
			what = "by " + d.OwningService
		case d.RotationEnabled:
			what = "by Secrets Manager itself"
		}
		if by[what] == 0 {
			order = append(order, what)
		}
		by[what]++
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(by[b], by[a]) })
	var parts []string
	for _, what := range order {
		parts = append(parts, thousands(by[what])+" "+what)
	}
	return count(len(x.secrets), "secret") + " rotated: " + names(parts, 3)
}

// jobOf names the job that rotates a secret.
func (x *senses) jobOf(secret string) string {
	for _, slot := range x.byCheck[estate.CheckJob] {
		if c, _ := x.t.Component(slot.Last.Key.Component); slices.Contains(c.Secrets, secret) {
			return c.Name
		}
	}
	return ""
}
