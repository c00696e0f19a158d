package cli

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// platform plays the rotation function of prod/db/analytics, which the story keeps from
// its network: it gives what is pending a value, sets it at the database and makes it
// current.
func platform(t *testing.T, s *stage) {
	t.Helper()
	ctx, end := context.WithCancel(clients.WithPermit(t.Context(), everything{}))
	over := make(chan struct{})
	t.Cleanup(func() { end(); <-over })
	go func() {
		defer close(over)
		for ctx.Err() == nil {
			if err := s.rotateOnce(ctx, "prod/db/analytics"); err != nil && ctx.Err() == nil {
				t.Errorf("the platform: %v", err)
				return
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
}

// everything permits every call.
type everything struct{}

func (everything) Around(_ context.Context, _ clients.Call, do func() error) error { return do() }

// rotateOnce does what a rotation function does with a pending version, if there is one.
func (s *stage) rotateOnce(ctx context.Context, secret string) error {
	account, err := s.acting.AWS("main")
	if err != nil {
		return err
	}
	services, err := account.Services(ctx)
	if err != nil {
		return err
	}
	sm := services.SecretsManager
	d, err := sm.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &secret})
	if err != nil {
		return err
	}
	var was, next string
	for id, labels := range d.VersionIdsToStages {
		switch {
		case slices.Contains(labels, "AWSCURRENT"):
			was = id
		case slices.Contains(labels, "AWSPENDING"):
			next = id
		}
	}
	if next == "" {
		return nil
	}
	now, err := s.acting.StoredFresh(ctx, secret, estate.StageCurrent)
	if err != nil {
		return err
	}
	user, err := now.Field("username")
	if err != nil {
		return err
	}
	password := clients.NewPassword(32)
	value, err := now.With(map[string]estate.Secret{"password": password})
	if err != nil {
		return err
	}
	if _, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &secret, ClientRequestToken: &next, SecretString: aws.String(value.Reveal()), VersionStages: []string{"AWSPENDING"}}); err != nil {
		return err
	}
	if err := s.alter(ctx, user.Reveal(), password); err != nil {
		return err
	}
	_, err = sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: &secret, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &was, MoveToVersionId: &next})
	return err
}

// alter sets a password at the primary, as the superuser.
func (s *stage) alter(ctx context.Context, role string, password estate.Secret) error {
	super, err := s.acting.StoredFresh(ctx, "prod/db/superuser", estate.StageCurrent)
	if err != nil {
		return err
	}
	user, err := super.Field("username")
	if err != nil {
		return err
	}
	own, err := super.Field("password")
	if err != nil {
		return err
	}
	verifier, err := clients.SCRAMVerifier(password)
	if err != nil {
		return err
	}
	for i := range s.cfg.Components {
		pg := s.cfg.Components[i].Postgres
		if pg == nil || pg.Role != "primary" {
			continue
		}
		server := clients.NewPostgres(clients.PostgresServer{Host: pg.Host, Port: pg.Port, Database: pg.Database, SSLMode: pg.SSLMode, CACert: pg.CACert}, s.set.Text)
		session, try := server.OpenToChange(ctx, user.Reveal(), own, time.Minute)
		if session == nil {
			return try.Err
		}
		err := session.Change(ctx, "set a password", "ALTER ROLE "+role+" PASSWORD '"+verifier+"'")
		session.Close()
		return err
	}
	return errors.New("no primary")
}
