package drill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	// folderPrefix begins the name of every temporary folder of a drill.
	folderPrefix = "warroom-drill-"
	// lockName is the file in such a folder that the drill keeps locked while it
	// lives. The kernel lets the lock go however the process ends, and it means the
	// same in every container that shares the folder, which a process id does not.
	lockName = "lock"
)

// folder makes the world's folder and, when it is a temporary one, marks it as in
// use.
func (w *World) folder() (err error) {
	if w.dir == "" {
		w.ownDir = true
		w.dir, err = os.MkdirTemp("", folderPrefix)
	} else {
		err = os.MkdirAll(w.dir, 0o700)
	}
	if err == nil {
		w.dir, err = filepath.Abs(w.dir)
	}
	if err == nil && w.ownDir {
		if w.lock, err = holdFolder(w.dir); err != nil {
			err = errors.Join(err, os.RemoveAll(w.dir))
		}
	}
	if err != nil {
		return fmt.Errorf("make the drill's folder: %w", err)
	}
	return nil
}

// removeFolder removes the folder if the world made it.
func (w *World) removeFolder() error {
	if !w.ownDir {
		return nil
	}
	err := os.RemoveAll(w.dir)
	w.mu.Lock()
	lock := w.lock
	w.lock = nil
	w.mu.Unlock()
	if lock != nil {
		_ = lock.Close() // its file is gone
	}
	if err != nil {
		return fmt.Errorf("remove the drill's folder, which holds keys of simulated systems: %w; remove %s by hand", err, w.dir)
	}
	return nil
}

// sweep removes the folders in dir of drills that were killed before they could
// do it themselves. What cannot be removed is left: that is no reason not to
// start.
func sweep(dir string) {
	found, err := filepath.Glob(filepath.Join(dir, folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range found {
		info, err := os.Lstat(folder)
		if err != nil || !info.IsDir() || !ours(info) {
			continue
		}
		// A folder without a lock is one that is being made, or none of a drill.
		if lock := takeOver(filepath.Join(folder, lockName)); lock != nil {
			_ = os.RemoveAll(folder)
			_ = lock.Close()
		}
	}
}
