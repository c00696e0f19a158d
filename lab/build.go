package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// build is a server that is compiled from its released Go module. What it is
// made of is a module of its own below builds, because the servers' requirements
// conflict with each other and with ours.
type build struct {
	name   string   // folder below builds, and the binary's name
	target string   // package to compile; "." is the module's own main
	cold   string   // how long the first build takes on two cores, in words
	links  []string // further names of the binary, which it looks at when it starts
	linker []string // further flags of the linker
	root   string   // folder of the modules; empty for our own
}

var (
	buildVault     = build{name: "vault", target: ".", cold: "15 minutes"}
	buildKube      = build{name: "kube", target: ".", cold: "9 minutes", links: []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}, linker: kubeVersion}
	buildEtcd      = build{name: "etcd", target: "go.etcd.io/etcd/server/v3", cold: "2 minutes"}
	buildKWOK      = build{name: "kwok", target: "sigs.k8s.io/kwok/cmd/kwok", cold: "2 minutes"}
	buildPebble    = build{name: "pebble", target: "github.com/letsencrypt/pebble/v2/cmd/pebble", cold: "half a minute"}
	buildToxiproxy = build{name: "toxiproxy", target: "github.com/Shopify/toxiproxy/v2/cmd/server", cold: "half a minute"}
)

// kubeVersion is the version that the control plane and kubectl say they are:
// that of the module. Left out it is no version, and kubectl stumbles over it.
var kubeVersion = []string{
	"-X=k8s.io/component-base/version.gitVersion=v1.37.2",
	"-X=k8s.io/component-base/version.gitMajor=1",
	"-X=k8s.io/component-base/version.gitMinor=37",
	"-X=k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
}

// flags are those of every build: no symbols, no paths of this machine, so
// that the compiler's cache serves every checkout.
func (b build) flags() []string {
	return []string{"-trimpath", "-ldflags=" + strings.Join(append([]string{"-s", "-w"}, b.linker...), " ")}
}

// buildEnv holds the build's own settings over those of the caller.
var buildEnv = []string{"CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off"}

// keepUnused is how long a build that nothing used any more is kept: a checkout
// that goes back and forth between two versions builds neither twice.
const keepUnused = 30 * 24 * time.Hour

// requirement is what the machine lacks while b is not built, nil when it is.
func (b build) requirement(ctx context.Context) []Requirement {
	if _, err := b.find(ctx); err == nil {
		return nil
	}
	return []Requirement{{
		What:    "the built " + b.name,
		Install: b.install,
		How:     "build it with: lab setup (the first time it takes about " + b.cold + " on two cores)",
	}}
}

// program is the path of one of the binary's names; b is built.
func (b build) program(ctx context.Context, name string) (string, error) {
	dir, err := b.find(ctx)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// find is the folder in the cache that holds the built binary and its names.
func (b build) find(ctx context.Context) (string, error) {
	_, dir, err := b.locate(ctx)
	if err != nil {
		return "", err
	}
	for _, name := range append([]string{b.name}, b.links...) {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("%s is not built: %w", b.name, err)
		}
	}
	return dir, nil
}

// locate is the folder of b's module, and the one in the cache where exactly
// this module built by this compiler belongs.
func (b build) locate(ctx context.Context) (source, dir string, err error) {
	root := b.root
	if root == "" {
		if root, err = buildsDir(); err != nil {
			return "", "", err
		}
	}
	source = filepath.Join(root, b.name)
	version, err := compiler(ctx, source)
	if err != nil {
		return "", "", err
	}
	key, err := b.key(source, version)
	if err != nil {
		return "", "", err
	}
	cache, err := cacheDir("bin")
	if err != nil {
		return "", "", err
	}
	return source, filepath.Join(cache, b.name+"-"+key), nil
}

