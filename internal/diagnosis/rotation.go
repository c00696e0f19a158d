package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// rotationStatus: do the rotations work? The failures of any window or secret speak
// against it.
func (x *senses) rotationStatus() Finding {
	e := x.gather()
	var failed, abandoned, good int
	window := x.t.Rules.RotationWindow
	for _, v := range every[estate.RotationEvents](x, estate.CheckRotationEvents) {
		if !e.look(v.seen) {
			continue
		}
		d := &v.data
		failed, abandoned, good, window = failed+d.Failed, abandoned+d.Abandoned, good+d.Succeeded, max(window, d.Window)
		f := x.fact(v.seen, "Rotations of "+cmp.Or(d.Account, v.slot.Last.Key.Item), fmt.Sprintf("%s failed, %s abandoned, %s succeeded in %s",
			thousands(d.Failed), thousands(d.Abandoned), thousands(d.Succeeded), estate.Span(d.Window)), bad(d.Failed > 0, estate.Fail))
		if d.Failed > 0 {
			e.proofs = append(e.proofs, f)
		} else {
			e.note(f)
		}
		if d.Partial {
			e.miss(f.Name + ": there were more events than one read may look at")
		}
	}
	for _, v := range every[estate.VaultStaticRoles](x, estate.CheckVaultStaticRoles) {
		if c, _ := x.t.Component(v.owner()); c.Standby || !v.sure() {
			continue // those that are stuck are among the failing
		}
		for i := range v.data.Roles {
			switch role := &v.data.Roles[i]; {
			case role.Failure != "":
			case role.Stuck(x.readAt(v.seen)):
				failed++
			case !role.LastRotation.IsZero() && x.now.Sub(role.LastRotation) <= window:
				good++
			}
		}
	}
	ended := failed + abandoned + good
	f := x.failing
	e.looks += f.looks
	e.proofs = append(e.proofs, f.proofsOf(factsKept)...)
	for _, why := range f.blind {
		if !slices.Contains(e.blind, why) {
			e.miss(why)
		}
	}
	e.gaps = append(e.gaps, f.gaps...)
	var parts []string
	if failed > 0 {
		text := fmt.Sprintf("%s of %s failed in %s", thousands(failed), count(ended, "rotation"), estate.Span(window))
		if abandoned > 0 {
			text += fmt.Sprintf(" (%s abandoned)", thousands(abandoned))
		}
		parts = append(parts, text)
	}
	if len(f.all) > 0 {
		parts = append(parts, count(len(f.all), "secret")+" failing now: "+f.worst())
	}
	switch {
	case e.looks == 0:
		return Finding{Value: "no store, account, Vault or job is configured that tells of rotations"}
	case len(parts) > 0:
		return e.finding(Against, strings.Join(parts, "; "))
	case len(e.blind) > 0:
		return e.unreadable()
	case ended > 0:
		return e.finding(For, fmt.Sprintf("0 of %s failed in %s, no secret is overdue", count(ended, "rotation"), estate.Span(window)))
	}
	e.rest()
	return e.finding(For, fmt.Sprintf("none of %s is stuck or overdue", count(f.watched, "watched secret")))
}

// worst is the first failed secret with what is the matter with it.
func (f *failing) worst() string {
	one := &f.all[0]
	text := one.called()
	if one.how != "" {
		text += ", " + cut(one.how, 70)
	}
	if n := len(f.all) - 1; n > 0 {
		text += fmt.Sprintf("; and %s more", thousands(n))
	}
	return text
}

// run is one kind of error that failed runs tell of.
type run struct {
	text  string
	times int
	where string
	fact  Fact
}

