package ui

import (
	"reflect"
	"sync"
	"time"
	"unsafe"

	tea "charm.land/bubbletea/v2"
)

// The renderer draws when its ticker ticks, and the ticker never stops: at one
// speed, a screen that answers a key at once costs more than 1% of a core while
// nothing happens. So it ticks fast while there is something to draw and slowly
// otherwise. Measured at 160×45 on two cores with a clock of one second, the
// fixed 45 frames a second that came before took 1.06% of a core when idle, and
// the 99th percentile of a key among 1,200 readings a second was 48 ms.
const (
	quick  = 120                    // frames a second while something changes; Bubble Tea's most
	steady = 45                     // frames a second throughout, where the ticker cannot be reached
	slow   = 250 * time.Millisecond // between two frames while nothing changes
	linger = 60 * time.Millisecond  // how long after a change it goes on ticking fast
)

// pace turns the renderer's ticker. Bubble Tea 2.1 has no way to set its speed
// while it runs or to flush a frame, so the ticker is reached through the
// program's unexported field. A version of Bubble Tea without that field gets a
// steady rate; a test says so when it happens.
type pace struct {
	program *tea.Program

	mu     sync.Mutex
	ticker *time.Ticker
	fast   bool
	last   time.Time   // of the last change
	settle *time.Timer // slows down some time after the last change
}

// tickerField finds the program's ticker, if it is where it was.
var tickerField = func() *reflect.StructField {
	f, ok := reflect.TypeFor[tea.Program]().FieldByName("ticker")
	if !ok || f.Type != reflect.TypeFor[*time.Ticker]() {
		return nil
	}
	return &f
}()

// rate is the frames a second to begin with.
func rate() int {
	if tickerField == nil {
		return steady
	}
	return quick
}

// hurry has the next frame drawn soon. It is called from the program's event
// loop, in whose goroutine the ticker is made.
func (p *pace) hurry() {
	if p == nil || p.program == nil || tickerField == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticker == nil {
		p.ticker = *(**time.Ticker)(unsafe.Add(unsafe.Pointer(p.program), tickerField.Offset))
		if p.ticker == nil {
			return
		}
		p.fast = true // as it was started
		p.settle = time.AfterFunc(linger, p.calm)
	}
	p.last = time.Now()
	if !p.fast {
		// Only now: a reset begins the wait anew, and changes that come faster
		// than frames would put every frame off.
		p.fast = true
		p.ticker.Reset(time.Second / quick)
		p.settle.Reset(linger)
	}
}

// calm slows down when nothing has changed for a while.
func (p *pace) calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := linger - time.Since(p.last); left > 0 {
		p.settle.Reset(left)
		return
	}
	p.fast = false
	p.ticker.Reset(slow)
}

// stop ends what pace has pending.
func (p *pace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settle != nil {
		p.settle.Stop()
	}
}
