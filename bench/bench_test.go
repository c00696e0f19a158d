//go:build linux

package main

import (
	"context"
	"io"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
)

// answers is what the screen answers to what a program writes.
func answers(t *testing.T, written string) string {
	t.Helper()
	s := newScreen(columns, rows)
	answered := make(chan string)
	go func() {
		text, _ := io.ReadAll(s.emulator)
		answered <- string(text)
	}()
	if _, err := s.emulator.WriteString(written); err != nil {
		t.Fatal(err)
	}
	s.close()
	return <-answered
}

func TestTheTerminalAnswers(t *testing.T) {
	tests := []struct{ what, asked, want string }{
		{"nothing asked", "text\x1b[31m", ""},
		{"primary device attributes", "\x1b[c", "\x1b[?62;"},
		{"secondary device attributes", "\x1b[>c", "\x1b[>"},
		{"the cursor's position", "\x1b[3;5H\x1b[6n", "\x1b[3;5R"},
		{"synchronized output, known and off", "\x1b[?2026$p", "\x1b[?2026;2$y"},
		{"synchronized output, on", "\x1b[?2026h\x1b[?2026$p", "\x1b[?2026;1$y"},
		{"grapheme clusters, known and off", "\x1b[?2027$p", "\x1b[?2027;2$y"},
		{"a mode nobody has", "\x1b[?9999$p", "\x1b[?9999;0$y"},
		{"the foreground", "\x1b]10;?\x07", "\x1b]10;rgb:ffff/ffff/ffff"},
		{"the background", "\x1b]11;?\x07", "\x1b]11;rgb:0000/0000/0000"},
		{"kitty's keyboard protocol", "\x1b[?u", "\x1b[?0u"},
		{"the terminal's name", "\x1b[>0q", "\x1bP>|bench 1\x1b\\"},
		{"termcap", "\x1bP+q544e\x1b\\", "\x1bP0+r\x1b\\"},
	}
	for _, test := range tests {
		got := answers(t, test.asked)
		if !strings.HasPrefix(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%s: asked %q, answered %q, want %q", test.what, test.asked, got, test.want)
		}
	}
}

func TestRows(t *testing.T) {
	s := newScreen(12, 3)
	if _, err := s.emulator.WriteString("\x1b[1;3H▸ Ed\x1b[2;1H世界x"); err != nil {
		t.Fatal(err)
	}
	for y, want := range []string{"  ▸ Ed", "世界x", ""} {
		if got := s.row(y); got != want {
			t.Errorf("row %d: %q, want %q", y, got, want)
		}
	}
	if !s.has("▸ Ed", "界x") || s.has("▸ Ed", "nowhere") {
		t.Error("has does not see what the rows show")
	}
}

// A program in a real pseudo-terminal: it asks the terminal, hears the answer,
// and shows a key only at the end of a synchronized update.
func TestAProgramOnTheTerminal(t *testing.T) {
	script := `stty raw -echo
printf '\033[6n'
answer=$(dd bs=1 count=6 2>/dev/null | tail -c 5)
printf 'answer %s ready' "$answer"
key=$(dd bs=1 count=1 2>/dev/null)
printf '\033[?2026h\r\npart of %s' "$key"
printf ' and whole\033[?2026l'
dd bs=1 count=1 of=/dev/null 2>/dev/null`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	term, err := start(ctx, t.TempDir(), "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := term.await(ctx, func(s *screen) bool { return s.has("answer [1;1R ready") }); err != nil {
		t.Fatal(err)
	}
	took, err := term.press(ctx, "k", func(s *screen) bool { return s.has("part of k") })
	if err != nil {
		t.Fatal(err)
	}
	if took <= 0 || took > patience {
		t.Errorf("the key took %v", took)
	}
	if text := term.text(); !strings.Contains(text, "part of k and whole") {
		t.Errorf("the update was seen before its end:\n%s", text)
	}
	if _, err := term.press(ctx, "k", func(s *screen) bool { return s.has("part of k") }); err == nil {
		t.Error("what stood there before the key must not count as its work")
	}
	if n := term.written(term.started, time.Now()); n < len("answer ready part of and whole") {
		t.Errorf("%d bytes were counted", n)
	}
	if err := term.quit(); err != nil {
		t.Error(err)
	}
}

func TestAProgramThatEndsIsNoFigure(t *testing.T) {
	term, err := start(t.Context(), t.TempDir(), "/bin/sh", "-c", "echo no; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	_, err = term.await(t.Context(), isWhole)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no") {
		t.Errorf("error %v", err)
	}
}

func TestQuantile(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	tests := []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7}, {[]float64{3, 1, 2}, 0.5, 2}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1}, {hundred, 0.5, 50},
	}
	for _, test := range tests {
		if got := quantile(test.values, test.q); got != test.want {
			t.Errorf("quantile %g: %g, want %g", test.q, got, test.want)
		}
	}
	if !math.IsNaN(quantile(nil, 0.5)) {
		t.Error("no values have no quantile")
	}
}

