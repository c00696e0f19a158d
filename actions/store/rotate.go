package store

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/actions"
)

// platform is a place of AWS Secrets Manager, the only one with a scheduler of its
// own for one secret.
func platform(p Place) (*awsPlace, error) {
	if a, ok := p.(*awsPlace); ok {
		return a, nil
	}
	return nil, &actions.Refusal{What: "a scheduled rotation of " + p.Name(), Why: "it is not kept in Secrets Manager, and nothing rotates it there"}
}

// Scheduled reports whether a platform can rotate what is kept there by a schedule.
func Scheduled(place Place) bool {
	_, err := platform(place)
	return err == nil
}

// CancelRotation turns the scheduled rotation of a secret off.
func CancelRotation(ctx context.Context, place Place) error {
	p, err := platform(place)
	if err != nil {
		return err
	}
	account, services, err := p.services(ctx, true)
	if err != nil {
		return err
	}
	if _, err := services.SecretsManager.CancelRotateSecret(ctx, &secretsmanager.CancelRotateSecretInput{SecretId: aws.String(p.id)}); err != nil {
		return failure(ctx, account, err, "cancel the scheduled rotation of "+p.name)
	}
	return nil
}

// ResumeRotation turns it on again, by the rules that the secret has, without rotating
// now.
func ResumeRotation(ctx context.Context, place Place) error {
	p, err := platform(place)
	if err != nil {
		return err
	}
	account, services, err := p.services(ctx, true)
	if err != nil {
		return err
	}
	_, err = services.SecretsManager.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: aws.String(p.id), RotateImmediately: aws.Bool(false)})
	if err != nil {
		return failure(ctx, account, err, "resume the scheduled rotation of "+p.name)
	}
	return nil
}

// AskRotation has the platform rotate a secret now. The version that it makes is
// called version.
func AskRotation(ctx context.Context, place Place, version string) error {
	p, err := platform(place)
	if err != nil {
		return err
	}
	account, services, err := p.services(ctx, true)
	if err != nil {
		return err
	}
	_, err = services.SecretsManager.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: aws.String(p.id), ClientRequestToken: aws.String(version)})
	if err != nil {
		return failure(ctx, account, err, fmt.Sprintf("ask %s to rotate %s", account.Place(), p.name))
	}
	return nil
}
