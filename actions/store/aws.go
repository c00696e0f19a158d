package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// What is written at a secret of Secrets Manager.
const (
	holderTag = "warroom:rotation" // a tag: who rotates it
	claimMark = "warroom-"         // begins a staging label: of the run that put the version
)

// The staging labels of Secrets Manager.
const (
	current  = string(estate.StageCurrent)
	pending  = string(estate.StagePending)
	previous = string(estate.StagePrevious)
)

// awsPlace is a secret of AWS Secrets Manager.
type awsPlace struct {
	systems           actions.Systems
	account, id, name string
}

func (p *awsPlace) Name() string   { return p.name }
func (p *awsPlace) System() string { return "aws:" + p.account }

// services are the account's clients, for reading or for changes.
func (p *awsPlace) services(ctx context.Context, act bool) (*clients.AWS, *clients.AWSServices, error) {
	set := p.systems.Read
	if act {
		set = p.systems.Act
	}
	account, err := set.AWS(p.account)
	if err != nil {
		return nil, nil, err
	}
	services, err := account.Services(ctx)
	if err != nil {
		return nil, nil, account.Failure(err, "use AWS account "+p.account)
	}
	return account, services, nil
}

func (p *awsPlace) describe(ctx context.Context) (*secretsmanager.DescribeSecretOutput, error) {
	account, services, err := p.services(ctx, false)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("describe secret %s in %s", p.name, account.Place())
	out, err := services.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(p.id)})
	if err != nil {
		return nil, failure(ctx, account, err, doing)
	}
	if out.DeletedDate != nil {
		return nil, &estate.Failure{Kind: estate.Missing, Doing: doing, Detail: "it is marked for deletion", Next: "restore it first: aws secretsmanager restore-secret"}
	}
	return out, nil
}

// failure keeps the end of a context apart from what a system said.
func failure(ctx context.Context, account *clients.AWS, err error, doing string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return account.Failure(err, doing)
}

func (p *awsPlace) Look(ctx context.Context) (State, error) {
	out, err := p.describe(ctx)
	if err != nil {
		return State{}, err
	}
	s := State{
		Exact: aws.ToString(out.ARN), Stages: out.VersionIdsToStages,
		Created: aws.ToTime(out.CreatedDate), Changed: aws.ToTime(out.LastChangedDate),
		Schedule: Schedule{
			On: aws.ToBool(out.RotationEnabled), Function: aws.ToString(out.RotationLambdaARN),
			Last: aws.ToTime(out.LastRotatedDate), Next: aws.ToTime(out.NextRotationDate),
		},
	}
	if r := out.RotationRules; r != nil {
		s.Schedule.Days, s.Schedule.Expr = int(aws.ToInt64(r.AutomaticallyAfterDays)), aws.ToString(r.ScheduleExpression)
	}
	for id, stages := range out.VersionIdsToStages {
		switch {
		case slices.Contains(stages, current):
			s.Current = id
			if slices.Contains(stages, pending) {
				s.Done = id
			}
		case slices.Contains(stages, pending):
			s.Pending = id
		}
		if slices.Contains(stages, previous) {
			s.Previous = id
		}
	}
	for _, label := range out.VersionIdsToStages[s.Pending+s.Done] {
		if claim, ok := strings.CutPrefix(label, claimMark); ok {
			s.Claim = claim
		}
	}
	for _, t := range out.Tags {
		if aws.ToString(t.Key) == holderTag {
			s.Holder = p.systems.Read.Text(aws.ToString(t.Value), 256)
		}
	}
	if home := aws.ToString(out.PrimaryRegion); home != "" && home != regionOf(s.Exact) {
		s.KeptIn = p.systems.Read.Text(home, 40)
	}
	if s.Current == "" {
		return s, &estate.Failure{Kind: estate.BadSecret, Doing: "look at secret " + p.name, Detail: "no version carries AWSCURRENT", Next: "store a value first"}
	}
	return s, nil
}

