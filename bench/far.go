//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// roundTrip is what the network between the console and a far estate adds to every
// answer.
const roundTrip = 200 * time.Millisecond

// drill is warroom drill --serve in a process of its own.
type drill struct {
	cmd   *exec.Cmd
	file  string // its warroom.yaml
	usage string // where it tells what was asked of it
}

var (
	drillConfig = regexp.MustCompile(`(?m)^warroom --config (\S+)$`)
	drillUsage  = regexp.MustCompile(`(?m)^export WARROOM_DRILL_USAGE='(\S+)'$`)
	loopback    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// serveDrill starts a drill and returns when its systems answer.
func (b *bench) serveDrill(ctx context.Context, scenario string) (*drill, error) {
	fail := func(err error) (*drill, error) { return nil, fmt.Errorf("serve drill %s: %w", scenario, err) }
	cmd := exec.CommandContext(ctx, b.binary, "drill", scenario, "--serve")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	d := &drill{cmd: cmd}
	// How to reach it stands before its configuration, which is long.
	var said bytes.Buffer
	lines := bufio.NewReader(out)
	for !strings.HasPrefix(said.String(), "# The configuration") {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fail(errors.Join(err, d.stop()))
		}
		if strings.HasPrefix(line, "# The configuration") {
			break
		}
		said.WriteString(line)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	config, usage := drillConfig.FindStringSubmatch(said.String()), drillUsage.FindStringSubmatch(said.String())
	if config == nil || usage == nil {
		return fail(errors.Join(fmt.Errorf("it did not say how to reach it: %s", said.String()), d.stop()))
	}
	d.file, d.usage = config[1], usage[1]
	return d, nil
}

func (d *drill) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the drill: %w", err)
	}
	if err := d.cmd.Wait(); err != nil && d.cmd.ProcessState.ExitCode() != 1 {
		return fmt.Errorf("stop the drill: %w", err)
	}
	return nil
}

// toxiproxy is the lab's, by its HTTP API.
type toxiproxy struct {
	api     string
	proxies []string
}

func (t *toxiproxy) do(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, t.api+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s of toxiproxy: %w", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode >= 300 {
		err = errors.New(res.Status + " " + string(answer))
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		return fmt.Errorf("%s %s of toxiproxy: %w", method, path, err)
	}
	return nil
}

// behind puts a round trip in front of an address and returns the new one.
func (t *toxiproxy) behind(ctx context.Context, address string) (string, error) {
	name := "bench-" + strings.ReplaceAll(address, ":", "-")
	var made struct {
		Listen string `json:"listen"`
	}
	if err := t.do(ctx, http.MethodPost, "/proxies", map[string]any{"name": name, "listen": "127.0.0.1:0", "upstream": address, "enabled": true}, &made); err != nil {
		return "", err
	}
	t.proxies = append(t.proxies, name)
	toxic := map[string]any{"type": "latency", "stream": "downstream", "attributes": map[string]any{"latency": roundTrip.Milliseconds()}}
	return made.Listen, t.do(ctx, http.MethodPost, "/proxies/"+name+"/toxics", toxic, nil)
}

// close takes away what behind put up.
func (t *toxiproxy) close(ctx context.Context) error {
	var err error
	for _, name := range t.proxies {
		err = errors.Join(err, t.do(ctx, http.MethodDelete, "/proxies/"+name, nil, nil))
	}
	return err
}

// farther writes the configuration of a drill anew, with every address of it
// behind a round trip.
func (b *bench) farther(ctx context.Context, d *drill, proxy *toxiproxy) (string, error) {
	moved := map[string]string{}
	move := func(from, to string) error {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		var failed error
		text = loopback.ReplaceAllFunc(text, func(old []byte) []byte {
			if moved[string(old)] == "" && failed == nil {
				moved[string(old)], failed = proxy.behind(ctx, string(old))
			}
			return []byte(moved[string(old)])
		})
		// The configuration names the kubeconfig that is written beside it.
		text = bytes.ReplaceAll(text, []byte(filepath.Join(filepath.Dir(d.file), "kubeconfig")), []byte(filepath.Join(b.dir, "far-kubeconfig")))
		return errors.Join(failed, os.WriteFile(to, text, 0o600))
	}
	file := filepath.Join(b.dir, "far.yaml")
	err := errors.Join(move(d.file, file), move(filepath.Join(filepath.Dir(d.file), "kubeconfig"), filepath.Join(b.dir, "far-kubeconfig")))
	if err != nil {
		return "", fmt.Errorf("put the drill behind a round trip of %v: %w", roundTrip, err)
	}
	return file, nil
}

// far measures a console on an estate of thousands of secrets with a round trip
// of 200 ms to each system.
func (b *bench) far(ctx context.Context) (figures []figure, err error) {
	lab, err := readLab()
	if err != nil {
		return nil, err
	}
	d, err := b.serveDrill(ctx, "large-estate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	proxy := &toxiproxy{api: lab.Toxiproxy.API}
	defer func() { err = errors.Join(err, proxy.close(context.WithoutCancel(ctx))) }()
	file, err := b.farther(ctx, d, proxy)
	if err != nil {
		return nil, err
	}
	t, err := start(ctx, b.dir, b.binary, "--config", file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.quit()) }()
	for range 14 {
		_ = pause(ctx, 500*time.Millisecond)
		m, _ := memoryOf(t.cmd.Process.Pid)
		fmt.Println(time.Since(t.started), m, "\n", t.text())
	}
	return nil, nil
}
