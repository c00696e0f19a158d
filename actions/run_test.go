package actions

import (
	"maps"
	"testing"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

func TestAPartKeepsToItsOwn(t *testing.T) {
	whole := newRun(&plan.Plan{ID: "5f", Of: "4e", Mode: plan.Resume}, map[string]string{"a/x": "1", "b/x": "2", "x": "3"}, map[string]estate.Secret{"a/key": estate.NewSecret("value-a")}, silent{})
	part := &plan.Plan{Title: "Part"}
	a, b := whole.Within("a/", part), whole.Within("b/", &plan.Plan{})
	if a.Fact("x") != "1" || b.Fact("x") != "2" || a.Input("key").Reveal() != "value-a" || !b.Input("key").Empty() {
		t.Errorf("%v %v", a.Facts(), b.Facts())
	}
	a.Note("y", "4")
	if got := a.Facts(); !maps.Equal(got, map[string]string{"x": "1", "y": "4"}) || whole.Fact("a/y") != "4" || b.Fact("y") != "" {
		t.Errorf("%v, whole %v", got, whole.Facts())
	}
	if p := a.Plan(); p.ID != "5f" || p.Of != "4e" || p.Mode != plan.Resume || p.Title != "Part" || part.ID != "" {
		t.Errorf("%+v, %+v", p, part)
	}
	inner := a.Within("c/", &plan.Plan{})
	inner.Note("z", "5")
	if whole.Fact("a/c/z") != "5" || inner.Plan().ID != "5f" || inner.Stopping() {
		t.Errorf("%v", whole.Facts())
	}
}
