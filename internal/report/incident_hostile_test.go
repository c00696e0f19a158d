package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/plan"
	"warroom/internal/runbook"
)

// attacks are texts that would break a rendering, or become something in it.
var attacks = []string{
	"a | b || c", "`code` and ``more``", "```\nfence", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></tr></table><h1>x</h1>",
	"[click](https://evil.example)", "![x](https://evil.example/x.png)", "<https://evil.example>", "see https://evil.example/a?b=c and www.evil.example",
	"mail me@evil.example, @everyone, #1234", "**bold** _it_ ~~no~~ # head", "- item", "1. item", "> quote", "---", "&lt;b&gt; &amp; &#124;", "$x^2$",
	"trailing backslash \\", "\\| escaped", "\"><svg onload=alert(1)>", "'; --", "{{.Title}}", "javascript:alert(1)", "</title></svg><script>x</script>",
	"1) reboot", "well :smile: :+1:", "since 0123456789abcdef0123456789abcdef01234567", "<!-- comment", "--> end", "]]>", "% \" ' = `",
}

// unseen are characters that must not come through.
const unseen = "\x00\x07\x08\x1b[31mred\x1b[0m\x1b]0;title\x07\u202edesrever\u202c\u2066x\u2069\u200b\u200d\ufeff\u009b31m\u0085\u2028"

// hostile has an attack in every text that a person or a system could have written.
func hostile(t testing.TB) *log {
	l := &log{t: t, at: t0}
	n := 0
	bad := func() string {
		n++
		return attacks[n%len(attacks)]
	}
	l.add(0, bad(), incident.Declared{
		ID: bad(), Severity: runbook.SEV1, Summary: bad(), Started: t0.Add(-time.Minute), Environment: bad(), Drill: bad(),
		Roles: map[incident.Role]string{incident.Commander: bad(), incident.Liaison: bad()}, Runbook: bad(), Digest: bad(),
	})
	for range len(attacks) {
		evidence := incident.Evidence{Stance: "for", Value: bad(), Source: bad(), Typed: bad(), Note: bad(), Link: bad(), With: bad(), Read: l.at}
		for _, d := range []incident.Data{
			incident.Noted{Text: bad()}, incident.Decided{Text: bad(), Reason: bad()}, incident.Updated{Text: bad() + "\n" + bad(), To: bad(), Fail: bad()},
			incident.Updated{Text: bad(), To: bad()}, incident.MeasureMoved{ID: bad(), Act: incident.MeasureOpened, Kind: "other", What: bad(), Who: bad(), Reason: bad()},
			incident.ReadingChanged{Component: estate.ID(bad()), Name: bad(), From: estate.OK, To: estate.Fail, Word: bad(), Reason: bad()},
			incident.NodeMoved{Node: "fate", Act: incident.NodeDone, Verdict: bad(), Reason: bad(), Evidence: evidence},
			incident.NodeMoved{Node: bad(), Act: incident.NodeRuledOut, Reason: bad(), Evidence: evidence},
			incident.ItemMoved{Item: "immediate.test", Act: incident.ItemOverridden, Reason: bad(), Evidence: evidence},
			incident.ItemMoved{Item: bad(), Act: incident.ItemSkipped, Reason: bad()}, incident.Sensed{Item: bad(), Ready: true, Evidence: evidence},
			incident.Assigned{Item: "after.policies", Owner: bad()}, incident.RoleAssigned{Role: incident.Deputy, From: bad(), To: bad()},
			incident.SeverityChanged{From: runbook.SEV1, To: "SEV2", Reason: bad()}, incident.Recovered{Note: bad()}, incident.JournalMoved{What: bad()},
			incident.ConsoleMoved{Act: bad(), Host: bad()}, incident.Acked{What: bad()}, incident.Armed{On: true, Why: bad()},
			incident.Granted{Reason: bad(), Signer: bad(), Plan: plan.Plan{ID: fmt.Sprint("r", n, bad()), Procedure: bad(), Target: bad(), Mode: plan.Mode(bad()), Of: bad(), Title: bad(),
				Irreversible: bad(), Steps: []plan.Step{{ID: "s", Title: bad()}}}},
			incident.Outcome{Run: bad(), Step: bad(), State: plan.Failed, Detail: bad(), Next: bad()}, incident.RunEnded{Run: bad(), State: plan.RunFailed, Detail: bad(), Next: bad()},
			incident.Overrun{Phase: bad(), Budget: time.Minute},
		} {
			l.add(time.Second, bad(), d)
		}
	}
	return l
}

