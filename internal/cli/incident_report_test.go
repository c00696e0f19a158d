package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/report"
)

func TestTheReportOfAnIncident(t *testing.T) {
	store := ownState(t)
	t.Chdir(t.TempDir())
	id := declare(t, store, "production", "", incident.New("ic-1", incident.Noted{Text: "the <b>pool</b> | is empty"}), incident.New("ic-1", incident.Decided{Text: "fail over"}))

	for format, want := range map[string]string{
		"md": `the \<b\>pool\</b\> \| is empty`, "html": "the &lt;b&gt;pool&lt;/b&gt; | is empty", "json": `"the <b>pool</b> | is empty"`,
	} {
		out, code := run(t, "incident", "report", "latest", "--format", format)
		if code != 0 || !strings.Contains(out, want) || !strings.Contains(out, "fail over") || !strings.Contains(out, id) {
			t.Errorf("%s: %d\n%s", format, code, out)
		}
	}
	out, _ := run(t, "incident", "report", id, "--format", "json")
	var doc struct {
		Schema string
		Basis  struct {
			Verified        bool
			Events, Records int
			Gaps            []string
			Signers         []struct{ Records int }
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Schema != report.IncidentSchema {
		t.Fatalf("%v, %q", err, doc.Schema)
	}
	if b := doc.Basis; !b.Verified || b.Events != b.Records || b.Events < 3 || len(b.Gaps) != 0 || len(b.Signers) != 1 || b.Signers[0].Records != b.Records {
		t.Errorf("it rests on %+v", b)
	}
	if out, code := run(t, "incident", "report", id, "--lesson", "vault-2019"); code != 0 || !strings.Contains(out, "it was asked for when this report was made") {
		t.Errorf("a lesson that was asked for: %d\n%s", code, out)
	}
}

func TestTheReportIsWrittenToANewFile(t *testing.T) {
	id := declare(t, ownState(t), "production", "")
	path := filepath.Join(t.TempDir(), "report.html")
	if out, code := run(t, "incident", "report", id, "--format", "html", "-o", path); code != 0 || out != "" {
		t.Fatalf("%d %q", code, out)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "<svg") {
		t.Fatalf("%v, %d bytes", err, len(text))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if out, code := run(t, "incident", "report", id, "-o", path); code != exitFailed || !strings.Contains(out, "exists and is left as it is") {
		t.Errorf("a file that is there: %d %q", code, out)
	}
	if again, err := os.ReadFile(path); err != nil || string(again) != string(text) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestReportsThatAreNot(t *testing.T) {
	id := declare(t, ownState(t), "production", "")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no id":              {[]string{"incident", "report"}, exitUsage, "takes one ID"},
		"no such incident":   {[]string{"incident", "report", "1999-01-01-1"}, exitFailed, "1999-01-01-1"},
		"no such format":     {[]string{"incident", "report", id, "--format", "pdf"}, exitUsage, "use md, html, json"},
		"no such lesson":     {[]string{"incident", "report", id, "--lesson", "x"}, exitUsage, "vault-2019"},
		"a folder as output": {[]string{"incident", "report", id, "-o", t.TempDir()}, exitFailed, "left as it is"},
	} {
		if out, code := run(t, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d %q", name, code, out)
		}
	}
}

// Of a damaged journal there is a report all the same, and it cannot be mistaken.
func TestTheReportOfADamagedJournalSaysSo(t *testing.T) {
	store := ownState(t)
	id := declare(t, store, "production", "", incident.New("ic-1", incident.Noted{Text: "first note"}), incident.New("ic-1", incident.Noted{Text: "second note"}))
	folder, err := store.Folder(id)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "journal-000001.log")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), "second note")
	if at < 0 {
		t.Fatal("the note is not in the journal")
	}
	if err := os.WriteFile(path, flipped(data, at), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := run(t, "incident", "report", id)
	if code != exitFailed {
		t.Errorf("it ended with %d", code)
	}
	for _, want := range []string{"NOT verified", "first note", "NOT whole", "Problem:"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}
