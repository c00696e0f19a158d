// Package discover looks around for warroom init: which secrets AWS keeps and what
// rotates them, whether there is a Vault, which Kubernetes workloads consume
// secrets, which certificates are served. What it finds becomes a commented
// warroom.yaml.
//
// Its rules: it changes nothing and reads no secret's value; it never guesses
// silently (what is a guess says so in a comment); what could not be looked at is
// written into the file, so that a gap is not taken for an absence; every list is
// bounded; and what it writes is valid, or it is not written.
package discover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
)

// Bounds of what is written: the rest is counted in a comment.
const (
	// MaxSecrets is up to how many secrets of one account are listed.
	MaxSecrets   = 200
	maxWorkloads = 100 // of one cluster
	maxHosts     = 50  // TLS host names of one source
)

// Options say where to look.
type Options struct {
	Environment string   // what the file calls the estate
	Profiles    []string // of AWS; none is the default credential chain
	Regions     []string // of AWS, each with every profile; none is that of the environment
	Contexts    []string // of the kubeconfig; none is the current one
	Endpoints   []string // host:port of TLS endpoints known to the caller
	CertDirs    []string // folders with a folder a certificate, as certbot keeps them
	// Timeout bounds the look at one system; at least a second.
	Timeout time.Duration
	// Progress is told what is being looked at; nil for none. It may be called from
	// several goroutines.
	Progress func(string)
}

// Found is what Look came upon.
type Found struct {
	environment string
	accounts    []account
	vaults      []vault
	clusters    []cluster
	edges       []edge // TLS endpoints outside of AWS
	Notes       []Note // what could not be looked at
}

// Note says what could not be looked at, and why.
type Note struct{ What, Why string }

// Empty reports that nothing was found that could stand in a warroom.yaml.
func (f *Found) Empty() bool {
	return len(f.accounts) == 0 && len(f.vaults) == 0 && len(f.edges) == 0 &&
		!slices.ContainsFunc(f.clusters, func(c cluster) bool { return len(c.workloads)+len(c.jobs)+len(c.hosts) > 0 })
}

// Look asks every system that the environment names, all at once. What fails is a
// note; the error is ctx's own.
func Look(ctx context.Context, o Options) (*Found, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	o.Timeout = max(o.Timeout, time.Second)
	l := &looker{Options: o, found: &Found{environment: o.Environment}}
	cfg := l.systems()
	l.set = clients.New(cfg)
	defer l.set.Close()
	var all sync.WaitGroup
	run := func(look func(context.Context)) {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, o.Timeout)
			defer cancel()
			look(ctx)
		})
	}
	for _, a := range cfg.AWS {
		run(func(ctx context.Context) { l.aws(ctx, a) })
	}
	for _, v := range cfg.Vaults {
		run(func(ctx context.Context) { l.vault(ctx, v) })
	}
	for _, k := range cfg.Kubernetes {
		run(func(ctx context.Context) { l.kubernetes(ctx, k) })
	}
	run(func(context.Context) { l.certificates() })
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.found.sort(cfg)
	return l.found, nil
}

// looker is one look around.
type looker struct {
	Options
	set *clients.Set

	mu    sync.Mutex
	found *Found
}

// systems are those that the options and the environment name.
func (l *looker) systems() *config.Config {
	cfg := &config.Config{Checks: config.Checks{Timeout: l.Timeout, Concurrency: 4}}
	profiles, regions := l.Profiles, l.Regions
	if len(profiles) == 0 {
		profiles = []string{""}
	}
	if len(regions) == 0 {
		regions = []string{""}
	}
	var taken names
	for _, p := range profiles {
		for _, r := range regions {
			name := p
			if len(regions) > 1 {
				name = strings.Trim(p+"-"+r, "-")
			}
			if name == "" {
				name = "main"
			}
			cfg.AWS = append(cfg.AWS, config.AWSAccount{Name: taken.id(name), Profile: p, Region: r})
		}
	}
	if vaultAddress() != "" {
		cfg.Vaults = append(cfg.Vaults, config.VaultCluster{Name: "vault"})
	}
	contexts := l.Contexts
	if len(contexts) == 0 {
		contexts = []string{""}
	}
	for _, c := range contexts {
		name := c
		if name == "" {
			name = "kubernetes"
		}
		cfg.Kubernetes = append(cfg.Kubernetes, config.KubernetesCluster{Name: taken.id(name), Context: c})
	}
	return cfg
}

// note remembers what could not be looked at.
func (l *looker) note(what string, err error) {
	why := err.Error()
	if f := l.set.Failure(err, ""); f != nil {
		why = f.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		why = fmt.Sprintf("no answer within %s", l.Timeout)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found.Notes = append(l.found.Notes, Note{What: what, Why: oneLine(why)})
}

func (l *looker) add(put func(*Found)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	put(l.found)
}

// sort puts what came in by chance into the order of the configuration.
func (f *Found) sort(cfg *config.Config) {
	place := map[string]int{}
	for i, a := range cfg.AWS {
		place[a.Name] = i
	}
	for i, k := range cfg.Kubernetes {
		place[k.Name] = i
	}
	slices.SortStableFunc(f.accounts, func(a, b account) int { return place[a.Name] - place[b.Name] })
	slices.SortStableFunc(f.clusters, func(a, b cluster) int { return place[a.Name] - place[b.Name] })
	slices.SortFunc(f.Notes, func(a, b Note) int { return strings.Compare(a.What, b.What) })
}

// oneLine keeps a text to one line, for a comment.
func oneLine(s string) string { return clients.Strip(strings.Join(strings.Fields(s), " "), 300) }
