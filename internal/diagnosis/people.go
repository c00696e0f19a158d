package diagnosis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"warroom/internal/estate"
)

// undashed takes out what people put between the words of a name.
var undashed = strings.NewReplacer("-", "", "_", "", " ", "")

// rotating are the calls by which somebody rotates a secret, or meddles with its
// rotation, by hand.
var rotating = []string{"PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RotateSecret", "CancelRotateSecret", "RestoreSecret", "ModifyDBInstance", "ModifyDBCluster"}

// glass are words in the names of identities that are for emergencies only.
var glass = []string{"breakglass", "firecall", "emergency"}

// findChanges lists the recent changes, as far as the reads that brought them can be
// used.
func (x *senses) findChanges() {
	if !x.s.TellsChanges() {
		return
	}
	all, unread := estate.RecentChanges(x.s, x.now)
	x.unread = unread
	x.changedBy = map[string]time.Time{}
	for _, check := range [...]string{estate.CheckChanges, estate.CheckRevisions} {
		for _, slot := range x.byCheck[check] {
			if v := x.seenOf(slot); v.sure() {
				x.changedBy[slot.Good.Source] = slot.Good.At
			}
		}
	}
	for _, c := range all {
		if !x.changedBy[c.Source].IsZero() {
			x.changes = append(x.changes, c)
		}
	}
}

// look counts the accounts whose changes are read, and notes what of them is
// missing.
func (x *senses) look(e *evidence) {
	for _, v := range every[estate.Changes](x, estate.CheckChanges) {
		if !e.look(v.seen) {
			continue
		}
		account := cmp.Or(v.data.Account, v.slot.Last.Key.Item)
		if v.data.Partial {
			e.miss("account " + account + ": older changes are missing")
		}
		if v.data.Unread != "" {
			e.miss("account " + account + ": " + cut(v.data.Unread, 80))
		}
	}
}

// hands gathers the changes by hand of the secrets in question, newest first.
func (x *senses) hands(e *evidence, take func(*estate.RecentChange) bool) {
	x.look(e)
	for i := range x.changes {
		c := &x.changes[i]
		if c.ByRotation || c.Routine() || !slices.Contains(rotating, c.What) || !x.concerns(c) || !take(c) {
			continue
		}
		e.byHand(c, !isGlass(c.By))
	}
}

// byHand takes a change; one that was refused changed nothing, and is only told.
func (e *evidence) byHand(c *estate.RecentChange, tell bool) {
	switch {
	case c.Failed == "":
		e.hit(e.x.change(c), e.x.changed(c))
	case tell:
		e.vain = append(e.vain, e.x.change(c))
		e.note(e.x.changed(c))
	}
}

// tried tells of the attempts by hand that were refused, behind what was not found.
func (e *evidence) tried(none string) string {
	if len(e.vain) == 0 {
		return none
	}
	return none + "; tried in vain: " + few(e.vain, 1)
}

// concerns reports whether a change is of one of the secrets in question, or of one
// of the components that they open.
func (x *senses) concerns(c *estate.RecentChange) bool {
	return slices.ContainsFunc(c.Secrets, func(id string) bool { return x.focal[id] })
}

// change words a change: what, of what, by whom, when.
func (x *senses) change(c *estate.RecentChange) string {
	text := c.What
	if c.Target != "" {
		text += " of " + cut(estate.PlainName(c.Target), 90)
	}
	if c.By != "" {
		text += " by " + who(c.By)
	}
	text += " " + estate.Ago(x.now, c.At)
	if c.Failed != "" {
		text += ", refused (" + cut(c.Failed, 40) + ")"
	}
	return text
}

func (x *senses) changed(c *estate.RecentChange) Fact {
	f := Fact{Name: c.What, Value: x.change(c), Status: estate.NA, Source: c.Source, At: x.changedBy[c.Source]}
	if len(c.Components) > 0 {
		f.Component = c.Components[0]
	}
	if c.Detail != "" {
		f.Value += ": " + cut(c.Detail, 80)
	}
	return f
}

// who is an identity as people know it: a role with its session, or a user.
func who(arn string) string {
	for _, part := range [...]string{":assumed-role/", ":user/"} {
		if i := strings.Index(arn, part); i >= 0 {
			return cut(arn[i+len(part):], 80)
		}
	}
	return cut(estate.PlainName(arn), 60)
}

// isGlass reports whether an identity is one for emergencies.
func isGlass(by string) bool {
	plain := strings.ToLower(undashed.Replace(by))
	return strings.HasSuffix(by, ":root") || slices.ContainsFunc(glass, func(w string) bool { return strings.Contains(plain, w) })
}

const noChanges = "no account is configured whose changes are read"

// mechanismOperator: did somebody rotate it by hand, or does nothing else?
func (x *senses) mechanismOperator() Finding {
	e := x.gather()
	x.hands(e, func(c *estate.RecentChange) bool { return !isGlass(c.By) })
	if e.looks > 0 {
		x.described(e, func(s *estate.Standing, v seen) {
			if s.Rotation == "MANUAL" && x.jobOf(s.Secret.ID) == "" && len(x.failing.all) > 0 {
				e.hit(s.Secret.ID+" rotates only by hand: no schedule, no function", x.fact(v, s.Secret.ID, s.Rotation, estate.NA))
			}
		})
	}
	return e.any(e.tried(x.nobody()), noChanges)
}

// nobody says that no change by hand was seen, in which window.
func (x *senses) nobody() string {
	return "0 changes by hand of " + x.about() + " in " + estate.Span(x.window())
}

// window is how far back changes were read: the shortest of all accounts.
func (x *senses) window() time.Duration {
	w := x.t.Rules.ChangesWindow
	for _, v := range every[estate.Changes](x, estate.CheckChanges) {
		if v.sure() && v.data.Window > 0 && (w == 0 || v.data.Window < w) {
			w = v.data.Window
		}
	}
	return w
}

// mechanismEmergency: did somebody step in by hand after the rotation had failed?
func (x *senses) mechanismEmergency() Finding {
	e := x.gather()
	x.hands(e, func(c *estate.RecentChange) bool {
		return slices.ContainsFunc(x.focus, func(s *estate.Standing) bool {
			since := s.Described.PendingSince
			if d := s.Described.NextRotation; !d.IsZero() && (since.IsZero() || d.Before(since)) {
				since = d
			}
			return s.RotationStatus == estate.Fail && !since.IsZero() && c.At.After(since) && slices.Contains(c.Secrets, s.Secret.ID)
		})
	})
	return e.any(e.tried("nobody changed "+x.about()+" by hand since its rotation failed"), noChanges)
}

// mechanismBreakglass: was an account for emergencies used?
func (x *senses) mechanismBreakglass() Finding {
	e := x.gather()
	x.look(e)
	for i := range x.changes {
		if c := &x.changes[i]; isGlass(c.By) {
			e.byHand(c, true)
		}
	}
	return e.any(e.tried("no break-glass account changed anything in "+estate.Span(x.window())), noChanges)
}

// mechanismApplication: does an application change its own secret?
func (x *senses) mechanismApplication() Finding {
	e := x.gather()
	x.hands(e, func(c *estate.RecentChange) bool {
		by := strings.ToLower(c.By)
		return slices.ContainsFunc(x.t.Components, func(one estate.Component) bool {
			return one.Kind == estate.KindApplication && strings.Contains(by, strings.ToLower(string(one.ID)))
		})
	})
	return e.any("no application changed its own secret in "+estate.Span(x.window()), noChanges)
}
