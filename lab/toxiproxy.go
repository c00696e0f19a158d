package lab

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// toxiproxy puts latency, resets and silence in front of any server. It has no
// proxy until a test asks its API for one.
type toxiproxy struct {
	port    int
	process *process
}

func (*toxiproxy) Name() string { return "toxiproxy" }
func (*toxiproxy) Key() string  { return "toxiproxy" }

func (*toxiproxy) Missing(ctx context.Context) []Requirement { return buildToxiproxy.requirement(ctx) }

func (t *toxiproxy) Start(ctx context.Context, s *Site) error {
	var err error
	if t.port, err = freePort(); err != nil {
		return err
	}
	program, err := buildToxiproxy.program(ctx, "toxiproxy")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-host", "127.0.0.1", "-port", strconv.Itoa(t.port))
	cmd.Dir = s.Dir
	if t.process, err = launch(cmd, nil, filepath.Join(s.Dir, "toxiproxy.log"), syscall.SIGKILL); err != nil {
		return err
	}
	api := newREST(t.api(), nil)
	defer api.close()
	return poll(ctx, t.process, func(ctx context.Context) error {
		return api.call(ctx, http.MethodGet, "/proxies", nil, nil)
	})
}

func (t *toxiproxy) api() string { return "http://" + address(t.port) }

func (t *toxiproxy) Describe(d *Description) { d.Toxiproxy = &ToxiproxyURL{API: t.api()} }

func (t *toxiproxy) Stop() error { return t.process.stop() }
