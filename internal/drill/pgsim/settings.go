package pgsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// reported are the settings that a server tells its clients at login and when
// they change.
var reported = []string{
	"application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby",
	"integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding", "server_version",
	"session_authorization", "standard_conforming_strings", "TimeZone",
}

// fixed are settings that are always the same here. Those of changeable may be
// set by a session.
var fixed = map[string]string{
	"client_encoding": "UTF8", "datestyle": "ISO, MDY", "integer_datetimes": "on", "intervalstyle": "postgres",
	"server_encoding": "UTF8", "standard_conforming_strings": "on", "timezone": "UTC",
	"default_transaction_read_only": "off", "statement_timeout": "0", "lock_timeout": "0",
	"idle_in_transaction_session_timeout": "0", "search_path": `"$user", public`, "application_name": "",
	"password_encryption": "scram-sha-256", "ssl_min_protocol_version": "TLSv1.2", "wal_level": "replica",
	"extra_float_digits": "1", "client_min_messages": "notice", "log_statement": "none", "hot_standby": "on",
	"transaction_isolation": "read committed", "default_transaction_isolation": "read committed", "listen_addresses": "127.0.0.1",
}

var changeable = []string{
	"application_name", "client_encoding", "datestyle", "intervalstyle", "timezone", "default_transaction_read_only",
	"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path",
	"extra_float_digits", "client_min_messages", "standard_conforming_strings", "default_transaction_isolation",
}

// setting is the value of a setting as SHOW gives it.
func (s *session) setting(name string) (string, bool) {
	name = strings.ToLower(name)
	if v, ok := s.settings[name]; ok {
		return v, true
	}
	o := s.server.cluster.opts
	onOff := map[bool]string{true: "on", false: "off"}
	switch name {
	case "server_version":
		return o.ServerVersion, true
	case "server_version_num":
		return strconv.Itoa(versionNumber(o.ServerVersion)), true
	case "max_connections":
		return strconv.Itoa(o.MaxConnections), true
	case "superuser_reserved_connections":
		return strconv.Itoa(o.ReservedConnections), true
	case "is_superuser":
		r, _ := s.server.role(s.user)
		return onOff[r.Superuser], true
	case "session_authorization":
		return s.user, true
	case "in_hot_standby":
		return onOff[s.server.replica], true
	case "transaction_read_only":
		return onOff[s.readsOnly()], true
	case "ssl":
		return onOff[o.TLS != nil], true
	}
	v, ok := fixed[name]
	return v, ok
}

// versionNumber is server_version_num: 150008 of 15.8.
func versionNumber(version string) int {
	major, minor, _ := strings.Cut(version, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return a*10000 + b
}

func (s *session) application() string {
	v, _ := s.setting("application_name")
	return v
}

// readsOnly reports whether statements that write are refused.
func (s *session) readsOnly() bool {
	if s.server.replica || (s.tx != 'I' && s.readOnly) {
		return true
	}
	v := s.settings["default_transaction_read_only"]
	return v == "on"
}

// set changes a setting of the session.
func (s *session) set(name, value string) *failure {
	name = strings.ToLower(name)
	if _, known := s.setting(name); !known {
		return problem("42704", "unrecognized configuration parameter %q", bounded(name)).from("guc.c", "find_option")
	}
	if !slices.Contains(changeable, name) {
		return problem("55P02", "parameter %q cannot be changed now", name)
	}
	switch name {
	case "default_transaction_read_only":
		on, ok := parseBool(value)
		if !ok {
			return problem("22023", "parameter %q requires a Boolean value", name)
		}
		value = map[bool]string{true: "on", false: "off"}[on]
	case "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout":
		d, ok := parseMilliseconds(value)
		if !ok {
			return problem("22023", "invalid value for parameter %q: %q", name, bounded(value))
		}
		value = showMilliseconds(d)
	}
	if s.settings == nil {
		s.settings = map[string]string{}
	}
	s.settings[name] = strings.ToValidUTF8(bounded(value), "?")
	if name == "application_name" && s.pid != 0 {
		s.server.update(s.pid, func(b *Session) { b.Application = s.settings[name] })
	}
	for _, r := range reported {
		if strings.EqualFold(r, name) && s.pid != 0 {
			s.backend.Send(&pgproto3.ParameterStatus{Name: r, Value: s.settings[name]})
		}
	}
	return nil
}

// preset applies the settings that came with the startup packet.
func (s *session) preset(parameters map[string]string) *failure {
	for name, value := range parameters {
		switch name {
		case "user", "database", "replication":
			continue
		case "options":
			return fatal("0A000", "startup options are not simulated by this drill server")
		}
		if strings.HasPrefix(name, "_pq_.") {
			continue
		}
		if f := s.set(name, value); f != nil {
			f.severity = "FATAL"
			return f
		}
	}
	return nil
}

func parseBool(s string) (on, ok bool) {
	switch strings.ToLower(s) {
	case "on", "true", "yes", "1", "t":
		return true, true
	case "off", "false", "no", "0", "f":
		return false, true
	}
	return false, false
}

// parseMilliseconds reads a duration setting: a plain number is milliseconds.
func parseMilliseconds(s string) (time.Duration, bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), " ", "")
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Millisecond, n >= 0
	}
	s = strings.Replace(s, "min", "m", 1)
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= 24*24*time.Hour
}

func showMilliseconds(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dmin", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}
