package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
	"warroom/internal/runbook"
)

func TestWhatTheConfigurationSaysOfIncidents(t *testing.T) {
	t.Setenv("USER", "login")
	cfg := &config.Config{Incident: config.Incident{Operator: "ic-1", SigningKey: "/keys/ic-1", Runbook: "/books/ours.yaml",
		Updates: []config.Cadence{{Severity: "SEV2", Every: 7 * time.Minute}}}}
	if d := (desk{}).with(cfg); d.operator != "ic-1" || d.key != "/keys/ic-1" || d.runbook != "/books/ours.yaml" || len(d.updates) != 1 {
		t.Errorf("the desk is %+v", d)
	}
	if d := (desk{operator: "ops-2", key: "k", runbook: embedded}).with(cfg); d.operator != "ops-2" || d.key != "k" || d.runbook != embedded {
		t.Errorf("flags do not win: %+v", d)
	}
	if d := (desk{}).with(nil); d.operator != "login" || d.key != "" || d.runbook != "" {
		t.Errorf("without a configuration the desk is %+v", d)
	}
}

// Intervals of the configuration are part of the runbook that an incident keeps.
func TestIntervalsOfTheConfiguration(t *testing.T) {
	guide := runbook.Guide()
	got, err := cadenced(guide, []config.Cadence{{Severity: "SEV2", Every: 7 * time.Minute, First: 90 * time.Second}, {Severity: "SEV4", Relax: 3 * time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := runbook.Parse("kept", got.Source, nil)
	if err != nil || again.Digest != got.Digest || got.Digest == guide.Digest {
		t.Fatalf("what is kept reads as %v: %v", again, err)
	}
	if len(again.Updates) != len(guide.Updates) {
		t.Fatalf("it tells of %d severities", len(again.Updates))
	}
	for i, want := range guide.Updates {
		switch want.Severity {
		case runbook.SEV2:
			want.Every, want.First = 7*time.Minute, 90*time.Second
		case runbook.SEV4:
			want.Relax = 3 * time.Hour
		}
		if got := again.Updates[i]; got != want {
			t.Errorf("%s is told by %+v, want %+v", want.Severity, got, want)
		}
	}
	if len(again.Flow) != len(guide.Flow) || len(again.Checklist) != len(guide.Checklist) || again.Checklist[0].Items[0].Text != guide.Checklist[0].Items[0].Text {
		t.Error("more than the intervals changed")
	}
	if same, err := cadenced(guide, nil); err != nil || same != guide {
		t.Errorf("without intervals it is another runbook: %v", err)
	}
}

// The same configuration gives the same runbook each time: its digest names it.
func TestIntervalsOfTheConfigurationGiveOneText(t *testing.T) {
	var first *runbook.Runbook
	for range 20 {
		got, err := cadenced(runbook.Guide(), []config.Cadence{{Severity: "SEV4", First: time.Hour, Scoped: 2 * time.Hour, Every: 4 * time.Hour, Relax: 8 * time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if got.Digest != first.Digest || string(got.Source) != string(first.Source) {
			t.Fatalf("one text:\n%s\nand another:\n%s", first.Source, got.Source)
		}
	}
}

func TestARunbookThatCannotBeUsedIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ours.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nname: ours\nupdates: nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := desk{runbook: path}.procedure()
	if err == nil || !strings.Contains(err.Error(), "ours.yaml:3") || !strings.Contains(err.Error(), "--runbook guide") || exitCode(err) != exitUsage {
		t.Errorf("a broken one: %v", err)
	}
	if _, err := (desk{runbook: filepath.Join(t.TempDir(), "none.yaml")}).procedure(); err == nil || exitCode(err) != exitUsage {
		t.Errorf("a missing one: %v", err)
	}
	if rb, err := (desk{}).procedure(); err != nil || rb != runbook.Guide() {
		t.Errorf("none: %v", err)
	}
}

func TestUpdatesAreSentScrubbed(t *testing.T) {
	const canary = "hunter2-canary"
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1000)
		n, _ := r.Body.Read(body)
		got <- string(body[:n])
	}))
	defer server.Close()
	t.Setenv("BRIDGE_URL", server.URL)
	s := newSender([]config.Webhook{{Name: "bridge", URLEnv: "BRIDGE_URL", Format: "slack"}, {Name: "security", URLEnv: "SECURITY_URL", Security: true}},
		func(text string) string { return strings.ReplaceAll(text, canary, "[redacted]") })
	if places := s.Places(); len(places) != 2 || places[0].Name != "bridge" || places[0].Security || !places[1].Security {
		t.Errorf("the places are %+v", places)
	}
	if err := s.Send(t.Context(), "bridge", "it is "+canary); err != nil {
		t.Fatal(err)
	}
	if body := <-got; !strings.Contains(body, "it is [redacted]") || strings.Contains(body, canary) {
		t.Errorf("sent %q", body)
	}
	if newSender(nil, nil) != nil {
		t.Error("without webhooks there is a sender")
	}
}
