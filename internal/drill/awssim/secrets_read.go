package awssim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

func secretsOperations() []operation {
	const sm = "secretsmanager"
	return []operation{
		define(sm, "DescribeSecret", describeSecret),
		define(sm, "GetSecretValue", getSecretValue),
		define(sm, "BatchGetSecretValue", batchGetSecretValue),
		define(sm, "ListSecrets", listSecrets),
		define(sm, "ListSecretVersionIds", listSecretVersionIds),
		define(sm, "CreateSecret", createSecret),
		define(sm, "PutSecretValue", putSecretValue),
		define(sm, "UpdateSecret", updateSecret),
		define(sm, "UpdateSecretVersionStage", updateSecretVersionStage),
		define(sm, "RotateSecret", rotateSecret),
		define(sm, "CancelRotateSecret", cancelRotateSecret),
		define(sm, "DeleteSecret", deleteSecret),
		define(sm, "RestoreSecret", restoreSecret),
		define(sm, "TagResource", tagResource),
		define(sm, "UntagResource", untagResource),
	}
}

type secretInput struct{ SecretId string }

type tag struct {
	Key   string
	Value string `aws:",keep"`
}

type rotationRules struct {
	AutomaticallyAfterDays int
	ScheduleExpression     string
	Duration               string
}

type replication struct{ Region, Status, StatusMessage string }

// description is what DescribeSecret and ListSecrets say of a secret.
type description struct {
	ARN, Name, Description, KmsKeyId, OwningService string
	RotationEnabled                                 bool
	RotationLambdaARN                               string
	RotationRules                                   *rotationRules
	LastRotatedDate, LastChangedDate                time.Time
	LastAccessedDate, DeletedDate                   time.Time
	NextRotationDate, CreatedDate                   time.Time
	Tags                                            []tag
	VersionIdsToStages                              map[string][]string
	SecretVersionsToStages                          map[string][]string
	PrimaryRegion                                   string
	ReplicationStatus                               []replication
}

func (s *Sim) describe(sec *secret) description {
	d := description{
		ARN: sec.ARN, Name: sec.Name, Description: sec.Description, KmsKeyId: sec.KMSKey, OwningService: sec.OwningService,
		RotationEnabled: sec.rotating, RotationLambdaARN: sec.RotationLambda,
		LastRotatedDate: sec.LastRotated, LastChangedDate: sec.LastChanged, LastAccessedDate: sec.LastAccessed,
		DeletedDate: sec.Deleted, CreatedDate: sec.Created,
	}
	if sec.scheduled() {
		d.RotationRules = &rotationRules{sec.RotateAfterDays, sec.Schedule, sec.Window}
	}
	if sec.rotating {
		d.NextRotationDate = sec.NextRotation
	}
	for _, k := range slices.Sorted(maps.Keys(sec.Tags)) {
		d.Tags = append(d.Tags, tag{k, sec.Tags[k]})
	}
	for _, r := range sec.Replicas {
		d.ReplicationStatus = append(d.ReplicationStatus, replication{r.Region, r.Status, r.Message})
		d.PrimaryRegion = s.region
	}
	return d
}

func describeSecret(c *call, in *secretInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	d := c.sim.describe(sec)
	if m := sec.stages(); len(m) > 0 {
		d.VersionIdsToStages = m
	}
	return d, nil
}

type secretValue struct {
	ARN, Name, VersionId string
	SecretBinary         []byte
	SecretString         string
	VersionStages        []string
	CreatedDate          time.Time
}

type valueInput struct{ SecretId, VersionId, VersionStage string }

func getSecretValue(c *call, in *valueInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	return c.value(in)
}

// value reads one version; the caller holds s.mu.
func (c *call) value(in *valueInput) (*secretValue, *apiError) {
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	var v *Version
	switch {
	case in.VersionId != "":
		v = sec.version(in.VersionId)
		if v != nil && in.VersionStage != "" && !slices.Contains(v.Stages, in.VersionStage) {
			return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
		}
	default:
		if in.VersionStage == "" {
			in.VersionStage = current
		}
		v = sec.staged(in.VersionStage)
	}
	if v == nil || v.empty() {
		if in.VersionStage == "" {
			return nil, notFound("Secrets Manager can't find the specified secret value for VersionId: %s", clip(in.VersionId, 64))
		}
		return nil, notFound("Secrets Manager can't find the specified secret value for staging label: %s", clip(in.VersionStage, 256))
	}
	if err := c.useKey(sec, "kms:Decrypt"); err != nil {
		return nil, err
	}
	sec.LastAccessed = day(c.sim.now())
	out := &secretValue{ARN: sec.ARN, Name: sec.Name, VersionId: v.ID, VersionStages: slices.Clone(v.Stages), CreatedDate: v.Created}
	if len(v.Binary) > 0 {
		out.SecretBinary = slices.Clone(v.Binary)
	} else {
		out.SecretString = v.Value
	}
	return out, nil
}

