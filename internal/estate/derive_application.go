package estate

import (
	"fmt"
	"strings"
)

// application: whether the secret it uses is still good and is the one in the
// store, how its connection stands, by its own health endpoint or by what the
// component that it connects to says of its secret, and how it runs.
func (d *deriver) application() {
	v := see[Health](d.derivation, d.c.ID, CheckHealth, "")
	for _, id := range d.c.Secrets {
		d.add(true, d.inUse(id, v))
	}
	lost := false
	switch {
	case v.planned:
		word, status, note := connection(v.data)
		f := v.fact("Connection", word, status, note)
		d.add(true, f)
		lost = f.Status == Fail
		if status > OK && v.sure() {
			if note == "" {
				note = "its health endpoint says so"
			}
			d.say(status, word, note)
		}
	case d.c.Uses != "":
		f := d.reach()
		d.add(true, f)
		lost = f.Status == Fail
		if f.Status > OK && f.Status != Unknown {
			d.say(f.Status, f.Value, f.Note)
		}
	}
	shown := d.more(v, lost)
	d.runs(!shown)
	d.say(OK, "HEALTHY", "")
}

// connection judges what a health endpoint says: its code and the worse of its
// two words. A word that is not known says nothing.
func connection(h Health) (word string, status Status, note string) {
	word, status = h.Connection, meaning(h.Connection)
	if s := meaning(h.Word); word == "" || s > status {
		word, status = h.Word, Worst(s, status)
	}
	if status == Unknown {
		note = "not a word that warroom knows"
	}
	answer := fmt.Sprintf("its health endpoint answers %d", h.Code)
	switch {
	case h.Code >= 500:
		status, note = Fail, answer
		if meaning(word) != Fail {
			word = "FAILED"
		}
	case h.Code == 401 || h.Code == 403 || h.Code == 404:
		word, status, note = "?", Unknown, answer+": it could not be asked"
	case h.Code < 200 || h.Code >= 300:
		status, note = Worst(status, Warn), answer
	}
	if word == "" {
		word = "REACHABLE" // it answers 2xx and says nothing more
	}
	return word, status, note
}

// meaning reads the status words that health endpoints use.
func meaning(word string) Status {
	switch word {
	case "", "OK", "UP", "HEALTHY", "PASS", "PASSING", "CONNECTED", "READY", "SERVING", "RUNNING", "ONLINE", "AVAILABLE", "ACTIVE", "GOOD", "NORMAL", "GREEN", "TRUE":
		return OK
	case "DEGRADED", "WARN", "WARNING", "STALE", "SLOW", "PARTIAL", "YELLOW", "STARTING", "DRAINING", "UNSTABLE":
		return Warn
	case "FAILED", "FAIL", "FAILING", "DOWN", "ERROR", "CRITICAL", "UNHEALTHY", "DISCONNECTED", "REFUSED", "OUT_OF_SERVICE", "UNAVAILABLE", "OFFLINE", "RED", "FALSE", "NOT_SERVING", "DEAD":
		return Fail
	}
	return Unknown
}

// more adds the third figure of its box, whichever tells most: retries while
// there are any, the fallback while the connection is lost, else the last sync. It
// reports whether there was one: where there is none, how it runs takes the place.
func (d *deriver) more(v seen[Health], lost bool) (shown bool) {
	h := v.data
	fallback := d.c.Fallback
	if fallback == "" {
		fallback = "NONE"
	}
	retries, retrying, counted := d.retries(v)
	sync := OK
	note := ""
	synced := !h.LastSync.IsZero()
	switch age := d.now.Sub(h.LastSync); {
	case h.LastSync.IsZero():
	case age < -d.t.Rules.ClockSkewWarn:
		sync, note = Unknown, "its clock is ahead of ours"
	case age > d.t.Rules.SyncWarn:
		sync = Warn
	}
	if counted {
		d.add(retrying && !lost, retries)
	}
	if v.planned || lost {
		d.add(lost, Fact{Name: "Fallback", Value: fallback, Status: NA, Source: "fallback in warroom.yaml"})
	}
	switch {
	case synced:
		d.add(!retrying && !lost, v.fact("Last sync", Ago(d.now, h.LastSync), sync, note))
	default:
		d.refreshed()
	}
	return lost || retrying || synced
}

// retries are those that its health endpoint tells of, or else a metric.
func (d *deriver) retries(v seen[Health]) (f Fact, retrying, counted bool) {
	if v.ok && v.data.Retries >= 0 {
		retrying = v.data.Retries > 0
		return v.fact("Retry attempts", fmt.Sprint(v.data.Retries), statusIf(retrying, Warn), ""), retrying, true
	}
	g := see[Gauge](d.derivation, d.c.ID, CheckRetries, "")
	if !g.planned {
		return Fact{}, false, false
	}
	retrying = g.ok && g.data.Value > 0
	f = g.fact("Retry attempts", whole(g.data.Value), statusIf(retrying, Warn), "")
	f.Formula = g.data.Query
	return f, retrying, true
}

// inUse is how a secret stands for one consumer: as it stands in the store,
// unless the consumer still uses another version or last read it before it
// changed.
func (d *deriver) inUse(id string, v seen[Health]) Fact {
	state := d.consumed(id)
	f := state.fact(d.secretLabel(id))
	if !state.seen.ok {
		return f
	}
	f.Note = strings.TrimSuffix(id+": "+f.Note, ": ")
	if state.status == Fail && state.word == "EXPIRED" {
		return f
	}
	current := state.seen.data.staged(StageCurrent)
	switch {
	case v.ok && v.data.Version != "" && current != "" && v.data.Version != current:
		f = v.fact(f.Name, "STALE", Warn, fmt.Sprintf("%s: uses version %s, the store hands out %s", id, short(v.data.Version), short(current))).on(state.seen.basis)
		d.say(Warn, "STALE", f.Note)
	case v.ok && v.data.Version == "" && !v.data.LastSync.IsZero() && v.data.LastSync.Before(state.seen.data.LastRotated):
		f = v.fact(f.Name, "STALE", Warn, fmt.Sprintf("%s: last synced %s, rotated %s", id, Ago(d.now, v.data.LastSync), Ago(d.now, state.seen.data.LastRotated))).on(state.seen.basis)
		d.say(Warn, "STALE", f.Note)
	case !v.sure() || v.data.Version == "" && v.data.LastSync.IsZero():
		f = d.outdated(id, state, f)
	}
	return f
}

func (d *deriver) secretLabel(id string) string {
	item, _ := d.t.Secret(id)
	switch item.Type {
	case TypeDatabase:
		return "DB secret"
	case TypeAPIKey:
		return "API secret"
	case TypeCertificate:
		return "Certificate"
	}
	return "Secret"
}
