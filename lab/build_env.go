package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// cacheDir is one of our folders below the user's cache folder; it is made when
// it is missing.
func cacheDir(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the lab's %s: %w (set HOME or XDG_CACHE_HOME)", name, err)
	}
	dir := filepath.Join(cache, "warroom-lab", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of the lab's %s: %w", name, err)
	}
	return dir, nil
}

// buildsDir is the folder of the servers' modules: beside this source file, or,
// where the checkout has moved since, in the one we are run in.
func buildsDir() (string, error) {
	var tried []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		tried = append(tried, filepath.Join(filepath.Dir(file), "builds"))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; ; dir = filepath.Dir(dir) {
			tried = append(tried, filepath.Join(dir, "lab", "builds"))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	for _, dir := range tried {
		if info, err := os.Stat(filepath.Join(dir, buildVault.name, "go.mod")); err == nil && info.Mode().IsRegular() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("find the modules of the servers that are built: none in %s; run the lab in a checkout", strings.Join(tried, ", "))
}

// compiler is the version of Go that builds the module in dir, for the machine
// it builds for.
func compiler(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), buildEnv...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask Go for its version: %w (Go 1.26 or later must be in PATH)", err)
	}
	return strings.Join(strings.Fields(string(out)), " "), nil
}

// lockFile takes the lock of that path, or waits for it until ctx ends; waiting is
// called once when another process has it. The kernel gives it back when we die.
func lockFile(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	said := false
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("take the lock %s: %w", path, err), file.Close())
		}
		if !said {
			waiting()
			said = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for the lock %s: %w", path, context.Cause(ctx)), file.Close())
		}
	}
}
