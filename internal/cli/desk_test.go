package cli

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/archive"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/ui"
	"warroom/ui/driver"
)

// noted is where a console writes once it has ended.
type noted struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *noted) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *noted) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// checklistConsole opens the checklist of an incident as warroom checklist does.
func checklistConsole(t *testing.T, id string, out *noted) *driver.Terminal {
	t.Helper()
	return driver.Start(t, 100, 30, func(ctx context.Context, io driver.IO) error {
		look := looks{resume: id, checklist: true, notices: out, terminal: ui.Terminal{
			In: io.In, Out: io.Out, Environ: io.Environ, Width: io.Size.Width, Height: io.Size.Height, OnResize: io.OnResize,
		}}
		return openDesk(ctx, look, incident.Declared{Environment: "production"})
	})
}

// again presses a key until the screen is as it should be: a dialog takes no key
// before it was seen, and none that is held down.
func again(d *driver.Terminal, what, key string, ok func(screen string) bool) {
	d.Press(key)
	last := time.Now()
	d.WaitFor(what, func(s string) bool {
		if ok(s) {
			return true
		}
		if time.Since(last) > 700*time.Millisecond {
			d.Press(key)
			last = time.Now()
		}
		return false
	})
}

func events(t *testing.T, store *archive.Store, id string) []incident.Event {
	t.Helper()
	session, err := store.Follow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	var all []incident.Event
	if err := session.Events(func(e incident.Event) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// The checklist works with every system down and with no configuration: it is
// ticked off at one console and followed live at another.
func TestTheChecklistNeedsNoEstate(t *testing.T) {
	store := ownState(t)
	t.Chdir(t.TempDir())
	id := declare(t, store, "production", "")
	item := runbook.Guide().Checklist[0].Items[0]
	var out, second noted
	d := checklistConsole(t, id, &out)
	screen := d.WaitText(item.Text, "CURRENT", "no sensor")
	for _, i := range runbook.Guide().Checklist[0].Items {
		if !strings.Contains(screen, i.Text) {
			t.Errorf("the checklist does not show %q:\n%s", i.Text, screen)
		}
	}
	follower := checklistConsole(t, id, &second)
	follower.WaitText(item.Text, "CURRENT")
	follower.Press("space")
	follower.WaitText("writes this incident")

	d.Press("space")
	d.WaitText("Tick: "+item.Text, "Observed value", "enter")
	d.Type("3 failed")
	d.WaitText("3 failed")
	again(d, "the tick to be recorded", "enter", func(s string) bool { return strings.Contains(s, "recorded: ticked") })
	follower.WaitText("✓ done")

	d.Press("q")
	if err := d.WaitEnd(); err != nil {
		t.Errorf("leaving: %v", err)
	}
	if !strings.Contains(out.String(), "warroom incident resume "+id) {
		t.Errorf("at its end it said %q", out.String())
	}
	var kinds []incident.Kind
	for _, e := range events(t, store, id) {
		kinds = append(kinds, e.Kind)
		if moved, ok := e.Data.(incident.ItemMoved); ok && (moved.Item != item.ID || moved.Act != incident.ItemTicked || moved.Evidence.Typed != "3 failed" || e.By != "ic-1") {
			t.Errorf("recorded as %+v by %s", moved, e.By)
		}
		if _, sensed := e.Data.(incident.Sensed); sensed {
			t.Errorf("without an estate something was sensed: %+v", e)
		}
	}
	if !slices.Contains(kinds, incident.KindItem) || kinds[len(kinds)-1] != incident.KindConsole {
		t.Errorf("the journal holds %v", kinds)
	}
	// The one that followed sees that nobody writes, and takes over by a key only.
	follower.WaitText("I take over", "VIEWING")
	follower.Press("I")
	follower.WaitGone("VIEWING")
	follower.Press("q")
	if err := follower.WaitEnd(); err != nil {
		t.Errorf("leaving: %v", err)
	}
	if all := events(t, store, id); all[len(all)-2].Data.(incident.ConsoleMoved).Act != "resumed" {
		t.Errorf("the journal ends with %+v", all[len(all)-2:])
	}
}
