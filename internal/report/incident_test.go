package report

import (
	"encoding/json"
	"fmt"
	"html"
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/runbook"
)

func TestIncidentGolden(t *testing.T) {
	for format, text := range rendered(t, rich(t).report()) {
		golden(t, "incident."+format, []byte(text))
	}
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	styles = regexp.MustCompile(`(?s)<style>.*?</style>`)
	slash  = regexp.MustCompile("\\\\([\\\\`*_\\[\\]<>#|~&$.)+-])")
)

// plainOf is what a reader sees of a rendering: markup taken off, texts as they
// were.
func plainOf(format, text string) string {
	switch format {
	case "md":
		text = strings.ReplaceAll(strings.ReplaceAll(text, apart, ""), "<br>", "\n")
		return slash.ReplaceAllString(text, "$1")
	case "html":
		return html.UnescapeString(tags.ReplaceAllString(styles.ReplaceAllString(text, ""), "\n"))
	}
	return text
}

// facts calls do with every fact of a document that people are told, in words.
func facts(v reflect.Value, tag string, do func(path, text string), path string) {
	switch x := v.Interface().(type) {
	case moment:
		if !x.IsZero() {
			do(path, x.String())
		}
		return
	case span:
		do(path, x.T()+"\x00"+x.String()) // either
		return
	}
	switch v.Kind() {
	case reflect.String:
		if tag != "key" && v.String() != "" {
			do(path, v.String())
		}
	case reflect.Int, reflect.Uint64:
		do(path, fmt.Sprint(v.Interface()))
	case reflect.Pointer:
		if !v.IsNil() {
			facts(v.Elem(), tag, do, path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			facts(v.Index(i), tag, do, fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Anonymous {
				for j := range v.Field(i).NumField() {
					facts(v.Field(i).Field(j), "", do, path+"."+f.Type.Field(j).Name)
				}
				continue
			}
			facts(v.Field(i), f.Tag.Get("report"), do, path+"."+f.Name)
		}
	}
}

// What one rendering says, all say: each fact of the model stands in Markdown and
// in HTML, and JSON is the model.
func TestEveryFactOfTheModelIsInEveryRendering(t *testing.T) {
	for name, l := range map[string]*log{"rich": rich(t), "hostile": hostile(t), "only a declaration": onlyDeclared(t)} {
		made := l.report()
		out := rendered(t, made)
		n := 0
		for _, format := range []string{"md", "html"} {
			text := plainOf(format, out[format])
			facts(reflect.ValueOf(made.doc), "", func(path, fact string) {
				n++
				for one := range strings.SplitSeq(fact, "\x00") {
					if strings.Contains(text, one) {
						return
					}
				}
				t.Errorf("%s: %s does not say %s: %q", name, format, path, fact)
			}, "")
		}
		if n < 100 {
			t.Errorf("%s: only %d facts were compared", name, n)
		}
		back, err := json.Marshal(made.doc)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if json.Unmarshal(back, &want) != nil || json.Unmarshal([]byte(out["json"]), &got) != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("%s: the JSON document is not the model", name)
		}
	}
}

// What people did is in every format, in the journal's own words.
func TestTheReportSaysWhatTheJournalSays(t *testing.T) {
	l := rich(t)
	for format, text := range rendered(t, l.report()) {
		if format == "json" {
			var doc any
			if err := json.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			texts(doc, &all)
			text = all.String()
		}
		text = plainOf(format, text)
		has := func(e *incident.Event, parts ...string) {
			t.Helper()
			for _, part := range append(parts, moment{e.At}.String()) {
				if format == "json" && part == (moment{e.At}).String() {
					part = e.At.Format(time.RFC3339)
				}
				if !strings.Contains(text, part) {
					t.Errorf("%s does not say %q of event %d, %s", format, part, e.Seq, e.Kind)
				}
			}
		}
		for i := range l.all {
			e := &l.all[i]
			switch d := e.Data.(type) {
			case incident.ItemMoved:
				_, item := runbook.Guide().Item(d.Item)
				if item == nil {
					has(e, "IMMEDIATE COMPLETE", e.By)
					continue
				}
				has(e, string(d.Act)+": "+item.Text, e.By, d.Reason, d.Evidence.Value, d.Evidence.Typed, d.Evidence.Note, d.Evidence.Link, d.Evidence.With)
			case incident.NodeMoved:
				has(e, string(d.Act), d.Reason, d.Verdict, d.Evidence.Value)
			case incident.Decided:
				has(e, d.Text, d.Reason)
			case incident.Noted:
				has(e, d.Text)
			case incident.Updated:
				has(e, d.Text, d.To, d.Fail)
			case incident.MeasureMoved:
				has(e, "measure "+d.ID+" "+d.Act, d.What, d.Who, d.Reason)
			case incident.RoleAssigned:
				has(e, d.To)
			case incident.Assigned:
				has(e, d.Owner)
			case incident.SeverityChanged:
				has(e, string(d.From)+" → "+string(d.To), d.Reason)
			case incident.Recovered:
				has(e, d.Note)
			case incident.Closed:
				has(e, d.Reason, d.Open["M2"])
			}
		}
	}
}

func texts(v any, into *strings.Builder) {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			texts(x, into)
		}
	case []any:
		for _, x := range v {
			texts(x, into)
		}
	case string:
		into.WriteString(v + "\n")
	}
}

