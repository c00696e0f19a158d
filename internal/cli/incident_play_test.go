package cli

import (
	"fmt"
	"strings"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/ui/driver"
)

// The whole incident in the drill, by keys alone: declared, phase 1 walked, the
// console killed, resumed where it was, phase 2 walked, every item of the checklist
// settled, noted, decided, told, a measure taken and taken back, service back,
// closed. The report says then what the journal says.
func TestAWholeIncidentByKeysAlone(t *testing.T) {
	for _, size := range []driver.Size{{Width: 80, Height: 24}, {Width: 100, Height: 30}} {
		t.Run(fmt.Sprintf("%dx%d", size.Width, size.Height), func(t *testing.T) {
			t.Parallel()
			p := &play{t: t, state: t.TempDir(), size: size}
			p.open()
			p.WaitText("DRILL db-rotation", "67%")
			p.Press("I")
			p.fill("Declare an incident", "Declare", "Summary", "logins fail for everyone", "Scribe", "ops-1")
			p.WaitText("declared: incident", "SEV2", "T+")

			// Phase 1 of the flow, and what is done beside it.
			p.show("2", "leave when:")
			for range mainSteps(0) {
				p.step()
			}
			p.Press("m")
			p.fill("Note", "Record", "Note", "the bridge is up")
			p.WaitText("recorded: note")
			p.show("M", "TEMPORARY MEASURES")
			p.Press("a")
			p.fill("Open a temporary measure", "Open", "What", "backup user in use", "Why", "the old one is refused", "Until", "2h")
			p.WaitText("recorded: temporary measure")
			p.show("5", "═ IMMEDIATE RESPONSE")
			p.item(nil)
			p.item(nil)

			// The console dies, and nothing that it had said is lost.
			before := p.journal()
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = p.WaitEnd()
			if after := p.journal(); len(after) < len(before) {
				t.Fatalf("%d events are left of %d", len(after), len(before))
			}
			p.open()
			p.WaitText("Incident "+p.id()+" is open", "logins fail for everyone", "Resume")
			again(p.Terminal, "resuming", "enter", func(s string) bool { return strings.Contains(s, "T+") && !strings.Contains(s, "is open") })

			// Phase 2, and the checklist to its end.
			p.show("2", "leave when:")
			for p.step() {
			}
			p.show("5", "═ IMMEDIATE RESPONSE")
			list := runbook.Guide().Checklist
			aside := map[string]string{list[0].Items[5].Text: "N", list[2].Items[3].Text: "s", list[3].Items[4].Text: "s", list[3].Items[5].Text: "N"}
			for n := 0; p.current(p.Screen()) != list[2].Complete && p.item(aside); n++ {
				if n > 60 {
					t.Fatalf("the checklist has no end:\n%s", p.Screen())
				}
			}
			p.choose("Service is recovered")
			p.fill("Service is back", "Service is back", "Note", "logins are below 5%")
			p.WaitText("recorded: service is back")
			for n := 0; p.item(aside); n++ {
				if n > 30 {
					t.Fatalf("the days after have no end:\n%s", p.Screen())
				}
			}

			// Decision, hand-over, status update, end of the measure.
			p.Press("d")
			p.fill("Decision", "Record", "Decision", "keep the backup user", "Because", "fastest way back")
			p.WaitText("recorded: decision")
			p.choose("Hand over a role")
			p.fill("Hand over a role", "Hand over", "To", "ic-2")
			p.WaitText("recorded: hand-over")
			p.show("U", "Status update")
			p.Press("y")
			copied := p.WaitClipboard("the update", func(s string) bool { return strings.Contains(s, "logins fail for everyone") })
			p.answer("Copied. Was it posted?", "Posted")
			p.WaitText("recorded: the update was posted by hand")
			p.show("M", "backup user in use")
			p.Press("x")
			p.fill("End M1", "It is taken back", "How", "user dropped")
			p.WaitText("recorded: M1 ended")
			p.choose("Close the incident")
			p.fill("Close the incident", "Close it", "Reason", "all is well again")
			p.WaitText("recorded: incident closed")
			p.Press("q")
			if err := p.WaitEnd(); err != nil {
				t.Errorf("leaving: %v", err)
			}

			all := p.journal()
			assertPlayed(t, all, aside)
			for _, e := range all {
				if d, ok := e.Data.(incident.Updated); ok && !strings.HasPrefix(strings.TrimSpace(d.Text), strings.TrimSpace(copied)) {
					t.Errorf("copied was\n%s\nand recorded\n%s", copied, d.Text)
				}
			}
			if out := p.said("incident", "verify", "latest"); !strings.Contains(out, "is whole") {
				t.Errorf("verify says\n%s", out)
			}
			// Who got the update can hold the journal against it.
			rows := strings.Split(strings.TrimSpace(copied), "\n")
			if noted, ok := strings.CutPrefix(rows[len(rows)-1], "Journal "); !ok {
				t.Errorf("the update ends with %q, and not with the head of the journal", rows[len(rows)-1])
			} else if out := p.said("incident", "verify", "latest", "--head", noted); !strings.Contains(out, "is whole") {
				t.Errorf("held against the update's head verify says\n%s", out)
			}
			assertReported(t, all, p.said("incident", "report", "latest", "--format", "json"), map[string]string{
				"md": p.said("incident", "report", "latest"), "html": p.said("incident", "report", "latest", "--format", "html"),
			})
		})
	}
}

