//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package drill

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// holdFolder puts a locked file into a folder. The file gets its name only once
// it is locked, so that nobody takes over a folder that is being made.
func holdFolder(dir string) (*os.File, error) {
	making := filepath.Join(dir, lockName+".new")
	f, err := os.OpenFile(making, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		err = os.Rename(making, filepath.Join(dir, lockName))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// takeOver locks the file that the owner of a folder kept locked, and is nil
// when the owner lives or there is no such file.
func takeOver(path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = f.Close()
		return nil
	}
	return f
}

func ours(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
