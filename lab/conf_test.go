package lab

import (
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
)

func TestPgbouncerConf(t *testing.T) {
	conf := pgbouncerConf("/d", 1, 2, "/ca.pem")
	for _, want := range []string{"* = host=127.0.0.1 port=2\n", "listen_port = 1\n", "auth_type = scram-sha-256\n", "auth_file = /d/userlist.txt\n", "server_tls_sslmode = verify-full\n", "server_tls_ca_file = /ca.pem\n"} {
		if !strings.Contains(conf, want) {
			t.Errorf("no %q in\n%s", want, conf)
		}
	}
}

func TestKubeconfig(t *testing.T) {
	text := kubeconfig("https://127.0.0.1:1", "/ca.pem", "admin", "token")
	for _, want := range []string{`server: "https://127.0.0.1:1"`, `certificate-authority: "/ca.pem"`, `token: "token"`, "current-context: lab\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestExternalSecretStatus(t *testing.T) {
	text := externalSecretStatus(time.Unix(0, 0).UTC(), "False", "SecretSyncedError", "it is \"gone\"")
	for _, want := range []string{`"reason":"SecretSyncedError"`, `"status":"False"`, `it is \"gone\"`, `1970-01-01T00:00:00Z`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// The second cluster differs from the first in one entry of each kind.
func TestTheCopyDiffers(t *testing.T) {
	missing, behind := 0, 0
	for _, e := range vaultEntries {
		switch {
		case e.copied > e.versions || e.versions == 0:
			t.Errorf("%s: %d of %d versions", e.path, e.copied, e.versions)
		case e.copied == 0:
			missing++
		case e.copied < e.versions:
			behind++
		}
	}
	if missing != 1 || behind != 1 {
		t.Errorf("%d missing, %d behind", missing, behind)
	}
}

// The reader may see no value: of KV it has the metadata, and of the static roles
// not the credentials.
func TestTheReaderMayReadNoValue(t *testing.T) {
	for line := range strings.Lines(vaultReaderPolicy) {
		for _, forbidden := range []string{`"secret/data`, "static-creds", `"*"`, `"secret/*"`, "update", "create", "delete"} {
			if strings.Contains(line, forbidden) {
				t.Errorf("%s", line)
			}
		}
	}
}

func TestUnitsHaveWhatTheyName(t *testing.T) {
	all := units("lab1")
	for _, name := range []string{goodUnit, failedUnit, goodTimer, failedTimer} {
		if all[name] == "" {
			t.Errorf("no unit %s", name)
		}
		if job, ok := strings.CutSuffix(name, ".timer"); ok && all[job+".service"] == "" {
			t.Errorf("%s has no job", name)
		}
	}
	// What runs for long is in the slice, or another manager would stop it.
	for name, text := range all {
		if strings.Contains(text, "ExecStart=") && !strings.Contains(text, "\nSlice=lab1.slice\n") {
			t.Errorf("%s is in no slice of its own", name)
		}
	}
}

func TestShellQuote(t *testing.T) {
	if got, want := shellQuote("it's"), `'it'\''s'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheEstateTemplateParses(t *testing.T) {
	if _, err := template.New("estate").Funcs(template.FuncMap{"q": func(any) string { return "" }}).Parse(estateTemplate); err != nil {
		t.Error(err)
	}
}

func TestControlGroups(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"0::/user.slice/a.scope\n", []string{"/sys/fs/cgroup/user.slice/a.scope", "/sys/fs/cgroup/unified/user.slice/a.scope"}},
		{"9:name=systemd:/b\n8:memory:/\nnonsense\n", []string{"/sys/fs/cgroup/systemd/b"}},
		{"", nil},
	} {
		if got := controlGroups(test.text); !slices.Equal(got, test.want) {
			t.Errorf("%q: %v, want %v", test.text, got, test.want)
		}
	}
}
