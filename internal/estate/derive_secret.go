package estate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// secretState is how one stored secret stands: its rotation and its expiry.
type secretState struct {
	word     string // EXPIRED, FAILED, OVERDUE, GRACE, EXPIRING, ROTATING, ROTATED, MANUAL, DELETED or "?"
	status   Status
	note     string
	seen     seen[SecretDescription]
	end      basis     // the read from which its expiry follows
	ends     time.Time // when it ends; zero when it does not, or that is not known
	lost     bool      // it has an end, which is not known
	rotation rotation
}

// rotation is what a description says of a secret's rotation.
type rotation struct {
	word   string
	status Status
	note   string
}

// underway is how long a rotation may hold AWSPENDING before it counts as stuck:
// a rotation function runs for at most 15 minutes (Lambda's longest timeout).
const underway = 15 * time.Minute

// rotating reads a description. AWSPENDING beside AWSCURRENT on one version is
// how a finished rotation looks; alone it is a rotation under way or stuck. A
// NextRotationDate in the past means that rotation is failing. A secret that has
// a rotation function and does not rotate had its rotation cancelled.
func rotating(v SecretDescription, now time.Time) rotation {
	if !v.Deleted.IsZero() {
		return rotation{word: "DELETED", status: Fail, note: "deletion scheduled, " + Ago(now, v.Deleted)}
	}
	overdue := v.RotationEnabled && !v.NextRotation.IsZero() && v.NextRotation.Before(now)
	for _, version := range v.Versions {
		if !slices.Contains(version.Stages, StagePending) || slices.Contains(version.Stages, StageCurrent) {
			continue
		}
		// LastChangedDate moves with any change, so it dates the version only
		// where the version's own date was not told.
		since := v.PendingSince
		if since.IsZero() {
			since = v.LastChanged
		}
		if now.Sub(since) < underway && !(overdue && v.PendingSince.IsZero()) {
			return rotation{word: "ROTATING", status: Warn, note: "AWSPENDING set " + Ago(now, since)}
		}
		return rotation{word: "FAILED", status: Fail, note: "AWSPENDING stuck on version " + short(version.ID) + stuckFor(now, since)}
	}
	switch {
	case overdue:
		return rotation{word: "OVERDUE", status: Fail, note: "was due " + Ago(now, v.NextRotation)}
	case !v.RotationEnabled && v.RotationFunctionARN != "":
		return rotation{word: "ROTATION OFF", status: Warn, note: "it has a rotation function, and its rotation was cancelled"}
	case !v.RotationEnabled:
		return rotation{word: "MANUAL", status: OK, note: "no rotation is scheduled"}
	case v.LastRotated.IsZero():
		return rotation{word: "NEVER ROTATED", status: Warn, note: "rotation is enabled and has not run"}
	}
	return rotation{word: "ROTATED", status: OK}
}

func stuckFor(now, since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return " for " + Span(now.Sub(since))
}

// secret works out how a stored secret stands, once a derivation.
func (d *derivation) secret(id string) *secretState {
	if s, done := d.secrets[id]; done {
		for _, b := range []basis{s.seen.basis, s.end} {
			if b.planned {
				d.looked(b.slot)
			}
		}
		return s
	}
	s := d.secretState(id)
	d.secrets[id] = s
	return s
}

// consumed works out how a stored secret stands for the deriver's component,
// whose own grace and expiry, where it has them, come before the secret's.
func (d *deriver) consumed(id string) *secretState {
	i, ok := d.t.bySecret[id]
	if !ok || d.c.Grace == 0 && d.c.Expiry == ExpiryNone {
		return d.secret(id)
	}
	item := d.t.Secrets[i]
	if d.c.Grace > 0 {
		item.Grace = d.c.Grace
	}
	if d.c.Expiry != ExpiryNone {
		item.Expiry, item.ExpiryTag = d.c.Expiry, d.c.ExpiryTag
	}
	return d.judge(&item)
}

func (d *derivation) secretState(id string) *secretState {
	i, ok := d.t.bySecret[id]
	if !ok {
		return &secretState{word: "?", status: Unknown, note: "not declared in warroom.yaml", seen: seen[SecretDescription]{basis: basis{now: d.now, slot: &unplanned}}}
	}
	return d.judge(&d.t.Secrets[i])
}

