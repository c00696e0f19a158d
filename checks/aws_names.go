package checks

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"warroom/internal/clients"
)

// touchable is what the estate names in one account, by the service whose events
// touch it; each value is how it is called.
type touchable struct {
	secrets, functions, roles, policies, keys, groups, balancers, apis, databases map[string]string
	network                                                                       bool // a rotation function runs in a VPC, where any security group can matter
}

// configured is what warroom.yaml says of it.
func (b awsBuilder) configured() *touchable {
	t := &touchable{
		secrets: map[string]string{}, functions: map[string]string{}, roles: map[string]string{}, policies: map[string]string{},
		keys: map[string]string{}, groups: map[string]string{}, balancers: map[string]string{}, apis: map[string]string{}, databases: map[string]string{},
	}
	for i := range b.cfg.Components {
		c := &b.cfg.Components[i]
		switch {
		case c.SecretsManager != nil && c.SecretsManager.Account == b.account:
			for _, s := range c.SecretsManager.Secrets {
				t.secrets[secretName(s.ID)] = s.Called()
			}
		case c.RotationFunction != nil && c.RotationFunction.Account == b.account:
			name := functionName(c.RotationFunction.Function)
			t.functions[name] = "function " + name
		case c.Keys != nil && c.Keys.Account == b.account:
			for _, key := range c.Keys.Keys {
				t.keys[resourceOf(key)] = "key " + resourceOf(key)
			}
		case c.Balancer != nil && c.Balancer.Balancer != "" && c.Balancer.Account == b.account:
			name := balancerName(c.Balancer.Balancer)
			t.balancers[name] = "load balancer " + name
		case c.Gateway != nil && c.Gateway.API != "" && c.Gateway.Account == b.account:
			t.apis[c.Gateway.API] = "API " + c.Gateway.API
		case c.Postgres != nil:
			if name := instanceName(c.Postgres.Host); name != "" {
				t.databases[name] = "database " + name
			}
		}
	}
	return t
}

// instanceName is that of the RDS instance or cluster behind a host name; empty
// for any other host.
func instanceName(host string) string {
	name, rest, _ := strings.Cut(strings.ToLower(host), ".")
	if net.ParseIP(host) != nil || !strings.Contains(rest, ".rds.amazonaws.com") {
		return ""
	}
	return name
}

// resourceOf is the last part of an ARN, after its account, or what is no ARN as
// it is. Of "key/ID" it is the id.
func resourceOf(id string) string {
	if parts := strings.SplitN(id, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		id = parts[5]
	}
	return strings.TrimPrefix(id, "key/")
}

// secretName is the name of a secret in its name or ARN. An ARN ends in a dash
// and six characters that Secrets Manager adds.
func secretName(id string) string {
	_, name, ok := strings.Cut(id, ":secret:")
	if !ok {
		return id
	}
	if at := len(name) - 7; at > 0 && name[at] == '-' {
		return name[:at]
	}
	return name
}

// balancerName is the name of a load balancer in its name or ARN, or in the ARN of
// one of its listeners: loadbalancer/app/NAME/ID, listener/app/NAME/ID/ID.
func balancerName(id string) string {
	resource := resourceOf(id)
	parts := strings.Split(resource, "/")
	if len(parts) >= 4 && (parts[0] == "loadbalancer" || strings.HasPrefix(parts[0], "listener")) {
		return parts[2]
	}
	return resource
}

// roleName is the name of a role in its name or ARN; a role's ARN has its path
// before the name.
func roleName(id string) string {
	resource := resourceOf(id)
	if path, ok := strings.CutPrefix(resource, "role/"); ok {
		return path[strings.LastIndexByte(path, '/')+1:]
	}
	return resource
}

// rotates reports whether a role, by name or ARN, is that of a rotation function.
func (t *touchable) rotates(role string) bool {
	return role != "" && t.roles[roleName(role)] != ""
}

// groupRules are the events that change what a security group lets through.
var groupRules = map[string]bool{
	"AuthorizeSecurityGroupIngress": true, "AuthorizeSecurityGroupEgress": true,
	"RevokeSecurityGroupIngress": true, "RevokeSecurityGroupEgress": true, "ModifySecurityGroupRules": true,
}

