package certificate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

const (
	// commandLimit bounds a configuration test or a reload, unless a test of ours says
	// otherwise.
	commandLimit = 30 * time.Second
	outputLimit  = 4 << 10 // bytes of a command's output that are kept
	// looks is how many handshakes in a row with one address must show the same: a
	// server may have several workers, each with what it has loaded.
	looks = 3
)

// childEnv is all of our environment that a command gets: the rest may hold
// credentials of ours.
var childEnv = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SystemRoot", "TEMP", "PATHEXT"}

// command runs a list of words, without a shell, input or terminal. What it prints is
// kept for the error alone: its end, scrubbed and bounded.
func (n *renewal) command(ctx context.Context, what string, words []string) error {
	ctx, cancel := context.WithTimeout(ctx, n.p.patience)
	defer cancel()
	doing := what + " of " + n.e.id + " by " + quoted(words)
	out := &tail{limit: outputLimit}
	err := clients.Around(ctx, clients.Call{System: "command", Name: quoted(words), Changes: true}, func() error {
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.Dir = filepath.Dir(n.p.systems.Config.Path)
		cmd.Env = []string{}
		for _, name := range childEnv {
			if value, set := os.LookupEnv(name); set {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		apart(cmd)
		cmd.WaitDelay = 2 * time.Second
		return cmd.Run()
	})
	var known *estate.Failure
	var kept *clients.NotPermitted
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kept):
		return kept
	case errors.As(err, &known):
		return known
	}
	f := &estate.Failure{Kind: estate.ServerError, Doing: doing, Next: "run it by hand to see more"}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		f.Kind, f.Detail = estate.Silent, fmt.Sprintf("it did not end within %s and was stopped", n.p.patience)
	case errors.As(err, &exit):
		f.Detail = "it said no (" + exit.String() + ")"
	default:
		f.Detail = clients.Strip(err.Error(), clients.DetailLimit)
	}
	if said := n.p.systems.Act.Text(out.String(), 2*clients.DetailLimit); said != "" {
		f.Detail += ": " + said
	}
	return f
}

