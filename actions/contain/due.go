package contain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// cancelledTag marks a secret whose scheduled rotation was cancelled by warroom.
const cancelledTag = "warroom:rotation-cancelled"

// atOnce is how many secrets are asked about, or changed, at the same time: of the 50
// calls a second that Secrets Manager allows for rotations, a fraction.
const atOnce = 8

// mechanism is a rotation function of one account.
type mechanism struct {
	systems  actions.Systems
	account  string
	function string // name or ARN
}

func (m *mechanism) system() string { return "aws:" + m.account }

// services are the account's clients, for reading or for changes.
func (m *mechanism) services(ctx context.Context, act bool) (*clients.AWS, *secretsmanager.Client, error) {
	set := m.systems.Read
	if act {
		set = m.systems.Act
	}
	account, err := set.AWS(m.account)
	if err != nil {
		return nil, nil, err
	}
	services, err := account.Services(ctx)
	if err != nil {
		return nil, nil, account.Failure(err, "use AWS account "+m.account)
	}
	return account, services.SecretsManager, nil
}

// uses reports whether a secret is rotated by the function.
func (m *mechanism) uses(arn string) bool {
	if arn == "" {
		return false
	}
	if strings.HasPrefix(m.function, "arn:") {
		return arn == m.function
	}
	parts := strings.Split(arn, ":") // arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
	return len(parts) > 6 && parts[6] == m.function
}

// rotated is one secret that is rotated by the function.
type rotated struct {
	name    string
	arn     string
	on      bool
	next    time.Time // zero where it is not told
	stuck   bool      // a version is pending that is not current
	pending string
	tagged  bool
}

// due is when it breaks at the latest if nothing is done.
func (r rotated) due(now time.Time, within time.Duration) bool {
	return r.on && (r.stuck || !r.next.IsZero() && r.next.Before(now.Add(within)))
}

// when says so for people.
func (r rotated) when(now time.Time) string {
	switch {
	case r.stuck:
		return "stuck: it is tried again by the scheduler all the time"
	case r.next.IsZero():
		return "its next rotation is not told"
	case r.next.Before(now):
		return "overdue since " + r.next.UTC().Format("15:04Z on 2 January")
	}
	return fmt.Sprintf("due in %s, at %s", r.next.Sub(now).Round(time.Minute), r.next.UTC().Format("15:04Z on 2 January"))
}

// listLimit bounds how many secrets of one account are looked through.
const listLimit = 10_000

// all finds every secret of the account that is rotated by the function. The list can
// be five minutes old, so that each that it names is described.
func (m *mechanism) all(ctx context.Context) ([]rotated, error) {
	account, client, err := m.services(ctx, false)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("list the secrets that %s rotates in %s", m.function, account.Place())
	var names []string
	seen := 0
	pages := secretsmanager.NewListSecretsPaginator(client, &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed(ctx, account, err, doing)
		}
		for _, s := range page.SecretList {
			if m.uses(aws.ToString(s.RotationLambdaARN)) {
				names = append(names, aws.ToString(s.Name))
			}
		}
		if seen += len(page.SecretList); seen >= listLimit {
			return nil, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: fmt.Sprintf("there are more than %d secrets", listLimit), Next: "cancel the rotations one by one: plan cancel-rotation"}
		}
	}
	// What warroom.yaml lists may be too new for the list.
	for _, name := range m.listed() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := make([]rotated, len(names))
	err = forEach(ctx, names, func(ctx context.Context, i int, name string) error {
		var err error
		out[i], err = m.describe(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(r rotated) bool { return r.name == "" })
	slices.SortFunc(out, func(a, b rotated) int { return cmp.Or(a.order().Compare(b.order()), cmp.Compare(a.name, b.name)) })
	return out, nil
}

// order puts what breaks next first, and what is not told last.
func (r rotated) order() time.Time {
	switch {
	case r.stuck:
		return time.Time{}
	case r.next.IsZero():
		return time.Unix(1<<40, 0)
	}
	return r.next
}

// listed are the secrets of warroom.yaml in the account.
func (m *mechanism) listed() []string {
	var out []string
	for i := range m.systems.Config.Components {
		if c := m.systems.Config.Components[i].SecretsManager; c != nil && c.Account == m.account {
			for _, s := range c.Secrets {
				out = append(out, s.ID)
			}
		}
	}
	return out
}

// describe reads one secret; the result has no name where the function does not rotate
// it, or it is gone.
func (m *mechanism) describe(ctx context.Context, name string) (rotated, error) {
	account, client, err := m.services(ctx, false)
	if err != nil {
		return rotated{}, err
	}
	out, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(name)})
	if err != nil {
		err = failed(ctx, account, err, "describe secret "+name)
		var f *estate.Failure
		if errors.As(err, &f) && f.Kind == estate.Missing {
			return rotated{}, nil
		}
		return rotated{}, err
	}
	if out.DeletedDate != nil || !m.uses(aws.ToString(out.RotationLambdaARN)) {
		return rotated{}, nil
	}
	r := rotated{name: account.Text(aws.ToString(out.Name), 512), arn: aws.ToString(out.ARN), on: aws.ToBool(out.RotationEnabled), next: aws.ToTime(out.NextRotationDate)}
	for id, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, string(estate.StagePending)) && !slices.Contains(stages, string(estate.StageCurrent)) {
			r.stuck, r.pending = true, id
		}
	}
	for _, t := range out.Tags {
		r.tagged = r.tagged || aws.ToString(t.Key) == cancelledTag
	}
	return r, nil
}

