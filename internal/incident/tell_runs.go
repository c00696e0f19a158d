package incident

import (
	"fmt"

	"warroom/internal/plan"
)

func tellArmed(d Armed) string {
	if !d.On {
		return phrase("DISARMED: nothing can be changed", d.Why)
	}
	parts := []string{}
	if !d.Until.IsZero() {
		parts = append(parts, "until "+stamp(d.Until)+" unless something is done before")
	}
	for _, who := range d.Identities {
		if who.Trouble != "" {
			parts = append(parts, who.System+" as nobody: "+who.Trouble)
		} else {
			parts = append(parts, who.System+" as "+who.Name)
		}
	}
	return phrase("ARMED: changes are possible", parts...)
}

// verbs say what a run of each mode does.
var verbs = map[plan.Mode]string{plan.Resume: " resumes run ", plan.Back: " rolls back run ", plan.Abandon: " abandons run "}

func tellGranted(d Granted) string {
	head := fmt.Sprintf("run %s of %s on %s", d.Plan.ID, d.Plan.Procedure, d.Plan.Target)
	if verb, ok := verbs[d.Plan.Mode]; ok {
		head = "run " + d.Plan.ID + verb + d.Plan.Of + " of " + d.Plan.Procedure + " on " + d.Plan.Target
	}
	signed := ""
	if d.Signer != "" {
		signed = "signed by " + d.Signer
	}
	return phrase(head+" begins", d.Plan.Title, d.Reason, signed, fmt.Sprintf("%.16s", d.Fingerprint))
}

func tellIntent(d Intent) string {
	if d.Undo {
		return fmt.Sprintf("run %s, step %s: about to be undone", d.Run, d.Step)
	}
	return fmt.Sprintf("run %s, step %s: about to be done", d.Run, d.Step)
}
