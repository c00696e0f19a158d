package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func readings() *estate.Readings {
	top := (&estate.Topology{
		Environment: "production", Drill: "db-rotation",
		Components: []estate.Component{
			{ID: "km", Name: "Key Management", Plane: estate.Service, Kind: estate.KindKeys},
			{ID: "pg", Name: "PostgreSQL Primary", Plane: estate.State, Kind: estate.KindPostgres, Secrets: []string{"db"}, Policy: estate.Policy{Owner: "database team", Contact: "#dba-oncall"}},
			{ID: "vault", Name: "Vault Primary", Plane: estate.State, Kind: estate.KindVault, Unread: "no check reads Vault yet"},
		},
	}).Index()
	at := noon.Add(-2 * time.Second)
	key := func(c estate.ID, check, item string) estate.Key {
		return estate.Key{Component: c, Check: check, Item: item}
	}
	see := func(k estate.Key, source string, data estate.Data) estate.Observation {
		return estate.Observation{Key: k, Source: source, At: at, Took: 41 * time.Millisecond, Interval: 15 * time.Second, Data: data}
	}
	s := estate.NewSnapshot(top, nil).With(
		see(key("km", estate.CheckKey, "k"), "kms DescribeKey k", estate.KeyState{KeyID: "k", State: "Enabled"}),
		see(key("pg", estate.CheckLogin, "AWSCURRENT"), "login AWSCURRENT", estate.Login{Stage: estate.StageCurrent, Version: "v", User: "app_user",
			Outcome: estate.LoginWrong, SQLState: "28P01", Message: "=HYPERLINK(1) \"quoted\"\nand broken"}),
		see(key("pg", estate.CheckRole, ""), "pg_roles", estate.Role{Name: "app_user", Exists: true, CanLogin: true, ConnLimit: -1, ValidUntil: noon.Add(-25 * time.Hour)}),
		estate.Observation{Key: key("pg", estate.CheckConnections, ""), Source: "pg_stat_activity", At: at, Interval: 15 * time.Second,
			Failure: &estate.Failure{Kind: estate.Denied, Doing: "read pg_stat_activity", Detail: "permission denied", Next: "grant pg_monitor"}},
	)
	return estate.Derive(s, noon)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; with -update it is rewritten\n%s", path, got)
	}
}

func TestCheckOutputs(t *testing.T) {
	r := readings()
	var asJSON, asCSV, plain bytes.Buffer
	for _, err := range []error{CheckJSON(&asJSON, r), CheckCSV(&asCSV, r), CheckPlain(&plain, r)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "check.json", asJSON.Bytes())
	golden(t, "check.csv", asCSV.Bytes())
	golden(t, "check.txt", plain.Bytes())
	if r.Summary() != estate.Fail {
		t.Errorf("summary is %s", r.Summary())
	}
	rows, err := csv.NewReader(&asCSV).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if len(row) != len(rows[0]) {
			t.Errorf("row of %d columns under %d headings: %q", len(row), len(rows[0]), row)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	for _, cell := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"} {
		if got := inert(cell); got != "'"+cell {
			t.Errorf("%q is written as %q", cell, got)
		}
	}
	if got := inert("15 days ago"); got != "15 days ago" {
		t.Errorf("harmless text became %q", got)
	}
}

// The example in the docs has exactly the published fields.
func TestTheDocumentedExampleIsOfThisSchema(t *testing.T) {
	text, err := os.ReadFile("../../docs/check-json.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/check-json.md shows no document")
	}
	var documented, written any
	dec := json.NewDecoder(bytes.NewReader(block[1]))
	if err := dec.Decode(&documented); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := CheckJSON(&out, readings()); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &written); err != nil {
		t.Fatal(err)
	}
	doc, got := map[string]bool{}, map[string]bool{}
	fields("", documented, doc)
	fields("", written, got)
	for f := range got {
		if !doc[f] {
			t.Errorf("%s is written and not in the documented example", f)
		}
	}
	for f := range doc {
		if !got[f] {
			t.Errorf("%s is in the documented example and never written", f)
		}
		if name := f[strings.LastIndex(f, ".")+1:]; !bytes.Contains(text, []byte("`"+name)) && !bytes.Contains(text, []byte("."+name+"`")) {
			t.Errorf("%s is not described", f)
		}
	}
}

func fields(path string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			into[path+"."+k] = true
			fields(path+"."+k, x, into)
		}
	case []any:
		for _, x := range v {
			fields(path+"[]", x, into)
		}
	}
}
