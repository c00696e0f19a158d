package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Place is one stored secret. Its methods are safe for concurrent use. Those that
// change something are idempotent, and need the permit of a running step.
type Place interface {
	// Name is how the estate calls the secret.
	Name() string
	// System is where it is kept, as clients.Call names it: aws:main, vault:primary.
	System() string
	// Look reads the versions and labels of the secret. It reads no value.
	Look(ctx context.Context) (State, error)
	// Read reads one version. Its error is *Empty where the version has no value.
	Read(ctx context.Context, version string) (clients.Value, error)
	// Token is the version that the next pending value of s gets.
	Token(s State) string
	// Put stores a pending value. Its error is *Taken where another console has
	// stored one first. A value that this claim stored before is kept, and the new
	// one forgotten.
	Put(ctx context.Context, d Draft) error
	// Sign writes at the secret who rotates it, for whoever looks; empty takes it away.
	Sign(ctx context.Context, holder string) error
	// Promote makes the version to current, where from is current until now. It is
	// done already where to is current.
	Promote(ctx context.Context, from, to string) error
	// Demote makes an earlier version current again, where from is current until now.
	Demote(ctx context.Context, from, to string) error
	// Promoted reports whether the pending version to, made while from was current, is
	// current now.
	Promoted(ctx context.Context, s State, from, to string) (bool, error)
	// Restored reports whether the value of the earlier version to is current again.
	Restored(ctx context.Context, s State, to string) (bool, error)
	// Drop takes the label of pending, and the claim, from a version.
	Drop(ctx context.Context, version, claim string) error
	// Calls are the calls that a method makes, for a plan.
	Calls(method string, s State, token string) []string
}

// State is how a stored secret stands. Versions are ids of Secrets Manager or numbers
// of Vault KV.
type State struct {
	Exact    string // what identifies the secret in the world: its ARN, or its path
	Current  string
	Previous string // the version before; empty when there is none
	Pending  string // a version under AWSPENDING that is not current; empty when there is none
	Done     string // the version under AWSPENDING that is current already; empty when there is none
	Stages   map[string][]string
	Claim    string // of the run that put the pending version; empty when no run of ours did
	Holder   string // who said so: RUN OPERATOR@HOST since TIME
	Created  time.Time
	Changed  time.Time
	Schedule Schedule
	// KeptIn is the region in which the secret is written, where this is a replica that
	// Secrets Manager keeps by itself: it can only be read here. Empty for any other.
	KeptIn string
}

// Schedule is the rotation that a platform does by itself.
type Schedule struct {
	On       bool
	Function string // ARN; empty where nothing is configured
	Days     int    // 0 where it follows an expression
	Expr     string // of the schedule
	Last     time.Time
	Next     time.Time
}

// Draft is a value that is to be pending.
type Draft struct {
	Version string // of Place.Token
	Base    string // the version that is current
	Claim   string // of the run
	Value   estate.Secret
}

// Taken says that another console has put a pending version first.
type Taken struct {
	Secret string
	Holder string // as it signed; empty when it has not, or not yet
}

// Error says who holds the secret.
func (e *Taken) Error() string {
	who := e.Holder
	if who == "" {
		who = "another console, which has not signed yet"
	}
	return fmt.Sprintf("rotate %s: it is being rotated by %s; nothing was changed here: speak to them, or wait until they are done and plan again", e.Secret, who)
}

// Unwrap makes it a refusal.
func (e *Taken) Unwrap() error {
	return &actions.Refusal{What: "a rotation of " + e.Secret, Why: "it is being rotated by " + e.Holder}
}

// Empty says that a version exists and holds no value.
type Empty struct{ Secret, Version string }

// Error says which one.
func (e *Empty) Error() string {
	return fmt.Sprintf("version %s of %s holds no value", Short(e.Version), e.Secret)
}

// Open finds a stored secret in the configuration.
func Open(systems actions.Systems, secret string) (Place, *config.StoredSecret, error) {
	kept, one := find(systems.Config, secret)
	switch {
	case kept == nil:
		return nil, nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "use the stored secret " + secret, Detail: "warroom.yaml has none of that name",
			Next: "list it under secrets_manager or vault",
		}
	case kept.SecretsManager != nil:
		return &awsPlace{systems: systems, account: kept.SecretsManager.Account, id: one.ID, name: one.Called()}, one, nil
	}
	mount, path, ok := strings.Cut(one.ID, "/")
	if !ok || path == "" {
		return nil, nil, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "use the stored secret " + secret, Detail: one.ID + " is no MOUNT/PATH of a KV version 2 engine",
			Next: "correct its id in warroom.yaml",
		}
	}
	return &kvPlace{systems: systems, cluster: kept.Vault.Cluster, mount: mount, path: path, name: one.Called()}, one, nil
}

// Secrets are all stored secrets of the configuration, in its order.
func Secrets(cfg *config.Config) []config.StoredSecret {
	var all []config.StoredSecret
	for i := range cfg.Components {
		switch c := &cfg.Components[i]; {
		case c.SecretsManager != nil:
			all = append(all, c.SecretsManager.Secrets...)
		case c.Vault != nil:
			all = append(all, c.Vault.Secrets...)
		}
	}
	return all
}

// find is the component that keeps a secret.
func find(cfg *config.Config, secret string) (*config.Component, *config.StoredSecret) {
	for i := range cfg.Components {
		c := &cfg.Components[i]
		var list []config.StoredSecret
		switch {
		case c.SecretsManager != nil:
			list = c.SecretsManager.Secrets
		case c.Vault != nil:
			list = c.Vault.Secrets
		}
		for j := range list {
			if list[j].Called() == secret {
				return c, &list[j]
			}
		}
	}
	return nil, nil
}

// NewClaim draws the claim of one run.
func NewClaim() string {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// token is a UUID that follows from a secret, the version that is current, and n.
func token(exact, current string, n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "warroom\n%s\n%s\n%d", exact, current, n))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80 // version 5: by name
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// Short is a version as people compare it: the beginning of a UUID.
func Short(version string) string {
	if len(version) == 36 && version[8] == '-' {
		return version[:8]
	}
	return version
}

// Counted is a number with the word for one, or for another number of them.
func Counted(n int, one, many string) string {
	word := many
	if n == 1 {
		word = one
	}
	return fmt.Sprintf("%d %s", n, word)
}

// Holder is who holds a secret, as it is signed there.
func Holder(run, by string, at time.Time) string {
	return fmt.Sprintf("%s %s since %s", run, by, at.UTC().Format(time.RFC3339))
}
