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
// for it: the check of the secret itself, and the reads of its labels, come
// together and are one call.
const describedFresh = time.Second

// described is what was just read of the descriptions of an account's secrets.
type described struct {
	mu      sync.Mutex
	secrets map[string]*description
	swept   time.Time
}

// description is one read of DescribeSecret: under way while done is open.
type description struct {
	done chan struct{}
	at   time.Time // when it ended
	out  *secretsmanager.DescribeSecretOutput
	err  error
}

// Describe reads the description of a secret, or returns one that another read
// brought within the last second, and when that was. Its error is the SDK's.
func (a *AWS) Describe(ctx context.Context, secretID string) (*secretsmanager.DescribeSecretOutput, time.Time, error) {
	services, err := a.Services(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	for {
		d, ours := a.described.join(secretID, time.Now())
		if ours {
			a.described.make(ctx, services, secretID, d)
			return d.out, d.at, d.err
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
		if d.err == nil {
			return d.out, d.at, nil
		}
		// What kept another from its answer may be its own: its time was up. Ours
		// is not, so that the question is asked again.
		if ctx.Err() != nil {
			return nil, time.Time{}, ctx.Err()
		}
		if !errors.Is(d.err, context.Canceled) && !errors.Is(d.err, context.DeadlineExceeded) {
			return nil, time.Time{}, d.err
		}
	}
}

// join returns the read of a secret that is under way or fresh, or a new one that
// the caller has to make.
func (s *described) join(secretID string, now time.Time) (d *description, ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secrets == nil {
		s.secrets = map[string]*description{}
	}
	if now.Sub(s.swept) > describedFresh {
		// Answers are large beside what is kept of them.
		s.swept = now
		for id, old := range s.secrets {
			if !old.at.IsZero() && !old.fresh(now) {
				delete(s.secrets, id)
			}
		}
	}
	if d := s.secrets[secretID]; d != nil && (d.at.IsZero() || d.fresh(now)) {
		return d, false
	}
	d = &description{done: make(chan struct{})}
	s.secrets[secretID] = d
	return d, true
}

func (d *description) fresh(now time.Time) bool {
	age := now.Sub(d.at)
	return age >= 0 && age < describedFresh
}

// make makes a read and tells those who wait, whatever becomes of it.
func (s *described) make(ctx context.Context, services *AWSServices, secretID string, d *description) {
	defer s.landed(secretID, d)
	d.err = context.Canceled // as it stays when the call panics
	d.out, d.err = services.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretID)})
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

// lacks reports whether the description of a secret says that no version of it
// carries a label. What keeps us from reading the description says nothing.
func (a *AWS) lacks(ctx context.Context, secretID string, stage estate.Stage) bool {
	out, _, err := a.Describe(ctx, secretID)
	if err != nil || out.DeletedDate != nil || len(out.VersionIdsToStages) == 0 {
		return false
	}
	for _, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, string(stage)) {
			return false
		}
	}
	return true
}
