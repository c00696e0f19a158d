package database

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// facts are what a rotation must know again after a crash. They hold no value.
type facts struct {
	form     string   // of a stuck rotation that is recovered: a to e; empty for a new one
	drop     bool     // the stuck version is given up
	fill     bool     // a value is put under token
	base     string   // the version that is current before
	previous string   // the one before that
	token    string   // the version that the new password is
	claim    string   // of this run
	user     string   // the role that gets the new password
	old      string   // the role of the version that is current before
	by       string   // who sets it: bySelf+version, byAdmin, byEmergency
	until    string   // VALID UNTIL that is set with it; empty to leave it alone
	shut     bool     // the version that is current did not log in before
	wasUntil string   // VALID UNTIL before; empty for no end
	cancel   bool     // the scheduled rotation is cancelled first
	create   bool     // the other user is made
	paused   []string // replicas whose replay is paused, and that are left behind
	held     []string // what each copy held, in their order
	out      []int    // copies that could not be looked at and are left as they are
	promoted bool     // the run that is taken up may have made its version current; no fact of a plan
}

// Who sets a password.
const (
	bySelf      = "self:" // and the version by which it logs in
	byAdmin     = "admin"
	byEmergency = "emergency"
)

// Names of facts.
const (
	factForm     = "form"
	factDrop     = "drop"
	factFill     = "fill"
	factBase     = "current"
	factPrevious = "previous"
	factToken    = "token"
	factClaim    = "claim"
	factUser     = "user"
	factOld      = "old_user"
	factBy       = "by"
	factUntil    = "valid_until"
	factLocked   = "locked_out"
	factWas      = "valid_until_before"
	factCancel   = "cancel"
	factCreate   = "create"
	factPaused   = "paused"
	factCopy     = "copy." // and its number
	factOut      = "copies_left"
)

// same reports whether old and new password are those of one role.
func (f *facts) same() bool { return f.user == f.old }

func (f *facts) save() map[string]string {
	out := map[string]string{
		factForm: f.form, factBase: f.base, factPrevious: f.previous, factToken: f.token, factClaim: f.claim,
		factUser: f.user, factOld: f.old, factBy: f.by, factUntil: f.until, factWas: f.wasUntil,
		factPaused: strings.Join(f.paused, " "),
	}
	for name, on := range map[string]bool{factLocked: f.shut, factDrop: f.drop, factFill: f.fill, factCancel: f.cancel, factCreate: f.create} {
		if on {
			out[name] = "yes"
		}
	}
	out[factOut] = strings.Trim(fmt.Sprint(f.out), "[]")
	for i, held := range f.held {
		out[factCopy+strconv.Itoa(i)] = held
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

func load(m map[string]string, copies int) *facts {
	f := &facts{
		form: m[factForm], base: m[factBase], previous: m[factPrevious], token: m[factToken], claim: m[factClaim],
		user: m[factUser], old: m[factOld], by: m[factBy], until: m[factUntil], wasUntil: m[factWas],
		shut: m[factLocked] != "", drop: m[factDrop] != "", fill: m[factFill] != "", cancel: m[factCancel] != "", create: m[factCreate] != "",
		paused: strings.Fields(m[factPaused]), held: make([]string, copies),
	}
	for i := range f.held {
		f.held[i] = m[factCopy+strconv.Itoa(i)]
	}
	for word := range strings.FieldsSeq(m[factOut]) {
		if i, err := strconv.Atoi(word); err == nil {
			f.out = append(f.out, i)
		}
	}
	return f
}

// endBack is VALID UNTIL as it is put back: never one that has passed.
func (f *facts) endBack(now time.Time) string {
	if f.until == "" {
		return ""
	}
	at, err := time.Parse(time.RFC3339, f.wasUntil)
	switch {
	case err != nil:
		return "infinity"
	case at.Before(now):
		return f.until
	}
	return f.wasUntil
}
