package estate

import (
	"fmt"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Span words a duration in one coarse unit: 40s, 5m, 2h, 15 days. It rounds
// down, so that nothing reads longer than it is; below a minute it moves in
// steps of ten seconds, so that a quiet screen stays quiet.
func Span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d < 10*time.Second:
		return "under 10s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second/10*10)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/day)
}

// Ago words how long before now t is: "15 days ago"; "never" for the zero time
// and "in 3h" for a time to come.
func Ago(now, t time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case t.After(now):
		return "in " + Span(t.Sub(now))
	}
	return Span(now.Sub(t)) + " ago"
}

// percent words a share of 0 to 1; a share above nothing never reads 0%, one
// below everything never 100%.
func percent(share float64) string {
	p := int(share*100 + 0.5)
	if share > 0 && p == 0 {
		return "<1%"
	}
	if share < 1 && p >= 100 {
		return ">99%"
	}
	return fmt.Sprintf("%d%%", p)
}

// amount words a number of bytes.
func amount(bytes int64) string {
	switch {
	case bytes < 10<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 10<<20:
		return fmt.Sprintf("%d KiB", bytes>>10)
	case bytes < 1<<30:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

// count words a number of things: "1 session", "3 sessions".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// statusIf is s for what is bad, and OK otherwise.
func statusIf(bad bool, s Status) Status {
	if bad {
		return s
	}
	return OK
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func whole(f float64) string { return fmt.Sprintf("%.0f", f) }

// some words a number of things with its thousands apart: "1 secret", "2,847
// secrets".
func some(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// named is the part of an ARN that people call a thing by, without the six
// letters that Secrets Manager puts behind a secret's name; anything but an ARN
// is itself.
func named(s string) string {
	if !strings.HasPrefix(s, "arn:") {
		return s
	}
	parts := strings.SplitN(s, ":", 7)
	if len(parts) < 6 {
		return s
	}
	last := parts[len(parts)-1]
	switch {
	case len(parts) == 7 && parts[2] == "secretsmanager":
		if i := strings.LastIndexByte(last, '-'); i > 0 && len(last)-i == 7 {
			return last[:i]
		}
	case len(parts) == 6: // arn:aws:iam::1:role/path/name, arn:aws:kms:r:1:key/id
		return last[strings.IndexByte(last, '/')+1:]
	}
	return last
}
