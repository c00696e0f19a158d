package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"warroom/internal/estate"
)

// bodyLimits bound the body of an answer. A system that sends rubbish without end, to
// every probe at once, must not fill the memory of the console.
type bodyLimits struct {
	bytes int64
	free  int64 // read without waiting for a turn to read a large one; honest answers are smaller as a rule
	// Objects and lists, and elements, of a JSON document: parsed, each takes many
	// times its bytes. Those within strings count too, so there must be room for
	// log lines in JSON.
	nests, parts int
}

// errTooLarge ends the reading of an answer that has no end.
var errTooLarge = errors.New("the answer is larger than an honest one can be")

// bodyError marks an error of the connection while an answer's body was read, so
// that it is told from a body that came whole and cannot be parsed.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "the answer broke off: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// turns let few large answers be read and parsed at a time; a nil one lets all.
type turns chan struct{}

// boundedBody is a body that ends at a limit of bytes, objects and elements.
type boundedBody struct {
	io.ReadCloser
	ctx   context.Context
	turns turns

	left    bodyLimits // what may still come
	holding bool
	release func() // gives the turn back, once
	unwatch func() bool
}

// newBoundedBody closes body when ctx ends, even if a read of it is under way:
// not every body that net/http hands out ends with its request's context.
func newBoundedBody(ctx context.Context, body io.ReadCloser, limits bodyLimits, turns turns) *boundedBody {
	return &boundedBody{
		ReadCloser: body, ctx: ctx, turns: turns, left: limits,
		unwatch: context.AfterFunc(ctx, func() { _ = body.Close() }),
	}
}

// final refuses an answer that is none: after 101 the connection speaks another
// protocol, and its body is the bare connection, which may never end. Its error
// is an *estate.Failure, and the body is closed then.
func final(res *http.Response) error {
	if res.StatusCode/100 != 1 {
		return nil
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	return &estate.Failure{
		Kind: estate.BadAnswer, Detail: fmt.Sprintf("HTTP %d %s, which is no answer to this request", res.StatusCode, http.StatusText(res.StatusCode)),
		Next: "check what listens at this address",
	}
}

// Read satisfies io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left.bytes <= 0 || b.left.nests < 0 || b.left.parts < 0 {
		return 0, errTooLarge
	}
	if b.left.free <= 0 && !b.holding {
		if err := b.await(); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > b.left.bytes {
		p = p[:b.left.bytes]
	}
	n, err := b.ReadCloser.Read(p)
	b.left.bytes -= int64(n)
	b.left.free -= int64(n)
	for _, c := range p[:n] {
		switch c {
		case '{', '[':
			b.left.nests--
		case ',':
			b.left.parts--
		}
	}
	if err != nil && err != io.EOF {
		if b.ctx.Err() != nil {
			err = context.Cause(b.ctx) // rather than that the body is closed
		}
		err = &bodyError{err}
	}
	return n, err
}

// await waits for a turn to read a large answer. It is held until the body is
// closed, which is after it was parsed, or until its request's context ends.
func (b *boundedBody) await() error {
	if b.turns == nil {
		b.holding = true
		return nil
	}
	select {
	case b.turns <- struct{}{}:
	case <-b.ctx.Done():
		return &estate.Failure{Kind: estate.Paused, Detail: "the answer is large, and others as large were read all the time until the timeout"}
	}
	var once sync.Once
	give := func() { once.Do(func() { <-b.turns }) }
	stop := context.AfterFunc(b.ctx, give)
	b.holding, b.release = true, func() { stop(); give() }
	return nil
}

// Close satisfies io.Closer.
func (b *boundedBody) Close() error {
	b.unwatch()
	err := b.ReadCloser.Close()
	if b.release != nil {
		b.release()
	}
	return err
}
