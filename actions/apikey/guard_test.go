package apikey

import (
	"math/rand/v2"
	"strings"
	"testing"

	"warroom/internal/estate"
)

func TestPlaceholdersAreNoKeys(t *testing.T) {
	current := "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
	for value, ok := range map[string]bool{
		"":                                     false,
		"   ":                                  false,
		"\n":                                   false,
		current:                                false,
		current + "\n":                         false,
		" " + current[1:] + "x":                false,
		"REPLACE_ME_WITH_A_REAL_VALUE_0123456": false,
		"ReplaceThisKeyBeforeProduction00":     false,
		"CHANGEME":                             false,
		"change-me-change-me-change-me-now":    false,
		"TODO: ask the provider for a key":     false,
		"TODO-put-the-key-of-production-here1": false,
		"<your api key, thirty characters>":    false,
		"<API_KEY_OF_PRODUCTION_GOES_HERE>":    false,
		"${PAYMENT_API_KEY_OF_PRODUCTION_ENV}": false,
		"{{ .Values.payment.apiKey | quote }}": false,
		"%PAYMENT_API_KEY_OF_PRODUCTION_ENV%":  false,
		"xxx":                                  false,
		"sk_live_xxxxxxxxxxxxxxxxxxxxxxxx":     false,
		"xxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxx":   false,
		"sk_live_****************zdp7dc":       false,
		"sk_live_…………………………zdp7dc":             false,
		"00000000000000000000000000000000":     false,
		"your-api-key-goes-into-this-place-01": false,
		"placeholder-0123456789-0123456789012": false,
		"undefined":                            false,
		"null":                                 false,
		"[redacted]":                           false,
		"sk_live_4eC39":                        false, // shorter than half
		"sk_live_51H8Zp2eZvKYlo2C0qXxXb3nT":    true,
		"AKIAIOSFODNN7RANDOM1":                 true,
		"dGhpcyBpcyBiYXNlNjQgb2YgYSBrZXk=":     true,
		"k-todoist9fQ2h8Zr4mW1pTq6vB3nY0":      true, // a word within another says nothing
		"ghp_16C7e42F292c6912E7710c838347Ae17": true,
	} {
		err := Guard(estate.NewSecret(value), estate.NewSecret(current))
		if (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
		if err != nil && len(value) > 6 && strings.Contains(err.Error(), value) {
			t.Errorf("the error holds the value: %v", err)
		}
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomKey is a key as providers make them.
func randomKey(r *rand.Rand, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return "sk_live_" + string(b)
}

// TestTheGuardKnowsKeysFromPlaceholders takes keys as providers make them, and refuses
// them once they are made unfit in any way.
func TestTheGuardKnowsKeysFromPlaceholders(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n, wrong := 1_000_000/every(50), 0
	spoil := []func(string) string{
		func(s string) string { return s + " " },
		func(s string) string { return "\t" + s },
		func(s string) string { return s[:len(s)/2] + "\n" + s[len(s)/2:] },
		func(s string) string { return "<" + s + ">" },
		func(s string) string { return "${" + s + "}" },
		func(s string) string { return s[:10] + "REPLACEME" + s[10:] },
		func(s string) string { return s[:10] + "changeme" + s[10:] },
		func(s string) string { return s + "-TODO" },
		func(s string) string { return "xxx-" + s },
		func(s string) string { return s[:12] + strings.Repeat("*", len(s)-12) },
		func(s string) string { return s[:12] + strings.Repeat("x", len(s)-12) },
		func(s string) string { return strings.Repeat(s[9:10], len(s)) },
		func(string) string { return "" },
	}
	for range n {
		current, next := randomKey(r, 24+r.IntN(40)), ""
		for next = randomKey(r, 24+r.IntN(40)); 2*len(next) < len(current); {
			next = randomKey(r, 24+r.IntN(40))
		}
		if Guard(estate.NewSecret(next), estate.NewSecret(current)) != nil {
			wrong++
		}
		bad := spoil[r.IntN(len(spoil))](next)
		err := Guard(estate.NewSecret(bad), estate.NewSecret(current))
		if err == nil {
			t.Fatalf("%q is taken", bad)
		}
		if bad != "" && strings.Contains(err.Error(), bad) {
			t.Fatalf("the error holds the value: %v", err)
		}
		if Guard(estate.NewSecret(current), estate.NewSecret(current)) == nil || Guard(estate.NewSecret(current[:len(current)/2-1]), estate.NewSecret(current)) == nil {
			t.Fatalf("the current key, or half of it, is taken: %q", current)
		}
	}
	// A random key that looks like a placeholder is asked for again: that may be, and rarely.
	if wrong > n/20_000+1 {
		t.Errorf("%d of %d good keys are refused", wrong, n)
	}
}

func FuzzGuard(f *testing.F) {
	for _, value := range []string{"", "TODO", "<key>", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "xxx", "…", "\x00\xff"} {
		f.Add(value, "sk_live_4eC39HqLyjWDarjtT1zdp7dc")
	}
	f.Fuzz(func(t *testing.T, value, current string) {
		err := Guard(estate.NewSecret(value), estate.NewSecret(current))
		if err != nil {
			if len(value) >= leastKey && len(value) > len("it is the current key") && strings.Contains(err.Error(), value) {
				t.Fatalf("the error holds the value: %v", err)
			}
			return
		}
		switch {
		case value == current, len(value) < leastKey, 2*len(value) < len(current), strings.TrimSpace(value) != value,
			strings.ContainsAny(value, "\r\n\t\x00"), strings.Contains(strings.ToLower(value), "changeme"), strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">"):
			t.Fatalf("%q is taken, with %q current", value, current)
		}
	})
}
