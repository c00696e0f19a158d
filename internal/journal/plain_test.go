package journal

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// hostile is a text that clears a screen, sets its title, and writes backwards.
const hostile = "a\x1b[2J\x1b]0;owned\x07\u202eb\u200bc\u2028d\r\ne"

// steers fails on a text that must not go to a terminal.
func steers(t testing.TB, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) { // errors.Join has lines
			t.Fatalf("%q steers a terminal", text)
		}
	}
}

// shown checks every text of a verification.
func shown(t testing.TB, v *Verification) {
	t.Helper()
	for _, f := range v.Faults {
		steers(t, f.Segment+f.What)
		if strings.Contains(f.Segment+f.What, "\n") {
			t.Fatalf("%q is more than a line", f.What)
		}
	}
	for _, note := range v.Notes {
		steers(t, note)
	}
	for _, s := range v.Signers {
		steers(t, s.Key+s.Fingerprint)
	}
}

// What a hostile file says of faults, reasons, versions and holders cannot steer
// the terminal that it is shown on, and is not endless.
func TestHostileTexts(t *testing.T) {
	d, w, o := onDisk(t, 2)
	w.faults = []Fault{{Segment: "journal-000001.log" + hostile, Seq: 1, Offset: 3, What: hostile + strings.Repeat("x", 5000)}}
	_ = w.breakSegment(hostile+strings.Repeat("y", 5000), errors.New(hostile))
	if _, err := w.Append(payload(3)); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	v, err := verifyAll(d, diskDir, VerifyOptions{})
	if err == nil || v == nil || len(v.Faults) != 1 || len(v.Notes) == 0 {
		t.Fatalf("verify says %v, %+v", err, v)
	}
	shown(t, v)
	steers(t, err.Error())
	if !strings.HasPrefix(v.Faults[0].What, "a [2J ]0;owned  b c d  e") || len(v.Faults[0].What) > 2*mostText || len(v.Notes[0]) > 2*mostText {
		t.Errorf("the fault is %.200q, the note %.200q", v.Faults[0].What, v.Notes[0])
	}
	r, err := read(d, diskDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Faults() {
		steers(t, f.Error())
	}
	o.files = d
	again, recovery, err := Open(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	steers(t, strings.Join(recovery.Lines, "\n")+again.Trouble())
	closed(t, again)

	d.set(holderName, []byte(hostile))
	if who := readHolder(d, diskDir); who != "a [2J ]0;owned  b c d  e" {
		t.Errorf("the holder is %q", who)
	}
	version, err := json.Marshal(map[string]string{"format": "2." + hostile})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = parseHeader(segmentName(1), line{label: []byte(headerLabel), payload: version})
	if newer, ok := errors.AsType[*NewerError](err); !ok || strings.ContainsFunc(newer.Error(), unicode.IsControl) {
		t.Errorf("a newer version: %q", err)
	}
}

// However many records are bad, the first is named, also when only its signature
// is wrong, which is found last.
func TestTheFirstOfManyFaults(t *testing.T) {
	const n = mostKept + 300
	d := newDisk(1)
	o := Options{Signer: key(t), files: d}
	w, err := Create(diskDir, o)
	if err != nil {
		t.Fatal(err)
	}
	var group [][]byte
	for seq := range uint64(n) {
		group = append(group, payload(seq+1))
	}
	// The second record has the signature of the first, and all is chained upon that.
	if _, err := w.Append(group[0]); err != nil {
		t.Fatal(err)
	}
	l := line{label: []byte("2"), payload: group[1], sig: slices.Clone(w.tip.tip.sig)}
	l.hash = sum(w.id, w.tip.tip, l.label, l.payload)
	text := appendLine(nil, l)
	if _, err := w.seg.WriteAt(text, w.size); err != nil {
		t.Fatal(err)
	}
	w.size += int64(len(text))
	w.tip.tip, w.tip.seq, w.tip.next = link{l.hash, l.sig}, 2, 3
	if _, err := w.Append(group[2:]...); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	content := slices.Clone(d.content(segmentName(1)))
	lines := strings.SplitAfter(string(content), "\n")
	for i := 5; i <= n; i++ { // line i is record i
		lines[i] = strings.Replace(lines[i], `"note"`, `"tick"`, 1)
	}
	d.set(segmentName(1), []byte(strings.Join(lines, "")))
	v, err := verifyAll(d, diskDir, VerifyOptions{})
	if f, ok := errors.AsType[*Fault](err); !ok || f.Seq != 2 || !strings.Contains(f.What, "signature") {
		t.Errorf("verify names %v", err)
	}
	if v == nil || len(v.Faults) != mostKept || v.Faults[1].Seq != 5 {
		t.Errorf("%d faults", len(v.Faults))
	}
}
