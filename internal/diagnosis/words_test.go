package diagnosis

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"warroom/internal/estate"
)

func TestSignatures(t *testing.T) {
	for text, want := range map[string]point{
		"Task timed out after 30 seconds": timedOut, "DB connection timeout": timedOut, "context deadline exceeded": timedOut, "Could not connect to the endpoint URL": timedOut,
		"lookup db: no such host": unresolved, "dial tcp: lookup db on 10.0.0.2:53: i/o timeout: no such host": unresolved,
		"connect: connection refused": database, "FATAL: sorry, too many clients already": database, "the provider answered 429 Too Many Requests": rateLimited,
		"ThrottlingException: Rate exceeded": rateLimited, "AccessDeniedException: Access to KMS is not allowed": badPolicy, "permission denied for database": denied,
		"setSecret: Unable to log into database with previous, current, or pending secret": partial, "Lambda was unable to decrypt the environment variables": badRole,
		"something else entirely": "",
	} {
		if got := meaning(text); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
}

// What others wrote cannot break a line, move a cursor or fill the screen.
func TestHostileTextStaysOneLine(t *testing.T) {
	evil := "\x1b[2J\x1b]0;owned\x07 DB connection\r\n timeout \u009b31m " + strings.Repeat("x", 100_000)
	r := changed(
		saw("rotation-lambda", estate.CheckFunctionLogs, "", estate.FunctionLogs{Window: day, Errors: []estate.LogLine{{At: ago(time.Minute), Text: evil}}}),
		saw("rotation-monitor", estate.CheckRotationEvents, "main", estate.RotationEvents{Window: day, Failed: 1, Events: []estate.RotationEvent{{At: ago(time.Hour), What: estate.RotationFailed, Secret: "prod/" + evil, Error: evil}}}),
		saw("rotation-monitor", estate.CheckChanges, "main", estate.Changes{Window: day, Changes: []estate.Change{{At: ago(time.Hour), What: "PutSecretValue" + evil, Target: dbSecret, By: evil, Failed: evil, Detail: evil}}}),
		lost("postgres-primary", estate.CheckRole, "", estate.Denied, evil),
		saw("secrets-manager", estate.CheckSecretReads, dbSecret, estate.SecretReads{Named: []string{"a"}, Window: day, Readers: []estate.SecretReader{{Who: evil, From: []string{evil}, Reads: 1, Why: evil}}}),
	)
	for name, f := range Sense(r, now) {
		texts := []string{f.Value}
		for _, one := range f.Facts {
			texts = append(texts, one.Name, one.Value)
		}
		for _, s := range texts {
			if utf8.RuneCountInString(s) > valueKept || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%s: %d bytes: %.120q", name, len(s), s)
			}
		}
	}
}

func TestWords(t *testing.T) {
	if got := gist("[ERROR] 2026-03-14T03:02:45.000Z 5f2b8c1e-0000-4000-8000-000000000000 Task timed out after 30.03 seconds"); got != "Task timed out after 30 seconds" {
		t.Error(got)
	}
	for _, c := range []struct{ got, want string }{
		{cut("a  b\nc", 9), "a b c"}, {cut("abcdef", 4), "abc…"}, {cut("abcd", 4), "abcd"}, {cut("äöüß", 3), "äö…"},
		{thousands(1234567), "1,234,567"}, {few([]string{"a", "b", "c"}, 2), "a; b; and 1 more"}, {few([]string{"a", "b"}, 1), "a and 1 more"},
		{names([]string{"a", "b", "c"}, 2), "a, b and 1 more"}, {percent(0.001), "<1%"}, {percent(0.999), ">99%"},
		{who("arn:aws:sts::1:assumed-role/deploy/ops"), "deploy/ops"}, {who("arn:aws:iam::1:user/ops"), "ops"}, {function("arn:aws:lambda:eu-west-1:1:function:rotate-db"), "rotate-db"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if !slices.Equal(Names()[:2], []string{"rotation.status", "rotation.logs"}) {
		t.Error(Names()[:2])
	}
}
