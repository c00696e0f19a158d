package clients

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"warroom/internal/config"
)

// documented are the fenced blocks of a language in the documented permissions, by the
// heading above each.
func documented(t *testing.T, language string) (headings, blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	heading, inside := "", false
	for line := range strings.Lines(string(text)) {
		switch {
		case inside && line == "```\n":
			inside = false
		case inside:
			blocks[len(blocks)-1] += line
		case line == "```"+language+"\n":
			inside = true
			headings, blocks = append(headings, heading), append(blocks, "")
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return headings, blocks
}

// actions are those of the documented AWS roles: of reading and of acting.
func actions(t *testing.T) (read, act []string) {
	t.Helper()
	headings, blocks := documented(t, "json")
	for i, block := range blocks {
		var policy struct {
			Statement []struct {
				Effect   string
				Action   []string
				Resource any
			}
		}
		if err := json.Unmarshal([]byte(block), &policy); err != nil {
			t.Fatalf("%s: %v", headings[i], err)
		}
		for _, s := range policy.Statement {
			if s.Effect != "Allow" || len(s.Action) == 0 || s.Resource == nil {
				t.Errorf("%s: %+v", headings[i], s)
			}
			if headings[i] == "AWS" {
				read = append(read, s.Action...)
			} else {
				act = append(act, s.Action...)
			}
		}
	}
	return read, act
}

// Nothing that the reading role may do counts as a change to us, and whatever the
// procedures call is allowed to one of the two.
func TestDocumentedAWSRoles(t *testing.T) {
	read, act := actions(t)
	for _, action := range read {
		if action != "apigateway:GET" && action != "kms:Decrypt" && !awsReads[action] {
			t.Errorf("the read role allows %s, which is none of our reads", action)
		}
	}
	for _, action := range act {
		for _, word := range []string{"*", ":Delete", ":Create"} {
			if strings.Contains(action, word) {
				t.Errorf("the act role allows %s", action)
			}
		}
	}
	calls := regexp.MustCompile(`\.(SecretsManager|ACM|KMS|Lambda|IAM)\.([A-Z]\w+)\(`)
	found := 0
	err := filepath.WalkDir("../../actions", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range calls.FindAllStringSubmatch(string(text), -1) {
			found++
			if name := strings.ToLower(m[1]) + ":" + m[2]; !slices.Contains(read, name) && !slices.Contains(act, name) {
				t.Errorf("%s calls %s, which no documented role allows", path, name)
			}
		}
		return err
	})
	if err != nil || found < 5 {
		t.Errorf("%d calls found, %v", found, err)
	}
}

// The examples are what their systems take, and are those of the drill, where they are
// put to the test.
func TestDocumentedActRoles(t *testing.T) {
	has := func(language, file string) {
		t.Helper()
		text, err := os.ReadFile("../drill/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if _, blocks := documented(t, language); !slices.Contains(blocks, string(text)) {
			t.Errorf("docs/permissions.md does not have %s as it is", file)
		}
	}
	has("json", "aws-act-policy.json")
	has("hcl", "vault-act-policy.hcl")
	has("yaml", "kubernetes-act-role.yaml")
	headings, blocks := documented(t, "yaml")
	roles := 0
	for i, block := range blocks {
		if !strings.HasPrefix(block, "apiVersion") {
			whole := "version: 1\nenvironment: test\n" + block + "components:\n  - {id: a, name: A, plane: service, application: {secrets: []}}\n"
			if _, err := config.Parse("warroom.yaml", []byte(whole)); err != nil {
				t.Errorf("%s: %v", headings[i], err)
			}
			continue
		}
		var role rbac.Role
		if err := yaml.NewYAMLOrJSONDecoder(strings.NewReader(block), len(block)).Decode(&role); err != nil || role.Kind != "Role" || len(role.Rules) == 0 {
			t.Errorf("%s: %v", headings[i], err)
		}
		roles++
	}
	if roles != 2 {
		t.Errorf("%d roles of Kubernetes, want 2", roles)
	}
	line := regexp.MustCompile(`^path "[^"]+" *\{ capabilities = \[("[a-z]+"(, )?)+\] \}$`)
	_, policies := documented(t, "hcl")
	for _, policy := range policies {
		for text := range strings.Lines(policy) {
			if text = strings.TrimSpace(text); text != "" && !strings.HasPrefix(text, "#") && !line.MatchString(text) {
				t.Errorf("not a line of a policy: %s", text)
			}
		}
	}
}
