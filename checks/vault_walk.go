package checks

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// Bounds of a walk besides the number of its listings.
const (
	walkDepth = 64  // folders within folders
	walkTries = 3   // listings of one folder that fail by themselves, before it is left out
	walkPath  = 512 // bytes of a path; Vault's storages take no longer ones
)

// vaultFolder is a folder of a KV mount.
type vaultFolder struct {
	mount string // with its slash
	path  string // within the mount, with a slash at its end unless it is the mount itself
	v2    bool
	depth int
	tries int
}

// listed is where the folder's names are listed.
func (f vaultFolder) listed() string { return kvPath(f.mount, f.path, f.v2) }

// kvPath is where the names, and of version 2 the metadata, of what a KV mount holds
// are read. Values are elsewhere.
func kvPath(mount, path string, v2 bool) string {
	if v2 {
		return mount + "metadata/" + path
	}
	return mount + path
}

// walkLevel counts what a walk met at one depth.
type walkLevel struct {
	listed  int // folders listed
	secrets int // in those
	folders int // in those
	left    int // folders known and not listed: waiting, denied or failed
}

// walk lists the folders of a tree of secrets a few at a time, for as long as it is
// let, and goes on where it was interrupted. It picks the next folders at random, so
// that what a limit leaves of a huge tree is a sample of all of it.
type walk struct {
	limit    int // calls it may make in all
	parallel int // folders at once
	visit    func(ctx context.Context, f vaultFolder) (visited, error)

	waiting  []vaultFolder
	levels   []walkLevel
	calls    int
	denied   int
	unlisted int
	over     bool // folders were let go because the limit would never reach them
}

// visited is what one folder brought.
type visited struct {
	names []string
	calls int
	apply func() // takes the rest over; never called at the same time as another
}

// kvFolders are the roots of the KV mounts.
func kvFolders(mounts vaultMounted) []vaultFolder {
	var out []vaultFolder
	for _, path := range slices.Sorted(maps.Keys(mounts)) {
		if v := mounts[path].version(); v != "" {
			out = append(out, vaultFolder{mount: path, v2: v == "2"})
		}
	}
	return out
}

func (w *walk) at(depth int) *walkLevel {
	for len(w.levels) <= depth {
		w.levels = append(w.levels, walkLevel{})
	}
	return &w.levels[depth]
}

// add has a folder wait for its listing.
func (w *walk) add(f vaultFolder) {
	w.at(f.depth).left++
	if len(w.waiting) >= w.limit {
		w.over = true
		// Every folder is as likely as any other to stay.
		if i := rand.IntN(len(w.waiting) + 1); i < len(w.waiting) {
			w.waiting[i] = f
		}
		return
	}
	w.waiting = append(w.waiting, f)
}

// finished reports whether there is nothing left to do.
func (w *walk) finished() bool { return len(w.waiting) == 0 || w.calls >= w.limit }

// complete reports whether a finished walk saw everything.
func (w *walk) complete() bool {
	return len(w.waiting) == 0 && w.denied == 0 && w.unlisted == 0 && !w.over
}

// run goes on until the walk is finished, until the time is up, or until a listing
// fails in a way that others would too; what was not listed stays waiting.
func (w *walk) run(ctx context.Context, until time.Time) error {
	for !w.finished() && time.Now().Before(until) {
		batch := w.take()
		brought := make([]visited, len(batch))
		errs := make([]error, len(batch))
		var wg sync.WaitGroup
		for i, f := range batch {
			wg.Go(func() { brought[i], errs[i] = w.visit(ctx, f) })
		}
		wg.Wait()
		var stop error
		for i, f := range batch {
			w.calls += max(brought[i].calls, 1)
			if err := w.merge(f, brought[i], errs[i]); err != nil && stop == nil {
				stop = err
			}
		}
		if stop != nil {
			return stop
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// take picks the next folders.
func (w *walk) take() []vaultFolder {
	n := min(w.parallel, len(w.waiting), w.limit-w.calls)
	batch := make([]vaultFolder, 0, n)
	for range n {
		i, last := rand.IntN(len(w.waiting)), len(w.waiting)-1
		batch = append(batch, w.waiting[i])
		w.waiting[i] = w.waiting[last]
		w.waiting = w.waiting[:last]
	}
	return batch
}

// merge takes over what a folder brought. Its error is one that ends the run.
func (w *walk) merge(f vaultFolder, v visited, err error) error {
	if err != nil {
		var fail *estate.Failure
		if !errors.As(err, &fail) {
			w.waiting = append(w.waiting, f)
			return err
		}
		switch fail.Kind {
		case estate.Denied:
			w.denied++
			return nil
		case estate.BadAnswer, estate.Missing, estate.NotSupported, estate.Broken:
			w.unlisted++
			return nil
		case estate.Silent, estate.ServerError, estate.OutOfReach:
			// It may be this folder, which is too large, or all of Vault.
			if f.tries++; f.tries >= walkTries {
				w.unlisted++
				return nil
			}
		}
		w.waiting = append(w.waiting, f)
		return err
	}
	secrets, folders := 0, 0
	for _, name := range v.names {
		if !strings.HasSuffix(name, "/") {
			secrets++
			continue
		}
		folders++
		next := vaultFolder{mount: f.mount, path: f.path + name, v2: f.v2, depth: f.depth + 1}
		if !sound(strings.TrimSuffix(name, "/")) || next.depth >= walkDepth || len(next.path) > walkPath {
			w.at(next.depth).left++
			w.unlisted++
			continue
		}
		w.add(next)
	}
	at := w.at(f.depth)
	at.left--
	at.listed++
	at.secrets += secrets
	at.folders += folders
	if v.apply != nil {
		v.apply()
	}
	return nil
}

// sound reports whether a name can be asked for: an empty one or a dot would ask for
// another folder, and walk in circles.
func sound(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// secrets is how many secrets were seen, and estimate how many there are if the
// folders that were not listed hold as much as those of the same depth that were.
func (w *walk) secrets() (seen, estimate, listed int) {
	var total walkLevel
	for _, l := range w.levels {
		total.listed += l.listed
		total.secrets += l.secrets
	}
	sum := 0.0
	unseen := 0.0 // folders at this depth that were not even met
	for _, l := range w.levels {
		mean := l
		if l.listed == 0 {
			mean = total
		}
		left := float64(l.left) + unseen
		unseen = 0
		sum += float64(l.secrets)
		if mean.listed > 0 {
			sum += left * float64(mean.secrets) / float64(mean.listed)
			unseen = left * float64(l.folders) / float64(mean.listed)
		}
	}
	return total.secrets, max(total.secrets, int(min(sum, 1e12)+0.5)), total.listed
}

// names lists a folder in step with the pace of its cluster.
func (s vaultSide) names(ctx context.Context, path string) ([]string, error) {
	if err := s.wait(ctx, path); err != nil {
		return nil, err
	}
	return s.List(ctx, path)
}

// wait holds a call of a walk back.
func (s vaultSide) wait(ctx context.Context, path string) error {
	if s.pace.Wait(ctx) == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return &estate.Failure{Kind: estate.Paused, Doing: "read " + path + " of Vault cluster " + s.name, Detail: "no turn came within the timeout"}
}

// read reads in step with the pace of its cluster.
func (s vaultSide) read(ctx context.Context, path string, out any) error {
	if err := s.wait(ctx, path); err != nil {
		return err
	}
	return s.Read(ctx, clients.VaultNamespace, path, out)
}
