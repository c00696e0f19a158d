package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// fileSystem is what a journal needs of the system's files. Tests put faults in
// between.
type fileSystem interface {
	MkdirAll(dir string) error                               // 0700; error when dir is something else
	Lstat(name string) (fs.FileInfo, error)                  //
	List(dir string) ([]string, error)                       // names in it, sorted
	Open(name string, flag int) (file, error)                // 0600 when it creates
	Rename(from, to string) error                            //
	Remove(name string) error                                //
	SyncDir(dir string) error                                // makes created, renamed and removed names durable
	Lock(name string, wait time.Duration) (io.Closer, error) // errLocked when another process has it
	Locked(name string) (bool, error)                        // whether someone has it
}

// file is one open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// errLocked is the error of a lock that another process has.
var errLocked = errors.New("locked")

// Access to what a journal consists of: its operator's alone.
const (
	fileMode   fs.FileMode = 0o600
	folderMode fs.FileMode = 0o700
)

// lockStep is how long to wait between two tries of a lock. Someone who asks
// whether it is held holds it for a moment.
const lockStep = 10 * time.Millisecond

// system is the system's own files.
type system struct{}

func (system) MkdirAll(dir string) error              { return MakeFolders(dir, SyncFolder) }
func (system) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }
func (system) Rename(from, to string) error           { return os.Rename(from, to) }
func (system) Remove(name string) error               { return os.Remove(name) }
func (system) Open(name string, flag int) (file, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err // not f: a nil *os.File is no nil file
	}
	return f, nil
}

func (system) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (system) SyncDir(dir string) error { return SyncFolder(dir) }

// SyncFolder makes what was made, renamed or removed in a folder durable, where the
// system can: Windows cannot, and keeps the names of its files in a journal of its
// own.
func SyncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeFolders makes a folder and those above it that are missing, for their owner
// alone, and has sync make each of them durable in the one that it lies in: to sync
// the last one only would keep what is in it and lose the way to it.
func MakeFolders(dir string, sync func(dir string) error) error {
	var missing []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is no folder: choose another place", at)
		}
		if err == nil || at == filepath.Dir(at) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, at)
	}
	for _, at := range slices.Backward(missing) {
		if err := os.Mkdir(at, folderMode); err != nil && !errors.Is(err, fs.ErrExist) { // another process may have been faster
			return err
		}
		if err := sync(filepath.Dir(at)); err != nil {
			return fmt.Errorf("making the folder %s durable: %w", at, err)
		}
	}
	return nil
}

func (system) Lock(name string, wait time.Duration) (io.Closer, error) {
	lock := flock.New(name, flock.SetPermissions(fileMode))
	for waited := time.Duration(0); ; waited += lockStep {
		got, err := lock.TryLock()
		if err != nil {
			return nil, err
		}
		if got {
			return lock, nil
		}
		if waited >= wait {
			return nil, errors.Join(errLocked, lock.Close())
		}
		time.Sleep(lockStep)
	}
}

func (system) Locked(name string) (bool, error) {
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return false, nil // asking must not create it
	}
	lock := flock.New(name, flock.SetPermissions(fileMode), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	return err == nil && !free, errors.Join(err, lock.Close())
}

// own says whether the thing at name is what a journal may write: of that kind, no
// link, and nobody else's to read or write.
func own(files fileSystem, name string, folder bool) error {
	info, err := files.Lstat(name)
	if err != nil {
		return err
	}
	mode, want := info.Mode(), fileMode
	switch {
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: a journal is written only where it lies itself; put the real one in its place", name)
	case folder && !info.IsDir():
		return fmt.Errorf("%s is no folder: choose another place", name)
	case folder:
		want = folderMode
	case !mode.IsRegular():
		return fmt.Errorf("%s is no regular file: a journal is kept in regular files only; move it away", name)
	}
	if runtime.GOOS != "windows" && mode.Perm()&^want != 0 {
		return fmt.Errorf("%s can be used by others (mode %04o): run chmod %o on it, then verify the journal", name, mode.Perm(), want)
	}
	return nil
}

// regular says whether the thing at name is a regular file and no link: all that
// reading asks of it, so that a copy can be read whatever its mode.
func regular(files fileSystem, name string) error {
	info, err := files.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file (%s): a journal is kept in regular files only", name, info.Mode().Type())
	}
	return err
}

// place writes content to a new file, syncs it, and only then gives it its name,
// so that a file of that name is always whole. A file that had the name is
// replaced. placed says that the file has its name, though perhaps not durably.
func place(files fileSystem, name string, content []byte) (placed bool, err error) {
	temporary := name + temporarySuffix
	if err := files.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	f, err := files.Open(temporary, os.O_CREATE|os.O_EXCL|os.O_RDWR)
	if err != nil {
		return false, err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = files.Rename(temporary, name)
	}
	if err != nil {
		_ = files.Remove(temporary) // best effort: the next one removes it first
		return false, err
	}
	return true, files.SyncDir(filepath.Dir(name))
}

// temporarySuffix ends the names of files that are not whole yet.
const temporarySuffix = ".new"
