// Package drill is a simulated estate in a crisis: servers on loopback that speak
// the real protocols to the real clients, and the scenarios that set them up.
//
// Its rules:
//
//   - The product does not know it is a drill: the estate is an ordinary
//     warroom.yaml, every figure on screen is read through the same checks as from
//     real systems, and follows from the state of a simulated one.
//   - A scenario is one story. What the systems hold (dates, passwords, labels,
//     logs) is what that story would have left behind, so that repairing the cause
//     repairs the figures.
//   - Opening a world only listens, because it comes before the first frame; keys,
//     certificates and state are made when it serves.
//   - A world follows from its seed and clock. Only the keys of TLS and of the
//     token issuer are random.
//   - Everything listens on loopback, writes only below its own folder, and ends
//     with Close.
package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scenario is one crisis to practise on.
type Scenario struct {
	Name    string // as on the command line
	Title   string // a few words
	Summary string // a sentence or two: what is broken, not why
	// Alert is how long before the world is opened the alert was raised that calls
	// the commander.
	Alert time.Duration
}

// scenario is a Scenario with how it is set up.
type scenario struct {
	Scenario
	servers  []string // names of the listeners it needs
	config   func(*World) []byte
	build    func(*World) error // makes the state and adds a server for every listener
	examples func(*World) []string
	env      func(*World) []string
}

var scenarios = []scenario{dbRotation, compromisedKey, largeEstate}

// Scenarios lists what can be practised.
func Scenarios() []Scenario {
	out := make([]Scenario, len(scenarios))
	for i, s := range scenarios {
		out[i] = s.Scenario
	}
	return out
}

func find(name string) (scenario, error) {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.Name == name })
	if i >= 0 {
		return scenarios[i], nil
	}
	var known []string
	for _, s := range scenarios {
		known = append(known, s.Name)
	}
	return scenario{}, fmt.Errorf("open drill scenario %q: there is none of that name; there is: %s", name, strings.Join(known, ", "))
}
