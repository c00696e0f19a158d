package incident

import (
	"testing"
	"time"

	"warroom/internal/diagnosis"
)

func TestStepWalksTheMainLine(t *testing.T) {
	d := declaredDesk(t)
	d.f["s.network"] = says(diagnosis.Against, "0 of 3 stores out of reach")
	var walked []string
	for d.board().Node != "" {
		walked = append(walked, d.board().Node)
		if len(walked) > 10 {
			t.Fatalf("it does not end: %v", walked)
		}
		d.now = d.now.Add(10 * time.Second)
		d.ok(d.board().Step(ic, ""))
	}
	want := []string{"alert", "status", "fate", "machine", "network"}
	if len(walked) != len(want) {
		t.Fatalf("walked %v", walked)
	}
	for i := range want {
		if walked[i] != want[i] {
			t.Fatalf("walked %v, want %v", walked, want)
		}
	}
	b := d.board()
	if b.State.Verdict != "expired" || b.State.Marked {
		t.Errorf("verdict %q, marked %v", b.State.Verdict, b.State.Marked)
	}
	if got := b.node("network").Status; got != NodeIsRuledOut {
		t.Errorf("a possibility with evidence against it is %v", got)
	}
	if got := b.node("machine").Status; got != NodeIsDone {
		t.Errorf("a possibility with evidence is %v", got)
	}
	if got := b.node("logs").Status; got != NodeIsOpen {
		t.Errorf("a side node that nobody took is %v", got)
	}
	if at := b.State.Nodes["fate"].Entered; !at.Equal(t0.Add(20 * time.Second)) {
		t.Errorf("entered %v", at)
	}
	events, err := b.Step(ic, "")
	d.refused(events, err, "the flow is through")
	for i := range b.Flow {
		if !b.Flow[i].Clock.Done {
			t.Errorf("%s is not done", b.Flow[i].Phase.ID)
		}
	}
	if got := b.Flow[0].Clock.Elapsed; got != 30*time.Second {
		t.Errorf("phase 1 took %v", got)
	}
}

func TestStepRefusesWhatIsNotRead(t *testing.T) {
	d := declaredDesk(t)
	d.f["s.status"] = says(diagnosis.Unread, "no answer within 5s")
	d.ok(d.board().Step(ic, "")) // nothing reads the alert
	events, err := d.board().Step(ic, "")
	d.refused(events, err, "Status is not read (no answer within 5s): v marks it with a reason")
	events, err = d.board().Mark(ic, "status", NodeDone, "", "")
	d.refused(events, err, "the reason is missing")
	d.ok(d.board().Mark(ic, "status", NodeDone, "", "read it aloud from the web console"))
	if got := d.all[len(d.all)-1].Data.(NodeMoved); !got.Marked || got.Evidence.Stance != "unread" {
		t.Errorf("%+v", got)
	}
	if d.board().Node != "fate" {
		t.Errorf("at %q", d.board().Node)
	}
}

func TestTheVerdictIsAPersonsOrTheEvidences(t *testing.T) {
	for _, test := range []struct {
		name    string
		finding diagnosis.Finding
		said    string
		verdict string
		marked  bool
		why     string
	}{
		{name: "the evidence's", finding: well()["s.fate"], verdict: "expired"},
		{name: "a person's against it", finding: well()["s.fate"], said: "compromised", verdict: "compromised", marked: true},
		{name: "a person's the same", finding: well()["s.fate"], said: "expired", verdict: "expired"},
		{name: "a person's alone", said: "stuck", verdict: "stuck", marked: true},
		{name: "nobody's", why: "v marks it expired, stuck, compromised"},
		{name: "for nothing", finding: says(diagnosis.For, "read"), why: "v marks it"},
		{name: "none, as it works", finding: says(diagnosis.Against, "it is well"), verdict: ""},
		{name: "no word of ours", finding: well()["s.fate"], said: "gone", why: `not "gone"`},
		{name: "a mechanism's name", finding: diagnosis.Finding{Stance: diagnosis.For, Word: "lambda"}, why: "v marks it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := declaredDesk(t)
			d.f["s.fate"] = test.finding
			d.ok(d.board().Enter(ic, "fate"))
			if needs := test.why != "" && test.said == ""; d.board().NeedsVerdict("fate") != needs && test.said == "" {
				t.Errorf("needs a verdict: %v", !needs)
			}
			events, err := d.board().Step(ic, test.said)
			if test.why != "" {
				d.refused(events, err, test.why)
				return
			}
			d.ok(events, err)
			if s := d.fold.State(); s.Verdict != test.verdict || s.Marked != test.marked {
				t.Errorf("verdict %q, marked %v", s.Verdict, s.Marked)
			}
			if at := d.board().Node; at != "alert" { // what was passed over is not left behind
				t.Errorf("goes on at %s", at)
			}
		})
	}
}

