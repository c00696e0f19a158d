package journal

import (
	"bytes"
	"errors"
	"io"
)

// lines reads a file line by line from an offset up to an end, in large pieces.
type lines struct {
	from   io.ReaderAt
	at     int64 // where the next line begins
	end    int64 // where the file, or what may be read of it, ends
	buffer []byte
	rest   []byte // of buffer: what was read from at on
}

// pieceSize is how much is read at once. It grows to MaxLine for a long line.
const pieceSize = 256 << 10

func newLines(from io.ReaderAt, at, end int64) *lines {
	return &lines{from: from, at: at, end: end}
}

var (
	errUnfinished = errors.New("a line that does not end")
	errLong       = errors.New("a line that is longer than any that was written")
)

// next is the next line without its end, valid until the next call. io.EOF at the
// end, errUnfinished for a line without end before it, errLong for one that is
// skipped over; at is then behind it. Other errors are those of reading.
func (l *lines) next() ([]byte, error) {
	searched, long := 0, false
	for {
		if i := bytes.IndexByte(l.rest[searched:], '\n'); i >= 0 {
			out := l.rest[:searched+i]
			l.at += int64(searched + i + 1)
			l.rest = l.rest[searched+i+1:]
			if long || len(out) >= MaxLine {
				return nil, errLong
			}
			return out, nil
		}
		if len(l.rest) >= MaxLine { // give it up, keep looking for its end
			long = true
			l.at += int64(len(l.rest))
			l.rest = l.rest[:0]
		}
		searched = len(l.rest)
		read := l.at + int64(len(l.rest))
		if read >= l.end {
			if len(l.rest) == 0 && !long {
				return nil, io.EOF
			}
			return nil, errUnfinished
		}
		if err := l.fill(read); err != nil {
			return nil, err
		}
	}
}

// fill reads the next piece behind rest.
func (l *lines) fill(read int64) error {
	size := len(l.rest) + int(min(pieceSize, l.end-read))
	if cap(l.buffer) < size {
		grown := make([]byte, max(size, min(2*cap(l.buffer), MaxLine+pieceSize)))
		copy(grown, l.rest)
		l.buffer = grown
	} else {
		copy(l.buffer[:cap(l.buffer)], l.rest)
	}
	l.buffer = l.buffer[:cap(l.buffer)]
	n, err := l.from.ReadAt(l.buffer[len(l.rest):size], read)
	l.rest = l.buffer[:len(l.rest)+n]
	if errors.Is(err, io.EOF) {
		if n == 0 {
			l.end = read // it was cut while we read
		}
		return nil
	}
	return err
}
