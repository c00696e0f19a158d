package clients

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/redact"
)

// Set is every connection of one estate. It is safe for concurrent use.
type Set struct {
	cfg        *config.Config
	acting     bool // made by NewActing
	net        redact.Net
	aws        map[string]*AWS
	vault      map[string]*Vault
	kubernetes map[string]*Kubernetes
	keeper     map[string]keeper // who keeps a watched secret, by how the estate calls it
	stored     storedValues
	large      turns // to read a large HTTP answer

	mu      sync.Mutex
	closers []func()
	web     map[trust]*HTTP          // by what is trusted, made when first asked for
	systemd map[string]*Systemd      // by bus, made when first asked for
	trails  map[string]*rate.Limiter // of the event histories of CloudTrail, by account and region
}

// keeper is where a stored secret is kept.
type keeper struct {
	account string // of AWS
	cluster string // of Vault, in place of an account
	name    string // of the secret, in that account or cluster
}

// defaultLimit bounds a call where no timeout is configured.
const defaultLimit = 5 * time.Second

// New prepares the connections that cfg names. It opens nothing and cannot fail:
// what is wrong with a connection shows when it is used.
func New(cfg *config.Config) *Set { return makeSet(cfg, false) }

func makeSet(cfg *config.Config, acting bool) *Set {
	s := &Set{cfg: cfg, acting: acting, aws: map[string]*AWS{}, vault: map[string]*Vault{}, kubernetes: map[string]*Kubernetes{}, keeper: map[string]keeper{}, web: map[trust]*HTTP{}, large: make(turns, largeAnswers)}
	ctx, end := context.WithCancel(context.Background())
	s.closers = append(s.closers, end)
	s.stored = storedValues{fetch: s.fetchStored, now: time.Now, limit: cfg.Checks.Timeout, ctx: ctx, entries: map[storedKey]*storedEntry{}}
	if s.stored.limit <= 0 {
		s.stored.limit = defaultLimit
	}
	for i := range cfg.Components {
		if m := cfg.Components[i].SecretsManager; m != nil {
			for _, secret := range m.Secrets {
				s.keeper[secret.Called()] = keeper{account: m.Account, name: secret.ID}
			}
		}
		if v := cfg.Components[i].Vault; v != nil {
			for _, secret := range v.Secrets {
				s.keeper[secret.Called()] = keeper{cluster: v.Cluster, name: secret.ID}
			}
		}
	}
	for _, account := range cfg.AWS {
		s.aws[account.Name] = newAWS(s, account)
	}
	for _, cluster := range cfg.Vaults {
		s.vault[cluster.Name] = newVault(s, cluster, cfg.Checks.Timeout)
	}
	for _, cluster := range cfg.Kubernetes {
		s.kubernetes[cluster.Name] = &Kubernetes{set: s, cluster: cluster}
	}
	return s
}

// AWS returns the AWS account that warroom.yaml calls name.
func (s *Set) AWS(name string) (*AWS, error) {
	return named(s.aws, name, "AWS account", "aws")
}

// Vault returns the Vault cluster that warroom.yaml calls name.
func (s *Set) Vault(name string) (*Vault, error) {
	return named(s.vault, name, "Vault cluster", "vaults")
}

// Kubernetes returns the Kubernetes cluster that warroom.yaml calls name.
func (s *Set) Kubernetes(name string) (*Kubernetes, error) {
	return named(s.kubernetes, name, "Kubernetes cluster", "kubernetes")
}

func named[T any](all map[string]*T, name, what, where string) (*T, error) {
	if one, ok := all[name]; ok {
		return one, nil
	}
	return nil, &estate.Failure{
		Kind:   estate.Misconfigure,
		Doing:  fmt.Sprintf("use %s %q", what, name),
		Detail: "warroom.yaml has none of that name",
		Next:   "add it under " + where,
	}
}

// Net knows the secret values that were read through the Set.
func (s *Set) Net() *redact.Net { return &s.net }

// Text makes remote text fit to be kept: scrubbed of the values that were read,
// stripped, and at most limit runes.
func (s *Set) Text(text string, limit int) string {
	text = s.net.Scrub(text)
	// What a control sequence had split is whole only now; what is cut off must
	// not leave the beginning of a value behind.
	whole := Strip(text, len(text)+1)
	// A copy, because the text may be part of a large answer.
	return strings.Clone(Strip(s.net.Scrub(whole), limit))
}

// Failure is Classify with the words of the failure scrubbed of the values that
// were read.
func (s *Set) Failure(err error, doing string) *estate.Failure {
	f := classify(err, doing, s.Text)
	if f != nil {
		f.Doing, f.Next = s.net.Scrub(f.Doing), s.net.Scrub(f.Next)
	}
	return f
}

// Close gives back idle connections. Reads under way end with their contexts.
func (s *Set) Close() {
	s.mu.Lock()
	closers := s.closers
	s.closers = nil
	s.mu.Unlock()
	for _, end := range closers {
		end()
	}
}

// onClose has end called by Close.
func (s *Set) onClose(end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closers = append(s.closers, end)
}
