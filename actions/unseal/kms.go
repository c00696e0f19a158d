package unseal

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// kms says which KMS keys of the estate cannot be used. Which of them seals a Vault
// it does not tell while it is sealed.
func (p *Procedure) kms(ctx context.Context) []string {
	var out []string
	usable := 0
	for i := range p.systems.Config.Components {
		k := p.systems.Config.Components[i].Keys
		if k == nil {
			continue
		}
		for _, key := range k.Keys {
			state, err := p.key(ctx, k.Account, key)
			switch {
			case err != nil:
				out = append(out, fmt.Sprintf("KMS key %s could not be read: %v", key, err))
			case state != string(types.KeyStateEnabled):
				out = append(out, fmt.Sprintf("KMS key %s of %s is %s: a Vault that is sealed with it cannot open", key, k.Account, state))
			default:
				usable++
			}
		}
	}
	if len(out) == 0 && usable > 0 {
		out = append(out, fmt.Sprintf("the %d KMS keys that warroom.yaml lists are enabled: see whether Vault's own identity may use its key, in the log of Vault", usable))
	}
	return out
}

// key is the state of one key.
func (p *Procedure) key(ctx context.Context, account, id string) (string, error) {
	a, err := p.systems.Read.AWS(account)
	if err != nil {
		return "", err
	}
	services, err := a.Services(ctx)
	if err != nil {
		return "", err
	}
	said, err := services.KMS.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(id)})
	if err != nil {
		return "", a.Failure(err, "describe key "+id)
	}
	if said.KeyMetadata == nil {
		return "", fmt.Errorf("the answer lacks the key")
	}
	return a.Text(string(said.KeyMetadata.KeyState), 60), nil
}