// key stands for everything the binary is made of.
func (b build) key(source, compiler string) (string, error) {
	entries, err := os.ReadDir(source)
	if err != nil {
		return "", fmt.Errorf("read the module of %s: %w", b.name, err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, compiler, b.target, b.links, b.flags(), buildEnv)
	for _, entry := range entries { // sorted by name
		text, err := os.ReadFile(filepath.Join(source, entry.Name()))
		if err != nil {
			return "", fmt.Errorf("read the module of %s: %w", b.name, err)
		}
		fmt.Fprintln(sum, entry.Name(), len(text))
		_, _ = sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// install builds b unless that has been done. Two that run at once wait for each
// other; what was interrupted is thrown away.
func (b build) install(ctx context.Context, log io.Writer) error {
	source, dir, err := b.locate(ctx)
	if err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	unlock, err := lockFile(ctx, filepath.Join(filepath.Dir(dir), b.name+".lock"), func() {
		_, _ = fmt.Fprintf(log, "lab: another set-up is building %s: waiting for it\n", b.name)
	})
	if err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	defer unlock()
	if _, err := b.find(ctx); err == nil {
		return nil
	}
	half := dir + ".half"
	if err := errors.Join(os.RemoveAll(half), os.RemoveAll(dir), os.Mkdir(half, 0o700)); err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	defer func() { _ = os.RemoveAll(half) }()
	if err := b.compile(ctx, source, filepath.Join(half, b.name), log); err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	for _, name := range b.links {
		if err := os.Symlink(b.name, filepath.Join(half, name)); err != nil {
			return fmt.Errorf("build %s: %w", b.name, err)
		}
	}
	if err := os.Rename(half, dir); err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	b.removeUnused(dir)
	return nil
}

// compile runs the compiler, and says every half minute how far it is.
func (b build) compile(ctx context.Context, source, output string, log io.Writer) error {
	began := time.Now()
	_, _ = fmt.Fprintf(log, "lab: building %s: the first time this takes about %s on two cores, with what it downloads\n", b.name, b.cold)
	args := append([]string{"build", "-v", "-o", output}, b.flags()...)
	cmd := exec.CommandContext(ctx, "go", append(args, b.target)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), buildEnv...)
	// Its compilers go with it when we are told to end.
	cmd.SysProcAttr = attributes(nil, syscall.SIGTERM)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	progress := &buildProgress{}
	cmd.Stdout, cmd.Stderr = progress, progress
	// The signal of a parent's death follows the thread that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go build: %w (Go 1.26 or later must be in PATH)", err)
	}
	done := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_, _ = fmt.Fprintf(log, "lab: building %s: %s so far, %s\n", b.name, time.Since(began).Round(time.Second), progress)
			}
		}
	})
	err := cmd.Wait()
	close(done)
	ticking.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %s: %w", time.Since(began).Round(time.Second), context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", source, err, progress.tail())
	}
	_, _ = fmt.Fprintf(log, "lab: built %s in %s\n", b.name, time.Since(began).Round(time.Second))
	return nil
}

// removeUnused removes what older module files made, once it is old. That it
// cannot be removed is no reason to fail.
func (b build) removeUnused(current string) {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(current), b.name+"-*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		if info, err := os.Stat(dir); err == nil && dir != current && time.Since(info.ModTime()) > keepUnused {
			_ = os.RemoveAll(dir)
		}
	}
}

// buildProgress takes what "go build -v" prints: the name of each package as it
// is compiled, and what goes wrong.
type buildProgress struct {
	mu       sync.Mutex
	compiled int
	last     []string // the last lines that were printed
	at       time.Time
}

func (p *buildProgress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.ContainsAny(line, " \t") {
			p.compiled++
		}
		p.last = append(p.last, line)
	}
	p.at = time.Now()
	p.last = slices.Clone(p.last[max(0, len(p.last)-20):])
	return len(text), nil
}

func (p *buildProgress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.compiled == 0 && len(p.last) > 0 && time.Since(p.at) < 30*time.Second {
		return p.last[len(p.last)-1] // what it downloads
	}
	return fmt.Sprintf("%d packages compiled; what is cached is not counted, and linking comes last", p.compiled)
}

func (p *buildProgress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.last, "\n")
}
