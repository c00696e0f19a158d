package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/adrg/xdg"

	"warroom/internal/archive"
	"warroom/internal/config"
	"warroom/internal/incident"
	"warroom/internal/runbook"
	"warroom/ui"
)

// ownState gives a test a state folder of its own, which no other test sees.
func ownState(t *testing.T) *archive.Store {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	xdg.Reload()
	t.Cleanup(xdg.Reload) // runs before the variable is set back, and once more with the next use
	t.Setenv("USER", "ic-1")
	store, err := openStore(archive.Options{Operator: "ic-1"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(store.Root(), dir) {
		t.Fatalf("incidents would be kept in %s", store.Root())
	}
	return store
}

var incidentStart = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

// declare makes an incident with a few events, and leaves it.
func declare(t *testing.T, store *archive.Store, environment, drill string, more ...incident.Event) string {
	t.Helper()
	session, err := store.Create(t.Context(), incident.New("ic-1", incident.Declared{
		Severity: runbook.SEV1, Summary: "logins fail", Started: incidentStart, Environment: environment, Drill: drill,
		Roles: map[incident.Role]string{incident.Commander: "ic-1", incident.Scribe: "ops-2"},
	}), runbook.Guide())
	if err != nil {
		t.Fatal(err)
	}
	if len(more) > 0 {
		if err := session.Record(t.Context(), more...); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	return session.ID()
}

func TestIncidentsAreListedAndShown(t *testing.T) {
	store := ownState(t)
	t.Chdir(t.TempDir())
	if out, code := run(t, "incident", "list"); code != 0 || !strings.Contains(out, "no incident in "+store.Root()) {
		t.Errorf("an empty list: %d %q", code, out)
	}
	first := declare(t, store, "production", "", incident.New("ic-1", incident.Noted{Text: "pages\x1b[31m since\nnoon"}), incident.New("ic-1", incident.Decided{Text: "fail over"}))
	second := declare(t, store, "production", "db-rotation", incident.New("ic-1", incident.Closed{Reason: "done"}))

	out, code := run(t, "incident", "list")
	if lines := strings.Split(out, "\n"); code != 0 || len(lines) != 4 || !strings.HasPrefix(lines[1], second) || !strings.Contains(lines[1], "closed") ||
		!strings.Contains(lines[1], "DRILL db-rotation") || !strings.HasPrefix(lines[2], first) || !strings.Contains(lines[2], "open") {
		t.Errorf("the list: %d\n%s", code, out)
	}
	var listed struct {
		Schema    string
		Incidents []struct {
			ID, Drill string
			Open      bool
		}
	}
	out, code = run(t, "incident", "list", "--json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil || code != 0 || listed.Schema != incidentListSchema || len(listed.Incidents) != 2 ||
		listed.Incidents[0].Open || !listed.Incidents[1].Open || listed.Incidents[0].Drill != "db-rotation" {
		t.Errorf("the list as JSON: %d %v\n%s", code, err, out)
	}

	out, code = run(t, "incident", "show", first)
	for _, want := range []string{"Incident    " + first, "T0          2026-03-21 12:00:00Z", "Scribe      ops-2", "ic-1: pages since noon", "ic-1: fail over", "declared", "SEV1"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("show does not say %q: %d\n%s", want, code, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a control sequence is printed: %q", out)
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{nil, 5}, {[]string{"--kind", "note"}, 1}, {[]string{"--kind", "note,decision"}, 2}, {[]string{"--text", "NOON"}, 1},
		{[]string{"--text", "noon", "--kind", "decision"}, 0}, {[]string{"--text", "nowhere"}, 0},
	} {
		var doc struct {
			Schema string
			ID     string
			Events []struct {
				Seq  uint64
				Kind string
				Text string
				Data map[string]any
			}
		}
		out, code := run(t, append([]string{"incident", "show", first, "--json"}, c.args...)...)
		if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 0 || doc.Schema != incidentSchema || doc.ID != first || len(doc.Events) != c.want {
			t.Errorf("%v: %d events, want %d: %d %v\n%s", c.args, len(doc.Events), c.want, code, err, out)
		}
	}
}

func TestIncidentsThatAreNot(t *testing.T) {
	store := ownState(t)
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"incident", "show", "latest"}, exitFailed, "declared in the console with I"},
		{[]string{"checklist"}, exitFailed, "declared in the console with I"},
		{[]string{"checklist", "--plain"}, exitFailed, "declared in the console with I"},
	} {
		if out, code := run(t, c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%v with no incident: %d %q", c.args, code, out)
		}
	}
	declare(t, store, "production", "")
	declare(t, store, "production", "")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"incident", "show"}, exitUsage, "incident list"},
		{[]string{"incident", "show", "../keys"}, exitFailed, "there is no incident"},
		{[]string{"incident", "show", "2026"}, exitFailed, "name more of it"},
		{[]string{"incident", "show", "2027"}, exitFailed, "there is no incident"},
		{[]string{"incident", "verify", "/etc/passwd"}, exitFailed, "there is no incident"},
		{[]string{"incident", "show", "latest", "--kind", "gossip"}, exitUsage, "use declared"},
		{[]string{"incident", "verify", "latest", "--head", "nonsense"}, exitUsage, "--head"},
		{[]string{"incident", "verify", "latest", "--keys", "no-such-file"}, exitUsage, "no-such-file"},
		{[]string{"incident", "nonsense"}, exitUsage, "unknown command"},
		{[]string{"--alert-time", "noon"}, exitUsage, "config"},
		{[]string{"incident", "resume", "latest"}, exitUsage, "terminal"}, // without an estate
		{[]string{"checklist", "a", "b"}, exitUsage, "arg"},
		{[]string{"checklist"}, exitUsage, "terminal"},
	} {
		if out, code := run(t, c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%v: %d %q, want %d and %q", c.args, code, out, c.code, c.says)
		}
	}
}

