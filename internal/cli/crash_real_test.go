package cli

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
	"warroom/internal/labtest"
)

// realServers are the components of the drill's configuration that are exchanged.
var realServers = regexp.MustCompile(`host: .*\n( +)port: .*\n +database: .*\n +role: (primary|replica)\n +sslmode: .*\n +ca_cert: .*`)

// onRealPostgres exchanges the drill's PostgreSQL for the lab's, with the roles and the
// passwords that the drill's store has of them.
func onRealPostgres(t *testing.T, s *stage) {
	t.Helper()
	primary, replica := labtest.PostgresPrimary(t), labtest.PostgresReplica(t)
	raw, err := os.ReadFile(s.path)
	must(t, err)
	text := realServers.ReplaceAllStringFunc(string(raw), func(was string) string {
		m := realServers.FindStringSubmatch(was)
		at := primary
		if m[2] == "replica" {
			at = replica
		}
		return fmt.Sprintf("host: %[1]s\n%[2]sport: %[3]d\n%[2]sdatabase: postgres\n%[2]srole: %[4]s\n%[2]ssslmode: verify-full\n%[2]sca_cert: %[5]s", at.Host, m[1], at.Port, m[2], at.CAFile)
	})
	must(t, os.WriteFile(s.path, []byte(text), 0o600))
	s.cfg, err = config.Parse("drill", []byte(text))
	must(t, err)
	s.set.Close()
	s.acting.Close()
	s.set, s.acting = clients.New(s.cfg), clients.NewActing(s.cfg)
	cfg, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=postgres sslmode=verify-full sslrootcert=%s", primary.Host, primary.Port, primary.CAFile))
	must(t, err)
	cfg.User, cfg.Password = primary.Superuser, primary.SuperuserPassword
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	must(t, err)
	defer conn.Close(t.Context())
	for secret, more := range map[string]string{"prod/db/analytics": "", "prod/db/superuser": "SUPERUSER", "prod/db/monitoring": "IN ROLE pg_monitor"} {
		user, err := s.value(secret, estate.StageCurrent, "username")
		must(t, err)
		password, err := s.value(secret, estate.StageCurrent, "password")
		must(t, err)
		verifier, err := clients.SCRAMVerifier(password)
		must(t, err)
		name := pgx.Identifier{user.Reveal()}.Sanitize()
		_, err = conn.Exec(t.Context(), "DROP ROLE IF EXISTS "+name)
		must(t, err)
		_, err = conn.Exec(t.Context(), "CREATE ROLE "+name+" LOGIN PASSWORD '"+verifier+"' "+more)
		must(t, err)
	}
}

// The matrix of a rotation on the lab's PostgreSQL, with a replica that replays. One
// after the other: there is one server.
func TestKilledAnywhereOnRealPostgres(t *testing.T) {
	labtest.PostgresPrimary(t)
	c := crashCase{procedure: "rotate-database", target: "prod/db/analytics", secret: "prod/db/analytics", goal: rotated, before: onRealPostgres}
	all := points(t, c)
	killed, resumed, back := 0, 0, 0
	for _, k := range kills(all) {
		t.Run(fmt.Sprintf("%d%s %s", k.at, k.when, k.way), func(t *testing.T) {
			s := setStage(t, c)
			out, code := s.run(fmt.Sprintf("kill:%d%s", k.at, k.when), s.act()...)
			if code != -1 {
				return // it made fewer calls this time: polls differ
			}
			killed++
			s.works("after the kill at " + all[k.at-1])
			switch s.takeUp(k.way) {
			case "resume":
				resumed++
				s.reached()
			case "roll-back":
				back++
				s.asBefore()
			}
			s.leaks()
			if t.Failed() {
				t.Logf("killed %s at %s:\n%s", k.when, all[k.at-1], out)
			}
		})
	}
	t.Logf("%d calls and records; killed %d times, finished %d times, rolled back %d times", len(all), killed, resumed, back)
}
