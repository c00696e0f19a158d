package awssim

import (
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Credential is one access key: whom it signs for and what it may do.
type Credential struct {
	SecretKey    string
	SessionToken string    // set for temporary credentials
	Expires      time.Time // zero if it does not expire
	Principal    string    // ARN of the user, or of the assumed role's session
	Allow        []Permission
	Deny         []Permission // wins over Allow
}

// Permission names actions and resources. Both take * as a wildcard; an empty
// Resource is every resource. A resource matches as it was named in the request
// or by its ARN.
type Permission struct {
	Action   string // "secretsmanager:DescribeSecret", "kms:*"
	Resource string
}

// Format keeps the key and the token out of every formatter.
func (c Credential) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "credential of "+c.Principal)
}

// Role is what AssumeRole can hand out, and IAM tells of.
type Role struct {
	Name  string
	Allow []Permission // what a session of it may do here; nil allows everything
	Deny  []Permission

	Description string
	Service     string // who may assume it; lambda.amazonaws.com when empty
	Created     time.Time
	Policies    []Policy // what IAM tells of it, and simulates
}

// credential is a Credential with its own signer: the signer caches derived
// keys by access key alone, so that a replaced secret key needs a fresh one.
type credential struct {
	Credential
	signer *v4.Signer
}

func newCredential(c Credential) *credential {
	return &credential{Credential: c, signer: v4.NewSigner()}
}

// SetCredential adds or replaces an access key.
func (s *Sim) SetCredential(accessKey string, c Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.creds[accessKey] = newCredential(c)
}

// RemoveCredential makes an access key unknown.
func (s *Sim) RemoveCredential(accessKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.creds, accessKey)
}

// Deny forbids an action to one access key, on top of what was forbidden.
func (s *Sim) Deny(accessKey string, p Permission) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.creds[accessKey]; c != nil {
		n := c.Credential
		n.Deny = append(append([]Permission{}, n.Deny...), p)
		s.creds[accessKey] = &credential{Credential: n, signer: c.signer}
	}
}

// Permit takes back every denial of exactly that permission.
func (s *Sim) Permit(accessKey string, p Permission) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.creds[accessKey]; c != nil {
		n := c.Credential
		n.Deny = nil
		for _, d := range c.Credential.Deny {
			if d != p {
				n.Deny = append(n.Deny, d)
			}
		}
		s.creds[accessKey] = &credential{Credential: n, signer: c.signer}
	}
}

// AddRole makes a role that any known principal may assume unless it is denied
// sts:AssumeRole.
func (s *Sim) AddRole(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[s.roleARN(r.Name)] = r
}

// AddUser lets IAM simulate the policies of a user: of a Role only the name and the
// policies count.
func (s *Sim) AddUser(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles["arn:aws:iam::"+s.account+":user/"+r.Name] = r
}

// authorise answers as IAM would. Resources are the forms in which the target
// is known: as the request names it, then its ARN.
func (c *credential) authorise(action string, resources ...string) *apiError {
	if matches(c.Deny, action, resources) {
		return denied(c.Principal, action, resources, "with an explicit deny in an identity-based policy")
	}
	if c.Allow != nil && !matches(c.Allow, action, resources) {
		return denied(c.Principal, action, resources, "because no identity-based policy allows the "+action+" action")
	}
	return nil
}

func denied(principal, action string, resources []string, why string) *apiError {
	on := ""
	if len(resources) > 0 && resources[0] != "" && resources[0] != "*" {
		on = " on resource: " + resources[0]
	}
	return errf("AccessDeniedException", "User: %s is not authorized to perform: %s%s %s", principal, action, on, why)
}

func matches(ps []Permission, action string, resources []string) bool {
	for _, p := range ps {
		if !glob(strings.ToLower(p.Action), strings.ToLower(action)) {
			continue
		}
		if p.Resource == "" || p.Resource == "*" {
			return true
		}
		for _, r := range resources {
			if glob(p.Resource, r) {
				return true
			}
		}
	}
	return false
}

// glob matches with * for any run of characters and ? for one; path.Match would stop at the
// slashes that names of secrets are full of, so they are swapped out first.
func glob(pattern, s string) bool {
	esc := strings.NewReplacer("/", "\x00", "[", `\[`, `\`, `\\`)
	ok, err := path.Match(esc.Replace(pattern), strings.ReplaceAll(s, "/", "\x00"))
	return err == nil && ok
}
