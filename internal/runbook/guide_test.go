package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// known are the sensors that the embedded runbook may name. Package diagnosis has
// one of each.
var known = strings.Fields(`
	rotation.status rotation.logs secrets.failed secrets.dependencies secrets.valid access.emergency rotation.mechanism targets.state credential.fate
	mechanism.automated mechanism.manual mechanism.delegated mechanism.integrated
	mechanism.lambda mechanism.scheduled mechanism.cron mechanism.operator mechanism.emergency mechanism.breakglass
	mechanism.service mechanism.trigger mechanism.application mechanism.vault mechanism.cloud mechanism.ca
	failure.network failure.permission failure.target failure.state
	network.timeout network.firewall network.dns permission.role permission.denied permission.policy
	target.database target.ratelimit target.service state.partial state.rollback state.inconsistent
	secrets.identified secrets.expiry secrets.tested impact.assessed
	network.stores permission.validated changes.reviewed targets.examined stores.consumers
	secrets.rotated stores.updated services.restarted secrets.validated auth.recovering
	lesson.rotation lesson.seal lesson.revocation`)

func TestGuideIsValid(t *testing.T) {
	r, err := Parse("guide.yaml", guide, known)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range promises(r, known) {
		t.Error(broken)
	}
	if first := Guide(); first != Guide() {
		t.Error("the embedded runbook is parsed anew each time")
	}
	sum := sha256.Sum256(guide)
	if r.Digest != hex.EncodeToString(sum[:]) || !bytes.Equal(r.Source, guide) {
		t.Error("digest or source is not that of the file")
	}
}

func TestGuideNamesEverySensor(t *testing.T) {
	named := map[string]bool{}
	r := Guide()
	for _, p := range r.Flow {
		for _, n := range p.Nodes {
			named[n.Sense] = true
			for _, l := range n.Lines {
				named[l.Sense] = true
			}
		}
	}
	for _, p := range r.Checklist {
		for _, i := range p.Items {
			named[i.Sense] = true
		}
	}
	for _, l := range r.Lessons {
		for _, s := range l.Sense {
			named[s] = true
		}
	}
	for _, s := range known {
		if !named[s] {
			t.Errorf("nothing shows the sensor %s", s)
		}
	}
}

func TestGuideHasTheWholeFlow(t *testing.T) {
	flow := Guide().Flow
	if len(flow) != 2 {
		t.Fatalf("%d phases", len(flow))
	}
	var main []string
	sides := map[string]string{}
	var urgent []string
	for _, n := range flow[0].Nodes {
		if n.Beside == "" {
			main = append(main, n.ID)
		} else {
			sides[n.Beside] = n.ID
		}
		if n.Urgent {
			urgent = append(urgent, n.ID)
		}
	}
	if want := []string{"alert", "status", "failed", "validity", "mechanism", "targets", "fate"}; !slices.Equal(main, want) {
		t.Errorf("main line %v, want %v", main, want)
	}
	if want := map[string]string{"status": "logs", "failed": "dependencies", "validity": "access"}; !reflect.DeepEqual(sides, want) {
		t.Errorf("side nodes %v, want %v", sides, want)
	}
	if want := []string{"alert", "failed", "mechanism"}; !slices.Equal(urgent, want) {
		t.Errorf("urgent %v, want %v", urgent, want)
	}
	if flow[0].Matrix() || flow[0].Groups() != nil {
		t.Error("the first phase is a line")
	}

	leads := map[string]string{}
	rows := map[string][]string{}
	for _, n := range flow[1].Nodes {
		rows[n.Group] = append(rows[n.Group], n.ID)
		if n.Leads != "" {
			leads[n.ID] = n.Leads
		}
		if len(n.Lines) != 3 {
			t.Errorf("%s has %d lines", n.ID, len(n.Lines))
		}
		for _, l := range n.Lines {
			if l.Sense == "" {
				t.Errorf("%s has no sensor", l.ID)
			}
		}
	}
	if want := map[string][]string{"Rotation mechanism": {"automated", "manual", "delegated", "integrated"},
		"Failure point": {"network", "permission", "target", "state"}}; !reflect.DeepEqual(rows, want) {
		t.Errorf("matrix %v, want %v", rows, want)
	}
	if want := map[string]string{"automated": "network", "manual": "permission", "delegated": "target", "integrated": "state"}; !reflect.DeepEqual(leads, want) {
		t.Errorf("arrows %v, want %v", leads, want)
	}
	if want := []string{"Rotation mechanism", "Failure point"}; !flow[1].Matrix() || !slices.Equal(flow[1].Groups(), want) {
		t.Errorf("groups %v, want %v", flow[1].Groups(), want)
	}
}

