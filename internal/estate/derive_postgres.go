package estate

import (
	"fmt"
)

// proves reports that a login's outcome proves the password right.
func (l Login) proves() bool { return l.Outcome == LoginAccepted || l.Outcome == LoginBarred }

// logins are the login probes of one server by staging label.
type logins map[Stage]seen[Login]

// works is the label whose credential logs in, the current one first.
func (l logins) works() (Stage, bool) {
	for _, stage := range []Stage{StageCurrent, StagePending, StagePrevious} {
		if v := l[stage]; v.ok && v.data.proves() {
			return stage, true
		}
	}
	return "", false
}

// postgres: which stored password the server takes, whether its role may still
// log in, and whether connections are to be had.
func (d *deriver) postgres() {
	l := logins{}
	for _, stage := range []Stage{StageCurrent, StagePending, StagePrevious} {
		l[stage] = see[Login](d.derivation, d.c.ID, CheckLogin, string(stage))
	}
	role := see[Role](d.derivation, d.c.ID, CheckRole, "")
	conns := see[Connections](d.derivation, d.c.ID, CheckConnections, "")
	repl := see[Replication](d.derivation, d.c.ID, CheckReplication, "")

	d.user(l, role)
	d.password(l, role, repl)
	d.connections(l, conns)
	for _, stage := range []Stage{StageCurrent, StagePending, StagePrevious} {
		d.login(stage, l)
	}
	d.role(role)
	d.slots(conns)
	d.replication(repl)
	d.say(OK, "WORKING", "")
}

func (d *deriver) user(l logins, role seen[Role]) {
	name, from := "", l[StageCurrent].slot.Last.Source
	f := Fact{Name: "User", Source: from, Status: NA}
	for _, stage := range []Stage{StageCurrent, StagePrevious, StagePending} {
		if v := l[stage]; v.ok && v.data.User != "" {
			name, f = v.data.User, v.fact("User", v.data.User, NA, "")
			break
		}
	}
	if name == "" && role.ok {
		f = role.fact("User", role.data.Name, NA, "")
	} else if name == "" {
		f = l[StageCurrent].fact("User", "?", NA, "")
		f.Value = "?"
	}
	f.Status = NA // a name is not judged; its logins are
	if name == "" && !role.ok {
		f.Status = Unknown
	}
	d.add(true, f)
}

// password says which stored version the server takes. One refusal (28P01) has
// six causes; the role tells some of them apart.
func (d *deriver) password(l logins, role seen[Role], repl seen[Replication]) {
	cur := l[StageCurrent]
	word, status, note := "", OK, ""
	works, some := l.works()
	var rests []basis // what the word rests on besides the login
	switch {
	case !cur.ok:
		d.add(true, cur.fact("Password", "?", Unknown, ""))
		if fail := cur.failure(); fail != nil && fail.Kind.Status() == Fail {
			d.say(Fail, fail.Kind.word(), fail.brief())
		}
		return
	case cur.data.Outcome == LoginTrusted:
		word, status, note = "NOT CHECKED", Fail, "pg_hba.conf trusts this login: any password is let in"
	case cur.data.Outcome == LoginWeak:
		word, status, note = "WEAK METHOD", Fail, "the server does not prove passwords safely"
		if cur.data.Message != "" {
			note = cur.data.Message
		}
	case cur.data.proves():
		word, note = "CURRENT", "the current version logs in"
		switch end := role.data.ValidUntil; {
		case !role.ok || end.IsZero():
		case !d.now.Before(end):
			word, status, note, rests = "PAST ITS END", Warn, "VALID UNTIL passed "+Ago(d.now, end)+" and it still logs in: compare the clocks", []basis{role.basis}
		case end.Sub(d.now) < d.t.Rules.ExpiryWarn:
			word, status, note, rests = "EXPIRING", Warn, "VALID UNTIL ends "+Ago(d.now, end), []basis{role.basis}
		}
	case cur.data.Outcome == LoginBusy:
		word, status, note = "?", Unknown, "refused before the password was checked: "+cur.data.Message
	case cur.data.Outcome == LoginUnusable:
		word, status, note = "UNUSABLE", Fail, cur.data.Message
	case cur.data.Outcome == LoginNoSuch:
		word, status, note = "NO VERSION", Fail, "no version carries AWSCURRENT"
	case cur.data.Outcome == LoginRejected:
		word, status, note = "NOT ADMITTED", Fail, cur.data.Message
	case some && works == StagePending:
		word, status, note = "PENDING_VERSION", Fail, "the server has the pending password, the store hands out the old one"
		rests = []basis{l[works].basis}
	case some && works == StagePrevious:
		word, status, note = "OLD_VERSION", Fail, "the server takes the previous version and refuses the current one"
		rests = []basis{l[works].basis}
		if repl.sure() && repl.data.Paused {
			note += "; its replay is paused, " + amount(repl.data.LagBytes) + " behind"
		}
	default:
		word, status, note = d.refusal(role)
		rests = []basis{role.basis}
	}
	f := cur.fact("Password", word, status, note).on(rests...)
	f.Formula = "which of the versions AWSCURRENT, AWSPENDING and AWSPREVIOUS logs in, by SCRAM"
	d.add(true, f)
	if status > OK {
		d.say(status, word, note)
	}
}

