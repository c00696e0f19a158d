package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// Ports are taken below the range from which the kernel takes the ports of
// outgoing connections (32768 and up by default): between choosing one and a
// server listening on it, no other connection can have got it.
const (
	portLow  = 20000
	portHigh = 32000
)

var (
	portsMu sync.Mutex
	ports   = map[int]bool{}
)

// freePort is a loopback port that nothing listens on and that this process
// has not handed out before.
func freePort() (int, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 200 {
		port := portLow + rand.IntN(portHigh-portLow)
		if ports[port] {
			continue
		}
		listener, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			continue
		}
		ports[port] = true
		return port, nil
	}
	return 0, errors.New("find a free loopback port: 200 tries found none")
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// errEnded is what ready says when trying again is of no use.
var errEnded = errors.New("ended before it was ready")

// poll calls ready until it returns nil, p ends or ctx does. What ready said
// last is in the error, and so is the end of p's log.
func poll(ctx context.Context, p *process, ready func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ready(attempt)
		cancel()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-p.done:
			return fmt.Errorf("it %w (%v)\n%s", errEnded, p.err, p.tail())
		case <-ctx.Done():
			// Only one that is late by itself has something to say.
			if cause := context.Cause(ctx); !errors.Is(cause, errLate) {
				return cause
			}
			return fmt.Errorf("not ready: %w (last try: %w)\n%s", errLate, err, p.tail())
		case <-tick.C:
		}
	}
}
