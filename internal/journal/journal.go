// Package journal keeps opaque records so that they are there after a crash and
// cannot be changed unnoticed: append-only files in which every record is chained
// to the one before it by SHA-256 and signed by the operator's SSH key, and a head
// in a file of its own that tells how far they were acknowledged. docs/journal.md
// describes the format, what is promised, and what cannot be.
//
// Its rules: nothing is acknowledged before it and the head are synced. A file
// whose sync failed is never written again: the chain goes on in a next segment.
// Nothing that was written is thrown away, only set aside; a read error is an
// error and never taken for damage. There is one writer, by a lock of the system;
// readers take none and see only what was acknowledged. What is in a payload is
// never looked at.
package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Format is the version of the format that is written: major.minor. Journals of
// another minor version are read; those of a newer major one are a *NewerError.
const Format = "1.0"

// Limits of a journal.
const (
	MaxLine    = 1 << 20        // bytes of one line with its end
	MaxPayload = MaxLine - 8192 // bytes of one payload: the rest is for number, hash and signature
)

// Head names the last record of a journal, and by its hash all before it. It is
// what to note elsewhere. The zero Head is that of no journal.
type Head struct {
	Seq  uint64   // number of the last record; 0 when there is none yet
	Hash [32]byte // SHA-256 of the last line, which covers the chain up to it
}

// String is the head as it is noted: the number, a colon, the hash in hexadecimal.
func (h Head) String() string { return fmt.Sprintf("%d:%x", h.Seq, h.Hash) }

// MarshalText writes the head as String does, for JSON.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// ParseHead reads what String wrote, with blanks around it or not. The hash alone
// will do as well, and gives a Head without a number: that of whatever line has it.
func ParseHead(text string) (Head, error) {
	number, sum, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found {
		number, sum = "0", number
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	raw, errHex := hex.DecodeString(sum)
	if err != nil || errHex != nil || len(raw) != 32 {
		return Head{}, fmt.Errorf("%.100q is not the head of a journal: it is written as number:hash with 64 hexadecimal digits, for example 42:3f9a…, or as the hash alone", text)
	}
	return Head{Seq: seq, Hash: [32]byte(raw)}, nil
}

// Record is one record of a journal.
type Record struct {
	Seq     uint64 // its number, from 1, ascending; numbers are missing only where records are
	Payload []byte // as it was appended; nil when Bad is set
	Bad     string // what is wrong with it, one line; empty when nothing is
}

// Fault is one thing that is wrong with a journal. As an error it says where.
type Fault struct {
	Segment string `json:"segment"`       // name of the file
	Seq     uint64 `json:"seq,omitempty"` // number of the record, 0 when it is none
	Offset  int64  `json:"offset"`        // byte in the file at which its line begins
	What    string `json:"what"`          // one line
}

// Error names the record and what is wrong with it.
func (f *Fault) Error() string {
	if f.Seq == 0 {
		return fmt.Sprintf("%s, byte %d: %s", f.Segment, f.Offset, f.What)
	}
	return fmt.Sprintf("%s, record %d, byte %d: %s", f.Segment, f.Seq, f.Offset, f.What)
}

// Held is the error of a journal that another process writes.
type Held struct {
	Dir string
	Who string // who said to hold it: operator, host and process; empty when unknown
}

// Error says who holds it, and what to do.
func (h *Held) Error() string {
	who := h.Who
	if who == "" {
		who = "another process"
	}
	return fmt.Sprintf("the journal in %s is being written by %s: read it here, or end that console first; the lock goes with its process", h.Dir, who)
}

// NewerError is the error of a journal whose format this version cannot read.
type NewerError struct {
	Segment string
	Format  string // the version it names
}

// Error names both versions.
func (n *NewerError) Error() string {
	return fmt.Sprintf("%s is written in journal format %s, and this version reads up to %s: use a newer warroom", n.Segment, n.Format, Format)
}

// Errors that are decided on.
var (
	ErrExists  = errors.New("there is a journal already")
	ErrNone    = errors.New("there is no journal")
	ErrPayload = errors.New("a payload that cannot be recorded")
	ErrClosed  = errors.New("the journal is closed")
	ErrSigning = errors.New("the operator's key did not sign") // nothing was written
	ErrUnknown = errors.New("it is not known whether it was recorded")
)
