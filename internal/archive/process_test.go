package archive

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// asConsole makes the test binary a console that records: its value is the folder
// of incidents.
const asConsole = "WARROOM_TEST_RECORDS_IN"

func TestMain(m *testing.M) {
	if root := os.Getenv(asConsole); root != "" {
		if err := recordForever(root, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// recordForever declares an incident, or opens the one there is, prints its id,
// and records a note for every line it is given, or without end when the line is
// "go"; it prints the number of each note once it is acknowledged.
func recordForever(root string, in io.Reader, out io.Writer) error {
	s := New(root, Options{Operator: "ic-2"})
	var session *Session
	id, err := s.Resolve(context.Background(), Latest)
	if err == nil {
		session, err = s.Open(context.Background(), id)
	} else {
		session, err = s.Create(context.Background(), declaration(), runbook.Guide())
	}
	if err != nil {
		return err
	}
	n := session.Case().State.Counts[incident.KindNote]
	fmt.Fprintln(out, session.ID(), n)
	write := func(events int) error {
		var batch []incident.Event
		for range events {
			batch = append(batch, note(strconv.Itoa(n)))
			n++
		}
		if err := session.Record(context.Background(), batch...); err != nil {
			return err
		}
		fmt.Fprintln(out, n)
		return nil
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch lines.Text() {
		case "go":
			for i := 0; ; i++ {
				if err := write(1 + i%3); err != nil {
					return err
				}
			}
		case "leave":
			return session.Close()
		default:
			if err := write(1); err != nil {
				return err
			}
		}
	}
	return session.Close()
}

// console is one that records in a process of its own.
type console struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	err bytes.Buffer
	id  string
}

func startConsole(t *testing.T, root string) *console {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := &console{t: t, cmd: exec.CommandContext(ctx, self)}
	c.cmd.Env = append(os.Environ(), asConsole+"="+root)
	c.cmd.Stderr = &c.err
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	c.id, _, _ = strings.Cut(c.line(), " ")
	return c
}

func (c *console) line() string {
	c.t.Helper()
	if !c.out.Scan() {
		_ = c.cmd.Wait()
		c.t.Fatalf("the console ended: %v\n%s", c.out.Err(), c.err.String())
	}
	return c.out.Text()
}

func (c *console) tell(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		c.t.Fatal(err)
	}
}

// A second console reads what the first one writes, live, and takes it over only
// when a person opens it again.
func TestASecondConsoleFollows(t *testing.T) {
	s := store(t, Options{Operator: "ops-3"})
	first := startConsole(t, s.Root())
	second := open(t, s, first.id)
	c := second.Case()
	if c.Writing || !strings.HasPrefix(c.Writer, "ic-2@") || c.State.Declared.Summary != "logins fail" {
		t.Fatalf("the second console opens with %+v", c)
	}
	err := second.Record(t.Context(), note("mine"))
	if readOnly := new(ReadOnly); err == nil || !strings.Contains(err.Error(), "ic-2@") {
		t.Errorf("recording in it: %v, want a %T", err, readOnly)
	}
	first.tell("note")
	first.line()
	c = await(t, second, "the first console's note", func(c *incident.Case) bool { return c.State.Counts[incident.KindNote] == 1 })
	if c.Writing || c.Writer == "" {
		t.Errorf("with the note the case is %+v", c)
	}
	if got := notes(t, second); len(got) != 1 || got[0] != "0" {
		t.Errorf("it reads the notes %q", got)
	}
	if page, err := second.Page(t.Context(), incident.Query{Limit: 1}); err != nil || len(page.Events) != 1 || page.Events[0].Kind != incident.KindNote {
		t.Errorf("its timeline is %+v, %v", page, err)
	}
	first.tell("leave")
	c = await(t, second, "the first console to leave", func(c *incident.Case) bool { return c.Writer == "" })
	if c.Writing || c.State.Counts[incident.KindConsole] != 2 {
		t.Errorf("once it has left the case is %+v", c)
	}
	if err := second.Record(t.Context(), note("mine")); err == nil || !strings.Contains(err.Error(), "open it again") {
		t.Errorf("recording in it then: %v", err)
	}
	third := open(t, s, first.id)
	if !third.Case().Writing {
		t.Errorf("opened again it is %+v", third.Case())
	}
	record(t, third, note("mine"))
	await(t, second, "the third session's note", func(c *incident.Case) bool { return c.State.Counts[incident.KindNote] == 2 })
}

// Whenever a console dies, everything that it acknowledged is there, and the next
// one goes on with it.
func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	s := store(t, Options{})
	acknowledged := 0
	for round := range rounds {
		c := startConsole(t, s.Root())
		c.tell("go")
		for range 5 + 7*round { // another moment each time
			n, err := strconv.Atoi(c.line())
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = n
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.out.Scan() { // acknowledged before it died
			if n, err := strconv.Atoi(c.out.Text()); err == nil {
				acknowledged = n
			}
		}
		_ = c.cmd.Wait()
		session := open(t, s, c.id)
		got := notes(t, session)
		if len(got) < acknowledged {
			t.Fatalf("round %d: %d notes were acknowledged, and %d are there", round, acknowledged, len(got))
		}
		for i, text := range got {
			if text != strconv.Itoa(i) {
				t.Fatalf("round %d: note %d reads %q", round, i, text)
			}
		}
		if c := session.Case(); !c.Writing || c.State.Counts[incident.KindNote] != len(got) || strings.Contains(c.Trouble, "DAMAGED") {
			t.Fatalf("round %d: the case is %+v", round, c)
		}
		if err := session.Close(); err != nil {
			t.Fatal(err)
		}
		acknowledged = len(got)
	}
}
