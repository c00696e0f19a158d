package checks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"warroom/internal/estate"
)

const (
	pairFolders = 2  // folders compared at once
	pairSample  = 25 // secrets of one folder whose metadata is compared
	pairReads   = 8  // at once, of one folder
)

// kvMetadata is the metadata of one secret of KV version 2. It holds no value; what
// else is in it, which may be anything (custom_metadata), is not kept.
type kvMetadata struct {
	Current  int       `json:"current_version"`
	Updated  time.Time `json:"updated_time"`
	Versions map[string]struct {
		Created   time.Time `json:"created_time"`
		Deleted   string    `json:"deletion_time"`
		Destroyed bool
	}
}

// gone reports whether the current version was deleted: a copy need not have it.
func (m kvMetadata) gone() bool {
	v, ok := m.Versions[strconv.Itoa(m.Current)]
	return m.Current == 0 || ok && (v.Destroyed || v.Deleted != "")
}

// changedAfter is when the first version after a time was made.
func (m kvMetadata) changedAfter(t time.Time) time.Time {
	first := m.Updated
	for _, v := range m.Versions {
		if v.Created.After(t) && v.Created.Before(first) {
			first = v.Created
		}
	}
	return first
}

// lacks reports whether a copy lacks changes of the original. A copying script makes
// one version of what may have been several there, and restored secrets begin anew
// at 1: numbers that differ mean something only when the copy is older too.
func (m kvMetadata) lacks(original kvMetadata) bool {
	return m.Current != original.Current && m.Updated.Before(original.Updated)
}

// vaultPair compares this cluster with the one of which it is to be a copy.
type vaultPair struct {
	here, there vaultSide
	v2here      map[string]bool // KV mounts here, by path
	got         estate.VaultPair
	sampled     bool // of some folder not all secrets were compared
}

func (b vaultBuilder) pair(there vaultSide) Probe {
	var r rounds
	var p *vaultPair
	begin := func(ctx context.Context) (*walk, error) {
		if there.broken != nil {
			return nil, there.broken
		}
		original, _, err := there.engines(ctx)
		if err != nil {
			return nil, there.blame(err)
		}
		copied, _, err := b.here.engines(ctx)
		if err != nil {
			return nil, err
		}
		p = &vaultPair{here: b.here, there: there, v2here: map[string]bool{}, got: estate.VaultPair{With: there.name}}
		for _, f := range kvFolders(copied) {
			p.v2here[f.mount] = f.v2
		}
		w := &walk{limit: b.conf.Limit, parallel: pairFolders, visit: p.visit}
		for _, f := range kvFolders(original) {
			if !original[f.mount].Local {
				w.add(f)
			}
		}
		return w, nil
	}
	data := func(w *walk, running bool) (estate.Data, error) {
		got := p.got
		if _, _, listed := w.secrets(); listed == 0 && w.denied > 0 {
			return nil, &estate.Failure{
				Kind: estate.Denied, Doing: fmt.Sprintf("compare Vault clusters %s and %s", b.here.name, there.name), Detail: "no KV mount may be listed in both",
				Next: `give both tokens' policies path "MOUNT/metadata/*" { capabilities = ["list", "read"] } for each KV mount`,
			}
		}
		got.Complete = !running && w.complete() && !p.sampled
		return got, nil
	}
	return b.sliced(b.probe(estate.CheckVaultPair, "KV metadata, compared with Vault "+there.name, b.cfg.Checks.SlowEvery, func(ctx context.Context) Result {
		return r.run(ctx, b.cfg.Checks.Timeout, begin, data)
	}))
}

// blame marks a failure as one of the other cluster: it says nothing of this one.
func (s vaultSide) blame(err error) error {
	var f *estate.Failure
	if !errors.As(err, &f) || f.Kind == estate.Denied || f.Kind == estate.Throttled {
		return err
	}
	g := *f
	g.Kind, g.Detail = estate.OutOfReach, fmt.Sprintf("cluster %s, of which this is to be a copy: %s", s.name, f.Kind)
	if f.Detail != "" {
		g.Detail += ": " + f.Detail
	}
	return &g
}

