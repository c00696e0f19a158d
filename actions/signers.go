package actions

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// signer is one line of an OpenSSH allowed_signers file.
type signer struct {
	line       int
	principals []string // patterns
	namespaces []string // patterns; nil: any
	after      time.Time
	before     time.Time
	authority  bool // it signs certificates, not data
	key        ssh.PublicKey
}

// maxSigners bounds the file of signers, in bytes.
const maxSigners = 1 << 20

// readSigners reads an allowed_signers file. A line that cannot be read is an error,
// as it is for OpenSSH: nobody knows what it would allow.
func readSigners(name string) ([]signer, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no plain file")
	case info.Mode().Perm()&0o002 != 0:
		return nil, errors.New("anybody may write it: take that away (chmod o-w)")
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxSigners+1))
	if err != nil {
		return nil, err
	}
	return parseSigners(raw)
}

func parseSigners(raw []byte) ([]signer, error) {
	if len(raw) > maxSigners {
		return nil, fmt.Errorf("it is larger than %d bytes", maxSigners)
	}
	var out []signer
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxSigners+1)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		s, err := parseSigner(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		s.line = n
		out = append(out, s)
	}
	return out, lines.Err()
}

// parseSigner reads one line: principals, options, key type, key in base64, comment.
func parseSigner(text string) (s signer, err error) {
	names, rest := word(text)
	for name := range strings.SplitSeq(names, ",") {
		if name == "" {
			return s, errors.New("a principal is empty")
		}
		s.principals = append(s.principals, name)
	}
	kind, after := word(rest)
	blob, _ := word(after)
	if s.key, err = keyOf(kind, blob); err == nil {
		return s, nil
	}
	options, rest := optionWord(rest)
	if err := s.options(options); err != nil {
		return s, err
	}
	kind, after = word(rest)
	blob, _ = word(after)
	s.key, err = keyOf(kind, blob)
	return s, err
}

func keyOf(kind, blob string) (ssh.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil || len(raw) == 0 {
		return nil, errors.New("it has no key that can be read")
	}
	key, err := ssh.ParsePublicKey(raw)
	if err != nil || key.Type() != kind {
		return nil, errors.New("it has no key that can be read")
	}
	return key, nil
}

// word is what stands before the next blank, or between quotation marks.
func word(text string) (first, rest string) {
	text = strings.TrimLeft(text, " \t")
	if strings.HasPrefix(text, `"`) {
		if end := strings.IndexByte(text[1:], '"'); end >= 0 {
			return text[1 : end+1], text[end+2:]
		}
	}
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return text, ""
	}
	return text[:end], text[end:]
}

// optionWord is what stands before the next blank that is not quoted.
func optionWord(text string) (first, rest string) {
	text = strings.TrimLeft(text, " \t")
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && (text[i] == ' ' || text[i] == '\t'):
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// options takes the options of a line: those of OpenSSH and no others.
func (s *signer) options(text string) error {
	for text != "" {
		name := text
		if end := strings.IndexAny(text, ",="); end >= 0 {
			name = text[:end]
		}
		text = text[len(name):]
		value, quoted := "", false
		if rest, ok := strings.CutPrefix(text, `="`); ok {
			end := 0
			for end < len(rest) && rest[end] != '"' {
				if rest[end] == '\\' && end+1 < len(rest) && rest[end+1] == '"' {
					end++
				}
				end++
			}
			if end >= len(rest) {
				return fmt.Errorf("the option %.40q has no closing quotation mark", name)
			}
			value, text, quoted = strings.ReplaceAll(rest[:end], `\"`, `"`), rest[end+1:], true
		}
		var err error
		switch name = strings.ToLower(name); {
		case name == "cert-authority" && !quoted:
			s.authority = true
		case name == "namespaces" && quoted && s.namespaces == nil && value != "":
			s.namespaces = strings.Split(value, ",")
		case name == "valid-after" && quoted && s.after.IsZero():
			s.after, err = sshTime(value)
		case name == "valid-before" && quoted && s.before.IsZero():
			s.before, err = sshTime(value)
		default:
			return fmt.Errorf("the option %.40q is unknown, not complete, or there twice", name)
		}
		if err != nil {
			return fmt.Errorf("the option %s: %w", name, err)
		}
		if text == "" {
			break
		}
		rest, ok := strings.CutPrefix(text, ",")
		if !ok || rest == "" {
			return fmt.Errorf("something else than a comma follows the option %s", name)
		}
		text = rest
	}
	if !s.after.IsZero() && !s.before.IsZero() && !s.after.Before(s.before) {
		return errors.New("it ends to be valid before it begins")
	}
	return nil
}

// sshTime reads a time as OpenSSH writes it: YYYYMMDD, YYYYMMDDHHMM or
// YYYYMMDDHHMMSS; in UTC with a Z behind it, else in local time.
func sshTime(text string) (time.Time, error) {
	digits, zone := text, time.Local
	if rest, ok := strings.CutSuffix(strings.ToUpper(text), "Z"); ok {
		digits, zone = rest, time.UTC
	}
	layout := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(digits)]
	at, err := time.ParseInLocation(layout, digits, zone)
	if layout == "" || err != nil {
		return time.Time{}, fmt.Errorf("%.40q is no time: it is written as YYYYMMDD[HHMM[SS]][Z]", text)
	}
	return at, nil
}

// allows says why a line does not allow its key to sign in a namespace at a time.
func (s *signer) allows(namespace string, now time.Time) error {
	switch {
	case s.authority:
		return fmt.Errorf("line %d names its key as an authority for certificates; name the key of the person itself", s.line)
	case s.namespaces != nil && !matches(namespace, s.namespaces):
		return fmt.Errorf("line %d does not allow its key for %s", s.line, namespace)
	case !s.after.IsZero() && now.Before(s.after):
		return fmt.Errorf("line %d allows its key from %s on", s.line, s.after.UTC().Format("2006-01-02 15:04Z"))
	case !s.before.IsZero() && !now.Before(s.before):
		return fmt.Errorf("line %d allowed its key until %s", s.line, s.before.UTC().Format("2006-01-02 15:04Z"))
	}
	return nil
}

// matches reports whether a text is one of some patterns of OpenSSH, of which those
// with ! in front take back what others allow.
func matches(text string, patterns []string) bool {
	found := false
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if !wild(p, text) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// wild matches a pattern in which * stands for any text and ? for any character.
func wild(pattern, text string) bool {
	// path.Match knows both, but has signs of its own, and stops at slashes.
	escaped := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `/`, "\x00").Replace(pattern)
	ok, err := path.Match(escaped, strings.ReplaceAll(text, "/", "\x00"))
	return err == nil && ok
}

// rsaBits is the length of an RSA key; 0 of any other.
func rsaBits(key crypto.PublicKey) int {
	if k, ok := key.(*rsa.PublicKey); ok {
		return k.N.BitLen()
	}
	return 0
}
