package diagnosis

import (
	"slices"
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
		out[table[i].Name] = table[i].sense(x)
	}
	return out
}

// table is every sensor. It is put together from the parts of the workflow.
var table = slices.Concat(assessing)

// assessing are the questions of the first minutes.
var assessing = []sensor{
	{Sensor{"rotation.status", "Do the rotations work?", "no rotation failed in the window and no secret is stuck or overdue"}, (*senses).rotationStatus},
	{Sensor{"rotation.logs", "What do the failed runs say?", "every log, event and job that would tell was read, whatever it says"}, (*senses).rotationLogs},
	{Sensor{"secrets.failed", "Which secrets fail to rotate?", "failed secrets are known, or everything that would tell was read and none failed"}, (*senses).secretsFailed},
	{Sensor{"secrets.dependencies", "Which services live on the failed secrets?", "the failed secrets are known and every service that uses them was read"}, (*senses).secretsDependencies},
	{Sensor{"secrets.valid", "Does the target still take the value in use?", "AWSCURRENT of the failed secrets, or of all when none failed, is accepted wherever it is tried"}, (*senses).secretsValid},
	{Sensor{"secrets.identified", "Is every failed secret named?", "everything that tells of rotations was read"}, (*senses).secretsIdentified},
	{Sensor{"secrets.expiry", "When does each failed secret end?", "the end and the grace of every failed secret were read"}, (*senses).secretsExpiry},
	{Sensor{"secrets.tested", "Was the value of each failed secret tried?", "every failed secret was tried at its targets, whatever came of it"}, (*senses).secretsTested},
	{Sensor{"secrets.validated", "Do all targets take the new value?", "AWSCURRENT of every watched secret is accepted wherever it is tried, and none waits under AWSPENDING"}, (*senses).secretsValidated},
}
