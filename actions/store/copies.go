package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Fields are the keys of a stored JSON object that a rotation gives new values.
type Fields map[string]estate.Secret

// Copy is another place that keeps a stored secret. Its methods are safe for
// concurrent use; those that change something are idempotent.
type Copy interface {
	// Name is the copy for people, unique among those of a secret.
	Name() string
	System() string
	// Follows reports whether it takes its value from the primary store by itself, so
	// that it can be told to only once the value is current there.
	Follows() bool
	Calls() []string
	// Look identifies what it holds now, so that it can be put back.
	Look(ctx context.Context) (string, error)
	// Same reports whether it holds these values.
	Same(ctx context.Context, f Fields) (bool, error)
	// Put gives it new values. token is the version in the primary store.
	Put(ctx context.Context, token string, f Fields) error
	// Back puts back what it held under was; f are the values of the version before in
	// the primary store, for a copy that keeps no versions.
	Back(ctx context.Context, was string, f Fields) error
}

// Copies are the configured copies of a stored secret.
func Copies(systems actions.Systems, s *config.StoredSecret) []Copy {
	if s.Rotation == nil {
		return nil
	}
	var all []Copy
	for _, c := range s.Rotation.Copies {
		switch {
		case c.Account != "":
			name := c.Secret
			if name == "" {
				name = s.ID
			}
			all = append(all, &awsCopy{awsPlace{systems: systems, account: c.Account, id: name, name: name + " in account " + c.Account}})
		case c.Cluster != "":
			mount, path, _ := strings.Cut(strings.Trim(c.Path, "/"), "/")
			all = append(all, &kvCopy{kvPlace{systems: systems, cluster: c.Cluster, mount: mount, path: path, name: c.Path + " in Vault " + c.Cluster}})
		case c.Kubernetes != "":
			namespace, name, _ := strings.Cut(c.Object, "/")
			k := kubernetesCopy{systems: systems, cluster: c.Kubernetes, namespace: namespace, object: name, keys: c.Keys}
			if c.External {
				all = append(all, &externalCopy{kubernetesCopy: k})
			} else {
				all = append(all, &k)
			}
		}
	}
	return all
}

// Caution is what people should know before a copy is told to follow the store; empty for
// nothing. Its Look comes first.
func Caution(c Copy) string {
	if one, ok := c.(interface{ Caution() string }); ok {
		return one.Caution()
	}
	return ""
}

// same reports whether a value has the given fields.
func same(v clients.Value, f Fields) bool {
	for key, want := range f {
		have, err := v.Field(key)
		if err != nil || have.Reveal() != want.Reveal() {
			return false
		}
	}
	return true
}

// FieldsOf takes fields out of a stored value.
func FieldsOf(v clients.Value, keys ...string) (Fields, error) {
	f := Fields{}
	for _, key := range keys {
		value, err := v.Field(key)
		if err != nil {
			return nil, err
		}
		f[key] = value
	}
	return f, nil
}

// awsCopy is a copy in Secrets Manager of another account or region.
type awsCopy struct{ awsPlace }

func (c *awsCopy) Name() string  { return c.name }
func (c *awsCopy) Follows() bool { return false }
func (c *awsCopy) Calls() []string {
	return []string{"secretsmanager:PutSecretValue " + c.id + " (account " + c.account + ")"}
}

func (c *awsCopy) Look(ctx context.Context) (string, error) {
	s, err := c.awsPlace.Look(ctx)
	if err == nil {
		err = Replicated(c.name, s)
	}
	return s.Current, err
}

func (c *awsCopy) read(ctx context.Context) (State, clients.Value, error) {
	s, err := c.awsPlace.Look(ctx)
	if err != nil {
		return s, clients.Value{}, err
	}
	v, err := c.Read(ctx, s.Current)
	return s, v, err
}

func (c *awsCopy) Same(ctx context.Context, f Fields) (bool, error) {
	_, v, err := c.read(ctx)
	return err == nil && same(v, f), err
}

