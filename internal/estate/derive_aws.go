package estate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// secretsManager: how rotation stands over all watched secrets, led by the worst.
func (d *deriver) secretsManager() {
	type one struct {
		item  *StoredSecret
		state *secretState
	}
	var all []one
	worst, failed := -1, 0
	status := NA
	for i := range d.t.Secrets {
		item := &d.t.Secrets[i]
		if item.Store != d.c.ID {
			continue
		}
		state := d.secret(item.ID)
		all = append(all, one{item, state})
		rotation := state.rotated()
		status = Worst(status, rotation)
		if rotation == Fail {
			failed++
		}
		if worst < 0 || d.graver(state, item, all[worst].state, all[worst].item) {
			worst = len(all) - 1
		}
	}
	if worst < 0 {
		return
	}
	lead := all[worst]
	word, note := lead.state.rotation.word, lead.item.ID
	switch {
	case !lead.state.seen.ok:
		word, note = lead.state.word, lead.item.ID+": "+lead.state.note
	case status == OK:
		word, note = "OK", ""
	case failed > 0:
		word = "FAILED"
		note = fmt.Sprintf("%d of %s; worst %s: %s", failed, count(len(all), "secret"), lead.item.ID, lead.state.rotation.note)
	case lead.state.rotation.note != "":
		note += ": " + lead.state.rotation.note
	}
	f := lead.state.seen.fact("Rotation status", word, lead.state.rotation.status, note)
	f.Formula = "the worst of the watched secrets: FAILED when AWSPENDING stays on a version without AWSCURRENT for 15 minutes, OVERDUE when NextRotationDate is past"
	d.add(true, f)
	if status == Fail && lead.state.seen.ok {
		d.say(status, word, note)
	}
	f = lead.state.seen.fact("Last rotation", Ago(d.now, lead.state.seen.data.LastRotated), statusIf(lead.state.rotation.status == Fail, Fail), "of "+lead.item.ID)
	d.add(true, f)
	for _, o := range all {
		// Of very many secrets only those that need a look are listed.
		if len(all) > listed && o.state.status == OK {
			continue
		}
		f := o.state.fact(o.item.ID)
		if o.state.seen.ok {
			f.Note = d.secretDetail(o.state)
		}
		d.add(false, f)
		if f.Status > OK && f.Status != Unknown {
			d.say(f.Status, o.state.word, o.item.ID+": "+o.state.note)
		}
	}
	if len(all) > listed {
		d.add(false, lead.state.seen.fact("Watched secrets", fmt.Sprint(len(all)), NA, "those that are OK are not listed"))
	}
	d.inventory()
	d.identity()
	d.say(OK, "HEALTHY", "")
}

// rotated is the status of a secret's rotation, as sure as its description is.
func (s *secretState) rotated() Status {
	if s.seen.sure() {
		return s.rotation.status
	}
	return s.seen.fact("", "", s.rotation.status, "").Status
}

// listed is up to how many secrets the detail lists one by one.
const listed = 100

// graver orders secrets by how badly rotation stands, then by criticality, then
// by the age of the last rotation.
func (d *deriver) graver(a *secretState, ai *StoredSecret, b *secretState, bi *StoredSecret) bool {
	if x, y := a.rotated(), b.rotated(); x != y {
		return x > y
	}
	if w, v := ai.Criticality.weight(), bi.Criticality.weight(); w != v {
		return w > v
	}
	return a.seen.data.LastRotated.Before(b.seen.data.LastRotated)
}

// secretDetail says what else is known of a secret.
func (d *deriver) secretDetail(s *secretState) string {
	v := s.seen.data
	var parts []string
	say := func(text string, really bool) {
		if really {
			parts = append(parts, text)
		}
	}
	say(s.note, s.note != "")
	say("rotation "+s.rotation.word+": "+s.rotation.note, s.word != s.rotation.word && !strings.Contains(s.note, s.rotation.note))
	say("last rotated "+Ago(d.now, v.LastRotated), !v.LastRotated.IsZero())
	say("next "+Ago(d.now, v.NextRotation), v.RotationEnabled && !v.NextRotation.IsZero())
	say("schedule "+v.Schedule, v.Schedule != "")
	for _, stage := range []Stage{StageCurrent, StagePending, StagePrevious} {
		id := v.staged(stage)
		say(string(stage)+" "+short(id), id != "")
	}
	for _, r := range v.Replicas {
		say("replica "+r.Region+" "+r.Status, r.Status != "InSync")
	}
	say("managed by "+v.OwningService, v.OwningService != "")
	say("key "+v.KMSKey, v.KMSKey != "")
	say("last read on "+v.LastAccessed.UTC().Format(time.DateOnly), !v.LastAccessed.IsZero())
	return strings.Join(parts, "; ")
}

