package panes

import (
	"net/netip"
	"strings"
)

// What stands in for what share mode hides.
const (
	maskedARN     = "[arn]"
	maskedURL     = "[url]"
	maskedHost    = "[host]"
	maskedAddress = "[address]"
	maskedAccount = "[account]"
	maskedID      = "[id]"
)

// Mask hides what a screen share should not show: ARNs, URLs, host names with a
// domain or a port, IP addresses, account ids of twelve digits, ids of security
// groups and networks, and UUIDs. It rather
// hides too much than too little; secret values never get this far.
func Mask(s string) string {
	if !suspect(s) && !strings.Contains(s, "lookup ") && !strings.Contains(s, "localhost") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	before, gap := "", 0 // the word before, and how far behind it this one begins
	for len(s) > 0 {
		n := wordEnd(s)
		if n == 0 {
			b.WriteByte(s[0])
			s = s[1:]
			gap++
			continue
		}
		named := before == "lookup" ||
			(before == maskedAddress || before == maskedHost) && gap == 2 && strings.HasSuffix(b.String(), " (") && strings.HasPrefix(s[n:], ")")
		word := maskNamed(named, s[:n])
		b.WriteString(word)
		before, gap, s = word, 0, s[n:]
	}
	return b.String()
}

// maskNamed masks a word that is a host though it has neither domain nor port:
// "host=db1", and where what stands before it says so (named) "lookup db1: no
// such host" and the name that drivers put after an address, "10.0.0.7:5432
// (db1)".
func maskNamed(named bool, w string) string {
	core := strings.TrimRight(w, ".:!?")
	tail := w[len(core):]
	if key, value, ok := strings.Cut(core, "="); ok && value != "" {
		switch strings.ToLower(key) {
		case "host", "hostname", "hostaddr", "server", "addr", "address":
			return key + "=" + maskedHost + tail
		}
	}
	if core == "localhost" || named && isLabel(core) {
		return maskedHost + tail
	}
	return maskWord(w)
}

// suspect is a quick no for nearly every text.
func suspect(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' || c == ':' || c == '=' || c == '-' && isID(s[:i], s[i+1:]):
			return true
		case c >= '0' && c <= '9':
			if digits++; digits >= 12 {
				return true
			}
		default:
			digits = 0
		}
	}
	return false
}

// wordEnd is where the word that s begins with ends; 0 if s begins with a
// separator. Separators are those that no host, URL or ARN contains
// unescaped.
func wordEnd(s string) int {
	if i := strings.IndexAny(s, " \t\"'`<>(){},;|"); i >= 0 {
		return i
	}
	return len(s)
}

func maskWord(w string) string {
	core := strings.TrimRight(w, ".:!?")
	tail := w[len(core):]
	switch {
	case strings.Contains(core, "://"):
		// What stands before the scheme may be "url=".
		i := strings.Index(core, "://")
		j := i
		for j > 0 && isAlnum(core[j-1]) {
			j--
		}
		return maskPieces(core[:j]) + maskedURL + tail
	case strings.Contains(core, "arn:"):
		i := strings.Index(core, "arn:")
		return maskPieces(core[:i]) + maskedARN + tail
	}
	return maskPieces(core) + tail
}

// maskPieces masks what stands between the separators of paths, parameters and
// mail addresses.
func maskPieces(w string) string {
	if !suspect(w) {
		return w
	}
	// An IPv6 address has colons of its own and must be tried whole.
	if masked, ok := maskIP(w); ok {
		return masked
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(w, "/=@&?#[]")
		piece := w
		if i >= 0 {
			piece = w[:i]
		}
		b.WriteString(maskPiece(piece))
		if i < 0 {
			return b.String()
		}
		b.WriteByte(w[i])
		w = w[i+1:]
	}
}

// maskIP masks w if the whole of it is an address, with or without a port or a
// prefix length.
func maskIP(w string) (string, bool) {
	// Parsing costs an error each time it fails, and it nearly always would.
	if strings.Trim(w, "0123456789abcdefABCDEF:.[]/%") != "" && !strings.Contains(w, "%") || !strings.ContainsAny(w, ".:") {
		return "", false
	}
	host := w
	if strings.HasPrefix(w, "[") && strings.HasSuffix(w, "]") {
		host = w[1 : len(w)-1]
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return maskedAddress, true
	}
	if _, err := netip.ParsePrefix(w); err == nil {
		return maskedAddress, true
	}
	if _, err := netip.ParseAddrPort(w); err == nil {
		return maskedAddress, true
	}
	return "", false
}

