package theme

import (
	"fmt"
	"image/color"
	"strings"
)

// Theme is one way to draw every token, with its glyphs. It is immutable and
// may be shared.
type Theme struct {
	Name   string
	Glyphs Glyphs
	// Background is what the tokens were chosen for, for the program to ask
	// of the terminal; nil leaves the terminal's own.
	Background color.Color
	// Foreground is the colour of Text, or nil.
	Foreground color.Color

	styles [tokens]style
	sgr    [tokens]string
}

// SGR is the sequence that begins a token. It first takes back whatever was set
// before, so that one token can follow another without a reset between them.
func (t *Theme) SGR(k Token) string { return t.sgr[k] }

// Reset is the sequence that ends a row.
const Reset = "\x1b[m"

// style is how one token looks. A negative colour is none.
type style struct {
	fg, bg                   rgb
	bold, underline, reverse bool
}

// rgb is 0xRRGGBB, or none.
type rgb int32

const none rgb = -1

// RGBA satisfies color.Color.
func (c rgb) RGBA() (r, g, b, a uint32) {
	return uint32(c>>16&255) * 0x101, uint32(c>>8&255) * 0x101, uint32(c&255) * 0x101, 0xffff
}

func (s style) sgr() string {
	var b strings.Builder
	b.WriteString("\x1b[0")
	for _, a := range []struct {
		on   bool
		code string
	}{{s.bold, ";1"}, {s.underline, ";4"}, {s.reverse, ";7"}} {
		if a.on {
			b.WriteString(a.code)
		}
	}
	if s.fg != none {
		fmt.Fprintf(&b, ";38;2;%d;%d;%d", s.fg>>16&255, s.fg>>8&255, s.fg&255)
	}
	if s.bg != none {
		fmt.Fprintf(&b, ";48;2;%d;%d;%d", s.bg>>16&255, s.bg>>8&255, s.bg&255)
	}
	b.WriteByte('m')
	return b.String()
}

func build(name string, g Glyphs, background rgb, styles [tokens]style) *Theme {
	t := &Theme{Name: name, Glyphs: g, styles: styles}
	if background != none {
		t.Background, t.Foreground = background, styles[Text].fg
	}
	for k := range styles {
		t.sgr[k] = styles[k].sgr()
	}
	return t
}

// The themes.
const (
	Default      = "default"
	Light        = "light"
	HighContrast = "high-contrast"
	ASCII        = "ascii"
	NoColor      = "no-color"
)

// Names lists the themes that Choose knows.
func Names() []string { return []string{Default, Light, HighContrast, ASCII, NoColor} }

var themes = map[string]*Theme{
	Default:      build(Default, unicodeGlyphs, dark.background, dark.styles()),
	Light:        build(Light, unicodeGlyphs, light.background, light.styles()),
	HighContrast: build(HighContrast, unicodeGlyphs, contrast.background, contrast.styles()),
	ASCII:        build(ASCII, asciiGlyphs, dark.background, dark.styles()),
	NoColor:      build(NoColor, unicodeGlyphs, none, attributes()),
}

var asciiNoColor = build(ASCII, asciiGlyphs, none, attributes())

// Choose returns the theme called name; empty is the default. With noColor,
// which is what a non-empty NO_COLOR asks for, it is drawn with attributes
// alone.
func Choose(name string, noColor bool) (*Theme, error) {
	if name == "" {
		name = Default
	}
	t, ok := themes[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("choose theme %q: there is no such theme; use one of %s", name, strings.Join(Names(), ", "))
	case noColor && name == ASCII:
		return asciiNoColor, nil
	case noColor:
		return themes[NoColor], nil
	}
	return t, nil
}
