package checks

import (
	"context"
	"errors"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// credential is one version of a stored secret, read for a probe of the system
// that it unlocks.
type credential struct {
	version    string
	created    time.Time
	remembered time.Time // when it was read, where the store did not answer now; else zero
	field      func(name string) (estate.Secret, error)
}

// credentialReader reads the version of a stored secret that carries a staging
// label. Its error is a *clients.NoVersionError where no value does.
type credentialReader func(ctx context.Context, secret string, stage estate.Stage) (credential, error)

// storedCredentials reads stored secrets through the Set that all probes share.
func storedCredentials(set *clients.Set) credentialReader {
	return func(ctx context.Context, secret string, stage estate.Stage) (credential, error) {
		v, err := set.Stored(ctx, secret, stage)
		if err != nil {
			return credential{}, err
		}
		return credential{version: v.VersionID, created: v.Created, remembered: v.Remembered, field: v.Field}, nil
	}
}

// get reads a credential for a probe. What keeps it from coming is no failure of
// the system that the probe would have asked: it becomes one of kind
// NoCredential, with what the store said. doing says what was read and for what.
func (r credentialReader) get(ctx context.Context, secret string, stage estate.Stage, doing string) (credential, error) {
	c, err := r(ctx, secret, stage)
	return c, notRead(err, doing)
}

func notRead(err error, doing string) error {
	var none *clients.NoVersionError
	switch {
	case err == nil, errors.As(err, &none):
		return err
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	said := clients.Classify(err, doing)
	if said.Kind == estate.BadSecret {
		return said
	}
	detail := string(said.Kind)
	if said.Detail != "" {
		detail += ": " + said.Detail
	}
	next := "mend the reading of the secret; what it unlocks was not asked"
	if said.Next != "" {
		next = "for the secret store: " + said.Next + "; what the secret unlocks was not asked"
	}
	return &estate.Failure{Kind: estate.NoCredential, Doing: doing, Detail: clients.Strip(detail, clients.DetailLimit), Next: next}
}
