package incident

import (
	"fmt"
	"slices"
	"time"
)

// Idle is how long nothing is done before someone is told where they were.
// Interrupted lists lose their next item, and the item lost is the one that hurts.
const Idle = 90 * time.Second

// Where says where one was, for someone who was away: the current item with its
// phase, since when it is current and who is at it. Empty when nothing was
// declared or the list is through.
func (b *Board) Where() string {
	list, v := b.item(b.Item)
	if b.State == nil || v == nil {
		return ""
	}
	at := slices.IndexFunc(list.Items, func(one ItemView) bool { return one.Item.ID == v.Item.ID })
	text := fmt.Sprintf("You were at item %d of %d of %s: %s", at+1, len(list.Items), list.Phase.Title, short(v.Item.Text, 60))
	switch {
	case v.Status == ItemIsRegressed:
		text += ", which has regressed"
	case v.Done.Act == ItemStarted:
		text += ", waiting on " + v.Done.By + " since " + hour(v.Done.At)
	case !b.State.LastHuman.At.IsZero():
		text += ", since " + hour(b.State.LastHuman.At)
	}
	if v.Status == ItemIsReady {
		text += "; it is READY"
	}
	return text
}
