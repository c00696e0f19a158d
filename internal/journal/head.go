package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// mark is what the head file tells: how far the journal was acknowledged.
type mark struct {
	id         identity
	generation uint64 // counts the writes of the head
	head       Head
	segment    int   // number of the segment in which the last record lies
	size       int64 // bytes of that segment up to its end
}

// The head file has two slots that are written in turn. They lie in different
// pages, so that a write that is torn leaves the other one whole.
const (
	headName   = "head"
	slotSize   = 512
	slotStride = 4096
	headSize   = slotStride + slotSize
	headTag    = "warroom-head 1"
)

// slot writes a mark: a line of text with its checksum, blanks up to slotSize.
func (m mark) slot() []byte {
	text := fmt.Sprintf("%s %x %d %d %x %d %d", headTag, m.id, m.generation, m.head.Seq, m.head.Hash, m.segment, m.size)
	check := sha256.Sum256([]byte(text))
	out := bytes.Repeat([]byte{' '}, slotSize)
	copy(out, text+" "+hex.EncodeToString(check[:]))
	out[slotSize-1] = '\n'
	return out
}

// parseSlot reads a slot. Only what slot writes is read, to the byte.
func parseSlot(raw []byte) (mark, bool) {
	var (
		m       mark
		id, sum []byte
	)
	text, ok := bytes.CutPrefix(raw, []byte(headTag+" "))
	if !ok || len(raw) != slotSize {
		return mark{}, false
	}
	n, err := fmt.Sscanf(string(text), "%x %d %d %x %d %d", &id, &m.generation, &m.head.Seq, &sum, &m.segment, &m.size)
	if err != nil || n != 6 || len(id) != len(m.id) || len(sum) != len(m.head.Hash) {
		return mark{}, false
	}
	m.id, m.head.Hash = identity(id), [32]byte(sum)
	return m, m.segment > 0 && m.segment <= mostSegments && m.size > 0 && bytes.Equal(m.slot(), raw)
}

// headFile is the content of a new head file: the mark in both slots, the second
// time as the next generation, which is given back.
func headFile(m mark) ([]byte, mark) {
	out := make([]byte, headSize)
	copy(out[slotAt(m.generation):], m.slot())
	m.generation++
	copy(out[slotAt(m.generation):], m.slot())
	return out, m
}

func slotAt(generation uint64) int64 { return int64(generation%2) * slotStride }

// readHead reads the head's file as it is; nil when there is none.
func readHead(files fileSystem, dir string) ([]byte, error) {
	name := filepath.Join(dir, headName)
	if err := regular(files, name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	f, err := files.Open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := make([]byte, headSize)
	n, err := f.ReadAt(raw, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the journal's head %s: %w", name, err)
	}
	return raw[:n], nil
}

// readMark reads the head. A head that is missing or damaged in both slots is nil
// and a reason; damaged is the note of one slot that cannot be read, which is what
// a crash during its writing leaves. An error is one of reading.
func readMark(files fileSystem, dir string) (m *mark, why, damaged string, err error) {
	raw, err := readHead(files, dir)
	if err != nil {
		return nil, "", "", err
	}
	m, why, damaged = markOf(raw)
	return m, why, damaged, nil
}

// markOf is what a head's file tells, as readMark gives it.
func markOf(raw []byte) (m *mark, why, damaged string) {
	if raw == nil {
		return nil, "the head file is missing", ""
	}
	broken := 0
	for generation := range uint64(2) {
		at := min(int(slotAt(generation)), len(raw))
		slot := raw[at:min(at+slotSize, len(raw))]
		found, ok := parseSlot(slot)
		if !ok || found.generation%2 != generation {
			broken++
		} else if m == nil || found.generation > m.generation {
			m = &found
		}
	}
	switch {
	case m == nil:
		return nil, "the head file cannot be read: neither of its two copies is whole", ""
	case broken > 0:
		return m, "", "one of the two copies of the head is damaged, as a crash during its writing leaves it"
	}
	return m, "", ""
}
