package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// pythons are the interpreters to try. The first may be a version manager's, the
// second is the system's.
var pythons = []string{"python3", "/usr/bin/python3"}

// environment is the folder of one of our virtual environments. Each tool has its
// own, because what they need of their libraries differs.
func environment(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for %s: %w (set HOME or XDG_CACHE_HOME)", name, err)
	}
	return filepath.Join(cache, "warroom-lab", name), nil
}

// missingPython are the Debian packages without which no virtual environment
// can be made. Debian splits the module it needs from python3 itself.
func missingPython(ctx context.Context) []string {
	for _, python := range pythons {
		if exec.CommandContext(ctx, python, "-c", "import venv, ensurepip").Run() == nil {
			return nil
		}
	}
	return []string{"python3", "python3-venv"}
}

// installPython makes a virtual environment with a package. Two that run at once
// wait for each other; there says whether the other one has done it.
func installPython(ctx context.Context, log io.Writer, name, pkg string, there func() bool) error {
	fail := func(err error) error { return fmt.Errorf("install %s: %w", name, err) }
	dir, err := environment(name)
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fail(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fail(fmt.Errorf("wait for another set-up: %w", err))
	}
	if there() {
		return nil
	}
	var errs []error
	for _, python := range pythons {
		err := loud(ctx, log, python, "-m", "venv", "--clear", dir)
		if err == nil {
			err = loud(ctx, log, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", pkg)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fail(errors.Join(errs...))
}