func TestACompromiseBringsRevocationForward(t *testing.T) {
	d := declaredDesk(t)
	if d.board().Item != "test" {
		t.Fatalf("at %s", d.board().Item)
	}
	d.ok(d.board().Mark(ic, "status", NodeDone, "compromised", "logins from an unknown address"))
	b := d.board()
	if _, v := b.item("rotate"); b.Item != "rotate" || !v.Forward {
		t.Errorf("at %s, forward %v", b.Item, v.Forward)
	}
	d.ok(b.Tick(ic, "rotate", Evidence{}, ""))
	if d.board().Item != "test" {
		t.Errorf("after it at %s", d.board().Item)
	}
	// It was a mistake: the verdict goes with the mark.
	d.ok(d.board().Mark(ic, "status", NodeOpened, "", "the address is ours"))
	if s := d.fold.State(); s.Verdict != "" || s.Marked {
		t.Errorf("verdict %q", s.Verdict)
	}
	events, err := d.board().Mark(ic, "status", NodeOpened, "", "again")
	d.refused(events, err, "is open")
	events, err = d.board().Mark(ic, "status", NodeEntered, "", "again")
	d.refused(events, err, "not \"entered\"")
}

func TestGoingBackOpensNothing(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Step(ic, ""))
	d.ok(d.board().Step(ic, ""))
	d.ok(d.board().Enter(ic, "logs"))
	if b := d.board(); b.Node != "logs" || b.node("logs").Status != NodeIsCurrent {
		t.Errorf("at %s", b.Node)
	}
	d.ok(d.board().Enter(ic, "alert"))
	b := d.board()
	if b.Node != "alert" || b.node("alert").Status != NodeIsCurrent || !b.node("alert").Done.IsSettled() || b.node("logs").Status != NodeIsOpen {
		t.Errorf("at %s, %+v", b.Node, b.node("alert"))
	}
	d.ok(b.Step(ic, "")) // confirmed again: on to what is open
	if d.board().Node != "fate" {
		t.Errorf("then at %s", d.board().Node)
	}
	events, err := d.board().Enter(ic, "fate")
	d.refused(events, err, "already")
	events, err = d.board().Enter(ic, "nowhere")
	d.refused(events, err, "no node")
}

func TestEvidenceOfTheFlowTurns(t *testing.T) {
	tests := []struct {
		name   string
		node   string
		was    diagnosis.Stance
		now    diagnosis.Stance
		back   bool // service is back
		turned bool
	}{
		{"of the main line", "status", diagnosis.For, diagnosis.Against, false, true},
		{"of the main line, unread", "status", diagnosis.For, diagnosis.Unread, false, false},
		{"of the main line, known", "status", diagnosis.Against, diagnosis.For, false, false},
		{"of what was ruled out", "network", diagnosis.Against, diagnosis.For, false, true},
		{"of a cause that was mended", "network", diagnosis.For, diagnosis.Against, false, false},
		{"after the recovery", "status", diagnosis.For, diagnosis.Against, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := declaredDesk(t)
			sense := d.board().node(test.node).Node.Sense
			d.f[sense] = says(test.was, "before")
			d.ok(d.board().Enter(ic, test.node))
			d.ok(d.board().Step(ic, ""))
			d.notices()
			if test.back {
				d.ok(d.board().Recover(ic, ""))
			}
			d.f[sense] = says(test.now, "now")
			var told []Event
			for _, e := range d.notices() {
				if s := e.Data.(Sensed); s.Node != "" {
					told = append(told, e)
				}
			}
			b := d.board()
			if turned := b.node(test.node).Status == NodeIsRegressed; turned != test.turned || (len(told) == 1) != test.turned {
				t.Fatalf("status %v, told %+v", b.node(test.node).Status, told)
			}
			if !test.turned {
				return
			}
			if !contains(joined(b.Regressed), test.node) {
				t.Errorf("regressed are %v", b.Regressed)
			}
			// It comes after what is open, and settling it again ends it.
			for range 10 {
				if at := d.board().Node; at == test.node || at == "" {
					break
				}
				d.ok(d.board().Step(ic, ""))
			}
			if d.board().Node != test.node {
				t.Fatalf("it is never current again")
			}
			d.ok(d.board().Step(ic, ""))
			if got := d.board().node(test.node).Status; got == NodeIsRegressed {
				t.Errorf("settled again it is %v", got)
			}
		})
	}
}

