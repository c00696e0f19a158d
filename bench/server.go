//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// serveArgument makes this program serve the estate's health endpoints.
const serveArgument = "serve-health-endpoints"

// serve answers health checks on loopback until its input ends. It prints its
// address first.
func serve(in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for health checks: %w", err)
	}
	server := &http.Server{Handler: healthHandler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return fmt.Errorf("say where health checks are served: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in) // whoever started us closes it, or dies
		close(ended)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve health checks: %w", err)
	case <-ended:
		return server.Close()
	}
}

// healthHandler answers every path with a health document whose figures differ
// each time, and /count with how often it did.
func healthHandler() http.Handler {
	var served atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, served.Load())
	})
	mux.HandleFunc("GET /health/", func(w http.ResponseWriter, _ *http.Request) {
		n := served.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"status":"healthy","connection":"connected","retries":%d,"last_sync":%q,"secret_version":"v%d"}`,
			n%7, time.Now().UTC().Format(time.RFC3339), n%5)
	})
	return mux
}

// server is the process that serves the estate.
type server struct {
	address string
	cmd     *exec.Cmd
	stdin   io.Closer
}

func startServer(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start the estate's server: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, serveArgument)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the estate's server: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the estate's server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the estate's server: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the estate's server: it said no address: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	return &server{address: strings.TrimSpace(line), cmd: cmd, stdin: in}, nil
}

func (s *server) stop() error {
	if err := errors.Join(s.stdin.Close(), s.cmd.Wait()); err != nil {
		return fmt.Errorf("stop the estate's server: %w", err)
	}
	return nil
}

// served is how many health checks it has answered.
func (s *server) served(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/count", nil)
	if err != nil {
		return 0, fmt.Errorf("ask how many checks were answered: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask how many checks were answered: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64))
	if err != nil {
		return 0, fmt.Errorf("ask how many checks were answered: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
