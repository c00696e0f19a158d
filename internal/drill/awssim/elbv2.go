package awssim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// LoadBalancer is an application or network load balancer with its listeners.
type LoadBalancer struct {
	Name           string
	ARN            string // made from the name and the seed when empty
	DNSName        string // made from the name when empty
	Type           string // application when empty
	Internal       bool
	State, Reason  string // active when empty
	VPC            string
	SecurityGroups []string
	Subnets        map[string]string // zone to subnet
	Created        time.Time
	Tags           map[string]string
	Listeners      []LoadListener
}

// LoadListener is one listener.
type LoadListener struct {
	ARN          string // made from the balancer's when empty
	Port         int
	Protocol     string   // HTTPS, TLS, HTTP, TCP …
	Policy       string   // TLS policy
	Certificates []string // ARNs; the first is the default
	Redirect     string   // protocol of a redirect; else it forwards
}

// AddLoadBalancer adds or replaces a load balancer and returns its ARN.
func (s *Sim) AddLoadBalancer(b LoadBalancer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Type, b.State = cmp.Or(b.Type, "application"), cmp.Or(b.State, "active")
	short := map[string]string{"application": "app", "network": "net", "gateway": "gwy"}[b.Type]
	id := strings.ReplaceAll(s.uuid("balancer", b.Name), "-", "")
	if b.ARN == "" {
		b.ARN = s.arn("elasticloadbalancing", "loadbalancer/"+short+"/"+b.Name+"/"+id[:16])
	}
	if b.DNSName == "" {
		b.DNSName = b.Name + "-" + id[16:26] + "." + s.region + ".elb.amazonaws.com"
	}
	if b.Created.IsZero() {
		b.Created = s.now().AddDate(0, 0, -400).Truncate(time.Second)
	}
	b.SecurityGroups, b.Subnets, b.Tags, b.Listeners = slices.Clone(b.SecurityGroups), maps.Clone(b.Subnets), maps.Clone(b.Tags), slices.Clone(b.Listeners)
	for i := range b.Listeners {
		l := &b.Listeners[i]
		if l.ARN == "" {
			l.ARN = strings.Replace(b.ARN, ":loadbalancer/", ":listener/", 1) + "/" + strings.ReplaceAll(s.uuid("listener", b.Name, string(rune(l.Port))), "-", "")[:16]
		}
		l.Certificates = slices.Clone(l.Certificates)
	}
	s.balancers = slices.DeleteFunc(s.balancers, func(x LoadBalancer) bool { return x.ARN == b.ARN })
	s.balancers = append(s.balancers, b)
	slices.SortFunc(s.balancers, func(x, y LoadBalancer) int { return strings.Compare(x.Name, y.Name) })
	return b.ARN
}

func elbOperations() []operation {
	const elb = "elasticloadbalancing"
	return []operation{
		define(elb, "DescribeLoadBalancers", describeLoadBalancers),
		define(elb, "DescribeListeners", describeListeners),
		define(elb, "DescribeListenerCertificates", describeListenerCertificates),
		define(elb, "DescribeTags", describeTags),
	}
}

func elbInvalid(format string, a ...any) *apiError { return errf("ValidationError", format, a...) }

// elbPage cuts one page out of a list: 400 at most, and by default.
func elbPage[T any](all []T, marker string, size *int) (out []T, next string, err *apiError) {
	limit := 400
	if size != nil {
		if limit = *size; limit < 1 || limit > 400 {
			return nil, "", elbInvalid("Value '%d' at 'pageSize' failed to satisfy constraint: Member must have value between 1 and 400", limit)
		}
	}
	start, ok := readToken("elb", marker)
	if !ok || start > len(all) {
		return nil, "", elbInvalid("The marker is not valid")
	}
	end := min(start+limit, len(all))
	if end < len(all) {
		next = makeToken("elb", end)
	}
	return all[start:end], next, nil
}

type availabilityZone struct {
	ZoneName, SubnetId    string
	LoadBalancerAddresses []struct{} `aws:",keep"`
}