// refusal tells apart, as far as the role allows, why every stored password was
// refused.
func (d *deriver) refusal(role seen[Role]) (word string, status Status, note string) {
	switch r := role.data; {
	case !role.ok || role.stale:
		return "REFUSED", Fail, "no stored version logs in; the role could not be read to say why"
	case !r.Exists:
		return "NO SUCH ROLE", Fail, "no stored version logs in: the role does not exist"
	case !r.ValidUntil.IsZero() && !d.now.Before(r.ValidUntil):
		return "EXPIRED", Fail, "VALID UNTIL passed " + Ago(d.now, r.ValidUntil)
	}
	return "REFUSED", Fail, "no stored version logs in: another password, or none, is set"
}

func (d *deriver) connections(l logins, conns seen[Connections]) {
	c := conns.data
	known := conns.ok && !conns.stale && c.Max > 0 // a use of long ago says nothing of now
	cur := l[StageCurrent]
	works, some := l.works()
	lead := cur
	word, status, note := "WORKING", OK, ""
	var rests []basis
	if known {
		note, rests = fmt.Sprintf("%d of %d in use", c.Used, c.Max), []basis{conns.basis}
	}
	if some && works != StageCurrent {
		lead, note = l[works], "with the version under "+string(works)+" only"
	}
	switch {
	case !cur.ok && !some:
		f := cur.fact("Connections", "?", Unknown, "")
		if f.Status == Fail {
			f.Value = "BLOCKED"
		}
		d.add(true, f)
		return
	case known && float64(c.Used) >= d.t.Rules.ConnectionsFail*float64(c.Max-c.Reserved):
		word, status = "EXHAUSTED", Fail
	case cur.data.Outcome == LoginBusy:
		word, status, note = "EXHAUSTED", Fail, cur.data.Message
	case !some && cur.data.Outcome != LoginTrusted && cur.data.Outcome != LoginWeak:
		word, status, note = "BLOCKED", Fail, "no stored password opens a new one"
		if known && c.OldSessions > 0 {
			note += fmt.Sprintf("; %s opened before still live", count(c.OldSessions, "session"))
		}
	case cur.data.Outcome == LoginTrusted:
		note = "to anyone: no password is asked for"
	case cur.data.Outcome == LoginWeak:
		word, status, note = "?", Unknown, "no password was sent, so no session was opened"
	case barred(l):
		word, status, note = "BARRED", Fail, "the password is right, the session is refused: "+cur.data.Message
	case known && c.Blocked > 0:
		word, status, note = "WAITING", Warn, fmt.Sprintf("%s wait for locks, the first for %s", count(c.Blocked, "session"), Span(c.OldestBlocked))
	case known && float64(c.Used) >= d.t.Rules.ConnectionsWarn*float64(c.Max-c.Reserved):
		word, status = "NEARLY FULL", Warn
	}
	if status > OK {
		d.say(status, word, note)
	}
	d.add(true, lead.fact("Connections", word, status, note).on(rests...).by("BLOCKED when no stored version of the password logs in; in use: sessions of max_connections"))
}

// barred reports that the only credentials the server takes get no session.
func barred(l logins) bool {
	seen := false
	for _, v := range l {
		if v.ok && v.data.Outcome == LoginAccepted {
			return false
		}
		seen = seen || v.ok && v.data.Outcome == LoginBarred
	}
	return seen
}

// login is the outcome of one version's login. A refused pending or previous
// version is as it should be while the current one works, and told by Password
// while it does not: it is not judged again here.
func (d *deriver) login(stage Stage, l logins) {
	v := l[stage]
	if !v.planned {
		return
	}
	x := v.data
	status := NA
	if v.ok && x.proves() {
		status = OK
	} else if stage == StageCurrent {
		status = Fail
	}
	if x.Outcome == LoginBusy {
		status = Unknown
	}
	note := ""
	if x.Version != "" {
		note = "version " + short(x.Version)
	}
	if x.SQLState != "" {
		note += " SQLSTATE " + x.SQLState
	}
	if x.Message != "" {
		note += ": " + x.Message
	}
	if x.SQLState == "28P01" {
		note += "; 28P01 also stands for an ended or missing password, and for no such role"
	}
	if v.ok && x.proves() && !x.TLS {
		note += "; without TLS"
	}
	if !x.Remembered.IsZero() {
		note += "; the version was read " + Ago(d.now, x.Remembered) + ", the store did not answer since"
	}
	if tried := v.slot.Last.Tried; tried.After(v.slot.Last.At) {
		note += "; not repeated for five minutes after a refusal, so that no lock-out is tripped"
	}
	d.add(false, v.fact("Login "+string(stage), string(x.Outcome), status, note))
}

