package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"warroom/checks"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/drill/pgsim"
	real "warroom/internal/estate"
)

// hands are the tools of somebody who repairs the world: the clients of its systems, as
// whoever may change things.
type hands struct {
	t    *testing.T
	e    *estate
	aws  *secretsmanager.Client
	kube *kubernetes.Clientset
	rest *rest.Config
	pass func(time.Duration) // of the world's time
}

func newHands(t *testing.T) *hands {
	t.Helper()
	var clock atomic.Pointer[time.Time]
	// It begins a while ago, so that what passes in the world does not get ahead of the
	// clock of who looks at it.
	start := time.Now().Add(-200 * time.Second)
	clock.Store(&start)
	e := makeWorld(t, func() time.Time { return *clock.Load() })
	h := &hands{t: t, e: e, aws: secretsmanager.NewFromConfig(actConfig(e.World)), pass: func(d time.Duration) {
		next := clock.Load().Add(d)
		clock.Store(&next)
		e.kube.Tick()
	}}
	h.kube, h.rest = cluster(t, e.World, kubeActor)
	return h
}

// sql runs a statement as the superuser whose password is in the store.
func (h *hands) sql(server, statement string) {
	h.t.Helper()
	out, err := h.aws.GetSecretValue(h.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db/superuser")})
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable dbname=" + databaseName)
	if err != nil {
		h.t.Fatal(err)
	}
	c.Port, c.TLSConfig = uint16(h.e.port(server)), roots(h.t, h.e.World)
	c.TLSConfig.ServerName = "127.0.0.1"
	c.User, c.Password = stringField(aws.ToString(out.SecretString), "username"), stringField(aws.ToString(out.SecretString), "password")
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		h.t.Fatal(err)
	}
}

// set gives app_user a password at the primary, for as long as its rotation is.
func (h *hands) set(password string) {
	h.t.Helper()
	h.sql(srvPrimary, "ALTER ROLE app_user WITH PASSWORD '"+pgsim.NewVerifier(password, []byte("0123456789abcdef"))+"' VALID UNTIL '"+h.e.now().Add(period).Format(time.RFC3339)+"'")
}

// promote makes the pending version current.
func (h *hands) promote() {
	h.t.Helper()
	d, err := h.aws.DescribeSecret(h.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db/postgres")})
	if err != nil {
		h.t.Fatal(err)
	}
	at := map[string]string{}
	for id, stages := range d.VersionIdsToStages {
		for _, s := range stages {
			at[s] = id
		}
	}
	for _, in := range []*secretsmanager.UpdateSecretVersionStageInput{
		{VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String(at["AWSPENDING"]), RemoveFromVersionId: aws.String(at["AWSCURRENT"])},
		{VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: aws.String(at["AWSPENDING"])},
	} {
		in.SecretId = aws.String("prod/db/postgres")
		if _, err := h.aws.UpdateSecretVersionStage(h.t.Context(), in); err != nil {
			h.t.Fatal(err)
		}
	}
}

// sync has the operator fetch the Secret of the user service anew.
func (h *hands) sync() {
	h.t.Helper()
	c, err := dynamic.NewForConfig(h.rest)
	if err != nil {
		h.t.Fatal(err)
	}
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"force-sync": h.e.now().Format(time.RFC3339Nano)}}})
	kind := schema.GroupVersionResource{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"}
	if _, err := c.Resource(kind).Namespace(kubeNamespace).Patch(h.t.Context(), "user-service-db", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		h.t.Fatal(err)
	}
	h.pass(5 * time.Second)
}

func (h *hands) restart() {
	h.t.Helper()
	patch, _ := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{restartedAt: h.e.now().Format(time.RFC3339)}}}}})
	if _, err := h.kube.AppsV1().Deployments(kubeNamespace).Patch(h.t.Context(), "user-service", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		h.t.Fatal(err)
	}
	h.pass(90 * time.Second)
}

