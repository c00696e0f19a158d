//go:build linux

package lab

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// loadCA is a CA whose certificate is in a file; it signs nothing.
func loadCA(file string) (*CA, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return &CA{File: file, Pool: pool}, nil
}

// living are the processes that name dir on their command line, or run in it.
func living(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, process := range found {
		line, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		cwd, _ := os.Readlink(filepath.Join(process, "cwd"))
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		if strings.Contains(string(line), dir) || strings.HasPrefix(cwd, dir) || bytes.Contains(environment, []byte("="+dir)) {
			names = append(names, filepath.Base(process)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return names
}

// Each peer starts, with what it needs, and leaves neither a process nor a file.
func TestRealStartAndStopOfEachPeer(t *testing.T) {
	d := running(t)
	for _, key := range d.Peers {
		if key == estateKey {
			continue // it is this run
		}
		t.Run(key, func(t *testing.T) {
			peers, err := Select(key)
			if err != nil {
				t.Fatal(err)
			}
			var log safeBuffer
			l, err := Start(t.Context(), peers, &log)
			if err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			dir := l.site.Dir
			if err := l.Stop(); err != nil {
				t.Error(err)
			}
			if left := living(t, dir); len(left) > 0 {
				t.Errorf("left running: %s", strings.Join(left, "\n"))
			}
			if exists(dir) {
				t.Errorf("%s is left", dir)
			}
		})
	}
}

// When the lab is killed outright, its servers end, and so does what they run.
func TestRealNothingOutlivesAKilledLab(t *testing.T) {
	d := running(t)
	keys := strings.ReplaceAll(strings.Join(d.Peers, ","), ","+estateKey, "")
	program := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/lab").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(program, "run", "-only", keys, "--", "sh", "-c", `echo "$WARROOM_LAB"; exec sleep 600`)
	cmd.Stderr = io.Discard
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the lab said nothing: %v", err)
	}
	dir := filepath.Dir(strings.TrimSpace(line))
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The command it ran holds the pipe: it is no server, and ends by our hand.
	for _, one := range living(t, dir) {
		if pid, rest, _ := strings.Cut(one, " "); strings.HasPrefix(rest, "sleep 600") {
			n, _ := strconv.Atoi(pid)
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(20 * time.Second)
	for left := living(t, dir); len(left) > 0; left = living(t, dir) {
		if time.Now().After(deadline) {
			t.Fatalf("left running: %s", strings.Join(left, "\n"))
		}
		time.Sleep(50 * time.Millisecond)
	}
	removeAbandoned()
	if exists(dir) {
		t.Errorf("the next lab does not remove %s", dir)
	}
}
