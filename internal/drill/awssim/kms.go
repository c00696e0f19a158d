package awssim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// AddKey adds or replaces a KMS key.
func (s *Sim) AddKey(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.ID == "" {
		k.ID = s.uuid("key", k.Alias, s.next())
	}
	for _, d := range []struct {
		field *string
		value string
	}{{&k.State, "Enabled"}, {&k.Manager, "CUSTOMER"}, {&k.Spec, "SYMMETRIC_DEFAULT"}, {&k.Usage, "ENCRYPT_DECRYPT"}, {&k.Origin, "AWS_KMS"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if k.Created.IsZero() {
		k.Created = s.now().AddDate(0, 0, -400).Truncate(time.Second)
	}
	if k.Rotation && k.PeriodDays == 0 {
		k.PeriodDays = 365
	}
	k.Rotations = slices.Clone(k.Rotations)
	s.keys[k.ID] = k
}

// findKey looks a key up by id, ARN, alias or alias ARN; the caller holds s.mu.
func (s *Sim) findKey(id string) (Key, bool) {
	id = strings.TrimPrefix(id, s.arn("kms", ""))
	id = strings.TrimPrefix(id, "key/")
	if k, ok := s.keys[id]; ok {
		return k, true
	}
	if strings.HasPrefix(id, "alias/") {
		for _, k := range s.keys {
			if k.Alias == id {
				return k, true
			}
		}
	}
	return Key{}, false
}

// KeyARN is the ARN of a key, by its id or alias; empty when there is none.
func (s *Sim) KeyARN(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.findKey(id)
	if !ok {
		return ""
	}
	return s.arn("kms", "key/"+k.ID)
}

func kmsOperations() []operation {
	return []operation{
		define("kms", "DescribeKey", describeKey),
		define("kms", "GetKeyRotationStatus", getKeyRotationStatus),
		define("kms", "ListKeys", listKeys),
		define("kms", "ListAliases", listAliases),
		define("kms", "ListKeyRotations", listKeyRotations),
	}
}

type keyInput struct{ KeyId string }

// findOwnKey finds the key that a request names. Only DescribeKey takes an alias.
func (c *call) findOwnKey(id string, alias bool) (Key, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return Key{}, errf("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	isAlias := strings.HasPrefix(strings.TrimPrefix(id, s.arn("kms", "")), "alias/")
	if isAlias && !alias {
		return Key{}, errf("InvalidArnException", "Invalid keyId '%s'", clip(id, 256))
	}
	k, ok := s.findKey(id)
	if ok {
		return k, nil
	}
	full := id
	if !strings.HasPrefix(id, "arn:") {
		full = s.arn("kms", "key/"+id)
		if isAlias {
			full = s.arn("kms", id)
		}
	}
	if isAlias {
		return Key{}, errf("NotFoundException", "Alias %s is not found.", clip(full, 256))
	}
	return Key{}, errf("NotFoundException", "Key '%s' does not exist", clip(full, 256))
}

type keyMetadata struct {
	AWSAccountId, KeyId, Arn               string
	CreationDate                           time.Time
	Enabled                                bool   `aws:",keep"`
	Description                            string `aws:",keep"`
	KeyUsage, KeyState, Origin, KeyManager string
	CustomerMasterKeySpec, KeySpec         string
	EncryptionAlgorithms                   []string
	DeletionDate                           time.Time
	MultiRegion                            bool `aws:",keep"`
}

func describeKey(c *call, in *keyInput) (any, *apiError) {
	k, err := c.findOwnKey(in.KeyId, true)
	if err != nil {
		return nil, err
	}
	m := keyMetadata{
		AWSAccountId: c.sim.account, KeyId: k.ID, Arn: c.sim.arn("kms", "key/"+k.ID), CreationDate: k.Created,
		Enabled: k.State == "Enabled", Description: k.Description, KeyUsage: k.Usage, KeyState: k.State, Origin: k.Origin,
		KeyManager: k.Manager, CustomerMasterKeySpec: k.Spec, KeySpec: k.Spec,
	}
	if k.State == "PendingDeletion" {
		m.DeletionDate = k.Deletion
	}
	if k.Spec == "SYMMETRIC_DEFAULT" {
		m.EncryptionAlgorithms = []string{"SYMMETRIC_DEFAULT"}
	}
	return struct{ KeyMetadata keyMetadata }{m}, nil
}

type rotationStatus struct {
	KeyId                     string
	KeyRotationEnabled        bool `aws:",keep"`
	RotationPeriodInDays      int
	NextRotationDate          time.Time
	OnDemandRotationStartDate time.Time
}

func getKeyRotationStatus(c *call, in *keyInput) (any, *apiError) {
	k, err := c.findOwnKey(in.KeyId, false)
	if err != nil {
		return nil, err
	}
	arn := c.sim.arn("kms", "key/"+k.ID)
	if k.Spec != "SYMMETRIC_DEFAULT" || k.Origin != "AWS_KMS" {
		return nil, errf("UnsupportedOperationException", "%s is not a symmetric key with key material that AWS KMS generated.", arn)
	}
	if k.State == "PendingImport" || k.State == "Unavailable" {
		return nil, errf("KMSInvalidStateException", "%s is %s.", arn, k.State)
	}
	out := rotationStatus{KeyId: arn}
	switch {
	case k.State == "PendingDeletion":
		// AWS says false whatever was set before.
	case k.Manager == "AWS":
		out.KeyRotationEnabled, out.RotationPeriodInDays, out.NextRotationDate = true, 365, k.NextRotation
	case k.Rotation:
		out.KeyRotationEnabled, out.RotationPeriodInDays, out.NextRotationDate = true, k.PeriodDays, k.NextRotation
		if out.NextRotationDate.IsZero() {
			out.NextRotationDate = k.nextRotation(c.sim.now())
		}
		out.OnDemandRotationStartDate = k.OnDemand
	}
	return out, nil
}

// nextRotation is the end of the period under way, counted from creation.
func (k Key) nextRotation(now time.Time) time.Time {
	at := k.Created
	if n := len(k.Rotations); n > 0 {
		at = slices.MaxFunc(k.Rotations, func(a, b KeyRotation) int { return a.At.Compare(b.At) }).At
	}
	for at = at.AddDate(0, 0, k.PeriodDays); !at.After(now); {
		at = at.AddDate(0, 0, k.PeriodDays)
	}
	return at
}

type pageInput struct {
	KeyId, Marker string
	Limit         *int
}

// page cuts one page out of a list; the marker is the offset.
func page[T any](all []T, in *pageInput, def, most int) (out []T, next string, err *apiError) {
	limit := def
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > most {
		return nil, "", constraint("limit", "Member must have value between 1 and the maximum")
	}
	start, ok := readToken("marker", in.Marker)
	if !ok || start > len(all) {
		return nil, "", errf("InvalidMarkerException", "The marker is not valid")
	}
	end := min(start+limit, len(all))
	if end < len(all) {
		next = makeToken("marker", end)
	}
	return all[start:end], next, nil
}

func listKeys(c *call, in *pageInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.keys))
	s.mu.Unlock()
	ids, next, err := page(ids, in, 100, 1000)
	if err != nil {
		return nil, err
	}
	type entry struct{ KeyId, KeyArn string }
	out := struct {
		Keys       []entry `aws:",keep"`
		NextMarker string
		Truncated  bool `aws:",keep"`
	}{NextMarker: next, Truncated: next != ""}
	for _, id := range ids {
		out.Keys = append(out.Keys, entry{id, s.arn("kms", "key/"+id)})
	}
	return out, nil
}

func listAliases(c *call, in *pageInput) (any, *apiError) {
	s := c.sim
	only := ""
	if in.KeyId != "" {
		k, err := c.findOwnKey(in.KeyId, false)
		if err != nil {
			return nil, err
		}
		only = k.ID
	}
	type entry struct {
		AliasName, AliasArn, TargetKeyId string
		CreationDate, LastUpdatedDate    time.Time
	}
	var all []entry
	s.mu.Lock()
	for _, k := range s.keys {
		if k.Alias != "" && (only == "" || only == k.ID) {
			all = append(all, entry{k.Alias, s.arn("kms", k.Alias), k.ID, k.Created, k.Created})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.AliasName, b.AliasName) })
	all, next, err := page(all, in, 50, 100)
	if err != nil {
		return nil, err
	}
	return struct {
		Aliases    []entry `aws:",keep"`
		NextMarker string
		Truncated  bool `aws:",keep"`
	}{all, next, next != ""}, nil
}

func listKeyRotations(c *call, in *pageInput) (any, *apiError) {
	k, err := c.findOwnKey(in.KeyId, false)
	if err != nil {
		return nil, err
	}
	if k.Spec != "SYMMETRIC_DEFAULT" || k.Origin != "AWS_KMS" {
		return nil, errf("UnsupportedOperationException", "%s does not support rotation.", c.sim.arn("kms", "key/"+k.ID))
	}
	rs, next, err := page(k.Rotations, in, 100, 1000)
	if err != nil {
		return nil, err
	}
	type entry struct {
		KeyId, RotationType string
		RotationDate        time.Time
	}
	out := struct {
		Rotations  []entry `aws:",keep"`
		NextMarker string
		Truncated  bool `aws:",keep"`
	}{NextMarker: next, Truncated: next != ""}
	for _, r := range rs {
		out.Rotations = append(out.Rotations, entry{k.ID, r.Type, r.At})
	}
	return out, nil
}