// readings are what the console's own checks make of the world now.
func (h *hands) readings() *real.Readings {
	h.t.Helper()
	h.t.Setenv("XDG_STATE_HOME", h.t.TempDir()) // refused logins are remembered there
	cfg, err := config.Parse(h.e.file("warroom.yaml"), h.e.Config())
	if err != nil {
		h.t.Fatal(err)
	}
	set := clients.New(cfg)
	defer set.Close()
	probes, watchers := checks.Probes(cfg, set), checks.Watchers(cfg, set)
	board := checks.NewBoard(real.NewSnapshot(cfg.Topology(), checks.Expectations(probes, watchers...)))
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	checks.NewScheduler(probes, checks.Options{Concurrency: 8, Watchers: watchers, Post: func(o real.Observation) { board.Post(o) }}).Once(ctx)
	return real.Derive(board.Snapshot(), time.Now())
}

func (h *hands) wants(r *real.Readings, when string, want map[string]real.Status) {
	h.t.Helper()
	for id, status := range want {
		if got, ok := r.Of(real.ID(id)); !ok || got.Status != status {
			h.t.Errorf("%s: %s is %v %s (%s), want %v", when, id, got.Status, got.Word, got.Reason, status)
		}
	}
}

// TestTheRightOrderRepairsTheReadings goes on with the rotation that is stuck: the
// database and its replica learn the pending password, it becomes current, Kubernetes
// takes it over, and then the service is restarted. A restart before that is in vain.
func TestTheRightOrderRepairsTheReadings(t *testing.T) {
	h := newHands(t)
	h.wants(h.readings(), "at the start", map[string]real.Status{"postgres-primary": real.Fail, "postgres-replica": real.Fail, "user-service": real.Fail, "secrets-manager": real.Fail})
	pending := value(t, h.e.World, "prod/db/postgres", "AWSPENDING", "password")
	if _, err := h.aws.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("prod/db/postgres")}); err != nil {
		t.Fatal(err)
	}
	h.set(pending)
	if state := logIn(t, h.e.World, srvPrimary, "app_user", pending); state != "" {
		t.Fatalf("the primary refuses the password that it was given: %s", state)
	}
	if state := logIn(t, h.e.World, srvReplica, "app_user", pending); state != "28P01" {
		t.Errorf("the replica, whose replay is paused, knows the password already: %q", state)
	}
	h.sql(srvReplica, "SELECT pg_wal_replay_resume()")
	h.promote()
	h.restart() // too early: the Secret still holds the one before
	if ready, _, _ := deploymentState(t, h.kube, "user-service"); ready != 0 {
		t.Errorf("%d pods are ready that were restarted into the old password", ready)
	}
	if _, code := health(t, h.e.World, srvUsers); code != 503 {
		t.Errorf("the user service answers %d on the old password", code)
	}
	h.sync()
	if ready, _, _ := deploymentState(t, h.kube, "user-service"); ready != 0 {
		t.Errorf("%d pods took the new password over without a restart", ready)
	}
	h.restart()
	if _, err := h.aws.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("prod/db/postgres"), RotateImmediately: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	// Sessions of before the rotation go on, and one of them keeps others waiting, until
	// they are ended.
	for _, s := range h.e.postgres.Primary().Sessions() {
		if s.User == "app_user" {
			h.sql(srvPrimary, fmt.Sprintf("SELECT pg_terminate_backend(%d)", s.PID))
		}
	}
	r := h.readings()
	h.wants(r, "after the repair", map[string]real.Status{"postgres-primary": real.OK})
	// The service is well; the cluster's warnings of the last hour stay for an hour.
	if report, code := health(t, h.e.World, srvUsers); code != 200 || report.Status != "healthy" || report.Retries != 0 {
		t.Errorf("after the repair the user service answers %d %+v", code, report)
	}
	if got, _ := r.Of("user-service"); got.Status != real.OK && (got.Status != real.Warn || !strings.HasPrefix(got.Reason, "Warning events")) {
		t.Errorf("after the repair the user service is %v %s (%s)", got.Status, got.Word, got.Reason)
	}
	if got, _ := r.Of("postgres-replica"); got.Status == real.Fail {
		t.Errorf("after the repair the replica is %s (%s)", got.Word, got.Reason)
	}
	got, _ := r.Of("secrets-manager")
	if slices.ContainsFunc(got.Facts, func(f real.Fact) bool { return strings.Contains(f.Value, "AWSPENDING") && f.Status == real.Fail }) {
		t.Errorf("after the repair Secrets Manager still shows the stuck rotation: %s (%s)", got.Word, got.Reason)
	}
	if h.e.stuck() {
		t.Error("the rotation still counts as stuck")
	}
}

