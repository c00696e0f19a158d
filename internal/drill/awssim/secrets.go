package awssim

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// The staging labels that the service moves by itself.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// Limits of Secrets Manager.
const (
	maxValue    = 65536
	maxVersions = 100
	maxStages   = 20
	keepVersion = 24 * time.Hour // no younger version is ever removed
)

// secret is a stored secret; its fields change under Sim.mu.
type secret struct {
	Secret
	rotating bool // rotation is enabled
	running  int  // rotations under way
}

// AddSecret adds or replaces a secret. A secret with versions and no
// AWSCURRENT is taken as it is: that is how broken secrets look.
func (s *Sim) AddSecret(in Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := &secret{Secret: cloneSecret(in)}
	now := s.now()
	if sec.Created.IsZero() {
		sec.Created = now.AddDate(0, 0, -90).Truncate(time.Second)
	}
	if sec.ARN == "" {
		sec.ARN = s.secretARN(sec.Name, "")
	}
	if sec.RotationLambda != "" && !strings.HasPrefix(sec.RotationLambda, "arn:") {
		sec.RotationLambda = s.FunctionARN(sec.RotationLambda)
	}
	var newest time.Time
	for i := range sec.Versions {
		v := &sec.Versions[i]
		if v.ID == "" {
			v.ID = s.uuid("version", sec.Name, s.next())
		}
		if v.Created.IsZero() {
			v.Created = sec.Created
		}
		if v.Created.After(newest) {
			newest = v.Created
		}
	}
	if sec.LastChanged.IsZero() {
		sec.LastChanged = cmp.Or(newest, sec.Created)
	}
	sec.LastAccessed = day(sec.LastAccessed)
	sec.rotating = sec.scheduled() && !sec.RotationCancelled
	if sec.rotating && sec.NextRotation.IsZero() {
		sec.NextRotation = sec.next(cmp.Or(sec.LastRotated, sec.Created))
	}
	s.secrets[sec.Name] = sec
	clear(s.orders)
}

// Secret is a copy of a secret's present state.
func (s *Sim) Secret(id string) (Secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := s.findSecret(id)
	if sec == nil {
		return Secret{}, false
	}
	return cloneSecret(sec.Secret), true
}

func cloneSecret(in Secret) Secret {
	in.Tags = maps.Clone(in.Tags)
	in.Replicas = slices.Clone(in.Replicas)
	in.Versions = slices.Clone(in.Versions)
	for i := range in.Versions {
		v := &in.Versions[i]
		v.Stages, v.Binary = slices.Clone(v.Stages), bytes.Clone(v.Binary)
	}
	return in
}

// secretARN ends in six characters that follow from the name and a salt, which
// differs for every secret made under a name by a call.
func (s *Sim) secretARN(name, salt string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	d := s.digest("secret", name, salt)
	suffix := make([]byte, 6)
	for i := range suffix {
		suffix[i] = alphabet[int(d[i])%len(alphabet)]
	}
	return s.arn("secretsmanager", "secret:"+name+"-"+string(suffix))
}

// findSecret takes a name, an ARN, or an ARN without its suffix; the caller
// holds s.mu. A secret whose recovery window has passed is gone.
func (s *Sim) findSecret(id string) *secret {
	name := id
	if !strings.HasPrefix(id, "arn:") {
		// the usual case, and that of every secret of a list
	} else if rest, ok := strings.CutPrefix(id, s.arn("secretsmanager", "secret:")); ok {
		name = rest
		if n := len(rest) - 7; n > 0 && rest[n] == '-' {
			if sec := s.secrets[rest[:n]]; sec != nil && sec.ARN == id {
				name = rest[:n]
			}
		}
	}
	sec := s.secrets[name]
	if sec != nil && !sec.Deleted.IsZero() && !s.now().Before(sec.gone()) {
		delete(s.secrets, name)
		clear(s.orders)
		return nil
	}
	return sec
}

// gone is when a secret marked for deletion ceases to exist.
func (sec *secret) gone() time.Time { return sec.Deleted.AddDate(0, 0, cmp.Or(sec.RecoveryDays, 30)) }

// secret finds the secret that a request names; the caller holds s.mu.
func (c *call) secret(id string, evenDeleted bool) (*secret, *apiError) {
	if id == "" {
		return nil, constraint("secretId", "Member must not be null")
	}
	if len(id) > 2048 {
		return nil, constraint("secretId", "Member must have length less than or equal to 2048")
	}
	sec := c.sim.findSecret(id)
	if sec == nil {
		return nil, notFound("Secrets Manager can't find the specified secret.")
	}
	if !sec.Deleted.IsZero() && !evenDeleted {
		return nil, invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
	}
	return sec, nil
}

func (sec *secret) version(id string) *Version {
	for i := range sec.Versions {
		if sec.Versions[i].ID == id {
			return &sec.Versions[i]
		}
	}
	return nil
}

// staged is the version that carries a label.
func (sec *secret) staged(label string) *Version {
	for i := range sec.Versions {
		if slices.Contains(sec.Versions[i].Stages, label) {
			return &sec.Versions[i]
		}
	}
	return nil
}

// take removes a label from wherever it is.
func (sec *secret) take(label string) {
	for i := range sec.Versions {
		v := &sec.Versions[i]
		v.Stages = slices.DeleteFunc(v.Stages, func(x string) bool { return x == label })
	}
}

// attach moves a label to a version. Moving AWSCURRENT leaves AWSPREVIOUS on
// the version that had it.
func (sec *secret) attach(label, id string) {
	old := sec.staged(label)
	if old != nil && old.ID == id {
		return
	}
	sec.take(label)
	if label == current && old != nil {
		sec.take(previous)
		old.Stages = append(old.Stages, previous)
	}
	v := sec.version(id)
	v.Stages = append(v.Stages, label)
}

// stuck is the version of a rotation that has not been finished: AWSPENDING on
// a version that is not the current one.
func (sec *secret) stuck() *Version {
	v := sec.staged(pending)
	if v == nil || slices.Contains(v.Stages, current) {
		return nil
	}
	return v
}

// makeRoom removes the oldest versions that no label holds and that are a day
// old, so that one more fits.
func (sec *secret) makeRoom(now time.Time) *apiError {
	for len(sec.Versions) >= maxVersions {
		old := -1
		for i, v := range sec.Versions {
			if len(v.Stages) == 0 && now.Sub(v.Created) >= keepVersion && (old < 0 || v.Created.Before(sec.Versions[old].Created)) {
				old = i
			}
		}
		if old < 0 {
			return errf("LimitExceededException", "You have reached the limit of %d versions for this secret.", maxVersions)
		}
		sec.Versions = slices.Delete(sec.Versions, old, old+1)
	}
	return nil
}

func (sec *secret) stages() map[string][]string {
	out := map[string][]string{}
	for _, v := range sec.Versions {
		if len(v.Stages) > 0 {
			out[v.ID] = slices.Clone(v.Stages)
		}
	}
	return out
}

// day cuts a time to the day, as LastAccessedDate is.
func day(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(24 * time.Hour)
}
