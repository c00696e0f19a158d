package diagnosis

import (
	"time"

	"warroom/internal/estate"
)

// sensor is a Sensor with how it is answered.
type sensor struct {
	Sensor
	sense func(*senses) Finding
}

// Sensors lists every sensor there is, in the order of the workflow that they
// serve.
func Sensors() []Sensor {
	out := make([]Sensor, len(table))
	for i := range table {
		out[i] = table[i].Sensor
	}
	return out
}

// Names lists the names of all sensors, as runbooks may use them, in the order of
// Sensors.
func Names() []string {
	out := make([]string, len(table))
	for i := range table {
		out[i] = table[i].Name
	}
	return out
}

// Sense answers every sensor at a time. It is pure: the same readings and time give
// the same findings, word by word.
func Sense(r *estate.Readings, now time.Time) Findings {
	x := newSenses(r, now)
	out := make(Findings, len(table))
	for i := range table {
		out[table[i].Name] = x.ask(table[i].Name, table[i].sense)
	}
	return out
}

// How many runes of a value are kept, of a finding and of a fact.
const (
	valueKept = 480
	factKept  = 240
)

// ask answers a sensor once a run.
func (x *senses) ask(name string, sense func(*senses) Finding) Finding {
	f, done := x.answers[name]
	if !done {
		f = sense(x)
		f.Value = cut(f.Value, valueKept)
		x.answers[name] = f
	}
	return f
}
