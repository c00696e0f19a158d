package discover

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"warroom/internal/clients"
)

// maxBalancers bounds the load balancers whose listeners are looked at.
const maxBalancers = 50

// balancers finds the load balancers that terminate TLS.
func (l *looker) balancers(ctx context.Context, services *clients.AWSServices, a *account) error {
	in := &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(maxBalancers)}
	out, err := services.Balancing.DescribeLoadBalancers(ctx, in)
	if err != nil {
		return err
	}
	for _, b := range out.LoadBalancers[:min(len(out.LoadBalancers), maxBalancers)] {
		listeners, err := services.Balancing.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: b.LoadBalancerArn})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(listeners.Listeners, func(x elbtypes.Listener) bool {
			return x.Protocol == elbtypes.ProtocolEnumHttps || x.Protocol == elbtypes.ProtocolEnumTls
		}) {
			a.balancers = append(a.balancers, balancer{name: oneLine(aws.ToString(b.LoadBalancerName))})
		}
	}
	return nil
}
