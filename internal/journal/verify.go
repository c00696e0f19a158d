package journal

import (
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
)

// VerifyOptions says what a journal is held against.
type VerifyOptions struct {
	Head *Head    // noted elsewhere: the journal must hold it; with Seq 0, any line that has its hash
	Keys []string // lines of authorized_keys that may sign; none for any
}

// SignedBy is one key and what it signed.
type SignedBy struct {
	Key         string `json:"key"`         // as in authorized_keys, without comment
	Fingerprint string `json:"fingerprint"` // SHA256:…
	Records     uint64 `json:"records"`
	First       uint64 `json:"first"` // number of the first record; 0 when it signed none
	Last        uint64 `json:"last"`
}

// Verification is what was verified.
type Verification struct {
	Journal  string     `json:"journal"` // its identity, random, in hexadecimal
	Segments int        `json:"segments"`
	Records  uint64     `json:"records"`
	Head     Head       `json:"head"`
	Signers  []SignedBy `json:"signers"` // in the order in which they came
	Faults   []Fault    `json:"faults"`  // in the order of the files; empty when it is whole
	Notes    []string   `json:"notes"`   // what is no fault and still to be known
}

// Verify checks a journal wholly: chain, numbers, head and every signature, on all
// cores. It needs no lock, and of a journal that is being written checks what was
// acknowledged when it began. The error is the first *Fault when there is one, with
// the Verification beside it; any other error is one of reading, without it.
func Verify(dir string, v VerifyOptions) (*Verification, error) { return verifyAll(system{}, dir, v) }

func verifyAll(files fileSystem, dir string, v VerifyOptions) (*Verification, error) {
	allowed := map[string]bool{}
	for _, text := range v.Keys {
		_, plain, err := parseKey(text)
		if err != nil {
			return nil, fmt.Errorf("verifying the journal in %s: a key that may sign: %w", dir, err)
		}
		allowed[plain] = true
	}
	m, why, damaged, err := readMark(files, filepath.Clean(dir))
	if err != nil {
		return nil, fmt.Errorf("verifying the journal in %s: %w", dir, err)
	}
	c := newChain(files, filepath.Clean(dir))
	checks := newChecks()
	faults := &firsts{}
	tally := &tally{allowed: allowed, head: v.Head, seen: map[string]int{}}
	c.each = func(s signed) {
		checks.add(s)
		if f := tally.count(s); f != nil {
			faults.add(*f)
		}
	}
	err = c.scan(m, false)
	bad := checks.wait()
	if err != nil {
		return nil, fmt.Errorf("verifying the journal in %s: %w", dir, err)
	}
	// What the scan found before what only a signature shows: of one line it tells
	// more.
	for _, f := range slices.Concat(c.faults, bad) {
		faults.add(f)
	}
	if m == nil {
		faults.add(Fault{Segment: headName, Seq: c.seq, What: why + ": whether records are missing at the end cannot be known"})
	}
	if f := tally.noted(c); f != nil {
		faults.add(*f)
	}
	out := &Verification{Journal: fmt.Sprintf("%x", c.id), Segments: c.number, Records: tally.records, Head: Head{c.seq, c.tip.hash},
		Signers: tally.signers, Notes: slices.Clone(c.skipped)}
	if damaged != "" {
		out.Notes = append(out.Notes, damaged)
	}
	if m != nil && c.torn > 0 && c.number == m.segment {
		out.Notes = append(out.Notes, fmt.Sprintf("%s has %d bytes behind the last acknowledged record: they are being written, or a crash left them", segmentName(c.number), c.torn))
	}
	out.Faults = faults.cut()
	if len(out.Faults) > 0 {
		first := out.Faults[0]
		return out, &first
	}
	return out, nil
}

// tally counts who signed what, and looks for a head.
type tally struct {
	allowed map[string]bool // empty: any key
	head    *Head
	found   bool   // the head was come by
	other   string // the hash of the record with the head's number
	records uint64
	signers []SignedBy
	seen    map[string]int // key to its place in signers
}

// count takes a line whose hash fits, and gives the fault of a key that may not
// sign, once for each.
func (t *tally) count(s signed) (f *Fault) {
	i, known := t.seen[s.keyText]
	if !known && s.key != nil {
		i = len(t.signers)
		t.seen[s.keyText] = i
		t.signers = append(t.signers, SignedBy{Key: s.keyText, Fingerprint: ssh.FingerprintSHA256(s.key)})
		if len(t.allowed) > 0 && !t.allowed[s.keyText] {
			f = &Fault{Segment: segmentName(s.segment), Offset: s.at, What: fmt.Sprintf("from here it is signed by %s, which is not among the keys that may", t.signers[i].Fingerprint)}
		}
	}
	if t.head != nil && (s.seq == t.head.Seq || t.head.Seq == 0) {
		t.found = t.found || s.hash == t.head.Hash
		t.other = Head{s.seq, s.hash}.String()
	}
	if !s.record {
		return f
	}
	t.records++
	if s.key != nil {
		by := &t.signers[i]
		by.Records++
		by.Last = s.seq
		if by.First == 0 {
			by.First = s.seq
		}
	}
	return f
}

// noted is the fault of a head noted elsewhere that is not in the journal.
func (t *tally) noted(c *chain) *Fault {
	if t.head == nil || t.found {
		return nil
	}
	f := &Fault{Segment: segmentName(c.number), Seq: t.head.Seq, Offset: c.at}
	switch {
	case t.head.Seq == 0:
		f.What = fmt.Sprintf("the head noted elsewhere is not there: no record has the hash %x; it was cut off or written anew, or it is another journal", t.head.Hash)
	case t.head.Seq > c.seq:
		f.What = fmt.Sprintf("the head noted elsewhere is not there: this journal ends with record %d, and the note is of %d; records were cut off, or it is another journal", c.seq, t.head.Seq)
	case t.other == "":
		f.What = fmt.Sprintf("the head noted elsewhere is not there: record %d is damaged or missing", t.head.Seq)
	default:
		f.What = fmt.Sprintf("the head noted elsewhere is %s, and the journal has %s: it was written anew, or it is another journal", t.head, t.other)
	}
	return f
}
