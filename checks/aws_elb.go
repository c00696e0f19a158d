package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// Bounds of what is read of one load balancer. AWS allows 50 listeners and 25
// certificates beside the default of each; both can be raised.
const (
	listenerPages    = 4
	listenerLimit    = 100 // kept
	certificatePages = 4   // of one listener
	certificateLimit = 120 // looked up in ACM
)

// listeners reads the TLS listeners of a load balancer and what ACM says of each
// certificate that they serve.
func (b awsBuilder) listeners(c *config.Balancer) Probe {
	of := c.Balancer
	return b.paged(b.probe(estate.CheckListeners, "", "elbv2 DescribeListeners and acm DescribeCertificate", of, "read the listeners of load balancer "+of, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			ctx = clients.WithinEach(ctx, b.cfg.Checks.Timeout)
			balancer, err := b.balancer(ctx, s, of)
			if err != nil {
				return nil, err
			}
			out := estate.Listeners{
				Balancer: b.arn(balancer.LoadBalancerArn), Name: b.name(balancer.LoadBalancerName), DNSName: b.name(balancer.DNSName),
				Listeners: []estate.Listener{},
			}
			if balancer.State != nil {
				out.State = b.client.Text(string(balancer.State.Code), nameLimit)
			}
			all, err := b.tlsListeners(ctx, s, aws.ToString(balancer.LoadBalancerArn))
			if err != nil {
				return nil, err
			}
			known := map[string]estate.ManagedCertificate{}
			for _, one := range all {
				l := estate.Listener{Port: int(aws.ToInt32(one.Port)), Protocol: b.client.Text(string(one.Protocol), nameLimit), Policy: b.name(one.SslPolicy)}
				arns, err := b.served(ctx, s, &one)
				if err != nil {
					return nil, err
				}
				for _, c := range arns {
					certificate, ok := known[c.arn]
					if !ok {
						certificate = b.managed(ctx, s, c.arn, len(known) < certificateLimit)
						known[c.arn] = certificate
					}
					certificate.Default = c.standard
					l.Certificates = append(l.Certificates, certificate)
				}
				out.Listeners = append(out.Listeners, l)
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return out, nil
		}), 8)
}

// balancer describes one load balancer, by its name or ARN.
func (b awsBuilder) balancer(ctx context.Context, s *clients.AWSServices, of string) (*elbtypes.LoadBalancer, error) {
	in := &elb.DescribeLoadBalancersInput{}
	if strings.HasPrefix(of, "arn:") {
		in.LoadBalancerArns = []string{of}
	} else {
		in.Names = []string{of}
	}
	out, err := s.Balancing.DescribeLoadBalancers(ctx, in)
	if err != nil {
		return nil, err
	}
	if len(out.LoadBalancers) == 0 || aws.ToString(out.LoadBalancers[0].LoadBalancerArn) == "" {
		return nil, hollow("the load balancer's ARN")
	}
	return &out.LoadBalancers[0], nil
}

// tlsListeners are the listeners that serve certificates.
func (b awsBuilder) tlsListeners(ctx context.Context, s *clients.AWSServices, arn string) ([]elbtypes.Listener, error) {
	in := &elb.DescribeListenersInput{LoadBalancerArn: aws.String(arn), PageSize: aws.Int32(50)}
	var all []elbtypes.Listener
	for range listenerPages {
		out, err := s.Balancing.DescribeListeners(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, one := range out.Listeners {
			if p := one.Protocol; p == elbtypes.ProtocolEnumHttps || p == elbtypes.ProtocolEnumTls {
				all = append(all, one)
			}
		}
		next := aws.ToString(out.NextMarker)
		if next == "" || len(all) >= listenerLimit {
			return all[:min(len(all), listenerLimit)], nil
		}
		if next == aws.ToString(in.Marker) {
			break
		}
		in.Marker = out.NextMarker
	}
	return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the list of listeners does not end"}
}

// servedCertificate is one that a listener serves.
type servedCertificate struct {
	arn      string
	standard bool
}

// served are a listener's certificates, its default first. The list has the
// default twice: as itself, and as one of those chosen by server name.
func (b awsBuilder) served(ctx context.Context, s *clients.AWSServices, l *elbtypes.Listener) ([]servedCertificate, error) {
	var out []servedCertificate
	add := func(arn string, standard bool) {
		if arn == "" {
			return
		}
		if i := slices.IndexFunc(out, func(c servedCertificate) bool { return c.arn == arn }); i >= 0 {
			out[i].standard = out[i].standard || standard
			return
		}
		out = append(out, servedCertificate{arn, standard})
	}
	for i, c := range l.Certificates { // DescribeListeners tells the default, and alone
		add(aws.ToString(c.CertificateArn), i == 0)
	}
	in := &elb.DescribeListenerCertificatesInput{ListenerArn: l.ListenerArn, PageSize: aws.Int32(100)}
	for range certificatePages {
		page, err := s.Balancing.DescribeListenerCertificates(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, c := range page.Certificates {
			add(aws.ToString(c.CertificateArn), aws.ToBool(c.IsDefault))
		}
		next := aws.ToString(page.NextMarker)
		if next == "" {
			return out, nil
		}
		if next == aws.ToString(in.Marker) || len(out) >= certificateLimit {
			break
		}
		in.Marker = page.NextMarker
	}
	return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the list of a listener's certificates does not end"}
}
