package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"warroom/internal/estate"
)

// shelf is a secret store that a test fills, makes slow, and breaks.
type shelf struct {
	mu    sync.Mutex
	takes time.Duration
	value string
	err   error
	reads int
}

func (s *shelf) set(change func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *shelf) fetch(ctx context.Context, k storedKey) (Value, error) {
	s.mu.Lock()
	s.reads++
	takes, value, err := s.takes, s.value, s.err
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return Value{}, &estate.Failure{Kind: estate.Silent, Doing: "read " + k.secret}
	}
	return Value{SecretID: k.secret, VersionID: value, text: estate.NewSecret(value)}, err
}

func newShelf(t *testing.T) (*shelf, *storedValues) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := &shelf{value: "v1"}
	return s, &storedValues{fetch: s.fetch, now: time.Now, limit: 5 * time.Second, ctx: ctx, entries: map[storedKey]*storedEntry{}}
}

// ask reads as a probe with five seconds does, and says how long that took.
func ask(t *testing.T, v *storedValues) (Stored, time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began := time.Now()
	got, err := v.read(ctx, storedKey{"db", estate.StageCurrent})
	return got, time.Since(began), err
}

func TestADeadStoreLeavesWhatItSaidLast(t *testing.T) {
	for _, dead := range []struct {
		name   string
		broken func(*shelf)
		after  time.Duration // at most
	}{
		{"refuses", func(s *shelf) { s.err = &estate.Failure{Kind: estate.Refused} }, time.Millisecond},
		{"throttles", func(s *shelf) { s.err = &estate.Failure{Kind: estate.Throttled} }, time.Millisecond},
		{"denies", func(s *shelf) { s.err = &estate.Failure{Kind: estate.Denied} }, time.Millisecond},
		{"is silent", func(s *shelf) { s.takes = time.Hour }, 1700 * time.Millisecond},
		{"is slow", func(s *shelf) { s.takes = 4 * time.Second }, 1700 * time.Millisecond},
	} {
		t.Run(dead.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := newShelf(t)
				if got, _, err := ask(t, v); err != nil || got.VersionID != "v1" || !got.Remembered.IsZero() {
					t.Fatalf("%+v %v", got, err)
				}
				at := time.Now()
				s.set(dead.broken)
				for range 3 {
					time.Sleep(30 * time.Second)
					got, took, err := ask(t, v)
					if err != nil || got.VersionID != "v1" || took > dead.after {
						t.Fatalf("%+v %v after %s", got, err, took)
					}
					if dead.name == "is slow" {
						time.Sleep(4 * time.Second) // what was read meanwhile counts
						if got.Remembered.After(time.Now()) || got.Remembered.IsZero() {
							t.Fatalf("remembered of %v", got.Remembered)
						}
						continue
					}
					if !got.Remembered.Equal(at) {
						t.Fatalf("remembered of %v, want %v", got.Remembered, at)
					}
				}
				s.set(func(s *shelf) { s.takes, s.err, s.value = 0, nil, "v2" })
				time.Sleep(30 * time.Second)
				if got, _, err := ask(t, v); err != nil || got.VersionID != "v2" || !got.Remembered.IsZero() {
					t.Fatalf("after recovery %+v %v", got, err)
				}
			})
		})
	}
}

func TestAStoreThatSaysNoIsBelieved(t *testing.T) {
	for _, no := range []error{
		&NoVersionError{SecretID: "db", Stage: estate.StageCurrent},
		&estate.Failure{Kind: estate.Missing},
	} {
		t.Run(fmt.Sprintf("%T", no), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := newShelf(t)
				if _, _, err := ask(t, v); err != nil {
					t.Fatal(err)
				}
				s.set(func(s *shelf) { s.err = no })
				time.Sleep(time.Minute)
				if _, _, err := ask(t, v); !errors.Is(err, no) {
					t.Errorf("got %v, want %v", err, no)
				}
				// And what was there before does not come back.
				s.set(func(s *shelf) { s.err = &estate.Failure{Kind: estate.Refused} })
				time.Sleep(time.Minute)
				if got, _, err := ask(t, v); err == nil {
					t.Errorf("got %+v of a store that is dead now", got)
				}
			})
		})
	}
}

func TestAStoreThatNeverAnsweredLeavesTimeAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newShelf(t)
		s.set(func(s *shelf) { s.takes = time.Hour })
		_, took, err := ask(t, v)
		var f *estate.Failure
		if !errors.As(err, &f) || f.Kind != estate.Silent || took > 3500*time.Millisecond {
			t.Errorf("%v after %s", err, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := v.read(ctx, storedKey{"db", estate.StageCurrent}); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
		time.Sleep(10 * time.Second) // the read under way ends by itself
	})
}

func TestReadsThatComeTogetherAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newShelf(t)
		s.set(func(s *shelf) { s.takes = 100 * time.Millisecond })
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if got, _, err := ask(t, v); err != nil || got.VersionID != "v1" || !got.Remembered.IsZero() {
					t.Errorf("%+v %v", got, err)
				}
			})
		}
		all.Wait()
		time.Sleep(1900 * time.Millisecond)
		_, _, _ = ask(t, v)
		if s.reads != 1 {
			t.Errorf("%d reads, want 1", s.reads)
		}
		time.Sleep(200 * time.Millisecond)
		_, _, _ = ask(t, v)
		if s.reads != 2 {
			t.Errorf("after two seconds %d reads, want 2", s.reads)
		}
		// Another label is another value.
		_, _ = v.read(t.Context(), storedKey{"db", estate.StagePrevious})
		if s.reads != 3 {
			t.Errorf("%d reads, want 3", s.reads)
		}
	})
}

func TestAPanicWhileReadingIsAFailureWithoutItsWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, v := newShelf(t)
		v.fetch = func(context.Context, storedKey) (Value, error) { panic(httpCanary) }
		_, _, err := ask(t, v)
		var f *estate.Failure
		if !errors.As(err, &f) || f.Kind != estate.Broken || fmt.Sprint(err) == "" || len(f.Detail) > 80 {
			t.Errorf("%v", err)
		}
	})
}
