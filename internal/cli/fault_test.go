package cli

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// The fault matrix: every call and record of every procedure is made to fail in each of
// the ways of faultWays. Then the run is done all the same, or it has failed with words
// that a person can act on; some stored credential logs in; and without the fault the run
// is finished by one command.

// internals are words of libraries that must not be all that a person is told.
var internals = regexp.MustCompile(`check broken|context deadline exceeded|panic|goroutine |%!|<nil>|0x[0-9a-f]{6}`)

// faultPoints are those of the matrix that this run looks at: all, or a few that each
// begin at another.
func faultPoints(all []string, way int) []int {
	from := begun(all)
	if os.Getenv("WARROOM_CRASH") == "full" {
		out := []int{}
		for n := 1; n <= len(all); n++ {
			out = append(out, n)
		}
		return out
	}
	return []int{min(len(all), from+1+(len(all)-from)*(2*way+1)/(2*len(faultWays)))}
}

func TestFailingAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("runs some hundred processes")
	}
	for _, c := range inMatrix() {
		t.Run(c.name(), func(t *testing.T) {
			all := points(t, c)
			var broken, well, failed, resumed atomic.Int64
			t.Run("at", func(t *testing.T) {
				for i, way := range faultWays {
					for _, n := range faultPoints(all, i) {
						t.Run(fmt.Sprintf("%d %s", n, way), func(t *testing.T) {
							t.Parallel()
							s := setStage(t, c)
							broken.Add(1)
							out, code := s.run(fmt.Sprintf("%s:%d", way, n), s.act()...)
							s.works("after " + way + " at " + all[n-1])
							switch {
							case code == 0 || s.stopped(out):
								well.Add(1)
								s.reached()
							default:
								failed.Add(1)
								s.toldWell(out)
								if s.takeUp("resume") == "resume" {
									resumed.Add(1)
									s.reached()
								}
							}
							s.leaks()
							if t.Failed() {
								t.Logf("%s at %s:\n%s", way, all[n-1], out)
							}
						})
					}
				}
			})
			t.Logf("%s: %d calls and records, broken %d times in %d ways: %d done all the same, %d failed, %d of those finished", c.name(), len(all), broken.Load(), len(faultWays), well.Load(), failed.Load(), resumed.Load())
		})
	}
}

// toldWell is that the last word of a failed command says something to act on: what was
// being done, what happened, and what comes next.
func (s *stage) toldWell(out string) {
	s.t.Helper()
	at := strings.LastIndex(out, "warroom: ")
	if at < 0 {
		s.t.Errorf("it failed without a word:\n%s", out)
		return
	}
	last := out[at:]
	if found := internals.FindString(last); found != "" {
		s.t.Errorf("it ends with %q: %s", found, last)
	}
	if len(last) < 40 || !strings.Contains(last, ": ") {
		s.t.Errorf("it says too little: %s", last)
	}
	if !strings.Contains(last, ";") && !strings.Contains(last, "resume") && !strings.Contains(last, "plan") {
		s.t.Errorf("it does not say what comes next: %s", last)
	}
}
