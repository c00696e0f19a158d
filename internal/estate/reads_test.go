package estate

import (
	"strings"
	"testing"
	"time"
)

func TestReaders(t *testing.T) {
	known := SecretReader{Who: "arn:aws:sts::1:assumed-role/app/i-1", From: []string{"10.20.1.5"}, Reads: 7, Last: ago(time.Minute), Known: true}
	stranger := SecretReader{Who: "arn:aws:sts::1:assumed-role/app/i-2", From: []string{"203.0.113.9"}, Reads: 2, Last: ago(5 * time.Minute), Why: "from no known address"}
	refused := SecretReader{Who: "arn:aws:iam::1:user/x", Refused: 3, Last: ago(time.Minute)}
	reads := func(id string, named []string, readers ...SecretReader) Observation {
		s := SecretReads{Account: "main", Window: time.Hour, Named: named, Readers: readers}
		for _, r := range readers {
			s.Reads, s.Refused = s.Reads+r.Reads, s.Refused+r.Refused
		}
		return saw("sm", CheckSecretReads, id, s)
	}
	denied := Observation{Key: Key{"sm", CheckSecretReads, "key"}, At: ago(10 * time.Second), Interval: 15 * time.Second, Failure: &Failure{Kind: Denied, Detail: "no right"}}
	old := reads("db", []string{"app"}, known)
	old.At = ago(time.Hour)
	partial := reads("db", []string{"app"}, known)
	short := partial.Data.(SecretReads)
	short.Partial, short.Window = true, 10*time.Minute
	partial.Data = short
	named := []string{"app", "10.20.0.0/16"}
	for _, c := range []struct {
		name   string
		seen   []Observation
		value  string
		status Status
		note   string
		word   string // of the access monitor
		detail string // of the secret, value and status
	}{
		{"all are known", []Observation{reads("db", named, known)}, "0 of 1 reader in 1h", OK, "", "TRACKED", "0 unknown of 1 reader in 1h OK"},
		{"a stranger", []Observation{reads("db", named, stranger, known)}, "1 of 2 readers in 1h", Fail, "i-2 from 203.0.113.9, 2 reads", "UNKNOWN READER", "1 unknown of 2 readers in 1h FAIL"},
		{"one who was refused has not read", []Observation{reads("db", named, refused, known)}, "0 of 1 reader in 1h", OK, "", "TRACKED", "0 unknown of 1 reader in 1h OK"},
		{"nobody said who may", []Observation{reads("db", nil, stranger, known)}, "2 readers in 1h", NA, "nobody said who may read", "TRACKED", "2 readers in 1h N/A"},
		{"of one it was said", []Observation{reads("db", named, known), reads("key", nil, stranger)}, "0 of 2 readers in 1h", OK, "nobody said who may read key", "TRACKED", "0 unknown of 1 reader in 1h OK"},
		{"nobody read it", []Observation{reads("db", named)}, "0 of 0 readers in 1h", OK, "", "TRACKED", "0 unknown of 0 readers in 1h OK"},
		{"one cannot be read", []Observation{reads("db", named, known), denied}, "?", Unknown, "no right", "NOT READ", "0 unknown of 1 reader in 1h OK"},
		{"one cannot be read, and a stranger", []Observation{reads("db", named, stranger), denied}, "1 of 1 reader in 1h", Fail, "no right", "UNKNOWN READER", "1 unknown of 1 reader in 1h FAIL"},
		{"read long ago", []Observation{old}, "0 of 1 reader in 1h", Unknown, "last good answer", "NOT READ", ""},
		{"a part of the window", []Observation{partial}, "0 of 1 reader in 10m", OK, "older ones are missing", "TRACKED", "0 unknown of 1 reader in 10m OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Derive(world(controlled(), healthy(), watched(), c.seen), noon)
			f := fact(t, r, "am", "Unknown readers")
			if f.Value != c.value || f.Status != c.status || !strings.Contains(f.Note, c.note) || f.Formula == "" || f.Source == "" || f.Headline {
				t.Errorf("got %q %s (%s) from %q", f.Value, f.Status, f.Note, f.Source)
			}
			if one, _ := r.Of("am"); one.Word != c.word {
				t.Errorf("the monitor is %s %s: %s", one.Status, one.Word, one.Reason)
			}
			one, _ := r.Of("sm")
			got := ""
			for _, f := range one.Facts {
				if f.Name == "Readers of db" {
					got = f.Value + " " + f.Status.String()
				}
			}
			if got != c.detail {
				t.Errorf("of the secret: %q", got)
			}
			if strings.Contains(c.detail, "FAIL") != (one.Word == "UNKNOWN READER") {
				t.Errorf("the store is %s %s", one.Status, one.Word)
			}
		})
	}
	for _, f := range mustOf(t, Derive(world(controlled(), healthy(), watched()), noon), "am").Facts {
		if f.Name == "Unknown readers" {
			t.Error("there is a figure of what nothing reads")
		}
	}
}

func mustOf(t *testing.T, r *Readings, id ID) Reading {
	t.Helper()
	one, ok := r.Of(id)
	if !ok {
		t.Fatal(id)
	}
	return one
}
