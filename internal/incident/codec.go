package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// version is the schema of the events that are written. What it means for a
// reader: fields that it does not know are left out, fields that are not there
// are zero, kinds that it does not know are Unreadable. Anything beyond that is a
// new version.
const version = 1

// maxLine bounds an event in bytes, written or read: more than any that an act
// can make, four bytes a rune and escapes included.
const maxLine = 256 << 10

// wire is an event as it is written.
type wire struct {
	Version int             `json:"v"`
	Kind    Kind            `json:"kind"`
	At      time.Time       `json:"at"`
	By      string          `json:"by"`
	Data    json.RawMessage `json:"data"`
}

// Encode is the event as one line of JSON for a journal, without Seq, which the
// journal gives: {"v":1,"kind":…,"at":…,"by":…,"data":{…}}. It is an error when
// the event is unreadable, since nobody knows what it would say, or too large.
func Encode(e Event) ([]byte, error) {
	kind := kindOf(e.Data)
	if kind == KindUnreadable {
		return nil, fmt.Errorf("write an event of kind %q: its data are %T, which this version does not write", e.Kind, e.Data)
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e.Data); err != nil {
		return nil, fmt.Errorf("write an event of kind %q: %w", kind, err)
	}
	var out bytes.Buffer
	enc = json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(wire{Version: version, Kind: kind, At: e.At.UTC(), By: e.By, Data: bytes.TrimSuffix(data.Bytes(), []byte("\n"))})
	if err != nil {
		return nil, fmt.Errorf("write an event of kind %q: %w", kind, err)
	}
	if out.Len() > maxLine {
		return nil, fmt.Errorf("write an event of kind %q: it has %d bytes, at most %d: shorten its texts", kind, out.Len(), maxLine)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Decode reads what Encode wrote, and what older versions wrote. An event of a
// newer version or of an unknown kind becomes Unreadable and no error, and so does
// one whose data are of another shape than its kind's; one that is not a JSON
// object with version, kind and time is an error.
func Decode(seq uint64, line []byte) (Event, error) {
	if len(line) > maxLine {
		return Event{}, fmt.Errorf("read event %d: it has %d bytes, at most %d", seq, len(line), maxLine)
	}
	w, ok := cut(line)
	if ok {
		if data, err := decodeData(w.Kind, w.Data); err == nil {
			return Event{Seq: seq, At: w.At, By: w.By, Kind: w.Kind, Data: data}, nil
		}
	}
	w = wire{}
	if err := json.Unmarshal(line, &w); err != nil {
		return Event{}, fmt.Errorf("read event %d: %w", seq, err)
	}
	switch {
	case w.Version < 1:
		return Event{}, fmt.Errorf("read event %d: it has no version", seq)
	case w.Kind == "":
		return Event{}, fmt.Errorf("read event %d: it has no kind", seq)
	case w.At.IsZero() || w.At.UTC().Year() > 9999:
		return Event{}, fmt.Errorf("read event %d: it has no time that could be", seq)
	}
	e := Event{Seq: seq, At: w.At.UTC(), By: w.By, Kind: w.Kind}
	if w.Version == version {
		data, err := decodeData(w.Kind, w.Data)
		if err == nil {
			e.Data = data
			return e, nil
		}
	}
	e.Kind, e.Data = KindUnreadable, Unreadable{Kind: w.Kind, Version: w.Version, Raw: bytes.Clone(line)}
	return e, nil
}

// decoders read the data of each kind.
var decoders = map[Kind]func([]byte) (Data, error){
	KindDeclared: into[Declared], KindSeverity: into[SeverityChanged], KindRole: into[RoleAssigned], KindRecovered: into[Recovered],
	KindClosed: into[Closed], KindReopened: into[Reopened], KindNode: into[NodeMoved], KindItem: into[ItemMoved], KindSensed: into[Sensed],
	KindAssigned: into[Assigned], KindNote: into[Noted], KindDecision: into[Decided], KindUpdate: into[Updated], KindMeasure: into[MeasureMoved],
	KindReading: into[ReadingChanged], KindOverrun: into[Overrun], KindConsole: into[ConsoleMoved], KindJournal: into[JournalMoved],
	KindClock: into[ClockSet], KindAck: into[Acked], KindCorrected: into[Corrected],
	KindArmed: into[Armed], KindGrant: into[Granted], KindIntent: into[Intent], KindOutcome: into[Outcome], KindRun: into[RunEnded],
}

func into[T Data](raw []byte) (Data, error) {
	var d T
	if len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

var errKind = errors.New("unknown kind")

func decodeData(kind Kind, raw []byte) (Data, error) {
	read, ok := decoders[kind]
	if !ok {
		return nil, errKind
	}
	return read(raw)
}

// cut takes an event apart that stands exactly as Encode writes it. A journal
// that is opened in the middle of an incident has every millisecond counted, and
// reading each event twice, once to find its data and once to read them, costs as
// much again. Whatever looks different is left to encoding/json.
func cut(line []byte) (w wire, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"v":1,"kind":"`))
	if !ok {
		return w, false
	}
	kind, rest, ok := quoted(rest)
	if !ok {
		return w, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"at":"`)); !ok {
		return w, false
	}
	at, rest, ok := quoted(rest)
	if !ok || w.At.UnmarshalText(at) != nil || w.At.IsZero() || w.At.UTC().Year() > 9999 {
		return w, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"by":"`)); !ok {
		return w, false
	}
	by, rest, ok := quoted(rest)
	if !ok {
		return w, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"data":`)); !ok {
		return w, false
	}
	data, ok := bytes.CutSuffix(rest, []byte(`}`))
	if !ok || len(data) < 2 || data[0] != '{' {
		return w, false
	}
	w.Version, w.Kind, w.At, w.By, w.Data = version, Kind(kind), w.At.UTC(), string(by), data
	return w, true
}

// quoted is the text up to the next quotation mark, if it is plain ASCII without
// an escape, and what follows.
func quoted(b []byte) (text, rest []byte, ok bool) {
	for i, c := range b {
		switch {
		case c == '"':
			return b[:i], b[i+1:], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}
