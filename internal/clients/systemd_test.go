package clients

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"warroom/internal/estate"
)

// fakeManager lets anybody in as a systemd manager's own socket does, and answers
// any call with nothing, or never. It counts the connections that are open.
func fakeManager(t *testing.T, answers bool) (made, open *atomic.Int64) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wr") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	if err := os.Mkdir(filepath.Join(dir, "systemd"), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "systemd", "private"))
	if err != nil {
		t.Skipf("no Unix sockets here: %v", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	made, open = new(atomic.Int64), new(atomic.Int64)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			made.Add(1)
			open.Add(1)
			go func() {
				defer open.Add(-1)
				defer func() { _ = conn.Close() }()
				letIn(conn, answers)
			}()
		}
	}()
	return made, open
}

// letIn speaks the server's side of D-Bus authentication, then takes calls.
func letIn(conn net.Conn, answers bool) {
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		answer := "ERROR\r\n"
		switch line = strings.Trim(line, "\x00\r\n"); {
		case line == "AUTH":
			answer = "REJECTED EXTERNAL\r\n"
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			answer = "OK 0123456789abcdef0123456789abcdef\r\n"
		case line == "BEGIN":
			for {
				msg, err := dbus.DecodeMessage(r)
				if err != nil {
					return
				}
				if !answers {
					continue
				}
				// An empty method return; its one header is the serial it answers.
				reply := []byte{'l', 2, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 5, 1, 'u', 0}
				if _, err := conn.Write(binary.LittleEndian.AppendUint32(reply, msg.Serial())); err != nil {
					return
				}
			}
		}
		if _, err := conn.Write([]byte(answer)); err != nil {
			return
		}
	}
}

// However often a manager goes away, what is to be closed at the end does not grow,
// and at the end nothing stays open.
func TestSystemdReconnects(t *testing.T) {
	made, open := fakeManager(t, true)
	set := newSet()
	manager := set.Systemd(UserBus)
	before := len(set.closers)
	const times = 5
	for range times {
		conn, err := manager.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := set.Systemd(UserBus).connect(t.Context()); err != nil || again != conn {
			t.Fatalf("a connection that stands is not used again: %v", err)
		}
		conn.Close()
	}
	if made.Load() != 2*times { // one for calls and one for signals
		t.Errorf("%d connections made, want %d", made.Load(), 2*times)
	}
	if _, err := manager.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(set.closers); got != before {
		t.Errorf("%d things to close after %d reconnects, want %d", got, times, before)
	}
	set.Close()
	noneStays(t, open)
}

func noneStays(t *testing.T, open *atomic.Int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); open.Load() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d connections stay open", open.Load())
		}
		time.Sleep(time.Millisecond)
	}
}

// A manager that lets us in and then says nothing is no answer, within the time of the
// read.
func TestSystemdThatSaysNothing(t *testing.T) {
	_, open := fakeManager(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var f *estate.Failure
	if _, err := newSet().Systemd(UserBus).connect(ctx); !errors.As(err, &f) || f.Kind != estate.Silent {
		t.Errorf("%v, want %q", err, estate.Silent)
	}
	noneStays(t, open)
}
