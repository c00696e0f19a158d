package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/hashicorp/vault/api"

	"warroom/internal/estate"
)

// Write sends body to a path in the configured namespace, and decodes the data of the
// answer into out where it is not nil: an answer without data leaves it as it is. It
// is sent once. The error is an *estate.Failure; it never quotes body.
func (v *Vault) Write(ctx context.Context, path string, body map[string]any, out any) error {
	return v.change(ctx, VaultNamespace, http.MethodPut, "update", path, body, out)
}

// WriteRoot is Write in the root namespace, where sys/ paths of the cluster itself
// are.
func (v *Vault) WriteRoot(ctx context.Context, path string, body map[string]any, out any) error {
	return v.change(ctx, VaultRoot, http.MethodPut, "update", path, body, out)
}

// Delete deletes what is at a path in the configured namespace.
func (v *Vault) Delete(ctx context.Context, path string) error {
	return v.change(ctx, VaultNamespace, http.MethodDelete, "delete", path, nil, nil)
}

// change sends one request that changes something.
func (v *Vault) change(ctx context.Context, scope VaultScope, method, capability, path string, body map[string]any, out any) error {
	doing := v.doing(map[string]string{http.MethodDelete: "delete"}[method], path)
	if method != http.MethodDelete {
		doing = v.doing("write", path)
	}
	client, err := v.session(scope, scope == VaultRoot)
	if err != nil {
		return v.set.Failure(err, doing)
	}
	var sent string
	ctx = context.WithValue(ctx, sentKey{}, &sent)
	var res *api.Response
	switch {
	case method == http.MethodDelete:
		res, err = client.Logical().DeleteRawWithContext(ctx, path)
	default:
		var raw []byte
		if raw, err = json.Marshal(revealed(body)); err != nil {
			return &estate.Failure{Kind: estate.Broken, Doing: doing, Detail: "what was to be written is no JSON"}
		}
		// Not WriteRawWithContext: it ends the request's context when it returns, and
		// the answer with it, which is read only then.
		req := client.NewRequest(http.MethodPut, "/v1/"+path)
		req.BodyBytes = raw
		//lint:ignore SA1019 every other way ends the context too early, or parses the answer
		res, err = client.RawRequestWithContext(ctx, req)
	}
	if res != nil && res.Response != nil {
		defer func() { _ = res.Body.Close() }()
	}
	if err != nil {
		return v.changeFailed(ctx, client, err, doing, capability, path, sent)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return v.set.Failure(err, doing)
	}
	return v.decode(data, doing, out)
}

// decode takes the data of an answer that need not have any.
func (v *Vault) decode(data []byte, doing string, out any) error {
	if out == nil || len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	var frame struct{ Data json.RawMessage }
	err := json.Unmarshal(data, &frame)
	if err == nil && len(frame.Data) > 0 {
		err = json.Unmarshal(frame.Data, out)
	} else if err == nil {
		err = json.Unmarshal(data, out) // some paths below sys/ have no frame
	}
	if err != nil {
		// The parser's words could quote what a value is part of.
		return &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "the answer cannot be read", Next: "check what listens at this address"}
	}
	return nil
}

func (v *Vault) changeFailed(ctx context.Context, client *api.Client, err error, doing, capability, path, sent string) error {
	var kept *NotPermitted
	if errors.As(err, &kept) {
		return kept
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return context.Canceled
	}
	f := v.bare(ctx, v.judge(ctx, client, err, doing))
	v.sentOn(f, sent)
	if f.Kind == estate.Denied {
		f.Next = v.set.Text(fmt.Sprintf("give the token's policy path %q { capabilities = [%q] }", path, capability), DetailLimit) + f.Next
	}
	return f
}

// revealed is a body with the values of its secrets in place of them.
func revealed(body any) any {
	switch b := body.(type) {
	case estate.Secret:
		return b.Reveal()
	case map[string]estate.Secret:
		out := make(map[string]any, len(b))
		for k, one := range b {
			out[k] = one.Reveal()
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(b))
		for k, one := range b {
			out[k] = revealed(one)
		}
		return out
	case []any:
		out := make([]any, len(b))
		for i, one := range b {
			out[i] = revealed(one)
		}
		return out
	}
	return body
}