// tail keeps the end of what is written to it.
type tail struct {
	limit int
	mu    sync.Mutex
	buf   bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > t.limit {
		p = p[len(p)-t.limit:]
	}
	if over := t.buf.Len() + len(p) - t.limit; over > 0 {
		t.buf.Next(over)
	}
	t.buf.Write(p)
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// reloads says how the server is made to read its files again; empty for not at all.
func (n *renewal) reloads() string {
	switch r := n.e.rot; {
	case r.Unit != "":
		return "ReloadOrRestartUnit " + r.Unit + " (systemd, " + n.bus() + " bus)"
	case len(r.Reload) > 0:
		return quoted(r.Reload)
	}
	return ""
}

func (n *renewal) bus() string {
	if n.e.rot.Bus == "" {
		return clients.SystemBus
	}
	return n.e.rot.Bus
}

// reload makes the server read its files again.
func (n *renewal) reload(ctx context.Context) error {
	switch r := n.e.rot; {
	case r.Unit != "":
		return n.p.systems.Act.Systemd(n.bus()).ReloadOrRestart(ctx, r.Unit, true)
	case len(r.Reload) > 0:
		return n.command(ctx, "reload the server", r.Reload)
	}
	return nil
}

// peers are the endpoints that serve the same files, this one first.
func (n *renewal) peers() []endpoint {
	out := []endpoint{*n.e}
	if n.where.kind == inNothing {
		return out
	}
	cfg := n.p.systems.Config
	for i := range cfg.Components {
		c := &cfg.Components[i]
		if c.Balancer == nil {
			continue
		}
		for _, e := range c.Balancer.Endpoints {
			same := e.Certificate != "" && (e.Certificate == n.e.Certificate || n.e.rot.Combined != "" && e.Certificate == n.e.rot.Combined)
			if same && (c != n.e.component || e.Address != n.e.Address || serverName(e) != n.e.name) {
				out = append(out, endpoint{id: c.ID + "/" + serverName(e), component: c, TLSEndpoint: e, name: serverName(e), rot: n.e.rot})
			}
		}
	}
	return out
}

// serves waits until every address serves the certificate with a serial number, in
// several new handshakes in a row. With among, addresses that are not in it need not
// answer: they did not before.
func (n *renewal) serves(ctx context.Context, r *actions.Run, want string, among []string) (string, error) {
	// Looks are not cut off by the end of the wait: one that is says nothing.
	end := time.NewTimer(n.p.drain)
	defer end.Stop()
	over := false
	good := map[string]int{}
	for {
		var left, noted []string
		count := 0
		for _, e := range n.peers() {
			list, err := n.p.addresses(ctx, e.Address)
			if err != nil {
				return "", err
			}
			served, err := n.p.handshakes(ctx, &e, list)
			if err != nil {
				return "", err
			}
			for _, one := range served {
				key := e.name + " at " + one.Address
				part := plan.Part{Name: key, State: plan.Running}
				switch {
				case one.Failure != nil && (one.Failure.Kind == estate.NoCheck || among != nil && !slices.Contains(among, one.Address)):
					part.State, part.Detail = plan.Skipped, one.Failure.Detail
					noted = append(noted, one.Address+" could not be tried")
				case one.Leaf != nil && one.Leaf.Serial == want:
					count++
					if good[key]++; good[key] < looks {
						left = append(left, key)
					}
					part.Detail = "serial " + brief(want)
					if good[key] >= looks {
						part.State = plan.Done
					}
				case one.Leaf != nil:
					good[key] = 0
					part.Detail = "still serial " + brief(one.Leaf.Serial)
					left = append(left, key+" serves serial "+brief(one.Leaf.Serial))
				default:
					good[key] = 0
					part.Detail = one.Failure.Detail
					left = append(left, key+": "+string(one.Failure.Kind))
				}
				r.Part(part)
			}
		}
		if len(left) == 0 && count > 0 {
			seen := fmt.Sprintf("serial %s is served by all %d addresses, in %d handshakes in a row with each", want, count, looks)
			if len(noted) > 0 {
				seen += "; " + strings.Join(noted, ", ")
			}
			return seen, nil
		}
		if count == 0 && len(left) == 0 {
			left = []string{"no address can be tried from here"}
		}
		if over {
			return "", n.notServed(want, left)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-end.C:
			over = true // and one more look
		case <-time.After(n.p.pause):
		}
	}
}

// notServed says which addresses did not come to serve what they should.
func (n *renewal) notServed(want string, left []string) error {
	shown := left[:min(len(left), 5)]
	detail := strings.Join(shown, "; ")
	if more := len(left) - len(shown); more > 0 {
		detail += fmt.Sprintf(" and %d more", more)
	}
	return &estate.Failure{
		Kind: estate.BadAnswer, Doing: fmt.Sprintf("see serial %s served by %s", brief(want), n.e.id),
		Detail: fmt.Sprintf("after %s: %s", n.p.drain, n.p.systems.Read.Text(detail, 2*clients.DetailLimit)),
		Next:   "see whether every server behind these addresses has the new files and was reloaded, then resume; or roll back",
	}
}

// effect looks once what is served: the new serial number, another, or both.
func (n *renewal) effect(ctx context.Context, want string) (plan.Effect, string, error) {
	fresh, other, silent := 0, 0, 0
	for _, e := range n.peers() {
		list, err := n.p.addresses(ctx, e.Address)
		if err != nil {
			return plan.Unclear, "", err
		}
		served, err := n.p.handshakes(ctx, &e, list)
		if err != nil {
			return plan.Unclear, "", err
		}
		for _, one := range served {
			switch {
			case one.Leaf == nil:
				silent++
			case one.Leaf.Serial == want:
				fresh++
			default:
				other++
			}
		}
	}
	seen := fmt.Sprintf("of %d addresses %d serve the new certificate, %d another, and %d did not answer", fresh+other+silent, fresh, other, silent)
	switch {
	case fresh > 0 && other == 0 && silent == 0:
		return plan.Took, seen, nil
	case fresh > 0:
		return plan.Partly, seen, nil
	case other > 0:
		return plan.NotDone, seen, nil
	}
	return plan.Unclear, seen, nil
}

// limit bounds one look.
func (p *Procedure) limit() time.Duration {
	if d := p.systems.Config.Checks.Timeout; d > 0 {
		return d
	}
	return 5 * time.Second
}
