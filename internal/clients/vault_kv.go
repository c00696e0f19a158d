package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"warroom/internal/estate"
)

// KVValue is one version of a secret in Vault's KV engine, version 2. Its Value is
// the data as a JSON object.
type KVValue struct {
	Value
	Version int
	Custom  map[string]string // custom_metadata of the secret
}

// KVMetadata is what Vault's KV engine says of a secret besides its values.
type KVMetadata struct {
	Current, Oldest int // numbers of versions; 0 for none
	MaxVersions     int // 0: the mount's
	CASRequired     bool
	Created         time.Time
	Updated         time.Time
	Custom          map[string]string
	Versions        []KVVersion // by number, the oldest first
}

// KVVersion is one version of a secret in Vault's KV engine.
type KVVersion struct {
	Version   int
	Created   time.Time
	Deleted   time.Time // zero unless it is deleted, or will be
	Destroyed bool
}

// Readable reports whether the version has a value now.
func (v KVVersion) Readable(now time.Time) bool {
	return !v.Destroyed && (v.Deleted.IsZero() || v.Deleted.After(now))
}

// KVConflictError says that a check-and-set write was refused: somebody else wrote
// first.
type KVConflictError struct {
	Path string // MOUNT/PATH
	CAS  int    // the version that was expected to be the latest; 0 for none
	err  *estate.Failure
}

// Error says what was expected.
func (e *KVConflictError) Error() string {
	if e.CAS == 0 {
		return fmt.Sprintf("write %s: it exists already; somebody else wrote it first, and nothing was changed", e.Path)
	}
	return fmt.Sprintf("write %s: version %d is no longer its latest; somebody else wrote it first, and nothing was changed", e.Path, e.CAS)
}

// Unwrap is the failure that Vault's answer stands for.
func (e *KVConflictError) Unwrap() error { return e.err }

// kvPath is the API path of a secret, with what is special in a URL kept as it is.
func kvPath(mount, folder, path string) string {
	return strings.Trim(mount, "/") + "/" + folder + "/" + strings.Trim(path, "/")
}

// ReadKV reads a version of a secret of a KV version 2 mount, 0 for the latest. Its
// error is a *NoVersionError where the secret exists and that version is deleted,
// destroyed or was never written; else an *estate.Failure, of kind Missing where
// there is no such secret. The values are known to the Set's redact.Net when it
// returns.
func (v *Vault) ReadKV(ctx context.Context, mount, path string, version int) (KVValue, error) {
	api := kvPath(mount, "data", path)
	name := strings.Trim(mount, "/") + "/" + strings.Trim(path, "/")
	var params url.Values
	if version > 0 {
		params = url.Values{"version": {strconv.Itoa(version)}}
	}
	var out struct {
		Data     json.RawMessage
		Metadata struct {
			Version int               `json:"version"`
			Created time.Time         `json:"created_time"`
			Custom  map[string]string `json:"custom_metadata"`
		}
	}
	err := v.readWith(ctx, api, params, &out)
	if missing(err) {
		meta, merr := v.KVMetadata(ctx, mount, path)
		if merr != nil {
			return KVValue{}, err
		}
		if version == 0 {
			version = meta.Current
		}
		return KVValue{}, &NoVersionError{SecretID: name, Stage: estate.StageCurrent, Version: strconv.Itoa(version)}
	}
	if err != nil {
		return KVValue{}, err
	}
	if len(out.Data) == 0 || string(out.Data) == "null" || out.Metadata.Version == 0 {
		return KVValue{}, &estate.Failure{
			Kind: estate.BadAnswer, Doing: v.doing("read", api), Detail: "the answer is not one of a KV engine of version 2",
			Next: "check that " + v.set.Text(mount, 64) + " is a KV mount of version 2",
		}
	}
	v.set.register(string(out.Data))
	return KVValue{
		Value: Value{
			SecretID: name, VersionID: strconv.Itoa(out.Metadata.Version), Created: out.Metadata.Created,
			text: estate.NewSecret(string(out.Data)),
		},
		Version: out.Metadata.Version, Custom: out.Metadata.Custom,
	}, nil
}

// WriteKV writes the JSON object data as a new version, if the latest is the version
// cas: 0 for a secret that has none. It returns the number of the new version. Its
// error is a *KVConflictError where another version is the latest.
func (v *Vault) WriteKV(ctx context.Context, mount, path string, data estate.Secret, cas int) (int, error) {
	api := kvPath(mount, "data", path)
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(data.Reveal()), &object) != nil || object == nil {
		return 0, &estate.Failure{Kind: estate.BadSecret, Doing: v.doing("write", api), Detail: "the value is not a JSON object, which is all that a KV engine holds", Next: "store an object"}
	}
	v.set.register(data.Reveal())
	var out struct{ Version int }
	body := map[string]any{"data": json.RawMessage(data.Reveal()), "options": map[string]any{"cas": cas}}
	err := v.change(ctx, VaultNamespace, http.MethodPut, "update", api, body, &out)
	var f *estate.Failure
	if errors.As(err, &f) && strings.Contains(f.Detail, "check-and-set") {
		return 0, &KVConflictError{Path: strings.Trim(mount, "/") + "/" + strings.Trim(path, "/"), CAS: cas, err: f}
	}
	return out.Version, err
}

