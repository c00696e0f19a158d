package clients

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"warroom/internal/estate"
)

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
	// marks need no escaping in URLs, shells, JSON, YAML, SQL and connection strings.
	marks = "-_.~"
)

// leastPassword is how short a password may be.
const leastPassword = 32

// NewPassword makes a password of length characters, at least 32: letters, digits
// and -_.~, with one of each sort, as policies of passwords demand, and a letter or
// digit at its beginning and end. The caller makes it known to the nets of its Sets.
func NewPassword(length int) estate.Secret {
	length = max(length, leastPassword)
	const all = upper + lower + digits + marks
	for {
		text := make([]byte, 0, length)
		var random [256]byte
		for len(text) < length {
			_, _ = rand.Read(random[:]) // it never fails: the program ends where it could
			for _, b := range random {
				// What lies beyond the last multiple would make some characters likelier.
				if int(b) < 256/len(all)*len(all) && len(text) < length {
					text = append(text, all[int(b)%len(all)])
				}
			}
		}
		s := string(text)
		if strings.ContainsAny(s, upper) && strings.ContainsAny(s, lower) && strings.ContainsAny(s, digits) && strings.ContainsAny(s, marks) &&
			!strings.ContainsAny(s[:1]+s[length-1:], marks) {
			return estate.NewSecret(s)
		}
	}
}

// SCRAM parameters of PostgreSQL's own defaults.
const (
	verifierIterations = 4096
	verifierSalt       = 16
)

// SCRAMVerifier is what PostgreSQL stores of a password for SCRAM-SHA-256 (RFC 5803,
// with a new salt): ALTER ROLE … PASSWORD takes it in place of the password, so that
// no server, log or trace sees that. Its error is an *estate.Failure for a password
// that is empty or not of printable ASCII, of which servers and drivers do not make
// the same.
func SCRAMVerifier(password estate.Secret) (string, error) {
	salt := make([]byte, verifierSalt)
	_, _ = rand.Read(salt)
	return scramVerifier(password, salt, verifierIterations)
}

func scramVerifier(password estate.Secret, salt []byte, iterations int) (string, error) {
	text := password.Reveal()
	bad := func(detail string) error {
		return &estate.Failure{Kind: estate.BadSecret, Doing: "make the SCRAM verifier of a password", Detail: detail, Next: "use another password, of letters, digits and -_.~"}
	}
	switch {
	case text == "":
		return "", bad("it is empty")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", bad("it has characters outside printable ASCII")
	}
	salted, err := pbkdf2.Key(sha256.New, text, salt, iterations, sha256.Size)
	if err != nil {
		return "", bad("it cannot be made here: " + err.Error())
	}
	stored := sha256.Sum256(keyed(salted, "Client Key"))
	enc := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, enc(salt), enc(stored[:]), enc(keyed(salted, "Server Key"))), nil
}

func keyed(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(text))
	return m.Sum(nil)
}
