package clients

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// public are the keys of a stored JSON object that name things rather than keep
// them secret: scrubbing "postgres" or a host name from every text would hide
// what the operator has to see. Lower case, without dashes and underscores.
var public = map[string]bool{
	"username": true, "user": true, "role": true, "host": true, "hostname": true, "port": true, "dbname": true, "database": true,
	"dbinstanceidentifier": true, "dbclusteridentifier": true, "engine": true, "masterarn": true, "ssl": true, "sslmode": true,
	"region": true, "environment": true, "env": true, "name": true, "description": true, "type": true, "version": true,
	"issuer": true, "audience": true, "owner": true, "created": true, "expires": true, "kid": true, "keyid": true,
	"proxyhostname": true, "schema": true, "scheme": true, "algorithm": true, "status": true, "service": true,
}

// secretive matches keys whose value is a secret whatever it looks like.
var secretive = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|credential|private|auth|dsn|conn|cookie|signature`)

// word matches values that say something to a reader: a word or two, a host name.
var word = regexp.MustCompile(`^[A-Za-z]{1,16}([-._][A-Za-z]{1,16}){0,5}$`)

// register makes a value that was read known to the net: the whole of it, and
// within a JSON object every string that can be a secret; the lines of what has
// several, and the password within a URL.
func (s *Set) register(value string) {
	s.net.Register(secrets(value, 0)...)
}

// deepest is how far into nested objects and lists is looked.
const deepest = 4

func secrets(value string, depth int) []string {
	found := []string{value}
	var object map[string]json.RawMessage
	if depth < deepest && json.Unmarshal([]byte(value), &object) == nil {
		for k, raw := range object {
			found = append(found, inObject(k, raw, depth)...)
		}
		return found
	}
	if lines := strings.Split(value, "\n"); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
				found = append(found, line)
			}
		}
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			found = append(found, password)
		}
	}
	return found
}

// inObject finds the secrets of one member of a stored object.
func inObject(key string, raw json.RawMessage, depth int) []string {
	plain := strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(key))
	if depth > deepest {
		return []string{string(raw)}
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			var found []string
			for _, one := range list {
				found = append(found, inObject(key, one, depth+1)...)
			}
			return found
		}
		if len(raw) > 0 && raw[0] == '{' {
			return secrets(string(raw), depth+1)
		}
		text = string(raw) // a number
	}
	if public[plain] {
		return nil
	}
	if !secretive.MatchString(key) {
		if word.MatchString(text) || isNumber(text) || isTime(text) || isPlace(text) {
			return nil
		}
	}
	return secrets(text, depth+1)
}

// isPlace reports a URL that says where and nothing more. One with a path can be
// a capability, as the address of a webhook is.
func isPlace(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && strings.Trim(u.Path, "/") == ""
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func isTime(s string) bool {
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return true
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
