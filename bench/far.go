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
	"math"
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
	// Beside the drill's own, because it names the CA by where it stands itself.
	kubeconfig := filepath.Join(filepath.Dir(d.file), "kubeconfig")
	farKubeconfig := kubeconfig + "-far"
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
		text = bytes.ReplaceAll(text, []byte(kubeconfig), []byte(farKubeconfig))
		return errors.Join(failed, os.WriteFile(to, text, 0o600))
	}
	file := filepath.Join(b.dir, "far.yaml")
	err := errors.Join(move(d.file, file), move(kubeconfig, farKubeconfig))
	if err != nil {
		return "", fmt.Errorf("put the drill behind a round trip of %v: %w", roundTrip, err)
	}
	return file, nil
}

// The bars of a far estate.
const (
	barFirstReading = 1.0  // s, from exec to the screen
	barAllRead      = 10.0 // s
	barFarResident  = 60.0 // MiB
	farSecrets      = 3000
)

// settle is how long the console has watched a far estate when its memory is taken:
// what the first round of reads needed was given back by then.
const settle = 40 * time.Second

// far measures a console on an estate of thousands of secrets with a round trip
// of 200 ms to each system.
func (b *bench) far(ctx context.Context) (figures []figure, err error) {
	progress("%d secrets and %d services, %v away", farSecrets, services, roundTrip)
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
	first, err := b.farFirst(ctx, file)
	if err != nil {
		return nil, err
	}
	// The quotas are an account's: what two consoles ask within a second is no fault
	// of either.
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	whole, err := b.farWhole(ctx, file, d, first)
	if err != nil {
		return nil, err
	}
	used, err := d.used(ctx)
	if err != nil {
		return nil, err
	}
	return append(whole, used.figure()), nil
}

// sight is something of one system that the screen shows once it was read.
type sight struct {
	system string
	seen   func(*screen) bool
	after  time.Duration // from exec; 0 until it was seen
}

// watch notes when each of the sights is seen first.
func watch(ctx context.Context, t *terminal, sights []*sight) error {
	for left := len(sights); left > 0; {
		at, err := t.await(ctx, func(s *screen) bool {
			for _, one := range sights {
				if one.after == 0 && one.seen(s) {
					return true
				}
			}
			return false
		})
		if err != nil {
			var missing []string
			for _, one := range sights {
				if one.after == 0 {
					missing = append(missing, one.system)
				}
			}
			return fmt.Errorf("wait for the first readings of %s: %w", strings.Join(missing, ", "), err)
		}
		t.mu.Lock()
		for _, one := range sights {
			if one.after == 0 && one.seen(t.screen) {
				one.after = at.Sub(t.started)
				left--
			}
		}
		t.mu.Unlock()
	}
	return nil
}

// component is the row of a component, without what stands beside its pane.
func (s *screen) component(name string) string {
	for y := range s.height {
		if _, rest, ok := strings.Cut(s.row(y), " "+name+" "); ok {
			rest, _, _ = strings.Cut(rest, "││")
			return rest
		}
	}
	return ""
}

// read reports whether a component's row says that something of it was read.
func read(name string) func(*screen) bool {
	return func(s *screen) bool {
		row := s.component(name)
		return row != "" && !strings.Contains(row, "NOT READ") && !strings.Contains(row, "READING")
	}
}

// farFirst looks at one service alone, whose rows then tell of the systems that
// share a row otherwise: its secret, its health and its workload.
func (b *bench) farFirst(ctx context.Context, file string) (sights []*sight, err error) {
	t, err := start(ctx, b.dir, b.binary, "--config", file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.quit()) }()
	if _, err := t.await(ctx, isWhole); err != nil {
		return nil, fmt.Errorf("wait for the first frame: %w", err)
	}
	if _, err := io.WriteString(t.file, "/service-07\r"); err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	has := func(text string) func(*screen) bool { return func(s *screen) bool { return s.has(text) } }
	sights = []*sight{
		{system: "health endpoints", seen: has("Connection: CONNECTED")},
		{system: "Kubernetes", seen: has("3/3 ready")},
	}
	return sights, watch(ctx, t, sights)
}

