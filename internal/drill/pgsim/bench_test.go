package pgsim_test

import (
	"testing"

	"warroom/internal/drill/pgsim"
)

// BenchmarkNew is a cluster with two passwords, as a drill starts it.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		c := pgsim.New(pgsim.Options{})
		c.SetPassword("app_user", "one")
		c.PauseReplay()
		c.SetPassword("app_user", "two")
		c.Close()
	}
}
