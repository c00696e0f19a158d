package theme

import (
	"image/color"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// luminance is the relative luminance of WCAG 2.
func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	channel := func(v uint32) float64 {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(r) + 0.7152*channel(g) + 0.0722*channel(b)
}

func ratio(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestRatioIsThatOfWCAG(t *testing.T) {
	for _, c := range []struct {
		a, b rgb
		want float64
	}{{0, 0xFFFFFF, 21}, {0x777777, 0xFFFFFF, 4.48}, {0x5C5C5C, 0x1E1E1E, 2.5}, {0xF0E442, 0x1E1E1E, 12.6}} {
		if got := ratio(c.a, c.b); math.Abs(got-c.want) > 0.06 {
			t.Errorf("contrast of %06x on %06x is %.2f, want %.2f", int(c.a), int(c.b), got, c.want)
		}
	}
}

func all() map[string]*Theme {
	out := map[string]*Theme{"ascii without colour": asciiNoColor}
	for _, n := range Names() {
		out[n] = themes[n]
	}
	return out
}

// live are the tokens that carry live figures.
func live() []Token {
	var out []Token
	for t := Text; t <= BandNotice; t++ {
		out = append(out, t)
	}
	return append(out, Button, ButtonChosen)
}

// fewerColours are the live figures that fall below the bar in a terminal of 256
// colours, which takes the nearest it has: those of the light theme's warning. Of
// its yellows and browns none reads at 7:1 on white; the best, #5F5F00, has 6.72.
// Their word and glyph say the same, and --theme high-contrast has no exception.
var fewerColours = map[string]map[Token]float64{
	Light: {Warn: 6.72, WarnBadge: 6.72, BandArmed: 6.72},
}

// Every live figure reads, with true colour and, but for the exceptions above, in
// a terminal of 256 colours.
func TestLiveFiguresReadAtSevenToOne(t *testing.T) {
	for name, want := range map[string]float64{Default: 7, Light: 7, HighContrast: 10, ASCII: 7} {
		th := themes[name]
		for _, depth := range []struct {
			name   string
			seen   func(color.Color) color.Color
			except map[Token]float64
		}{
			{"true colour", func(c color.Color) color.Color { return c }, nil},
			{"256 colours", func(c color.Color) color.Color { return ansi.Convert256(c) }, fewerColours[name]},
		} {
			least, at := 100.0, Token(0)
			for _, k := range live() {
				s := th.styles[k]
				if s.fg == none || s.reverse {
					t.Fatalf("%s: token %d has no colours that can be weighed", name, k)
				}
				bg := th.Background
				if s.bg != none {
					bg = depth.seen(s.bg)
				}
				r := ratio(depth.seen(s.fg), bg)
				measured, excepted := depth.except[k]
				switch {
				case excepted && r >= want:
					t.Errorf("%s, %s: token %d reads at %.2f: it is no exception", name, depth.name, k, r)
				case excepted && math.Abs(r-measured) > 0.005:
					t.Errorf("%s, %s: token %d: the exception is for %.2f, and it has %.4f", name, depth.name, k, measured, r)
				case !excepted && r < want:
					t.Errorf("%s, %s: token %d: %06x is %.2f on its background, below %.0f", name, depth.name, k, int(s.fg), r, want)
				}
				if r < least {
					least, at = r, k
				}
			}
			t.Logf("%s, %s: the least contrast of a live figure is %.2f (token %d)", name, depth.name, least, at)
		}
	}
}

// An accent that does not read at 7:1 stays on borders.
func TestAccentsAreTheGuides(t *testing.T) {
	for _, name := range []string{Default, Light, HighContrast, ASCII} {
		for k, want := range map[Token]rgb{Edge: 0x3B82F6, Service: 0x10B981, State: 0xF59E0B, Control: 0x8B5CF6} {
			if got := themes[name].styles[k].fg; got != want {
				t.Errorf("%s: accent %d is %06x, want %06x", name, k, int(got), int(want))
			}
		}
		for k := EdgeTitle; k <= ControlTitle; k++ {
			if r := ratio(themes[name].styles[k].fg, themes[name].Background); r < 7 {
				t.Errorf("%s: title %d reads at %.2f", name, k, r)
			}
		}
	}
}

// The statuses must stay apart for a viewer who sees no red or no green. The
// matrices are those of Viénot, Brettel and Mollon (1999) in linear RGB.
func TestStatusesStayApartForColourBlindEyes(t *testing.T) {
	sims := map[string][3][3]float64{
		"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"deuteranopia": {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}},
		"protanopia":   {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}},
	}
	for _, name := range []string{Default, Light, HighContrast} {
		th := themes[name]
		for sim, m := range sims {
			list := []Token{Fail, Warn, OK, Unknown}
			for i, a := range list {
				for _, b := range list[i+1:] {
					if d := deltaE(lab(th.styles[a].fg, m), lab(th.styles[b].fg, m)); d < 20 {
						t.Errorf("%s, %s: tokens %d and %d differ by %.0f", name, sim, a, b, d)
					}
				}
			}
		}
	}
}

func lab(c rgb, m [3][3]float64) [3]float64 {
	r, g, b, _ := c.RGBA()
	in := [3]float64{}
	for i, v := range []uint32{r, g, b} {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			in[i] = s / 12.92
		} else {
			in[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	var o [3]float64
	for i := range o {
		o[i] = min(max(m[i][0]*in[0]+m[i][1]*in[1]+m[i][2]*in[2], 0), 1)
	}
	x := (0.4124*o[0] + 0.3576*o[1] + 0.1805*o[2]) / 0.95047
	y := 0.2126*o[0] + 0.7152*o[1] + 0.0722*o[2]
	z := (0.0193*o[0] + 0.1192*o[1] + 0.9505*o[2]) / 1.08883
	f := func(v float64) float64 {
		if v > 0.008856 {
			return math.Cbrt(v)
		}
		return 7.787*v + 16.0/116
	}
	return [3]float64{116*f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))}
}

func deltaE(a, b [3]float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

func TestGlyphs(t *testing.T) {
	for name, th := range all() {
		g := th.Glyphs
		one := []string{g.OK, g.Warn, g.Fail, g.Unknown, g.NA, g.Stale, g.Select, g.Out, g.In, g.Up, g.Down, g.Dot, g.Dash, g.Bar, g.Cursor, g.Mark,
			g.Now, g.Open, g.Doing, g.Ready, g.RuledOut, g.Regressed, g.For, g.Against, g.Killer, g.Sensed, g.Leader, g.Block, g.ToRight, g.ToBelow, g.Fork, g.Tee}
		if g.HalfUp != "" || g.HalfDown != "" {
			one = append(one, g.HalfUp, g.HalfDown)
		}
		for _, f := range []Frame{g.Frame, g.Focus, g.Current} {
			one = append(one, f.TopLeft, f.TopRight, f.BottomLeft, f.BottomRight, f.Across, f.Down)
		}
		for _, s := range one {
			if ansi.StringWidth(s) != 1 || ansi.StringWidthWc(s) != 1 {
				t.Errorf("%s: %q is not one cell wide", name, s)
			}
			if g.ASCIIOnly && (len(s) != 1 || s[0] >= utf8.RuneSelf) {
				t.Errorf("%s: %q is not ASCII", name, s)
			}
		}
		statuses := map[string]bool{g.OK: true, g.Warn: true, g.Fail: true, g.Unknown: true, g.NA: true, g.Stale: true}
		if len(statuses) != 6 {
			t.Errorf("%s: two statuses share a glyph", name)
		}
		if g.Frame == g.Focus || g.Current == g.Frame || g.Current == g.Focus {
			t.Errorf("%s: the frame with the focus, or of the current step, looks like any other", name)
		}
		steps := map[string]bool{g.Now: true, g.Open: true, g.Doing: true, g.Ready: true, g.RuledOut: true, g.Regressed: true, g.OK: true, g.NA: true, g.Warn: true}
		if len(steps) != 9 {
			t.Errorf("%s: two ways in which a step stands share a glyph", name)
		}
		if stances := map[string]bool{g.For: true, g.Against: true, g.Unknown: true, g.NA: true}; len(stances) != 4 {
			t.Errorf("%s: two stances share a glyph", name)
		}
	}
}

func TestNothingBlinksOrFades(t *testing.T) {
	for name, th := range all() {
		for k := range th.sgr {
			codes := strings.Split(strings.TrimSuffix(strings.TrimPrefix(th.sgr[k], "\x1b["), "m"), ";")
			if codes[0] != "0" {
				t.Errorf("%s: token %d does not take back what was set before: %q", name, k, th.sgr[k])
			}
			for i := 1; i < len(codes); i++ {
				switch codes[i] {
				case "1", "4", "7":
				case "38", "48":
					if th.Background == nil {
						t.Errorf("%s: token %d names a colour: %q", name, k, th.sgr[k])
					}
					i += 4
				default:
					t.Errorf("%s: token %d sets %s", name, k, codes[i])
				}
			}
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		noColor bool
		want    *Theme
	}{
		{"", false, themes[Default]},
		{"light", false, themes[Light]},
		{"light", true, themes[NoColor]},
		{"ascii", true, asciiNoColor},
		{"", true, themes[NoColor]},
	} {
		got, err := Choose(c.name, c.noColor)
		if err != nil || got != c.want {
			t.Errorf("Choose(%q, %v) = %v, %v", c.name, c.noColor, got, err)
		}
	}
	if _, err := Choose("drak", false); err == nil || !strings.Contains(err.Error(), "high-contrast") {
		t.Errorf("a wrong name gives %v, want the names there are", err)
	}
}
