//go:build linux

package main

import (
	"os/exec"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestMostWithin(t *testing.T) {
	at := func(ms ...int) (out []time.Time) {
		for _, n := range ms {
			out = append(out, time.Unix(100, 0).Add(time.Duration(n)*time.Millisecond))
		}
		return out
	}
	tests := []struct {
		what  string
		times []time.Time
		want  int
	}{
		{"none", nil, 0},
		{"one", at(5), 1},
		{"a second apart", at(0, 1000, 2000), 1},
		{"just within", at(0, 999), 2},
		{"out of order", at(1500, 0, 900, 1400), 3},
		{"across two seconds of the clock", at(900, 950, 1100, 1850), 4},
	}
	for _, test := range tests {
		if got := mostWithin(test.times, time.Second); got != test.want {
			t.Errorf("%s: %d, want %d", test.what, got, test.want)
		}
	}
}

func TestAllowed(t *testing.T) {
	for i, want := range []int{1, 0} { // an even service is left to the defaults of the cluster, which fills them in
		d := deployment("s", "n", i+1, nil)
		if i == 1 {
			if _, err := allowed(d); err == nil {
				t.Error("a Deployment without a strategy was taken for one that is rolled")
			}
			continue
		}
		if got, err := allowed(d); err != nil || got != want {
			t.Errorf("service %d: %d, %v", i+1, got, err)
		}
	}
}

// The worst moment is kept, and a pod that is ending counts as away.
func TestCrewsCountWhoIsAway(t *testing.T) {
	pod := func(id string, revision string, ready, ending bool) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: id, UID: types.UID(id), ResourceVersion: revision}}
		if ready {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		if ending {
			p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}
		return p
	}
	c := &crew{desired: 2, away: 0, ready: map[types.UID]bool{}, made: map[types.UID]int64{}}
	for _, p := range []*corev1.Pod{pod("a", "1", true, false), pod("b", "2", true, false)} {
		if err := c.pod(p, false); err != nil {
			t.Fatal(err)
		}
	}
	c.worst, c.fresh = 0, 0
	w := &watcher{of: map[string]*crew{"s": c}, secrets: map[string]*told{"db": {revision: 10}}}
	uses := map[string][]string{"s": {"db"}}
	if w.onNew(uses) != 0 {
		t.Error("pods of before are on the new value")
	}
	steps := []struct {
		pod    *corev1.Pod
		gone   bool
		beyond int
		young  int
	}{
		{pod("c", "11", false, false), false, 0, 0},
		{pod("c", "12", true, false), false, 0, 0},
		{pod("a", "13", true, true), false, 0, 0},
		{pod("a", "14", true, true), true, 0, 0},
		{pod("b", "15", true, true), false, 1, 0}, // too early: only c is there
		{pod("b", "16", true, true), true, 1, 0},
		{pod("d", "17", true, false), false, 1, 1},
	}
	for i, s := range steps {
		if err := c.pod(s.pod, s.gone); err != nil {
			t.Fatal(err)
		}
		if beyond, _ := w.beyond(); max(0, beyond) != s.beyond || w.onNew(uses) != s.young {
			t.Errorf("news %d: %d beyond, %d on the new value; want %d and %d", i, beyond, w.onNew(uses), s.beyond, s.young)
		}
	}
	w.secrets["db"].revision = 12 // it changed after c was made
	if w.onNew(uses) != 0 {
		t.Error("a pod that was made before its Secret changed is on the new value")
	}
}

func TestTheQuotaNearestItsEndIsShown(t *testing.T) {
	table := quotas(storeUse{Throttled: 2, Groups: []quotaUse{
		{Operations: []string{"secretsmanager:DescribeSecret"}, Rate: 40000, Calls: 900, Peak: 300},
		{Operations: []string{"secretsmanager:PutSecretValue"}, Rate: 50, Calls: 100, Peak: 51},
	}})
	if table[0].passed() || table[1].passed() || table[1].measured != 102 || table[1].note != "PutSecretValue: 51 of 50" {
		t.Errorf("%+v", table)
	}
}

func TestTheGuidesWayIsAScript(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	if out, err := exec.CommandContext(t.Context(), bash, "-n", "-c", guideScript).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	// A command that fails ends it: nothing is quick because it failed.
	cmd := exec.CommandContext(t.Context(), bash, "-c", guideScript, "guide", "rotate", "a=b")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "AWS_CLI=/bin/false", "PSQL=/bin/false", "AWS_REGION=r", "PGHOST=h"}
	if err := cmd.Run(); err == nil {
		t.Error("it went on after a failure")
	}
}
