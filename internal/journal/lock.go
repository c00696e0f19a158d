package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The lock is that of the system on an empty file: it goes with the process that
// has it, however that ends. Who it is stands in a file beside, because a locked
// file cannot be read everywhere.
const (
	lockName   = "lock"
	holderName = "holder"
	lockWait   = 250 * time.Millisecond // someone who only asks has it for a moment
	mostHolder = 512
)

// takeLock takes the lock of a journal, or tells who has it.
func takeLock(files fileSystem, dir, owner string) (io.Closer, error) {
	name := filepath.Join(dir, lockName)
	if err := own(files, name, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // before it is opened: a link would be followed
	}
	lock, err := files.Lock(name, lockWait)
	if errors.Is(err, errLocked) {
		return nil, &Held{Dir: dir, Who: readHolder(files, dir)}
	}
	if err != nil {
		return nil, fmt.Errorf("locking the journal in %s: %w", dir, err)
	}
	if owner == "" {
		owner = "someone"
	}
	noteHolder(files, dir, fmt.Sprintf("%s, process %d", owner, os.Getpid()))
	return lock, nil
}

// noteHolder writes who has the lock. That it fails, on a full disk for example,
// keeps nobody from writing: the lock itself does not depend on it.
func noteHolder(files fileSystem, dir, who string) {
	name := filepath.Join(dir, holderName)
	if err := own(files, name, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	f, err := files.Open(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return
	}
	defer f.Close()
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(who), 0)
	}
}

// readHolder is who noted to have the lock, empty when it cannot be told.
func readHolder(files fileSystem, dir string) string {
	name := filepath.Join(dir, holderName)
	if regular(files, name) != nil {
		return ""
	}
	f, err := files.Open(name, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	text := make([]byte, mostHolder)
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return strings.TrimSpace(plain(string(text[:n]), mostHolder)) // it goes to a screen
}

// Holder tells who writes the journal in dir now. held is false when nobody does;
// who is empty when it cannot be told.
func Holder(dir string) (who string, held bool, err error) {
	dir = filepath.Clean(dir)
	held, err = system{}.Locked(filepath.Join(dir, lockName))
	if err != nil || !held {
		return "", false, err
	}
	return readHolder(system{}, dir), true, nil
}
