//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"warroom/internal/drill/awssim"
)

// storeArgument makes this program serve the drill's Secrets Manager.
const storeArgument = "serve-secrets-manager"

// Who may use it, for both sides of the comparison.
const (
	storeRegion = "us-west-2"
	storeKey    = "AKIABENCHRECOVERY001"
	storeSecret = "of-the-bench-alone"
)

// usagePath tells how the quotas were used; AWS has no such path.
const usagePath = "/bench/usage"

// quotaUse is how a group of operations that AWS counts together used its quota.
type quotaUse struct {
	Operations []string
	Rate       float64 // calls a second that AWS allows
	Calls      int
	Peak       int // the most within any one second
}

// storeUse is how the store was used since a time.
type storeUse struct {
	Throttled int
	Groups    []quotaUse
}

// meteredStore is the drill's Secrets Manager, and when each operation was called.
type meteredStore struct {
	sim *awssim.Sim

	mu    sync.Mutex
	calls map[string][]time.Time // by operation, in order
}

// ServeHTTP satisfies http.Handler.
func (s *meteredStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == usagePath {
		since, err := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64)
		if err != nil {
			http.Error(w, "since is no number of nanoseconds", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.use(time.Unix(0, since))) // who asked hears of it when it is cut short
		return
	}
	if operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager."); ok {
		s.mu.Lock()
		s.calls["secretsmanager:"+operation] = append(s.calls["secretsmanager:"+operation], time.Now())
		s.mu.Unlock()
	}
	s.sim.ServeHTTP(w, r)
}

// use is how each quota was used since a time.
func (s *meteredStore) use(since time.Time) storeUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out storeUse
	for _, quota := range awssim.Quotas {
		var calls []time.Time
		for _, operation := range quota.Operations {
			calls = append(calls, s.calls[operation]...)
			out.Throttled += s.sim.Throttled(operation)
		}
		calls = slices.DeleteFunc(calls, func(at time.Time) bool { return at.Before(since) })
		if len(calls) > 0 {
			out.Groups = append(out.Groups, quotaUse{Operations: quota.Operations, Rate: quota.Rate, Calls: len(calls), Peak: mostWithin(calls, time.Second)})
		}
	}
	return out
}

// mostWithin is the most of some times that lie within any one span.
func mostWithin(times []time.Time, span time.Duration) int {
	sorted := slices.SortedFunc(slices.Values(times), time.Time.Compare)
	most, from := 0, 0
	for i, at := range sorted {
		for at.Sub(sorted[from]) >= span {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// serveStore serves it on loopback until its input ends. It prints its address first.
func serveStore(in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for Secrets Manager: %w", err)
	}
	store := &meteredStore{calls: map[string][]time.Time{}, sim: awssim.New(awssim.Options{Region: storeRegion, Seed: 1, Credentials: map[string]awssim.Credential{
		storeKey: {SecretKey: storeSecret, Principal: "arn:aws:iam::123456789012:user/bench", Allow: []awssim.Permission{{Action: "*"}}},
	}})}
	server := &http.Server{Handler: store, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return fmt.Errorf("say where Secrets Manager is served: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in) // whoever started us closes it, or dies
		close(ended)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve Secrets Manager: %w", err)
	case <-ended:
		return server.Close()
	}
}

// startStore starts that process.
func startStore(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start Secrets Manager: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, storeArgument)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start Secrets Manager: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start Secrets Manager: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Secrets Manager: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Secrets Manager: it said no address: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	return &server{address: strings.TrimSpace(line), cmd: cmd, stdin: in}, nil
}

// storeUsed asks how the quotas were used since a time.
func storeUsed(ctx context.Context, s *server, since time.Time) (storeUse, error) {
	var out storeUse
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s%s?since=%d", s.address, usagePath, since.UnixNano()), nil)
	if err != nil {
		return out, fmt.Errorf("ask how quotas were used: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return out, fmt.Errorf("ask how quotas were used: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		return out, fmt.Errorf("ask how quotas were used: %w", err)
	}
	return out, nil
}
