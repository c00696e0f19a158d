package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// disk is a file system in memory that behaves as badly as a real one may: what
// was not synced is lost in part or wholly when it crashes, in pieces and in any
// order; a sync that fails leaves what it was to write in the cache, where it looks
// written and is never written again; names are durable only when their folder was
// synced. Every operation can be made to fail, and the power can fail at any.
type disk struct {
	mu      sync.Mutex
	names   map[string]*node // as processes see them
	durable map[string]*node // as they are after a crash
	moves   []func(map[string]*node)
	locks   map[string]bool
	rng     *rand.Rand

	ops   int                         // operations that could change something, so far
	trace []string                    // and what they were
	cut   int                         // the power fails at this operation; 0 for never
	fail  func(op, name string) error // asked before every operation; may be nil
	space int                         // bytes that can still be written; negative for no limit
	short bool                        // a write that fails writes half
}

// node is one file.
type node struct {
	data   []byte
	synced []byte
	writes []change
}

// change is a write, or with nil data a truncation to at.
type change struct {
	at   int64
	data []byte
}

func (c change) apply(to []byte) []byte {
	if c.data == nil {
		if int64(len(to)) > c.at {
			return slices.Clone(to[:c.at])
		}
		return append(slices.Clone(to), make([]byte, c.at-int64(len(to)))...)
	}
	end := int(c.at) + len(c.data)
	out := append(slices.Clone(to), make([]byte, max(0, end-len(to)))...)
	copy(out[c.at:], c.data)
	return out
}

var errPower = errors.New("the power failed")

func newDisk(seed uint64) *disk {
	return &disk{names: map[string]*node{}, durable: map[string]*node{}, locks: map[string]bool{}, space: -1, rng: rand.New(rand.NewPCG(seed, 1))}
}

// sector is the size of the pieces of a write that reach the disk or do not. It is
// far smaller than a real one, so that records are torn.
const sector = 48

// pieces are what of a change can be lost by itself.
func (c change) pieces() []change {
	if c.data == nil {
		return []change{c}
	}
	var out []change
	for i := 0; i < len(c.data); i += sector {
		out = append(out, change{c.at + int64(i), c.data[i:min(i+sector, len(c.data))]})
	}
	return out
}

// crashed is the disk after a crash: what was synced, and of the rest anything.
func (d *disk) crashed(seed uint64) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newDisk(seed)
	names := maps.Clone(d.durable)
	keep := after.rng.IntN(3) // nothing, some, all of what was not synced
	for _, move := range d.moves {
		if after.keeps(keep) {
			move(names)
		}
	}
	done := map[*node]*node{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if done[n] == nil {
			content := slices.Clone(n.synced)
			for _, w := range n.writes {
				for _, p := range w.pieces() {
					if after.keeps(keep) {
						content = p.apply(content)
					}
				}
			}
			done[n] = &node{data: content, synced: slices.Clone(content)}
		}
		after.names[name] = done[n]
	}
	after.durable = maps.Clone(after.names)
	return after
}

func (d *disk) keeps(keep int) bool { return keep == 2 || keep == 1 && d.rng.IntN(2) == 0 }

// killed is the disk after its process was killed: nothing is lost but the lock.
func (d *disk) killed() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locks = map[string]bool{}
	d.cut, d.fail, d.space = 0, nil, -1
	return d
}

// clone is a copy that can be damaged.
func (d *disk) clone() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newDisk(1)
	for name, n := range d.names {
		after.names[name] = &node{data: slices.Clone(n.data), synced: slices.Clone(n.data)}
	}
	after.durable = maps.Clone(after.names)
	return after
}

// step is one operation.
func (d *disk) step(op, name string) error {
	d.mu.Lock()
	if op != "read" {
		d.ops++
		d.trace = append(d.trace, op+" "+filepath.Base(name))
	}
	halted := d.cut > 0 && d.ops >= d.cut
	fail := d.fail
	d.mu.Unlock()
	if halted {
		return errPower
	}
	if fail != nil {
		return fail(op, filepath.Base(name))
	}
	return nil
}

func (d *disk) MkdirAll(string) error { return nil }

type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

const diskDir = "/incident"

func (d *disk) Lstat(name string) (fs.FileInfo, error) {
	if name == diskDir {
		return info{name, 0, fs.ModeDir | 0o700}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		return info{name, int64(len(n.data)), 0o600}, nil
	}
	return nil, missing("lstat", name)
}

