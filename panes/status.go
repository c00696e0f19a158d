package panes

import (
	"warroom/internal/estate"
	"warroom/internal/theme"
)

var statusTokens = [...]theme.Token{
	estate.NA: theme.NA, estate.OK: theme.OK, estate.Warn: theme.Warn, estate.Unknown: theme.Unknown, estate.Fail: theme.Fail,
}

var badgeTokens = [...]theme.Token{
	estate.NA: theme.NABadge, estate.OK: theme.OKBadge, estate.Warn: theme.WarnBadge, estate.Unknown: theme.UnknownBadge, estate.Fail: theme.FailBadge,
}

// known makes a status that this package has never heard of an unknown one.
func known(s estate.Status) estate.Status {
	if int(s) >= len(statusTokens) {
		return estate.Unknown
	}
	return s
}

func token(s estate.Status) theme.Token { return statusTokens[known(s)] }
func badge(s estate.Status) theme.Token { return badgeTokens[known(s)] }

// figureToken is how a value of a component looks. A good one is plain text:
// only what needs eyes is coloured.
func figureToken(s estate.Status) theme.Token {
	switch known(s) {
	case estate.OK:
		return theme.Text
	case estate.NA:
		return theme.Text
	}
	return token(s)
}

func (f Frame) glyph(s estate.Status) string {
	g := &f.Theme.Glyphs
	switch known(s) {
	case estate.OK:
		return g.OK
	case estate.Warn:
		return g.Warn
	case estate.Fail:
		return g.Fail
	case estate.NA:
		return g.NA
	}
	return g.Unknown
}

// verdict is a status as it is always drawn: glyph and word.
func (f Frame) verdict(s estate.Status) string {
	s = known(s)
	return f.glyph(s) + " " + s.String()
}

// worstFirst lists the statuses, the worst first.
var worstFirst = [...]estate.Status{estate.Fail, estate.Unknown, estate.Warn, estate.OK, estate.NA}

var accents = [...]theme.Token{estate.Edge: theme.Edge, estate.Service: theme.Service, estate.State: theme.State, estate.Control: theme.Control}
var titles = [...]theme.Token{estate.Edge: theme.EdgeTitle, estate.Service: theme.ServiceTitle, estate.State: theme.StateTitle, estate.Control: theme.ControlTitle}
var planeNames = [...]string{estate.Edge: "Edge Plane", estate.Service: "Service Plane", estate.State: "State Plane", estate.Control: "Control Plane"}

// PlaneName is a plane's title: "Edge Plane".
func PlaneName(p estate.Plane) string { return planeNames[p&3] }
