package cli

import (
	"strings"
	"testing"

	"warroom/internal/config"
	"warroom/internal/runbook"
	"warroom/ui"
)

// What was not recorded when a console ended is printed, whatever else is.
func TestTheEndSaysWhatWasNotRecorded(t *testing.T) {
	c := (desk{}).casebook(runbook.Guide(), "production", "", nil)
	var o ui.Options
	look := looks{desk: desk{webhooks: []config.Webhook{{Name: "bridge", URLEnv: "BRIDGE_WEBHOOK"}}}}
	if err := c.begin(t.Context(), &o, look); err != nil {
		t.Fatal(err)
	}
	if len(o.Credentials) != 1 || o.Credentials[0] != "BRIDGE_WEBHOOK" {
		t.Errorf("an editor inherits all but %q", o.Credentials)
	}
	o.Unrecorded([]string{"NOT RECORDED: note: “failed over”"})
	var out strings.Builder
	c.end(&out)
	if got := out.String(); got != "warroom: NOT RECORDED: note: “failed over”\n" {
		t.Errorf("%q", got)
	}
}
