package clients

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/estate"
)

// describedFresh is how long a secret's description serves others than who asked
// for it, as long as its values do: the check of the secret itself, and the reads
// of its labels, are due together and are one call, also where so many are due
// that the last of them begins a moment after the first.
const describedFresh = storedFresh

// described is what was just read of the descriptions of an account's secrets.
type described struct {
	mu      sync.Mutex
	secrets map[string]*description
	swept   time.Time
}

// description is one read of DescribeSecret: under way while done is open. Of one
// that the check of the secret made only the labels are kept, which others ask
// for; thousands of answers that nobody asks for would weigh.
type description struct {
	done chan struct{}
	wide bool      // all of it is kept, for the check of the secret
	at   time.Time // when it ended; of the lock of described
	out  *secretsmanager.DescribeSecretOutput
	says labels
	err  error
}

// labels is what a description says of the staging labels of a secret.
type labels struct {
	known  bool // it is a description of a secret with labelled versions
	stages []string
}

// Describe reads the description of a secret, or returns one that a read of its
// labels brought a moment ago, and when that was. Its error is the SDK's.
func (a *AWS) Describe(ctx context.Context, secretID string) (*secretsmanager.DescribeSecretOutput, time.Time, error) {
	var out *secretsmanager.DescribeSecretOutput
	d, err := a.describe(ctx, secretID, true, func(o *secretsmanager.DescribeSecretOutput) { out = o })
	if err != nil {
		return nil, time.Time{}, err
	}
	if out == nil {
		out = d.out
	}
	return out, d.at, nil
}

// lacks reports whether the description of a secret says that no version of it
// carries a label. What keeps us from reading the description says nothing.
func (a *AWS) lacks(ctx context.Context, secretID string, stage estate.Stage) bool {
	d, err := a.describe(ctx, secretID, false, func(*secretsmanager.DescribeSecretOutput) {})
	return err == nil && d.says.known && !slices.Contains(d.says.stages, string(stage))
}

// describe makes a read of a secret's description, which it hands to made, or
// joins one that is under way, or returns one that is fresh. With whole, it must
// hold all that was read.
func (a *AWS) describe(ctx context.Context, secretID string, whole bool, made func(*secretsmanager.DescribeSecretOutput)) (*description, error) {
	services, err := a.Services(ctx)
	if err != nil {
		return nil, err
	}
	for {
		d, ours := a.described.join(secretID, whole, time.Now())
		if ours {
			out, err := a.described.make(ctx, services, secretID, d)
			made(out)
			return d, err
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case d.err == nil:
			return d, nil
		case !errors.Is(d.err, context.Canceled) && !errors.Is(d.err, context.DeadlineExceeded):
			return nil, d.err
		}
		// What kept another from its answer was its own: its time was up. Ours is
		// not, so that the question is asked again.
	}
}

// join returns the read of a secret that is under way or fresh, or a new one that
// the caller has to make.
func (s *described) join(secretID string, whole bool, now time.Time) (d *description, ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secrets == nil {
		s.secrets = map[string]*description{}
	}
	if now.Sub(s.swept) > describedFresh {
		s.swept = now
		for id, old := range s.secrets {
			if !old.at.IsZero() && !old.fresh(now) {
				delete(s.secrets, id)
			}
		}
	}
	if d := s.secrets[secretID]; d != nil && (d.wide || !whole) && (d.at.IsZero() || d.fresh(now)) {
		return d, false
	}
	d = &description{done: make(chan struct{}), wide: !whole}
	s.secrets[secretID] = d
	return d, true
}

// forget has the next look at a secret's labels read them.
func (s *described) forget(secretID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, secretID)
}

func (d *description) fresh(now time.Time) bool {
	age := now.Sub(d.at)
	return age >= 0 && age < describedFresh
}

// make makes a read and tells those who wait, whatever becomes of it.
func (s *described) make(ctx context.Context, services *AWSServices, secretID string, d *description) (*secretsmanager.DescribeSecretOutput, error) {
	defer s.landed(secretID, d)
	d.err = context.Canceled // as it stays when the call panics
	out, err := services.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretID)})
	if d.err = err; err != nil {
		return nil, err
	}
	if d.wide {
		d.out = out
	}
	d.says.known = out.DeletedDate == nil && len(out.VersionIdsToStages) > 0
	for _, stages := range out.VersionIdsToStages {
		d.says.stages = append(d.says.stages, stages...)
	}
	return out, nil
}

// landed tells those who wait. A failure serves nobody who comes later.
func (s *described) landed(secretID string, d *description) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = time.Now()
	if d.err != nil && s.secrets[secretID] == d {
		delete(s.secrets, secretID)
	}
	close(d.done)
}
