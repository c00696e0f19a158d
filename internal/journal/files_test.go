package journal

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// Folders are made from the top, each synced into the one above before the next;
// the first that fails ends it.
func TestMakeFolders(t *testing.T) {
	there := t.TempDir()
	dir := filepath.Join(there, "a", "b", "c")
	var synced []string
	note := func(dir string) error { synced = append(synced, dir); return nil }
	if err := MakeFolders(dir, note); err != nil {
		t.Fatal(err)
	}
	if want := []string{there, filepath.Join(there, "a"), filepath.Join(there, "a", "b")}; !slices.Equal(synced, want) {
		t.Errorf("synced were %q, want %q", synced, want)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	synced = nil
	if err := MakeFolders(dir, note); err != nil || len(synced) > 0 {
		t.Errorf("again: synced %q, %v", synced, err)
	}
	if err := MakeFolders(filepath.Join(there, "x", "y"), func(string) error { return syscall.EIO }); err == nil {
		t.Error("a sync that fails is no error")
	}
	if _, err := os.Stat(filepath.Join(there, "x", "y")); err == nil {
		t.Error("it went on below a folder that is not durable")
	}
	file := filepath.Join(there, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if err := MakeFolders(dir, note); err == nil {
			t.Errorf("%s was made", dir)
		}
	}
}