func onlyDeclared(t testing.TB) *log {
	l := &log{t: t, at: t0}
	l.declare()
	return l
}

func TestAnIncidentThatWasOnlyDeclared(t *testing.T) {
	l := onlyDeclared(t)
	in := l.input()
	in.Now, in.Journal, in.Lessons = t0.Add(7*time.Minute), IncidentJournal{Problem: "the journal could not be verified: no head"}, nil
	made, err := NewIncident(in)
	if err != nil {
		t.Fatal(err)
	}
	d := &made.doc
	if d.Status != "open" || d.Verdict != nil || len(d.Prevention) != 0 || len(d.Timeline) != 1 || d.Basis.Verified {
		t.Errorf("%+v", d)
	}
	if d.Updates.Over == nil || time.Duration(*d.Updates.Over) != 2*time.Minute {
		t.Errorf("the first update was due after 5 minutes, and 7 have passed: overdue by %v", d.Updates.Over)
	}
	for _, one := range d.Times {
		if has := one.Value != nil; has != (one.Name == "detect") {
			t.Errorf("%s is %v", one.Name, one.Value)
		}
	}
	for format, text := range rendered(t, made) {
		for _, want := range []string{"NOT verified", "no head"} {
			if format != "json" && !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", format, want)
			}
		}
	}
}

func TestAReportNeedsADeclaration(t *testing.T) {
	l := &log{t: t, at: t0}
	l.add(0, "ic-1", incident.Noted{Text: "x"})
	if _, err := NewIncident(l.input()); err == nil || !strings.Contains(err.Error(), "none of its 1 events declares it") {
		t.Errorf("%v", err)
	}
	if _, err := NewIncident(IncidentInput{}); err == nil {
		t.Error("no events, no error")
	}
	broken := fmt.Errorf("segment 1 is gone")
	in := l.input()
	in.Events = func(func(incident.Event) error) error { return broken }
	if _, err := NewIncident(in); err == nil || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("%v", err)
	}
}

func TestAJournalThatEndsEarlyIsToldAndNotVerified(t *testing.T) {
	l := rich(t)
	in := l.input()
	in.Events = func(do func(incident.Event) error) error {
		for _, e := range append(l.all[:20:20], l.all[22]) {
			if err := do(e); err != nil {
				return err
			}
		}
		return fmt.Errorf("record 24 does not continue the chain")
	}
	made, err := NewIncident(in)
	if err != nil {
		t.Fatal(err)
	}
	gaps := strings.Join(made.doc.Basis.Gaps, "\n")
	for _, want := range []string{"after number 23", "record 24 does not continue the chain", "2 events missing"} {
		if !strings.Contains(gaps, want) {
			t.Errorf("the gaps do not say %q:\n%s", want, gaps)
		}
	}
	if made.doc.Basis.Verified {
		t.Error("it counts as verified")
	}
}

