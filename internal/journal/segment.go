package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

// openSegment opens a segment's file to read it.
func openSegment(files fileSystem, name string) (file, int64, error) {
	if err := regular(files, name); err != nil {
		return nil, 0, err
	}
	f, err := files.Open(name, os.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// leftAt is where in this segment the one of that number says that it goes on, -1
// when it does not tell. Where this segment or that header was changed, the line
// decides whose hash it names.
func (c *chain) leftAt(f file, size int64, number int) int64 {
	h := c.nextHeader(number)
	if h == nil {
		return -1
	}
	left, sure := h.After.Size, h.After.Check == h.After.check() && h.After.Size >= 0
	if sure && (!h.After.Exact || stated(f, left, size, h.After.Hash) == left) {
		return left
	}
	if found := stated(f, -1, size, h.After.Hash); found >= 0 || !sure {
		return found
	}
	return left
}

// stated is where the first line ends that states a hash, -1 for none; with at only
// a line that ends there is one.
func stated(f file, at, size int64, hash string) int64 {
	want := []byte(" " + hash + " ")
	for r := newLines(f, max(0, min(at, size)-MaxLine), size); ; {
		raw, err := r.next()
		if err != nil && !errors.Is(err, errLong) || at >= 0 && r.at > at {
			return -1 // errors of reading are met again when the segment is scanned
		}
		if label, _, found := bytes.Cut(raw, want); found && bytes.IndexByte(label, ' ') < 0 && (at < 0 || r.at == at) {
			return r.at
		}
	}
}

// nextHeader is the header of the segment of that number as it stands there, nil
// when it cannot be read.
func (c *chain) nextHeader(number int) *header {
	f, size, err := openSegment(c.files, filepath.Join(c.dir, segmentName(number)))
	if err != nil {
		return nil // told when that segment is scanned
	}
	defer f.Close()
	raw, err := newLines(f, 0, size).next()
	if err != nil {
		return nil
	}
	l, err := parseLine(raw)
	if err != nil {
		return nil
	}
	h, _, err := parseHeader(segmentName(number), l)
	if err != nil || h.After == nil {
		return nil
	}
	return &h
}
