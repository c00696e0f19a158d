package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// The crash matrix: every procedure is killed, by a signal that no process can catch,
// before and after every call that it makes and every record of its journal. The
// simulated estate lives in the test's process, and what acts on it in one of its own,
// as it would in an incident.

// crashCase is one procedure in the matrix.
type crashCase struct {
	procedure, target string
	options           []string
	scenario          string   // db-rotation when empty
	secret            string   // the secret that it is for; of a database's, some stored credential must always log in
	pass              []string // what a roll-back leaves as the run made it, and why its plan says so
	stops             bool     // it stops where a person must decide, which is its good end
	before            func(t *testing.T, s *stage)
	goal              func(s *stage, before map[string]string)
}

func (c crashCase) name() string { return c.procedure + " " + c.target }

// first has another procedure done before.
func first(args ...string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		t.Helper()
		if out, code := s.accepting(append(append([]string{"act"}, args...), "--confirm", args[1], "--reason", "a test")...); code != 0 {
			t.Fatalf("%v ended with %d:\n%s", args, code, out)
		}
	}
}

var crashCases = []crashCase{
	// A version was stuck before the run, and is again after its roll-back: its rotation stays off.
	{procedure: "recover-pending", target: "prod/db/postgres", secret: "prod/db/postgres", goal: rotated, pass: []string{"prod/db/postgres schedule"}},
	{procedure: "rotate-database", target: "prod/db/analytics", secret: "prod/db/analytics", goal: rotated},
	{procedure: "rotate-database", target: "prod/db/postgres", secret: "prod/db/postgres", goal: rotated, before: first("recover-pending", "prod/db/postgres")},
	{procedure: "request-rotation", target: "prod/db/analytics", secret: "prod/db/analytics", goal: requested, before: platform},
	{procedure: "cancel-rotation", target: "prod/db/analytics", goal: scheduled(false, "prod/db/analytics")},
	{procedure: "resume-rotation", target: "prod/db/analytics", goal: scheduled(true, "prod/db/analytics"), before: first("cancel-rotation", "prod/db/analytics")},
	// One of the two is stuck: it stays off.
	{procedure: "contain", target: "rotate-postgres", options: []string{"within=720h"}, goal: scheduled(false, "prod/db/postgres", "prod/db/analytics"),
		pass: []string{"prod/db/postgres schedule", "prod/db/postgres tag warroom:rotation-cancelled"}},
	{procedure: "resume-rotations", target: "rotate-postgres", goal: scheduled(true, "prod/db/postgres", "prod/db/analytics"), before: func(t *testing.T, s *stage) {
		first("recover-pending", "prod/db/postgres")(t, s)
		first("resume-rotation", "prod/db/postgres")(t, s)
		first("contain", "rotate-postgres", "-o", "within=2000h")(t, s)
	}, pass: []string{"prod/db/postgres tag warroom:rotation-cancelled", "prod/db/analytics tag warroom:rotation-cancelled"}}, // who, and when
	{procedure: "rotate-api-key", target: "prod/api/payment", secret: "prod/api/payment", goal: rotated},
	{procedure: "use-backup-key", target: "prod/api/payment", secret: "prod/api/payment", goal: rotated},
	{procedure: "revoke-api-key", target: "prod/api/payment", secret: "prod/api/payment", goal: revoked},
	{procedure: "rotate-certificate", target: "load-balancer", goal: renewed},
	{procedure: "restart", target: "prod/db/postgres", goal: restarted, before: first("recover-pending", "prod/db/postgres")},
	{procedure: "unseal", target: "vault-primary", goal: unsealed, before: seal},
	{procedure: "recover", target: "all", goal: recovered, stops: true, // as contain
		pass: []string{"prod/db/postgres schedule", "prod/db/postgres tag warroom:rotation-cancelled"}},
}

