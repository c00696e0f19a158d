package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/estate"
)

// Version reads one version of a secret by its id, whatever labels it carries. Its
// error is an *estate.Failure, of kind Missing where there is no such version. The
// value is known to the Set's redact.Net when it returns.
func (a *AWS) Version(ctx context.Context, secretID, versionID string) (Value, error) {
	doing := fmt.Sprintf("read version %s of secret %s in %s", Strip(versionID, 64), secretID, a.Place())
	services, err := a.Services(ctx)
	if err != nil {
		return Value{}, a.Failure(err, doing)
	}
	out, err := services.SecretsManager.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(secretID), VersionId: aws.String(versionID),
	})
	if err != nil {
		return Value{}, a.Failure(err, doing)
	}
	return a.valueOf(secretID, doing, out)
}

// With is the value with fields of its JSON object replaced, or added at its end
// where it lacks them; everything else stays as it is, to the byte. Its error is an
// *estate.Failure of kind BadSecret that quotes nothing.
func (v Value) With(fields map[string]estate.Secret) (estate.Secret, error) {
	text, err := v.Text()
	if err != nil {
		return estate.Secret{}, err
	}
	bad := v.unusable("it is not a JSON object", "store an object")
	raw := text.Reveal()
	dec := json.NewDecoder(strings.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return estate.Secret{}, bad
	}
	var out strings.Builder
	done, members := map[string]bool{}, 0
	at := 0 // up to where raw is in out
	for ; dec.More(); members++ {
		key, err := dec.Token()
		if err != nil {
			return estate.Secret{}, bad
		}
		name, ok := key.(string)
		if !ok {
			return estate.Secret{}, bad
		}
		var old json.RawMessage
		if err := dec.Decode(&old); err != nil {
			return estate.Secret{}, bad
		}
		value, replace := fields[name]
		if !replace {
			continue
		}
		end := int(dec.InputOffset())
		out.WriteString(raw[at : end-len(old)])
		out.WriteString(quoteJSON(value.Reveal()))
		at, done[name] = end, true
	}
	closing := int(dec.InputOffset())
	if end, err := dec.Token(); err != nil || end != json.Delim('}') {
		return estate.Secret{}, bad
	}
	if _, err := dec.Token(); err == nil {
		return estate.Secret{}, bad // something follows the object
	}
	out.WriteString(raw[at:closing])
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if done[name] {
			continue
		}
		if members > 0 {
			out.WriteString(",")
		}
		out.WriteString(quoteJSON(name) + ":" + quoteJSON(fields[name].Reveal()))
		members++
	}
	out.WriteString(raw[closing:])
	whole := out.String()
	// The object that was made is the one that was meant, or it is not handed out.
	var check map[string]json.RawMessage
	if json.Unmarshal([]byte(whole), &check) != nil {
		return estate.Secret{}, bad
	}
	for name, want := range fields {
		var got string
		if json.Unmarshal(check[name], &got) != nil || got != want.Reveal() {
			return estate.Secret{}, v.unusable(fmt.Sprintf("the key %q cannot be replaced in it", name), "store an object in which each key stands once")
		}
	}
	return estate.NewSecret(whole), nil
}

// quoteJSON is a text as JSON, without the escapes that are for HTML alone.
func quoteJSON(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // a text is never refused
	}
	return strings.TrimSuffix(b.String(), "\n")
}