// A broken configuration keeps nobody from an incident.
func TestIncidentsNeedNoConfiguration(t *testing.T) {
	store := ownState(t)
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv(config.EnvFile, "")
	if err := os.WriteFile(filepath.Join(dir, "warroom.yaml"), []byte("version: 1\nenviroment: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := declare(t, store, "production", "")
	for _, args := range [][]string{{"incident", "list"}, {"incident", "show", id}, {"incident", "verify", id}, {"checklist", "--plain"}} {
		if out, code := run(t, args...); code != 0 || !strings.Contains(out, id) {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	for _, args := range [][]string{{"checklist"}, {"incident", "resume", id}} { // which end at the missing terminal only
		if out, code := run(t, args...); code != exitUsage || !strings.Contains(out, "cannot be used") || !strings.Contains(out, "terminal") {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
}

func TestVerifyNamesTheFirstBadRecord(t *testing.T) {
	store := ownState(t)
	t.Chdir(t.TempDir())
	var events []incident.Event
	for _, text := range []string{"one", "two", "three", "four"} {
		events = append(events, incident.New("ic-1", incident.Noted{Text: text}))
	}
	id := declare(t, store, "production", "", events...)
	folder, err := store.Folder(id)
	if err != nil {
		t.Fatal(err)
	}
	segment, headFile := filepath.Join(folder, "journal-000001.log"), filepath.Join(folder, "head")
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	wholeHead, err := os.ReadFile(headFile)
	if err != nil {
		t.Fatal(err)
	}
	session, err := store.Follow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	head := session.Case().Head
	_ = session.Close()

	out, code := run(t, "incident", "verify", id, "--head", head)
	if code != 0 || !strings.Contains(out, "is whole") || !strings.Contains(out, head) || !strings.Contains(out, "SHA256:") {
		t.Fatalf("a whole journal: %d\n%s", code, out)
	}
	_, hash, _ := strings.Cut(head, ":")
	if out, code := run(t, "incident", "verify", id, "--head", hash); code != 0 || !strings.Contains(out, "is whole") {
		t.Errorf("its hash alone: %d\n%s", code, out)
	}
	if out, code := run(t, "incident", "show", id); code != 0 || !strings.Contains(out, head) {
		t.Errorf("show does not print the head %s: %d\n%s", head, code, out)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(whole), "\n"), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"two"`) })
	if at < 2 {
		t.Fatalf("the journal has the lines %q", lines)
	}
	number, _, _ := strings.Cut(lines[at], " ")
	joined := func(edit func([]string) []string) []byte { return []byte(strings.Join(edit(slices.Clone(lines)), "")) }
	other := "7:" + strings.Repeat("ab", 32)
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("# nobody who signed\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops-2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		journal []byte
		head    []byte
		args    []string
		says    string
	}{
		{"an edited record", []byte(strings.Replace(string(whole), `"two"`, `"TWO"`, 1)), wholeHead, nil, "record " + number},
		{"a removed record", joined(func(l []string) []string { return slices.Delete(l, at, at+1) }), wholeHead, nil, "record "},
		{"records in another order", joined(func(l []string) []string { l[at], l[at+1] = l[at+1], l[at]; return l }), wholeHead, nil, "record "},
		{"a flipped byte", flipped(whole, strings.Index(string(whole), `"three"`)+2), wholeHead, nil, "byte "},
		{"a cut tail", joined(func(l []string) []string { return l[:len(l)-1] }), wholeHead, nil, "BAD"},
		{"a head that is gone", whole, nil, nil, "head"},
		{"another head than was noted", whole, wholeHead, []string{"--head", other}, "head"},
		{"another hash than was noted", whole, wholeHead, []string{"--head", strings.Repeat("ab", 32)}, "head"},
		{"a key that may not sign", whole, wholeHead, []string{"--keys", keys}, "key"},
	} {
		if err := os.WriteFile(segment, c.journal, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.head == nil {
			err = os.Remove(headFile)
		} else {
			err = os.WriteFile(headFile, c.head, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, code := run(t, append([]string{"incident", "verify", id}, c.args...)...)
		if code != exitFailed || !strings.Contains(out, "NOT whole") || !strings.Contains(out, c.says) {
			t.Errorf("%s: %d, want %q\n%s", c.name, code, c.says, out)
		}
		var doc struct {
			Schema string
			Whole  bool
			Faults []struct{ What string }
		}
		out, code = run(t, append([]string{"incident", "verify", id, "--json"}, c.args...)...)
		document, _, _ := strings.Cut(out, "\nwarroom:")
		if err := json.Unmarshal([]byte(document), &doc); err != nil || code != exitFailed || doc.Schema != incidentVerifySchema || doc.Whole || len(doc.Faults) == 0 {
			t.Errorf("%s as JSON: %d %v\n%s", c.name, code, err, out)
		}
	}
}

func flipped(data []byte, at int) []byte {
	out := slices.Clone(data)
	out[at] ^= 1
	return out
}

// What the checklist prints is due is what is not settled, with owners and dates.
func TestTheChecklistSaysWhatIsDue(t *testing.T) {
	day := 24 * time.Hour
	items := []runbook.Item{{ID: "review", Text: "Hold the review", Due: 3 * day}, {ID: "alerts", Text: "Alert earlier", Due: 5 * day},
		{ID: "store", Text: "Add a second store", Due: 7 * day}, {ID: "rehearse", Text: "Rehearse this recovery", Due: 7 * day}, {ID: "policy", Text: "Update the policy"}}
	const owned = 1
	rb := &runbook.Runbook{Updates: runbook.Guide().Updates, Flow: runbook.Guide().Flow, Checklist: []runbook.ListPhase{
		{ID: "now", Title: "Immediate", To: time.Hour, Mode: runbook.ReadDo, Complete: "DONE", Items: []runbook.Item{{ID: "name", Text: "Name what failed"}}},
		{ID: "after", Title: "Days after", To: 7 * day, Mode: runbook.DoConfirm, Complete: "DONE", Owned: true, Items: items},
	}}
	at := func(d time.Duration) time.Time { return incidentStart.Add(d) }
	fold := &incident.Fold{}
	seq := uint64(0)
	apply := func(when time.Time, by string, data incident.Data) {
		seq++
		e := incident.New(by, data)
		e.Seq, e.At = seq, when
		fold.Apply(e)
	}
	apply(at(0), "ic-1", incident.Declared{ID: "2026-03-21-1", Severity: runbook.SEV2, Summary: "logins fail", Started: at(0), Roles: map[incident.Role]string{incident.Commander: "ic-1"}})
	for _, phase := range rb.Checklist[:owned] {
		for _, item := range phase.Items {
			apply(at(time.Hour), "ic-1", incident.ItemMoved{Item: item.ID, Act: incident.ItemTicked})
		}
	}
	apply(at(2*time.Hour), "ic-1", incident.Recovered{})
	apply(at(2*time.Hour), "ic-1", incident.Assigned{Item: items[0].ID, Owner: "ops-2", Due: at(day)})
	apply(at(2*time.Hour), "ic-1", incident.Assigned{Item: items[1].ID, Owner: "ops-3", Due: at(5 * day)})
	apply(at(2*time.Hour), "ic-1", incident.ItemMoved{Item: items[2].ID, Act: incident.ItemNA, Reason: "no such system"})
	apply(at(2*time.Hour), "ic-1", incident.MeasureMoved{ID: "M1", Act: "opened", Kind: incident.MeasureBackupKey, What: "old key of payments", Who: "ops-2", Until: at(36 * time.Hour)})
	var out strings.Builder
	c := &incident.Case{State: fold.State()}
	if err := writeDue(&out, "2026-03-21-1", c, rb, at(3*day)); err != nil {
		t.Fatal(err)
	}
	golden(t, "checklist-plain.txt", out.String())

	var none strings.Builder
	for _, item := range items {
		apply(at(3*day), "ic-1", incident.ItemMoved{Item: item.ID, Act: incident.ItemTicked})
	}
	apply(at(3*day), "ic-1", incident.MeasureMoved{ID: "M1", Act: "ended", Reason: "revoked"})
	if err := writeDue(&none, "2026-03-21-1", &incident.Case{State: fold.State()}, rb, at(3*day)); err != nil || !strings.Contains(none.String(), "nothing is open") {
		t.Errorf("%v\n%s", err, none.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s reads now:\n%s\nand should read:\n%s", name, got, want)
	}
}

// The checklist without a name is that of the newest incident with open items.
func TestTheLatestIncidentWithOpenItems(t *testing.T) {
	store := ownState(t)
	older := declare(t, store, "production", "")
	var all []incident.Event
	for _, phase := range runbook.Guide().Checklist {
		for _, item := range phase.Items {
			all = append(all, incident.New("ic-1", incident.ItemMoved{Item: item.ID, Act: incident.ItemTicked}))
		}
	}
	newer := declare(t, store, "production", "", all...)
	id, err := latestOpen(t.Context(), store)
	if err != nil || id != older {
		t.Errorf("it is %s, %v; want %s, and not %s, which is through", id, err, older, newer)
	}
	session, err := store.Open(t.Context(), older)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Record(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	_ = session.Close()
	if _, err := latestOpen(t.Context(), store); err == nil || !strings.Contains(err.Error(), "no incident in") {
		t.Errorf("with nothing open: %v", err)
	}
}

func TestACasebookHoldsWhatBelongsToItsEstate(t *testing.T) {
	store := ownState(t)
	production, staging := declare(t, store, "production", ""), declare(t, store, "staging", "")
	rotation, large := declare(t, store, "production", "db-rotation"), declare(t, store, "production", "large")
	for want, book := range map[string]*casebook{
		production: {store: store, environment: "production"}, staging: {store: store, environment: "staging"},
		rotation: {store: store, environment: "production", drill: "db-rotation"}, large: {store: store, environment: "other", drill: "large"},
	} {
		listed, err := book.List(t.Context())
		if err != nil || len(listed) != 1 || listed[0].ID != want {
			t.Errorf("%s %s holds %v, %v; want %s", book.environment, book.drill, listed, err, want)
		}
	}
	broken := &casebook{broken: errors.New("no state folder")}
	if _, err := broken.List(t.Context()); err == nil {
		t.Error("a broken one lists")
	}
	if _, err := broken.Declare(t.Context(), incident.Event{}); err == nil {
		t.Error("a broken one declares")
	}
	if _, err := broken.Open(t.Context(), production); err == nil {
		t.Error("a broken one opens")
	}
	broken.end(&strings.Builder{})
}

// However a console ends, it says how to resume what is open.
func TestTheLineToResume(t *testing.T) {
	store := ownState(t)
	id := declare(t, store, "production", "")
	book := &casebook{store: store, environment: "production"}
	opened, err := book.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	book.end(&out)
	if !strings.Contains(out.String(), "\n    warroom incident resume "+id+"\n") {
		t.Errorf("it says %q", out.String())
	}
	if err := opened.Record(context.Background(), incident.New("ic-1", incident.Noted{Text: "late"})); err == nil {
		t.Error("it is still open")
	}
	again := &casebook{store: store, environment: "production"}
	book2, err := again.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := book2.Record(t.Context(), incident.New("ic-1", incident.Closed{Reason: "done"})); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	again.end(&out)
	if out.String() != "" {
		t.Errorf("of a closed incident it says %q", out.String())
	}
}

// Where no console can be shown, nothing says in the journal that one was.
func TestWithoutATerminalTheJournalStaysAsItIs(t *testing.T) {
	if ui.HasTerminal() {
		t.Skip("this test has a terminal")
	}
	store := ownState(t)
	t.Chdir(t.TempDir())
	id := declare(t, store, "production", "")
	before, _ := run(t, "incident", "show", id)
	for args, hint := range map[string]string{"checklist " + id: "checklist --plain", "incident resume " + id: "warroom check"} {
		if out, code := run(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(out, hint) {
			t.Errorf("%s: %d %q", args, code, out)
		}
	}
	if after, _ := run(t, "incident", "show", id); after != before {
		t.Errorf("the journal went from\n%s\nto\n%s", before, after)
	}
}