// stage is one world with the state of one console.
type stage struct {
	t      *testing.T
	world  *drill.World
	cfg    *config.Config
	path   string
	state  string
	ask    crashCase
	set    *clients.Set
	acting *clients.Set // as whom changes are made
	shares []string     // files of key shares of the primary Vault
	stood  map[string]string
	secret []string // values that must stand nowhere
	said   *bytes.Buffer
	served chan error
}

// saying guards what was said on a stage on which several programs run at once.
var saying sync.Mutex

// setStage opens a world of its own for one attempt.
func setStage(t *testing.T, c crashCase) *stage {
	t.Helper()
	name := c.scenario
	if name == "" {
		name = defaultScenario
	}
	world, err := drill.Open(name, drill.Options{Dir: filepath.Join(t.TempDir(), "world")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	s := &stage{t: t, world: world, state: t.TempDir(), ask: c, served: make(chan error, 1), said: &bytes.Buffer{}}
	go func() { s.served <- world.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		_ = world.Close()
		<-s.served
	})
	select {
	case <-world.Ready():
	case err := <-s.served:
		t.Fatal(err)
	}
	if s.cfg, err = config.Parse("drill", world.Config()); err != nil {
		t.Fatal(err)
	}
	s.path = filepath.Join(world.Dir(), "warroom.yaml")
	// Long enough to see that a pod stays up is of no use here.
	text := bytes.Replace(world.Config(), []byte("soak: 10s"), []byte("soak: 1s"), 1)
	if err := os.WriteFile(s.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.set, s.acting = clients.New(s.cfg), clients.NewActing(s.cfg)
	t.Cleanup(func() { s.set.Close(); s.acting.Close() })
	s.keep()
	if c.before != nil {
		c.before(t, s)
	}
	if c.goal != nil && c.procedure != "unseal" { // a sealed Vault tells of nothing
		s.stood = s.shape()
	}
	return s
}

// run runs the program on the stage and returns what it printed, and how it ended:
// its exit code, or -1 when a signal ended it.
func (s *stage) run(broken string, args ...string) (string, int) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, append([]string{"--config", s.path}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "XDG_STATE_HOME="+s.state, "USER=ic-1", breakAt+"="+broken)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	watched := s.watch(cmd.Process.Pid)
	err = cmd.Wait()
	seen := watched()
	saying.Lock()
	s.said.Write(seen)
	s.said.Write(out.Bytes())
	saying.Unlock()
	if ctx.Err() != nil {
		s.t.Errorf("%v did not end within %v:\n%s", args, patience, out.String())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return out.String(), -1
		}
		return out.String(), exit.ExitCode()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out.String(), 0
}

// act is the command line that carries the case out, with everything consented to
// that its plan asks for.
func (s *stage) act() []string {
	s.t.Helper()
	return s.consented([]string{"act", s.ask.procedure, s.ask.target})
}

func (s *stage) consented(args []string) []string {
	s.t.Helper()
	ask := []string{"plan", "--json", s.ask.procedure, s.ask.target}
	for _, o := range s.ask.options {
		ask = append(ask, "-o", o)
		args = append(args, "-o", o)
	}
	out, code := s.run("", ask...)
	var doc struct{ Plan plan.Plan }
	if code == 0 {
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			s.t.Fatalf("%v in %s", err, out)
		}
	}
	args = append(args, "--confirm", s.ask.target, "--reason", "a test of crashes")
	args = append(args, s.inputs()...)
	for _, w := range doc.Plan.Warnings {
		if w.Accept {
			args = append(args, "--accept", w.ID)
		}
	}
	return args
}

// inputs are the key shares, where the case has any.
func (s *stage) inputs() (args []string) {
	for i, path := range s.shares {
		if i < 3 { // as many as open it
			args = append(args, "--input", fmt.Sprintf("share-%d=%s", i+1, path))
		}
	}
	return args
}