// DeleteKV deletes the latest version of a secret, which UndeleteKV takes back.
func (v *Vault) DeleteKV(ctx context.Context, mount, path string) error {
	return v.Delete(ctx, kvPath(mount, "data", path))
}

// UndeleteKV takes back the deletion of one version.
func (v *Vault) UndeleteKV(ctx context.Context, mount, path string, version int) error {
	return v.Write(ctx, kvPath(mount, "undelete", path), map[string]any{"versions": []int{version}}, nil)
}

// RemoveKV removes a secret with all its versions, for good.
func (v *Vault) RemoveKV(ctx context.Context, mount, path string) error {
	return v.Delete(ctx, kvPath(mount, "metadata", path))
}

// KVMetadata reads the metadata of a secret. Its error is an *estate.Failure, of kind
// Missing where there is no such secret.
func (v *Vault) KVMetadata(ctx context.Context, mount, path string) (KVMetadata, error) {
	var out struct {
		Current int               `json:"current_version"`
		Oldest  int               `json:"oldest_version"`
		Max     int               `json:"max_versions"`
		CAS     bool              `json:"cas_required"`
		Created time.Time         `json:"created_time"`
		Updated time.Time         `json:"updated_time"`
		Custom  map[string]string `json:"custom_metadata"`
		All     map[string]struct {
			Created   time.Time `json:"created_time"`
			Deleted   string    `json:"deletion_time"` // empty for none
			Destroyed bool      `json:"destroyed"`
		} `json:"versions"`
	}
	api := kvPath(mount, "metadata", path)
	if err := v.readWith(ctx, api, nil, &out); err != nil {
		return KVMetadata{}, err
	}
	meta := KVMetadata{Current: out.Current, Oldest: out.Oldest, MaxVersions: out.Max, CASRequired: out.CAS, Created: out.Created, Updated: out.Updated, Custom: out.Custom}
	for number, one := range out.All {
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		version := KVVersion{Version: n, Created: one.Created, Destroyed: one.Destroyed}
		if one.Deleted != "" {
			if version.Deleted, err = time.Parse(time.RFC3339Nano, one.Deleted); err != nil {
				version.Destroyed = true // it cannot be told, so it is not counted upon
			}
		}
		meta.Versions = append(meta.Versions, version)
	}
	slices.SortFunc(meta.Versions, func(a, b KVVersion) int { return a.Version - b.Version })
	return meta, nil
}

// WriteKVMetadata sets the custom_metadata of a secret, in place of what it was.
func (v *Vault) WriteKVMetadata(ctx context.Context, mount, path string, custom map[string]string) error {
	return v.Write(ctx, kvPath(mount, "metadata", path), map[string]any{"custom_metadata": custom}, nil)
}

// PendingSuffix ends the path of the secret that holds a value which is not yet in
// use: a KV engine has no labels.
const PendingSuffix = ".warroom-pending"

// Value reads a version of a stored secret called MOUNT/PATH as Secrets Manager would
// label it: AWSCURRENT is the latest version that has a value, AWSPREVIOUS the one
// before it, and AWSPENDING the latest of the secret beside it that waits to be used.
func (v *Vault) Value(ctx context.Context, secretID string, stage estate.Stage) (Value, error) {
	mount, path, ok := strings.Cut(secretID, "/")
	if !ok || path == "" {
		return Value{}, &estate.Failure{Kind: estate.Misconfigure, Doing: "read secret " + Strip(secretID, 120), Detail: "its id is not MOUNT/PATH", Next: "correct the id in warroom.yaml"}
	}
	if stage == estate.StagePending {
		kv, err := v.ReadKV(ctx, mount, path+PendingSuffix, 0)
		if missing(err) {
			return Value{}, &NoVersionError{SecretID: secretID, Stage: stage}
		}
		kv.SecretID, kv.Stages = secretID, []estate.Stage{stage}
		return kv.Value, err
	}
	if stage == estate.StageCurrent {
		kv, err := v.ReadKV(ctx, mount, path, 0)
		var none *NoVersionError
		if !errors.As(err, &none) {
			kv.Stages = []estate.Stage{stage}
			return kv.Value, err
		}
	}
	meta, err := v.KVMetadata(ctx, mount, path)
	if err != nil {
		return Value{}, err
	}
	current, previous := meta.Labels(time.Now())
	want := current
	if stage == estate.StagePrevious {
		want = previous
	}
	if want == 0 || stage != estate.StageCurrent && stage != estate.StagePrevious {
		return Value{}, &NoVersionError{SecretID: secretID, Stage: stage}
	}
	kv, err := v.ReadKV(ctx, mount, path, want)
	kv.Stages = []estate.Stage{stage}
	return kv.Value, err
}

// Labels are the versions that count as AWSCURRENT and AWSPREVIOUS; 0 where there is
// none.
func (m KVMetadata) Labels(now time.Time) (current, previous int) {
	for _, one := range slices.Backward(m.Versions) {
		switch {
		case !one.Readable(now):
		case current == 0:
			current = one.Version
		default:
			return current, one.Version
		}
	}
	return current, 0
}
