package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/internal/theme"
)

// childMode names the environment variable that makes the test binary a console
// of its own, for what needs a process: real terminals, signals, panics.
const childMode = "WARROOM_UI_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childMode); how != "" {
		child(how)
	}
	os.Exit(m.Run())
}

// child runs the console on the process's own terminal and prints how it ended.
func child(how string) {
	w := newWorld()
	o := w.options()
	o.Clock = nil
	o.NoColor = os.Getenv("NO_COLOR") != ""
	if name := os.Getenv("WARROOM_UI_THEME"); name != "" {
		o.Theme, _ = theme.Choose(name, o.NoColor)
	}
	began := time.Now()
	o.Derive = func(s *estate.Snapshot, now time.Time) *estate.Readings {
		r := w.derive(s, now)
		for i := range r.All {
			if !r.All[i].At.IsZero() {
				r.All[i].At = began.Add(-22 * time.Second)
			}
			for j := range r.All[i].Facts {
				r.All[i].Facts[j].At = r.All[i].At
			}
		}
		return r
	}
	switch how {
	case "panic":
		o.Start = func(ctx context.Context) error {
			Go(ctx, "testing a panic", func() { panic("the floor is lava") })
			<-ctx.Done()
			return nil
		}
	case "hup":
		o.Start = signalSelf(syscall.SIGHUP)
	case "term":
		o.Start = signalSelf(syscall.SIGTERM)
	case "int":
		o.Start = signalSelf(syscall.SIGINT)
	case "start":
		o.Start = func(context.Context) error { return errors.New("start the drill: no loopback") }
	case "cmd", "view":
		broken := false
		derive := o.Derive
		o.Derive = func(s *estate.Snapshot, now time.Time) *estate.Readings {
			r := derive(s, now)
			if !broken {
				broken = true
				return r
			}
			if how == "cmd" {
				panic("the reading is lava")
			}
			r.All[0].Word = "lava"
			return r
		}
		o.Scrub = func(s string) string {
			if strings.Contains(s, "\x1b") && strings.Contains(s, "lava") {
				panic("the view is lava")
			}
			return s
		}
	case "incident":
		r := newRoom()
		r.w, r.shelf.clock = w, time.Now
		o = r.options()
		o.Clock, o.Terminal.Environ, o.Credentials = nil, nil, []string{"BRIDGE_WEBHOOK"}
		d, err := incident.Declare("ic-1", incident.Declared{
			Severity: runbook.SEV2, Summary: "orders fail", Roles: map[incident.Role]string{incident.Commander: "ic-1"},
		}, time.Now())
		if err == nil {
			o.Book, err = lent{r.shelf, "ic-1"}.Declare(context.Background(), d)
		}
		if err != nil {
			fmt.Println("declare:", err)
			os.Exit(1)
		}
	case "stream":
		o.Start = func(ctx context.Context) error { stream(ctx, w); return nil }
	}
	err := Run(context.Background(), o)
	var fault *Fault
	if errors.As(err, &fault) {
		fmt.Println("fault:", fault.Where, fault.Value)
	}
	fmt.Println("ended:", err)
	os.Exit(0)
}

func signalSelf(s os.Signal) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := p.Signal(s); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
}

// stream changes a reading a thousand times a second.
func stream(ctx context.Context, w *world) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b := boxes[i%len(boxes)]
			w.set(estate.ID(b.id), func(r *estate.Reading) { r.Word = fmt.Sprintf("N%d", i%1000) })
		}
	}
}
