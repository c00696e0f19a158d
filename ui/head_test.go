package ui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// TestTheHeadOfTheJournalIsShownAndCopied looks for the witness that verify asks for:
// whole in a draft and on the clipboard, short in the timeline's title.
func TestTheHeadOfTheJournalIsShownAndCopied(t *testing.T) {
	bubble(t, func(t *testing.T, r *room) {
		r.read()
		l := r.start(t)
		l.declare()
		l.pass(1e9)
		head := l.m.kase.Head
		if len(head) < 64 {
			t.Fatalf("the head is %q", head)
		}
		l.press("U")
		if !strings.HasSuffix(l.m.draft.text, "\nJournal "+head) {
			t.Errorf("the draft ends without it:\n%s", l.m.draft.text)
		}
		l.press("7")
		number, hash, _ := strings.Cut(head, ":")
		l.sees("journal " + number + ":" + hash[:8])
		_, cmd := l.m.Update(press("y"))
		copied := ""
		var take func(tea.Cmd)
		take = func(c tea.Cmd) {
			if c == nil {
				return
			}
			switch msg := c().(type) {
			case tea.BatchMsg:
				for _, one := range msg {
					take(one)
				}
			default:
				copied += fmt.Sprint(msg)
			}
		}
		take(cmd)
		if !strings.Contains(copied, "Journal "+head) {
			t.Errorf("copied %q", copied)
		}
	})
}
