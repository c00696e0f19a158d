package cli

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// shape is how a world stands, by what a recovery procedure is for: labels with the
// values under them, schedules and tags, the copies, what is served, and what runs. A
// value stands for itself by a digest. What a roll-back must leave behind is left out:
// versions without a label, the numbers of versions, revisions of objects.
func (s *stage) shape() map[string]string {
	s.t.Helper()
	ctx := s.t.Context()
	out := map[string]string{}
	account, err := s.set.AWS("main")
	must(s.t, err)
	services, err := account.Services(ctx)
	must(s.t, err)
	list := secretsmanager.NewListSecretsPaginator(services.SecretsManager, &secretsmanager.ListSecretsInput{})
	for list.HasMorePages() {
		page, err := list.NextPage(ctx)
		must(s.t, err)
		for _, one := range page.SecretList {
			name := aws.ToString(one.Name)
			d, err := services.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: one.Name})
			must(s.t, err)
			out[name+" schedule"] = fmt.Sprint(aws.ToBool(d.RotationEnabled))
			for _, tag := range d.Tags {
				out[name+" tag "+aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
			for id, labels := range d.VersionIdsToStages {
				for _, label := range labels {
					if label != string(estate.StagePrevious) { // it follows AWSCURRENT, also back
						out[name+" "+label] = id
					}
				}
			}
		}
	}
	cluster, err := s.acting.Kubernetes("prod")
	must(s.t, err)
	all, err := cluster.Clients()
	must(s.t, err)
	deployments, err := all.Typed.AppsV1().Deployments("prod").List(ctx, metav1.ListOptions{})
	must(s.t, err)
	for _, d := range deployments.Items {
		out["deployment "+d.Name] = d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"]
	}
	for _, c := range copiesOf(s) {
		out["copy "+c.name] = c.holds(s.t)
	}
	kind := schema.GroupVersionResource{Group: "external-secrets.io", Version: "v1", Resource: "externalsecrets"}
	external, err := all.Dynamic.Resource(kind).Namespace("prod").List(ctx, metav1.ListOptions{})
	must(s.t, err)
	for _, o := range external.Items {
		spec, err := json.Marshal(o.Object["spec"])
		must(s.t, err)
		out["external "+o.GetName()] = string(spec) + o.GetAnnotations()["warroom/refresh-interval"]
	}
	out["served"] = s.served64()
	files, err := filepath.Glob(filepath.Join(s.world.Dir(), "*"))
	must(s.t, err)
	hidden, err := filepath.Glob(filepath.Join(s.world.Dir(), ".*"))
	must(s.t, err)
	for _, f := range append(files, hidden...) {
		if info, err := os.Stat(f); err != nil || info.IsDir() || strings.HasSuffix(f, "lock") {
			if err == nil && info.IsDir() {
				out["folder "+filepath.Base(f)] = "is there"
			}
			continue
		}
		raw, err := os.ReadFile(f)
		must(s.t, err)
		out["file "+filepath.Base(f)] = digest(string(raw))
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func digest(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:16] }

// copyAt is a copy of a stored secret, read without the procedure's own code.
type copyAt struct {
	secret, name string
	field        string
	read         func(t testing.TB) string // the field's value
}

func (c copyAt) holds(t testing.TB) string { return digest(c.read(t)) }

// copiesOf are the configured copies of the drill's secrets.
func copiesOf(s *stage) []copyAt {
	var out []copyAt
	kube := func(secret, object, field string) {
		out = append(out, copyAt{secret: secret, name: "Secret " + object, field: field, read: func(t testing.TB) string {
			cluster, err := s.acting.Kubernetes("prod")
			must(t, err)
			client, err := cluster.Client()
			must(t, err)
			got, err := client.CoreV1().Secrets("prod").Get(t.Context(), object, metav1.GetOptions{})
			must(t, err)
			return string(got.Data[field])
		}})
	}
	kv := func(secret, path, field string) {
		out = append(out, copyAt{secret: secret, name: "KV " + path, field: field, read: func(t testing.TB) string {
			vault, err := s.acting.Vault("primary")
			must(t, err)
			v, err := vault.ReadKV(t.Context(), "secret", path, 0)
			must(t, err)
			value, err := v.Field(field)
			must(t, err)
			return value.Reveal()
		}})
	}
	kube("prod/db/postgres", "user-service-db", "password")
	kv("prod/db/postgres", "prod/accounts/user-service/database", "password")
	kube("prod/db/analytics", "analytics-db", "password")
	kube("prod/api/payment", "payment-api", "api_key")
	kv("prod/api/payment", "prod/integrations/webhooks/api-key", "api_key")
	return out
}

// value is a field of the version of a stored secret that carries a label.
func (s *stage) value(secret string, label estate.Stage, field string) (estate.Secret, error) {
	v, err := s.set.StoredFresh(s.t.Context(), secret, label)
	if err != nil {
		return estate.Secret{}, err
	}
	return v.Field(field)
}

// served64 is the certificate that the load balancer shows.
func (s *stage) served64() string {
	s.t.Helper()
	for i := range s.cfg.Components {
		b := s.cfg.Components[i].Balancer
		if b == nil {
			continue
		}
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: b.Endpoints[0].ServerName}} // what is shown is looked at, not trusted
		conn, err := d.DialContext(s.t.Context(), "tcp", b.Endpoints[0].Address)
		must(s.t, err)
		defer conn.Close()
		return digest(base64.StdEncoding.EncodeToString(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw))
	}
	s.t.Fatal("no load balancer")
	return ""
}