// failed keeps the end of a context apart from what a system said.
func failed(ctx context.Context, account *clients.AWS, err error, doing string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return account.Failure(err, doing)
}

// turnOff cancels the scheduled rotation of one secret, and tags it: the tag first, so
// that nothing is off that cannot be found again.
func (m *mechanism) turnOff(ctx context.Context, name string) error {
	account, client, err := m.services(ctx, true)
	if err != nil {
		return err
	}
	holder := m.systems.Holder
	_, err = client.TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: aws.String(name), Tags: []types.Tag{{
		Key: aws.String(cancelledTag), Value: aws.String(tagText(holder + " at " + time.Now().UTC().Format(time.RFC3339))),
	}}})
	if err != nil {
		return failed(ctx, account, err, "tag secret "+name+" as cancelled")
	}
	if _, err := client.CancelRotateSecret(ctx, &secretsmanager.CancelRotateSecretInput{SecretId: aws.String(name)}); err != nil {
		return failed(ctx, account, err, "cancel the scheduled rotation of "+name)
	}
	return nil
}

// turnOn resumes it, and takes the tag away once it is on.
func (m *mechanism) turnOn(ctx context.Context, name string) error {
	now, err := m.describe(ctx, name)
	if err != nil || now.name == "" {
		return err
	}
	account, client, err := m.services(ctx, true)
	if err != nil {
		return err
	}
	if !now.on {
		_, err := client.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: aws.String(name), RotateImmediately: aws.Bool(false)})
		if err != nil {
			return failed(ctx, account, err, "resume the scheduled rotation of "+name)
		}
	}
	if !now.tagged {
		return nil
	}
	_, err = client.UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: aws.String(name), TagKeys: []string{cancelledTag}})
	if err != nil {
		return failed(ctx, account, err, "take the tag from secret "+name)
	}
	return nil
}

// tagText keeps to what a tag's value may hold.
func tagText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == ' ' || strings.ContainsRune("_.:/=+-@", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, text)
	return text[:min(len(text), 256)]
}

// forEach does the same to many, a few at once, and goes on past what fails: one that
// cannot be cancelled must not keep the others on their schedules.
func forEach[T any](ctx context.Context, all []T, do func(ctx context.Context, i int, one T) error) error {
	errs := make([]error, len(all))
	turns := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i, one := range all {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = do(ctx, i, one)
			}
		})
	}
	wait.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return fmt.Errorf("%w (and %d more failed)", errs[0], len(errs)-1)
}
