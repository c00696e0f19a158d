package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tiny is a build of a module of its own in temporary folders.
func tiny(t *testing.T, source string) build {
	t.Helper()
	// Only the cache of binaries moves; the compiler's own stays.
	if os.Getenv("GOCACHE") == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("GOCACHE", filepath.Join(cache, "go-build"))
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root := t.TempDir()
	b := build{name: "tiny", target: ".", cold: "no time", links: []string{"other"}, root: root}
	writeModule(t, b, source)
	return b
}

func writeModule(t *testing.T, b build, source string) {
	t.Helper()
	dir := filepath.Join(b.root, b.name)
	for name, text := range map[string]string{"go.mod": "module example.test/tiny\n\ngo 1.26\n", "main.go": source} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// kept are the names in the cache.
func kept(t *testing.T) []string {
	t.Helper()
	dir, err := cacheDir("bin")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".lock") {
			names = append(names, entry.Name())
		}
	}
	return names
}

const printsName = "package main\nimport \"os\"\nfunc main() { println(os.Args[0]) }\n"

func TestABuildIsMadeOnceAndAnewWhenItsModuleChanges(t *testing.T) {
	b := tiny(t, printsName)
	if lacking := b.requirement(t.Context()); len(lacking) != 1 || lacking[0].Install == nil || lacking[0].How == "" {
		t.Fatalf("before the build: %+v", lacking)
	}
	// Two at once build once.
	var log safeBuffer
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if err := b.install(t.Context(), &log); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := strings.Count(log.String(), "building tiny: the first time"); n != 1 {
		t.Errorf("built %d times: %s", n, log.String())
	}
	if lacking := b.requirement(t.Context()); lacking != nil {
		t.Errorf("after the build: %+v", lacking)
	}
	other, err := b.program(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runTool(t.Context(), nil, os.Environ(), "", other); err != nil || !strings.HasSuffix(strings.TrimSpace(out), "/other") {
		t.Errorf("by its other name: %q, %v", out, err)
	}
	first := kept(t)
	writeModule(t, b, printsName+"// changed\n")
	if b.requirement(t.Context()) == nil {
		t.Error("a changed module counts as built")
	}
	if err := b.install(t.Context(), &log); err != nil {
		t.Fatal(err)
	}
	// The older one is kept for a checkout that goes back to it.
	if now := kept(t); len(now) != 2 || !slices.Contains(now, first[0]) {
		t.Errorf("kept %v after %v", now, first)
	}
}

func TestABuildThatFailsOrIsInterruptedLeavesNothing(t *testing.T) {
	b := tiny(t, "package main\nfunc main() { undefined() }\n")
	err := b.install(t.Context(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("error %v, want the compiler's words", err)
	}
	if names := kept(t); len(names) != 0 {
		t.Errorf("left %v", names)
	}
	writeModule(t, b, printsName)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("got a signal"))
	if err := b.install(ctx, &bytes.Buffer{}); err == nil {
		t.Error("an interrupted build must fail")
	}
	if names := kept(t); len(names) != 0 {
		t.Errorf("left %v", names)
	}
}

func TestTheLockIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path, func() { t.Error("nobody has it") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	if _, err := lockFile(ctx, path, func() { cancel(enough) }); !errors.Is(err, enough) {
		t.Errorf("error %v, want the end of the wait", err)
	}
	unlock()
	again, err := lockFile(t.Context(), path, func() { t.Error("it was given back") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestBuildProgress(t *testing.T) {
	p := &buildProgress{}
	for _, text := range []string{"go: downloading example.test/a v1.0.0\n", "example.test/a\nexample.test/b\n"} {
		if _, err := p.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if p.compiled == 0 && !strings.Contains(p.String(), "downloading") {
			t.Errorf("while it downloads: %q", p)
		}
	}
	if !strings.HasPrefix(p.String(), "2 packages compiled") {
		t.Errorf("%q", p)
	}
	for range 100 {
		_, _ = p.Write([]byte("x y\n"))
	}
	if lines := strings.Count(p.tail(), "\n") + 1; lines > 20 {
		t.Errorf("%d lines are kept", lines)
	}
}

// Every module that is built is there, with the sums that let nothing else in.
func TestTheModulesAreComplete(t *testing.T) {
	root, err := buildsDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []build{buildVault, buildKube, buildEtcd, buildKWOK, buildPebble, buildToxiproxy} {
		sums, err := os.ReadFile(filepath.Join(root, b.name, "go.sum"))
		if err != nil || len(sums) == 0 {
			t.Errorf("%s: %v", b.name, err)
		}
		if _, dir, err := b.locate(t.Context()); err != nil || !strings.HasPrefix(filepath.Base(dir), b.name+"-") {
			t.Errorf("%s: %q, %v", b.name, dir, err)
		}
	}
}

// The version that is stamped is that of the module.
func TestTheStampedVersionIsTheModules(t *testing.T) {
	root, err := buildsDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, buildKube.name, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(kubeVersion[0], "gitVersion=")
	if !strings.Contains(string(text), "k8s.io/kubernetes "+version+"\n") {
		t.Errorf("the module does not require k8s.io/kubernetes %s", version)
	}
}

// safeBuffer is a buffer that two may write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(text)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