// points lists the calls and records of an undisturbed run.
func points(t *testing.T, c crashCase) []string {
	t.Helper()
	s := setStage(t, c)
	list := filepath.Join(t.TempDir(), "points")
	out, code := s.run("list:"+list, s.act()...)
	if code != 0 && !s.stopped(out) {
		t.Fatalf("undisturbed it ended with %d:\n%s", code, out)
	}
	raw, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	s.works("after an undisturbed run")
	s.reached()
	s.leaks()
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

// works fails the test unless some stored credential of the case's secret logs in at
// its primary: one of the user's own, or the emergency superuser's where the story
// begins with none that does.
func (s *stage) works(when string) {
	s.t.Helper()
	if !strings.HasPrefix(s.ask.secret, "prod/db/") {
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	var tried []string
	for i := range s.cfg.Components {
		pg := s.cfg.Components[i].Postgres
		if pg == nil || pg.Role != "primary" {
			continue
		}
		server := clients.NewPostgres(clients.PostgresServer{Host: pg.Host, Port: pg.Port, Database: pg.Database, SSLMode: pg.SSLMode, CACert: pg.CACert}, s.set.Text)
		secrets := []string{s.ask.secret}
		if s.ask.procedure == "recover-pending" { // its story begins with none of its own that does
			secrets = append(secrets, "prod/db/superuser")
		}
		for _, secret := range secrets {
			for _, label := range []estate.Stage{estate.StageCurrent, estate.StagePending, estate.StagePrevious} {
				v, err := s.set.StoredFresh(ctx, secret, label)
				if err != nil {
					tried = append(tried, fmt.Sprintf("%s %s: %v", secret, label, err))
					continue
				}
				user, err := v.Field("username")
				if err != nil {
					continue
				}
				password, err := v.Field("password")
				if err != nil {
					continue
				}
				try := server.Login(ctx, user.Reveal(), password)
				if try.Err == nil && try.Login.Outcome == estate.LoginAccepted {
					return
				}
				tried = append(tried, fmt.Sprintf("%s %s: %v %s", secret, label, try.Err, try.Login.Outcome))
			}
		}
	}
	s.t.Errorf("%s no stored credential logs in:\n%s", when, strings.Join(tried, "\n"))
}

// inMatrix are the procedures that this run kills and breaks: all with WARROOM_CRASH
// set, as make test-lab does, and else one, so that the tests of every change stay quick.
func inMatrix() []crashCase {
	if os.Getenv("WARROOM_CRASH") != "" {
		return crashCases
	}
	for _, c := range crashCases {
		if c.procedure == "rotate-database" {
			return []crashCase{c}
		}
	}
	return nil
}

// kill is one attempt of the matrix.
type kill struct {
	at        int
	when, way string // when is empty for before
}

// kills are those that this run looks at: all with WARROOM_CRASH=full, and else a few of
// each kind. What comes before there is an incident only reads, and leaves nothing to roll
// back.
func kills(all []string) (out []kill) {
	from := begun(all)
	if os.Getenv("WARROOM_CRASH") != "full" {
		left := len(all) - from
		return []kill{{from, ":after", "resume"}, {from + left/4, "", "roll-back"}, {from + left/2, ":after", "roll-back"}, {from + left*3/4, "", "resume"}}
	}
	for n := 1; n <= len(all); n++ {
		for _, when := range []string{"", ":after"} {
			out = append(out, kill{n, when, "resume"})
			if n >= from {
				out = append(out, kill{n, when, "roll-back"})
			}
		}
	}
	return out
}

// stopped reports whether a run came to the end that its plan has.
func (s *stage) stopped(out string) bool {
	return s.ask.stops && strings.Contains(out, "is stopped: what could be done in one go is done")
}

// reached is that the procedure's goal is.
func (s *stage) reached() {
	s.t.Helper()
	if s.ask.goal != nil {
		s.ask.goal(s, s.stood)
	}
}

// asBefore is that the world stands as before the run.
func (s *stage) asBefore() {
	s.t.Helper()
	for _, what := range differs(s.stood, s.shape(), s.ask.pass...) {
		s.t.Errorf("rolled back, and not as before: %s", what)
	}
}

// begun is the first point at which there is an incident: whatever ends a run before it
// leaves nothing to take up.
func begun(all []string) int {
	for i, p := range all {
		if strings.Contains(p, "\tjournal\t") {
			return i + 1
		}
	}
	return len(all)
}

// After a kill anywhere, a stored credential works, and the run is finished by one
// command; or it is rolled back by one, where its plan says that it can be.
func TestKilledAnywhereAndTakenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("kills some hundred processes")
	}
	for _, c := range inMatrix() {
		t.Run(c.name(), func(t *testing.T) {
			all := points(t, c)
			var killed, resumed, back, none atomic.Int64
			t.Run("at", func(t *testing.T) {
				for _, k := range kills(all) {
					t.Run(fmt.Sprintf("%d%s %s", k.at, k.when, k.way), func(t *testing.T) {
						t.Parallel()
						s := setStage(t, c)
						out, code := s.run(fmt.Sprintf("kill:%d%s", k.at, k.when), s.act()...)
						if code != -1 {
							none.Add(1)
							return // it made fewer calls this time: polls differ
						}
						killed.Add(1)
						s.works("after the kill at " + all[k.at-1])
						switch s.takeUp(k.way) {
						case "resume":
							resumed.Add(1)
							s.reached()
						case "roll-back":
							back.Add(1)
							s.asBefore()
						}
						s.leaks()
						if t.Failed() {
							t.Logf("killed %s at %s:\n%s", k.when, all[k.at-1], out)
						}
					})
				}
			})
			t.Logf("%s: %d calls and records; killed %d times, finished %d times, rolled back %d times, not come so far %d times", c.name(), len(all), killed.Load(), resumed.Load(), back.Load(), none.Load())
		})
	}
}