func TestGuideHasTheWholeChecklist(t *testing.T) {
	const day = 24 * time.Hour
	type shape struct {
		from, to       time.Duration
		mode           Mode
		items, killers int
		owned          bool
		complete       string
	}
	var got []shape
	for _, p := range Guide().Checklist {
		s := shape{p.From, p.To, p.Mode, len(p.Items), 0, p.Owned, p.Complete}
		for _, i := range p.Items {
			if i.Killer {
				s.killers++
			}
			if (i.Due > 0) != p.Owned || i.Due > p.To {
				t.Errorf("%s is due after %v", i.ID, i.Due)
			}
			if i.Expect == "" {
				t.Errorf("%s expects nothing", i.ID)
			}
		}
		got = append(got, s)
	}
	want := []shape{
		{0, 10 * time.Minute, ReadDo, 6, 2, false, "IMMEDIATE COMPLETE"},
		{10 * time.Minute, 30 * time.Minute, DoConfirm, 6, 1, false, "INVESTIGATION COMPLETE"},
		{30 * time.Minute, 180 * time.Minute, DoConfirm, 6, 2, false, "RECOVERY COMPLETE"},
		{day, 7 * day, DoConfirm, 6, 0, true, "POST-RECOVERY COMPLETE"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	var forward []string
	for _, p := range Guide().Checklist {
		for _, i := range p.Items {
			if slices.Contains(i.Forward, "compromised") {
				forward = append(forward, i.ID)
			}
		}
	}
	if want := []string{"immediate.notify", "recovery.rotate"}; !slices.Equal(forward, want) {
		t.Errorf("brought forward when compromised: %v, want %v", forward, want)
	}
	if _, post := Guide().Item("after.postmortem"); post.Due != 3*day {
		t.Errorf("the post-mortem is due after %v", post.Due)
	}
}

// What is read aloud is short, and what settles a killer is a count, which can be
// typed and compared.
func TestGuideReadsAloud(t *testing.T) {
	for _, p := range Guide().Checklist {
		for _, i := range p.Items {
			if w := ansi.StringWidth(i.Text); w > 34 {
				t.Errorf("%s: %d cells of text", i.ID, w)
			}
			if w := ansi.StringWidth(i.Expect); w > 34 {
				t.Errorf("%s: %d cells of value", i.ID, w)
			}
			if i.Killer && !strings.ContainsAny(i.Expect, "0123456789") {
				t.Errorf("%s: %q is not a value that can be read off", i.ID, i.Expect)
			}
			if verb, _, _ := strings.Cut(i.Text, " "); slices.Contains([]string{"Check", "Ensure", "Verify", "Make", "The", "Is", "Are"}, verb) {
				t.Errorf("%s begins with %q, which says not what to do", i.ID, verb)
			}
			for _, s := range []string{i.Text, i.Expect} {
				if strings.HasSuffix(s, ".") || s != strings.ToLower(s[:1])+s[1:] && s != strings.ToUpper(s[:1])+s[1:] {
					t.Errorf("%s: %q", i.ID, s)
				}
			}
		}
	}
	for _, p := range Guide().Flow {
		for _, n := range p.Nodes {
			if n.Text == "" {
				t.Errorf("%s asks nothing", n.ID)
			}
			for _, l := range n.Lines {
				if w := ansi.StringWidth(l.Text); w > 20 {
					t.Errorf("%s: %d cells of text", l.ID, w)
				}
			}
		}
	}
	for _, l := range Guide().Lessons {
		if n := len(l.Prevent); n < 3 || n > 6 {
			t.Errorf("%s has %d measures", l.ID, n)
		}
		if l.Summary == "" || len(l.Sense) == 0 {
			t.Errorf("%s has no summary or no sensor", l.ID)
		}
	}
}

func TestLookups(t *testing.T) {
	r := Guide()
	if p, n := r.Node("logs"); n == nil || n.Beside != "status" || p.ID != "assess" {
		t.Errorf("%v %v", p, n)
	}
	if p, n := r.Node("network"); n == nil || p.ID != "cause" {
		t.Errorf("%v %v", p, n)
	}
	if p, n := r.Node("network.dns"); p != nil || n != nil {
		t.Error("a line is no node")
	}
	if p, i := r.Item("recovery.restart"); i == nil || !i.Killer || p.ID != "recovery" {
		t.Errorf("%v %v", p, i)
	}
	if p, i := r.Item("recovery.complete"); i == nil || i.Text != "RECOVERY COMPLETE" || i.ID != p.CompleteID() {
		t.Errorf("%v %v", p, i)
	}
	if p, i := r.Item("recovery"); p != nil || i != nil {
		t.Error("a phase is no item")
	}
	for _, c := range [...]Cadence{
		{SEV1, 5 * time.Minute, 5 * time.Minute, 20 * time.Minute, 2 * time.Hour},
		{SEV4, time.Hour, 0, 4 * time.Hour, 0},
	} {
		if !slices.Contains(r.Updates, c) {
			t.Errorf("%+v is not in %+v", c, r.Updates)
		}
	}
}
