//go:build unix

package archive

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What lies in the place of an incident's runbook neither keeps a command waiting
// nor fills the memory: the guide's stands in, and that is said.
func TestWhatIsNoRunbookIsNotRead(t *testing.T) {
	tests := []struct {
		name, want string
		put        func(path string) error
	}{
		{"a pipe", "no regular file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"a folder", "no regular file", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a link", "no regular file", func(path string) error { return os.Symlink("/dev/zero", path) }},
		{"too much", "larger than", func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("#"), mostRunbook+1), 0o600) }},
		{"nothing", "no such file", func(string) error { return nil }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := test.put(filepath.Join(folder, runbookFile)); err != nil {
				t.Skip(err)
			}
			rb, trouble := ownRunbook(folder)
			if rb == nil || len(rb.Flow) == 0 || !strings.Contains(trouble, test.want) {
				t.Errorf("runbook %v, trouble %q", rb != nil, trouble)
			}
		})
	}
}
