package panes

import (
	"warroom/internal/theme"
)

// ConfirmView is the last question before something is changed.
type ConfirmView struct {
	Title   string
	Loud    string   // what cannot be undone; empty when everything can
	Body    []string // what will happen, to what, as whom
	Target  string   // what must be typed; empty when nothing must
	Typed   string
	Problem string // why it cannot be confirmed now; empty when it can
	Button  string // what confirms
	// Selected is what the keys are on: Cancel, the name, or the button.
	Selected ConfirmPlace
}

// ConfirmPlace is a place of the keys in a confirmation.
type ConfirmPlace uint8

// The places; Cancel is where it begins.
const (
	OnCancel ConfirmPlace = iota
	OnName
	OnButton
)

// confirmCells is how wide a confirmation grows.
const confirmCells = 76

// Confirm is the framed question. whole is false when not all of it fits: then
// nothing may be confirmed, because not all of it was seen.
func Confirm(f Frame, v ConfirmView) (rows []string, whole bool) {
	g := &f.Theme.Glyphs
	box := f.within(confirmCells, f.Height)
	room := inner(box.Width)
	var body []spans
	put := func(k theme.Token, s string) {
		for _, part := range wrap(s, room) {
			body = append(body, spans{{k, part}})
		}
	}
	put(theme.Strong, f.say(v.Title))
	if s := f.say(v.Loud); s != "" {
		body = append(body, spans{{theme.FailBadge, " " + g.Fail + " CANNOT BE UNDONE "}})
		put(theme.Fail, s)
	}
	for _, b := range v.Body {
		if b == "" {
			body = append(body, nil)
			continue
		}
		put(theme.Text, f.say(b))
	}
	var fixed []spans
	if v.Target != "" {
		fixed = append(fixed, nil)
		for _, part := range wrap("Type "+f.say(v.Target)+" to confirm:", room) {
			fixed = append(fixed, spans{{theme.Strong, part}})
		}
		row := spans{{theme.Strong, "  "}}
		if v.Selected == OnName {
			row = spans{{theme.Strong, g.Select + " "}}
		}
		typed := f.say(v.Typed)
		if v.Typed == "" && v.Selected != OnName {
			row = append(row, span{theme.Muted, "tab, then type it"})
		} else if v.Selected == OnName {
			row = append(row, f.typed(typed, "", true, max(room-2, 1))...)
		} else {
			row = append(row, span{theme.Text, f.cut(typed, max(room-2, 1))})
		}
		fixed = append(fixed, row)
	}
	if s := f.say(v.Problem); s != "" {
		for _, part := range wrap(g.Warn+" "+s, room) {
			fixed = append(fixed, spans{{theme.Warn, part}})
		}
	}
	chosen := -1
	switch v.Selected {
	case OnCancel:
		chosen = 0
	case OnButton:
		chosen = 1
	}
	buttons := f.buttons([]string{"Cancel", v.Button}, chosen, room)
	need := len(body) + len(fixed) + len(buttons) + 2
	if need+1 <= f.Height {
		fixed = append(fixed, nil)
		need++
	}
	fixed = append(fixed, buttons...)
	box.Height = max(min(need, f.Height), 0)
	w := window{f: box, title: spans{{theme.WarnBadge, " " + g.Warn + " CONFIRM "}}, accent: theme.Warn, body: body, fixed: fixed}
	return w.draw(), need <= f.Height && box.Width >= 30
}
