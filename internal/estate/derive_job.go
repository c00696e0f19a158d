package estate

import (
	"fmt"
	"strings"
	"time"
)

// latePeriods is how many of its periods may pass without a success.
const latePeriods = 2

// scheduledJob: how a rotation job's last run ended, and whether it still runs.
func (d *deriver) scheduledJob() {
	v := see[Job](d.derivation, d.c.ID, CheckJob, "")
	j := v.data
	value, status, note := d.lastRun(j)
	d.add(true, v.fact("Last run", value, status, note))
	switch fail := v.failure(); {
	case v.sure() && status > OK:
		word, _, _ := strings.Cut(value, " ")
		if j.Last.IsZero() {
			word = "NEVER RAN"
		}
		d.say(status, word, note)
	case !v.ok && fail != nil && fail.Kind == Missing:
		d.say(Fail, "MISSING", fail.brief())
	}
	schedule, status, note := j.Schedule, OK, ""
	if j.Suspended {
		schedule, status, note = "SUSPENDED", Warn, j.Schedule
		if v.sure() {
			d.say(Warn, "SUSPENDED", "it does not run while it is suspended")
		}
	}
	d.add(true, v.fact("Schedule", schedule, status, note))
	d.add(true, d.nextRun(v))
	d.lastSuccess(v)
	if v.ok {
		f := v.fact("Failures in a row", fmt.Sprint(j.Failures), statusIf(j.Failures > 0, Warn), "")
		f.Formula = "failed runs since the last that succeeded, as far as its history goes"
		d.add(false, f)
	}
	if v.ok && j.Running > 0 {
		d.add(false, v.fact("Running now", fmt.Sprint(j.Running), NA, ""))
	}
	if len(d.c.Secrets) > 0 {
		d.add(false, Fact{Name: "Rotates", Value: strings.Join(d.c.Secrets, ", "), Status: NA, Source: "secrets in warroom.yaml"})
	}
	d.say(OK, "HEALTHY", "")
}

// lastRun words how the last run ended.
func (d *deriver) lastRun(j Job) (value string, status Status, note string) {
	when := Ago(d.now, j.Last)
	switch {
	case j.LastResult == "failed":
		note = j.Reason
		if note == "" {
			note = "it says no more"
		}
		return "FAILED " + when, Fail, note
	case j.LastResult == "running":
		return "RUNNING since " + strings.TrimSuffix(when, " ago"), OK, ""
	case j.LastResult == "succeeded":
		return "SUCCEEDED " + when, OK, ""
	case j.LastResult == "skipped":
		return "SKIPPED " + when, Warn, j.Reason
	case j.Last.IsZero():
		return "NEVER", Warn, "it has not run yet"
	}
	return "? " + when, Unknown, "how it ended is not known"
}

func (d *deriver) nextRun(v seen[Job]) Fact {
	j := v.data
	value, status, note := Ago(d.now, j.Next), OK, ""
	switch {
	case j.Next.IsZero() && j.Suspended:
		value, status, note = "NONE", NA, "it is suspended"
	case j.Next.IsZero():
		value, status, note = "?", Unknown, "its schedule does not tell"
	case d.now.Sub(j.Next) > d.t.Rules.ClockSkewWarn && d.now.Sub(j.Next) > time.Minute:
		value, status, note = "OVERDUE", Warn, "it was due "+Ago(d.now, j.Next)
	}
	f := v.fact("Next", value, status, note)
	f.Formula = "the next time that its schedule names"
	return f
}

func (d *deriver) lastSuccess(v seen[Job]) {
	j := v.data
	status, note := OK, ""
	switch {
	case !v.ok:
	case j.LastSuccess.IsZero():
		status, note = Warn, "it has never succeeded, as far as is known"
	case j.Period > 0 && d.now.Sub(j.LastSuccess) > latePeriods*j.Period:
		status, note = Warn, fmt.Sprintf("more than %d periods of %s", latePeriods, Span(j.Period))
		if v.sure() {
			d.say(Warn, "OVERDUE", "last success "+Ago(d.now, j.LastSuccess)+", "+note)
		}
	}
	f := v.fact("Last success", Ago(d.now, j.LastSuccess), status, note)
	f.Formula = fmt.Sprintf("end of its last run that succeeded; it warns after %d periods", latePeriods)
	d.add(false, f)
}
