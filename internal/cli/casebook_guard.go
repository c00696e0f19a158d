package cli

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"warroom/ui"
)

// keeper starts the goroutines that keep incidents, and has the console end in
// order when one of them panics. They are not the console's own: it waits for its
// own to end, and these last until the incidents are left, after it.
type keeper struct {
	console atomic.Pointer[context.Context] // nil while there is no console that could end
	hand    func(ctx context.Context, what string, f func())
}

func newKeeper() *keeper { return &keeper{hand: ui.Go} }

// watch has panics end the console of o, once that runs.
func (k *keeper) watch(o *ui.Options) {
	start := o.Start
	o.Start = func(ctx context.Context) error {
		k.console.Store(&ctx)
		if start == nil {
			return nil
		}
		return start(ctx)
	}
}

// leave says that the console has ended: a panic ends the process from now on. A
// casebook that keeps nothing has no keeper.
func (k *keeper) leave() {
	if k != nil {
		k.console.Store(nil)
	}
}

// start is archive.Options.Go.
func (k *keeper) start(_ context.Context, what string, f func()) {
	go func() {
		defer func() {
			console := k.console.Load()
			if console == nil {
				return // the panic goes on: the terminal is as it was
			}
			if v := recover(); v != nil {
				stack := debug.Stack()
				k.hand(*console, what, func() { panic(fmt.Sprintf("%v\n%s", v, stack)) })
			}
		}()
		f()
	}()
}
