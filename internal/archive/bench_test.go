package archive

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"warroom/internal/incident"
	"warroom/internal/runbook"
)

// benchmarked is an incident of 100,000 events, most of them changed readings.
func benchmarked(b *testing.B) (*Store, string) {
	b.Helper()
	s := New(filepath.Join(b.TempDir(), "incidents"), Options{Operator: "ic-1"})
	session, err := s.Create(b.Context(), declaration(), runbook.Guide())
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < 100_000; {
		var batch []incident.Event
		for range 1000 {
			e := incident.New("", incident.ReadingChanged{Component: "vault-primary", Name: "Vault primary", Word: "SEALED", Reason: "sealed since 12:04, 2 of 3 key shares given"})
			if n%20 == 0 {
				e = note(fmt.Sprintf("note %d: the payments team sees 503 from the edge", n))
			}
			batch = append(batch, e)
			n++
		}
		if err := session.Record(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	if err := session.Close(); err != nil {
		b.Fatal(err)
	}
	return s, session.ID()
}

// openBar is how long opening an incident of 100,000 events may take at best: its
// whole chain followed, every event decoded and folded.
const openBar = time.Second

func BenchmarkOpen100000(b *testing.B) {
	s, id := benchmarked(b)
	best := time.Duration(1 << 62)
	for b.Loop() {
		began := time.Now()
		session, err := s.Open(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(began))
		if err := session.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(best.Seconds()*1e3, "best-ms")
	if best > openBar {
		b.Errorf("it took %v at best, and may take %v", best, openBar)
	}
}

func BenchmarkList100000(b *testing.B) {
	s, _ := benchmarked(b)
	for b.Loop() {
		if _, err := s.List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPageOf100000(b *testing.B) {
	s, id := benchmarked(b)
	session, err := s.Follow(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = session.Close() })
	for name, q := range map[string]incident.Query{
		"newest": {Limit: 30}, "kind": {Limit: 30, Kinds: []incident.Kind{incident.KindNote}}, "absent": {Limit: 30, Text: "nowhere"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := session.Page(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	s := New(filepath.Join(b.TempDir(), "incidents"), Options{Operator: "ic-1"})
	session, err := s.Create(b.Context(), declaration(), runbook.Guide())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = session.Close() })
	for b.Loop() {
		if err := session.Record(b.Context(), note("the payments team sees 503 from the edge")); err != nil {
			b.Fatal(err)
		}
	}
}
