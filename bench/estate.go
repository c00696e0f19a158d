//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// focusMark stands before the title of the pane with the focus.
const focusMark = "▸ "

// What a whole frame shows: the title of every pane, and the footer's key for
// leaving, which stands there from the first frame to the last.
var paneTitles = []string{"Edge Plane", "Service Plane", "State Plane", "Control Plane"}

const footerWord = "quit"

// isWhole says whether the screen shows all panes and the footer.
func isWhole(s *screen) bool {
	return s.has(paneTitles...) && strings.Contains(s.row(s.height-1), footerWord)
}

// estate is a warroom.yaml of applications with a health endpoint each, dealt
// out over the planes.
func estate(address string, components int, interval time.Duration) string {
	var b strings.Builder
	timeout := min(interval, 5*time.Second)
	fmt.Fprintf(&b, "version: 1\nenvironment: bench\nchecks:\n  interval: %s\n  slow_interval: %s\n  login_interval: %s\n  timeout: %s\ncomponents:\n",
		interval, max(interval, time.Minute), max(interval, time.Minute), timeout)
	planes := []string{"edge", "service", "state", "control"}
	for i := range components {
		fmt.Fprintf(&b, "  - id: app-%04d\n    name: Application %04d\n    plane: %s\n    application:\n      health:\n        url: http://%s/health/%d\n",
			i, i, planes[i%len(planes)], address, i)
	}
	return b.String()
}

// estateFile writes such a file and returns its path.
func (b *bench) estateFile(name string, components int, interval time.Duration) (string, error) {
	path := b.dir + "/" + name
	if err := os.WriteFile(path, []byte(estate(b.server.address, components, interval)), 0o600); err != nil {
		return "", fmt.Errorf("write the estate to measure on: %w", err)
	}
	return path, nil
}
