package incident

import (
	"testing"
	"time"

	"warroom/internal/runbook"
)

// TestTheGuideWorksWithNothingToRead walks the embedded runbook from the
// declaration to the last item of the days after with no evidence at all: as when
// the network, the stores and the databases are what is down.
func TestTheGuideWorksWithNothingToRead(t *testing.T) {
	d := newDesk(t)
	d.rb, d.f = runbook.Guide(), nil
	d.declare(t0)
	steps := 0
	for d.board().Node != "" {
		verdict := ""
		if d.board().NeedsVerdict(d.board().Node) {
			verdict = "compromised"
		}
		d.now = d.now.Add(30 * time.Second)
		d.ok(d.board().Step(ic, verdict))
		if steps++; steps > 100 {
			t.Fatal("the flow does not end")
		}
	}
	main := 0
	for _, p := range d.rb.Flow {
		for _, n := range p.Nodes {
			if n.Beside == "" {
				main++
			}
		}
	}
	if steps != main || d.fold.State().Verdict != "compromised" || !d.fold.State().Marked {
		t.Errorf("%d steps of %d nodes, verdict %q", steps, main, d.fold.State().Verdict)
	}
	forwarded := 0
	for i := range d.board().List {
		for _, v := range d.board().List[i].Items {
			if v.Forward {
				forwarded++
			}
		}
	}
	if _, v := d.board().item(d.board().Item); forwarded == 0 || !v.Forward {
		t.Errorf("compromised brings %d items forward, at %s", forwarded, d.board().Item)
	}
	ticked := 0
	for i := range d.rb.Checklist {
		p := &d.rb.Checklist[i]
		if p.Owned {
			d.ok(d.board().Recover(ic, ""))
			d.ok(d.board().Close(ic, "", nil))
		}
		for j := range p.Items {
			b := d.board()
			item := &p.Items[j]
			e := Evidence{Note: "seen by ops-2"}
			if item.Killer {
				if !b.NeedsValue(item.ID) || b.AskedValue(item.ID) != "" {
					t.Errorf("%s: needs a value %v, %q", item.ID, b.NeedsValue(item.ID), b.AskedValue(item.ID))
				}
				events, err := b.Tick(ic, item.ID, e, "")
				d.refused(events, err, "type the value that you see")
				e.Typed = "0"
			}
			if p.Owned {
				if _, v := b.item(item.ID); item.Due > 0 && !v.Due.Equal(d.fold.State().Recovered.Add(item.Due)) {
					t.Errorf("%s is due %v", item.ID, v.Due)
				}
				d.ok(b.Assign(ic, item.ID, "ops-2", time.Time{}))
			}
			d.ok(d.board().Tick(ic, item.ID, e, ""))
			ticked++
		}
		d.now = d.now.Add(time.Minute)
		d.ok(d.board().Tick(ic, p.CompleteID(), Evidence{}, ""))
		if !d.board().List[i].Clock.Done {
			t.Errorf("%s is not done", p.ID)
		}
	}
	b := d.board()
	if ticked != 24 || b.Item != "" || b.Node != "" || len(b.Regressed) > 0 {
		t.Errorf("%d items, at %q and %q", ticked, b.Item, b.Node)
	}
}

// TestTheGuideTellsTheVerdictOnce: the node that tells is the last of the first
// phase, and no box of the matrix.
func TestTheGuideTellsTheVerdictOnce(t *testing.T) {
	d := newDesk(t)
	d.rb = runbook.Guide()
	b := d.board()
	var telling []string
	for _, p := range d.rb.Flow {
		for _, n := range p.Nodes {
			if b.tells(n.ID) {
				telling = append(telling, n.ID)
			}
		}
	}
	nodes := d.rb.Flow[0].Nodes
	if len(telling) != 1 || telling[0] != nodes[len(nodes)-1].ID {
		t.Errorf("the verdict is told at %v", telling)
	}
}
