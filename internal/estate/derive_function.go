package estate

import (
	"fmt"
	"strings"
	"time"
)

// rotationFunction: whether the rotation function runs, and what its last run said.
func (d *deriver) rotationFunction() {
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
	f = logs.fact("Error", text, textStatus, textNote)
	if fail := logs.failure(); fail != nil && fail.Kind == Missing {
		// Lambda makes the log group when the function first logs.
		f.Value, f.Status, f.Stale, f.Failed, f.Note = "has not logged", NA, false, false, "it has no log group"
		if metrics.ok && m.Invocations > 0 {
			f.Note += fmt.Sprintf(", though %s began in %s: see whether its role may write logs", runs(m.Invocations), window)
		}
	}
	d.add(true, f)

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
	d.permissions(failing)
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

// noRole is what IAM calls a role that does not exist; other reads of the same
// check say it of the function or of its secrets in other words.
const noRole = "NoSuchEntity"

// permissions says what the function's role may do of what rotation needs, as IAM
// simulates it. What it lacks explains a failure, or foretells one.
func (d *deriver) permissions(failing bool) {
	v := see[Permissions](d.derivation, d.c.ID, CheckPermissions, "")
	if !v.planned {
		return
	}
	type need struct {
		action  string
		lacking []Permission
	}
	var needs []*need
	byAction := map[string]*need{}
	for _, p := range v.data.Permissions {
		n := byAction[p.Action]
		if n == nil {
			n = &need{action: p.Action}
			byAction[p.Action] = n
			needs = append(needs, n)
		}
		if p.Decision != "allowed" {
			n.lacking = append(n.lacking, p)
		}
	}
	may, unsure := 0, 0
	var lacks []string
	var lines []Fact
	for _, n := range needs {
		if len(n.lacking) == 0 {
			may++
			continue
		}
		first := n.lacking[0]
		on := " on " + named(first.Resource)
		if more := len(n.lacking) - 1; more > 0 {
			on += fmt.Sprintf(" and %d more", more)
		}
		why, status := "no policy of its role allows it", statusIf(failing, Fail)
		if status != Fail {
			status = Warn
		}
		switch {
		case first.Lacks != "":
			// The policy has conditions whose keys a simulation cannot know.
			why, status = "it hangs on "+first.Lacks+", which a simulation does not know", Unknown
			unsure++
		case first.Decision == "explicitDeny":
			why = "denied"
			if first.By != "" {
				why += " by " + first.By
			}
		}
		lacks = append(lacks, n.action+on)
		lines = append(lines, v.fact("Role and "+n.action, "DENIED", status, strings.TrimPrefix(on, " ")+": "+why))
		if status == Unknown {
			lines[len(lines)-1].Value = "?"
		}
	}
	text, status, note := fmt.Sprintf("%d of %d", may, len(needs)), OK, ""
	if len(lacks) > 0 {
		note = "lacks " + fewOf(lacks, 2)
		status = Warn
		switch {
		case unsure == len(lacks):
			status, note = Unknown, "cannot tell "+fewOf(lacks, 2)
		case failing:
			status = Fail
		}
	}
	f := v.fact("Role may", text, status, note)
	if fail := v.failure(); fail != nil && fail.Kind == Missing && strings.HasPrefix(fail.Detail, noRole) {
		f.Value = "role missing"
		d.say(Fail, "ROLE MISSING", fail.brief())
	}
	if f.Status == Warn {
		d.say(Warn, "LACKS RIGHTS", "its role "+note)
	}
	f.Formula = "of the actions that rotation needs, those that IAM's simulation of the role allows on every secret that it rotates and their keys; policies of the secrets, of the keys and of the organisation may decide otherwise"
	d.add(false, f)
	for _, line := range lines {
		d.add(false, line)
	}
}

// dueFrom reports that a secret which the function rotates is overdue.
func (d *deriver) dueFrom(arn string) bool {
	if arn == "" {
		return false
	}
	for i := range d.t.Secrets {
		s := d.secret(d.t.Secrets[i].ID)
		if s.seen.sure() && s.seen.data.RotationFunctionARN == arn && s.rotation.status == Fail {
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

func runs(f float64) string { return count(int(f), "run") }
