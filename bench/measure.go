//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The bars. They are those of the design and are not loosened here.
const (
	barFirstFrame = 60.0  // ms
	barKey        = 40.0  // ms, p99
	barIdle       = 1.0   // percent of a core
	barBytes      = 200.0 // bytes in a second
	barAnonymous  = 60.0  // MiB
	barResident   = 90.0  // MiB
)

const (
	fewComponents = 16
	services      = 89
	// Each is read once a second: enough that, with the scheduler's jitter, at
	// least readingsWanted arrive.
	manyComponents = 1200
	readingsWanted = 1000
)

// firstFrame measures how soon the first whole frame stands, from exec.
func (b *bench) firstFrame(ctx context.Context) ([]figure, error) {
	progress("first frame, %d starts", b.runs)
	path, err := b.estateFile("start.yaml", fewComponents, time.Hour)
	if err != nil {
		return nil, err
	}
	var times []float64
	for i := range b.runs + 1 {
		t, err := start(ctx, b.dir, b.binary, "--config", path)
		if err != nil {
			return nil, err
		}
		at, err := t.await(ctx, isWhole)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("wait for the first frame: %w", err), t.quit())
		}
		if i > 0 { // the first brings the program into the page cache
			times = append(times, milliseconds(at.Sub(t.started)))
		}
		if err := t.quit(); err != nil {
			return nil, err
		}
	}
	return []figure{{
		name: "first full frame, from exec", measured: quantile(times, 0.5), bar: barFirstFrame, unit: "ms",
		note: fmt.Sprintf("median of %d starts; %s to %s", len(times), number(slices.Min(times)), number(slices.Max(times))),
	}}, nil
}

// busy measures how soon a key's own cell changes while readings stream in.
func (b *bench) busy(ctx context.Context) (figures []figure, err error) {
	progress("%d keys while readings stream in", b.keys)
	path, err := b.estateFile("busy.yaml", manyComponents, time.Second)
	if err != nil {
		return nil, err
	}
	t, err := start(ctx, b.dir, b.binary, "--config", path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.quit()) }()
	if _, err := t.await(ctx, isWhole); err != nil {
		return nil, fmt.Errorf("wait for the first frame: %w", err)
	}
	if err := b.streaming(ctx); err != nil {
		return nil, err
	}
	before, err := b.server.served(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	times, err := pressKeys(ctx, t, b.keys)
	if err != nil {
		return nil, err
	}
	after, err := b.server.served(ctx)
	if err != nil {
		return nil, err
	}
	rate := float64(after-before) / time.Since(began).Seconds()
	if rate < readingsWanted {
		return nil, fmt.Errorf("measure keys under load: %.0f readings a second arrived, fewer than %d", rate, readingsWanted)
	}
	if b.underLoad, err = memoryOf(t.cmd.Process.Pid); err != nil {
		return nil, err
	}
	note := fmt.Sprintf("%d keys, %.0f readings a second; p50 %s, longest %s", len(times), rate, number(quantile(times, 0.5)), number(slices.Max(times)))
	return []figure{{name: "key to its own changed cell, p99", measured: quantile(times, 0.99), bar: barKey, unit: "ms", note: note}}, nil
}