// differs lists what of two shapes is not the same, but for what is let pass.
func differs(before, after map[string]string, pass ...string) []string {
	var out []string
	keys := slices.Sorted(maps.Keys(before))
	for key := range after {
		if _, ok := before[key]; !ok {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if before[key] != after[key] && !slices.ContainsFunc(pass, func(p string) bool { return strings.HasPrefix(key, p) }) {
			out = append(out, fmt.Sprintf("%s: %q before, %q after", key, before[key], after[key]))
		}
	}
	return out
}

// rotated is the goal of a rotation: another version is current, it works, nothing of
// the rotation is left, and every copy holds it.
func rotated(s *stage, before map[string]string) {
	s.t.Helper()
	secret := s.ask.secret
	after := s.shape()
	if after[secret+" AWSCURRENT"] == before[secret+" AWSCURRENT"] {
		s.t.Errorf("%s: the same version is current as before", secret)
	}
	settled(s, after, secret)
	field := "password"
	if strings.HasPrefix(secret, "prod/api/") {
		field = "api_key"
	} else {
		s.logsIn(secret, estate.StageCurrent)
	}
	now, err := s.value(secret, estate.StageCurrent, field)
	must(s.t, err)
	for _, c := range copiesOf(s) {
		if c.secret == secret && c.holds(s.t) != digest(now.Reveal()) {
			s.t.Errorf("%s does not hold what is current", c.name)
		}
	}
	for key, value := range before {
		if strings.HasPrefix(key, "external ") && after[key] != value {
			s.t.Errorf("%s is %s and was %s", key, after[key], value)
		}
	}
}

// settled is that no label or tag of a rotation is left.
func settled(s *stage, after map[string]string, secret string) {
	s.t.Helper()
	for key := range after {
		if rest, ok := strings.CutPrefix(key, secret+" "); ok && (rest == "AWSPENDING" || strings.HasPrefix(rest, "warroom") || rest == "tag warroom:rotation") {
			s.t.Errorf("%s is left at %s", rest, secret)
		}
	}
}

// logsIn is that a stored credential is let in by the primary.
func (s *stage) logsIn(secret string, label estate.Stage) {
	s.t.Helper()
	user, err := s.value(secret, label, "username")
	must(s.t, err)
	password, err := s.value(secret, label, "password")
	must(s.t, err)
	for i := range s.cfg.Components {
		pg := s.cfg.Components[i].Postgres
		if pg == nil || pg.Role != "primary" {
			continue
		}
		server := clients.NewPostgres(clients.PostgresServer{Host: pg.Host, Port: pg.Port, Database: pg.Database, SSLMode: pg.SSLMode, CACert: pg.CACert}, s.set.Text)
		try := server.Login(s.t.Context(), user.Reveal(), password)
		if try.Err != nil || try.Login.Outcome != estate.LoginAccepted {
			s.t.Errorf("%s of %s does not log in: %v %s", label, secret, try.Err, try.Login.Outcome)
		}
	}
}

// requested is that the platform has made another version current, which works.
func requested(s *stage, before map[string]string) {
	s.t.Helper()
	if s.shape()[s.ask.secret+" AWSCURRENT"] == before[s.ask.secret+" AWSCURRENT"] {
		s.t.Errorf("%s: the same version is current as before", s.ask.secret)
	}
	s.logsIn(s.ask.secret, estate.StageCurrent)
}

// revoked is that the provider refuses the key before, and takes the current one.
func revoked(s *stage, _ map[string]string) {
	s.t.Helper()
	for i := range s.cfg.Components {
		m := s.cfg.Components[i].SecretsManager
		if m == nil {
			continue
		}
		for _, one := range m.Secrets {
			if one.ID != s.ask.secret {
				continue
			}
			for label, want := range map[estate.Stage]int{estate.StagePrevious: http.StatusUnauthorized, estate.StageCurrent: http.StatusOK} {
				key, err := s.value(one.ID, label, "api_key")
				must(s.t, err)
				req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, one.Rotation.APIKey.Probe.URL, nil)
				must(s.t, err)
				req.Header.Set("Authorization", "Bearer "+key.Reveal())
				resp, err := insecure().Do(req)
				must(s.t, err)
				resp.Body.Close()
				if resp.StatusCode != want {
					s.t.Errorf("the provider answers %d to %s, not %d", resp.StatusCode, label, want)
				}
			}
		}
	}
}

