package lab

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
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
	candidates := pythons
	if dir, err := environment("moto"); err == nil {
		candidates = append(candidates[:len(candidates):len(candidates)], filepath.Join(dir, "bin", "python"))
	}
	for _, python := range candidates {
		out, err := exec.CommandContext(ctx, python, "-c", motoProbe).Output()
		if path := strings.TrimSpace(string(out)); err == nil && path != "" {
			return path
		}
	}
	return ""
}

func installMoto(ctx context.Context, log io.Writer) error {
	return installPython(ctx, log, "moto", motoPackage, func() bool { return motoPython(ctx) != "" })
}
