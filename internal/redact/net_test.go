package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
)

const canary = `pw"<&/+canary é\7f`

func TestScrubEveryEncoding(t *testing.T) {
	var n Net
	n.Register(canary)
	inJSON, _ := json.Marshal(map[string]string{"password": canary})
	twice, _ := json.Marshal(map[string]string{"SecretString": string(inJSON)})
	texts := map[string]string{
		"raw":       "refused password " + canary + " for app",
		"json":      string(inJSON),
		"json json": string(twice),
		"query":     "https://x/?p=" + url.QueryEscape(canary),
		"path":      "https://x/" + url.PathEscape(canary),
		"go":        fmt.Sprintf("%q", canary),
		"hex":       fmt.Sprintf("%x %X", canary, canary),
	}
	for offset := range 3 {
		for after := range 3 {
			long := strings.Repeat("u", offset) + canary + strings.Repeat(":", after)
			texts[fmt.Sprintf("base64 std %d %d", offset, after)] = base64.StdEncoding.EncodeToString([]byte(long))
			texts[fmt.Sprintf("base64 url %d %d", offset, after)] = base64.RawURLEncoding.EncodeToString([]byte(long))
		}
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			got := n.Scrub(text)
			if !strings.Contains(got, Mask) {
				t.Errorf("Scrub(%q) = %q, want the mask in it", text, got)
			}
			if strings.Contains(got, "canary") {
				t.Errorf("Scrub(%q) = %q, holds the value", text, got)
			}
		})
	}
	if got := n.Scrub("nothing of ours here"); got != "nothing of ours here" {
		t.Errorf("unrelated text became %q", got)
	}
}

func TestScrubPrefersTheWholeOverItsParts(t *testing.T) {
	var n Net
	n.Register("swordfish", "swordfish-and-more")
	if got := n.Scrub("x swordfish-and-more y"); got != "x "+Mask+" y" {
		t.Errorf("got %q", got)
	}
}

func TestShortValuesAndTheMaskAreLeftOut(t *testing.T) {
	var n Net
	n.Register("1234567", "", "redacted")
	if n.Len() != 0 {
		t.Fatalf("%d values known, want none", n.Len())
	}
	if got := n.Scrub("1234567 redacted"); got != "1234567 redacted" {
		t.Errorf("got %q", got)
	}
	n.Register("12345678")
	if got := n.Scrub("a12345678b"); got != "a"+Mask+"b" {
		t.Errorf("got %q", got)
	}
}

func TestNilAndEmptyNet(t *testing.T) {
	var none *Net
	none.Register("something long")
	if got := none.Scrub("something long"); got != "something long" {
		t.Errorf("nil net changed text to %q", got)
	}
	var empty Net
	if got := empty.Scrub("something long"); got != "something long" {
		t.Errorf("empty net changed text to %q", got)
	}
}

func TestNetDoesNotPrintWhatItKnows(t *testing.T) {
	n := &Net{}
	n.Register("canary-value-1")
	holder := struct {
		net  *Net
		Name string
	}{n, "x"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, text := range []string{fmt.Sprintf(verb, n), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder)} {
			if strings.Contains(text, "canary") {
				t.Errorf("%s prints %q", verb, text)
			}
		}
	}
	if text, err := json.Marshal(n); err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("JSON: %s, %v", text, err)
	}
}

func TestConcurrentRegisterAndScrub(t *testing.T) {
	var n Net
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			value := fmt.Sprintf("secret-value-%d", i)
			for range 50 {
				n.Register(value)
				if got := n.Scrub("x" + value); strings.Contains(got, value) {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wait.Wait()
	if n.Len() != 8 {
		t.Errorf("%d values known, want 8", n.Len())
	}
}

// After Scrub no form of a registered value may be left, whatever the text and
// however the values overlap.
func FuzzScrub(f *testing.F) {
	f.Add("hunter2hunter2", "redacted]x", "say hunter2hunter2 and redacted]x")
	f.Add("abcdefg[", "zzzzzzzz", "abcdefgzzzzzzzz")
	f.Add(canary, "1111111111", `{"p":"pw\"\u003c\u0026/+canary é\\7f"}`)
	f.Fuzz(func(t *testing.T, one, two, text string) {
		var n Net
		n.Register(one, two)
		for _, v := range []string{one, two} {
			if !fit(v) {
				continue
			}
			for _, form := range Forms(v) {
				for _, planted := range []string{text, text + form, form + text, text + form + form + text, form[:len(form)/2] + form} {
					got := n.Scrub(planted)
					for _, left := range append(Forms(one), Forms(two)...) {
						if fit(one) && fit(two) && strings.Contains(got, left) {
							t.Fatalf("%q left in %q", left, got)
						}
					}
					if strings.Contains(got, form) {
						t.Fatalf("%q left in %q", form, got)
					}
				}
			}
		}
	})
}

func BenchmarkScrub(b *testing.B) {
	var n Net
	for i := range 200 {
		n.Register(fmt.Sprintf("Zx%dqqLmN0pR5tV8wY%d", i*7919, i))
	}
	line := strings.Repeat("2026-01-02T03:04:05Z ERROR something went wrong with the thing ", 16)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		n.Scrub(line)
	}
}

// A text that was cut for length before the value was known keeps no part of it
// that could be recognised.
func TestScrubWhatWasCutShort(t *testing.T) {
	const value = "correct horse battery staple"
	var n Net
	n.Register(value)
	for cut := beginning; cut < len(value); cut++ {
		text := "said " + value[:cut] + "… and more"
		if got := n.Scrub(text); got != "said "+Mask+"… and more" {
			t.Errorf("cut after %d: %q", cut, got)
		}
	}
	for _, text := range []string{"cor…", "a correct answer", "correct…ly", "…", "said…correct horse"} {
		if got := n.Scrub(text); got != text && text != "correct…ly" {
			t.Errorf("%q became %q", text, got)
		}
	}
}