// regionOf is the region of an ARN.
func regionOf(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

// Replicated refuses a change of a secret that Secrets Manager replicates from another
// region: it takes none here, and would say so only once the database has changed.
func Replicated(name string, s State) error {
	if s.KeptIn == "" {
		return nil
	}
	return &actions.Refusal{
		What: "a change of " + name, Why: "it is a replica, which Secrets Manager itself keeps as the secret in " + s.KeptIn + " is",
		Next: "change that one, and take the replica out of copies and rotations in warroom.yaml",
	}
}

func (p *awsPlace) Read(ctx context.Context, version string) (clients.Value, error) {
	account, err := p.systems.Read.AWS(p.account)
	if err != nil {
		return clients.Value{}, err
	}
	v, err := account.Version(ctx, p.id, version)
	var f *estate.Failure
	if errors.As(err, &f) && f.Kind == estate.Missing {
		return v, &Empty{Secret: p.name, Version: version}
	}
	if err == nil {
		know(p.systems, v)
	}
	return v, err
}

// know keeps a value out of what either set of clients says.
func know(systems actions.Systems, v clients.Value) {
	if text, err := v.Text(); err == nil {
		Know(systems, text)
	}
}

// Know keeps values out of what either set of clients says.
func Know(systems actions.Systems, values ...estate.Secret) {
	for _, v := range values {
		systems.Read.Net().Register(v.Reveal())
		systems.Act.Net().Register(v.Reveal())
	}
}

// Token is derived, so that the loser of two consoles is told by the service.
func (p *awsPlace) Token(s State) string {
	for n := 0; ; n++ {
		id := token(s.Exact, s.Current, n)
		if _, used := s.Stages[id]; !used {
			return id
		}
	}
}

func (p *awsPlace) Put(ctx context.Context, d Draft) error {
	account, services, err := p.services(ctx, true)
	if err != nil {
		return err
	}
	_, err = services.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(p.id), ClientRequestToken: aws.String(d.Version), SecretString: aws.String(d.Value.Reveal()),
		VersionStages: []string{pending, claimMark + d.Claim},
	})
	if err == nil {
		return nil
	}
	var said smithy.APIError
	if !errors.As(err, &said) || said.ErrorCode() != "ResourceExistsException" {
		return failure(ctx, account, err, fmt.Sprintf("store the pending value of secret %s in %s", p.name, account.Place()))
	}
	// The version is there with another value: of an earlier attempt of ours whose
	// answer was lost, or of somebody else.
	for tries := 0; ; tries++ {
		s, err := p.Look(ctx)
		switch {
		case err != nil:
			return err
		case slices.Contains(s.Stages[d.Version], claimMark+d.Claim):
			return nil
		case s.Holder != "" || tries == signTries:
			return &Taken{Secret: p.name, Holder: s.Holder}
		}
		// The winner signs in its next call.
		if err := pause(ctx, signPause); err != nil {
			return err
		}
	}
}

const (
	signTries = 10
	signPause = 300 * time.Millisecond
)

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *awsPlace) Sign(ctx context.Context, holder string) error {
	account, services, err := p.services(ctx, true)
	if err != nil {
		return err
	}
	if holder == "" {
		_, err = services.SecretsManager.UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: aws.String(p.id), TagKeys: []string{holderTag}})
		if err != nil {
			return failure(ctx, account, err, fmt.Sprintf("take the tag %s from secret %s", holderTag, p.name))
		}
		return nil
	}
	_, err = services.SecretsManager.TagResource(ctx, &secretsmanager.TagResourceInput{
		SecretId: aws.String(p.id), Tags: []types.Tag{{Key: aws.String(holderTag), Value: aws.String(tagText(holder))}},
	})
	if err != nil {
		return failure(ctx, account, err, fmt.Sprintf("tag secret %s with who rotates it", p.name))
	}
	return nil
}

