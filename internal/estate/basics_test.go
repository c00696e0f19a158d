package estate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	const canary = "hunter2-canary"
	type holder struct {
		Public Secret
		hidden Secret
		deep   *struct{ list []Secret }
	}
	s := NewSecret(canary)
	h := holder{s, s, &struct{ list []Secret }{[]Secret{s}}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%10.3s", "%U"} {
		for _, v := range []any{s, &s, h, &h, []Secret{s}, map[string]Secret{"k": s}, errors.Join(fmt.Errorf("x %v", s))} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	text, err := json.Marshal(map[string]any{"a": s, "b": h, "c": &s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "h", h)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "h", h)
	for _, form := range []string{canary, "68756e74657232", "aHVudGVyMi"} {
		if strings.Contains(strings.ToLower(out.String()), strings.ToLower(form)) {
			t.Errorf("the value was printed as %q", form)
		}
	}
	if s.Reveal() != canary || s.Empty() || !(Secret{}).Empty() {
		t.Error("Reveal and Empty do not tell the value")
	}
}

func TestWorstIsTheWorstAndNAdoesNotCount(t *testing.T) {
	order := []Status{NA, OK, Warn, Unknown, Fail}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom(order)).Draw(t, "parts")
		got := Worst(parts...)
		for _, p := range parts {
			if p > got {
				t.Fatalf("Worst(%v) = %v", parts, got)
			}
		}
		if got != Worst(append(parts, NA)...) {
			t.Fatalf("N/A changed %v", parts)
		}
	})
	if Worst() != NA || Worst(OK, Warn) != Warn || Worst(Warn, Unknown) != Unknown || Worst(Unknown, Fail) != Fail {
		t.Error("FAIL > UNKNOWN > WARN > OK does not hold")
	}
}

func TestASnapshotIsImmutable(t *testing.T) {
	k := Key{"pg1", CheckRole, ""}
	first := snapshot(healthy())
	before, _ := first.Slot(k)
	bad := Observation{Key: k, At: noon, Failure: &Failure{Kind: Denied}}
	extra := Observation{Key: Key{"pg1", "new", "x"}, At: noon, Data: IssuerKeys{}}
	second := first.With(bad, extra)
	after, _ := first.Slot(k)
	if after.Last.Failure != nil || after.Last.At != before.Last.At {
		t.Error("With changed the snapshot it was called on")
	}
	if _, there := first.Slot(extra.Key); there {
		t.Error("a new key appeared in the old snapshot")
	}
	got, _ := second.Slot(k)
	if got.Last.Failure == nil || got.Good == nil || got.Good.Data.(Role).Name != "app_user" {
		t.Errorf("after a failure: %+v, want it last and the good one kept", got)
	}
	late := Observation{Key: k, At: noon.Add(-time.Hour), Data: Role{Name: "late"}}
	if got, _ := second.With(late).Slot(k); got.Last.Failure == nil {
		t.Error("an older observation replaced a newer one")
	}
	remembered := Observation{Key: k, At: noon.Add(-time.Hour), Tried: noon.Add(time.Second), Data: Role{Name: "kept"}}
	if got, _ := second.With(remembered).Slot(k); got.Last.Failure != nil {
		t.Error("a remembered answer of a later attempt did not replace the failure")
	}
	if second.Changed("pg1") != second.Version || second.Changed("km") == second.Version {
		t.Error("Changed does not say which component changed")
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "under 10s", 14 * time.Second: "10s", 59 * time.Second: "50s", time.Minute: "1m", 90 * time.Minute: "1h",
		47 * time.Hour: "47h", 48 * time.Hour: "2 days", 15*day + 23*time.Hour: "15 days", -5 * time.Minute: "5m",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
	if percent(0.67) != "67%" || percent(0.0001) != "<1%" || percent(0.9999) != ">99%" || percent(0) != "0%" || percent(1) != "100%" {
		t.Error("percent rounds something to nothing or to everything")
	}
}