func (d *deriver) role(v seen[Role]) {
	if !v.planned {
		return
	}
	r := v.data
	if v.ok && !r.Exists {
		d.add(false, v.fact("Role "+r.Name, "does not exist", Fail, ""))
		return
	}
	end, status := "no end", OK
	if r.Infinite {
		end = "infinity"
	}
	if !r.ValidUntil.IsZero() {
		end = r.ValidUntil.UTC().Format("2006-01-02 15:04 UTC")
		switch left := r.ValidUntil.Sub(d.now); {
		case left <= 0:
			status = Fail
		case left < d.t.Rules.ExpiryWarn:
			status = Warn
		}
	}
	note := ""
	if !r.ValidUntil.IsZero() {
		note = Ago(d.now, r.ValidUntil)
	}
	d.add(false, v.fact("Valid until", end, status, note))
	if !v.ok {
		return
	}
	d.add(false, v.fact("May log in", yes(r.CanLogin), statusIf(!r.CanLogin, Fail), ""))
	limit := "no limit"
	status = OK
	if r.ConnLimit >= 0 {
		limit = fmt.Sprintf("%d of %d", r.InUse, r.ConnLimit)
		status = statusIf(r.InUse >= r.ConnLimit, Fail)
	}
	d.add(false, v.fact("Role connections", limit, status, count(r.InUse, "session")+" now").by("sessions of this role of its CONNECTION LIMIT"))
}

func (d *deriver) slots(v seen[Connections]) {
	if !v.planned {
		return
	}
	c := v.data
	d.add(false, v.fact("Connection slots", fmt.Sprintf("%d of %d", c.Used, c.Max), OK, fmt.Sprintf("%d reserved for superusers", c.Reserved)).by("sessions in pg_stat_activity of max_connections"))
	if !v.ok {
		return
	}
	d.add(false, v.fact("Waiting for locks", fmt.Sprint(c.Blocked), statusIf(c.Blocked > 0, Warn), waited(c)).by("sessions that wait for a lock which another session holds"))
	if c.OldSessions >= 0 {
		d.add(false, v.fact("Sessions older than the last rotation", fmt.Sprint(c.OldSessions), statusIf(c.OldSessions > 0, Warn),
			"they fail when they reconnect, if the password has changed").by("sessions of this role whose backend started before LastRotatedDate of its secret; our own left out"))
	}
}

func waited(c Connections) string {
	if c.Blocked == 0 {
		return ""
	}
	return "the first for " + Span(c.OldestBlocked)
}

func (d *deriver) replication(v seen[Replication]) {
	if !v.planned {
		return
	}
	x := v.data
	if v.ok && x.InRecovery != d.c.Standby {
		is := map[bool]string{true: "a replica", false: "a primary"}
		f := v.fact("Server is", is[x.InRecovery], Fail, "configured as "+is[d.c.Standby])
		d.say(Fail, "WRONG ROLE", f.Value+", "+f.Note)
		d.add(false, f)
	}
	if !d.c.Standby {
		d.add(false, v.fact("Replicas", count(len(x.Standbys), "replica"), NA, ""))
		for _, s := range x.Standbys {
			status, note := d.lag(s.LagBytes), ""
			if s.State != "streaming" {
				status, note = Worst(status, Warn), "state "+s.State
			}
			d.add(false, v.fact("Replica ("+s.Name+")", amount(s.LagBytes)+" behind", status, note).by("pg_current_wal_lsn of the primary − replay_lsn of the replica, in bytes"))
		}
		return
	}
	word, status := "running", OK
	if x.Paused {
		word, status = "PAUSED", Fail
	}
	note := ""
	if !x.LastReplay.IsZero() {
		note = "last replayed transaction committed " + Ago(d.now, x.LastReplay)
	}
	d.add(false, v.fact("Replay", word, status, note))
	if x.Paused && v.ok {
		d.say(Fail, "REPLAY PAUSED", note)
	}
	d.add(false, v.fact("Replay lag", amount(x.LagBytes), d.lag(x.LagBytes), "received and not yet replayed").by("bytes of WAL received − replayed, on the replica itself"))
	if v.ok {
		d.add(false, v.fact("WAL receiver", map[bool]string{true: "connected", false: "NOT CONNECTED"}[x.Connected], statusIf(!x.Connected, Fail), ""))
	}
}

func (d *deriver) lag(bytes int64) Status {
	switch {
	case bytes >= d.t.Rules.ReplayLagFailBytes && bytes > 0:
		return Fail
	case bytes >= d.t.Rules.ReplayLagWarnBytes && bytes > 0:
		return Warn
	}
	return OK
}