type balancerOutput struct {
	LoadBalancerArn, DNSName, CanonicalHostedZoneId string
	CreatedTime                                     time.Time
	LoadBalancerName, Scheme, VpcId                 string
	State                                           struct{ Code, Reason string }
	Type                                            string
	AvailabilityZones                               []availabilityZone `aws:",keep"`
	SecurityGroups                                  []string
	IpAddressType                                   string
}

func describeLoadBalancers(c *call, in *struct {
	LoadBalancerArns, Names []string
	Marker                  string
	PageSize                *int
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(in.LoadBalancerArns) > 0 && len(in.Names) > 0 {
		return nil, elbInvalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	if len(in.LoadBalancerArns) > 20 || len(in.Names) > 20 {
		return nil, elbInvalid("Up to 20 load balancers can be described in a single call")
	}
	var all []LoadBalancer
	if len(in.LoadBalancerArns)+len(in.Names) == 0 {
		all = s.balancers
	}
	for _, id := range append(slices.Clone(in.LoadBalancerArns), in.Names...) {
		i := slices.IndexFunc(s.balancers, func(b LoadBalancer) bool {
			return len(in.Names) > 0 && b.Name == id || len(in.Names) == 0 && b.ARN == id
		})
		switch {
		case i >= 0:
			all = append(all, s.balancers[i])
		case len(in.Names) > 0:
			return nil, errf("LoadBalancerNotFound", "Load balancers '[%s]' not found", clip(id, 256))
		case !strings.HasPrefix(id, "arn:"):
			return nil, elbInvalid("'%s' is not a valid load balancer ARN", clip(id, 256))
		default:
			return nil, errf("LoadBalancerNotFound", "Load balancers '[%s]' not found", clip(id, 256))
		}
	}
	all, next, err := elbPage(all, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	out := struct {
		LoadBalancers []balancerOutput `aws:",keep"`
		NextMarker    string
	}{NextMarker: next}
	for _, b := range all {
		o := balancerOutput{
			LoadBalancerArn: b.ARN, DNSName: b.DNSName, CanonicalHostedZoneId: "Z1H1FL5HABSF5", CreatedTime: b.Created, LoadBalancerName: b.Name,
			Scheme: "internet-facing", VpcId: b.VPC, Type: b.Type, SecurityGroups: b.SecurityGroups, IpAddressType: "ipv4",
		}
		if b.Internal {
			o.Scheme = "internal"
		}
		o.State.Code, o.State.Reason = b.State, b.Reason
		for _, zone := range slices.Sorted(maps.Keys(b.Subnets)) {
			o.AvailabilityZones = append(o.AvailabilityZones, availabilityZone{ZoneName: zone, SubnetId: b.Subnets[zone]})
		}
		out.LoadBalancers = append(out.LoadBalancers, o)
	}
	return out, nil
}

type listenerCertificate struct {
	CertificateArn string
	IsDefault      *bool
}

type redirectConfig struct{ Protocol, Port, Host, Path, Query, StatusCode string }

type listenerAction struct {
	Type, TargetGroupArn string
	Order                int
	RedirectConfig       *redirectConfig
}

type listenerOutput struct {
	ListenerArn, LoadBalancerArn string
	Port                         int
	Protocol, SslPolicy          string
	Certificates                 []listenerCertificate
	DefaultActions               []listenerAction `aws:",keep"`
}

type listenersInput struct {
	LoadBalancerArn string
	ListenerArns    []string
	Marker          string
	PageSize        *int
}

// listeners are those that a request names; the caller holds s.mu.
func (s *Sim) listeners(in *listenersInput) (all []listenerOutput, err *apiError) {
	if (in.LoadBalancerArn == "") == (len(in.ListenerArns) == 0) {
		return nil, elbInvalid("You must specify either listener ARNs or a load balancer ARN")
	}
	found := map[string]bool{}
	known := false
	for _, b := range s.balancers {
		if in.LoadBalancerArn != "" && b.ARN != in.LoadBalancerArn {
			continue
		}
		known = true
		for _, l := range b.Listeners {
			if len(in.ListenerArns) > 0 && !slices.Contains(in.ListenerArns, l.ARN) {
				continue
			}
			found[l.ARN] = true
			o := listenerOutput{ListenerArn: l.ARN, LoadBalancerArn: b.ARN, Port: l.Port, Protocol: l.Protocol, SslPolicy: l.Policy}
			if len(l.Certificates) > 0 {
				o.Certificates = []listenerCertificate{{CertificateArn: l.Certificates[0]}}
			}
			if l.Redirect != "" {
				o.DefaultActions = []listenerAction{{Type: "redirect", Order: 1, RedirectConfig: &redirectConfig{l.Redirect, "443", "#{host}", "/#{path}", "#{query}", "HTTP_301"}}}
			} else {
				o.DefaultActions = []listenerAction{{Type: "forward", TargetGroupArn: s.arn("elasticloadbalancing", "targetgroup/"+b.Name+"/"+l.ARN[len(l.ARN)-16:])}}
			}
			all = append(all, o)
		}
	}
	if !known && in.LoadBalancerArn != "" {
		if !strings.Contains(in.LoadBalancerArn, ":loadbalancer/") {
			return nil, elbInvalid("'%s' is not a valid load balancer ARN", clip(in.LoadBalancerArn, 256))
		}
		return nil, errf("LoadBalancerNotFound", "One or more load balancers not found")
	}
	for _, arn := range in.ListenerArns {
		if !found[arn] {
			return nil, errf("ListenerNotFound", "One or more listeners not found")
		}
	}
	return all, nil
}

func describeListeners(c *call, in *listenersInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	all, err := c.sim.listeners(in)
	if err != nil {
		return nil, err
	}
	out := struct {
		Listeners  []listenerOutput `aws:",keep"`
		NextMarker string
	}{}
	out.Listeners, out.NextMarker, err = elbPage(all, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// describeListenerCertificates lists the default certificate, as such, and those
// that are served by name. The default that was also added by name is listed
// twice.
func describeListenerCertificates(c *call, in *struct {
	ListenerArn, Marker string
	PageSize            *int
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ListenerArn == "" {
		return nil, elbInvalid("A listener ARN must be specified")
	}
	var l *LoadListener
	for i := range s.balancers {
		for j := range s.balancers[i].Listeners {
			if s.balancers[i].Listeners[j].ARN == in.ListenerArn {
				l = &s.balancers[i].Listeners[j]
			}
		}
	}
	if l == nil {
		return nil, errf("ListenerNotFound", "One or more listeners not found")
	}
	var all []listenerCertificate
	for i, arn := range l.Certificates {
		def := i == 0
		all = append(all, listenerCertificate{arn, &def})
	}
	out := struct {
		Certificates []listenerCertificate `aws:",keep"`
		NextMarker   string
	}{}
	var err *apiError
	out.Certificates, out.NextMarker, err = elbPage(all, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func describeTags(c *call, in *struct{ ResourceArns []string }) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(in.ResourceArns); n < 1 || n > 20 {
		return nil, elbInvalid("Between 1 and 20 resource ARNs must be specified")
	}
	type entry struct {
		ResourceArn string
		Tags        []tag `aws:",keep"`
	}
	out := struct {
		TagDescriptions []entry `aws:",keep"`
	}{}
	for _, arn := range in.ResourceArns {
		i := slices.IndexFunc(s.balancers, func(b LoadBalancer) bool { return b.ARN == arn })
		if i < 0 {
			return nil, errf("LoadBalancerNotFound", "Load balancers '[%s]' not found", clip(arn, 256))
		}
		e := entry{ResourceArn: arn}
		for _, k := range slices.Sorted(maps.Keys(s.balancers[i].Tags)) {
			e.Tags = append(e.Tags, tag{k, s.balancers[i].Tags[k]})
		}
		out.TagDescriptions = append(out.TagDescriptions, e)
	}
	return out, nil
}
