package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dirPrefix begins the name of every lab's folder; the process id follows.
const dirPrefix = "warroom-lab-"

// tempDir is where labs keep their folders. As root it is the system's own
// temporary folder: some peers run as another user, who could not pass through
// a private one.
func tempDir() string {
	if os.Geteuid() == 0 {
		return "/tmp"
	}
	return os.TempDir()
}

func makeDir() (string, error) {
	dir, err := os.MkdirTemp(tempDir(), fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make the lab's folder: %w", err)
	}
	// Passable but not readable: a peer that runs as another user has its own
	// folder inside.
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", errors.Join(fmt.Errorf("open the lab's folder to its peers: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}

// removeAbandoned removes the folders of labs that were killed before they
// could do it themselves. Failing to is no reason not to start.
func removeAbandoned() {
	found, err := filepath.Glob(filepath.Join(tempDir(), dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !ownedByUs(info) {
			continue
		}
		if pid, ok := dirOwner(dir); ok && !processExists(pid) {
			_ = os.RemoveAll(dir)
		}
	}
}

// dirOwner is the process id in the name of a lab's folder.
func dirOwner(dir string) (pid int, ok bool) {
	rest, ok := strings.CutPrefix(filepath.Base(dir), dirPrefix)
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, false
	}
	pid, err := strconv.Atoi(digits)
	return pid, err == nil && pid > 1
}

func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

func processExists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
