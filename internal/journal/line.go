package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
)

// A line of a segment is
//
//	label SP hash SP signature SP payload LF
//
// where label is the record's number in decimal, or for a line of the journal's
// own # and a word; hash is hexadecimal in lower case, and signature is base64 of
// SSH's wire format. Every byte of a line but its end is covered by its hash or is
// it, and the signature by the hash of the line after it. Each field has one way to
// be written, so that no byte can change unnoticed.
type line struct {
	label   []byte
	hash    [32]byte
	sig     []byte // as it is written
	payload []byte
}

// link is what the next line's hash is computed from.
type link struct {
	hash [32]byte
	sig  []byte
}

// identity is the random name of a journal, which keeps the lines of one out of
// another.
type identity [16]byte

// lineTag begins what is hashed, so that the hash of a line is that of nothing
// else.
const lineTag = "warroom journal line v1\x00"

// sum is the hash of a line that follows prev.
func sum(id identity, prev link, label, payload []byte) [32]byte {
	h := sha256.New()
	var length [4]byte
	put := func(b []byte) { // length first: where one field ends must not be open
		binary.BigEndian.PutUint32(length[:], uint32(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	h.Write([]byte(lineTag))
	h.Write(id[:])
	h.Write(prev.hash[:])
	put(prev.sig)
	put(label)
	put(payload)
	var out [32]byte
	h.Sum(out[:0])
	return out
}

// appendLine writes a line with its end.
func appendLine(to []byte, l line) []byte {
	to = append(to, l.label...)
	to = append(to, ' ')
	to = hex.AppendEncode(to, l.hash[:])
	to = append(to, ' ')
	to = append(to, l.sig...)
	to = append(to, ' ')
	to = append(to, l.payload...)
	return append(to, '\n')
}

var errLine = errors.New("it is not a line of a journal")

// parseLine takes a line without its end apart. The parts point into raw.
func parseLine(raw []byte) (line, error) {
	label, rest, ok1 := bytes.Cut(raw, []byte{' '})
	digits, rest, ok2 := bytes.Cut(rest, []byte{' '})
	sig, payload, ok3 := bytes.Cut(rest, []byte{' '})
	if !ok1 || !ok2 || !ok3 || len(label) == 0 || len(digits) != 64 || len(sig) == 0 {
		return line{}, errLine
	}
	l := line{label: label, sig: sig, payload: payload}
	if _, err := hex.Decode(l.hash[:], digits); err != nil {
		return line{}, errLine
	}
	for _, c := range digits {
		if c >= 'A' && c <= 'F' {
			return line{}, errLine
		}
	}
	return l, nil
}

// number is the record's number; ok is false for a line of the journal's own, or
// a number that is not written as it has to be.
func (l line) number() (seq uint64, ok bool) {
	if l.label[0] < '1' || l.label[0] > '9' {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(l.label), 10, 64)
	return seq, err == nil
}

// own says whether the line is one of the journal's own.
func (l line) own() bool { return l.label[0] == '#' }

// encodeSignature writes a signature as it stands in a line.
func encodeSignature(blob []byte) []byte {
	return base64.StdEncoding.AppendEncode(nil, blob)
}

// decodeSignature reads it back. Only what encodeSignature writes is read.
func decodeSignature(text []byte) ([]byte, error) {
	if bytes.ContainsAny(text, "\r\n") { // the decoder would skip them
		return nil, errLine
	}
	return base64.StdEncoding.Strict().AppendDecode(nil, text)
}
