package clients

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/estate"
)

// endless repeats a text for ever.
type endless struct{ text string }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}

func TestABodyEndsAtItsLimits(t *testing.T) {
	wide := bodyLimits{bytes: 1 << 20, free: 1 << 20, nests: 1000, parts: 1000}
	for _, c := range []struct {
		name string
		body io.Reader
		most int // bytes
		fine bool
	}{
		{"honest", strings.NewReader(`{"a":[1,2,3]}`), 100, true},
		{"endless", &endless{"x"}, 1 << 20, false},
		{"deep", &endless{"["}, 64 << 10, false},
		{"wide", &endless{"{},"}, 64 << 10, false},
		{"long", &endless{"1,"}, 64 << 10, false},
		{"just at the limit", io.LimitReader(&endless{"x"}, 1<<20), 1 << 20, false},
		{"just below it", io.LimitReader(&endless{"x"}, 1<<20-1), 1 << 20, true},
	} {
		got, err := io.ReadAll(newBoundedBody(t.Context(), io.NopCloser(c.body), wide, nil))
		if len(got) > c.most || (err == nil) != c.fine || err != nil && !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
	}
}

func TestLargeAnswersAreReadInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := bodyLimits{bytes: 4000, free: 1000, nests: 10, parts: 10}
		one := make(turns, 1)
		body := func(ctx context.Context, n int) *boundedBody {
			return newBoundedBody(ctx, io.NopCloser(strings.NewReader(strings.Repeat("x", n))), limits, one)
		}
		first := body(t.Context(), 2000)
		if _, err := io.ReadAll(first); err != nil {
			t.Fatal(err)
		}
		// It is parsed now. A small one does not wait for it, a large one does.
		if _, err := io.ReadAll(body(t.Context(), 900)); err != nil {
			t.Errorf("a small one: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := io.ReadAll(body(ctx, 2000))
		if kind := Classify(err, "").Kind; kind != estate.Paused {
			t.Errorf("a large one that waits for ever: %v", err)
		}
		read := make(chan error)
		go func() { _, err := io.ReadAll(body(t.Context(), 2000)); read <- err }()
		synctest.Wait()
		_ = first.Close()
		if err := <-read; err != nil {
			t.Errorf("after the first was closed: %v", err)
		}
		_ = first.Close() // once more gives nobody else's turn away
		if len(one) != 1 {
			t.Errorf("%d turns held, want 1", len(one))
		}
	})
}

func TestATurnEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := make(turns, 1)
		ctx, cancel := context.WithCancel(t.Context())
		_, _ = io.ReadAll(newBoundedBody(ctx, io.NopCloser(&endless{"x"}), bodyLimits{bytes: 5000, free: 10, nests: 1, parts: 1}, one))
		if len(one) != 1 {
			t.Fatal("no turn was held")
		}
		cancel()
		synctest.Wait()
		if len(one) != 0 {
			t.Error("a body that nobody closed keeps its turn")
		}
	})
}

// deaf is a body whose reads end when it is closed, and with nothing else.
type deaf struct{ closed chan struct{} }

func (d *deaf) Read([]byte) (int, error) { <-d.closed; return 0, errors.New("read of a closed body") }
func (d *deaf) Close() error             { close(d.closed); return nil }

func TestABodyIsClosedWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		body := newBoundedBody(ctx, &deaf{make(chan struct{})}, bodyLimits{bytes: 10, free: 10}, nil)
		if _, err := io.ReadAll(body); Classify(err, "").Kind != estate.Silent {
			t.Errorf("got %v, want that nothing came", err)
		}
	})
}