// useKey says whether the secret's key is in working order and the caller may
// use it; the caller holds s.mu. The default key needs no permission.
func (c *call) useKey(sec *secret, action string) *apiError {
	if sec.KMSKey == "" {
		return nil
	}
	k, ok := c.sim.findKey(sec.KMSKey)
	if ok && k.State == "Enabled" {
		if k.Manager != "AWS" && c.who.authorise(action, c.sim.arn("kms", "key/"+k.ID), k.Alias) != nil {
			return errf("AccessDeniedException", "Access to KMS is not allowed")
		}
		return nil
	}
	if action == "kms:Decrypt" {
		return errf("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
	}
	return errf("EncryptionFailure", "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state.")
}

type batchError struct{ SecretId, ErrorCode, Message string }

func batchGetSecretValue(c *call, in *struct {
	SecretIdList []string
	Filters      []secretFilter
	MaxResults   *int
	NextToken    string
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	out := struct {
		SecretValues []*secretValue `aws:",keep"`
		Errors       []batchError   `aws:",keep"`
		NextToken    string
	}{}
	ids := in.SecretIdList
	switch {
	case len(ids) > 0 && len(in.Filters) > 0:
		return nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case len(ids) == 0 && len(in.Filters) == 0:
		return nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided.")
	case len(ids) > 20:
		return nil, constraint("secretIdList", "Member must have length less than or equal to 20")
	case len(ids) > 0 && in.MaxResults != nil:
		return nil, invalidParameter("'MaxResults' can't be used with 'SecretIdList'.")
	case len(in.Filters) > 0:
		limit := 20
		if in.MaxResults != nil {
			limit = *in.MaxResults
		}
		if limit < 1 || limit > 20 {
			return nil, constraint("maxResults", "Member must have value less than or equal to 20")
		}
		secs, next, err := s.pageOfSecrets(listInput{Filters: in.Filters, MaxResults: &limit, NextToken: in.NextToken})
		if err != nil {
			return nil, err
		}
		out.NextToken = next
		for _, sec := range secs {
			ids = append(ids, sec.Name)
		}
	}
	for _, id := range ids {
		err := (*apiError)(nil)
		resources := []string{id}
		if sec := s.findSecret(id); sec != nil {
			resources = append(resources, sec.ARN, sec.Name)
		}
		var v *secretValue
		if err = c.who.authorise("secretsmanager:GetSecretValue", resources...); err == nil {
			v, err = c.value(&valueInput{SecretId: id})
		}
		if err != nil {
			out.Errors = append(out.Errors, batchError{id, err.code, err.msg})
			continue
		}
		out.SecretValues = append(out.SecretValues, v)
	}
	return out, nil
}

type versionEntry struct {
	VersionId        string
	VersionStages    []string
	CreatedDate      time.Time
	LastAccessedDate time.Time
}

func listSecretVersionIds(c *call, in *struct {
	SecretId, NextToken string
	MaxResults          *int
	IncludeDeprecated   bool
}) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	limit := 100
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > 100 {
		return nil, constraint("maxResults", "Member must have value between 1 and 100")
	}
	var all []versionEntry
	for _, v := range sec.Versions {
		if len(v.Stages) > 0 || in.IncludeDeprecated {
			all = append(all, versionEntry{VersionId: v.ID, VersionStages: slices.Clone(v.Stages), CreatedDate: v.Created})
		}
	}
	slices.SortStableFunc(all, func(a, b versionEntry) int {
		if n := b.CreatedDate.Compare(a.CreatedDate); n != 0 {
			return n
		}
		return strings.Compare(a.VersionId, b.VersionId)
	})
	start, ok := readToken("versions", in.NextToken)
	if !ok || start > len(all) {
		return nil, errf("InvalidNextTokenException", "The NextToken value is invalid.")
	}
	end := min(start+limit, len(all))
	out := struct {
		Versions             []versionEntry `aws:",keep"`
		NextToken, ARN, Name string
	}{Versions: all[start:end], ARN: sec.ARN, Name: sec.Name}
	if end < len(all) {
		out.NextToken = makeToken("versions", end)
	}
	return out, nil
}