// Put stores a new current version, whose id follows from the primary's.
func (c *awsCopy) Put(ctx context.Context, version string, f Fields) error {
	s, v, err := c.read(ctx)
	if err != nil || same(v, f) {
		return err
	}
	value, err := v.With(f)
	if err != nil {
		return err
	}
	Know(c.systems, value)
	account, services, err := c.services(ctx, true)
	if err != nil {
		return err
	}
	id := token(s.Exact, s.Current+" "+version, 0)
	for n := 1; s.Stages[id] != nil; n++ {
		id = token(s.Exact, s.Current+" "+version, n)
	}
	_, err = services.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(c.id), ClientRequestToken: aws.String(id), SecretString: aws.String(value.Reveal()), VersionStages: []string{current},
	})
	if err != nil {
		return failure(ctx, account, err, "update the copy "+c.name)
	}
	return nil
}

func (c *awsCopy) Back(ctx context.Context, was string, f Fields) error {
	s, v, err := c.read(ctx)
	if err != nil || s.Current == was {
		return err
	}
	if _, kept := s.Stages[was]; !kept || was == "" {
		// Without a label it may be gone; the version before is the primary's.
		if same(v, f) {
			return nil
		}
		return c.Put(ctx, "back "+was, f)
	}
	return c.Demote(ctx, s.Current, was)
}

// kvCopy is a copy in Vault's KV engine.
type kvCopy struct{ kvPlace }

func (c *kvCopy) Name() string  { return c.name }
func (c *kvCopy) Follows() bool { return false }
func (c *kvCopy) Calls() []string {
	return []string{"PUT " + c.mount + "/data/" + c.path + " with check-and-set (Vault " + c.cluster + ")"}
}

func (c *kvCopy) read(ctx context.Context, version int) (clients.KVValue, error) {
	v, err := c.vault()
	if err != nil {
		return clients.KVValue{}, err
	}
	kv, err := v.ReadKV(ctx, c.mount, c.path, version)
	if err == nil {
		know(c.systems, kv.Value)
	}
	return kv, err
}

func (c *kvCopy) Look(ctx context.Context) (string, error) {
	kv, err := c.read(ctx, 0)
	return kv.VersionID, err
}

func (c *kvCopy) Same(ctx context.Context, f Fields) (bool, error) {
	kv, err := c.read(ctx, 0)
	return err == nil && same(kv.Value, f), err
}

func (c *kvCopy) Put(ctx context.Context, _ string, f Fields) error {
	kv, err := c.read(ctx, 0)
	if err != nil || same(kv.Value, f) {
		return err
	}
	value, err := kv.With(f)
	if err != nil {
		return err
	}
	return c.over(ctx, value, kv.Version)
}

func (c *kvCopy) over(ctx context.Context, value estate.Secret, latest int) error {
	Know(c.systems, value)
	v, err := c.vault()
	if err != nil {
		return err
	}
	_, err = v.WriteKV(ctx, c.mount, c.path, value, latest)
	return err
}

func (c *kvCopy) Back(ctx context.Context, was string, f Fields) error {
	kv, err := c.read(ctx, 0)
	if err != nil || kv.VersionID == was {
		return err
	}
	number := 0
	if _, err := fmt.Sscan(was, &number); err == nil {
		earlier, err := c.read(ctx, number)
		var none *clients.NoVersionError
		switch {
		case err == nil:
			value, err := earlier.Text()
			if err != nil {
				return err
			}
			now, err := kv.Text()
			if err == nil && now.Reveal() == value.Reveal() {
				return nil
			}
			return c.over(ctx, value, kv.Version)
		case !errors.As(err, &none):
			return err
		}
	}
	return c.Put(ctx, "", f)
}

// keysOf are the keys of a Kubernetes Secret that hold the given fields.
func keysOf(mapping map[string]string, f Fields) map[string]estate.Secret {
	out := map[string]estate.Secret{}
	if len(mapping) == 0 {
		maps.Copy(out, f)
		return out
	}
	for key, field := range mapping {
		if value, ok := f[field]; ok {
			out[key] = value
		}
	}
	return out
}

// named lists keys for a plan.
func named(mapping map[string]string) string {
	if len(mapping) == 0 {
		return ""
	}
	return " (" + strings.Join(slices.Sorted(maps.Keys(mapping)), ", ") + ")"
}
