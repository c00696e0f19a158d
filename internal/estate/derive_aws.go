package estate

import (
	"fmt"
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
	worst := -1
	failed, unread := 0, 0
	for i := range d.t.Secrets {
		item := &d.t.Secrets[i]
		if item.Store != d.c.ID {
			continue
		}
		state := d.secret(item.ID)
		all = append(all, one{item, state})
		switch {
		case !state.seen.ok:
			unread++
		case state.rotation.status == Fail:
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
	status, word, note := OK, "OK", ""
	switch {
	case failed > 0:
		status, word = Fail, "FAILED"
		note = fmt.Sprintf("%d of %s; worst %s: %s", failed, count(len(all), "secret"), lead.item.ID, lead.state.rotation.note)
	case unread > 0:
		status, word, note = Unknown, "?", fmt.Sprintf("%d of %s unread", unread, count(len(all), "secret"))
	default:
		status = lead.state.rotation.status
		word = map[bool]string{true: "OK", false: lead.state.rotation.word}[status == OK]
		note = lead.state.rotation.note
	}
	f := lead.state.seen.fact("Rotation status", word, status, note)
	f.Formula = "FAILED when AWSPENDING stays on a version without AWSCURRENT for 15 minutes, or NextRotationDate is past"
	d.add(true, f)
	f = lead.state.seen.fact("Last rotation", Ago(d.now, lead.state.seen.data.LastRotated), rotationAge(lead.state), "of "+lead.item.ID)
	d.add(true, f)
	if status > OK {
		d.say(status, map[bool]string{true: word, false: "UNREAD"}[word != "?"], note)
	}
	for _, o := range all {
		// Of very many secrets only those that need a look are listed.
		if len(all) > listed && o.state.status == OK {
			continue
		}
		f := o.state.seen.fact(o.item.ID, o.state.word, o.state.status, o.state.note)
		if o.state.seen.ok && f.Note == o.state.note {
			f.Note = d.secretDetail(o.state)
		}
		d.add(false, f)
		if f.Status > OK {
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

// listed is up to how many secrets the detail lists one by one.
const listed = 100

// rotationAge judges the age of the last rotation as the rotation itself is
// judged, so that one trouble is not told as two.
func rotationAge(s *secretState) Status {
	if s.rotation.status == Fail {
		return Fail
	}
	return OK
}

// graver orders secrets by how badly rotation stands, then by criticality, then
// by the age of the last rotation.
func (d *deriver) graver(a *secretState, ai *StoredSecret, b *secretState, bi *StoredSecret) bool {
	if a.rotation.status != b.rotation.status {
		return a.rotation.status > b.rotation.status
	}
	if w, v := ai.Criticality.weight(), bi.Criticality.weight(); w != v {
		return w > v
	}
	return a.seen.data.LastRotated.Before(b.seen.data.LastRotated)
}

func (d *deriver) secretDetail(s *secretState) string {
	v := s.seen.data
	var parts []string
	if s.note != "" {
		parts = append(parts, s.note)
	}
	if s.word != s.rotation.word {
		parts = append(parts, "rotation "+s.rotation.word+": "+s.rotation.note)
	}
	if !v.LastRotated.IsZero() {
		parts = append(parts, "last rotated "+Ago(d.now, v.LastRotated))
	}
	if v.RotationEnabled && !v.NextRotation.IsZero() {
		parts = append(parts, "next "+Ago(d.now, v.NextRotation))
	}
	for _, r := range v.Replicas {
		if r.Status != "InSync" {
			parts = append(parts, "replica "+r.Region+" "+r.Status)
		}
	}
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

	status, word, note := OK, "ACTIVE", ""
	m := metrics.data
	failing := metrics.ok && m.LastErrors > 0
	switch {
	case cfg.ok && (cfg.data.State == "Failed" || cfg.data.State == "Inactive"):
		status, word, note = Fail, strings.ToUpper(cfg.data.State), cfg.data.StateReason
	case reserved.ok && reserved.data.Reserved != nil && *reserved.data.Reserved == 0:
		status, word, note = Fail, "BLOCKED", "reserved concurrency is 0: no run can start"
	case policy.ok && !policy.data.SecretsManagerMayInvoke:
		status, word, note = Fail, "NOT INVOCABLE", "its policy does not let secretsmanager.amazonaws.com invoke it"
	case failing:
		status, word, note = Fail, "ERROR", fmt.Sprintf("%s of %s failed in %s", whole(m.Errors), runs(m.Invocations), Span(m.Window))
	case cfg.ok && cfg.data.LastUpdate == "Failed":
		status, word, note = Warn, "UPDATE FAILED", cfg.data.LastUpdateReason
	case cfg.ok && cfg.data.State != "Active":
		status, word, note = Warn, strings.ToUpper(cfg.data.State), cfg.data.StateReason
	}
	d.say(status, word, note)
	d.add(true, cfg.fact("Status", word, status, note))

	last, lastStatus, lastNote := "NONE", Warn, "no run in "+Span(m.Window)
	switch {
	case failing:
		last, lastStatus, lastNote = "FAILED", Fail, Ago(d.now, m.LastPoint)
	case !m.LastPoint.IsZero():
		last, lastStatus, lastNote = "SUCCEEDED", OK, Ago(d.now, m.LastPoint)
	}
	f := metrics.fact("Last run", last, lastStatus, lastNote)
	f.Formula = "errors in the newest minute with an invocation, within " + Span(m.Window)
	d.add(true, f)

	text, textStatus, textNote := "none in "+Span(logs.data.Window), OK, ""
	if line, ok := telling(logs.data.Errors); ok {
		text, textStatus, textNote = gist(line.Text), Warn, Ago(d.now, line.At)
		if failing {
			textStatus = Fail
		}
	}
	d.add(true, logs.fact("Error", text, textStatus, textNote))

	d.add(false, metrics.fact("Runs", fmt.Sprintf("%s, %s failed, %s throttled in %s", runs(m.Invocations), whole(m.Errors), whole(m.Throttles), Span(m.Window)), NA, ""))
	if metrics.ok && cfg.ok && cfg.data.Timeout > 0 {
		s, n := OK, "timeout "+cfg.data.Timeout.String()
		if m.MaxDuration >= cfg.data.Timeout {
			s, n = Fail, "as long as its timeout of "+cfg.data.Timeout.String()+": it was cut off"
		}
		d.add(false, metrics.fact("Longest run", m.MaxDuration.Round(10*time.Millisecond).String(), s, n))
	}
	free := "unreserved"
	if r := reserved.data.Reserved; r != nil {
		free = fmt.Sprintf("%d reserved", *r)
	}
	d.add(false, reserved.fact("Concurrency", free, statusIf(free == "0 reserved", Fail), ""))
	d.add(false, policy.fact("Secrets Manager may invoke", yes(policy.data.SecretsManagerMayInvoke), statusIf(!policy.data.SecretsManagerMayInvoke, Fail), ""))
	if cfg.ok {
		c := cfg.data
		d.add(false, cfg.fact("Last update", strings.ToUpper(c.LastUpdate), statusIf(c.LastUpdate == "Failed", Warn), Ago(d.now, c.LastModified)))
		d.add(false, cfg.fact("Runtime", c.Runtime, NA, ""))
		d.add(false, cfg.fact("Role", c.Role, NA, ""))
		d.add(false, cfg.fact("Network", map[bool]string{true: "in a VPC", false: "not in a VPC"}[c.InVPC], NA, ""))
	}
	for _, line := range logs.data.Errors {
		d.add(false, logs.fact("Log "+line.At.UTC().Format("15:04:05"), line.Text, NA, ""))
	}
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
	lead, bad := states[0], 0
	for _, v := range states {
		if v.ok && v.data.State != "Enabled" {
			bad++
			lead = v
		} else if !v.ok && bad == 0 {
			lead = v
		}
	}
	status, word, note := OK, "HEALTHY", count(len(states), "key")+" enabled"
	if bad > 0 {
		status, word = Fail, strings.ToUpper(lead.data.State)
		note = fmt.Sprintf("%d of %s cannot be used", bad, count(len(states), "key"))
	}
	d.say(status, word, note)
	d.add(true, lead.fact("Encryption keys", word, status, note))

	if len(rotations) > 0 {
		next := rotations[0]
		for _, v := range rotations {
			switch {
			case !v.ok:
				if next.ok && next.data.Enabled {
					continue
				}
				next = v
			case v.data.Supported && v.data.Enabled && (!next.ok || !next.data.Enabled || v.data.Next.Before(next.data.Next)):
				next = v
			}
		}
		r := next.data
		word, status, note = "SCHEDULED", OK, fmt.Sprintf("every %d days", r.PeriodDays)
		if r.PeriodDays == 0 {
			note = ""
		}
		if !r.Supported {
			word, status, note = "N/A", NA, "this key's type does not rotate by itself"
		} else if !r.Enabled {
			word, status, note = "OFF", Warn, "automatic rotation is not enabled"
		}
		d.add(true, next.fact("Rotation", word, status, note))
		when := "not scheduled"
		if !r.Next.IsZero() {
			when = Span(r.Next.Sub(d.now))
			if r.Next.Before(d.now) {
				when, status = "overdue", Warn
			}
		}
		d.add(true, next.fact("Next", when, status, ""))
	}
	for _, v := range states {
		n := v.data.Spec
		if !v.data.Deletion.IsZero() {
			n = "deleted " + Ago(d.now, v.data.Deletion)
		}
		d.add(false, v.fact("Key "+v.slot.Last.Key.Item, v.data.State, statusIf(v.data.State != "Enabled", Fail), n))
	}
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
