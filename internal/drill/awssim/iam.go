package awssim

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Policy is an identity policy: inline, or managed when it has an ARN.
type Policy struct {
	Name     string
	ARN      string // of a managed policy
	Document string // JSON
}

// roleARN is the ARN of a role of that name.
func (s *Sim) roleARN(name string) string { return "arn:aws:iam::" + s.account + ":role/" + name }

func iamOperations() []operation {
	return []operation{
		define("iam", "GetRole", getRole),
		define("iam", "ListRolePolicies", listRolePolicies),
		define("iam", "GetRolePolicy", getRolePolicy),
		define("iam", "ListAttachedRolePolicies", listAttachedRolePolicies),
		define("iam", "SimulatePrincipalPolicy", simulatePrincipalPolicy),
	}
}

func noSuchEntity(format string, a ...any) *apiError {
	return statusf(http.StatusNotFound, "NoSuchEntity", format, a...)
}

type roleInput struct {
	RoleName, PolicyName, PathPrefix, Marker string
	MaxItems                                 *int
}

// role finds a role by name; the caller holds s.mu.
func (c *call) role(name string) (Role, *apiError) {
	if name == "" {
		return Role{}, errf("ValidationError", "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null")
	}
	r, ok := c.sim.roles[c.sim.roleARN(name)]
	if !ok {
		return r, noSuchEntity("The role with name %s cannot be found.", clip(name, 64))
	}
	return r, nil
}

// percent encodes a policy as IAM does, by RFC 3986.
func percent(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// trust lets a service assume a role.
func trust(service string) string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": service}, "Action": "sts:AssumeRole",
	}}})
	return string(b)
}

func getRole(c *call, in *roleInput) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	type roleOutput struct {
		Path, RoleName, RoleId, Arn string
		CreateDate                  time.Time
		AssumeRolePolicyDocument    string
		Description                 string
		MaxSessionDuration          int
	}
	return struct{ Role roleOutput }{roleOutput{
		Path: "/", RoleName: r.Name, RoleId: s.principalID("AROA", r.Name), Arn: s.roleARN(r.Name), CreateDate: cmp.Or(r.Created, s.now().AddDate(0, 0, -400).Truncate(time.Hour)),
		AssumeRolePolicyDocument: percent(trust(cmp.Or(r.Service, "lambda.amazonaws.com"))), Description: r.Description, MaxSessionDuration: 3600,
	}}, nil
}

// iamPage cuts one page out of a list.
func iamPage[T any](all []T, marker string, most *int) (out []T, next string, err *apiError) {
	limit := 100
	if most != nil {
		if limit = *most; limit < 1 || limit > 1000 {
			return nil, "", errf("ValidationError", "1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000", limit)
		}
	}
	start, ok := readToken("iam", marker)
	if !ok || start > len(all) {
		return nil, "", errf("ValidationError", "Invalid Marker")
	}
	end := min(start+limit, len(all))
	if end < len(all) {
		next = makeToken("iam", end)
	}
	return all[start:end], next, nil
}