// An update is held against what the console promised at that time.
func TestUpdatesAreHeldAgainstTheirPromises(t *testing.T) {
	l := onlyDeclared(t) // SEV2: 5 minutes, 5 more, then every 20
	send := func(after, promise time.Duration, fail string) {
		d := incident.Updated{Text: "u", To: "slack", Fail: fail}
		if fail == "" {
			d.Next = l.at.Add(after + promise)
		}
		l.add(after, "ic-1", d)
	}
	send(4*time.Minute, 5*time.Minute, "")                      // due at 5
	send(6*time.Minute, 20*time.Minute, "")                     // due at 9, at 10
	send(5*time.Minute, 0, "503")                               // due at 30
	send(15*time.Minute, 20*time.Minute, "")                    // due at 30, at 30
	l.add(30*time.Minute, "ic-1", incident.Closed{Reason: "r"}) // due at 50, at 60
	u := l.report().doc.Updates
	var got []string
	for _, one := range u.List {
		got = append(got, fmt.Sprintf("%s %s %s", one.Promised.Format("15:04"), one.State, one.Late.orDash()))
	}
	want := []string{"03:05 on time –", "03:09 late 1 min", "03:30 did not arrive –", "03:30 on time –", "03:50 never sent: the incident was closed 10 min"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if u.Sent != 3 || u.OnTime != 2 || u.Late != 1 || u.Missed != 1 || u.Failed != 1 || !u.Due.IsZero() {
		t.Errorf("%+v", u)
	}
}

func TestPreventionIsProposedByWhatTheJournalHolds(t *testing.T) {
	reading := func(name, word, reason string) incident.Data {
		return incident.ReadingChanged{Component: "c", Name: name, From: estate.OK, To: estate.Fail, Word: word, Reason: reason}
	}
	node := func(id, verdict string) incident.Data {
		return incident.NodeMoved{Node: id, Act: incident.NodeDone, Verdict: verdict, Evidence: incident.Evidence{Stance: "for", Value: "v"}}
	}
	tests := map[string]struct {
		data []incident.Data
		want []string
	}{
		"nothing":                     {nil, nil},
		"a sealed Vault":              {[]incident.Data{reading("Vault Primary", "SEALED", "")}, []string{"vault-2019"}},
		"a revoked certificate":       {[]incident.Data{reading("Balancer", "REVOKED", "")}, []string{"letsencrypt-2020"}},
		"an ended certificate":        {[]incident.Data{reading("TLS certificate of the shop", "EXPIRED", "")}, []string{"letsencrypt-2020"}},
		"an ended password is none":   {[]incident.Data{reading("PostgreSQL", "EXPIRED", "VALID UNTIL passed")}, nil},
		"a function that stopped":     {[]incident.Data{node("automated", ""), node("fate", "stuck")}, []string{"aws-2020"}},
		"a change half way":           {[]incident.Data{node("automated", ""), node("state", "")}, []string{"aws-2020"}},
		"stuck, but not by a machine": {[]incident.Data{node("manual", ""), node("fate", "stuck")}, nil},
		"what a sensor said":          {[]incident.Data{incident.Sensed{Lesson: "vault-2019", Evidence: incident.Evidence{Value: "1 of 3 is sealed"}}}, []string{"vault-2019"}},
		"of no such lesson":           {[]incident.Data{incident.Sensed{Lesson: "gone", Evidence: incident.Evidence{Value: "1"}}}, nil},
		"two":                         {[]incident.Data{reading("Vault", "SEALED", ""), reading("B", "REVOKED", "")}, []string{"vault-2019", "letsencrypt-2020"}},
	}
	for name, c := range tests {
		l := onlyDeclared(t)
		for _, d := range c.data {
			l.add(time.Second, "ic-1", d)
		}
		in := l.input()
		in.Lessons = nil
		made, err := NewIncident(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range made.doc.Prevention {
			got = append(got, p.ID)
			if p.State != "proposed" || len(p.Why) == 0 || len(p.Measures) == 0 {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A runbook of a team's own names lessons by any sensor.
func TestALessonIsKnownByTheEvidenceOfItsSensor(t *testing.T) {
	l := onlyDeclared(t)
	l.add(time.Second, "ic-1", incident.NodeMoved{Node: "n", Act: incident.NodeDone, Evidence: incident.Evidence{Stance: "for", Value: "seen"}})
	l.add(time.Second, "", incident.Sensed{Lesson: "ours", Evidence: incident.Evidence{Value: "it is so"}})
	in := l.input()
	in.Runbook = &runbook.Runbook{
		Flow:    []runbook.FlowPhase{{ID: "p", Title: "P", Nodes: []runbook.Node{{ID: "n", Title: "N", Sense: "failure.network"}}}},
		Lessons: []runbook.Lesson{{ID: "ours", Title: "Ours", Sense: []string{"failure.network"}, Prevent: []string{"a second line"}}},
	}
	made, err := NewIncident(in)
	if err != nil {
		t.Fatal(err)
	}
	if p := made.doc.Prevention; len(p) != 1 || len(p[0].Why) != 2 || p[0].Why[0] != `event 3: its sensor said "it is so"` || !strings.Contains(p[0].Why[1], `the evidence of "N" was "seen"`) {
		t.Errorf("%+v", p)
	}
}

// Text and what is behind it are 7:1 apart, light and dark.
func TestTheReportReadsAtSevenToOne(t *testing.T) {
	blocks := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(pageText, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d palettes, want light, dark and print", len(blocks))
	}
	for _, block := range blocks {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+):#([0-9a-f]{6})`).FindAllStringSubmatch(block[1], -1) {
			colour[m[1]] = brightness(t, m[2])
		}
		pairs := [][2]string{
			{"text", "page"}, {"text", "panel"}, {"soft", "page"}, {"soft", "panel"}, {"loud-text", "loud-page"}, {"mark", "page"}, {"mark", "panel"},
			{"late", "page"}, {"late", "panel"},
		}
		for _, p := range pairs {
			a, b := colour[p[0]], colour[p[1]]
			if r := (max(a, b) + .05) / (min(a, b) + .05); r < 7 {
				t.Errorf("%s on %s is %.1f:1", p[0], p[1], r)
			}
		}
	}
}

func brightness(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift uint) float64 {
		c := float64(n>>shift&255) / 255
		if c <= .03928 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*part(16) + .7152*part(8) + .0722*part(0)
}

// The documented example is the document of the fixture's schema, field by field.
func TestTheDocumentedReportIsOfThisSchema(t *testing.T) {
	text, err := os.ReadFile("../../docs/report.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/report.md shows no document")
	}
	var documented, written any
	if err := json.Unmarshal(block[1], &documented); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(rendered(t, rich(t).report())["json"]), &written); err != nil {
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
		if name := f[strings.LastIndex(f, ".")+1:]; !strings.Contains(string(text), "`"+name) && !strings.Contains(string(text), "."+name+"`") {
			t.Errorf("%s is not described", f)
		}
	}
}
