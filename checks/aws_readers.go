package checks

import (
	"net/netip"
	"strings"

	"warroom/internal/config"
)

// readers are the known readers of one secret, as warroom.yaml names them.
type readers struct {
	named  []string
	names  map[string]bool // roles of the account
	arns   []string        // patterns
	ranges []netip.Prefix
}

func newReaders(named []string) readers {
	out := readers{named: named, names: map[string]bool{}}
	for _, one := range named {
		if r, ok := config.ReaderRange(one); ok {
			out.ranges = append(out.ranges, r)
		} else if strings.HasPrefix(one, "arn:") {
			out.arns = append(out.arns, one)
		} else {
			out.names[one] = true
		}
	}
	return out
}

// judge reports whether a read is one of the known ones, and why. Where principals
// and ranges are named it must fit one of each: a stolen credential is a known
// principal at an unknown address. The agent counts for nothing, as anyone can
// claim any.
func (k *readers) judge(r secretRead, own identity, estate *touchable) (known bool, why string) {
	role := ""
	if accountOf(r.role) == own.account || own.account == "" {
		role = roleName(r.role) // a role of that name in another account is another one
	}
	switch {
	case role != "" && estate.rotates(role):
		return true, "the role of a rotation function"
	case role != "" && role == sessionRole(own.arn):
		return true, "another session of the role by which warroom reads"
	case len(k.named) == 0:
		return false, "nobody said who may read it"
	}
	by := ""
	if k.names[role] && role != "" {
		by = "the role " + role
	}
	for _, pattern := range k.arns {
		if by == "" && (matches(pattern, r.who) || r.role != "" && matches(pattern, r.role)) {
			by = pattern
		}
	}
	if by == "" && len(k.names)+len(k.arns) > 0 {
		return false, "no known reader"
	}
	if len(k.ranges) == 0 {
		return true, by + " is named"
	}
	address, err := netip.ParseAddr(r.from)
	if err != nil {
		return false, "from no address, but by way of a service"
	}
	for _, in := range k.ranges {
		if in.Contains(address.Unmap()) {
			return true, strings.TrimPrefix(by+" from "+in.String()+" is named", " ")
		}
	}
	if by == "" {
		return false, "from no known address"
	}
	return false, by + ", from no known address"
}

// accountOf is the account in an ARN; empty when it names none.
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		return parts[4]
	}
	return ""
}

// sessionRole is the role of a session's ARN, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION;
// empty where it is none.
func sessionRole(arn string) string {
	_, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return ""
	}
	role, _, _ := strings.Cut(rest, "/")
	return role
}

// matches reports whether a text is of a pattern, in which * stands for any
// letters and ? for any one.
func matches(pattern, text string) bool {
	star, mark := -1, 0 // the last star, and where in the text it may end
	i, j := 0, 0
	for j < len(text) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == text[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
