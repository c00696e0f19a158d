package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// header is the payload of the first line of a segment. Keys that are not known
// are ignored, so that a later minor version can add some.
type header struct {
	Format  string  `json:"format"`
	Journal string  `json:"journal"` // the identity in hexadecimal
	Segment int     `json:"segment"`
	First   uint64  `json:"first"` // number of the record that follows
	After   *spot   `json:"after,omitempty"`
	Why     string  `json:"why,omitempty"`    // why the segment before was not gone on with
	Faults  []Fault `json:"faults,omitempty"` // damage that was found before this one was begun
	Key     string  `json:"key"`              // signs this line and those that follow
}

// spot is where a segment goes on from. What the segment before has beyond Size was
// never acknowledged.
type spot struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
	Size int64  `json:"size"`
	// Exact says that the line that ends at Size is the one with Hash, as it is but
	// for damage at the end. It is looked for when it does not.
	Exact bool `json:"exact"`
	// Check is a checksum of the others: the size is needed before the chain has come
	// here and can tell whether this line was changed.
	Check string `json:"check"`
}

// newSpot is a spot with its checksum.
func newSpot(seq uint64, hash [32]byte, size int64, exact bool) *spot {
	s := &spot{Seq: seq, Hash: hex.EncodeToString(hash[:]), Size: size, Exact: exact}
	s.Check = s.check()
	return s
}

func (s *spot) check() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "warroom journal spot v1 %d %s %d %t", s.Seq, s.Hash, s.Size, s.Exact))
	return hex.EncodeToString(sum[:8])
}

// newKey is the payload of the line that introduces the key of those after it, by
// which it is signed itself.
type newKey struct {
	Key string `json:"key"`
}

// Labels of the journal's own lines.
const (
	headerLabel = "#segment"
	keyLabel    = "#key"
)

// mostFaults is how many faults a header repeats; further ones are still found by
// verify.
const mostFaults = 20

// errHeader is the error of a first line that is no header.
var errHeader = errors.New("its first line is not the header of a journal")

// parseHeader reads the first line of a segment.
func parseHeader(name string, l line) (header, identity, error) {
	if string(l.label) != headerLabel {
		return header{}, identity{}, errHeader
	}
	var version struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(l.payload, &version); err != nil {
		return header{}, identity{}, errHeader
	}
	if major(version.Format) > major(Format) {
		return header{}, identity{}, &NewerError{Segment: name, Format: plain(version.Format, mostName)}
	}
	var h header
	if err := json.Unmarshal(l.payload, &h); err != nil {
		return header{}, identity{}, fmt.Errorf("%w: %w", errHeader, err)
	}
	raw, err := hex.DecodeString(h.Journal)
	if err != nil || len(raw) != len(identity{}) || major(h.Format) < 1 || h.Segment < 1 || h.First < 1 ||
		(h.Segment > 1) != (h.After != nil) {
		return header{}, identity{}, errHeader
	}
	h.Why = plain(h.Why, mostText)
	for i := range h.Faults {
		h.Faults[i] = h.Faults[i].plain()
	}
	return h, identity(raw), nil
}

// major is the major version of a format, 0 when it has none.
func major(format string) int {
	number, _, _ := strings.Cut(format, ".")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// segmentName is the name of a segment's file.
func segmentName(number int) string { return fmt.Sprintf("journal-%06d.log", number) }

// segmentNumber is the number in the name of a segment's file.
func segmentNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "journal-")
	digits, ok2 := strings.CutSuffix(digits, ".log")
	n, err := strconv.Atoi(digits)
	return n, ok && ok2 && err == nil && n > 0 && segmentName(n) == name
}

// segmentNumbers are those among names, ascending as names are sorted.
func segmentNumbers(names []string) []int {
	var numbers []int
	for _, name := range names {
		if n, ok := segmentNumber(name); ok {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
