package cli

import (
	"io"
	"log"
	"os"
	"testing"
)

// net/http logs the first bytes of what a server sends unasked; they can hold
// what was sent to it, and would be written across the screen.
func TestLibrariesLogNothing(t *testing.T) {
	before, args, out := log.Writer(), os.Args, os.Stdout
	defer func() { log.SetOutput(before); os.Args, os.Stdout = args, out }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	os.Args, os.Stdout = []string{"warroom", "config", "example"}, null
	if code := Main(""); code != 0 {
		t.Errorf("code %d", code)
	}
	if log.Writer() != io.Discard {
		t.Error("the standard logger writes somewhere")
	}
}