// streaming waits until the readings wanted arrive in a second.
func (b *bench) streaming(ctx context.Context) error {
	rate := 0
	for range 20 {
		before, err := b.server.served(ctx)
		if err != nil {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		after, err := b.server.served(ctx)
		if err != nil {
			return err
		}
		if rate = after - before; rate >= readingsWanted {
			return nil
		}
	}
	return fmt.Errorf("wait for %d readings a second: after 20 s there were %d", readingsWanted, rate)
}

// stroke is a key and what it brings.
type stroke struct {
	key  string
	want func(*screen) bool
}

// strokes are keys of every kind of work: the focus moves through the panes,
// and a filter is typed, which picks the components anew, and is taken back.
// from is the pane with the focus, at the start and at the end.
func strokes(from int) []stroke {
	var all []stroke
	for i := range paneTitles {
		title := focusMark + paneTitles[(from+i+1)%len(paneTitles)]
		all = append(all, stroke{"\t", func(s *screen) bool { return s.has(title) }})
	}
	const typed = "/app"
	footer := func(text string) func(*screen) bool {
		return func(s *screen) bool { return strings.HasPrefix(strings.TrimSpace(s.row(s.height-1)), text+"█") }
	}
	for i := range typed {
		all = append(all, stroke{typed[i : i+1], footer(typed[:i+1])})
	}
	for i := len(typed) - 1; i >= 1; i-- {
		all = append(all, stroke{"\x7f", footer(typed[:i])})
	}
	return append(all, stroke{"\r", func(s *screen) bool {
		return !strings.HasPrefix(strings.TrimSpace(s.row(s.height-1)), "/")
	}})
}

// pressKeys presses n keys, each at a time of its own between two frames, and
// returns how many milliseconds each took.
func pressKeys(ctx context.Context, t *terminal, n int) ([]float64, error) {
	// Until the first key the console itself chooses the focus, by what it reads.
	if _, err := io.WriteString(t.file, "\t"); err != nil {
		return nil, fmt.Errorf("press tab: %w", err)
	}
	if err := pause(ctx, time.Second); err != nil {
		return nil, err
	}
	from := -1
	if _, err := t.await(ctx, func(s *screen) bool {
		from = slices.IndexFunc(paneTitles, func(title string) bool { return s.has(focusMark + title) })
		return from >= 0
	}); err != nil {
		return nil, fmt.Errorf("find the pane with the focus: %w", err)
	}
	var times []float64
	for len(times) < n {
		for _, s := range strokes(from) {
			if err := pause(ctx, time.Duration(20+rand.IntN(80))*time.Millisecond); err != nil {
				return nil, err
			}
			took, err := t.press(ctx, s.key, s.want)
			if err != nil {
				return nil, err
			}
			times = append(times, milliseconds(took))
		}
	}
	return times, nil
}

// quiet measures what the console costs when nothing is due but its clock.
func (b *bench) quiet(ctx context.Context) (figures []figure, err error) {
	progress("quiet for %v", b.idle)
	path, err := b.estateFile("quiet.yaml", fewComponents, time.Hour)
	if err != nil {
		return nil, err
	}
	before, err := b.server.served(ctx)
	if err != nil {
		return nil, err
	}
	t, err := start(ctx, b.dir, b.binary, "--config", path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.quit()) }()
	if _, err := t.await(ctx, isWhole); err != nil {
		return nil, fmt.Errorf("wait for the first frame: %w", err)
	}
	if err := b.settled(ctx, before+fewComponents); err != nil {
		return nil, err
	}
	pid := t.cmd.Process.Pid
	ran, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := pause(ctx, b.idle); err != nil {
		return nil, err
	}
	ranLater, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	ended := time.Now()
	served, err := b.server.served(ctx)
	if err != nil {
		return nil, err
	}
	if served != before+fewComponents {
		return nil, fmt.Errorf("measure a quiet console: %d checks were made while none was due", served-before-fewComponents)
	}
	share := float64(ranLater-ran) / float64(ended.Sub(began)) * 100
	bytes := perSecond(t, began, ended)
	return []figure{
		{name: "idle CPU, no probe due", measured: share, bar: barIdle, unit: "%", note: fmt.Sprintf("of a core, over %v; %d components", b.idle, fewComponents)},
		{name: "bytes to the terminal in a quiet second", measured: quantile(bytes, 0.5), bar: barBytes, unit: "B", note: fmt.Sprintf(
			"median of %d seconds; mean %s, most %s, when ages step", len(bytes), number(mean(bytes)), number(slices.Max(bytes)))},
	}, nil
}

// held measures the memory of a console that has watched an estate's services
// for a while.
func (b *bench) held(ctx context.Context) (figures []figure, err error) {
	progress("memory, %d services", services)
	path, err := b.estateFile("memory.yaml", services, time.Second)
	if err != nil {
		return nil, err
	}
	t, err := start(ctx, b.dir, b.binary, "--config", path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.quit()) }()
	if _, err := t.await(ctx, isWhole); err != nil {
		return nil, fmt.Errorf("wait for the first frame: %w", err)
	}
	before, err := b.server.served(ctx)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, b.idle); err != nil {
		return nil, err
	}
	after, err := b.server.served(ctx)
	if err != nil {
		return nil, err
	}
	if reads := after - before; reads < services*10 {
		return nil, fmt.Errorf("measure memory: %d services were read %d times in %v, fewer than 10 times each", services, reads, b.idle)
	}
	m, err := memoryOf(t.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	note := func(load float64) string {
		return fmt.Sprintf("%d services read once a second for %v; under the load of the keys %s", services, b.idle, number(load))
	}
	return []figure{
		{name: "anonymous memory", measured: m.anonymous, bar: barAnonymous, unit: "MiB", note: note(b.underLoad.anonymous)},
		{name: "resident memory", measured: m.resident, bar: barResident, unit: "MiB", note: note(b.underLoad.resident)},
	}, nil
}

// settled waits until every check was made once, and then for the console to
// have drawn it.
func (b *bench) settled(ctx context.Context, want int) error {
	served := 0
	for range 100 {
		var err error
		if served, err = b.server.served(ctx); err != nil {
			return err
		}
		if served >= want {
			return pause(ctx, 3*time.Second)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("wait for every check to be made once: after 20 s %d of them are missing", want-served)
}

// perSecond are the bytes written in each whole second of a span.
func perSecond(t *terminal, from, until time.Time) []float64 {
	var all []float64
	for at := from; !at.Add(time.Second).After(until); at = at.Add(time.Second) {
		all = append(all, float64(t.written(at, at.Add(time.Second))))
	}
	return all
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
