package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/estate"
)

// Value is one version of a stored secret. What it is worth to its users is
// found out by Text and Field.
type Value struct {
	SecretID  string
	VersionID string
	Stages    []estate.Stage
	Created   time.Time

	text   estate.Secret
	binary bool
}

// NoVersionError says that a secret exists but has no value under a staging
// label: no version carries the label, or (with Version) the one that does is
// empty, as a rotation leaves it that died before it stored a password.
type NoVersionError struct {
	SecretID string
	Stage    estate.Stage
	Version  string
}

// Error says which of the two it is.
func (e *NoVersionError) Error() string {
	if e.Version != "" {
		return fmt.Sprintf("version %s of %s carries %s and holds no value", e.Version, e.SecretID, e.Stage)
	}
	return fmt.Sprintf("no version of %s carries %s", e.SecretID, e.Stage)
}

// Unwrap makes it a failure of kind Missing to Classify.
func (e *NoVersionError) Unwrap() error {
	return &estate.Failure{
		Kind: estate.Missing, Doing: fmt.Sprintf("read the %s value of secret %s", e.Stage, e.SecretID), Detail: e.Error(),
	}
}

// Value reads the version of a secret that carries a staging label. Its error is
// a *NoVersionError where the secret exists without such a version, else an
// *estate.Failure. The value is known to the Set's redact.Net when it returns.
func (a *AWS) Value(ctx context.Context, secretID string, stage estate.Stage) (Value, error) {
	// Between rotations there is no pending version, and of a new secret no earlier
	// one. The check of the secret reads its description at the same time.
	if stage != estate.StageCurrent && a.lacks(ctx, secretID, stage) {
		return Value{}, &NoVersionError{SecretID: secretID, Stage: stage}
	}
	return a.FreshValue(ctx, secretID, stage)
}

// FreshValue is Value without a look at what was read of the secret a moment ago.
func (a *AWS) FreshValue(ctx context.Context, secretID string, stage estate.Stage) (Value, error) {
	doing := fmt.Sprintf("read the %s value of secret %s in %s", stage, secretID, a.Place())
	services, err := a.Services(ctx)
	if err != nil {
		return Value{}, a.Failure(err, doing)
	}
	// The label is always named: without it, not every server follows a label
	// that was moved.
	out, err := services.SecretsManager.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(secretID), VersionStage: aws.String(string(stage)),
	})
	if err != nil {
		failure := a.Failure(err, doing)
		if failure.Kind == estate.Missing {
			return Value{}, a.missing(ctx, services, secretID, stage, failure)
		}
		if errors.Is(err, context.Canceled) {
			return Value{}, context.Canceled
		}
		return Value{}, failure
	}
	return a.valueOf(secretID, doing, out)
}

// valueOf makes a Value of an answer, and its secrets known.
func (a *AWS) valueOf(secretID, doing string, out *secretsmanager.GetSecretValueOutput) (Value, error) {
	if aws.ToString(out.VersionId) == "" {
		return Value{}, &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "the answer names no version", Next: "check what listens at this address"}
	}
	v := Value{
		SecretID:  secretID,
		VersionID: Strip(*out.VersionId, 64),
		Created:   aws.ToTime(out.CreatedDate),
	}
	for _, s := range out.VersionStages {
		v.Stages = append(v.Stages, estate.Stage(Strip(s, 256)))
	}
	switch {
	case out.SecretString != nil:
		v.text = estate.NewSecret(*out.SecretString)
		a.set.register(*out.SecretString)
	case out.SecretBinary != nil:
		v.binary = true
		v.text = estate.NewSecret(string(out.SecretBinary))
		a.set.net.Register(string(out.SecretBinary))
	}
	return v, nil
}

// missing tells a label without a version, and a version without a value, from a
// secret that does not exist.
func (a *AWS) missing(ctx context.Context, services *AWSServices, secretID string, stage estate.Stage, failure *estate.Failure) error {
	out, err := services.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretID)})
	if err != nil {
		// We may not ask, or got no answer: the words have to do. They name the
		// label only when it is the label that is missing.
		if a.Failure(err, "").Kind != estate.Missing && strings.Contains(failure.Detail, "staging label") {
			return &NoVersionError{SecretID: secretID, Stage: stage}
		}
		return failure
	}
	if out.DeletedDate != nil {
		return failure
	}
	absent := &NoVersionError{SecretID: secretID, Stage: stage}
	for id, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, string(stage)) {
			absent.Version = Strip(id, 64)
		}
	}
	return absent
}

// Text is the whole value. Its error is an *estate.Failure of kind BadSecret for
// a value that is binary or empty.
func (v Value) Text() (estate.Secret, error) {
	switch {
	case v.binary:
		return estate.Secret{}, v.unusable("it is binary", "store it as text")
	case strings.TrimSpace(v.text.Reveal()) == "":
		return estate.Secret{}, v.unusable("it is empty", "store a value")
	case !utf8.ValidString(v.text.Reveal()):
		return estate.Secret{}, v.unusable("it is not valid UTF-8", "store it as text")
	}
	return v.text, nil
}

// Field is one string of a value that is a JSON object. Its error is an
// *estate.Failure of kind BadSecret that never quotes the value.
func (v Value) Field(name string) (estate.Secret, error) {
	text, err := v.Text()
	if err != nil {
		return estate.Secret{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text.Reveal()), &fields); err != nil || fields == nil {
		return estate.Secret{}, v.unusable("it is not a JSON object", fmt.Sprintf("store an object with the key %q", name))
	}
	raw, ok := fields[name]
	if !ok {
		return estate.Secret{}, v.unusable(fmt.Sprintf("it has no key %q", name), "add the key, or name another in warroom.yaml")
	}
	var value string
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return estate.Secret{}, v.unusable(fmt.Sprintf("its key %q is not a string", name), "store it as a string")
	}
	if value == "" {
		return estate.Secret{}, v.unusable(fmt.Sprintf("its key %q is empty", name), "store a value")
	}
	return estate.NewSecret(value), nil
}

func (v Value) unusable(detail, next string) *estate.Failure {
	return &estate.Failure{
		Kind: estate.BadSecret, Doing: fmt.Sprintf("use version %s of secret %s", v.VersionID, v.SecretID), Detail: detail, Next: next,
	}
}
