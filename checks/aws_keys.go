package checks

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// keys reads the state and the rotation of each KMS key.
func (b awsBuilder) keys(k *config.Keys) []Probe {
	out := make([]Probe, 0, 2*len(k.Keys))
	for _, id := range k.Keys {
		out = append(out, b.key(id), b.keyRotation(id))
	}
	return out
}

func (b awsBuilder) key(id string) Probe {
	return b.probe(estate.CheckKey, id, "kms DescribeKey", id, "describe key "+id, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			meta, err := describeKey(ctx, s, id)
			if err != nil {
				return nil, err
			}
			text := func(v string) string { return b.client.Text(v, nameLimit) }
			return estate.KeyState{
				KeyID:    b.name(meta.KeyId),
				State:    text(string(meta.KeyState)),
				Origin:   text(string(meta.Origin)),
				Manager:  text(string(meta.KeyManager)),
				Spec:     text(string(meta.KeySpec)),
				Deletion: aws.ToTime(meta.DeletionDate),
			}, nil
		})
}

func describeKey(ctx context.Context, s *clients.AWSServices, id string) (*kmstypes.KeyMetadata, error) {
	out, err := s.KMS.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(id)})
	if err != nil {
		return nil, err
	}
	if out.KeyMetadata == nil || aws.ToString(out.KeyMetadata.KeyId) == "" {
		return nil, hollow("the key's id")
	}
	return out.KeyMetadata, nil
}

// isAlias reports whether a configured key is an alias, by name or by ARN.
// GetKeyRotationStatus takes none.
func isAlias(id string) bool {
	return strings.HasPrefix(id, "alias/") || strings.HasPrefix(id, "arn:") && strings.Contains(id, ":alias/")
}

func (b awsBuilder) keyRotation(id string) Probe {
	var mu sync.Mutex
	var remembered string // what the alias stood for last
	resolve := func(ctx context.Context, s *clients.AWSServices) (string, error) {
		meta, err := describeKey(ctx, s, id)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			// An alias is seldom moved; what it stood for is better than nothing
			// when we are throttled, but not when it is gone.
			if remembered != "" && b.client.Failure(err, "").Kind == estate.Throttled {
				return remembered, nil
			}
			return "", err
		}
		remembered = *meta.KeyId
		return remembered, nil
	}
	return b.probe(estate.CheckKeyRotation, id, "kms GetKeyRotationStatus", id, "read the rotation of key "+id, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			key := id
			if isAlias(id) {
				var err error
				if key, err = resolve(ctx, s); err != nil {
					return nil, err
				}
			}
			out, err := s.KMS.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: aws.String(key)})
			var unsupported *kmstypes.UnsupportedOperationException
			if errors.As(err, &unsupported) {
				return estate.KeyRotation{KeyID: b.client.Text(key, nameLimit)}, nil
			}
			if err != nil {
				return nil, err
			}
			return estate.KeyRotation{
				KeyID:      b.client.Text(key, nameLimit),
				Supported:  true,
				Enabled:    out.KeyRotationEnabled,
				PeriodDays: int(aws.ToInt32(out.RotationPeriodInDays)),
				Next:       aws.ToTime(out.NextRotationDate),
				LastOnDmd:  aws.ToTime(out.OnDemandRotationStartDate),
			}, nil
		})
}
