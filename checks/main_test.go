package checks

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"

	"warroom/internal/clients"
)

// waiting is how many parallel tests run at once. They wait for what systems do, and
// hardly compute: as many as there are processors would leave those idle.
const waiting = 6

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", strconv.Itoa(waiting)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// permitted lets every call be made: tests build what they then read.
type permitted struct{}

func (permitted) Around(_ context.Context, _ clients.Call, do func() error) error { return do() }

// changing is a context in which tests may change their own systems.
func changing(t testing.TB) context.Context { return clients.WithPermit(t.Context(), permitted{}) }