// tagText keeps to what a tag's value may hold: 256 letters, digits, spaces and
// _.:/=+-@.
func tagText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == ' ' || strings.ContainsRune("_.:/=+-@", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, text)
	return text[:min(len(text), 256)]
}

// move moves a staging label; an empty to takes it away.
func (p *awsPlace) move(ctx context.Context, doing, label, from, to string) error {
	account, services, err := p.services(ctx, true)
	if err != nil {
		return err
	}
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String(p.id), VersionStage: aws.String(label)}
	if from != "" {
		in.RemoveFromVersionId = aws.String(from)
	}
	if to != "" {
		in.MoveToVersionId = aws.String(to)
	}
	if _, err := services.SecretsManager.UpdateSecretVersionStage(ctx, in); err != nil {
		return failure(ctx, account, err, doing)
	}
	return nil
}

func (p *awsPlace) Promote(ctx context.Context, from, to string) error {
	s, err := p.Look(ctx)
	if err != nil {
		return err
	}
	switch s.Current {
	case to:
		return nil
	case from:
		return p.move(ctx, fmt.Sprintf("move AWSCURRENT of %s to version %s", p.name, Short(to)), current, from, to)
	}
	return p.moved(s, from, to)
}

// moved says that somebody else made another version current.
func (p *awsPlace) moved(s State, from, to string) error {
	return &actions.Refusal{
		What: fmt.Sprintf("making version %s of %s current", Short(to), p.name),
		Why:  fmt.Sprintf("AWSCURRENT is on version %s and no longer on %s", Short(s.Current), Short(from)),
		Next: "find out who moved it, then plan again",
	}
}

func (p *awsPlace) Demote(ctx context.Context, from, to string) error {
	s, err := p.Look(ctx)
	if err != nil {
		return err
	}
	switch s.Current {
	case to:
		return nil
	case from:
		return p.move(ctx, fmt.Sprintf("move AWSCURRENT of %s back to version %s", p.name, Short(to)), current, from, to)
	}
	return p.moved(s, from, to)
}

func (p *awsPlace) Promoted(_ context.Context, s State, _, to string) (bool, error) {
	return s.Current == to, nil
}

func (p *awsPlace) Restored(_ context.Context, s State, to string) (bool, error) {
	return s.Current == to, nil
}

func (p *awsPlace) Drop(ctx context.Context, version, claim string) error {
	s, err := p.Look(ctx)
	if err != nil {
		return err
	}
	for _, label := range []string{pending, claimMark + claim} {
		if label == claimMark || !slices.Contains(s.Stages[version], label) {
			continue
		}
		if err := p.move(ctx, fmt.Sprintf("take %s from version %s of %s", label, Short(version), p.name), label, version, ""); err != nil {
			return err
		}
	}
	return nil
}

func (p *awsPlace) Calls(method string, s State, version string) []string {
	stage := func(rest string) string { return "secretsmanager:UpdateSecretVersionStage " + p.id + " " + rest }
	switch method {
	case "put":
		return []string{
			"secretsmanager:PutSecretValue " + p.id + " ClientRequestToken=" + version + " VersionStages=AWSPENDING",
			"secretsmanager:TagResource " + p.id + " " + holderTag,
		}
	case "promote":
		return []string{stage("AWSCURRENT MoveToVersionId=" + version + " RemoveFromVersionId=" + s.Current)}
	case "drop":
		return []string{stage("AWSPENDING RemoveFromVersionId=" + version), "secretsmanager:UntagResource " + p.id + " " + holderTag}
	case "cancel":
		return []string{"secretsmanager:CancelRotateSecret " + p.id}
	case "resume":
		return []string{"secretsmanager:RotateSecret " + p.id + " RotateImmediately=false"}
	case "rotate":
		return []string{"secretsmanager:RotateSecret " + p.id + " ClientRequestToken=" + version}
	}
	return nil
}
