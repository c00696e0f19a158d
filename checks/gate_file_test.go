package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

var gateKeyTest = gateKey{"db.example.com:5432", "app_user", pgSecret, "v-0123456789"}

// gateOn is a gate with a file, as another process has it.
func gateOn(path string, c *pgClock) *gate {
	return newGate(c.Now, &gateFile{path: path, patience: 20 * time.Second})
}

func newPGClock() *pgClock { return &pgClock{now: time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)} }

// tries presents a credential and says whether it was really tried.
func tries(t *testing.T, g *gate, k gateKey, o outcome) (attempt, bool) {
	t.Helper()
	tried := false
	got, err := g.present(t.Context(), k, asker{by: "test"}, func(context.Context) outcome { tried = true; return o })
	if err != nil {
		t.Fatal(err)
	}
	return got, tried
}

func wrong(message string) outcome {
	return loginOutcome(clients.LoginTry{Login: estate.Login{
		User: gateKeyTest.user, Database: "app", Outcome: estate.LoginWrong, SQLState: "28P01", Message: message, TLS: true,
	}})
}

func TestARefusalIsRememberedByTheNextProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "warroom", "refused.json")
	c := newPGClock()
	for _, x := range []struct {
		name string
		o    outcome
	}{
		{"login", wrong("no")},
		{"login barred", outcome{says: barred, data: estate.Login{User: gateKeyTest.user, Outcome: estate.LoginBarred, SQLState: "3D000"}}},
		{"a server that proved nothing", outcome{says: refused, data: estate.Login{User: gateKeyTest.user, Outcome: estate.LoginWeak, Message: "it did not prove itself"}}},
		{"api", outcome{says: refused, data: estate.APIProbe{Code: 403, RateLimit: -1, RateRemaining: -1}}},
		{"gateway", outcome{says: refused, data: estate.GatewayProbe{Code: 401, Error: "invalid_token", Description: "it has expired"}}},
	} {
		k := gateKeyTest
		k.version = x.name
		if _, tried := tries(t, gateOn(path, c), k, x.o); !tried {
			t.Fatalf("%s: the first was not tried", x.name)
		}
		at := c.Now()
		c.advance(time.Second)
		for range 3 {
			got, tried := tries(t, gateOn(path, c), k, outcome{})
			if tried || !got.remembered || !got.at.Equal(at) || got.data != x.o.data || got.says != x.o.says {
				t.Fatalf("%s: another process: tried %v, %+v, want %+v", x.name, tried, got, x.o)
			}
		}
		other := k
		other.version += "+"
		if _, tried := tries(t, gateOn(path, c), other, outcome{}); !tried {
			t.Errorf("%s: another version was held back", x.name)
		}
		c.advance(hold)
		if _, tried := tries(t, gateOn(path, c), k, outcome{}); !tried {
			t.Errorf("%s: held for longer than the hold", x.name)
		}
	}
	// What is accepted, and what proves nothing, is not kept.
	for _, o := range []outcome{{says: accepted, data: estate.Login{Outcome: estate.LoginAccepted}}, {err: &estate.Failure{Kind: estate.Refused}}} {
		_, _ = tries(t, gateOn(path, c), gateKey{version: "fine"}, o)
		if _, tried := tries(t, gateOn(path, c), gateKey{version: "fine"}, o); !tried {
			t.Errorf("%+v was remembered as refused", o)
		}
	}
	// A proof that nobody answered is.
	silent := outcome{says: unanswered, err: &estate.Failure{Kind: estate.Silent, Detail: "nothing came"}}
	_, _ = tries(t, gateOn(path, c), gateKey{version: "silent"}, silent)
	if got, tried := tries(t, gateOn(path, c), gateKey{version: "silent"}, outcome{}); tried || kindOf(got.err) != estate.Silent {
		t.Errorf("after an unanswered proof: tried %v, %+v", tried, got)
	}
}

func TestTheFileOfRefusalsTellsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warroom", "refused.json")
	c := newPGClock()
	_, _ = tries(t, gateOn(path, c), gateKeyTest, wrong("password authentication failed"))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{gateKeyTest.place, gateKeyTest.user, gateKeyTest.secret, gateKeyTest.version} {
		if bytes.Contains(raw, []byte(part)) {
			t.Errorf("the file names %q: %s", part, raw)
		}
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want mode %v", name, info.Mode(), err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".refused-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestADamagedFileOfRefusalsIsReplaced(t *testing.T) {
	now := newPGClock().Now()
	entry := func(r gateRecord) string {
		raw, _ := json.Marshal(gateDocument{Schema: gateSchema, Entries: map[string]gateRecord{gateKeyTest.hash(): r}})
		return string(raw)
	}
	for name, text := range map[string]string{
		"empty": "", "cut": entry(gateRecord{At: now, What: "login"})[:40], "noise": "\x00\xff{]", "null": "null", "list": "[]",
		"another schema": `{"schema":"x/9","entries":{}}`, "other types": `{"schema":"warroom.refused/1","entries":{"a":7}}`,
		"too large":         entry(gateRecord{At: now, What: "login", Outcome: estate.LoginWrong, Message: strings.Repeat("x", gateFileLimit)}),
		"accepted":          entry(gateRecord{At: now, What: "login", Outcome: estate.LoginAccepted}),
		"invented outcome":  entry(gateRecord{At: now, What: "login", Outcome: "everything is fine"}),
		"good code":         entry(gateRecord{At: now, What: "api", Code: 200}),
		"far in the future": entry(gateRecord{At: now.Add(time.Hour), What: "login", Outcome: estate.LoginWrong}),
		"no time":           entry(gateRecord{What: "login", Outcome: estate.LoginWrong}),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "refused.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c := newPGClock()
			if _, tried := tries(t, gateOn(path, c), gateKeyTest, wrong("no")); !tried {
				t.Error("what is damaged held a login back")
			}
			if got, tried := tries(t, gateOn(path, c), gateKeyTest, outcome{}); tried || got.says != refused {
				t.Error("the file was not made good")
			}
		})
	}
	t.Run("controls", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "refused.json")
		_ = os.WriteFile(path, []byte(entry(gateRecord{At: now, What: "login", Outcome: estate.LoginWrong, Message: "a\x1b[2Jb" + strings.Repeat("c", 5000), Database: "d\x1b[1m"})), 0o600)
		got, _ := tries(t, gateOn(path, newPGClock()), gateKeyTest, outcome{})
		if text := fmt.Sprintf("%+v", got.data); strings.Contains(text, "\x1b") || len(text) > 1000 {
			t.Errorf("remote text came back unbounded: %q", text)
		}
	})
}

