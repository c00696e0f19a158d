package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/vault/api"

	"warroom/internal/estate"
)

// VaultScope says which namespace a path of Vault is read in.
type VaultScope uint8

// The scopes. The system paths on the cluster itself exist in the root namespace
// only.
const (
	VaultNamespace VaultScope = iota // the configured one
	VaultRoot
)

// VaultAnswer is one answer of a Vault that was asked about itself.
type VaultAnswer struct {
	Code       int // HTTP status; on sys/health it says the state as well, less well than the body
	Body       []byte
	Sent, Came time.Time // by our clock
}

// Ask reads one of the paths under sys/ that Vault answers to anybody, in the root
// namespace, and brings what it says under any status; a token is shown if there
// is a usable one, because some answers say more then. The error is an
// *estate.Failure and tells that no answer in JSON came.
func (v *Vault) Ask(ctx context.Context, path string) (VaultAnswer, error) {
	doing := v.doing("read", path)
	client, err := v.session(VaultRoot, true)
	if err != nil {
		return VaultAnswer{}, v.set.Failure(err, doing)
	}
	a := VaultAnswer{Sent: time.Now()}
	var sent string
	res, err := vaultGet(context.WithValue(ctx, sentKey{}, &sent), client, path, nil)
	a.Came = time.Now()
	if res == nil || res.Response == nil {
		return a, v.sentOn(v.set.Failure(err, doing), sent)
	}
	defer func() { _ = res.Body.Close() }()
	var said *api.ResponseError
	if err != nil && (!errors.As(err, &said) || said.RawError) {
		return a, v.set.Failure(err, doing)
	}
	a.Code = res.StatusCode
	if a.Body, err = io.ReadAll(res.Body); err != nil {
		return a, v.set.Failure(err, doing)
	}
	return a, nil
}

// Refusal is the failure for an answer that does not say what it was asked for.
func (v *Vault) Refusal(ctx context.Context, a VaultAnswer, path string) *estate.Failure {
	said := &api.ResponseError{StatusCode: a.Code}
	var body api.ErrorResponse
	if err := json.Unmarshal(a.Body, &body); err != nil || a.Code < 300 {
		said.RawError = true
	}
	said.Errors = body.Errors
	return v.bare(ctx, v.set.Failure(said, v.doing("read", path)))
}

// Read decodes the data of the answer to a read into out, whose fields decide what
// is kept of it. The error is an *estate.Failure: Denied is told from NoIdentity
// by asking for the token itself, and Missing is an answer of Vault's own.
func (v *Vault) Read(ctx context.Context, scope VaultScope, path string, out any) error {
	return v.fetch(ctx, scope, path, nil, "read", intoData(out))
}

// readWith is Read in the configured namespace with parameters.
func (v *Vault) readWith(ctx context.Context, path string, params map[string][]string, out any) error {
	return v.fetch(ctx, VaultNamespace, path, params, "read", intoData(out))
}

// intoData decodes the data of an answer into out.
func intoData(out any) func([]byte) error {
	return func(body []byte) error {
		var frame struct{ Data json.RawMessage }
		if err := json.Unmarshal(body, &frame); err != nil {
			return err
		}
		if len(frame.Data) == 0 || string(frame.Data) == "null" {
			return &estate.Failure{Kind: estate.BadAnswer, Detail: "the answer lacks its data", Next: "check what listens at this address"}
		}
		return json.Unmarshal(frame.Data, out)
	}
}

// List brings the names under a path, folders with a slash at their end. Vault
// knows no empty folder: what does not exist lists as nothing.
func (v *Vault) List(ctx context.Context, path string) ([]string, error) {
	var names []string
	err := v.fetch(ctx, VaultNamespace, path, map[string][]string{"list": {"true"}}, "list", func(body []byte) error {
		var frame struct {
			Data struct{ Keys *[]string }
		}
		if err := json.Unmarshal(body, &frame); err != nil {
			return err
		}
		if frame.Data.Keys == nil {
			return &estate.Failure{Kind: estate.BadAnswer, Detail: "the answer lacks the keys", Next: "check what listens at this address"}
		}
		names = *frame.Data.Keys
		return nil
	})
	var f *estate.Failure
	if errors.As(err, &f) && f.Kind == estate.Missing && f.Detail == vaultNothing {
		return nil, nil
	}
	return names, err
}

// vaultNothing is how Vault answers for what is not there: with no words.
const vaultNothing = "HTTP 404"

