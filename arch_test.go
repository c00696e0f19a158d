package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "warroom"

// pure are the packages that only compute: no I/O, no clock of their own, no
// SDK. What they are given are values.
var pure = []string{
	"internal/redact", "internal/decode", "internal/theme", "internal/estate", "internal/runbook",
	"internal/plan", "internal/diagnosis", "internal/incident", "panes",
}

// mayImport is the one-way table: what each package may import of the others.
// Packages that do not exist yet stand here too; one that is not here fails.
var mayImport = map[string][]string{
	// leaves
	"internal/redact":  nil,
	"internal/decode":  nil,
	"internal/theme":   nil,
	"internal/journal": {"internal/redact"},
	// meaning
	"internal/estate":    {"internal/redact"},
	"internal/runbook":   {"internal/decode"},
	"internal/plan":      {"internal/estate"},
	"internal/config":    {"internal/estate", "internal/decode"},
	"internal/diagnosis": {"internal/estate", "internal/plan"},
	"internal/incident":  {"internal/estate", "internal/plan", "internal/runbook", "internal/diagnosis"},
	// systems
	"internal/clients": {"internal/config", "internal/estate", "internal/redact"}, // makes what it reads known to the net
	"checks":           {"internal/clients", "internal/config", "internal/estate"},
	"internal/archive": {"internal/journal", "internal/incident", "internal/runbook", "internal/redact"},
	"actions":          {"internal/plan", "internal/incident", "internal/clients", "internal/config", "internal/estate"},
	"internal/drill":   {"internal/config"},
	// people
	"panes":             pure,
	"ui":                pure,
	"internal/report":   pure,
	"internal/notify":   nil,
	"internal/discover": {"internal/clients", "internal/config"},
	"internal/cli":      {anything},
	"":                  {"internal/cli"}, // main.go
	// support, no part of the product
	"ui/driver":                  {"ui"},
	"internal/labtest":           nil,
	"internal/estate/estatetest": {"internal/estate"},
	"bench":                      {"internal/drill"}, // for a Secrets Manager that keeps AWS's rules and counts
}

const anything = "*"

// families are packages whose subpackages count as the package itself.
var families = []string{"internal/drill", "actions"}

// testSupport are packages that only tests may import.
var testSupport = []string{"ui/driver", "internal/labtest", "internal/estate/estatetest"}

// pureModules are the modules that pure packages may use: they compute text,
// width and colour, or parse.
var pureModules = []string{
	"charm.land/lipgloss/v2", "github.com/charmbracelet/x/ansi", "go.yaml.in/yaml/v4",
	"github.com/lucasb-eyer/go-colorful", "github.com/rivo/uniseg", "github.com/clipperhouse/displaywidth", "github.com/clipperhouse/uax29/v2",
}

// impure are the packages of the standard library that do I/O. A name covers
// those below it, but for the ones in pureStandard.
var (
	impure       = []string{"os", "net", "io/fs", "io/ioutil", "syscall", "database", "crypto/tls", "log", "plugin", "testing", "expvar", "debug"}
	pureStandard = []string{"net/url", "net/netip", "log/slog"}
)

// clockCalls are the functions of package time that read or wait for the clock.
var clockCalls = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// longFiles may be longer than maxLines, each with the reason.
var longFiles = map[string]string{}

const maxLines = 500

// pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func (p pkg) name() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func TestImportsFollowTheTable(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		packages := list(t, system)
		if len(packages) < 5 {
			t.Fatalf("go list for %s named %d packages: it did not see the tree", system, len(packages))
		}
		for _, p := range packages {
			for _, fault := range faults(p) {
				t.Errorf("%s: %s", system, fault)
			}
		}
	}
}

