package incident

import (
	"strings"
	"time"
	"unicode"

	"warroom/internal/diagnosis"
)

// Tick settles an item with what is on screen as its evidence: the board's own
// finding, and of e what a person adds (Typed, Note, Link, With, and Value where
// nothing is sensed). e.Stance, and of what is sensed e.Value, are what was drawn
// when the key was pressed: when the stance has changed since, the tick is refused,
// and so it is when the value has of a killer item or of one that is ticked against
// its evidence; an empty one is not compared. A killer item that is sensed needs
// the observed value typed (evidence.Typed); evidence against it, or unread, needs
// a reason and makes it overridden. A completion call needs every other item of
// its phase settled. An item that is settled and has not regressed is refused.
func (b *Board) Tick(by, item string, e Evidence, reason string) ([]Event, error) {
	list, v, err := b.actOn(&by, item)
	if err != nil {
		return nil, err
	}
	if v.Status.Settled() {
		return nil, refuse("%s is %s since %s: u opens it again", quote(v), v.Status, hour(v.Done.At))
	}
	err = take(
		field{&reason, "the reason", maxText, false, false},
		field{&e.Typed, "the typed value", maxText, false, false},
		field{&e.Note, "the note", maxText, false, false},
		field{&e.Link, "the link", maxLink, false, false},
		field{&e.With, "who confirmed it", maxName, false, false},
		field{&e.Value, "the value", maxText, false, false},
	)
	if err != nil {
		return nil, err
	}
	if v.Call {
		return b.call(by, list, v, e)
	}
	if drawn := e.Stance; drawn != "" && drawn != v.Finding.Stance.String() {
		return nil, refuse("the evidence of %s has changed from %s to %s since it was drawn: look again", quote(v), short(clean(drawn), 20), v.Finding.Stance)
	}
	if drawn := e.Value; drawn != "" && drawn != clean(v.Finding.Value) && v.Finding.Stance != diagnosis.NoSensor && (v.Item.Killer || b.NeedsReason(item) != "") {
		return nil, refuse("the evidence of %s has changed from %q to %q since it was drawn: look again", quote(v), short(drawn, 60), short(clean(v.Finding.Value), 60))
	}
	if asked := b.AskedValue(item); b.NeedsValue(item) && !matches(e.Typed, asked, v.Finding.Value) {
		return nil, mistyped(v, e.Typed, asked)
	}
	if why := b.NeedsReason(item); why != "" && reason == "" {
		return nil, refuse("%s: ticking it all the same needs a reason", why)
	}
	seen := EvidenceOf(v.Finding)
	if v.Finding.Stance == diagnosis.NoSensor {
		seen.Value = e.Value
	}
	seen.Typed, seen.Note, seen.Link, seen.With = e.Typed, e.Note, e.Link, e.With
	m := ItemMoved{Item: item, Act: ItemTicked, Reason: reason, Evidence: seen}
	switch {
	case b.NeedsReason(item) != "":
		m.Act = ItemOverridden
	case v.Done.Regressed:
		m.Act = ItemReassessed
	}
	return one(by, m), nil
}

// call makes the completion call of a phase.
func (b *Board) call(by string, list *ListView, v *ItemView, e Evidence) ([]Event, error) {
	if v.Status != ItemIsReady {
		left := 0
		next := ""
		for i := range list.Items {
			if one := &list.Items[i]; !one.Call && !one.Status.Settled() {
				if left++; next == "" {
					next = quote(one)
				}
			}
		}
		if left > 0 {
			return nil, refuse("%s cannot be called: %s left, next %s", list.Phase.Complete, count(left, "item"), next)
		}
	}
	return one(by, ItemMoved{Item: v.Item.ID, Act: ItemTicked, Evidence: Evidence{Value: v.Response, Note: e.Note, With: e.With}}), nil
}

// NeedsValue reports whether ticking an item asks for the observed value: it is a
// killer item, and there is a value to type. A killer item that nothing reads asks
// for the value that the person sees.
func (b *Board) NeedsValue(item string) bool {
	_, v := b.item(item)
	if v == nil || !v.Item.Killer {
		return false
	}
	return v.Finding.Stance != diagnosis.Unread && (v.Finding.Value != "" || v.Finding.Stance == diagnosis.NoSensor)
}

// AskedValue is what has to be typed at least to tick an item that NeedsValue: the
// first number of its observed value; when it has none, the first word that begins
// with a digit (28P01, 6h), and else the first word. The whole value does as well,
// and so does its beginning up to there or further. Empty means that any text does.
func (b *Board) AskedValue(item string) string {
	_, v := b.item(item)
	if v == nil || !b.NeedsValue(item) {
		return ""
	}
	word, coded := "", ""
	for _, w := range strings.Fields(clean(v.Finding.Value)) {
		w = bare(w)
		switch {
		case w == "":
		case strings.Trim(w, "0123456789,.") == "":
			return w
		case coded == "" && unicode.IsDigit([]rune(w)[0]):
			coded = w
		case word == "":
			word = w
		}
	}
	return first(coded, word)
}

// bare is a word without the punctuation around it.
func bare(w string) string {
	return strings.TrimFunc(w, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) })
}

