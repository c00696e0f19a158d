package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// moto answers for every AWS service on one endpoint. It checks the wire
// format of requests, not what AWS would make of them.
type moto struct {
	port    int
	process *process
}

func (*moto) Name() string { return "moto" }
func (*moto) Key() string  { return "moto" }

func (*moto) Missing(ctx context.Context) []Requirement {
	if motoPython(ctx) != "" {
		return nil
	}
	return []Requirement{{
		What:     "moto, the AWS look-alike, with its server",
		Packages: missingPython(ctx),
		Install:  installMoto,
		How:      "install it with: make lab-setup, or python3 -m pip install '" + motoPackage + "'",
	}}
}

func (m *moto) Start(ctx context.Context, site *Site) error {
	var err error
	if m.port, err = freePort(); err != nil {
		return err
	}
	cmd := exec.Command(motoPython(ctx), "-m", "moto.server", "-H", "127.0.0.1", "-p", strconv.Itoa(m.port))
	cmd.Dir = site.Dir
	cmd.Env = append(cmd.Environ(), "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
	if m.process, err = launch(cmd, nil, filepath.Join(site.Dir, "moto.log"), syscall.SIGKILL); err != nil {
		return err
	}
	// Functions are not to run in containers: there may be no Docker.
	return poll(ctx, m.process, func(ctx context.Context) error {
		return post(ctx, m.endpoint()+"/moto-api/config", `{"lambda":{"use_docker":false}}`)
	})
}

func (m *moto) endpoint() string { return "http://" + address(m.port) }

func (m *moto) Describe(d *Description) { d.Moto = &MotoURL{Endpoint: m.endpoint()} }

func (m *moto) Stop() error { return m.process.stop() }

// post sends a JSON body straight to the address, past any proxy.
func post(ctx context.Context, url, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("post to %s: %w", url, err)
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("post to %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 400))
		return fmt.Errorf("post to %s: %s: %s", url, response.Status, answer)
	}
	return nil
}