func (d *deriver) inventory() {
	for _, v := range seeAll[SecretInventory](d.derivation, d.c.ID, CheckInventory) {
		x := v.data
		status, note := OK, fmt.Sprintf("%d rotate, %d overdue, %d being deleted; the list lags up to 5 minutes", x.Rotating, x.Overdue, x.Deleted)
		if x.Overdue > 0 {
			status = Warn
		}
		d.add(false, v.fact("Secrets in account", fmt.Sprint(x.Total), status, note))
	}
}

func (d *deriver) identity() {
	for _, v := range seeAll[CallerIdentity](d.derivation, d.c.ID, CheckIdentity) {
		x := v.data
		status, note := OK, ""
		switch {
		case x.Expires.IsZero():
		case !d.now.Before(x.Expires):
			status, note = Unknown, "this session ended "+Ago(d.now, x.Expires)
		case x.Expires.Sub(d.now) < 15*time.Minute:
			status, note = Warn, "this session ends "+Ago(d.now, x.Expires)
		}
		d.add(false, v.fact("Read as", x.ARN, status, note))
		if v.ok {
			skew := x.ClockSkew.Abs()
			status = OK
			if skew > d.t.Rules.ClockSkewWarn {
				status = Warn
			}
			word := "none"
			if skew >= 2*time.Second {
				word = Span(skew) + map[bool]string{true: " ahead of us", false: " behind us"}[x.ClockSkew > 0]
			}
			d.add(false, v.fact("Clock skew", word, status, ""))
		}
	}
}

