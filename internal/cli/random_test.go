package cli

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/plan"
)

// standing is everything of a world that a recovery procedure could change, as text.
func (s *stage) standing() string {
	s.t.Helper()
	var out strings.Builder
	note := func(what string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %s\n", what, text)
	}
	account, err := s.set.AWS("main")
	if err != nil {
		s.t.Fatal(err)
	}
	services, err := account.Services(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range s.cfg.Components {
		m := s.cfg.Components[i].SecretsManager
		if m == nil {
			continue
		}
		for _, secret := range m.Secrets {
			d, err := services.SecretsManager.DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(secret.ID)})
			if err != nil {
				s.t.Fatal(err)
			}
			d.LastAccessedDate = nil
			d.ResultMetadata = middleware.Metadata{}
			note(secret.ID, d)
		}
	}
	cluster, err := s.set.Kubernetes("prod")
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := cluster.Client()
	if err != nil {
		s.t.Fatal(err)
	}
	deployments, err := client.AppsV1().Deployments("prod").List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range deployments.Items {
		note("deployment "+d.Name, []any{d.Generation, d.Spec.Template.Annotations})
	}
	secrets, err := client.CoreV1().Secrets("prod").List(s.t.Context(), metav1.ListOptions{})
	if err == nil { // reading them may be forbidden
		for _, one := range secrets.Items {
			note("secret "+one.Name, one.ResourceVersion)
		}
	}
	files, err := filepath.Glob(filepath.Join(s.world.Dir(), "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && !info.IsDir() {
			note(filepath.Base(f), info.ModTime())
		}
	}
	return out.String()
}

// randomLine is a command line that a tired person could type: it names procedures,
// targets, options and consents at random, and never the target as the confirmation of
// a procedure that changes something.
func randomLine(r *rand.Rand, procedures []plan.About, targets []string) []string {
	one := func(words ...string) string { return words[r.IntN(len(words))] }
	about := procedures[r.IntN(len(procedures))]
	target := one(targets...)
	line := []string{one("act", "act", "act", "plan", "incident", "check", "checklist")}
	switch line[0] {
	case "act":
		line = append(line, about.Name, target)
	case "plan":
		line = append(line, about.Name, target)
	case "incident":
		line = append(line, one("resume", "roll-back", "list", "show", "verify", "report"), one("latest", "2026-11-24-1", "x"))
	case "checklist":
		line = append(line, "--plain")
	}
	wrong := []string{"", "yes", "y", strings.ToUpper(target), target + " ", target[:len(target)-1], "all", "latest"}
	extra := []func() []string{
		func() []string {
			return []string{"--confirm", one(slices.DeleteFunc(slices.Clone(wrong), func(w string) bool { return w == target })...)}
		},
		func() []string { return []string{"--reason", one("x", "because", "")} },
		func() []string {
			return []string{"--accept", one("emergency", "schedule", "all", "paused:postgres-replica")}
		},
		func() []string {
			return []string{"-o", one("force=yes", "anyway=yes", "within=720h", "strategy=backup", "nothing")}
		},
		func() []string { return []string{"--json"} },
		func() []string { return []string{"--severity", one("SEV1", "SEV9")} },
		func() []string { return []string{"--signature", "/nonexistent"} },
		func() []string { return []string{"--run", one("x", "")} },
		func() []string { return []string{"--as", "ic-2"} },
	}
	for range r.IntN(5) {
		line = append(line, extra[r.IntN(len(extra))]()...)
	}
	return line
}

// No command line without the target as its confirmation changes anything. Those that
// only read may run.
func TestRandomCommandLinesChangeNothing(t *testing.T) {
	lines := 60
	if os.Getenv("WARROOM_CRASH") == "full" {
		lines = 1000
	}
	if testing.Short() {
		lines = 10
	}
	s := setStage(t, crashCase{})
	read := newEngine(s.cfg, s.set, desk{operator: "ic-1"}, nil, nil)
	defer read.end()
	var targets []string
	for _, a := range read.Procedures() {
		for _, target := range read.Targets(a.Name) {
			targets = append(targets, target.ID)
		}
	}
	slices.Sort(targets)
	targets = slices.Compact(targets)
	if len(targets) < 10 || len(read.Procedures()) < 10 {
		t.Fatalf("%d procedures and %d targets: too few to mean anything", len(read.Procedures()), len(targets))
	}
	before := s.standing()
	seed := uint64(5)
	r := rand.New(rand.NewPCG(seed, seed))
	work := make(chan []string)
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for line := range work {
				out, code := s.run("", line...)
				mu.Lock()
				codes[code]++
				mu.Unlock()
				if strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") {
					t.Errorf("%q:\n%s", line, out)
				}
			}
		}()
	}
	for range lines {
		work <- randomLine(r, read.Procedures(), targets)
	}
	close(work)
	wg.Wait()
	if after := s.standing(); after != before {
		t.Errorf("with seed %d something changed:\n%s\nbefore\n%s", seed, after, before)
	}
	t.Logf("%d command lines, by exit code: %v", lines, codes)

	// The same comparison sees it when something does change.
	s.ask = crashCase{procedure: "cancel-rotation", target: "prod/db/analytics"}
	if out, code := s.run("", s.act()...); code != 0 {
		t.Errorf("with its confirmation it ended with %d:\n%s", code, out)
	}
	if s.standing() == before {
		t.Error("a rotation was cancelled, and what is compared does not show it")
	}
}
