package apikey

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"warroom/internal/estate"
)

// about is what a call to a provider is about.
type about struct {
	key  estate.Secret
	id   string // the provider's id of the key
	name string // of the rotation
}

// fields gives a field of a stored secret.
type fields func(ctx context.Context, secret, field string) (estate.Secret, error)

// place is one ${…} of a template.
var place = regexp.MustCompile(`\$\{([^{}]*)\}`)

// How a filled-in value is written where it stands.
type escaping func(string) string

func plainly(s string) string { return s }

// asJSON writes a text as it stands between the quotes of a JSON string.
func asJSON(s string) string {
	raw, err := json.Marshal(s)
	if err != nil || len(raw) < 2 {
		return ""
	}
	return string(raw[1 : len(raw)-1])
}

// bodyEscaping tells how values stand in a body, by what the body is.
func bodyEscaping(body, contentType string) escaping {
	switch bare := strings.TrimSpace(body); {
	case strings.Contains(contentType, "x-www-form-urlencoded"):
		return url.QueryEscape
	case strings.Contains(contentType, "json"), strings.HasPrefix(bare, "{"), strings.HasPrefix(bare, "["):
		return asJSON
	}
	return plainly
}

// fill writes a template out. Values may stand in it only where values is not nil;
// what is filled in is escaped. The error is an *estate.Failure that holds no value.
func fill(ctx context.Context, template, where string, a about, values fields, escape escaping) (estate.Secret, error) {
	var failed error
	out := place.ReplaceAllStringFunc(template, func(found string) string {
		if failed != nil {
			return ""
		}
		text, err := filled(ctx, found[2:len(found)-1], where, a, values)
		if err != nil {
			failed = err
			return ""
		}
		return escape(text)
	})
	if failed != nil {
		return estate.Secret{}, failed
	}
	return estate.NewSecret(out), nil
}

// filled is what stands for one place of a template.
func filled(ctx context.Context, name, where string, a about, values fields) (string, error) {
	wrong := func(detail, next string) error {
		return &estate.Failure{Kind: estate.Misconfigure, Doing: "fill in ${" + name + "} in " + where, Detail: detail, Next: next}
	}
	switch {
	case name == "key_id" && a.id == "":
		return "", wrong("the provider's id of the key is not known", "store it in the secret under id_field, or configure list")
	case name == "key_id":
		return a.id, nil
	case name == "name" && a.name == "":
		return "", wrong("this call has no name of a rotation", "take it out of the template")
	case name == "name":
		return a.name, nil
	}
	secret, isSecret := strings.CutPrefix(name, "secret:")
	switch {
	case name != "key" && !isSecret:
		return "", wrong("there is no such thing to fill in", "use ${secret:ID:FIELD}, ${key}, ${key_id} or ${name}")
	case values == nil:
		return "", wrong("a value may stand in headers and in the body only", "move it there")
	case name == "key" && a.key.Empty():
		return "", wrong("this call is about no key whose value is known", "take it out of the template")
	case name == "key":
		return a.key.Reveal(), nil
	}
	at := strings.LastIndex(secret, ":")
	if at <= 0 || at == len(secret)-1 {
		return "", wrong("it names no secret and field", "write ${secret:ID:FIELD}")
	}
	value, err := values(ctx, secret[:at], secret[at+1:])
	if err != nil {
		return "", fmt.Errorf("fill in %s: %w", where, err)
	}
	return value.Reveal(), nil
}

// address writes out a URL: ids and names are escaped, values cannot stand in it.
func address(ctx context.Context, template, where string, a about) (string, error) {
	out, err := fill(ctx, template, where, a, nil, url.PathEscape)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(out.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return "", &estate.Failure{Kind: estate.Misconfigure, Doing: "make the URL of " + where, Detail: "it is not a URL, or has a password in it", Next: "correct it in warroom.yaml"}
	}
	return out.Reveal(), nil
}
