package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test binary itself, started again, is another process with a journal.
const (
	childVar    = "WARROOM_JOURNAL_CHILD" // what it does
	childDirVar = "WARROOM_JOURNAL_DIR"
	childKeyVar = "WARROOM_JOURNAL_KEY"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "":
		os.Exit(run(m))
	case "write":
		childWrites()
	case "hold":
		childHolds()
	}
	os.Exit(1) // it was to be killed, or could not
}

// run runs the tests with a folder for what benchmarks share.
func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	manyDir = folder
	return m.Run()
}

func childOpens() *Writer {
	k, err := LoadKey(os.Getenv(childKeyVar))
	if err != nil {
		childFails(err)
	}
	w, _, err := Open(os.Getenv(childDirVar), Options{Signer: k, Owner: "ops-2@elsewhere"})
	if err != nil {
		childFails(err)
	}
	return w
}

func childFails(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// childWrites appends groups of records as fast as it can, and tells the number of
// each group's last on standard output as soon as it is acknowledged.
func childWrites() {
	w := childOpens()
	var out [8]byte
	for {
		next := w.Head().Seq + 1
		var group [][]byte
		for i := range 1 + next%3 {
			group = append(group, killPayload(next+i))
		}
		head, err := w.Append(group...)
		if err != nil {
			childFails(err)
		}
		binary.BigEndian.PutUint64(out[:], head.Seq)
		if _, err := os.Stdout.Write(out[:]); err != nil {
			childFails(err)
		}
	}
}

// killPayload is between 10 bytes and 20 kB, so that kills meet writes of all sizes.
func killPayload(seq uint64) []byte {
	return fmt.Appendf(nil, "%d %s", seq, strings.Repeat("p", int(seq*seq%97)*int(seq%211)))
}

func childHolds() {
	w := childOpens()
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
	if err := w.Close(); err != nil {
		childFails(err)
	}
	os.Exit(0)
}

// child is the test binary as another process.
func child(t testing.TB, what, dir, keyFile string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), childVar+"="+what, childDirVar+"="+dir, childKeyVar+"="+keyFile)
	c.Stderr = os.Stderr
	return c
}

func TestTwoProcesses(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	k, err := MakeKey(keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "j")
	o := Options{Signer: k, Owner: "ic-1@console"}
	w, err := Create(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, 2)
	var held *Held
	if _, _, err := Open(dir, o); !errors.As(err, &held) || held.Who != fmt.Sprintf("ic-1@console, process %d", os.Getpid()) {
		t.Errorf("a second writer of this process: %v", err)
	}
	if _, err := Create(dir, o); !errors.As(err, &held) {
		t.Errorf("a new journal over one that is written: %v", err)
	}
	if who, is, err := Holder(dir); !is || err != nil || !strings.Contains(who, "ic-1@console") {
		t.Errorf("held by %q, %v, %v", who, is, err)
	}
	closed(t, w)
	if who, is, err := Holder(dir); is || err != nil || who != "" {
		t.Errorf("after Close held by %q, %v, %v", who, is, err)
	}

	c := child(t, "hold", dir, keyFile)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" || err != nil {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	_, _, err = Open(dir, o)
	if !errors.As(err, &held) || !strings.Contains(held.Who, fmt.Sprintf("ops-2@elsewhere, process %d", c.Process.Pid)) ||
		!strings.Contains(err.Error(), held.Who) || !strings.Contains(err.Error(), "read it here") {
		t.Errorf("while another process writes: %v", err)
	}
	holds(t, all(t, dir), 2) // reading needs no lock
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	w, recovery := reopened(t, dir, o)
	if len(recovery.Lines) > 0 {
		t.Errorf("recovery: %q", recovery.Lines)
	}
	fill(t, w, 3)
	if _, held, err := Holder(filepath.Join(dir, "gone")); held || err != nil {
		t.Errorf("a journal that is not there: %v, %v", held, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "gone")); err == nil {
		t.Error("asking for the holder made something")
	}
}

