package checks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"warroom/internal/estate"
)

// tokenLimit bounds a token that is looked into.
const tokenLimit = 64 << 10

// claims are what a JWT states of itself, unverified: whether it is good is for
// the gateway to say. All are empty for what is no JWT.
type claims struct {
	keyID    string
	expires  time.Time
	issuer   string
	audience []string
}

func claimsOf(token estate.Secret) (c claims) {
	text := token.Reveal()
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > tokenLimit {
		return c
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	var payload struct {
		Expires float64 `json:"exp"`
	}
	var place struct {
		Issuer   string    `json:"iss"`
		Audience oneOrMany `json:"aud"`
	}
	decode := func(part string, into any) bool {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
		return err == nil && json.Unmarshal(raw, into) == nil
	}
	if decode(parts[0], &header) {
		c.keyID = header.KeyID
	}
	const year9999 = 253402300799 // beyond it a time has no RFC 3339 form
	if decode(parts[1], &payload) && payload.Expires > 0 && payload.Expires < year9999 {
		c.expires = time.Unix(int64(payload.Expires), 0).UTC()
	}
	if decode(parts[1], &place) {
		c.issuer, c.audience = place.Issuer, place.Audience
	}
	return c
}

// challenge reads the parameters of WWW-Authenticate. It is lenient: some
// gateways separate them by spaces instead of commas. Of several challenges the
// first to name a parameter wins.
func challenge(header string) map[string]string {
	out := map[string]string{}
	const limit = 32
	for header != "" && len(out) < limit {
		at := strings.IndexByte(header, '=')
		if at < 0 {
			break
		}
		key := header[:at]
		if i := strings.LastIndexAny(key, " ,\t"); i >= 0 {
			key = key[i+1:]
		}
		var value string
		value, header = parameterValue(header[at+1:])
		key = strings.ToLower(key)
		if _, known := out[key]; plain(key) && !known {
			out[key] = value
		}
	}
	return out
}

// plain reports whether key can be the name of a parameter.
func plain(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// parameterValue reads a token or a quoted string and returns what follows it.
func parameterValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, " ,\t")
		if end < 0 {
			return text, ""
		}
		return text[:end], text[end:]
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if i+1 < len(text) {
				i++
				b.WriteByte(text[i])
			}
		case '"':
			return b.String(), text[i+1:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}

// fingerprintKey lives as long as the process: a fingerprint tells whether two
// values read by it are the same, and nothing to anybody else.
var fingerprintKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
})

// fingerprint identifies a value without telling it.
func fingerprint(s estate.Secret) string {
	mac := hmac.New(sha256.New, fingerprintKey())
	mac.Write([]byte(s.Reveal()))
	return hex.EncodeToString(mac.Sum(nil)[:4])
}
