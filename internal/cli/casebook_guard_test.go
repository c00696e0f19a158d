package cli

import (
	"context"
	"strings"
	"testing"

	"warroom/ui"
)

// A panic of what keeps incidents is handed to the console that runs, with where
// it was.
func TestAPanicOfWhatKeepsIncidentsIsTheConsoles(t *testing.T) {
	type mark struct{}
	told := make(chan string, 1)
	k := &keeper{hand: func(ctx context.Context, what string, f func()) {
		defer func() {
			text, _ := recover().(string)
			if ctx.Value(mark{}) == nil {
				text = "it is not the console's context"
			}
			told <- what + ": " + text
		}()
		f()
	}}
	o := ui.Options{}
	k.watch(&o)
	if err := o.Start(context.WithValue(t.Context(), mark{}, true)); err != nil {
		t.Fatal(err)
	}
	k.start(context.Background(), "recording an incident", func() { panic("the disk is on fire") })
	if got := <-told; !strings.HasPrefix(got, "recording an incident: the disk is on fire\n") || !strings.Contains(got, "casebook_guard_test.go") {
		t.Errorf("the console was told %q", got)
	}
	k.leave()
	if k.console.Load() != nil {
		t.Error("a console that has ended would be told")
	}
	done := make(chan struct{})
	k.start(context.Background(), "following an incident", func() { close(done) })
	<-done
	// What was to be started with the console is.
	began := false
	o.Start = func(context.Context) error { began = true; return nil }
	k.watch(&o)
	if err := o.Start(t.Context()); err != nil || !began {
		t.Errorf("the checks began: %t, %v", began, err)
	}
}
