package checks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"warroom/internal/estate"
)

const (
	walkEvery    = 5                      // a finished walk is begun anew after so many slow intervals
	walkResume   = 500 * time.Millisecond // an unfinished one goes on after this long
	walkForget   = 30 * time.Minute       // one that did not get on for so long is begun anew
	countFolders = 8                      // listings at once
)

// rounds is a walk that is made again and again, a while in each run of its probe.
type rounds struct {
	mu    sync.Mutex // held by the run under way
	walk  *walk      // nil between two rounds
	moved time.Time  // when it last got on
	done  estate.Data
	at    time.Time // when done was finished
}

// run goes on with the round, or begins one. data says what the walk has brought.
func (r *rounds) run(ctx context.Context, slice time.Duration, begin func(context.Context) (*walk, error), data func(w *walk, running bool) (estate.Data, error)) Result {
	if !r.mu.TryLock() {
		return Result{Err: &estate.Failure{Kind: estate.Paused, Detail: "the last run of this check has not ended"}}
	}
	defer r.mu.Unlock()
	until := time.Now().Add(slice)
	if r.walk == nil || time.Since(r.moved) > walkForget {
		w, err := begin(ctx)
		if err != nil {
			return Result{Err: err}
		}
		r.walk, r.moved = w, time.Now()
	}
	before := r.walk.calls
	if err := r.walk.run(ctx, until); err != nil {
		return Result{Err: err}
	}
	if r.walk.calls > before {
		r.moved = time.Now()
	}
	if r.walk.finished() {
		d, err := data(r.walk, false)
		r.walk = nil
		if err != nil {
			return Result{Err: err}
		}
		r.done, r.at = d, time.Now()
		return Result{Data: d}
	}
	if r.done != nil {
		return Result{Data: r.done, At: r.at, Again: walkResume}
	}
	d, err := data(r.walk, true)
	return Result{Data: d, Err: err, Again: walkResume}
}

// sliced has a probe work for one timeout, and then gives what is under way another
// to end.
func (b vaultBuilder) sliced(p Probe) Probe {
	p.Timeout = 2*b.cfg.Checks.Timeout + time.Second
	return p
}

// count counts the secrets of all KV mounts of the namespace by listing names. No
// value is read: LIST of metadata brings none.
func (b vaultBuilder) count() Probe {
	var r rounds
	mounts, usable := 0, false
	begin := func(ctx context.Context) (*walk, error) {
		engines, some, err := b.here.engines(ctx)
		if err != nil {
			return nil, err
		}
		w := &walk{limit: b.conf.Limit, parallel: countFolders}
		w.visit = func(ctx context.Context, f vaultFolder) (visited, error) {
			names, err := b.here.names(ctx, f.listed())
			return visited{names: names}, err
		}
		roots := kvFolders(engines)
		mounts, usable = len(roots), some
		for _, f := range roots {
			w.add(f)
		}
		return w, nil
	}
	data := func(w *walk, running bool) (estate.Data, error) {
		seen, estimate, listed := w.secrets()
		if listed == 0 && w.denied > 0 {
			return nil, &estate.Failure{
				Kind: estate.Denied, Doing: "list the secrets of Vault cluster " + b.here.name,
				Detail: fmt.Sprintf("none of %d KV mounts may be listed", mounts),
				Next:   `give the token's policy path "MOUNT/metadata/*" { capabilities = ["list"] } for each KV mount`,
			}
		}
		c := estate.VaultCount{
			Secrets: seen, Folders: listed, Mounts: mounts, Denied: w.denied, Unlisted: w.unlisted,
			Complete: !running && w.complete(), Running: running, Estimate: estimate, Limit: b.conf.Limit, Usable: usable,
		}
		if c.Complete {
			c.Estimate = c.Secrets
		}
		return c, nil
	}
	return b.sliced(b.probe(estate.CheckVaultCount, "LIST of every KV mount", walkEvery*b.cfg.Checks.SlowEvery, func(ctx context.Context) Result {
		return r.run(ctx, b.cfg.Checks.Timeout, begin, data)
	}))
}
