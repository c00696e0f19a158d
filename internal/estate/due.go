package estate

import (
	"strings"
	"time"
)

// RotatedBy counts the stored secrets that a rotation function, named as its ARN ends,
// is to rotate within a time from now or is overdue with, by the last description of
// each that is not stale.
func (r *Readings) RotatedBy(function string, within time.Duration) int {
	d := &derivation{s: r.Snapshot, t: r.Snapshot.Topology, now: r.At}
	n := 0
	for i := range d.t.Secrets {
		v := see[SecretDescription](d, d.t.Secrets[i].Store, CheckDescribe, d.t.Secrets[i].ID)
		if v.ok && !v.stale && v.data.RotationEnabled && !v.data.NextRotation.IsZero() && v.data.NextRotation.Before(r.At.Add(within)) && strings.HasSuffix(v.data.RotationFunctionARN, ":"+function) {
			n++
		}
	}
	return n
}

// Stuck says of a stored secret, by the last description of it, that a rotation of it
// is stuck, and for how long; it is empty when none is, and when that was not read or
// is stale: what is not known calls for nothing.
func (r *Readings) Stuck(secret string) string {
	i, ok := r.Snapshot.Topology.bySecret[secret]
	if !ok {
		return ""
	}
	d := &derivation{s: r.Snapshot, t: r.Snapshot.Topology, now: r.At}
	v := see[SecretDescription](d, d.t.Secrets[i].Store, CheckDescribe, secret)
	if !v.ok || v.stale {
		return ""
	}
	if is := rotating(v.data, d.now); is.word == "FAILED" {
		return is.note
	}
	return ""
}
