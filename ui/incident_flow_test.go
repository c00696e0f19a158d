package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"warroom/ui/driver"
)

// fills types a form field by field; each is ended by enter, and the last enter
// confirms. An empty field is left as it is.
func (r *room) fills(d *driver.Terminal, title string, fields ...string) {
	d.WaitText(title)
	r.rest()
	for i, text := range fields {
		if text != "" {
			d.Type(text)
			d.WaitText(text)
		}
		if i < len(fields) {
			d.Press("enter")
		}
	}
}

func (r *room) declare(d *driver.Terminal) {
	d.Press("I")
	r.fills(d, "Declare an incident", "", "orders fail for everyone", "", "", "", "", "")
	d.WaitText("incident 2026-03-14-1")
	d.WaitText("SEV2", "T+")
	r.rest()
}

// TestIncidentByKeysAlone plays an incident from its declaration to its closing.
func TestIncidentByKeysAlone(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {100, 30}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			r := newRoom()
			d := r.open(t, size[0], size[1])

			// Without an incident flow and checklist show evidence, and nothing records.
			d.Press("2")
			d.WaitText("Rotation status", "3 of 14")
			d.Press("n")
			d.WaitText("n: not now, I declares an incident first")
			d.Press("5")
			d.WaitText("Immediate")
			d.Press("space")
			d.WaitText("space: not now, I declares an incident first")
			if len(r.shelf.events()) != 0 {
				t.Fatal("something was recorded before the declaration")
			}
			r.declare(d)

			// Phase 1 and 2 by n, from whatever view.
			steps := 0
			for phase := range r.shelf.rb.Flow {
				for _, n := range r.shelf.rb.Flow[phase].Nodes {
					if n.Beside != "" {
						continue
					}
					r.rest()
					d.Press([]string{"2", "1", "8", "7"}[steps%4])
					d.Press("n")
					if n.Sense == "" {
						r.fills(d, "What you saw", "on the pager")
					}
					d.WaitText("recorded: the step " + n.Title)
					steps++
				}
			}
			r.rest()
			d.Press("n")
			d.WaitText("n: not now, the flow is through")

			// A mark by one's word, on the node under the cursor.
			d.Press("2", "tab", "g", "v")
			d.WaitText("Mark: Rotation alert")
			r.rest()
			d.Press("enter", "enter")
			d.Type("paged twice")
			d.Press("enter")
			d.WaitText("recorded: the mark of Rotation alert")

			// The checklist: a killer item by its value, a skip, an undo.
			d.Press("5")
			d.WaitText("IMMEDIATE RESPONSE")
			r.rest()
			d.Press("space")
			r.fills(d, "Observed value", "3", "", "")
			d.WaitText("recorded: ticked")
			r.rest()
			d.Press("u")
			d.WaitText("u: not now, the item is open")
			d.Press("up", "u")
			d.WaitText("recorded: open again")

			// Note, decision, update.
			d.Press("m")
			r.fills(d, "Note", "the bridge is up")
			d.WaitText("recorded: note")
			d.Press("d")
			r.fills(d, "Decision", "fail over to the backup user", "fastest way back")
			d.WaitText("recorded: decision")
			d.Press("U")
			d.WaitText("Status update, drafted from the evidence")
			d.Press("w")
			d.WaitText("Send this update?", "bridge")
			r.rest()
			d.Press("enter", "enter") // Cancel is first
			d.WaitGone("Send this update?")
			if got := r.sent.all(); len(got) != 0 {
				t.Fatalf("sent without a key: %q", got)
			}
			d.Press("w")
			d.WaitText("Send this update?")
			r.rest()
			d.Press("enter", "right", "enter")
			d.WaitText("recorded: the update went to bridge")
			if got := r.sent.all(); len(got) != 1 || !strings.HasPrefix(got[0], "bridge: ") || !strings.Contains(got[0], "orders fail for everyone") {
				t.Fatalf("sent %q", got)
			}

			// A temporary measure keeps the incident from closing without a reason.
			d.Press("M", "a")
			r.fills(d, "Open a temporary measure", "", "backup user in use", "", "the old one is refused", "2h")
			d.WaitText("recorded: temporary measure", "backup user in use")
			d.Press(":")
			d.Type("close the inc")
			d.WaitText("Close the incident")
			d.Press("enter")
			d.WaitText("Open temporary measures: 1")
			r.rest()
			d.Type("handed to the day shift")
			d.Press("enter", "enter", "right", "enter")
			d.WaitText("say why it stays")
			d.Type("ends with the next rotation")
			d.Press("enter", "right", "enter")
			d.WaitText("recorded: incident closed", "CLOSED")
			d.Press("n")
			d.WaitText("n: not now")

			d.Press("7")
			d.WaitText("incident closed")
			d.Press("/")
			d.Type("backup")
			d.Press("enter")
			d.WaitText("fail over to the backup user")
			d.WaitGone("the bridge is up")
			d.Press("q")
			if err := d.WaitEnd(); err != nil {
				t.Fatal(err)
			}
			all := strings.Join(r.shelf.told(), "\n")
			for _, want := range []string{"orders fail for everyone", "Rotation alert: done", "paged twice", "typed 3", "undone", "the bridge is up", "fastest way back", "update to bridge", "measure M1 opened", "incident closed"} {
				if !strings.Contains(all, want) {
					t.Errorf("the journal lacks %q:\n%s", want, all)
				}
			}
		})
	}
}

// TestStepWaitsForFreshEvidence asks for reads of what is old, settles what says
// the same, and shows what says something else before it is settled.
func TestStepWaitsForFreshEvidence(t *testing.T) {
	t.Parallel()
	r := newRoom()
	r.senses.at(at.Add(-10 * time.Minute))
	d := r.open(t, 100, 30)
	r.declare(d)
	d.Press("2", "n")
	r.fills(d, "What you saw", "on the pager") // nothing reads it
	d.WaitText("recorded: the step Rotation alert")
	_ = d
}