// fetch makes a read or a list, which are the names of the capabilities they need.
func (v *Vault) fetch(ctx context.Context, scope VaultScope, path string, params map[string][]string, what string, take func([]byte) error) error {
	doing := v.doing(what, path)
	client, err := v.session(scope, false)
	if err != nil {
		return v.set.Failure(err, doing)
	}
	var sent string
	res, err := vaultGet(context.WithValue(ctx, sentKey{}, &sent), client, path, params)
	if res != nil && res.Response != nil {
		defer func() { _ = res.Body.Close() }()
	}
	var kept *NotPermitted
	if errors.As(err, &kept) {
		return kept
	}
	if err != nil {
		f := v.bare(ctx, v.judge(ctx, client, err, doing))
		v.sentOn(f, sent)
		if f.Kind == estate.Denied {
			f.Next = v.set.Text(fmt.Sprintf("give the token's policy path %q { capabilities = [%q] }", path, what), DetailLimit) + f.Next
		}
		return f
	}
	body, err := io.ReadAll(res.Body)
	if err == nil {
		err = take(body)
	}
	if err != nil {
		return v.set.Failure(err, doing)
	}
	return nil
}

// sentOn says of a failure that it is not this node's where it sent us on to another.
func (v *Vault) sentOn(f *estate.Failure, to string) *estate.Failure {
	if to != "" && (f.Kind == estate.Refused || f.Kind == estate.Silent || f.Kind == estate.Unresolved) {
		f.Detail = v.set.Text(fmt.Sprintf("this standby sends us to the active node at %s: %s: %s", to, f.Kind, f.Detail), DetailLimit)
		f.Kind, f.Next = estate.OutOfReach, "see whether the active node runs, and whether its api_addr can be reached from here"
	}
	return f
}

// vaultGet brings the answer under any status; beside one that is an error it brings
// an *api.ResponseError too.
func vaultGet(ctx context.Context, client *api.Client, path string, params map[string][]string) (*api.Response, error) {
	return client.Logical().ReadRawWithDataWithContext(ctx, path, params)
}

func (v *Vault) doing(what, path string) string {
	return fmt.Sprintf("%s %s of Vault cluster %s", what, v.set.Text(path, DetailLimit), v.cluster.Name) // a path has names of theirs
}

// Text makes words of this Vault fit to be kept.
func (v *Vault) Text(text string, limit int) string { return v.set.Text(text, limit) }

// tokenTrust is how long it is believed what Vault said of a token.
const tokenTrust = 30 * time.Second

// tokenState is what Vault says of a token.
type tokenState struct {
	token estate.Secret
	at    time.Time
	valid bool // it looked itself up
	wrong bool // Vault said that it is none
}

// judge classifies an error of a read that needs a token. Vault refuses a wrong
// token and a missing permission with the same 403, and old versions with the same
// words.
func (v *Vault) judge(ctx context.Context, client *api.Client, err error, doing string) *estate.Failure {
	f := v.set.Failure(err, doing)
	if f.Kind != estate.Denied {
		return f
	}
	if client.Token() == "" {
		f.Kind, f.Next = estate.NoIdentity, nextVaultToken
		f.Detail = "there is no token; " + f.Detail
		return f
	}
	f.Next = ""
	switch state := v.ofToken(ctx, client); {
	case state.wrong:
		f.Kind, f.Next = estate.NoIdentity, nextVaultToken
		f.Detail += "; the token is not valid"
	case !state.valid:
		f.Next = "; whether the token is valid could not be read"
	}
	return f
}

// ofToken asks what the client's token is, or remembers it.
func (v *Vault) ofToken(ctx context.Context, client *api.Client) tokenState {
	select {
	case v.looking <- struct{}{}:
		defer func() { <-v.looking }()
	case <-ctx.Done():
		return tokenState{}
	}
	token := client.Token()
	if s := v.known; s.token.Reveal() == token && time.Since(s.at) < tokenTrust {
		return s
	}
	res, err := vaultGet(ctx, client, VaultLookupSelf, nil)
	if res != nil && res.Response != nil {
		_ = res.Body.Close()
	}
	state := tokenState{token: estate.NewSecret(token), at: time.Now(), valid: err == nil}
	if err != nil {
		f := v.set.Failure(err, "")
		state.wrong = f.Kind == estate.NoIdentity
		if !state.wrong && f.Kind != estate.Denied {
			return state // Vault did not say: ask again next time
		}
	}
	v.known = state
	return state
}

// VaultLookupSelf is the path at which a token reads about itself.
const VaultLookupSelf = "auth/token/lookup-self"
