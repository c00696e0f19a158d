package clients

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/config"
	"warroom/internal/drill"
	"warroom/internal/estate"
)

// world serves a drill until the test ends.
func world(t *testing.T) *config.Config {
	t.Helper()
	w, err := drill.Open("db-rotation", drill.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-w.Ready():
	case err := <-served:
		served <- nil
		t.Fatalf("the world ended: %v", err)
	}
	cfg, err := config.Parse("drill", w.Config())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// On a whole estate, each system says as whom it is read and as whom it is changed,
// and these are different ones.
func TestIdentities(t *testing.T) {
	cfg := world(t)
	read, act := New(cfg), NewActing(cfg)
	t.Cleanup(read.Close)
	t.Cleanup(act.Close)
	systems := []string{}
	for _, a := range cfg.AWS {
		systems = append(systems, "aws:"+a.Name)
	}
	for _, v := range cfg.Vaults {
		systems = append(systems, "vault:"+v.Name)
	}
	for _, k := range cfg.Kubernetes {
		systems = append(systems, "kubernetes:"+k.Name)
	}
	for _, system := range systems {
		reader, actor := read.Identity(t.Context(), system), act.Identity(t.Context(), system)
		if reader.Err != nil || actor.Err != nil || reader.Name == "" || reader.Name == actor.Name {
			t.Errorf("%s is read as %+v and changed as %+v", system, reader, actor)
		}
	}
}

// A version that was put can be read by its id, and what a moment ago was known of its
// labels is forgotten.
func TestVersionsOfASecret(t *testing.T) {
	cfg := world(t)
	set := NewActing(cfg)
	t.Cleanup(set.Close)
	const secret = "prod/db/analytics"
	ctx := WithPermit(t.Context(), &book{})
	account, err := set.AWS("main")
	if err != nil {
		t.Fatal(err)
	}
	services, err := account.Services(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var none *NoVersionError
	if _, err := set.Stored(ctx, secret, estate.StagePending); !errors.As(err, &none) {
		t.Fatalf("a pending version before there is one: %v", err)
	}
	current, err := set.StoredFresh(ctx, secret, estate.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	password := NewPassword(40)
	value, err := current.With(map[string]estate.Secret{"password": password})
	if err != nil {
		t.Fatal(err)
	}
	const token = "5f0d9b9e-7c0a-5d0e-9c6e-0123456789ab"
	if _, err := services.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(secret), ClientRequestToken: aws.String(token), SecretString: aws.String(value.Reveal()), VersionStages: []string{"AWSPENDING"},
	}); err != nil {
		t.Fatal(err)
	}
	version, err := account.Version(ctx, secret, token)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := version.Field("password"); err != nil || got.Reveal() != password.Reveal() {
		t.Errorf("the version put is not the one read: %v", err)
	}
	if pending, err := set.StoredFresh(ctx, secret, estate.StagePending); err != nil || pending.VersionID != token {
		t.Errorf("pending: %s, %v", pending.VersionID, err)
	}
	if pending, err := set.Stored(ctx, secret, estate.StagePending); err != nil || pending.VersionID != token {
		t.Errorf("pending, for others: %s, %v", pending.VersionID, err)
	}
	if _, err := account.Version(ctx, secret, "5f0d9b9e-7c0a-5d0e-9c6e-000000000000"); Classify(err, "").Kind != estate.Missing {
		t.Errorf("a version that is not there: %v", err)
	}
	if text := set.Text("is "+password.Reveal()+" known", 200); strings.Contains(text, password.Reveal()) {
		t.Error("a value that was read is not known to the net")
	}
	if age := time.Since(version.Created).Abs(); age > 24*time.Hour {
		t.Errorf("it was made %s ago", age)
	}
}
