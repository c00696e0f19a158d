package decode

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// DurationPattern is the regular expression of what ParseDuration takes.
const DurationPattern = `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+)$`

const day = 24 * time.Hour

var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond,
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day,
}

var errDuration = errors.New(`expected a duration like 30s, 5m, 1h30m or 7d`)

// ParseDuration reads a duration as Go writes it, without a sign, and with d for
// days of 24 hours: 90s, 1h30m, 7d, 1d12h.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if s == "" || len(s) > 64 {
		return 0, errDuration
	}
	var total float64
	var exact time.Duration
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n <= 0 || s[0] == '.' || s[n-1] == '.' {
			return 0, errDuration
		}
		number, rest := s[:n], s[n:]
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if end < 0 {
			end = len(rest)
		}
		unit, ok := units[rest[:end]]
		if !ok {
			return 0, errDuration
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, errDuration
		}
		total += f * float64(unit)
		if total >= math.MaxInt64/2 {
			return 0, errors.New("longer than can be counted")
		}
		if whole, err := strconv.ParseInt(number, 10, 64); err == nil {
			exact += time.Duration(whole) * unit
		} else {
			exact += time.Duration(math.Round(f * float64(unit)))
		}
		s = rest[end:]
	}
	return exact, nil
}

// FormatDuration writes d as ParseDuration reads it, in the largest units that
// keep it whole: 7d, 1d12h, 90s is 1m30s.
func FormatDuration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", 1}} {
		if n := d / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	return b.String()
}