func TestTheTableFindsFaults(t *testing.T) {
	tests := []struct {
		what string
		pkg  pkg
		want int
	}{
		{"an allowed edge", pkg{ImportPath: "warroom/checks", Imports: []string{"warroom/internal/clients", "os"}}, 0},
		{"an edge back", pkg{ImportPath: "warroom/internal/clients", Imports: []string{"warroom/checks"}}, 1},
		{"the screen to a system", pkg{ImportPath: "warroom/ui", Imports: []string{"warroom/actions", "warroom/internal/journal"}}, 2},
		{"a package that is not in the table", pkg{ImportPath: "warroom/internal/misc"}, 1},
		{"everything for the wiring", pkg{ImportPath: "warroom/internal/cli", Imports: []string{"warroom/checks", "warroom/ui"}}, 0},
		{"main past the wiring", pkg{ImportPath: "warroom", Imports: []string{"warroom/ui"}}, 1},
		{"a family's own", pkg{ImportPath: "warroom/internal/drill/world", Imports: []string{"warroom/internal/drill/aws", "warroom/internal/config"}}, 0},
		{"a family's subpackage to elsewhere", pkg{ImportPath: "warroom/internal/drill/world", Imports: []string{"warroom/checks"}}, 1},
		{"I/O in a pure package", pkg{ImportPath: "warroom/internal/estate", Imports: []string{"os", "os/exec", "net/http", "io/fs"}}, 4},
		{"text and addresses in a pure package", pkg{ImportPath: "warroom/internal/estate", Imports: []string{"net/url", "net/netip", "io", "log/slog"}}, 0},
		{"an SDK in a pure package", pkg{ImportPath: "warroom/panes", Imports: []string{"charm.land/bubbletea/v2", "github.com/jackc/pgx/v5"}}, 2},
		{"styles in a pure package", pkg{ImportPath: "warroom/panes", Imports: []string{"charm.land/lipgloss/v2", "github.com/charmbracelet/x/ansi"}}, 0},
		{"test support in the product", pkg{ImportPath: "warroom/internal/cli", Imports: []string{"warroom/ui/driver"}}, 1},
		{"test support in a test", pkg{ImportPath: "warroom/internal/cli", TestImports: []string{"warroom/ui/driver"}}, 0},
		{"the lab in a test", pkg{ImportPath: "warroom/checks", XTestImports: []string{"warroom/lab"}}, 1},
	}
	for _, test := range tests {
		if found := faults(test.pkg); len(found) != test.want {
			t.Errorf("%s: %d faults, want %d: %v", test.what, len(found), test.want, found)
		}
	}
}

// faults are the breaches of the table in one package.
func faults(p pkg) []string {
	var found []string
	fault := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		if within(path, module+"/lab") {
			fault("%s imports %s: the lab is a module of its own", p.ImportPath, path)
		}
	}
	from := owner(p.name())
	allowed, known := mayImport[from]
	if !known {
		fault("%s is not in the table of imports: add it, with what it may import", p.ImportPath)
		return found
	}
	for _, path := range p.Imports {
		if !within(path, module) {
			if slices.Contains(pure, from) && !isPure(path) {
				fault("%s is pure and imports %s", p.ImportPath, path)
			}
			continue
		}
		to := owner(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"))
		switch {
		case slices.Contains(testSupport, to):
			fault("%s imports %s, which is for tests only", p.ImportPath, path)
		case to == from, slices.Contains(allowed, to), slices.Contains(allowed, anything), from == "ui" && to == "panes":
		case within(path, module+"/lab"): // said above
		default:
			fault("%s may not import %s", p.ImportPath, path)
		}
	}
	return found
}

// owner is the package in whose name a subpackage stands in the table.
func owner(name string) string {
	for _, family := range families {
		if within(name, family) {
			return family
		}
	}
	return name
}

// within says whether path is root or below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func isPure(path string) bool {
	in := func(root string) bool { return within(path, root) }
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
		return slices.ContainsFunc(pureModules, in)
	}
	return slices.Contains(pureStandard, path) || !slices.ContainsFunc(impure, in)
}

func TestPurePackagesDoNotReadTheClock(t *testing.T) {
	files := 0
	for _, p := range list(t, "linux") {
		if !slices.Contains(pure, owner(p.name())) {
			continue
		}
		for _, name := range p.GoFiles {
			files++
			path := filepath.Join(p.Dir, name)
			calls, err := clockReads(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range calls {
				t.Errorf("%s: the time is passed in to a pure package", call)
			}
		}
	}
	if files < 5 {
		t.Fatalf("saw %d files of pure packages: the tree was not seen", files)
	}
}

// clockReads are the places in a file that use the clock of package time.
func clockReads(path string) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if left, ok := selector.X.(*ast.Ident); ok && left.Name == "time" && slices.Contains(clockCalls, selector.Sel.Name) {
			found = append(found, fmt.Sprintf("%s uses time.%s", set.Position(n.Pos()), selector.Sel.Name))
		}
		return true
	})
	return found, nil
}

func TestFilesAreShort(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != "." && strings.HasPrefix(entry.Name(), ".") || entry.Name() == "dist" {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		seen++
		lines, err := countLines(path)
		if err != nil {
			return err
		}
		reason := longFiles[filepath.ToSlash(path)]
		switch {
		case lines > maxLines && reason == "":
			t.Errorf("%s has %d lines, more than %d: split it, or say in longFiles why not", path, lines, maxLines)
		case lines <= maxLines && reason != "":
			t.Errorf("%s is short again: take it out of longFiles", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("saw %d Go files: the tree was not seen", seen)
	}
}

func countLines(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	lines := 0
	for scanner.Scan() {
		lines++
	}
	return lines, scanner.Err()
}

// list is go list ./... as it is seen when building for a system.
func list(t *testing.T, system string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list ./...: %v\n%s", err, complaints.Bytes())
	}
	var packages []pkg
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		packages = append(packages, p)
	}
}
