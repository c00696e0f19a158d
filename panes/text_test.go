package panes

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"warroom/internal/estate"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"\x1b[31mred\x1b[0m":     "red",
		"\x1b]0;title\x07left":   "left",
		"two\nlines\r\nand\ttab": "two lines and tab",
		"c1 \u009b31mx":          "c1 31mx",
		"bell\a\b\x7f":           "bell",
		"a\u202eb\u2066c":        "abc",
		"joined 👩\u200d👧":        "joined 👩👧",
		"bad \xff utf-8":         "bad ? utf-8",
		"line\u2028sep":          "line sep",
		"no\u00a0break":          "no break",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	if n := len(clean(strings.Repeat("é", 1<<20))); n > longest {
		t.Errorf("a huge text is kept at %d bytes", n)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mred\x1b]8;;x\x1b\\")
	f.Add("\xc2\x9b日本")
	th := themeOf(f, "default")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Fatalf("clean(%q) keeps %U", s, r)
			}
		}
		fr := Frame{Width: 30, Height: 1, Theme: th, Now: now}
		for n := range 12 {
			if w := width(fr.cut(got, n)); w > n {
				t.Fatalf("cut(%q, %d) is %d cells wide", got, n, w)
			}
			if w := width(fr.prose(got, n)); w > n {
				t.Fatalf("prose(%q, %d) is %d cells wide", got, n, w)
			}
		}
		row := fr.line(30).put(1, fr.say(s)).String()
		if w := ansi.StringWidth(row); w != 30 {
			t.Fatalf("a row of %q is %d cells wide", s, w)
		}
	})
}

func TestCutsSayThatTheyCut(t *testing.T) {
	u, a := Frame{Theme: themeOf(t, "default")}, Frame{Theme: themeOf(t, "ascii")}
	for _, c := range []struct {
		got, want string
	}{
		{u.cut("OLD_VERSION", 8), "OLD_VER…"},
		{u.cut("OLD_VERSION", 11), "OLD_VERSION"},
		{u.cut("OLD_VERSION", 1), "…"},
		{u.cut("OLD_VERSION", 0), ""},
		{a.cut("OLD_VERSION", 8), "OLD_V..."},
		{a.cut("OLD_VERSION", 2), "O."},
		{u.cut("日本語", 4), "日…"},
		{u.prose("the password is refused", 16), "the password is…"},
		{u.prose("the password is refused", 20), "the password is…"},
		{u.prose("incomprehensibilities abound", 12), "incomprehen…"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "<10s", 0: "<10s", 9 * time.Second: "<10s", 10 * time.Second: "10s", 29 * time.Second: "10s", 59 * time.Second: "30s",
		time.Minute: "1m", 4*time.Minute + 59*time.Second: "4m", 9 * time.Minute: "5m", 44 * time.Minute: "30m", time.Hour: "1h", 47 * time.Hour: "47h", 15 * 24 * time.Hour: "15d",
	} {
		if got := Age(now.Add(-d), now); got != want {
			t.Errorf("an age of %v is drawn as %q, want %q", d, got, want)
		}
	}
	if got := Age(time.Time{}, now); got != "never" {
		t.Errorf("no time is drawn as %q", got)
	}
}

// The console draws a plane again only when its stamp changes: whatever a plane
// draws must not change without it.
func TestAgeStampCoversEveryAgeThatAPlaneDraws(t *testing.T) {
	r := guide()
	th := themeOf(t, "no-color")
	for _, p := range estate.Planes {
		var before string
		var stamp uint64
		drawn, stamps := 0, 0
		// Every age that is drawn began at a whole number of seconds: ten are fine
		// enough to meet each step.
		for s := 0; s < 2*3600; s += 10 {
			at := now.Add(time.Duration(s) * time.Second)
			got := AgeStamp(r, p, at)
			rows := text(Plane(Frame{Width: 100, Height: 28, Theme: th, Now: at}, r, PlaneView{Plane: p}))
			if s > 0 && rows != before && got == stamp {
				t.Fatalf("%v: after %d s the plane looks different at the same stamp", p, s)
			}
			if rows != before {
				drawn++
			}
			if got != stamp {
				stamps++
			}
			before, stamp = rows, got
		}
		if drawn < 5 || stamps > 40 {
			t.Errorf("%v: drawn %d times at %d stamps in two hours", p, drawn, stamps)
		}
	}
}

func TestAgeInASentence(t *testing.T) {
	d := &detail{f: Frame{Now: now}}
	if got := d.ago(now); got != "less than 10s ago" {
		t.Errorf("just now reads %q", got)
	}
}

func TestPeriodAndTook(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "", 36 * time.Hour: "36h", 24 * time.Hour: "24h", 7 * 24 * time.Hour: "7 days", 5 * time.Minute: "5m", 90 * time.Minute: "1h30m", 49 * time.Hour: "49h", 5 * time.Second: "5s"} {
		if got := period(d); got != want {
			t.Errorf("period(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "", time.Microsecond: "<1ms", 41 * time.Millisecond: "41ms", 1500 * time.Millisecond: "1.5s"} {
		if got := took(d); got != want {
			t.Errorf("took(%v) = %q, want %q", d, got, want)
		}
	}
}

// What is counted as one cell without looking is one cell to those who look.
func TestSingleRunesAreOneCellWide(t *testing.T) {
	for r := rune(0); r < 0x10000; r++ {
		if single(r) && (ansi.StringWidth(string(r)) != 1 || ansi.StringWidthWc(string(r)) != 1) {
			t.Errorf("%U is not one cell wide", r)
		}
	}
	for _, s := range []string{"a─b", "✓ done", "e\u0301", "─\u0301", "日", "", "►►", "\x1b[1m─"} {
		if got, want := width(s), ansi.StringWidth(s); got != want {
			t.Errorf("%q is counted as %d cells, and is %d", s, got, want)
		}
	}
}
