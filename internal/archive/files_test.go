package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

// Every folder that is made is durable in the one that it lies in, up to one that
// was there.
func TestFoldersThatAreMadeAreDurable(t *testing.T) {
	there := t.TempDir()
	state := filepath.Join(there, "local", "state")
	s := New(filepath.Join(state, "warroom", "incidents"), Options{Operator: "ic-1"})
	var synced []string
	s.sync = func(dir string) error {
		synced = append(synced, dir)
		return journal.SyncFolder(dir)
	}
	create(t, s)
	// Top down, then the folder of the incident, then that of keys.
	want := []string{there, filepath.Join(there, "local"), state, filepath.Join(state, "warroom"), s.Root(), filepath.Join(state, "warroom")}
	if !slices.Equal(synced, want) {
		t.Errorf("synced were\n%s\nwant\n%s", strings.Join(synced, "\n"), strings.Join(want, "\n"))
	}
}

// A folder that cannot be made durable holds no incident.
func TestAFolderThatCannotBeMadeDurable(t *testing.T) {
	for fails := range 5 {
		s := store(t, Options{})
		calls := 0
		s.sync = func(dir string) error {
			if calls++; calls == fails+1 {
				return syscall.EIO
			}
			return journal.SyncFolder(dir)
		}
		session, err := s.Create(t.Context(), declaration(), runbook.Guide())
		if err == nil {
			_ = session.Close()
			if calls != 4 || fails != 4 {
				t.Errorf("it was declared though sync %d of %d failed", fails+1, calls)
			}
			continue
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("sync %d: %v", fails+1, err)
		}
	}
}

// Whoever only follows an incident that was begun elsewhere gets no key made.
func TestAFollowerMakesNoKey(t *testing.T) {
	s := store(t, Options{})
	first := create(t, s)
	key := s.keyFile(first.ID())
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	second := open(t, s, first.ID())
	if second.Case().Writing || !strings.HasPrefix(second.Case().Writer, "ic-1@") {
		t.Fatalf("it opens as %+v", second.Case())
	}
	if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
	_ = second.Close()
	_ = first.Close()
	// Nor does an own key that cannot be used keep anyone from following.
	writer := open(t, s, first.ID())
	record(t, writer, note("one"))
	other := New(s.Root(), Options{Operator: "ops-2", KeyFile: filepath.Join(t.TempDir(), "none")})
	follower := open(t, other, first.ID())
	if c := follower.Case(); c.Writing || c.State.Counts[incident.KindNote] != 1 {
		t.Errorf("it opens as %+v", c)
	}
}

// A key that cannot be had gives the lock back.
func TestALockThatIsGivenBack(t *testing.T) {
	s := store(t, Options{})
	first := create(t, s)
	_ = first.Close()
	other := New(s.Root(), Options{Operator: "ops-2", KeyFile: filepath.Join(t.TempDir(), "none")})
	if _, err := other.Open(t.Context(), first.ID()); err == nil || !strings.Contains(err.Error(), "signing_key") {
		t.Fatalf("opening it without the key: %v", err)
	}
	if c := open(t, s, first.ID()).Case(); !c.Writing {
		t.Errorf("it opens as %+v", c)
	}
}