// visit compares one folder: the names, and of a sample of them the metadata.
func (p *vaultPair) visit(ctx context.Context, f vaultFolder) (visited, error) {
	theirs, err := p.there.names(ctx, f.listed())
	if err != nil {
		return visited{calls: 1}, p.of(err)
	}
	v2, mounted := p.v2here[f.mount]
	var ours []string
	if mounted {
		if ours, err = p.here.names(ctx, kvPath(f.mount, f.path, v2)); err != nil {
			return visited{calls: 2}, err
		}
	}
	v := visited{names: slices.Clone(theirs), calls: 2}
	var got estate.VaultPair
	here, there := nameSet(ours), nameSet(theirs)
	for _, name := range ours {
		if there[name] {
			continue
		}
		if strings.HasSuffix(name, "/") {
			v.names = append(v.names, name) // a folder that is only here: what is in it is extra
		} else {
			got.Extra++
		}
	}
	sampled := false
	secrets := slices.DeleteFunc(slices.Clone(theirs), func(name string) bool { return strings.HasSuffix(name, "/") })
	if !f.v2 || mounted && !v2 {
		// Version 1 keeps no metadata: names are all there is.
		for _, name := range secrets {
			got.Compared++
			if !here[name] {
				got.Missing++
			}
		}
	} else {
		sampled = len(secrets) > pairSample
		rand.Shuffle(len(secrets), func(i, j int) { secrets[i], secrets[j] = secrets[j], secrets[i] })
		secrets = secrets[:min(len(secrets), pairSample)]
		if v.calls, err = p.compare(ctx, f, secrets, here, &got); err != nil {
			return visited{calls: v.calls}, err
		}
	}
	v.apply = func() {
		p.add(got)
		p.sampled = p.sampled || sampled
	}
	return v, nil
}

// of is the error of the other cluster as a walk takes it: what is one folder's alone
// stays so.
func (p *vaultPair) of(err error) error {
	var f *estate.Failure
	if errors.As(err, &f) && (f.Kind == estate.BadAnswer || f.Kind == estate.Missing) {
		return err
	}
	return p.there.blame(err)
}

func nameSet(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

func (p *vaultPair) add(got estate.VaultPair) {
	all := &p.got
	all.Compared += got.Compared
	all.Behind += got.Behind
	all.Missing += got.Missing
	all.Extra += got.Extra
	if !got.Oldest.IsZero() && (all.Oldest.IsZero() || got.Oldest.Before(all.Oldest)) {
		all.Oldest = got.Oldest
	}
}

// compare reads the metadata of secrets on both sides.
func (p *vaultPair) compare(ctx context.Context, f vaultFolder, secrets []string, here map[string]bool, got *estate.VaultPair) (calls int, err error) {
	calls = 2
	var mu sync.Mutex
	next := make(chan string)
	var wg sync.WaitGroup
	for range min(pairReads, len(secrets)) {
		wg.Go(func() {
			for name := range next {
				made, failed := p.compareOne(ctx, f, name, here[name], got, &mu)
				mu.Lock()
				calls += made
				if failed != nil && err == nil {
					err = failed
				}
				mu.Unlock()
			}
		})
	}
	for _, name := range secrets {
		next <- name
	}
	close(next)
	wg.Wait()
	return calls, err
}

func (p *vaultPair) compareOne(ctx context.Context, f vaultFolder, name string, isHere bool, got *estate.VaultPair, mu *sync.Mutex) (calls int, err error) {
	if !sound(name) {
		return 0, nil
	}
	path := kvPath(f.mount, f.path+name, true)
	var original, copied kvMetadata
	calls++
	if err := p.there.read(ctx, path, &original); err != nil {
		return calls, vanished(p.of(err))
	}
	if isHere {
		calls++
		if err := p.here.read(ctx, path, &copied); err != nil {
			return calls, vanished(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	got.Compared++
	var since time.Time
	switch {
	case original.gone():
		return calls, nil
	case !isHere:
		got.Missing++
		since = original.changedAfter(time.Time{})
	case copied.lacks(original):
		got.Behind++
		since = original.changedAfter(copied.Updated)
	default:
		return calls, nil
	}
	if !since.IsZero() && (got.Oldest.IsZero() || since.Before(got.Oldest)) {
		got.Oldest = since
	}
	return calls, nil
}

// vanished forgives that a secret went between its listing and its reading.
func vanished(err error) error {
	var f *estate.Failure
	if errors.As(err, &f) && f.Kind == estate.Missing {
		return nil
	}
	return err
}
