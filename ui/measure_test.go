package ui

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/ui/driver"
)

// The measurements of this file run the console as a process on a real
// pseudo-terminal at 160×45; on a busy machine they say more about the machine.

func measured(b *testing.B, how string) (*driver.Terminal, *exec.Cmd) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+how, "TERM=xterm-256color", "COLORTERM=truecolor")
	return driver.Start(b, 160, 45, driver.Process(cmd)), cmd
}

// BenchmarkFirstFrame is from exec to the whole first frame.
func BenchmarkFirstFrame(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		d, _ := measured(b, "plain")
		d.WaitText("Edge Plane", "Access Monitor", "q quit")
		took = append(took, time.Since(began))
		d.Press("q")
		if err := d.WaitEnd(); err != nil {
			b.Fatal(err)
		}
	}
	report(b, took, "first-frame")
}

// BenchmarkKeyToCell is from a key to the cell it changes, while a thousand
// readings a second change.
func BenchmarkKeyToCell(b *testing.B) {
	d, _ := measured(b, "stream")
	d.WaitText("Edge Plane", "Access Monitor", "q quit")
	d.WaitFor("streaming readings", func(s string) bool { return strings.Contains(s, " N1") })
	var took []time.Duration
	d.Press("shift+tab") // from the worst to the pane whose cursor moves
	d.WaitFor("the cursor on the edge plane", cursorOn("API Gateway"))
	names := []string{"Load Balancer", "API Gateway"}
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		d.Press([]string{"j", "k"}[i%2])
		d.WaitFor("the cursor", cursorOn(names[i%2]))
		took = append(took, time.Since(began))
	}
	report(b, took, "key-to-cell")
}

// BenchmarkIdle is what the console costs while nothing changes but the clock.
func BenchmarkIdle(b *testing.B) {
	const span = 10 * time.Second
	for b.Loop() {
		d, cmd := measured(b, "plain")
		d.WaitText("Edge Plane", "Access Monitor", "q quit")
		wait(d, time.Second) // let it settle
		cpu, bytes := cpuOf(b, cmd.Process.Pid), d.Written()
		wait(d, span)
		b.ReportMetric(100*float64(cpuOf(b, cmd.Process.Pid)-cpu)/float64(span), "%cpu")
		b.ReportMetric(float64(d.Written()-bytes)/span.Seconds(), "B/s")
		d.Press("q")
		_ = d.WaitEnd()
	}
}

// wait lets time pass on a terminal.
func wait(d *driver.Terminal, span time.Duration) {
	until := time.Now().Add(span)
	d.WaitFor("time to pass", func(string) bool { return time.Now().After(until) })
}

// cpuOf is the time that the threads of a process have run.
func cpuOf(b *testing.B, pid int) time.Duration {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if len(files) == 0 {
		b.Skip("needs /proc")
	}
	var sum int64
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		n, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		sum += n
	}
	return time.Duration(sum)
}

func report(b *testing.B, took []time.Duration, what string) {
	slices.Sort(took)
	ms := func(i int) float64 { return float64(took[i].Microseconds()) / 1000 }
	b.ReportMetric(ms(len(took)/2), "ms-"+what+"-p50")
	b.ReportMetric(ms(len(took)*99/100), "ms-"+what+"-p99")
}
