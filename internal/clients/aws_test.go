package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/redact"
)

// isolate keeps the machine's own AWS settings out of a test.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
}

func keys(t *testing.T) {
	t.Helper()
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "fake")
}

func account(t *testing.T, a config.AWSAccount) (*Set, *AWS) {
	t.Helper()
	if a.Name == "" {
		a.Name = "main"
	}
	set := New(&config.Config{Checks: config.Checks{Timeout: 2 * time.Second}, AWS: []config.AWSAccount{a}})
	t.Cleanup(set.Close)
	one, err := set.AWS(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	return set, one
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// secretStore answers GetSecretValue and DescribeSecret from a table of answers
// and errors.
func secretStore(t *testing.T, answers map[string]string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		body, _ := io.ReadAll(r.Body)
		if operation == "GetSecretValue" && !strings.Contains(string(body), `"VersionStage"`) {
			t.Errorf("GetSecretValue without a staging label: %s", body)
		}
		text, ok := answers[operation]
		if !ok {
			text = "!AccessDeniedException not for you"
		}
		if code, found := strings.CutPrefix(text, "!"); found {
			code, message, _ := strings.Cut(code, " ")
			w.WriteHeader(400)
			_, _ = fmt.Fprintf(w, `{"__type":%q,"message":%q}`, code, message)
			return
		}
		_, _ = io.WriteString(w, text)
	})
}

func stored(t *testing.T, text string) Value {
	t.Helper()
	keys(t)
	answer, _ := json.Marshal(map[string]any{"Name": "x", "VersionId": "v1", "VersionStages": []string{"AWSCURRENT"}, "CreatedDate": 100, "SecretString": text})
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: secretStore(t, map[string]string{"GetSecretValue": string(answer)})})
	v, err := a.Value(t.Context(), "x", estate.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestValue(t *testing.T) {
	big := strings.Repeat("k", 64<<10-20)
	tests := map[string]struct {
		stored, field, want, bad string
	}{
		"field":           {`{"username":"app","password":"p\"w"}`, "password", `p"w`, ""},
		"64 KiB":          {`{"password":"` + big + `"}`, "password", big, ""},
		"not JSON":        {`CANARY-plain`, "password", "", "not a JSON object"},
		"JSON but a list": {`["CANARY-plain"]`, "password", "", "not a JSON object"},
		"JSON null":       {`null`, "password", "", "not a JSON object"},
		"lacks the field": {`{"pass":"CANARY-plain"}`, "password", "", `no key "password"`},
		"number":          {`{"password":12345678}`, "password", "", "not a string"},
		"null":            {`{"password":null}`, "password", "", "not a string"},
		"empty field":     {`{"password":""}`, "password", "", "is empty"},
		"empty":           {``, "password", "", "is empty"},
		"blank":           {" \n", "password", "", "is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := stored(t, test.stored)
			if v.VersionID != "v1" || v.Created.Unix() != 100 || len(v.Stages) != 1 || v.Stages[0] != estate.StageCurrent {
				t.Errorf("got %+v", v)
			}
			got, err := v.Field(test.field)
			if test.bad == "" {
				if err != nil || got.Reveal() != test.want {
					t.Errorf("got a value of %d bytes, %v", len(got.Reveal()), err)
				}
				return
			}
			var f *estate.Failure
			if !errors.As(err, &f) || f.Kind != estate.BadSecret || !strings.Contains(f.Detail, test.bad) {
				t.Errorf("got %v, want %q", err, test.bad)
			}
			for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v %#v", v, v)} {
				if strings.Contains(text, "CANARY") {
					t.Errorf("shows the value: %s", text)
				}
			}
		})
	}
}