func TestTheTable(t *testing.T) {
	table := []figure{
		{name: "good", measured: 59.94, bar: 60, unit: "ms", note: "a note"},
		{name: "at the bar", measured: 60, bar: 60, unit: "ms"},
		{name: "over it", measured: 60.1, bar: 60, unit: "ms"},
		{name: "never measured", measured: math.NaN(), bar: 60, unit: "ms"},
	}
	if got := missed(table); got != 2 {
		t.Errorf("%d missed, want 2", got)
	}
	text := render(table)
	if got := strings.Count(text, "FAIL"); got != 2 || !strings.Contains(text, "59.9 ms") || !strings.Contains(text, "none ms") {
		t.Errorf("%s", text)
	}
}

func TestProc(t *testing.T) {
	m, err := parseStatus("Name:\tx\nVmRSS:\t   20480 kB\nRssAnon:\t    1024 kB\n")
	if err != nil || m.resident != 20 || m.anonymous != 1 {
		t.Errorf("%+v, error %v", m, err)
	}
	if _, err := parseStatus("VmRSS:\t 1 kB\n"); err == nil {
		t.Error("half of it must not do")
	}
	if ran, err := parseSchedstat("1500 20 3\n"); err != nil || ran != 1500 {
		t.Errorf("%v, error %v", ran, err)
	}
	if _, err := parseSchedstat("x"); err == nil {
		t.Error("garbage must not do")
	}
	if own, err := memoryOf(os.Getpid()); err != nil || own.resident < 1 {
		t.Errorf("our own memory: %+v, error %v", own, err)
	}
	if ran, err := cpuTime(os.Getpid()); err != nil || ran <= 0 {
		t.Errorf("our own time: %v, error %v", ran, err)
	}
}

func TestBytesPerSecond(t *testing.T) {
	from := time.Now()
	term := &terminal{writes: []write{
		{from.Add(-time.Second), 1000}, {from.Add(100 * time.Millisecond), 10}, {from.Add(1200 * time.Millisecond), 30}, {from.Add(1300 * time.Millisecond), 20},
	}}
	got := perSecond(term, from, from.Add(2*time.Second))
	if !slices.Equal(got, []float64{10, 50}) || mean(got) != 30 {
		t.Errorf("%v, mean %g, want 10 and 50, mean 30", got, mean(got))
	}
}

func TestTheEstateIsGood(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, time.Hour} {
		path := filepath.Join(t.TempDir(), "estate.yaml")
		if err := os.WriteFile(path, []byte(estate("127.0.0.1:1", manyComponents, interval)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Components) != manyComponents || c.Checks.Interval != interval {
			t.Errorf("%d components every %v", len(c.Components), c.Checks.Interval)
		}
	}
}

func TestHealthIsCounted(t *testing.T) {
	listening := httptest.NewServer(healthHandler())
	defer listening.Close()
	s := listening.Listener.Addr().String()
	for range 3 {
		response, err := listening.Client().Get(listening.URL + "/health/7")
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != 200 {
			t.Errorf("%s, error %v", response.Status, err)
		}
	}
	if n, err := (&server{address: s}).served(t.Context()); err != nil || n != 3 {
		t.Errorf("%d served, error %v", n, err)
	}
}
