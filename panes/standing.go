package panes

import (
	"strings"
	"time"

	"warroom/internal/diagnosis"
	"warroom/internal/estate"
	"warroom/internal/incident"
	"warroom/internal/theme"
)

// How nodes, items and evidence stand: always glyph and word, coloured after
// what they mean. What this package has never heard of is unknown.

// sign is how something stands: its glyph, its word and how they look.
type sign struct {
	glyph, word string
	look        theme.Token
	badge       bool // it is drawn as a filled label
}

// spans draws it.
func (s sign) spans() spans {
	if s.badge {
		return spans{{s.look, " " + s.glyph + " " + s.word + " "}}
	}
	return spans{{s.look, s.glyph + " " + s.word}}
}

func (f Frame) strange() sign {
	return sign{f.Theme.Glyphs.Unknown, "UNKNOWN", theme.Unknown, false}
}

// nodeSign is how a node of the flow stands.
func (f Frame) nodeSign(s incident.NodeStatus) sign {
	g := &f.Theme.Glyphs
	switch s {
	case incident.NodeIsOpen:
		return sign{g.Open, "open", theme.Text, false}
	case incident.NodeIsCurrent:
		return sign{g.Now, "CURRENT", theme.Strong, false}
	case incident.NodeIsDone:
		return sign{g.OK, "done", theme.OK, false}
	case incident.NodeIsRuledOut:
		return sign{g.RuledOut, "ruled out", theme.Muted, false}
	case incident.NodeIsRegressed:
		return sign{g.Regressed, "REGRESSED", theme.FailBadge, true}
	}
	return f.strange()
}

// itemSign is how an item of the checklist stands.
func (f Frame) itemSign(s incident.ItemStatus) sign {
	g := &f.Theme.Glyphs
	switch s {
	case incident.ItemIsOpen:
		return sign{g.Open, "open", theme.Text, false}
	case incident.ItemIsDoing:
		return sign{g.Doing, "doing", theme.Strong, false}
	case incident.ItemIsReady:
		return sign{g.Ready, "READY", theme.OKBadge, true}
	case incident.ItemIsDone:
		return sign{g.OK, "done", theme.OK, false}
	case incident.ItemIsSkipped:
		return sign{g.RuledOut, "skipped", theme.Stale, false}
	case incident.ItemIsNA:
		return sign{g.NA, "n/a", theme.NA, false}
	case incident.ItemIsOverridden:
		return sign{g.Warn, "overridden", theme.Warn, false}
	case incident.ItemIsRegressed:
		return sign{g.Regressed, "REGRESSED", theme.FailBadge, true}
	}
	return f.strange()
}

// stanceSign is what evidence says.
func (f Frame) stanceSign(s diagnosis.Stance) sign {
	g := &f.Theme.Glyphs
	switch s {
	case diagnosis.NoSensor:
		return sign{g.NA, "no sensor", theme.Muted, false}
	case diagnosis.Against:
		return sign{g.Against, "against", theme.Text, false}
	case diagnosis.For:
		return sign{g.For, "for", theme.Strong, false}
	}
	return sign{g.Unknown, "unread", theme.Unknown, false}
}

// worstOf is the worst that a finding rests on; NA when nothing in it is judged.
func worstOf(d *diagnosis.Finding) estate.Status {
	out := estate.NA
	for i := range d.Facts {
		out = max(out, known(d.Facts[i].Status))
	}
	return out
}

func staleFinding(d *diagnosis.Finding) bool {
	for i := range d.Facts {
		if d.Facts[i].Stale {
			return true
		}
	}
	return false
}

// evidence is a finding in one row: what was read, or why nothing was. word is
// what stands for a finding without a sensor.
func (f Frame) evidence(d *diagnosis.Finding, none string) (s string, look theme.Token) {
	g := &f.Theme.Glyphs
	value := f.say(d.Value)
	switch d.Stance {
	case diagnosis.NoSensor:
		return g.NA + " " + none, theme.Muted
	case diagnosis.For, diagnosis.Against:
		if value == "" {
			value = "nothing stated"
		}
		if staleFinding(d) {
			return g.Stale + " " + value, theme.Stale
		}
		switch s := worstOf(d); s {
		case estate.NA:
			return g.Dot + " " + value, theme.Text
		default:
			return f.glyph(s) + " " + value, figureToken(s)
		}
	}
	if value == "" {
		value = "nothing was read"
	}
	return g.Unknown + " unread: " + value, theme.Unknown
}

// provenance is where a finding comes from and how old it is; empty when it rests
// on nothing.
func (f Frame) provenance(d *diagnosis.Finding) string {
	var parts []string
	if at := d.At(); !at.IsZero() {
		parts = append(parts, "read "+since(at, f.Now))
	} else if len(d.Facts) > 0 {
		parts = append(parts, "never read")
	}
	for i := range d.Facts {
		if s := f.say(d.Facts[i].Source); s != "" {
			parts = append(parts, s)
			break
		}
	}
	return strings.Join(parts, f.dot())
}

// settledBy is who did something and when: "ic-1 T+0:04:10 03:16:55".
func (f Frame) settledBy(b *incident.Board, by string, at time.Time) string {
	var parts []string
	for _, s := range []string{f.say(by), f.sinceT0(b, at), stamp(at, f.Now)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

// fit makes s exactly n cells wide: cut with an ellipsis, or filled with blanks.
func (f Frame) fit(s spans, n int) spans {
	if n <= 0 {
		return nil
	}
	at := 0
	for i := range s {
		w := width(s[i].s)
		if at+w > n {
			cut := f.cut(s[i].s, n-at)
			out := append(append(spans(nil), s[:i]...), span{s[i].k, cut})
			return append(out, span{theme.Plain, spaces(n - at - width(cut))})
		}
		at += w
	}
	if at == n {
		return s
	}
	return append(s[:len(s):len(s)], span{theme.Plain, spaces(n - at)})
}

// rule is s, one cell wide, n times.
func rule(s string, n int) string { return strings.Repeat(s, max(n, 0)) }