// target is what of the estate an event touched, as the estate calls it; empty
// when it touched nothing that the estate names.
func (t *touchable) target(service, event string, touched []string) string {
	first := func(named map[string]string, plain func(string) string) string {
		for _, one := range touched {
			if called := named[plain(one)]; called != "" {
				return called
			}
		}
		return ""
	}
	same := func(s string) string { return s }
	switch service {
	case "secretsmanager":
		if called := first(t.secrets, secretName); called != "" {
			return called
		}
		return first(t.secrets, func(s string) string { // a name may look as if it had been given six characters
			_, name, _ := strings.Cut(s, ":secret:")
			return name
		})
	case "lambda":
		return first(t.functions, functionName)
	case "iam":
		if called := first(t.roles, roleName); called != "" {
			return called
		}
		return first(t.policies, same)
	case "kms":
		return first(t.keys, resourceOf)
	case "elasticloadbalancing":
		return first(t.balancers, balancerName)
	case "apigateway":
		return first(t.apis, same)
	case "rds":
		return first(t.databases, func(s string) string { return strings.ToLower(s[strings.LastIndexByte(s, ':')+1:]) })
	case "ec2":
		if called := first(t.groups, resourceOf); called != "" {
			return called
		}
		for _, one := range touched {
			if t.network && groupRules[event] && strings.HasPrefix(one, "sg-") {
				return "security group " + one
			}
		}
	}
	return ""
}

// namesFor is how long what AWS says of these names is remembered.
const namesFor = 10 * time.Minute

// estateNames finds out what warroom.yaml names only by way of something else: the
// role and the security groups of a rotation function, the key behind an alias.
type estateNames struct {
	b awsBuilder

	mu     sync.Mutex
	known  *touchable
	asked  time.Time
	unread []string
}

// current is what is known.
func (n *estateNames) current() *touchable {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known
}

// refresh asks anew from time to time. It reports what it could not find out, and
// whether there are names now that were not known before: events that touch them
// may have been passed over.
func (n *estateNames) refresh(ctx context.Context, s *clients.AWSServices) (unread []string, renamed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known != nil && len(n.unread) == 0 && time.Since(n.asked) < namesFor {
		return slices.Clone(n.unread), false
	}
	now := n.b.configured()
	n.unread = nil
	fail := func(what string, err error) {
		f := n.b.client.Failure(err, "read "+what)
		n.unread = append(n.unread, what+": "+string(f.Kind)+": "+f.Detail)
	}
	for _, function := range slices.Sorted(maps.Keys(now.functions)) {
		if err := n.function(ctx, s, function, now); err != nil {
			fail("the role and security groups of function "+function, err)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(now.roles)) {
		if err := n.policies(ctx, s, role, now); err != nil {
			fail("the policies of role "+role, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now.keys)) {
		if !strings.HasPrefix(key, "alias/") {
			continue
		}
		meta, err := n.describe(ctx, s, key)
		if err != nil {
			fail("the key behind "+key, err)
			continue
		}
		now.keys[meta] = "key " + key
	}
	was := n.known
	n.known, n.asked = now, time.Now()
	if len(n.unread) > 0 && was != nil {
		// What could not be asked now was known before.
		for _, m := range []struct{ now, was map[string]string }{{now.roles, was.roles}, {now.policies, was.policies}, {now.groups, was.groups}, {now.keys, was.keys}} {
			for k, v := range m.was {
				if m.now[k] == "" {
					m.now[k] = v
				}
			}
		}
		now.network = now.network || was.network
	}
	renamed = was != nil && !(maps.Equal(was.roles, now.roles) && maps.Equal(was.policies, now.policies) &&
		maps.Equal(was.groups, now.groups) && maps.Equal(was.keys, now.keys) && was.network == now.network)
	return slices.Clone(n.unread), renamed
}

func (n *estateNames) describe(ctx context.Context, s *clients.AWSServices, key string) (string, error) {
	ctx, cancel := n.b.page(ctx)
	defer cancel()
	meta, err := describeKey(ctx, s, key)
	if err != nil {
		return "", err
	}
	return aws.ToString(meta.KeyId), nil
}

// policies learns the managed policies of a role: a change to one of them names
// the policy alone.
func (n *estateNames) policies(ctx context.Context, s *clients.AWSServices, role string, into *touchable) error {
	ctx, cancel := n.b.page(ctx)
	defer cancel()
	out, err := s.IAM.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String(role)})
	if err != nil {
		return err
	}
	for _, p := range out.AttachedPolicies[:min(len(out.AttachedPolicies), 20)] {
		if arn := aws.ToString(p.PolicyArn); arn != "" && len(arn) <= arnLimit {
			into.policies[arn] = "policy " + aws.ToString(p.PolicyName) + " of role " + role
		}
	}
	return nil
}

func (n *estateNames) function(ctx context.Context, s *clients.AWSServices, name string, into *touchable) error {
	ctx, cancel := n.b.page(ctx)
	defer cancel()
	out, err := s.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(name)})
	if err != nil {
		return err
	}
	if role := roleName(aws.ToString(out.Role)); role != "" {
		into.roles[role] = "role " + role
	}
	if v := out.VpcConfig; v != nil && aws.ToString(v.VpcId) != "" {
		into.network = true
		for _, id := range v.SecurityGroupIds[:min(len(v.SecurityGroupIds), 16)] {
			into.groups[id] = "security group " + id + " of function " + name
		}
	}
	return nil
}