func TestWithoutAPlaceForTheFileTheGateGoesOn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(dir, "read-only")
	if err := os.Mkdir(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "refused.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"read-only": filepath.Join(readOnly, "warroom", "refused.json"), "file in the way": filepath.Join(file, "warroom", "refused.json"),
		"folder in its place": filepath.Join(folder, "refused.json"), "no name": "", "a device": "/dev/null/refused.json",
	} {
		c := newPGClock()
		g := gateOn(path, c)
		if _, tried := tries(t, g, gateKeyTest, wrong("no")); !tried {
			t.Errorf("%s: not tried", name)
		}
		if _, tried := tries(t, g, gateKeyTest, outcome{}); tried {
			t.Errorf("%s: the process itself forgot", name)
		}
	}
}

func TestTheClockIsSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refused.json")
	c := newPGClock()
	first := gateOn(path, c)
	_, _ = tries(t, first, gateKeyTest, wrong("no"))
	c.advance(-30 * time.Second)
	for _, g := range []*gate{first, gateOn(path, c)} {
		if got, tried := tries(t, g, gateKeyTest, outcome{}); tried || got.age != 0 {
			t.Errorf("set back by seconds: tried %v at an age of %s", tried, got.age)
		}
	}
	c.advance(-time.Hour)
	for _, g := range []*gate{first, gateOn(filepath.Join(t.TempDir(), "x"), c)} {
		if _, tried := tries(t, g, gateKeyTest, wrong("no")); !tried {
			t.Error("set back by an hour: held back for more than an hour")
		}
		if _, tried := tries(t, g, gateKeyTest, outcome{}); tried {
			t.Error("and the try made then was forgotten")
		}
	}
	if got, tried := tries(t, gateOn(path, c), gateKeyTest, outcome{}); tried || !got.at.Equal(c.Now()) {
		t.Errorf("the file keeps the time from before: tried %v, %v", tried, got.at)
	}
}

func TestGatesOfManyProcessesLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refused.json")
	c := newPGClock()
	var all sync.WaitGroup
	for p := range 8 {
		g := gateOn(path, c)
		all.Go(func() {
			for i := range 10 {
				k := gateKeyTest
				k.version = fmt.Sprint(p, " ", i)
				_, _ = g.present(t.Context(), k, asker{}, func(context.Context) outcome { return wrong("no") })
			}
		})
	}
	all.Wait()
	g, held := gateOn(path, c), 0
	for p := range 8 {
		for i := range 10 {
			k := gateKeyTest
			k.version = fmt.Sprint(p, " ", i)
			if _, tried := tries(t, g, k, outcome{}); !tried {
				held++
			}
		}
	}
	if held != 80 {
		t.Errorf("%d of 80 refusals were kept", held)
	}
}

func TestTheFileOfRefusalsStaysSmall(t *testing.T) {
	all := map[string]gateRecord{}
	c := newPGClock()
	for i := range 3 * gateEntries {
		c.advance(time.Millisecond)
		all[fmt.Sprint(i)] = gateRecord{At: c.Now()}
	}
	if kept := newestRecords(all); len(kept) != gateEntries || kept[fmt.Sprint(3*gateEntries-1)].At.IsZero() {
		t.Errorf("%d entries kept", len(kept))
	}
	if worst := gateEntries * 400; worst > gateFileLimit {
		t.Errorf("a full file of %d bytes would not be read", worst)
	}
}

// BenchmarkGateFile is the first look into the file of a process.
func BenchmarkGateFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "refused.json")
	c := newPGClock()
	g := gateOn(path, c)
	for i := range 100 {
		k := gateKeyTest
		k.version = fmt.Sprint(i)
		_, _ = g.present(b.Context(), k, asker{}, func(context.Context) outcome { return wrong("password authentication failed for user") })
	}
	for b.Loop() {
		f := &gateFile{path: path}
		if _, ok := f.find(gateKey{}, c.Now()); ok {
			b.Fatal("found")
		}
	}
}
