package restart

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	corev1 "k8s.io/api/core/v1"

	"warroom/actions"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// kept is where a stored secret is configured.
type kept struct {
	*config.StoredSecret
	account string // of AWS, or
	cluster string // of Vault
}

// storedSecrets are the stored secrets of an estate, by what it calls them.
func storedSecrets(cfg *config.Config) map[string]kept {
	out := map[string]kept{}
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.SecretsManager != nil {
			for j := range c.SecretsManager.Secrets {
				s := &c.SecretsManager.Secrets[j]
				out[s.Called()] = kept{s, c.SecretsManager.Account, ""}
			}
		}
		if c.Vault != nil {
			for j := range c.Vault.Secrets {
				s := &c.Vault.Secrets[j]
				out[s.Called()] = kept{s, "", c.Vault.Cluster}
			}
		}
	}
	return out
}

// holding is what a store holds now of a secret: its current version.
type holding struct {
	version string
	// changed is when a label of the secret was last moved or a value stored, at the
	// latest; zero where the store does not say.
	changed time.Time
	field   func(name string) (estate.Secret, error)
	text    func() (estate.Secret, error)
}

// holds reads the current version of a secret, past every cache: what was read a
// moment before a rotation is not what is compared after it.
func (p *Procedure) holds(ctx context.Context, secret string) (holding, error) {
	bounded, cancel := context.WithTimeout(ctx, 2*p.limit())
	defer cancel()
	v, err := p.s.Read.StoredFresh(bounded, secret, estate.StageCurrent)
	if err != nil {
		return holding{}, err
	}
	out := holding{version: v.VersionID, field: v.Field, text: v.Text}
	where := p.stored[secret]
	if where.cluster != "" {
		out.changed = v.Created // a version of a KV engine is current from when it is made
		return out, nil
	}
	// Without it nothing is skipped by the clock, which is the safe side.
	account, err := p.s.Read.AWS(where.account)
	if err != nil {
		return out, nil
	}
	services, err := account.Services(bounded)
	if err != nil {
		return out, nil
	}
	if d, err := services.SecretsManager.DescribeSecret(bounded, &secretsmanager.DescribeSecretInput{SecretId: aws.String(where.ID)}); err == nil {
		out.changed = aws.ToTime(d.LastChangedDate).UTC()
	}
	return out, nil
}

// duplicate is a Kubernetes Secret that holds a copy of a stored secret.
type duplicate struct {
	Secret    string            `json:"secret"` // the stored one
	Cluster   string            `json:"cluster"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Keys      map[string]string `json:"keys,omitempty"`     // its keys to those of the JSON; empty is the whole value; none: the same names
	External  string            `json:"external,omitempty"` // the ExternalSecret that writes it
	Frozen    bool              `json:"frozen,omitempty"`   // which never refreshes it by itself or when told
	By        string            `json:"by"`                 // how we know
}

// place is cluster/namespace/name.
func (d *duplicate) place() string { return d.Cluster + "/" + d.Namespace + "/" + d.Name }

// compare says whether a Kubernetes Secret holds what the store holds; if so, when its
// data last changed. Values are compared by their hashes and never leave this
// function. The error is an *actions.Refusal where it is behind.
func (p *Procedure) compare(ctx context.Context, d *duplicate, now holding) (changed time.Time, err error) {
	c, err := open(p.s.Read, d.Cluster)
	if err != nil {
		return time.Time{}, err
	}
	s, err := c.secret(ctx, d.Namespace, d.Name)
	if denied(err) {
		if acting, other := open(p.s.Act, d.Cluster); other == nil {
			s, err = acting.secret(ctx, d.Namespace, d.Name)
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	if s == nil {
		return time.Time{}, p.behind(d, now, "does not exist", nil)
	}
	differs, err := differs(s, d, now)
	if err != nil {
		return time.Time{}, err
	}
	if len(differs) > 0 {
		return time.Time{}, p.behind(d, now, fmt.Sprintf("holds another value (%s)", list(differs, 4)), s)
	}
	return dataChanged(s), nil
}

// differs lists the keys of a Secret that hold another value than the store.
func differs(s *corev1.Secret, d *duplicate, now holding) ([]string, error) {
	keys := d.Keys
	if len(keys) == 0 {
		keys = map[string]string{}
		for key := range s.Data {
			keys[key] = key
		}
	}
	var out []string
	compared := 0
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		field := keys[key]
		read := func() (estate.Secret, error) { return now.field(field) }
		if field == "" {
			read = now.text
		}
		want, err := read()
		if err != nil {
			if len(d.Keys) > 0 {
				return nil, err
			}
			continue // a key of its own, or one that is no string
		}
		compared++
		have, there := s.Data[key]
		if !there || sha256.Sum256(have) != sha256.Sum256([]byte(want.Reveal())) {
			out = append(out, key)
		}
	}
	if compared == 0 {
		return nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "compare Secret " + d.Namespace + "/" + d.Name + " with " + d.Secret,
			Detail: "no key of the one is a key of the other", Next: "name the keys under copies in warroom.yaml",
		}
	}
	return out, nil
}

// behind refuses a restart into a value that is not the store's, with what to do.
func (p *Procedure) behind(d *duplicate, now holding, what string, s *corev1.Secret) error {
	r := &actions.Refusal{
		What: "restarting what uses " + d.Secret,
		Why:  fmt.Sprintf("Secret %s/%s in cluster %s %s, and AWSCURRENT is version %s: pods would start with the old value", d.Namespace, d.Name, d.Cluster, what, short(now.version)),
	}
	switch {
	case s != nil && s.Immutable != nil && *s.Immutable:
		r.Next = "it is immutable: make a new Secret with the new value, have the workloads name that one, and leave the restart to that change"
	case d.External != "" && d.Frozen:
		r.Next = fmt.Sprintf("its ExternalSecret %s never refreshes: kubectl -n %s patch externalsecret %s --type merge -p '{\"spec\":{\"refreshPolicy\":\"Periodic\",\"refreshInterval\":\"1m\"}}', wait until it is synced, and plan again", d.External, d.Namespace, d.External)
	case d.External != "":
		r.Next = fmt.Sprintf("have it synced: kubectl -n %s annotate externalsecret %s force-sync=\"$(date +%%s)\" --overwrite; wait until it is, and plan again", d.Namespace, d.External)
	default:
		r.Next = "update the copy first (the rotation of the secret does so, and can be resumed), and plan again"
	}
	return r
}

// short is the beginning of a version's id.
func short(version string) string {
	if len(version) > 8 {
		return version[:8] + "…"
	}
	return version
}

// list is the first of some words, with how many more there are.
func list(words []string, most int) string {
	text := ""
	for i, w := range words {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(words)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += w
	}
	return text
}

// ownsData reports whether a set of managed fields has a Secret's data among them.
func ownsData(fields []byte) bool {
	var top map[string]json.RawMessage
	if json.Unmarshal(fields, &top) != nil {
		return false
	}
	_, data := top["f:data"]
	_, text := top["f:stringData"]
	return data || text
}

// limit is how long one call may take.
func (p *Procedure) limit() time.Duration {
	if t := p.s.Config.Checks.Timeout; t > 0 {
		return t
	}
	return 5 * time.Second
}
