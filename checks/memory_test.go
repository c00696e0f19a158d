package checks

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"warroom/internal/config"
)

// Every system answers every probe without end, all at once.
func TestEndlessAnswersDoNotFillTheMemory(t *testing.T) {
	chunk := bytes.Repeat([]byte(`{"a":{},"b":[1,2,3]},`), 1000)
	plain := bytes.Repeat([]byte(` `), 64<<10)
	forever := func(w http.ResponseWriter, text []byte) {
		_, _ = w.Write([]byte(`{"x":[`))
		for {
			if _, err := w.Write(text); err != nil {
				return
			}
		}
	}
	aws := newFakeAWS(t)
	var n atomic.Int32
	aws.on("*", func(w http.ResponseWriter, _ *http.Request) {
		forever(w, [][]byte{chunk, plain}[n.Add(1)%2])
	})
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { forever(w, plain) })
	cfg := awsConfig(aws.URL)
	cfg.Drill = "a test"
	for i := range 40 {
		cfg.Components = append(cfg.Components, config.Component{ID: fmt.Sprintf("app%d", i), Application: &config.Application{Health: &config.HealthCheck{URL: url}}})
		cfg.Components[1].SecretsManager.Secrets = append(cfg.Components[1].SecretsManager.Secrets, config.StoredSecret{ID: fmt.Sprint("s", i)})
	}
	cfg.Components[3].Gateway.URL, cfg.Components[3].Gateway.Issuer = url, url
	var seen recorder
	probes := Probes(cfg, newSet(t, cfg))

	// What is held is meant, not what is yet to be collected: of this test, of its
	// servers or of the tests before it.
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var most uint64
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-tick.C:
				metrics.Read(sample)
				most = max(most, sample[0].Value.Uint64())
			}
		}
	}()
	NewScheduler(probes, Options{Concurrency: 8, Post: seen.post}).Once(t.Context())
	close(stop)
	most := <-peak
	t.Logf("at the most %d MiB", most>>20)
	if most > 60<<20 {
		t.Errorf("%d MiB at the most, want at most 60", most>>20)
	}
	failed := 0
	for _, o := range seen.all {
		if o.Failure != nil {
			failed++
		}
	}
	if len(seen.all) != len(probes) || failed < 80 {
		t.Errorf("%d of %d reports, %d failures", len(seen.all), len(probes), failed)
	}
}
