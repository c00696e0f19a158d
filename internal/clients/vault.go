package clients

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/vault/api"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// Vault is one Vault cluster. Its client follows Vault's own environment
// variables where warroom.yaml leaves something out.
type Vault struct {
	set     *Set
	cluster config.VaultCluster
	limit   time.Duration

	mu     sync.Mutex
	client *api.Client // never used itself: its copies are

	looking chan struct{} // holds one while known is used
	known   tokenState
}

func newVault(set *Set, cluster config.VaultCluster, limit time.Duration) *Vault {
	return &Vault{set: set, cluster: cluster, limit: limit, looking: make(chan struct{}, 1)}
}

// Client returns the cluster's client with the token as it is now: a token file
// is read at every call, so that a renewed token is taken up. A cluster without
// a token has a client all the same, for what Vault says to anybody. It never
// retries by itself.
func (v *Vault) Client() (*api.Client, error) { return v.session(VaultNamespace, false) }

// session is a client for one scope with the token as it is now, of its own, so
// that a read under way keeps the token with which it began. With anyway, a token
// that cannot be had is left out.
func (v *Vault) session(scope VaultScope, anyway bool) (*api.Client, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.client == nil {
		client, err := v.connect()
		if err != nil {
			return nil, err
		}
		v.client = client
	}
	token, err := v.token()
	if err != nil {
		if !anyway {
			return nil, err
		}
		token = estate.Secret{}
	}
	v.set.net.Register(token.Reveal())
	namespace := ""
	if scope == VaultNamespace {
		namespace = v.client.Namespace()
	}
	client := v.client.WithNamespace(namespace)
	client.SetToken(token.Reveal())
	return client, nil
}

func (v *Vault) connect() (*api.Client, error) {
	bad := func(err error) error {
		return &estate.Failure{
			Kind: estate.Misconfigure, Doing: "set up the client of Vault cluster " + v.cluster.Name,
			Detail: Strip(err.Error(), DetailLimit), Next: "correct the cluster under vaults in warroom.yaml, or the VAULT_ variables",
		}
	}
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return nil, bad(cfg.Error)
	}
	cfg.MaxRetries = 0
	if v.limit > 0 {
		cfg.Timeout = v.limit
	}
	if v.cluster.Address != "" {
		cfg.Address = v.cluster.Address
	}
	if v.cluster.CACert != "" {
		if err := cfg.ConfigureTLS(&api.TLSConfig{CACert: v.cluster.CACert}); err != nil {
			return nil, bad(err)
		}
	}
	transport, ok := cfg.HttpClient.Transport.(*http.Transport)
	if !ok {
		return nil, bad(fmt.Errorf("unexpected HTTP transport %T", cfg.HttpClient.Transport))
	}
	// VAULT_SKIP_VERIFY is not honoured: a token shown to whoever answers is lost.
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport.TLSClientConfig.InsecureSkipVerify = false
	transport.MaxResponseHeaderBytes = headerLimit
	transport.DisableCompression = true
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, bad(err)
	}
	if to, err := url.Parse(client.Address()); err == nil {
		if f := inClear(to); f != nil {
			return nil, f
		}
	}
	cfg.HttpClient.Transport = &boundedTransport{base: transport, call: v.call}
	v.set.onClose(transport.CloseIdleConnections)
	if v.cluster.Namespace != "" {
		client.SetNamespace(v.cluster.Namespace)
	}
	client.AddHeader("User-Agent", v.set.agent())
	// VAULT_WRAP_TTL would have answers wrapped, and unwrapping one writes.
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	return client, nil
}

// token is the configured file's, else VAULT_TOKEN, else that of ~/.vault-token,
// which vault login writes; empty if there is none.
func (v *Vault) token() (estate.Secret, error) {
	token, err := v.storedToken()
	if strings.ContainsFunc(token.Reveal(), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return estate.Secret{}, &estate.Failure{
			Kind: estate.NoIdentity, Doing: "read the token of Vault cluster " + v.cluster.Name, Detail: "it holds characters that no token has",
			Next: nextVaultToken,
		}
	}
	return token, err
}

func (v *Vault) storedToken() (estate.Secret, error) {
	path := v.cluster.TokenFile
	if path == "" {
		if token := os.Getenv(api.EnvVaultToken); token != "" {
			return estate.NewSecret(token), nil
		}
		home, err := os.UserHomeDir()
		if err != nil {
			return estate.Secret{}, nil
		}
		path = filepath.Join(home, ".vault-token")
	}
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		return estate.NewSecret(strings.TrimSpace(string(raw))), nil
	case v.cluster.TokenFile == "" && errors.Is(err, fs.ErrNotExist):
		return estate.Secret{}, nil
	}
	return estate.Secret{}, &estate.Failure{
		Kind: estate.NoIdentity, Doing: "read the token of Vault cluster " + v.cluster.Name, Detail: Strip(err.Error(), DetailLimit),
		Next: "correct token_file in warroom.yaml, or log in to Vault",
	}
}

// vaultBody bounds one answer of Vault; a list of leases is the largest.
const vaultBody = 4 << 20

// sentKey marks the context of a request with where to tell that it was sent on: a
// standby that cannot pass it to the active node itself names that node's address.
type sentKey struct{}

// boundedTransport bounds what is read of an answer.
type boundedTransport struct {
	base  *http.Transport
	call  func(*http.Request) Call
	first firstConnection
}

// inClear refuses to talk to a Vault where anybody on the way could read the token.
// The file of a socket has an address on this machine.
func inClear(to *url.URL) *estate.Failure {
	if to.Scheme != "http" || loopback(to.Hostname()) {
		return nil
	}
	return &estate.Failure{
		Kind: estate.Misconfigure, Doing: "send the token to " + Strip(to.Host, 120), Detail: "not sent over http, where it travels in clear",
		Next: "set an https URL: address in warroom.yaml, or VAULT_ADDR",
	}
}

func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if f := inClear(req.URL); f != nil { // a standby can send us elsewhere
		return nil, f
	}
	res, err := around(req, t.call(req), func() (*http.Response, error) { return t.first.roundTrip(t.base, req) })
	if err == nil {
		err = final(res)
	}
	if err != nil {
		return nil, err
	}
	if sent, ok := req.Context().Value(sentKey{}).(*string); ok {
		if to, err := res.Location(); err == nil {
			*sent = to.Host
		}
	}
	res.Body = newBoundedBody(req.Context(), res.Body, bodyLimits{bytes: vaultBody, free: vaultBody, nests: 100_000, parts: 500_000}, nil)
	if req.Method == http.MethodGet {
		return res, nil
	}
	// The library ends the context of a write before it hands the answer on, and with
	// it what of the body has not come by then.
	data, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(data))
	return res, nil
}
