package actions

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"warroom/internal/plan"
)

// maxLog bounds the plain-text recovery log, in bytes.
const maxLog = 64 << 20

// lineLog is the plain-text recovery log of an incident: for people, beside the
// journal, which is what counts. That it cannot be written stops nothing, and is said
// once. A nil one takes lines and keeps none.
type lineLog struct {
	path  string
	scrub func(string) string

	queue   sync.Mutex // guards waiting: whoever adds a line never waits for the disk
	waiting []plan.Line

	mu      sync.Mutex // guards the rest
	file    *os.File
	size    int64
	trouble string // why nothing more is written; empty while it can be
}

// newLineLog is the log in a file, which is made with its first line. An empty path
// keeps nothing.
func newLineLog(path string, scrub func(string) string) *lineLog {
	if path == "" {
		return nil
	}
	return &lineLog{path: path, scrub: scrub}
}

// name is the path of the log.
func (l *lineLog) name() string {
	if l == nil {
		return ""
	}
	return l.path
}

// marks are how lines are marked in plain text.
var marks = map[string]string{"ok": "✓", "fail": "✗", "warn": "!", "info": "·"}

// add takes a line; flush writes it.
func (l *lineLog) add(line plan.Line) {
	if l == nil {
		return
	}
	l.queue.Lock()
	defer l.queue.Unlock()
	l.waiting = append(l.waiting, line)
}

// flush writes what was added, and makes it durable if that is asked for. It says why
// the log ends here, once.
func (l *lineLog) flush(durable bool) (trouble string) {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue.Lock()
	lines := l.waiting
	l.waiting = nil
	l.queue.Unlock()
	if l.trouble != "" || len(lines) == 0 && l.file == nil {
		return ""
	}
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "[%s] %s %s\n", line.At.UTC().Format("2006-01-02 15:04:05Z"), marks[line.Mark], l.scrub(line.Text))
	}
	err := l.write(text.String())
	if err == nil && durable {
		err = l.file.Sync()
	}
	if err != nil {
		l.trouble = err.Error()
		l.stop()
		return l.trouble
	}
	return ""
}

func (l *lineLog) write(text string) error {
	if l.file == nil {
		file, size, err := openLog(l.path)
		if err != nil {
			return err
		}
		l.file, l.size = file, size
	}
	if l.size += int64(len(text)); l.size > maxLog {
		return fmt.Errorf("it has reached %d bytes", maxLog)
	}
	_, err := io.WriteString(l.file, text)
	return err
}

// openLog opens a log to append to, for its owner alone. It must be a plain file.
func openLog(path string) (*os.File, int64, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no plain file", filepath.Base(path))
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no plain file", filepath.Base(path))
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = file.Chmod(0o600)
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// close writes what was added and closes the file. A later line opens it again.
func (l *lineLog) close() {
	_ = l.flush(true) // nobody is there any more to be told
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
}

// stop closes the file. l.mu is held.
func (l *lineLog) stop() {
	if l.file != nil {
		_ = l.file.Close() // what was synced is safe, and the journal is what counts
		l.file = nil
	}
}