// judge works out how a stored secret stands by its policy.
func (d *derivation) judge(item *StoredSecret) *secretState {
	id := item.ID
	v := see[SecretDescription](d, item.Store, CheckDescribe, id)
	s := &secretState{seen: v}
	if !v.ok {
		f := v.fact("", "?", OK, "")
		s.word, s.status, s.note = f.Value, f.Status, f.Note
		return s
	}
	s.rotation = rotating(v.data, d.now)
	s.word, s.status, s.note = s.rotation.word, s.rotation.status, s.rotation.note
	end := d.expiry(item, v.data)
	s.end, s.ends, s.lost = end.basis, end.at, !end.known
	gone := end.at.Add(item.Grace)
	switch {
	case s.word == "DELETED":
	case !end.known:
		// The end of life is configured but could not be read: what else is
		// known stays visible, and is not called good.
		if s.status < Unknown {
			s.status = Unknown
			s.note = strings.TrimPrefix(s.note+"; expiry unknown: "+end.from, "; ")
		}
	case end.at.IsZero():
	case !d.now.Before(gone):
		s.word, s.status, s.note = "EXPIRED", Fail, "expired "+Ago(d.now, end.at)+" by "+end.from
	case !d.now.Before(end.at):
		s.word, s.status = "IN GRACE", Worst(Warn, s.status)
		s.note = fmt.Sprintf("expired %s by %s; grace ends in %s", Ago(d.now, end.at), end.from, Span(gone.Sub(d.now)))
	case end.at.Sub(d.now) < d.soon(v.data, end.at) && s.status <= Warn:
		s.word, s.status, s.note = "EXPIRING", Warn, "expires "+Ago(d.now, end.at)+" by "+end.from
	}
	// What was last seen of a secret that can no longer be read is not sure.
	if f := v.fact("", s.word, s.status, s.note).on(s.end); f.Status != s.status || f.Note != s.note {
		s.status, s.note = f.Status, f.Note
	}
	return s
}

// soon is how long before its end a credential begins to warn: the configured
// time, but no more than a quarter of its life, so that what lives for a week is
// not always about to expire.
func (d *derivation) soon(v SecretDescription, end time.Time) time.Duration {
	life := v.RotateEvery
	if life <= 0 && !v.LastRotated.IsZero() {
		life = end.Sub(v.LastRotated)
	}
	if life <= 0 {
		return d.t.Rules.ExpiryWarn
	}
	return min(d.t.Rules.ExpiryWarn, life/4)
}

// fact states how the secret stands under a name.
func (s *secretState) fact(name string) Fact {
	f := s.seen.fact(name, s.word, s.status, s.note).on(s.end)
	f.Status, f.Note = s.status, s.note
	return f
}

// ending is when a stored secret ends, from what that follows and on what read it
// rests. known is false when it is configured to follow from something that was
// not read.
type ending struct {
	at    time.Time // zero: it has no end
	from  string
	known bool
	basis basis
}

func (d *derivation) expiry(item *StoredSecret, v SecretDescription) ending {
	here := basis{slot: &unplanned}
	switch item.Expiry {
	case ExpiryRole:
		return d.roleExpiry(item)
	case ExpiryCert:
		return d.certExpiry(item)
	case ExpiryTag:
		text, there := v.Tags[item.ExpiryTag]
		if !there {
			return ending{from: "the secret has no tag " + item.ExpiryTag, basis: here}
		}
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, text); err == nil {
				return ending{at, "tag " + item.ExpiryTag, true, here}
			}
		}
		return ending{from: "tag " + item.ExpiryTag + " is neither RFC 3339 nor YYYY-MM-DD", basis: here}
	case ExpiryRotation:
		switch {
		case v.RotationEnabled && !v.NextRotation.IsZero():
			// AWS rotates within a window; only its end is a date that was missed.
			return ending{v.NextRotation, "overdue rotation", true, here}
		case v.RotateEvery > 0 && !v.LastRotated.IsZero():
			return ending{v.LastRotated.Add(v.RotateEvery), "overdue rotation", true, here}
		}
		return ending{from: "no rotation is scheduled", basis: here}
	}
	return ending{known: true, basis: here}
}

// roleExpiry is the earliest VALID UNTIL of the secret's role on the servers
// that use it. Replicas do not count: they repeat their primary's role, as of
// their own replay.
func (d *derivation) roleExpiry(item *StoredSecret) ending {
	end := ending{from: "no server that uses it was read", basis: basis{slot: &unplanned}}
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindPostgres || c.Standby || !slices.Contains(c.Secrets, item.ID) {
			continue
		}
		role := see[Role](d, c.ID, CheckRole, "")
		if !role.ok {
			continue
		}
		at := role.data.ValidUntil
		if !end.known || !at.IsZero() && (end.at.IsZero() || at.Before(end.at)) {
			end = ending{at, "VALID UNTIL on " + c.Name, true, role.basis}
		}
	}
	return end
}

// certExpiry is the earliest notAfter served by the endpoints whose component
// uses the secret.
func (d *derivation) certExpiry(item *StoredSecret) ending {
	end := ending{from: "no endpoint that uses it was read", basis: basis{slot: &unplanned}}
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if !slices.Contains(c.Secrets, item.ID) {
			continue
		}
		for _, e := range seeAll[Endpoint](d, c.ID, CheckTLS) {
			for _, served := range e.data.Addresses {
				if served.Leaf != nil && (!end.known || served.Leaf.NotAfter.Before(end.at)) {
					end = ending{served.Leaf.NotAfter, "notAfter on " + c.Name, true, e.basis}
				}
			}
		}
	}
	return end
}

// staged is the version of a stored secret that carries a staging label; empty
// when none does.
func (v SecretDescription) staged(stage Stage) string {
	for _, version := range v.Versions {
		if slices.Contains(version.Stages, stage) {
			return version.ID
		}
	}
	return ""
}

// short is a version id's beginning, as people compare them.
func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}
