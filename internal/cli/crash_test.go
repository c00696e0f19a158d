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
	scenario          string // db-rotation when empty
	secret            string // the database secret of which some stored credential must always log in; empty for none
	before            func(t *testing.T, s *stage)
}

var crashCases = []crashCase{
	{procedure: "recover-pending", target: "prod/db/postgres", secret: "prod/db/postgres"},
	{procedure: "rotate-database", target: "prod/db/analytics", secret: "prod/db/analytics"},
	{procedure: "cancel-rotation", target: "prod/db/analytics"},
	{procedure: "contain", target: "rotate-postgres", options: []string{"within=720h"}},
	{procedure: "rotate-api-key", target: "prod/api/payment"},
	{procedure: "rotate-certificate", target: "load-balancer"},
	{procedure: "restart", target: "prod/db/analytics", options: nil},
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
	served chan error
}

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
	s := &stage{t: t, world: world, state: t.TempDir(), ask: c, served: make(chan error, 1)}
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
	if err := os.WriteFile(s.path, world.Config(), 0o600); err != nil {
		t.Fatal(err)
	}
	s.set = clients.New(s.cfg)
	t.Cleanup(s.set.Close)
	if c.before != nil {
		c.before(t, s)
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
	err = cmd.Run()
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
	for _, w := range doc.Plan.Warnings {
		if w.Accept {
			args = append(args, "--accept", w.ID)
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
	if code != 0 {
		t.Fatalf("undisturbed it ended with %d:\n%s", code, out)
	}
	raw, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	s.works("after an undisturbed run")
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

// works fails the test unless some stored credential of the case's secret logs in at
// its primary: one of the user's own, or the emergency superuser's where the story
// begins with none that does.
func (s *stage) works(when string) {
	s.t.Helper()
	if s.ask.secret == "" {
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
		for _, secret := range []string{s.ask.secret, "prod/db/superuser"} {
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

// crashPoints are those of the matrix that this run looks at: all of them with
// WARROOM_CRASH=full, and else every nth, so that each procedure is killed a few times.
func crashPoints(n int) []int {
	step := 1
	if os.Getenv("WARROOM_CRASH") != "full" {
		step = max(1, n/3)
	}
	var out []int
	for i := 1; i <= n; i += step {
		out = append(out, i)
	}
	return out
}

// After a kill anywhere, a stored credential works, and the run is finished by one
// command; or it is rolled back by one, where its plan says that it can be.
func TestKilledAnywhereAndTakenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("kills some hundred processes")
	}
	for _, c := range crashCases {
		t.Run(c.procedure, func(t *testing.T) {
			all := points(t, c)
			killed, resumed, back := 0, 0, 0
			for _, n := range crashPoints(len(all)) {
				for _, when := range []string{"", ":after"} {
					for _, way := range []string{"resume", "roll-back"} {
						name := fmt.Sprintf("%d%s %s", n, when, way)
						if !t.Run(name, func(t *testing.T) {
							s := setStage(t, c)
							at := fmt.Sprintf("kill:%d%s", n, when)
							out, code := s.run(at, s.act()...)
							if code != -1 {
								return // it made fewer calls this time: polls differ
							}
							killed++
							s.works("after the kill at " + all[n-1])
							switch s.takeUp(way) {
							case "resume":
								resumed++
							case "roll-back":
								back++
							}
							if t.Failed() {
								t.Logf("killed %s at %s:\n%s", when, all[n-1], out)
							}
						}) {
							continue
						}
					}
				}
			}
			t.Logf("%s: %d calls and records; killed %d times, finished %d times, rolled back %d times", c.procedure, len(all), killed, resumed, back)
		})
	}
}

// takeUp finishes or rolls back what was killed, and says which of the two it was.
func (s *stage) takeUp(way string) string {
	s.t.Helper()
	list, _ := s.run("", "incident", "list")
	if !strings.Contains(list, " open ") { // it died before there was an incident
		out, code := s.run("", s.act()...)
		if code != 0 {
			s.t.Errorf("nothing had begun, and doing it ended with %d:\n%s", code, out)
		}
		return "resume"
	}
	out, code := s.accepting("incident", way, "latest", "--confirm", s.ask.target, "--reason", "a test of crashes")
	if strings.Contains(out, "has no run that was interrupted") {
		// It died before consent was on disk, or after everything was.
		s.works("with nothing to take up")
		return ""
	}
	if way == "roll-back" && code != 0 && strings.Contains(out, "cannot be rolled back") {
		way = "resume"
		out, code = s.accepting("incident", way, "latest", "--confirm", s.ask.target, "--reason", "a test of crashes")
	}
	if code != 0 {
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
