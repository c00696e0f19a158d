package awssim

import (
	"encoding/base64"
	"strconv"
	"strings"
)

func base64Text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// makeToken writes an offset as an opaque page token.
func makeToken(kind string, offset int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + strconv.Itoa(offset)))
}

// readToken reads one of makeToken's; no token is the start.
func readToken(kind, token string) (int, bool) {
	if token == "" {
		return 0, true
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	text, ok := strings.CutPrefix(string(b), kind+":")
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0
}