func maskPiece(p string) string {
	if isTime(p) {
		return p
	}
	if masked, ok := maskIP(p); ok {
		return masked
	}
	if i := strings.LastIndexByte(p, ':'); i > 0 {
		host, port := p[:i], p[i+1:]
		if isPort(port) && (isHost(host) || isLabel(host) && !allDigits(host)) {
			return maskedHost
		}
		if strings.Count(p, ":") >= 1 && !allDigits(strings.ReplaceAll(p, ":", "")) {
			return maskPiece(p[:i]) + ":" + maskPiece(port)
		}
		return p
	}
	if isHost(p) {
		return maskedHost
	}
	if i := strings.IndexByte(p, '-'); i > 0 && isID(p[:i], p[i+1:]) {
		return maskedID
	}
	return maskAccounts(p)
}

// isID reports whether what stands on both sides of a dash is the id of something
// in a cloud's network, such as sg-0c3d4e5f607182930, or a UUID, such as that of a
// cluster.
func isID(before, after string) bool {
	hex := func(s string, n int) bool {
		return len(s) >= n && strings.Trim(s[:n], "0123456789abcdefABCDEF") == ""
	}
	for _, kind := range []string{"sg", "vpc", "subnet", "eni", "acl", "rtb", "igw", "nat"} {
		if strings.HasSuffix(before, kind) && hex(after, 8) {
			return true
		}
	}
	return len(before) >= 8 && hex(before[len(before)-8:], 8) && len(after) >= 27 &&
		hex(after, 4) && after[4] == '-' && hex(after[5:], 4) && after[9] == '-' && hex(after[10:], 4) && after[14] == '-' && hex(after[15:], 12)
}

// maskAccounts hides runs of exactly twelve digits.
func maskAccounts(p string) string {
	for i := 0; i < len(p); {
		j := i
		for j < len(p) && p[j] >= '0' && p[j] <= '9' {
			j++
		}
		if j-i == 12 {
			return p[:i] + maskedAccount + maskAccounts(p[j:])
		}
		i = max(j, i+1)
	}
	return p
}

// isHost reports whether p is a name with a domain: labels with dots between
// them, the last of letters only. Columns of PostgreSQL's catalogue and the
// names of our own files look alike and are spared.
func isHost(p string) bool {
	p = strings.TrimPrefix(p, "*.")
	dots := strings.Count(p, ".")
	if dots == 0 || strings.HasPrefix(p, "pg_") {
		return false
	}
	last := p[strings.LastIndexByte(p, '.')+1:]
	if dots == 1 && (last == "yaml" || last == "yml" || last == "json" || last == "log") {
		return false
	}
	if len(last) < 2 {
		return false
	}
	punycode := strings.HasPrefix(strings.ToLower(last), "xn--")
	for i := range len(last) {
		c := last[i] | 0x20
		if letter := c >= 'a' && c <= 'z' || last[i] >= 0x80; !letter && !punycode {
			return false
		}
	}
	for label := range strings.SplitSeq(p, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '_' && c < 0x80 {
			return false
		}
	}
	return true
}

// isTime reports whether p is a date with a time of day as logs write it, which
// looks like a host with a port: 2026-03-14T03:12:45.030Z.
func isTime(p string) bool {
	const form = "dddd-dd-ddTdd:dd"
	if len(p) < len(form) {
		return false
	}
	for i := range len(form) {
		switch c := form[i]; {
		case c == 'd' && (p[i] < '0' || p[i] > '9'), c != 'd' && c != 'T' && p[i] != c, c == 'T' && p[i] != 'T' && p[i] != 't':
			return false
		}
	}
	// Seconds, a fraction and an offset hold no letter but the Z at the end.
	rest := strings.TrimRight(p[len(form):], "Zz")
	return strings.Trim(rest, "0123456789:.+-") == "" && len(rest) <= len(":45.123456789+00:00")
}

func isPort(s string) bool { return len(s) >= 2 && len(s) <= 5 && allDigits(s) }

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