// A reader of a table finds as many cells in each row as there are heads: what
// people typed ends none and begins none.
func TestNothingBreaksATableOfMarkdown(t *testing.T) {
	for name, l := range map[string]*log{"rich": rich(t), "hostile": hostile(t)} {
		cells, rows := 0, 0
		for line := range strings.Lines(rendered(t, l.report())["md"]) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "|") {
				cells = 0
				continue
			}
			n := 0
			for i := range line {
				if line[i] == '|' && !escaped(line, i) {
					n++
				}
			}
			if cells == 0 {
				cells = n
			}
			if rows++; n != cells || !strings.HasSuffix(line, " |") {
				t.Errorf("%s: %d bars, want %d: %s", name, n, cells, line)
			}
		}
		if rows < 100 {
			t.Errorf("%s: only %d rows", name, rows)
		}
	}
}

func escaped(line string, i int) bool {
	n := 0
	for i--; i >= 0 && line[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// Nothing in Markdown but what the report itself wrote is markup.
func TestNothingBecomesMarkupOfMarkdown(t *testing.T) {
	text := rendered(t, hostile(t).report())["md"]
	text = strings.ReplaceAll(strings.ReplaceAll(text, apart, "\x01"), "<br>", "\x01")
	for line := range strings.Lines(text) {
		body := strings.TrimPrefix(strings.TrimLeft(strings.TrimSuffix(line, "\n"), "#"), "- ")
		body = strings.TrimSuffix(strings.TrimPrefix(body, "**"), "**")
		for i := range body {
			switch body[i] {
			case '`', '<', '>', '[', ']', '*', '_', '#', '~', '&', '$':
				if !escaped(body, i) {
					t.Errorf("%q is markup at %d of %s", body[i], i, body)
				}
			}
		}
		for _, bare := range []string{"http://", "https://", "www.", "@e"} {
			if strings.Contains(strings.ToLower(body), bare) {
				t.Errorf("%q would become a link: %s", bare, body)
			}
		}
	}
	for in, want := range map[string]string{
		"1. first": `1\. first`, "- dash": `\- dash`, "+ plus": `\+ plus`, "a - b": "a - b", "1.5 s": `1\.5 s`, "v1.2": "v1.2", "a\nb": "a<br>b",
		"1) reboot": `1\) reboot`, "12) x": `12\) x`, "(1) x": "(1) x", "a1) x": "a1) x",
		":smile:": ":<!-- -->smile:", "a :+1: b": "a :<!-- -->+1: b", ":100:": ":<!-- -->100:", ":a:b:": ":<!-- -->a:<!-- -->b:", "03:10:30": "03:10:30", "03:10:30Z: x": "03:10:30Z: x", "db: up": "db: up",
		"deadbee": "deadbe<!-- -->e", "deadbe": "deadbe", "deadbees": "deadbees", "x_deadbeef": `x\_deadbeef`, "at 0123456789abcDEF.": "at 012345<!-- -->6789ab<!-- -->cDEF.",
		strings.Repeat("a", 40): strings.Repeat("aaaaaa<!-- -->", 6) + "aaaa", strings.Repeat("a", 41): strings.Repeat("a", 41), "GH-26": "GH-<!-- -->26",
		"https://x": "https:<!-- -->//x", "@team": "@<!-- -->team", "#12": `\#<!-- -->12`, "www.x": "www.<!-- -->x", "10:30": "10:30",
	} {
		if got := escape(in); got != strings.ReplaceAll(want, "www.<!-- -->", `www\.<!-- -->`) {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// In HTML there is no element, attribute or address but those of the page itself.
func TestNothingBecomesMarkupOfHTML(t *testing.T) {
	quiet, loud := rendered(t, onlyDeclared(t).report())["html"], rendered(t, hostile(t).report())["html"]
	names := func(text string) map[string]bool {
		out := map[string]bool{}
		for _, m := range regexp.MustCompile(`<(/?[a-zA-Z!][a-zA-Z0-9-]*)`).FindAllStringSubmatch(text, -1) {
			out[strings.ToLower(m[1])] = true
		}
		return out
	}
	// Elements that only an incident with something in it has.
	known := names(quiet + "<g></g><path/><line/><ul></ul><li></li>")
	for name := range names(loud) {
		if !known[name] {
			t.Errorf("<%s> came out of a text", name)
		}
	}
	for _, bad := range []string{"<script", " onerror=", " onload=alert(1)>", "src=", "javascript:alert(1)\"", "@import", "url("} {
		for _, text := range []string{quiet, loud} {
			markup := regexp.MustCompile(`<[^>]*>|(?s)<style>.*?</style>`).FindAllString(text, -1)
			if strings.Contains(strings.Join(markup, "\n"), bad) {
				t.Errorf("%q stands in the page's markup", bad)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|src|xlink:href)="([^"]*)"`).FindAllStringSubmatch(loud, -1) {
		if !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page leads to %s", m[1])
		}
	}
	for _, open := range []string{"table", "tr", "td", "svg", "section", "g", "p", "h3"} {
		a := len(regexp.MustCompile(`<`+open+`[ >]`).FindAllString(loud, -1))
		if z := strings.Count(loud, "</"+open+">"); a != z || a == 0 {
			t.Errorf("%d <%s>, %d </%s>", a, open, z, open)
		}
	}
}

func TestNothingUnseenComesThrough(t *testing.T) {
	l := onlyDeclared(t)
	dirty := "be" + unseen + "fore"
	l.add(time.Second, dirty, incident.Noted{Text: dirty})
	l.add(time.Second, dirty, incident.Decided{Text: dirty, Reason: dirty})
	l.add(time.Second, dirty, incident.Updated{Text: dirty + "\n" + dirty, To: dirty})
	l.add(time.Second, "ic-1", incident.ItemMoved{Item: "immediate.test", Act: incident.ItemTicked, Reason: dirty, Evidence: incident.Evidence{Value: dirty, Link: dirty}})
	in := l.input()
	in.Journal.Problem, in.Journal.Head, in.Trouble, in.Journal.Verified = dirty, dirty, dirty, false
	made, err := NewIncident(in)
	if err != nil {
		t.Fatal(err)
	}
	for format, text := range rendered(t, made) {
		for i, r := range text {
			if r != '\n' && (unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029') {
				t.Fatalf("%s has %U: …%q", format, r, text[max(0, i-20):min(len(text), i+20)])
			}
		}
		if !strings.Contains(text, "bereddesreverx") {
			t.Errorf("%s lost the text around it", format)
		}
		if strings.Contains(text, "[31m") || strings.Contains(text, "0;title") {
			t.Errorf("%s kept a part of a sequence", format)
		}
	}
}

// No control of one character and no mark of direction comes through, wherever a
// text comes from.
func TestNoControlOrDirectionComesThroughInJSON(t *testing.T) {
	var bad []rune
	for r := rune(0x7f); r <= 0x9f; r++ {
		bad = append(bad, r)
	}
	bad = append(bad, 0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069)
	l := &log{t: t, at: t0}
	text := func(r rune) string { return "x" + string(r) + "y" }
	l.add(0, text(0x9b), incident.Declared{ID: text(0x202e), Severity: runbook.SEV1, Summary: text(0x85), Started: t0, Environment: text(0x9d), Drill: text(0x2066),
		Roles: map[incident.Role]string{incident.Commander: text(0x90)}, Runbook: text(0x9f), Digest: text(0x9e)})
	for _, r := range bad {
		evidence := incident.Evidence{Stance: text(r), Value: text(r), Source: text(r), Typed: text(r), Note: text(r), Link: text(r), With: text(r)}
		l.add(time.Second, text(r), incident.Noted{Text: text(r)})
		l.add(time.Second, "", incident.ReadingChanged{Component: estate.ID(text(r)), Name: text(r), From: estate.OK, To: estate.Fail, Word: text(r), Reason: text(r)})
		l.add(time.Second, "ic-1", incident.NodeMoved{Node: "fate", Act: incident.NodeAct(text(r)), Verdict: text(r), Evidence: evidence})
		l.add(time.Second, "ic-1", incident.ItemMoved{Item: "immediate.test", Act: incident.ItemAct(text(r)), Evidence: evidence})
		l.add(time.Second, "ic-1", incident.MeasureMoved{ID: text(r), Act: incident.MeasureOpened, Kind: incident.MeasureKind(text(r)), What: text(r)})
		l.all = append(l.all, incident.Event{Seq: uint64(len(l.all) + 1), At: l.at, Kind: incident.Kind(text(r)), Data: incident.Unreadable{Kind: incident.Kind(text(r)), Version: 2}})
	}
	texts := rendered(t, l.report())
	var doc any
	if err := json.Unmarshal([]byte(texts["json"]), &doc); err != nil {
		t.Fatal(err)
	}
	texts["json, decoded"] = fmt.Sprint(doc) // nor as an escape of JSON
	for format, out := range texts {
		for i, r := range out {
			if slices.Contains(bad, r) {
				t.Fatalf("%s has %U: …%q", format, r, out[max(0, i-40):min(len(out), i+20)])
			}
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	l := onlyDeclared(t)
	l.add(time.Second, "ic-1", incident.Noted{Text: strings.Repeat("é", 50_000)})
	note := l.report().doc.Notes[0].Text
	if n := len([]rune(note)); n != longest || !strings.HasSuffix(note, "…") {
		t.Errorf("a note of %d runes", n)
	}
}

// long is an incident of many events: most of them readings that flap.
func long(t testing.TB, n int) *log {
	l := rich(t)
	for i := 0; len(l.all) < n; i++ {
		if i%100 == 99 {
			l.add(time.Second, "ic-2", incident.Noted{Text: fmt.Sprintf("note number %d", i)})
			continue
		}
		from, to := estate.OK, estate.Fail
		if i/7%2 == 1 {
			from, to = to, from
		}
		l.add(time.Duration(i%5)*time.Second, "", incident.ReadingChanged{
			Component: estate.ID(fmt.Sprintf("c%d", i%7)), Name: fmt.Sprintf("Component %d", i%7), From: from, To: to, Word: "DOWN", Reason: "no answer"})
	}
	return l
}

func TestALongIncidentIsBoundedAndLosesNothingOfPeople(t *testing.T) {
	l := long(t, 50_000)
	made := l.report()
	counted, notes := 0, 0
	for i := range made.doc.Timeline {
		counted += made.doc.Timeline[i].Events
		if made.doc.Timeline[i].Kind == "note" {
			notes++
		}
	}
	wantNotes := 0
	for i := range l.all {
		if l.all[i].Kind == incident.KindNote {
			wantNotes++
		}
	}
	if counted != len(l.all) || notes != wantNotes || len(made.doc.Notes) != wantNotes {
		t.Errorf("%d events of %d, %d and %d notes of %d", counted, len(l.all), notes, len(made.doc.Notes), wantNotes)
	}
	if lines := len(made.doc.Timeline); lines > wantNotes+200 {
		t.Errorf("%d lines", lines)
	}
	for format, text := range rendered(t, made) {
		if len(text) > 1<<20 {
			t.Errorf("%s has %d bytes", format, len(text))
		}
	}
}

// However readings come, what nobody did has a bound, and every event is counted.
func TestNoiseIsBoundedHoweverItComes(t *testing.T) {
	l := onlyDeclared(t)
	for i := range 6000 {
		l.add(11*time.Minute, "", incident.ReadingChanged{Component: estate.ID(fmt.Sprintf("c%d", i%3000)), Name: "n", From: estate.OK, To: estate.Fail})
	}
	made := l.report()
	counted := 0
	for i := range made.doc.Timeline {
		counted += made.doc.Timeline[i].Events
	}
	if lines := len(made.doc.Timeline); counted != len(l.all) || lines > 2*maxNoise+10 {
		t.Errorf("%d lines for %d of %d events", lines, counted, len(l.all))
	}
}

func BenchmarkIncidentReport(b *testing.B) {
	l := long(b, 50_000)
	for b.Loop() {
		l.report()
	}
}

func BenchmarkIncidentRender(b *testing.B) {
	made := long(b, 50_000).report()
	for format, write := range map[string]func(*bytes.Buffer) error{
		"md":   func(w *bytes.Buffer) error { return made.Markdown(w) },
		"html": func(w *bytes.Buffer) error { return made.HTML(w) },
		"json": func(w *bytes.Buffer) error { return made.JSON(w) },
	} {
		b.Run(format, func(b *testing.B) {
			for b.Loop() {
				if err := write(new(bytes.Buffer)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	for _, a := range attacks {
		f.Add(a)
	}
	f.Add(unseen)
	f.Fuzz(func(t *testing.T, s string) {
		s = tidyLines(s)
		if got := plainOf("md", escape(s)); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
		if strings.Contains(escape(s), "\n") {
			t.Errorf("%q is of several lines", escape(s))
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
	})
}

// However an incident went, its picture stays within its frame.
func TestThePictureStaysWithinItsFrame(t *testing.T) {
	open := onlyDeclared(t)
	late := onlyDeclared(t) // nobody came back to it for a month
	late.add(30*24*time.Hour, "ic-1", incident.Recovered{})
	after := onlyDeclared(t) // an hour, and then a month of work
	after.add(time.Hour, "ic-1", incident.Recovered{})
	after.add(30*24*time.Hour, "ic-1", incident.Noted{Text: "mended"})
	for name, l := range map[string]*log{"rich": rich(t), "hostile": hostile(t), "open": open, "late": late, "after": after} {
		p := l.report().doc.draw()
		inside := func(what string, x, y float64) {
			if x < 0 || x > float64(p.W) || y < 0 || y > float64(p.H) {
				t.Errorf("%s: %s is at %g,%g of %d,%d", name, what, x, y, p.W, p.H)
			}
		}
		last := -1.0
		for _, tick := range p.Ticks {
			inside("tick "+tick.Label, tick.X, 0)
			if tick.X <= last {
				t.Errorf("%s: tick %s goes back to %g", name, tick.Label, tick.X)
			}
			last = tick.X
		}
		for _, b := range p.Bands {
			inside("band "+b.Title, b.X, b.Y)
			inside("end of band "+b.Title, b.X+b.W, b.Y+b.H)
			if b.W <= 0 || b.H <= 0 {
				t.Errorf("%s: band %s is %g by %g", name, b.Title, b.W, b.H)
			}
		}
		for _, line := range p.Lines {
			inside("line", line.X1, line.Y1)
			inside("line", line.X2, line.Y2)
		}
		for _, w := range p.Words {
			wide := wordWidth * float64(len([]rune(w.Label)))
			if w.Anchor == "end" {
				wide = -wide
			}
			inside("word "+w.Label, w.X, w.Y)
			inside("end of word "+w.Label, w.X+wide, w.Y)
		}
		if n := len(p.Ticks); n < 3 || n > 14 {
			t.Errorf("%s: %d ticks", name, n)
		}
	}
}
