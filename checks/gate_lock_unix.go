//go:build unix

package checks

import (
	"os"
	"syscall"
	"time"
)

// lockFile keeps other processes out until the returned function is called. It
// waits for a moment and goes on without: a process that was stopped while it
// held the lock must not stop us.
func lockFile(path string) (unlock func()) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return func() {}
	}
	for range 25 {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return func() { _ = file.Close() } // which also unlocks
}