// rotator: whether the rotation function runs, and what its last run said.
func (d *deriver) rotator() {
	cfg := see[FunctionConfig](d.derivation, d.c.ID, CheckFunction, "")
	metrics := see[FunctionMetrics](d.derivation, d.c.ID, CheckFunctionMetrics, "")
	logs := see[FunctionLogs](d.derivation, d.c.ID, CheckFunctionLogs, "")
	reserved := see[FunctionConcurrency](d.derivation, d.c.ID, CheckConcurrency, "")
	policy := see[FunctionPolicy](d.derivation, d.c.ID, CheckPolicy, "")

	m := metrics.data
	window := Span(m.Window)
	failing := metrics.ok && m.LastErrors > 0
	blocked := reserved.ok && reserved.data.Reserved != nil && *reserved.data.Reserved == 0
	barred := policy.ok && !policy.data.SecretsManagerMayInvoke
	c := cfg.data

	// The function's state, its metrics and who may call it say together how it
	// stands; the figure rests on those that made it so.
	status, word, note, rests := OK, "ACTIVE", "", metrics.basis
	switch {
	case cfg.ok && c.State == "Failed":
		status, word, note = Fail, "FAILED", c.StateReason
	case blocked:
		status, word, note, rests = Fail, "BLOCKED", "reserved concurrency is 0: no run can start", reserved.basis
	case barred:
		status, word, note, rests = Fail, "NOT INVOCABLE", "its policy does not let secretsmanager.amazonaws.com invoke it", policy.basis
	case failing:
		status, word, note = Fail, "ERROR", fmt.Sprintf("%s of %s failed in %s, the last one too", whole(m.Errors), runs(m.Invocations), window)
	case metrics.ok && m.Errors > 0 && 2*m.Errors >= m.Invocations:
		status, word, note = Fail, "ERROR", fmt.Sprintf("%s of %s failed in %s, though the last one succeeded", whole(m.Errors), runs(m.Invocations), window)
	case metrics.ok && m.Invocations == 0 && d.dueFrom(c.ARN):
		status, word, note = Fail, "NOT INVOKED", "a rotation of its secrets is overdue, and it did not run in "+window
	case metrics.ok && (m.Errors > 0 || m.Throttles > 0):
		status, word, note = Warn, "UNSTEADY", fmt.Sprintf("%s of %s failed, %s throttled in %s; the last one succeeded", whole(m.Errors), runs(m.Invocations), whole(m.Throttles), window)
	case cfg.ok && c.LastUpdate == "Failed":
		status, word, note = Warn, "UPDATE FAILED", c.LastUpdateReason
	case cfg.ok && c.State == "Inactive":
		status, word, note = Warn, "INACTIVE", "Lambda has put it to sleep; the next run wakes it, and can be slow"
	case cfg.ok && c.State != "Active":
		status, word, note = Warn, strings.ToUpper(c.State), c.StateReason
	}
	d.say(status, word, note)
	d.add(true, cfg.fact("Status", word, status, note).on(rests))

	last, lastStatus, lastNote := "NONE", NA, "no run in "+window
	switch {
	case failing:
		last, lastStatus, lastNote = "FAILED", Fail, Ago(d.now, m.LastPoint)
	case !m.LastPoint.IsZero():
		last, lastStatus, lastNote = "SUCCEEDED", OK, Ago(d.now, m.LastPoint)
	}
	f := metrics.fact("Last run", last, lastStatus, lastNote)
	f.Formula = "errors in the newest minute with an invocation, within " + window
	d.add(true, f)

	text, textStatus, textNote := "none in "+Span(logs.data.Window), OK, ""
	if line, ok := telling(logs.data.Errors); ok {
		text, textStatus, textNote = gist(line.Text), Warn, Ago(d.now, line.At)
		if failing {
			textStatus = Fail
		}
	} else if logs.data.Partial {
		text, textStatus, textNote = "none found", Unknown, "there was more of the log than one read may take"
	}
	d.add(true, logs.fact("Error", text, textStatus, textNote))

	f = metrics.fact("Runs", fmt.Sprintf("%s, %s failed, %s throttled", runs(m.Invocations), whole(m.Errors), whole(m.Throttles)), statusIf(m.Throttles > 0 || m.Errors > 0, Warn), "in "+window)
	f.Formula = "sums of Invocations, Errors and Throttles; ERROR when the last run or half of all failed"
	d.add(false, f)
	if metrics.ok && cfg.ok && c.Timeout > 0 {
		s, n := NA, "timeout "+c.Timeout.String()
		if m.MaxDuration >= c.Timeout {
			s, n = statusIf(failing, Fail), "as long as its timeout of "+c.Timeout.String()+": it was cut off"
		}
		d.add(false, metrics.fact("Longest run", m.MaxDuration.Round(10*time.Millisecond).String(), s, n).on(cfg.basis))
	}
	free := "unreserved"
	if r := reserved.data.Reserved; r != nil {
		free = fmt.Sprintf("%d reserved", *r)
	}
	d.add(false, reserved.fact("Concurrency", free, statusIf(blocked, Fail), ""))
	d.add(false, policy.fact("Secrets Manager may invoke", yes(policy.data.SecretsManagerMayInvoke), statusIf(barred, Fail), ""))
	if cfg.ok {
		d.add(false, cfg.fact("Last update", strings.ToUpper(c.LastUpdate), statusIf(c.LastUpdate == "Failed", Warn), Ago(d.now, c.LastModified)))
		d.add(false, cfg.fact("Runtime", c.Runtime, NA, ""))
		d.add(false, cfg.fact("Role", c.Role, NA, ""))
		d.add(false, cfg.fact("Network", map[bool]string{true: "in a VPC", false: "not in a VPC"}[c.InVPC], NA, ""))
		d.add(false, cfg.fact("Log group", c.LogGroup, NA, ""))
	}
	for _, line := range logs.data.Errors {
		d.add(false, logs.fact("Log "+line.At.UTC().Format("15:04:05"), gist(line.Text), NA, ""))
	}
}

// dueFrom reports that a secret which the function rotates is overdue.
func (d *deriver) dueFrom(arn string) bool {
	if arn == "" {
		return false
	}
	for i := range d.t.Secrets {
		s := d.secret(d.t.Secrets[i].ID)
		if s.seen.sure() && s.seen.data.RotatorARN == arn && s.rotation.status == Fail {
			return true
		}
	}
	return false
}

// telling is the newest line that says more than that time ran out.
func telling(lines []LogLine) (LogLine, bool) {
	for _, l := range lines {
		if !strings.Contains(l.Text, "Task timed out") {
			return l, true
		}
	}
	if len(lines) > 0 {
		return lines[0], true
	}
	return LogLine{}, false
}

