package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakePeer records what is done to it.
type fakePeer struct {
	name  string
	start func(ctx context.Context, site *Site) error
	lacks []Requirement

	mu    sync.Mutex
	calls []string
}

func (p *fakePeer) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

func (p *fakePeer) Name() string                          { return p.name }
func (p *fakePeer) Key() string                           { return p.name }
func (p *fakePeer) Missing(context.Context) []Requirement { return p.lacks }
func (p *fakePeer) Describe(d *Description)               { d.Moto = &MotoURL{Endpoint: "http://" + p.name} }
func (p *fakePeer) Stop() error                           { p.note("stop"); return nil }
func (p *fakePeer) Start(ctx context.Context, site *Site) error {
	p.note("start")
	if p.start == nil {
		return nil
	}
	return p.start(ctx, site)
}

// leftovers are the folders of this process's labs that still exist.
func leftovers(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(tempDir(), dirPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(dir string) bool {
		pid, ok := dirOwner(dir)
		return !ok || pid != os.Getpid()
	})
}

func TestRunDescribesStopsAndKeepsTheCode(t *testing.T) {
	peer := &fakePeer{name: "one"}
	var out, log bytes.Buffer
	code, err := Run(t.Context(), []Peer{peer}, Command{
		Args:   []string{"sh", "-c", `stat -c %a "$WARROOM_LAB"; cat "$WARROOM_LAB"; exit 7`},
		Stdout: &out, Stderr: &out,
	}, nil, &log)
	if code != 7 || err != nil {
		t.Fatalf("code %d, error %v, want 7 and none; output %s", code, err, out.String())
	}
	mode, text, _ := strings.Cut(out.String(), "\n")
	if mode != "600" {
		t.Errorf("the description has mode %s, want 600", mode)
	}
	var d Description
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.Moto == nil || d.Moto.Endpoint != "http://one" || d.Primary != nil {
		t.Errorf("description %s, error %v", text, err)
	}
	if !slices.Equal(peer.calls, []string{"start", "stop"}) {
		t.Errorf("calls %v", peer.calls)
	}
	if !strings.Contains(log.String(), "one is ready") {
		t.Errorf("progress %q", log.String())
	}
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRunExitCodes(t *testing.T) {
	tests := []struct {
		args []string
		want int
		bad  bool
	}{
		{[]string{"true"}, 0, false},
		{[]string{"false"}, 1, false},
		{[]string{"sh", "-c", "kill -KILL $$"}, 137, false},
		{[]string{"/no/such/program"}, 127, true},
	}
	for _, test := range tests {
		peer := &fakePeer{name: "one"}
		code, err := Run(t.Context(), []Peer{peer}, Command{Args: test.args}, nil, &bytes.Buffer{})
		if code != test.want || (err != nil) != test.bad {
			t.Errorf("%v: code %d, error %v, want %d", test.args, code, err, test.want)
		}
		if !slices.Contains(peer.calls, "stop") {
			t.Errorf("%v: the peer was not stopped", test.args)
		}
	}
}

func TestOneThatFailsStopsAll(t *testing.T) {
	broken := errors.New("it is broken")
	good := &fakePeer{name: "good"}
	bad := &fakePeer{name: "bad", start: func(context.Context, *Site) error { return broken }}
	waiting := &fakePeer{name: "waiting", start: func(ctx context.Context, site *Site) error { return site.Await(ctx, "bad") }}
	stuck := &fakePeer{name: "stuck", start: func(ctx context.Context, _ *Site) error { <-ctx.Done(); return ctx.Err() }}
	peers := []Peer{good, bad, waiting, stuck}
	code, err := Run(t.Context(), peers, Command{Args: []string{"true"}}, nil, &bytes.Buffer{})
	if code != 1 || !errors.Is(err, broken) || !strings.Contains(err.Error(), "start bad") {
		t.Errorf("code %d, error %v", code, err)
	}
	for _, p := range peers {
		if f := p.(*fakePeer); !slices.Contains(f.calls, "stop") {
			t.Errorf("%s was not stopped", f.name)
		}
	}
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAwaitOrdersPeers(t *testing.T) {
	release := make(chan struct{})
	first := &fakePeer{name: "first", start: func(ctx context.Context, _ *Site) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	second := &fakePeer{name: "second", start: func(ctx context.Context, site *Site) error {
		select {
		case <-site.ready["first"].done:
			return errors.New("the first was ready before it was released")
		default:
		}
		close(release)
		return site.Await(ctx, "first")
	}}
	l, err := Start(t.Context(), []Peer{second, first}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(); err != nil {
		t.Error(err)
	}
	unknown := &Site{}
	if err := unknown.Await(t.Context(), "nobody"); err == nil {
		t.Error("awaiting a peer that does not exist must fail")
	}
}

func TestWhatIsMissingFailsAndSaysHow(t *testing.T) {
	peer := &fakePeer{name: "one", lacks: []Requirement{{What: "a thing", How: "install it with: get thing"}}}
	_, err := Start(t.Context(), []Peer{peer}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "one cannot run: a thing is missing; install it with: get thing") {
		t.Errorf("error %v", err)
	}
	if slices.Contains(peer.calls, "start") {
		t.Error("it was started all the same")
	}
}

// choosy is a peer that this machine cannot run.
type choosy struct{ fakePeer }

func (*choosy) Unfit(context.Context) string { return "the moon is full" }

func TestWhatCannotRunHereIsLeftOutAndSaid(t *testing.T) {
	one := &choosy{fakePeer{name: "choosy", lacks: []Requirement{{What: "a thing", How: "get it"}}}}
	var log bytes.Buffer
	l, err := Start(t.Context(), []Peer{one, &fakePeer{name: "easy"}}, &log)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(); err != nil {
		t.Error(err)
	}
	if len(one.calls) > 0 || !strings.Contains(log.String(), "choosy is left out: the moon is full") {
		t.Errorf("calls %v, progress %q", one.calls, log.String())
	}
	var d Description
	if err := json.Unmarshal(text, &d); err != nil || !slices.Equal(d.Peers, []string{"easy"}) {
		t.Errorf("description %s, %v", text, err)
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	peer := &fakePeer{name: "one"}
	signals := make(chan os.Signal, 1)
	ready := filepath.Join(t.TempDir(), "ready")
	go func() {
		for !exists(ready) && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		signals <- syscall.SIGTERM
	}()
	code, err := Run(t.Context(), []Peer{peer}, Command{
		Args: []string{"sh", "-c", `trap 'exit 3' TERM; : > "` + ready + `"; while :; do sleep 0.02; done`},
	}, signals, &bytes.Buffer{})
	if code != 3 || err != nil {
		t.Errorf("code %d, error %v, want the trap's 3", code, err)
	}
	if !slices.Contains(peer.calls, "stop") {
		t.Error("the peer was not stopped")
	}
}

func TestASignalWhileStartingEndsIt(t *testing.T) {
	signals := make(chan os.Signal, 1)
	peer := &fakePeer{name: "slow", start: func(ctx context.Context, _ *Site) error {
		signals <- syscall.SIGINT
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	code, err := Run(t.Context(), []Peer{peer}, Command{Args: []string{"true"}}, signals, &bytes.Buffer{})
	if code != 130 || err == nil {
		t.Errorf("code %d, error %v, want 130 and an error", code, err)
	}
	if !slices.Contains(peer.calls, "stop") {
		t.Error("the peer was not stopped")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