func TestBinaryValue(t *testing.T) {
	keys(t)
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: secretStore(t, map[string]string{"GetSecretValue": `{"VersionId":"v1","SecretBinary":"AAECAwQFBgc="}`})})
	v, err := a.Value(t.Context(), "x", estate.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	var f *estate.Failure
	if _, err := v.Text(); !errors.As(err, &f) || f.Kind != estate.BadSecret || !strings.Contains(f.Detail, "binary") {
		t.Errorf("got %v", err)
	}
}

func TestValueThatIsNotThere(t *testing.T) {
	const label = "!ResourceNotFoundException Secrets Manager can't find the specified secret value for staging label: AWSPENDING"
	const secret = "!ResourceNotFoundException Secrets Manager can't find the specified secret."
	tests := map[string]struct {
		answers     map[string]string
		noVersion   bool
		wantVersion string
		kind        estate.FailureKind
	}{
		"no label":               {map[string]string{"GetSecretValue": label, "DescribeSecret": `{"Name":"x","VersionIdsToStages":{"v1":["AWSCURRENT"]}}`}, true, "", estate.Missing},
		"label on nothing":       {map[string]string{"GetSecretValue": secret, "DescribeSecret": `{"Name":"x","VersionIdsToStages":{"v2":["AWSPENDING"]}}`}, true, "v2", estate.Missing},
		"label, may not ask":     {map[string]string{"GetSecretValue": label}, true, "", estate.Missing},
		"no secret":              {map[string]string{"GetSecretValue": secret, "DescribeSecret": secret}, false, "", estate.Missing},
		"no secret, may not ask": {map[string]string{"GetSecretValue": secret}, false, "", estate.Missing},
		"denied":                 {map[string]string{}, false, "", estate.Denied},
		"key denied":             {map[string]string{"GetSecretValue": "!AccessDeniedException Access to KMS is not allowed"}, false, "", estate.Denied},
		"not its answer":         {map[string]string{"GetSecretValue": `{}`}, false, "", estate.BadAnswer},
		"marked deleted":         {map[string]string{"GetSecretValue": "!InvalidRequestException You can't perform this operation on the secret because it was marked for deletion.", "DescribeSecret": `{"Name":"x","DeletedDate":100}`}, false, "", estate.Missing},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			keys(t)
			_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: secretStore(t, test.answers)})
			_, err := a.Value(t.Context(), "x", estate.StagePending)
			var absent *NoVersionError
			if errors.As(err, &absent) != test.noVersion || test.noVersion && absent.Version != test.wantVersion {
				t.Errorf("got %#v", err)
			}
			if f := Classify(err, ""); f.Kind != test.kind {
				t.Errorf("got %v, want %q", f, test.kind)
			}
		})
	}
}

func TestWhatWasReadIsScrubbed(t *testing.T) {
	keys(t)
	inner, _ := json.Marshal(map[string]any{
		"username": "application", "engine": "postgres", "host": "db.prod.internal", "password": "CANARY-one", "url": "postgres://app:CANARY-two@db.prod.internal/x",
		"nested": map[string]any{"api_key": "CANARY-three", "list": []string{"CANARY4four"}}, "pem": "-----BEGIN KEY-----\nCANARY-five-and-more\n-----END KEY-----\n",
		"expires": "2026-01-02T03:04:05Z", "note": "production",
	})
	answer, _ := json.Marshal(map[string]any{"VersionId": "v1", "SecretString": string(inner)})
	set, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: secretStore(t, map[string]string{"GetSecretValue": string(answer)})})
	if _, err := a.Value(t.Context(), "x", estate.StageCurrent); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"CANARY-one", "CANARY-two", "CANARY-three", "CANARY4four", "CANARY-five-and-more", string(inner)} {
		if got := set.Text("said "+secret+" there", 1000); strings.Contains(got, "CANARY") {
			t.Errorf("%q stays in %q", secret, got)
		}
	}
	if got := set.Text("said CANA\x1b[0mRY-one there", 100); strings.Contains(got, "CANARY") {
		t.Errorf("a value split by a control sequence stays in %q", got)
	}
	if got := set.Text("said CANARY-one there", 10); strings.Contains(got, "CAN") {
		t.Errorf("the beginning of a value stays in %q", got)
	}
	const harmless = "postgres production application at db.prod.internal, 2026-01-02T03:04:05Z"
	if got := set.Text(harmless, 1000); got != harmless {
		t.Errorf("harmless text became %q", got)
	}
	if f := set.Failure(errors.New("it said CANARY-one"), "ask"); strings.Contains(f.Error(), "CANARY") {
		t.Errorf("failure says %v", f)
	}
	if text := fmt.Sprintf("%v %+v %#v", set, set, a); strings.Contains(text, "CANARY") {
		t.Error("a Set prints what it read")
	}
}

