package estate

import (
	"fmt"
	"strings"
)

// application: whether the secret it uses is still good and is the one in the
// store, and how its connection stands by its own health endpoint.
func (d *deriver) application() {
	v := see[Health](d.derivation, d.c.ID, CheckHealth, "")
	h := v.data
	for _, id := range d.c.Secrets {
		d.add(true, d.consumed(id, v))
	}
	if v.planned {
		word, status, note := h.Connection, OK, ""
		if word == "" {
			word = h.Word
		}
		switch {
		case h.Code >= 500 && v.ok:
			status, note = Fail, fmt.Sprintf("its health endpoint answers %d", h.Code)
			if word == "" {
				word = "FAILED"
			}
		case bad(word):
			status = Fail
		case worn(word) || worn(h.Word):
			status = Warn
		case v.ok && (h.Code < 200 || h.Code >= 300):
			status, note = Warn, fmt.Sprintf("its health endpoint answers %d", h.Code)
		}
		if word == "" {
			word = "REACHABLE"
		}
		f := v.fact("Connection", word, status, note)
		d.add(true, f)
		if status > OK && v.sure() {
			if note == "" {
				note = "its health endpoint says so"
			}
			d.say(status, word, note)
		}
		d.more(v, f.Status)
	}
	if d.c.Workload != "" {
		d.add(false, Fact{Name: "Workload", Value: "?", Status: Unknown, Source: d.c.Workload, Note: "no check reads workloads yet"})
	}
	d.say(OK, "HEALTHY", "")
}

// more adds the third figure of its box, whichever tells most: retries while
// there are any, the fallback while the connection is lost, else the last sync.
func (d *deriver) more(v seen[Health], connection Status) {
	h := v.data
	fallback := d.c.Fallback
	if fallback == "" {
		fallback = "NONE"
	}
	retrying, lost := h.Retries > 0, connection == Fail
	sync := OK
	if !h.LastSync.IsZero() && d.now.Sub(h.LastSync) > d.t.Rules.SyncWarn {
		sync = Warn
	}
	if h.Retries >= 0 && v.ok {
		d.add(retrying && !lost, v.fact("Retry attempts", fmt.Sprint(h.Retries), statusIf(retrying, Warn), ""))
	}
	d.add(lost, Fact{Name: "Fallback", Value: fallback, Status: NA, Source: "warroom.yaml", At: d.now})
	if !h.LastSync.IsZero() {
		d.add(!retrying && !lost, v.fact("Last sync", Ago(d.now, h.LastSync), sync, ""))
	}
}

// consumed is how a secret stands for one consumer: as it stands in the store,
// unless the consumer still uses another version or last read it before it
// changed.
func (d *deriver) consumed(id string, v seen[Health]) Fact {
	state := d.secret(id)
	f := state.seen.fact(d.secretLabel(id), state.word, state.status, state.note)
	if !state.seen.ok {
		f.Note = state.note
		return f
	}
	f.Note = strings.TrimSuffix(id+": "+f.Note, ": ")
	if state.status == Fail && state.word == "EXPIRED" {
		return f
	}
	current := state.seen.data.staged(StageCurrent)
	switch {
	case v.ok && v.data.Version != "" && current != "" && v.data.Version != current:
		f = v.fact(f.Name, "STALE", Warn, fmt.Sprintf("%s: uses version %s, the store hands out %s", id, short(v.data.Version), short(current)))
		d.say(Warn, "STALE", f.Note)
	case v.ok && v.data.Version == "" && !v.data.LastSync.IsZero() && v.data.LastSync.Before(state.seen.data.LastRotated):
		f = v.fact(f.Name, "STALE", Warn, fmt.Sprintf("%s: last synced %s, rotated %s", id, Ago(d.now, v.data.LastSync), Ago(d.now, state.seen.data.LastRotated)))
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

// bad and worn read the status words that health endpoints use.
func bad(word string) bool {
	switch word {
	case "FAILED", "FAIL", "DOWN", "ERROR", "CRITICAL", "UNHEALTHY", "DISCONNECTED":
		return true
	}
	return false
}

func worn(word string) bool {
	switch word {
	case "DEGRADED", "WARN", "WARNING", "STALE", "SLOW", "PARTIAL":
		return true
	}
	return false
}
