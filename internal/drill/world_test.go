package drill

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/config"
)

// open makes a world, serves it and ends with the test.
func open(t *testing.T, o Options) *World {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	w, err := Open("db-rotation", o)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), <-served); err != nil {
			t.Errorf("the world did not end well: %v", err)
		}
	})
	select {
	case <-w.Ready():
	case err := <-served:
		t.Fatal(err)
	}
	return w
}

func TestConfigIsAnEstate(t *testing.T) {
	w, err := Open("db-rotation", Options{Dir: t.TempDir(), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	c, err := config.Parse(filepath.Join(w.Dir(), "warroom.yaml"), w.Config())
	if err != nil {
		t.Fatal(err)
	}
	if c.Drill != "db-rotation" || c.Environment != "production" {
		t.Errorf("environment %q, drill %q", c.Environment, c.Drill)
	}
	want := []string{
		"api-gateway", "load-balancer", "secrets-manager", "rotation-lambda", "key-management", "user-service", "payment-service", "analytics-service",
		"vault-primary", "vault-secondary", "secret-store", "postgres-primary", "postgres-replica", "external-api", "rotation-monitor", "secret-monitor", "access-monitor",
	}
	var got []string
	for i := range c.Components {
		one := &c.Components[i]
		got = append(got, one.ID)
		if one.Owner == "" || one.Contact == "" || one.Criticality == "" {
			t.Errorf("%s: owner %q, contact %q, criticality %q", one.ID, one.Owner, one.Contact, one.Criticality)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	if len(c.Flows) != 14 {
		t.Errorf("%d flows, want the 14 of the diagram", len(c.Flows))
	}
	// Those in lower case are for calls to providers, and stay.
	if left := regexp.MustCompile(`\$\{[A-Z_]+\}`).FindAll(w.Config(), -1); left != nil {
		t.Errorf("placeholders were left unfilled: %q", left)
	}
}

func TestOpenWritesNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := Open("db-rotation", Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = w.Config(), w.Env(), w.Examples()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%d files before Serve, %v", len(files), err)
	}
	// A connection that comes early waits for Serve.
	conn, err := net.Dial("tcp", w.address(srvAWS))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Serve(t.Context()); err == nil {
		t.Error("a closed world was served")
	}
}

func TestUnknownScenario(t *testing.T) {
	if _, err := Open("nothing", Options{}); err == nil || !strings.Contains(err.Error(), "db-rotation") {
		t.Errorf("error %v, want one that names what there is", err)
	}
	for _, s := range Scenarios() {
		if s.Name == "" || s.Title == "" || s.Summary == "" {
			t.Errorf("%+v", s)
		}
	}
}

func TestFilesArePrivateAndGo(t *testing.T) {
	w, err := Open("db-rotation", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx) }()
	<-w.Ready()
	for _, name := range []string{fileCA, fileCert, fileKey, fileAWSConfig, fileAWSCredentials, fileService, fileVaultPrimary, fileVaultSecondary} {
		info, err := os.Stat(filepath.Join(w.Dir(), name))
		if err != nil {
			t.Error(err)
			continue
		}
		if os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if info, err := os.Stat(w.Dir()); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if _, err := net.DialTimeout("tcp", w.address(srvAWS), time.Second); err == nil {
		t.Error("a closed world still listens")
	}
}

func TestDeterministic(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	make := func(seed uint64) *World {
		w, err := Open("db-rotation", Options{Dir: t.TempDir(), Seed: seed, Clock: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		return w
	}
	a, b, c := make(7), make(7), make(8)
	draw := func(w *World) string {
		id, secret := w.awsKey()
		return id + " " + secret + " " + w.uuid("version postgres current") + " " + w.text("password app current", 32)
	}
	if draw(a) != draw(b) {
		t.Error("the same seed drew different values")
	}
	if draw(a) == draw(c) {
		t.Error("another seed drew the same values")
	}
	if id := a.uuid("x"); len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%q is no version 4 UUID", id)
	}
}

func TestEnvAndExamplesHoldNoPassword(t *testing.T) {
	w, err := Open("db-rotation", Options{Dir: t.TempDir(), Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	text := strings.Join(append(w.Env(), w.Examples()...), "\n") + string(w.Config())
	for _, of := range []string{"app previous", "app current", "app pending", "analytics current", "monitoring", "vault root", "vault current orders_user"} {
		if strings.Contains(text, w.text("password "+of, 32)) {
			t.Errorf("the password %s is in what is printed", of)
		}
	}
	for _, name := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:", "AWS_EC2_METADATA_DISABLED=true", "PGSSLMODE=verify-full"} {
		if !strings.Contains(text, name) {
			t.Errorf("the environment lacks %s", name)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"/tmp/a-b_c.pem": "/tmp/a-b_c.pem", "/tmp/my files/x": "'/tmp/my files/x'", "it's": `'it'\''s'`} {
		if got := shellQuote(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		w, err := Open("db-rotation", Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		_ = w.Config()
		b.StopTimer()
		_ = w.Close()
		b.StartTimer()
	}
}

// BenchmarkReady is from Open until every server answers.
func BenchmarkReady(b *testing.B) {
	for b.Loop() {
		w, err := Open("db-rotation", Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- w.Serve(b.Context()) }()
		<-w.Ready()
		b.StopTimer()
		_ = w.Close()
		<-served
		b.StartTimer()
	}
}
