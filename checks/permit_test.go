package checks

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/estate"
)

// readsOnly is a permit that fails the test for a call that changes something.
type readsOnly struct{ t *testing.T }

func (r readsOnly) Around(_ context.Context, c clients.Call, do func() error) error {
	if c.Changes {
		r.t.Errorf("a check makes %+v", c)
		return &clients.NotPermitted{Call: c}
	}
	return do()
}

// callBook lets reads be made, and writes down what was asked of each system.
type callBook struct {
	readsOnly
	mu    sync.Mutex
	calls map[string]map[string]int // by system and name
}

func (r *callBook) Around(ctx context.Context, c clients.Call, do func() error) error {
	r.mu.Lock()
	if r.calls[c.System] == nil {
		r.calls[c.System] = map[string]int{}
	}
	r.calls[c.System][c.Name]++
	r.mu.Unlock()
	return r.readsOnly.Around(ctx, c, do)
}

// A full check of a whole estate changes nothing, is refused nothing for being taken
// for a change, and asks AWS for nothing that the documented read role does not allow.
func TestChecksChangeNothing(t *testing.T) {
	world, err := drill.Open("db-rotation", drill.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- world.Serve(t.Context()) }()
	defer func() {
		if err := errors.Join(world.Close(), <-served); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-world.Ready():
	case err := <-served:
		served <- err
		t.Fatal("the world ended")
	}
	cfg, err := config.Parse("drill", world.Config())
	if err != nil {
		t.Fatal(err)
	}
	set := clients.New(cfg)
	defer set.Close()
	probes, watchers := Probes(cfg, set), Watchers(cfg, set)
	board := NewBoard(estate.NewSnapshot(cfg.Topology(), Expectations(probes, watchers...)))
	r := &callBook{readsOnly: readsOnly{t}, calls: map[string]map[string]int{}}
	ctx, cancel := context.WithTimeout(clients.WithPermit(t.Context(), r), 2*time.Minute)
	defer cancel()
	NewScheduler(probes, Options{Concurrency: cfg.Checks.Concurrency, Post: board.Post, Watchers: watchers}).Once(ctx)
	if err := ctx.Err(); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, c := range cfg.Components {
		for _, slot := range board.Snapshot().Slots(estate.ID(c.ID)) {
			if f := slot.Last.Failure; f != nil && strings.Contains(f.Error(), "read-only") {
				t.Errorf("%s: %v", c.ID, f)
			}
			if slot.Last.Data != nil {
				read++
			}
		}
	}
	if read < 60 {
		t.Errorf("only %d reads brought anything", read)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	allowed := readRole(t)
	kinds := map[string]bool{}
	for system, names := range r.calls {
		kind, _, _ := strings.Cut(system, ":")
		kinds[kind] = true
		if kind != "aws" {
			continue
		}
		for name := range names {
			if name == "apigateway:GetAuthorizers" {
				name = "apigateway:GET" // IAM knows its methods
			}
			if !strings.HasPrefix(name, "sts:") && !slices.Contains(allowed, name) {
				t.Errorf("%s is not in the read role of docs/permissions.md", name)
			}
		}
	}
	for _, kind := range []string{"aws", "vault", "kubernetes", "postgres", "http", "tls"} {
		if !kinds[kind] {
			t.Errorf("no call to %s passed the permit", kind)
		}
	}
}

// readRole are the actions of the first policy of the documentation.
func readRole(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	raw, _, _ := strings.Cut(rest, "```")
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(raw), &policy); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range policy.Statement {
		all = append(all, s.Action...)
	}
	return all
}