// TestTheNaiveOrderBreaksLogins does as the guide's script: the database first, with a
// password that is stored nowhere. From then on nobody gets in with anything stored.
func TestTheNaiveOrderBreaksLogins(t *testing.T) {
	h := newHands(t)
	h.set("only-in-the-memory-of-a-shell-that-is-gone")
	h.sql(srvReplica, "SELECT pg_wal_replay_resume()")
	for _, stage := range []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} {
		password := value(t, h.e.World, "prod/db/postgres", stage, "password")
		for _, server := range []string{srvPrimary, srvReplica} {
			if state := logIn(t, h.e.World, server, "app_user", password); state != "28P01" {
				t.Errorf("%s takes %s: %q", server, stage, state)
			}
		}
	}
	h.restart()
	h.wants(h.readings(), "after the naive order", map[string]real.Status{"postgres-primary": real.Fail, "postgres-replica": real.Fail, "user-service": real.Fail})
}

// TestWhoReadsCannotChange: each system refuses the reading identity in its own words,
// and lets the acting one.
func TestWhoReadsCannotChange(t *testing.T) {
	h := newHands(t)
	_, err := secretsmanager.NewFromConfig(awsConfig(h.e.World)).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("prod/db/postgres"), SecretString: aws.String("x")})
	if want := "AccessDeniedException: User: arn:aws:iam::123456789012:user/warroom is not authorized to perform: secretsmanager:PutSecretValue on resource: prod/db/postgres because no identity-based policy allows the secretsmanager:PutSecretValue action"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("AWS says %v", err)
	}
	cfg, err := config.Parse(h.e.file("warroom.yaml"), h.e.Config())
	if err != nil {
		t.Fatal(err)
	}
	read, act := clients.New(cfg), clients.NewActing(cfg)
	defer read.Close()
	defer act.Close()
	for system, want := range map[string][2]string{
		"aws:main":        {"user/warroom", "user/drill-act"},
		"kubernetes:prod": {"warroom", actor},
		"vault:primary":   {"warroom-read", "warroom-act"},
		"vault:secondary": {"warroom-read", "warroom-act"},
	} {
		for i, set := range []*clients.Set{read, act} {
			if id := set.Identity(t.Context(), system); id.Err != nil || !strings.Contains(id.Name, want[i]) {
				t.Errorf("%s: %q, %v; want %s", system, id.Name, id.Err, want[i])
			}
		}
	}
	for i, set := range []*clients.Set{read, act} {
		v, err := set.Vault("primary")
		if err != nil {
			t.Fatal(err)
		}
		may := map[string][]string{}
		if err := v.Write(t.Context(), "sys/capabilities-self", map[string]any{"paths": []string{"secret/data/prod/accounts/user-service/database", "pki/sign/web"}}, &may); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(may["pki/sign/web"], "update") && slices.Contains(may["secret/data/prod/accounts/user-service/database"], "update"); got != (i == 1) {
			t.Errorf("Vault lets identity %d change what procedures change: %v", i, may)
		}
	}
}

// TestPoliciesAreDocumented keeps the docs and the identities of the world the same.
func TestPoliciesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, policies := range map[string][]string{"json": {awsReadPolicy, awsActPolicy}, "hcl": {vaultActPolicy}, "yaml": {string(kubernetesActRole)}} {
		for _, p := range policies {
			if !strings.Contains(string(text), "```"+kind+"\n"+p+"```\n") {
				t.Errorf("docs/permissions.md does not have this policy:\n%s", p)
			}
		}
	}
}
