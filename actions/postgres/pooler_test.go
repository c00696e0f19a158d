package postgres

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// open lets every call through.
type open struct{}

func (open) Around(_ context.Context, _ clients.Call, do func() error) error { return do() }

func TestALineOfAPoolerIsReplaced(t *testing.T) {
	const others = "; a comment\n\"boss\" \"SCRAM-SHA-256$4096:x\"\n"
	for name, c := range map[string]struct{ before, user, other, want string }{
		"replaced":           {others + "\"app\" \"old\"\n", "app", "app", others + "\"app\" \"n\"\"ew\"\n"},
		"with more in it":    {"\"app\"  \"old\" \"what follows\"\n" + others, "app", "app", "\"app\" \"n\"\"ew\"\n" + others},
		"beside the other":   {others + "\"app\" \"old\"", "app_clone", "app", others + "\"app\" \"old\"\n\"app_clone\" \"n\"\"ew\"\n"},
		"known by a query":   {others, "app", "app", others},
		"a name with quotes": {"\"a\"\"b\" \"old\"\n", `a"b`, `a"b`, "\"a\"\"b\" \"n\"\"ew\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "userlist.txt")
			if err := os.WriteFile(path, []byte(c.before), 0o640); err != nil {
				t.Fatal(err)
			}
			p := Pooler{config.Pooler{Name: "pool", UserList: path}}
			secret := estate.NewSecret(`n"ew`)
			if err := p.SetLine(t.Context(), c.user, c.other, secret); err == nil {
				t.Error("it is changed without a permit")
			}
			if err := p.SetLine(clients.WithPermit(t.Context(), open{}), c.user, c.other, secret); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil || string(text) != c.want {
				t.Errorf("%q, want %q: %v", text, c.want, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the mode is %v: %v", info.Mode(), err)
			}
			if ok, err := p.HasLine(c.user, c.other, secret); err != nil || !ok {
				t.Errorf("it does not read as put there: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".warroom-*")); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

func FuzzUserLine(f *testing.F) {
	f.Add(`"app" "pass""word"`)
	f.Add(`"app`)
	f.Fuzz(func(t *testing.T, line string) {
		user, password, ok := userLine(line)
		if !ok || strings.ContainsAny(line, "\n") {
			return
		}
		if u, p, ok := userLine(quoted(user) + " " + quoted(password)); !ok || u != user || p != password {
			t.Errorf("%q reads as %q %q, and then as %q %q", line, user, password, u, p)
		}
	})
}

func TestPositionsInTheWAL(t *testing.T) {
	for text, want := range map[string]LSN{"0/0": 0, "16/B374D848": 0x16B374D848, "FFFFFFFF/FFFFFFFF": 1<<64 - 1} {
		if got, err := parseLSN(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "/", "G/0", "0/100000000", "-1/0"} {
		if _, err := parseLSN(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestNamesAndTextsAreQuoted(t *testing.T) {
	got := SetPassword(`a"b`, "SCRAM-SHA-256$4096:s$k:v", "2030-01-01T00:00:00Z")
	if want := `ALTER ROLE "a""b" WITH PASSWORD 'SCRAM-SHA-256$4096:s$k:v' VALID UNTIL '2030-01-01T00:00:00Z'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := literal("it's"); got != "'it''s'" {
		t.Errorf("%s", got)
	}
	if _, err := Verifier(estate.NewSecret(`back\slash`), true); err == nil {
		t.Error("a backslash is sent in clear")
	}
}
