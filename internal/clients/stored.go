package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"warroom/internal/estate"
)

const (
	// storedFresh is how long a value that was read serves every probe that asks
	// for it: three staging labels at two servers are three reads, not six, and
	// the monitoring login costs none.
	storedFresh = 2 * time.Second
	// Of the time a probe has left, the store may use this share when there is a
	// remembered value to go on with, and that share when there is none. The rest
	// is the target's: what is asked of it in a hurry says nothing about it.
	storedShare, storedShareFirst = 1.0 / 3, 2.0 / 3
)

// Stored is a version of a stored secret as it is, or was when the store last
// answered.
type Stored struct {
	Value
	Remembered time.Time // when it was read, where the store did not answer now; else zero
}

// Stored reads the version of a watched secret that carries a staging label, for
// a probe of the system that the secret unlocks. Reads of the same that come
// together are one call, and what was read a moment ago is not read again.
//
// When the store fails, or takes too much of the probe's time, the last good
// version is returned as remembered: that the store is dead must not blind us to
// the systems behind it. A store that says that there is no such secret or label
// is believed.
//
// The error is a *NoVersionError where no version carries the label, ctx's own
// where it was interrupted, else an *estate.Failure about the store.
func (s *Set) Stored(ctx context.Context, secret string, stage estate.Stage) (Stored, error) {
	return s.stored.read(ctx, storedKey{secret, stage})
}

// StoredFresh reads a version of a watched secret from its store, whatever was read
// before: for procedures, which go by what is there and nothing else. Errors are as
// those of Stored. What others read next through Stored is not older than this.
func (s *Set) StoredFresh(ctx context.Context, secret string, stage estate.Stage) (Value, error) {
	s.Forget(secret)
	return s.fetch(ctx, storedKey{secret, stage}, true)
}

// Forget has the next read of a secret ask its store: for whoever has just changed
// it. A value that was read before still stands in where the store does not answer.
func (s *Set) Forget(secret string) {
	s.stored.forget(secret)
	if keeper := s.keeper[secret]; keeper.account != "" {
		if account, err := s.AWS(keeper.account); err == nil {
			account.described.forget(keeper.name)
		}
	}
}

// fetchStored asks the store that keeps a secret.
func (s *Set) fetchStored(ctx context.Context, k storedKey) (Value, error) {
	return s.fetch(ctx, k, false)
}

func (s *Set) fetch(ctx context.Context, k storedKey, fresh bool) (Value, error) {
	keeper, known := s.keeper[k.secret]
	if !known {
		return Value{}, &estate.Failure{
			Kind: estate.Misconfigure, Doing: "read secret " + k.secret,
			Detail: "no secrets_manager or vault in warroom.yaml lists " + k.secret, Next: "list it where it is stored",
		}
	}
	if keeper.cluster != "" {
		vault, err := s.Vault(keeper.cluster)
		if err != nil {
			return Value{}, err
		}
		return vault.Value(ctx, keeper.name, k.stage)
	}
	aws, err := s.AWS(keeper.account)
	if err != nil {
		return Value{}, err
	}
	if fresh {
		return aws.FreshValue(ctx, keeper.name, k.stage)
	}
	return aws.Value(ctx, keeper.name, k.stage)
}

// forget makes what was read of a secret too old to be handed out, and what is being
// read too.
func (v *storedValues) forget(secret string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for k, e := range v.entries {
		if k.secret == secret {
			v.entries[k] = &storedEntry{good: e.good, at: e.at, old: true}
		}
	}
}

type storedKey struct {
	secret string
	stage  estate.Stage
}

// storedValues is what was read of secret stores, shared by all probes of a Set.
type storedValues struct {
	fetch func(context.Context, storedKey) (Value, error)
	now   func() time.Time
	limit time.Duration // of one read
	ctx   context.Context

	mu      sync.Mutex
	entries map[storedKey]*storedEntry
}

// storedEntry is what is known under one label.
type storedEntry struct {
	flight *storedFlight // the read under way, or nil
	good   *Value        // the last that came; nil before, and when the store said that there is none
	absent *NoVersionError
	at     time.Time // of good or absent
	old    bool      // not to be handed out as fresh
}

// storedFlight is one read, for all who wait for it.
type storedFlight struct {
	done  chan struct{} // closed when value and err are set
	value Value
	err   error
}

func (v *storedValues) read(ctx context.Context, k storedKey) (Stored, error) {
	if err := ctx.Err(); err != nil {
		return Stored{}, err
	}
	v.mu.Lock()
	e := v.entries[k]
	if e == nil {
		e = &storedEntry{}
		v.entries[k] = e
	}
	if age := v.now().Sub(e.at); !e.old && !e.at.IsZero() && age >= 0 && age < storedFresh {
		good, absent := e.good, e.absent
		v.mu.Unlock()
		if absent != nil {
			return Stored{}, absent
		}
		return Stored{Value: *good}, nil
	}
	good, at, flight := e.good, e.at, e.flight
	if flight == nil {
		flight = &storedFlight{done: make(chan struct{})}
		e.flight = flight
		go v.fly(k, e, flight)
	}
	v.mu.Unlock()

	share := storedShareFirst
	if good != nil {
		share = storedShare
	}
	patience, stop := patienceOf(ctx, share)
	defer stop()
	select {
	case <-flight.done:
	case <-patience.Done():
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return Stored{}, context.Canceled
		case good != nil:
			return Stored{Value: *good, Remembered: at}, nil
		}
		return Stored{}, &estate.Failure{
			Kind: estate.Silent, Doing: fmt.Sprintf("read the %s value of secret %s", k.stage, k.secret),
			Detail: "the secret store did not answer in the time that a check has for it", Next: nextSilent,
		}
	}
	var absent *NoVersionError
	switch {
	case flight.err == nil:
		return Stored{Value: flight.value}, nil
	case good == nil, errors.As(flight.err, &absent), missing(flight.err):
		return Stored{}, flight.err
	}
	return Stored{Value: *good, Remembered: at}, nil
}

// fly makes one read. It belongs to no single probe, so no probe's end ends it:
// a store that is slower than a probe's patience is still heard.
func (v *storedValues) fly(k storedKey, e *storedEntry, f *storedFlight) {
	ctx, cancel := context.WithTimeout(v.ctx, v.limit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			// What it says may quote the value that was being read.
			f.err = &estate.Failure{
				Kind: estate.Broken, Doing: "read secret " + k.secret, Detail: fmt.Sprintf("the check itself failed (panic of type %T)", p),
				Next: "report this as a fault of warroom; the other checks go on",
			}
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		var absent *NoVersionError
		switch {
		case f.err == nil:
			e.good, e.absent, e.at = &f.value, nil, v.now()
		case errors.As(f.err, &absent):
			e.good, e.absent, e.at = nil, absent, v.now()
		case missing(f.err):
			e.good, e.absent, e.at = nil, nil, time.Time{}
		}
		e.flight, e.old = nil, false
		close(f.done)
	}()
	f.value, f.err = v.fetch(ctx, k)
}

// missing reports whether the store says that there is no such secret.
func missing(err error) bool {
	var f *estate.Failure
	return errors.As(err, &f) && f.Kind == estate.Missing
}

// patienceOf ends after a share of the time that ctx has left.
func patienceOf(ctx context.Context, share float64) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(share*float64(time.Until(deadline))))
}
