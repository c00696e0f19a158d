package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// motoPackage is what pip installs.
const motoPackage = "moto[server]==5.2.1"

// motoProbe prints the interpreter's path when it has moto with its server.
// The path may differ from the one it was called by: a version manager's
// wrapper is no program that can be stopped by its process id.
const motoProbe = `import importlib.util as u, sys
names = ("moto", "flask", "flask_cors", "werkzeug", "docker")
sys.exit(1) if any(u.find_spec(n) is None for n in names) else print(sys.executable)`

// motoPython is a Python interpreter that has moto, empty for none: the user's
// own one, or that of our virtual environment.
func motoPython(ctx context.Context) string {
	candidates := []string{"python3", "/usr/bin/python3"}
	if dir, err := motoEnvironment(); err == nil {
		candidates = append(candidates, filepath.Join(dir, "bin", "python"))
	}
	for _, python := range candidates {
		out, err := exec.CommandContext(ctx, python, "-c", motoProbe).Output()
		if path := strings.TrimSpace(string(out)); err == nil && path != "" {
			return path
		}
	}
	return ""
}

// motoEnvironment is the folder of our virtual environment.
func motoEnvironment() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for moto: %w (set HOME or XDG_CACHE_HOME)", err)
	}
	return filepath.Join(cache, "warroom-lab", "moto"), nil
}

// missingPython are the Debian packages without which no virtual environment
// can be made. Debian splits the module it needs from python3 itself.
func missingPython(ctx context.Context) []string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import venv, ensurepip").Run() == nil {
			return nil
		}
	}
	return []string{"python3", "python3-venv"}
}

// installMoto makes a virtual environment with moto. Two that run at once wait
// for each other.
func installMoto(ctx context.Context, log io.Writer) error {
	dir, err := motoEnvironment()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("install moto: %w", err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("install moto: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("install moto: wait for another set-up: %w", err)
	}
	if motoPython(ctx) != "" {
		return nil
	}
	var errs []error
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		err := loud(ctx, log, python, "-m", "venv", "--clear", dir)
		if err == nil {
			err = loud(ctx, log, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", motoPackage)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("install moto: %w", errors.Join(errs...))
}
