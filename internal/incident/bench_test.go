package incident

import (
	"fmt"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/estate/estatetest"
	"warroom/internal/runbook"
)

// journal is n events as they lie in a journal: mostly readings and evidence that
// turn, and among them what people did.
func journal(tb testing.TB, n int) [][]byte {
	lines := make([][]byte, 0, n)
	rest := goldenEvents()[1:24]
	for i := range n {
		e := goldenEvents()[0]
		switch {
		case i == 0:
		case i%10 < 6:
			e = New("", ReadingChanged{Component: "user-service", Name: "User Service", From: estate.OK, To: estate.Fail, Word: "DOWN", Reason: fmt.Sprintf("answered 503, %d times", i)})
		case i%10 < 9:
			e = New("", Sensed{Item: "immediate.test", Ready: i%2 == 0, Evidence: Evidence{Stance: "for", Value: fmt.Sprint(i, " of 14 on the old version"), Source: "GET http://10.0.4.17:8080/health", Read: t0}})
		default:
			e = rest[i/10%len(rest)]
		}
		e.At = t0.Add(time.Duration(i) * 10 * time.Millisecond)
		line, err := Encode(e)
		if err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// BenchmarkOpen decodes and folds a journal of 100,000 events.
func BenchmarkOpen(b *testing.B) {
	lines := journal(b, 100_000)
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		var fold Fold
		for i, line := range lines {
			e, err := Decode(uint64(i+1), line)
			if err != nil {
				b.Fatal(err)
			}
			fold.Apply(e)
		}
		if s := fold.State(); s.Head != 100_000 || s.Counts[KindReading] < 60_000 {
			b.Fatalf("%+v", s.Counts)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/event")
}

// BenchmarkFold folds 100,000 events and gives a state out after every one, as a
// console does that records them one at a time.
func BenchmarkFold(b *testing.B) {
	lines := journal(b, 100_000)
	events := make([]Event, len(lines))
	for i, line := range lines {
		events[i], _ = Decode(uint64(i+1), line)
	}
	b.ReportAllocs()
	for b.Loop() {
		var fold Fold
		for _, e := range events {
			fold.Apply(e)
			_ = fold.State()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/event")
}

// BenchmarkBoard makes the board of the guide's runbook, as every frame does.
func BenchmarkBoard(b *testing.B) {
	d := declaredDesk(b)
	d.rb = runbook.Guide()
	for i := range d.rb.Checklist[0].Items {
		d.f[d.rb.Checklist[0].Items[i].Sense] = d.f["s.impact"]
	}
	s := d.fold.State()
	b.ReportAllocs()
	for b.Loop() {
		board := NewBoard(s, d.rb, d.f, d.now)
		_ = board.Notices()
	}
}

// BenchmarkDraft writes a status update of the guide's crisis.
func BenchmarkDraft(b *testing.B) {
	d := declaredDesk(b)
	r := estate.Derive(estatetest.Crisis(), estatetest.At)
	board := d.board()
	for b.Loop() {
		_ = board.Draft(r)
	}
}