// gist drops what a Lambda log line carries before its message: the level in
// brackets, the time and the request id.
func gist(line string) string {
	for {
		line = strings.TrimSpace(line)
		word, rest, more := strings.Cut(line, " ")
		if tab := strings.IndexByte(word, '\t'); tab >= 0 {
			word, rest, more = line[:tab], line[tab+1:], true
		}
		_, notTime := time.Parse(time.RFC3339Nano, word)
		uuid := len(word) == 36 && strings.Count(word, "-") == 4
		level := strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]")
		if !more || notTime != nil && !uuid && !level {
			return line
		}
		line = rest
	}
}

// keys: whether encryption keys can be used and when they rotate.
func (d *deriver) keys() {
	states := seeAll[KeyState](d.derivation, d.c.ID, CheckKey)
	rotations := seeAll[KeyRotation](d.derivation, d.c.ID, CheckKeyRotation)
	if len(states) == 0 {
		return
	}
	facts := make([]Fact, len(states))
	worst, bad := 0, 0
	for i, v := range states {
		note := strings.Join(present(v.data.Spec, v.data.Origin, v.data.Manager), ", ")
		if !v.data.Deletion.IsZero() {
			note = "deleted " + Ago(d.now, v.data.Deletion)
		}
		facts[i] = v.fact("Key "+v.slot.Last.Key.Item, strings.ToUpper(v.data.State), statusIf(v.data.State != "Enabled", Fail), note)
		if facts[i].Status == Fail {
			bad++
		}
		if facts[i].Status > facts[worst].Status {
			worst = i
		}
	}
	word, note := "HEALTHY", count(len(states), "key")+" enabled"
	if bad > 0 {
		word, note = facts[worst].Value, fmt.Sprintf("%d of %s cannot be used", bad, count(len(states), "key"))
	}
	d.add(true, states[worst].fact("Encryption keys", word, statusIf(bad > 0, Fail), note))
	d.say(statusIf(bad > 0, Fail), word, note)

	lines := d.keyRotations(rotations)
	for _, f := range append(facts, lines...) {
		d.add(false, f)
	}
}

// keyRotations adds how the keys rotate, led by the worst and among equals by
// the next one, and returns a line for each.
func (d *deriver) keyRotations(all []seen[KeyRotation]) []Fact {
	if len(all) == 0 {
		return nil
	}
	lines := make([]Fact, len(all))
	lead := 0
	for i, v := range all {
		r := v.data
		word, status, note := "SCHEDULED", OK, ""
		switch {
		case v.ok && !r.Supported:
			word, status, note = "N/A", NA, "this key's type does not rotate by itself"
		case v.ok && !r.Enabled:
			word, status, note = "OFF", Warn, "automatic rotation is not enabled"
		case r.PeriodDays > 0:
			note = fmt.Sprintf("every %d days", r.PeriodDays)
		}
		if !r.LastOnDmd.IsZero() {
			note += "; on demand " + Ago(d.now, r.LastOnDmd)
		}
		lines[i] = v.fact("Rotation of "+v.slot.Last.Key.Item, word, status, note)
		if s := lines[i].Status; s > lines[lead].Status || s == lines[lead].Status && d.sooner(r, all[lead].data) {
			lead = i
		}
	}
	head := lines[lead]
	head.Name = "Rotation"
	d.add(true, head)
	if head.Status == Warn {
		d.say(Warn, "ROTATION "+head.Value, head.Note)
	}
	next := all[lead]
	when, status := "not scheduled", NA
	if at := next.data.Next; !at.IsZero() {
		when, status = Span(at.Sub(d.now)), OK
		if at.Before(d.now) {
			when, status = "OVERDUE", Warn
		}
	}
	d.add(true, next.fact("Next", when, status, ""))
	return lines
}

func (d *deriver) sooner(a, b KeyRotation) bool {
	return !a.Next.IsZero() && (b.Next.IsZero() || a.Next.Before(b.Next))
}

// present drops empty texts.
func present(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func statusIf(bad bool, s Status) Status {
	if bad {
		return s
	}
	return OK
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func whole(f float64) string { return fmt.Sprintf("%.0f", f) }

func runs(f float64) string { return count(int(f), "run") }
