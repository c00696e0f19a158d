package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// store is one in a folder of its own.
func store(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Operator == "" {
		o.Operator = "ic-1"
	}
	return New(filepath.Join(t.TempDir(), "warroom", "incidents"), o)
}

var t0 = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func declaration() incident.Event {
	return incident.New("ic-1", incident.Declared{
		Severity: runbook.SEV1, Summary: "logins fail", Started: t0, Environment: "production",
		Roles: map[incident.Role]string{incident.Commander: "ic-1"},
	})
}

func create(t *testing.T, s *Store) *Session {
	t.Helper()
	session, err := s.Create(t.Context(), declaration(), runbook.Guide())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func open(t *testing.T, s *Store, id string) *Session {
	t.Helper()
	session, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func note(text string) incident.Event { return incident.New("ic-1", incident.Noted{Text: text}) }

func record(t *testing.T, s *Session, events ...incident.Event) {
	t.Helper()
	if err := s.Record(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// await waits for a Case of which ok holds.
func await(t *testing.T, s *Session, what string, ok func(*incident.Case) bool) *incident.Case {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		c, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v; it stands at %+v", what, err, s.Case())
		}
		if ok(c) {
			return c
		}
	}
}

func notes(t *testing.T, s *Session) []string {
	t.Helper()
	var out []string
	if err := s.Events(func(e incident.Event) error {
		if n, ok := e.Data.(incident.Noted); ok {
			out = append(out, n.Text)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnIncidentIsThereAgain(t *testing.T) {
	s := store(t, Options{})
	first := create(t, s)
	record(t, first, note("one"), note("two"))
	c := first.Case()
	if !c.Writing || c.State.Head != 4 || c.State.Declared.ID != first.ID() || c.State.Counts[incident.KindNote] != 2 || c.Trouble != "" || c.Head == "" {
		t.Fatalf("the case is %+v with the state %+v", c, c.State)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Record(t.Context(), note("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("recording after the end: %v", err)
	}
	again := open(t, s, first.ID())
	c = again.Case()
	if !c.Writing || c.State.Counts[incident.KindNote] != 2 || c.State.Counts[incident.KindConsole] != 3 || c.State.Head != 6 {
		t.Errorf("after opening it again the case is %+v with the state %+v", c, c.State)
	}
	if got := notes(t, again); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("the notes are %q", got)
	}
	if again.Runbook().Digest != runbook.Guide().Digest || c.State.Declared.Digest != again.Runbook().Digest {
		t.Error("it does not follow the runbook that it was declared with")
	}
}

func TestFoldersAndFilesAreTheOperatorsAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	s := store(t, Options{})
	session := create(t, s)
	record(t, session, note("x"))
	seen := 0
	err := filepath.WalkDir(filepath.Dir(s.Root()), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		seen++
		want := os.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has the mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || seen < 7 {
		t.Errorf("saw %d files: %v", seen, err)
	}
}

func TestConsolesAtOnceGetIDsOfTheirOwn(t *testing.T) {
	root := filepath.Join(t.TempDir(), "incidents")
	var mu sync.Mutex
	ids := map[string]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			session, err := New(root, Options{}).Create(t.Context(), declaration(), runbook.Guide())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = session.Close() }()
			if got := session.Case().State.Declared.ID; got != session.ID() {
				t.Errorf("%s was declared as %s", session.ID(), got)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[session.ID()] = true
		})
	}
	all.Wait()
	if len(ids) != 8 {
		t.Errorf("8 incidents have %d ids: %v", len(ids), ids)
	}
}

func TestNamesAreResolved(t *testing.T) {
	day := t0
	s := store(t, Options{Clock: func() time.Time { return day }})
	for range 11 {
		_ = create(t, s).Close()
	}
	day = day.AddDate(0, 0, 1)
	newest := create(t, s)
	for name, want := range map[string]string{
		Latest: "2026-03-22-1", "2026-03-22": "2026-03-22-1", "2026-03-21-1": "2026-03-21-1", "2026-03-21-11": "2026-03-21-11", "2026-03-21-7": "2026-03-21-7",
	} {
		if got, err := s.Resolve(t.Context(), name); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", name, got, err, want)
		}
	}
	if newest.ID() != "2026-03-22-1" {
		t.Errorf("the newest is %s", newest.ID())
	}
	for _, name := range []string{"2026-03-2", "2025", "", ".", "..", "../incidents", "2026-03-21-1/../2026-03-21-2", "/etc", "2026-03-21-01", "2026-03-21-0", "*", "2026-03-21-1\x00", "key"} {
		if id, err := s.Resolve(t.Context(), name); err == nil {
			t.Errorf("%q is taken for %s", name, id)
		} else if missing, ok := errors.AsType[*NotFound](err); !ok || missing.Error() == "" {
			t.Errorf("%q: %v", name, err)
		}
		if name == "2026-03-2" || name == "2025" {
			continue
		}
		if _, err := s.Open(t.Context(), name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if _, err := s.Folder(name); err == nil {
			t.Errorf("%q has a folder", name)
		}
	}
	listed, err := s.List(t.Context())
	if err != nil || len(listed) != 12 || listed[0].ID != "2026-03-22-1" || listed[1].ID != "2026-03-21-11" || listed[11].ID != "2026-03-21-1" {
		t.Errorf("listed %v, %v", listed, err)
	}
}

func TestNoIncidentsYet(t *testing.T) {
	s := store(t, Options{})
	listed, err := s.List(t.Context())
	if err != nil || len(listed) != 0 {
		t.Errorf("listed %v, %v", listed, err)
	}
	if _, err := s.Resolve(t.Context(), Latest); err == nil || !strings.Contains(err.Error(), "declared in the console") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(s.Root()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking made the folder: %v", err)
	}
}

func TestAListNamesWhatCannotBeRead(t *testing.T) {
	day := t0
	s := store(t, Options{Clock: func() time.Time { day = day.AddDate(0, 0, 1); return day }})
	good := create(t, s)
	record(t, good, incident.New("ic-1", incident.SeverityChanged{From: runbook.SEV1, To: runbook.SEV2}), incident.New("ic-1", incident.Recovered{}))
	bad := create(t, s)
	record(t, bad, note("one"), note("two"))
	_ = bad.Close()
	segment := filepath.Join(bad.folder, "journal-000001.log")
	data, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, []byte(strings.Replace(string(data), `"two"`, `"twO"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"2026-01-01-1", "notes"} { // the first was begun and never declared
		if err := os.Mkdir(filepath.Join(s.Root(), dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Root(), "2026-01-02-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listed, err := s.List(t.Context())
	if err != nil || len(listed) != 3 {
		t.Fatalf("listed %+v, %v", listed, err)
	}
	broken, whole, empty := listed[0], listed[1], listed[2]
	if broken.ID != bad.ID() || !strings.Contains(broken.Trouble, "DAMAGED") || broken.Summary != "logins fail" {
		t.Errorf("the damaged one is listed as %+v", broken)
	}
	if empty.ID != "2026-01-01-1" || !strings.Contains(empty.Trouble, "never recorded") {
		t.Errorf("the empty one is listed as %+v", empty)
	}
	if whole.ID != good.ID() || whole.Trouble != "" || whole.Severity != "SEV2" || whole.Recovered.IsZero() || !whole.Closed.IsZero() ||
		whole.Environment != "production" || !strings.HasPrefix(whole.Writer, "ic-1@") || whole.LastAt.IsZero() || !whole.Started.Equal(t0) {
		t.Errorf("the good one is listed as %+v", whole)
	}
	// What is damaged can still be opened, and says so.
	again := open(t, s, bad.ID())
	if c := again.Case(); !strings.Contains(c.Trouble, "DAMAGED") || c.State.Declared.Summary != "logins fail" {
		t.Errorf("the damaged one opens as %+v", c)
	}
}

func TestAStateFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(filepath.Join(file, "incidents"), Options{})
	_, err := s.Create(t.Context(), declaration(), runbook.Guide())
	if err == nil || !strings.Contains(err.Error(), "XDG_STATE_HOME") {
		t.Errorf("declaring there: %v", err)
	}
	if _, err := s.List(t.Context()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("listing there: %v", err)
	}
}

// What is read-only can be followed and read, and says why nothing is recorded.
func TestAnIncidentThatCannotBeWrittenIsFollowed(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("this user may write everywhere")
	}
	s := store(t, Options{})
	session := create(t, s)
	record(t, session, note("one"))
	_ = session.Close()
	if err := os.Chmod(session.folder, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(session.folder, 0o700) })
	for _, name := range []string{"lock", "journal-000001.log", "head"} {
		if err := os.Chmod(filepath.Join(session.folder, name), 0o400); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	again := open(t, s, session.ID())
	if c := again.Case(); c.Writing || !strings.Contains(c.Trouble, "read-only") || c.State.Counts[incident.KindNote] != 1 {
		t.Errorf("it opens as %+v", c)
	}
	if err := again.Record(t.Context(), note("two")); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("recording there: %v", err)
	}
}

func TestAFailedDeclarationLeavesNothing(t *testing.T) {
	s := store(t, Options{KeyFile: filepath.Join(t.TempDir(), "no-such-key")})
	_, err := s.Create(t.Context(), declaration(), runbook.Guide())
	if err == nil || !strings.Contains(err.Error(), "no-such-key") || !strings.Contains(err.Error(), "signing_key") {
		t.Errorf("declaring without the key: %v", err)
	}
	entries, err := os.ReadDir(s.Root())
	if err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store(t, Options{}).Create(ctx, declaration(), runbook.Guide()); !errors.Is(err, context.Canceled) {
		t.Errorf("declaring after the end: %v", err)
	}
	if _, err := store(t, Options{}).Create(t.Context(), note("x"), runbook.Guide()); err == nil {
		t.Error("a note declared an incident")
	}
}

const canary = "hunter2-canary-value"

func TestNoKnownSecretReachesTheDisk(t *testing.T) {
	scrub := func(text string) string { return strings.ReplaceAll(text, canary, "[redacted]") }
	s := store(t, Options{Scrub: scrub})
	declared := declaration()
	data := declared.Data.(incident.Declared)
	data.Summary, data.Roles = "with "+canary, map[incident.Role]string{incident.Commander: canary}
	declared.Data = data
	session, err := s.Create(t.Context(), declared, runbook.Guide())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	record(t, session,
		note("the password is "+canary+"."),
		incident.New(canary, incident.Decided{Text: canary, Reason: canary}),
		incident.New("ic-1", incident.ItemMoved{Item: "x", Act: incident.ItemTicked, Reason: canary,
			Evidence: incident.Evidence{Value: canary, Source: canary, Typed: canary, Note: canary, Link: "https://x/?" + canary}}),
		incident.New("ic-1", incident.Closed{Open: map[string]string{"M1": canary, canary: "why"}}),
		incident.New("ic-1", incident.Updated{Text: canary, To: canary, Fail: canary}),
		incident.New("ic-1", incident.MeasureMoved{ID: "M1", Act: "opened", What: canary, Who: canary, Reason: canary}),
		incident.New("", incident.ReadingChanged{Component: canary, Name: canary, Word: canary, Reason: canary}))
	if text := fmt.Sprintf("%+v", session.Case().State); strings.Contains(text, canary) {
		t.Error("the state holds the value")
	}
	files := 0
	err = filepath.WalkDir(filepath.Dir(s.Root()), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), canary) {
			t.Errorf("%s holds the value", path)
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("looked into %d files: %v", files, err)
	}
	if got := notes(t, session); !slices.Equal(got, []string{"the password is [redacted]."}) {
		t.Errorf("the note became %q", got)
	}
}
