package estate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/glossary.md anew")

const glossaryFile = "../../docs/glossary.md"

// The page is made from the same terms as the console's glossary.
func TestGlossaryIsFresh(t *testing.T) {
	want := glossaryPage()
	if *update {
		if err := os.WriteFile(glossaryFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(glossaryFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/glossary.md is not what the glossary says: go test ./internal/estate -run Glossary -update")
	}
}

func glossaryPage() []byte {
	var b bytes.Buffer
	b.WriteString(`# Glossary

What every word and figure of the console means, how it is computed, over what time, from which call, and which keys of
[warroom.yaml](config.md) decide it. The console shows the same: ` + "`x`" + ` opens it, and the detail of a component (` + "`enter`" + `) has the
formula and the source of each of its figures.
`)
	for _, theme := range []struct {
		title string
		terms []Term
	}{
		{"Words", wordTerms}, {"Edge and secret management", secretTerms}, {"Applications", serviceTerms},
		{"Vault, secret store and targets", stateTerms}, {"Monitors", controlTerms},
	} {
		fmt.Fprintf(&b, "\n## %s\n", theme.title)
		for _, term := range theme.terms {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", term.Name, term.Means)
			var list []string
			for _, p := range [][2]string{{"Formula", term.Formula}, {"Window", term.Window}, {"Source", term.Source}} {
				if p[1] != "" {
					list = append(list, fmt.Sprintf("- %s: %s", p[0], p[1]))
				}
			}
			if len(term.Keys) > 0 {
				list = append(list, "- Keys: `"+strings.Join(term.Keys, "`, `")+"`")
			}
			if len(list) > 0 {
				fmt.Fprintf(&b, "\n%s\n", strings.Join(list, "\n"))
			}
		}
	}
	return b.Bytes()
}

// A term is whole, there is one of a name, and a figure of a kind has one meaning.
func TestGlossaryIsSound(t *testing.T) {
	names, figures := map[string]bool{}, map[string]string{}
	for _, term := range Glossary() {
		if names[term.Name] {
			t.Errorf("%s stands twice", term.Name)
		}
		names[term.Name] = true
		if term.Name == "" || !strings.HasSuffix(term.Means, ".") {
			t.Errorf("%q says %q", term.Name, term.Means)
		}
		if strings.Contains(term.Window, "windows.") && len(term.Keys) == 0 {
			t.Errorf("%s names a window and no key", term.Name)
		}
		for _, f := range term.Figures {
			kinds := term.Kinds
			if kinds == nil {
				kinds = []Kind{""}
			}
			for _, k := range kinds {
				if other := figures[string(k)+f]; other != "" {
					t.Errorf("%s of %q is explained by %s and by %s", f, k, other, term.Name)
				}
				figures[string(k)+f] = term.Name
			}
		}
	}
	for _, c := range []struct {
		kind   Kind
		figure string
		want   string
	}{
		{KindRotationMonitor, "Success rate", "Success rate"},
		{KindPostgres, "Login AWSCURRENT", "Password"},
		{KindPostgres, "Replica (r1)", "Replay lag"},
		{KindVault, "Secrets", "Secrets"},
		{KindSecretMonitor, "Secrets", ""},
		{KindPostgres, "Logins", ""},
	} {
		if got, _ := Explain(c.kind, c.figure); got.Name != c.want {
			t.Errorf("%s of %s is explained by %q, want %q", c.figure, c.kind, got.Name, c.want)
		}
	}
}
