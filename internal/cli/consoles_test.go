package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Two consoles on two hosts rotate the same secret at the same moment: one does, and the
// other is told who holds it. Whatever they do, a stored password works.
func TestTwoConsolesAtOnce(t *testing.T) {
	rounds := 3
	if os.Getenv("WARROOM_CRASH") == "full" {
		rounds = 20
	}
	if testing.Short() {
		rounds = 1
	}
	won := map[string]int{}
	for round := range rounds {
		t.Run(fmt.Sprint(round+1), func(t *testing.T) {
			s := setStage(t, crashCase{procedure: "rotate-database", target: "prod/db/analytics", secret: "prod/db/analytics", goal: rotated})
			args := s.act()
			type end struct {
				who, out string
				code     int
			}
			ends, hosts := make([]end, 2), make([]*stage, 2)
			var wait sync.WaitGroup
			for i, who := range []string{"ic-east", "ic-west"} {
				other := *s
				other.state, other.said = t.TempDir(), &bytes.Buffer{} // of another host
				hosts[i] = &other
				wait.Go(func() {
					out, code := other.run("", append(append([]string{}, args...), "--as", who)...)
					ends[i] = end{who, out, code}
				})
			}
			wait.Wait()
			s.works("with two consoles")
			first, second := ends[0], ends[1]
			if second.code == 0 {
				first, second = second, first
			}
			if first.code != 0 || second.code != 1 {
				t.Fatalf("%s ended with %d and %s with %d:\n%s\n%s", first.who, first.code, second.who, second.code, first.out, second.out)
			}
			won[first.who]++
			// One that comes a moment later finds the schedule turned off by the other before
			// that one has stored anything with its name: it is told what changed, and ends.
			last := second.out[strings.LastIndex(second.out, "warroom: "):]
			if !strings.Contains(last, first.who) && !strings.Contains(last, "has changed: Scheduled rotation of") {
				t.Errorf("%s is not told that %s holds it: %s", second.who, first.who, last)
			}
			s.reached()
			for _, host := range hosts {
				host.leaks()
			}
		})
	}
	t.Logf("of %d rounds were won: %v", rounds, won)
}
