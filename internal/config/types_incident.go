package config

import "time"

// Incident is how incidents are led: by whom, by which runbook, and who is told.
type Incident struct {
	Operator   string    `yaml:"operator" doc:"who is at this console, as the journal names them, for example ic-1; else the login name at this host"`
	Runbook    string    `yaml:"runbook" path:"true" doc:"the team's own runbook; else the built-in one"`
	SigningKey string    `yaml:"signing_key" path:"true" doc:"SSH key that signs the journal: an unencrypted private key, or the .pub of one that the SSH agent holds; else one made for the incident"`
	Updates    []Cadence `yaml:"updates" doc:"how often people are told, where the runbook's intervals do not suit"`
	Webhooks   []Webhook `yaml:"webhooks" doc:"where status updates can be sent; each goes out by a key press only"`
}

// Cadence replaces the intervals of one severity in the runbook. What is left out
// stays the runbook's and is zero here.
type Cadence struct {
	Severity string        `yaml:"severity" req:"true" enum:"SEV1,SEV2,SEV3,SEV4" doc:"of which severity"`
	First    time.Duration `yaml:"first" min:"1m" max:"24h" doc:"from the declaration to the first update; else the runbook's"`
	Scoped   time.Duration `yaml:"scoped" min:"1m" max:"24h" doc:"from the first update to the second, which tells the scope; else the runbook's"`
	Every    time.Duration `yaml:"every" min:"1m" max:"24h" doc:"between two updates from then on; else the runbook's"`
	Relax    time.Duration `yaml:"relax_after" min:"1m" max:"168h" doc:"after how long updates may come half as often; else the runbook's"`
}

// Webhook is one place to which status updates can be sent. Its URL is a secret:
// who has it can write there.
type Webhook struct {
	Name     string `yaml:"name" req:"true" doc:"what it is called on screen, for example bridge channel"`
	URLEnv   string `yaml:"url_env" doc:"environment variable that holds its URL"`
	URLFile  string `yaml:"url_file" path:"true" doc:"file that holds its URL, alone in its first line; readable by its owner only"`
	Format   string `yaml:"format" enum:"slack,json" default:"slack" doc:"slack is what Slack and its likes take; json is warroom's own"`
	Security bool   `yaml:"security" doc:"whether it is where security is told of a compromise"`
}
