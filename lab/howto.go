package lab

import (
	"fmt"
	"strings"
)

// Howto says how to use a running lab by hand.
func (l *Lab) Howto() string {
	var b strings.Builder
	d := l.description
	fmt.Fprintf(&b, "\nThe lab runs %s, until Ctrl-C.\n\n", strings.Join(d.Peers, ", "))
	if d.Environment == "" {
		fmt.Fprintf(&b, "    export %s=%s   # how to reach them, as JSON\n\n", Variable, shellQuote(l.File))
		return b.String()
	}
	fmt.Fprintf(&b, "In another shell:\n\n    . %s\n\n", shellQuote(d.Environment))
	for _, line := range [][2]string{
		{"warroom", "(made by make build) the console on the lab's estate: " + d.Config},
		{"warroom check", "or one check of it"},
		{"vault status", "as root; the reader's token is in " + d.Vault.ReadTokenFile},
		{"vault kv put secret/prod/db/postgres password=new", "the copy falls behind"},
		{"kubectl get deployments -A", "as the administrator"},
		{"kubectl rollout restart -n shop deployment/user-service", "really rolls, in seconds"},
		{"psql service=primary", "as the superuser; also replica and pooler"},
		{"psql service=replica -c 'SELECT pg_wal_replay_pause()'", "lag at will"},
		{"aws secretsmanager list-secrets", "of moto"},
		{"openssl s_client -connect " + d.TLS.Address + " -servername " + d.TLS.ServerName, "nginx"},
	} {
		fmt.Fprintf(&b, "    %-62s # %s\n", line[0], line[1])
	}
	fmt.Fprintf(&b, "\nHow to reach everything, as JSON with the passwords: %s\n", l.File)
	return b.String()
}
