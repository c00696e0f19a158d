package estate

import "time"

// Standing is how one stored secret stands, by the rules by which the readings of
// its store and of its users judge it.
type Standing struct {
	Secret *StoredSecret
	Slot   *Slot // its description; nil when no check reads it
	// Described is what was last read of it; the zero value when nothing was.
	Described SecretDescription
	Word      string // as in the reading of its store: EXPIRED, FAILED, OVERDUE, ROTATED, MANUAL …
	Status    Status
	Note      string
	// Rotation is what its description alone says of its rotation: FAILED, OVERDUE,
	// ROTATING, ROTATED, MANUAL …; empty when nothing was read.
	Rotation       string
	RotationStatus Status
	RotationNote   string
	Ends           time.Time // when the credential ends; zero when it does not, or that is not known
	Lost           bool      // it has an end by its policy, which is not known
	EndSlot        *Slot     // the read from which its end follows, where that is another; nil otherwise
}

// Standings is how every stored secret stands, in the topology's order. It is pure.
func Standings(s *Snapshot, now time.Time) []Standing {
	d := &derivation{s: s, t: s.Topology, now: now, secrets: make(map[string]*secretState, len(s.Topology.Secrets))}
	out := make([]Standing, len(s.Topology.Secrets))
	for i := range s.Topology.Secrets {
		item := &s.Topology.Secrets[i]
		state := d.judge(item)
		one := Standing{
			Secret: item, Described: state.seen.data, Word: state.word, Status: state.status, Note: state.note,
			Rotation: state.rotation.word, RotationStatus: state.rotation.status, RotationNote: state.rotation.note,
			Ends: state.ends, Lost: state.lost,
		}
		if state.seen.planned {
			one.Slot = state.seen.slot
		}
		if state.end.planned {
			one.EndSlot = state.end.slot
		}
		out[i] = one
	}
	return out
}

// Stuck reports whether Vault has failed to rotate a role in time, as it was when
// it was read, by Vault's clock.
func (r *VaultStaticRole) Stuck(read time.Time) bool { return r.stuck(read) }

// PlainName is what people call the thing of an ARN; anything but an ARN is itself.
func PlainName(arn string) string { return named(arn) }

// IsStale reports whether the last good answer of a read is past its time; false
// when there was none.
func (s *Slot) IsStale(now time.Time) bool {
	g := s.Good
	return g != nil && g.Interval > 0 && now.Sub(g.tried()) > StaleAfter*g.Interval
}

// TriedAt is when the last attempt of a read ended; zero when there was none.
func (s *Slot) TriedAt() time.Time { return s.Last.tried() }

// Usual is how many failed authentications a window usually has: the lower quartile
// of the earlier ones, as anomalies are judged by; 0 without a history.
func (x *FailedAuths) Usual() float64 {
	if len(x.Earlier) == 0 {
		return 0
	}
	return lowerQuartile(x.Earlier)
}
