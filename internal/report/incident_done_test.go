package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/incident"
)

// What is drawn of an event goes by what was done, not by the words that people
// found for it.
func TestThePictureGoesByWhatWasDone(t *testing.T) {
	l := onlyDeclared(t)
	texts := []string{"db: entered recovery", "started: the failover", "the cache: ruled out", "REGRESSED again, says the shop", "skipped lunch", "undone: all of it"}
	for _, text := range texts {
		l.add(time.Minute, "ic-1", incident.Noted{Text: text})
		l.add(time.Minute, "ic-1", incident.Decided{Text: text + "!"})
		l.add(time.Minute, "ic-1", incident.ItemMoved{Item: "immediate.test", Act: incident.ItemOverridden, Reason: text + "?"})
	}
	l.add(time.Minute, "ic-1", incident.NodeMoved{Node: "logs", Act: incident.NodeEntered, Reason: "looked in"})
	l.add(time.Minute, "ic-1", incident.ItemMoved{Item: "immediate.test", Act: incident.ItemStarted, Reason: "looked in"})
	l.add(time.Minute, "ic-1", incident.NodeMoved{Node: "network", Act: incident.NodeRuledOut, Reason: "all answer"})
	l.add(time.Minute, "ic-1", incident.NodeMoved{Node: "network", Act: incident.NodeOpened, Reason: "one did not"})
	l.add(time.Minute, "ic-1", incident.ItemMoved{Item: "immediate.test", Act: incident.ItemUndone, Reason: "wrong line"})
	l.add(time.Minute, "", incident.Sensed{Item: "immediate.test", Regressed: true, Evidence: incident.Evidence{Value: "2 refused"}})
	shapes := l.report().doc.draw().Shapes
	classes := func(end string) (out []string) {
		for _, s := range shapes {
			if strings.HasSuffix(s.Title, end) {
				out = append(out, s.Class)
			}
		}
		return out
	}
	want := map[string][]string{"looked in": nil, "all answer": {"hollow"}, "one did not": {"hollow"}, "wrong line": {"hollow"}, "2 refused": {"bad"}}
	for _, text := range texts {
		want[text], want[text+"!"], want[text+"?"] = []string{"hollow"}, []string{"full"}, []string{"full"}
	}
	for end, marks := range want {
		if got := classes(end); !slices.Equal(got, marks) {
			t.Errorf("%q is drawn as %q, want %q", end, got, marks)
		}
	}
}

// An update that was about to go out is told by its outcome; without one it is
// neither sent nor forgotten.
func TestAnUpdateOfWhichNothingIsKnownIsNotCountedAsSent(t *testing.T) {
	l := onlyDeclared(t)
	sending := func(to string) {
		l.add(time.Minute, "ic-1", incident.Updated{Text: "we know", To: to, State: incident.UpdateSending})
	}
	sending("slack")
	sending("page")
	l.add(time.Second, "ic-1", incident.Updated{Text: "we know", To: "page", State: incident.UpdateUnclear, Fail: "no answer in 10 s"})
	u := l.report().doc.Updates
	if u.Sent != 0 || u.Failed != 0 || u.Unclear != 2 || len(u.List) != 2 || u.List[0].To != "slack" || u.List[0].State != notKnown || u.List[1].Failed != "no answer in 10 s" {
		t.Errorf("%+v", u)
	}
	for i, want := range []string{"sending an update to slack", "sending an update to page", "NOT KNOWN whether an update reached page"} {
		if text := l.report().doc.Timeline[i+1].Text; !strings.Contains(text, want) {
			t.Errorf("%q, want %q", text, want)
		}
	}
	for _, one := range l.report().doc.Times {
		if one.Name == "first_update" && one.Value != nil {
			t.Errorf("the first update came after %s", one.Value)
		}
	}
	l.add(time.Minute, "ic-1", incident.Updated{Text: "we know", To: "slack"})
	if u := l.report().doc.Updates; u.Sent != 1 || u.Unclear != 1 || len(u.List) != 2 || u.List[0].To != "page" {
		t.Errorf("%+v", u)
	}
}