// farWhole watches the whole estate from its first reading until all is read, and
// what that leaves in memory.
func (b *bench) farWhole(ctx context.Context, file string, d *drill, sights []*sight) (figures []figure, err error) {
	before, err := d.used(ctx)
	if err != nil {
		return nil, err
	}
	t, err := start(ctx, b.dir, b.binary, "--config", file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.quit()) }()
	here := []*sight{
		{system: "load balancer", seen: read("Load Balancer")},
		{system: "AWS", seen: read("Key Management")},
		{system: "Vault", seen: func(s *screen) bool { return s.has("Seal status: UNSEALED") }},
	}
	if err := watch(ctx, t, here); err != nil {
		return nil, err
	}
	all, err := d.allRead(ctx, t, before)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, settle-time.Since(t.started)); err != nil {
		return nil, err
	}
	var resident, anonymous []float64
	for range 10 {
		m, err := memoryOf(t.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		resident, anonymous = append(resident, m.resident), append(anonymous, m.anonymous)
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	highest, err := highWater(t.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	var last time.Duration
	var each []string
	for _, one := range append(here, sights...) {
		last = max(last, one.after)
		each = append(each, one.system+" "+number(one.after.Seconds()))
	}
	what := fmt.Sprintf("%d secrets, %d services, %v on every call", farSecrets, services, roundTrip)
	return []figure{
		{name: "far estate: first reading of every HTTP system", measured: last.Seconds(), bar: barFirstReading, unit: "s", note: "from exec to the screen; " + strings.Join(each, ", ")},
		{name: "far estate: all reads done", measured: all.Seconds(), bar: barAllRead, unit: "s", note: what},
		{name: "far estate: resident memory", measured: quantile(resident, 1), bar: barFarResident, unit: "MiB", note: fmt.Sprintf(
			"most of 10 s, %v after the start; %s anonymous, the highest ever %s", settle, number(quantile(anonymous, 1)), number(highest))},
	}, nil
}

// allRead waits until nothing on the screen is unread or still being counted, and
// every secret was described, and says after how long from exec.
func (d *drill) allRead(ctx context.Context, t *terminal, before *usage) (time.Duration, error) {
	// The calls are counted as they come in: their answers take the way back.
	described := func() (bool, error) {
		now, err := d.used(ctx)
		return err == nil && now.calls("secretsmanager:DescribeSecret") >= before.calls("secretsmanager:DescribeSecret")+farSecrets, err
	}
	for {
		done, err := described()
		if err != nil {
			return 0, err
		}
		if done {
			break
		}
		if time.Since(t.started) > 6*patience {
			return 0, fmt.Errorf("wait for %d secrets to be described: after %v they are not", farSecrets, 6*patience)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return 0, err
		}
	}
	answered := time.Now().Add(roundTrip)
	at, err := t.await(ctx, func(s *screen) bool {
		for y := range s.height {
			row := s.row(y)
			if strings.Contains(row, "? UNKNOWN") || strings.Contains(row, "NOT READ") || strings.Contains(row, "READING") || strings.Contains(row, "so far") {
				return false
			}
		}
		return s.has("Secrets: 3,000")
	})
	if err != nil {
		return 0, fmt.Errorf("wait for all reads: %w", err)
	}
	if at.Before(answered) {
		at = answered
	}
	return at.Sub(t.started), nil
}

// usage is the document warroom.drill-usage/v1.
type usage struct {
	AWS []struct {
		Operation              string
		Calls, Throttled, Peak int
		Rate                   float64
	}
	VaultPeak      int `json:"vault_peak"`
	KubernetesPeak int `json:"kubernetes_peak"`
}

func (d *drill) used(ctx context.Context) (*usage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.usage, nil)
	if err != nil {
		return nil, fmt.Errorf("ask what was asked of the drill: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask what was asked of the drill: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	u := &usage{}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(u); err != nil {
		return nil, fmt.Errorf("ask what was asked of the drill: %w", err)
	}
	return u, nil
}

func (u *usage) calls(operation string) int {
	for _, one := range u.AWS {
		if one.Operation == operation {
			return one.Calls
		}
	}
	return 0
}

// figure is by how much of its published quota the API was called that came
// closest to it. A call that was throttled fails it.
func (u *usage) figure() figure {
	f := figure{name: "far estate: busiest second of an API, share of its quota", bar: 100, unit: "%"}
	closest, throttled := "", 0
	for _, one := range u.AWS {
		throttled += one.Throttled
		if one.Rate == 0 {
			continue
		}
		if share := 100 * float64(one.Peak) / one.Rate; share > f.measured {
			f.measured, closest = share, fmt.Sprintf("%s %d of %s", one.Operation, one.Peak, number(one.Rate))
		}
	}
	if throttled > 0 || closest == "" {
		f.measured = math.NaN()
	}
	f.note = fmt.Sprintf("%s; %d calls throttled; most in a second of Vault %d, of Kubernetes %d, which publish no quota", closest, throttled, u.VaultPeak, u.KubernetesPeak)
	return f
}
