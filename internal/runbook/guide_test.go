package runbook

import "testing"

func TestGuideIsValid(t *testing.T) {
	if _, err := Parse("guide.yaml", guide, nil); err != nil {
		t.Fatal(err)
	}
}