// policies are a role's inline or managed policies, by name.
func (r Role) policies(managed bool) []Policy {
	out := slices.DeleteFunc(slices.Clone(r.Policies), func(p Policy) bool { return (p.ARN != "") != managed })
	slices.SortFunc(out, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func listRolePolicies(c *call, in *roleInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	all, next, err := iamPage(r.policies(false), in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := struct {
		PolicyNames []string `aws:",keep"`
		IsTruncated bool     `aws:",keep"`
		Marker      string
	}{IsTruncated: next != "", Marker: next}
	for _, p := range all {
		out.PolicyNames = append(out.PolicyNames, p.Name)
	}
	return out, nil
}

func getRolePolicy(c *call, in *roleInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	for _, p := range r.policies(false) {
		if p.Name == in.PolicyName {
			return struct{ RoleName, PolicyName, PolicyDocument string }{r.Name, p.Name, percent(p.Document)}, nil
		}
	}
	return nil, noSuchEntity("The role policy with name %s cannot be found.", clip(in.PolicyName, 128))
}

func listAttachedRolePolicies(c *call, in *roleInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	r, err := c.role(in.RoleName)
	if err != nil {
		return nil, err
	}
	all, next, err := iamPage(r.policies(true), in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	type entry struct{ PolicyName, PolicyArn string }
	out := struct {
		AttachedPolicies []entry `aws:",keep"`
		IsTruncated      bool    `aws:",keep"`
		Marker           string
	}{IsTruncated: next != "", Marker: next}
	for _, p := range all {
		out.AttachedPolicies = append(out.AttachedPolicies, entry{p.Name, p.ARN})
	}
	return out, nil
}

type contextEntry struct {
	ContextKeyName   string
	ContextKeyValues []string
	ContextKeyType   string
}

type matchedStatement struct{ SourcePolicyId, SourcePolicyType string }

type resourceResult struct {
	EvalResourceName, EvalResourceDecision string
	MatchedStatements                      []matchedStatement `aws:",keep"`
	MissingContextValues                   []string           `aws:",keep"`
}

type evaluation struct {
	EvalActionName, EvalResourceName, EvalDecision string
	MatchedStatements                              []matchedStatement `aws:",keep"`
	MissingContextValues                           []string           `aws:",keep"`
	ResourceSpecificResults                        []resourceResult
}

// decisions are what a simulation may say, from best to worst.
var decisions = []string{"allowed", "implicitDeny", "explicitDeny"}

// simulatePrincipalPolicy evaluates the identity policies of a role, with those
// given on top. Resource policies take no part unless one is given, as in AWS;
// giving one is not simulated and is refused.
func simulatePrincipalPolicy(c *call, in *struct {
	PolicySourceArn, ResourcePolicy, Marker    string
	PolicyInputList, ActionNames, ResourceArns []string
	PermissionsBoundaryPolicyInputList         []string
	ContextEntries                             []contextEntry
	MaxItems                                   *int
}) (any, *apiError) {
	s := c.sim
	if len(in.ActionNames) == 0 || in.PolicySourceArn == "" {
		return nil, errf("ValidationError", "1 validation error detected: Value null at 'actionNames' or 'policySourceArn' failed to satisfy constraint: Member must not be null")
	}
	for _, a := range in.ActionNames {
		if service, action, ok := strings.Cut(a, ":"); !ok || service == "" || action == "" || strings.Contains(a, "*") {
			return nil, errf("InvalidInput", "Invalid Action: %s", clip(a, 128))
		}
	}
	if in.ResourcePolicy != "" || len(in.PermissionsBoundaryPolicyInputList) > 0 {
		return nil, errf("InvalidInput", "Resource policies and permissions boundaries are not simulated here.")
	}
	s.mu.Lock()
	role, ok := s.roles[in.PolicySourceArn]
	s.mu.Unlock()
	if !ok {
		if !strings.HasPrefix(in.PolicySourceArn, "arn:aws:iam::"+s.account+":") {
			return nil, errf("InvalidInput", "Invalid Entity Arn: %s does not clearly define entity type and name.", clip(in.PolicySourceArn, 256))
		}
		return nil, noSuchEntity("The role with name %s cannot be found.", clip(username(in.PolicySourceArn), 64))
	}
	var set []statement
	for _, p := range role.Policies {
		set = append(set, parsePolicy(p)...)
	}
	for _, text := range in.PolicyInputList {
		p := Policy{Name: "PolicyInputList", Document: text}
		if !json.Valid([]byte(text)) {
			return nil, errf("InvalidInput", "The policy is not in the valid JSON format.")
		}
		set = append(set, parsePolicy(p)...)
	}
	context := map[string][]string{}
	for _, e := range in.ContextEntries {
		context[strings.ToLower(e.ContextKeyName)] = e.ContextKeyValues
	}
	resources := in.ResourceArns
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	if len(resources)*len(in.ActionNames) > 1000 {
		return nil, errf("InvalidInput", "Up to 1000 combinations of actions and resources can be simulated in a single call")
	}
	var all []evaluation
	for _, action := range in.ActionNames {
		e := evaluation{EvalActionName: action, EvalResourceName: "*"}
		if len(resources) == 1 {
			e.EvalResourceName = resources[0]
		}
		missing := map[string]bool{}
		for i, r := range resources {
			v := judge(set, action, r, context)
			one := resourceResult{EvalResourceName: r, EvalResourceDecision: v.decision, MatchedStatements: v.matched, MissingContextValues: v.missing}
			for _, m := range v.missing {
				missing[m] = true
			}
			if len(in.ResourceArns) > 0 {
				e.ResourceSpecificResults = append(e.ResourceSpecificResults, one)
			}
			// The worst of the resources stands for the action.
			if i == 0 || slices.Index(decisions, v.decision) > slices.Index(decisions, e.EvalDecision) {
				e.EvalDecision, e.MatchedStatements = v.decision, v.matched
			}
		}
		e.MissingContextValues = slices.Sorted(maps.Keys(missing))
		all = append(all, e)
	}
	all, next, err := iamPage(all, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return struct {
		EvaluationResults []evaluation `aws:",keep"`
		IsTruncated       bool         `aws:",keep"`
		Marker            string
	}{all, next != "", next}, nil
}