// A process that records as fast as it can is killed at random moments, over and
// over on one journal: everything it was told is recorded is there each time, in
// order, and nothing else; the lock is free; the journal goes on and verifies.
// WARROOM_JOURNAL=full kills 1,000 times.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := steps(40, 100, 1000)
	keyFile := filepath.Join(t.TempDir(), "key")
	k, err := MakeKey(keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	const journals = 2 // side by side, so that the kills of one meet the other's load
	var group sync.WaitGroup
	defer group.Wait()
	var mu sync.Mutex
	var records, torn, unacked, recovered int
	began := time.Now()
	for n := range journals {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 4))
			left := kills / journals
			for folder := 0; left > 0; folder++ { // a fresh journal now and then keeps reading it short
				dir := filepath.Join(t.TempDir(), fmt.Sprintf("j%d-%d", n, folder))
				w, err := Create(dir, Options{Signer: k})
				if err != nil {
					t.Error(err)
					return
				}
				if err := w.Close(); err != nil {
					t.Error(err)
					return
				}
				var acked uint64
				for range min(left, 25) {
					left--
					got, err := killed(child(t, "write", dir, keyFile), rng)
					if err != nil {
						t.Error(err)
						return
					}
					acked = max(acked, got)
					r, last, err := afterKill(dir, k, acked)
					if err != nil {
						t.Errorf("journal %d-%d, %d acknowledged: %v", n, folder, acked, err)
						return
					}
					mu.Lock()
					unacked += r.Unacked
					if r.Torn > 0 {
						torn++
					}
					if len(r.Lines) > 0 {
						recovered++
					}
					mu.Unlock()
					acked = last
				}
				v, err := Verify(dir, VerifyOptions{Keys: []string{k.Public()}})
				if err != nil {
					t.Errorf("journal %d-%d: verify: %v", n, folder, err)
					return
				}
				mu.Lock()
				records += int(v.Records)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d kills in %.1f s: %d records; %d recoveries, of them %d with a torn end; %d records kept that were not acknowledged",
		kills, time.Since(began).Seconds(), records, recovered, torn, unacked)
}

// killed starts a child and kills it at a random moment after the first thing it
// tells, or for one of eight before. It gives the last number that it told.
func killed(c *exec.Cmd, rng *rand.Rand) (acked uint64, err error) {
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	kill := func() { _ = c.Process.Kill() } // SIGKILL; it may have died by itself, which Wait tells
	if rng.IntN(8) == 0 {
		defer time.AfterFunc(time.Duration(rng.Int64N(int64(30*time.Millisecond))), kill).Stop()
	}
	var buf [8]byte
	var timer *time.Timer
	for {
		if _, err := io.ReadFull(out, buf[:]); err != nil { // a number that was torn was not told
			break
		}
		acked = binary.BigEndian.Uint64(buf[:])
		if timer == nil {
			timer = time.AfterFunc(time.Duration(rng.Int64N(int64(25*time.Millisecond))), kill)
			defer timer.Stop()
		}
	}
	err = c.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		return acked, fmt.Errorf("the process was not killed but ended by itself: %v", err)
	}
	return acked, nil
}

// afterKill opens a journal whose process was killed, and holds what is in it
// against what was acknowledged. It gives the number of the last record.
func afterKill(dir string, k Signer, acked uint64) (*Recovery, uint64, error) {
	w, recovery, err := Open(dir, Options{Signer: k})
	if err != nil {
		return nil, 0, err
	}
	defer w.Close()
	if len(recovery.Faults) > 0 || w.Trouble() != "" {
		return nil, 0, fmt.Errorf("damage: %v, %s", recovery.Faults, w.Trouble())
	}
	r, err := Read(dir)
	if err != nil {
		return nil, 0, err
	}
	last := uint64(0)
	err = r.Each(func(record Record) error {
		if record.Seq != last+1 || record.Bad != "" || string(record.Payload) != string(killPayload(record.Seq)) {
			return fmt.Errorf("record %d after %d: %.60q %s", record.Seq, last, record.Payload, record.Bad)
		}
		last = record.Seq
		return nil
	})
	if err == nil && (last < acked || w.Head().Seq != last || r.Head() != w.Head()) {
		err = fmt.Errorf("%d records, head %v, %d acknowledged", last, w.Head(), acked)
	}
	return recovery, last, err
}
