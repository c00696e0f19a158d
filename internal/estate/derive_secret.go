package estate

import (
	"fmt"
	"slices"
	"time"
)

// secretState is how one stored secret stands: its rotation and its expiry.
type secretState struct {
	word     string // EXPIRED, FAILED, OVERDUE, GRACE, EXPIRING, ROTATING, ROTATED, MANUAL, DELETED or "?"
	status   Status
	note     string
	expires  time.Time // zero when it has no end or that is not known
	seen     seen[SecretDescription]
	rotation rotation
}

// rotation is what a description says of a secret's rotation.
type rotation struct {
	word    string
	status  Status
	note    string
	pending string // version that is stuck under AWSPENDING
}

// underway is how long a rotation may hold AWSPENDING before it counts as stuck:
// a rotation function runs for at most 15 minutes (Lambda's longest timeout).
const underway = 15 * time.Minute

// rotating reads a description. AWSPENDING beside AWSCURRENT on one version is
// how a finished rotation looks; alone it is a rotation under way or stuck. A
// NextRotationDate in the past means that rotation is failing.
func rotating(v SecretDescription, now time.Time) rotation {
	if !v.Deleted.IsZero() {
		return rotation{word: "DELETED", status: Fail, note: "deletion scheduled, " + Ago(now, v.Deleted)}
	}
	for _, version := range v.Versions {
		if !slices.Contains(version.Stages, StagePending) || slices.Contains(version.Stages, StageCurrent) {
			continue
		}
		if now.Sub(v.LastChanged) < underway {
			return rotation{word: "ROTATING", status: Warn, pending: version.ID, note: "AWSPENDING set " + Ago(now, v.LastChanged)}
		}
		return rotation{word: "FAILED", status: Fail, pending: version.ID,
			note: "AWSPENDING stuck on version " + short(version.ID) + stuckFor(now, v.LastChanged)}
	}
	if v.RotationEnabled && !v.NextRotation.IsZero() && v.NextRotation.Before(now) {
		return rotation{word: "OVERDUE", status: Fail, note: "was due " + Ago(now, v.NextRotation)}
	}
	if !v.RotationEnabled {
		return rotation{word: "MANUAL", status: OK, note: "no rotation is scheduled"}
	}
	if v.LastRotated.IsZero() {
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
		return s
	}
	s := d.secretState(id)
	d.secrets[id] = s
	return s
}

func (d *derivation) secretState(id string) *secretState {
	i, ok := d.t.bySecret[id]
	if !ok {
		return &secretState{word: "?", status: Unknown, note: "not declared in warroom.yaml", seen: seen[SecretDescription]{slot: &unplanned}}
	}
	item := &d.t.Secrets[i]
	v := see[SecretDescription](d, item.Store, CheckDescribe, id)
	s := &secretState{seen: v}
	if !v.ok {
		f := v.fact("", "", OK, "")
		s.word, s.status, s.note = "?", f.Status, f.Note
		return s
	}
	s.rotation = rotating(v.data, d.now)
	s.word, s.status, s.note = s.rotation.word, s.rotation.status, s.rotation.note
	expires, from, known := d.expiry(item, v.data)
	s.expires = expires
	switch {
	case s.word == "DELETED":
	case !known:
		// The end of life is configured but could not be read: what else is
		// known stays visible, and is not called good.
		if s.status < Unknown {
			s.status, s.note = Unknown, s.note+"; expiry unknown: "+from
		}
	case expires.IsZero():
	case !d.now.Before(expires.Add(item.Grace)):
		s.word, s.status, s.note = "EXPIRED", Fail, "expired "+Ago(d.now, expires)+" by "+from
	case !d.now.Before(expires):
		left := expires.Add(item.Grace).Sub(d.now)
		s.word, s.status = "IN GRACE", Worst(Warn, s.status)
		s.note = fmt.Sprintf("expired %s by %s; grace ends in %s", Ago(d.now, expires), from, Span(left))
	case expires.Sub(d.now) < d.t.Rules.ExpiryWarn && s.status <= Warn:
		s.word, s.status, s.note = "EXPIRING", Warn, "expires "+Ago(d.now, expires)+" by "+from
	}
	// What was last seen of a secret that can no longer be read is not sure.
	if !v.sure() {
		f := v.fact("", s.word, s.status, s.note)
		s.status, s.note = f.Status, f.Note
	}
	return s
}

// expiry is when a stored secret ends and from what that follows. known is
// false when it is configured to follow from something that was not read.
func (d *derivation) expiry(item *StoredSecret, v SecretDescription) (at time.Time, from string, known bool) {
	switch item.Expiry {
	case ExpiryRole:
		return d.roleExpiry(item)
	case ExpiryTag:
		text, there := v.Tags[item.ExpiryTag]
		if !there {
			return at, "the secret has no tag " + item.ExpiryTag, false
		}
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, text); err == nil {
				return at, "tag " + item.ExpiryTag, true
			}
		}
		return at, "tag " + item.ExpiryTag + " is neither RFC 3339 nor YYYY-MM-DD", false
	case ExpiryRotation:
		if v.RotateEvery <= 0 || v.LastRotated.IsZero() {
			return v.NextRotation, "rotation schedule", !v.NextRotation.IsZero()
		}
		return v.LastRotated.Add(v.RotateEvery), "overdue rotation", true
	case ExpiryCert:
		return d.certExpiry(item)
	}
	return at, "", true
}

// roleExpiry is the earliest VALID UNTIL of the secret's role on the servers
// that use it. Replicas do not count: they repeat their primary's role, as of
// their own replay.
func (d *derivation) roleExpiry(item *StoredSecret) (at time.Time, from string, known bool) {
	from = "no server that uses it was read"
	for _, c := range d.t.Components {
		if c.Kind != KindPostgres || c.Standby || !slices.Contains(c.Secrets, item.ID) {
			continue
		}
		role := see[Role](d, c.ID, CheckRole, "")
		if !role.ok {
			continue
		}
		known = true
		if end := role.data.ValidUntil; !end.IsZero() && (at.IsZero() || end.Before(at)) {
			at, from = end, "VALID UNTIL on "+c.Name
		}
	}
	return at, from, known
}

// certExpiry is the earliest notAfter served by the endpoints whose component
// uses the secret.
func (d *derivation) certExpiry(item *StoredSecret) (at time.Time, from string, known bool) {
	from = "no endpoint that uses it was read"
	for _, c := range d.t.Components {
		if !slices.Contains(c.Secrets, item.ID) {
			continue
		}
		for _, e := range seeAll[Endpoint](d, c.ID, CheckTLS) {
			for _, served := range e.data.Addresses {
				if served.Leaf == nil {
					continue
				}
				known = true
				if end := served.Leaf.NotAfter; at.IsZero() || end.Before(at) {
					at, from = end, "notAfter on "+c.Name
				}
			}
		}
	}
	return at, from, known
}

// current is the version of a stored secret that carries a staging label.
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
