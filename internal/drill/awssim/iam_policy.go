package awssim

import (
	"encoding/json"
	"slices"
	"strings"
)

// oneOrMore is a JSON string or a list of them, as policies are written.
type oneOrMore []string

// UnmarshalJSON takes both forms.
func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(b, &many)
	*o = many
	return err
}

// statement is one statement of a policy, with where it stands.
type statement struct {
	Effect                                   string
	Action, NotAction, Resource, NotResource oneOrMore
	Condition                                map[string]map[string]oneOrMore

	source, kind string
}

// parsePolicy reads the statements of a policy; one that is not JSON has none.
func parsePolicy(p Policy) []statement {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(p.Document), &doc) != nil {
		return nil
	}
	var out []statement
	if json.Unmarshal(doc.Statement, &out) != nil {
		var one statement
		if json.Unmarshal(doc.Statement, &one) != nil {
			return nil
		}
		out = []statement{one}
	}
	for i := range out {
		switch {
		case p.ARN == "":
			out[i].source, out[i].kind = p.Name, "IAM Policy"
		case strings.HasPrefix(p.ARN, "arn:aws:iam::aws:"):
			out[i].source, out[i].kind = p.Name, "AWS Managed Policy"
		default:
			out[i].source, out[i].kind = p.Name, "IAM Policy"
		}
	}
	return out
}

// verdict is what a set of statements says of one action on one resource.
type verdict struct {
	decision string // allowed, implicitDeny, explicitDeny
	matched  []matchedStatement
	missing  []string // context keys that a condition asks for and nobody gave
}

// judge evaluates as IAM does: a matching Deny wins, else a matching Allow, else
// it is denied implicitly.
func judge(set []statement, action, resource string, context map[string][]string) verdict {
	v := verdict{decision: "implicitDeny"}
	var allows, denies []matchedStatement
	for _, s := range set {
		if !s.covers(action, resource) {
			continue
		}
		holds, missing := s.holds(context)
		v.missing = append(v.missing, missing...)
		if !holds {
			continue
		}
		m := matchedStatement{s.source, s.kind}
		if s.Effect == "Deny" {
			denies = append(denies, m)
		} else if s.Effect == "Allow" {
			allows = append(allows, m)
		}
	}
	switch {
	case len(denies) > 0:
		v.decision, v.matched = "explicitDeny", denies
	case len(allows) > 0:
		v.decision, v.matched = "allowed", allows
	}
	slices.Sort(v.missing)
	v.missing = slices.Compact(v.missing)
	return v
}

// covers says whether a statement is about an action on a resource.
func (s statement) covers(action, resource string) bool {
	act := func(p string) bool { return glob(strings.ToLower(p), strings.ToLower(action)) }
	res := func(p string) bool { return p == "*" || glob(p, resource) }
	if len(s.Action) > 0 && !slices.ContainsFunc(s.Action, act) || len(s.NotAction) > 0 && slices.ContainsFunc(s.NotAction, act) ||
		len(s.Action)+len(s.NotAction) == 0 {
		return false
	}
	return (len(s.Resource) == 0 || slices.ContainsFunc(s.Resource, res)) && (len(s.NotResource) == 0 || !slices.ContainsFunc(s.NotResource, res))
}

// holds evaluates the condition. A key that the context lacks makes operators
// false, those that end in IfExists or begin with Not excepted; so do operators
// that are not simulated.
func (s statement) holds(context map[string][]string) (bool, []string) {
	ok := true
	var missing []string
	for operator, keys := range s.Condition {
		name, optional := strings.CutSuffix(operator, "IfExists")
		match, negated := conditionOf(name)
		for key, want := range keys {
			have, given := context[strings.ToLower(key)]
			if !given {
				missing = append(missing, key)
				ok = ok && (optional || negated)
				continue
			}
			hit := slices.ContainsFunc(want, func(w string) bool {
				return slices.ContainsFunc(have, func(h string) bool { return match(w, h) })
			})
			ok = ok && hit != negated
		}
	}
	return ok, missing
}

// conditionOf is the comparison of a condition operator on text.
func conditionOf(name string) (match func(want, have string) bool, negated bool) {
	equal := func(want, have string) bool { return want == have }
	switch name {
	case "StringEquals", "Bool":
		return equal, false
	case "StringNotEquals":
		return equal, true
	case "StringEqualsIgnoreCase":
		return strings.EqualFold, false
	case "StringLike", "ArnLike", "ArnEquals":
		return glob, false
	case "StringNotLike", "ArnNotLike", "ArnNotEquals":
		return glob, true
	}
	return func(string, string) bool { return false }, false
}
