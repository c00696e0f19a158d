package theme

// palette is the few colours from which a theme's tokens are made. Backgrounds
// are colours that a terminal of 256 has, for a dark grey would turn blue there.
type palette struct {
	background, ink        rgb // ink is what is written on filled labels
	text, strong, muted    rgb
	fail, warn, ok         rgb
	unknown, na, stale     rgb
	band, bandText, bandMu rgb
	readOnly, readOnlyText rgb
	armed, armedText       rgb
	drill, drillText       rgb
	edge, service          rgb
	state, control         rgb
	rule                   rgb
	cursor                 rgb // behind what is selected
}

// dark is the default. Its statuses are the colour-blind safe set of vermilion,
// yellow, sky blue and reddish purple, lightened until each reads at 7:1.
var dark = palette{
	background: 0x17191D, ink: 0x101114,
	text: 0xE6E6E6, strong: 0xFFFFFF, muted: 0xB4B8BF,
	fail: 0xFF8A5B, warn: 0xF0E442, ok: 0x56B4E9, unknown: 0xF0B0C8, na: 0xB4B8BF, stale: 0xC8C2B0,
	band: 0x303030, bandText: 0xE6E6E6, bandMu: 0xC3C7CE,
	readOnly: 0x4E4E4E, readOnlyText: 0xFFFFFF,
	armed: 0xF0E442, armedText: 0x101114,
	drill: 0x5F00AF, drillText: 0xFFFFFF,
	edge: 0x3B82F6, service: 0x10B981, state: 0xF59E0B, control: 0x8B5CF6,
	rule: 0x767676, cursor: 0x444444,
}

// light is for bright rooms and light terminals.
var light = palette{
	background: 0xFFFFFF, ink: 0xFFFFFF,
	text: 0x1F2328, strong: 0x000000, muted: 0x4A4F57,
	fail: 0xA50050, warn: 0x5C4B00, ok: 0x00508F, unknown: 0x6D28D9, na: 0x4A4F57, stale: 0x55503F,
	band: 0xE4E4E4, bandText: 0x1F2328, bandMu: 0x3C4149,
	readOnly: 0xFFFFFF, readOnlyText: 0x1F2328,
	armed: 0x5C4B00, armedText: 0xFFFFFF,
	drill: 0x5F00AF, drillText: 0xFFFFFF,
	edge: 0x3B82F6, service: 0x10B981, state: 0xF59E0B, control: 0x8B5CF6,
	rule: 0x8A8A8A, cursor: 0xD0D0D0,
}

// contrast is for bad projectors and tired eyes: black, and nothing below 10:1.
var contrast = palette{
	background: 0x000000, ink: 0x000000,
	text: 0xFFFFFF, strong: 0xFFFFFF, muted: 0xE0E0E0,
	fail: 0xFFA888, warn: 0xFFF04A, ok: 0x8FD0FF, unknown: 0xFFD6E0, na: 0xE0E0E0, stale: 0xE8E0C8,
	band: 0x000000, bandText: 0xFFFFFF, bandMu: 0xE0E0E0,
	readOnly: 0xFFFFFF, readOnlyText: 0x000000,
	armed: 0xFFF04A, armedText: 0x000000,
	drill: 0x4C1D95, drillText: 0xFFFFFF,
	edge: 0x3B82F6, service: 0x10B981, state: 0xF59E0B, control: 0x8B5CF6,
	rule: 0xA0A0A0, cursor: 0x3A3A3A,
}

func (p palette) styles() (s [tokens]style) {
	for k := range s {
		s[k] = style{fg: p.text, bg: none}
	}
	set := func(k Token, fg, bg rgb, bold bool) { s[k] = style{fg: fg, bg: bg, bold: bold} }
	set(Plain, none, none, false)
	set(Strong, p.strong, none, true)
	set(Muted, p.muted, none, false)
	set(Fail, p.fail, none, true)
	set(Warn, p.warn, none, false)
	set(OK, p.ok, none, false)
	set(Unknown, p.unknown, none, false)
	set(NA, p.na, none, false)
	set(Stale, p.stale, none, false)
	set(FailBadge, p.ink, p.fail, true)
	set(WarnBadge, p.ink, p.warn, true)
	set(OKBadge, p.ink, p.ok, true)
	set(UnknownBadge, p.ink, p.unknown, true)
	set(NABadge, p.ink, p.na, true)
	set(Selection, p.strong, p.cursor, true)
	s[Match] = style{fg: p.strong, bg: none, bold: true, underline: true}
	set(Key, p.strong, none, true)
	set(KeyText, p.muted, none, false)
	set(Disabled, p.muted, none, false)
	set(Message, p.strong, none, true)
	set(Band, p.bandText, p.band, false)
	set(BandStrong, p.bandText, p.band, true)
	set(BandMuted, p.bandMu, p.band, false)
	set(BandReadOnly, p.readOnlyText, p.readOnly, true)
	set(BandArmed, p.armedText, p.armed, true)
	set(BandDrill, p.drillText, p.drill, true)
	set(BandNotice, p.ink, p.stale, true)
	set(Button, p.text, none, false)
	set(ButtonChosen, p.background, p.strong, true)
	for i, accent := range []rgb{p.edge, p.service, p.state, p.control} {
		set(Edge+Token(i), accent, none, false)
		set(EdgeTitle+Token(i), p.strong, none, true)
	}
	set(Group, p.rule, none, false)
	set(Border, p.muted, none, false)
	return s
}

// attributes draws the tokens with nothing but bold, underline and reverse. Of
// the statuses only a failure is bold: glyph and word tell the others apart.
func attributes() (s [tokens]style) {
	for k := range s {
		s[k] = style{fg: none, bg: none}
	}
	for _, k := range []Token{Strong, Fail, Key, Message, BandStrong,
		EdgeTitle, ServiceTitle, StateTitle, ControlTitle} {
		s[k].bold = true
	}
	for _, k := range []Token{FailBadge, WarnBadge, UnknownBadge, OKBadge, NABadge, Selection,
		BandArmed, BandDrill, BandReadOnly, BandNotice, ButtonChosen} {
		s[k].bold, s[k].reverse = true, true
	}
	s[Match].bold, s[Match].underline = true, true
	return s
}