// recovered is that what the story has broken works again: the password of the
// application, and what is served.
func recovered(s *stage, before map[string]string) {
	s.t.Helper()
	after := s.shape()
	if after["served"] != before["served"] {
		renewed(s, before)
	}
	if after["prod/db/postgres AWSCURRENT"] != before["prod/db/postgres AWSCURRENT"] {
		s.logsIn("prod/db/postgres", estate.StageCurrent)
		settled(s, after, "prod/db/postgres")
	}
	if len(differs(before, after)) == 0 {
		s.t.Error("nothing was recovered")
	}
}

// renewed is that another certificate is served, and nothing is left of its making.
func renewed(s *stage, before map[string]string) {
	s.t.Helper()
	after := s.shape()
	if after["served"] == before["served"] {
		s.t.Error("the same certificate is served as before")
	}
	for key := range after {
		if folder, ok := strings.CutPrefix(key, "folder "); ok && before[key] == "" {
			// The back-up of what was replaced stays there; a copy of the new key does not.
			if _, err := os.Stat(filepath.Join(s.world.Dir(), folder, "key.pem")); err == nil {
				s.t.Errorf("the temporary key is left in %s", folder)
			}
		}
	}
}

// scheduled is that rotations are on or off.
func scheduled(on bool, secrets ...string) func(*stage, map[string]string) {
	return func(s *stage, _ map[string]string) {
		s.t.Helper()
		after := s.shape()
		for _, secret := range secrets {
			if after[secret+" schedule"] != fmt.Sprint(on) {
				s.t.Errorf("the rotation of %s is on: %s", secret, after[secret+" schedule"])
			}
		}
	}
}

// restarted is that the user service runs on pods of another revision, each restarted
// once.
func restarted(s *stage, before map[string]string) {
	s.t.Helper()
	after := s.shape()
	if after["deployment user-service"] == before["deployment user-service"] {
		s.t.Error("the user service was not restarted")
	}
	cluster, err := s.acting.Kubernetes("prod")
	must(s.t, err)
	client, err := cluster.Client()
	must(s.t, err)
	d, err := client.AppsV1().Deployments("prod").Get(s.t.Context(), "user-service", metav1.GetOptions{})
	must(s.t, err)
	if want := *d.Spec.Replicas; d.Status.UpdatedReplicas != want || d.Status.AvailableReplicas != want || d.Status.Replicas != want {
		s.t.Errorf("of %d pods %d are of the new revision and %d available", want, d.Status.UpdatedReplicas, d.Status.AvailableReplicas)
	}
}

// unsealed is that no node of the primary Vault is sealed.
func unsealed(s *stage, _ map[string]string) {
	s.t.Helper()
	for _, address := range s.nodes() {
		resp, err := insecure().Get(address + "/v1/sys/seal-status")
		must(s.t, err)
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must(s.t, err)
		if !strings.Contains(string(raw), `"sealed":false`) {
			s.t.Errorf("%s: %s", address, raw)
		}
	}
}

func insecure() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} // of the test's own world
}

// nodes are the addresses of the primary Vault's nodes.
func (s *stage) nodes() []string {
	for _, v := range s.cfg.Vaults {
		if v.Name == "primary" {
			return v.Nodes
		}
	}
	return nil
}

// seal closes the primary Vault, and gives the shares that open it as files.
func seal(t *testing.T, s *stage) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.world.Dir(), "vault-admin.token"))
	must(t, err)
	for _, address := range s.nodes() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address+"/v1/sys/seal", nil)
		must(t, err)
		req.Header.Set("X-Vault-Token", strings.TrimSpace(string(token)))
		resp, err := insecure().Do(req)
		must(t, err)
		resp.Body.Close()
	}
	shares, err := os.ReadFile(filepath.Join(s.world.Dir(), "vault-primary.shares"))
	must(t, err)
	for share := range strings.FieldsSeq(string(shares)) {
		path := filepath.Join(t.TempDir(), "share")
		must(t, os.WriteFile(path, []byte(share), 0o600))
		s.shares = append(s.shares, path)
	}
}