func TestTheFateTurnsOnlyForTheWorse(t *testing.T) {
	fate := func(word, value string) diagnosis.Finding {
		return diagnosis.Finding{Stance: diagnosis.For, Word: word, Value: value}
	}
	tests := []struct {
		name   string
		told   string // by a person, where it differs from the finding
		was    diagnosis.Finding
		now    diagnosis.Finding
		turned bool
	}{
		{"mended", "", fate("stuck", "AWSPENDING is stuck"), says(diagnosis.Against, "every value works"), false},
		{"read by a stranger since", "", fate("stuck", "AWSPENDING is stuck"), fate("compromised", "1 unknown reader"), true},
		{"told already", "", fate("compromised", "1 unknown reader"), fate("compromised", "2 unknown readers"), false},
		{"marked otherwise with the reader in sight", "stuck", fate("compromised", "1 unknown reader"), fate("compromised", "1 unknown reader"), false},
		{"marked otherwise, and more readers since", "stuck", fate("compromised", "1 unknown reader"), fate("compromised", "2 unknown readers"), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := declaredDesk(t)
			sense := d.board().node("fate").Node.Sense
			d.f[sense] = test.was
			d.ok(d.board().Enter(ic, "fate"))
			d.ok(d.board().Step(ic, test.told))
			d.notices()
			d.f[sense] = test.now
			if turned := d.board().node("fate").Status == NodeIsRegressed; turned != test.turned {
				t.Errorf("turned: %v", turned)
			}
		})
	}
}

func joined(ids []string) string {
	out := ""
	for _, id := range ids {
		out += id + " "
	}
	return out
}

// A step never replaces what a person has said: neither with what the evidence
// says now, nor with nothing.
func TestEvidenceNeverReplacesAPersonsVerdict(t *testing.T) {
	stuck := says(diagnosis.For, "half rotated")
	stuck.Word = "stuck"
	for name, finding := range map[string]diagnosis.Finding{"another": stuck, "none": says(diagnosis.Against, "it is well"), "nothing read": {}} {
		d := declaredDesk(t)
		d.f["s.fate"] = finding
		d.ok(d.board().Mark(ic, "fate", NodeDone, "compromised", "it was read from elsewhere"))
		d.ok(d.board().Enter(ic, "fate"))
		if d.board().NeedsVerdict("fate") {
			t.Errorf("%s: asks for a verdict that was told", name)
		}
		d.ok(d.board().Step(ic, ""))
		s := d.fold.State()
		if s.Verdict != "compromised" || !s.Marked || s.Nodes["fate"].Verdict != "compromised" || s.Nodes["fate"].Reason != "it was read from elsewhere" {
			t.Errorf("%s: verdict %q, marked %v, node %+v", name, s.Verdict, s.Marked, s.Nodes["fate"])
		}
		d.ok(d.board().Enter(ic, "fate"))
		events, err := d.board().Step(ic, "expired")
		d.refused(events, err, "v changes the verdict")
		d.ok(d.board().Mark(ic, "fate", NodeDone, "", "seen again"))
		if s := d.fold.State(); s.Verdict != "compromised" || !s.Marked {
			t.Errorf("%s: a mark without a verdict makes it %q, marked %v", name, s.Verdict, s.Marked)
		}
		d.ok(d.board().Mark(ic, "fate", NodeDone, "expired", "it was our own host"))
		if s := d.fold.State(); s.Verdict != "expired" || !s.Marked {
			t.Errorf("%s: a person changes it: %q, marked %v", name, s.Verdict, s.Marked)
		}
	}
}

// Evidence of a leak is not passed over because a person said something milder.
func TestEvidenceOfALeakIsNotPassedOver(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Mark(ic, "fate", NodeDone, "expired", "the calendar"))
	leak := says(diagnosis.For, "logins from an unknown address")
	leak.Word = "compromised"
	d.f["s.fate"] = leak
	d.ok(d.board().Enter(ic, "fate"))
	events, err := d.board().Step(ic, "")
	d.refused(events, err, "v changes the verdict")
}

func TestAVerdictGoesWithDone(t *testing.T) {
	d := declaredDesk(t)
	for _, act := range []NodeAct{NodeRuledOut, NodeOpened} {
		events, err := d.board().Mark(ic, "fate", act, "compromised", "why")
		d.refused(events, err, "a verdict goes with done")
	}
}

// A side node leads back to the one that it hangs off, and a step to the earliest
// that was passed over.
func TestAStepLeavesNothingBehind(t *testing.T) {
	d := declaredDesk(t)
	d.ok(d.board().Enter(ic, "logs"))
	d.ok(d.board().Step(ic, ""))
	if at := d.board().Node; at != "status" {
		t.Errorf("from the side node to %s", at)
	}
	d.ok(d.board().Step(ic, ""))
	if at := d.board().Node; at != "alert" {
		t.Errorf("goes on at %s", at)
	}
	d.ok(d.board().StepNoted(ic, "", "the page came at 02:58"))
	if s := d.fold.State().Nodes["alert"]; s.Evidence.Note != "the page came at 02:58" || d.board().Node != "fate" {
		t.Errorf("%+v, then %s", s, d.board().Node)
	}
	d.ok(d.board().Enter(ic, "logs"))
	d.ok(d.board().Step(ic, ""))
	if at := d.board().Node; at != "fate" { // its main node is settled
		t.Errorf("then at %s", at)
	}
}
