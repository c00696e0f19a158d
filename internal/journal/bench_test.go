package journal

import (
	"bytes"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// What a journal must reach: 100,000 records of 300 bytes.
const (
	manyRecords = 100_000
	openBar     = time.Second     // to open it: whole chain and last signature
	verifyBar   = 5 * time.Second // to verify every signature
	appendBar   = 5 * time.Millisecond
)

// many is a journal of manyRecords, made once: it takes some seconds of signing.
var many = sync.OnceValues(func() (string, Options) {
	k, err := NewKey()
	if err != nil {
		panic(err)
	}
	o := Options{Signer: k}
	w, err := Create(filepath.Join(manyDir, "j"), o)
	if err != nil {
		panic(err)
	}
	group := make([][]byte, 1000)
	for i := range group {
		group[i] = bytes.Repeat([]byte("e"), 300)
	}
	for range manyRecords / len(group) {
		if _, err := w.Append(group...); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return filepath.Join(manyDir, "j"), o
})

// manyDir is where it lies; set by the benchmarks, removed by TestMain.
var manyDir string

// within runs do b.N times and holds the best of them against a bar.
func within(b *testing.B, bar time.Duration, do func() error) {
	best := time.Duration(1 << 62)
	for b.Loop() {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	b.ReportMetric(best.Seconds()*1e3, "best-ms")
	if best > bar {
		b.Errorf("it took %v at best, and may take %v", best, bar)
	}
}

func BenchmarkOpen100k(b *testing.B) {
	dir, o := many()
	within(b, openBar, func() error {
		w, _, err := Open(dir, o)
		if err != nil {
			return err
		}
		return w.Close()
	})
}

func BenchmarkRead100k(b *testing.B) {
	dir, _ := many()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r *Reader
	within(b, openBar, func() (err error) {
		r, err = Read(dir)
		return err
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(r.Len()), "B/record")
	if r.Len() != manyRecords {
		b.Fatalf("%d records", r.Len())
	}
}

func BenchmarkVerify100k(b *testing.B) {
	dir, _ := many()
	within(b, verifyBar, func() error {
		_, err := Verify(dir, VerifyOptions{})
		return err
	})
}

// Each: every payload, read by offset.
func BenchmarkEach100k(b *testing.B) {
	dir, _ := many()
	r, err := Read(dir)
	if err != nil {
		b.Fatal(err)
	}
	within(b, openBar, func() error { return r.Each(func(Record) error { return nil }) })
}

// A page of a timeline from the middle.
func BenchmarkPage(b *testing.B) {
	dir, _ := many()
	r, err := Read(dir)
	if err != nil {
		b.Fatal(err)
	}
	within(b, appendBar, func() error { _, err := r.Records(manyRecords/2, 100); return err })
}

// One record of 300 bytes: signed, written, synced, and the head synced.
func BenchmarkAppend(b *testing.B) {
	_, w, _ := begun(b)
	p := bytes.Repeat([]byte("e"), 300)
	within(b, appendBar, func() error { _, err := w.Append(p); return err })
}

// A follower that finds one new record.
func BenchmarkRefresh(b *testing.B) {
	dir, w, _ := begun(b)
	r, err := Read(dir)
	if err != nil {
		b.Fatal(err)
	}
	p := bytes.Repeat([]byte("e"), 300)
	for b.Loop() {
		b.StopTimer()
		if _, err := w.Append(p); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if grew, err := r.Refresh(); err != nil || !grew {
			b.Fatal(grew, err)
		}
	}
}
