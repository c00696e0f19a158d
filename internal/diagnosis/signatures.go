package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// point is where a rotation can fail.
type point string

// The failure points, as the lines of the matrix name them.
const (
	timedOut    point = "network.timeout"
	blocked     point = "network.firewall"
	unresolved  point = "network.dns"
	badRole     point = "permission.role"
	denied      point = "permission.denied"
	badPolicy   point = "permission.policy"
	database    point = "target.database"
	rateLimited point = "target.ratelimit"
	serviceDown point = "target.service"
	partial     point = "state.partial"
	rolledBack  point = "state.rollback"
)

// signatures are what errors of rotations say, in lower case, and what that means.
// The first that fits counts: what is more telling stands first. Sources: the words
// of AWS's rotation templates, of PostgreSQL and libpq, of Go's net package and of
// botocore.
var signatures = []struct {
	words string
	means point
}{
	{"no such host", unresolved}, {"could not translate host name", unresolved}, {"name resolution", unresolved}, {"name or service not known", unresolved},
	{"getaddrinfo", unresolved}, {"nxdomain", unresolved}, {"enotfound", unresolved}, {"unknownhost", unresolved},
	{"no route to host", blocked}, {"network is unreachable", blocked}, {"administratively prohibited", blocked}, {"host is down", blocked},
	{"too many requests", rateLimited}, {"throttl", rateLimited}, {"rate exceeded", rateLimited}, {"ratelimited", rateLimited}, {"rate limit", rateLimited}, {" 429", rateLimited}, {"limitexceeded", rateLimited},
	{"access to kms is not allowed", badPolicy}, {"resource-based policy", badPolicy}, {"explicit deny", badPolicy}, {"pg_hba", badPolicy}, {"is not an allowed role", badPolicy}, {"service control policy", badPolicy},
	{"unable to decrypt the environment", badRole}, {"nosuchentity", badRole}, {"cannot be assumed", badRole}, {"is not permitted to log in", badRole}, {"role does not exist", badRole},
	{"accessdenied", denied}, {"access denied", denied}, {"not authorized", denied}, {"unauthorizedoperation", denied}, {"permission denied", denied}, {"forbidden", denied},
	{"must be superuser", denied}, {"must have admin option", denied}, {"insufficient privilege", denied},
	{"connection refused", database}, {"too many clients", database}, {"too many connections", database}, {"remaining connection slots", database}, {"is starting up", database},
	{"is shutting down", database}, {"read-only transaction", database}, {"not currently accepting connections", database}, {"the database system is", database},
	{"service unavailable", serviceDown}, {"bad gateway", serviceDown}, {"internal server error", serviceDown}, {"vault is sealed", serviceDown}, {" 502", serviceDown}, {" 503", serviceDown}, {" 500", serviceDown},
	{"rollback", rolledBack}, {"roll back", rolledBack}, {"rolling back", rolledBack},
	{"a previous rotation isn't complete", partial}, {"pending secret", partial}, {"not set as awspending", partial}, {"has no stage for rotation", partial}, {"previous, current, or pending", partial},
	{"timed out", timedOut}, {"timeout", timedOut}, {"deadline exceeded", timedOut}, {"could not connect to the endpoint", timedOut},
}

// meaning is where a rotation failed, by what it says; empty when that is not known.
func meaning(text string) point {
	text = " " + strings.ToLower(text)
	for _, s := range signatures {
		if strings.Contains(text, s.words) {
			return s.means
		}
	}
	return ""
}

// findFaults gathers what failed runs say that still counts: lines of a function's
// log after which no run of it succeeded, the newest failure of secrets that fail
// now, and jobs whose last run failed.
func (x *senses) findFaults() {
	e := x.gather()
	x.faults, x.faultReads = nil, e
	add := func(text, of string, n int, f Fact) {
		x.faults = append(x.faults, fault{text, meaning(text), of, n, f})
	}
	for _, v := range every[estate.FunctionLogs](x, estate.CheckFunctionLogs) {
		if v.kind() == estate.Missing {
			e.looks++ // Lambda makes the log group when the function first logs
			continue
		}
		if !e.look(v.seen) {
			continue
		}
		m, ok := one[estate.FunctionMetrics](x, v.owner(), estate.CheckFunctionMetrics, "")
		mended := ok && m.sure() && m.data.LastErrors == 0
		n := 0
		for _, l := range v.data.Errors {
			if mended && !l.At.After(m.data.LastPoint) {
				continue
			}
			n++
			text := gist(l.Text)
			add(text, "", 1, x.fact(v.seen, "Log "+l.At.UTC().Format("01-02 15:04:05"), text, estate.Fail))
		}
		if n == 0 {
			e.note(x.fact(v.seen, "Error lines", "none since a run succeeded", estate.OK))
		}
	}
	for _, slot := range x.byCheck[estate.CheckRotationEvents] {
		if v := typed[estate.RotationEvents](x, slot); !v.absent() && e.look(v.seen) {
			e.note(x.fact(v.seen, "Failed rotations", thousands(v.data.Failed)+" in "+estate.Span(v.data.Window), bad(v.data.Failed > 0, estate.Warn)))
		}
	}
	for i := range x.failing.all {
		if f := &x.failing.all[i]; f.error != "" {
			add(gist(f.error), f.name, max(f.times, 1), f.fact)
		}
	}
	for _, v := range every[estate.Job](x, estate.CheckJob) {
		if e.look(v.seen) && v.data.LastResult != "failed" {
			e.note(x.fact(v.seen, "Last run", v.data.LastResult, estate.OK))
		}
	}
}

// fault is one thing that failed runs say.
type fault struct {
	text  string
	means point
	of    string // the secret; empty for a line of a log, which names none
	times int
	fact  Fact
}

// faulty gathers what failed runs say of one failure point, the most often first.
func (x *senses) faulty(p point) *evidence {
	r := x.faultReads
	e := &evidence{x: x, looks: r.looks, blind: slices.Clone(r.blind), gaps: slices.Clone(r.gaps), facts: slices.Clone(r.facts)}
	type said struct {
		text        string
		lines, runs int // by logs, and by events, which tell of the same
		of          []string
	}
	var all []said
	for i := range x.faults {
		f := &x.faults[i]
		if f.means != p {
			continue
		}
		at := slices.IndexFunc(all, func(s said) bool { return s.text == f.text })
		if at < 0 {
			at = len(all)
			all = append(all, said{text: f.text})
			e.proofs = append(e.proofs, f.fact)
		}
		if s := &all[at]; f.of == "" {
			s.lines += f.times
		} else {
			s.runs += f.times
			s.of = append(s.of, f.of)
		}
	}
	slices.SortStableFunc(all, func(a, b said) int { return cmp.Compare(max(b.lines, b.runs), max(a.lines, a.runs)) })
	for _, s := range all {
		text := thousands(max(s.lines, s.runs)) + " × " + s.text
		if len(s.of) > 0 {
			text += " (" + names(s.of, 1) + ")"
		}
		e.hits = append(e.hits, text)
	}
	return e
}

// seenOf is a read of any kind.
func (x *senses) seenOf(slot *estate.Slot) seen {
	return seen{slot: slot, ok: slot.Good != nil, stale: slot.IsStale(x.now)}
}