// A session that expires is renewed in the shared file while we run.
func TestRenewedCredentialsAreTakenUp(t *testing.T) {
	isolate(t)
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(key string) {
		text := fmt.Sprintf("[ops]\naws_access_key_id=%s\naws_secret_access_key=x\n", key)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=AKIANEW/") {
			_, _ = io.WriteString(w, `{"Name":"x"}`)
			return
		}
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"__type":"ExpiredTokenException","message":"expired"}`)
	})
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: endpoint, Profile: "ops", SharedFiles: []string{file}})
	describe := func() error {
		s, err := a.Services(t.Context())
		if err != nil {
			return err
		}
		_, err = s.SecretsManager.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: new(string)})
		return err
	}
	write("AKIAOLD")
	if f := a.Failure(describe(), "x"); f == nil || f.Kind != estate.NoIdentity || !strings.Contains(f.Next, "aws sso login --profile ops") {
		t.Fatalf("got %v", f)
	}
	write("AKIANEW")
	if err := describe(); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

func TestConfigurationThatIsWrong(t *testing.T) {
	isolate(t)
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Profile: "nobody"})
	if _, err := a.Services(t.Context()); Classify(err, "").Kind != estate.Misconfigure {
		t.Errorf("a profile that is not there: %v", err)
	}
	keys(t)
	_, a = account(t, config.AWSAccount{})
	if _, err := a.Services(t.Context()); Classify(err, "").Kind != estate.Misconfigure || !strings.Contains(err.Error(), "region") {
		t.Errorf("no region: %v", err)
	}
	if _, err := New(&config.Config{}).AWS("main"); Classify(err, "").Kind != estate.Misconfigure {
		t.Errorf("no account: %v", err)
	}
}

func TestAssumedRole(t *testing.T) {
	keys(t)
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "Action=AssumeRole"):
			_, _ = io.WriteString(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
				`<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
		case strings.Contains(r.Header.Get("Authorization"), "Credential=ASIAROLE/"):
			_, _ = io.WriteString(w, `{"VersionId":"v1","SecretString":"x"}`)
		default:
			t.Errorf("called as %s", r.Header.Get("Authorization"))
			w.WriteHeader(400)
		}
		if agent := r.Header.Get("User-Agent"); !strings.Contains(agent, "warroom/") {
			t.Errorf("user agent %q does not mark us", agent)
		}
	})
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: endpoint, RoleARN: "arn:aws:iam::1:role/reader"})
	if _, err := a.Value(t.Context(), "x", estate.StageCurrent); err != nil {
		t.Fatal(err)
	}
	if end, err := a.Expires(t.Context()); err != nil || end.Year() != 2099 && end.Year() != 2098 {
		t.Errorf("expires %s, %v", end, err)
	}
}

