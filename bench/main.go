//go:build linux

// Command bench measures the built program as a user meets it: started in a
// pseudo-terminal that answers what a terminal is asked, on an estate served by
// another process. It prints one table and fails when a bar is missed.
//
// Its rules: figures are taken from the process and from what it wrote to the
// terminal, never from a function; a figure whose conditions were not reached
// (too few readings a second, a program that ended) is an error, not a pass.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The screen on which everything is measured.
const (
	columns = 160
	rows    = 45
)

// options are what can be chosen on the command line.
type options struct {
	binary string
	runs   int           // starts of which the median is taken
	keys   int           // keys pressed under load
	idle   time.Duration // how long the console is watched for what it costs
	only   string        // which parts are measured, separated by commas; all when empty
}

func main() {
	// The estate's servers are this program again, in a process of their own, so
	// that what they do is not in the figures.
	serving := map[string]func(io.Reader, io.Writer) error{serveArgument: serve, storeArgument: serveStore}
	if len(os.Args) == 2 && serving[os.Args[1]] != nil {
		if err := serving[os.Args[1]](os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.binary, "binary", "", "measure this program rather than build it")
	flag.IntVar(&o.runs, "runs", 15, "starts of which the median is taken, at least 10")
	flag.IntVar(&o.keys, "keys", 300, "keys pressed while readings stream in, at least 100")
	flag.DurationVar(&o.idle, "idle", 20*time.Second, "how long the console is watched for what it costs, at least 15s")
	flag.StringVar(&o.only, "only", "", "measure only these parts, separated by commas: "+strings.Join(partNames(), ", "))
	flag.Parse()
	if flag.NArg() > 0 || !knownParts(o.only) || o.runs < 10 || o.keys < 100 || o.idle < 15*time.Second {
		flag.Usage()
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, o)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, o options) int {
	table, err := measure(ctx, o)
	if len(table) > 0 {
		fmt.Printf("\nwarroom at %d×%d on %d cores, %s, load %s\n\n%s", columns, rows, runtime.NumCPU(), runtime.Version(), load(), render(table))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if missed := missed(table); missed > 0 {
		fmt.Printf("\n%d passed, %d failed\n", len(table)-missed, missed)
		return 1
	}
	fmt.Printf("\n%d passed, 0 failed\n", len(table))
	return 0
}

// parts are what is measured, in this order: what is started cold comes first.
var parts = []struct {
	name string
	take func(*bench, context.Context) ([]figure, error)
}{
	{"start", (*bench).firstFrame},
	{"keys", (*bench).busy},
	{"quiet", (*bench).quiet},
	{"memory", (*bench).held},
	{"far", (*bench).far},
	{"one", func(b *bench, ctx context.Context) ([]figure, error) { return b.compared(ctx, 1, 20) }},
	{"hundred", func(b *bench, ctx context.Context) ([]figure, error) { return b.compared(ctx, 100, 100) }},
	{"recover", (*bench).recovered},
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func knownParts(only string) bool {
	for name := range strings.SplitSeq(only, ",") {
		if only != "" && !slices.Contains(partNames(), name) {
			return false
		}
	}
	return true
}

// measure takes every figure. On an error it returns the figures it has.
func measure(ctx context.Context, o options) (table []figure, err error) {
	dir, err := os.MkdirTemp("", "warroom-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.binary == "" {
		o.binary = filepath.Join(dir, "warroom")
		progress("building warroom")
		if err := build(ctx, o.binary); err != nil {
			return nil, err
		}
	}
	server, err := startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	b := &bench{options: o, dir: dir, server: server}
	for _, p := range parts {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), p.name) {
			continue
		}
		taken, err := p.take(b, ctx)
		table = append(table, taken...)
		if err != nil {
			return table, err
		}
	}
	return table, nil
}

// bench is one run of the whole bench.
type bench struct {
	options
	dir    string
	server *server
	// underLoad is what the console held while the keys were measured.
	underLoad memory
}

// build builds the program as it is released.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "warroom")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build warroom: %w", err)
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// load is the machine's load, which says how far the figures can be trusted.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:1], " ")
}
