package decode_test

import (
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"warroom/internal/decode"
)

func TestDurations(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "15s": 15 * time.Second, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute,
		"100ms": 100 * time.Millisecond, "3us": 3 * time.Microsecond, "3µs": 3 * time.Microsecond, "2ns": 2, "0.5d": 12 * time.Hour,
	} {
		got, err := decode.ParseDuration(in)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "s", "5", "5 s", "-5s", "+5s", "5w", "5s5", ".5s", "5.s", "1..5s", "5S", "d", "１s", "99999999999999999999d", "90000d", "1e3s", "1_0s"} {
		if got, err := decode.ParseDuration(in); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

func TestDurationsAreReadAsWritten(t *testing.T) {
	pattern := regexp.MustCompile(decode.DurationPattern)
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(100*365*24*time.Hour)).Draw(t, "d"))
		text := decode.FormatDuration(d)
		got, err := decode.ParseDuration(text)
		if err != nil || got != d {
			t.Errorf("%v is written %s and read %v, %v", d, text, got, err)
		}
		if !pattern.MatchString(text) {
			t.Errorf("%s does not match the pattern of the schema", text)
		}
	})
}

func TestPatternTakesWhatIsRead(t *testing.T) {
	pattern := regexp.MustCompile(decode.DurationPattern)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{0,3}(\.[0-9]{0,2})?(ns|us|ms|s|m|h|d|w)?([0-9]{1,2}[smhd])?`).Draw(t, "text")
		_, err := decode.ParseDuration(text)
		if (err == nil) != pattern.MatchString(text) {
			t.Errorf("%q: read %v, pattern %v", text, err, pattern.MatchString(text))
		}
	})
}

func TestNearestIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-d]{4,12}`).Draw(t, "word")
		// One change away, among words that share no letter with it.
		i := rapid.IntRange(0, len(word)-2).Draw(t, "at")
		changed := map[string]string{
			"dropped":  word[:i] + word[i+1:],
			"added":    word[:i] + "x" + word[i:],
			"replaced": word[:i] + "x" + word[i+1:],
			"swapped":  word[:i] + word[i+1:i+2] + word[i:i+1] + word[i+2:],
		}
		for how, typed := range changed {
			if got := decode.Nearest(typed, []string{"wxyz", word, "zzzzzzzz", "zyxwzyxwzyxw"}); got != word {
				t.Errorf("%s: %q gives %q, want %q", how, typed, got, word)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	keys := []string{"host", "port", "database", "role", "sslmode", "ca_cert", "secret", "secrets", "postgres", "external_api"}
	for in, want := range map[string]string{
		"postgress": "postgres", "prot": "port", "Host": "host", "databse": "database", "ca-cert": "ca_cert", "ssl": "sslmode", "cert": "ca_cert",
		"secretss": "secrets", "external": "external_api", "zzz": "", "x": "", "": "", "role ": "role",
	} {
		if got := decode.Nearest(in, keys); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := decode.DidYouMean("prot", keys); got != `did you mean "port"?` {
		t.Error(got)
	}
	if got := decode.DidYouMean("zzz", keys); got != "" {
		t.Error(got)
	}
}
