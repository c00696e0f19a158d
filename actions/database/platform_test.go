package database_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"warroom/internal/drill/awssim"
	"warroom/internal/plan"
)

// rotates makes the rotation function one that works, or fails at a step.
func (w *world) rotates(failsAt string) {
	var mu sync.Mutex
	w.aws.OnInvoke(func(_ string, event []byte) error {
		mu.Lock()
		defer mu.Unlock()
		var in struct{ Step, ClientRequestToken string }
		if err := json.Unmarshal(event, &in); err != nil {
			return err
		}
		if in.Step == failsAt {
			return errors.New("Task timed out after 30.03 seconds")
		}
		s, _ := w.aws.Secret(target)
		i := slices.IndexFunc(s.Versions, func(v awssim.Version) bool { return v.ID == in.ClientRequestToken })
		switch in.Step {
		case "createSecret":
			s.Versions[i].Value = object("app", canary+"by-the-platform-5Hn2")
			w.aws.AddSecret(s)
		case "setSecret":
			w.pg.SetPassword("app", canary+"by-the-platform-5Hn2")
		case "finishSecret":
			for j := range s.Versions {
				s.Versions[j].Stages = slices.DeleteFunc(s.Versions[j].Stages, func(label string) bool { return label == "AWSCURRENT" })
			}
			s.Versions[i].Stages = []string{"AWSCURRENT"}
			w.aws.AddSecret(s)
		}
		return nil
	})
}

func TestThePlatformIsAsked(t *testing.T) {
	w := newWorld(t, shape{schedule: true})
	w.rotates("")
	w.must(w.engine(), plan.RunDone, plan.Request{Procedure: "request-rotation"})
	if user, password := w.staged("AWSCURRENT"); !w.takes(user, password) || password == now {
		t.Error("what is current is not new, or does not log in")
	}
}

func TestThePlatformIsNotAskedWhileItIsStuck(t *testing.T) {
	w := newWorld(t, shape{schedule: true, pending: stuck})
	if _, err := w.do(w.engine(), plan.Request{Procedure: "request-rotation"}); err == nil || !strings.Contains(err.Error(), "recover-pending") {
		t.Errorf("%v", err)
	}
	w = newWorld(t, shape{})
	if _, err := w.do(w.engine(), plan.Request{Procedure: "request-rotation"}); err == nil || !strings.Contains(err.Error(), "no rotation function") {
		t.Errorf("%v", err)
	}
}

func TestAScheduleIsCancelledAndResumed(t *testing.T) {
	w := newWorld(t, shape{schedule: true})
	e := w.engine()
	got := w.must(e, plan.RunDone, plan.Request{Procedure: "cancel-rotation"})
	if s, _ := w.aws.Secret(target); !s.RotationCancelled || len(got.Plan.Measures) != 1 {
		t.Errorf("cancelled %v, measures %v", s.RotationCancelled, got.Plan.Measures)
	}
	if _, err := w.do(e, plan.Request{Procedure: "cancel-rotation"}); err == nil {
		t.Error("what is off is cancelled again")
	}
	got = w.must(e, plan.RunDone, plan.Request{Procedure: "resume-rotation"})
	if s, _ := w.aws.Secret(target); s.RotationCancelled || !got.Plan.Measures[0].End {
		t.Error("it is not on again")
	}
}

func TestContain(t *testing.T) {
	w := newWorld(t, shape{schedule: true})
	for name, in := range map[string]time.Duration{"prod/db/soon": 3 * time.Hour, "prod/db/late": 20 * day} {
		w.aws.AddSecret(awssim.Secret{
			Name: name, RotationLambda: "rotate-postgres", RotateAfterDays: 30, NextRotation: time.Now().Add(in),
			Versions: []awssim.Version{{Value: "x", Stages: []string{"AWSCURRENT"}}},
		})
	}
	off := func() (names []string) {
		for _, name := range []string{target, "prod/db/soon", "prod/db/late"} {
			if s, _ := w.aws.Secret(name); s.RotationCancelled {
				names = append(names, name)
			}
		}
		return names
	}
	e := w.engine()
	ask := plan.Request{Procedure: "contain", Target: "rotate-postgres"}
	got := w.must(e, plan.RunDone, ask)
	if want := []string{target, "prod/db/soon"}; !slices.Equal(off(), want) || len(got.Plan.Measures) != 2 {
		t.Errorf("%v are off, %d measures; want %v", off(), len(got.Plan.Measures), want)
	}
	if !strings.Contains(got.Plan.Why, "The next to break is "+target+", in ") {
		t.Errorf("what breaks next is not told: %s", got.Plan.Why)
	}
	if _, err := w.do(e, ask); err == nil || !strings.Contains(err.Error(), "the next is prod/db/late") {
		t.Errorf("with none due: %v", err)
	}
	// One that somebody else turned off is none of ours to resume.
	s, _ := w.aws.Secret("prod/db/late")
	s.RotationCancelled = true
	w.aws.AddSecret(s)
	w.must(e, plan.RunDone, plan.Request{Procedure: "resume-rotations", Target: "rotate-postgres"})
	if want := []string{"prod/db/late"}; !slices.Equal(off(), want) {
		t.Errorf("%v are off, want %v", off(), want)
	}
	if s, _ := w.aws.Secret(target); s.Tags["warroom:rotation-cancelled"] != "" {
		t.Error("the tag is left")
	}
	if _, err := w.do(e, plan.Request{Procedure: "resume-rotations", Target: "rotate-postgres"}); err == nil {
		t.Error("there is nothing left to resume, and it is planned")
	}
}

func TestContainGoesOnPastOneThatFailsAndIsTakenBack(t *testing.T) {
	w := newWorld(t, shape{schedule: true})
	w.aws.AddSecret(awssim.Secret{
		Name: "prod/db/soon", RotationLambda: "rotate-postgres", RotateAfterDays: 30, NextRotation: time.Now().Add(3 * time.Hour),
		Versions: []awssim.Version{{Value: "x", Stages: []string{"AWSCURRENT"}}},
	})
	w.aws.SetFault("secretsmanager:CancelRotateSecret", &awssim.Fault{Status: 400, Code: "ThrottlingException", Times: 1})
	got, err := w.do(w.engine(), plan.Request{Procedure: "contain", Target: "rotate-postgres"})
	if err != nil || got.State != plan.RunFailed {
		t.Fatalf("%s %v", got.State, err)
	}
	off := 0
	for _, name := range []string{target, "prod/db/soon"} {
		if s, _ := w.aws.Secret(name); s.RotationCancelled {
			off++
		}
	}
	if off != 1 {
		t.Errorf("%d of 2 are off after one failed", off)
	}
	w.back(plan.Request{Procedure: "contain"})
	for _, name := range []string{target, "prod/db/soon"} {
		if s, _ := w.aws.Secret(name); s.RotationCancelled || len(s.Tags) > 0 {
			t.Errorf("%s is not as before: off %v, tags %v", name, s.RotationCancelled, s.Tags)
		}
	}
}