// matches reports whether what was typed states the observed value.
func matches(typed, asked, value string) bool {
	if typed == "" {
		return false
	}
	t, a, whole := plain(typed), plain(asked), plain(value)
	if a == "" || t == a || t == whole {
		return true
	}
	rest, ok := strings.CutPrefix(whole, t)
	return ok && strings.HasPrefix(rest, " ") && strings.Contains(" "+t+" ", " "+a+" ")
}

// plain is a value without what nobody types: case, the commas of thousands, and
// punctuation around words.
func plain(s string) string {
	words := strings.Fields(strings.ToLower(s))
	out := words[:0]
	for _, w := range words {
		w = bare(w)
		if w != "" && strings.Trim(w, "0123456789,") == "" {
			w = strings.ReplaceAll(w, ",", "")
		}
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

func mistyped(v *ItemView, typed, asked string) error {
	if typed == "" && asked == "" {
		return refuse("★ %s: type the value that you see", quote(v))
	}
	if typed == "" {
		return refuse("★ %s: type the observed value", quote(v))
	}
	return refuse("★ %s: observed is %q, typed was %q: look again", quote(v), short(v.Finding.Value, 60), short(typed, 40))
}

// NeedsReason says why ticking an item asks for a reason; empty when it does not.
func (b *Board) NeedsReason(item string) string {
	_, v := b.item(item)
	if v == nil || v.Call {
		return ""
	}
	switch v.Finding.Stance {
	case diagnosis.Against:
		return "the evidence speaks against it (" + first(short(v.Finding.Value, 80), "no value") + ")"
	case diagnosis.Unread:
		return "its evidence is not read (" + first(short(v.Finding.Value, 80), "no answer yet") + ")"
	}
	return ""
}

// Skip settles an item without doing it, and NA as not applicable; both need a
// reason. A completion call cannot be skipped.
func (b *Board) Skip(by, item, reason string) ([]Event, error) {
	return b.setAside(by, item, ItemSkipped, reason)
}

// NA settles an item as not applicable.
func (b *Board) NA(by, item, reason string) ([]Event, error) {
	return b.setAside(by, item, ItemNA, reason)
}

func (b *Board) setAside(by, item string, act ItemAct, reason string) ([]Event, error) {
	_, v, err := b.actOn(&by, item)
	switch {
	case err != nil:
		return nil, err
	case v.Call:
		return nil, refuse("a completion call is made or not made: it cannot be %s", act)
	case v.Status.Settled():
		return nil, refuse("%s is %s since %s: u opens it again", quote(v), v.Status, hour(v.Done.At))
	}
	if err := take(field{&reason, "the reason", maxText, true, false}); err != nil {
		return nil, err
	}
	return one(by, ItemMoved{Item: item, Act: act, Reason: reason, Evidence: EvidenceOf(v.Finding)}), nil
}

// Start says that someone is at an item.
func (b *Board) Start(by, item string) ([]Event, error) {
	_, v, err := b.actOn(&by, item)
	switch {
	case err != nil:
		return nil, err
	case v.Call || v.Done.IsSettled():
		return nil, refuse("%s is %s", quote(v), v.Status)
	case v.Done.Act == ItemStarted && v.Done.By == by:
		return nil, refuse("%s is at %s since %s", by, quote(v), hour(v.Done.At))
	}
	return one(by, ItemMoved{Item: item, Act: ItemStarted}), nil
}

// Undo opens an item again. Nothing is erased: the undo is an event too.
func (b *Board) Undo(by, item string) ([]Event, error) {
	_, v, err := b.actOn(&by, item)
	switch {
	case err != nil:
		return nil, err
	case !v.Done.IsSettled() && v.Done.Act != ItemStarted:
		return nil, refuse("%s is open: there is nothing to undo", quote(v))
	}
	return one(by, ItemMoved{Item: item, Act: ItemUndone}), nil
}

// Assign gives an item an owner and a due date; due may be zero.
func (b *Board) Assign(by, item, owner string, due time.Time) ([]Event, error) {
	list, v, err := b.actOn(&by, item)
	switch {
	case err != nil:
		return nil, err
	case v.Call:
		return nil, refuse("a completion call has no owner")
	case !due.IsZero() && !list.Phase.Owned:
		return nil, refuse("only the items of the days after have a due date")
	case !due.IsZero() && due.Before(b.State.Declared.Started):
		return nil, refuse("it cannot be due before the incident began")
	}
	if err := take(field{&owner, "the owner", maxName, due.IsZero(), false}); err != nil {
		return nil, err
	}
	return one(by, Assigned{Item: item, Owner: owner, Due: utc(due)}), nil
}

// actOn finds the item that a person acts on.
func (b *Board) actOn(by *string, item string) (*ListView, *ItemView, error) {
	if err := b.may(by, true); err != nil {
		return nil, nil, err
	}
	list, v := b.item(item)
	if v == nil {
		return nil, nil, refuse("the runbook has no item %q", short(clean(item), 60))
	}
	return list, v, nil
}

// quote is an item as a refusal names it.
func quote(v *ItemView) string { return "“" + short(v.Item.Text, 60) + "”" }
