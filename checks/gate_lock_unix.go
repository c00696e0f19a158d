//go:build unix

package checks

import (
	"os"
	"syscall"
	"time"
)

// lockFile keeps other processes out until the returned function is called. It
// waits for as long as it is given and goes on without: a process that was
// stopped while it held the lock must not stop us.
func lockFile(path string, patience time.Duration) (unlock func()) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return func() {}
	}
	for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || time.Since(began) > patience {
			break
		}
	}
	return func() { _ = file.Close() } // which also unlocks
}