// mainSteps are the steps of a phase that are taken one by one.
func mainSteps(phase int) (out []string) {
	for _, n := range runbook.Guide().Flow[phase].Nodes {
		if n.Beside == "" {
			out = append(out, n.ID)
		}
	}
	return out
}

// assertPlayed finds everything that the keys did in the journal.
func assertPlayed(t *testing.T, all []incident.Event, aside map[string]string) {
	t.Helper()
	nodes, items, acts := map[string]bool{}, map[string]incident.ItemMoved{}, map[string]int{}
	for i := range all {
		switch d := all[i].Data.(type) {
		case incident.NodeMoved:
			nodes[d.Node] = nodes[d.Node] || d.Act == incident.NodeDone || d.Act == incident.NodeRuledOut
		case incident.ItemMoved:
			items[d.Item] = d
		case incident.ConsoleMoved:
			acts[d.Act]++
		case incident.MeasureMoved:
			acts["measure "+d.Act]++
		default:
			acts[string(all[i].Kind)]++
		}
	}
	for phase := range runbook.Guide().Flow {
		for _, id := range mainSteps(phase) {
			if !nodes[id] {
				t.Errorf("the step %s was not settled", id)
			}
		}
	}
	for _, phase := range runbook.Guide().Checklist {
		if items[phase.CompleteID()].Act != incident.ItemTicked {
			t.Errorf("%s was not called: %+v", phase.Complete, items[phase.CompleteID()])
		}
		for _, item := range phase.Items {
			d, want := items[item.ID], map[string]incident.ItemAct{"s": incident.ItemSkipped, "N": incident.ItemNA}[aside[item.Text]]
			switch {
			case want != "" && (d.Act != want || d.Reason != reasonFor(item.Text)):
				t.Errorf("%s: %+v, want it %s", item.ID, d, want)
			case want == "" && d.Act != incident.ItemTicked && d.Act != incident.ItemOverridden && d.Act != incident.ItemReassessed:
				t.Errorf("%s: %+v", item.ID, d)
			case want == "" && item.Killer && d.Evidence.Stance != "unread" && d.Evidence.Value != "" && d.Evidence.Typed == "":
				t.Errorf("%s was ticked without its value: %+v", item.ID, d)
			}
		}
	}
	for what, n := range map[string]int{"opened": 1, "resumed": 1, "left": 1, "measure opened": 1, "measure ended": 1, "declared": 1, "note": 1,
		"decision": 1, "role": 1, "recovered": 1, "closed": 1} {
		if acts[what] != n {
			t.Errorf("the journal has %d × %s, want %d", acts[what], what, n)
		}
	}
	if acts["update"] == 0 {
		t.Error("no update was recorded")
	}
}
