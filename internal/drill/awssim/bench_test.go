package awssim

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// BenchmarkInventory lists 3,000 secrets, page after page, with the real
// client.
func BenchmarkInventory(b *testing.B) {
	pace := &clock{t: time.Now()}
	r := newRig(b, func(o *Options) { o.Pace = func() time.Time { pace.add(time.Second); return pace.now() } }) // no quota in the way
	for i := range 3000 {
		r.AddSecret(Secret{Name: fmt.Sprintf("prod/svc-%04d/db", i), Versions: []Version{{Value: "x", Stages: []string{current}}}})
	}
	c := secretsmanager.NewFromConfig(r.cfg)
	for b.Loop() {
		for p := secretsmanager.NewListSecretsPaginator(c, &secretsmanager.ListSecretsInput{}); p.HasMorePages(); {
			if _, err := p.NextPage(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDescribe is one call, with its signature made and verified.
func BenchmarkDescribe(b *testing.B) {
	r := newRig(b)
	r.AddSecret(Secret{Name: "a", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	c := secretsmanager.NewFromConfig(r.cfg)
	for b.Loop() {
		if _, err := c.DescribeSecret(b.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("a")}); err != nil {
			b.Fatal(err)
		}
	}
}