func (d *disk) List(dir string) ([]string, error) {
	if err := d.step("read", dir); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for name := range d.names {
		out = append(out, filepath.Base(name))
	}
	slices.Sort(out)
	return out, nil
}

func (d *disk) Open(name string, flag int) (file, error) {
	d.mu.Lock()
	n := d.names[name]
	d.mu.Unlock()
	if n == nil && flag&os.O_CREATE == 0 {
		return nil, missing("open", name)
	}
	if n != nil && flag&os.O_EXCL != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	}
	if n == nil {
		if err := d.step("create", name); err != nil {
			return nil, err
		}
		d.mu.Lock()
		n = &node{}
		made := n
		d.names[name] = n
		d.moves = append(d.moves, func(names map[string]*node) { names[name] = made })
		d.mu.Unlock()
	} else if err := d.step("read", name); err != nil {
		return nil, err
	}
	return &handle{d, n, name}, nil
}

func (d *disk) Rename(from, to string) error {
	if err := d.step("rename", to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[from]
	if n == nil {
		return missing("rename", from)
	}
	move := func(names map[string]*node) { delete(names, from); names[to] = n }
	move(d.names)
	d.moves = append(d.moves, move)
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	n := d.names[name]
	d.mu.Unlock()
	if n == nil {
		return missing("remove", name)
	}
	if err := d.step("remove", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	move := func(names map[string]*node) { delete(names, name) }
	move(d.names)
	d.moves = append(d.moves, move)
	return nil
}

func (d *disk) SyncDir(dir string) error {
	if dir != diskDir {
		return nil
	}
	if err := d.step("syncdir", dir); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !errors.Is(err, errPower) { // some of it is durable, the rest never will be
			var left []func(map[string]*node)
			for _, move := range d.moves {
				if d.rng.IntN(2) == 0 {
					left = append(left, move)
				}
			}
			d.moves = left
			for _, move := range d.moves {
				move(d.durable)
			}
			d.moves = nil
		}
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable, d.moves = maps.Clone(d.names), nil
	return nil
}

type unlock func()

func (u unlock) Close() error { u(); return nil }

func (d *disk) Lock(name string, _ time.Duration) (io.Closer, error) {
	if err := d.step("read", name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] {
		return nil, errLocked
	}
	d.locks[name] = true
	return unlock(func() { d.mu.Lock(); defer d.mu.Unlock(); delete(d.locks, name) }), nil
}

func (d *disk) Locked(name string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.locks[name], nil
}

// handle is an open file.
type handle struct {
	disk *disk
	node *node
	name string
}

func (h *handle) Close() error { return nil }

func (h *handle) Stat() (fs.FileInfo, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return info{h.name, int64(len(h.node.data)), 0o600}, nil
}

func (h *handle) ReadAt(p []byte, at int64) (int, error) {
	if err := h.disk.step("read", h.name); err != nil {
		return 0, err
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if at >= int64(len(h.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.node.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) change(c change) {
	h.node.data = c.apply(h.node.data)
	h.node.writes = append(h.node.writes, c)
}

func (h *handle) WriteAt(p []byte, at int64) (int, error) {
	err := h.disk.step("write", h.name)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	n := len(p)
	// Only what makes a file longer needs space.
	grows := max(0, int(at)+len(p)-len(h.node.data))
	if err == nil && h.disk.space >= 0 && grows > h.disk.space {
		err = &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
		n -= grows - h.disk.space
	} else if err != nil {
		n = 0
		if h.disk.short || errors.Is(err, errPower) {
			n = len(p) / 2
		}
	}
	if n > 0 {
		if h.disk.space >= 0 {
			h.disk.space -= max(0, int(at)+n-len(h.node.data))
		}
		h.change(change{at, slices.Clone(p[:n])})
	}
	return n, err
}

func (h *handle) Truncate(size int64) error {
	if err := h.disk.step("truncate", h.name); err != nil {
		return err
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.disk.space >= 0 {
		h.disk.space += max(0, len(h.node.data)-int(size))
	}
	h.change(change{at: size})
	return nil
}

func (h *handle) Sync() error {
	err := h.disk.step("sync", h.name)
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if errors.Is(err, errPower) {
		return err
	}
	for _, w := range h.node.writes {
		for _, p := range w.pieces() {
			if err == nil || h.disk.rng.IntN(2) == 0 {
				h.node.synced = p.apply(h.node.synced)
			}
		}
	}
	h.node.writes = nil // a sync that failed is never made up for
	if err != nil {
		return fmt.Errorf("sync %s: %w", h.name, err)
	}
	return nil
}