// takeUp finishes or rolls back what was killed, and says which of the two it was.
func (s *stage) takeUp(way string) string {
	s.t.Helper()
	begin := func() string {
		out, code := s.run("", s.act()...)
		if code != 0 && !s.stopped(out) {
			s.t.Errorf("nothing had begun, and doing it ended with %d:\n%s", code, out)
		}
		return "resume"
	}
	list, _ := s.run("", "incident", "list")
	if !strings.Contains(list, " open ") { // it died before there was an incident
		return begin()
	}
	take := func(way string) (string, int) {
		args := []string{"incident", way, "latest", "--confirm", s.ask.target, "--reason", "a test of crashes"}
		out, code := s.accepting(append(args, s.inputs()...)...)
		if code == exitUsage && strings.Contains(out, "is not asked for") {
			out, code = s.accepting(args...)
		}
		return out, code
	}
	out, code := take(way)
	if strings.Contains(out, "has no run that was interrupted") {
		// It died before consent was on disk, or after everything was.
		s.works("with nothing to take up")
		return ""
	}
	if way == "roll-back" && code != 0 && (strings.Contains(out, "cannot be undone") || strings.Contains(out, "nothing that it did is left to undo")) {
		way = "resume"
		out, code = take(way)
	}
	if code != 0 && (way != "resume" || !s.stopped(out)) {
		s.t.Errorf("%s ended with %d:\n%s", way, code, out)
	}
	s.works("after " + way)
	return way
}

// accepting runs a command line, and accepts what it says must be accepted.
func (s *stage) accepting(args ...string) (out string, code int) {
	s.t.Helper()
	for range 8 {
		out, code = s.run("", args...)
		_, rest, found := strings.Cut(out, "must be accepted with --accept ")
		if code != exitUsage || !found {
			return out, code
		}
		id, _, _ := strings.Cut(rest, ": ")
		args = append(args, "--accept", id)
	}
	s.t.Fatal("the warnings have no end")
	return out, code
}