// rotationLogs: what do the failed runs say, and do they agree? For when every log
// and event that would tell was read, whatever it says.
func (x *senses) rotationLogs() Finding {
	e := x.gather()
	runs := x.errors(e)
	total := 0
	for i := range runs {
		total += runs[i].times
		e.proofs = append(e.proofs, runs[i].fact)
	}
	if e.looks == 0 {
		return Finding{Value: "no function, account or job is configured whose errors could be read"}
	}
	var said []string
	for _, r := range runs {
		said = append(said, fmt.Sprintf("%s × %s", thousands(r.times), r.text))
	}
	text := "0 errors"
	switch {
	case len(runs) == 1:
		text = count(total, "error") + ", all alike: " + runs[0].text
	case total > 0:
		text = fmt.Sprintf("%s of %s: %s", count(total, "error"), count(len(runs), "kind"), few(said, 3))
	}
	if len(e.blind) > 0 {
		return e.finding(Unread, text+"; not read: "+few(e.blind, 2))
	}
	return e.finding(For, text+"; 0 runs unread")
}

// errors gathers what rotation functions, events and jobs say went wrong, the most
// often first.
func (x *senses) errors(e *evidence) []run {
	var runs []run
	add := func(text, where string, n int, f Fact) {
		for i := range runs {
			if runs[i].text == text && runs[i].where == where {
				runs[i].times += n
				return
			}
		}
		runs = append(runs, run{text: text, times: n, where: where, fact: f})
	}
	for _, v := range every[estate.FunctionLogs](x, estate.CheckFunctionLogs) {
		// Lambda makes the log group when the function first logs.
		if v.kind() == estate.Missing {
			e.looks++
			continue
		}
		if !e.look(v.seen) {
			continue
		}
		for _, l := range v.data.Errors {
			text := gist(l.Text)
			add(text, string(v.owner()), 1, x.fact(v.seen, "Log "+l.At.UTC().Format("01-02 15:04:05"), text, estate.Fail))
		}
		if v.data.Partial {
			e.miss(x.name(v.owner()) + ": there is more of the log than one read may take")
		}
	}
	for _, v := range every[estate.RotationEvents](x, estate.CheckRotationEvents) {
		if !e.look(v.seen) {
			continue
		}
		for _, one := range v.data.Events {
			if one.What == estate.RotationFailed {
				text := gist(cmp.Or(one.Error, "no reason told"))
				add(text, "events", 1, x.fact(v.seen, "Last failed "+estate.PlainName(one.Secret), estate.Ago(x.now, one.At)+": "+text, estate.Fail))
			}
		}
	}
	for _, v := range every[estate.Job](x, estate.CheckJob) {
		if e.look(v.seen) && v.data.LastResult == "failed" {
			text := gist(cmp.Or(v.data.Reason, "it says no more"))
			add(text, string(v.owner()), max(v.data.Failures, 1), x.fact(v.seen, "Last run", "failed "+estate.Ago(x.now, v.data.Last)+": "+text, estate.Fail))
		}
	}
	runs = together(runs)
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(b.times, a.times) })
	return runs
}

// together counts an error that a function's log and the events of its rotations
// both tell of once, as often as the one that has more of it.
func together(runs []run) []run {
	var out []run
	for _, r := range runs {
		i := slices.IndexFunc(out, func(o run) bool { return o.text == r.text })
		switch {
		case i < 0:
			out = append(out, r)
		case out[i].where == "events" || r.where == "events":
			out[i].times = max(out[i].times, r.times)
		default:
			out[i].times += r.times
		}
	}
	return out
}

// gist is a log line without what its writer puts before the message: the level in
// brackets, times and the request's id; numbers that differ from run to run are
// rounded off.
func gist(line string) string {
	fields := strings.Fields(line)
	for len(fields) > 1 {
		w := fields[0]
		stamp := len(w) >= 20 && w[4] == '-' && strings.Contains(w, "T") && strings.HasSuffix(w, "Z")
		uuid := len(w) == 36 && strings.Count(w, "-") == 4
		level := strings.HasPrefix(w, "[") && strings.HasSuffix(w, "]")
		if !stamp && !uuid && !level {
			break
		}
		fields = fields[1:]
	}
	for i, w := range fields {
		if whole, part, ok := strings.Cut(w, "."); ok && digits(whole) && digits(part) {
			fields[i] = whole
		}
	}
	return cut(strings.Join(fields, " "), 80)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
