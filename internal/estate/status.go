package estate

import "fmt"

// Status says how a figure, a component or a whole plane stands. The order of
// the constants is the order of badness used by Worst; the zero value is NA so
// that an empty summary claims nothing.
type Status uint8

// The five statuses. NA is for what the system does not have and does not count
// in a summary; Unknown is for what could not be read and counts as worse than
// Warn.
const (
	NA Status = iota
	OK
	Warn
	Unknown
	Fail
)

var statusWords = [...]string{NA: "N/A", OK: "OK", Warn: "WARN", Unknown: "UNKNOWN", Fail: "FAIL"}
var statusCodes = [...]string{NA: "na", OK: "ok", Warn: "warn", Unknown: "unknown", Fail: "fail"}

// String is the word drawn on screen: OK, WARN, FAIL, UNKNOWN or N/A.
func (s Status) String() string {
	if int(s) < len(statusWords) {
		return statusWords[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Code is the word used in JSON: ok, warn, fail, unknown or na.
func (s Status) Code() string {
	if int(s) < len(statusCodes) {
		return statusCodes[s]
	}
	return "unknown"
}

// MarshalText makes Status its Code in JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.Code()), nil }

// UnmarshalText reads a Code. A word that is none, of a newer version say, is
// Unknown.
func (s *Status) UnmarshalText(text []byte) error {
	*s = Unknown
	for i, code := range statusCodes {
		if string(text) == code {
			*s = Status(i)
		}
	}
	return nil
}

// Worst is the summary of parts: Fail over Unknown over Warn over OK. NA does
// not count; a summary of nothing, or of nothing but NA, is NA.
func Worst(parts ...Status) Status {
	worst := NA
	for _, p := range parts {
		worst = max(worst, p)
	}
	return worst
}
