package cli

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"warroom/internal/archive"
	"warroom/internal/config"
	"warroom/internal/diagnosis"
	"warroom/internal/runbook"
)

// desk is who works on incidents, with what: the flags of every command that
// records, and the block incident of the configuration behind them.
type desk struct {
	operator string
	key      string // file of the signing key; empty: one is made for each incident
	runbook  string // file; empty or embedded: the guide's

	updates  []config.Cadence // intervals in place of the runbook's
	webhooks []config.Webhook
}

// embedded names the guide's runbook where a file could stand.
const embedded = "guide"

func (d *desk) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.operator, "as", "", "the `NAME` under which you record (default: incident.operator of the configuration, else your login)")
	cmd.Flags().StringVar(&d.key, "signing-key", "", "sign what you record with this OpenSSH key `FILE` (default: incident.signing_key, else a key made for the incident)")
	cmd.Flags().StringVar(&d.runbook, "runbook", "", "follow the runbook in this `FILE`; "+embedded+" is the embedded one (default: incident.runbook, else the embedded one)")
}

// with fills in what no flag says from a configuration, which may be nil.
func (d desk) with(cfg *config.Config) desk {
	if cfg != nil {
		d.operator = cmp.Or(d.operator, cfg.Incident.Operator)
		d.key = cmp.Or(d.key, cfg.Incident.SigningKey)
		d.runbook = cmp.Or(d.runbook, cfg.Incident.Runbook)
		d.updates, d.webhooks = cfg.Incident.Updates, cfg.Incident.Webhooks
	}
	if d.operator == "" {
		d.operator = login()
	}
	return d
}

// login is the name of the user who runs the program.
func login() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "operator"
}

// procedure is the runbook for new incidents, with the intervals of updates that
// the configuration says.
func (d desk) procedure() (*runbook.Runbook, error) {
	rb := runbook.Guide()
	if d.runbook != "" && d.runbook != embedded {
		own, err := readRunbook(d.runbook, diagnosis.Names())
		if err != nil {
			return nil, usage(fmt.Errorf("%w\nto open the console all the same: --runbook %s", err, embedded))
		}
		rb = own
	}
	rb, err := cadenced(rb, d.updates)
	return rb, usage(err)
}

// store is where the desk's incidents are kept.
func (d desk) store(scrub func(string) string, k *keeper) (*archive.Store, error) {
	return openStore(archive.Options{Operator: d.operator, KeyFile: d.key, Scrub: scrub, Go: k.start})
}

// parseAlert reads --alert-time.
func parseAlert(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usage(fmt.Errorf("--alert-time %q is no time: it is written as 2026-03-21T12:00:00Z", text))
	}
	return at.UTC(), nil
}
