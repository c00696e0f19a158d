package checks

import (
	"flag"
	"os"
	"strconv"
	"testing"
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