func TestPace(t *testing.T) {
	keys(t)
	var calls atomic.Int32
	endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = io.WriteString(w, `{"SecretList":[]}`)
	})
	_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: endpoint})
	s, err := a.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := s.SecretsManager.ListSecrets(ctx, &secretsmanager.ListSecretsInput{})
		return err
	}
	if err := list(); err != nil || calls.Load() != 1 {
		t.Fatalf("%d calls, %v", calls.Load(), err)
	}
	// The pace is spent for the next minute: the turn cannot come in time, so
	// nothing is sent and the reading says that we hold back, not that AWS fails.
	pace := paces["ListSecrets"]
	for range int(60*pace.perSecond)/pace.burst + 1 {
		a.pace.limiter("ListSecrets").ReserveN(time.Now(), pace.burst)
	}
	f := a.Failure(list(), "list")
	if f == nil || f.Kind != estate.Paused || !strings.Contains(f.Detail, "ListSecrets") || calls.Load() != 1 {
		t.Errorf("%d calls, %v; want no second call and %q", calls.Load(), f, estate.Paused)
	}
	// Another operation has a pace of its own.
	if _, err := s.SecretsManager.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: new(string)}); err != nil || calls.Load() != 2 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestPlace(t *testing.T) {
	_, a := account(t, config.AWSAccount{Name: "prod", Region: "eu-west-1", Endpoint: "https://user:CANARY@host:8443/path?x=CANARY"})
	if got := a.Place(); got != "AWS prod eu-west-1 at https://host:8443" {
		t.Errorf("got %q", got)
	}
}

// An endpoint that echoes what it was sent does not get our own credentials on
// the screen: neither those of the account nor those that assumed its role.
func TestOurOwnCredentialsAreNotShown(t *testing.T) {
	const (
		id, key, token             = "AKIACANARYSOURCE0001", "canary/source+key/0123456789abcdefghijkl", "canary-source-token//0123456789=="
		roleID, roleKey, roleToken = "ASIACANARYROLE000002", "canary/role+key/9876543210zyxwvutsrqponm", "canary-role-token//9876543210=="
	)
	secret := []string{id, key, token, roleID, roleKey, roleToken}
	shows := func(text string) bool {
		for _, one := range secret {
			if strings.Contains(text, one) || strings.Contains(text, url.QueryEscape(one)) {
				return true
			}
		}
		return false
	}
	var echoed atomic.Int32
	echo := func(w http.ResponseWriter, r *http.Request) {
		said := fmt.Sprintf("token %s, authorization %s, key %s", r.Header.Get("X-Amz-Security-Token"), r.Header.Get("Authorization"), key)
		if shows(said) && strings.Contains(said, "canary") {
			echoed.Add(1)
		}
		text, _ := json.Marshal(map[string]string{"__type": "ValidationException", "message": said})
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(400)
		_, _ = w.Write(text)
	}
	assume := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "" {
			echo(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>`+
			`<SessionToken>%s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, roleID, roleKey, roleToken)
	}
	refuseRole := func(w http.ResponseWriter, r *http.Request) {
		echoed.Add(1)
		w.WriteHeader(403)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>%s %s</Message></Error></ErrorResponse>`,
			r.Header.Get("X-Amz-Security-Token"), r.Header.Get("Authorization"))
	}
	for _, x := range []struct {
		name, role string
		answer     http.HandlerFunc
	}{{"keys", "", echo}, {"role", "arn:aws:iam::1:role/reader", assume}, {"role refused", "arn:aws:iam::1:role/reader", refuseRole}} {
		t.Run(x.name, func(t *testing.T) {
			isolate(t)
			t.Setenv("AWS_ACCESS_KEY_ID", id)
			t.Setenv("AWS_SECRET_ACCESS_KEY", key)
			t.Setenv("AWS_SESSION_TOKEN", token)
			echoed.Store(0)
			_, a := account(t, config.AWSAccount{Region: "eu-west-1", Endpoint: serve(t, x.answer), RoleARN: x.role})
			_, err := a.Value(t.Context(), "x", estate.StageCurrent)
			if err == nil || echoed.Load() == 0 {
				t.Fatalf("nothing was echoed: %v", err)
			}
			if shows(err.Error()) || !strings.Contains(err.Error(), redact.Mask) {
				t.Errorf("got %v, want it scrubbed", err)
			}
		})
	}
}
