package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLabelInvariants: whatever writes are made in whatever order, refused or
// not, a label is on one version at most, AWSCURRENT once given stays on
// exactly one version that has a value, no version's value ever changes, and
// none younger than a day disappears.
func TestLabelInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ck := &clock{t: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		s := New(Options{Clock: ck.now, Seed: rapid.Uint64().Draw(t, "seed")})
		s.AddFunction(Function{Name: "f", Policy: s.InvokePolicy("f")})
		// What the function does is part of the sequence: nothing, store, or
		// store and finish.
		depth := 0
		c := &call{sim: s, who: newCredential(Credential{Principal: testUser})}
		token := func(n int) string { return fmt.Sprintf("%032d", n) }
		run := func(op string, in map[string]any) *apiError {
			in["SecretId"] = "a"
			c := *c
			c.in = in
			_, err := s.ops["secretsmanager"][op].run(&c)
			return err
		}
		s.OnInvoke(func(_ string, event []byte) error {
			m, _ := parseJSON(event)
			id := m["ClientRequestToken"]
			switch {
			case m["Step"] == "createSecret" && depth > 0:
				run("PutSecretValue", map[string]any{"ClientRequestToken": id, "SecretString": "made", "VersionStages": []any{pending}})
			case m["Step"] == "finishSecret" && depth > 1:
				if now, _ := s.Secret("a"); len(now.Versions) > 0 {
					for _, v := range now.Versions {
						if slices.Contains(v.Stages, current) {
							run("UpdateSecretVersionStage", map[string]any{"VersionStage": current, "RemoveFromVersionId": v.ID, "MoveToVersionId": id})
						}
					}
				}
			}
			if depth == 0 {
				return fmt.Errorf("no connection")
			}
			return nil
		})
		c.in = map[string]any{"Name": "a"}
		if _, err := s.ops["secretsmanager"]["CreateSecret"].run(c); err != nil {
			t.Fatal(err)
		}
		known := map[string]Version{} // every version seen, with its value once it had one
		hadCurrent := false
		tokens := rapid.IntRange(0, 12)
		label := rapid.SampledFrom([]string{current, pending, previous, "MINE"})
		value := rapid.SampledFrom([]string{"v1", "v2", "v3"})
		check := func(*rapid.T) {
			sec, ok := s.Secret("a")
			if !ok {
				t.Fatal("the secret is gone")
			}
			at, labels := map[string]Version{}, map[string]int{}
			for _, v := range sec.Versions {
				at[v.ID] = v
				for _, l := range v.Stages {
					labels[l]++
				}
				if slices.Contains(v.Stages, current) && v.empty() {
					t.Fatalf("the current version %s is empty", v.ID)
				}
				if old, seen := known[v.ID]; seen && !old.empty() && old.Value != v.Value {
					t.Fatalf("the value of %s changed", v.ID)
				}
			}
			for l, n := range labels {
				if n > 1 {
					t.Fatalf("%s is on %d versions", l, n)
				}
			}
			hadCurrent = hadCurrent || labels[current] == 1
			if hadCurrent && labels[current] != 1 {
				t.Fatal("AWSCURRENT is gone")
			}
			if len(sec.Versions) > maxVersions {
				t.Fatalf("%d versions", len(sec.Versions))
			}
			for id, old := range known {
				if _, there := at[id]; !there && ck.now().Sub(old.Created) < keepVersion {
					t.Fatalf("version %s is gone after %s", id, ck.now().Sub(old.Created))
				}
			}
			known = at
		}
		t.Repeat(map[string]func(*rapid.T){
			"": check,
			"put": func(t *rapid.T) {
				in := map[string]any{"ClientRequestToken": token(tokens.Draw(t, "token")), "SecretString": value.Draw(t, "value")}
				if ls := rapid.SliceOfNDistinct(label, 0, 3, rapid.ID[string]).Draw(t, "labels"); len(ls) > 0 {
					list := make([]any, len(ls))
					for i, l := range ls {
						list[i] = l
					}
					in["VersionStages"] = list
				}
				before, had := known[in["ClientRequestToken"].(string)]
				err := run("PutSecretValue", in)
				if had && !before.empty() && (err == nil) != (before.Value == in["SecretString"]) {
					t.Fatalf("the same token again: %v", err)
				}
			},
			"update": func(t *rapid.T) {
				run("UpdateSecret", map[string]any{"ClientRequestToken": token(tokens.Draw(t, "token")), "SecretString": value.Draw(t, "value")})
			},
			"stage": func(t *rapid.T) {
				in := map[string]any{"VersionStage": label.Draw(t, "label")}
				if ids := slices.Sorted(maps.Keys(known)); len(ids) > 0 {
					if rapid.Bool().Draw(t, "from") {
						in["RemoveFromVersionId"] = rapid.SampledFrom(ids).Draw(t, "old")
					}
					if rapid.Bool().Draw(t, "to") {
						in["MoveToVersionId"] = rapid.SampledFrom(ids).Draw(t, "new")
					}
				}
				run("UpdateSecretVersionStage", in)
			},
			"rotate": func(t *rapid.T) {
				depth = rapid.IntRange(0, 2).Draw(t, "depth")
				sec, _ := s.Secret("a")
				stuck := (&secret{Secret: sec}).stuck()
				id := token(tokens.Draw(t, "token"))
				err := run("RotateSecret", map[string]any{"ClientRequestToken": id, "RotationLambdaARN": "f"})
				if (err != nil && strings.Contains(err.msg, "previous rotation")) != (stuck != nil && stuck.ID != id) {
					t.Fatalf("stuck %v: %v", stuck, err)
				}
				s.Wait()
			},
			"cancel": func(*rapid.T) { run("CancelRotateSecret", map[string]any{}) },
			"burst": func(t *rapid.T) { // many new versions, to reach the limit
				for range 40 {
					s.mu.Lock()
					n := s.next()
					s.mu.Unlock()
					run("PutSecretValue", map[string]any{"ClientRequestToken": strings.Repeat("x", 32) + n, "SecretString": n})
				}
			},
			"delete": func(*rapid.T) {
				run("DeleteSecret", map[string]any{})
				if err := run("PutSecretValue", map[string]any{"SecretString": "x"}); err == nil {
					t.Fatal("a deleted secret took a value")
				}
				run("RestoreSecret", map[string]any{})
			},
			"later": func(t *rapid.T) { ck.add(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour) },
		})
	})
}
