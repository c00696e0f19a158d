package awssim

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
	"time"
)

var secretName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`) })

// content is the value in a write request.
type content struct {
	text *string
	data []byte
}

func (v content) given() bool { return v.text != nil || v.data != nil }

func (v content) same(w *Version) bool {
	if v.text != nil {
		return w.Binary == nil && *v.text == w.Value
	}
	return bytes.Equal(v.data, w.Binary)
}

func (v content) check() *apiError {
	switch {
	case v.text != nil && v.data != nil:
		return invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	case v.text != nil && *v.text == "":
		return invalidParameter("You must provide either SecretString or SecretBinary.")
	case v.text != nil && len(*v.text) > maxValue:
		return constraint("secretString", "Member must have length less than or equal to 65536")
	case len(v.data) > maxValue:
		return constraint("secretBinary", "Member must have length less than or equal to 65536")
	}
	return nil
}

func checkToken(token string) *apiError {
	if n := len(token); n < 32 || n > 64 {
		return invalidParameter("ClientRequestToken must be 32-64 characters long.")
	}
	return nil
}

type writeOutput struct {
	ARN, Name, VersionId string
	VersionStages        []string
}

func createSecret(c *call, in *struct {
	Name, ClientRequestToken, Description, KmsKeyId string
	SecretString                                    *string
	SecretBinary                                    []byte
	Tags                                            []tag
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if !secretName().MatchString(in.Name) {
		return nil, errf("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	val := content{in.SecretString, in.SecretBinary}
	if err := val.check(); err != nil {
		return nil, err
	}
	if in.ClientRequestToken == "" {
		in.ClientRequestToken = s.uuid("token", s.next())
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	if old := s.findSecret(in.Name); old != nil {
		if !old.Deleted.IsZero() {
			return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
		}
		if v := old.version(in.ClientRequestToken); v != nil && val.given() && val.same(v) {
			return writeOutput{ARN: old.ARN, Name: old.Name, VersionId: v.ID}, nil
		}
		return nil, errf("ResourceExistsException", "The operation failed because the secret %s already exists.", in.Name)
	}
	now := s.now()
	sec := &secret{Secret: Secret{
		Name: in.Name, Description: in.Description, KMSKey: in.KmsKeyId, Created: now, LastChanged: now, Tags: map[string]string{},
	}}
	for _, t := range in.Tags {
		sec.Tags[t.Key] = t.Value
	}
	// A name that was used before gets another suffix.
	sec.ARN = s.secretARN(in.Name, s.next())
	out := writeOutput{ARN: sec.ARN, Name: sec.Name}
	if val.given() {
		if err := c.useKey(sec, "kms:GenerateDataKey"); err != nil {
			return nil, err
		}
		if _, err := s.put(sec, in.ClientRequestToken, val, nil, now); err != nil {
			return nil, err
		}
		out.VersionId = in.ClientRequestToken
	}
	s.secrets[in.Name] = sec
	clear(s.orders)
	return out, nil
}

// put stores a value as the version named by the token and moves the labels:
// the ones given, or AWSCURRENT. The same token with the same value changes
// nothing; with another value it is refused.
func (s *Sim) put(sec *secret, token string, val content, stages []string, now time.Time) (*Version, *apiError) {
	v := sec.version(token)
	if v != nil && !v.empty() {
		if !val.same(v) {
			return nil, errf("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, sec.ARN)
		}
		return v, nil
	}
	if v == nil {
		if err := sec.makeRoom(now); err != nil {
			return nil, err
		}
		sec.Versions = append(sec.Versions, Version{ID: token, Created: now})
		v = &sec.Versions[len(sec.Versions)-1]
	}
	if val.text != nil {
		v.Value = *val.text
	} else {
		v.Binary = bytes.Clone(val.data)
	}
	// A secret without a current value takes the first one as such.
	if len(stages) == 0 || sec.staged(current) == nil && !slices.Contains(stages, current) {
		stages = append(slices.Clone(stages), current)
	}
	for _, label := range stages {
		sec.attach(label, token)
	}
	// A new current version abandons a rotation that was waiting to be one.
	if stuck := sec.stuck(); stuck != nil && stuck.ID != token && slices.Contains(stages, current) {
		sec.take(pending)
		s.rotationEvent("RotationAbandoned", sec, "")
	}
	sec.LastChanged = now
	return sec.version(token), nil
}

func putSecretValue(c *call, in *struct {
	SecretId, ClientRequestToken string
	SecretString                 *string
	SecretBinary                 []byte
	VersionStages                []string
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	val := content{in.SecretString, in.SecretBinary}
	if !val.given() {
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	if err := val.check(); err != nil {
		return nil, err
	}
	if in.ClientRequestToken == "" {
		in.ClientRequestToken = s.uuid("token", s.next())
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	if in.VersionStages != nil && (len(in.VersionStages) < 1 || len(in.VersionStages) > maxStages) {
		return nil, constraint("versionStages", "Member must have length between 1 and 20")
	}
	for _, l := range in.VersionStages {
		if l == "" || len(l) > 256 {
			return nil, constraint("versionStages", "Member must have length between 1 and 256")
		}
	}
	if err := c.useKey(sec, "kms:GenerateDataKey"); err != nil {
		return nil, err
	}
	v, err := s.put(sec, in.ClientRequestToken, val, in.VersionStages, s.now())
	if err != nil {
		return nil, err
	}
	return writeOutput{sec.ARN, sec.Name, v.ID, slices.Clone(v.Stages)}, nil
}

func updateSecret(c *call, in *struct {
	SecretId, ClientRequestToken string
	Description, KmsKeyId        *string
	SecretString                 *string
	SecretBinary                 []byte
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	val := content{in.SecretString, in.SecretBinary}
	if err := val.check(); err != nil {
		return nil, err
	}
	out := writeOutput{ARN: sec.ARN, Name: sec.Name}
	key := sec.KMSKey
	if in.KmsKeyId != nil {
		sec.KMSKey = *in.KmsKeyId
	}
	if val.given() {
		if in.ClientRequestToken == "" {
			in.ClientRequestToken = s.uuid("token", s.next())
		}
		err := checkToken(in.ClientRequestToken)
		if err == nil {
			err = c.useKey(sec, "kms:GenerateDataKey")
		}
		if err == nil {
			_, err = s.put(sec, in.ClientRequestToken, val, nil, s.now())
		}
		if err != nil {
			sec.KMSKey = key
			return nil, err
		}
		out.VersionId = in.ClientRequestToken
	}
	if in.Description != nil {
		sec.Description = *in.Description
	}
	sec.LastChanged = s.now()
	return out, nil
}

func updateSecretVersionStage(c *call, in *struct{ SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId string }) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	label, from, to := in.VersionStage, in.RemoveFromVersionId, in.MoveToVersionId
	if label == "" || len(label) > 256 {
		return nil, constraint("versionStage", "Member must have length between 1 and 256")
	}
	if from == "" && to == "" {
		return nil, invalidParameter("You must provide RemoveFromVersionId, MoveToVersionId or both.")
	}
	for _, id := range []string{from, to} {
		if id != "" && sec.version(id) == nil {
			return nil, notFound("Secrets Manager can't find the specified secret version: %s", clip(id, 64))
		}
	}
	holder := sec.staged(label)
	out := struct{ ARN, Name string }{sec.ARN, sec.Name}
	switch {
	case from != "" && (holder == nil || holder.ID != from):
		return nil, invalidParameter("Staging label %s is not currently attached to version %s.", label, from)
	case to == "" && label == current:
		return nil, invalidParameter("You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.")
	case to == "":
		sec.take(label)
	case holder != nil && holder.ID == to:
		return out, nil
	case holder != nil && from == "":
		return nil, invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", label, holder.ID)
	case label == current && sec.version(to).empty():
		return nil, invalidRequest("You can't move staging label AWSCURRENT to version %s because it has no secret value.", to)
	case len(sec.version(to).Stages) >= maxStages:
		return nil, errf("LimitExceededException", "A version can have at most %d staging labels.", maxStages)
	default:
		sec.attach(label, to)
	}
	sec.LastChanged = s.now()
	return out, nil
}

func deleteSecret(c *call, in *struct {
	SecretId                   string
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
		if in.ForceDeleteWithoutRecovery {
			return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		}
	}
	if days < 7 || days > 30 {
		return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	sec, err := c.secret(in.SecretId, in.ForceDeleteWithoutRecovery)
	if err != nil {
		return nil, err
	}
	now := s.now()
	out := struct {
		ARN, Name    string
		DeletionDate time.Time
	}{sec.ARN, sec.Name, now}
	if in.ForceDeleteWithoutRecovery {
		delete(s.secrets, sec.Name)
		clear(s.orders)
		return out, nil
	}
	sec.Deleted, sec.RecoveryDays = now, days
	out.DeletionDate = sec.gone()
	return out, nil
}

func restoreSecret(c *call, in *secretInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	sec.Deleted, sec.RecoveryDays = time.Time{}, 0
	return struct{ ARN, Name string }{sec.ARN, sec.Name}, nil
}

func tagResource(c *call, in *struct {
	SecretId string
	Tags     []tag
}) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 {
			return nil, constraint("tags", "Member must have a key of 1 to 128 and a value of at most 256 characters")
		}
	}
	if sec.Tags == nil {
		sec.Tags = map[string]string{}
	}
	for _, t := range in.Tags {
		sec.Tags[t.Key] = t.Value
	}
	sec.LastChanged = c.sim.now()
	return nil, nil
}

func untagResource(c *call, in *struct {
	SecretId string
	TagKeys  []string
}) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(sec.Tags, k)
	}
	sec.LastChanged = c.sim.now()
	return nil, nil
}
